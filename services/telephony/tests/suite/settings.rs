//! What the organisation's settings say where a request says nothing.

use crate::files::{Uploader, Worker};
use crate::world::{World, field};
use proto::rpc::campaigns::CreateCampaign;
use proto::rpc::contacts::CreateContact;
use proto::telephony::{ContactSelection, CreateCampaignRequest, CreateContactRequest, CreateImportRequest};
use proto::tenancy::CallingSettings;
use proto::types::Pacing;

testkit::on_both!(
    contacts_are_of_the_organisation_s_country,
    imports_are_of_the_organisation_s_country,
    campaigns_have_the_organisation_s_pace,
);

fn british() -> CallingSettings {
    CallingSettings { default_country: "GB".to_owned(), ..CallingSettings::default() }
}

async fn contacts_are_of_the_organisation_s_country(world: &World) {
    let (uploader, other) = (Uploader::new(world), Uploader::new(world));
    world.tenancy.set(uploader.organisation, british());
    let create = async |uploader: &Uploader<'_>, number: &str, country: Option<&str>| {
        let request = CreateContactRequest {
            organisation_id: uploader.organisation.to_string(),
            name: "Ada".to_owned(),
            phone_number: number.to_owned(),
            default_country: country.map(str::to_owned),
            ..CreateContactRequest::default()
        };
        world.call::<CreateContact>(uploader.user, request).await.map(|contact| contact.phone_number)
    };
    assert_eq!(create(&uploader, "020 7946 0018", None).await.unwrap(), "+442079460018");
    assert_eq!(create(&uploader, "020 7946 0019", Some("")).await.unwrap(), "+442079460019");
    // What the request says counts more.
    assert_eq!(create(&uploader, "(212) 555-0142", Some("US")).await.unwrap(), "+12125550142");
    assert_eq!(create(&uploader, " +1 212 555 0143", None).await.unwrap(), "+12125550143");
    assert_eq!(field(create(&uploader, "(212) 555-0144", None).await), "phone_number");
    assert_eq!(field(create(&other, "020 7946 0018", None).await), "phone_number");
}

async fn imports_are_of_the_organisation_s_country(world: &World) {
    let (uploader, other) = (Uploader::new(world), Uploader::new(world));
    world.tenancy.set(uploader.organisation, british());
    let worker = Worker::start(world);
    let imported = async |uploader: &Uploader<'_>, named: Option<&str>, number: &str| {
        let form = CreateImportRequest { default_country: named.map(str::to_owned), ..uploader.form() };
        uploader.import_with(form, format!("Name,Phone\nAda,{number}\n").as_bytes()).await.imported_rows
    };
    assert_eq!(imported(&uploader, None, "020 7946 0018").await, 1);
    assert_eq!(imported(&uploader, Some(""), "020 7946 0019").await, 1);
    assert_eq!(imported(&uploader, Some("US"), "(212) 555-0142").await, 1);
    assert_eq!(imported(&uploader, Some("US"), "020 7946 0020").await, 0);
    assert_eq!(imported(&other, None, "020 7946 0018").await, 0);
    let numbers: Vec<_> = uploader.contacts().await.into_iter().map(|contact| contact.phone_number).collect();
    assert_eq!(numbers, ["+442079460018", "+442079460019", "+12125550142"]);
    worker.stop().await;
}

async fn campaigns_have_the_organisation_s_pace(world: &World) {
    let (uploader, other) = (Uploader::new(world), Uploader::new(world));
    let own = Pacing { max_concurrent: 7, calls_per_second: 3 };
    world.tenancy.set(uploader.organisation, CallingSettings { pacing: Some(own), ..CallingSettings::default() });
    let pace = async |uploader: &Uploader<'_>, pacing| {
        let request = CreateCampaignRequest {
            organisation_id: uploader.organisation.to_string(),
            name: "Spring".to_owned(),
            task: "Say hello".to_owned(),
            contacts: Some(ContactSelection { all: true, ..ContactSelection::default() }),
            pacing,
            ..CreateCampaignRequest::default()
        };
        world.call::<CreateCampaign>(uploader.user, request).await.unwrap().pacing
    };
    assert_eq!(pace(&uploader, None).await, Some(own));
    let said = Some(Pacing { max_concurrent: 1, calls_per_second: 1 });
    assert_eq!(pace(&uploader, said).await, said);
    assert_eq!(pace(&other, None).await, Some(Pacing { max_concurrent: 10, calls_per_second: 2 }));
}
