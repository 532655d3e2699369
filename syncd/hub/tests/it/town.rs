//! An invented town with a hub: two organisations, a room, a meeting, people, devices and keys.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hub::model::KeyRole;
use hub::{Hub, Listeners, Options, ProxyHeaders, ProxyListener, admin};
use rcgen::{CertificateParams, KeyPair};
use record::{Body, CheckIn, Context, Record, Text};
use reqwest::{Certificate, Client, Identity, Method, Response};
use seal::{DataKey, KeyId, KeyStore, MemoryKeyStore, Scope, WrapBinding, WrappedKey};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vocabulary::{
    Assurance, BootId, ClockQuality, DeviceId, Digest, Direction, DoorId, Epoch, Means, MeetingId,
    Monotonic, OrganisationId, PersonId, RoomId, Sequence, Stamp, WallTime,
};
use wire::scalar::{Base64, Hex};

/// The socket in a town's directory at which the hub takes a proxy's word for who asks.
pub const PROXY: &str = "proxy.sock";

/// A hub that runs.
pub struct Town {
    pub dir: TempDir,
    pub hub: Arc<Hub>,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

/// A device that is enrolled.
pub struct Kiosk {
    pub id: DeviceId,
    pub client: Client,
    pub key: KeyPair,
    pub sealing: MemoryKeyStore,
    pub enrolled: wire::device::Enrolled,
}

pub fn organisation(id: &str) -> OrganisationId {
    OrganisationId::new(id).unwrap()
}

pub fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

impl Town {
    /// Starts a hub with the organisations `mau` and `khac`, a room each with the door `A1`, and
    /// nothing else.
    pub async fn start() -> Self {
        Self::start_in(TempDir::new().unwrap(), Options::default()).await
    }

