//! What goes wrong with a request to place a call.

use super::behaviour::Behaviour;
use super::draw::Draw;
use super::suffix::Script;

/// Instead of accepting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeforeAccept {
    DoNotCall,
    Blacklisted,
    RateLimited,
    Error,
    Drop,
}

/// After accepting: the call is made, whatever the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAccept {
    Drop,
    Error,
    Garble,
    Slow,
}

/// What a request meets. `posts` counts the requests for this number, this one included, so that a request
/// that is repeated may fare better.
pub fn faults(
    behaviour: &Behaviour,
    script: Option<Script>,
    seed: u64,
    to: &str,
    posts: u64,
) -> (Option<BeforeAccept>, Option<AfterAccept>) {
    if let Some(script) = script {
        let applies = !script.first_only || posts <= 1;
        return (script.before.filter(|_| applies), script.after);
    }
    let mut draw = Draw::new(seed, to, posts, "fault");
    let fault = [
        (behaviour.drop_before_accept, Fault::Before(BeforeAccept::Drop)),
        (behaviour.error_before_accept, Fault::Before(BeforeAccept::Error)),
        (behaviour.rate_limited, Fault::Before(BeforeAccept::RateLimited)),
        (behaviour.drop_after_accept, Fault::After(AfterAccept::Drop)),
        (behaviour.error_after_accept, Fault::After(AfterAccept::Error)),
        (behaviour.garble_after_accept, Fault::After(AfterAccept::Garble)),
        (behaviour.slow, Fault::After(AfterAccept::Slow)),
    ]
    .into_iter()
    .find(|(probability, _)| draw.chance(*probability));
    match fault {
        Some((_, Fault::Before(fault))) => (Some(fault), None),
        Some((_, Fault::After(fault))) => (None, Some(fault)),
        None => (None, None),
    }
}

#[derive(Clone, Copy)]
enum Fault {
    Before(BeforeAccept),
    After(AfterAccept),
}
