//! Texts that nobody else says.

use crate::world::in_a_month;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where fictional numbers are: 700 in each.
const AREAS: [&str; 10] = ["113", "114", "116", "117", "118", "121", "131", "141", "151", "161"];
/// So many numbers each organisation has to itself.
const NUMBERS: usize = 1_700;

/// All that one organisation says.
pub struct Words {
    /// In every text.
    mark: &'static str,
    numbers_from: usize,
    said: AtomicUsize,
    numbers: AtomicUsize,
}

impl Words {
    /// `which`: 0 to 3. Marks are of one length, so that files have the same.
    pub fn new(mark: &'static str, which: usize) -> Self {
        Self { mark, numbers_from: which * NUMBERS, said: AtomicUsize::new(0), numbers: AtomicUsize::new(0) }
    }

    pub fn say(&self, kind: &str) -> String {
        let n = self.said.fetch_add(1, Ordering::Relaxed);
        let mark = self.mark;
        match kind {
            "text" => format!("{mark} {n:05}"),
            "tag" => format!("{mark} tag"),
            "email" => format!("{mark}-{n:05}@{mark}.example"),
            "phone" => self.phone("30"),
            "later" => in_a_month(),
            "csv" => {
                let rows = [self.phone("30"), self.phone("30"), "x".to_owned()].map(|phone| {
                    let n = self.said.fetch_add(1, Ordering::Relaxed);
                    format!("{mark} {n:05},{phone},{mark}-{n:05}@{mark}.example\n")
                });
                format!("Name,Phone,Email\n{}", rows.concat())
            }
            _ => panic!("nothing is called ${kind} in tests/stories/isolation/bodies.rs"),
        }
    }

    /// A number that decides itself what becomes of its calls, if these are its last two digits.
    pub fn phone(&self, ending: &str) -> String {
        let n = self.numbers.fetch_add(1, Ordering::Relaxed);
        assert!(n < NUMBERS, "there are no more numbers");
        let n = self.numbers_from + n;
        // The third digit from the end and the area make it one of a kind, the last two decide.
        if ending == "30" {
            format!("+44{}4960{}{}", AREAS[n / 700], n % 700 / 70, 30 + n % 70)
        } else {
            format!("+44{}4960{}{ending}", AREAS[self.numbers_from / 700], n % 10)
        }
    }
}
