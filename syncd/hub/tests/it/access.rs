//! Every operation of the document with every kind of credential, generated from the document: an
//! operation that is added without a guard, or with the wrong one, fails here.

use std::collections::BTreeMap;

use hub::admin;
use hub::ca::{Ca, RequestedKey};
use rcgen::KeyPair;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use vocabulary::{Digest, Epoch, PersonId, WallTime};
use wire::Scope;
use wire::problem::{PROBLEM_JSON, ProblemType};
use wire::scalar::Hex;

use crate::town::{JsonBody, Kiosk, Town, ask, context, csr, device, enrolment, identity, records};

/// One operation as the document has it.
struct Row {
    id: String,
    method: String,
    path: String,
    /// `key`, `device`, `token`, or nothing.
    scheme: Option<String>,
    scope: Option<Scope>,
    expired_too: bool,
    object: Value,
}

fn rows() -> Vec<Row> {
    let document = wire::openapi::document();
    let mut rows = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, object) in methods.as_object().unwrap() {
            let security = object["security"].as_array().unwrap();
            let first = security.first().and_then(Value::as_object);
            let (scheme, roles) = first.and_then(|map| map.iter().next()).unzip();
            let scope = roles.and_then(|roles| roles[0].as_str());
            rows.push(Row {
                id: object["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                scheme: scheme.cloned(),
                scope: scope.map(|scope| Scope::from_name(scope).unwrap()),
                expired_too: object["x-accepts-expired-certificate"] == true,
                object: object.clone(),
            });
        }
    }
    rows
}

/// What exists in the organisation `mau`, by the names of paths' parameters.
fn existing(name: &str) -> &'static str {
    match name {
        "room" => "G1",
        "person" => "a1",
        "meeting" => "hop-1",
        "reference" => "anh-1",
        "epoch" => "01010101010101010101010101010101",
        "device" => "kiosk-1",
        "webhook" => "moc-1",
        "offer" => "fw-1",
        "delivery" => "r-1",
        other => panic!("give the test an example for the parameter {other}"),
    }
}

/// A body that the operation takes from the right caller.
fn body(row: &Row, kiosk: &Kiosk) -> Option<Value> {
    let context = context("hop-1", 1, Digest([0; 32]));
    let person = PersonId::new("p-1").unwrap();
    Some(match row.id.as_str() {
        "enrolDevice" => enrolment(&kiosk.key, &kiosk.sealing),
        "renewCertificate" => json!({ "csr": csr(&kiosk.key) }),
        "reportHealth" => json!({ "at": "2026-03-02T01:30:00Z", "waiting": 0 }),
        "sendRecords" => records(&kiosk.id, Epoch([1; 16]), &context, &[person]),
        "putRoom" => json!({ "name": "Phòng mẫu", "doors": ["A1"] }),
        "putPerson" => json!({ "name": "Nguyễn Văn Mẫu" }),
        "putTemplate" => template(),
        "putMeeting" => meeting(),
        "putDevice" => json!({ "room": "G1" }),
        "putWebhook" => json!({ "url": "https://hook.example/" }),
        "putCitizenCard" => json!({ "number": "001099000001" }),
        "putInvitationKeys" | "putMeetingInvitationKeys" => json!({ "keys": [] }),
        "putOffer" => offer(),
        "putRoster" => json!({ "entries": [{ "person": "a1" }] }),
        _ if row.object["requestBody"].is_null() => return None,
        "putPortrait" | "postCalendar" | "putOfferPart" => return None,
        other => panic!("give the test a body for {other}"),
    })
}

/// An offer of [`CONTENT`].
fn offer() -> Value {
    json!({
        "kind": "update", "version": "2", "size_bytes": CONTENT.len(),
        "sha256": Hex(Sha256::digest(CONTENT).into()),
    })
}

/// What is in it.
const CONTENT: &str = "a new version of everything";

fn meeting() -> Value {
    json!({
        "title": "Cuộc họp mẫu", "room": "G1",
        "starts_at": "2099-03-02T01:30:00Z", "ends_at": "2099-03-02T03:30:00Z",
    })
}

fn template() -> Value {
    let values: Vec<u8> = [1.0f32, 0.5, 0.25]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let values = wire::Base64(values);
    json!({ "space": { "name": "mau", "digest": "00".repeat(32) }, "values": values })
}

