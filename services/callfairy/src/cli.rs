//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use runtime::Program;
use std::path::PathBuf;

/// A voice-AI calling platform: organisations, contacts, AI phone calls and campaigns.
///
/// Without a command, everything runs in one process: SQLite and files in ./data, an embedded queue and a simulated
/// voice provider, unless the environment says otherwise (`callfairy config check` shows what would be used).
#[derive(Debug, Parser)]
#[command(name = "callfairy", version, arg_required_else_help = false)]
pub struct Cli {
    /// A TOML file with settings; the environment comes before it.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway alone: REST for the world, gRPC to the services.
    Gateway,
    /// Run auth alone: users, credentials, sessions, tokens.
    Auth,
    /// Run tenancy alone: organisations, and the authority on access.
    Tenancy,
    /// Run agent alone: who manages which organisation.
    Agent,
    /// Run telephony alone: contacts, imports, calls, campaigns.
    Telephony,
    /// Run a worker: places calls and reads imported files.
    Worker,
    /// Run the platform with a sample organisation, contacts and a campaign, and watch it work.
    Demo(DemoArgs),
    /// Run the simulated voice provider alone. It speaks Bland AI's HTTP API and dials nobody.
    Simulator(SimulatorArgs),
    /// Bring the databases of all services up to date.
    Migrate {
        /// Only say what would be run.
        #[arg(long)]
        plan: bool,
    },
    /// Superadmins: the people who operate the platform.
    #[command(subcommand)]
    Superadmin(SuperadminCommand),
    /// Accounts.
    #[command(subcommand)]
    Users(UsersCommand),
    /// The keys that access tokens are signed with.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The queues.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI document.
    Openapi,
    /// Print who may call which method, and what can be granted, as Markdown.
    AccessMatrix,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep running when the campaign is over, to look around.
    #[arg(long)]
    pub stay: bool,
    /// How many contacts are called.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub contacts: u32,
}

#[derive(Debug, Args)]
pub struct SimulatorArgs {
    /// Where every request for a call is written before it has an effect; calls are read from it again after a restart.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Let the last two digits of a number decide what becomes of its calls: 01 is answered, 02 a voicemail, and so on.
    #[arg(long)]
    pub suffixes: bool,
    /// Decides all chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Debug, Subcommand)]
pub enum SuperadminCommand {
    /// Make one; the password is read from CALLFAIRY_SUPERADMIN_PASSWORD, or made up and printed once.
    Create(SuperadminArgs),
}

#[derive(Debug, Args)]
pub struct SuperadminArgs {
    #[arg(long)]
    pub email: String,
    #[arg(long)]
    pub name: String,
}

#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Take over the accounts of a Django system, with their passwords.
    ///
    /// The file is a JSON list: [{"email": …, "name": …, "password": "pbkdf2_sha256$…", "role": "user",
    /// "is_active": true, "date_joined": "2024-05-01T08:00:00Z"}, …]. Accounts that are there stay as they are, so the
    /// command can be run again. Roles but superadmin follow from assignments, which are made anew.
    Import(UsersImportArgs),
}

#[derive(Debug, Args)]
pub struct UsersImportArgs {
    pub file: PathBuf,
    /// Only look at the file.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the key that signs next.
    ///
    /// A running auth signs with it half a minute later, and nobody is signed out: the key before it is published until its
    /// last token has expired. Needs auth's database and the master key, as auth itself does.
    Rotate,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that nothing in it was changed, removed or added, and print how long it is and the hash of its end.
    ///
    /// Whoever owns the database could write a whole new log, with hashes that fit. Keep the printed hash somewhere else,
    /// and let a later run look for it with --expect: it must be in the log for ever. Exit code 1, with the first entry
    /// that is not what was recorded, when something is wrong.
    Verify {
        /// A hash that was printed before.
        #[arg(long, value_name = "HASH")]
        expect: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Messages that no worker could use.
    #[command(subcommand)]
    Dead(DeadCommand),
}

#[derive(Debug, Subcommand)]
pub enum DeadCommand {
    /// Show the oldest ones.
    List {
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Put one, or all, back into their queues.
    Replay {
        /// The message's id, as `list` shows it.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say what would be used, and from where; secrets are masked. Fails when something is wrong.
    Check {
        /// For which program.
        #[arg(long, value_enum, default_value_t = ProgramArg::Platform)]
        program: ProgramArg,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ProgramArg {
    /// Everything in one process.
    Platform,
    Gateway,
    Auth,
    Tenancy,
    Agent,
    Telephony,
    Worker,
}

impl From<ProgramArg> for Program {
    fn from(program: ProgramArg) -> Self {
        match program {
            ProgramArg::Platform => Self::Platform,
            ProgramArg::Gateway => Self::Gateway,
            ProgramArg::Auth => Self::Auth,
            ProgramArg::Tenancy => Self::Tenancy,
            ProgramArg::Agent => Self::Agent,
            ProgramArg::Telephony => Self::Telephony,
            ProgramArg::Worker => Self::Worker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
