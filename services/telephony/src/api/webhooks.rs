//! What voice providers tell us. It is applied in the transaction that takes it into the inbox: one commit, and the
//! provider may stop repeating it.

use crate::error::Result;
use crate::pipeline::{report, send};
use crate::state::State;
use crate::store::call_events::Cause;
use crate::store::transitions::{Happening, note};
use crate::store::webhook_inbox;
use access::Call;
use callfairy_core::{OrganisationId, Problem};
use db::Db;
use proto::rpc::provider_webhooks as rpc;
use proto::types::Detail;
use sha2::{Digest, Sha256};
use std::time::Duration;
use voice::{CallDetail, LiveEvent, WebhookEvent};

#[derive(Debug)]
pub struct ProviderWebhooks(pub State);

impl access::ProviderWebhooks for ProviderWebhooks {
    async fn receive_bland_webhook(
        &self,
        call: Call<rpc::ReceiveBlandWebhook>,
    ) -> std::result::Result<Detail, Problem> {
        let request = call.request;
        let organisation = self.0.calls.webhook_tokens.read(&request.token).ok_or_else(Problem::not_found)?;
        if let Some(secret) = &self.0.calls.webhook_secret
            && !voice::bland::verify_webhook(secret, &request.headers, &request.body)
        {
            tracing::warn!(%organisation, "a webhook with a wrong signature was refused");
            return Err(Problem::unauthenticated("the signature is not valid"));
        }
        let event = voice::bland::parse_webhook(&request.body);
        let event = event.map_err(|error| Problem::field("body", error.to_string()))?;
        // With the organisation: what one sends cannot stand in the way of another's.
        let key = Sha256::new().chain_update(organisation.as_bytes()).chain_update(&request.body);
        let key: [u8; 32] = key.finalize().into();
        let poll = self.0.calls.poll;
        let write = move |db: &mut Db| take(db, organisation, &key, &event, poll);
        self.0.pool.of(organisation).write(write).await?;
        Ok(Detail { detail: "received".into() })
    }
}

fn take(db: &mut Db, organisation: OrganisationId, key: &[u8; 32], event: &WebhookEvent, poll: Duration) -> Result<()> {
    let now = db.now()?;
    if !webhook_inbox::take(db, organisation, key, now)? {
        return Ok(()); // seen before
    }
    match event {
        WebhookEvent::PostCall(detail) => post_call(db, organisation, detail, poll),
        WebhookEvent::Live(live) => live_event(db, organisation, live),
    }
}

fn post_call(db: &mut Db, organisation: OrganisationId, detail: &CallDetail, poll: Duration) -> Result<()> {
    let now = db.now()?;
    let Some(found) = report::attempt_of(db, detail.attempt_id, &detail.provider_call_id)? else {
        tracing::warn!(%organisation, provider_call = %detail.provider_call_id, "a webhook for a call that is not ours");
        return Ok(());
    };
    let Some((mut call, attempt)) = send::lock(db, found.id.0)? else { return Ok(()) };
    // The token says whose provider spoke; it speaks of nobody else's calls.
    if call.organisation_id.0 != organisation {
        tracing::warn!(%organisation, call = %call.id, "a webhook for another organisation's call");
        return Ok(());
    }
    report::apply(db, &mut call, attempt, &detail.clone().into(), poll, &Happening::new(Cause::ProviderEvent), now)
}

fn live_event(db: &mut Db, organisation: OrganisationId, live: &LiveEvent) -> Result<()> {
    let now = db.now()?;
    let Some(found) = report::attempt_of(db, None, &live.provider_call_id)? else { return Ok(()) };
    let Some((call, attempt)) = send::lock(db, found.id.0)? else { return Ok(()) };
    if call.organisation_id.0 != organisation {
        return Ok(());
    }
    let message: String = live.message.replace('\0', "").chars().take(1_000).collect();
    note(db, &call, Happening::new(Cause::ProviderEvent).detail(message).attempt(attempt.number), now)
}
