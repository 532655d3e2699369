//! Citizen cards: the number goes in once, sealed; a door knows the card again, and nobody reads
//! the number anywhere.

use record::decode_roster;
use seal::{CardHash, card_hash};
use serde_json::{Value, json};
use vocabulary::CardNumber;
use wire::Scope;
use wire::device::{DeviceMeetings, DeviceRoster};
use wire::enrolment::Person;

use crate::town::{Kiosk, Town, ask, read};

const NUMBER: &str = "001099000001";

async fn put(town: &Town, key: &str, path: &str, body: Value) -> reqwest::Response {
    ask(town, "PUT", path, key, Some(&body)).await
}

async fn planned() -> (Town, Kiosk, String) {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let key = town.key("mau", Scope::ALL);
    let roster = json!({ "entries": [{ "person": "a1" }, { "person": "a2" }] });
    let all = [
        ("/people/a1", json!({ "name": "Nguyễn Văn Mẫu" })),
        ("/people/a2", json!({ "name": "Trần Thị Mẫu" })),
        ("/meetings/hop-1", town.meeting_now()),
        ("/meetings/hop-1/roster", roster),
    ];
    town.put_all(&key, all).await;
    (town, kiosk, key)
}

async fn from_hub<T: serde::de::DeserializeOwned>(town: &Town, kiosk: &Kiosk, path: &str) -> T {
    let url = town.url(&format!("/v1-draft/device{path}"));
    read(kiosk.client.get(url).send().await.unwrap(), 200).await
}

/// What a door makes of a number with the key that it was given.
async fn at_the_door(town: &Town, kiosk: &Kiosk, number: &str) -> CardHash {
    let told: DeviceMeetings = from_hub(town, kiosk, "/meetings").await;
    let key = told.meetings[0].key.as_ref().unwrap();
    let (opened, scope) = kiosk.open_key("hop-1", key);
    card_hash(&opened, &scope, &CardNumber::new(number).unwrap())
}

#[tokio::test]
async fn a_card_is_known_at_the_door_until_it_is_taken_away() {
    let (town, kiosk, key) = planned().await;
    let path = "/people/a1/citizen-card";
    let body = || json!({ "number": NUMBER });
    let made: Person = read(put(&town, &key, path, body()).await, 200).await;
    assert!(made.citizen_card);
    let roster =
        async || -> DeviceRoster { from_hub(&town, &kiosk, "/meetings/hop-1/roster").await };
    let first = roster().await;
    let list = decode_roster(&first.roster.0).unwrap();
    let [card] = first.citizen_cards.as_slice() else {
        panic!("one card is expected: {:?}", first.citizen_cards);
    };
    assert_eq!(card.person.0, list.entries()[0].delegate.person);
    assert_eq!(card.hash.0, at_the_door(&town, &kiosk, NUMBER).await.0);
    let other = at_the_door(&town, &kiosk, "001099000002").await;
    assert_ne!(card.hash.0, other.0);
    // The same again is a success, and no new generation.
    assert_eq!(put(&town, &key, path, body()).await.status(), 200);
    assert_eq!(roster().await.generation, first.generation);
    for _ in 0..2 {
        assert_eq!(ask(&town, "DELETE", path, &key, None).await.status(), 204);
    }
    let after = roster().await;
    assert_eq!(
        (after.generation, after.citizen_cards),
        (first.generation + 1, vec![])
    );
    let read_back: Person = read(ask(&town, "GET", "/people/a1", &key, None).await, 200).await;
    assert!(!read_back.citizen_card);
    town.stop().await;
}

#[tokio::test]
async fn a_number_is_nowhere_to_be_read() {
    let (town, _kiosk, key) = planned().await;
    let path = "/people/a1/citizen-card";
    let answer = put(&town, &key, path, json!({ "number": NUMBER })).await;
    assert!(!answer.text().await.unwrap().contains(NUMBER));
    for (body, digits) in [
        (json!({ "number": "0010990000019" }), "0010990000019"),
        (json!({ "number": 10_990_000_011_u64 }), "10990000011"),
        (json!({ "number": ["001099000001"] }), NUMBER),
        (json!({ "number": "00109900000x" }), "00109900000x"),
    ] {
        let answer = put(&town, &key, path, body).await;
        assert_eq!(answer.status(), 400);
        let text = answer.text().await.unwrap();
        assert!(
            text.contains("12 digits") && !text.contains(digits),
            "{text}"
        );
    }
    let nobody = put(
        &town,
        &key,
        "/people/a9/citizen-card",
        json!({ "number": NUMBER }),
    )
    .await;
    assert_eq!(nobody.status(), 404);
    let directory = town.stop().await;
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(12).any(|bytes| bytes == NUMBER.as_bytes());
        assert!(!found, "{} has the number", path.display());
    }
}
