//! One call of the simulator. Nothing moves it: where it stands follows from its plan and the time.

use super::order::Order;
use super::plan::{Ending, Plan};
use callfairy_core::Timestamp;
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
    pub accepted: Instant,
    /// Simulated seconds in a real one.
    pub speed: f64,
    /// When it was stopped, from its acceptance.
    stopped: OnceLock<Duration>,
    /// Tells whoever waits for its end.
    pub ends: Notify,
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
    pub fn new(order: Order, plan: Plan, created_at: Timestamp, accepted: Instant, speed: f64) -> Self {
        let id = Uuid::new_v4();
        Self { id, order, plan, created_at, accepted, speed, stopped: OnceLock::new(), ends: Notify::new() }
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
        let (course, elapsed) = (self.course(), now.saturating_duration_since(self.accepted));
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
        let active = self.moment(now) < Moment::Settling
            && self.stopped.set(now.saturating_duration_since(self.accepted)).is_ok();
        if active {
            self.ends.notify_one();
        }
        active
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
        Call::new(order, plan, Timestamp::UNIX_EPOCH, Instant::now(), 60.0)
    }

    #[test]
    fn runs_its_course() {
        let call = call("+1415555101");
        let course = call.course();
        let at = |after| call.moment(call.accepted + after);
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
        let before = ringing.accepted + ringing.course().ringing;
        assert!(ringing.stop(before) && !ringing.stop(before));
        assert_eq!((ringing.course().ending, ringing.course().talked), (Ending::Canceled, Duration::ZERO));

        let talking = call("+1415555101");
        let course = talking.course();
        assert!(talking.stop(talking.accepted + (course.talking + course.ended) / 2));
        assert_eq!(talking.course().ending, Ending::Answered);
        assert!(talking.course().talked.abs_diff(talking.plan.talk / 2) < Duration::from_millis(1));

        let over = call("+1415555101");
        assert!(!over.stop(over.accepted + over.course().ended));
    }
}
