//! Codes of an authenticator app, and recovery codes.

use crate::world::{PASSWORD, World, code, login};
use callfairy_core::{Clock as _, ErrorCode, Problem};
use data_encoding::BASE32_NOPAD;
use futures_util::future::{join, join_all};
use hmac::{Hmac, KeyInit as _, Mac as _};
use proto::auth::{
    ConfirmTotpRequest, DisableTotpRequest, EnableTotpRequest, EnableTotpResponse, ForgotPasswordRequest, LoginRequest,
    ResetPasswordRequest, Tokens,
};
use proto::rpc::passwords::{ForgotPassword, ResetPassword};
use proto::rpc::sessions::Login;
use proto::rpc::totp::{ConfirmTotp, DisableTotp, EnableTotp};
use sha1::Sha1;
use std::time::Duration;

testkit::on_both!(
    signing_in_asks_for_a_code,
    enabling_asks_for_the_password_and_a_code,
    a_code_works_once,
    a_code_works_once_in_a_race,
    a_code_of_the_step_before_works,
    five_wrong_codes_make_a_pause,
    wrong_codes_are_counted_in_a_race,
    a_recovery_code_works_once,
    a_password_reset_does_not_skip_it,
    disabling_asks_for_the_password_and_a_code,
    nothing_of_it_is_kept_in_the_open,
    an_outage_of_tenancy_costs_no_code,
);

const ADA: &str = "ada@example.com";
pub const STEP: Duration = Duration::from_secs(30);

