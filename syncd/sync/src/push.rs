//! Records up: one batch under way at a time, and a watermark that moves only when the hub has
//! acknowledged what was sent to it.
//!
//! An acknowledgement is checked against store, incarnation, epoch and the range that was sent.
//! What is impossible moves nothing. The watermark goes forward by what was sent and acknowledged,
//! and back where a restored hub has less; it never jumps ahead on the hub's word alone, since
//! another device with a copy of this ledger may have sent what this one has not.

use std::collections::BTreeSet;
use std::time::Duration;

use vocabulary::{Digest, Epoch, Monotonic};
use wire::Base64;
use wire::device::{Position, RecordsAccepted, SendRecords, StoreId};
use wire::limits::{BATCH_RECORDS_MAX, RECORDS_BODY_BYTES_MAX};
use wire::scalar::Hex16;

use crate::call::{Call, RequestId};
use crate::event::{Command, LedgerBatch, LedgerOutcome, Remembered, SetAside, Watermark};
use crate::fate::{Answer, Fate, classify};
use crate::planted::planted;
use crate::setback::{ANSWER_WAIT_MAX, Failures, Setback, Turn, Upshot};
use crate::status::Trouble;

/// How often the ledger is looked at when nobody says that it has grown.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often a record that the hub did not take is offered again.
const OFFER_AGAIN_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Most records that are set aside. When the hub refuses more than this one by one, it is not the
/// records that are wrong.
pub const SET_ASIDE_MAX: usize = 1000;

/// Stands in the list of what was set aside for "something of this ledger was, once": no record
/// has this number. It stays when all were taken after all, since a restored hub may have lost
/// just those again, and does not know it.
const EVER: u64 = i64::MAX as u64;

/// Bytes of a batch beside its records: the frame, the epoch, numbers, the signed head.
const FRAME_BYTES_MAX: usize = 4096;

/// What stands in the place of a record that the hub does not take. It is no record, so the hub
/// keeps it aside for people to read, and takes what comes behind it.
const NOT_TAKEN: &str = "not taken as it was; its SHA-256 is ";

/// What stands in the place of a record that the ledger cannot give.
const NOT_READABLE: &str = "this record cannot be read on the device";

/// The sending of records.
#[derive(Debug)]
pub(crate) struct Push {
    /// The only store that is believed.
    store: Hex16,
    watermark: Option<Watermark>,
    /// The incarnation that the hub was last known in.
    incarnation: Option<Hex16>,
    epoch: Option<Epoch>,
    /// The number after which to go on.
    cursor: u64,
    /// The last record of the ledger, as far as it was looked at.
    last: Option<u64>,
    /// How many records to send at once.
    limit: usize,
    state: State,
    /// The record that may be what the hub, or the disk, refuses.
    suspect: Option<Suspect>,
    /// The hub must be asked how far it is before anything is sent.
    ask: bool,
    set_aside: BTreeSet<SetAside>,
    offer_again_at: Monotonic,
    /// What is still to be offered again this time.
    offers: Vec<SetAside>,
    quarantined: u64,
    /// An acknowledgement that cannot be, until there is one that can.
    impossible: Option<Trouble>,
    failures: Failures,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Nothing to do until then, or until the ledger grows.
    Idle(Monotonic),
    /// Something failed; not before then.
    Waiting(Monotonic),
    Reading {
        id: RequestId,
        after: u64,
        purpose: Purpose,
        until: Monotonic,
    },
    Asking {
        id: RequestId,
        call: Call,
        until: Monotonic,
    },
    Sending {
        id: RequestId,
        sent: Sent,
        until: Monotonic,
    },
}

/// What a batch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The next records.
    Next,
    /// To see whether the hub takes something else in the place of the suspect.
    InPlace,
    /// To see whether the ledger can be read behind the suspect.
    Behind,
    /// A record that was set aside, once more.
    Again(SetAside),
    /// To see whether the record that the hub has under a number is this device's.
    Compare(Place),
}

/// Where the hub says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    store: StoreId,
    through: u64,
    digest: Option<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspect {
    /// The hub refused this record alone.
    Refused(u64),
    /// The ledger does not give this record.
    Unreadable(u64),
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    epoch: Epoch,
    first: u64,
    last: u64,
    purpose: Purpose,
}

