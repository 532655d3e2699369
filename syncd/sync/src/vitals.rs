//! How the device is, told every few minutes; and what the answer says about the clock, the store
//! and the certificate, which is renewed in time.
//!
//! Time is judged here and nowhere else. The hub's own is the best that there is; before the hub
//! was heard, no time before this program was built, or before the last record, is believed.

use std::collections::BTreeSet;
use std::time::Duration;

use vocabulary::{Monotonic, WallTime};
use wire::device::{Enrolled, Health, HealthAnswer};
use wire::limits::{HEALTH_EVERY, HEALTH_TROUBLES_MAX};
use wire::scalar::Hex16;
use wire::{Name, Timestamp};

use crate::call::{Call, RequestId};
use crate::event::{Command, Facts, Now, Remembered};
use crate::fate::{Answer, Fate, classify};
use crate::setback::{ANSWER_WAIT_MAX, Failures, Setback, Turn, Upshot};
use crate::status::Trouble;

/// An answer that took longer than this says nothing about the clock.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(10);

/// The clock is observed anew when it has moved against the hub's by more than this. Crystals drift
/// by a second or two a day.
const MOVED_MIN_MS: u64 = 1000;

/// From here on a wrong clock is a trouble: the screen of a door shows minutes.
const WRONG_MIN_MS: u64 = 30_000;

/// After a renewal there is none for so long, whatever the clocks say.
const RENEW_PAUSE: Duration = Duration::from_secs(3600);

/// Less than this free where the records are, and it is said; thousands of records still fit.
pub const DISK_FREE_BYTES_MIN: u64 = 256 << 20;

/// The telling, and what came of it.
#[derive(Debug)]
pub(crate) struct Vitals {
    store: Hex16,
    facts: Facts,
    state: State,
    failures: Failures,
    /// What the hub's clock showed, and when by the monotonic one.
    hub_clock: Option<(Monotonic, WallTime)>,
    /// This device's clock less the hub's, as last seen, and as last written down.
    offset_ms: Option<i64>,
    observed_ms: Option<i64>,
    other_store: bool,
}

#[derive(Debug, Clone)]
enum State {
    Idle(Monotonic),
    Sending {
        id: RequestId,
        call: Box<Call>,
        sent: Now,
        until: Monotonic,
    },
}

impl Vitals {
    pub(crate) fn new(remembered: &Remembered) -> Self {
        Self {
            store: remembered.store,
            facts: Facts::default(),
            state: State::Idle(Monotonic(0)),
            failures: Failures::default(),
            hub_clock: None,
            offset_ms: None,
            observed_ms: None,
            other_store: false,
        }
    }

    /// Takes over how the device is; says whether that is worth a report of its own: an operator
    /// who rolls something out waits for it.
    pub(crate) fn know(&mut self, facts: Facts) -> bool {
        let states = |facts: &Facts| -> Vec<_> {
            let offers = facts.offers.iter();
            offers.map(|offer| (offer.sha256, offer.state)).collect()
        };
        let is_news = states(&self.facts) != states(&facts);
        self.facts = facts;
        is_news
    }

    /// Begins what is due. `at` is when to try although the hub said to stop.
    pub(crate) fn step(
        &mut self,
        turn: &mut Turn<'_>,
        may_begin: bool,
        waiting: u64,
        troubles: &BTreeSet<Trouble>,
    ) {
        if let State::Sending { until, .. } = &self.state
            && turn.is_due(*until)
        {
            self.fail(&Setback::lost(), turn);
        }
        if let State::Idle(at) = self.state
            && may_begin
            && turn.is_due(at)
        {
            let call = Call::Health(self.report(turn.now, waiting, troubles));
            self.state = State::Sending {
                id: turn.send(call.clone()),
                call: Box::new(call),
                sent: turn.now,
                until: turn.after(ANSWER_WAIT_MAX),
            };
        }
    }

    pub(crate) fn next_wake(&self, may_begin: bool) -> Option<Monotonic> {
        match &self.state {
            State::Idle(at) => may_begin.then_some(*at),
            State::Sending { until, .. } => Some(*until),
        }
    }

    pub(crate) fn wake(&mut self, turn: &Turn<'_>) {
        if let State::Idle(at) = &mut self.state {
            *at = (*at).min(turn.now.monotonic);
        }
    }

    pub(crate) fn waits_for(&self, id: RequestId) -> bool {
        matches!(&self.state, State::Sending { id: waited, .. } if *waited == id)
    }

