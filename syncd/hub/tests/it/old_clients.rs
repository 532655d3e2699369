//! Clients of earlier days against the hub of today. What they sent, and what of the answers they
//! need, was written down on the day that names the folder; it is never changed, only added to.
//!
//! `make fixtures` writes a new folder. Whoever has to change an old one breaks the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hub::admin;
use reqwest::{Method, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vocabulary::{Digest, Epoch, PersonId, WallTime};
use wire::operation::Content;
use wire::packing::Packing;
use wire::{OPERATIONS, Scope, Timestamp};

use crate::town::{Kiosk, Town, context, csr, device, enrolment, records};

/// Where the folders are, one for each day.
const FOLDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/contract/clients");

/// Names the new folder, for whoever records one.
const RECORD: &str = "DIEMDANH_RECORD";

/// The device that is enrolled by what is in the files; another one asks.
const ENROLLED: &str = "kiosk-cu";

/// What stands in the files for moments that move with the clock.
const MOMENTS: [(&str, i64); 2] = [("$an-hour-ago", -3_600_000), ("$in-an-hour", 3_600_000)];

/// One request of an old client, and what it needs of the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Exchange {
    operation: String,
    /// Who asks: `nobody`, `key`, `device`, or `token` for the holder of a device's token.
    caller: String,
    method: String,
    path: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    status: u16,
    /// The fields that were there, and of which kind they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shape: Option<Value>,
    /// What a door was answered, for doors of later days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Value>,
}

#[tokio::test]
async fn clients_of_every_recorded_day_are_served() {
    let mut days: Vec<PathBuf> = fs::read_dir(FOLDERS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    days.sort();
    assert!(!days.is_empty(), "nothing is recorded in {FOLDERS}");
    for day in days {
        let city = City::start().await;
        for (name, exchange) in exchanges(&day) {
            let answer = city.ask(&exchange).await;
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap();
            let name = format!("{}/{name}", day.display());
            assert_eq!(status, exchange.status, "{name}: {text}");
            if let Some(shape) = &exchange.shape {
                let value: Value = serde_json::from_str(&text).unwrap();
                let missing = missing(shape, &value, "");
                assert!(missing.is_empty(), "{name} needs {missing:?} in {text}");
            }
        }
        city.town.stop().await;
    }
}

/// Plays what clients of today send, and writes it down with what they were answered.
#[tokio::test]
#[ignore = "writes files; run by `make fixtures`"]
async fn clients_of_today_are_recorded() {
    let day = std::env::var(RECORD).expect("DIEMDANH_RECORD names the new folder, as a date");
    let folder = Path::new(FOLDERS).join(day);
    fs::create_dir(&folder).expect("a new folder, since recorded days are never changed");
    let city = City::start().await;
    let mut recorded = BTreeSet::new();
    for (index, mut exchange) in today(&city.kiosk).into_iter().enumerate() {
        let answer = city.ask(&exchange).await;
        exchange.status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!(exchange.status < 300, "{}: {text}", exchange.operation);
        let value: Option<Value> = serde_json::from_str(&text).ok();
        exchange.shape = value.as_ref().map(shape);
        if exchange.operation == "getOpenApi" {
            // It grows with every day, and nobody reads all of it.
            exchange.shape = Some(json!({ "openapi": "string", "paths": {}, "x-limits": {} }));
        }
        exchange.reply = value.filter(|_| matches!(&*exchange.caller, "device" | "token"));
        recorded.insert(exchange.operation.clone());
        let name = format!("{:02}-{}.json", index + 1, exchange.operation);
        let text = serde_json::to_string_pretty(&exchange).unwrap();
        fs::write(folder.join(name), text + "\n").unwrap();
    }
    city.town.stop().await;
    for operation in OPERATIONS {
        // A delivery that failed takes its time, and this town has no models to plan for.
        let is_left_out = ["redeliver", "getModelPlan"].contains(&operation.id);
        let is_played = !matches!(operation.request, Content::Picture)
            && !matches!(operation.answer, Content::Events(_))
            && !is_left_out;
        assert!(
            !is_played || recorded.contains(operation.id),
            "{} is not recorded; add it to what clients of today send",
            operation.id
        );
    }
}

/// A town whose device is enrolled, and a key for everything.
struct City {
    town: Town,
    kiosk: Kiosk,
    key: String,
}

impl City {
    async fn start() -> Self {
        let town = Town::start().await;
        let kiosk = town.kiosk("mau", "kiosk-1").await;
        let key = town.key("mau", Scope::ALL);
        Self { town, kiosk, key }
    }

    async fn ask(&self, exchange: &Exchange) -> Response {
        let client = match exchange.caller.as_str() {
            "device" => self.kiosk.client.clone(),
            _ => self.town.client(None),
        };
        let method = Method::from_bytes(exchange.method.as_bytes()).unwrap();
        let mut request = client.request(method, self.town.url(&exchange.path));
        match exchange.caller.as_str() {
            "key" => request = request.bearer_auth(&self.key),
            "token" => {
                let lasts = admin::TOKEN_LASTS;
                let token = admin::new_token(&self.town.hub, &device(ENROLLED), lasts).unwrap();
                request = request.bearer_auth(token);
            }
            "nobody" | "device" => {}
            other => panic!("nobody is called {other:?}"),
        }
        for (name, value) in &exchange.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &exchange.body {
            let text = match body {
                Value::String(text) => text.clone(),
                body => body.to_string(),
            };
            let bytes = self.at_moments(text).into_bytes();
            let packing = exchange.headers.get("content-encoding");
            let packing = packing.map(|name| Packing::from_name(name).unwrap());
            request = request.body(match packing {
                Some(packing) => packing.pack(&bytes).unwrap(),
                None => bytes,
            });
        }
        request.send().await.unwrap()
    }

    /// A text with the moments in it that its placeholders stand for.
    fn at_moments(&self, mut text: String) -> String {
        for (name, ms) in MOMENTS {
            let moment = Timestamp(WallTime(self.town.hub.now().0 + ms)).to_string();
            text = text.replace(name, &moment);
        }
        text
    }
}

/// The exchanges of a day, in order.
fn exchanges(day: &Path) -> Vec<(String, Exchange)> {
    let entries = fs::read_dir(day).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let exchange = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        (name, exchange)
    };
    paths.into_iter().map(read).collect()
}

