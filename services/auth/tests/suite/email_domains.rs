//! The domains whose addresses may register.

use crate::world::{PASSWORD, World, code};
use callfairy_core::{ErrorCode, Problem};
use proto::auth::{
    AllowEmailDomainRequest, AllowedEmailDomain, DisallowEmailDomainRequest, ListAllowedEmailDomainsRequest, Tokens,
};
use proto::rpc::allowed_email_domains::{AllowEmailDomain, DisallowEmailDomain, ListAllowedEmailDomains};

testkit::on_both!(
    all_may_register_until_there_is_one,
    the_domain_must_be_the_very_same,
    an_international_name_is_one_name,
    they_are_listed_by_pages,
    allowing_again_changes_nothing,
    what_is_no_domain_is_refused,
    a_refusal_tells_nothing_of_accounts,
    only_superadmins_may,
);

async fn allow(world: &World, by: &Tokens, domain: &str) -> Result<AllowedEmailDomain, Problem> {
    world.call_as::<AllowEmailDomain>(by, AllowEmailDomainRequest { domain: domain.to_owned() }).await
}

async fn disallow(world: &World, by: &Tokens, domain: &str) -> Result<(), Problem> {
    let request = DisallowEmailDomainRequest { domain: domain.to_owned() };
    world.call_as::<DisallowEmailDomain>(by, request).await.map(drop)
}

/// Names the field.
#[track_caller]
fn is_refused(problem: &Problem) {
    assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "email"), "{problem}");
}

async fn all_may_register_until_there_is_one(world: &World) {
    let root = world.superadmin().await;
    let ada = world.signed_up("ada@other.example").await;
    allow(world, &root, "example.com").await.unwrap();
    is_refused(&world.register("bo@other.example").await.unwrap_err());
    world.signed_up("bo@example.com").await;
    // Who is here stays, and so does the superadmin.
    world.me(&ada).await.unwrap();
    world.login("ada@other.example", PASSWORD).await.unwrap();
    world.superadmin().await;
    disallow(world, &root, "example.com").await.unwrap();
    world.register("bo@other.example").await.unwrap();
    assert_eq!(code(disallow(world, &root, "example.com").await), ErrorCode::NotFound);
}

async fn the_domain_must_be_the_very_same(world: &World) {
    let root = world.superadmin().await;
    allow(world, &root, "Example.COM").await.unwrap();
    for address in [
        "ada@evil-example.com",
        "ada@sub.example.com",
        "ada@example.com.evil.org",
        "ada@example.co",
        "ada@xample.com",
        "ada@com",
        "ada@[127.0.0.1]",
        "ada@еxample.com", // a Cyrillic letter
        "\"ada@example.com\"@evil.org",
        "example.com@evil.org",
    ] {
        is_refused(&world.register(address).await.unwrap_err());
    }
    for address in ["ada@example.com", "bo@EXAMPLE.com"] {
        world.register(address).await.unwrap();
    }
    assert_eq!(world.count("users").await, 3);
}

async fn an_international_name_is_one_name(world: &World) {
    let root = world.superadmin().await;
    assert_eq!(allow(world, &root, "Bücher.example").await.unwrap().domain, "xn--bcher-kva.example");
    assert_eq!(allow(world, &root, "xn--bcher-kva.example").await.unwrap().domain, "xn--bcher-kva.example");
    assert_eq!(world.count("allowed_email_domains").await, 1);
    world.register("ada@BÜCHER.example").await.unwrap();
    world.register("bo@xn--bcher-kva.example").await.unwrap();
    is_refused(&world.register("ada@bucher.example").await.unwrap_err());
    disallow(world, &root, "bücher.EXAMPLE").await.unwrap();
    assert_eq!(world.count("allowed_email_domains").await, 0);
}

async fn they_are_listed_by_pages(world: &World) {
    let root = world.superadmin().await;
    for domain in ["c.example", "a.example", "b.example"] {
        allow(world, &root, domain).await.unwrap();
    }
    let mut request = ListAllowedEmailDomainsRequest { page_size: 2, ..Default::default() };
    let mut found = Vec::new();
    loop {
        let page = world.call_as::<ListAllowedEmailDomains>(&root, request.clone()).await.unwrap();
        found.extend(page.allowed_email_domains.into_iter().map(|allowed| allowed.domain));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(found, ["a.example", "b.example", "c.example"]);
}

async fn allowing_again_changes_nothing(world: &World) {
    let root = world.superadmin().await;
    let first = allow(world, &root, "example.com").await.unwrap();
    assert_eq!(first.created_by, root.user.clone().unwrap().id);
    assert_eq!(first.created_at.unwrap().instant("created_at").unwrap().to_string(), "2026-01-01T12:00:00Z");
    world.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(allow(world, &root, "EXAMPLE.com").await.unwrap(), first);
}

async fn what_is_no_domain_is_refused(world: &World) {
    let root = world.superadmin().await;
    for domain in ["*", "*.example.com", "com", "ada@example.com", "127.0.0.1", "example.com.", "exa%6Dple.com"] {
        let problems =
            [allow(world, &root, domain).await.unwrap_err(), disallow(world, &root, domain).await.unwrap_err()];
        for problem in problems {
            assert_eq!(problem.code, ErrorCode::InvalidArgument, "{domain}");
            assert_eq!(problem.fields[0].field, "domain", "{domain}");
        }
    }
}

async fn a_refusal_tells_nothing_of_accounts(world: &World) {
    let root = world.superadmin().await;
    world.signed_up("ada@other.example").await;
    let mails = world.mail_files("ada@other.example").len();
    allow(world, &root, "example.com").await.unwrap();
    let known = world.register("ada@other.example").await.unwrap_err();
    assert_eq!(known, world.register("nobody@other.example").await.unwrap_err());
    world.all_mail_is_sent().await;
    assert_eq!(world.mail_files("ada@other.example").len(), mails);
}

async fn only_superadmins_may(world: &World) {
    let ada = world.signed_up("ada@example.com").await;
    assert_eq!(code(allow(world, &ada, "example.com").await), ErrorCode::PermissionDenied);
    assert_eq!(code(disallow(world, &ada, "example.com").await), ErrorCode::PermissionDenied);
    let list = ListAllowedEmailDomainsRequest::default();
    assert_eq!(code(world.call_as::<ListAllowedEmailDomains>(&ada, list).await), ErrorCode::PermissionDenied);
}
