//! Requests to the hub and their answers, each within limits of time and size. Nothing is followed
//! elsewhere, and nothing but https is spoken.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Method, Proxy, Response, StatusCode, Url};
use rustls::{CertificateError, ClientConfig};
use sync::fate::HttpAnswer;
use sync::{Answer, Http, TransportError};
use wire::limits::{KEPT_HEADER_BYTES_MAX, REQUEST_TIME_MAX};
use wire::packing::{ACCEPTED, Packing, UnpackError, Unpacker};

use crate::config::HubConfig;

/// How long connecting may take, the handshake included.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);

/// Bodies below this are not worth packing.
const PACKED_BYTES_MIN: usize = 1024;

/// Why no request can be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not one of a hub.
    #[error("hub.url `{0}` is not an address of a hub; it is https://HOST or https://HOST:PORT")]
    Url(String),
    /// The proxy's address is none.
    #[error("hub.proxy `{0}` is not an address of a proxy")]
    Proxy(String, #[source] reqwest::Error),
    /// The HTTP client cannot be made.
    #[error("HTTP cannot be spoken")]
    Client(#[source] reqwest::Error),
}

/// The way to the hub.
#[derive(Debug, Clone)]
pub struct Client {
    client: reqwest::Client,
    base: Url,
    /// Whether the hub's last answer said that it takes bodies packed by zstd. gzip it always does.
    takes_zstd: Arc<AtomicBool>,
}

impl Client {
    /// A way to the hub of a configuration, over this TLS.
    ///
    /// # Errors
    /// [`HttpError`] names the key of the configuration.
    pub fn new(config: &HubConfig, tls: ClientConfig) -> Result<Self, HttpError> {
        Self::within(REQUEST_TIME_MAX, config, tls)
    }

    /// The same, where a request may take only so long.
    fn within(
        time_max: Duration,
        config: &HubConfig,
        tls: ClientConfig,
    ) -> Result<Self, HttpError> {
        let base = base(&config.url)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIME_MAX)
            .timeout(time_max)
            .pool_max_idle_per_host(1)
            .no_proxy();
        if !config.proxy.is_empty() {
            let proxy = Proxy::https(&config.proxy)
                .map_err(|error| HttpError::Proxy(config.proxy.clone(), error))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(HttpError::Client)?;
        Ok(Self {
            client,
            base,
            takes_zstd: Arc::default(),
        })
    }

    /// Sends a request, with a bearer's token where there is one.
    pub async fn send(&self, http: &Http, bearer: Option<&str>) -> Answer {
        let packing = match self.takes_zstd.load(Ordering::Relaxed) {
            true => Packing::Zstd,
            false => Packing::Gzip,
        };
        let mut response = self.ask(http, bearer, packing).await?;
        let refused = response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE;
        if refused && packing != Packing::Gzip && http.body.is_some() {
            // Another hub than the one that said so: an older one, put back.
            response = self.ask(http, bearer, Packing::Gzip).await?;
        }
        read(response, http.answer_bytes_max).await
    }

    /// Sends a request, and gives the answer when its head is there.
    async fn ask(
        &self,
        http: &Http,
        bearer: Option<&str>,
        packing: Packing,
    ) -> Result<Response, TransportError> {
        let method = Method::from_bytes(http.method.as_bytes())
            .expect("the table of operations has methods of HTTP");
        let url = self
            .base
            .join(&http.path)
            .map_err(|_| TransportError::Broken)?;
        let mut request = self.client.request(method, url);
        request = request.header(header::ACCEPT_ENCODING, ACCEPTED);
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        if let Some(etag) = &http.if_none_match {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some((from, to, tag)) = &http.range {
            request = request.header(header::RANGE, format!("bytes={from}-{to}"));
            request = request.header(header::IF_RANGE, tag);
        }
        if let Some(body) = &http.body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            request = if body.len() < PACKED_BYTES_MIN {
                request.body(body.clone())
            } else {
                request
                    .header(header::CONTENT_ENCODING, packing.name())
                    .body(packing.pack(body).expect("memory takes all bytes"))
            };
        }
        let response = request.send().await.map_err(|error| fate(&error))?;
        let accepted = text(response.headers(), header::ACCEPT_ENCODING).unwrap_or_default();
        let takes_zstd = accepted
            .split(',')
            .any(|name| Packing::from_name(name) == Some(Packing::Zstd));
        self.takes_zstd.store(takes_zstd, Ordering::Relaxed);
        Ok(response)
    }
}

/// Reads an answer to its end, unpacked, and no further than the limit.
async fn read(mut response: Response, bytes_max: usize) -> Answer {
    let mut answer = HttpAnswer {
        status: response.status().as_u16(),
        etag: text(response.headers(), header::ETAG),
        retry_after: text(response.headers(), header::RETRY_AFTER),
        content_range: text(response.headers(), header::CONTENT_RANGE),
        date: text(response.headers(), header::DATE),
        body: Vec::new(),
    };
    let announced = response.content_length().unwrap_or(0);
    if announced > bytes_max as u64 {
        return Err(TransportError::TooLarge);
    }
    let mut unpacker = match text(response.headers(), header::CONTENT_ENCODING) {
        None => None,
        Some(name) if name.trim().eq_ignore_ascii_case("identity") => None,
        Some(name) => {
            let packing = Packing::from_name(&name).ok_or(TransportError::Broken)?;
            Some(Unpacker::new(packing, bytes_max).map_err(|error| unpacking(&error))?)
        }
    };
    let mut count = 0;
    while let Some(chunk) = response.chunk().await.map_err(|error| fate(&error))? {
        count += chunk.len();
        if count > bytes_max {
            return Err(TransportError::TooLarge);
        }
        match &mut unpacker {
            Some(unpacker) => unpacker.push(&chunk).map_err(|error| unpacking(&error))?,
            None => answer.body.extend_from_slice(&chunk),
        }
    }
    if let Some(unpacker) = unpacker.filter(|_| count > 0) {
        answer.body = unpacker.finish().map_err(|error| unpacking(&error))?;
    }
    Ok(answer)
}

/// What it means that an answer cannot be unpacked.
fn unpacking(error: &UnpackError) -> TransportError {
    match error {
        UnpackError::TooLarge { .. } | UnpackError::TooPacked => TransportError::TooLarge,
        UnpackError::Broken { .. } => TransportError::Broken,
    }
}

/// The address of a hub: https, a host, nothing else.
fn base(text: &str) -> Result<Url, HttpError> {
    let wrong = || HttpError::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = url.scheme() == "https"
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    if plain { Ok(url) } else { Err(wrong()) }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (text.len() <= KEPT_HEADER_BYTES_MAX).then(|| text.to_owned())
}

/// What it means that there is no answer.
fn fate(error: &reqwest::Error) -> TransportError {
    let refused = causes(error)
        .into_iter()
        .find_map(|cause| tls(cause).and_then(distrust));
    if let Some(refused) = refused {
        refused
    } else if error.is_timeout() {
        TransportError::TimedOut
    } else if error.is_connect() {
        if causes(error)
            .iter()
            .any(|cause| cause.to_string().contains("tunnel"))
        {
            TransportError::Proxy
        } else {
            TransportError::Unreachable
        }
    } else {
        TransportError::Broken
    }
}

/// Why the hub's certificate is not believed, where it is that.
fn distrust(error: &rustls::Error) -> Option<TransportError> {
    match error {
        rustls::Error::InvalidCertificate(wrong) => Some(match wrong {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                TransportError::HubExpired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TransportError::HubNotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TransportError::HubMisnamed
            }
            _ => TransportError::Untrusted,
        }),
        rustls::Error::NoCertificatesPresented => Some(TransportError::Untrusted),
        _ => None,
    }
}

