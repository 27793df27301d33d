//! Invitations that wait for an account.

use super::MemberInvitations;
use crate::Result;
use crate::store::invitations::{self as store, InvitationId, InvitationRow};
use access::Call;
use audit::{Action, Entry, Subject};
use callfairy_core::{Page, Problem};
use db::Db;
use proto::rpc::member_invitations as rpc;
use proto::tenancy::{Invitation, ListInvitationsResponse};
use proto::types::Empty;

impl access::MemberInvitations for MemberInvitations {
    async fn list_invitations(&self, call: Call<rpc::ListInvitations>) -> Result<ListInvitationsResponse, Problem> {
        let (scope, now) = (*call.scope(), self.0.clock.now());
        let page = Page::parse(call.request.page_size, &call.request.page_token)?;
        let list = move |db: &mut Db| -> Result<_> {
            let mut rows = store::page(db, &scope, &page, now)?;
            let next_page_token = page.cut(&mut rows, |row| row.id.0);
            Ok(ListInvitationsResponse { invitations: rows.into_iter().map(message).collect(), next_page_token })
        };
        Ok(self.0.of(&scope).read(list).await?)
    }

    async fn withdraw_invitation(&self, call: Call<rpc::WithdrawInvitation>) -> Result<Empty, Problem> {
        let (scope, now) = (*call.scope(), self.0.clock.now());
        let id: InvitationId = super::id("id", &call.request.id)?;
        let entry = Entry::of(&call, Action::InvitationWithdrawn).about(Subject::Invitation, id);
        let entry = entry.within(scope.organisation_id());
        let withdraw = move |db: &mut Db| -> Result<_> {
            let withdrawn = store::withdraw(db, &scope, id, now)?;
            if withdrawn {
                audit::record(db, &entry, now)?;
            }
            Ok(withdrawn)
        };
        let withdrawn = self.0.of(&scope).write(withdraw).await?;
        if withdrawn { Ok(Empty {}) } else { Err(Problem::not_found()) }
    }
}

fn message(row: InvitationRow) -> Invitation {
    Invitation {
        id: row.id.to_string(),
        email: row.email,
        name: row.name,
        invited_by: row.invited_by.to_string(),
        created_at: Some(row.created_at.0.into()),
        expires_at: Some(row.expires_at.0.into()),
    }
}
