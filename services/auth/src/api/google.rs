//! Signing in with Google.

use super::State;
use super::signing_in::{CODE_REQUIRED, LastSteps, Method, totp_required};
use crate::Error;
use crate::domain::id_token::Identity;
use crate::domain::ids::SessionId;
use crate::domain::opaque_token::{self, Kind};
use crate::domain::throttle::Counter;
use crate::domain::totp::Proof;
use crate::google::{Failure, Google};
use crate::store::attempts;
use crate::store::entry::{Refused, Standing, Visitor};
use crate::store::google_flow::{self, NewFlow, Shown};
use crate::store::mail::{self, MailKind, NewMail};
use crate::store::user::UserRow;
use access::{Call, Origin};
use audit::{Action, Actor, Entry, Subject};
use callfairy_core::{ErrorCode, Problem, Timestamp, UserId};
use db::Db;
use proto::Rpc;
use proto::auth::{FinishGoogleSignInRequest, GoogleSignInStarted, Role, Tokens};
use proto::rpc::google_sign_in::{FinishGoogleSignIn, SignInWithGoogle, StartGoogleSignIn};
use std::collections::BTreeMap;

/// How often it is tried again when an account changes in the same moment.
const ATTEMPTS: usize = 3;

pub struct GoogleSignIn {
    state: State,
    /// Absent: nobody signs in with it here.
    google: Option<Google>,
}

/// Where a request comes from.
struct Sender {
    origin: Origin,
    trace: BTreeMap<String, String>,
}

impl Sender {
    fn of<R: Rpc>(call: &Call<R>) -> Self {
        Self { origin: call.origin().clone(), trace: call.trace().clone() }
    }
}

/// Somebody is not let in: what they are told, and what is recorded.
struct Rejection {
    problem: Problem,
    /// Absent: it is no refusal, or is recorded already.
    reason: Option<&'static str>,
    user: Option<UserId>,
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Self {
        Self { problem, reason: None, user: None }
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        Self { reason: Some(failure.word()), user: None, problem: failure.into() }
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        Self { reason: Some(refused.word()), user: refused.user(), problem: refused.into() }
    }
}

impl GoogleSignIn {
    pub fn new(state: State, google: Option<Google>) -> Self {
        Self { state, google }
    }

    fn google(&self) -> Result<&Google, Problem> {
        let why = "nobody signs in with Google here: no client of Google's is set up";
        self.google.as_ref().ok_or_else(|| Problem::new(ErrorCode::NotFound, why))
    }

    /// Counts the attempt for its network, as that of a password is, unless it tells who it is. So those that are refused,
    /// each of which is recorded, are not without number.
    async fn counted(
        &self,
        sender: &Sender,
        attempt: impl Future<Output = Result<Identity, Rejection>>,
    ) -> Result<Identity, Rejection> {
        let (state, network) = (&self.state, sender.origin.address().map(Counter::of_network));
        state.count_attempt(network.iter().cloned().collect(), state.clock.now()).await?;
        let identity = attempt.await;
        let is_guess =
            |rejection: &Rejection| matches!(rejection.problem.code, ErrorCode::InvalidCredentials | ErrorCode::Gone);
        if let (Some(counter), false) = (network, identity.as_ref().is_err_and(is_guess)) {
            let take_back = move |db: &mut Db| Ok::<_, Error>(attempts::take_back(db, &counter)?);
            state.pool.write(take_back).await?;
        }
        identity
    }

    /// Records why somebody is not let in.
    async fn told(&self, sender: &Sender, outcome: Result<Tokens, Rejection>) -> Result<Tokens, Problem> {
        match outcome {
            Ok(tokens) => Ok(tokens),
            Err(Rejection { problem, reason, user }) => {
                if let Some(reason) = reason {
                    self.state.record(Method::Google.refusal(&sender.origin, user, reason)).await?;
                }
                Err(problem)
            }
        }
    }

