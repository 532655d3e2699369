//! `syncd run`: a loop that obeys `sync`. All that can wake it stands in one `select!`; what to do
//! then is decided elsewhere.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use beside::{ClockSeen, EXCHANGE_EVERY_MS, FromDaemon, FromKiosk};
use ledger::{CityCard, CityReference, CityRoster, CityStore, SubstituteRight};
use sd_notify::NotifyState;
use seal::{CardHash, KeyId, SealedTemplate, WrappedKey};
use sync::offers::{OfferCommand, OfferEvent, Offers};
use sync::{
    Answer, Call, Change, Command, Event, Facts, FetchedRoster, HeldMeeting, Holding, Http, Now,
    Remembered, Request, RequestId, SetAside, Status, Sync, Watermark,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use vocabulary::{FeatureSpace, Monotonic, Sequence, WallTime};
use wire::Name;
use wire::device::{Enrolled, MeetingKey, RenewCertificate, Space, Versions};
use wire::offer::OfferReport;
use wire::scalar::Hex;

use crate::config::Config;
use crate::http::Client;
use crate::identity::{Identity, TlsKey};
use crate::kept;
use crate::ledger_reader::{LedgerReader, in_one_line};
use crate::neighbour;
use crate::offers::Contents;
use crate::trust::{self, LatestClock};

/// How often the ledger's file is asked whether it has grown: a page of shared memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often the device's own state is looked at.
const FACTS_EVERY: Duration = Duration::from_secs(30);

/// The longest sleep of the loop, so that a clock that was set is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Most answers that wait to be looked at; never more calls than this are under way.
const ANSWERS_MAX: usize = 16;

/// Pulls rosters and pushes records until it is told to stop.
///
/// # Errors
/// What keeps it from beginning: a configuration, a file, an identity.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate()).context("signals cannot be caught")?;
    let mut int = signal(SignalKind::interrupt()).context("signals cannot be caught")?;
    let (mut edge, mut answers, mut kiosk, mut offered) = Edge::open(config)?;
    edge.notify(&[NotifyState::Ready]);
    edge.facts();
    edge.event(Event::Tick);
    let mut look = ticker(LOOK_EVERY);
    let mut facts = ticker(FACTS_EVERY);
    let mut tell = ticker(Duration::from_millis(EXCHANGE_EVERY_MS));
    loop {
        let (wake, until_offers) = (edge.until_wake(), edge.until_offers());
        tokio::select! {
            () = stopped(&mut term, &mut int) => break,
            Some((id, answer)) = answers.recv() => edge.event(Event::Answered { id, answer }),
            () = sleep(wake) => edge.event(Event::Tick),
            _ = look.tick() => edge.look(),
            _ = facts.tick() => edge.facts(),
            _ = tell.tick() => edge.tell(),
            Some(heard) = kiosk.recv() => edge.heard(heard),
            Some(event) = offered.recv() => edge.offered(event),
            () = sleep(until_offers) => edge.offered(OfferEvent::Tick),
        }
        edge.notify(&[NotifyState::Watchdog]);
    }
    edge.notify(&[NotifyState::Stopping]);
    tracing::info!("stopped");
    Ok(())
}

