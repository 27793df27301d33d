//! The services behind the gateway: they write down what reaches them, and answer as a test wants.

use access::{Call, Caller, Origin, Replies, Services, StreamCall};
use callfairy_core::{ErrorCode, FieldError, Problem};
use futures_util::{StreamExt, stream};
use proto::Rpc;
use proto::agent::{Agent, ListAgentsResponse, RevokeAgentResponse};
use proto::auth::{GoogleSignInStarted, ListSessionsResponse, Tokens};
use proto::rpc::{
    access as access_rpc, agents, contacts, events, google_sign_in, imports, provider_webhooks, sessions,
};
use proto::telephony::{Contact, Event, Import, ImportStatus, ListContactsResponse, ListImportsResponse};
use proto::tenancy::{ListPermissionsResponse, MyAccess};
use proto::types::{Detail, Download, Empty};
use runtime::Shutdown;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::TestKey;
use tokio::sync::{Notify, mpsc};

/// What reached the services, and what they are to do.
#[derive(Default)]
pub struct Seen {
    heard: Mutex<Vec<Heard>>,
    pub upload: Uploaded,
    /// What the next event stream gives.
    pub events: Mutex<Option<mpsc::Receiver<Result<Event, Problem>>>>,
    /// What the next download gives.
    pub pieces: Mutex<Vec<Result<Download, Problem>>>,
    /// How the next contact that is asked for fails.
    pub failure: Mutex<Option<Problem>>,
    /// Whoever asks for an import waits for this, after having told that they wait.
    pub hold: Mutex<Option<Arc<Notify>>>,
    pub held: Notify,
    /// Ends the services, after the gateway.
    pub end: Shutdown,
}

/// One call, as the service saw it.
#[derive(Debug, Clone)]
pub struct Heard {
    pub rpc: &'static str,
    pub request: Value,
    pub caller: Caller,
    pub idempotency_key: Option<String>,
    pub request_id: Option<String>,
    pub trace: BTreeMap<String, String>,
    pub origin: Origin,
}

#[derive(Default)]
pub struct Uploaded {
    pub bytes: AtomicU64,
    pub sum: AtomicU64,
    pub pieces: AtomicUsize,
    pub largest: AtomicUsize,
    /// Uploads that came to their end.
    pub ended: AtomicUsize,
    /// Uploads that broke off: with an error, or by the call's end before it had an answer.
    pub broken: AtomicUsize,
    /// While set, nothing is read after the first message.
    pub stop: Mutex<Option<Arc<Notify>>>,
    /// Answers with this before anything but the first message is read.
    pub refusal: Mutex<Option<Problem>>,
}

impl Seen {
    fn hear<R: Rpc<Request: Serialize>>(&self, call: &Call<R>) {
        self.heard.lock().unwrap().push(Heard {
            rpc: R::GRPC_PATH,
            request: serde_json::to_value(&call.request).unwrap(),
            caller: call.caller().clone(),
            idempotency_key: call.idempotency_key().map(str::to_owned),
            request_id: call.request_id().map(str::to_owned),
            trace: call.trace().clone(),
            origin: call.origin().clone(),
        });
    }

    /// The only call since the last time.
    #[track_caller]
    pub fn one(&self) -> Heard {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard.into_iter().next().unwrap()
    }

    #[track_caller]
    pub fn nothing(&self) {
        assert!(self.heard.lock().unwrap().is_empty(), "{:?}", self.heard.lock().unwrap());
    }
}

pub fn mount(service: &str, services: Services, seen: &Arc<Seen>) -> Services {
    let fake = || Fake(seen.clone());
    match service {
        "auth" => services.keys(TestKey::default()).sessions(fake()).google_sign_in(fake()),
        "tenancy" => services.access(fake()),
        "agent" => services.agents(fake()),
        _ => services.contacts(fake()).imports(fake()).events(fake()).provider_webhooks(fake()),
    }
}

