#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::simulator::behaviour::Behaviour;
use crate::simulator::call::Call;
use crate::simulator::counts::Count;
use crate::simulator::journal::{WEBHOOK_DELIVERED, WEBHOOK_FAILED, WEBHOOK_LOST};
use crate::simulator::order::Order;
use crate::simulator::plan::Plan;
use tempfile::TempDir;
use tokio::time::Instant;

const HOUR: Duration = Duration::from_hours(1);

/// Noon on 1 January 2026.
fn noon() -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000).unwrap()
}

fn call(to: &str, at: Timestamp) -> Call {
    let order = Order { to: to.into(), webhook: Some("http://127.0.0.1:1/".into()), ..Order::default() };
    let plan = Plan::draw(&Behaviour::default(), None, 1, to, 1, HOUR).unwrap();
    Call::new(order, plan, (Instant::now(), at), 60.0)
}

fn ids(to: &str) -> Ids {
    Ids {
        number: digits(to),
        attempt_id: Some(Uuid::from_u128(1)),
        call_id: Some(Uuid::from_u128(2)),
        attempt: Some(1),
    }
}

struct File {
    directory: TempDir,
}

impl File {
    fn of(text: &str) -> Self {
        let file = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(file.path(), text).unwrap();
        file
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("journal")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn read(&self, now: Timestamp) -> Past {
        read(&self.path(), now).unwrap()
    }
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
}

const TO: &str = "+14155550101";

/// An accepted call, a refused one, and what happened to the first.
fn some_lines(at: Timestamp) -> (Call, Vec<Line>) {
    let call = call(TO, at);
    let lines = vec![
        Line::request(at, Some(TO), ids(TO), "accepted", Some(&call)),
        Line::request(at.plus(HOUR / 60), Some(TO), ids(TO), "burst", None),
        Line::event(at.plus(HOUR / 60), STOPPED, call.id),
        Line::event(at.plus(HOUR / 30), STOPPED, call.id),
        Line::event(at.plus(HOUR / 30), WEBHOOK_DELIVERED, call.id),
    ];
    (call, lines)
}

#[test]
fn an_absent_or_empty_journal_has_no_past() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(read(&directory.path().join("none"), noon()).unwrap(), Past::default());
    assert_eq!(File::of("").read(noon()), Past::default());
}

#[test]
fn knows_calls_what_happened_to_them_and_how_often() {
    let (call, lines) = some_lines(noon());
    let file = File::of(&text(&lines));
    let past = file.read(noon().plus(HOUR));
    let expected = PastCall {
        id: call.id,
        created_at: noon(),
        accepted: call.accepted(),
        stopped: Some(noon().plus(HOUR / 60)),
        reported: true,
    };
    assert_eq!(past.calls, [expected]);
    assert_eq!(past.counts.total, Count { posts: 2, placed: 1 });
    assert_eq!(past.counts.attempts[&Uuid::from_u128(1)], Count { posts: 2, placed: 1 });
    assert_eq!(past.counts.calls[&Uuid::from_u128(2)], Count { posts: 2, placed: 1 });
    assert_eq!((past.counts.actions["accepted"], past.counts.actions[STOPPED]), (1, 2));
    assert_eq!(past.counts.since_last(ids(TO), noon().plus(HOUR)), Some(HOUR));
    assert_eq!(file.text(), text(&lines), "nothing is old");
}

#[test]
fn a_webhook_counts_as_reported_however_it_went() {
    for action in [WEBHOOK_DELIVERED, WEBHOOK_LOST, WEBHOOK_FAILED] {
        let (call, lines) = some_lines(noon());
        let before = File::of(&text(&lines[..1])).read(noon());
        let after = File::of(&text(&[lines[0].clone(), Line::event(noon(), action, call.id)])).read(noon());
        assert_eq!((before.calls[0].reported, after.calls[0].reported), (false, true), "{action}");
    }
}

#[test]
fn a_torn_last_line_is_cut_off() {
    let (_, lines) = some_lines(noon());
    let whole = text(&lines[..1]);
    let next = text(&lines[1..2]);
    for cut in [1, next.len() / 2, next.len() - 1] {
        let file = File::of(&format!("{whole}{}", &next[..cut]));
        assert_eq!(file.read(noon()).counts.total, Count { posts: 1, placed: 1 }, "{cut}");
        assert_eq!(file.text(), whole, "{cut}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_passed_over() {
    let (_, lines) = some_lines(noon());
    let file = File::of(&format!("before\n{}\u{fffd}\n\n{}", text(&lines[..1]), text(&lines[1..2])));
    let before = file.text();
    assert_eq!(file.read(noon()).counts.total, Count { posts: 2, placed: 1 });
    assert_eq!(file.text(), before);
}

#[test]
fn lines_older_than_a_day_become_counts() {
    let (old, mut lines) = some_lines(noon());
    let (new, young) = some_lines(noon().plus(HOUR * 20));
    lines.extend(young.clone());
    let file = File::of(&(text(&lines) + "{\"torn"));
    let later = noon().plus(HOUR * 30);
    let past = file.read(later);
    assert_eq!(past.calls.iter().map(|call| call.id).collect::<Vec<_>>(), [new.id]);
    assert_ne!(old.id, new.id);
    assert_eq!(past.counts.total, Count { posts: 4, placed: 2 });
    let (counts, kept) = file.text().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(counts.starts_with("{\"counts\":"), "{counts}");
    assert_eq!(kept, text(&young));
    // Read again it is the same, and stays as it is.
    let before = file.text();
    assert_eq!(file.read(later), past);
    assert_eq!(file.text(), before);

    // At last all of it is old.
    let past = file.read(noon().plus(HOUR * 60));
    assert_eq!((past.calls.len(), past.counts.total), (0, Count { posts: 4, placed: 2 }));
    assert_eq!((past.counts.actions["accepted"], past.counts.numbers[&14_155_550_101].placed), (2, 2));
    assert_eq!(file.text().lines().count(), 1);
    assert_eq!(file.read(noon().plus(HOUR * 60)).counts.total, Count { posts: 4, placed: 2 });
}

#[test]
fn events_of_calls_that_are_too_old_are_counted_alone() {
    let (call, lines) = some_lines(noon());
    let late = Line::event(noon().plus(HOUR * 20), WEBHOOK_FAILED, call.id);
    let file = File::of(&text(&[lines[0].clone(), late]));
    let past = file.read(noon().plus(HOUR * 30));
    assert_eq!((past.calls.len(), past.counts.actions[WEBHOOK_FAILED]), (0, 1));
}
