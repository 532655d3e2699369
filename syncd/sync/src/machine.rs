//! The daemon's one machine: takes an event, lets each activity take its turn, and says when to
//! wake it next.
//!
//! Four activities run beside each other, each with at most one request under way: telling how
//! the device is, renewing its certificate, fetching rosters, sending records.

use std::collections::BTreeSet;
use std::time::Duration;

use vocabulary::{Monotonic, WallTime};

use crate::backoff::Chance;
use crate::call::RequestId;
use crate::event::{Change, Command, Event, Now, Remembered};
use crate::fate::{Answer, Stop};
use crate::planted::planted;
use crate::pull::Pull;
use crate::push::Push;
use crate::setback::{Turn, Upshot};
use crate::status::{Status, Trouble};
use crate::vitals::{Renewal, Vitals};

/// How often a hub that does not want this device is asked whether it does now.
pub const STOPPED_ASK_EVERY: Duration = Duration::from_secs(3600);

/// A status that differs in nothing but the time of the last contact is shown again after this.
const SHOW_CONTACT_EVERY_MS: i64 = 10_000;

/// The daemon's decisions. See the crate's own words for what its shell has to do.
#[derive(Debug)]
pub struct Sync {
    chance: Chance,
    last_id: u64,
    vitals: Vitals,
    renewal: Renewal,
    pull: Pull,
    push: Push,
    stopped: Option<Stopped>,
    last_contact: Option<WallTime>,
    watermark_unsaved: bool,
    shown: Option<Status>,
}

#[derive(Debug, Clone, Copy)]
struct Stopped {
    why: Stop,
    ask_at: Monotonic,
}