/// What the app shows.
pub fn shown(world: &World, secret: &str) -> String {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let mut mac = Hmac::<Sha1>::new_from_slice(&secret).unwrap();
    mac.update(&(world.clock.now().get().as_second() / 30).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash[19] & 15);
    let code = u32::from_be_bytes(hash[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", code % 1_000_000)
}

/// A code that it does not show, nor has shown a moment ago.
fn wrong(world: &World, secret: &str) -> String {
    let near = [shown(world, secret), {
        world.clock.set(world.clock.now().minus(STEP));
        let before = shown(world, secret);
        world.clock.advance(STEP);
        before
    }];
    ["000000", "111111", "222222"].into_iter().find(|code| !near.contains(&(*code).to_owned())).unwrap().to_owned()
}

async fn enable(world: &World, tokens: &Tokens, password: &str) -> Result<EnableTotpResponse, Problem> {
    world.call_as::<EnableTotp>(tokens, EnableTotpRequest { password: password.to_owned() }).await
}

async fn confirm(world: &World, tokens: &Tokens, code: &str) -> Result<Vec<String>, Problem> {
    let answer = world.call_as::<ConfirmTotp>(tokens, ConfirmTotpRequest { code: code.to_owned() }).await;
    answer.map(|answer| answer.recovery_codes)
}

async fn with_code(world: &World, code: &str) -> Result<Tokens, Problem> {
    world.call::<Login>(LoginRequest { totp_code: Some(code.to_owned()), ..login(ADA, PASSWORD) }).await
}

async fn with_recovery_code(world: &World, code: &str) -> Result<Tokens, Problem> {
    world.call::<Login>(LoginRequest { recovery_code: Some(code.to_owned()), ..login(ADA, PASSWORD) }).await
}

/// Somebody's app's secret, from now on; the next code is a new one.
pub async fn enable_totp(world: &World, tokens: &Tokens) -> String {
    let secret = enable(world, tokens, PASSWORD).await.unwrap().secret;
    confirm(world, tokens, &shown(world, &secret)).await.unwrap();
    world.clock.advance(STEP);
    secret
}

/// Somebody who has the app, its secret, and the recovery codes. The next code is a new one.
async fn ada(world: &World) -> (Tokens, String, Vec<String>) {
    let tokens = world.signed_up(ADA).await;
    let secret = enable(world, &tokens, PASSWORD).await.unwrap().secret;
    let codes = confirm(world, &tokens, &shown(world, &secret)).await.unwrap();
    world.clock.advance(STEP);
    (tokens, secret, codes)
}

async fn signing_in_asks_for_a_code(world: &World) {
    let (tokens, secret, codes) = ada(world).await;
    assert_eq!(codes.len(), 10);
    assert!(world.me(&tokens).await.unwrap().totp_enabled);
    assert_eq!(code(world.login(ADA, PASSWORD).await), ErrorCode::TotpRequired);
    // With a wrong password nobody learns of it.
    let wrong = world.login(ADA, "not her password").await.unwrap_err();
    let request = LoginRequest { totp_code: Some(shown(world, &secret)), ..login(ADA, "not her password") };
    assert_eq!(world.call::<Login>(request).await.unwrap_err(), wrong);
    assert!(with_code(world, &shown(world, &secret)).await.unwrap().user.unwrap().totp_enabled);
    let both = LoginRequest { totp_code: Some("1".to_owned()), recovery_code: Some("2".to_owned()), ..login(ADA, "x") };
    assert_eq!(world.call::<Login>(both).await.unwrap_err().fields[0].field, "recovery_code");
    // Nobody else is asked.
    assert!(!world.superadmin().await.user.unwrap().totp_enabled);
    let subjects: Vec<_> = world.mails(ADA, 2).await.iter().map(|mail| mail.subject().to_owned()).collect();
    assert!(subjects.contains(&"Signing in asks for a code now".to_owned()), "{subjects:?}");
}

async fn enabling_asks_for_the_password_and_a_code(world: &World) {
    let tokens = world.signed_up(ADA).await;
    assert_eq!(enable(world, &tokens, "not her password").await.unwrap_err().fields[0].field, "password");
    assert_eq!(code(confirm(world, &tokens, "123456").await), ErrorCode::Conflict);
    let first = enable(world, &tokens, PASSWORD).await.unwrap();
    let second = enable(world, &tokens, PASSWORD).await.unwrap();
    assert_ne!(first.secret, second.secret);
    let uri = format!("otpauth://totp/CallFairy:{ADA}?secret={}&issuer=CallFairy", second.secret);
    assert!(second.provisioning_uri.starts_with(&uri), "{}", second.provisioning_uri);
    assert!(second.qr_svg.contains("<svg") && second.qr_svg.len() > 1_000);
    // Until a code is confirmed none is asked for.
    world.login(ADA, PASSWORD).await.unwrap();
    assert!(!world.me(&tokens).await.unwrap().totp_enabled);
    let old = shown(world, &first.secret);
    assert_eq!(confirm(world, &tokens, &old).await.unwrap_err().fields[0].field, "code");
    confirm(world, &tokens, &shown(world, &second.secret)).await.unwrap();
    assert_eq!(code(enable(world, &tokens, PASSWORD).await), ErrorCode::Conflict);
    assert_eq!(code(confirm(world, &tokens, &shown(world, &second.secret)).await), ErrorCode::Conflict);
}

async fn a_code_works_once(world: &World) {
    let tokens = world.signed_up(ADA).await;
    let secret = enable(world, &tokens, PASSWORD).await.unwrap().secret;
    let first = shown(world, &secret);
    confirm(world, &tokens, &first).await.unwrap();
    assert_eq!(code(with_code(world, &first).await), ErrorCode::InvalidCredentials, "the one that was confirmed");
    world.clock.advance(STEP);
    let second = shown(world, &secret);
    with_code(world, &second).await.unwrap();
    assert_eq!(code(with_code(world, &second).await), ErrorCode::InvalidCredentials);
    assert_eq!(world.count("sessions").await, 2);
}

async fn a_code_works_once_in_a_race(world: &World) {
    let (_, secret, codes) = ada(world).await;
    let shown = shown(world, &secret);
    let good = |answers: Vec<Result<Tokens, Problem>>| answers.iter().filter(|answer| answer.is_ok()).count();
    // The first one is stopped in the middle of it, and the others come to where it stands.
    let held = world.hold("UPDATE totp SET failures = failures").await;
    let others = async {
        world.waiting(4).await;
        held.commit().await;
    };
    let (answers, ()) = join(join_all((0..4).map(|_| with_code(world, &shown))), others).await;
    assert_eq!(good(answers), 1);
    assert_eq!(good(join_all((0..4).map(|_| with_recovery_code(world, &codes[0]))).await), 1);
    assert_eq!(world.count("sessions").await, 3);
}

async fn a_code_of_the_step_before_works(world: &World) {
    let (_, secret, _) = ada(world).await;
    let (before, early) = (shown(world, &secret), {
        world.clock.advance(STEP);
        shown(world, &secret)
    });
    with_code(world, &before).await.unwrap();
    with_code(world, &early).await.unwrap();
    assert_eq!(code(with_code(world, &before).await), ErrorCode::InvalidCredentials, "not after a later one");
    world.clock.advance(STEP);
    let late = shown(world, &secret);
    world.clock.advance(STEP * 2);
    assert_eq!(code(with_code(world, &late).await), ErrorCode::InvalidCredentials, "two steps later");
}

async fn five_wrong_codes_make_a_pause(world: &World) {
    let (tokens, secret, codes) = ada(world).await;
    // A right one in between begins the count anew.
    for _ in 0..4 {
        assert_eq!(code(with_code(world, &wrong(world, &secret)).await), ErrorCode::InvalidCredentials);
    }
    with_code(world, &shown(world, &secret)).await.unwrap();
    world.clock.advance(STEP);
    for attempt in 0..5 {
        let answer = match attempt {
            0 => with_recovery_code(world, "abcd-efgh-ijkl-mnop").await,
            _ => with_code(world, &wrong(world, &secret)).await,
        };
        assert_eq!(code(answer), ErrorCode::InvalidCredentials, "{attempt}");
    }
    let right = shown(world, &secret);
    for answer in [with_code(world, &right).await, with_recovery_code(world, &codes[0]).await] {
        let problem = answer.unwrap_err();
        assert_eq!((problem.code, problem.retry_after), (ErrorCode::TooManyRequests, Some(Duration::from_mins(15))));
    }
    let disable = DisableTotpRequest { password: PASSWORD.to_owned(), code: Some(right), recovery_code: None };
    assert_eq!(code(world.call_as::<DisableTotp>(&tokens, disable).await), ErrorCode::TooManyRequests);
    world.clock.advance(Duration::from_secs(899));
    assert_eq!(code(with_code(world, &shown(world, &secret)).await), ErrorCode::TooManyRequests);
    world.clock.advance(Duration::from_secs(1));
    with_code(world, &shown(world, &secret)).await.unwrap();
    with_recovery_code(world, &codes[0]).await.unwrap();
}

async fn wrong_codes_are_counted_in_a_race(world: &World) {
    let (_, secret, _) = ada(world).await;
    let wrong = wrong(world, &secret);
    let held = world.hold("UPDATE totp SET failures = failures").await;
    let others = async {
        world.waiting(6).await;
        held.commit().await;
    };
    let (answers, ()) = join(join_all((0..10).map(|_| with_code(world, &wrong))), others).await;
    let count = |code| answers.iter().filter(|answer| answer.as_ref().is_err_and(|p| p.code == code)).count();
    assert_eq!((count(ErrorCode::InvalidCredentials), count(ErrorCode::TooManyRequests)), (5, 5));
}

async fn a_recovery_code_works_once(world: &World) {
    let (_, _, codes) = ada(world).await;
    with_recovery_code(world, &codes[3]).await.unwrap();
    assert_eq!(code(with_recovery_code(world, &codes[3]).await), ErrorCode::InvalidCredentials);
    with_recovery_code(world, &codes[4].replace('-', " ").to_uppercase()).await.unwrap();
    assert_eq!(world.count("recovery_codes").await, 8);
}

async fn a_password_reset_does_not_skip_it(world: &World) {
    let (_, secret, _) = ada(world).await;
    world.clock.advance(STEP);
    world.all_mail_is_sent().await;
    world.call::<ForgotPassword>(ForgotPasswordRequest { email: ADA.to_owned() }).await.unwrap();
    let mail = world.mails(ADA, 3).await.pop().unwrap();
    let request =
        ResetPasswordRequest { token: mail.token().to_owned(), new_password: "staple the battery".to_owned() };
    world.call::<ResetPassword>(request).await.unwrap();
    let sign_in = || login(ADA, "staple the battery");
    assert_eq!(code(world.call::<Login>(sign_in()).await), ErrorCode::TotpRequired);
    let request = LoginRequest { totp_code: Some(shown(world, &secret)), ..sign_in() };
    world.call::<Login>(request).await.unwrap();
}

async fn disabling_asks_for_the_password_and_a_code(world: &World) {
    let (tokens, secret, codes) = ada(world).await;
    let disable = async |password: &str, code: Option<&str>, recovery_code: Option<&str>| {
        let (code, recovery_code) = (code.map(str::to_owned), recovery_code.map(str::to_owned));
        let request = DisableTotpRequest { password: password.to_owned(), code, recovery_code };
        world.call_as::<DisableTotp>(&tokens, request).await
    };
    let right = shown(world, &secret);
    let field = |problem: Problem| problem.fields[0].field.clone();
    assert_eq!(field(disable("not her password", Some(&right), None).await.unwrap_err()), "password");
    assert_eq!(field(disable(PASSWORD, None, None).await.unwrap_err()), "code");
    assert_eq!(field(disable(PASSWORD, Some(&wrong(world, &secret)), None).await.unwrap_err()), "code");
    assert_eq!(field(disable(PASSWORD, None, Some("abcd")).await.unwrap_err()), "recovery_code");
    assert_eq!(code(world.login(ADA, PASSWORD).await), ErrorCode::TotpRequired);
    disable(PASSWORD, None, Some(&codes[0])).await.unwrap();
    world.login(ADA, PASSWORD).await.unwrap();
    assert!(!world.me(&tokens).await.unwrap().totp_enabled);
    assert_eq!((world.count("totp").await, world.count("recovery_codes").await), (0, 0));
    assert_eq!(code(disable(PASSWORD, Some(&right), None).await), ErrorCode::Conflict);
    // And once more, with another secret.
    let again = enable(world, &tokens, PASSWORD).await.unwrap().secret;
    assert_ne!(again, secret);
    confirm(world, &tokens, &shown(world, &again)).await.unwrap();
    assert_eq!(code(with_recovery_code(world, &codes[1]).await), ErrorCode::InvalidCredentials, "an old one");
}

async fn nothing_of_it_is_kept_in_the_open(world: &World) {
    let (_, secret, codes) = ada(world).await;
    let raw = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let bytes: Vec<u8> = match world.database.url().strip_prefix("sqlite:") {
        Some(file) => {
            [file.to_owned(), format!("{file}-wal")].iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
        }
        None => world
            .text(
                "SELECT string_agg(t::text, ' ') AS text FROM (SELECT t::text AS t FROM totp t \
                 UNION ALL SELECT r::text FROM recovery_codes r UNION ALL SELECT m::text FROM mails m \
                 UNION ALL SELECT o::text FROM outbox o) t",
            )
            .await
            .into_bytes(),
    };
    assert!(bytes.len() > 500);
    let hidden = |form: &[u8]| !bytes.windows(form.len()).any(|window| window == form);
    assert!(hidden(secret.as_bytes()) && hidden(&raw) && hidden(hex::encode(&raw).as_bytes()));
    for code in codes {
        assert!(hidden(code.as_bytes()) && hidden(code.replace('-', "").as_bytes()));
    }
}

async fn an_outage_of_tenancy_costs_no_code(world: &World) {
    let (_, secret, _) = ada(world).await;
    let shown = shown(world, &secret);
    world.tenancy.is(crate::tenancy::Mood::Down);
    assert_eq!(code(with_code(world, &shown).await), ErrorCode::Unavailable);
    world.tenancy.is(crate::tenancy::Mood::Well);
    with_code(world, &shown).await.unwrap();
}
