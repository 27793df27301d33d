//! What runs: the programs, and the services that others call.

use std::fmt;

/// One executable's role. It decides which settings must be present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// Everything in one process, and the command line's tools.
    Platform,
    Gateway,
    Auth,
    Tenancy,
    Agent,
    Telephony,
    Worker,
}

impl Program {
    /// As logs and traces name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Platform => "callfairy",
            Self::Gateway => "callfairy-gateway",
            Self::Auth => "callfairy-auth",
            Self::Tenancy => "callfairy-tenancy",
            Self::Agent => "callfairy-agent",
            Self::Telephony => "callfairy-telephony",
            Self::Worker => "callfairy-worker",
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A service that owns a database and answers gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Auth,
    Tenancy,
    Agent,
    Telephony,
}

impl Service {
    pub const ALL: [Self; 4] = [Self::Auth, Self::Tenancy, Self::Agent, Self::Telephony];

    /// Its schema, its file and its part of a variable's name, lower-cased.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Tenancy => "tenancy",
            Self::Agent => "agent",
            Self::Telephony => "telephony",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
