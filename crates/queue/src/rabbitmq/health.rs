//! Which connections there are, and whether they are healthy.

use crate::ConnectionLost;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How often health is looked at.
pub(super) const HEALTH_INTERVAL: Duration = Duration::from_secs(1);
/// How long TCP may connect without a connection becoming healthy.
const STUCK_LIMIT: Duration = Duration::from_mins(2);
/// A connection that comes and goes is in the log once in so long.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct Health {
    roles: Mutex<Vec<Weak<Role>>>,
}

/// One connection that is kept up: the publisher's, or one consumer's.
pub(super) struct Role {
    name: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    up: bool,
    was_up: bool,
    /// This outage is in the log.
    warned: bool,
    last_warning: Option<Instant>,
    /// Since when TCP connects although the connection does not become healthy.
    stuck_since: Option<Instant>,
    /// Of the last failure.
    cause: String,
}

/// Why a connection ended or did not begin.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: String,
    /// The broker accepted a TCP connection.
    pub(super) tcp_connected: bool,
}

impl Failure {
    /// Of something asked over a connection that had been established.
    pub(super) fn of_call(what: &str, cause: impl std::fmt::Display) -> Self {
        Self { cause: format!("{what}: {cause}"), tcp_connected: true }
    }
}

impl Health {
    pub(super) fn role(&self, name: String) -> Arc<Role> {
        let role = Arc::new(Role { name, state: Mutex::default() });
        let mut roles = self.roles();
        roles.retain(|role| role.strong_count() > 0);
        roles.push(Arc::downgrade(&role));
        role
    }

    pub(super) fn is_connected(&self) -> bool {
        let roles: Vec<_> = self.roles().iter().filter_map(Weak::upgrade).collect();
        !roles.is_empty() && roles.iter().all(|role| role.state().up)
    }

    /// Resolves when a role has been stuck for too long.
    pub(super) async fn lost(&self) -> ConnectionLost {
        loop {
            let roles: Vec<_> = self.roles().iter().filter_map(Weak::upgrade).collect();
            if let Some(lost) = roles.iter().find_map(|role| role.lost(Instant::now())) {
                return lost;
            }
            drop(roles);
            sleep(HEALTH_INTERVAL).await;
        }
    }

    fn roles(&self) -> MutexGuard<'_, Vec<Weak<Role>>> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Role {
    /// Logs the end of an outage whose beginning is in the log.
    pub(super) fn up(&self, now: Instant) {
        let mut state = self.state();
        if state.warned || !state.was_up {
            let outage = state.last_warning.filter(|_| state.warned).map(|time| now.saturating_duration_since(time));
            tracing::info!(role = self.name, ?outage, "connected to the broker");
        }
        (state.up, state.was_up, state.warned, state.stuck_since) = (true, true, false, None);
    }

    /// Logs an outage once; fails when it is one that only a restart mends.
    pub(super) fn down(&self, failure: Failure, now: Instant) -> Result<(), ConnectionLost> {
        let mut state = self.state();
        let recent = |time| now.saturating_duration_since(time) < WARNING_INTERVAL;
        if state.warned || state.last_warning.is_some_and(recent) {
            tracing::debug!(role = self.name, cause = failure.cause, "not connected to the broker");
        } else {
            tracing::warn!(role = self.name, cause = failure.cause, "not connected to the broker, trying again");
            (state.warned, state.last_warning) = (true, Some(now));
        }
        state.up = false;
        state.stuck_since = failure.tcp_connected.then(|| state.stuck_since.unwrap_or(now));
        state.cause = failure.cause;
        drop(state);
        self.lost(now).map_or(Ok(()), Err)
    }

    fn lost(&self, now: Instant) -> Option<ConnectionLost> {
        let state = self.state();
        let stuck = now.saturating_duration_since(state.stuck_since?);
        let (role, cause) = (self.name.clone(), state.cause.clone());
        (stuck >= STUCK_LIMIT).then_some(ConnectionLost { role, seconds: stuck.as_secs(), cause })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(tcp_connected: bool) -> Failure {
        Failure { cause: "no".into(), tcp_connected }
    }

    #[test]
    fn gives_up_only_while_tcp_connects() {
        let (health, start) = (Health::default(), Instant::now());
        let role = health.role("publisher".into());
        let down = |tcp_connected, second| role.down(failure(tcp_connected), start + Duration::from_secs(second));
        for second in 0..200 {
            assert_eq!(down(false, second), Ok(()));
        }
        assert_eq!(down(true, 200), Ok(()));
        assert_eq!(down(true, 319), Ok(()));
        assert_eq!(down(false, 320), Ok(()));
        assert_eq!(down(true, 330), Ok(()));
        let lost = ConnectionLost { role: "publisher".into(), seconds: 120, cause: "no".into() };
        assert_eq!(down(true, 450), Err(lost));
    }

    #[test]
    fn a_healthy_connection_begins_anew() {
        let (health, start) = (Health::default(), Instant::now());
        assert!(!health.is_connected());
        let role = health.role("publisher".into());
        let at = |second| start + Duration::from_secs(second);
        assert!(!health.is_connected());
        assert_eq!(role.down(failure(true), at(0)), Ok(()));
        role.up(at(119));
        assert!(health.is_connected());
        assert_eq!(role.down(failure(true), at(120)), Ok(()));
        assert!(!health.is_connected());
        assert_eq!(role.down(failure(true), at(239)), Ok(()));
        drop(role);
        assert!(!health.is_connected());
    }

    #[tokio::test]
    async fn whoever_watches_hears_of_a_lost_connection() {
        let health = Health::default();
        let (healthy, stuck) = (health.role("healthy".into()), health.role("stuck".into()));
        healthy.up(Instant::now());
        let long_ago = Instant::now().checked_sub(STUCK_LIMIT).unwrap();
        let told = stuck.down(failure(true), long_ago);
        assert_eq!((told, health.lost().await.role), (Ok(()), "stuck".to_owned()));
    }
}
