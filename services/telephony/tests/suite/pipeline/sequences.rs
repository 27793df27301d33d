//! Whatever order things happen in: random sequences of what workers and providers do, from fixed seeds.

use super::{Desk, begin, check, claim, ended, lapse, past, progress, release, report};
use crate::world::World;
use futures_util::future::join_all;
use proto::jobs::{CallOrder, CallOutcome, CallProgress, SendResult};
use proto::telephony::CallStatus as Api;
use std::collections::HashMap;
use telephony::domain::call_status::CallStatus;

testkit::on_both!(any_order_keeps_the_books);

const CALLS: usize = 5;
const STEPS: usize = 150;

/// A small generator (splitmix64), so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    fn of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }
}

async fn any_order_keeps_the_books(world: &World) {
    for seed in 1..=3 {
        sequence(world, Dice(seed)).await;
    }
}

async fn sequence(world: &World, mut dice: Dice) {
    let desk = Desk::new(world);
    let calls: Vec<String> = join_all((0..CALLS).map(|n| desk.create_nth(n))).await.into_iter().map(|c| c.id).collect();
    // Every order that was ever given, the stale ones too.
    let mut orders: HashMap<&str, Vec<CallOrder>> = HashMap::new();
    for _ in 0..STEPS {
        let call = calls[dice.below(CALLS)].as_str();
        let given = orders.entry(call).or_default();
        let order = if given.is_empty() { None } else { Some(given[dice.below(given.len())].clone()) };
        match (dice.below(9), order) {
            (0..=2, _) | (_, None) => {
                world
                    .sql(&format!("UPDATE calls SET due_at = {0}; UPDATE pacing SET next_at = {0}", past(world)))
                    .await;
                let claims = join_all((0..3).map(|_| claim(world, call))).await;
                let claims: Vec<_> = claims.into_iter().flatten().collect();
                assert!(claims.len() <= 1);
                given.extend(claims);
            }
            (3 | 4, Some(order)) => {
                let _ = begin(world, &order).await;
            }
            (5, Some(order)) => release(world, &order).await,
            (6, Some(order)) => {
                let results = [SendResult::Accepted, SendResult::Refused, SendResult::NotSent, SendResult::Unknown];
                report(world, &order, dice.of(&results)).await;
            }
            (7, Some(order)) => {
                let found = match dice.below(6) {
                    0 => Some(ended(dice.of(&[CallOutcome::Completed, CallOutcome::Busy, CallOutcome::Unspecified]))),
                    1 => Some(progress(dice.of(&[CallProgress::Ringing, CallProgress::InProgress]))),
                    _ => None,
                };
                // In vain, often enough to be given up.
                for _ in 0..if found.is_none() { 6 } else { 1 } {
                    world.sql(&format!("UPDATE attempts SET updated_at = {}", past(world))).await;
                    desk.look(&order, found.clone()).await;
                }
            }
            // The sweep comes by.
            (_, Some(_)) => lapse(world).await,
        }
        check(world).await;
    }
    for call in &calls {
        let events = desk.events(call).await;
        let states: Vec<_> = events.iter().map(|event| status(event.status())).collect();
        for (before, after) in states.iter().zip(&states[1..]) {
            assert!(before == after || before.may_become(*after), "{before} to {after}: {events:?}");
        }
    }
}

fn status(status: Api) -> CallStatus {
    CallStatus::from_api(status).unwrap()
}
