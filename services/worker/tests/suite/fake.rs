//! A telephony in memory: it decides as the real one does, and fails where a test says so.

use access::Call;
use callfairy_core::{ErrorCode, Problem};
use proto::jobs::{
    CallOrder, ClaimCallResponse, GetLookupResponse, GetRecordingJobResponse, Lookup, ReportLookupRequest,
    ReportRecordingRequest, ReportSendRequest, SendResult,
};
use proto::rpc::call_jobs as rpc;
use proto::types::Empty;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Answers of one kind at one time.
pub const ANSWERS: u32 = 1_000;

#[derive(Clone)]
pub struct Fake {
    inner: Arc<Mutex<Inner>>,
    /// Claims are made while there is a permit.
    pub claims: Arc<Semaphore>,
    /// Leave to send is told while there is a permit.
    pub leaves: Arc<Semaphore>,
}

#[derive(Default)]
struct Inner {
    calls: HashMap<Uuid, FakeCall>,
    lookups: HashMap<Uuid, Lookup>,
    recordings: HashMap<Uuid, GetRecordingJobResponse>,
    seen: Vec<Seen>,
    troubles: HashMap<Method, VecDeque<Trouble>>,
    traces: Vec<BTreeMap<String, String>>,
}

struct FakeCall {
    order: CallOrder,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Queued,
    Intent,
    Sent,
    Accepted,
    Refused,
    Unknown,
}

#[allow(clippy::large_enum_variant)] // there are few
/// What was asked or told, in order. Failed requests are not in it, unless they had their effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    Claim { worker: String, taken: bool },
    Begin { passed: bool },
    Release { given_back: bool },
    Sent(ReportSendRequest),
    AskedLookup,
    LookedUp(ReportLookupRequest),
    AskedRecording,
    Recorded(ReportRecordingRequest),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Claim,
    Begin,
    Release,
    ReportSend,
    GetLookup,
    GetRecording,
}

/// What happens to a request: before it has an effect, or to its answer.
#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    NotReached(ErrorCode),
    AnswerLost(ErrorCode),
}

impl Default for Fake {
    fn default() -> Self {
        let answers = || Arc::new(Semaphore::new(ANSWERS as usize));
        Self { inner: Arc::default(), claims: answers(), leaves: answers() }
    }
}

impl Fake {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// A queued call to the number; answers its id.
    pub fn queue_call(&self, to: &str) -> Uuid {
        self.queue_order(CallOrder { phone_number: to.into(), task: "Say hello".into(), ..CallOrder::default() })
    }

    pub fn queue_order(&self, order: CallOrder) -> Uuid {
        let call = Uuid::now_v7();
        let order = CallOrder {
            call_id: call.to_string(),
            attempt_id: Uuid::now_v7().to_string(),
            attempt: 1,
            epoch: 7,
            ..order
        };
        self.lock().calls.insert(call, FakeCall { order, state: State::Queued });
        call
    }

    pub fn order(&self, call: Uuid) -> CallOrder {
        self.lock().calls[&call].order.clone()
    }

    pub fn state(&self, call: Uuid) -> State {
        self.lock().calls[&call].state
    }

    pub fn set_lookup(&self, call: Uuid, lookup: Lookup) {
        self.lock().lookups.insert(call, lookup);
    }

    pub fn set_recording(&self, call: Uuid, url: &str, key: &str) {
        let job = GetRecordingJobResponse { recording_url: url.into(), key: key.into() };
        self.lock().recordings.insert(call, job);
    }