/// Which fields a value has, and of which kind they are.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let fields = map.iter().map(|(name, value)| (name.clone(), shape(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let common = items.iter().map(shape).reduce(|a, b| common(&a, &b));
            common.into_iter().collect()
        }
        Value::String(_) => "string".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Null => "null".into(),
    }
}

/// What two shapes have in common: what every item of a list has.
fn common(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let both = a
                .iter()
                .filter_map(|(name, a)| Some((name, a, b.get(name)?)));
            let fields = both.map(|(name, a, b)| (name.clone(), common(a, b)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        (Value::Array(a), Value::Array(b)) => {
            let both = a.first().zip(b.first());
            both.map(|(a, b)| common(a, b)).into_iter().collect()
        }
        (a, b) if a == b => a.clone(),
        (a, b) => panic!("one has {a} and the other {b}; let them be of one kind"),
    }
}

/// What a value lacks of a shape. What it has beyond that is no matter.
fn missing(needed: &Value, value: &Value, at: &str) -> Vec<String> {
    match (needed, value) {
        (Value::Object(fields), Value::Object(map)) => fields
            .iter()
            .flat_map(|(name, needed)| {
                let at = format!("{at}/{name}");
                match map.get(name) {
                    Some(value) => missing(needed, value, &at),
                    None => vec![at],
                }
            })
            .collect(),
        (Value::Array(needed), Value::Array(items)) => match needed.first() {
            Some(_) if items.is_empty() => vec![format!("{at}/0")],
            Some(needed) => items
                .iter()
                .enumerate()
                .flat_map(|(index, item)| missing(needed, item, &format!("{at}/{index}")))
                .collect(),
            None => Vec::new(),
        },
        (Value::String(kind), value) if *kind == shape(value) => Vec::new(),
        (Value::String(kind), _) => vec![format!("{at}, a {kind}")],
        (needed, _) => vec![format!("{at}, which is {needed}")],
    }
}

fn ask(operation: &str, caller: &str, path: &str, body: Option<Value>) -> Exchange {
    let row = OPERATIONS.iter().find(|row| row.id == operation).unwrap();
    let mut headers = BTreeMap::new();
    if body.is_some() {
        headers.insert("content-type".to_owned(), "application/json".to_owned());
    }
    Exchange {
        operation: operation.to_owned(),
        caller: caller.to_owned(),
        method: row.method.to_owned(),
        path: format!("/v1-draft{path}"),
        headers,
        body,
        status: 0,
        shape: None,
        reply: None,
    }
}

fn with(mut exchange: Exchange, name: &str, value: &str) -> Exchange {
    exchange.headers.insert(name.to_owned(), value.to_owned());
    exchange
}

/// All that clients of today send, in an order in which each finds what it needs.
fn today(kiosk: &Kiosk) -> Vec<Exchange> {
    let mut all = integrators_put();
    all.extend(integrators_set_up());
    all.extend(devices_ask(kiosk));
    all.extend(integrators_read());
    all
}

fn integrators_put() -> Vec<Exchange> {
    let key = |operation: &str, path: &str, body: Value| ask(operation, "key", path, Some(body));
    let read = |operation: &str, path: &str| ask(operation, "key", path, None);
    let values: Vec<u8> = [0.5f32, -0.25]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let template = json!({
        "space": { "name": "mau", "digest": "11".repeat(32) }, "values": wire::Base64(values),
    });
    let meeting = json!({
        "title": "Cuộc họp mẫu", "room": "G1", "doors": ["A1"], "quorum": 1,
        "zone": "Asia/Ho_Chi_Minh", "starts_at": MOMENTS[0].0, "ends_at": MOMENTS[1].0,
    });
    let roster = json!({ "entries": [
        { "person": "a1", "title": "Ông", "unit": "Sở Mẫu", "role": "member" },
        { "person": "a2", "role": "guest", "attendance": "code-only" },
        { "person": "a3", "instead_of": "a1", "document": "Giấy uỷ quyền số 1" },
    ] });
    let sheet = "Mã;Họ và tên;Vai trò\na1;Nguyễn Văn Mẫu;Đại biểu\n";
    let calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//mau//mau//VI\r\nBEGIN:VEVENT\r\n\
                    UID:hop-3@mau.example\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Họp\r\n\
                    LOCATION:G1\r\nDTSTART:20300101T010000Z\r\nDTEND:20300101T030000Z\r\n\
                    END:VEVENT\r\nEND:VCALENDAR\r\n";
    let (csv, ics) = (Value::from(sheet), Value::from(calendar));
    let room = json!({ "name": "Phòng mẫu", "doors": ["A1", "A2"] });
    let person = json!({ "name": "Nguyễn Văn Mẫu", "title": "Ông", "unit": "Sở Mẫu" });
    vec![
        ask("getOpenApi", "nobody", "/openapi.json", None),
        read("getOrganisation", "/organisation"),
        key("putRoom", "/rooms/G1", room),
        read("listRooms", "/rooms"),
        read("getRoom", "/rooms/G1"),
        key("putPerson", "/people/a1", person.clone()),
        with(
            key("putPerson", "/people/a2", person.clone()),
            "content-encoding",
            "gzip",
        ),
        key("putPerson", "/people/a3", person),
        key("putTemplate", "/people/a1/templates/anh-1", template),
        key("putMeeting", "/meetings/hop-1", meeting.clone()),
        key("putMeeting", "/meetings/hop-2", meeting),
        key("putRoster", "/meetings/hop-1/roster", roster),
        with(
            key("putRoster", "/meetings/hop-2/roster", csv),
            "content-type",
            "text/csv",
        ),
        with(
            key("postCalendar", "/calendar", ics),
            "content-type",
            "text/calendar",
        ),
    ]
}

fn integrators_set_up() -> Vec<Exchange> {
    let key = |operation: &str, path: &str, body: Value| ask(operation, "key", path, Some(body));
    let read = |operation: &str, path: &str| ask(operation, "key", path, None);
    // Of what happens here only after it is taken away: nobody is at that address.
    let types = ["device.silent", "device.revoked"];
    let webhook = json!({ "url": "https://receiver.example/diemdanh", "types": types });
    // The public key of RFC 8032's first test.
    let keys = json!({
        "keys": ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"],
    });
    let offer = json!({
        "kind": "update", "version": "2.0", "size_bytes": 10, "signature_key": "key-1",
        "sha256": "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882",
    });
    let put_device = json!({ "room": "G1", "doors": ["A1"] });
    vec![
        key(
            "putCitizenCard",
            "/people/a1/citizen-card",
            json!({ "number": "001099000001" }),
        ),
        key("putInvitationKeys", "/invitation-keys", keys.clone()),
        read("getInvitationKeys", "/invitation-keys"),
        key(
            "putMeetingInvitationKeys",
            "/meetings/hop-1/invitation-keys",
            keys,
        ),
        read(
            "getMeetingInvitationKeys",
            "/meetings/hop-1/invitation-keys",
        ),
        key("putWebhook", "/webhooks/mau", webhook),
        key("putOffer", "/offers/fw-2", offer),
        with(
            key(
                "putOfferPart",
                "/offers/fw-2/content?part=1",
                "0123456789".into(),
            ),
            "content-type",
            "application/octet-stream",
        ),
        key("putDevice", &format!("/devices/{ENROLLED}"), put_device),
        read("makeToken", &format!("/devices/{ENROLLED}/token")),
    ]
}

fn devices_ask(kiosk: &Kiosk) -> Vec<Exchange> {
    let door =
        |operation: &str, path: &str, body: Option<Value>| ask(operation, "device", path, body);
    let sealing = seal::MemoryKeyStore::generate().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let epoch = Epoch([5; 16]);
    let people: Vec<_> = ["p-1", "p-2"].map(|id| PersonId::new(id).unwrap()).into();
    let at = context("hop-1", 1, Digest([7; 32]));
    let batch = records(&kiosk.id, epoch, &at, &people);
    let health = json!({
        "at": "2026-11-24T08:00:00.000Z", "waiting": 3,
        "versions": { "syncd": "0.1.0", "kiosk": "0.1.0", "system": "6.1" },
        "spaces": [{ "name": "mau", "digest": "11".repeat(32) }],
        "disk_free_bytes": 1_000_000_000, "camera_works": true, "clock_offset_ms": -12,
        "troubles": ["the camera gives no pictures"],
    });
    let position = format!("/device/position/{epoch}");
    let enrolment = enrolment(&key, &sealing);
    vec![
        ask("enrolDevice", "token", "/device/enrolment", Some(enrolment)),
        door("reportHealth", "/device/health", Some(health)),
        door("listDeviceMeetings", "/device/meetings", None),
        door("getDeviceRoster", "/device/meetings/hop-1/roster", None),
        door("getDeviceRoster", "/device/meetings/hop-2/roster", None),
        door("getPosition", &position, None),
        door("listDeviceOffers", "/device/offers", None),
        with(
            door("getDeviceOffer", "/device/offers/fw-2/content", None),
            "range",
            "bytes=2-5",
        ),
        with(
            door("sendRecords", "/device/records", Some(batch)),
            "content-encoding",
            "gzip",
        ),
        door(
            "renewCertificate",
            "/device/certificate",
            Some(json!({ "csr": csr(&kiosk.key) })),
        ),
    ]
}

fn integrators_read() -> Vec<Exchange> {
    let read = |operation: &str, path: &str| ask(operation, "key", path, None);
    let enrolled = format!("/devices/{ENROLLED}");
    vec![
        read("listPeople", "/people?limit=2"),
        read("getPerson", "/people/a1"),
        read("listMeetings", "/meetings"),
        read("getMeeting", "/meetings/hop-1"),
        read("getRoster", "/meetings/hop-1/roster"),
        with(
            read("getRoster", "/meetings/hop-1/roster"),
            "accept",
            "text/csv",
        ),
        read("getCalendar", "/calendar"),
        read("getRoll", "/meetings/hop-1/roll"),
        with(
            read("getRoll", "/meetings/hop-1/roll?revision=1"),
            "accept",
            "text/csv",
        ),
        read("listRecords", "/records?limit=1"),
        read("listNotes", "/notes"),
        read("listDevices", "/devices"),
        read("getDevice", "/devices/kiosk-1"),
        read("listOffers", "/offers"),
        read("getOffer", "/offers/fw-2"),
        read("withdrawOffer", "/offers/fw-2"),
        read("listWebhooks", "/webhooks"),
        read("getWebhook", "/webhooks/mau"),
        read("retryWebhook", "/webhooks/mau/retry"),
        read("listDeliveries", "/webhooks/mau/deliveries"),
        read("deleteWebhook", "/webhooks/mau"),
        read("closeMeeting", "/meetings/hop-1/closing"),
        read("cancelMeeting", "/meetings/hop-2"),
        read("deleteReference", "/people/a1/references/anh-1"),
        read("deleteCitizenCard", "/people/a1/citizen-card"),
        read("revokeDevice", &enrolled),
        read("reinstateDevice", &format!("{enrolled}/reinstatement")),
    ]
}

#[test]
fn what_an_old_client_misses_is_named() {
    let check = |needed: Value, value: Value, expect: &[&str]| {
        assert_eq!(missing(&needed, &value, ""), expect, "{needed} in {value}");
    };
    let person = json!({ "id": "string", "references": [{ "id": "string" }] });
    check(
        person.clone(),
        json!({ "id": "a", "references": [{ "id": "b" }], "new": 1 }),
        &[],
    );
    let poor = json!({ "id": 1, "references": [] });
    check(person.clone(), poor, &["/id, a string", "/references/0"]);
    check(
        person,
        json!({ "references": [{}] }),
        &["/id", "/references/0/id"],
    );
}
