//! What becomes of a batch of records, decided without a store: each record is taken, known
//! already, or kept aside with a reason, and none is ever dropped. One that is bad never stands in
//! the way of those behind it.
//!
//! A store looks up what the decision needs, asks [`decide`] within its transaction and does what
//! it says. Nothing here does I/O or reads a clock.

use std::collections::BTreeMap;

use record::{Body, Head, Record, SignedHead, VerifyingKey};
use thiserror::Error;
use vocabulary::{DeviceId, Digest, Epoch, MeetingId, Sequence};

use crate::model::{NoteKind, QuarantineReason, Quarantined};

#[cfg(test)]
mod tests;

/// Records on their way in: consecutive, of one epoch, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The epoch of the device's ledger.
    pub epoch: Epoch,
    /// The number of the first record here, from 1.
    pub first: Sequence,
    /// The oldest record of this epoch that the device still has; not behind `first`.
    pub oldest: Sequence,
    /// Each record's bytes.
    pub records: Vec<Vec<u8>>,
    /// The encoded signed head of the chain, with or beyond the last record here. One that is no
    /// head, or not signed by the device's key, is noted and costs no record.
    pub head: Option<Vec<u8>>,
}

/// Why something is no batch. Nothing of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BatchError {
    /// There are no records in it, or too many; carries how many.
    #[error("a batch has 1 to {max} records, this has {0}", max = wire::limits::BATCH_RECORDS_MAX)]
    Count(usize),
    /// A number is 0 or larger than any ledger's.
    #[error("records are numbered from 1 to {SEQUENCE_MAX}; this batch begins at {0}")]
    Range(Sequence),
    /// The oldest record that the device has cannot be behind the first of the batch.
    #[error("the oldest record {oldest} is behind the first of the batch, {first}")]
    Oldest {
        /// The oldest that the device says it has.
        oldest: Sequence,
        /// The first of the batch.
        first: Sequence,
    },
}

/// The largest number of a record: what a database's signed integer holds.
pub const SEQUENCE_MAX: u64 = i64::MAX as u64;

/// What a store has that bears on a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Everything of this epoch up to this number is held, kept aside or known to be lost.
    pub through: u64,
    /// The digest of the record that is held under that number.
    pub at_through: Option<Digest>,
    /// The records held from the one before the batch to the one behind it, by number.
    pub held: BTreeMap<u64, Held>,
    /// The records kept aside in the same range, by number and digest.
    pub aside: BTreeMap<(u64, Digest), QuarantineReason>,
    /// The digest of the last record held of each other epoch of this device.
    pub ends: Vec<Digest>,
}

/// A record that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its digest.
    pub digest: Digest,
    /// The digest that it names as that of the record before it.
    pub previous: Digest,
}

/// What to do about a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<'a> {
    /// What to hold from now on, in order.
    pub taken: Vec<Taken<'a>>,
    /// What to keep aside from now on, in order.
    pub aside: Vec<Aside>,
    /// What of the batch is kept aside, from now on or already.
    pub quarantined: Vec<Quarantined>,
    /// What people should know. Unknown meetings are not among it: see [`Decision::meetings`].
    pub notes: Vec<NoteKind>,
    /// The meetings that records to hold name, and the first that does. Of those that the store
    /// does not have it makes notes.
    pub meetings: BTreeMap<MeetingId, Sequence>,
    /// How far the epoch is complete from now on.
    pub through: Sequence,
    /// How far to acknowledge: not beyond the batch. Another device with the same ledger may have
    /// sent more than this one has, and what this one has not sent must not count as received.
    pub acknowledged: Sequence,
    /// The digest of the record that is held under that number.
    pub at_acknowledged: Option<Digest>,
}

/// A record to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken<'a> {
    /// Where in the batch, from 0.
    pub index: usize,
    /// Its number.
    pub sequence: Sequence,
    /// The digest of its bytes.
    pub digest: Digest,
    /// What it says.
    pub record: &'a Record,
}

