//! PostgreSQL's own programs, for the references.

use anyhow::{Context as _, Result, bail};
use std::path::Path;
use tokio::process::Command;

/// Runs these statements, all in one transaction.
pub async fn psql(database: &str, statements: &[&str]) -> Result<String> {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--single-transaction"]);
    psql.args(["--set", "ON_ERROR_STOP=1", "--dbname", database]);
    for statement in statements {
        psql.args(["--command", statement]);
    }
    output(psql).await
}

/// How often in a second the script's statements are committed by so many clients, each waiting for its commit.
pub async fn pgbench(database: &str, script: &Path, clients: usize, seconds: u64) -> Result<f64> {
    let mut pgbench = Command::new("pgbench");
    pgbench.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
    pgbench.arg(format!("--client={clients}")).arg(format!("--time={}", seconds.max(1)));
    pgbench.arg("--file").arg(script).arg(database);
    let told = output(pgbench).await?;
    let line = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    line.with_context(|| format!("pgbench told no tps: {told}"))
}

async fn output(mut command: Command) -> Result<String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command.kill_on_drop(true).output().await.with_context(|| format!("{program} does not start"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
