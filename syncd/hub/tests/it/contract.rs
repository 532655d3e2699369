//! The contract as a client of anybody's server tries it, tried on this one.

use conformance::Credentials;
use hub::admin;
use vocabulary::{DoorId, RoomId};
use wire::Scope;

use crate::town::{Town, device, organisation};

#[tokio::test]
async fn this_hub_keeps_every_promise_of_the_contract() {
    let town = Town::start().await;
    let (mau, room) = (organisation("mau"), RoomId::new("G1").unwrap());
    let doors = [DoorId::new("A1").unwrap()];
    admin::put_device(&town.hub, &mau, &device("kiosk-1"), &room, &doors).unwrap();
    let token = admin::new_token(&town.hub, &device("kiosk-1"), admin::TOKEN_LASTS).unwrap();
    let report = conformance::run(&Credentials {
        server: town.url(""),
        authorities: Some(std::fs::read(town.dir.path().join("ca.pem")).unwrap()),
        key: town.key("mau", Scope::ALL),
        token: Some(token),
        place: Some(("G1".to_owned(), "A1".to_owned())),
    })
    .await
    .unwrap();
    assert!(report.conforms(), "{report}");
    town.stop().await;
}
