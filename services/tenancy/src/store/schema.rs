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
        folded_email -> Text,
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

diesel::table! {
    use db::sql::{UtcTime, Uuid};

    ended_sessions (session_id) {
        session_id -> Uuid,
        reported_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::Integer;
    use db::sql::{UtcTime, Uuid};

    grants (user_id, permission) {
        user_id -> Uuid,
        permission -> Integer,
        granted_by -> Uuid,
        granted_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use db::sql::{UtcTime, Uuid};

    members (organisation_id, user_id) {
        organisation_id -> Uuid,
        user_id -> Uuid,
        joined_at -> UtcTime,
        added_by -> Uuid,
        name -> Nullable<Text>,
        job_title -> Nullable<Text>,
        phone -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use db::sql::{UtcTime, Uuid};

    invitations (organisation_id, folded_email) {
        organisation_id -> Uuid,
        folded_email -> Text,
        email -> Text,
        name -> Text,
        invited_by -> Uuid,
        created_at -> UtcTime,
        expires_at -> UtcTime,
        id -> Uuid,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use db::sql::{UtcTime, Uuid};

    api_keys (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        name -> Text,
        prefix -> Text,
        hash -> Binary,
        permissions -> BigInt,
        created_by -> Uuid,
        created_at -> UtcTime,
        expires_at -> Nullable<UtcTime>,
        last_used_at -> Nullable<UtcTime>,
        revoked_at -> Nullable<UtcTime>,
        revoked_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use db::sql::{UtcTime, Uuid};

    audit_log (sequence) {
        sequence -> BigInt,
        id -> Uuid,
        at -> UtcTime,
        actor_kind -> Text,
        actor_id -> Text,
        action -> Text,
        organisation_id -> Nullable<Uuid>,
        subject_kind -> Text,
        subject_id -> Text,
        outcome -> Text,
        network -> Text,
        details -> Text,
        previous_hash -> Binary,
        hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Bool};

    audit_head (single) {
        single -> Bool,
        sequence -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use db::sql::{Jsonb, UtcTime, Uuid};

    settings (organisation_id) {
        organisation_id -> Uuid,
        calling_window -> Nullable<Jsonb>,
        pacing -> Nullable<Jsonb>,
        default_country -> Nullable<Text>,
        timezone -> Nullable<Text>,
        caps -> Nullable<Jsonb>,
        retention -> Nullable<Jsonb>,
        bland_api_key -> Nullable<Binary>,
        bland_key_hint -> Nullable<Text>,
        bland_key_updated_at -> Nullable<UtcTime>,
        updated_at -> UtcTime,
    }
}

diesel::allow_tables_to_appear_in_same_query!(organisations, accounts, assignments, members);

diesel::table! {
    use diesel::sql_types::{BigInt, Integer};

    access_head (id) {
        id -> Integer,
        number -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::BigInt;
    use db::sql::Uuid;

    access_changes (number) {
        number -> BigInt,
        subject -> Uuid,
    }
}
