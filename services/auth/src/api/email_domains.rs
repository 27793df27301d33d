//! The domains whose addresses may make accounts.

use super::State;
use crate::Error;
use crate::domain::email_domain::EmailDomain;
use crate::store::email_domain::{self, AllowedRow, Key};
use access::Call;
use audit::{Action, Entry};
use callfairy_core::{Page, Problem};
use db::Db;
use proto::auth::{AllowedEmailDomain, ListAllowedEmailDomainsResponse};
use proto::rpc::allowed_email_domains::{AllowEmailDomain, DisallowEmailDomain, ListAllowedEmailDomains};
use proto::types::Empty;

pub struct AllowedEmailDomains(State);

impl AllowedEmailDomains {
    pub fn new(state: State) -> Self {
        Self(state)
    }
}

impl access::AllowedEmailDomains for AllowedEmailDomains {
    async fn list_allowed_email_domains(
        &self,
        call: Call<ListAllowedEmailDomains>,
    ) -> Result<ListAllowedEmailDomainsResponse, Problem> {
        let page = Page::<Key>::parse(call.request.page_size, &call.request.page_token)?;
        let asked = page.clone();
        let rows = self.0.pool.read(move |db| Ok::<_, Error>(email_domain::list(db, &asked)?)).await;
        let mut rows = rows?;
        let next_page_token = page.cut(&mut rows, |row| row.domain.clone());
        let allowed_email_domains = rows.into_iter().map(message).collect();
        Ok(ListAllowedEmailDomainsResponse { allowed_email_domains, next_page_token })
    }

    async fn allow_email_domain(&self, call: Call<AllowEmailDomain>) -> Result<AllowedEmailDomain, Problem> {
        let (domain, by, now) = (EmailDomain::parse(&call.request.domain)?, call.user()?.id, self.0.clock.now());
        let entry = Entry::of(&call, Action::EmailDomainAllowed);
        let allow = move |db: &mut Db| {
            let (row, is_new) = email_domain::allow(db, &domain, by, now)?;
            if is_new {
                audit::record(db, &entry, now)?;
            }
            Ok::<_, Error>((row, is_new))
        };
        let (row, is_new) = self.0.pool.write(allow).await?;
        if is_new {
            tracing::info!(domain = row.domain, %by, "domain of e-mail addresses allowed");
        }
        Ok(message(row))
    }

    async fn disallow_email_domain(&self, call: Call<DisallowEmailDomain>) -> Result<Empty, Problem> {
        let (domain, by, now) = (EmailDomain::parse(&call.request.domain)?, call.user()?.id, self.0.clock.now());
        let (name, entry) = (domain.clone(), Entry::of(&call, Action::EmailDomainRemoved));
        let disallow = move |db: &mut Db| {
            if !email_domain::disallow(db, &domain)? {
                return Err(Error::Problem(Problem::not_found()));
            }
            Ok(audit::record(db, &entry, now)?)
        };
        self.0.pool.write(disallow).await?;
        tracing::info!(domain = name.as_str(), %by, "domain of e-mail addresses no longer allowed");
        Ok(Empty {})
    }
}

fn message(row: AllowedRow) -> AllowedEmailDomain {
    AllowedEmailDomain {
        domain: row.domain,
        created_at: Some(row.created_at.0.into()),
        created_by: row.created_by.0.to_string(),
    }
}
