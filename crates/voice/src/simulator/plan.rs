//! What becomes of a call, fixed when it is accepted.

use super::behaviour::{Behaviour, Range};
use super::draw::Draw;
use super::suffix::Script;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// From acceptance to the first ring.
const QUEUE_SECONDS: Range = Range(0.2, 1.0);
/// A machine is talked to for no longer.
const VOICEMAIL_SECONDS: f64 = 20.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Answered,
    /// Answered, and asked not to be called again.
    OptedOut,
    Transferred,
    Voicemail,
    NoAnswer,
    Busy,
    NotFound,
    Unavailable,
    Spam,
    Canceled,
}

/// Times are simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub ending: Ending,
    pub disposition: Cow<'static, str>,
    pub queue: Duration,
    pub ring: Duration,
    /// Zero unless somebody or something answers.
    pub talk: Duration,
    pub settle: Duration,
}

impl Ending {
    pub fn is_answered(self) -> bool {
        matches!(self, Self::Answered | Self::OptedOut | Self::Transferred | Self::Voicemail)
    }

    /// Bland's words: `status`, `answered_by`, `error_message`.
    pub fn words(self) -> (&'static str, Option<&'static str>, Option<&'static str>) {
        match self {
            Self::Answered | Self::OptedOut | Self::Transferred => ("completed", Some("human"), None),
            Self::Voicemail => ("completed", Some("voicemail"), None),
            Self::NoAnswer => ("no-answer", Some("no-answer"), None),
            Self::Busy => ("busy", None, Some("The line is busy")),
            Self::NotFound => ("failed", None, Some("The number was not found")),
            Self::Unavailable => ("failed", None, Some("The called party is temporarily unavailable")),
            Self::Spam => ("failed", None, Some("Blocked Call due to Spam or Number Reputation")),
            Self::Canceled => ("canceled", None, None),
        }
    }
}

impl Plan {
    /// `None`: the number is on the provider's do-not-call list.
    pub fn draw(
        behaviour: &Behaviour,
        script: Option<Script>,
        seed: u64,
        to: &str,
        attempt: u64,
        max_duration: Duration,
    ) -> Option<Self> {
        let mut draw = Draw::new(seed, to, attempt, "outcome");
        let chance = ending(behaviour, &mut draw);
        let ending = match script.and_then(|script| script.ending) {
            Some(ending) => ending,
            None => chance?,
        };
        let interest = draw.pick(&[(1.0, "INTERESTED"), (1.0, "NOT_INTERESTED"), (0.3, "CALL_BACK_SCHEDULED")], "");
        let mut seconds = |range| Duration::from_secs_f64(draw.between(range));
        let (queue, ring) = (seconds(QUEUE_SECONDS), seconds(behaviour.ring_seconds));
        let (talk, settle) = (seconds(behaviour.talk_seconds), seconds(behaviour.settle_seconds));
        Some(Self {
            ending,
            disposition: Cow::Borrowed(match ending {
                Ending::Answered if script.is_some() => "INTERESTED",
                Ending::Answered => interest,
                Ending::OptedOut => "DO_NOT_CONTACT",
                Ending::Transferred => "TRANSFERRED",
                Ending::Voicemail | Ending::NoAnswer => "NO_ANSWER",
                Ending::Busy => "BUSY",
                Ending::NotFound | Ending::Unavailable | Ending::Spam | Ending::Canceled => "",
            }),
            queue,
            ring,
            talk: match ending {
                Ending::Voicemail => talk.min(Duration::from_secs_f64(VOICEMAIL_SECONDS)).min(max_duration),
                ending if ending.is_answered() => talk.min(max_duration),
                _ => Duration::ZERO,
            },
            settle,
        })
    }
}

fn ending(behaviour: &Behaviour, draw: &mut Draw) -> Option<Ending> {
    let failed =
        draw.pick(&[(2.0, Ending::NotFound), (2.0, Ending::Unavailable), (1.0, Ending::Spam)], Ending::Unavailable);
    let weights = &behaviour.outcomes;
    draw.pick(
        &[
            (weights.answered, Some(Ending::Answered)),
            (weights.voicemail, Some(Ending::Voicemail)),
            (weights.no_answer, Some(Ending::NoAnswer)),
            (weights.busy, Some(Ending::Busy)),
            (weights.failed, Some(failed)),
            (weights.do_not_call, None),
        ],
        Some(Ending::Answered),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::behaviour::Weights;
    use crate::simulator::suffix::script;

    const LONG: Duration = Duration::from_mins(30);

    fn draw(seed: u64, to: &str) -> Option<Plan> {
        Plan::draw(&Behaviour::default(), script(to), seed, to, 1, LONG)
    }

    #[test]
    fn suffixes_decide() {
        for (digits, ending) in [
            ("01", Ending::Answered),
            ("02", Ending::Voicemail),
            ("03", Ending::NoAnswer),
            ("04", Ending::Busy),
            ("05", Ending::NotFound),
            ("06", Ending::Unavailable),
            ("07", Ending::Spam),
            ("08", Ending::OptedOut),
            ("21", Ending::Transferred),
            ("22", Ending::Canceled),
        ] {
            for seed in 0..20 {
                assert_eq!(draw(seed, &format!("+14155550{digits}")).map(|plan| plan.ending), Some(ending), "{digits}");
            }
        }
    }

    #[test]
    fn the_rest_follows_the_weights() {
        let plans: Vec<_> = (0..2_000).filter_map(|n| draw(1, &format!("+1415{n:04}99"))).collect();
        let answered = plans.iter().filter(|plan| plan.ending == Ending::Answered).count();
        assert!((1_000..1_200).contains(&answered), "{answered} of 2,000 with a weight of 55 in 100");
        let listed = Behaviour {
            outcomes: Weights {
                answered: 0.0,
                voicemail: 0.0,
                no_answer: 0.0,
                busy: 0.0,
                failed: 0.0,
                do_not_call: 1.0,
            },
            ..Behaviour::default()
        };
        assert_eq!(Plan::draw(&listed, None, 1, "+141599", 1, LONG), None);
    }

    #[test]
    fn the_order_cuts_the_talk() {
        let plan = Plan::draw(&Behaviour::default(), script("+101"), 1, "+101", 1, Duration::from_secs(5));
        assert_eq!(plan.map(|plan| plan.talk), Some(Duration::from_secs(5)));
    }
}
