//! How the simulator behaves: what becomes of calls, and which faults it makes. Can be changed while it runs.

use serde::{Deserialize, Serialize};

/// Longest durations that can be asked for, in seconds.
const MAX_SECONDS: f64 = 43_200.0;

/// The knobs. Probabilities are 0 to 1, each for one call. Times are in simulated seconds, divided by the
/// simulator's speed, except where "real" is said. As JSON every field is optional; unknown ones are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Whether the last two digits of a number decide what becomes of it; see [`super::suffix`].
    pub suffixes: bool,
    /// What becomes of the other calls.
    pub outcomes: Weights,
    pub ring_seconds: Range,
    pub talk_seconds: Range,
    /// From the end of a call to its final report. Meanwhile `status` reads completed and `completed` is false.
    pub settle_seconds: Range,

    /// The socket is closed before the call is accepted.
    pub drop_before_accept: f64,
    /// 500 instead of accepting.
    pub error_before_accept: f64,
    /// 429 `Rate limit exceeded` instead of accepting.
    pub rate_limited: f64,
    /// The call is accepted and the socket closed without an answer.
    pub drop_after_accept: f64,
    /// The call is accepted and the answer is 500.
    pub error_after_accept: f64,
    /// The call is accepted and the answer is 200 with half a JSON object.
    pub garble_after_accept: f64,
    /// The call is accepted and the answer comes `slow_seconds` later.
    pub slow: f64,
    /// Real.
    pub slow_seconds: f64,
    /// Of every `burst_every` requests to place a call, the first `burst_length` are answered 503. 0: none.
    pub burst_every: u64,
    pub burst_length: u64,

    pub webhook_lost: f64,
    pub webhook_duplicated: f64,
    /// The webhook comes `webhook_late_seconds` later.
    pub webhook_late: f64,
    pub webhook_late_seconds: f64,

    pub account: AccountState,
    pub plan: Option<Plan>,
    /// The least time between two calls to one number, real; Bland's is 10. 0: no such rule.
    pub same_number_seconds: f64,
}

/// Relative weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    pub answered: f64,
    pub voicemail: f64,
    pub no_answer: f64,
    pub busy: f64,
    pub failed: f64,
    /// On the provider's do-not-call list: refused with 400.
    pub do_not_call: f64,
}

/// From the first to the second, both included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range(pub f64, pub f64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    Active,
    /// Every request to place a call is answered 403.
    Flagged,
    /// 402.
    NoBalance,
}

/// The limits of Bland's plans. Hours and days are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Beyond: 429 `CALL_RL_PLAN_CONCURRENCY`.
    pub concurrent: u64,
    /// Beyond: 429 `Rate limit exceeded`.
    pub per_hour: u64,
    /// Beyond: 429 `CALL_RL_PLAN_DAILY_MINUTES`.
    pub per_day: u64,
}

impl Plan {
    pub const START: Self = Self { concurrent: 10, per_hour: 100, per_day: 100 };
    pub const BUILD: Self = Self { concurrent: 50, per_hour: 1_000, per_day: 2_000 };
    pub const SCALE: Self = Self { concurrent: 100, per_hour: 1_000, per_day: 5_000 };
}

impl Default for Behaviour {
    /// A provider on a good day: no faults, no limits.
    fn default() -> Self {
        Self {
            suffixes: true,
            outcomes: Weights::default(),
            ring_seconds: Range(3.0, 20.0),
            talk_seconds: Range(10.0, 120.0),
            settle_seconds: Range(1.0, 5.0),
            drop_before_accept: 0.0,
            error_before_accept: 0.0,
            rate_limited: 0.0,
            drop_after_accept: 0.0,
            error_after_accept: 0.0,
            garble_after_accept: 0.0,
            slow: 0.0,
            slow_seconds: 20.0,
            burst_every: 0,
            burst_length: 0,
            webhook_lost: 0.0,
            webhook_duplicated: 0.0,
            webhook_late: 0.0,
            webhook_late_seconds: 60.0,
            account: AccountState::Active,
            plan: None,
            same_number_seconds: 0.0,
        }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self { answered: 55.0, voicemail: 20.0, no_answer: 15.0, busy: 5.0, failed: 5.0, do_not_call: 0.0 }
    }
}

impl Behaviour {
    /// What is wrong with it, by the field's name.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in self.probabilities() {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("{name}: must be from 0 to 1"));
            }
        }
        for (name, Range(from, to)) in [
            ("ring_seconds", self.ring_seconds),
            ("talk_seconds", self.talk_seconds),
            ("settle_seconds", self.settle_seconds),
            ("slow_seconds", Range(0.0, self.slow_seconds)),
            ("webhook_late_seconds", Range(0.0, self.webhook_late_seconds)),
            ("same_number_seconds", Range(0.0, self.same_number_seconds)),
        ] {
            if !(0.0 <= from && from <= to && to <= MAX_SECONDS) {
                return Err(format!("{name}: must be from 0 to {MAX_SECONDS}, in order"));
            }
        }
        let weights = self.outcomes.all();
        if weights.iter().any(|weight| !(0.0..=1e9).contains(weight)) || weights.iter().sum::<f64>() <= 0.0 {
            return Err("outcomes: weights must be from 0 to 1000000000, and one above 0".to_owned());
        }
        Ok(())
    }

    fn probabilities(&self) -> [(&'static str, f64); 10] {
        [
            ("drop_before_accept", self.drop_before_accept),
            ("error_before_accept", self.error_before_accept),
            ("rate_limited", self.rate_limited),
            ("drop_after_accept", self.drop_after_accept),
            ("error_after_accept", self.error_after_accept),
            ("garble_after_accept", self.garble_after_accept),
            ("slow", self.slow),
            ("webhook_lost", self.webhook_lost),
            ("webhook_duplicated", self.webhook_duplicated),
            ("webhook_late", self.webhook_late),
        ]
    }
}

impl Weights {
    fn all(&self) -> [f64; 6] {
        [self.answered, self.voicemail, self.no_answer, self.busy, self.failed, self.do_not_call]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_sound_and_reads_as_written() {
        let behaviour = Behaviour { plan: Some(Plan::START), ..Behaviour::default() };
        assert_eq!(behaviour.check(), Ok(()));
        let text = serde_json::to_string(&behaviour).unwrap();
        assert_eq!(serde_json::from_str::<Behaviour>(&text).unwrap(), behaviour);
        assert_eq!(serde_json::from_str::<Behaviour>("{}").unwrap(), Behaviour::default());
        assert!(serde_json::from_str::<Behaviour>(r#"{"slwo": 1}"#).is_err());
    }

    #[test]
    fn names_what_is_wrong() {
        for (json, field) in [
            (r#"{"slow": 1.5}"#, "slow"),
            (r#"{"webhook_lost": -0.1}"#, "webhook_lost"),
            (r#"{"talk_seconds": [9, 3]}"#, "talk_seconds"),
            (r#"{"ring_seconds": [-1, 3]}"#, "ring_seconds"),
            (r#"{"slow_seconds": 1e9}"#, "slow_seconds"),
            (r#"{"outcomes": {"answered": -1}}"#, "outcomes"),
            (r#"{"outcomes": {"answered": 0, "voicemail": 0, "no_answer": 0, "busy": 0, "failed": 0}}"#, "outcomes"),
        ] {
            let behaviour: Behaviour = serde_json::from_str(json).unwrap();
            assert!(behaviour.check().is_err_and(|error| error.starts_with(field)), "{json}");
        }
    }
}
