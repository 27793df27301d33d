//! Who is an agent, and who was.

use crate::world::{World, refused};
use proto::agent::{Agent, ListAgentsRequest, ListAgentsResponse};
use proto::rpc::agents::ListAgents;
use std::time::Duration;

testkit::on_both!(the_newest_first_in_pages, filters, asks_its_neighbours_once_for_a_page, shows_what_they_forgot);

async fn list(world: &World, request: ListAgentsRequest) -> ListAgentsResponse {
    world.ask::<ListAgents>(request).await.unwrap()
}

fn ids(agents: &[Agent]) -> Vec<&str> {
    agents.iter().map(|agent| agent.id.as_str()).collect()
}

async fn the_newest_first_in_pages(world: &World) {
    let mut expected = Vec::new();
    for n in 0..7 {
        // Some at the same time.
        world.clock.advance(Duration::from_secs(n % 2));
        expected.push(world.assign(world.user(&format!("u{n}")), world.organisation(&format!("o{n}"))).await);
    }
    let taken_out = expected.remove(3);
    world.revoke(&taken_out.id).await.unwrap();
    expected.reverse();
    for page_size in [1, 2, 6, 0] {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = list(world, ListAgentsRequest { page_size, page_token, ..Default::default() }).await;
            assert!(page_size == 0 || page.agents.len() <= page_size as usize);
            seen.extend(page.agents);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected, "pages of {page_size}");
    }
    for (page_size, page_token, field) in [(201, "", "page_size"), (1, "junk", "page_token"), (1, "WzFd", "page_token")]
    {
        let request = ListAgentsRequest { page_size, page_token: page_token.to_owned(), ..Default::default() };
        assert_eq!(refused(world.ask::<ListAgents>(request).await).1, field);
    }
}

async fn filters(world: &World) {
    let (ada, bo) = (world.user("Ada"), world.user("Bo"));
    let (acme, globex) = (world.organisation("Acme"), world.organisation("Globex"));
    let first = world.assign(ada, acme).await.id;
    let second = world.assign(bo, acme).await.id;
    let third = world.assign(ada, globex).await.id;
    let (first, second, third) = (first.as_str(), second.as_str(), third.as_str());
    let (ada, bo, acme, globex) = (ada.to_string(), bo.to_string(), acme.to_string(), globex.to_string());
    for (active, user_id, organisation_id, expected) in [
        (None, "", "", &[third, second][..]),
        (Some(true), "", "", &[third, second]),
        (Some(false), "", "", &[first]),
        (None, &ada, "", &[third]),
        (Some(false), &ada, "", &[first]),
        (Some(false), &bo, "", &[]),
        (None, "", &acme, &[second]),
        (Some(false), "", &acme, &[first]),
        (Some(false), "", &globex, &[]),
        (None, &ada, &globex, &[third]),
        (None, &ada, &acme, &[]),
        (None, &crate::world::nobody(), "", &[]),
    ] {
        let request = ListAgentsRequest {
            active,
            user_id: user_id.to_owned(),
            organisation_id: organisation_id.to_owned(),
            ..Default::default()
        };
        let page = list(world, request.clone()).await;
        assert_eq!(ids(&page.agents), expected, "{request:?}");
    }
    let malformed = ListAgentsRequest { user_id: "ada".to_owned(), ..Default::default() };
    assert_eq!(refused(world.ask::<ListAgents>(malformed).await).1, "user_id");
}

async fn asks_its_neighbours_once_for_a_page(world: &World) {
    for n in 0..5 {
        world.assign(world.user(&format!("u{n}")), world.organisation(&format!("o{n}"))).await;
    }
    world.neighbours.with(|known| known.look_ups = 0);
    let agents = world.agents(true).await;
    assert_eq!(world.neighbours.with(|known| known.look_ups), 2);
    let names: Vec<_> =
        agents.iter().map(|a| (&*a.user.as_ref().unwrap().name, &*a.organisation.as_ref().unwrap().name)).collect();
    assert_eq!(names, [("u4", "o4"), ("u3", "o3"), ("u2", "o2"), ("u1", "o1"), ("u0", "o0")]);
}

async fn shows_what_they_forgot(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let agent = world.assign(ada, acme).await;
    world.neighbours.with(|known| {
        known.users.remove(&ada);
        known.organisations.remove(&acme);
    });
    let shown = world.get(&agent.id).await;
    let (user, organisation) = (shown.user.unwrap(), shown.organisation.unwrap());
    assert_eq!((user.id, user.name, user.email), (ada.to_string(), String::new(), String::new()));
    assert_eq!((organisation.id, organisation.name), (acme.to_string(), String::new()));
}