struct Fake(Arc<Seen>);

impl access::Sessions for Fake {
    async fn login(&self, call: Call<sessions::Login>) -> Result<Tokens, Problem> {
        self.0.hear(&call);
        Ok(Tokens { access_token: "abc".to_owned(), token_type: "Bearer".to_owned(), ..Tokens::default() })
    }

    async fn refresh(&self, _: Call<sessions::Refresh>) -> Result<Tokens, Problem> {
        Err(Problem::internal())
    }

    async fn logout(&self, call: Call<sessions::Logout>) -> Result<Empty, Problem> {
        self.0.hear(&call);
        Ok(Empty {})
    }

    async fn list_sessions(&self, _: Call<sessions::ListSessions>) -> Result<ListSessionsResponse, Problem> {
        Err(Problem::internal())
    }

    async fn end_session(&self, _: Call<sessions::EndSession>) -> Result<Empty, Problem> {
        Err(Problem::internal())
    }
}

impl access::GoogleSignIn for Fake {
    async fn sign_in_with_google(&self, _: Call<google_sign_in::SignInWithGoogle>) -> Result<Tokens, Problem> {
        Err(Problem::internal())
    }

    async fn start_google_sign_in(
        &self,
        call: Call<google_sign_in::StartGoogleSignIn>,
    ) -> Result<GoogleSignInStarted, Problem> {
        self.0.hear(&call);
        let location = "https://accounts.example.com/authorize?state=s-1&nonce=n-1".to_owned();
        Ok(GoogleSignInStarted { location, cookie: "cfb_abc".to_owned() })
    }

    async fn finish_google_sign_in(&self, call: Call<google_sign_in::FinishGoogleSignIn>) -> Result<Tokens, Problem> {
        self.0.hear(&call);
        Ok(Tokens { access_token: "abc".to_owned(), ..Tokens::default() })
    }
}

impl access::Access for Fake {
    async fn list_permissions(&self, _: Call<access_rpc::ListPermissions>) -> Result<ListPermissionsResponse, Problem> {
        Ok(ListPermissionsResponse::default())
    }

    async fn get_my_access(&self, _: Call<access_rpc::GetMyAccess>) -> Result<MyAccess, Problem> {
        Ok(MyAccess::default())
    }
}

impl access::Agents for Fake {
    async fn list_agents(&self, _: Call<agents::ListAgents>) -> Result<ListAgentsResponse, Problem> {
        Err(Problem::internal())
    }
    async fn assign_agent(&self, _: Call<agents::AssignAgent>) -> Result<Agent, Problem> {
        Err(Problem::internal())
    }
    async fn get_agent(&self, _: Call<agents::GetAgent>) -> Result<Agent, Problem> {
        Err(Problem::internal())
    }
    async fn revoke_agent(&self, _: Call<agents::RevokeAgent>) -> Result<RevokeAgentResponse, Problem> {
        Err(Problem::internal())
    }
    async fn grant_permission(&self, _: Call<agents::GrantPermission>) -> Result<Agent, Problem> {
        Err(Problem::internal())
    }
    async fn revoke_permission(&self, _: Call<agents::RevokePermission>) -> Result<Agent, Problem> {
        Err(Problem::internal())
    }
    async fn set_package(&self, _: Call<agents::SetPackage>) -> Result<Agent, Problem> {
        Err(Problem::internal())
    }
}

impl access::Contacts for Fake {
    async fn list_contacts(&self, call: Call<contacts::ListContacts>) -> Result<ListContactsResponse, Problem> {
        self.0.hear(&call);
        Ok(ListContactsResponse { next_page_token: "more".to_owned(), ..ListContactsResponse::default() })
    }

    async fn create_contact(&self, call: Call<contacts::CreateContact>) -> Result<Contact, Problem> {
        self.0.hear(&call);
        let at = proto::Timestamp { seconds: 1_767_225_600, nanos: 500_000_000 };
        Ok(Contact { id: "7".to_owned(), name: call.request.name, created_at: Some(at), ..Contact::default() })
    }

