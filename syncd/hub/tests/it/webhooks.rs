//! Records on their way to whoever wants to be told: signed, again until they are taken, and not
//! into the hub's own network.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hub::Options;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vocabulary::{Digest, Epoch, PersonId};
use wire::Scope;
use wire::webhook::{Webhook, WebhookState};

use crate::town::{JsonBody, Town, ask, context, read, records};

/// What a receiver got: the headers, lower-case, and the body.
struct Delivery {
    headers: Vec<(String, String)>,
    body: String,
}

impl Delivery {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        &found.unwrap_or_else(|| panic!("no header {name}")).1
    }
}

/// Takes one delivery and answers it with a status.
async fn receive(listener: &TcpListener, status: u16) -> Delivery {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    let (head, body) = loop {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the delivery broke off: {text}");
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        if length == Some(body.len()) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    let headers = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Delivery { headers, body }
}

/// A webhook's state, once it is as expected.
async fn until(town: &Town, key: &str, expect: WebhookState) -> Webhook {
    loop {
        let answer = ask(town, "GET", "/webhooks/moc-1", key, None).await;
        let webhook: Webhook = read(answer, 200).await;
        if webhook.state == expect {
            return webhook;
        }
    }
}

#[tokio::test]
async fn a_record_is_delivered_signed_until_it_is_taken() {
    let options = Options {
        private_webhooks: true,
        ..Options::default()
    };
    let town = Town::start_in(TempDir::new().unwrap(), options).await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let key = town.key("mau", Scope::ALL);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/moc", listener.local_addr().unwrap());
    let put = json!({ "url": url });
    let made = ask(&town, "PUT", "/webhooks/moc-1", &key, Some(&put)).await;
    let made: Webhook = read(made, 200).await;
    let context = context("hop-1", 1, Digest([0; 32]));
    let body = records(
        &kiosk.id,
        Epoch([1; 16]),
        &context,
        &[PersonId::new("p-1").unwrap()],
    );
    let sent = kiosk.post(&town, "/device/records", &body).await;
    assert_eq!(sent.status(), 200);
    let first = receive(&listener, 500).await;
    let failing = until(&town, &key, WebhookState::Failing).await;
    assert_eq!((failing.failures, failing.after), (1, made.after));
    assert_eq!(failing.problem.as_deref(), Some("it answered 500"));
    let kicked = ask(&town, "POST", "/webhooks/moc-1/retry", &key, None).await;
    assert_eq!(kicked.status(), 200);
    let second = receive(&listener, 204).await;
    assert_eq!(second.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(
        second.header("content-type"),
        "application/cloudevents+json"
    );
    check_signature(&second, &made.secret);
    let event: Value = serde_json::from_str(&second.body).unwrap();
    let list = ask(&town, "GET", "/records", &key, None).await;
    let list: Value = read(list, 200).await;
    assert_eq!(event["data"], list["records"][0]);
    assert_eq!(event["id"], second.header("webhook-id"));
    loop {
        let webhook = until(&town, &key, WebhookState::Working).await;
        if webhook.delivered_at.is_some() {
            assert_eq!(webhook.after, list["next"]);
            break;
        }
    }
    town.stop().await;
}

/// HMAC-SHA256 with a key shorter than a block, written out once more.
fn check_signature(delivery: &Delivery, secret: &str) {
    let secret = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let (id, at) = (
        delivery.header("webhook-id"),
        delivery.header("webhook-timestamp"),
    );
    let message = format!("{id}.{at}.{}", delivery.body);
    let pad = |byte: u8| -> Vec<u8> {
        let key = secret.iter().copied().chain(std::iter::repeat(0));
        key.take(64).map(|key| key ^ byte).collect()
    };
    let inner = Sha256::digest([pad(0x36).as_slice(), message.as_bytes()].concat());
    let outer = Sha256::digest([pad(0x5c).as_slice(), &inner].concat());
    let expect = format!("v1,{}", STANDARD.encode(outer));
    assert_eq!(delivery.header("webhook-signature"), expect);
}

#[tokio::test]
async fn nothing_is_delivered_into_the_hub_s_own_network() {
    let town = Town::start().await;
    let key = town.key("mau", Scope::ALL);
    for url in [
        "https://127.0.0.1/",
        "https://[::1]/",
        "http://hook.example/",
        "file:///etc",
    ] {
        let put = json!({ "url": url });
        let answer = ask(&town, "PUT", "/webhooks/moc-1", &key, Some(&put)).await;
        assert_eq!(answer.status(), 422, "{url}");
    }
    // A name is only resolved when something is delivered.
    let put = json!({ "url": "https://localhost:1/" });
    let answer = ask(&town, "PUT", "/webhooks/moc-1", &key, Some(&put)).await;
    assert_eq!(answer.status(), 200);
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let context = context("hop-1", 1, Digest([0; 32]));
    let body = records(
        &kiosk.id,
        Epoch([1; 16]),
        &context,
        &[PersonId::new("p-1").unwrap()],
    );
    kiosk.post(&town, "/device/records", &body).await;
    let failing = until(&town, &key, WebhookState::Failing).await;
    let problem = failing.problem.unwrap();
    assert!(
        problem.contains("no address that may be delivered to"),
        "{problem}"
    );
    town.stop().await;
}

/// A hub that delivers to a receiver of this test.
struct Told {
    town: Town,
    key: String,
    listener: TcpListener,
    secret: String,
}

impl Told {
    async fn of(types: &[&str]) -> Self {
        let options = Options {
            private_webhooks: true,
            ..Options::default()
        };
        let town = Town::start_in(TempDir::new().unwrap(), options).await;
        let key = town.key("mau", Scope::ALL);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/moc", listener.local_addr().unwrap());
        let put = json!({ "url": url, "types": types });
        let made = ask(&town, "PUT", "/webhooks/moc-1", &key, Some(&put)).await;
        let made: Webhook = read(made, 200).await;
        assert_eq!(made.types.len(), types.len());
        Self {
            town,
            key,
            listener,
            secret: made.secret,
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> u16 {
        let answer = ask(&self.town, method, path, &self.key, body).await;
        answer.status().as_u16()
    }

    async fn put_meeting(&self) {
        let meeting = json!({
            "title": "Cuộc họp mẫu", "room": "G1",
            "starts_at": "2099-03-02T01:30:00Z", "ends_at": "2099-03-02T03:30:00Z",
        });
        let put = self.ask("PUT", "/meetings/hop-1", Some(&meeting)).await;
        assert_eq!(put, 200);
    }

    /// The next delivery is of this type; gives its data.
    async fn next(&self, kind: &str) -> Value {
        let delivery = receive(&self.listener, 204).await;
        check_signature(&delivery, &self.secret);
        let event: Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!(event["type"], format!("diemdanh.{kind}.v1-draft"));
        event["data"].clone()
    }

    /// The failed deliveries, once the newest is as expected.
    async fn failed(
        &self,
        expect: impl Fn(&wire::webhook::Delivery) -> bool,
    ) -> Vec<wire::webhook::Delivery> {
        loop {
            let path = "/webhooks/moc-1/deliveries";
            let answer = ask(&self.town, "GET", path, &self.key, None).await;
            let kept: wire::webhook::Deliveries = read(answer, 200).await;
            if kept.deliveries.first().is_some_and(&expect) {
                return kept.deliveries;
            }
        }
    }
}

#[tokio::test]
async fn what_happens_to_meetings_rolls_and_devices_is_told_in_its_order() {
    let told = Told::of(&[
        "meeting.changed",
        "meeting.closed",
        "roll.revised",
        "device.trouble",
        "device.revoked",
    ])
    .await;
    let kiosk = told.town.kiosk("mau", "kiosk-1").await;
    told.put_meeting().await;
    let data = told.next("meeting.changed").await;
    assert_eq!(data, json!({ "meeting": "hop-1", "generation": 1 }));
    let health = json!({ "at": "2026-03-02T01:30:00Z", "waiting": 0, "troubles": ["no camera"] });
    let url = told.town.url("/v1-draft/device/health");
    let health = kiosk.client.put(url).json_body(&health).send();
    assert_eq!(health.await.unwrap().status(), 200);
    let data = told.next("device.trouble").await;
    assert_eq!(data, json!({ "device": "kiosk-1" }));
    let closed = told.ask("POST", "/meetings/hop-1/closing", None).await;
    assert_eq!(closed, 200);
    let data = told.next("meeting.closed").await;
    assert_eq!(data, json!({ "meeting": "hop-1", "generation": 2 }));
    let data = told.next("roll.revised").await;
    assert_eq!(data, json!({ "meeting": "hop-1", "revision": 1 }));
    let late = records(
        &kiosk.id,
        Epoch([1; 16]),
        &context("hop-1", 1, Digest([0; 32])),
        &[PersonId::new("p-1").unwrap()],
    );
    let sent = kiosk.post(&told.town, "/device/records", &late).await;
    assert_eq!(sent.status(), 200);
    let data = told.next("roll.revised").await;
    assert_eq!(data, json!({ "meeting": "hop-1", "revision": 2 }));
    told.town.stop().await;
}

#[tokio::test]
async fn a_failed_delivery_is_seen_and_sent_again() {
    let told = Told::of(&["meeting.changed", "meeting.cancelled"]).await;
    told.put_meeting().await;
    let first = receive(&told.listener, 500).await;
    let failed = told.failed(|one| one.next_at.is_some()).await;
    let one = &failed[0];
    assert_eq!((one.status, one.taken, one.tries), (Some(500), false, 1));
    assert_eq!(one.event, first.header("webhook-id"));
    let again = |id: &str| format!("/webhooks/moc-1/deliveries/{id}/again");
    assert_eq!(told.ask("POST", &again("r-7"), None).await, 404);
    assert_eq!(told.ask("POST", &again("x"), None).await, 400);
    assert_eq!(told.ask("POST", &again(&one.id.0), None).await, 204);
    let second = receive(&told.listener, 204).await;
    assert_eq!(second.header("webhook-id"), first.header("webhook-id"));
    check_signature(&second, &told.secret);
    let failed = told.failed(|one| one.taken).await;
    assert_eq!((failed.len(), failed[0].tries), (1, 2));
    assert_eq!(failed[0].problem, None);
    // In its turn it comes once more: a receiver tells by the id that it has it.
    assert_eq!(told.ask("POST", "/webhooks/moc-1/retry", None).await, 200);
    told.next("meeting.changed").await;
    assert_eq!(told.ask("DELETE", "/meetings/hop-1", None).await, 204);
    let data = told.next("meeting.cancelled").await;
    assert_eq!(data, json!({ "meeting": "hop-1", "generation": 2 }));
    told.town.stop().await;
}