/// The error of TLS in another one. An error of input and output hides what it carries from
/// `source`, and may carry another of its kind.
fn tls<'a>(mut error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    loop {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        error = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    }
}

/// What an error came from, and so on.
fn causes(error: &reqwest::Error) -> Vec<&(dyn std::error::Error + 'static)> {
    let mut all = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        all.push(cause);
        next = cause.source();
    }
    all
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData as _};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use sha2::{Digest as _, Sha256};
    use vocabulary::{Digest, WallTime};

    use super::*;
    use crate::trust::{LatestClock, pinned};

    /// A request is answered with this, and then nothing more comes.
    async fn check_stalled(said: &'static [u8]) {
        let key = KeyPair::generate().unwrap();
        let authority = Digest(Sha256::digest(key.subject_public_key_info()).into());
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        let server_key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let issuer = Issuer::new(params, key);
        let server = server.signed_by(&server_key, &issuer).unwrap();
        let chain = vec![server.der().clone(), root.der().clone()];
        let private = PrivatePkcs8KeyDer::from(server_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, private.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = HubConfig {
            url: format!(
                "https://localhost:{}",
                listener.local_addr().unwrap().port()
            ),
            ..HubConfig::default()
        };
        let serving = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let connection = rustls::ServerConnection::new(Arc::new(tls)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            stream.write_all(said).unwrap();
            // However it ends, it does when the client hangs up.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let tls = pinned(authority, b"", &LatestClock::new(WallTime(0))).unwrap();
        let client = Client::within(Duration::from_millis(500), &config, tls).unwrap();
        let http = Http {
            method: "GET",
            path: "/".to_owned(),
            body: None,
            if_none_match: None,
            range: None,
            answer_bytes_max: 1000,
        };
        assert_eq!(
            client.send(&http, None).await,
            Err(TransportError::TimedOut)
        );
        // Whoever waits must let the client hang up meanwhile.
        let serving = tokio::task::spawn_blocking(move || serving.join().unwrap());
        let most = Duration::from_secs(60);
        tokio::time::timeout(most, serving).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_stops_on_the_way_is_given_up() {
        check_stalled(b"").await;
        check_stalled(b"HTTP/1.1 200 X\r\nContent-Len").await;
        check_stalled(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n{").await;
    }

    #[test]
    fn a_header_that_is_too_long_is_as_good_as_none() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ETAG,
            "x".repeat(KEPT_HEADER_BYTES_MAX).parse().unwrap(),
        );
        assert!(text(&headers, header::ETAG).is_some());
        headers.insert(
            header::ETAG,
            "x".repeat(KEPT_HEADER_BYTES_MAX + 1).parse().unwrap(),
        );
        assert_eq!(text(&headers, header::ETAG), None);
    }

    #[test]
    fn an_error_of_tls_is_found_within_errors_of_input_and_output() {
        let found = rustls::CertificateError::UnknownIssuer;
        let inner = std::io::Error::other(rustls::Error::InvalidCertificate(found));
        assert!(tls(&std::io::Error::other(inner)).is_some());
        assert!(tls(&std::io::Error::other("closed")).is_none());
    }

    #[test]
    fn only_the_address_of_a_hub_is_taken() {
        for good in [
            "https://hub.example",
            "https://hub.example:8443/",
            "https://[::1]:1",
        ] {
            assert!(base(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "hub.example",
            "http://hub.example",
            "file:///etc/passwd",
            "https://a@hub.example",
            "https://hub.example/v1",
            "https://hub.example/?x",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }
}