    async fn get_contact(&self, call: Call<contacts::GetContact>) -> Result<Contact, Problem> {
        self.0.hear(&call);
        Err(self.0.failure.lock().unwrap().take().unwrap_or_else(Problem::not_found))
    }
}

/// Counts an upload as broken unless it has ended.
struct Watch<'a>(&'a Uploaded, bool);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let counter = if self.1 { &self.0.ended } else { &self.0.broken };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

impl access::Imports for Fake {
    async fn create_import(&self, call: StreamCall<imports::CreateImport>) -> Result<Import, Problem> {
        self.0.hear(&call.call);
        let (seen, mut rest) = (&self.0.upload, call.rest);
        if let Some(refusal) = seen.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        let mut watch = Watch(seen, false);
        let stop = seen.stop.lock().unwrap().clone();
        if let Some(stop) = stop {
            stop.notified().await;
        }
        while let Some(piece) = rest.next().await {
            let piece = piece?;
            let others = proto::telephony::CreateImportRequest { data: vec![], ..piece.clone() };
            assert_eq!(others, proto::telephony::CreateImportRequest::default(), "only data");
            seen.sum.fetch_add(piece.data.iter().map(|byte| u64::from(*byte)).sum(), Ordering::SeqCst);
            seen.largest.fetch_max(piece.data.len(), Ordering::SeqCst);
            seen.pieces.fetch_add(1, Ordering::SeqCst);
            seen.bytes.fetch_add(piece.data.len() as u64, Ordering::SeqCst);
        }
        watch.1 = true;
        let status = ImportStatus::Pending.into();
        Ok(Import { bytes_total: seen.bytes.load(Ordering::SeqCst), status, ..Import::default() })
    }

    async fn list_imports(&self, _: Call<imports::ListImports>) -> Result<ListImportsResponse, Problem> {
        Err(Problem::internal())
    }

    async fn get_import(&self, _: Call<imports::GetImport>) -> Result<Import, Problem> {
        let hold = self.0.hold.lock().unwrap().clone();
        if let Some(hold) = hold {
            self.0.held.notify_one();
            hold.notified().await;
        }
        Ok(Import { filename: "done".to_owned(), ..Import::default() })
    }

    async fn download_import_errors(
        &self,
        call: Call<imports::DownloadImportErrors>,
    ) -> Result<Replies<Download>, Problem> {
        self.0.hear(&call);
        let pieces = std::mem::take(&mut *self.0.pieces.lock().unwrap());
        Ok(Box::pin(stream::iter(pieces)))
    }

    async fn cancel_import(&self, _: Call<imports::CancelImport>) -> Result<Import, Problem> {
        Err(Problem::internal())
    }
}

impl access::Events for Fake {
    async fn stream_events(&self, call: Call<events::StreamEvents>) -> Result<Replies<Event>, Problem> {
        self.0.hear(&call);
        let Some(events) = self.0.events.lock().unwrap().take() else { return Err(Problem::unavailable("the stream")) };
        Ok(Box::pin(tokio_stream::wrappers::ReceiverStream::new(events)))
    }
}

impl access::ProviderWebhooks for Fake {
    async fn receive_bland_webhook(
        &self,
        call: Call<provider_webhooks::ReceiveBlandWebhook>,
    ) -> Result<Detail, Problem> {
        self.0.hear(&call);
        Ok(Detail { detail: "thanks".to_owned() })
    }
}

/// A problem that has everything a problem can have.
pub fn full(code: ErrorCode) -> Problem {
    Problem {
        fields: vec![FieldError { field: "contacts[3].name".to_owned(), message: "is required".to_owned() }],
        permission: Some("view_contacts".to_owned()),
        retry_after: Some(Duration::from_secs(7)),
        ..Problem::new(code, "for a reason")
    }
}
