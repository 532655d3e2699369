//! What a city's proxy, which ended TLS before the hub, says of the client: its certificate and its
//! address. Read only from the listener that is meant for proxies; elsewhere these headers are
//! nobody's word and never looked at.
//!
//! Of each kind exactly one header counts, the one that the proxy is configured to set: a proxy
//! passes on whatever else its clients send.

use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderMap, HeaderName};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::reply::Failure;

/// Most bytes of a certificate in DER; a device's own has under one thousand.
const CERTIFICATE_BYTES_MAX: usize = 8 << 10;

/// The header in which a proxy passes the client's certificate on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CertificateHeader {
    /// `Client-Cert` of RFC 9440: DER in base64 between colons.
    #[default]
    ClientCert,
    /// `X-SSL-Client-Cert`: PEM, percent-encoded, as nginx's `$ssl_client_escaped_cert`.
    XSslClientCert,
}

/// The header in which a proxy passes the client's address on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressHeader {
    /// `X-Forwarded-For`: the last address is the one that the proxy saw.
    #[default]
    XForwardedFor,
    /// `Forwarded` of RFC 7239: `for=` of the last element.
    Forwarded,
}

/// No such header; carries the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no header that is read here; there are {known}")]
pub struct HeaderError {
    text: String,
    known: &'static str,
}

impl FromStr for CertificateHeader {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        match text.to_ascii_lowercase().as_str() {
            "client-cert" => Ok(Self::ClientCert),
            "x-ssl-client-cert" => Ok(Self::XSslClientCert),
            _ => Err(HeaderError {
                text: text.to_owned(),
                known: "client-cert and x-ssl-client-cert",
            }),
        }
    }
}

impl FromStr for AddressHeader {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        match text.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(HeaderError {
                text: text.to_owned(),
                known: "x-forwarded-for and forwarded",
            }),
        }
    }
}

/// The client's certificate; none where the proxy says that there is none. Whose it is, and who
/// signed it, is not looked at.
///
/// # Errors
/// A failure when the header stands there twice or is not of its form: the proxy is not set up as
/// it should be.
pub(super) fn certificate(
    from: CertificateHeader,
    headers: &HeaderMap,
) -> Result<Option<CertificateDer<'static>>, Failure> {
    let name = match from {
        CertificateHeader::ClientCert => "client-cert",
        CertificateHeader::XSslClientCert => "x-ssl-client-cert",
    };
    let wrong = || {
        Failure::malformed(format!(
            "the header {name}, which the proxy before this hub sets, is not one client \
             certificate; tell the hub's keeper"
        ))
    };
    let mut values = headers.get_all(HeaderName::from_static(name)).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(wrong());
    }
    let text = value.to_str().map_err(|_| wrong())?.trim();
    let read = match from {
        // HAProxy writes the colons also around nothing.
        CertificateHeader::ClientCert if text.is_empty() || text == "::" => return Ok(None),
        CertificateHeader::XSslClientCert if text.is_empty() => return Ok(None),
        CertificateHeader::ClientCert => between_colons(text),
        CertificateHeader::XSslClientCert => percent_encoded(text),
    };
    read.filter(|der| der.len() <= CERTIFICATE_BYTES_MAX)
        .map(Some)
        .ok_or_else(wrong)
}

fn between_colons(text: &str) -> Option<CertificateDer<'static>> {
    let inner = text.strip_prefix(':')?.strip_suffix(':')?;
    Some(CertificateDer::from(STANDARD.decode(inner).ok()?))
}

fn percent_encoded(text: &str) -> Option<CertificateDer<'static>> {
    let mut pem = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?].map(|d| char::from(d).to_digit(16));
            let [Some(high), Some(low)] = digits else {
                return None;
            };
            pem.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            pem.push(byte);
        }
    }
    let mut certificates = CertificateDer::pem_slice_iter(&pem);
    let first = certificates.next()?.ok()?;
    certificates.next().is_none().then_some(first)
}

/// The client's address as the proxy saw it; none where it does not say. What stands before the
/// last address came with the request, and so from anybody.
pub(super) fn address(from: AddressHeader, headers: &HeaderMap) -> Option<IpAddr> {
    let name = match from {
        AddressHeader::XForwardedFor => "x-forwarded-for",
        AddressHeader::Forwarded => "forwarded",
    };
    let last = headers
        .get_all(HeaderName::from_static(name))
        .iter()
        .next_back()?;
    let last = last.to_str().ok()?.rsplit(',').next()?.trim();
    match from {
        AddressHeader::XForwardedFor => node(last),
        AddressHeader::Forwarded => last
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| key.eq_ignore_ascii_case("for"))
            .and_then(|(_, value)| node(value.trim_matches('"'))),
    }
}

