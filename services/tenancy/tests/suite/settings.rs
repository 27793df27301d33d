//! How organisations call.

use crate::world::{World, code, nobody};
use callfairy_core::{Clock, ErrorCode, Problem};
use db::diesel::prelude::*;
use db::diesel::sql_types::Text;
use db::{diesel, on};
use proto::Permission;
use proto::rpc::settings::{GetCallingSettings, GetOrganisationSettings, UpdateOrganisationSettings};
use proto::tenancy::*;
use proto::types::{CallingWindow, Pacing, Weekday};
use std::time::Duration;

testkit::on_both!(
    has_defaults,
    changes_only_what_is_given,
    refuses_what_cannot_be,
    keeps_a_provider_s_key_to_itself,
    tells_other_services_how_to_call,
    records_what_was_changed,
    only_those_who_may_see_and_change_them,
);

const KEY: &str = "org_51f0c8e2_canary_0123456789";

async fn get(world: &World, organisation: &str) -> OrganisationSettings {
    let request = GetOrganisationSettingsRequest { organisation_id: organisation.to_owned() };
    world.call::<GetOrganisationSettings>(world.superadmin, request).await.unwrap()
}

async fn update(
    world: &World,
    organisation: &str,
    request: UpdateOrganisationSettingsRequest,
) -> Result<OrganisationSettings, Problem> {
    let request = UpdateOrganisationSettingsRequest { organisation_id: organisation.to_owned(), ..request };
    world.call::<UpdateOrganisationSettings>(world.superadmin, request).await
}

fn window(start: &str, end: &str, days: &[Weekday]) -> CallingWindow {
    let days = days.iter().copied().map(Into::into).collect();
    CallingWindow { start: start.to_owned(), end: end.to_owned(), days }
}

fn unset() -> OrganisationSettings {
    use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};

    OrganisationSettings {
        calling_window: Some(window("08:00", "21:00", &[Mon, Tue, Wed, Thu, Fri, Sat, Sun])),
        pacing: Some(Pacing { max_concurrent: 10, calls_per_second: 2 }),
        default_country: String::new(),
        timezone: "UTC".to_owned(),
        caps: Some(CallingCaps { calls_per_number_per_day: 3, spend_per_month_cents: 0 }),
        retention: Some(Retention::default()),
        provider: None,
        updated_at: None,
    }
}

/// All texts and bytes of a table.
async fn dump(world: &World, table: &str) -> String {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        text: String,
    }
    let pool = db::Pool::open(world.database.url(), "tenancy", 1).unwrap().of_everyone();
    let postgres = format!("SELECT t::text AS text FROM {table} t");
    let sqlite = match table {
        "settings" => "SELECT bland_key_hint || ' ' || hex(bland_api_key) AS text FROM settings".to_owned(),
        _ => format!("SELECT payload AS text FROM {table}"),
    };
    let sql = if pool.is_postgres() { postgres } else { sqlite };
    let load =
        move |db: &mut db::Db| -> Result<Vec<Row>, db::Error> { Ok(on!(db, |c| diesel::sql_query(sql).load(c))?) };
    pool.read(load).await.unwrap().into_iter().map(|row| row.text).collect::<Vec<_>>().join("\n")
}

async fn has_defaults(world: &World) {
    let acme = world.organisation("Acme").await.id;
    assert_eq!(get(world, &acme).await, unset());
    // Nothing given is nothing changed.
    assert_eq!(update(world, &acme, UpdateOrganisationSettingsRequest::default()).await, Ok(unset()));
    assert_eq!(get(world, &acme).await, unset());
}

async fn changes_only_what_is_given(world: &World) {
    let (acme, other) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let now = Some(world.clock.now().into());
    let country = UpdateOrganisationSettingsRequest { default_country: Some("GB".to_owned()), ..Default::default() };
    let expected = OrganisationSettings { default_country: "GB".to_owned(), updated_at: now, ..unset() };
    assert_eq!(update(world, &acme, country).await, Ok(expected.clone()));

    let now = Some(world.clock.advance(Duration::from_mins(1)).into());
    let rest = UpdateOrganisationSettingsRequest {
        calling_window: Some(window("09:30", "24:00", &[Weekday::Sat, Weekday::Mon])),
        pacing: Some(Pacing { max_concurrent: 1000, calls_per_second: 1 }),
        timezone: Some("asia/kolkata".to_owned()),
        caps: Some(CallingCaps { calls_per_number_per_day: 1, spend_per_month_cents: 250_000 }),
        retention: Some(Retention { recordings_days: 30, transcripts_days: 0 }),
        ..Default::default()
    };
    let expected = OrganisationSettings {
        calling_window: rest.calling_window.clone(),
        pacing: rest.pacing,
        timezone: "Asia/Kolkata".to_owned(),
        caps: rest.caps,
        retention: rest.retention,
        updated_at: now,
        ..expected
    };
    assert_eq!(update(world, &acme, rest).await, Ok(expected.clone()));
    assert_eq!(get(world, &acme).await, expected);

    // An object is replaced whole, and a country taken away.
    let again = UpdateOrganisationSettingsRequest {
        retention: Some(Retention { recordings_days: 0, transcripts_days: 7 }),
        default_country: Some(String::new()),
        ..Default::default()
    };
    let expected =
        OrganisationSettings { retention: again.retention, default_country: String::new(), ..expected.clone() };
    assert_eq!(update(world, &acme, again).await, Ok(expected));
    assert_eq!(get(world, &other).await, unset());
}