    /// Whom Google named, let in.
    async fn enter(&self, identity: Identity, proof: Option<Proof>, sender: &Sender) -> Result<Tokens, Rejection> {
        let (state, now) = (&self.state, self.state.clock.now());
        let visitor = Visitor::new(self.google()?.issuer(), identity)?;
        for _ in 0..ATTEMPTS {
            let looks = visitor.clone();
            let standing = state.pool.read(move |db| looks.standing(db)).await??;
            // Asked before a code is used up: an outage of tenancy must not cost one.
            let role = match standing.user() {
                Some(user) if user.has_totp() && proof.is_none() => {
                    let (reason, user) = (Some(CODE_REQUIRED), Some(user.id.0));
                    return Err(Rejection { problem: totp_required(), reason, user });
                }
                Some(user) => state.make_known(user).await?,
                None => Role::User,
            };
            let refresh = opaque_token::generate(Kind::Refresh)?;
            let entering = Entering {
                visitor: visitor.clone(),
                seen: standing.user().map(|user| user.id.0),
                trace: sender.trace.clone(),
                steps: LastSteps {
                    method: Method::Google,
                    proof: proof.clone(),
                    first: opaque_token::hash(refresh.expose()),
                    origin: sender.origin.clone(),
                    vault: state.vault.clone(),
                    now,
                },
            };
            match state.pool.write(move |db| entering.run(db)).await?? {
                Entered::In { user, session, is_new } => {
                    tracing::info!(user = %user.id, %session, "signed in with Google");
                    if is_new {
                        state.tell(user.id.0).await;
                    }
                    return Ok(state.tokens(*user, role, session, &refresh, now).await?);
                }
                Entered::Changed => {}
            }
        }
        Err(Problem::conflict("the account was changed at the same time: try again").into())
    }

    /// The first time that the browser comes back: with what Google gives for an ID token.
    async fn redeem(&self, shown: &Shown, request: FinishGoogleSignInRequest) -> Result<Identity, Rejection> {
        let (google, now, shown, vault) = (self.google()?, self.state.clock.now(), *shown, self.state.vault.clone());
        let kept = self.state.pool.write(move |db| google_flow::use_up(db, &vault, &shown, now)).await?;
        let kept = kept.ok_or_else(over)?;
        let code = request.code.filter(|_| request.error.is_none()).ok_or(Failure::Denied)?;
        let id_token = google.redeem(&code, &kept.verifier).await?;
        Ok(google.verify(id_token.expose(), Some(kept.nonce)).await?)
    }

    /// Who it was, when it comes once more with a code of the authenticator app.
    async fn waiting(&self, shown: &Shown) -> Result<Identity, Rejection> {
        let (now, shown) = (self.state.clock.now(), *shown);
        let waiting = move |db: &mut Db| Ok::<_, Error>(google_flow::waiting(db, &shown, now)?);
        self.state.pool.read(waiting).await?.ok_or_else(over)
    }
}

impl access::GoogleSignIn for GoogleSignIn {
    async fn sign_in_with_google(&self, call: Call<SignInWithGoogle>) -> Result<Tokens, Problem> {
        let (google, sender) = (self.google()?, Sender::of(&call));
        let request = call.request;
        let proof = Proof::read(request.totp_code, request.recovery_code)?;
        let nonce = request.nonce.as_deref().map(opaque_token::hash);
        let attempt = async {
            let verify = async { Ok(google.verify(&request.id_token, nonce).await?) };
            let identity = self.counted(&sender, verify).await?;
            self.enter(identity, proof, &sender).await
        };
        let outcome = attempt.await;
        self.told(&sender, outcome).await
    }

    async fn start_google_sign_in(&self, _: Call<StartGoogleSignIn>) -> Result<GoogleSignInStarted, Problem> {
        let (google, now, vault) = (self.google()?, self.state.clock.now(), self.state.vault.clone());
        let flow = NewFlow {
            state: opaque_token::generate(Kind::State)?,
            browser: opaque_token::generate(Kind::Browser)?,
            nonce: opaque_token::generate(Kind::Nonce)?,
            verifier: opaque_token::generate(Kind::Verifier)?,
        };
        let location = google.authorization_url(&flow).expose().to_owned();
        let cookie = flow.browser.expose().to_owned();
        self.state.pool.write(move |db| google_flow::begin(db, &vault, &flow, now)).await?;
        Ok(GoogleSignInStarted { location, cookie })
    }

    async fn finish_google_sign_in(&self, call: Call<FinishGoogleSignIn>) -> Result<Tokens, Problem> {
        let (google, sender) = (self.google()?, Sender::of(&call));
        let mut request = call.request;
        let proof = Proof::read(request.totp_code.take(), request.recovery_code.take())?;
        if request.iss.as_ref().is_some_and(|issuer| issuer != google.issuer()) {
            return Err(Problem::field("iss", "is not whom the browser was sent to"));
        }
        let outcome = self.finish(request, proof, &sender).await;
        self.told(&sender, outcome).await
    }
}