    /// Takes an answer; a good one also says when to renew.
    pub(crate) fn answered(
        &mut self,
        answer: &Answer,
        turn: &mut Turn<'_>,
    ) -> (Upshot, Option<WallTime>) {
        let State::Sending { call, sent, .. } = self.state.clone() else {
            return (Upshot::Nothing, None);
        };
        match classify::<HealthAnswer>(&call, answer) {
            Fate::Accepted(answer) => {
                self.failures.succeed();
                self.other_store = answer.store.store != self.store;
                self.state = State::Idle(turn.after(HEALTH_EVERY));
                if self.other_store {
                    return (Upshot::Store(answer.store), None);
                }
                self.observe(sent, answer.now.0, turn);
                (Upshot::Store(answer.store), Some(answer.renew_at.0))
            }
            fate @ (Fate::NotModified
            | Fate::NotThere
            | Fate::NotTaken(_)
            | Fate::TryLater { .. }
            | Fate::Renew
            | Fate::Stopped(_)
            | Fate::Untrusted
            | Fate::OurFault { .. }
            | Fate::Garbage(_)) => (self.fail(&Setback::of(call.operation(), &fate), turn), None),
        }
    }

    pub(crate) fn offset_ms(&self) -> Option<i64> {
        self.offset_ms
    }

    /// What the hub's clock shows now, as far as it is known.
    pub(crate) fn hub_time(&self, now: Now) -> Option<WallTime> {
        let (at, time) = self.hub_clock?;
        Some(time.saturating_add(now.monotonic.since(at)))
    }

    pub(crate) fn troubles(&self, into: &mut BTreeSet<Trouble>) {
        into.extend(self.failures.trouble.clone());
        if self.other_store {
            into.insert(Trouble::OtherStore);
        }
        if let Some(ms) = self
            .offset_ms
            .filter(|ms| ms.unsigned_abs() >= WRONG_MIN_MS)
        {
            into.insert(Trouble::ClockWrong(ms / 1000));
        }
        let free = self.facts.disk_free_bytes;
        if let Some(free) = free.filter(|free| *free < DISK_FREE_BYTES_MIN) {
            into.insert(Trouble::DiskNearlyFull(free >> 20));
        }
        if self.facts.camera_works == Some(false) {
            into.insert(Trouble::NoCamera);
        }
    }

    fn report(&self, now: Now, waiting: u64, troubles: &BTreeSet<Trouble>) -> Health {
        let named = troubles
            .iter()
            .filter_map(|trouble| Name::new(&trouble.to_string()).ok());
        let facts = self.facts.clone();
        let named = facts.kiosk_troubles.into_iter().chain(named);
        Health {
            at: Timestamp(now.wall),
            versions: facts.versions,
            spaces: facts.spaces,
            waiting,
            disk_free_bytes: facts.disk_free_bytes,
            camera_works: facts.camera_works,
            clock_offset_ms: self.offset_ms,
            troubles: named.take(HEALTH_TROUBLES_MAX).collect(),
            offers: facts.offers,
        }
    }

    /// Compares the clocks: the hub's was read about half way between question and answer.
    fn observe(&mut self, sent: Now, hub: WallTime, turn: &mut Turn<'_>) {
        let round_trip = turn.now.monotonic.since(sent.monotonic);
        if round_trip > ROUND_TRIP_MAX {
            return;
        }
        let hub = hub.saturating_add(round_trip / 2);
        self.hub_clock = Some((turn.now.monotonic, hub));
        let offset_ms = turn.now.wall.0.saturating_sub(hub.0);
        self.offset_ms = Some(offset_ms);
        let uncertain_ms = u64::try_from(round_trip.as_millis()).unwrap_or(u64::MAX);
        let moved = self.observed_ms.is_none_or(|before| {
            offset_ms.saturating_sub(before).unsigned_abs() > MOVED_MIN_MS.max(uncertain_ms)
        });
        if moved {
            self.observed_ms = Some(offset_ms);
            let at = turn.now;
            turn.out.push(Command::ObserveClock { at, hub });
        }
    }

    fn fail(&mut self, setback: &Setback, turn: &mut Turn<'_>) -> Upshot {
        let until = self.failures.count(setback, turn);
        self.state = State::Idle(until);
        setback.upshot
    }
}

/// The certificate and its renewal.
#[derive(Debug)]
pub(crate) struct Renewal {
    store: Hex16,
    expires_at: WallTime,
    renew_at: WallTime,
    /// No clock that shows less is right.
    not_before: WallTime,
    /// The hub said that the certificate is over.
    forced: bool,
    state: Renewing,
    not_kept: bool,
    failures: Failures,
}

#[derive(Debug)]
enum Renewing {
    Idle(Monotonic),
    Asking {
        id: RequestId,
        until: Monotonic,
    },
    Storing {
        expires_at: WallTime,
        renew_at: WallTime,
        until: Monotonic,
    },
}

impl Renewal {
    pub(crate) fn new(remembered: &Remembered) -> Self {
        let built_at = remembered.built_at;
        Self {
            store: remembered.store,
            expires_at: remembered.expires_at,
            renew_at: remembered.renew_at,
            not_before: remembered
                .last_record_at
                .map_or(built_at, |at| at.max(built_at)),
            forced: false,
            state: Renewing::Idle(Monotonic(0)),
            not_kept: false,
            failures: Failures::default(),
        }
    }