fn ticker(every: Duration) -> tokio::time::Interval {
    let mut ticker = interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

async fn stopped(term: &mut Signal, int: &mut Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// What the requests that are under way come to.
type Answers = mpsc::Receiver<(RequestId, Answer)>;

/// What became of something that was done for an offer.
type Offered = mpsc::Receiver<OfferEvent>;

/// What the kiosk says; none when it does not answer.
type Exchanges = mpsc::Receiver<Option<FromKiosk>>;

/// What the loop has in its hands.
struct Edge {
    config: Config,
    sync: Sync,
    ledger: LedgerReader,
    city: CityStore,
    identity: Identity,
    /// The key of the certificate that was asked for and has not come yet.
    next_key: Option<TlsKey>,
    clock: LatestClock,
    client: Client,
    answers: mpsc::Sender<(RequestId, Answer)>,
    shown: Option<Status>,
    told: Option<Facts>,
    /// The kiosk's side of the last exchange; none while it does not answer.
    kiosk: Option<FromKiosk>,
    neighbour: mpsc::Sender<Option<FromKiosk>>,
    /// An exchange is under way.
    telling: bool,
    clock_seen: Option<ClockSeen>,
    offers: Offers,
    contents: Contents,
    offer_events: mpsc::Sender<OfferEvent>,
}

impl Edge {
    fn open(config: &Config) -> anyhow::Result<(Self, Answers, Exchanges, Offered)> {
        let identity = Identity::load(&config.data.directory)?;
        let device = identity.enrolled.device.0.clone();
        let mut ledger = LedgerReader::new(config.data.ledger.clone(), device, identity.head_key());
        let city = CityStore::open(&config.data.city)?;
        let last_record_at = ledger.newest();
        let clock = LatestClock::new(trust::built_at());
        if let Some(at) = last_record_at {
            clock.raise(at);
        }
        let client = client(config, &identity, &clock)?;
        let remembered = remembered(&identity, &city, last_record_at)?;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)
            .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
        let sync = Sync::new(&remembered, u64::from_le_bytes(seed));
        let (answers, received) = mpsc::channel(ANSWERS_MAX);
        let (neighbour, exchanges) = mpsc::channel(1);
        // At most one thing of its is under way.
        let (offer_events, offered) = mpsc::channel(1);
        let contents = Contents::open(&config.data.directory)
            .context("the directory of offers cannot be used")?;
        let there = contents
            .there()
            .context("the offers on the disk cannot be read")?;
        let offers = Offers::new(&there, u64::from_be_bytes(seed));
        tracing::info!(device = %identity.enrolled.device, hub = config.hub.url, "running");
        let edge = Self {
            config: config.clone(),
            sync,
            ledger,
            city,
            identity,
            next_key: None,
            clock,
            client,
            answers,
            shown: None,
            told: None,
            kiosk: None,
            neighbour,
            telling: false,
            clock_seen: None,
            offers,
            contents,
            offer_events,
        };
        Ok((edge, received, exchanges, offered))
    }

    fn now(&self) -> Now {
        now()
    }

    /// How long nothing is to be done.
    fn until_wake(&self) -> Duration {
        let now = self.now().monotonic;
        let wake = self.sync.next_wake();
        wake.map_or(SLEEP_MAX, |wake| wake.since(now).min(SLEEP_MAX))
    }

    /// Tells `sync` what happened and obeys, until nothing more follows of it.
    fn event(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        let mut commands = Vec::new();
        while let Some(event) = events.pop_front() {
            self.sync.handle(self.now(), event, &mut commands);
            for command in commands.drain(..) {
                events.extend(self.obey(command));
            }
        }
    }

    /// Does what is commanded; answers with the event that follows at once, where one does.
    fn obey(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::Send(request) => self.send(request),
            Command::ReadLedger { id, after, limit } => {
                let outcome = self.ledger.read(after, limit);
                return Some(Event::LedgerRead { id, outcome });
            }
            Command::SaveWatermark(watermark) => {
                let watermark = ledger::Watermark {
                    store: watermark.store.0,
                    incarnation: watermark.incarnation.0,
                    epoch: watermark.epoch,
                    through: Sequence(watermark.through),
                };
                let done = self.city.set_watermark(&watermark);
                return Some(stored(Change::Watermark, done));
            }
            Command::SaveSetAside(aside) => {
                let (epoch, sequence) = (aside.epoch, Sequence(aside.sequence));
                let done = self.city.set_aside(epoch, sequence, true);
                return Some(stored(Change::SetAside, done));
            }
            Command::ForgetSetAside(aside) => {
                let (epoch, sequence) = (aside.epoch, Sequence(aside.sequence));
                let done = self.city.set_aside(epoch, sequence, false);
                return Some(stored(Change::SetAside, done));
            }
            Command::StoreRoster(fetched) => return Some(self.store_roster(&fetched)),
            Command::StoreKey { meeting, key } => {
                let change = Change::Key {
                    meeting: meeting.clone(),
                    key: key.id,
                };
                return Some(stored_or(change, self.store_key(&meeting, &key)));
            }
            Command::Withdraw {
                meeting,
                generation,
            } => {
                let done = self.city.withdraw(&meeting, generation);
                let change = Change::Withdrawal {
                    meeting,
                    generation,
                };
                return Some(stored(change, done));
            }
            Command::Close {
                meeting,
                generation,
            } => {
                let done = self.city.close(&meeting, generation);
                let change = Change::Closing {
                    meeting,
                    generation,
                };
                return Some(stored(change, done));
            }
            Command::StoreCertificate(enrolled) => {
                let done = self.store_certificate(*enrolled);
                return Some(stored_or(Change::Certificate, done));
            }
            Command::ObserveClock { at, hub } => {
                let offset_ms = at.wall.0.saturating_sub(hub.0);
                tracing::info!(offset_ms, "the clock was compared with the hub's");
                self.clock_seen = Some(ClockSeen {
                    at: at.monotonic,
                    city: hub,
                });
                self.tell();
            }
            Command::Show(status) => self.show(status),
        }
        None
    }

    /// Sends a request beside the loop; the answer comes back through the channel.
    fn send(&mut self, request: Request) {
        let mut http = request.call.http();
        if matches!(request.call, Call::Renew) {
            match self.renewal(&mut http) {
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "no certificate can be asked for"
                    );
                }
            }
        }
        let (client, answers) = (self.client.clone(), self.answers.clone());
        tokio::spawn(async move {
            let answer = client.send(&http, None).await;
            match &answer {
                Ok(answer) => tracing::debug!(http.path, answer.status, "answered"),
                Err(error) => tracing::debug!(http.path, %error, "not answered"),
            }
            // The loop has ended; nobody waits for it.
            let _ = answers.send((request.id, answer)).await;
        });
    }

    /// How long nothing is to be done for offers.
    fn until_offers(&self) -> Duration {
        let wake = self.offers.next_wake();
        wake.since(self.now().monotonic).min(SLEEP_MAX)
    }

    /// Lets the offers take their turn. What takes time is done beside the loop.
    fn offered(&mut self, event: OfferEvent) {
        let before = self.offers.reports();
        let mut commands = Vec::new();
        self.offers.handle(self.now(), event, &mut commands);
        for command in commands {
            let (events, contents) = (self.offer_events.clone(), self.contents.clone());
            match command {
                OfferCommand::Send(request) => {
                    let client = self.client.clone();
                    tokio::spawn(async move {
                        let answer = client.send(&request.call.http(), None).await;
                        let id = request.id;
                        let _ = events.send(OfferEvent::Answered { id, answer }).await;
                    });
                }
                command @ (OfferCommand::Keep { .. } | OfferCommand::Forget(_)) => {
                    tokio::task::spawn_blocking(move || {
                        if let Some(event) = contents.obey(command) {
                            // The loop has ended; nobody waits for it.
                            let _ = events.blocking_send(event);
                        }
                    });
                }
            }
        }
        let states = |reports: &[OfferReport]| -> Vec<_> {
            reports.iter().map(|one| (one.sha256, one.state)).collect()
        };
        if states(&before) != states(&self.offers.reports()) {
            self.facts();
        }
    }

    /// Makes the key and the signing request of the next certificate. The same key is asked for
    /// again until the certificate is here.
    fn renewal(&mut self, http: &mut Http) -> anyhow::Result<()> {
        let key = match &self.next_key {
            Some(key) => key,
            None => self.next_key.insert(TlsKey::generate()?),
        };
        let request = RenewCertificate {
            csr: key.signing_request()?,
        };
        http.body = Some(serde_json::to_vec(&request)?);
        Ok(())
    }

    fn store_certificate(&mut self, enrolled: Enrolled) -> anyhow::Result<()> {
        let key = self
            .next_key
            .take()
            .context("no certificate was asked for")?;
        let identity = Identity::new(enrolled, &key, &self.identity.head_key());
        let client = client(&self.config, &identity, &self.clock)?;
        identity.store(&self.config.data.directory)?;
        tracing::info!(expires_at = %identity.enrolled.expires_at, "the certificate was renewed");
        (self.identity, self.client) = (identity, client);
        Ok(())
    }

    fn store_roster(&mut self, fetched: &FetchedRoster) -> Event {
        let change = Change::Roster {
            meeting: fetched.roster.meeting().id.clone(),
            generation: fetched.roster.generation(),
        };
        let now = self.now().wall;
        let done = city_roster(fetched)
            .and_then(|roster| Ok(self.city.put_roster(&roster, now)?))
            .map(drop);
        stored_or(change, done)
    }

    fn store_key(
        &mut self,
        meeting: &vocabulary::MeetingId,
        key: &MeetingKey,
    ) -> anyhow::Result<()> {
        let wrapped = WrappedKey::from_bytes(&key.wrapped.0)?;
        let organisation = &self.identity.enrolled.organisation.0;
        self.city
            .put_key(organisation, meeting, KeyId(key.id.0), &wrapped)?;
        Ok(())
    }

    /// Looks whether the kiosk has written something.
    fn look(&mut self) {
        if let Some((epoch, last)) = self.ledger.grown() {
            self.event(Event::LedgerGrew { epoch, last });
        }
    }

    /// Looks how the device is, and tells when that has changed.
    fn facts(&mut self) {
        let kiosk = self.kiosk.as_ref();
        let facts = Facts {
            versions: Versions {
                syncd: name(env!("CARGO_PKG_VERSION")),
                kiosk: kiosk.map_or_else(Name::default, |kiosk| name(&kiosk.version)),
                system: name(
                    rustix::system::uname()
                        .release()
                        .to_str()
                        .unwrap_or_default(),
                ),
            },
            spaces: kiosk.map_or_else(Vec::new, spaces),
            disk_free_bytes: disk_free(&self.config),
            camera_works: kiosk.and_then(|kiosk| kiosk.camera_works),
            offers: self.offers.reports(),
            kiosk_troubles: kiosk.map_or_else(Vec::new, |kiosk| {
                kiosk.troubles.iter().map(|one| name(&one.en)).collect()
            }),
        };
        if self.told.as_ref() != Some(&facts) {
            self.told = Some(facts.clone());
            self.event(Event::Facts(Box::new(facts)));
        }
    }

    /// Shows how things are: a file, systemd, and the log when something is new.
    fn show(&mut self, status: Status) {
        let known = self.shown.as_ref();
        for trouble in &status.troubles {
            if known.is_none_or(|shown| !shown.troubles.contains(trouble)) {
                tracing::warn!(%trouble, "trouble");
            }
        }
        if known.is_some_and(|shown| !shown.troubles.is_empty()) && status.troubles.is_empty() {
            tracing::info!("no trouble any more");
        }
        let now = self.now().wall;
        if let Err(error) = kept::write_status(&self.config.data.directory, now, &status) {
            tracing::warn!(error = in_one_line(&error), "the status cannot be written");
        }
        if let Some(at) = status.last_contact
            && known.and_then(|shown| shown.last_contact) != Some(at)
            && let Err(error) = self.city.set_last_contact(at)
        {
            tracing::warn!(
                error = in_one_line(&error),
                "the last contact cannot be kept"
            );
        }
        let waiting = status.waiting.unwrap_or(0);
        let troubles = status.troubles.len();
        let line = format!("{waiting} records waiting, {troubles} troubles");
        self.notify(&[NotifyState::Status(&line)]);
        self.shown = Some(status);
        self.tell();
    }

    /// Tells the kiosk how things are, beside the loop, where it has a socket.
    fn tell(&mut self) {
        if self.config.kiosk.socket.as_os_str().is_empty() || self.telling {
            return;
        }
        self.telling = true;
        let status = self.shown.as_ref();
        let troubles = status.map_or_else(Vec::new, |status| {
            let told = status.troubles.iter().take(beside::TROUBLES_MAX);
            told.map(|trouble| beside::Trouble {
                vi: trouble.vietnamese(),
                en: trouble.to_string(),
            })
            .collect()
        });
        let tell = FromDaemon {
            last_contact: status.and_then(|status| status.last_contact),
            waiting: status.and_then(|status| status.waiting),
            troubles,
            clock: self.clock_seen,
        };
        let (path, heard) = (self.config.kiosk.socket.clone(), self.neighbour.clone());
        tokio::spawn(async move {
            let answer = neighbour::exchange(&path, &tell).await;
            if let Err(error) = &answer {
                tracing::debug!(error = in_one_line(error), "no exchange with the kiosk");
            }
            // The loop has ended; nobody waits for it.
            let _ = heard.send(answer.ok()).await;
        });
    }

    /// The kiosk answered, or did not.
    fn heard(&mut self, heard: Option<FromKiosk>) {
        self.telling = false;
        if self.kiosk != heard {
            self.kiosk = heard;
            self.facts();
        }
        if let Some((epoch, last)) = self.kiosk.as_ref().and_then(|kiosk| kiosk.ledger) {
            let last = last.0;
            self.event(Event::LedgerGrew { epoch, last });
        }
    }

    /// Tells systemd, where it started this.
    fn notify(&self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::debug!(error = in_one_line(&error), "systemd was not told");
        }
    }
}

