//! Devices and integrators that send what nobody should, byte by byte over TLS: each is refused by
//! name or taken as it must be, and the hub's memory does not grow.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vocabulary::{Digest, Epoch, PersonId};
use wire::Scope;
use wire::device::{QuarantineReason, RecordsAccepted};
use wire::limits::{BATCH_RECORDS_MAX, BODY_BYTES_MAX};
use wire::problem::{Problem, ProblemType};
use wire::scalar::Base64;

use crate::town::{JsonBody, Kiosk, Town, ask, context, csr, enrolment, read, records};

/// How much memory the hub and its tests, which run side by side, may gain by these peers, in KiB.
const GROWTH_KIB_MAX: u64 = 128 << 10;

/// More than any socket holds: who may send this much is being read.
const SENT_BYTES_MAX: usize = 64 << 20;

/// A connection to the hub on which any bytes may be sent, by a device or nobody.
async fn connect(town: &Town, kiosk: Option<&Kiosk>) -> TlsStream<TcpStream> {
    let pem = std::fs::read(town.dir.path().join("ca.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(&pem) {
        roots.add(authority.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match kiosk {
        None => builder.with_no_client_auth(),
        Some(kiosk) => {
            let pem = kiosk.enrolled.certificate.as_bytes();
            let chain = CertificateDer::pem_slice_iter(pem).map(Result::unwrap);
            let key = PrivateKeyDer::from_pem_slice(kiosk.key.serialize_pem().as_bytes());
            let chain = chain.collect();
            builder.with_client_auth_cert(chain, key.unwrap()).unwrap()
        }
    };
    let stream = TcpStream::connect(town.address).await.unwrap();
    let name = ServerName::from(town.address.ip());
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

/// Sends a head and then the same again and again, until an answer is there or nobody listens.
/// Gives the answer's beginning and how much was sent.
async fn pour(stream: TlsStream<TcpStream>, head: &str, again: &[u8]) -> (String, usize) {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let answer = tokio::spawn(async move {
        let mut answer = vec![0; 64];
        let read = reading.read(&mut answer).await.unwrap_or(0);
        answer.truncate(read);
        String::from_utf8_lossy(&answer).into_owned()
    });
    let mut sent = head.len();
    if writing.write_all(head.as_bytes()).await.is_ok() && !again.is_empty() {
        while !answer.is_finished() && sent < SENT_BYTES_MAX {
            if writing.write_all(again).await.is_err() {
                break;
            }
            sent += again.len();
        }
    }
    (answer.await.unwrap(), sent)
}

/// The most memory that this process has had, in KiB.
fn memory_max_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn people(count: usize) -> Vec<PersonId> {
    let ids = (0..count).map(|number| format!("p-{number}"));
    ids.map(|id| PersonId::new(&id).unwrap()).collect()
}

/// A batch of a device, of so many people.
fn batch(kiosk: &Kiosk, meeting: &str, count: usize) -> Value {
    let context = context(meeting, 1, Digest([0; 32]));
    records(&kiosk.id, Epoch([1; 16]), &context, &people(count))
}

async fn send(town: &Town, kiosk: &Kiosk, body: &Value) -> reqwest::Response {
    let url = town.url("/v1-draft/device/records");
    kiosk.client.post(url).json_body(body).send().await.unwrap()
}

#[tokio::test]
async fn bodies_and_headers_without_end_are_cut_off() {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let key = town.key("mau", Scope::ALL);
    let before = memory_max_kib();
    let bearer = format!("Authorization: Bearer {key}\r\n");
    let json = "Host: x\r\nContent-Type: application/json\r\n";
    let put = format!("PUT /v1-draft/people/a1 HTTP/1.1\r\n{json}{bearer}");
    let post = format!("POST /v1-draft/device/records HTTP/1.1\r\n{json}");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(1 << 16)).into_bytes();
    let spaces = vec![b' '; 1 << 16];
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000)).into_bytes();
    let headers = "X: y\r\n".repeat(200);
    let long = "x".repeat(100_000);
    let declared = "Content-Length: 10737418240\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    for (of, head, again, status) in [
        (None, format!("{put}{declared}"), &spaces[..], "413"),
        (None, format!("{put}{chunked}"), &chunk, "413"),
        (Some(&kiosk), format!("{post}{declared}"), &spaces, "413"),
        (Some(&kiosk), format!("{post}{chunked}"), &chunk, "413"),
        (None, format!("{post}{chunked}"), &chunk, "401"),
        (None, put.clone(), &line, "431"),
        (None, format!("{put}{headers}\r\n"), &[], "431"),
        (None, format!("GET /{long} HTTP/1.1\r\n\r\n"), &[], "4"),
    ] {
        let what: String = head.chars().take(60).collect();
        let (answer, sent) = pour(connect(&town, of).await, &head, again).await;
        let refused = answer.starts_with(&format!("HTTP/1.1 {status}"));
        assert!(refused, "{what}: {answer:?} after {sent} bytes");
        assert!(sent < SENT_BYTES_MAX, "{what}: {sent} bytes");
    }
    let growth = memory_max_kib() - before;
    assert!(growth < GROWTH_KIB_MAX, "{growth} KiB");
    assert_eq!(
        send(&town, &kiosk, &batch(&kiosk, "hop-1", 1))
            .await
            .status(),
        200
    );
    town.stop().await;
}