/// With what a request is sent.
struct Sender<'a> {
    client: &'a Client,
    bearer: Option<&'a str>,
}

async fn send(town: &Town, row: &Row, kiosk: &Kiosk, from: &Sender<'_>) -> Response {
    try_send(town, row, kiosk, from).await.unwrap()
}

async fn try_send(
    town: &Town,
    row: &Row,
    kiosk: &Kiosk,
    from: &Sender<'_>,
) -> Result<Response, reqwest::Error> {
    let path = row
        .path
        .split('/')
        .map(|segment| match segment.strip_prefix('{') {
            Some(name) => existing(name.trim_end_matches('}')),
            None => segment,
        })
        .collect::<Vec<_>>()
        .join("/");
    let path = match row.id.as_str() {
        "putOfferPart" => path + "?part=1",
        _ => path,
    };
    let method = Method::from_bytes(row.method.as_bytes()).unwrap();
    let mut request = from.client.request(method, town.url(&path));
    if let Some(bearer) = from.bearer {
        request = request.bearer_auth(bearer);
    }
    request = match body(row, kiosk) {
        Some(body) => request.json_body(&body),
        None if row.object["requestBody"].is_null() => request,
        None if row.id == "postCalendar" => request
            .header("content-type", "text/calendar")
            .body("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
        None if row.id == "putOfferPart" => request
            .header("content-type", "application/octet-stream")
            .body(CONTENT),
        None => request
            .header("content-type", "image/png")
            .body("no picture"),
    };
    request.send().await
}

/// Checks a refusal's form, and that the document has it for this operation.
async fn refused(row: &Row, who: &str, answer: Response, expect: ProblemType) {
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let text = answer.text().await.unwrap();
    assert_eq!(status, expect.status(), "{} with {who}: {text}", row.id);
    assert_eq!(kind, PROBLEM_JSON, "{} with {who}", row.id);
    let problem: wire::Problem = serde_json::from_str(&text).unwrap();
    assert_eq!(
        problem.problem_type(),
        Some(expect),
        "{} with {who}: {text}",
        row.id
    );
    assert!(problem.request.is_some(), "{} with {who}", row.id);
    let documented = &row.object["responses"][status.to_string()]["description"];
    let documented = documented.as_str().unwrap_or_default();
    assert!(
        documented.contains(&problem.kind),
        "{} with {who}: {text}",
        row.id
    );
}

/// Checks that a caller is let in, and answered as documented.
async fn let_in(row: &Row, who: &str, answer: Response) -> u16 {
    let status = answer.status().as_u16();
    let refusals = [401, 403, 500];
    let text = match row.id.as_str() {
        // Its body never ends.
        "followRecords" => String::new(),
        _ => answer.text().await.unwrap(),
    };
    assert!(
        !refusals.contains(&status),
        "{} with {who}: {status} {text}",
        row.id
    );
    let documented = &row.object["responses"][status.to_string()];
    assert!(
        documented.is_object(),
        "{} with {who}: {status} {text}",
        row.id
    );
    status
}

struct Cast {
    town: Town,
    kiosk: Kiosk,
    other: Kiosk,
    revoked: Kiosk,
    expired: Client,
    wrong_ca: Client,
    token: String,
    all: String,
    theirs: String,
}

impl Cast {
    async fn gather() -> Self {
        let town = Town::start().await;
        let kiosk = town.kiosk("mau", "kiosk-1").await;
        let other = town.kiosk("khac", "kiosk-2").await;
        let revoked = town.kiosk("mau", "kiosk-3").await;
        admin::revoke_device(&town.hub, &device("kiosk-3")).unwrap();
        let past = WallTime(town.hub.now().0 - 200 * 24 * 3600 * 1000);
        let expired = signed_by(&town, &town.hub.ca(), past);
        let foreign = TempDir::new().unwrap();
        let foreign = Ca::open_or_create(foreign.path(), town.hub.now()).unwrap();
        let wrong_ca = signed_by(&town, &foreign, town.hub.now());
        let token = admin::new_token(&town.hub, &device("kiosk-1"), admin::TOKEN_LASTS).unwrap();
        let (all, theirs) = (town.key("mau", Scope::ALL), town.key("khac", Scope::ALL));
        for (path, body) in [
            ("/people/a1", json!({ "name": "Nguyễn Văn Mẫu" })),
            ("/people/a1/templates/anh-1", template()),
            ("/meetings/hop-1", meeting()),
            ("/offers/fw-1", offer()),
            ("/webhooks/moc-1", json!({ "url": "https://hook.example/" })),
            (
                "/meetings/hop-1/roster",
                json!({ "entries": [{ "person": "a1" }] }),
            ),
        ] {
            let answer = ask(&town, "PUT", path, &all, Some(&body)).await;
            assert_eq!(answer.status(), 200, "{path}: {:?}", answer.text().await);
        }
        let content = town.url("/v1-draft/offers/fw-1/content?part=1");
        let content = town
            .client(None)
            .put(content)
            .bearer_auth(&all)
            .body(CONTENT);
        let content = content.header("content-type", "application/octet-stream");
        assert_eq!(content.send().await.unwrap().status(), 200);
        Self {
            town,
            kiosk,
            other,
            revoked,
            expired,
            wrong_ca,
            token,
            all,
            theirs,
        }
    }

    async fn send(&self, row: &Row, client: &Client, bearer: Option<&str>) -> Response {
        send(&self.town, row, &self.kiosk, &Sender { client, bearer }).await
    }
}

/// A client with a certificate for `kiosk-1`, signed by some authority at some time.
fn signed_by(town: &Town, ca: &Ca, at: WallTime) -> Client {
    let key = KeyPair::generate().unwrap();
    let requested = RequestedKey::of_csr(&csr(&key)).unwrap();
    let signed = ca.sign_device(&device("kiosk-1"), &requested, at).unwrap();
    town.client(Some(&identity(&key, &signed.pem)))
}

/// The credentials of one kind are never good for operations of another.
const JUNK: [Option<&str>; 4] = [
    None,
    Some("ddk1.0123456789ab.c2VjcmV0"),
    Some("ddt1.c2VjcmV0.0000000000000000000000000000000000000000000000000000000000000000"),
    Some("../../etc"),
];

#[tokio::test]
async fn without_a_good_credential_nothing_is_answered_but_the_document() {
    let cast = Cast::gather().await;
    let plain = cast.town.client(None);
    for row in rows() {
        for bearer in JUNK {
            let answer = cast.send(&row, &plain, bearer).await;
            match row.scheme {
                None => drop(let_in(&row, "nothing", answer).await),
                Some(_) => refused(&row, "nothing", answer, ProblemType::Unauthenticated).await,
            }
        }
        // A good credential of the wrong kind is none.
        let wrong = match row.scheme.as_deref() {
            Some("key") => cast.send(&row, &cast.kiosk.client, Some(&cast.token)).await,
            Some("device") => cast.send(&row, &plain, Some(&cast.all)).await,
            Some("token") => cast.send(&row, &cast.kiosk.client, Some(&cast.all)).await,
            Some(_) | None => continue,
        };
        refused(&row, "another kind", wrong, ProblemType::Unauthenticated).await;
    }
    cast.town.stop().await;
}

#[tokio::test]
async fn devices_are_let_in_by_their_own_valid_certificate_only() {
    let cast = Cast::gather().await;
    for row in rows()
        .iter()
        .filter(|row| row.scheme.as_deref() == Some("device"))
    {
        let status = let_in(
            row,
            "the right one",
            cast.send(row, &cast.kiosk.client, None).await,
        );
        assert_eq!(status.await, 200, "{}", row.id);
        let answer = cast.send(row, &cast.revoked.client, None).await;
        refused(row, "a revoked one", answer, ProblemType::Revoked).await;
        let answer = cast.send(row, &cast.expired, None).await;
        if row.expired_too {
            assert_eq!(let_in(row, "an expired one", answer).await, 200);
        } else {
            refused(
                row,
                "an expired one",
                answer,
                ProblemType::CertificateExpired,
            )
            .await;
        }
        let from = Sender {
            client: &cast.wrong_ca,
            bearer: None,
        };
        let sent = try_send(&cast.town, row, &cast.kiosk, &from).await;
        assert!(
            sent.is_err(),
            "{} with another authority's: {sent:?}",
            row.id
        );
        // Another organisation's device finds nothing of this one.
        let answer = cast.send(row, &cast.other.client, None).await;
        if row.path.contains("{meeting}") {
            refused(row, "another device", answer, ProblemType::NotFound).await;
        } else {
            let_in(row, "another device", answer).await;
        }
    }
    cast.town.stop().await;
}

#[tokio::test]
async fn a_token_is_good_for_its_device_s_key_alone() {
    let cast = Cast::gather().await;
    let rows = rows();
    let row = rows.iter().find(|row| row.id == "enrolDevice").unwrap();
    let plain = cast.town.client(None);
    let first = cast.send(row, &plain, Some(&cast.token)).await;
    assert_eq!(let_in(row, "the right one", first).await, 200);
    let from = Sender {
        client: &plain,
        bearer: Some(&cast.token),
    };
    let again = send(&cast.town, row, &cast.kiosk, &from).await;
    assert_eq!(let_in(row, "the right one again", again).await, 200);
    let stolen = send(&cast.town, row, &cast.other, &from).await;
    refused(row, "another device's key", stolen, ProblemType::TokenUsed).await;
    cast.town.stop().await;
}

#[tokio::test]
async fn keys_do_what_their_scope_says_and_only_in_their_organisation() {
    let cast = Cast::gather().await;
    let plain = cast.town.client(None);
    let revoked = cast.town.key("mau", Scope::ALL);
    let id = revoked.split('.').nth(1).unwrap();
    let id = hub::model::ApiKeyId::new(id).unwrap();
    admin::revoke_key(&cast.town.hub, &id).unwrap();
    let rows = rows();
    let mut keyed: Vec<&Row> = rows.iter().filter(|row| row.scope.is_some()).collect();
    // Reading comes first, before anything is there under the same ids elsewhere.
    keyed.sort_by_key(|row| row.method != "GET");
    let before = everything(&cast, &keyed).await;
    for row in &keyed {
        let scope = row.scope.unwrap();
        let others: Vec<Scope> = Scope::ALL.iter().copied().filter(|s| *s != scope).collect();
        let without = cast.town.key("mau", &others);
        let answer = cast.send(row, &plain, Some(&without)).await;
        refused(
            row,
            "a key without the scope",
            answer,
            ProblemType::Forbidden,
        )
        .await;
        let answer = cast.send(row, &plain, Some(&revoked)).await;
        refused(row, "a revoked key", answer, ProblemType::Revoked).await;
        let forged = format!("{}x", cast.all);
        let answer = cast.send(row, &plain, Some(&forged)).await;
        refused(row, "a forged key", answer, ProblemType::Unauthenticated).await;
        let answer = cast.send(row, &plain, Some(&cast.theirs)).await;
        if row.method == "GET" && row.path.contains('{') && !row.path.contains("{room}") {
            refused(row, "another organisation's", answer, ProblemType::NotFound).await;
        } else {
            let_in(row, "another organisation's", answer).await;
        }
    }
    assert_eq!(
        everything(&cast, &keyed).await,
        before,
        "another organisation changed something"
    );
    for row in &keyed {
        let only = cast.town.key("mau", &[row.scope.unwrap()]);
        let status = let_in(
            row,
            "the right one",
            cast.send(row, &plain, Some(&only)).await,
        )
        .await;
        let expect: &[u16] = match row.id.as_str() {
            // This hub has no models.
            "putPortrait" => &[501],
            "getModelPlan" => &[422],
            // No delivery has failed.
            "redeliver" => &[404],
            // The one before cancelled the meeting.
            "closeMeeting" => &[200, 409],
            _ => &[200, 204, 409],
        };
        assert!(expect.contains(&status), "{}: {status}", row.id);
    }
    cast.town.stop().await;
}

/// All that can be read of the organisation, as it is answered.
async fn everything(cast: &Cast, rows: &[&Row]) -> BTreeMap<String, String> {
    let plain = cast.town.client(None);
    let mut all = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row.method == "GET" && row.id != "followRecords")
    {
        let answer = cast.send(row, &plain, Some(&cast.all)).await;
        // A refusal has its request's id, and a calendar the time when it was written.
        if answer.status().is_success() {
            let text = answer.text().await.unwrap();
            let lines = text.lines().filter(|line| !line.starts_with("DTSTAMP"));
            all.insert(row.id.clone(), lines.collect::<Vec<_>>().join("\n"));
        }
    }
    all
}