/// What an acknowledgement comes to, once it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Acknowledgement {
    /// Everything sent up to this number is there.
    Through(u64),
    /// The hub is another incarnation than before.
    NewIncarnation,
    /// It cannot be, and nothing is believed of it.
    Impossible(Trouble),
    /// The hub has less than it had acknowledged.
    Forgot(u64),
}

impl Push {
    pub(crate) fn new(remembered: &Remembered) -> Self {
        let watermark = remembered.watermark;
        Self {
            store: remembered.store,
            watermark,
            incarnation: watermark.map(|mark| mark.incarnation),
            epoch: watermark.map(|mark| mark.epoch),
            cursor: watermark.map_or(0, |mark| mark.through),
            last: None,
            limit: BATCH_RECORDS_MAX,
            state: State::Idle(Monotonic(0)),
            suspect: None,
            ask: false,
            set_aside: remembered
                .set_aside
                .iter()
                .copied()
                .take(SET_ASIDE_MAX)
                .collect(),
            offer_again_at: Monotonic(0),
            offers: Vec::new(),
            quarantined: 0,
            impossible: None,
            failures: Failures::default(),
        }
    }

    /// Begins what is due, and gives up what is overdue.
    pub(crate) fn step(&mut self, turn: &mut Turn<'_>, may_begin: bool) {
        match &self.state {
            State::Reading { until, .. } if turn.is_due(*until) => {
                self.unreadable(turn);
            }
            State::Asking { until, .. } | State::Sending { until, .. } if turn.is_due(*until) => {
                self.fail(&Setback::lost(), turn);
            }
            State::Idle(_)
            | State::Waiting(_)
            | State::Reading { .. }
            | State::Asking { .. }
            | State::Sending { .. } => {}
        }
        if let State::Idle(at) | State::Waiting(at) = self.state
            && may_begin
            && turn.is_due(at)
        {
            self.begin(turn);
        }
    }

    pub(crate) fn next_wake(&self, may_begin: bool) -> Option<Monotonic> {
        match &self.state {
            State::Idle(at) | State::Waiting(at) => may_begin.then_some(*at),
            State::Reading { until, .. }
            | State::Asking { until, .. }
            | State::Sending { until, .. } => Some(*until),
        }
    }

    /// Does not wait any longer for what a failure has made it wait for.
    pub(crate) fn wake(&mut self, turn: &Turn<'_>) {
        if let State::Idle(at) | State::Waiting(at) = &mut self.state {
            *at = (*at).min(turn.now.monotonic);
        }
    }

    /// The kiosk says that its ledger has grown.
    pub(crate) fn grew(&mut self, epoch: Epoch, last: u64, turn: &Turn<'_>) {
        if self.epoch == Some(epoch) {
            self.last = Some(self.last.unwrap_or(0).max(last));
        }
        // A hub that does not answer is not asked more often because people come in.
        if let State::Idle(at) = &mut self.state {
            *at = (*at).min(turn.now.monotonic);
        }
    }

    /// The hub named its store in another answer.
    pub(crate) fn noticed(&mut self, store: StoreId, turn: &Turn<'_>) {
        if store.store != self.store {
            self.impossible = Some(Trouble::OtherStore);
        } else if self
            .incarnation
            .is_some_and(|known| known != store.incarnation)
            && !planted!(IncarnationIgnored)
        {
            self.ask = true;
            self.wake(turn);
        }
    }

    /// Whether the hub is to be asked how far it is.
    pub(crate) fn asks(&self) -> bool {
        self.ask
    }

    /// Whether this read is waited for.
    pub(crate) fn reads(&self, id: RequestId) -> bool {
        matches!(&self.state, State::Reading { id: waited, .. } if *waited == id)
    }

    /// Whether this answer is waited for.
    pub(crate) fn waits_for(&self, id: RequestId) -> bool {
        match &self.state {
            State::Asking { id: waited, .. } | State::Sending { id: waited, .. } => *waited == id,
            State::Idle(_) | State::Waiting(_) | State::Reading { .. } => false,
        }
    }

