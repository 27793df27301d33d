//! What was refused to whom, for the audit log: counted, so that nobody fills it by asking again and again.

use crate::{ApiKey, Caller, Meta, PermissionSet, User};
use callfairy_core::{Clock, ErrorCode, OrganisationId, Problem, Timestamp};
use proto::Permission;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Refusals are gathered for this long.
pub const REFUSALS_WINDOW: Duration = Duration::from_secs(10);
/// Different refusals of one caller that are told apart in a window; the others are counted together.
const MAX_OF_CALLER: usize = 10;
/// Different refusals that are told apart in a window; the others are counted together.
const MAX_KINDS: usize = 100;

/// Requests alike that the guard refused within one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub what: Refused,
    pub count: u64,
    /// When the first came, and from where.
    pub at: Timestamp,
    pub address: Option<IpAddr>,
}

/// What requests have in common that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    /// Whatever their session; `None` where there were too many.
    pub caller: Option<Caller>,
    /// `None` where the caller was refused too many different things.
    pub door: Option<Door>,
}

/// What somebody wanted to get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Door {
    /// The RPC's path.
    pub rpc: &'static str,
    pub organisation: Option<OrganisationId>,
    /// The permission that was missing; `None` where that was not the reason.
    pub permission: Option<Permission>,
}

/// Gathers what the guards of one service refuse. Clones share it.
#[derive(Clone)]
pub struct Refusals(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    begun: Option<Timestamp>,
    refusals: HashMap<Refused, Refusal>,
}

impl Refusals {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { clock, window: Mutex::default() }))
    }

    /// Counts the problem, if it says that the caller may not.
    pub(crate) fn note(
        &self,
        caller: &Caller,
        meta: &Meta,
        rpc: &'static str,
        organisation: Option<OrganisationId>,
        problem: &Problem,
    ) {
        let is_refusal = matches!(
            problem.code,
            ErrorCode::PermissionDenied | ErrorCode::PermissionNotGrantable | ErrorCode::NotFound
        );
        if !is_refusal {
            return;
        }
        let (now, key) = (self.0.clock.now(), problem.permission.as_deref());
        let permission = proto::PERMISSIONS.iter().find(|info| Some(info.key) == key).map(|info| info.permission);
        let mut window = self.0.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.add(&whoever(caller), Door { rpc, organisation, permission }, meta.origin.address(), now);
    }

    /// What was gathered, once its window is over.
    pub fn take_due(&self) -> Vec<Refusal> {
        let now = self.0.clock.now();
        let mut window = self.0.window.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = window.begun.is_some_and(|begun| now >= begun.plus(REFUSALS_WINDOW));
        if is_over { window.take() } else { Vec::new() }
    }

    /// What was gathered so far.
    pub fn take_all(&self) -> Vec<Refusal> {
        self.0.window.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts back what could not be recorded.
    pub fn give_back(&self, refusals: Vec<Refusal>) {
        let mut window = self.0.window.lock().unwrap_or_else(PoisonError::into_inner);
        for refusal in refusals {
            window.count(refusal.what, refusal.count, refusal.address, refusal.at);
        }
    }
}

/// The same person in whichever session, the same key whatever it may.
fn whoever(caller: &Caller) -> Caller {
    match caller {
        Caller::User(user) => Caller::User(User { session_id: Uuid::nil(), ..*user }),
        Caller::ApiKey(key) => Caller::ApiKey(ApiKey { permissions: PermissionSet::EMPTY, ..*key }),
        Caller::Anonymous | Caller::Service(_) => caller.clone(),
    }
}

impl Window {
    fn add(&mut self, caller: &Caller, door: Door, address: Option<IpAddr>, now: Timestamp) {
        let exact = Refused { caller: Some(caller.clone()), door: Some(door) };
        let what = if self.refusals.contains_key(&exact) {
            exact
        } else {
            let of_caller = self.refusals.keys().filter(|known| known.caller.as_ref() == Some(caller)).count();
            Refused { door: (of_caller < MAX_OF_CALLER).then_some(door), ..exact }
        };
        self.count(what, 1, address, now);
    }

