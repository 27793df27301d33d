//! Mail that tenancy asks for.

use super::State;
use crate::Error;
use crate::domain::email::Email;
use crate::domain::ids::MailId;
use crate::store::mail::{self, MailKind, Membership};
use access::Call;
use callfairy_core::Problem;
use db::Db;
use proto::auth::MembershipNews;
use proto::rpc::membership_mail::SendMembershipMail;
use proto::types::Empty;

pub struct MembershipMail(State);

impl MembershipMail {
    pub fn new(state: State) -> Self {
        Self(state)
    }
}

impl access::MembershipMail for MembershipMail {
    async fn send_membership_mail(&self, call: Call<SendMembershipMail>) -> Result<Empty, Problem> {
        let (state, now, trace) = (&self.0, self.0.clock.now(), call.trace().clone());
        let kind = match call.request.news() {
            MembershipNews::Invited => MailKind::MembershipInvited,
            MembershipNews::Added => MailKind::MembershipAdded,
            MembershipNews::Unspecified => return Err(Problem::field("news", "is required")),
        };
        let request = call.request;
        let id: MailId = request.id.parse().map_err(|_| Problem::field("id", "is not a UUID"))?;
        let recipient = Email::parse(&request.email)?.given;
        let expires_at = request.expires_at.ok_or_else(|| Problem::field("expires_at", "is required"))?;
        let expires_at = expires_at.instant("expires_at")?;
        // Mails are remembered for as long as an invitation waits: so one that was mailed is known until it is too late.
        if expires_at <= now {
            return Ok(Empty {});
        }
        let (name, organisation, invited_by) = (request.name, request.organisation_name, request.invited_by_name);
        let membership = Membership { name, organisation, invited_by, expires_at };
        let add = move |db: &mut Db| {
            let mail =
                mail::MembershipMail { id, recipient: &recipient, kind, membership: membership.clone(), trace: &trace };
            Ok::<_, Error>(mail::add_membership(db, mail, now)?)
        };
        state.pool.write(add).await?;
        Ok(Empty {})
    }
}
