//! One call of the simulator. Nothing moves it: where it stands follows from its plan and the time.

use super::order::Order;
use super::plan::{Ending, Plan};
use callfairy_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

#[derive(Debug)]
pub struct Call {
    pub id: Uuid,
    pub order: Order,
    pub plan: Plan,
    pub created_at: Timestamp,
    /// When this process got to know it, and how old it was then.
    known: Instant,
    age: Duration,
    /// Simulated seconds in a real one.
    pub speed: f64,
    /// When it was stopped, from its acceptance.
    stopped: OnceLock<Duration>,
    /// Tells whoever waits for its end.
    pub ends: Notify,
}

/// What the journal holds of a call, beside its id and when it was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    pub order: Order,
    pub plan: Plan,
    pub speed: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    Queued,
    Ringing,
    Talking,
    /// Over, but not yet reported in full.
    Settling,
    Over,
}

/// Real times from a call's acceptance, and how it ends.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    pub ringing: Duration,
    pub talking: Duration,
    pub ended: Duration,
    pub settled: Duration,
    pub ending: Ending,
    /// Simulated.
    pub talked: Duration,
}

impl Call {
    /// A call that is accepted now.
    pub fn new(order: Order, plan: Plan, (now, created_at): (Instant, Timestamp), speed: f64) -> Self {
        let (id, age) = (Uuid::new_v4(), Duration::ZERO);
        let (stopped, ends) = (OnceLock::new(), Notify::new());
        Self { id, order, plan, created_at, known: now, age, speed, stopped, ends }
    }

    /// A call that was accepted before this process began.
    pub fn again(id: Uuid, accepted: Accepted, created_at: Timestamp, (now, time): (Instant, Timestamp)) -> Self {
        let Accepted { order, plan, speed } = accepted;
        Self { id, age: time.since(created_at), ..Self::new(order, plan, (now, created_at), speed) }
    }

    /// What the journal keeps.
    pub fn accepted(&self) -> Accepted {
        Accepted { order: self.order.clone(), plan: self.plan.clone(), speed: self.speed }
    }

    /// Real time since its acceptance.
    fn elapsed(&self, now: Instant) -> Duration {
        self.age + now.saturating_duration_since(self.known)
    }

    /// When it is so long after its acceptance; what was before this process knew it, is at once.
    pub fn at(&self, after: Duration) -> Instant {
        self.known + after.saturating_sub(self.age)
    }

    /// The course it takes, as far as is known now: a stop may still shorten it.
    pub fn course(&self) -> Course {
        let real = |simulated: Duration| simulated.div_f64(self.speed);
        let ringing = real(self.plan.queue);
        let talking = ringing + real(self.plan.ring);
        let ended = talking + real(self.plan.talk);
        let planned = Course {
            ringing,
            talking,
            ended,
            settled: ended + real(self.plan.settle),
            ending: self.plan.ending,
            talked: self.plan.talk,
        };
        let Some(&stopped) = self.stopped.get() else { return planned };
        let talked = stopped.saturating_sub(talking);
        let answered = !talked.is_zero() && planned.ending.is_answered();
        Course {
            ended: stopped,
            settled: stopped + real(self.plan.settle),
            ending: if answered { planned.ending } else { Ending::Canceled },
            talked: if answered { talked.mul_f64(self.speed) } else { Duration::ZERO },
            ..planned
        }
    }

    pub fn moment(&self, now: Instant) -> Moment {
        let (course, elapsed) = (self.course(), self.elapsed(now));
        if elapsed >= course.settled {
            Moment::Over
        } else if elapsed >= course.ended {
            Moment::Settling
        } else if elapsed >= course.talking {
            Moment::Talking
        } else if elapsed >= course.ringing {
            Moment::Ringing
        } else {
            Moment::Queued
        }
    }

    /// `false` if it was over already.
    pub fn stop(&self, now: Instant) -> bool {
        let active = self.moment(now) < Moment::Settling && self.stopped.set(self.elapsed(now)).is_ok();
        if active {
            self.ends.notify_one();
        }
        active
    }

    /// As it was stopped before this process began.
    pub fn stop_again(&self, at: Timestamp) {
        let after = at.since(self.created_at);
        if after < self.course().ended {
            let _ = self.stopped.set(after);
        }
    }

    /// About what it takes in memory, in bytes.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.order.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::behaviour::Behaviour;
    use crate::simulator::suffix::script;

    fn call(to: &str) -> Call {
        let order = Order { to: to.to_owned(), ..Order::default() };
        let plan = Plan::draw(&Behaviour::default(), script(to), 1, to, 1, Duration::from_mins(30)).unwrap();
        Call::new(order, plan, (Instant::now(), Timestamp::UNIX_EPOCH), 60.0)
    }

    #[test]
    fn runs_its_course() {
        let call = call("+1415555101");
        let course = call.course();
        let at = |after| call.moment(call.at(after));
        assert_eq!(at(Duration::ZERO), Moment::Queued);
        assert_eq!(at(course.ringing), Moment::Ringing);
        assert_eq!(at(course.talking), Moment::Talking);
        assert_eq!(at(course.ended), Moment::Settling);
        assert_eq!(at(course.settled), Moment::Over);
        assert!(course.ended.abs_diff(course.talking + call.plan.talk / 60) < Duration::from_micros(1));
    }

    #[test]
    fn stops_once_while_it_lasts() {
        let ringing = call("+1415555101");
        let before = ringing.at(ringing.course().ringing);
        assert!(ringing.stop(before) && !ringing.stop(before));
        assert_eq!((ringing.course().ending, ringing.course().talked), (Ending::Canceled, Duration::ZERO));

        let talking = call("+1415555101");
        let course = talking.course();
        assert!(talking.stop(talking.at((course.talking + course.ended) / 2)));
        assert_eq!(talking.course().ending, Ending::Answered);
        assert!(talking.course().talked.abs_diff(talking.plan.talk / 2) < Duration::from_millis(1));

        let over = call("+1415555101");
        assert!(!over.stop(over.at(over.course().ended)));
    }

    #[test]
    fn goes_on_where_it_was() {
        let first = call("+1415555101");
        let (course, now) = (first.course(), Instant::now());
        let again = |age: Duration, stopped: Option<Duration>| {
            let call = Call::again(first.id, first.accepted(), first.created_at, (now, first.created_at.plus(age)));
            if let Some(after) = stopped {
                call.stop_again(first.created_at.plus(after));
            }
            call
        };
        let half = (course.talking + course.ended) / 2;
        let talking = again(half, None);
        assert_eq!((talking.id, talking.moment(now)), (first.id, Moment::Talking));
        assert!((talking.at(course.ended) - now + half).abs_diff(course.ended) < Duration::from_millis(1));
        assert_eq!(talking.moment(talking.at(course.ended)), Moment::Settling);

        let over = again(Duration::from_hours(1), None);
        assert_eq!((over.moment(now), over.at(course.settled)), (Moment::Over, now));
        let stopped = again(Duration::from_hours(1), Some(half)).course().ended;
        assert!(stopped.abs_diff(half) <= Duration::from_micros(1), "{stopped:?} {half:?}");
        // Too late to change anything.
        assert_eq!(again(Duration::from_hours(1), Some(course.settled)).course().ended, course.ended);
        // A clock that was set back makes no call older than it is.
        let ahead = Call::again(
            first.id,
            first.accepted(),
            first.created_at.plus(Duration::from_hours(1)),
            (now, first.created_at),
        );
        assert_eq!(ahead.moment(now), Moment::Queued);
    }
}
