//! A hub of a test's own, which the daemon must believe by its certificate and by nothing else: it
//! answers what the test says, honest or not.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer,
    KeyPair, PublicKeyData, SanType,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wire::device::SendRecords;
use wire::limits::RECORDS_BODY_BYTES_MAX;
use wire::packing::{ACCEPTED, Packing, unpack};

/// The store that an honest answer names.
pub const STORE: &str = "000102030405060708090a0b0c0d0e0f";
const INCARNATION: &str = "101112131415161718191a1b1c1d1e1f";

/// Most bytes of a header that this hub reads.
const HEAD_BYTES_MAX: usize = 1 << 20;

/// What was asked.
pub struct Question {
    pub method: String,
    pub path: String,
    pub body: Vec<u8>,
    /// The first and the last byte that are asked for.
    pub range: Option<(usize, usize)>,
    /// How the body came packed.
    pub packing: Option<Packing>,
}

impl Question {
    /// Whether the meetings are asked for.
    pub fn is_list(&self) -> bool {
        self.path.ends_with("/device/meetings")
    }

    /// Whether a roster is asked for.
    pub fn is_roster(&self) -> bool {
        self.path.ends_with("/roster")
    }

    /// Whether records are sent.
    pub fn is_records(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/device/records")
    }
}

/// What is answered.
pub enum Reply {
    /// What an honest hub without meetings answers.
    Usual,
    /// A status, further headers, a body.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A beginning, and then the same again and again until nobody listens any more.
    Endless(Vec<u8>, Vec<u8>),
}

impl Reply {
    /// A success with JSON.
    pub fn json(value: &Value) -> Self {
        Self::Whole(200, Vec::new(), value.to_string().into_bytes())
    }
}

type Script = dyn Fn(&Question) -> Reply + Send + Sync;

/// What the hub has seen.
#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<String>>,
    /// How many bytes went out before the daemon hung up, for each endless answer.
    hung_up_after: Mutex<Vec<usize>>,
    connections: AtomicUsize,
}

/// The hub.
pub struct City {
    address: SocketAddr,
    /// What a device is enrolled with.
    pub token: String,
    seen: Arc<Seen>,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl City {
    /// A hub that answers so.
    pub fn start(script: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Self {
        let key = KeyPair::generate().unwrap();
        let pin = hex(&Sha256::digest(key.subject_public_key_info()));
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "a test's authority");
        let certificate = params.self_signed(&key).unwrap();
        let authority = Authority {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        };
        let server_key = KeyPair::generate().unwrap();
        let mut server = CertificateParams::default();
        server
            .subject_alt_names
            .push(SanType::IpAddress([127, 0, 0, 1].into()));
        let server = server.signed_by(&server_key, &authority.issuer).unwrap();
        let chain = vec![server.der().clone(), certificate.der().clone()];
        let private = PrivatePkcs8KeyDer::from(server_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, private.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let script: Arc<Script> = Arc::new(script);
        let (tls, authority) = (Arc::new(tls), Arc::new(authority));
        let watched = seen.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                watched.connections.fetch_add(1, Ordering::Relaxed);
                let connection = ServerConnection::new(tls.clone()).unwrap();
                let (script, authority) = (script.clone(), authority.clone());
                let seen = watched.clone();
                thread::spawn(move || {
                    let stream = StreamOwned::new(connection, stream);
                    // The daemon may hang up whenever it likes.
                    let _ = serve(stream, &script, &authority, &seen);
                });
            }
        });
        Self {
            address,
            token: format!("ddt1.bWF1.{pin}"),
            seen,
        }
    }

    /// Its address, as doors have it in their configuration.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// How often something was asked.
    pub fn asked(&self, what: &str) -> usize {
        let asked = self.seen.asked.lock().unwrap();
        asked.iter().filter(|path| path.ends_with(what)).count()
    }

    /// How many bytes of each endless answer went out before the daemon hung up.
    pub fn hung_up_after(&self) -> Vec<usize> {
        self.seen.hung_up_after.lock().unwrap().clone()
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

fn serve(
    mut stream: Stream,
    script: &Arc<Script>,
    authority: &Authority,
    seen: &Seen,
) -> io::Result<()> {
    loop {
        let question = read(&mut stream)?;
        seen.asked.lock().unwrap().push(question.path.clone());
        let reply = match script(&question) {
            // As an honest hub of today says with every answer.
            Reply::Usual => match usual(&question, authority) {
                Reply::Whole(status, mut headers, body) => {
                    headers.push(("Accept-Encoding", ACCEPTED.to_owned()));
                    Reply::Whole(status, headers, body)
                }
                reply @ (Reply::Usual | Reply::Endless(..)) => reply,
            },
            reply @ (Reply::Whole(..) | Reply::Endless(..)) => reply,
        };
        match reply {
            Reply::Usual => unreachable!("it was replaced"),
            Reply::Whole(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    let _ = write!(head, "{name}: {value}\r\n");
                }
                stream.write_all(head.as_bytes())?;
                stream.write_all(b"\r\n")?;
                stream.write_all(&body)?;
                stream.flush()?;
            }
            Reply::Endless(first, again) => {
                let mut count = first.len();
                let mut part = &first;
                while stream.write_all(part).is_ok() {
                    part = &again;
                    count += again.len();
                }
                seen.hung_up_after.lock().unwrap().push(count);
                return Ok(());
            }
        }
    }
}

