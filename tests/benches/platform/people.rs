//! People: signing in, which is as dear as the hash of a password, and asking who one is.

use crate::Extent;
use crate::load::{self, Requests};
use crate::report::{Aim, Row, Table};
use crate::world::{PASSWORD, World, register};
use anyhow::{Context as _, Result, anyhow};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::Layout;

const PEOPLE: usize = 16;
const CONNECTIONS: usize = 16;
const SIGN_INS: Aim = Aim::Ratio(0.9);
/// As services/auth hashes.
const MEMORY_KIB: u32 = 19 * 1024;
const ITERATIONS: u32 = 2;

pub async fn measure(extent: Extent) -> Result<Table> {
    let apart = World::new(Layout::SixProcesses).await;
    let together = World::new(Layout::OneProcess).await;
    let reference = tokio::task::spawn_blocking(move || hashes(extent.time)).await??;
    let mut rows = vec![Row::new("reference: Argon2id alone, on two threads", reference)];
    for (world, layout) in [(&apart, "six processes"), (&together, "one process")] {
        let requests = sign_ins(world).await?;
        let load = load::run(&world.platform.url(), CONNECTIONS, extent.time, 200, &requests).await?;
        let row = Row::of_load(format!("sign-ins, {layout}"), &load);
        rows.push(row.ratio(load.per_second / reference).aim(SIGN_INS));
    }
    for (world, layout) in [(&apart, "six processes"), (&together, "one process")] {
        for path in ["/me", "/me/access"] {
            let (url, token) = (world.platform.url(), world.agent.token().context("no token")?);
            let request = load::request("GET", &url, &format!("/api/v1{path}"), token, "");
            let load = load::run(&url, 2 * CONNECTIONS, extent.time, 200, &load::always(request)).await?;
            rows.push(Row::of_load(format!("{path}, {layout}"), &load));
        }
    }
    Ok(Table {
        title: format!("people, {CONNECTIONS} connections that sign in"),
        unit: "requests/s",
        rows,
        note: "The load generator and the database share the cores with all of them, but not with the reference.",
    })
}

/// Each by the next of some people.
async fn sign_ins(world: &World) -> Result<Requests> {
    let (url, mut requests) = (world.platform.url(), Vec::<Arc<[u8]>>::new());
    for n in 0..PEOPLE {
        let email = format!("person{n}@example.com");
        register(&world.platform, &world.admin, &email).await;
        let body = json!({"email": email, "password": PASSWORD}).to_string();
        requests.push(load::request("POST", &url, "/api/v1/auth/login", "", &body).into_bytes().into());
    }
    let next = AtomicUsize::new(0);
    Ok(Arc::new(move || requests[next.fetch_add(1, Ordering::Relaxed) % PEOPLE].clone()))
}

/// How many passwords two threads verify in a second.
fn hashes(time: Duration) -> Result<f64> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, 1, None).map_err(|error| anyhow!("{error}"))?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon.hash_password(PASSWORD.as_bytes()).map_err(|error| anyhow!("{error}"))?.to_string();
    let count = |until: Instant| -> Result<u32> {
        let hash = PasswordHash::new(&hash).map_err(|error| anyhow!("{error}"))?;
        let mut count = 0;
        while Instant::now() < until {
            argon.verify_password(PASSWORD.as_bytes(), &hash).map_err(|error| anyhow!("{error}"))?;
            count += 1;
        }
        Ok(count)
    };
    let until = Instant::now() + time;
    let counts = std::thread::scope(|scope| {
        let threads = [scope.spawn(|| count(until)), scope.spawn(|| count(until))];
        threads.map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a hash panicked"))))
    });
    let mut total = 0;
    for count in counts {
        total += count?;
    }
    Ok(f64::from(total) / time.as_secs_f64())
}