impl Sync {
    /// A daemon that has just started. `seed` is for spreading waits, and should differ from
    /// device to device and from start to start.
    #[must_use]
    pub fn new(remembered: &Remembered, seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            last_id: 0,
            vitals: Vitals::new(remembered),
            renewal: Renewal::new(remembered),
            pull: Pull::new(&remembered.meetings),
            push: Push::new(remembered),
            stopped: None,
            last_contact: None,
            watermark_unsaved: false,
            shown: None,
        }
    }

    /// Takes an event and appends what is to be done, in order.
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Vec<Command>) {
        let mut chance = std::mem::replace(&mut self.chance, Chance::new(0));
        let mut last_id = self.last_id;
        let mut turn = Turn {
            now,
            out,
            last_id: &mut last_id,
            chance: &mut chance,
        };
        self.take(event, &mut turn);
        self.step(&mut turn);
        self.chance = chance;
        self.last_id = last_id;
        self.show(now, out);
    }

    /// When to call [`Sync::handle`] with [`Event::Tick`], if nothing else happens before. It may
    /// be in the past, which means at once.
    #[must_use]
    pub fn next_wake(&self) -> Option<Monotonic> {
        let free = self.stopped.is_none();
        let asks = self.stopped.map(|stopped| stopped.ask_at);
        let vitals = match asks {
            Some(at) => self.vitals.next_wake(false).or(Some(at)),
            None => self.vitals.next_wake(true),
        };
        [
            vitals,
            self.renewal.next_wake(free),
            self.pull.next_wake(free),
            self.push.next_wake(free),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How things are.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        Status {
            last_contact: self.last_contact,
            waiting: self.push.waiting(),
            clock_offset_ms: self.vitals.offset_ms(),
            rosters_waiting: self.pull.rosters_waiting(),
            troubles: self.troubles(now),
        }
    }

    fn take(&mut self, event: Event, turn: &mut Turn<'_>) {
        match event {
            Event::Tick => {}
            Event::LedgerGrew { epoch, last } => self.push.grew(epoch, last, turn),
            Event::LedgerRead { id, outcome } => {
                if self.push.reads(id) {
                    self.push.read(outcome, turn);
                }
            }
            Event::Answered { id, answer } => self.answered(id, &answer, turn),
            Event::Stored { change, failed } => self.stored(&change, failed.as_deref(), turn),
            Event::Facts(facts) => {
                if self.vitals.know(*facts) {
                    self.vitals.wake(turn);
                }
            }
        }
    }

    fn answered(&mut self, id: RequestId, answer: &Answer, turn: &mut Turn<'_>) {
        let (upshot, by_vitals) = if self.vitals.waits_for(id) {
            let (upshot, renew_at) = self.vitals.answered(answer, turn);
            if let Some(at) = renew_at {
                self.renewal.renew_at(at);
            }
            (upshot, true)
        } else if self.renewal.waits_for(id) {
            (self.renewal.answered(answer, turn), false)
        } else if self.pull.waits_for(id) {
            (self.pull.answered(answer, turn), false)
        } else if self.push.waits_for(id) || planted!(AnswerOfAnother) {
            (self.push.answered(answer, turn), false)
        } else {
            // It came too late or twice.
            return;
        };
        self.tell(upshot, by_vitals, turn);
    }

    fn stored(&mut self, change: &Change, failed: Option<&str>, turn: &mut Turn<'_>) {
        match change {
            Change::Watermark | Change::SetAside => self.watermark_unsaved = failed.is_some(),
            Change::Certificate => {
                let upshot = self.renewal.stored(failed, turn);
                self.tell(upshot, false, turn);
            }
            Change::Roster { .. }
            | Change::Key { .. }
            | Change::Withdrawal { .. }
            | Change::Closing { .. } => self.pull.stored(change, failed, turn),
        }
    }

    /// Lets the others know what one activity met with.
    fn tell(&mut self, upshot: Upshot, by_vitals: bool, turn: &mut Turn<'_>) {
        match upshot {
            Upshot::Nothing => return,
            Upshot::Renew => {
                self.renewal.force();
                return;
            }
            Upshot::Stopped(why) => {
                let ask_at = turn.after(STOPPED_ASK_EVERY);
                self.stopped = Some(Stopped { why, ask_at });
                return;
            }
            Upshot::Contact => {}
            Upshot::Store(store) => {
                let before = self.push.asks();
                self.push.noticed(store, turn);
                if self.push.asks() && !before {
                    self.pull.forget_tag();
                }
            }
            Upshot::Renewed => {
                self.vitals.wake(turn);
                self.pull.wake(turn);
                self.push.wake(turn);
            }
        }
        self.last_contact = Some(turn.now.wall);
        // Only the question that was asked for this purpose lifts the stop: another answer may
        // have been on its way since before.
        if by_vitals && self.stopped.take().is_some() {
            self.pull.wake(turn);
            self.push.wake(turn);
        }
    }

    fn step(&mut self, turn: &mut Turn<'_>) {
        let free = self.stopped.is_none();
        let asks = match &mut self.stopped {
            Some(stopped) if turn.is_due(stopped.ask_at) => {
                stopped.ask_at = turn.after(STOPPED_ASK_EVERY);
                self.vitals.wake(turn);
                true
            }
            Some(_) => false,
            None => true,
        };
        let troubles = self.troubles(turn.now);
        let waiting = self.push.waiting().unwrap_or(0);
        self.vitals.step(turn, asks, waiting, &troubles);
        let hub = self.vitals.hub_time(turn.now);
        self.renewal.step(turn, hub, free);
        self.pull.step(turn, free);
        self.push.step(turn, free);
    }

    fn troubles(&self, now: Now) -> BTreeSet<Trouble> {
        let mut troubles = BTreeSet::new();
        self.vitals.troubles(&mut troubles);
        self.pull.troubles(&mut troubles);
        self.push.troubles(&mut troubles);
        // Whoever met with these waits to try again; whether they still hold is known here alone.
        troubles.retain(|trouble| {
            !matches!(trouble, Trouble::Stopped(_) | Trouble::CertificateExpired)
        });
        let hub = self.vitals.hub_time(now);
        self.renewal.troubles(now, hub, &mut troubles);
        troubles.retain(|trouble| !matches!(trouble, Trouble::Stopped(_)));
        if self.watermark_unsaved {
            troubles.insert(Trouble::CityUnwritable);
        }
        if let Some(stopped) = self.stopped {
            troubles.insert(Trouble::Stopped(stopped.why));
        }
        troubles
    }

    fn show(&mut self, now: Now, out: &mut Vec<Command>) {
        let status = self.status(now);
        let news = self.shown.as_ref().is_none_or(|shown| {
            let contact = |status: &Status| status.last_contact.map_or(i64::MIN, |at| at.0);
            let offset = |status: &Status| status.clock_offset_ms.map(|ms| ms / 1000);
            shown.troubles != status.troubles
                || shown.waiting != status.waiting
                || shown.rosters_waiting != status.rosters_waiting
                || offset(shown) != offset(&status)
                || contact(&status).abs_diff(contact(shown)) >= SHOW_CONTACT_EVERY_MS.unsigned_abs()
        });
        if news {
            self.shown = Some(status.clone());
            out.push(Command::Show(status));
        }
    }
}
