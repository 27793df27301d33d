//! Many people who sign in at one moment.

use crate::world::{PASSWORD, World, register};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{Answer, Layout, Program};
use tokio::task::JoinSet;

/// Few enough at a time from one address, and into one account, that none is taken for an attack.
const PEOPLE: usize = 25;
const EACH: usize = 8;
/// Passwords that are hashed at one time, and what each takes.
const HASHERS: u64 = 2;
const HASH_KIB: u64 = 19 * 1024;

/// In KiB.
fn memory(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

/// As much memory as the bound says, no one lost, and everything else goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_sign_in_at_one_moment() {
    let hashers = HASHERS.to_string();
    let variables = [("CALLFAIRY_PASSWORD_HASHERS", hashers.as_str()), ("CALLFAIRY_TRUSTED_PROXIES", "127.0.0.0/8")];
    let mut world = World::with(Layout::SixProcesses, &variables).await;
    let email = |person: usize| format!("person{person}@dental.example");
    for person in 0..PEOPLE {
        register(&world.platform, &world.admin, &email(person)).await;
    }
    let auth = world.platform.process_mut(Program::Auth).id().unwrap();
    // The peak is counted from here.
    std::fs::write(format!("/proc/{auth}/clear_refs"), "5").unwrap();
    let before = memory(auth, "VmRSS:");

    let over = Arc::new(AtomicBool::new(false));
    let (client, is_over) = (world.platform.client(), over.clone());
    let healthy = tokio::spawn(async move {
        let mut count = 0;
        while !is_over.load(Ordering::Relaxed) {
            assert_eq!(client.get("//healthz").await.status, 200);
            count += 1;
        }
        count
    });
    let mut sign_ins = JoinSet::new();
    for person in (0..EACH).flat_map(|_| 0..PEOPLE) {
        let request = world.platform.client().request(Method::POST, "/auth/login");
        let request = request.header("x-forwarded-for", format!("198.51.{person}.1"));
        let request = request.json(&json!({"email": email(person), "password": PASSWORD}));
        sign_ins.spawn(async move { Answer::read(request.send().await.unwrap()).await.unwrap() });
    }
    let (mut signed_in, mut put_off) = (0, 0);
    while let Some(answer) = sign_ins.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            200 => signed_in += 1,
            503 => {
                assert!(!answer.header("retry-after").is_empty());
                put_off += 1;
            }
            _ => panic!("{answer:?}"),
        }
    }
    over.store(true, Ordering::Relaxed);
    assert!(signed_in > 0 && signed_in + put_off == PEOPLE * EACH, "{signed_in} {put_off}");
    let grown = memory(auth, "VmHWM:").saturating_sub(before);
    eprintln!("{signed_in} signed in, {put_off} were put off, {grown} KiB more");
    assert!(grown <= HASHERS * HASH_KIB * 12 / 10, "{grown} KiB");
    // It was asked between any two hashes.
    let healthy = healthy.await.unwrap();
    assert!(healthy > signed_in, "{healthy} {signed_in}");
}
