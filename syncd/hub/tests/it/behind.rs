//! A hub behind a proxy that ended TLS: whose word is taken for who asks, and what of it is.

use hub::ca::{Ca, RequestedKey};
use hub::{Options, admin};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UnixStream};
use vocabulary::WallTime;
use wire::Scope;
use wire::problem::ProblemType;

use crate::town::{PROXY, Town, csr, device};

const MEETINGS: &str = "GET /v1-draft/device/meetings";
const RENEWAL: &str = "POST /v1-draft/device/certificate";

/// Asks as a proxy does, with these headers; gives the status and the body.
async fn ask(town: &Town, what: &str, headers: &str, body: Option<&Value>) -> (u16, String) {
    let mut stream = UnixStream::connect(town.dir.path().join(PROXY))
        .await
        .unwrap();
    let body = body.map_or_else(String::new, Value::to_string);
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: hub.example\r\nConnection: close\r\nContent-Type: \
         application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}

/// A certificate as RFC 9440 has it in its header.
fn client_cert(pem: &str) -> String {
    let base64: String = pem.lines().filter(|line| !line.contains("-----")).collect();
    format!("Client-Cert: :{base64}:\r\n")
}

/// A certificate for a device, signed by some authority at some time.
fn signed_by(ca: &Ca, id: &str, at: WallTime) -> String {
    let key = KeyPair::generate().unwrap();
    let requested = RequestedKey::of_csr(&csr(&key)).unwrap();
    ca.sign_device(&device(id), &requested, at).unwrap().pem
}