    pub async fn start_in(dir: TempDir, options: Options) -> Self {
        let hub = Hub::open(dir.path(), options).unwrap();
        for id in ["mau", "khac"] {
            let organisation = organisation(id);
            admin::put_organisation(&hub, organisation.clone(), "Cơ quan mẫu").unwrap();
            let room = RoomId::new("G1").unwrap();
            let doors = vec![DoorId::new("A1").unwrap()];
            admin::put_room(&hub, &organisation, room, "Phòng mẫu", doors).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let proxy = format!("unix:{}", dir.path().join(PROXY).display());
        let proxy = proxy.parse().unwrap();
        let proxy = ProxyListener::bind(&proxy, Vec::new(), ProxyHeaders::default()).await;
        let listeners = Listeners {
            open: Some(listener),
            proxy: Some(proxy.unwrap()),
        };
        let serving = tokio::spawn({
            let hub = hub.clone();
            async move {
                let stopped = async move { drop(stopped.await) };
                hub::serve_at(hub, listeners, stopped).await.unwrap();
            }
        });
        Self {
            dir,
            hub,
            address,
            stop: Some(stop),
            serving,
        }
    }

    /// Stops the hub as an operator does, and waits until it has.
    pub async fn stop(mut self) -> TempDir {
        drop(self.stop.take());
        self.serving.await.unwrap();
        self.dir
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// A client that trusts this hub and shows a certificate, or none.
    pub fn client(&self, identity: Option<&str>) -> Client {
        let pem = std::fs::read(self.dir.path().join("ca.pem")).unwrap();
        let mut builder = Client::builder()
            .no_proxy()
            .tls_certs_only(Certificate::from_pem_bundle(&pem).unwrap());
        if let Some(pem) = identity {
            builder = builder.identity(Identity::from_pem(pem.as_bytes()).unwrap());
        }
        builder.build().unwrap()
    }

    /// A new key of an organisation with these scopes.
    pub fn key(&self, of: &str, scopes: &[wire::Scope]) -> String {
        let scopes = Some(scopes.to_vec());
        admin::new_key(
            &self.hub,
            &organisation(of),
            KeyRole::Integrator,
            scopes,
            "test",
        )
        .unwrap()
    }

    /// A meeting in `G1` from an hour ago to an hour from now.
    pub fn meeting_now(&self) -> Value {
        let now = self.hub.now().0;
        let time = |ms: i64| wire::Timestamp(WallTime(now + ms));
        json!({
            "title": "Cuộc họp mẫu", "room": "G1",
            "starts_at": time(-3_600_000), "ends_at": time(3_600_000),
        })
    }

    /// Puts one after the other, each of which must be taken.
    pub async fn put_all<const N: usize>(&self, key: &str, all: [(&str, Value); N]) {
        for (path, body) in all {
            let answer = ask(self, "PUT", path, key, Some(&body)).await;
            assert_eq!(answer.status(), 200, "{path}: {:?}", answer.text().await);
        }
    }

    /// Declares and enrols a device at the door of an organisation.
    pub async fn kiosk(&self, of: &str, id: &str) -> Kiosk {
        let room = RoomId::new("G1").unwrap();
        admin::put_device(&self.hub, &organisation(of), &device(id), &room, &[]).unwrap();
        let token = admin::new_token(&self.hub, &device(id), admin::TOKEN_LASTS).unwrap();
        let key = KeyPair::generate().unwrap();
        let sealing = MemoryKeyStore::generate().unwrap();
        let asked = enrolment(&key, &sealing);
        let answer = self
            .client(None)
            .post(self.url("/v1-draft/device/enrolment"))
            .bearer_auth(token)
            .json_body(&asked)
            .send()
            .await
            .unwrap();
        let enrolled: wire::device::Enrolled = read(answer, 200).await;
        let client = self.client(Some(&identity(&key, &enrolled.certificate)));
        Kiosk {
            id: device(id),
            client,
            key,
            sealing,
            enrolled,
        }
    }
}

impl Kiosk {
    /// A meeting's key as the door of `mau` unwraps it, and what it is for.
    pub fn open_key(&self, meeting: &str, key: &wire::device::MeetingKey) -> (DataKey, Scope) {
        let scope = Scope {
            organisation: organisation("mau"),
            meeting: Some(MeetingId::new(meeting).unwrap()),
        };
        let binding = WrapBinding {
            device: self.id.clone(),
            key: KeyId(key.id.0),
            scope: scope.clone(),
        };
        let wrapped = WrappedKey::from_bytes(&key.wrapped.0).unwrap();
        (self.sealing.unwrap_key(&wrapped, &binding).unwrap(), scope)
    }

    /// Sends JSON as the device.
    pub async fn post(&self, town: &Town, path: &str, body: &Value) -> Response {
        let url = town.url(&format!("/v1-draft{path}"));
        self.client.post(url).json_body(body).send().await.unwrap()
    }
}

/// A device's private key and certificate in one PEM.
pub fn identity(key: &KeyPair, certificate: &str) -> String {
    key.serialize_pem() + certificate
}

/// What a device sends to be enrolled.
pub fn enrolment(key: &KeyPair, sealing: &MemoryKeyStore) -> Value {
    let head = record::SigningKey::from_bytes(&[7; 32]).verifying_key();
    json!({
        "csr": csr(key),
        "sealing_key": Hex(sealing.public_key().0),
        "head_key": Hex(head.to_bytes()),
        "versions": {},
    })
}

/// A signing request in PEM.
pub fn csr(key: &KeyPair) -> String {
    let request = CertificateParams::default().serialize_request(key).unwrap();
    request.pem().unwrap()
}

/// Consecutive check-ins of made-up people, as a device's ledger would hold them.
pub fn records(kiosk: &DeviceId, epoch: Epoch, context: &Context, people: &[PersonId]) -> Value {
    let mut previous = Digest::ZERO;
    let mut records = Vec::new();
    for (index, person) in people.iter().enumerate() {
        let record = Record {
            device: kiosk.clone(),
            epoch,
            sequence: Sequence(index as u64 + 1),
            at: stamp(),
            previous,
            body: Body::CheckIn(CheckIn {
                context: context.clone(),
                person: person.clone(),
                substitute: None,
                direction: Direction::In,
                means: Means::Invitation,
                assurance: Assurance::Possession,
                comparison: None,
                actor: None,
            }),
        };
        let bytes = record.encode();
        previous = record::digest(&bytes);
        records.push(Base64(bytes));
    }
    json!({ "epoch": Hex(epoch.0), "first": 1, "oldest": 1, "records": records })
}

fn stamp() -> Stamp {
    Stamp {
        wall: WallTime(1_767_225_600_000),
        quality: ClockQuality::Synchronised,
        boot: BootId([3; 16]),
        monotonic: Monotonic(1),
    }
}

/// The circumstances of records at the town's one door.
pub fn context(meeting: &str, generation: u64, roster: Digest) -> Context {
    Context {
        meeting: MeetingId::new(meeting).unwrap(),
        generation,
        roster,
        door: DoorId::new("A1").unwrap(),
        policy: 1,
        software: Text::new("kiosk 0.1.0").unwrap(),
    }
}

/// The body of an answer that must have a status.
pub async fn read<T: serde::de::DeserializeOwned>(answer: Response, status: u16) -> T {
    let found = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A request with a bearer and JSON.
pub async fn ask(
    town: &Town,
    method: &str,
    path: &str,
    bearer: &str,
    body: Option<&Value>,
) -> Response {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let url = town.url(&format!("/v1-draft{path}"));
    let mut request = town.client(None).request(method, url).bearer_auth(bearer);
    if let Some(body) = body {
        request = request.json_body(body);
    }
    request.send().await.unwrap()
}

/// JSON bodies without reqwest's own feature for them.
pub trait JsonBody {
    fn json_body(self, value: &Value) -> Self;
}

impl JsonBody for reqwest::RequestBuilder {
    fn json_body(self, value: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(value.to_string())
    }
}

/// Whether nobody but the owner can read a file.
pub fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).unwrap().mode() & 0o077 == 0
}
