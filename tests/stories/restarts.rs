//! Killed in the middle, started again: it continues, and nobody is dialed twice.

use crate::first_campaign::nobody_was_dialed_twice;
use crate::world::{PATIENCE, World, all, contacts, import, settled, start_campaign};
use serde_json::json;
use testkit::{Layout, Program, eventually};

crate::on_both_stacks!(a_campaign_survives_kills, an_import_survives_kills);

/// Short leases and sweeps: what recovers is the same, only sooner.
const SOON: [(&str, &str); 5] = [
    ("CALLFAIRY_POLL_SECONDS", "3"),
    ("CALLFAIRY_CALLS_PER_SECOND", "100"),
    ("CALLFAIRY_MAX_CONCURRENT_CALLS", "100"),
    ("CALLFAIRY_CLAIM_LEASE_SECONDS", "5"),
    ("CALLFAIRY_SWEEP_SECONDS", "1"),
];

/// What there is to be killed. The simulator of one process dies with it, and knows its calls again.
fn victims(layout: Layout) -> &'static [Program] {
    match layout {
        Layout::SixProcesses => {
            &[Program::Worker, Program::Telephony, Program::Gateway, Program::Tenancy, Program::Worker, Program::Auth]
        }
        _ => &[Program::Callfairy; 3],
    }
}

async fn a_campaign_survives_kills(layout: Layout) {
    let mut world = World::with(layout, &SOON).await;
    let imported = import(&world.agent, &world.organisation, &[("tags", "all")], contacts(200).as_bytes()).await;
    assert_eq!(imported["imported_rows"], 200, "{imported}");
    let campaign = start_campaign(&world, "all", json!({"max_concurrent": 50, "calls_per_second": 40})).await;

    for (n, &victim) in victims(layout).iter().enumerate() {
        let reached = (n as u64 + 1) * 15;
        eventually("some more calls were over", PATIENCE, async || {
            let counts = world.agent.get(&campaign).await.expect(200)["counts"].clone();
            let open = ["queued", "active", "unknown"].map(|name| counts[name].as_u64().unwrap());
            (counts["total"].as_u64()? >= 200 && 200 - open.iter().sum::<u64>() >= reached).then_some(())
        })
        .await;
        world.platform.kill9(victim);
        world.platform.restart(victim);
        world.platform.wait_ready().await;
    }
    // A call whose worker died behind the fence may have been dialed: it is in doubt until the provider was asked often
    // enough, and then people decide. It is not dialed again.
    let over = settled(&world.agent, &campaign).await;
    let counts = over["counts"].as_object().unwrap();
    let sum: u64 = counts.iter().filter(|(name, _)| *name != "total").map(|(_, n)| n.as_u64().unwrap()).sum();
    assert_eq!((counts["total"].as_u64(), sum), (Some(200), 200), "{counts:?}");
    let calls = all(&world.agent, &format!("{campaign}/calls"), "calls").await;
    for (status, n) in counts.iter().filter(|(name, _)| !matches!(name.as_str(), "total" | "active")) {
        let listed = calls.iter().filter(|call| call["status"] == status.as_str()).count() as u64;
        assert_eq!(Some(listed), n.as_u64(), "{status}");
    }
    nobody_was_dialed_twice(&world).await;
}

async fn an_import_survives_kills(layout: Layout) {
    let mut world = World::with(layout, &SOON).await;
    let rows = 20_000;
    // Numbers that are all different and all valid, in seven-digit blocks of several area codes.
    let file: String = std::iter::once("Name,Phone\n".to_owned())
        .chain(
            (0..rows)
                .map(|n| format!("Person {n},+1{}{}{:04}\n", [212, 312, 415, 617][n % 4], 300 + n / 8_000, n % 8_000)),
        )
        .collect();
    let path = world.path("/imports");
    let made = world.agent.upload(&path, &[], crate::world::csv(file.as_bytes())).await.expect(202);
    let import = format!("{path}/{}", made["id"].as_str().unwrap());
    let killed = if layout == Layout::SixProcesses { Program::Worker } else { Program::Callfairy };
    for _ in 0..3 {
        world.platform.kill9(killed);
        world.platform.restart(killed);
        world.platform.wait_ready().await;
    }
    let import = eventually("the import came to its end", PATIENCE, async || {
        let import = world.agent.get(&import).await.expect(200);
        (import["status"] == "completed").then_some(import)
    })
    .await;
    assert_eq!((&import["total_rows"], &import["imported_rows"]), (&json!(rows), &json!(rows)), "{import}");
}
