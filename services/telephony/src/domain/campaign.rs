//! The pace of a campaign, and where it stands.

use callfairy_core::{Problem, Timestamp};
use proto::telephony as api;
use serde::{Deserialize, Serialize};
use std::time::Duration;

db::text_enum!(
    pub enum CampaignStatus {
        Draft = "draft",
        Running = "running",
        Paused = "paused",
        Completed = "completed",
        Cancelled = "cancelled",
    }
);

/// Calls at a time and in a second, when neither the campaign nor the organisation says.
pub const DEFAULT_PACING: proto::types::Pacing = proto::types::Pacing { max_concurrent: 10, calls_per_second: 2 };

/// A pause of the dispatcher is made good for at most this long.
const BURST: Duration = Duration::from_secs(1);

/// Which contacts a campaign calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    Ids(Vec<String>),
    Tag(String),
    All,
}

impl Selection {
    pub fn parse(selection: api::ContactSelection) -> Result<Self, Problem> {
        match (selection.ids.is_empty(), selection.tag.as_str(), selection.all) {
            (false, "", false) => {
                let mut ids = selection.ids;
                for id in &mut ids {
                    id.make_ascii_lowercase();
                }
                ids.sort();
                ids.dedup();
                Ok(Self::Ids(ids))
            }
            (true, "", true) => Ok(Self::All),
            (true, tag, false) if !tag.is_empty() => Ok(Self::Tag(tag.to_owned())),
            _ => Err(Problem::field("contacts", "needs exactly one of ids, tag, all")),
        }
    }

    pub fn to_api(&self) -> api::ContactSelection {
        let mut selection = api::ContactSelection::default();
        match self {
            Self::Ids(ids) => selection.ids.clone_from(ids),
            Self::Tag(tag) => selection.tag.clone_from(tag),
            Self::All => selection.all = true,
        }
        selection
    }
}

impl CampaignStatus {
    pub const fn to_api(self) -> api::CampaignStatus {
        match self {
            Self::Draft => api::CampaignStatus::Draft,
            Self::Running => api::CampaignStatus::Running,
            Self::Paused => api::CampaignStatus::Paused,
            Self::Completed => api::CampaignStatus::Completed,
            Self::Cancelled => api::CampaignStatus::Cancelled,
        }
    }

    pub fn from_api(status: api::CampaignStatus) -> Option<Self> {
        Self::ALL.iter().copied().find(|s| s.to_api() == status)
    }
}

/// How many calls may be released now, at `per_second`, when the next was due at `next`; and when the one after these
/// is due.
pub fn allowance(now: Timestamp, next: Option<Timestamp>, per_second: u32, room: u32) -> (u32, Timestamp) {
    let gap = Duration::from_secs(1) / per_second.max(1);
    // A first release may come at once; what was missed is made good for a moment only.
    let next = next.unwrap_or(now).max(now.minus(BURST));
    if next > now {
        return (0, next);
    }
    let due = now.since(next).as_micros() / gap.as_micros().max(1) + 1;
    let count = u32::try_from(due).unwrap_or(u32::MAX).min(room);
    (count, next.plus(gap.saturating_mul(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over any stretch of time, the pace is kept to the call.
    #[test]
    fn keeps_the_pace() {
        for per_second in [1, 2, 7, 50, 1_000] {
            let (mut now, mut next, mut released) = (Timestamp::UNIX_EPOCH, None, 0);
            for _ in 0..40 {
                let (count, then) = allowance(now, next, per_second, u32::MAX);
                released += count;
                next = Some(then);
                now = now.plus(Duration::from_millis(250));
            }
            // Ten seconds, of which the last tick looked at 9.75.
            let expected = per_second * 39 / 4 + 1;
            assert!(released.abs_diff(expected) <= 1, "{per_second}: {released}, not {expected}");
        }
    }

    #[test]
    fn a_long_pause_is_not_made_good() {
        let now = Timestamp::UNIX_EPOCH.plus(Duration::from_hours(1));
        let (count, next) = allowance(now, Some(Timestamp::UNIX_EPOCH), 10, u32::MAX);
        assert_eq!(count, 11);
        assert!(next > now);
    }

    #[test]
    fn releases_no_more_than_there_is_room_for() {
        let (count, next) = allowance(Timestamp::UNIX_EPOCH, None, 10, 0);
        assert_eq!((count, next), (0, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_selection_is_one_thing() {
        let ids = api::ContactSelection { ids: vec!["B".into(), "a".into(), "b".into()], ..Default::default() };
        assert_eq!(Selection::parse(ids.clone()), Ok(Selection::Ids(vec!["a".into(), "b".into()])));
        for wrong in [api::ContactSelection::default(), api::ContactSelection { all: true, ..ids }] {
            assert!(Selection::parse(wrong).is_err());
        }
    }
}
