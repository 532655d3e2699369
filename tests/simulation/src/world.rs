//! One run: doors, a hub, a network between them, and everything that can go wrong, all drawn from
//! one seed in virtual time. The same seed does the same, to the last event.
//!
//! It is in two parts. In the first things go wrong; in the second nothing does any more, and
//! within a bounded time everything must be where it belongs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use record::SigningKey;
use sync::backoff::Chance;
use sync::{Answer, Call, Event, HttpAnswer, Request, RequestId, TransportError};
use vocabulary::{DeviceId, WallTime};
use wire::device::{Position, RecordsAccepted};
use wire::problem::ProblemType;
use wire::scalar::Hex;

use crate::account::Account;
use crate::city::{self, Hub, problem};
use crate::disk;
use crate::door::Door;

/// When a run begins, in milliseconds since 1970: in 2026, so that no clock is below zero.
const BEGIN: u64 = 1_780_000_000_000;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// For how long things go wrong; a partition of days comes on top.
const WRONG_FOR: u64 = HOUR;

/// Within this time of the last fault everything is where it belongs: an hour that a hub may make
/// a door wait by `Retry-After`, or one that was refused waits by itself, and the way back.
const SETTLED_WITHIN: u64 = 4 * HOUR;

/// More happenings than this, and something goes round in circles.
const HAPPENINGS_MAX: u64 = 400_000;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A digest of all that happened, in order.
    pub trace: u64,
    /// How many things happened.
    pub happenings: u64,
    /// Records that ledgers acknowledged.
    pub records: u64,
    /// What went wrong, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// What happens next.
enum Happening {
    Wake(usize),
    Arrive {
        door: usize,
        life: u64,
        request: Request,
        /// Whether the answer finds its way back.
        answered: bool,
    },
    Answer {
        door: usize,
        life: u64,
        id: RequestId,
        answer: Answer,
    },
    StartDoor(usize),
    StartHub,
    GoWrong,
    Record(usize),
}

/// How likely each fault of the network is, in thousandths.
#[derive(Default, Clone, Copy)]
struct Weather {
    lost: u64,
    answer_lost: u64,
    doubled: u64,
    slow: u64,
    overloaded: u64,
    garbled: u64,
    lying: u64,
    unwanted: u64,
}

struct World<'a> {
    root: &'a Path,
    chance: Chance,
    at: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    queued: u64,
    doors: Vec<Door>,
    hub: Hub,
    account: Account,
    weather: Weather,
    /// Nothing gets through until then.
    cut_off_until: u64,
    /// The proxy before the hub lets no more records through at once.
    batch_max: Option<usize>,
    /// The proxy does not let through a record with this number.
    poison: Option<u64>,
    /// A ledger that was saved: of which door, and how many records it had.
    saved: Option<(usize, usize, u64)>,
    /// There was a partition of days already.
    was_days: bool,
    /// One card was copied; more than one copy shows nothing else.
    copied: bool,
    wrong_until: u64,
    trace: u64,
    happenings: u64,
    faults: BTreeMap<&'static str, u64>,
    verbose: bool,
}

/// Runs one seed in an empty directory.
///
/// # Errors
/// The first violation, with when it was.
pub fn run(seed: u64, root: &Path, verbose: bool) -> Result<Report> {
    let mut world = World::new(seed, root, verbose)?;
    let result = world.run();
    for door in &world.doors {
        disk::remove(&door.directory);
    }
    disk::remove(&world.hub.directory);
    let at = world.at - BEGIN;
    result.with_context(|| format!("seed {seed}, after {at} ms, trace {:016x}", world.trace))?;
    Ok(Report {
        trace: world.trace,
        happenings: world.happenings,
        records: world.account.appended,
        faults: world.faults,
    })
}