/// A record to keep aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aside {
    /// Where in the batch, from 0.
    pub index: usize,
    /// Its number by its place, its digest, and why.
    pub what: Quarantined,
}

/// One record of a batch, looked at by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// The digest of its bytes.
    pub digest: Digest,
    /// What it says, where it decodes.
    pub record: Option<Record>,
}

/// Looks at each record by itself: all of the work that needs no store, so that whoever holds a
/// store's lock need not wait for it.
///
/// # Errors
/// [`BatchError`] when it is no batch; nothing is looked at then.
pub fn examine(batch: &Batch) -> Result<Vec<Examined>, BatchError> {
    places(batch)?;
    let examine = |bytes: &Vec<u8>| Examined {
        digest: record::digest(bytes),
        record: Record::decode(bytes).ok(),
    };
    Ok(batch.records.iter().map(examine).collect())
}

/// The places of a batch that [`Known`] has to cover, with one before and one behind.
///
/// # Errors
/// [`BatchError`] when it is no batch.
pub fn places(batch: &Batch) -> Result<std::ops::RangeInclusive<u64>, BatchError> {
    let count = batch.records.len();
    if count == 0 || count > wire::limits::BATCH_RECORDS_MAX {
        return Err(BatchError::Count(count));
    }
    let (first, oldest) = (batch.first, batch.oldest);
    let last = first.0.checked_add(count as u64 - 1);
    if first.0 == 0 || oldest.0 == 0 || last.is_none_or(|last| last >= SEQUENCE_MAX) {
        return Err(BatchError::Range(first));
    }
    if oldest > first {
        return Err(BatchError::Oldest { oldest, first });
    }
    Ok(first.0 - 1..=first.0 + count as u64)
}

/// Decides what becomes of a batch of `device`; `examined` is what [`examine`] says of it.
///
/// - What is held already under the same digest is a success. Under another one it is a
///   [`QuarantineReason::Fork`], and so is every record that follows on a fork.
/// - What names another record than the one held before it, or is named otherwise by the one held
///   behind it, is a [`QuarantineReason::BrokenChain`]. Where the record before is lost or could
///   not be read there is nothing to hold it against, and it is taken: so one bad record keeps
///   itself aside and not all that follow.
/// - A batch behind a hole changes nothing while the device still has what is missing; what it no
///   longer has is noted as lost. What turns up later after all is taken then.
///
/// # Errors
/// [`BatchError`] when it is no batch.
pub fn decide<'a>(
    device: &DeviceId,
    batch: &Batch,
    examined: &'a [Examined],
    known: Known,
) -> Result<Decision<'a>, BatchError> {
    let places = places(batch)?;
    let (first, last) = (batch.first.0, places.end() - 1);
    let mut notes = Vec::new();
    let mut through = known.through;
    if first > through + 1 && batch.oldest.0 > through + 1 {
        notes.push(NoteKind::Lost {
            from: Sequence(through + 1),
            through: Sequence(batch.oldest.0 - 1),
        });
        through = batch.oldest.0 - 1;
    }
    let behind_a_hole = first > through + 1;
    let acknowledged = if behind_a_hole { through } else { last };
    let mut decision = Decision {
        taken: Vec::new(),
        aside: Vec::new(),
        quarantined: Vec::new(),
        notes,
        meetings: BTreeMap::new(),
        through: Sequence(through.max(acknowledged)),
        acknowledged: Sequence(acknowledged),
        at_acknowledged: None,
    };
    if behind_a_hole {
        decision.at_acknowledged = known.at_through.filter(|_| through == known.through);
        return Ok(decision);
    }
    let mut judge = Judge {
        device,
        batch,
        known,
    };
    for (index, one) in examined.iter().enumerate() {
        judge.judge(index, one, &mut decision);
    }
    decision.at_acknowledged = judge.known.held.get(&last).map(|held| held.digest);
    Ok(decision)
}