    /// Takes what was found in the ledger.
    pub(crate) fn read(&mut self, outcome: LedgerOutcome, turn: &mut Turn<'_>) {
        let State::Reading { after, purpose, .. } = self.state else {
            return;
        };
        match outcome {
            LedgerOutcome::NoLedger => {
                self.state = State::Idle(turn.after(LOOK_EVERY));
            }
            LedgerOutcome::Failed(_) => self.unreadable(turn),
            LedgerOutcome::Batch(batch) => {
                if self.failures.trouble == Some(Trouble::LedgerUnreadable) {
                    self.failures.trouble = None;
                }
                if self.settle_epoch(&batch, turn) {
                    self.begin(turn);
                } else {
                    self.take(batch, after, purpose, turn);
                }
            }
        }
    }

    /// Takes an answer.
    pub(crate) fn answered(&mut self, answer: &Answer, turn: &mut Turn<'_>) -> Upshot {
        match self.state.clone() {
            State::Asking { call, .. } => match classify::<Position>(&call, answer) {
                Fate::Accepted(position) => self.go_to(position, turn),
                fate @ (Fate::NotModified
                | Fate::NotThere
                | Fate::NotTaken(_)
                | Fate::TryLater { .. }
                | Fate::Renew
                | Fate::Stopped(_)
                | Fate::Untrusted
                | Fate::OurFault { .. }
                | Fate::Garbage(_)) => self.fail(&Setback::of(call.operation(), &fate), turn),
            },
            State::Sending { sent, .. } => self.answered_batch(sent, answer, turn),
            State::Idle(_) | State::Waiting(_) | State::Reading { .. } => Upshot::Nothing,
        }
    }

    /// Records that wait to be acknowledged; none before the ledger was looked at.
    pub(crate) fn waiting(&self) -> Option<u64> {
        let through = self
            .watermark
            .filter(|mark| Some(mark.epoch) == self.epoch)
            .map_or(0, |mark| mark.through);
        self.last.map(|last| last.saturating_sub(through))
    }

    pub(crate) fn troubles(&self, into: &mut BTreeSet<Trouble>) {
        into.extend(self.failures.trouble.clone());
        into.extend(self.impossible.clone());
        let here = self
            .set_aside
            .iter()
            .filter(|one| Some(one.epoch) == self.epoch && one.sequence != EVER);
        let set_aside = here.count() as u64;
        if set_aside > 0 {
            into.insert(Trouble::SetAside(set_aside));
        }
        if self.quarantined > 0 {
            into.insert(Trouble::Quarantined(self.quarantined));
        }
    }

    /// Asks or reads, whichever comes next.
    fn begin(&mut self, turn: &mut Turn<'_>) {
        if let Some(epoch) = self.epoch.filter(|_| self.ask) {
            let call = Call::Position { epoch };
            self.state = State::Asking {
                id: turn.send(call.clone()),
                call,
                until: turn.after(ANSWER_WAIT_MAX),
            };
            return;
        }
        let (after, limit, purpose) = match self.suspect {
            Some(Suspect::Refused(number)) => (number.saturating_sub(1), 1, Purpose::InPlace),
            Some(Suspect::Unreadable(number)) => (number, 1, Purpose::Behind),
            None => (self.cursor, self.limit, Purpose::Next),
        };
        self.read_ledger(after, limit, purpose, turn);
    }

    fn read_ledger(&mut self, after: u64, limit: usize, purpose: Purpose, turn: &mut Turn<'_>) {
        self.state = State::Reading {
            id: turn.read_ledger(after, limit),
            after,
            purpose,
            until: turn.after(ANSWER_WAIT_MAX),
        };
    }

