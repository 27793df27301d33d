//! The tables.
#![allow(clippy::wildcard_imports)] // as diesel writes tables

use db::diesel;

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{Jsonb, UtcTime, Uuid};

    assistants (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        name -> Text,
        script -> Jsonb,
        created_at -> UtcTime,
        updated_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{Jsonb, UtcTime, Uuid};

    campaigns (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        name -> Text,
        status -> Text,
        assistant_id -> Nullable<Uuid>,
        script -> Jsonb,
        selection -> Jsonb,
        max_concurrent -> Integer,
        calls_per_second -> Integer,
        filled -> Bool,
        filled_to -> Nullable<Uuid>,
        next_release_at -> Nullable<UtcTime>,
        queued -> BigInt,
        active -> BigInt,
        completed -> BigInt,
        no_answer -> BigInt,
        busy -> BigInt,
        voicemail -> BigInt,
        failed -> BigInt,
        canceled -> BigInt,
        blocked -> BigInt,
        unknown -> BigInt,
        created_at -> UtcTime,
        updated_at -> UtcTime,
        started_at -> Nullable<UtcTime>,
        finished_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{Jsonb, UtcTime, Uuid};

    calls (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        status -> Text,
        phone_number -> Text,
        contact_id -> Nullable<Uuid>,
        campaign_id -> Nullable<Uuid>,
        assistant_id -> Nullable<Uuid>,
        script -> Jsonb,
        metadata -> Jsonb,
        reason -> Nullable<Text>,
        attempts -> Integer,
        failures -> Integer,
        needs_review -> Bool,
        answered_by -> Nullable<Text>,
        duration -> Nullable<Integer>,
        price_micros -> Nullable<BigInt>,
        summary -> Nullable<Text>,
        transcript -> Nullable<Text>,
        turns -> Nullable<Jsonb>,
        recording_source -> Nullable<Text>,
        recording_type -> Nullable<Text>,
        recording_size -> Nullable<BigInt>,
        recorded -> Bool,
        scheduled_at -> Nullable<UtcTime>,
        due_at -> Nullable<UtcTime>,
        rung_at -> Nullable<UtcTime>,
        epoch -> BigInt,
        claimed_until -> Nullable<UtcTime>,
        claimed_by -> Nullable<Text>,
        started_at -> Nullable<UtcTime>,
        ended_at -> Nullable<UtcTime>,
        created_at -> UtcTime,
        updated_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{Jsonb, UtcTime, Uuid};

    attempts (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        call_id -> Uuid,
        number -> Integer,
        epoch -> BigInt,
        state -> Text,
        lease_until -> UtcTime,
        rule_version -> Integer,
        provider_call_id -> Nullable<Text>,
        message -> Nullable<Text>,
        raw -> Nullable<Jsonb>,
        lookups -> Integer,
        lookup_at -> Nullable<UtcTime>,
        sent_at -> Nullable<UtcTime>,
        created_at -> UtcTime,
        updated_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{UtcTime, Uuid};

    call_events (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        call_id -> Uuid,
        status -> Text,
        cause -> Text,
        detail -> Nullable<Text>,
        attempt -> Nullable<Integer>,
        at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{UtcTime, Uuid};

    suppressions (organisation_id, phone_number) {
        organisation_id -> Uuid,
        phone_number -> Text,
        reason -> Text,
        created_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{UtcTime, Uuid};

    webhook_inbox (event_key) {
        event_key -> Binary,
        organisation_id -> Uuid,
        received_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{UtcTime};

    pacing (name) {
        name -> Text,
        active -> BigInt,
        next_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{UtcTime, Uuid};

    stream_events (seq) {
        seq -> BigInt,
        transaction -> BigInt,
        organisation_id -> Uuid,
        kind -> Text,
        subject_id -> Uuid,
        at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use db::sql::{Jsonb, UtcTime, Uuid};

    contacts (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        name -> Text,
        sort_name -> Text,
        search -> Text,
        phone_number -> Text,
        email -> Nullable<Text>,
        tags -> Jsonb,
        metadata -> Jsonb,
        import_id -> Nullable<Uuid>,
        created_at -> UtcTime,
        updated_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use db::sql::Uuid;

    contact_tags (organisation_id, tag, contact_id) {
        organisation_id -> Uuid,
        tag -> Text,
        contact_id -> Uuid,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use db::sql::{Jsonb, UtcTime, Uuid};

    imports (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        status -> Text,
        filename -> Text,
        storage_key -> Text,
        bytes -> BigInt,
        sha256 -> Text,
        encoding -> Text,
        delimiter -> Text,
        layout -> Jsonb,
        default_country -> Nullable<Text>,
        on_duplicate -> Text,
        tags -> Jsonb,
        total_rows -> BigInt,
        imported_rows -> BigInt,
        updated_rows -> BigInt,
        duplicate_rows -> BigInt,
        failed_rows -> BigInt,
        sample_errors -> Jsonb,
        failure -> Nullable<Text>,
        byte_offset -> BigInt,
        line -> BigInt,
        epoch -> BigInt,
        claimed_until -> Nullable<UtcTime>,
        claimed_by -> Nullable<Text>,
        fruitless_claims -> Integer,
        rung_at -> UtcTime,
        streamed_at -> Nullable<UtcTime>,
        created_at -> UtcTime,
        finished_at -> Nullable<UtcTime>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use db::sql::{Jsonb, Uuid};

    import_errors (import_id, line) {
        organisation_id -> Uuid,
        import_id -> Uuid,
        line -> BigInt,
        column -> Text,
        code -> Text,
        message -> Text,
        cells -> Jsonb,
    }
}

diesel::allow_tables_to_appear_in_same_query!(contacts, contact_tags);
