//! Without a mail server: each mail is a file.

use super::{DeliveryError, Letter, Mailer, compact};
use crate::domain::email;
use crate::store::mail::MailRow;
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;

/// Writes `<time>-<mail id>.eml`. Writing a mail again replaces its file.
#[derive(Debug)]
pub struct Files {
    directory: PathBuf,
}

impl Files {
    /// `directory` is made when the first mail is written.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }
}

#[async_trait]
impl Mailer for Files {
    async fn deliver(&self, mail: &MailRow, letter: &Letter) -> Result<(), DeliveryError> {
        let path = self.directory.join(format!("{}-{}.eml", compact(mail.created_at), mail.id));
        // Written beside its place, so that nobody reads half of it.
        let beside = self.directory.join(format!(".{}.part", mail.id));
        let written = write(&self.directory, &beside, &path, &letter.formatted()).await;
        written.map_err(|error| DeliveryError::NotNow(format!("{}: {error}", path.display())))?;
        let recipient = email::mask(&mail.recipient);
        tracing::info!(recipient, file = %path.display(), "no mail server is configured: the mail is a file");
        Ok(())
    }
}

async fn write(directory: &Path, beside: &Path, path: &Path, content: &[u8]) -> std::io::Result<()> {
    tokio::fs::create_dir_all(directory).await?;
    let mut file = tokio::fs::OpenOptions::new();
    // What is in it lets its reader in.
    let mut file = file.write(true).create(true).truncate(true).mode(0o600).open(beside).await?;
    file.write_all(content).await?;
    file.sync_all().await?;
    tokio::fs::rename(beside, path).await
}
