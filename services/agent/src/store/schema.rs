//! The tables.

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable};
    use db::sql::{UtcTime, Uuid};

    assignments (id) {
        id -> Uuid,
        user_id -> Uuid,
        organisation_id -> Uuid,
        permissions -> BigInt,
        assigned_at -> UtcTime,
        assigned_by -> Uuid,
        revoked_at -> Nullable<UtcTime>,
        revoked_by -> Nullable<Uuid>,
        version -> BigInt,
    }
}
