//! Chance that repeats: what a call draws depends on the seed and on the call alone, not on the order of
//! calls nor on the time.

use super::behaviour::Range;
use sha2::{Digest, Sha256};

/// A sequence of draws (SplitMix64, started from a hash of what the draws are for).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// `what` keeps the draws of one call for several purposes apart.
    pub fn new(seed: u64, to: &str, attempt: u64, what: &str) -> Self {
        let text = format!("{seed}\n{to}\n{attempt}\n{what}");
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        Self(hash.iter().take(8).fold(0, |state, byte| state << 8 | u64::from(*byte)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        // 32 bits are exact in a double and enough here.
        f64::from(u32::try_from(self.next() >> 32).unwrap_or_default()) / 4_294_967_296.0
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub fn between(&mut self, Range(from, to): Range) -> f64 {
        from + (to - from) * self.unit()
    }

    /// One of `choices`, by weight; the last if weights are of no use.
    pub fn pick<T: Copy>(&mut self, choices: &[(f64, T)], last: T) -> T {
        let mut left = self.unit() * choices.iter().map(|(weight, _)| weight).sum::<f64>();
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_for_the_same_call_and_no_other() {
        let first = |seed, to, attempt, what| Draw::new(seed, to, attempt, what).unit().to_bits();
        let one = first(1, "+1", 1, "a");
        assert_eq!(one, first(1, "+1", 1, "a"));
        for other in [first(2, "+1", 1, "a"), first(1, "+2", 1, "a"), first(1, "+1", 2, "a"), first(1, "+1", 1, "b")] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn is_even_and_weighs_right() {
        let mut draw = Draw::new(1, "", 0, "");
        let units: Vec<f64> = (0..10_000).map(|_| draw.unit()).collect();
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
        assert!((0.48..0.52).contains(&(units.iter().sum::<f64>() / 10_000.0)));
        let picked = (0..10_000).filter(|_| draw.pick(&[(3.0, true), (1.0, false)], false)).count();
        assert!((7_300..7_700).contains(&picked), "{picked}");
        assert!(!draw.chance(0.0) && draw.chance(1.0));
    }
}
