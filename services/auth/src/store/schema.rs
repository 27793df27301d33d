//! The tables.

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use db::sql::{UtcTime, Uuid};

    users (id) {
        id -> Uuid,
        email -> Text,
        email_folded -> Text,
        search_text -> Text,
        name -> Text,
        company -> Nullable<Text>,
        job_title -> Nullable<Text>,
        phone -> Nullable<Text>,
        password_hash -> Text,
        is_superadmin -> Bool,
        is_active -> Bool,
        email_verified_at -> Nullable<UtcTime>,
        version -> BigInt,
        created_at -> UtcTime,
        updated_at -> UtcTime,
        totp_enabled_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use db::sql::{UtcTime, Uuid};

    sessions (id) {
        id -> Uuid,
        user_id -> Uuid,
        created_at -> UtcTime,
        expires_at -> UtcTime,
        ends_at -> UtcTime,
        revoked_at -> Nullable<UtcTime>,
        device -> Nullable<Text>,
        address -> Nullable<Text>,
        last_used_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable};
    use db::sql::{UtcTime, Uuid};

    refresh_tokens (hash) {
        hash -> Binary,
        session_id -> Uuid,
        created_at -> UtcTime,
        replaced_at -> Nullable<UtcTime>,
        successor -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use db::sql::{Jsonb, UtcTime, Uuid};

    single_use_tokens (hash) {
        hash -> Binary,
        purpose -> Text,
        user_id -> Uuid,
        email_folded -> Text,
        registration -> Nullable<Jsonb>,
        created_at -> UtcTime,
        expires_at -> UtcTime,
        used_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Integer, Nullable, Text};
    use db::sql::{Jsonb, UtcTime, Uuid};

    mails (id) {
        id -> Uuid,
        recipient -> Text,
        kind -> Text,
        token -> Nullable<Binary>,
        created_at -> UtcTime,
        attempts -> Integer,
        due_at -> UtcTime,
        claimed_until -> Nullable<UtcTime>,
        sent_at -> Nullable<UtcTime>,
        failed_at -> Nullable<UtcTime>,
        membership -> Nullable<Jsonb>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use db::sql::UtcTime;

    signing_keys (kid) {
        kid -> Text,
        public_key -> Binary,
        private_key -> Binary,
        created_at -> UtcTime,
        retired_at -> Nullable<UtcTime>,
        signs_from -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Integer, Nullable};
    use db::sql::{UtcTime, Uuid};

    totp (user_id) {
        user_id -> Uuid,
        secret -> Binary,
        last_step -> BigInt,
        failures -> Integer,
        paused_until -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::Binary;
    use db::sql::Uuid;

    recovery_codes (user_id, hash) {
        user_id -> Uuid,
        hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Integer};
    use db::sql::UtcTime;

    attempts (key) {
        key -> Binary,
        count -> Integer,
        since -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use db::sql::{UtcTime, Uuid};

    allowed_email_domains (domain) {
        domain -> Text,
        created_at -> UtcTime,
        created_by -> Uuid,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use db::sql::{UtcTime, Uuid};

    identities (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        user_id -> Uuid,
        created_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable};
    use db::sql::{Jsonb, UtcTime};

    google_flows (state) {
        state -> Binary,
        browser -> Binary,
        nonce -> Binary,
        verifier -> Binary,
        expires_at -> UtcTime,
        used_at -> Nullable<UtcTime>,
        identity -> Nullable<Jsonb>,
    }
}

diesel::joinable!(refresh_tokens -> sessions (session_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(identities -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(identities, refresh_tokens, sessions, users);