    /// Looks at whose records these are. True when they must be read again from elsewhere: the
    /// ledger was replaced, or is an older copy of itself.
    fn settle_epoch(&mut self, batch: &LedgerBatch, turn: &mut Turn<'_>) -> bool {
        self.last = Some(batch.last);
        if self.epoch != Some(batch.epoch) {
            let was_read_from_elsewhere = self.cursor != 0;
            self.epoch = Some(batch.epoch);
            self.suspect = None;
            self.offers.clear();
            if planted!(EpochIgnored) {
                return false;
            }
            self.cursor = 0;
            return was_read_from_elsewhere;
        }
        if batch.last < self.cursor && !planted!(ShrunkenLedgerIgnored) {
            // Numbers that were used before are used again; what comes now must be sent.
            self.impossible = Some(Trouble::HubAhead {
                claimed: self.cursor,
                last: batch.last,
            });
            self.cursor = batch.last;
            if let Some(mark) = &mut self.watermark {
                mark.through = mark.through.min(batch.last);
                turn.out.push(Command::SaveWatermark(*mark));
            }
            return true;
        }
        false
    }

    /// Sends what was read, as far as it goes.
    fn take(&mut self, batch: LedgerBatch, after: u64, purpose: Purpose, turn: &mut Turn<'_>) {
        let epoch = batch.epoch;
        let oldest = batch.oldest.max(1);
        let (first, mut records, head) = run_behind(batch, after);
        match (purpose, first) {
            (Purpose::Next, None) => self.rest(turn),
            (Purpose::Compare(place), _) => {
                let own = records.first().map(|bytes| record::digest(bytes));
                let is_ours = first == Some(place.through) && own == place.digest;
                self.go_on_from(epoch, place, is_ours, turn);
            }
            (Purpose::InPlace | Purpose::Again(_), None) => {
                // It is not there any more.
                self.suspect = None;
                self.offers.pop();
                self.state = State::Idle(turn.after(LOOK_EVERY));
            }
            (Purpose::Behind, None) => {
                // Nothing behind it either: it may be the file, or its last record.
                self.suspect = None;
                self.fail(&Setback::new(Trouble::LedgerUnreadable), turn);
            }
            (Purpose::Next, Some(first)) => {
                // What the ledger does not have between is lost; the hub notes it.
                let oldest = if first == after + 1 {
                    oldest.min(first)
                } else {
                    first
                };
                self.send(epoch, first, oldest, records, head, purpose, turn);
            }
            (Purpose::InPlace, Some(first)) => {
                let digest = records
                    .first()
                    .map(|bytes| record::digest(bytes).to_string());
                let place = format!("{NOT_TAKEN}{}", digest.unwrap_or_default());
                let records = vec![place.into_bytes()];
                self.send(
                    epoch,
                    first,
                    oldest.min(first),
                    records,
                    None,
                    purpose,
                    turn,
                );
            }
            (Purpose::Behind, Some(_)) => {
                let records = vec![NOT_READABLE.as_bytes().to_vec()];
                let oldest = oldest.min(after.max(1));
                let sent = Purpose::InPlace;
                self.send(epoch, after, oldest, records, None, sent, turn);
            }
            (Purpose::Again(one), Some(first)) => {
                if first == one.sequence {
                    records.truncate(1);
                    self.send(
                        epoch,
                        first,
                        oldest.min(first),
                        records,
                        None,
                        purpose,
                        turn,
                    );
                } else {
                    self.offers.pop();
                    self.state = State::Idle(turn.now.monotonic);
                }
            }
        }
    }