#[tokio::test]
async fn batches_that_are_none_are_refused_by_name_and_jam_nothing() {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let honest = batch(&kiosk, "hop-1", 2);
    let changed = |key: &str, to: Value| {
        let mut batch = honest.clone();
        batch[key] = to;
        batch
    };
    let many = vec![honest["records"][0].clone(); BATCH_RECORDS_MAX + 1];
    for (body, detail) in [
        (changed("records", Value::from(many)), "500"),
        (changed("records", json!([])), "records"),
        (changed("records", json!(["no base64"])), "records"),
        (changed("epoch", json!("../../../../etc/passwd")), "epoch"),
        (changed("epoch", json!("'; DROP TABLE record; --")), "epoch"),
        (changed("first", json!(0)), "begins at 0"),
        (changed("first", json!(-1)), "first"),
        (changed("strange", json!(1)), "strange"),
    ] {
        let answer = send(&town, &kiosk, &body).await;
        let status = answer.status().as_u16();
        let problem: Problem = read(answer, status).await;
        let told = problem.detail.clone().unwrap();
        assert!([400, 422].contains(&status), "{problem:?}");
        assert!(told.contains(detail), "{detail:?} in {told:?}");
    }
    // A head that is none is noted, and costs no record.
    let headless = changed("head", json!(Base64(vec![0; 1000])));
    let accepted: RecordsAccepted = read(send(&town, &kiosk, &headless).await, 200).await;
    assert_eq!(accepted.position.committed_through, 2);
    let accepted: RecordsAccepted = read(send(&town, &kiosk, &honest).await, 200).await;
    assert_eq!(accepted.position.committed_through, 2);
    // One of 1 MB is no record: it is kept aside, and nothing waits behind it.
    let mut large = changed("records", json!([Base64(vec![0; 1 << 20])]));
    large["first"] = json!(3);
    let accepted: RecordsAccepted = read(send(&town, &kiosk, &large).await, 200).await;
    let why: Vec<_> = accepted.quarantined.iter().map(|one| one.why).collect();
    assert_eq!(why, [QuarantineReason::Undecodable]);
    assert_eq!(accepted.position.committed_through, 3);
    town.stop().await;
}

