//! One request and its answer. In this order, so that nothing is spent on who may not ask: the
//! operation is found, the caller is judged, the formats are agreed on, the body is read within
//! its limits, and only then a handler is called, where blocking is allowed.
//!
//! The log gets the request's id, the operation and the caller's id; never a path, a body or a
//! detail, in which a person's id may stand.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use wire::limits::{
    IN_FLIGHT_PER_CALLER_MAX, REQUEST_TIME_MAX, RETRY_AFTER, TURN_TIME_MAX, UNPACKING_ALWAYS_BYTES,
    UNPACKING_RATIO_MAX,
};
use wire::openapi::{BYTES, CSV, PICTURES};
use wire::operation::Content;
use wire::packing::{ACCEPTED, Packing, UnpackError, Unpacker, unpack};
use wire::problem::{PROBLEM_JSON, Problem, ProblemType};
use wire::{Access, Operation, Scope};

use super::body::Outgoing;
use super::peer::{self, Peer, Sender};
use crate::auth::{Caller, Credentials, authorise};
use crate::bodies::Share;
use crate::ca::hex;
use crate::call::{Call, Format};
use crate::handlers;
use crate::hub::{Hub, InFlight};
use crate::metrics;
use crate::reply::{Failure, Reply, ReplyBody, chain};
use crate::route::{self, Route};

/// How much of a body is taken in and thrown away behind a refusal, and for how long.
const DISCARDED_BYTES_MAX: usize = 1 << 20;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(5);

/// Answers with fewer bytes are not worth packing.
const PACKED_FROM_BYTES: usize = 1024;

const JSON: &str = "application/json";

/// Statuses of those who are not let in, or come too often.
const REFUSALS: [u16; 3] = [401, 403, 429];

/// Answers a request.
pub(super) async fn answer(
    hub: &Arc<Hub>,
    peer: &Peer,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let began = Instant::now();
    let id = request_id();
    let mut seen = Seen::default();
    let (parts, body) = request.into_parts();
    // Whoever asks before sending a body has sent nothing of it, and is told at once.
    let asks_first = parts.headers.contains_key(header::EXPECT);
    let mut unread = Some(body);
    let done = perform(hub, peer, parts, &mut unread, &mut seen).await;
    let unread = unread
        .take()
        .filter(|body| !asks_first && !body.is_end_stream());
    if let Some(body) = unread {
        // Who is refused before the body was read is still sending it, and would see a broken
        // connection in place of the answer.
        let _ = timeout(DISCARD_TIME_MAX, collect(body, DISCARDED_BYTES_MAX, None)).await;
    }
    let (response, cause) = match done {
        Ok((reply, packing)) => (respond(reply, packing, &seen, &id), None),
        Err(mut failure) => {
            let cause = failure.cause.take();
            (refuse(failure, &id), cause)
        }
    };
    let status = response.status().as_u16();
    let elapsed = began.elapsed();
    hub.metrics.request(seen.operation, status, elapsed);
    let (operation, ms) = (seen.operation, elapsed.as_millis());
    let caller = seen.caller.as_deref().unwrap_or("-");
    match cause {
        Some(cause) => {
            tracing::error!(request = id, operation, caller, status, ms, cause, "failed");
        }
        None if REFUSALS.contains(&status) => {
            let peer = seen
                .address
                .map_or_else(|| "-".to_owned(), |ip| ip.to_string());
            tracing::info!(request = id, operation, caller, status, ms, peer, "refused");
        }
        None => tracing::info!(request = id, operation, caller, status, ms, "answered"),
    }
    Ok(response)
}

/// What is known of a request so far, for the log.
struct Seen {
    operation: &'static str,
    caller: Option<String>,
    /// Who is refused is found by the address; who is served needs none in the log.
    address: Option<IpAddr>,
    status: u16,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            operation: "none",
            caller: None,
            address: None,
            status: 200,
        }
    }
}