/// Both clocks. The monotonic one counts from the boot, as the kiosk's does.
fn now() -> Now {
    let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    };
    let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(boot.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(boot.tv_nsec).unwrap_or(0);
    Now {
        wall: WallTime(wall),
        monotonic: Monotonic(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)),
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap_or_default()
}

fn spaces(kiosk: &FromKiosk) -> Vec<Space> {
    let spaces = kiosk.spaces.iter().map(|space| Space {
        name: name(space.name()),
        digest: space.digest().into(),
    });
    spaces.collect()
}

fn client(config: &Config, identity: &Identity, clock: &LatestClock) -> anyhow::Result<Client> {
    let further = config.hub.further_authorities()?;
    let authorities = [identity.enrolled.authorities.as_bytes(), &further];
    let certificate = &identity.enrolled.certificate;
    let tls = trust::enrolled(&authorities, certificate, &identity.tls_key, clock)?;
    Ok(Client::new(&config.hub, tls)?)
}

fn remembered(
    identity: &Identity,
    city: &CityStore,
    last_record_at: Option<WallTime>,
) -> anyhow::Result<Remembered> {
    let watermark = city.watermark()?.map(|watermark| Watermark {
        store: Hex(watermark.store),
        incarnation: Hex(watermark.incarnation),
        epoch: watermark.epoch,
        through: watermark.through.0,
    });
    let held = city.held()?.into_iter().map(|held| HeldMeeting {
        meeting: held.meeting,
        generation: held.generation,
        holding: match held.holding {
            ledger::Holding::Roster => Holding::Roster,
            ledger::Holding::Closed => Holding::Closed,
            ledger::Holding::Withdrawn => Holding::Withdrawn,
        },
        key: held.key.map(|key| Hex(key.0)),
    });
    let set_aside = city
        .all_set_aside()?
        .into_iter()
        .map(|(epoch, sequence)| SetAside {
            epoch,
            sequence: sequence.0,
        });
    Ok(Remembered {
        store: identity.enrolled.store.store,
        watermark,
        set_aside: set_aside.collect(),
        meetings: held.collect(),
        expires_at: identity.enrolled.expires_at.0,
        renew_at: identity.enrolled.renew_at.0,
        built_at: trust::built_at(),
        last_record_at,
    })
}