    /// Renews when it is time. `hub` is the hub's time where it is known.
    pub(crate) fn step(&mut self, turn: &mut Turn<'_>, hub: Option<WallTime>, may_begin: bool) {
        match &self.state {
            Renewing::Asking { until, .. } if turn.is_due(*until) => {
                self.fail(&Setback::lost(), turn);
            }
            Renewing::Storing { until, .. } if turn.is_due(*until) => {
                self.not_kept = true;
                self.fail(&Setback::new(Trouble::CertificateNotKept), turn);
            }
            Renewing::Idle(_) | Renewing::Asking { .. } | Renewing::Storing { .. } => {}
        }
        let due = self.forced || self.judge(turn.now, hub) >= self.renew_at;
        if let Renewing::Idle(at) = self.state
            && may_begin
            && due
            && turn.is_due(at)
        {
            self.state = Renewing::Asking {
                id: turn.send(Call::Renew),
                until: turn.after(ANSWER_WAIT_MAX),
            };
        }
    }

    pub(crate) fn next_wake(&self, may_begin: bool) -> Option<Monotonic> {
        match &self.state {
            // When it is time by the clocks is looked at whenever anything happens, which is
            // every few minutes.
            Renewing::Idle(at) => (may_begin && self.is_wanted()).then_some(*at),
            Renewing::Asking { until, .. } | Renewing::Storing { until, .. } => Some(*until),
        }
    }

    pub(crate) fn waits_for(&self, id: RequestId) -> bool {
        matches!(&self.state, Renewing::Asking { id: waited, .. } if *waited == id)
    }

    /// The hub refuses the certificate as too old.
    pub(crate) fn force(&mut self) {
        self.forced = true;
    }

    /// The hub says when to renew.
    pub(crate) fn renew_at(&mut self, at: WallTime) {
        self.renew_at = at;
    }

    pub(crate) fn answered(&mut self, answer: &Answer, turn: &mut Turn<'_>) -> Upshot {
        match classify::<Enrolled>(&Call::Renew, answer) {
            Fate::Accepted(enrolled) if enrolled.store.store == self.store => {
                self.state = Renewing::Storing {
                    expires_at: enrolled.expires_at.0,
                    renew_at: enrolled.renew_at.0,
                    until: turn.after(ANSWER_WAIT_MAX),
                };
                turn.out.push(Command::StoreCertificate(Box::new(enrolled)));
                Upshot::Contact
            }
            Fate::Accepted(_) => self.fail(&Setback::new(Trouble::OtherStore), turn),
            fate @ (Fate::NotModified
            | Fate::NotThere
            | Fate::NotTaken(_)
            | Fate::TryLater { .. }
            | Fate::Renew
            | Fate::Stopped(_)
            | Fate::Untrusted
            | Fate::OurFault { .. }
            | Fate::Garbage(_)) => {
                let setback = Setback::of(Call::Renew.operation(), &fate);
                self.fail(&setback, turn)
            }
        }
    }

    pub(crate) fn stored(&mut self, failed: Option<&str>, turn: &mut Turn<'_>) -> Upshot {
        let Renewing::Storing {
            expires_at,
            renew_at,
            ..
        } = self.state
        else {
            return Upshot::Nothing;
        };
        self.not_kept = failed.is_some();
        if failed.is_some() {
            return self.fail(&Setback::new(Trouble::CertificateNotKept), turn);
        }
        self.failures.succeed();
        self.forced = false;
        (self.expires_at, self.renew_at) = (expires_at, renew_at);
        self.state = Renewing::Idle(turn.after(RENEW_PAUSE));
        Upshot::Renewed
    }

    pub(crate) fn troubles(&self, now: Now, hub: Option<WallTime>, into: &mut BTreeSet<Trouble>) {
        let trouble = self.failures.trouble.clone();
        into.extend(trouble.filter(|trouble| *trouble != Trouble::CertificateExpired));
        if self.forced || self.judge(now, hub) >= self.expires_at {
            into.insert(Trouble::CertificateExpired);
        }
        if self.not_kept {
            into.insert(Trouble::CertificateNotKept);
        }
    }

    /// The best guess at the time: the hub's; else the latest of what it cannot be before.
    fn judge(&self, now: Now, hub: Option<WallTime>) -> WallTime {
        hub.unwrap_or_else(|| now.wall.max(self.not_before))
    }

    fn is_wanted(&self) -> bool {
        self.forced || self.failures.trouble.is_some()
    }

    fn fail(&mut self, setback: &Setback, turn: &mut Turn<'_>) -> Upshot {
        let until = self.failures.count(setback, turn);
        self.state = Renewing::Idle(until);
        setback.upshot
    }
}