impl<'a> World<'a> {
    fn new(seed: u64, root: &'a Path, verbose: bool) -> Result<Self> {
        let mut chance = Chance::new(seed);
        let count = 1 + usize::try_from(chance.next_u64() % 2)?;
        let mut keys = Vec::new();
        for number in 0..count {
            let key = SigningKey::from_bytes(&[u8::try_from(number)? + 1; 32]);
            let device = DeviceId::new(&format!("device-{number}"))?;
            keys.push((device, key));
        }
        let devices: Vec<_> = keys
            .iter()
            .map(|(device, key)| (device.clone(), key.verifying_key().to_bytes()))
            .collect();
        let hub = Hub::new(root, &devices, chance.next_u64())?;
        let store = city::store_id(hub.store().context("it was just started")?)?;
        let mut doors = Vec::new();
        for (device, key) in keys {
            let name = device.to_string();
            doors.push(Door::new(root, &name, device, key, store)?);
        }
        let weather = Weather::draw(&mut chance);
        Ok(Self {
            root,
            chance,
            at: BEGIN,
            queue: BTreeMap::new(),
            queued: 0,
            doors,
            hub,
            account: Account::default(),
            weather,
            cut_off_until: 0,
            batch_max: None,
            poison: None,
            saved: None,
            was_days: false,
            copied: false,
            wrong_until: BEGIN + WRONG_FOR,
            trace: 0xcbf2_9ce4_8422_2325,
            happenings: 0,
            faults: BTreeMap::new(),
            verbose,
        })
    }

    fn run(&mut self) -> Result<()> {
        for door in 0..self.doors.len() {
            self.start_door(door)?;
            self.schedule(self.at + 1000, Happening::Record(door));
        }
        self.schedule(self.at + 1, Happening::GoWrong);
        while self.at < self.wrong_until {
            self.next()?;
        }
        self.calm_down()?;
        let deadline = self.at + SETTLED_WITHIN;
        let offer_again_at = self.at + HOUR;
        let mut was_offered = false;
        loop {
            let until = self.at + 10 * MINUTE;
            while self.at < until {
                self.next()?;
            }
            // What was refused at the very end is set aside only now.
            if self.at >= offer_again_at && !was_offered {
                was_offered = true;
                self.stop_those_that_set_aside();
                self.start_all()?;
            }
            let open = self.open()?;
            if open.is_empty() {
                break;
            }
            ensure!(self.at < deadline, "does not settle: {}", open.join("; "));
        }
        self.check_all()
    }

    fn next(&mut self) -> Result<()> {
        let Some(((at, _), happening)) = self.queue.pop_first() else {
            bail!("nothing will ever happen again");
        };
        self.at = self.at.max(at);
        self.happenings += 1;
        ensure!(self.happenings < HAPPENINGS_MAX, "it goes round in circles");
        match happening {
            Happening::Wake(door) => {
                if self.doors[door].wake_at.is_some_and(|wake| wake <= self.at) {
                    self.tell(door, Event::Tick)?;
                }
            }
            Happening::Arrive {
                door,
                life,
                request,
                answered,
            } => self.arrive(door, life, &request, answered)?,
            Happening::Answer {
                door,
                life,
                id,
                answer,
            } => {
                if self.doors[door].life == life && self.doors[door].runs() {
                    let status = answer.as_ref().map_or(0, |answer| u64::from(answer.status));
                    self.note("answer", door as u64, status);
                    self.tell(door, Event::Answered { id, answer })?;
                }
            }
            Happening::StartDoor(door) => {
                if !self.doors[door].runs() {
                    self.start_door(door)?;
                }
            }
            Happening::StartHub => {
                if self.hub.store().is_none() {
                    self.note("hub starts", 0, 0);
                    let started = self.hub.start();
                    if disk::is_dead(&self.hub.directory) {
                        return self.hub_died();
                    }
                    started?;
                    self.follow()?;
                }
            }
            Happening::GoWrong => {
                if self.at < self.wrong_until {
                    self.go_wrong()?;
                    let mut wait = self.below(4 * MINUTE);
                    if self.cut_off_until > self.at + HOUR {
                        wait *= 60;
                    }
                    self.schedule(self.at + 1000 + wait, Happening::GoWrong);
                }
            }
            Happening::Record(door) => {
                if self.at < self.wrong_until {
                    self.record(door)?;
                    let mut wait = self.below(6 * MINUTE);
                    if self.cut_off_until > self.at + HOUR {
                        wait *= 20;
                    }
                    self.schedule(self.at + 1000 + wait, Happening::Record(door));
                }
            }
        }
        Ok(())
    }

