//! The gate: whether a call may be placed at this moment. One function, asked inside the claim's transaction, for
//! every dial of every origin; what it does not know it refuses.

use callfairy_core::Timestamp;
use std::time::Duration;

/// Grows with every change of the rules; kept with each attempt.
pub const RULE_VERSION: i32 = 1;

/// While the organisation has another call to the number, or the platform's pace is used up.
const LATER: Duration = Duration::from_secs(5);
/// While the organisation is not active.
const MUCH_LATER: Duration = Duration::from_mins(1);

/// What the gate looks at.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub now: Timestamp,
    pub phone_number: &'a str,
    pub organisation_is_active: bool,
    /// The number must not be called, and why.
    pub suppressed: Option<String>,
    /// Another call of the organisation to this number is going on.
    pub number_is_busy: bool,
    /// When the campaign or the platform has room again, if it has none now.
    pub full_until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// Not now: at this time it may be.
    Later {
        until: Timestamp,
        why: &'static str,
    },
    /// Never.
    Blocked {
        why: String,
    },
}

pub fn decide(facts: &Facts<'_>) -> Verdict {
    if let Some(why) = crate::domain::phone::not_to_be_dialed(facts.phone_number) {
        return Verdict::Blocked { why: why.to_owned() };
    }
    if let Some(reason) = &facts.suppressed {
        return Verdict::Blocked { why: format!("the number is suppressed: {reason}") };
    }
    if !facts.organisation_is_active {
        return Verdict::Later { until: facts.now.plus(MUCH_LATER), why: "the organisation is not active" };
    }
    if facts.number_is_busy {
        return Verdict::Later { until: facts.now.plus(LATER), why: "another call to the number is going on" };
    }
    if let Some(until) = facts.full_until {
        return Verdict::Later { until: until.max(facts.now), why: "the pace is used up" };
    }
    Verdict::Pass
}

/// How long a full platform makes a call wait.
pub fn when_full(now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts<'static> {
        Facts {
            now: Timestamp::UNIX_EPOCH,
            phone_number: "+442079460018",
            organisation_is_active: true,
            suppressed: None,
            number_is_busy: false,
            full_until: None,
        }
    }

    #[test]
    fn passes_when_nothing_speaks_against_it() {
        assert_eq!(decide(&facts()), Verdict::Pass);
    }

    #[test]
    fn what_is_for_good_comes_before_what_passes() {
        let busy_and_suppressed = Facts { suppressed: Some("asked us".into()), number_is_busy: true, ..facts() };
        assert!(matches!(decide(&busy_and_suppressed), Verdict::Blocked { .. }));
    }

    #[test]
    fn emergency_and_premium_numbers_are_never_dialed() {
        for number in ["+1911", "+44999", "+449012345678", "+19005550100"] {
            assert!(matches!(decide(&Facts { phone_number: number, ..facts() }), Verdict::Blocked { .. }), "{number}");
        }
    }

    #[test]
    fn waits_for_what_passes() {
        let later = |f: Facts<'_>| matches!(decide(&f), Verdict::Later { until, .. } if until >= f.now);
        assert!(later(Facts { organisation_is_active: false, ..facts() }));
        assert!(later(Facts { number_is_busy: true, ..facts() }));
        assert!(later(Facts { full_until: Some(Timestamp::UNIX_EPOCH), ..facts() }));
    }
}