async fn refuses_what_cannot_be(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let none = UpdateOrganisationSettingsRequest::default;
    let day = &[Weekday::Mon];
    let with_window = |calling_window| UpdateOrganisationSettingsRequest { calling_window, ..none() };
    let with_zone = |zone: &str| UpdateOrganisationSettingsRequest { timezone: Some(zone.to_owned()), ..none() };
    let with_country =
        |code: &str| UpdateOrganisationSettingsRequest { default_country: Some(code.to_owned()), ..none() };
    let with_key = |key: &str| UpdateOrganisationSettingsRequest { bland_api_key: Some(key.to_owned()), ..none() };
    let caps = |calls, cents| UpdateOrganisationSettingsRequest {
        caps: Some(CallingCaps { calls_per_number_per_day: calls, spend_per_month_cents: cents }),
        ..none()
    };
    for (request, field) in [
        (with_window(Some(window("24:00", "24:00", day))), "calling_window.start"),
        (with_window(Some(window("8:00", "24:00", day))), "calling_window.start"),
        (with_window(Some(window("", "24:00", day))), "calling_window.start"),
        (with_window(Some(window("09:00", "09:00", day))), "calling_window.end"),
        (with_window(Some(window("09:00", "25:00", day))), "calling_window.end"),
        (with_window(Some(window("09:00", "17:00", &[]))), "calling_window.days"),
        (with_window(Some(window("09:00", "17:00", &[Weekday::Mon, Weekday::Mon]))), "calling_window.days[1]"),
        (with_window(Some(window("09:00", "17:00", &[Weekday::Unspecified]))), "calling_window.days[0]"),
        (UpdateOrganisationSettingsRequest { pacing: Some(Pacing::default()), ..none() }, "pacing.max_concurrent"),
        (with_zone("Mars/Olympus"), "timezone"),
        (with_zone(""), "timezone"),
        (with_country("XX"), "default_country"),
        (with_country("Germany"), "default_country"),
        (caps(0, 0), "caps.calls_per_number_per_day"),
        (caps(1, u64::MAX), "caps.spend_per_month_cents"),
        (
            UpdateOrganisationSettingsRequest {
                retention: Some(Retention { recordings_days: 1, transcripts_days: 4_000 }),
                ..none()
            },
            "retention.transcripts_days",
        ),
        (with_key("short"), "bland_api_key"),
        (with_key("a key with spaces that is long"), "bland_api_key"),
    ] {
        // Nothing of it, also not what would be good.
        let request = UpdateOrganisationSettingsRequest {
            timezone: request.timezone.or_else(|| Some("Asia/Tokyo".to_owned())),
            ..request
        };
        let problem = update(world, &acme, request).await.unwrap_err();
        let named = problem.fields.first().map(|error| error.field.as_str());
        assert_eq!((problem.code, named), (ErrorCode::InvalidArgument, Some(field)), "{problem:?}");
    }
    assert_eq!(get(world, &acme).await, unset());
    assert_eq!(code(update(world, &nobody(), with_zone("UTC")).await), ErrorCode::NotFound);
}