async fn perform(
    hub: &Arc<Hub>,
    peer: &Peer,
    parts: Parts,
    unread: &mut Option<Incoming>,
    seen: &mut Seen,
) -> Result<(Reply, Option<Packing>), Failure> {
    let packing = accepted_packing(&parts.headers);
    let sender = peer.sender(&parts.headers, hub.now())?;
    seen.address = sender.address;
    let _one_of_its = count_address(hub, &sender)?;
    let is_ambiguous = parts.headers.get_all(header::AUTHORIZATION).iter().count() > 1;
    let credentials = Credentials {
        bearer: bearer(&parts.headers),
        certificate: sender.certificate,
    };
    let (operation, path) = match route::find(parts.method.as_str(), parts.uri.path()) {
        Route::Operation(operation, path) => (operation, path),
        Route::Health => {
            seen.operation = "healthz";
            return Ok((Reply::of("text/plain", "ok\n"), packing));
        }
        Route::Ready => {
            seen.operation = "readyz";
            return ready(hub).await.map(|reply| (reply, packing));
        }
        Route::Metrics => {
            seen.operation = "metrics";
            return measured(hub, credentials, seen)
                .await
                .map(|reply| (reply, packing));
        }
        Route::Page(file) => {
            seen.operation = "page";
            return Ok((file.reply(), packing));
        }
        Route::Method(allow) => {
            let detail = format!("the path has the methods {allow}");
            return Err(Failure {
                allow: Some(allow),
                ..Failure::new(ProblemType::MethodNotAllowed, detail)
            });
        }
        Route::Nowhere => return Err(nowhere()),
    };
    seen.operation = operation.id;
    seen.status = operation.status;
    if is_ambiguous && operation.access != Access::Anyone {
        return Err(Failure::malformed(
            "there are two Authorization headers; send one",
        ));
    }
    let (caller, _in_flight) = admit(hub, operation.access, credentials, seen).await?;
    let format = request_format(operation, &parts.headers)?;
    let answer = answer_format(operation, &parts.headers)?;
    let body = read_body(hub, operation, &caller, &parts.headers, unread).await?;
    let query = route::query(parts.uri.query().unwrap_or_default())
        .ok_or_else(|| Failure::malformed("the query is not percent-encoded UTF-8"))?;
    let call = Call {
        operation,
        now: hub.now(),
        caller,
        path,
        query,
        if_none_match: text_of(&parts.headers, header::IF_NONE_MATCH.as_str()),
        range: text_of(&parts.headers, header::RANGE.as_str())
            .filter(|_| parts.method == hyper::Method::GET),
        if_range: text_of(&parts.headers, header::IF_RANGE.as_str()),
        last_event: text_of(&parts.headers, "last-event-id"),
        format,
        answer,
        packing,
        body: Vec::new(),
    };
    let _turn = match operation.request == Content::Picture {
        true => Some(turn(&hub.pictures).await?),
        false => None,
    };
    let reply = blocking(hub, move |hub| handle(hub, call, body)).await?;
    Ok((reply, packing))
}

fn nowhere() -> Failure {
    let detail = format!(
        "there is nothing; {}/openapi.json has all paths",
        wire::BASE
    );
    Failure::new(ProblemType::NotFound, detail)
}

/// Counts a request that came through a proxy among those of its sender's address.
fn count_address(hub: &Arc<Hub>, sender: &Sender) -> Result<Option<InFlight>, Failure> {
    let Some(address) = sender.address.filter(|_| sender.is_uncounted) else {
        return Ok(None);
    };
    match hub.enter(peer::place_of(address), hub.connections_per_address) {
        Some(in_flight) => Ok(Some(in_flight)),
        None => Err(Failure::new(
            ProblemType::TooMany,
            "this address has too many requests under way; wait for some of them",
        )),
    }
}

/// Judges the caller, and counts the request among the caller's.
async fn admit(
    hub: &Arc<Hub>,
    access: Access,
    credentials: Credentials,
    seen: &mut Seen,
) -> Result<(Caller, Option<InFlight>), Failure> {
    if access == Access::Anyone {
        return Ok((Caller::Anyone, None));
    }
    let now = hub.now();
    let caller = blocking(hub, move |hub| {
        authorise(hub.store.as_ref(), access, &credentials, now)
    })
    .await?;
    seen.caller = caller.name();
    let Some(name) = caller.name() else {
        return Ok((caller, None));
    };
    match hub.enter(name, IN_FLIGHT_PER_CALLER_MAX) {
        Some(in_flight) => Ok((caller, Some(in_flight))),
        None => Err(Failure::new(
            ProblemType::TooMany,
            "this caller has too many requests under way; wait for some of them",
        )),
    }
}