#[tokio::test]
async fn old_batches_are_taken_and_other_bodies_under_the_same_key_are_not() {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    // The records are of January 2026: much older than a month.
    let first = batch(&kiosk, "hop-1", 3);
    let accepted: RecordsAccepted = read(send(&town, &kiosk, &first).await, 200).await;
    assert_eq!(accepted.position.committed_through, 3);
    assert!(accepted.quarantined.is_empty(), "{accepted:?}");
    let fork = batch(&kiosk, "hop-2", 3);
    let accepted: RecordsAccepted = read(send(&town, &kiosk, &fork).await, 200).await;
    assert_eq!(accepted.position.committed_through, 3);
    let why: Vec<_> = accepted.quarantined.iter().map(|one| one.why).collect();
    assert_eq!(why, [QuarantineReason::Fork; 3]);
    let again: RecordsAccepted = read(send(&town, &kiosk, &first).await, 200).await;
    assert!(again.quarantined.is_empty(), "{again:?}");
    town.stop().await;
}

#[tokio::test]
async fn a_token_serves_one_key() {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    hub::admin::put_device(
        &town.hub,
        &crate::town::organisation("mau"),
        &crate::town::device("kiosk-2"),
        &vocabulary::RoomId::new("G1").unwrap(),
        &[],
    )
    .unwrap();
    let device = crate::town::device("kiosk-2");
    let token = hub::admin::new_token(&town.hub, &device, hub::admin::TOKEN_LASTS).unwrap();
    let keys = [(); 2].map(|()| rcgen::KeyPair::generate().unwrap());
    let path = "/device/enrolment";
    for _ in 0..2 {
        let asked = enrolment(&keys[0], &kiosk.sealing);
        let answer = ask(&town, "POST", path, &token, Some(&asked)).await;
        assert_eq!(answer.status(), 200);
    }
    let other = enrolment(&keys[1], &kiosk.sealing);
    let refused = ask(&town, "POST", path, &token, Some(&other)).await;
    let problem: Problem = read(refused, 409).await;
    assert_eq!(problem.problem_type(), Some(ProblemType::TokenUsed));
    let mut long = enrolment(&keys[0], &kiosk.sealing);
    long["csr"] = json!(csr(&keys[0]) + &"x".repeat(100_000));
    let refused = ask(&town, "POST", path, &token, Some(&long)).await;
    assert!(refused.status().is_client_error(), "{}", refused.status());
    town.stop().await;
}

#[tokio::test]
async fn names_and_ids_are_kept_as_they_are_or_refused() {
    let town = Town::start().await;
    let key = town.key("mau", Scope::ALL);
    let name = "Robert'); DROP TABLE person; -- ../../etc/passwd";
    let put = ask(
        &town,
        "PUT",
        "/people/a1",
        &key,
        Some(&json!({ "name": name })),
    )
    .await;
    assert_eq!(put.status(), 200);
    let got: Value = read(ask(&town, "GET", "/people/a1", &key, None).await, 200).await;
    assert_eq!(got["name"], name);
    let long = "x".repeat(1 << 20);
    for (name, status) in [
        (long.as_str(), 413),
        (&long[..BODY_BYTES_MAX - 100], 400),
        ("\u{1b}[2J", 400),
        ("a\0b", 400),
    ] {
        let body = json!({ "name": name });
        let refused = ask(&town, "PUT", "/people/a1", &key, Some(&body)).await;
        let _: Problem = read(refused, status).await;
    }
    for id in [
        "..%2F..%2Fx",
        "a'%3B%20DROP%20TABLE%20person",
        "a%00b",
        "%1b%5B2J",
        "%FF",
    ] {
        let path = format!("/people/{id}");
        let refused = ask(&town, "PUT", &path, &key, Some(&json!({ "name": "x" }))).await;
        let _: Problem = read(refused, 400).await;
    }
    let roster = json!({ "entries": [{ "person": "../a1", "title": "" }] });
    let refused = ask(&town, "PUT", "/meetings/hop-1/roster", &key, Some(&roster)).await;
    assert!(refused.status().is_client_error(), "{}", refused.status());
    town.stop().await;
}
