//! `callfairy users import`.

use crate::cli::UsersImportArgs;
use auth::DjangoUser;
use callfairy_core::{Clock, SystemClock};
use runtime::{BoxError, Service, Settings};

/// Bytes of a file: some two million accounts.
const MAX_FILE: u64 = 512 * 1024 * 1024;
/// Lines about single accounts that are shown of each kind.
const MAX_SHOWN: usize = 20;

/// Makes accounts in auth's database from a JSON list, beside a running auth or without one.
pub async fn import(settings: &Settings, arguments: UsersImportArgs) -> Result<(), BoxError> {
    let UsersImportArgs { file, dry_run } = arguments;
    let told = |error: std::io::Error| format!("{}: {error}", file.display());
    if std::fs::metadata(&file).map_err(told)?.len() > MAX_FILE {
        return Err(format!("{} is larger than {MAX_FILE} bytes: split the list", file.display()).into());
    }
    let content = std::fs::read(&file).map_err(told)?;
    // The place and the field are in the error; what stands there is not.
    let users: Vec<DjangoUser> = serde_json::from_slice(&content).map_err(|error| {
        format!("{} is no list of users at line {}, column {}", file.display(), error.line(), error.column())
    })?;
    let pool = db::Pool::open(settings.database(Service::Auth).expose(), Service::Auth.name(), 1)?;
    let done = auth::import_users(&pool, users, dry_run, SystemClock.now()).await?;

    println!("{}  {}", if dry_run { "would make or know" } else { "made" }, done.made);
    println!("known  {}", done.known.len());
    done.known.iter().take(MAX_SHOWN).for_each(|email| println!("  {email} has an account, which stays as it is"));
    println!("refused  {}", done.refused.len());
    done.refused.iter().take(MAX_SHOWN).for_each(|(at, why)| println!("  number {at}: {why}"));
    if done.refused.is_empty() { Ok(()) } else { Err("not every account could be taken".into()) }
}
