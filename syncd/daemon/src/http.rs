//! Requests to the hub and their answers, each within limits of time and size. Nothing is followed
//! elsewhere, and nothing but https is spoken.

use std::error::Error as _;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Method, Proxy, Url};
use rustls::ClientConfig;
use sync::fate::HttpAnswer;
use sync::{Answer, Http, TransportError};

use crate::config::HubConfig;

/// How long connecting may take, the handshake included.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);

/// How long one request may take from the beginning to the end of its answer.
const REQUEST_TIME_MAX: Duration = wire::limits::REQUEST_TIME_MAX;

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
}

impl Client {
    /// A way to the hub of a configuration, over this TLS.
    ///
    /// # Errors
    /// [`HttpError`] names the key of the configuration.
    pub fn new(config: &HubConfig, tls: ClientConfig) -> Result<Self, HttpError> {
        let base = base(&config.url)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIME_MAX)
            .timeout(REQUEST_TIME_MAX)
            .pool_max_idle_per_host(1)
            .no_proxy();
        if !config.proxy.is_empty() {
            let proxy = Proxy::https(&config.proxy)
                .map_err(|error| HttpError::Proxy(config.proxy.clone(), error))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(HttpError::Client)?;
        Ok(Self { client, base })
    }

    /// Sends a request, with a bearer's token where there is one.
    pub async fn send(&self, http: &Http, bearer: Option<&str>) -> Answer {
        let method = Method::from_bytes(http.method.as_bytes())
            .expect("the table of operations has methods of HTTP");
        let url = self
            .base
            .join(&http.path)
            .map_err(|_| TransportError::Broken)?;
        let mut request = self.client.request(method, url);
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        if let Some(etag) = &http.if_none_match {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(body) = &http.body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            request = if body.len() < PACKED_BYTES_MIN {
                request.body(body.clone())
            } else {
                request
                    .header(header::CONTENT_ENCODING, "gzip")
                    .body(pack(body))
            };
        }
        let mut response = request.send().await.map_err(|error| fate(&error))?;
        let mut answer = HttpAnswer {
            status: response.status().as_u16(),
            etag: text(response.headers(), header::ETAG),
            retry_after: text(response.headers(), header::RETRY_AFTER),
            date: text(response.headers(), header::DATE),
            body: Vec::new(),
        };
        // The chunks are unpacked ones: a bomb grows no further than the limit.
        while let Some(chunk) = response.chunk().await.map_err(|error| fate(&error))? {
            if answer.body.len() + chunk.len() > http.answer_bytes_max {
                return Err(TransportError::TooLarge);
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
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

fn pack(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::fast());
    encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .expect("memory takes all bytes")
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// What it means that there is no answer.
fn fate(error: &reqwest::Error) -> TransportError {
    let untrusted = causes(error).iter().any(|cause| {
        matches!(
            tls(*cause),
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
        )
    });
    if untrusted {
        TransportError::Untrusted
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
    use super::*;

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
