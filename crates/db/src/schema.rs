//! The tables that every service has: `migrations/*/0000_common`.

diesel::table! {
    use diesel::sql_types::{Integer, Nullable, Text};
    use crate::sql::{Jsonb, UtcTime, Uuid};

    outbox (id) {
        id -> Uuid,
        topic -> Text,
        key -> Nullable<Uuid>,
        payload -> Jsonb,
        headers -> Jsonb,
        created_at -> UtcTime,
        available_at -> UtcTime,
        attempts -> Integer,
        claimed_until -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Text};
    use crate::sql::UtcTime;

    idempotency (scope, key) {
        scope -> Text,
        key -> Text,
        request_hash -> Binary,
        response -> Binary,
        created_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use crate::sql::UtcTime;

    leases (name) {
        name -> Text,
        holder -> Text,
        until -> UtcTime,
    }
}
