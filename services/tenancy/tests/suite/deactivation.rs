//! The ends of organisations.

use crate::world::{World, code, keys, nobody};
use callfairy_core::ErrorCode;
use proto::Permission;
use proto::rpc::deactivation::DeleteOrganisation;
use proto::rpc::organisations::GetOrganisation;
use proto::tenancy::*;
use proto::types::Empty;

testkit::on_both!(deleting_deactivates, only_superadmins_delete);

fn delete(id: &str) -> DeleteOrganisationRequest {
    DeleteOrganisationRequest { organisation_id: id.to_owned() }
}

async fn get(world: &World, id: &str) -> Organisation {
    let request = GetOrganisationRequest { organisation_id: id.to_owned() };
    world.call::<GetOrganisation>(world.superadmin, request).await.unwrap()
}

async fn deleting_deactivates(world: &World) {
    let (acme, other) = (world.organisation("Acme").await, world.organisation("Globex").await);
    let agent = world.agent("Ada", &acme.id, &[Permission::ViewCalls]).await;
    assert!(!keys(&world.snapshot(agent, &acme.id).await).is_empty());
    // Again is the same, and recorded once.
    for _ in 0..2 {
        assert_eq!(world.call::<DeleteOrganisation>(world.superadmin, delete(&acme.id)).await, Ok(Empty {}));
        assert!(keys(&world.snapshot(agent, &acme.id).await).is_empty());
        let now = get(world, &acme.id).await;
        assert_eq!((now.is_active, now.name.as_str()), (false, "Acme"));
    }
    assert!(get(world, &other.id).await.is_active);
    assert_eq!(code(world.call::<DeleteOrganisation>(world.superadmin, delete(&nobody())).await), ErrorCode::NotFound);

    world.all_is_recorded().await;
    let entries = world.audited("organisation_changed").await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(
        (entries[0].organisation_id.as_deref(), entries[0].details["is_active"].as_str()),
        (Some(&*acme.id), "false")
    );
}

async fn only_superadmins_delete(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let agent = world.agent("Ada", &acme, &[Permission::ManageOrganisation]).await;
    assert_eq!(code(world.call::<DeleteOrganisation>(agent, delete(&acme)).await), ErrorCode::PermissionDenied);
    assert!(get(world, &acme).await.is_active);
}