async fn check(town: &Town, what: &str, headers: &str, expect: Option<ProblemType>) {
    let key = KeyPair::generate().unwrap();
    let body = (what == RENEWAL).then(|| json!({ "csr": csr(&key) }));
    let (status, answer) = ask(town, what, headers, body.as_ref()).await;
    match expect {
        None => assert_eq!(status, 200, "{what} {headers}: {answer}"),
        Some(expect) => {
            assert_eq!(status, expect.status(), "{what} {headers}: {answer}");
            let problem: wire::Problem = serde_json::from_str(&answer).unwrap();
            assert_eq!(
                problem.problem_type(),
                Some(expect),
                "{what} {headers}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn a_proxy_s_word_is_checked_as_a_handshake_is() {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let revoked = town.kiosk("mau", "kiosk-2").await;
    admin::revoke_device(&town.hub, &device("kiosk-2")).unwrap();
    let now = town.hub.now();
    let own = client_cert(&kiosk.enrolled.certificate);
    let wrong = Some(ProblemType::Unauthenticated);
    check(&town, MEETINGS, &own, None).await;
    check(&town, RENEWAL, &own, None).await;
    check(&town, MEETINGS, "", wrong).await;
    check(&town, MEETINGS, "Client-Cert: ::\r\n", wrong).await;
    let revoked = client_cert(&revoked.enrolled.certificate);
    check(&town, MEETINGS, &revoked, Some(ProblemType::Revoked)).await;
    check(&town, RENEWAL, &revoked, Some(ProblemType::Revoked)).await;
    let past = WallTime(now.0 - 200 * 24 * 3600 * 1000);
    let expired = client_cert(&signed_by(&town.hub.ca(), "kiosk-1", past));
    check(
        &town,
        MEETINGS,
        &expired,
        Some(ProblemType::CertificateExpired),
    )
    .await;
    check(&town, RENEWAL, &expired, None).await;
    let future = WallTime(now.0 + 2 * 24 * 3600 * 1000);
    let early = client_cert(&signed_by(&town.hub.ca(), "kiosk-1", future));
    check(&town, MEETINGS, &early, wrong).await;
    let elsewhere = TempDir::new().unwrap();
    let elsewhere = Ca::open_or_create(elsewhere.path(), now).unwrap();
    let foreign = client_cert(&signed_by(&elsewhere, "kiosk-1", now));
    check(&town, MEETINGS, &foreign, wrong).await;
    check(&town, RENEWAL, &foreign, wrong).await;
    // What is none, or two, is said to be: the proxy is not set up as it should be.
    let malformed = Some(ProblemType::Malformed);
    check(&town, MEETINGS, "Client-Cert: none\r\n", malformed).await;
    check(&town, MEETINGS, &own.repeat(2), malformed).await;
    let tampered = own.replacen("A", "B", 5);
    check(&town, MEETINGS, &tampered, wrong).await;
    // Only the header that this proxy is configured to set counts: it may pass others on.
    let escaped: String = kiosk
        .enrolled
        .certificate
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    let other = format!("X-SSL-Client-Cert: {escaped}\r\n");
    check(&town, MEETINGS, &other, wrong).await;
    town.stop().await;
}

#[tokio::test]
async fn the_same_words_of_anybody_else_are_not_heard() {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let own = client_cert(&kiosk.enrolled.certificate);
    let (name, value) = own.trim().split_once(": ").unwrap();
    let url = town.url("/v1-draft/device/meetings");
    let forged = town.client(None).get(&url).header(name, value);
    assert_eq!(forged.send().await.unwrap().status(), 401);
    // Nor does it take anything away from who shows a certificate of its own.
    let junk = kiosk.client.get(&url).header(name, "none");
    assert_eq!(junk.send().await.unwrap().status(), 200);
    town.stop().await;
}

#[tokio::test]
async fn a_key_is_good_through_a_proxy_too() {
    let town = Town::start().await;
    let key = town.key("mau", Scope::ALL);
    let bearer = format!("Authorization: Bearer {key}\r\n");
    check(&town, "GET /v1-draft/organisation", &bearer, None).await;
    let (status, _) = ask(&town, "GET /readyz", "", None).await;
    assert_eq!(status, 200);
    town.stop().await;
}

#[tokio::test]
async fn who_announces_much_and_sends_nothing_takes_no_memory_of_others() {
    let town = Town::start().await;
    let (slow, quick) = (town.key("mau", Scope::ALL), town.key("khac", Scope::ALL));
    let size = wire::limits::ROSTER_BODY_BYTES_MAX;
    let mut held = Vec::new();
    for _ in 0..16 {
        let request = format!(
            "PUT /v1-draft/meetings/hop-1/roster HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \
             {slow}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\
             Expect: 100-continue\r\n\r\n"
        );
        let socket = town.dir.path().join(PROXY);
        let mut stream = UnixStream::connect(socket).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 100");
        held.push(stream);
    }
    let began = std::time::Instant::now();
    let body = json!({ "name": "Nguyễn Văn Mẫu" });
    let answer = crate::town::ask(&town, "PUT", "/people/a1", &quick, Some(&body)).await;
    assert_eq!(answer.status(), 200);
    assert!(
        began.elapsed() < std::time::Duration::from_secs(8),
        "it waited"
    );
    drop(held);
    town.stop().await;
}

#[tokio::test]
async fn a_header_that_comes_a_byte_at_a_time_is_given_up() {
    let options = Options {
        header_time_max: std::time::Duration::from_millis(300),
        ..Options::default()
    };
    let town = Town::start_in(TempDir::new().unwrap(), options).await;
    let socket = town.dir.path().join(PROXY);
    let stream = UnixStream::connect(socket).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let dripping = tokio::spawn(async move {
        let mut drip = tokio::time::interval(std::time::Duration::from_millis(10));
        let header = b"GET /healthz HTTP/1.1\r\nX-Filler: "
            .iter()
            .chain([b'x'].iter().cycle());
        for byte in header.take(100_000) {
            drip.tick().await;
            if writing.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    });
    let mut answer = Vec::new();
    let given_up = reading.read_to_end(&mut answer);
    let given_up = tokio::time::timeout(std::time::Duration::from_secs(30), given_up).await;
    // Cut off, or told so: in any case it is over.
    let _ = given_up.expect("the hub waits for a header without end");
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    dripping.abort();
    town.stop().await;
}

#[tokio::test]
async fn no_address_takes_all_places() {
    let options = Options {
        connections_per_address: 3,
        ..Options::default()
    };
    let town = Town::start_in(TempDir::new().unwrap(), options).await;
    let connect = async |from: [u8; 4]| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(town.address).await.unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(connect([127, 0, 0, 1]).await);
    }
    let mut refused = connect([127, 0, 0, 1]).await;
    assert_eq!(refused.read(&mut [0; 1]).await.unwrap_or(0), 0);
    // Another address is served meanwhile.
    let mut builder = reqwest::Client::builder().no_proxy();
    builder = builder.local_address(std::net::IpAddr::from([127, 0, 0, 2]));
    let pem = std::fs::read(town.dir.path().join("ca.pem")).unwrap();
    let roots = reqwest::Certificate::from_pem_bundle(&pem).unwrap();
    let client = builder.tls_certs_only(roots).build().unwrap();
    let answer = client.get(town.url("/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(held);
    town.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_requests_count_by_the_address_that_it_saw() {
    let options = Options {
        connections_per_address: 2,
        ..Options::default()
    };
    let town = Town::start_in(TempDir::new().unwrap(), options).await;
    let key = town.key("mau", Scope::ALL);
    // A body that never comes: the request is under way from when it is asked for.
    let begin = async |address: &str| {
        let request = format!(
            "PUT /v1-draft/people/a1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n\
             X-Forwarded-For: 203.0.113.9, {address}\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        );
        let socket = town.dir.path().join(PROXY);
        let mut stream = UnixStream::connect(socket).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        (stream, String::from_utf8(status[9..].to_vec()).unwrap())
    };
    let mut held = Vec::new();
    for (address, expect) in [
        ("192.0.2.1", "100"),
        ("192.0.2.1", "100"),
        ("192.0.2.1", "429"),
        ("192.0.2.2", "100"),
        ("2001:db8::1", "100"),
        ("2001:db8::2", "100"),
        ("2001:db8::3", "429"),
    ] {
        let (stream, status) = begin(address).await;
        assert_eq!(status, expect, "{address}");
        held.push(stream);
    }
    drop(held);
    town.stop().await;
}
