//! A stand-in for auth: the keys of its tokens, and the mail that it is asked for, kept in memory.

use access::Call;
use callfairy_core::Problem;
use proto::auth::SendMembershipMailRequest;
use proto::rpc::membership_mail::SendMembershipMail;
use proto::types::Empty;
use std::sync::{Arc, Mutex};

/// How auth takes requests for mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    #[default]
    Well,
    /// Refuses at once.
    Down,
    /// Does what it is asked for, once; the answer is lost.
    Forgetful,
    /// Never takes this one.
    Picky,
}

#[derive(Default)]
struct Known {
    mood: Mood,
    asked: Vec<SendMembershipMailRequest>,
    refused: usize,
}

#[derive(Clone, Default)]
pub struct Post(Arc<Mutex<Known>>);

impl Post {
    pub fn is(&self, mood: Mood) {
        self.0.lock().unwrap().mood = mood;
    }

    /// What was taken, in order.
    pub fn asked(&self) -> Vec<SendMembershipMailRequest> {
        self.0.lock().unwrap().asked.clone()
    }

    pub fn refused(&self) -> usize {
        self.0.lock().unwrap().refused
    }
}

impl access::MembershipMail for Post {
    async fn send_membership_mail(&self, call: Call<SendMembershipMail>) -> Result<Empty, Problem> {
        let mut known = self.0.lock().unwrap();
        let lost = Err(Problem::unavailable("auth"));
        match known.mood {
            Mood::Well => {
                known.asked.push(call.request);
                Ok(Empty {})
            }
            Mood::Forgetful => {
                known.asked.push(call.request);
                known.mood = Mood::Well;
                lost
            }
            Mood::Down => {
                known.refused += 1;
                lost
            }
            Mood::Picky => {
                known.refused += 1;
                Err(Problem::field("email", "is not an address"))
            }
        }
    }
}
