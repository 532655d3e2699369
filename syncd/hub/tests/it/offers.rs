//! Offers from the operator to a device: put, sent in parts, listed, fetched in ranges, withdrawn.

use hub::model::OfferKind;
use hub::{Options, admin};
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use wire::limits::OFFER_PART_BYTES;
use wire::offer as api;
use wire::problem::{Problem, ProblemType};
use wire::scalar::Hex;
use wire::{Base64, Scope};

use crate::town::{Kiosk, Town, ask, organisation, read};

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 253) as u8).collect()
}

fn terms(bytes: &[u8]) -> Value {
    json!({
        "kind": "update", "version": "2.0", "size_bytes": bytes.len(),
        "sha256": Hex(Sha256::digest(bytes).into()),
        "signature": Base64(vec![1, 2, 3]), "signature_key": "key-1",
    })
}

async fn put_part(town: &Town, key: &str, part: u64, bytes: &[u8]) -> Response {
    let url = town.url(&format!("/v1-draft/offers/fw-2/content?part={part}"));
    let put = town.client(None).put(url).bearer_auth(key);
    let put = put.header("content-type", "application/octet-stream");
    put.body(bytes.to_vec()).send().await.unwrap()
}

async fn fetch(town: &Town, kiosk: &Kiosk, headers: &[(&str, &str)]) -> Response {
    let url = town.url("/v1-draft/device/offers/fw-2/content");
    let mut request = kiosk.client.get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn told(town: &Town, kiosk: &Kiosk) -> Vec<String> {
    let url = town.url("/v1-draft/device/offers");
    let list: api::DeviceOffers = read(kiosk.client.get(url).send().await.unwrap(), 200).await;
    list.offers
        .iter()
        .map(|offer| offer.id.to_string())
        .collect()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn an_offer_goes_from_the_operator_to_a_device_in_parts_and_ranges() {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let other = town.kiosk("khac", "kiosk-2").await;
    let key = town.key("mau", &[Scope::DevicesRead, Scope::DevicesWrite]);
    let bytes = content(OFFER_PART_BYTES + 1000);
    let (first, second) = bytes.split_at(OFFER_PART_BYTES);
    let put = || async {
        let answer = ask(&town, "PUT", "/offers/fw-2", &key, Some(&terms(&bytes))).await;
        read::<api::Offer>(answer, 200).await
    };
    let offer = put().await;
    assert_eq!((offer.received_bytes, offer.next_part), (0, Some(1)));
    // Out of turn, of another length, of no number: each is told what to send.
    let gap: Problem = read(put_part(&town, &key, 2, second).await, 409).await;
    assert!(gap.detail.unwrap().contains("part 1"));
    let short: Problem = read(put_part(&town, &key, 1, second).await, 422).await;
    assert!(
        short
            .detail
            .unwrap()
            .contains(&OFFER_PART_BYTES.to_string())
    );
    let none: Problem = read(put_part(&town, &key, 3, second).await, 422).await;
    assert!(none.detail.unwrap().contains("2 parts"));
    for _ in 0..2 {
        let offer: api::Offer = read(put_part(&town, &key, 1, first).await, 200).await;
        assert_eq!(offer.next_part, Some(2));
    }
    assert_eq!(told(&town, &kiosk).await, [""; 0], "it is not whole");
    let offer: api::Offer = read(put_part(&town, &key, 2, second).await, 200).await;
    assert_eq!(
        (offer.received_bytes, offer.next_part),
        (bytes.len() as u64, None)
    );
    assert_eq!(put().await, offer, "the same again is a success");
    assert_eq!(told(&town, &kiosk).await, ["fw-2"]);
    assert_eq!(told(&town, &other).await, [""; 0], "another organisation's");
    check_ranges(&town, &kiosk, &bytes).await;
    let refused = fetch(&town, &other, &[]).await;
    let problem: Problem = read(refused, 404).await;
    assert_eq!(problem.problem_type(), Some(ProblemType::NotFound));
    for _ in 0..2 {
        let answer = ask(&town, "DELETE", "/offers/fw-2", &key, None).await;
        assert_eq!(answer.status(), 204);
    }
    assert_eq!(told(&town, &kiosk).await, [""; 0]);
    assert_eq!(fetch(&town, &kiosk, &[]).await.status(), 404);
    let left = std::fs::read_dir(town.dir.path().join("offers")).unwrap();
    assert_eq!(left.count(), 0, "nobody offers it any more");
    town.stop().await;
}

async fn check_ranges(town: &Town, kiosk: &Kiosk, bytes: &[u8]) {
    let whole = fetch(town, kiosk, &[]).await;
    assert_eq!(
        (whole.status().as_u16(), header(&whole, "accept-ranges")),
        (200, "bytes")
    );
    assert_eq!(header(&whole, "content-length"), bytes.len().to_string());
    assert_eq!(header(&whole, "content-type"), "application/octet-stream");
    let tag = header(&whole, "etag").to_owned();
    assert!(whole.bytes().await.unwrap() == bytes);
    let part = fetch(town, kiosk, &[("range", "bytes=5-14"), ("if-range", &tag)]).await;
    assert_eq!(part.status(), 206);
    let expected = format!("bytes 5-14/{}", bytes.len());
    assert_eq!(header(&part, "content-range"), expected);
    assert_eq!(part.bytes().await.unwrap(), bytes[5..15]);
    let rest = format!("bytes={}-", bytes.len() - 3);
    let rest = fetch(town, kiosk, &[("range", &rest)]).await;
    assert_eq!(rest.status(), 206);
    assert_eq!(rest.bytes().await.unwrap(), bytes[bytes.len() - 3..]);
    let changed = fetch(
        town,
        kiosk,
        &[("range", "bytes=0-1"), ("if-range", "\"x\"")],
    )
    .await;
    assert_eq!(changed.status(), 200);
    let beyond = format!("bytes={}-", bytes.len());
    let beyond = fetch(town, kiosk, &[("range", &beyond)]).await;
    let expected = format!("bytes */{}", bytes.len());
    assert_eq!(header(&beyond, "content-range"), expected);
    let problem: Problem = read(beyond, 416).await;
    assert_eq!(
        problem.problem_type(),
        Some(ProblemType::RangeNotSatisfiable)
    );
    let same = fetch(town, kiosk, &[("if-none-match", &tag)]).await;
    assert_eq!(same.status(), 304);
}

#[tokio::test]
async fn a_content_that_is_another_is_thrown_away_and_the_terms_are_checked() {
    let town = Town::start().await;
    let key = town.key("mau", &[Scope::DevicesRead, Scope::DevicesWrite]);
    let bytes = content(1000);
    let put = |terms: Value| {
        let (town, key) = (&town, &key);
        async move { ask(town, "PUT", "/offers/fw-2", key, Some(&terms)).await }
    };
    for (field, value, told) in [
        ("size_bytes", json!(0), "size_bytes"),
        ("version", json!(""), "version"),
        ("percent", json!(0), "percent"),
        ("rooms", json!(["Z9"]), "room Z9"),
        ("devices", json!(["kiosk-9"]), "device kiosk-9"),
        ("expires_at", json!("2020-01-01T00:00:00Z"), "expires_at"),
    ] {
        let mut wrong = terms(&bytes);
        wrong["not_before"] = json!("2021-01-01T00:00:00Z");
        wrong[field] = value;
        let problem: Problem = read(put(wrong).await, 422).await;
        assert!(problem.detail.unwrap().contains(told), "{field}");
    }
    let _: api::Offer = read(put(terms(&bytes)).await, 200).await;
    let mut other = bytes.clone();
    other[7] ^= 1;
    let problem: Problem = read(put_part(&town, &key, 1, &other).await, 422).await;
    assert!(problem.detail.unwrap().contains("SHA-256"));
    let list: api::Offers = read(ask(&town, "GET", "/offers", &key, None).await, 200).await;
    assert_eq!(list.offers[0].received_bytes, 0);
    let _: api::Offer = read(put_part(&town, &key, 1, &bytes).await, 200).await;
    let conflict: Problem = read(put(terms(&other)).await, 409).await;
    assert_eq!(conflict.problem_type(), Some(ProblemType::Conflict));
    town.stop().await;
}

#[tokio::test]
async fn a_restored_hub_asks_for_contents_again() {
    let town = Town::start().await;
    let bytes = content(10);
    let offer = hub::model::Offer {
        organisation: organisation("mau"),
        id: "fw-2".parse().unwrap(),
        kind: OfferKind::Configuration,
        version: "2".to_owned(),
        size_bytes: 10,
        sha256: vocabulary::Digest(Sha256::digest(&bytes).into()),
        signature: Vec::new(),
        signature_key: String::new(),
        rooms: Vec::new(),
        devices: Vec::new(),
        not_before: None,
        expires_at: None,
        percent: None,
        made_at: town.hub.now(),
    };
    admin::put_offer(&town.hub, &offer).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    admin::put_offer_content(&town.hub, &offer, &mut file).unwrap();
    let received = |hub: &hub::Hub| admin::offers(hub, &offer.organisation).unwrap()[0].1;
    assert_eq!(received(&town.hub), 10);
    let copies = TempDir::new().unwrap();
    let (copy, again) = (copies.path().join("copy"), copies.path().join("again"));
    hub::backup(&town.hub, &copy).unwrap();
    hub::restore(&again, &copy).unwrap();
    let restored = hub::Hub::open(&again, Options::default()).unwrap();
    assert_eq!(received(&restored), 0);
    town.stop().await;
}
