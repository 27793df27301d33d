//! What is said on a call, as it is kept: with the assistant, and with each call as it was made.

use proto::telephony as api;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    /// What the voice is to do, in plain words.
    pub task: String,
    pub first_sentence: Option<String>,
    pub voice: Option<String>,
    pub model: Option<String>,
    pub language: Option<String>,
    /// Minutes.
    pub max_duration: Option<u32>,
    pub record: bool,
    pub wait_for_greeting: bool,
    pub voicemail: Option<Voicemail>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voicemail {
    pub action: VoicemailAction,
    pub message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoicemailAction {
    Hangup,
    LeaveMessage,
    Ignore,
}

impl Voicemail {
    /// `None` when it says nothing.
    pub fn from_api(voicemail: api::Voicemail) -> Option<Self> {
        let action = match voicemail.action() {
            api::VoicemailAction::Unspecified => return None,
            api::VoicemailAction::Hangup => VoicemailAction::Hangup,
            api::VoicemailAction::LeaveMessage => VoicemailAction::LeaveMessage,
            api::VoicemailAction::Ignore => VoicemailAction::Ignore,
        };
        Some(Self { action, message: voicemail.message })
    }
}

impl From<&Voicemail> for api::Voicemail {
    fn from(voicemail: &Voicemail) -> Self {
        let action = match voicemail.action {
            VoicemailAction::Hangup => api::VoicemailAction::Hangup,
            VoicemailAction::LeaveMessage => api::VoicemailAction::LeaveMessage,
            VoicemailAction::Ignore => api::VoicemailAction::Ignore,
        };
        Self { action: action.into(), message: voicemail.message.clone() }
    }
}