/// Calls the handler and packs what it answers.
fn handle(hub: &Arc<Hub>, mut call: Call, body: ReadBody) -> Result<Reply, Failure> {
    call.body = match body.packing {
        Some(packing) => unpack(packing, &body.bytes, call.operation.request_bytes_max)
            .map_err(|error| not_unpacked(&error))?,
        None => body.bytes,
    };
    if !call.operation.query.is_empty() {
        call.check_query()?;
    }
    let handler = handlers::find(call.operation.id)
        .ok_or_else(|| Failure::internal("the operation has no handler", &call.operation.id))?;
    let mut reply = handler(hub, &call)?;
    if let ReplyBody::Whole(kind, bytes) = &reply.body
        && let Some(packing) = call.packing
        && bytes.len() >= PACKED_FROM_BYTES
    {
        let packed = packing.pack(bytes);
        let packed = packed.map_err(|error| Failure::internal("packing", &error))?;
        reply.body = ReplyBody::Packed(kind, packing, packed.into());
    }
    Ok(reply)
}

fn not_unpacked(error: &UnpackError) -> Failure {
    let kind = match error {
        UnpackError::TooLarge { .. } | UnpackError::TooPacked => ProblemType::TooLarge,
        UnpackError::Broken { .. } => ProblemType::Malformed,
    };
    Failure::new(kind, chain(error))
}

async fn ready(hub: &Arc<Hub>) -> Result<Reply, Failure> {
    if hub.is_stopping() {
        return Err(Failure::new(
            ProblemType::Unavailable,
            "the hub is stopping",
        ));
    }
    blocking(hub, |hub| {
        hub.store.check()?;
        Ok(Reply::of("text/plain", "ready\n"))
    })
    .await
}

async fn measured(
    hub: &Arc<Hub>,
    credentials: Credentials,
    seen: &mut Seen,
) -> Result<Reply, Failure> {
    let access = Access::Key(Scope::MetricsRead);
    let (_, _in_flight) = admit(hub, access, credentials, seen).await?;
    blocking(hub, |hub| {
        let text = hub.metrics.text(&hub.store.totals()?);
        Ok(Reply::of(metrics::CONTENT_TYPE, text))
    })
    .await
}

/// Does something where blocking is allowed, when it is its turn.
async fn blocking<T: Send + 'static>(
    hub: &Arc<Hub>,
    work: impl FnOnce(&Arc<Hub>) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let permit = turn(&hub.blocking).await?;
    let hub = hub.clone();
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&hub)
    });
    match done.await {
        Ok(done) => done,
        Err(error) => Err(Failure::internal("a handler", &error)),
    }
}

async fn turn(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
    let waiting = semaphore.clone().acquire_owned();
    match timeout(TURN_TIME_MAX, waiting).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(Failure::new(
            ProblemType::Unavailable,
            "the hub has too much to do; try again later",
        )),
    }
}

/// A request's body as it came.
struct ReadBody {
    bytes: Vec<u8>,
    packing: Option<Packing>,
    /// Its share of the memory for bodies.
    _share: Option<Share>,
}