    // Doors.

    fn start_door(&mut self, door: usize) -> Result<()> {
        let started = self.doors[door].start(self.at, &mut self.chance);
        let beyond = std::mem::take(&mut self.doors[door].beyond);
        self.account_for(door, &beyond);
        if self.died(door)? {
            return Ok(());
        }
        started?;
        self.note("door starts", door as u64, beyond.len() as u64);
        self.tell(door, Event::Tick)
    }

    fn record(&mut self, door: usize) -> Result<()> {
        let how_many = match self.chance.next_u64() % 10 {
            0 => 100 + self.below(500),
            _ => 1 + self.below(12),
        };
        let acknowledged = self.doors[door].record(self.at, how_many)?;
        self.note("records", door as u64, acknowledged.len() as u64);
        self.account_for(door, &acknowledged);
        if self.died(door)? {
            return Ok(());
        }
        let epoch = self.doors[door].epoch;
        let last = self.doors[door].digests.len() as u64;
        match epoch {
            // The hint between kiosk and daemon gets lost as well.
            Some(epoch) if !self.chance.next_u64().is_multiple_of(4) => {
                self.tell(door, Event::LedgerGrew { epoch, last })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn account_for(&mut self, door: usize, records: &[(u64, vocabulary::Digest)]) {
        let one = &self.doors[door];
        if let Some(epoch) = one.epoch {
            for (number, digest) in records {
                self.account
                    .wrote((one.device.clone(), epoch, *number), *digest);
            }
        }
    }

    /// Lets an event happen to a daemon and sends what it wants sent.
    fn tell(&mut self, door: usize, event: Event) -> Result<()> {
        let outcome = self.doors[door].handle(self.at, event)?;
        for mark in outcome.marks {
            self.note("mark", door as u64, mark.through);
            self.check_mark(door, &mark)?;
        }
        if self.died(door)? {
            return Ok(());
        }
        for request in outcome.requests {
            self.send(door, request);
        }
        if let Some(wake) = self.doors[door].wake_at {
            self.schedule(wake.max(self.at + 1), Happening::Wake(door));
        }
        Ok(())
    }

    /// Looks whether the power has gone; then the door starts again a while later.
    fn died(&mut self, door: usize) -> Result<bool> {
        if !disk::is_dead(&self.doors[door].directory) {
            return Ok(false);
        }
        self.doors[door].stop();
        disk::cut(&self.doors[door].directory, &mut self.chance)?;
        self.note("power cut", door as u64, 0);
        let wait = self.below(10 * MINUTE);
        self.schedule(self.at + 1 + wait, Happening::StartDoor(door));
        Ok(true)
    }

    /// What is acknowledged must be at the hub that acknowledged it.
    fn check_mark(&mut self, door: usize, mark: &sync::Watermark) -> Result<()> {
        let Some(store) = self.hub.store() else {
            return Ok(());
        };
        let Ok(identity) = hub::store::Store::identity(store) else {
            return Ok(());
        };
        let (own, incarnation) = (Hex(identity.store), Hex(identity.incarnation));
        ensure!(
            mark.store == own,
            "a stranger's acknowledgement was believed"
        );
        if mark.incarnation != incarnation {
            return Ok(());
        }
        let one = &self.doors[door];
        ensure!(
            one.epoch == Some(mark.epoch),
            "the watermark is of a ledger that is not there"
        );
        let whose = (&one.device, mark.epoch);
        self.account
            .check(whose, &one.digests, 1..=mark.through, &one.set_aside)
    }

    /// Reads what is new at the hub, if it runs and its disk does.
    fn follow(&mut self) -> Result<()> {
        if let Some(store) = self.hub.store()
            && !disk::is_dead(&self.hub.directory)
        {
            self.account.follow(store, self.hub.organisation())?;
        }
        Ok(())
    }

    // The network.

    fn send(&mut self, door: usize, request: Request) {
        let life = self.doors[door].life;
        let id = request.id;
        self.note(request.call.operation(), door as u64, id.0);
        let later = |world: &mut Self, wait: u64, answer: Answer| {
            let answer = Happening::Answer {
                door,
                life,
                id,
                answer,
            };
            world.schedule(world.at + wait, answer);
        };
        if self.at < self.cut_off_until {
            return later(self, 20, Err(TransportError::Unreachable));
        }
        if self.fate(self.weather.lost, "lost") {
            return later(self, MINUTE, Err(TransportError::TimedOut));
        }
        if self.fate(self.weather.overloaded, "overloaded") {
            let wait = 20 + self.below(2000);
            let answer = self.overload();
            return later(self, wait, Ok(answer));
        }
        if self.fate(self.weather.garbled, "garbled") {
            let answer = self.garble();
            return later(self, 30, answer);
        }
        if self.fate(self.weather.unwanted, "unwanted") {
            return later(self, 30, Ok(problem(ProblemType::Forbidden)));
        }
        if let Some(answer) = self.proxy(&request.call) {
            return later(self, 30, Ok(answer));
        }
        let slow = self.fate(self.weather.slow, "slow");
        let wait = 5 + self.below(if slow { 90_000 } else { 300 });
        let answered = !self.fate(self.weather.answer_lost, "answer lost");
        if self.fate(self.weather.doubled, "doubled") {
            let again = wait + self.below(2 * HOUR);
            let happening = Happening::Arrive {
                door,
                life,
                request: request.clone(),
                answered: true,
            };
            self.schedule(self.at + again, happening);
        }
        let happening = Happening::Arrive {
            door,
            life,
            request,
            answered,
        };
        self.schedule(self.at + wait, happening);
    }

    fn arrive(&mut self, door: usize, life: u64, request: &Request, answered: bool) -> Result<()> {
        let id = request.id;
        let device = self.doors[door].device.clone();
        if self.hub.store().is_none() {
            let answer = Err(TransportError::Unreachable);
            self.schedule(
                self.at + 20,
                Happening::Answer {
                    door,
                    life,
                    id,
                    answer,
                },
            );
            return Ok(());
        }
        if self.fate(self.weather.lying, "lying") {
            let answer = self.lie(door, &request.call);
            if let Some(answer) = answer {
                let happening = Happening::Answer {
                    door,
                    life,
                    id,
                    answer: Ok(answer),
                };
                self.schedule(self.at + 20, happening);
                return Ok(());
            }
        }
        let result = self.hub.answer(&device, &request.call, self.hub_time());
        if disk::is_dead(&self.hub.directory) {
            return self.hub_died();
        }
        let answer = result?;
        if matches!(request.call, Call::Records(_)) {
            self.follow()?;
        }
        let (wait, answer) = if answered {
            (5 + self.below(300), answer)
        } else {
            (MINUTE, Err(TransportError::TimedOut))
        };
        self.schedule(
            self.at + wait,
            Happening::Answer {
                door,
                life,
                id,
                answer,
            },
        );
        Ok(())
    }

    fn hub_died(&mut self) -> Result<()> {
        self.hub.stop();
        disk::cut(&self.hub.directory, &mut self.chance)?;
        self.note("hub loses power", 0, 0);
        let wait = self.below(5 * MINUTE);
        self.schedule(self.at + 1 + wait, Happening::StartHub);
        Ok(())
    }

    /// What a hub says that has too much to do, or who stands before it.
    fn overload(&mut self) -> HttpAnswer {
        let kinds = [
            ProblemType::TooMany,
            ProblemType::Internal,
            ProblemType::Unavailable,
            ProblemType::RequestTimeout,
        ];
        let which = self.below(5);
        let status = usize::try_from(which)
            .ok()
            .and_then(|which| kinds.get(which));
        let mut answer = match status {
            Some(kind) => problem(*kind),
            None => HttpAnswer {
                status: 502,
                body: b"<html>Bad Gateway</html>".to_vec(),
                ..HttpAnswer::default()
            },
        };
        if self.chance.next_u64().is_multiple_of(3) {
            answer.retry_after = Some(self.below(900).to_string());
        }
        answer
    }

    /// What is no answer at all.
    fn garble(&mut self) -> Answer {
        let body = |status, body: &[u8]| {
            Ok(HttpAnswer {
                status,
                body: body.to_vec(),
                ..HttpAnswer::default()
            })
        };
        match self.below(7) {
            0 => body(200, b"<html>Welcome to the hotel</html>"),
            1 => body(200, b"{\"position\":{\"store\""),
            2 => body(302, b""),
            3 => body(200, b""),
            4 => Err(TransportError::TooLarge),
            5 => Err(TransportError::Untrusted),
            _ => Err(TransportError::Broken),
        }
    }

    /// A proxy that lets not everything through.
    fn proxy(&mut self, call: &Call) -> Option<HttpAnswer> {
        let Call::Records(batch) = call else {
            return None;
        };
        if self
            .batch_max
            .is_some_and(|most| batch.records.len() > most)
        {
            *self.faults.entry("too large").or_default() += 1;
            return Some(HttpAnswer {
                status: 413,
                ..HttpAnswer::default()
            });
        }
        let poison = self.poison?;
        let index = usize::try_from(poison.checked_sub(batch.first)?).ok()?;
        let record = batch.records.get(index)?;
        // What stands in the place of a record is text; a record is not.
        let is_record = record::Record::decode(&record.0).is_ok();
        is_record.then(|| {
            *self.faults.entry("poison").or_default() += 1;
            problem(ProblemType::Malformed)
        })
    }

    /// A well-formed answer that is not true, and that a daemon can know is not.
    #[allow(clippy::too_many_lines, reason = "one arm for each call")]
    #[allow(clippy::too_many_lines, reason = "one arm for each lie")]
    fn lie(&mut self, door: usize, call: &Call) -> Option<HttpAnswer> {
        let identity = hub::store::Store::identity(self.hub.store()?).ok()?;
        let mut store = wire::device::StoreId {
            store: Hex(identity.store),
            incarnation: Hex(identity.incarnation),
        };
        let last = self.doors[door].digests.len() as u64;
        let kind = self.below(5);
        let far = last + 1 + self.below(1 << 30);
        match call {
            Call::Records(batch) => {
                let sent_last = batch.first + batch.records.len() as u64 - 1;
                let mut epoch = batch.epoch;
                let through = match kind {
                    0 => {
                        store.store = Hex([0xee; 16]);
                        sent_last
                    }
                    1 => {
                        epoch = Hex([0xee; 16]);
                        sent_last
                    }
                    2 => far,
                    3 => batch.first - 1,
                    _ => self.below(batch.first),
                };
                city::ok(&RecordsAccepted {
                    position: Position {
                        store,
                        epoch,
                        committed_through: through,
                        digest: None,
                    },
                    quarantined: Vec::new(),
                })
                .ok()
            }
            Call::Position { epoch } => {
                if kind == 0 {
                    store.store = Hex([0xee; 16]);
                }
                city::ok(&Position {
                    store,
                    epoch: if kind == 1 {
                        Hex([0xee; 16])
                    } else {
                        (*epoch).into()
                    },
                    committed_through: far,
                    digest: None,
                })
                .ok()
            }
            // The digests of a roster protect it on the way; whoever changes it does not know.
            Call::Roster { .. } => {
                let device = self.doors[door].device.clone();
                let answer = self.hub.answer(&device, call, self.hub_time()).ok()?.ok()?;
                let mut roster: wire::device::DeviceRoster =
                    serde_json::from_slice(&answer.body).ok()?;
                if kind < 2 {
                    roster.generation = roster.generation.saturating_sub(1);
                } else if let Ok(decoded) = record::decode_roster(&roster.roster.0) {
                    let mut meeting = decoded.meeting().clone();
                    meeting.title.push_str(" (sai)");
                    let entries = decoded.entries().to_vec();
                    let generation = decoded.generation();
                    let other = vocabulary::Roster::new(meeting, generation, entries).ok()?;
                    roster.roster.0 = record::encode_roster(&other);
                }
                city::ok(&roster).ok()
            }
            // An old list, from the memory of somebody on the way.
            Call::Meetings { .. } => {
                let device = self.doors[door].device.clone();
                let mut list = self.hub.meetings(&device, self.hub_time()).ok()?;
                for meeting in &mut list.meetings {
                    meeting.generation = meeting.generation.saturating_sub(1);
                }
                for withdrawn in &mut list.withdrawn {
                    withdrawn.generation = withdrawn.generation.saturating_sub(1);
                }
                if kind == 0 {
                    let old = list.meetings.drain(..).map(|one| wire::device::Withdrawn {
                        meeting: one.meeting,
                        generation: one.generation.saturating_sub(1),
                    });
                    list.withdrawn.extend(old.collect::<Vec<_>>());
                }
                city::ok(&list).ok()
            }
            Call::Renew | Call::Health(_) | Call::Offers { .. } | Call::OfferRange { .. } => None,
        }
    }

    // What goes wrong, beside the network.

    fn go_wrong(&mut self) -> Result<()> {
        let door = usize::try_from(self.below(self.doors.len() as u64))?;
        let kind = self.below(20);
        self.note("wrong", kind, door as u64);
        match kind {
            0..=4 => {
                if self.hub.store().is_some() {
                    let now = self.hub_time();
                    let changed = self.hub.change(&mut self.chance, now);
                    if disk::is_dead(&self.hub.directory) {
                        return self.hub_died();
                    }
                    changed?;
                }
            }
            5 | 6 => {
                self.count("power cut at a door");
                let writes = self.below(40);
                disk::fail_after(&self.doors[door].directory, writes);
            }
            7 => {
                self.count("daemon starts anew");
                if self.doors[door].runs() {
                    self.doors[door].stop();
                    self.start_door(door)?;
                }
            }
            8 | 9 => {
                self.count("power cut at the hub");
                let writes = self.below(60);
                disk::fail_after(&self.hub.directory, writes);
            }
            10 => self.back_up()?,
            11 => self.restore()?,
            12 => {
                self.count("cut off");
                let wait = if !self.was_days && self.chance.next_u64().is_multiple_of(8) {
                    self.was_days = true;
                    DAY + self.below(DAY)
                } else {
                    self.below(30 * MINUTE)
                };
                self.cut_off_until = self.at + wait;
                if wait > HOUR {
                    // What happens after days without a network is part of the trial.
                    self.wrong_until = self.cut_off_until + 10 * MINUTE;
                }
            }
            13 => {
                self.count("clock steps");
                let years = i64::try_from(self.below(21))? - 10;
                self.doors[door].clock_ms = years * 365 * 86_400_000;
            }
            14 => self.replace_ledger(door)?,
            15 => self.save_ledger(door)?,
            16 => self.put_ledger_back()?,
            17 => self.copy_door(door)?,
            18 => {
                self.hub.withholds_keys = !self.hub.withholds_keys;
                let most = 1 + self.below(60);
                self.batch_max = match self.batch_max {
                    None => Some(usize::try_from(most)?),
                    Some(_) => None,
                };
            }
            _ => {
                let last = self.doors[door].digests.len() as u64;
                let number = last.saturating_sub(5) + self.below(20);
                self.poison = match self.poison {
                    None => Some(number),
                    Some(_) => None,
                };
            }
        }
        Ok(())
    }

    fn back_up(&mut self) -> Result<()> {
        if self.hub.store().is_some() && !disk::is_dead(&self.hub.directory) {
            self.count("backup");
            let done = self.hub.back_up();
            if disk::is_dead(&self.hub.directory) {
                return self.hub_died();
            }
            done?;
        }
        Ok(())
    }

    fn restore(&mut self) -> Result<()> {
        // The restoring itself is not cut off: whoever does it looks whether it was done.
        if self.hub.store().is_some() {
            self.hub.stop();
            disk::cut(&self.hub.directory, &mut self.chance)?;
            let now = self.hub_time();
            if self.hub.restore(&mut self.chance, now)? {
                self.count("hub restored");
                self.account.forget_hub();
            } else {
                self.hub.start()?;
            }
            self.follow()?;
        }
        Ok(())
    }

    fn replace_ledger(&mut self, door: usize) -> Result<()> {
        if self.doors[door].runs() {
            self.count("ledger replaced");
            if self.saved.is_some_and(|(of, ..)| of == door) {
                self.saved = None;
            }
            self.doors[door].stop();
            disk::cut(&self.doors[door].directory, &mut self.chance)?;
            self.doors[door].replace_ledger()?;
            self.start_door(door)?;
        }
        Ok(())
    }

    fn save_ledger(&mut self, door: usize) -> Result<()> {
        if self.doors[door].runs() {
            let records = self.doors[door].digests.len();
            self.doors[door].save_ledger(&self.root.join("saved"))?;
            self.saved = Some((door, records, self.at));
        }
        Ok(())
    }

    fn put_ledger_back(&mut self) -> Result<()> {
        if let Some((door, records, _)) = self.saved.take()
            && self.doors[door].runs()
        {
            self.count("older ledger put back");
            // The power goes before the file is changed; what was under way is of the old one.
            self.doors[door].stop();
            disk::cut(&self.doors[door].directory, &mut self.chance)?;
            self.doors[door].put_ledger_back(&self.root.join("saved"), records)?;
            self.start_door(door)?;
        }
        Ok(())
    }

    fn copy_door(&mut self, door: usize) -> Result<()> {
        if !self.copied && self.doors[door].runs() {
            self.copied = true;
            self.count("card copied");
            let copy = self.doors[door].copy(self.root, "copy")?;
            self.doors.push(copy);
            let new = self.doors.len() - 1;
            if self.saved.is_some_and(|(of, ..)| of == door) {
                self.saved = None;
            }
            self.start_door(new)?;
            self.schedule(self.at + 500, Happening::Record(new));
        }
        Ok(())
    }

    // The end.

    fn calm_down(&mut self) -> Result<()> {
        self.note("calm", 0, 0);
        self.weather = Weather::default();
        self.cut_off_until = 0;
        self.batch_max = None;
        self.poison = None;
        self.hub.withholds_keys = false;
        disk::fail_after(&self.hub.directory, u64::MAX);
        ensure!(
            !disk::is_dead(&self.hub.directory),
            "whoever saw it die cut it off"
        );
        if self.hub.store().is_none() {
            self.hub.start()?;
        }
        self.follow()?;
        for door in 0..self.doors.len() {
            disk::fail_after(&self.doors[door].directory, u64::MAX);
        }
        self.stop_those_that_set_aside();
        self.start_all()
    }

    /// A daemon that starts offers again what was set aside, and need not wait for a day.
    fn stop_those_that_set_aside(&mut self) {
        for door in &mut self.doors {
            if door.runs() && !door.set_aside.is_empty() {
                door.stop();
            }
        }
    }

    fn start_all(&mut self) -> Result<()> {
        for door in 0..self.doors.len() {
            if !self.doors[door].runs() {
                self.start_door(door)?;
            }
        }
        Ok(())
    }

    /// What is not where it belongs yet.
    fn open(&mut self) -> Result<Vec<String>> {
        let mut open = Vec::new();
        let now = self.hub_time();
        for door in &self.doors {
            let name = door
                .directory
                .file_name()
                .map(|name| name.to_string_lossy());
            let name = name.unwrap_or_default();
            if door.status.waiting != Some(0) {
                open.push(format!("{name}: {:?} records wait", door.status.waiting));
            }
            // The largest number is no record: it says that there was one, once.
            let waits = |(epoch, number): &(vocabulary::Epoch, u64)| {
                Some(*epoch) == door.epoch && *number <= door.digests.len() as u64
            };
            if door.set_aside.iter().any(waits) {
                open.push(format!("{name}: records are set aside"));
            }
            if let Some(epoch) = door.epoch {
                let missing = door.digests.iter().zip(1..).find(|(digest, number)| {
                    let place = (door.device.clone(), epoch, *number);
                    !self.account.has(&place, **digest)
                });
                if let Some((_, number)) = missing {
                    open.push(format!("{name}: the hub does not have record {number}"));
                }
            }
            let held: BTreeMap<_, _> = door
                .held()?
                .into_iter()
                .map(|held| (held.meeting.clone(), held))
                .collect();
            let list = self.hub.meetings(&door.device, now)?;
            for meeting in list.meetings {
                let held = held.get(&meeting.meeting.0);
                let key = meeting.key.as_ref().map(|key| key.id.0);
                let right = match held {
                    None => meeting.closed,
                    Some(held) => match held.holding {
                        ledger::Holding::Closed => true,
                        ledger::Holding::Withdrawn => meeting.closed,
                        ledger::Holding::Roster => {
                            !meeting.closed
                                && held.generation == meeting.generation
                                && held.key.map(|key| key.0) == key
                        }
                    },
                };
                if !right {
                    let listed = (meeting.generation, meeting.closed, key.map(Hex));
                    let id = &meeting.meeting;
                    open.push(format!(
                        "{name}: {id} is listed as {listed:?}, held as {held:?}"
                    ));
                }
            }
            for withdrawn in list.withdrawn {
                let held = held.get(&withdrawn.meeting.0);
                if held.is_some_and(|held| held.holding == ledger::Holding::Roster) {
                    open.push(format!("{name}: {} is not withdrawn", withdrawn.meeting));
                }
            }
        }
        Ok(open)
    }

    fn check_all(&mut self) -> Result<()> {
        // All of it once more, from the hub's first record on.
        self.account.forget_hub();
        self.follow()?;
        for door in &self.doors {
            let last = door.digests.len() as u64;
            if let Some(epoch) = door.epoch {
                let whose = (&door.device, epoch);
                let none = std::collections::BTreeSet::new();
                self.account.check(whose, &door.digests, 1..=last, &none)?;
            }
        }
        Ok(())
    }

    // Small things.

    fn schedule(&mut self, at: u64, happening: Happening) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happening);
    }

    fn fate(&mut self, thousandths: u64, name: &'static str) -> bool {
        let happens = self.chance.next_u64() % 1000 < thousandths;
        if happens {
            self.count(name);
        }
        happens
    }

    fn count(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    fn below(&mut self, most: u64) -> u64 {
        self.chance.next_u64() % most.max(1)
    }

    fn hub_time(&self) -> WallTime {
        WallTime(i64::try_from(self.at).unwrap_or(i64::MAX))
    }

    /// Takes something that happened into the trace (FNV-1a).
    fn note(&mut self, what: &'static str, one: u64, other: u64) {
        let numbers = [self.at, one, other];
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        for byte in what.bytes().chain(bytes) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        if self.verbose {
            println!("{:>12} {what} {one} {other}", self.at - BEGIN);
        }
    }
}

impl Weather {
    /// Each fault is off, rare or frequent, so that runs differ in kind and not only in detail.
    fn draw(chance: &mut Chance) -> Self {
        let mut level = |rare: u64, frequent: u64| match chance.next_u64() % 3 {
            0 => 0,
            1 => rare,
            _ => frequent,
        };
        Self {
            lost: level(10, 200),
            answer_lost: level(10, 250),
            doubled: level(10, 200),
            slow: level(10, 200),
            overloaded: level(10, 150),
            garbled: level(10, 100),
            lying: level(10, 100),
            unwanted: level(0, 4),
        }
    }
}