    /// The next requests to the method meet these, one each.
    pub fn trouble(&self, method: Method, troubles: &[Trouble]) {
        self.lock().troubles.entry(method).or_default().extend(troubles);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    pub fn traces(&self) -> Vec<BTreeMap<String, String>> {
        self.lock().traces.clone()
    }

    /// The reports of POSTs.
    pub fn reports(&self) -> Vec<ReportSendRequest> {
        self.seen()
            .into_iter()
            .filter_map(|seen| if let Seen::Sent(report) = seen { Some(report) } else { None })
            .collect()
    }

    /// Runs one request with whatever trouble is in its way.
    fn with<T>(&self, method: Method, work: impl FnOnce(&mut Inner) -> Result<T, Problem>) -> Result<T, Problem> {
        let mut inner = self.lock();
        let trouble = inner.troubles.get_mut(&method).and_then(VecDeque::pop_front);
        let failed = |code| Err(Problem::new(code, "as the test says"));
        match trouble {
            None => work(&mut inner),
            Some(Trouble::NotReached(code)) => failed(code),
            Some(Trouble::AnswerLost(code)) => {
                work(&mut inner).ok();
                failed(code)
            }
        }
    }
}

impl Inner {
    fn attempt(&mut self, attempt_id: &str, epoch: i64) -> Option<&mut FakeCall> {
        self.calls.values_mut().find(|call| call.order.attempt_id == attempt_id && call.order.epoch == epoch)
    }
}

impl access::CallJobs for Fake {
    async fn claim_call(&self, call: Call<rpc::ClaimCall>) -> Result<ClaimCallResponse, Problem> {
        self.lock().traces.push(call.trace().clone());
        let _permit = self.claims.acquire().await;
        let (id, worker) = (call.request.call_id.parse().unwrap(), call.request.worker);
        self.with(Method::Claim, |inner| {
            let found = inner.calls.get_mut(&id).filter(|call| call.state == State::Queued);
            let order = found.map(|call| {
                call.state = State::Intent;
                call.order.clone()
            });
            inner.seen.push(Seen::Claim { worker, taken: order.is_some() });
            Ok(ClaimCallResponse { order })
        })
    }

    async fn begin_send(&self, call: Call<rpc::BeginSend>) -> Result<Empty, Problem> {
        let request = call.request;
        let answer = self.with(Method::Begin, |inner| {
            let found = inner.attempt(&request.attempt_id, request.epoch).filter(|call| call.state == State::Intent);
            let passed = found.map(|call| call.state = State::Sent).is_some();
            inner.seen.push(Seen::Begin { passed });
            if passed { Ok(Empty {}) } else { Err(Problem::conflict("the claim is no longer yours")) }
        });
        let _permit = self.leaves.acquire().await;
        answer
    }

    async fn report_send(&self, call: Call<rpc::ReportSend>) -> Result<Empty, Problem> {
        let request = call.request;
        self.with(Method::ReportSend, |inner| {
            if let Some(call) =
                inner.attempt(&request.attempt_id, request.epoch).filter(|call| call.state == State::Sent)
            {
                call.state = match request.result() {
                    SendResult::Accepted => State::Accepted,
                    SendResult::Refused => State::Refused,
                    SendResult::Unknown | SendResult::Unspecified => State::Unknown,
                    SendResult::AccountBlocked | SendResult::SlowDown | SendResult::NotSent => State::Queued,
                };
            }
            inner.seen.push(Seen::Sent(request));
            Ok(Empty {})
        })
    }

    async fn release_call(&self, call: Call<rpc::ReleaseCall>) -> Result<Empty, Problem> {
        let request = call.request;
        self.with(Method::Release, |inner| {
            let found = inner.attempt(&request.attempt_id, request.epoch).filter(|call| call.state == State::Intent);
            let given_back = found.map(|call| call.state = State::Queued).is_some();
            inner.seen.push(Seen::Release { given_back });
            Ok(Empty {})
        })
    }

    async fn get_lookup(&self, call: Call<rpc::GetLookup>) -> Result<GetLookupResponse, Problem> {
        let id: Uuid = call.request.call_id.parse().unwrap();
        self.with(Method::GetLookup, |inner| {
            inner.seen.push(Seen::AskedLookup);
            Ok(GetLookupResponse { lookup: inner.lookups.get(&id).cloned() })
        })
    }

    async fn report_lookup(&self, call: Call<rpc::ReportLookup>) -> Result<Empty, Problem> {
        self.lock().seen.push(Seen::LookedUp(call.request));
        Ok(Empty {})
    }

    async fn get_recording_job(&self, call: Call<rpc::GetRecordingJob>) -> Result<GetRecordingJobResponse, Problem> {
        let id: Uuid = call.request.call_id.parse().unwrap();
        self.with(Method::GetRecording, |inner| {
            inner.seen.push(Seen::AskedRecording);
            Ok(inner.recordings.get(&id).cloned().unwrap_or_default())
        })
    }

    async fn report_recording(&self, call: Call<rpc::ReportRecording>) -> Result<Empty, Problem> {
        self.lock().seen.push(Seen::Recorded(call.request));
        Ok(Empty {})
    }
}
