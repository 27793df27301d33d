//! Numbers that decide for themselves. With [`super::Behaviour::suffixes`], the last two digits say what
//! becomes of a call, whatever the probabilities say; all other endings are left to them.
//!
//! | ends in | what happens |
//! | --- | --- |
//! | 01 | answered by a human, completed, `INTERESTED` |
//! | 02 | voicemail |
//! | 03 | no answer |
//! | 04 | busy |
//! | 05 | failed: number not found |
//! | 06 | failed: temporarily unavailable |
//! | 07 | failed: blocked for spam or number reputation |
//! | 08 | answered; asks not to be called again, `DO_NOT_CONTACT` |
//! | 09 | refused: on the do-not-call list (400) |
//! | 10 | refused: blacklisted (429) |
//! | 11 | accepted, then the socket is closed without an answer |
//! | 12 | accepted, then answered 500 |
//! | 13 | accepted, then answered 200 with half a JSON object |
//! | 14 | accepted, answered after `slow_seconds` |
//! | 15 | the first request's socket is closed, not accepted; the next is accepted |
//! | 16 | the first request is answered 429, not accepted; the next is accepted |
//! | 17 | the first request is answered 500, not accepted; the next is accepted |
//! | 18 | answered; the webhook is lost |
//! | 19 | answered; the webhook comes twice |
//! | 20 | answered; the webhook comes late |
//! | 21 | answered, then transferred |
//! | 22 | canceled before anybody answers |

use super::fault::{AfterAccept, BeforeAccept};
use super::plan::Ending;

/// What a suffix decides; `None` is left to chance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Script {
    pub ending: Option<Ending>,
    pub before: Option<BeforeAccept>,
    /// `before` is meant for the first request to the number only.
    pub first_only: bool,
    pub after: Option<AfterAccept>,
    pub webhook: Option<WebhookFate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WebhookFate {
    Lost,
    Twice,
    Late,
}

/// The script of a number; `None` if its ending decides nothing.
pub(super) fn script(number: &str) -> Option<Script> {
    let ending = |ending| Script { ending: Some(ending), ..Script::default() };
    let before = |before, first_only| Script { before: Some(before), first_only, ..ending(Ending::Answered) };
    let after = |after| Script { after: Some(after), ..ending(Ending::Answered) };
    let webhook = |webhook| Script { webhook: Some(webhook), ..ending(Ending::Answered) };
    Some(match number.get(number.len().checked_sub(2)?..)? {
        "01" => ending(Ending::Answered),
        "02" => ending(Ending::Voicemail),
        "03" => ending(Ending::NoAnswer),
        "04" => ending(Ending::Busy),
        "05" => ending(Ending::NotFound),
        "06" => ending(Ending::Unavailable),
        "07" => ending(Ending::Spam),
        "08" => ending(Ending::OptedOut),
        "09" => before(BeforeAccept::DoNotCall, false),
        "10" => before(BeforeAccept::Blacklisted, false),
        "11" => after(AfterAccept::Drop),
        "12" => after(AfterAccept::Error),
        "13" => after(AfterAccept::Garble),
        "14" => after(AfterAccept::Slow),
        "15" => before(BeforeAccept::Drop, true),
        "16" => before(BeforeAccept::RateLimited, true),
        "17" => before(BeforeAccept::Error, true),
        "18" => webhook(WebhookFate::Lost),
        "19" => webhook(WebhookFate::Twice),
        "20" => webhook(WebhookFate::Late),
        "21" => ending(Ending::Transferred),
        "22" => ending(Ending::Canceled),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decides_for_the_table_and_nothing_else() {
        let scripted: Vec<_> = (0..100).filter(|n| script(&format!("+1415555{n:04}")).is_some()).collect();
        assert_eq!(scripted, (1..=22).collect::<Vec<_>>());
        assert_eq!(script(""), None);
        assert_eq!(script("é"), None);
    }

    #[test]
    fn the_table_in_the_documentation_is_the_table() {
        let documented = include_str!("suffix.rs").lines().filter_map(|line| line.strip_prefix("//! | ")?.get(..2));
        let documented: Vec<u32> = documented.filter_map(|digits| digits.parse().ok()).collect();
        assert_eq!(documented, (1..=22).collect::<Vec<_>>());
    }
}
