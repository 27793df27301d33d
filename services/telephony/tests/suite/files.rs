//! Files on their way in, and workers that read them.

use crate::world::{DEADLINE, World};
use access::Meta;
use callfairy_core::{OrganisationId, Problem, UserId};
use futures_util::{StreamExt as _, stream};
use proto::rpc::contacts::ListContacts;
use proto::rpc::imports as rpc;
use proto::telephony::{
    Contact, CreateImportRequest, DownloadImportErrorsRequest, GetImportRequest, Import, ImportStatus,
    ListContactsRequest,
};
use queue::QueueName;
use runtime::Shutdown;
use tokio::task::JoinHandle;
use uuid::Uuid;
use worker::imports::Imports;

/// A thousand contacts; `tests/data/README.md` says what is in them.
pub const THOUSAND: &[u8] = include_bytes!("../../../../tests/data/contacts-1000.csv");
/// The bytes of an upload's messages: small, so that there are many.
const PIECE: usize = 10_000;

/// Somebody who uploads files for an organisation.
pub struct Uploader<'w> {
    pub world: &'w World,
    pub organisation: OrganisationId,
    pub user: UserId,
}

impl<'w> Uploader<'w> {
    /// Of a new organisation.
    pub fn new(world: &'w World) -> Self {
        let (organisation, user) = world.organisation();
        Self { world, organisation, user }
    }

    /// What a form has beside the file.
    pub fn form(&self) -> CreateImportRequest {
        CreateImportRequest {
            organisation_id: self.organisation.to_string(),
            filename: "people.csv".to_owned(),
            default_country: Some("US".to_owned()),
            ..CreateImportRequest::default()
        }
    }

    pub async fn upload(&self, content: &[u8]) -> Result<Import, Problem> {
        self.upload_with(self.form(), content).await
    }

    pub async fn upload_with(&self, form: CreateImportRequest, content: &[u8]) -> Result<Import, Problem> {
        self.upload_as(&self.world.signed_in(self.user), form, content).await
    }

    pub async fn upload_as(&self, meta: &Meta, form: CreateImportRequest, content: &[u8]) -> Result<Import, Problem> {
        let pieces: Vec<Vec<u8>> = content.chunks(PIECE).map(<[u8]>::to_vec).collect();
        let messages = pieces.into_iter().map(|data| CreateImportRequest { data, ..CreateImportRequest::default() });
        let messages = stream::iter(std::iter::once(form).chain(messages));
        self.world.telephony.client_streaming::<rpc::CreateImport>(meta, messages).await
    }

    /// Uploads, and waits for the end.
    pub async fn import(&self, content: &[u8]) -> Import {
        self.import_with(self.form(), content).await
    }

    pub async fn import_with(&self, form: CreateImportRequest, content: &[u8]) -> Import {
        let import = self.upload_with(form, content).await.unwrap();
        self.end_of(&import.id).await
    }

    pub async fn get(&self, id: &str) -> Import {
        let request = GetImportRequest { organisation_id: self.organisation.to_string(), id: id.to_owned() };
        let import = self.world.call::<rpc::GetImport>(self.user, request).await.unwrap();
        let sum = import.imported_rows + import.updated_rows + import.duplicate_rows + import.failed_rows;
        assert_eq!(import.total_rows, sum, "{import:?}");
        import
    }

    pub async fn end_of(&self, id: &str) -> Import {
        testkit::eventually("the import came to its end", DEADLINE, async || {
            let import = self.get(id).await;
            let open = matches!(import.status(), ImportStatus::Pending | ImportStatus::Processing);
            (!open).then_some(import)
        })
        .await
    }

    /// The report of the rows that failed.
    pub async fn errors(&self, id: &str) -> Vec<u8> {
        let request = DownloadImportErrorsRequest { organisation_id: self.organisation.to_string(), id: id.to_owned() };
        let meta = self.world.signed_in(self.user);
        let pieces = self.world.telephony.server_streaming::<rpc::DownloadImportErrors>(&meta, request).await.unwrap();
        let pieces: Vec<_> = pieces.map(Result::unwrap).collect().await;
        assert_eq!(pieces[0].content_type, "text/csv; charset=utf-8");
        assert_eq!(pieces[0].filename, "people-errors.csv");
        pieces.into_iter().flat_map(|piece| piece.data).collect()
    }

    /// All contacts, in the order in which they were made.
    pub async fn contacts(&self) -> Vec<Contact> {
        let (mut contacts, mut page_token) = (vec![], String::new());
        loop {
            let request = ListContactsRequest {
                organisation_id: self.organisation.to_string(),
                page_size: 200,
                page_token,
                ..ListContactsRequest::default()
            };
            let page = self.world.call::<ListContacts>(self.user, request).await.unwrap();
            contacts.extend(page.contacts);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                contacts.reverse();
                return contacts;
            }
        }
    }

    /// All contacts without what differs from one import of the same file to the next.
    pub async fn contents(&self) -> Vec<Contact> {
        let content = |contact: Contact| Contact { id: String::new(), import_id: None, ..contact };
        self.contacts().await.into_iter().map(content).collect()
    }
}

/// A worker that reads files.
pub struct Worker {
    shutdown: Shutdown,
    running: JoinHandle<()>,
}

impl Worker {
    pub fn start(world: &World) -> Self {
        Self::with_max_rows(world, usize::MAX)
    }

    /// With small batches, so that there are many.
    pub fn with_max_rows(world: &World, max_rows: usize) -> Self {
        let (shutdown, queue) = (Shutdown::new(), world.queue.clone());
        let name = format!("worker-{}", Uuid::now_v7());
        let imports = Imports::new(world.context.clone(), world.storage.clone(), name, shutdown.clone());
        let imports = imports.with_max_rows(max_rows);
        let stop = shutdown.token();
        let running = tokio::spawn(async move {
            let handle = move |message| imports.clone().handle(message);
            queue.consume(QueueName::Import, 4, stop, handle).await.unwrap();
        });
        Self { shutdown, running }
    }

    /// Lets it finish what it has in hand.
    pub async fn stop(self) {
        self.shutdown.begin();
        self.running.await.unwrap();
    }

    /// Ends it wherever it is.
    pub async fn kill(self) {
        self.running.abort();
        let _ = self.running.await;
    }
}
