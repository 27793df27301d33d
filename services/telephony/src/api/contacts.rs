//! The people an organisation calls.

use crate::api::Parsed as _;
use crate::domain::contact::{self, Details};
use crate::domain::phone::{self, Country, PhoneError};
use crate::error::{Error, Result};
use crate::state::State;
use crate::store::contacts::{self, ContactRow, Filter, Order};
use access::Call;
use callfairy_core::{FieldError, Id, Page, Problem};
use db::{diesel, idempotency};
use proto::rpc::contacts as rpc;
use proto::telephony as api;

#[derive(Debug)]
pub struct Contacts(pub State);

impl access::Contacts for Contacts {
    async fn list_contacts(
        &self,
        call: Call<rpc::ListContacts>,
    ) -> std::result::Result<api::ListContactsResponse, Problem> {
        let (scope, request) = (*call.scope(), call.request);
        let order = match request.order_by() {
            api::ContactOrder::Name => Order::Name(Page::parse(request.page_size, &request.page_token)?),
            api::ContactOrder::Unspecified | api::ContactOrder::CreatedAt => {
                Order::Newest(Page::parse(request.page_size, &request.page_token)?)
            }
        };
        let filter = Filter {
            search: Some(contact::search_for(&request.search)).filter(|text| !text.is_empty()),
            tag: Some(request.tag.trim().to_owned()).filter(|tag| !tag.is_empty()),
        };
        let read = {
            let order = order.clone();
            move |db: &mut db::Db| -> Result<_> { Ok(contacts::page(db, &scope, &filter, &order)?) }
        };
        let mut rows = self.0.of(&scope).read(read).await?;
        let next_page_token = match order {
            Order::Newest(page) => page.cut(&mut rows, |row| row.id.0),
            Order::Name(page) => page.cut(&mut rows, |row| (row.sort_name.clone(), row.id.0)),
        };
        Ok(api::ListContactsResponse { contacts: rows.into_iter().map(to_api).collect(), next_page_token })
    }

    async fn create_contact(&self, call: Call<rpc::CreateContact>) -> std::result::Result<api::Contact, Problem> {
        let (once, scope, now) = (call.once_key(), *call.scope(), self.0.now());
        let mut request = call.request;
        // What begins with + is of no country that one would have to know.
        if !request.phone_number.trim_start().starts_with('+') {
            request.default_country = self.0.default_country(&scope, request.default_country).await?;
        }
        let row = ContactRow::new(&scope, Id::new(), details(request)?, None, now);
        let create = move |db: &mut db::Db| {
            idempotency::answer(db, &once, now, |db| -> Result<_> {
                contacts::insert(db, &row).map_err(known_number)?;
                Ok(to_api(row.clone()))
            })
        };
        Ok(self.0.of(&scope).write(create).await?)
    }

    async fn get_contact(&self, call: Call<rpc::GetContact>) -> std::result::Result<api::Contact, Problem> {
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let row = self.0.of(&scope).read(move |db| -> Result<_> { Ok(contacts::find(db, &scope, id)?) }).await?;
        row.map(to_api).ok_or_else(Problem::not_found)
    }
}

fn details(request: api::CreateContactRequest) -> std::result::Result<Details, Problem> {
    let country = country(request.default_country.as_deref())?;
    let phone_number = phone::parse(&request.phone_number, country)
        .map_err(|error: PhoneError| Problem::field("phone_number", error.to_string()))?;
    Ok(Details {
        name: request.name.trim().to_owned(),
        phone_number,
        email: request.email.map(|email| email.trim().to_owned()).filter(|email| !email.is_empty()),
        tags: contact::tags(request.tags.iter().map(String::as_str)),
        metadata: request.metadata,
    })
}

/// The country of a request's field `default_country`.
pub fn country(code: Option<&str>) -> std::result::Result<Option<Country>, Problem> {
    let parse = |code: &str| Country::parse(code).map_err(|error| Problem::field("default_country", error.to_string()));
    code.filter(|code| !code.is_empty()).map(parse).transpose()
}

fn known_number(error: diesel::result::Error) -> Error {
    let error = db::Error::from(error);
    if error.is_unique_violation() != Some("contacts_organisation_id_phone_number_key") {
        return error.into();
    }
    let message = "belongs to another contact already";
    let field = FieldError { field: "phone_number".into(), message: message.into() };
    Error::Problem(Problem { fields: vec![field], ..Problem::conflict(format!("phone_number: {message}")) })
}

fn to_api(row: ContactRow) -> api::Contact {
    api::Contact {
        id: row.id.to_string(),
        name: row.name,
        phone_number: row.phone_number,
        email: row.email,
        tags: row.tags.0,
        metadata: row.metadata.0,
        import_id: row.import_id.map(|id| id.to_string()),
        created_at: Some(row.created_at.0.into()),
        updated_at: Some(row.updated_at.0.into()),
    }
}