    fn count(&mut self, what: Refused, count: u64, address: Option<IpAddr>, at: Timestamp) {
        self.begun.get_or_insert(at);
        let is_new = !self.refusals.contains_key(&what);
        let (what, address) = if is_new && self.refusals.len() >= MAX_KINDS {
            (Refused { caller: None, door: None }, None)
        } else {
            (what, address)
        };
        let refusal = self.refusals.entry(what.clone()).or_insert(Refusal { what, count: 0, at, address });
        refusal.count = refusal.count.saturating_add(count);
    }

    fn take(&mut self) -> Vec<Refusal> {
        std::mem::take(self).refusals.into_values().collect()
    }
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refusals")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Origin;
    use callfairy_core::UserId;

    struct Standing;
    impl Clock for Standing {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    fn refusals() -> Refusals {
        Refusals::new(Arc::new(Standing))
    }

    fn somebody() -> Caller {
        Caller::User(User { id: UserId::new(), session_id: Uuid::nil() })
    }

    fn note(refusals: &Refusals, caller: &Caller, organisation: OrganisationId) {
        let meta = Meta { origin: Origin::new(None, Some([192, 0, 2, 7].into())), ..Meta::default() };
        refusals.note(caller, &meta, "/a.B/C", Some(organisation), &Problem::permission_denied("make_calls"));
    }

    #[test]
    fn requests_alike_are_counted_together() {
        let (refusals, caller, organisation) = (refusals(), somebody(), OrganisationId::new());
        (0..5_000).for_each(|_| note(&refusals, &caller, organisation));
        assert_eq!(refusals.take_due(), []);
        let taken = refusals.take_all();
        let [refusal] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!((refusal.count, refusal.address), (5_000, Some([192, 0, 2, 7].into())));
        let door = Door { rpc: "/a.B/C", organisation: Some(organisation), permission: Some(Permission::MakeCalls) };
        assert_eq!(refusal.what, Refused { caller: Some(caller), door: Some(door) });
        assert_eq!(refusals.take_all(), []);
    }

    #[test]
    fn one_caller_makes_few_kinds() {
        let (refusals, caller) = (refusals(), somebody());
        (0..5_000).for_each(|_| note(&refusals, &caller, OrganisationId::new()));
        let taken = refusals.take_all();
        assert_eq!(taken.len(), MAX_OF_CALLER + 1);
        let rest = taken.iter().find(|refusal| refusal.what.door.is_none()).unwrap();
        assert_eq!(rest.count, 5_000 - u64::try_from(MAX_OF_CALLER).unwrap());
        assert_eq!(rest.what.caller, Some(caller));
    }

    #[test]
    fn all_callers_together_make_a_bounded_number() {
        let refusals = refusals();
        (0..5_000).for_each(|_| note(&refusals, &somebody(), OrganisationId::new()));
        let taken = refusals.take_all();
        assert_eq!(taken.len(), MAX_KINDS + 1);
        assert_eq!(taken.iter().map(|refusal| refusal.count).sum::<u64>(), 5_000);
        assert!(taken.iter().any(|refusal| refusal.what.caller.is_none() && refusal.address.is_none()));
        refusals.give_back(taken);
        let again = refusals.take_all();
        assert!(again.len() <= MAX_KINDS + 1);
        assert_eq!(again.iter().map(|refusal| refusal.count).sum::<u64>(), 5_000);
    }

    #[test]
    fn what_is_no_refusal_is_not_counted() {
        let refusals = refusals();
        for problem in [Problem::unauthenticated("no"), Problem::unavailable("tenancy"), Problem::field("a", "b")] {
            refusals.note(&somebody(), &Meta::default(), "/a.B/C", None, &problem);
        }
        assert_eq!(refusals.take_all(), []);
    }
}