/// A roster as `city.db` keeps it.
fn city_roster(fetched: &FetchedRoster) -> anyhow::Result<CityRoster> {
    let references = fetched.references.iter().map(|reference| {
        Ok(CityReference {
            person: reference.person.0.clone(),
            reference: reference.reference.0.clone(),
            space: FeatureSpace::new(reference.space.name.as_str(), reference.space.digest.into()),
            sealed: SealedTemplate::from_bytes(reference.sealed.0.clone())?,
        })
    });
    Ok(CityRoster {
        roster: fetched.roster.clone(),
        key: KeyId(fetched.key.0),
        references: references.collect::<anyhow::Result<_>>()?,
        invitation_keys: fetched.invitation_keys.iter().map(|key| key.0).collect(),
        substitutes: fetched
            .substitutes
            .iter()
            .map(|right| SubstituteRight {
                person: right.person.0.clone(),
                instead_of: right.instead_of.0.clone(),
                document: right.document.as_str().to_owned(),
            })
            .collect(),
        citizen_cards: fetched
            .citizen_cards
            .iter()
            .map(|card| CityCard {
                person: card.person.0.clone(),
                hash: CardHash(card.hash.0),
            })
            .collect(),
    })
}

fn stored<T, E: std::error::Error>(change: Change, done: Result<T, E>) -> Event {
    Event::Stored {
        change,
        failed: done.err().map(|error| in_one_line(&error)),
    }
}

fn stored_or<T>(change: Change, done: anyhow::Result<T>) -> Event {
    Event::Stored {
        change,
        failed: done.err().map(|error| format!("{error:#}")),
    }
}

/// Free bytes for an ordinary account where the records are.
fn disk_free(config: &Config) -> Option<u64> {
    let directory = config.data.ledger.parent()?;
    let directory = if directory.as_os_str().is_empty() {
        std::path::Path::new(".")
    } else {
        directory
    };
    let found = rustix::fs::statvfs(directory).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}
