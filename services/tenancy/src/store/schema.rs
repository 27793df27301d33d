//! The tables.

diesel::table! {
    use diesel::sql_types::{Bool, Text};
    use db::sql::{UtcTime, Uuid};

    organisations (id) {
        id -> Uuid,
        name -> Text,
        folded_name -> Text,
        sort_name -> Text,
        description -> Text,
        address -> Text,
        city -> Text,
        state -> Text,
        country -> Text,
        pincode -> Text,
        is_active -> Bool,
        created_at -> UtcTime,
        updated_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Text};
    use db::sql::Uuid;

    accounts (user_id) {
        user_id -> Uuid,
        version -> BigInt,
        email -> Text,
        name -> Text,
        is_active -> Bool,
        is_superadmin -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool};
    use db::sql::Uuid;

    assignments (assignment_id) {
        assignment_id -> Uuid,
        version -> BigInt,
        user_id -> Uuid,
        organisation_id -> Uuid,
        is_active -> Bool,
        permissions -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(organisations, accounts, assignments);
