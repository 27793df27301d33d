//! The sessions of one's own devices.

use crate::world::{PASSWORD, World, bearer, code, login};
use access::{Meta, Origin};
use callfairy_core::{ErrorCode, Id, Problem};
use proto::auth::{EndSessionRequest, ListSessionsRequest, LogoutRequest, RefreshRequest, Session, Tokens};
use proto::rpc::sessions::{EndSession, ListSessions, Login, Logout, Refresh};
use std::net::IpAddr;
use std::time::Duration;

testkit::on_both!(
    are_listed_with_device_and_address,
    are_listed_newest_first_page_by_page,
    one_is_signed_out_from_another,
    a_foreign_one_is_not_told_from_none,
    a_refresh_token_signs_its_own_session_out,
);

const ADA: &str = "ada@example.com";

fn from(device: &str, address: [u8; 4]) -> Meta {
    Meta { origin: Origin::new(Some(device.as_bytes()), Some(IpAddr::from(address))), ..Meta::default() }
}

async fn list(world: &World, tokens: &Tokens) -> Vec<Session> {
    let answer = world.call_as::<ListSessions>(tokens, ListSessionsRequest::default()).await.unwrap();
    assert_eq!(answer.next_page_token, "");
    answer.sessions
}

async fn end(world: &World, tokens: &Tokens, id: &str) -> Result<(), Problem> {
    world.call_as::<EndSession>(tokens, EndSessionRequest { id: id.to_owned() }).await.map(drop)
}

async fn current(world: &World, tokens: &Tokens) -> String {
    let sessions = list(world, tokens).await;
    let mut current = sessions.into_iter().filter(|session| session.current);
    let (Some(session), None) = (current.next(), current.next()) else { panic!("not one current session") };
    session.id
}

async fn are_listed_with_device_and_address(world: &World) {
    world.signed_up(ADA).await;
    world.clock.advance(Duration::from_secs(1));
    let laptop = from("Firefox (Linux)", [192, 0, 2, 7]);
    let tokens = world.auth.client.unary::<Login>(&laptop, login(ADA, PASSWORD)).await.unwrap();
    let sessions = list(world, &tokens).await;
    let [newer, older] = sessions.as_slice() else { panic!("{sessions:?}") };
    assert_eq!((older.device.as_deref(), older.address.as_deref(), older.current), (None, None, false));
    assert_eq!((newer.device.as_deref(), newer.address.as_deref()), (Some("Firefox (Linux)"), Some("192.0.2.7")));
    assert!(newer.current && newer.created_at == newer.last_used_at);

    world.clock.advance(Duration::from_mins(5));
    let train = from("Firefox (Android)", [198, 51, 100, 4]);
    let request = RefreshRequest { refresh_token: tokens.refresh_token.clone() };
    let tokens = world.auth.client.unary::<Refresh>(&train, request).await.unwrap();
    let again = list(world, &tokens).await.remove(0);
    let expected = Session {
        device: Some("Firefox (Android)".to_owned()),
        address: Some("198.51.100.4".to_owned()),
        last_used_at: again.last_used_at,
        ..newer.clone()
    };
    assert_eq!(again, expected);
    assert_eq!(again.last_used_at.unwrap().instant("last_used_at").unwrap().to_string(), "2026-01-01T12:05:01Z");
}

async fn are_listed_newest_first_page_by_page(world: &World) {
    let tokens = world.signed_up(ADA).await;
    world.superadmin().await;
    for _ in 0..2 {
        world.clock.advance(Duration::from_secs(1));
        // Two of the same instant.
        world.login(ADA, PASSWORD).await.unwrap();
        world.login(ADA, PASSWORD).await.unwrap();
    }
    let all = list(world, &tokens).await;
    assert_eq!(all.len(), 5);
    assert!(all.iter().map(|session| session.created_at.unwrap().seconds).is_sorted_by(|a, b| a >= b));
    assert!(all[4].current);
    for page_size in [1, 2, 5] {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListSessionsRequest { page_size, page_token };
            let answer = world.call_as::<ListSessions>(&tokens, request).await.unwrap();
            seen.extend(answer.sessions);
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all, "by {page_size}");
    }
}

async fn one_is_signed_out_from_another(world: &World) {
    let (tokens, lost) = (world.signed_up(ADA).await, world.login(ADA, PASSWORD).await.unwrap());
    let id = current(world, &lost).await;
    end(world, &tokens, &id).await.unwrap();
    assert_eq!(code(world.refresh(&lost.refresh_token).await), ErrorCode::Unauthenticated);
    world.is_refused(&lost).await;
    assert_eq!(list(world, &tokens).await.len(), 1);
    assert_eq!(end(world, &tokens, &id).await, Err(Problem::not_found()), "a second time");
    world.refresh(&tokens.refresh_token).await.unwrap();
}

async fn a_foreign_one_is_not_told_from_none(world: &World) {
    let (ada, root) = (world.signed_up(ADA).await, world.superadmin().await);
    let foreign = current(world, &root).await;
    for id in [foreign, Id::<()>::new().to_string()] {
        assert_eq!(end(world, &ada, &id).await, Err(Problem::not_found()));
    }
    world.refresh(&root.refresh_token).await.unwrap();
    assert_eq!(list(world, &ada).await.len(), 1);
    let nobody = world.call::<ListSessions>(ListSessionsRequest::default()).await;
    assert_eq!(code(nobody), ErrorCode::Unauthenticated);
}

async fn a_refresh_token_signs_its_own_session_out(world: &World) {
    let (ada, other, root) =
        (world.signed_up(ADA).await, world.login(ADA, PASSWORD).await.unwrap(), world.superadmin().await);
    let logout = async |refresh_token: &str| {
        let request = LogoutRequest { refresh_token: Some(refresh_token.to_owned()) };
        world.auth.client.unary::<Logout>(&bearer(&ada.access_token), request).await.unwrap();
    };
    // Whatever is no token of the caller's ends nothing.
    let unknown = format!("cfr_{}", "A".repeat(43));
    for token in [root.refresh_token.as_str(), "nonsense", "", &unknown] {
        logout(token).await;
    }
    world.refresh(&root.refresh_token).await.unwrap();
    assert_eq!(list(world, &ada).await.len(), 2);
    logout(&other.refresh_token).await;
    assert_eq!(code(world.refresh(&other.refresh_token).await), ErrorCode::Unauthenticated);
    world.is_refused(&other).await;
    world.refresh(&ada.refresh_token).await.unwrap();
}
