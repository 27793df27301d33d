//! How failures of the services come out.

use crate::fakes::full;
use crate::world::{FOREIGN, Setup, World, own, unknown};
use callfairy_core::{ErrorCode, Problem};
use serde_json::json;

crate::both_ways!(every_code_has_its_status, what_is_not_there_and_what_is_not_yours_are_alike);

async fn every_code_has_its_status(world: &World) {
    let contact = own(&format!("/contacts/{}", unknown()));
    for (code, status) in [
        (ErrorCode::InvalidArgument, 400),
        (ErrorCode::Unauthenticated, 401),
        (ErrorCode::InvalidCredentials, 401),
        (ErrorCode::TotpRequired, 401),
        (ErrorCode::PermissionDenied, 403),
        (ErrorCode::PermissionNotGrantable, 403),
        (ErrorCode::NotFound, 404),
        (ErrorCode::Conflict, 409),
        (ErrorCode::IdempotencyKeyReused, 409),
        (ErrorCode::Gone, 410),
        (ErrorCode::PayloadTooLarge, 413),
        (ErrorCode::UnsupportedMediaType, 415),
        (ErrorCode::MethodNotAllowed, 405),
        (ErrorCode::TooManyRequests, 429),
        (ErrorCode::Unavailable, 503),
        (ErrorCode::DeadlineExceeded, 504),
        (ErrorCode::Unimplemented, 501),
        (ErrorCode::Internal, 500),
    ] {
        *world.seen.failure.lock().unwrap() = Some(full(code));
        let answer = world.ada.get(&contact).await;
        let title = code.as_str().replace('_', " ");
        let id = answer.header("x-request-id").to_owned();
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"), "{code}");
        assert_eq!(answer.header("retry-after"), "7");
        assert_eq!(answer.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
        assert!(answer.body["title"].as_str().unwrap().eq_ignore_ascii_case(&title));
        let mut body = answer.body;
        body.as_object_mut().unwrap().remove("title");
        let expected = json!({
            "type": format!("urn:callfairy:problem:{code}"), "status": status, "detail": "for a reason",
            "instance": format!("urn:request:{id}"), "code": code.as_str(), "permission": "view_contacts",
            "errors": [{"field": "contacts[3].name", "message": "is required"}],
        });
        assert_eq!(body, expected);
    }
    *world.seen.failure.lock().unwrap() = Some(Problem::conflict("a little"));
    let bare = world.ada.get(&contact).await;
    assert_eq!(bare.header("retry-after"), "");
    for absent in ["permission", "errors", "trace_id"] {
        assert!(bare.body.get(absent).is_none(), "{absent}");
    }
}

async fn what_is_not_there_and_what_is_not_yours_are_alike(world: &World) {
    let mut answers = Vec::new();
    for path in [
        own(&format!("/contacts/{}", unknown())),
        format!("/organisations/{FOREIGN}/contacts/{}", unknown()),
        format!("/organisations/{}/contacts/{}", unknown(), unknown()),
        format!("/organisations/{FOREIGN}/contacts"),
        format!("/organisations/{FOREIGN}/events/stream"),
        format!("/organisations/{FOREIGN}/imports/{}/errors", unknown()),
        "/nowhere".to_owned(),
    ] {
        let request = world.ada.request(reqwest::Method::GET, &path).header("x-request-id", "same");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        let mut headers = response.headers().clone();
        headers.remove("date");
        answers.push((headers, response.bytes().await.unwrap()));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_out_of_reach_is_told_as_such() {
    for over_tcp in [false, true] {
        let world = World::start_with(Setup { over_tcp, absent: &["telephony"], ..Setup::default() }).await;
        for path in ["/contacts", "/events/stream"] {
            let answer = world.ada.get(&own(path)).await;
            assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.body);
        }
        world.end().await;
    }
}