impl GoogleSignIn {
    async fn finish(
        &self,
        mut request: FinishGoogleSignInRequest,
        proof: Option<Proof>,
        sender: &Sender,
    ) -> Result<Tokens, Rejection> {
        let comes_again = request.code.is_none() && request.error.is_none();
        if comes_again && proof.is_none() {
            return Err(Problem::field("code", "is required").into());
        }
        let browser = request.cookie.take().and_then(|cookie| opaque_token::read(Kind::Browser, &cookie));
        let shown = opaque_token::read(Kind::State, &request.state).zip(browser);
        let shown = shown.map(|(state, browser)| Shown { state, browser });
        let attempt = async {
            let shown = shown.as_ref().ok_or_else(over)?;
            if comes_again { self.waiting(shown).await } else { self.redeem(shown, request).await }
        };
        let (identity, shown) = (self.counted(sender, attempt).await?, shown.ok_or_else(over)?);
        let answer = self.enter(identity.clone(), proof, sender).await;
        let is_waiting = answer.as_ref().is_err_and(|rejection| rejection.problem.code == ErrorCode::TotpRequired);
        let settle = move |db: &mut Db| -> Result<(), Error> {
            if is_waiting {
                google_flow::wait_for_code(db, &shown, &identity)?;
            } else {
                google_flow::end(db, &shown)?;
            }
            Ok(())
        };
        // A wrong code may be followed by a right one.
        if is_waiting || answer.is_ok() {
            self.state.pool.write(settle).await?;
        }
        answer
    }
}

/// Somebody whom Google named, about to be let in.
struct Entering {
    visitor: Visitor,
    /// The account for which tenancy was asked.
    seen: Option<UserId>,
    trace: BTreeMap<String, String>,
    steps: LastSteps,
}

enum Entered {
    In {
        user: Box<UserRow>,
        session: SessionId,
        is_new: bool,
    },
    /// It is another account by now.
    Changed,
}

impl Entering {
    fn run(&self, db: &mut Db) -> Result<Result<Entered, Rejection>, Error> {
        let now = self.steps.now;
        let standing = match self.visitor.lasting_standing(db)? {
            Ok(standing) => standing,
            Err(refused) => return Ok(Err(refused.into())),
        };
        if standing.user().map(|user| user.id.0) != self.seen {
            return Ok(Ok(Entered::Changed));
        }
        if let Some(user) = standing.user()
            && let Err(refusal) = self.steps.second_factor(db, user)?
        {
            return Ok(Err(refusal.into()));
        }
        if let Standing::Joining(user) = &standing {
            self.mail(db, user, now)?;
        }
        let account = match &standing {
            Standing::Known(_) => None,
            Standing::Joining(_) => Some("confirmed"),
            Standing::TakingOver(_) => Some("taken_over"),
            Standing::New => Some("new"),
        };
        let Some(user) = self.visitor.admit(db, standing, now)? else { return Ok(Ok(Entered::Changed)) };
        if let Some(account) = account {
            let entry = Entry::new(Actor::User(user.id.0), Action::IdentityLinked).about(Subject::User, user.id.0);
            let entry = entry.from_address(self.steps.origin.address()).with("account", account);
            audit::record(db, &entry, now)?;
        }
        let session = self.steps.session(db, &user)?;
        Ok(Ok(Entered::In { user: Box::new(user), session, is_new: account.is_some() }))
    }

    /// To the owner, who may not be who it was.
    fn mail(&self, db: &mut Db, user: &UserRow, now: Timestamp) -> Result<(), Error> {
        let mail = NewMail { recipient: &user.email, kind: MailKind::GoogleJoined, token: None, trace: &self.trace };
        mail::add(db, &self.steps.vault, &mail, now)?;
        Ok(())
    }
}

/// Unknown, used before, too old, of another browser: never told apart.
fn over() -> Rejection {
    let why = "this sign-in was used before, is too old, or began in another browser: start again";
    Rejection { problem: Problem::new(ErrorCode::Gone, why), reason: Some("not_begun_here"), user: None }
}
