//! What happens, as it happens.

use crate::api::{calls as call_api, campaigns as campaign_api, imports as import_api};
use crate::error::Result;
use crate::state::State;
use crate::store::stream::{self, Position, StreamEvent, Subject};
use crate::store::{calls, campaigns, imports};
use access::{Call, OrgScope, Replies};
use async_stream::try_stream;
use callfairy_core::Problem;
use db::Db;
use proto::Permission;
use proto::rpc::events as rpc;
use proto::telephony as api;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a stream looks for news.
const LOOK: Duration = Duration::from_millis(500);
/// Events that one look brings.
const BATCH: i64 = 200;
/// Streams that one organisation may have open.
const MAX_STREAMS: usize = 20;

#[derive(Debug)]
pub struct Events {
    state: State,
    open: Arc<Mutex<HashMap<callfairy_core::OrganisationId, usize>>>,
}

impl Events {
    pub fn new(state: State) -> Self {
        Self { state, open: Arc::default() }
    }

    fn open(&self, scope: &OrgScope) -> std::result::Result<Open, Problem> {
        let organisation = scope.organisation_id();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(organisation).or_default();
        if *count >= MAX_STREAMS {
            let code = callfairy_core::ErrorCode::TooManyRequests;
            return Err(Problem {
                retry_after: Some(Duration::from_secs(5)),
                ..Problem::new(code, format!("the organisation has {MAX_STREAMS} streams open"))
            });
        }
        *count += 1;
        Ok(Open { open: self.open.clone(), organisation })
    }
}

/// One open stream; counted until it is dropped.
struct Open {
    open: Arc<Mutex<HashMap<callfairy_core::OrganisationId, usize>>>,
    organisation: callfairy_core::OrganisationId,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.organisation) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.organisation);
            }
        }
    }
}

impl access::Events for Events {
    async fn stream_events(&self, call: Call<rpc::StreamEvents>) -> std::result::Result<Replies<api::Event>, Problem> {
        let (state, scope) = (self.state.clone(), *call.scope());
        let counted = self.open(&scope)?;
        let with_transcripts = call.can(Permission::ViewCallRecordings);
        let resumed = Position::parse(&call.request.last_event_id);
        let mut position = match resumed {
            Some(position) => position,
            None => state.of(&scope).read(|db| -> Result<_> { Ok(stream::end(db)?) }).await?,
        };
        Ok(Box::pin(try_stream! {
            let _counted = counted;
            loop {
                let read = move |db: &mut Db| news(db, &scope, position, with_transcripts);
                let events = state.of(&scope).read(read).await?;
                let more = events.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
                for (at, event) in events {
                    position = at;
                    if let Some(event) = event {
                        yield event;
                    }
                }
                if !more {
                    tokio::time::sleep(LOOK).await;
                }
            }
        }))
    }
}

type News = Vec<(Position, Option<api::Event>)>;

/// What changed after `position`, as it is now. A thing that is gone by now is no news.
fn news(db: &mut Db, scope: &OrgScope, position: Position, with_transcripts: bool) -> Result<News> {
    let mut news = vec![];
    for event in stream::after(db, scope, position, BATCH)? {
        let shown = show(db, scope, &event, with_transcripts)?;
        news.push((event.position, shown));
    }
    Ok(news)
}

fn show(db: &mut Db, scope: &OrgScope, event: &StreamEvent, with_transcripts: bool) -> Result<Option<api::Event>> {
    let shown = api::Event { id: event.position.to_string(), at: Some(event.at.into()), ..api::Event::default() };
    Ok(match event.subject {
        Subject::Call(id) => calls::find(db, scope, id)?.map(|row| api::Event {
            r#type: "call".into(),
            call: Some(call_api::to_api(row, with_transcripts)),
            ..shown
        }),
        Subject::Campaign(id) => campaigns::find(db, scope, id)?.map(|row| api::Event {
            r#type: "campaign".into(),
            campaign: Some(campaign_api::to_api(&row)),
            ..shown
        }),
        Subject::Import(id) => imports::find(db, scope, id)?.map(|row| api::Event {
            r#type: "import".into(),
            import: Some(import_api::to_api(row)),
            ..shown
        }),
    })
}