fn read(stream: &mut Stream) -> io::Result<Question> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert!(
            head.len() < HEAD_BYTES_MAX,
            "the daemon sends endless headers"
        );
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut words = head.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned())
    };
    let length = header("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let packing = header("content-encoding").map(|name| Packing::from_name(&name).unwrap());
    if let Some(packing) = packing {
        body = unpack(packing, &body, RECORDS_BODY_BYTES_MAX).unwrap();
    }
    Ok(Question {
        method,
        path,
        body,
        range: header("range").map(|range| {
            let (from, to) = range
                .strip_prefix("bytes=")
                .unwrap()
                .split_once('-')
                .unwrap();
            (from.parse().unwrap(), to.parse().unwrap())
        }),
        packing,
    })
}

/// What an honest hub without meetings answers.
fn usual(question: &Question, authority: &Authority) -> Reply {
    let store = json!({ "store": STORE, "incarnation": INCARNATION });
    let path = question.path.trim_start_matches(wire::BASE);
    match path {
        "/device/enrolment" => Reply::json(&enrolled(question, authority)),
        "/device/health" => Reply::json(&json!({
            "now": now(), "store": store, "renew_at": "2999-01-01T00:00:00Z",
        })),
        "/device/meetings" => Reply::json(&json!({
            "meetings": [], "withdrawn": [], "now": now(),
        })),
        "/device/offers" => Reply::json(&json!({ "offers": [] })),
        "/device/records" => Reply::json(&accepted(question, None, STORE)),
        _ => Reply::json(&json!({
            "store": store, "epoch": path.rsplit('/').next().unwrap(), "committed_through": 0,
        })),
    }
}

fn enrolled(question: &Question, authority: &Authority) -> Value {
    let asked: Value = serde_json::from_slice(&question.body).unwrap();
    let csr = asked["csr"].as_str().unwrap();
    let csr = CertificateSigningRequestParams::from_pem(csr).unwrap();
    let certificate = csr.signed_by(&authority.issuer).unwrap();
    json!({
        "device": "kiosk-thu", "organisation": "mau", "room": "G1", "doors": ["A1"],
        "certificate": certificate.pem(),
        "authorities": authority.pem,
        "expires_at": "2999-02-01T00:00:00Z", "renew_at": "2999-01-01T00:00:00Z",
        "store": { "store": STORE, "incarnation": INCARNATION },
    })
}

/// The answer to a batch: all of it is there, or up to some number, in some store.
pub fn accepted(question: &Question, through: Option<u64>, store: &str) -> Value {
    let batch: SendRecords = serde_json::from_slice(&question.body).unwrap();
    let last = batch.first + batch.records.len() as u64 - 1;
    json!({
        "position": {
            "store": { "store": store, "incarnation": INCARNATION },
            "epoch": batch.epoch,
            "committed_through": through.unwrap_or(last),
        },
        "quarantined": [],
    })
}

fn now() -> wire::Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    wire::Timestamp(vocabulary::WallTime(since.as_millis() as i64))
}