async fn read_body(
    hub: &Arc<Hub>,
    operation: &Operation,
    caller: &Caller,
    headers: &HeaderMap,
    unread: &mut Option<Incoming>,
) -> Result<ReadBody, Failure> {
    let Some(body) = unread
        .as_ref()
        .filter(|_| operation.request != Content::None)
    else {
        return Ok(ReadBody {
            bytes: Vec::new(),
            packing: None,
            _share: None,
        });
    };
    let most = operation.request_bytes_max;
    let too_large = || {
        let detail = format!("a body of this operation has at most {most} bytes");
        Failure::new(ProblemType::TooLarge, detail)
    };
    let packing = body_packing(headers)?;
    let announced = body.size_hint().exact();
    if announced.is_some_and(|bytes| bytes > most as u64) {
        return Err(too_large());
    }
    let Some(body) = unread.take() else {
        return Err(Failure::internal("a body", &"it is gone"));
    };
    let mut share = hub.bodies.share(&caller.name().unwrap_or_default());
    let read = timeout(REQUEST_TIME_MAX, collect(body, most, Some(&mut share))).await;
    let read = read.map_err(|_| {
        let detail = format!("the body took more than {} s", REQUEST_TIME_MAX.as_secs());
        Failure::new(ProblemType::RequestTimeout, detail)
    })?;
    let bytes = read?.ok_or_else(too_large)?;
    if packing.is_some() {
        // What it comes to is only known when it is unpacked.
        let grown = bytes.len().saturating_mul(UNPACKING_RATIO_MAX);
        share
            .grow_to(most.min(grown.max(UNPACKING_ALWAYS_BYTES)))
            .await?;
    }
    Ok(ReadBody {
        bytes,
        packing,
        _share: Some(share),
    })
}

/// All bytes of a body, or none of them where no memory for them is given; none when there are
/// more than so many.
async fn collect(
    mut body: Incoming,
    most: usize,
    mut share: Option<&mut Share>,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut bytes = Vec::new();
    let mut count = 0;
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let frame = frame.transpose().map_err(|error| {
            tracing::debug!(error = chain(&error), "a body broke off");
            Failure::malformed("the body broke off")
        })?;
        let Some(frame) = frame else {
            return Ok(Some(bytes));
        };
        if let Ok(data) = frame.into_data() {
            count += data.len();
            if count > most {
                return Ok(None);
            }
            if let Some(share) = &mut share {
                share.grow_to(count).await?;
                bytes.extend_from_slice(&data);
            }
        }
    }
}

/// What a request's body is packed by; none for a plain one.
fn body_packing(headers: &HeaderMap) -> Result<Option<Packing>, Failure> {
    let name = text_of(headers, header::CONTENT_ENCODING.as_str()).unwrap_or_default();
    if matches!(name.trim(), "" | "identity") {
        return Ok(None);
    }
    Packing::from_name(&name).map(Some).ok_or_else(|| {
        let detail = format!("a body is plain, or one of {ACCEPTED} (Content-Encoding)");
        Failure::new(ProblemType::UnsupportedMediaType, detail)
    })
}

/// What the answer may be packed by: what is liked best, and of several the better one. Whoever
/// takes anything gets gzip, which everybody reads.
fn accepted_packing(headers: &HeaderMap) -> Option<Packing> {
    let accepted = text_of(headers, header::ACCEPT_ENCODING.as_str()).unwrap_or_default();
    let mut best: Option<(f32, Packing)> = None;
    for packing in Packing::ALL {
        let names: &[&str] = match packing {
            Packing::Zstd => &["zstd"],
            Packing::Gzip => &["gzip", "*"],
        };
        let weight = weight_of(&accepted, names).unwrap_or(0.0);
        if weight > best.map_or(0.0, |(best, _)| best) {
            best = Some((weight, packing));
        }
    }
    best.map(|(_, packing)| packing)
}

/// The weight of the first of some names that a list of accepted things has.
fn weight_of(accepted: &str, names: &[&str]) -> Option<f32> {
    let items: Vec<_> = accepted.split(',').map(weighted).collect();
    names.iter().find_map(|name| {
        items
            .iter()
            .find(|(item, _)| item.eq_ignore_ascii_case(name))
            .map(|(_, weight)| *weight)
    })
}

/// An item of a list of accepted things, and its weight.
fn weighted(item: &str) -> (&str, f32) {
    let mut parts = item.split(';');
    let name = parts.next().unwrap_or_default().trim();
    let weight = parts
        .filter_map(|part| part.trim().strip_prefix("q=")?.trim().parse::<f32>().ok())
        .next();
    (name, weight.unwrap_or(1.0))
}

