//! Against an authority whose answers are late, lost, or not given at all.
#![allow(clippy::unwrap_used)]

mod authority;

use super::*;
use authority::{Authority, snapshot};
use callfairy_core::UserId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

struct World {
    authority: Authority,
    snapshots: Snapshots,
    latest: LatestChange,
    following: tokio::task::JoinHandle<Infallible>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl World {
    fn start() -> Self {
        let (authority, latest) = (Authority::default(), LatestChange::default());
        let snapshots = Snapshots::new(Arc::new(authority.clone()), latest.clone());
        let followed = snapshots.clone();
        let following = tokio::spawn(async move { followed.follow().await });
        Self { authority, snapshots, latest, following }
    }

    async fn ask(&self, user: User, at_least: i64) -> Result<bool, Problem> {
        Ok(self.snapshots.get(user, None, at_least).await?.user_is_active)
    }

    fn asked(&self) -> usize {
        self.authority.truth().asked
    }

    /// A user who was let in.
    fn user(&self) -> User {
        let id = UserId::new();
        self.authority.set(id, true);
        User { id, session_id: Uuid::now_v7() }
    }
}

async fn milliseconds(count: u64) {
    sleep(Duration::from_millis(count)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_not_asked_for_until_it_changes() {
    let world = World::start();
    let (ada, bob) = (world.user(), world.user());
    milliseconds(10).await;
    for _ in 0..50 {
        assert_eq!((world.ask(ada, 0).await, world.ask(bob, 0).await), (Ok(true), Ok(true)));
        milliseconds(100).await;
    }
    assert_eq!(world.asked(), 2);
    world.authority.set(ada.id, false);
    milliseconds(10).await;
    assert_eq!((world.ask(ada, 0).await, world.ask(bob, 0).await), (Ok(false), Ok(true)));
    assert_eq!(world.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_session_and_an_organisation_are_subjects_too() {
    let world = World::start();
    let (ada, organisation) = (world.user(), OrganisationId::new());
    milliseconds(10).await;
    for (subject, asked) in [(ada.session_id, 1), (organisation.uuid(), 2), (ada.id.uuid(), 3), (Uuid::now_v7(), 4)] {
        for _ in 0..2 {
            world.snapshots.get(ada, Some(organisation), 0).await.unwrap();
        }
        assert_eq!(world.asked(), asked);
        world.authority.change(subject);
        milliseconds(10).await;
    }
    world.snapshots.get(ada, Some(organisation), 0).await.unwrap();
    assert_eq!(world.asked(), 4, "somebody else changed");
}

#[tokio::test(start_paused = true)]
async fn an_authority_out_of_reach_ends_the_lease() {
    let world = World::start();
    let ada = world.user();
    milliseconds(10).await;
    assert_eq!(world.ask(ada, 0).await, Ok(true));
    world.authority.truth().is_down = true;
    milliseconds(400).await;
    assert_eq!(world.ask(ada, 0).await, Ok(true), "the lease lasts");
    milliseconds(600).await;
    assert_eq!(world.ask(ada, 0).await, Err(Problem::unavailable("tenancy")));
    world.authority.set(ada.id, false);
    world.authority.truth().is_down = false;
    assert_eq!(world.ask(ada, 0).await, Ok(false));
    milliseconds(400).await;
    let asked = world.asked();
    assert_eq!(world.ask(ada, 0).await, Ok(false));
    assert_eq!(world.asked(), asked, "kept again");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_does_not_lengthen_the_lease() {
    let world = World::start();
    let ada = world.user();
    world.authority.truth().delay = Duration::from_millis(300);
    milliseconds(2_000).await;
    assert_eq!(world.ask(ada, 0).await, Ok(true));
    let looks = world.authority.truth().looks;
    while world.authority.truth().looks == looks {
        milliseconds(1).await;
    }
    // It is on its way, and will be the last.
    world.authority.set(ada.id, false);
    world.authority.truth().is_down = true;
    milliseconds(400).await;
    assert_eq!(world.ask(ada, 0).await, Ok(true), "nobody can know");
    milliseconds(600).await;
    assert_eq!(world.ask(ada, 0).await, Err(Problem::unavailable("tenancy")));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_change_overtook_is_not_kept() {
    let world = World::start();
    let ada = world.user();
    milliseconds(10).await;
    // The answer is on its way while the change is already known here.
    world.authority.truth().delay = Duration::from_millis(20);
    let (snapshots, early) = (world.snapshots.clone(), ada);
    let slow = tokio::spawn(async move { snapshots.get(early, None, 0).await });
    milliseconds(1).await;
    world.authority.truth().delay = Duration::ZERO;
    world.authority.set(ada.id, false);
    milliseconds(10).await;
    assert_eq!(slow.await.unwrap().map(|snapshot| snapshot.user_is_active), Ok(true));
    assert_eq!(world.ask(ada, 0).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn an_older_answer_does_not_take_the_place_of_a_newer_one() {
    let world = World::start();
    let ada = world.user();
    let key = (ada, None);
    world.snapshots.0.keep(key, AsOf { number: 2, value: snapshot(false) });
    world.snapshots.0.keep(key, AsOf { number: 1, value: snapshot(true) });
    assert_eq!(world.snapshots.0.cache.get(&key).map(|kept| kept.number), Some(2));
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_elsewhere_counts_at_once() {
    let world = World::start();
    let ada = world.user();
    milliseconds(10).await;
    assert_eq!(world.ask(ada, 0).await, Ok(true));
    // Its changes are late here.
    world.authority.truth().delay = Duration::from_millis(30);
    milliseconds(400).await;
    let asked = world.asked();
    let number = world.authority.set(ada.id, false);
    assert_eq!(world.ask(ada, 0).await, Ok(true), "nobody can know");
    assert_eq!(world.ask(ada, number).await, Ok(false), "the request knows");
    assert_eq!(world.asked(), asked + 1);
    let number = world.authority.set(ada.id, true);
    world.latest.raise(number);
    assert_eq!(world.ask(ada, 0).await, Ok(true), "the process knows");
    // A change that never was costs its inventor a question, and nobody else anything.
    let before = Instant::now();
    assert_eq!(world.ask(ada, 1_000_000).await, Ok(true));
    assert!(before.elapsed() >= CATCH_UP);
    let (before, asked) = (Instant::now(), world.asked());
    assert_eq!(world.ask(ada, 0).await, Ok(true));
    assert_eq!((before.elapsed(), world.asked()), (Duration::ZERO, asked));
}

#[tokio::test(start_paused = true)]
async fn changes_that_are_missing_end_everything_that_is_kept() {
    let world = World::start();
    let ada = world.user();
    milliseconds(10).await;
    assert_eq!(world.ask(ada, 0).await, Ok(true));
    world.authority.truth().is_forgetful = true;
    world.authority.set(ada.id, false);
    milliseconds(10).await;
    assert_eq!(world.ask(ada, 0).await, Ok(false));
    // Nor are fewer taken for all.
    {
        let mut truth = world.authority.truth();
        (truth.is_forgetful, truth.loses_one) = (false, true);
    }
    milliseconds(400).await;
    world.authority.set(ada.id, true);
    milliseconds(10).await;
    assert_eq!(world.ask(ada, 0).await, Ok(true));
    assert!(!is_complete(3, 5, &[Uuid::nil()]) && is_complete(3, 4, &[Uuid::nil()]) && !is_complete(5, 3, &[]));
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_was_restored_is_followed_from_where_it_is() {
    let world = World::start();
    let ada = world.user();
    for _ in 0..100 {
        world.authority.set(ada.id, true);
    }
    milliseconds(10).await;
    assert_eq!(world.ask(ada, 0).await, Ok(true));
    assert_eq!(world.latest.get(), 101);
    {
        let mut truth = world.authority.truth();
        truth.changes.truncate(1);
        truth.history.clear();
    }
    milliseconds(400).await;
    assert_eq!(world.ask(ada, 0).await, Ok(false));
    // Whoever has not noticed yet says the old number once more.
    world.latest.raise(101);
    milliseconds(700).await;
    assert_eq!(world.latest.get(), 1);
    let before = Instant::now();
    assert_eq!(world.ask(ada, 0).await, Ok(false));
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_key_ends_with_its_time_its_creator_s_access_and_after_a_minute() {
    let world = World::start();
    let ada = world.user();
    milliseconds(10).await;
    let works = async || world.snapshots.api_key(&[7; 32], 0).await.unwrap().is_some();
    for _ in 0..4 {
        assert!(works().await);
        milliseconds(1_000).await;
    }
    assert_eq!(world.asked(), 1);
    milliseconds(1_000).await;
    assert!(works().await);
    assert_eq!(world.asked(), 2, "its time was over");
    world.authority.set(ada.id, false);
    milliseconds(10).await;
    assert!(!works().await && !works().await);
    assert_eq!(world.asked(), 3, "that it does not work is kept");
    milliseconds(1_000).await;
    assert!(!works().await);
    assert_eq!(world.asked(), 4, "for a moment");
    world.authority.set(ada.id, true);
    milliseconds(10).await;
    assert!(works().await, "and until anything changes");
}

/// Whatever happens to the authority's answers, nobody gets in who was shut out longer than a lease ago, or before what
/// the request has heard of.
#[tokio::test(start_paused = true)]
async fn a_stale_cache_never_allows() {
    let (mut allowed, mut refused, mut unknown) = (0, 0, 0);
    for seed in 0..150 {
        let mut random = StdRng::seed_from_u64(seed);
        let world = Arc::new(World::start());
        let users: Vec<User> = (0..4).map(|_| world.user()).collect();
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..400 {
            let user = users[random.random_range(0..users.len())];
            match random.random_range(0..20) {
                0 | 1 => {
                    let number = world.authority.set(user.id, random.random_bool(0.5));
                    if random.random_bool(0.3) {
                        world.latest.raise(number);
                    }
                }
                2 => world.authority.truth().is_down = random.random_bool(0.4),
                3 => world.authority.truth().delay = Duration::from_millis(random.random_range(0..400)),
                4 => world.authority.truth().is_forgetful = random.random_bool(0.2),
                5..=8 => milliseconds(random.random_range(0..500)).await,
                _ => {
                    let world = world.clone();
                    let heard = i64::try_from(world.authority.truth().changes.len()).unwrap();
                    let at_least = if random.random_bool(0.2) { heard } else { 0 };
                    asking.spawn(async move {
                        let (began, known) = (Instant::now(), at_least.max(world.latest.get()));
                        let answer = world.ask(user, at_least).await;
                        (world, user, began, known, answer)
                    });
                }
            }
        }
        while let Some(answer) = asking.join_next().await {
            let (world, user, began, known, answer) = answer.unwrap();
            match answer {
                Err(_) => unknown += 1,
                Ok(false) => refused += 1,
                Ok(true) => {
                    allowed += 1;
                    let truth = world.authority.truth();
                    let changes: Vec<_> = truth.history.iter().filter(|(id, ..)| *id == user.id).collect();
                    // Some state that let the user in still held when it had to be known.
                    let holds = |(index, change): (usize, &&(UserId, bool, Instant, i64))| {
                        let ended = changes.get(index + 1);
                        change.1 && ended.is_none_or(|(_, _, at, number)| *at + LEASE >= began && *number > known)
                    };
                    assert!(changes.iter().enumerate().any(holds), "seed {seed}");
                }
            }
        }
    }
    assert!(allowed > 1_000 && refused > 1_000 && unknown > 1_000, "{allowed} {refused} {unknown}");
}