/// An address, with or without a port; of IPv6 also in brackets.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().ok();
    }
    text.parse()
        .ok()
        .or_else(|| text.split_once(':')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn pem() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::default();
        params.self_signed(&key).unwrap().pem()
    }

    fn escaped(pem: &str) -> String {
        let escape = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        pem.bytes().map(escape).collect()
    }

    #[test]
    fn a_certificate_is_read_in_both_forms_and_from_its_own_header_alone() {
        let pem = pem();
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let standard = format!(":{}:", STANDARD.encode(&der));
        let nginx = escaped(&pem);
        let all = headers(&[("client-cert", &standard), ("x-ssl-client-cert", &nginx)]);
        for from in [
            CertificateHeader::ClientCert,
            CertificateHeader::XSslClientCert,
        ] {
            assert_eq!(certificate(from, &all).unwrap(), Some(der.clone()));
        }
        let check = |from, pairs: &[(&'static str, &str)], expect: Option<bool>| {
            let read = certificate(from, &headers(pairs));
            assert_eq!(read.map(|der| der.is_some()).ok(), expect, "{pairs:?}");
        };
        let standard_form = CertificateHeader::ClientCert;
        check(standard_form, &[], Some(false));
        check(standard_form, &[("x-ssl-client-cert", &nginx)], Some(false));
        check(standard_form, &[("client-cert", "::")], Some(false));
        check(standard_form, &[("client-cert", "")], Some(false));
        check(standard_form, &[("client-cert", "none")], None);
        check(standard_form, &[("client-cert", &nginx)], None);
        check(standard_form, &[("client-cert", ":AA")], None);
        check(
            standard_form,
            &[("client-cert", &standard), ("client-cert", &standard)],
            None,
        );
        let two = format!("{standard}, {standard}");
        check(standard_form, &[("client-cert", &two)], None);
        let long = format!(":{}:", STANDARD.encode(vec![0; CERTIFICATE_BYTES_MAX + 1]));
        check(standard_form, &[("client-cert", &long)], None);
        let nginx_form = CertificateHeader::XSslClientCert;
        check(nginx_form, &[("client-cert", &standard)], Some(false));
        check(nginx_form, &[("x-ssl-client-cert", "")], Some(false));
        check(nginx_form, &[("x-ssl-client-cert", &standard)], None);
        check(nginx_form, &[("x-ssl-client-cert", "%4")], None);
        check(
            nginx_form,
            &[("x-ssl-client-cert", &escaped(&pem.repeat(2)))],
            None,
        );
    }

    #[test]
    fn of_addresses_the_last_one_counts() {
        let check = |from, values: &[&str], expect: Option<&str>| {
            let name = match from {
                AddressHeader::XForwardedFor => "x-forwarded-for",
                AddressHeader::Forwarded => "forwarded",
            };
            let pairs: Vec<_> = values.iter().map(|value| (name, *value)).collect();
            let expect = expect.map(|text| text.parse().unwrap());
            assert_eq!(address(from, &headers(&pairs)), expect, "{values:?}");
        };
        let plain = AddressHeader::XForwardedFor;
        check(plain, &["192.0.2.7"], Some("192.0.2.7"));
        check(plain, &["198.51.100.1, 192.0.2.7"], Some("192.0.2.7"));
        check(plain, &["198.51.100.1", "2001:db8::7"], Some("2001:db8::7"));
        check(plain, &["192.0.2.7:443"], Some("192.0.2.7"));
        check(plain, &["[2001:db8::7]:443"], Some("2001:db8::7"));
        check(plain, &["192.0.2.7, unknown"], None);
        check(plain, &[], None);
        let standard = AddressHeader::Forwarded;
        check(standard, &["for=192.0.2.7;proto=https"], Some("192.0.2.7"));
        check(
            standard,
            &["for=198.51.100.1, By=x; For=\"[2001:db8::7]:4711\""],
            Some("2001:db8::7"),
        );
        check(standard, &["for=_hidden"], None);
        check(standard, &["proto=https"], None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ -~]{0,200}") {
            let headers = headers(&[
                ("client-cert", &text), ("x-ssl-client-cert", &text),
                ("forwarded", &text), ("x-forwarded-for", &text),
            ]);
            let _ = certificate(CertificateHeader::ClientCert, &headers);
            let _ = certificate(CertificateHeader::XSslClientCert, &headers);
            let _ = address(AddressHeader::Forwarded, &headers);
            let _ = address(AddressHeader::XForwardedFor, &headers);
        }
    }
}
