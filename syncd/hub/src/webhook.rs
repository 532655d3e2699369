//! Records and events delivered to those who want to be told: signed as Standard Webhooks has it,
//! each as a CloudEvent, in their order, again and again for days until it is taken. How far each
//! webhook has been is in the store, so that any process goes on where another stopped.
//!
//! Nothing is delivered to an address of the hub's own network unless the operator allows it, no
//! redirect is followed, and what is answered is not read.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use vocabulary::WallTime;
use wire::limits::{
    ROLL_FOLLOWED_AFTER_END, WEBHOOK_DELIVERY_TIME_MAX, WEBHOOK_GIVEN_UP_AFTER,
    WEBHOOK_URL_BYTES_MAX,
};
use wire::webhook::{EventData, EventType};

use crate::ca::hex;
use crate::handlers::record_out;
use crate::hub::Hub;
use crate::model::{
    Commit, Cursor, Delivery, Event, EventKind, KeptWebhook, StoredRecord, Told, Webhook,
    WebhookState,
};
use crate::reply::chain;
use crate::store::StoreError;

/// Webhooks that are served at once.
const AT_ONCE: usize = 8;

/// Records, or events, that are read for a webhook at once.
const AT_A_TIME: u32 = 50;

/// Rolls that are revised in one go.
const ROLLS_AT_ONCE: u32 = 16;

/// For how long one process goes on with a webhook before it looks again what is due.
const SERVING_TIME_MAX: Duration = Duration::from_secs(60);

/// For how long a webhook is in the hand of one process: longer than it goes on with it, and not
/// much, since nobody else serves it until then when that process is killed.
const LEASE: Duration = Duration::from_secs(60 + 2 * 15);

/// How often it is looked what is due.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The waits between tries: each is drawn between half of it and all of it, so that a receiver
/// that comes back is not run over by everybody at once.
const WAITS_S: [u64; 8] = [5, 30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600];

/// What every secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Why an address cannot be a webhook's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    /// It is none.
    #[error("it is no address: {0}")]
    Malformed(String),
    /// It is not over TLS.
    #[error("it must begin with https://")]
    Scheme,
    /// It has a name and password in it, which would end up in logs.
    #[error("it must not contain a name or a password")]
    Credentials,
    /// It leads into the hub's own network.
    #[error("it leads to the private address {0}; the hub's operator may allow that")]
    Private(IpAddr),
}

/// Checks an address as far as that is possible without resolving its name, which is done at each
/// delivery.
pub(crate) fn check_url(text: &str, private_allowed: bool) -> Result<Url, UrlError> {
    if text.len() > WEBHOOK_URL_BYTES_MAX {
        return Err(UrlError::Malformed("it is too long".to_owned()));
    }
    let url = Url::parse(text).map_err(|error| UrlError::Malformed(error.to_string()))?;
    let is_open = url.scheme() == "http" && private_allowed;
    if url.scheme() != "https" && !is_open {
        return Err(UrlError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
    match literal {
        Ok(address) if !private_allowed && is_private(address) => Err(UrlError::Private(address)),
        Ok(_) | Err(_) => Ok(url),
    }
}

/// Whether an address is the machine's own, its network's, or otherwise nobody's on the internet.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let [a, b, ..] = four.octets();
            four.is_private()
                || four.is_loopback()
                || four.is_link_local()
                || four.is_broadcast()
                || four.is_documentation()
                || four.is_multicast()
                || four.is_unspecified()
                || a == 0
                // Shared by carriers (RFC 6598), for benchmarks (RFC 2544), reserved (RFC 1112).
                || (a == 100 && b & 0xc0 == 64)
                || (a == 198 && b & 0xfe == 18)
                || (a == 192 && b == 0)
                || a >= 240
        }
        IpAddr::V6(six) => {
            let segments = six.segments();
            // What stands for a version 4 address is judged as that.
            let inner = six.to_ipv4_mapped().or_else(|| match segments {
                [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x2002, ..] => Some(embedded(&segments)),
                _ => None,
            });
            inner.is_some_and(|four| is_private(IpAddr::V4(four)))
                || six.is_loopback()
                || six.is_unspecified()
                || six.is_multicast()
                || six.is_unique_local()
                || six.is_unicast_link_local()
                || segments[0] & 0xffc0 == 0xfec0
                || (segments[0] == 0x2001 && segments[1] == 0xdb8)
                || segments[..6] == [0; 6]
        }
    }
}

