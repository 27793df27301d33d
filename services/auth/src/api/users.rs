//! Reading and changing accounts: one's own, and as a superadmin those of others.

use super::{State, message, no_account};
use crate::Error;
use crate::domain::text::line;
use crate::store::single_use_token::{self, Purpose};
use crate::store::user::{self, Changes, Filter, UserRow};
use crate::store::{one_at_a_time, session};
use access::{Call, Origin};
use audit::{Action, Actor, Entry, Subject};
use callfairy_core::{Page, Problem, UserId};
use db::Db;
use proto::auth::{ListUsersResponse, LookUpUsersResponse, Role, UpdateMeRequest, User};
use proto::rpc::users::{DeactivateUser, GetMe, GetUser, ListUsers, LookUpUsers, UpdateMe, UpdateUser};
use proto::types::Empty;

pub struct Users(State);

impl Users {
    pub fn new(state: State) -> Self {
        Self(state)
    }

    async fn find(&self, id: UserId) -> Result<Option<UserRow>, Problem> {
        Ok(self.0.pool.read(move |db| Ok::<_, Error>(user::find(db, id)?)).await?)
    }

    async fn administer(&self, id: UserId, changes: Changes, by: UserId, origin: Origin) -> Result<UserRow, Problem> {
        let (state, now) = (&self.0, self.0.clock.now());
        let change = move |db: &mut Db| -> Result<UserRow, Error> {
            // Two superadmins who remove each other: one of them is the last.
            one_at_a_time(db, "superadmins")?;
            let before = user::lock(db, id)?.ok_or_else(Problem::not_found)?;
            let user = user::change(db, id, &changes, now)?.ok_or_else(Problem::not_found)?;
            if !user::has_active_superadmin(db)? {
                return Err(Problem::conflict("this is the last superadmin: make another one first").into());
            }
            if !user.is_active {
                session::end_all(db, id, None, now)?;
                single_use_token::void(db, id, Purpose::PasswordReset, now)?;
                single_use_token::void(db, id, Purpose::Invitation, now)?;
            }
            for action in changed(&before, &user) {
                let entry = Entry::new(Actor::User(by), action).from_address(origin.address());
                audit::record(db, &entry.about(Subject::User, id), now)?;
            }
            Ok(user)
        };
        let user = state.pool.write(change).await?;
        tracing::info!(user = %id, %by, is_active = user.is_active, is_superadmin = user.is_superadmin, "account changed");
        state.tell(id).await;
        Ok(user)
    }

    async fn answer(&self, row: UserRow) -> Result<User, Problem> {
        let role = self.0.tenancy.role(&row).await?;
        Ok(message(row, role))
    }
}

impl access::Users for Users {
    async fn get_me(&self, call: Call<GetMe>) -> Result<User, Problem> {
        let me = self.0.account(call.user()?).await?;
        self.answer(me).await
    }

    async fn update_me(&self, call: Call<UpdateMe>) -> Result<User, Problem> {
        let (state, id, now) = (&self.0, call.user()?.id, self.0.clock.now());
        let entry = Entry::of(&call, Action::UserChanged);
        let changes = changes(call.request)?;
        let entry = entry.about(Subject::User, id);
        let change = move |db: &mut Db| -> Result<UserRow, Error> {
            let before = user::lock(db, id)?.ok_or_else(no_account)?;
            let me = user::change(db, id, &changes, now)?.ok_or_else(no_account)?;
            if !changed(&before, &me).is_empty() {
                audit::record(db, &entry, now)?;
            }
            Ok(me)
        };
        let me = state.pool.write(change).await?;
        state.tell(id).await;
        self.answer(me).await
    }

    async fn list_users(&self, call: Call<ListUsers>) -> Result<ListUsersResponse, Problem> {
        let request = call.request;
        let page = Page::<user::Key>::parse(request.page_size, &request.page_token)?;
        let filter = Filter { search: request.search, is_active: request.is_active };
        let asked = page.clone();
        let rows = self.0.pool.read(move |db| Ok::<_, Error>(user::list(db, &filter, &asked)?)).await;
        let mut rows = rows?;
        let next_page_token = page.cut(&mut rows, |row| (row.created_at.0, row.id.0));
        let roles = self.0.tenancy.roles(&rows).await?;
        let answer = |row: UserRow| {
            let role = roles.of(&row);
            message(row, role)
        };
        Ok(ListUsersResponse { users: rows.into_iter().map(answer).collect(), next_page_token })
    }

    async fn update_user(&self, call: Call<UpdateUser>) -> Result<User, Problem> {
        let (request, by, origin) = (call.request.clone(), call.user()?.id, call.origin().clone());
        let id = request.id.parse().map_err(|_| Problem::not_found())?;
        let profile = UpdateMeRequest {
            name: request.name,
            company: request.company,
            job_title: request.job_title,
            phone: request.phone,
        };
        let (is_active, is_superadmin) = (request.is_active, request.is_superadmin);
        let changes = Changes { is_active, is_superadmin, ..changes(profile)? };
        let user = self.administer(id, changes, by, origin).await?;
        self.answer(user).await
    }

    async fn deactivate_user(&self, call: Call<DeactivateUser>) -> Result<Empty, Problem> {
        let (id, by) = (call.request.id.parse().map_err(|_| Problem::not_found())?, call.user()?.id);
        let changes = Changes { is_active: Some(false), ..Changes::default() };
        self.administer(id, changes, by, call.origin().clone()).await?;
        Ok(Empty {})
    }

    async fn get_user(&self, call: Call<GetUser>) -> Result<User, Problem> {
        let id = call.request.id.parse().map_err(|_| Problem::not_found())?;
        self.answer(self.find(id).await?.ok_or_else(Problem::not_found)?).await
    }

    /// Of roles it tells only who is a superadmin: tenancy, which knows the others, is among those that ask.
    async fn look_up_users(&self, call: Call<LookUpUsers>) -> Result<LookUpUsersResponse, Problem> {
        let ids: Vec<UserId> = call.request.ids.iter().filter_map(|id| id.parse().ok()).collect();
        let rows = self.0.pool.read(move |db| Ok::<_, Error>(user::find_all(db, &ids)?)).await?;
        let answer = |row: UserRow| {
            let role = if row.is_superadmin { Role::Superadmin } else { Role::Unspecified };
            message(row, role)
        };
        Ok(LookUpUsersResponse { users: rows.into_iter().map(answer).collect() })
    }
}

/// What was done to an account, as the audit log names it.
fn changed(before: &UserRow, after: &UserRow) -> Vec<Action> {
    let same_profile = before.name == after.name
        && before.company == after.company
        && before.job_title == after.job_title
        && before.phone == after.phone;
    let active = if after.is_active { Action::UserActivated } else { Action::UserDeactivated };
    let superadmin = if after.is_superadmin { Action::SuperadminMade } else { Action::SuperadminEnded };
    let all = [
        (!same_profile, Action::UserChanged),
        (before.is_active != after.is_active, active),
        (before.is_superadmin != after.is_superadmin, superadmin),
    ];
    all.into_iter().filter_map(|(is_new, action)| is_new.then_some(action)).collect()
}

fn changes(request: UpdateMeRequest) -> Result<Changes, Problem> {
    let text = |field, text: Option<String>| text.map(|text| line(field, &text)).transpose();
    let name = text("name", request.name)?;
    if name.as_deref() == Some("") {
        return Err(Problem::field("name", "is required"));
    }
    Ok(Changes {
        name,
        company: text("company", request.company)?,
        job_title: text("job_title", request.job_title)?,
        phone: text("phone", request.phone)?,
        ..Changes::default()
    })
}