async fn keeps_a_provider_s_key_to_itself(world: &World) {
    let (acme, other) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let with = |key: &str| UpdateOrganisationSettingsRequest {
        bland_api_key: Some(key.to_owned()),
        ..UpdateOrganisationSettingsRequest::default()
    };
    assert!(!format!("{:?}", with(KEY)).contains("canary"));
    let now = Some(world.clock.now().into());
    let provider = ProviderAccount { kind: "bland".to_owned(), key_hint: "6789".to_owned(), updated_at: now };
    for organisation in [&acme, &other] {
        let set = update(world, organisation, with(KEY)).await.unwrap();
        assert_eq!(set.provider.as_ref(), Some(&provider));
        assert!(!format!("{set:?}").contains("canary"));
    }
    // It is sealed, and for each organisation otherwise.
    let rows = dump(world, "settings").await.to_lowercase();
    assert!(rows.contains("6789") && !rows.contains("canary") && !rows.contains(&hex::encode("canary")), "{rows}");
    assert!(!dump(world, "outbox").await.contains("canary"));
    world.all_is_recorded().await;
    assert!(!format!("{:?}", world.audited("settings_changed").await).contains("canary"));

    // Other changes leave it alone.
    world.clock.advance(Duration::from_mins(1));
    let zone = UpdateOrganisationSettingsRequest { timezone: Some("Asia/Tokyo".to_owned()), ..Default::default() };
    assert_eq!(update(world, &acme, zone).await.unwrap().provider.as_ref(), Some(&provider));
    assert_eq!(update(world, &acme, with("")).await.unwrap().provider, None);
    assert_eq!(get(world, &acme).await.timezone, "Asia/Tokyo");
    assert_eq!(get(world, &other).await.provider, Some(provider));
}

async fn tells_other_services_how_to_call(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let request = UpdateOrganisationSettingsRequest {
        pacing: Some(Pacing { max_concurrent: 4, calls_per_second: 5 }),
        default_country: Some("IN".to_owned()),
        bland_api_key: Some(KEY.to_owned()),
        ..Default::default()
    };
    let set = update(world, &acme, request).await.unwrap();
    let told = async |id: String| {
        world.asks::<GetCallingSettings>(GetCallingSettingsRequest { organisation_id: id }).await.unwrap()
    };
    let expected = |settings: OrganisationSettings| CallingSettings {
        calling_window: settings.calling_window,
        pacing: settings.pacing,
        default_country: settings.default_country,
        timezone: settings.timezone,
        caps: settings.caps,
        retention: settings.retention,
    };
    assert_eq!(told(acme.clone()).await, expected(set));
    assert_eq!(told(nobody()).await, expected(unset()));
    let request = GetCallingSettingsRequest { organisation_id: acme };
    let refused = world.call::<GetCallingSettings>(world.superadmin, request).await;
    assert_eq!(code(refused), ErrorCode::PermissionDenied);
}

async fn records_what_was_changed(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let request = UpdateOrganisationSettingsRequest {
        retention: Some(Retention { recordings_days: 30, transcripts_days: 30 }),
        timezone: Some("Asia/Tokyo".to_owned()),
        bland_api_key: Some(KEY.to_owned()),
        ..Default::default()
    };
    update(world, &acme, request).await.unwrap();
    update(world, &acme, UpdateOrganisationSettingsRequest::default()).await.unwrap();
    world.all_is_recorded().await;
    let entries = world.audited("settings_changed").await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let entry = &entries[0];
    let (actor, subject) = (entry.actor.as_ref().unwrap(), entry.subject.as_ref().unwrap());
    assert_eq!((actor.id.as_str(), entry.organisation_id.as_deref()), (&*world.superadmin.to_string(), Some(&*acme)));
    assert_eq!((subject.kind.as_str(), subject.id.as_str()), ("organisation", &*acme));
    assert_eq!(
        entry.details.iter().collect::<Vec<_>>(),
        [(&"fields".to_owned(), &"timezone,retention,bland_api_key".to_owned())]
    );
}

async fn only_those_who_may_see_and_change_them(world: &World) {
    let (acme, other) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let agent = world.agent("Ada", &acme, &[Permission::EditOrganisationSettings]).await;
    let reader = world.agent("Bo", &other, &[Permission::ManageOrganisation]).await;
    let read = |id: &str| GetOrganisationSettingsRequest { organisation_id: id.to_owned() };
    let write = |id: &str| UpdateOrganisationSettingsRequest {
        organisation_id: id.to_owned(),
        timezone: Some("Asia/Tokyo".to_owned()),
        ..Default::default()
    };
    for (user, id, expected) in [
        (agent, &acme, None),
        (agent, &other, Some(ErrorCode::NotFound)),
        (reader, &other, Some(ErrorCode::PermissionDenied)),
        (reader, &acme, Some(ErrorCode::NotFound)),
    ] {
        let seen = world.call::<GetOrganisationSettings>(user, read(id)).await;
        assert_eq!(seen.err().map(|problem| problem.code), expected);
        let changed = world.call::<UpdateOrganisationSettings>(user, write(id)).await;
        assert_eq!(changed.err().map(|problem| problem.code), expected);
    }
    assert_eq!(get(world, &acme).await.timezone, "Asia/Tokyo");
    assert_eq!(get(world, &other).await, unset());
}