/// The version 4 address within one of NAT64 (the last 32 bits) or 6to4 (behind the prefix).
fn embedded(segments: &[u16; 8]) -> std::net::Ipv4Addr {
    let (high, low) = match segments[0] {
        0x2002 => (segments[1], segments[2]),
        _ => (segments[6], segments[7]),
    };
    std::net::Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

/// A webhook's secret, as its receiver gets it. It is in no store: the hub's own key and what was
/// drawn for the webhook give it each time.
pub(crate) fn secret(hub: &Hub, webhook: &Webhook) -> String {
    format!(
        "{SECRET_PREFIX}{}",
        STANDARD.encode(secret_bytes(hub, webhook))
    )
}

fn secret_bytes(hub: &Hub, webhook: &Webhook) -> [u8; 32] {
    let organisation = webhook.organisation.as_str().as_bytes();
    let id = webhook.id.as_str().as_bytes();
    hub.content_digest(&[b"webhook secret 1", organisation, id, &webhook.salt])
        .0
}

/// The signature of a message: HMAC-SHA256 over id, time and body with points between.
fn sign(secret: &[u8; 32], id: &str, at_s: i64, body: &[u8]) -> String {
    let mut message = format!("{id}.{at_s}.").into_bytes();
    message.extend_from_slice(body);
    format!("v1,{}", STANDARD.encode(hmac_sha256(secret, &message)))
}

/// RFC 2104 with SHA-256; the key is shorter than a block.
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    const BLOCK_BYTES: usize = 64;
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK_BYTES];
        for (padded, key) in block.iter_mut().zip(key) {
            *padded ^= key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

/// When it is tried again after so many failures; `share` from 0 to 1 is drawn.
fn wait(failures: u32, share: f64) -> Duration {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let whole_s = WAITS_S[index.min(WAITS_S.len() - 1)];
    Duration::from_secs(whole_s).mul_f64(0.5 + share.clamp(0.0, 1.0) / 2.0)
}

/// What a webhook's state is after a delivery, or after several that were taken.
fn after_success(state: &WebhookState, now: WallTime) -> WebhookState {
    WebhookState {
        after: state.after,
        after_event: state.after_event,
        delivered_at: Some(now),
        failing_since: None,
        failures: 0,
        problem: None,
        next_at: Some(now),
    }
    .keeping(state)
}

/// What a webhook's state is after a failure.
fn after_failure(state: &WebhookState, problem: String, now: WallTime, share: f64) -> WebhookState {
    let since = state.failing_since.unwrap_or(now);
    let failures = state.failures.saturating_add(1);
    let failing_ms = now.0.saturating_sub(since.0);
    let is_over =
        u128::try_from(failing_ms).is_ok_and(|ms| ms >= WEBHOOK_GIVEN_UP_AFTER.as_millis());
    WebhookState {
        after: state.after,
        after_event: state.after_event,
        delivered_at: state.delivered_at,
        failing_since: Some(since),
        failures,
        problem: Some(problem),
        next_at: (!is_over).then(|| now.saturating_add(wait(failures, share))),
    }
}

impl WebhookState {
    /// A clock that went back does not make the last delivery earlier.
    fn keeping(mut self, before: &Self) -> Self {
        self.delivered_at = self.delivered_at.max(before.delivered_at);
        self
    }
}

/// Delivers what is due until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>) {
    let client = match client(hub.private_webhooks) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(error = chain(&error), "webhooks cannot be delivered");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while !hub.is_stopping() {
        let came = hub.records_came.notified();
        if let Err(error) = revise(&hub).await {
            tracing::warn!(error = chain(&error), "rolls cannot be revised");
        }
        let free = u32::try_from(places.available_permits()).unwrap_or(0);
        let claimed = match claim(&hub, free).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(error = chain(&error), "webhooks cannot be looked up");
                Vec::new()
            }
        };
        for kept in claimed {
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let (hub, client) = (hub.clone(), client.clone());
            tokio::spawn(async move {
                let _place = place;
                serve(&hub, &client, kept).await;
            });
        }
        tokio::select! {
            () = hub.stopping.notified() => return,
            // Either way it is looked again.
            _ = timeout(LOOK_EVERY, came) => {}
        }
    }
}

