//! Which passwords are refused at the door.

use crate::world::{World, registration};
use callfairy_core::ErrorCode;
use proto::auth::RegisterRequest;
use proto::rpc::accounts::Register;

testkit::on_both!(weak_ones_are_refused_with_the_reason, hashes_are_argon2id_with_a_salt_each);

async fn weak_ones_are_refused_with_the_reason(world: &World) {
    let reason = async |password: &str| {
        let request = RegisterRequest {
            password: password.to_owned(),
            company: Some("Analytical Engines".to_owned()),
            ..registration("countess@example.com")
        };
        let problem = world.call::<Register>(request).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "password"));
        problem.fields[0].message.clone()
    };
    assert_eq!(reason("seven77").await, "has fewer than 8 characters");
    assert_eq!(reason(&"x".repeat(129)).await, "has more than 128 characters");
    assert_eq!(reason("Password123").await, "is one of the commonest passwords");
    assert_eq!(reason("COUNTESS@example.com").await, "is too close to your e-mail address");
    assert_eq!(reason("ada lovelace").await, "is too close to your name");
    assert_eq!(reason("analytical engines").await, "is too close to your company's name");
    assert_eq!(reason("callfairy1").await, "is too close to the name of this product");
    assert_eq!(world.count("users").await, 1, "the superadmin alone");
}

async fn hashes_are_argon2id_with_a_salt_each(world: &World) {
    for email in ["one@example.com", "two@example.com"] {
        world.register(email).await.unwrap();
    }
    let good = "users WHERE password_hash LIKE '$argon2id$v=19$m=19456,t=2,p=1$%'";
    assert_eq!(world.count(good).await, 3);
    assert_eq!(world.count("(SELECT DISTINCT password_hash FROM users) hashes").await, 3);
    assert_eq!(world.count("users WHERE password_hash LIKE '%correct%'").await, 0);
}