    /// There is nothing new. Time to offer again what was refused, when it is time.
    fn rest(&mut self, turn: &mut Turn<'_>) {
        if self.offers.is_empty() && turn.is_due(self.offer_again_at) {
            self.offer_again_at = turn.after(OFFER_AGAIN_EVERY);
            let here = self
                .set_aside
                .iter()
                .filter(|one| Some(one.epoch) == self.epoch && one.sequence != EVER);
            self.offers = here.copied().collect();
        }
        match self.offers.last().copied() {
            Some(one) => {
                let after = one.sequence.saturating_sub(1);
                self.read_ledger(after, 1, Purpose::Again(one), turn);
            }
            None => self.state = State::Idle(turn.after(LOOK_EVERY)),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "they are the fields of a batch")]
    fn send(
        &mut self,
        epoch: Epoch,
        first: u64,
        oldest: u64,
        records: Vec<Vec<u8>>,
        head: Option<Vec<u8>>,
        purpose: Purpose,
        turn: &mut Turn<'_>,
    ) {
        let sent = Sent {
            epoch,
            first,
            last: first + records.len() as u64 - 1,
            purpose,
        };
        if planted!(MovedBeforeAcknowledged) && purpose == Purpose::Next {
            let position = Position {
                store: StoreId {
                    store: self.store,
                    incarnation: self.incarnation.unwrap_or(self.store),
                },
                epoch: epoch.into(),
                committed_through: sent.last,
                digest: None,
            };
            self.move_to(sent, position, sent.last, turn);
        }
        let call = Call::Records(SendRecords {
            epoch: epoch.into(),
            first,
            oldest: if planted!(OldestAlwaysFirst) {
                first
            } else {
                oldest
            },
            records: records.into_iter().map(Base64).collect(),
            head: head.map(Base64),
        });
        self.state = State::Sending {
            id: turn.send(call),
            sent,
            until: turn.after(ANSWER_WAIT_MAX),
        };
    }

    fn answered_batch(&mut self, sent: Sent, answer: &Answer, turn: &mut Turn<'_>) -> Upshot {
        // The fate depends on the kind of call and not on what was in it.
        let call = Call::Records(SendRecords {
            epoch: sent.epoch.into(),
            first: sent.first,
            oldest: sent.first,
            records: Vec::new(),
            head: None,
        });
        match classify::<RecordsAccepted>(&call, answer) {
            Fate::Accepted(accepted) => self.acknowledged(sent, &accepted, turn),
            Fate::NotTaken(_) => self.not_taken(sent, turn),
            fate @ (Fate::NotModified
            | Fate::NotThere
            | Fate::TryLater { .. }
            | Fate::Renew
            | Fate::Stopped(_)
            | Fate::Untrusted
            | Fate::OurFault { .. }
            | Fate::Garbage(_)) => {
                let setback = Setback::of(call.operation(), &fate);
                if setback.timed_out {
                    // The line may be too slow for so much at once.
                    self.limit = (sent.count() / 2).max(1);
                }
                if planted!(FailedBatchForgotten) && sent.purpose == Purpose::Next {
                    self.cursor = sent.last;
                }
                self.fail(&setback, turn)
            }
        }
    }

    fn acknowledged(
        &mut self,
        sent: Sent,
        accepted: &RecordsAccepted,
        turn: &mut Turn<'_>,
    ) -> Upshot {
        let position = accepted.position;
        match self.check(sent, &position) {
            Acknowledgement::Through(through) => {
                self.impossible = None;
                self.failures.succeed();
                let new = accepted.quarantined.len() as u64;
                self.quarantined = self.quarantined.saturating_add(match sent.purpose {
                    Purpose::Next => new,
                    Purpose::InPlace
                    | Purpose::Behind
                    | Purpose::Again(_)
                    | Purpose::Compare(_) => 0,
                });
                self.limit = (self.limit * 2).min(BATCH_RECORDS_MAX);
                self.move_to(sent, position, through, turn);
                self.state = State::Idle(turn.now.monotonic);
                Upshot::Store(position.store)
            }
            Acknowledgement::NewIncarnation => {
                self.ask = true;
                self.state = State::Idle(turn.now.monotonic);
                Upshot::Contact
            }
            Acknowledgement::Forgot(through) => {
                let trouble = Trouble::HubForgot {
                    claimed: through,
                    acknowledged: sent.first - 1,
                };
                self.impossible = Some(trouble.clone());
                self.ask = true;
                self.fail(&Setback::new(trouble), turn);
                Upshot::Contact
            }
            Acknowledgement::Impossible(trouble) => {
                self.impossible = Some(trouble.clone());
                self.fail(&Setback::new(trouble), turn)
            }
        }
    }