fn request_format(operation: &Operation, headers: &HeaderMap) -> Result<Format, Failure> {
    let kind = text_of(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    let known: &[&str] = match operation.request {
        Content::None => return Ok(Format::Main),
        Content::Json(_) => &[JSON],
        Content::JsonOrCsv(_) => &[JSON, CSV],
        Content::Picture => &PICTURES,
        Content::Bytes => &[BYTES],
        Content::Text(kind) => &[kind],
        Content::Events(_) => &[],
    };
    match known.iter().find(|known| **known == kind) {
        Some(&CSV) => Ok(Format::Csv),
        Some(_) => Ok(Format::Main),
        None => Err(Failure::new(
            ProblemType::UnsupportedMediaType,
            format!("the operation reads {} (Content-Type)", known.join(", ")),
        )),
    }
}

fn answer_format(operation: &Operation, headers: &HeaderMap) -> Result<Format, Failure> {
    let offered: &[(&str, Format)] = match operation.answer {
        Content::None | Content::Picture => return Ok(Format::Main),
        Content::Bytes => &[(BYTES, Format::Main)],
        Content::Json(_) => &[(JSON, Format::Main)],
        Content::JsonOrCsv(_) => &[(JSON, Format::Main), (CSV, Format::Csv)],
        Content::Text(kind) => &[(kind, Format::Main)],
        Content::Events(_) => &[("text/event-stream", Format::Main)],
    };
    let Some(accepted) = text_of(headers, header::ACCEPT.as_str()).filter(|a| !a.is_empty()) else {
        return Ok(Format::Main);
    };
    let mut best: Option<(f32, Format)> = None;
    for (kind, format) in offered {
        let family = format!("{}/*", kind.split('/').next().unwrap_or_default());
        let weight = weight_of(&accepted, &[kind, &family, "*/*"]).unwrap_or(0.0);
        if weight > best.map_or(0.0, |(best, _)| best) {
            best = Some((weight, *format));
        }
    }
    best.map(|(_, format)| format).ok_or_else(|| {
        let kinds: Vec<_> = offered.iter().map(|(kind, _)| *kind).collect();
        let detail = format!("the operation answers {} (Accept)", kinds.join(", "));
        Failure::new(ProblemType::NotAcceptable, detail)
    })
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let text = text_of(headers, header::AUTHORIZATION.as_str())?;
    let (scheme, credential) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| credential.trim().to_owned())
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn respond(reply: Reply, accepted: Option<Packing>, seen: &Seen, id: &str) -> Response<Outgoing> {
    let (kind, packed, body) = match reply.body {
        ReplyBody::Empty => (None, None, Outgoing::Whole(None)),
        ReplyBody::Whole(kind, bytes) => (Some(kind), None, Outgoing::whole(bytes)),
        ReplyBody::Packed(kind, packing, bytes) if accepted == Some(packing) => {
            (Some(kind), accepted, Outgoing::whole(bytes))
        }
        ReplyBody::Packed(kind, packing, bytes) => {
            (Some(kind), None, Outgoing::whole(unpacked(packing, &bytes)))
        }
        ReplyBody::File(file, from, count) => {
            (Some(BYTES), None, Outgoing::of_file(file, from, count))
        }
        ReplyBody::Stream(kind, receiver) => (Some(kind), None, Outgoing::Stream(receiver)),
    };
    let mut response = Response::new(body);
    let status = reply.status.unwrap_or(seen.status);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    common_headers(headers, id);
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(
            header::VARY,
            HeaderValue::from_static("Accept, Accept-Encoding"),
        );
    }
    if let Some(packing) = packed {
        let name = HeaderValue::from_static(packing.name());
        headers.insert(header::CONTENT_ENCODING, name);
    }
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// What this process packed itself, for the rare caller who does not take it so.
fn unpacked(packing: Packing, packed: &[u8]) -> Bytes {
    let unpacked = Unpacker::new(packing, usize::MAX).and_then(|mut unpacker| {
        unpacker.push(packed)?;
        unpacker.finish()
    });
    unpacked.map_or_else(|_| Bytes::new(), Bytes::from)
}

fn refuse(failure: Failure, id: &str) -> Response<Outgoing> {
    let mut problem = Problem::new(failure.kind, failure.detail);
    problem.request = Some(id.to_owned());
    // A problem is strings and numbers, which JSON can always hold.
    let bytes = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Outgoing::whole(bytes.into()));
    *response.status_mut() =
        StatusCode::from_u16(failure.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    common_headers(headers, id);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    match failure.kind {
        ProblemType::Unauthenticated | ProblemType::CertificateExpired => {
            let needed = HeaderValue::from_static("Bearer, ClientCertificate");
            headers.insert(header::WWW_AUTHENTICATE, needed);
        }
        ProblemType::TooMany | ProblemType::Unavailable => {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(RETRY_AFTER.as_secs()),
            );
        }
        ProblemType::TooLarge | ProblemType::RequestTimeout => {
            // The rest of the body is not waited for.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    let content_range = failure.content_range.as_deref();
    if let Some(range) = content_range.and_then(|range| HeaderValue::from_str(range).ok()) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    if let Some(allow) = failure
        .allow
        .and_then(|allow| HeaderValue::from_str(&allow).ok())
    {
        headers.insert(header::ALLOW, allow);
    }
    response
}

fn common_headers(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-request-id", id);
    }
    // So a client knows what it may pack its next body by (RFC 9110 §12.5.3).
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    // Nothing that is answered here belongs into a cache of somebody else.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
}

/// A random id, or where the system gives none, a fixed one: an answer without an id is better
/// than none.
fn request_id() -> String {
    let mut bytes = [0; 8];
    let mut id = String::new();
    match getrandom::fill(&mut bytes) {
        Ok(()) => id.push_str(&hex(&bytes)),
        // Writing to a String cannot fail.
        Err(_) => drop(write!(id, "unknown")),
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> &'static Operation {
        wire::OPERATIONS.iter().find(|o| o.id == id).unwrap()
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn the_answer_s_format_is_the_one_that_is_liked_best() {
        let check = |operation: &str, accept: &str, expect: Option<Format>| {
            let format = answer_format(row(operation), &headers("accept", accept));
            assert_eq!(format.ok(), expect, "{operation}: {accept}");
        };
        check("getRoll", "*/*", Some(Format::Main));
        check("getRoll", "", Some(Format::Main));
        check("getRoll", "text/csv", Some(Format::Csv));
        check("getRoll", "text/*", Some(Format::Csv));
        check(
            "getRoll",
            "text/csv;q=0.5, application/json;q=0.4",
            Some(Format::Csv),
        );
        check("getRoll", "text/csv;q=0, */*", Some(Format::Main));
        check("getRoll", "image/png", None);
        check("getRoom", "text/csv", None);
        check("cancelMeeting", "image/png", Some(Format::Main));
    }

    #[test]
    fn only_what_is_read_is_taken() {
        let check = |operation: &str, kind: &str, expect: Option<Format>| {
            let format = request_format(row(operation), &headers("content-type", kind));
            assert_eq!(format.ok(), expect, "{operation}: {kind}");
        };
        check("putRoster", "application/json", Some(Format::Main));
        check(
            "putRoster",
            "Application/JSON; charset=utf-8",
            Some(Format::Main),
        );
        check("putRoster", "text/csv; charset=utf-8", Some(Format::Csv));
        check("putRoom", "text/csv", None);
        check("putPortrait", "image/png", Some(Format::Main));
        check("putPortrait", "image/svg+xml", None);
        check("getRoom", "whatever", Some(Format::Main));
    }

    #[test]
    fn answers_are_packed_where_that_is_taken() {
        let check = |accept: &str, expect: Option<Packing>| {
            let packing = accepted_packing(&headers("accept-encoding", accept));
            assert_eq!(packing, expect, "{accept}");
        };
        check("gzip", Some(Packing::Gzip));
        check("br, gzip;q=0.3", Some(Packing::Gzip));
        check("zstd", Some(Packing::Zstd));
        check("gzip, ZSTD", Some(Packing::Zstd));
        check("gzip, zstd;q=0.9", Some(Packing::Gzip));
        check("gzip;q=0, zstd;q=0.1", Some(Packing::Zstd));
        check("zstd;q=0, *", Some(Packing::Gzip));
        check("*", Some(Packing::Gzip));
        check("gzip;q=0", None);
        check("gzip;q=0, *", None);
        check("zstd;q=0", None);
        check("br", None);
        check("", None);
    }
}