/// Makes the rolls of closed meetings that lack a record or their closing, for those who want to
/// be told; of others, and of meetings that go on, a revision is made when somebody asks.
async fn revise(hub: &Arc<Hub>) -> Result<(), StoreError> {
    let now = hub.now();
    let ended_after = now.saturating_sub(ROLL_FOLLOWED_AFTER_END);
    with_store(hub, move |hub| {
        for (organisation, meeting) in hub.store.rolls_behind(ended_after, ROLLS_AT_ONCE)? {
            match hub.store.revision(&organisation, &meeting, None, now) {
                Ok(_) | Err(StoreError::TooMany { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })
    .await
}

async fn claim(hub: &Arc<Hub>, limit: u32) -> Result<Vec<KeptWebhook>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let now = hub.now();
    with_store(hub, move |hub| {
        hub.store
            .claim_webhooks(now, now.saturating_add(LEASE), limit)
    })
    .await
}

/// Delivers what comes next of one webhook, up to the first that is not taken.
async fn serve(hub: &Arc<Hub>, client: &Client, kept: KeptWebhook) {
    let mut serving = Serving {
        hub: hub.clone(),
        client: client.clone(),
        webhook: kept.webhook,
        state: kept.state,
        began: Instant::now(),
    };
    let done = serving.all().await;
    if let Err(error) = done {
        tracing::warn!(error = chain(&error), "a webhook cannot be served");
        return;
    }
    let Serving { webhook, state, .. } = serving;
    let kept = with_store(hub, move |hub| {
        hub.store
            .put_webhook_state(&webhook.organisation, &webhook.id, &state)
    })
    .await;
    if let Err(error) = kept {
        tracing::warn!(error = chain(&error), "a webhook's state cannot be kept");
    }
}

/// A webhook in hand.
struct Serving {
    hub: Arc<Hub>,
    client: Client,
    webhook: Webhook,
    state: WebhookState,
    began: Instant,
}

/// What is delivered.
struct Message {
    told: Told,
    id: String,
    kind: String,
    at: WallTime,
    data: serde_json::Value,
}

impl Serving {
    async fn all(&mut self) -> Result<(), StoreError> {
        self.again().await?;
        // It may be in hand for what somebody wants again alone, long before its time.
        if self.state.next_at.is_none_or(|at| at > self.hub.now()) {
            return Ok(());
        }
        if self.webhook.records && !self.records().await? {
            return Ok(());
        }
        if !self.webhook.events.is_empty() {
            self.events().await?;
        }
        Ok(())
    }

    /// What somebody wants once more, out of its turn. Whether it is taken changes nothing else.
    async fn again(&mut self) -> Result<(), StoreError> {
        let (organisation, id) = (self.webhook.organisation.clone(), self.webhook.id.clone());
        let kept = self
            .store(move |hub| hub.store.deliveries(&organisation, &id))
            .await?;
        for delivery in kept.into_iter().filter(|delivery| delivery.again) {
            if self.is_over() {
                break;
            }
            let outcome = match self.message(delivery.told).await? {
                Some(message) => self.post(&message).await,
                None => Err(Refusal {
                    status: None,
                    problem: "the hub does not have it any more".to_owned(),
                }),
            };
            self.keep(delivery, outcome.err()).await?;
        }
        Ok(())
    }

    /// Something that was told before.
    async fn message(&self, told: Told) -> Result<Option<Message>, StoreError> {
        let organisation = self.webhook.organisation.clone();
        let incarnation = self.hub.identity.incarnation;
        match told {
            Told::Record(commit) => {
                let after = Cursor {
                    incarnation,
                    commit: Commit(commit.saturating_sub(1)),
                };
                let page = self
                    .store(move |hub| hub.store.records(&organisation, after, 1))
                    .await?;
                let record = page.records.into_iter().next();
                Ok(record.filter(|one| one.commit.0 == commit).map(of_record))
            }
            Told::Event(number) => {
                let before = number.saturating_sub(1);
                let (events, _) = self
                    .store(move |hub| hub.store.events(&organisation, before, 1))
                    .await?;
                let event = events.into_iter().next();
                let event = event.filter(|event| event.number == number);
                Ok(event.map(|event| of_event(&event, &incarnation)))
            }
        }
    }

    /// The records that it has not been told of; whether all of them were taken.
    async fn records(&mut self) -> Result<bool, StoreError> {
        loop {
            let (organisation, after) = (self.webhook.organisation.clone(), self.state.after);
            let page = self
                .store(move |hub| hub.store.records(&organisation, after, AT_A_TIME))
                .await?;
            let is_last = page.records.len() < AT_A_TIME as usize;
            let incarnation = page.next.incarnation;
            for record in page.records {
                let commit = record.commit;
                if self.is_over() || !self.deliver(&of_record(record)).await? {
                    return Ok(false);
                }
                self.state.after = Cursor {
                    incarnation,
                    commit,
                };
            }
            // What is behind the last record and not this organisation's is passed by too.
            self.state.after = page.next;
            if is_last {
                return Ok(true);
            }
        }
    }

    /// The events of the kinds that it is told of.
    async fn events(&mut self) -> Result<(), StoreError> {
        let incarnation = self.hub.identity.incarnation;
        loop {
            let (organisation, after) = (self.webhook.organisation.clone(), self.state.after_event);
            let (events, newest) = self
                .store(move |hub| hub.store.events(&organisation, after, AT_A_TIME))
                .await?;
            let is_last = events.len() < AT_A_TIME as usize;
            for event in events {
                let is_wanted = self.webhook.events.contains(&event.kind);
                if self.is_over()
                    || (is_wanted && !self.deliver(&of_event(&event, &incarnation)).await?)
                {
                    return Ok(());
                }
                self.state.after_event = event.number;
            }
            if is_last {
                self.state.after_event = newest.max(self.state.after_event);
                return Ok(());
            }
        }
    }

    /// Delivers one in its turn; whether it was taken.
    async fn deliver(&mut self, message: &Message) -> Result<bool, StoreError> {
        let refusal = self.post(message).await.err();
        let (now, failed_before) = (self.hub.now(), self.state.failures > 0);
        let is_taken = refusal.is_none();
        self.state = match &refusal {
            None => after_success(&self.state, now),
            Some(refusal) => after_failure(&self.state, refusal.problem.clone(), now, share()),
        };
        if failed_before || !is_taken {
            let delivery = Delivery {
                id: message.id.clone(),
                kind: message.kind.clone(),
                told: message.told,
                first_at: now,
                tried_at: now,
                tries: 1,
                status: None,
                problem: None,
                is_taken,
                again: false,
            };
            self.keep(delivery, refusal).await?;
        }
        Ok(is_taken)
    }

    async fn keep(&self, delivery: Delivery, refusal: Option<Refusal>) -> Result<(), StoreError> {
        let (organisation, id) = (self.webhook.organisation.clone(), self.webhook.id.clone());
        let delivery = Delivery {
            tried_at: self.hub.now(),
            is_taken: refusal.is_none() || delivery.is_taken,
            status: refusal.as_ref().and_then(|refusal| refusal.status),
            problem: refusal.map(|refusal| refusal.problem),
            ..delivery
        };
        self.store(move |hub| hub.store.put_delivery(&organisation, &id, &delivery))
            .await?;
        Ok(())
    }

    async fn post(&self, message: &Message) -> Result<(), Refusal> {
        deliver(&self.hub, &self.client, &self.webhook, message).await
    }

    async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hub) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        with_store(&self.hub, work).await
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= SERVING_TIME_MAX
    }
}

/// Why a delivery was not taken.
struct Refusal {
    status: Option<u16>,
    problem: String,
}

fn of_record(record: StoredRecord) -> Message {
    Message {
        told: Told::Record(record.commit.0),
        id: format!("{}-{}", record.digest, record.commit.0),
        kind: EventType::Record.cloud_event(),
        at: record.received_at,
        data: json!(record_out(record)),
    }
}

/// A restored hub counts its events on from the backup, so that a number alone says too little.
fn of_event(event: &Event, incarnation: &[u8; 16]) -> Message {
    let kind = event_type(event.kind);
    let subject = Some(event.subject.clone());
    let version = Some(event.version);
    let nothing = EventData {
        meeting: None,
        generation: None,
        revision: None,
        device: None,
    };
    let data = match event.kind {
        EventKind::MeetingChanged | EventKind::MeetingCancelled | EventKind::MeetingClosed => {
            EventData {
                meeting: subject,
                generation: version,
                ..nothing
            }
        }
        EventKind::RollRevised => EventData {
            meeting: subject,
            revision: version,
            ..nothing
        },
        EventKind::DeviceSilent | EventKind::DeviceTrouble | EventKind::DeviceRevoked => {
            EventData {
                device: subject,
                ..nothing
            }
        }
    };
    Message {
        told: Told::Event(event.number),
        id: format!("{}-event-{}", hex(incarnation), event.number),
        kind: kind.cloud_event(),
        at: event.at,
        data: json!(data),
    }
}

/// What the API calls a kind.
pub(crate) fn event_type(kind: EventKind) -> EventType {
    match kind {
        EventKind::MeetingChanged => EventType::MeetingChanged,
        EventKind::MeetingCancelled => EventType::MeetingCancelled,
        EventKind::MeetingClosed => EventType::MeetingClosed,
        EventKind::RollRevised => EventType::RollRevised,
        EventKind::DeviceSilent => EventType::DeviceSilent,
        EventKind::DeviceTrouble => EventType::DeviceTrouble,
        EventKind::DeviceRevoked => EventType::DeviceRevoked,
    }
}

/// A share from 0 to 1; where the system gives no random numbers, all of it.
fn share() -> f64 {
    let mut byte = [255];
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

async fn deliver(
    hub: &Hub,
    client: &Client,
    webhook: &Webhook,
    message: &Message,
) -> Result<(), Refusal> {
    let none = |problem: String| Refusal {
        status: None,
        problem,
    };
    let url = check_url(&webhook.url, hub.private_webhooks);
    let url = url.map_err(|error| none(error.to_string()))?;
    let body = json!({
        "specversion": "1.0",
        "id": message.id,
        "source": format!("urn:diemdanh:hub:{}", hex(&hub.identity.store)),
        "type": message.kind,
        "time": wire::Timestamp(message.at),
        "datacontenttype": "application/json",
        "data": message.data,
    });
    let body = body.to_string();
    let at_s = hub.now().0 / 1000;
    let signature = sign(
        &secret_bytes(hub, webhook),
        &message.id,
        at_s,
        body.as_bytes(),
    );
    let answer = client
        .post(url)
        .header("content-type", "application/cloudevents+json")
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", at_s)
        .header("webhook-signature", signature)
        .body(body)
        .send()
        .await;
    match answer.map(|answer| answer.status()) {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) => Err(Refusal {
            status: Some(status.as_u16()),
            problem: format!("it answered {}", status.as_u16()),
        }),
        // The address stands beside it already, and may have a secret in its query.
        Err(error) => Err(none(chain(&error.without_url()))),
    }
}

fn client(private_allowed: bool) -> Result<Client, reqwest::Error> {
    Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .timeout(WEBHOOK_DELIVERY_TIME_MAX)
        .user_agent("diemdanh-hub")
        .dns_resolver(Arc::new(Public { private_allowed }))
        .build()
}

/// Resolves names to addresses that may be delivered to, at the moment of each connection: a name
/// that led elsewhere when it was put does not get around that.
struct Public {
    private_allowed: bool,
}

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        let private_allowed = self.private_allowed;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found
                .filter(|address| private_allowed || !is_private(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err("the name leads to no address that may be delivered to".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

async fn with_store<T: Send + 'static>(
    hub: &Arc<Hub>,
    work: impl FnOnce(&Hub) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let permit = hub.blocking.clone().acquire_owned().await;
    let hub = hub.clone();
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&hub)
    });
    match done.await {
        Ok(done) => done,
        Err(error) => Err(StoreError::System(Arc::new(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_on_the_internet_are_delivered_to() {
        let check = |address: &str, expect: bool| {
            assert_eq!(is_private(address.parse().unwrap()), expect, "{address}");
        };
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "::10.0.0.1",
            "2001:db8::1",
            "ff02::1",
        ] {
            check(address, true);
        }
        for address in [
            "1.1.1.1",
            "203.162.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
        ] {
            check(address, false);
        }
    }

    #[test]
    fn addresses_are_judged_before_anything_is_sent() {
        let check = |url: &str, expect: &str| {
            let told = check_url(url, false).err().map(|error| error.to_string());
            let told = told.unwrap_or_default();
            assert!(
                told.contains(expect) && told.is_empty() == expect.is_empty(),
                "{url}: {told}"
            );
        };
        check("https://hook.example/a?b=c", "");
        check("http://hook.example/", "https://");
        check("file:///etc/passwd", "https://");
        check("https://a:b@hook.example/", "a name or a password");
        check("https://127.0.0.1/", "private address 127.0.0.1");
        check("https://[::1]:8443/", "private address ::1");
        check("https://2130706433/", "private address 127.0.0.1");
        check("nonsense", "no address");
        assert!(check_url("http://127.0.0.1:9/", true).is_ok());
    }

    /// The code was computed by another implementation (Python's hmac).
    #[test]
    fn signatures_are_hmac_sha256() {
        let mac = hmac_sha256(&[0x0b; 32], b"Hi There");
        assert_eq!(
            hex(&mac),
            "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7"
        );
    }

    #[test]
    fn failures_wait_longer_and_longer_until_it_is_given_up() {
        let cursor = Cursor {
            incarnation: [0; 16],
            commit: Commit(1),
        };
        let mut state = WebhookState {
            after: cursor,
            after_event: 3,
            delivered_at: None,
            failing_since: None,
            failures: 0,
            problem: None,
            next_at: Some(WallTime(0)),
        };
        let mut tries = 0;
        while let Some(now) = state.next_at {
            state = after_failure(&state, "it answered 500".to_owned(), now, 1.0);
            assert_eq!(
                (state.after, state.after_event),
                (cursor, 3),
                "nothing is passed by"
            );
            tries += 1;
            assert!(tries < 100);
        }
        assert!((35..45).contains(&tries), "{tries}");
        let taken = after_success(&state, WallTime(5));
        assert_eq!(
            (taken.failures, taken.problem, taken.failing_since),
            (0, None, None)
        );
        assert!(wait(1, 0.0) < wait(1, 1.0) && wait(1, 1.0) < wait(2, 1.0));
    }
}
