//! Requests and what is read from their answers. An answer is never followed elsewhere and never
//! read beyond a limit.

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Identity, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{Packing, Problem, ProblemType};

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = wire::limits::ROSTER_BODY_BYTES_MAX;

/// How long one request may take.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// Where the server is and what one may do there.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The server's address without the version: `https://hub.example:8443`.
    pub server: String,
    /// Certificates in PEM by which the server may show itself; none for the system's own.
    pub authorities: Option<Vec<u8>>,
    /// An integrator's API key that may read and write everything of its organisation.
    pub key: String,
    /// A one-time token of a device that was never enrolled, at a door of a room of this
    /// organisation; without it, what concerns devices is left untried.
    pub token: Option<String>,
    /// The room and the door of that device.
    pub place: Option<(String, String)>,
}

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The certificates or the address cannot be used.
    #[error("the server's address or certificates cannot be used")]
    Http(#[from] reqwest::Error),
    /// No sealing key could be made.
    #[error("no sealing key could be made for the device")]
    NoKey,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Somebody without a credential.
    Nobody,
    /// The integrator.
    Key,
    /// The holder of the device's token.
    Token,
    /// The enrolled device.
    Device,
}

/// The one who asks.
pub(crate) struct Client {
    credentials: Credentials,
    http: reqwest::Client,
    device: Option<reqwest::Client>,
}

impl Client {
    pub(crate) fn new(credentials: &Credentials) -> Result<Self, SetUpError> {
        Ok(Self {
            credentials: credentials.clone(),
            http: build(credentials, None)?,
            device: None,
        })
    }

    /// From now on requests may be made as the device with this certificate.
    pub(crate) fn become_device(&mut self, certificate: &str, key: &KeyPair) -> Result<(), String> {
        let pem = format!("{certificate}\n{}", key.serialize_pem());
        let identity = Identity::from_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
        let client = build(&self.credentials, Some(identity)).map_err(|error| error.to_string())?;
        self.device = Some(client);
        Ok(())
    }

    /// Where the device stands, when there is a token for one.
    pub(crate) fn place(&self) -> Option<(&str, &str)> {
        self.credentials.token.as_ref()?;
        let (room, door) = self.credentials.place.as_ref()?;
        Some((room, door))
    }

    pub(crate) async fn get(&self, who: Who, path: &str) -> Result<Reply, String> {
        self.call(who, "GET", path, HeaderMap::new(), None).await
    }

    pub(crate) async fn get_unless(
        &self,
        who: Who,
        path: &str,
        etag: &str,
    ) -> Result<Reply, String> {
        let mut headers = HeaderMap::new();
        let value = etag
            .parse()
            .map_err(|_| format!("ETag {etag:?} is no header value"))?;
        headers.insert(reqwest::header::IF_NONE_MATCH, value);
        self.call(who, "GET", path, headers, None).await
    }

    pub(crate) async fn delete(&self, who: Who, path: &str) -> Result<Reply, String> {
        self.call(who, "DELETE", path, HeaderMap::new(), None).await
    }

    pub(crate) async fn put(
        &self,
        who: Who,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Reply, String> {
        let bytes = serde_json::to_vec(body).map_err(|error| error.to_string())?;
        self.send(who, "PUT", path, "application/json", bytes).await
    }

    pub(crate) async fn post(
        &self,
        who: Who,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Reply, String> {
        let bytes = serde_json::to_vec(body).map_err(|error| error.to_string())?;
        self.send(who, "POST", path, "application/json", bytes)
            .await
    }

    pub(crate) async fn send(
        &self,
        who: Who,
        method: &str,
        path: &str,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Reply, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        self.call(who, method, path, headers, Some(body)).await
    }

    /// A `PUT` whose JSON is packed, and whose answer may be packed the same way.
    pub(crate) async fn put_packed(
        &self,
        who: Who,
        path: &str,
        body: &(impl Serialize + Sync),
        packing: Packing,
    ) -> Result<Reply, String> {
        let bytes = serde_json::to_vec(body).map_err(|error| error.to_string())?;
        let bytes = packing.pack(&bytes).map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (CONTENT_TYPE, "application/json"),
            (CONTENT_ENCODING, packing.name()),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        self.call(who, "PUT", path, headers, Some(bytes)).await
    }

    async fn call(
        &self,
        who: Who,
        method: &str,
        path: &str,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
    ) -> Result<Reply, String> {
        let name = format!("{method} {path}");
        let failed = |error: reqwest::Error| format!("{name}: {}", chain(&error));
        let url = format!(
            "{}{}{path}",
            self.credentials.server.trim_end_matches('/'),
            wire::BASE
        );
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let http = match who {
            Who::Device => self.device.as_ref().ok_or("there is no enrolled device")?,
            Who::Nobody | Who::Key | Who::Token => &self.http,
        };
        let mut request = http.request(method, url).headers(headers);
        match who {
            Who::Nobody | Who::Device => {}
            Who::Key => request = request.bearer_auth(&self.credentials.key),
            Who::Token => {
                let token = self.credentials.token.as_ref().ok_or("there is no token")?;
                request = request.bearer_auth(token);
            }
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(format!(
                    "{name}: more than {ANSWER_BYTES_MAX} bytes were answered"
                ));
            }
        }
        Ok(Reply {
            name,
            status,
            headers,
            bytes,
        })
    }
}

/// A key for the device and a signing request for it.
pub(crate) fn signing_request() -> Result<(KeyPair, String), String> {
    let make = || {
        let key = KeyPair::generate()?;
        let request = CertificateParams::default()
            .serialize_request(&key)?
            .pem()?;
        Ok((key, request))
    };
    make().map_err(|error: rcgen::Error| error.to_string())
}

fn build(
    credentials: &Credentials,
    identity: Option<Identity>,
) -> reqwest::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(REQUEST_TIME_MAX);
    if let Some(pem) = &credentials.authorities {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(pem)?);
    }
    if let Some(identity) = identity {
        builder = builder.identity(identity);
    }
    builder.build()
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    name: String,
    pub(crate) status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Reply {
    /// The answer, if it has this status.
    pub(crate) fn expect(&self, status: u16) -> Result<&Self, String> {
        if self.status == status {
            return Ok(self);
        }
        let start: String = String::from_utf8_lossy(&self.bytes)
            .chars()
            .take(300)
            .collect();
        Err(format!(
            "{} was answered with {} and not {status}: {start}",
            self.name, self.status
        ))
    }

    /// The body, of a type of the contract.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.bytes)
            .map_err(|error| format!("{}: the answer is not of its type: {error}", self.name))
    }

    /// Whether it is this problem, whole: status, media type and type.
    pub(crate) fn problem(&self, kind: ProblemType) -> Result<(), String> {
        self.expect(kind.status())?;
        let media = self.header("content-type").unwrap_or_default();
        if !media.starts_with(wire::problem::PROBLEM_JSON) {
            return Err(format!(
                "{}: the error is {media:?}, no problem+json",
                self.name
            ));
        }
        let problem: Problem = self.json()?;
        if problem.problem_type() != Some(kind) || problem.status != kind.status() {
            return Err(format!(
                "{}: the problem is {} with status {}, not {}",
                self.name,
                problem.kind,
                problem.status,
                kind.uri()
            ));
        }
        Ok(())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