    /// Checks an acknowledgement against what was sent. Changes nothing.
    fn check(&self, sent: Sent, position: &Position) -> Acknowledgement {
        let through = position.committed_through;
        if position.store.store != self.store && !planted!(StoreUnchecked) {
            return Acknowledgement::Impossible(Trouble::OtherStore);
        }
        if Epoch::from(position.epoch) != sent.epoch && !planted!(AcknowledgedEpochUnchecked) {
            return Acknowledgement::Impossible(Trouble::Garbled);
        }
        if self
            .incarnation
            .is_some_and(|known| known != position.store.incarnation)
            && !planted!(IncarnationIgnored)
        {
            return Acknowledgement::NewIncarnation;
        }
        if planted!(RangeUnchecked) {
            return Acknowledgement::Through(through);
        }
        if planted!(SentCountsAsAcknowledged) {
            return Acknowledgement::Through(sent.last);
        }
        let last = self.last.unwrap_or(0).max(sent.last);
        if through > last {
            return Acknowledgement::Impossible(Trouble::HubAhead {
                claimed: through,
                last,
            });
        }
        if through < sent.first - 1 {
            return Acknowledgement::Forgot(through);
        }
        if through == sent.first - 1 {
            // It is just as far as before, without a hole that could be a reason.
            return Acknowledgement::Impossible(Trouble::Garbled);
        }
        Acknowledgement::Through(through.min(sent.last))
    }

    /// What was sent has arrived, up to a number.
    fn move_to(&mut self, sent: Sent, position: Position, through: u64, turn: &mut Turn<'_>) {
        self.incarnation = Some(position.store.incarnation);
        match sent.purpose {
            Purpose::Again(one) => {
                self.set_aside.remove(&one);
                self.offers.retain(|offered| *offered != one);
                turn.out.push(Command::ForgetSetAside(one));
                return;
            }
            Purpose::InPlace | Purpose::Behind | Purpose::Compare(_) => {
                let one = SetAside {
                    epoch: sent.epoch,
                    sequence: sent.first,
                };
                self.suspect = None;
                let ever = ever(sent.epoch);
                for new in [ever, one] {
                    if self.set_aside.insert(new) {
                        turn.out.push(Command::SaveSetAside(new));
                    }
                }
            }
            Purpose::Next => {}
        }
        self.cursor = through;
        self.mark(sent.epoch, position.store, through, turn);
    }

    fn mark(&mut self, epoch: Epoch, store: StoreId, through: u64, turn: &mut Turn<'_>) {
        let mark = Watermark {
            store: store.store,
            incarnation: store.incarnation,
            epoch,
            through,
        };
        self.watermark = Some(mark);
        turn.out.push(Command::SaveWatermark(mark));
    }

    /// Goes on from where a new incarnation of the hub is.
    fn go_to(&mut self, position: Position, turn: &mut Turn<'_>) -> Upshot {
        let Some(epoch) = self.epoch else {
            self.state = State::Idle(turn.now.monotonic);
            return Upshot::Nothing;
        };
        let wrong = if position.store.store != self.store {
            Some(Trouble::OtherStore)
        } else if Epoch::from(position.epoch) != epoch {
            Some(Trouble::Garbled)
        } else {
            None
        };
        if let Some(trouble) = wrong {
            self.impossible = Some(trouble.clone());
            return self.fail(&Setback::new(trouble), turn);
        }
        let place = Place {
            store: position.store,
            through: position.committed_through,
            digest: position.digest.map(Digest::from),
        };
        if place.through == 0 || place.digest.is_none() {
            self.go_on_from(epoch, place, false, turn);
        } else {
            self.read_ledger(place.through - 1, 1, Purpose::Compare(place), turn);
        }
        Upshot::Contact
    }

    /// Goes on from where the hub is, if the record that it has there is ours: each record names
    /// the one before it, so it has all of ours up to there. Otherwise another device wrote on
    /// with a copy of this ledger, and what this one wrote may be missing anywhere. So it may
    /// where something else once stood in the place of a record.
    fn go_on_from(&mut self, epoch: Epoch, place: Place, is_ours: bool, turn: &mut Turn<'_>) {
        self.ask = false;
        self.suspect = None;
        self.impossible = None;
        self.failures.succeed();
        self.incarnation = Some(place.store.incarnation);
        let without_stand_ins = !self.set_aside.contains(&ever(epoch));
        let mut through = if (is_ours && without_stand_ins) || planted!(CopyIgnored) {
            self.cursor.min(place.through)
        } else {
            0
        };
        if planted!(PositionJumpsAhead) {
            through = place.through;
        }
        if planted!(NeverGoesBack) {
            through = self.cursor;
        }
        self.cursor = through;
        self.mark(epoch, place.store, through, turn);
        self.state = State::Idle(turn.now.monotonic);
    }

