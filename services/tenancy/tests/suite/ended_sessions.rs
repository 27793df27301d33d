//! What follows from the end of a session.

use crate::world::{DEADLINE, World, account, code};
use access::{ACCESS_TOKEN_TYPE, AccessClaims, LocalSlot, Meta};
use callfairy_core::{Clock as _, ErrorCode, Id, Secret};
use proto::Permission;
use proto::rpc::access::ListPermissions;
use proto::rpc::authority::{GetAccess, ReportAccount};
use proto::rpc::organisations::GetOrganisation;
use proto::tenancy::*;
use runtime::{Listener, Shutdown};
use std::time::Duration;
use testkit::TestKey;

testkit::on_both!(a_session_that_has_ended_is_shut_out, ended_sessions_are_forgotten_when_no_token_lives);

type Session = Id<()>;

fn session() -> Session {
    Id::new()
}

async fn a_session_that_has_ended_is_shut_out(world: &World) {
    let organisation = world.organisation("Acme").await.id;
    let agent = world.agent("Ada", &organisation, &[Permission::ManageOrganisation]).await;
    let get = || GetOrganisationRequest { organisation_id: organisation.clone() };
    let (phone, laptop, lost) = (session(), session(), session());
    let meta = |session: Session| {
        let claims = AccessClaims { sid: session.uuid(), ..testkit::claims(agent, world.clock.now()) };
        Meta::with_token(Secret::new(TestKey::default().sign(ACCESS_TOKEN_TYPE, &claims)))
    };
    let (phone_meta, laptop_meta) = (meta(phone), meta(laptop));
    for meta in [&phone_meta, &laptop_meta] {
        world.tenancy.unary::<GetOrganisation>(meta, get()).await.unwrap();
    }
    // Whatever the version, the end counts; and nothing takes it back.
    let ended = |version, sessions: &[Session]| AccountFact {
        version,
        ended_sessions: sessions.iter().map(ToString::to_string).collect(),
        ..account(agent, "Ada")
    };
    world.report_account(ended(3, &[])).await;
    world.report_account(ended(2, &[phone, lost])).await;
    world.report_account(ended(4, &[phone])).await;
    world.report_account(ended(5, &[])).await;
    let refused = async || world.tenancy.unary::<GetOrganisation>(&phone_meta, get()).await.err();
    let problem = testkit::eventually("the token is refused", DEADLINE, refused).await;
    assert_eq!(problem.code, ErrorCode::Unauthenticated);
    let anywhere = world.tenancy.unary::<ListPermissions>(&meta(lost), ListPermissionsRequest {}).await;
    assert_eq!(code(anywhere), ErrorCode::Unauthenticated);
    world.tenancy.unary::<GetOrganisation>(&laptop_meta, get()).await.unwrap();

    // The other services ask the same.
    let snapshot = async |session: String| {
        let request =
            GetAccessRequest { user_id: agent.to_string(), organisation_id: organisation.clone(), session_id: session };
        AccessSnapshot { as_of: 0, ..world.asks::<GetAccess>(request).await.unwrap() }
    };
    assert_eq!(snapshot(phone.to_string()).await, AccessSnapshot::default());
    for session in [laptop.to_string(), String::new()] {
        assert_eq!(snapshot(session).await.relation(), Relation::Agent);
    }
    let bad = GetAccessRequest { user_id: agent.to_string(), session_id: "7".to_owned(), ..Default::default() };
    assert_eq!(code(world.asks::<GetAccess>(bad).await), ErrorCode::InvalidArgument);
    let bad = AccountFact { ended_sessions: vec!["7".to_owned()], ..account(agent, "Ada") };
    assert_eq!(code(world.asks::<ReportAccount>(bad).await), ErrorCode::InvalidArgument);
}

async fn ended_sessions_are_forgotten_when_no_token_lives(world: &World) {
    let (user, early, late) = (world.user("Una").await, session(), session());
    let ended = |session: Session| AccountFact { ended_sessions: vec![session.to_string()], ..account(user, "Una") };
    let is_active = async |session: Session| {
        let request =
            GetAccessRequest { user_id: user.to_string(), session_id: session.to_string(), ..Default::default() };
        world.asks::<GetAccess>(request).await.unwrap().user_is_active
    };
    world.report_account(ended(early)).await;
    world.clock.advance(Duration::from_mins(29));
    world.report_account(ended(late)).await;
    // Said again, it is not remembered for longer.
    world.report_account(ended(early)).await;
    assert_eq!((is_active(early).await, is_active(late).await), (false, false));
    world.clock.advance(Duration::from_mins(1));
    // Each start begins with a look.
    let (slot, shutdown) = (LocalSlot::default(), Shutdown::new());
    let replica = tokio::spawn(tenancy::serve(world.config(), Listener::local(slot), shutdown.clone()));
    let forgotten = async || is_active(early).await.then_some(());
    testkit::eventually("the earlier one is forgotten", DEADLINE, forgotten).await;
    assert!(!is_active(late).await);
    shutdown.begin();
    replica.await.unwrap().unwrap();
}