/// The head that the device's key signed, if `bytes` are one of this device and epoch.
#[must_use]
pub fn believed_head(
    device: &DeviceId,
    epoch: Epoch,
    bytes: &[u8],
    key: &[u8; 32],
) -> Option<Head> {
    let key = VerifyingKey::from_bytes(key).ok()?;
    let signed = SignedHead::decode(bytes).ok()?;
    let head = signed.verify(&key).ok()?;
    let fits = head.device == *device
        && head.epoch == epoch
        && (1..SEQUENCE_MAX).contains(&head.sequence.0);
    fits.then(|| head.clone())
}

struct Judge<'a> {
    device: &'a DeviceId,
    batch: &'a Batch,
    known: Known,
}

impl Judge<'_> {
    fn judge<'a>(&mut self, index: usize, one: &'a Examined, decision: &mut Decision<'a>) {
        let place = self.batch.first.0 + index as u64;
        let sequence = Sequence(place);
        let digest = one.digest;
        let held = self.known.held.get(&place);
        if held.is_some_and(|held| held.digest == digest) {
            return;
        }
        let mut what = Quarantined {
            sequence,
            digest,
            why: QuarantineReason::Fork,
        };
        if let Some(why) = self.known.aside.get(&(place, digest)) {
            what.why = *why;
            decision.quarantined.push(what);
            return;
        }
        let decoded = one.record.as_ref();
        match self.fault(place, digest, decoded) {
            Some(why) => {
                what.why = why;
                self.known.aside.insert((place, digest), why);
                decision.notes.push(NoteKind::KeptAside(what));
                decision.quarantined.push(what);
                decision.aside.push(Aside { index, what });
            }
            None => {
                if let Some(record) = decoded {
                    self.take(index, sequence, digest, record, decision);
                }
            }
        }
    }

    /// What is wrong with a new record at a place; none when nothing is.
    fn fault(
        &self,
        place: u64,
        digest: Digest,
        record: Option<&Record>,
    ) -> Option<QuarantineReason> {
        if self.known.held.contains_key(&place) {
            return Some(QuarantineReason::Fork);
        }
        let Some(record) = record else {
            return Some(QuarantineReason::Undecodable);
        };
        if record.device != *self.device
            || record.epoch != self.batch.epoch
            || record.sequence.0 != place
        {
            return Some(QuarantineReason::Misplaced);
        }
        let before = (place - 1, record.previous);
        if self.known.aside.get(&before) == Some(&QuarantineReason::Fork) {
            return Some(QuarantineReason::Fork);
        }
        let follows = place == 1
            || self
                .known
                .held
                .get(&(place - 1))
                .is_none_or(|held| held.digest == record.previous);
        let is_followed = self
            .known
            .held
            .get(&(place + 1))
            .is_none_or(|held| held.previous == digest);
        (!follows || !is_followed).then_some(QuarantineReason::BrokenChain)
    }

    fn take<'a>(
        &mut self,
        index: usize,
        sequence: Sequence,
        digest: Digest,
        record: &'a Record,
        decision: &mut Decision<'a>,
    ) {
        let previous = record.previous;
        if sequence == Sequence::FIRST {
            let ends = &self.known.ends;
            let linked = ends.contains(&previous) || (ends.is_empty() && previous == Digest::ZERO);
            if !linked {
                decision.notes.push(NoteKind::EpochUnlinked { previous });
            }
        }
        if let Body::Unknown(unknown) = &record.body {
            let kind = unknown.kind();
            decision
                .notes
                .push(NoteKind::UnknownKind { sequence, kind });
        }
        if let Some(meeting) = record.body.meeting() {
            let mentioned = decision.meetings.entry(meeting.clone());
            mentioned.or_insert(sequence);
        }
        self.known
            .held
            .insert(sequence.0, Held { digest, previous });
        decision.taken.push(Taken {
            index,
            sequence,
            digest,
            record,
        });
    }
}