    /// The hub refuses the batch as it is: half of it, and at last the one record that is left.
    fn not_taken(&mut self, sent: Sent, turn: &mut Turn<'_>) -> Upshot {
        if planted!(RefusedBatchSkipped) {
            self.cursor = sent.last;
        }
        let refused = Setback::new(Trouble::NotUnderstood("sendRecords", 400));
        match sent.purpose {
            Purpose::Next if sent.count() > 1 => {
                self.limit = sent.count() / 2;
                self.state = State::Idle(turn.now.monotonic);
                Upshot::Contact
            }
            Purpose::Next if self.set_aside.len() < SET_ASIDE_MAX => {
                self.suspect = Some(Suspect::Refused(sent.first));
                self.state = State::Idle(turn.now.monotonic);
                Upshot::Contact
            }
            Purpose::Next | Purpose::InPlace | Purpose::Behind | Purpose::Compare(_) => {
                // Not this record is refused but everything.
                self.suspect = None;
                self.fail(&refused, turn)
            }
            Purpose::Again(one) => {
                self.offers.retain(|offered| *offered != one);
                self.state = State::Idle(turn.now.monotonic);
                Upshot::Contact
            }
        }
    }

    /// The ledger could not be read: less of it, and at last what comes behind the one record.
    fn unreadable(&mut self, turn: &mut Turn<'_>) {
        let State::Reading { after, purpose, .. } = self.state else {
            return;
        };
        let setback = Setback::new(Trouble::LedgerUnreadable);
        match purpose {
            Purpose::Next if self.limit > 1 => {
                self.limit /= 2;
                self.fail(&setback, turn);
            }
            Purpose::Next => {
                if self.set_aside.len() < SET_ASIDE_MAX {
                    self.suspect = Some(Suspect::Unreadable(after + 1));
                }
                self.fail(&setback, turn);
            }
            Purpose::InPlace | Purpose::Behind | Purpose::Compare(_) => {
                self.suspect = None;
                self.fail(&setback, turn);
            }
            Purpose::Again(one) => {
                self.offers.retain(|offered| *offered != one);
                self.state = State::Idle(turn.now.monotonic);
            }
        }
    }

    fn fail(&mut self, setback: &Setback, turn: &mut Turn<'_>) -> Upshot {
        let until = self.failures.count(setback, turn);
        self.state = State::Waiting(until);
        setback.upshot
    }
}

/// The first run of records without a hole behind a number, as many as one request may have: the
/// number of its first, the records, and the head where it is that of the last of them.
fn run_behind(batch: LedgerBatch, after: u64) -> (Option<u64>, Vec<Vec<u8>>, Option<Vec<u8>>) {
    let mut head = batch.head;
    let behind = batch
        .records
        .into_iter()
        .skip_while(|one| one.sequence <= after);
    let mut first = None;
    let mut room = RECORDS_BODY_BYTES_MAX - FRAME_BYTES_MAX;
    let mut records = Vec::new();
    for record in behind {
        let next = first.map_or(record.sequence, |first| first + records.len() as u64);
        // In base64 with quotes and a comma.
        let bytes = record.bytes.len().div_ceil(3) * 4 + 3;
        if record.sequence != next || bytes > room || records.len() >= BATCH_RECORDS_MAX {
            // The head is that of the last record, which stays behind.
            head = None;
            break;
        }
        first = first.or(Some(record.sequence));
        room -= bytes;
        records.push(record.bytes);
    }
    (first, records, head)
}

/// The mark that something of this ledger was set aside.
fn ever(epoch: Epoch) -> SetAside {
    SetAside {
        epoch,
        sequence: EVER,
    }
}

impl Sent {
    fn count(&self) -> usize {
        usize::try_from(self.last - self.first + 1).unwrap_or(usize::MAX)
    }
}
