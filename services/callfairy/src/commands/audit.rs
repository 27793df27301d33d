//! `callfairy audit`.

use runtime::{BoxError, Service, Settings};

/// Walks the whole audit log in tenancy's database, beside a running tenancy or without one. Fails with the first entry
/// that is not what was recorded.
pub async fn verify(settings: &Settings, expected: Option<String>) -> Result<(), BoxError> {
    let (url, schema) = (settings.database(Service::Tenancy).clone(), Service::Tenancy.name());
    let of_log = url.clone();
    tokio::task::spawn_blocking(move || db::check(of_log.expose(), schema, &tenancy::MIGRATIONS)).await??;
    let pool = db::Pool::open(url.expose(), schema, 1)?;
    let verified = tenancy::verify_audit_log(&pool, expected.as_deref()).await?;
    println!("entries  {}", verified.entries);
    println!("head     {}", verified.head);
    Ok(())
}
