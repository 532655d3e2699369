//! Every fate of a record, and that sending again changes nothing.

use proptest::prelude::*;

use super::*;
use crate::store::conformance::fixture::{Ledger, check_in, context, fault, of_unknown_kind};

/// A store in memory that does what is decided, as simply as can be.
#[derive(Debug, Clone, Default, PartialEq)]
struct Memory {
    through: u64,
    held: BTreeMap<u64, (Held, Vec<u8>)>,
    aside: BTreeMap<(u64, Digest), (QuarantineReason, Vec<u8>)>,
    lost: Vec<(u64, u64)>,
    ends: Vec<Digest>,
}

/// What became of a batch.
struct Sent {
    taken: usize,
    aside: usize,
    quarantined: Vec<Quarantined>,
    notes: Vec<NoteKind>,
    meetings: BTreeMap<MeetingId, Sequence>,
    acknowledged: Sequence,
}

impl Memory {
    fn known(&self, batch: &Batch) -> Known {
        let places = places(batch).unwrap();
        Known {
            through: self.through,
            at_through: self.held.get(&self.through).map(|held| held.0.digest),
            held: self
                .held
                .range(places.clone())
                .map(|(place, held)| (*place, held.0))
                .collect(),
            aside: self
                .aside
                .iter()
                .filter(|((place, _), _)| places.contains(place))
                .map(|(key, aside)| (*key, aside.0))
                .collect(),
            ends: self.ends.clone(),
        }
    }

    fn send(&mut self, ledger: &Ledger, batch: &Batch) -> Sent {
        let examined = examine(batch).unwrap();
        let decision = decide(&ledger.device, batch, &examined, self.known(batch)).unwrap();
        self.through = decision.through.0;
        for taken in &decision.taken {
            let held = Held {
                digest: taken.digest,
                previous: taken.record.previous,
            };
            let bytes = batch.records[taken.index].clone();
            assert!(self.held.insert(taken.sequence.0, (held, bytes)).is_none());
        }
        for aside in &decision.aside {
            let key = (aside.what.sequence.0, aside.what.digest);
            let bytes = batch.records[aside.index].clone();
            let before = self.aside.insert(key, (aside.what.why, bytes));
            assert!(before.is_none());
        }
        for note in &decision.notes {
            if let NoteKind::Lost { from, through } = note {
                self.lost.push((from.0, through.0));
            }
        }
        Sent {
            taken: decision.taken.len(),
            aside: decision.aside.len(),
            quarantined: decision.quarantined,
            notes: decision.notes,
            meetings: decision.meetings,
            acknowledged: decision.acknowledged,
        }
    }

    /// Whether a record is here, in whatever way.
    fn has(&self, place: u64, bytes: &[u8]) -> bool {
        let digest = record::digest(bytes);
        self.held
            .get(&place)
            .is_some_and(|held| held.0.digest == digest)
            || self.aside.contains_key(&(place, digest))
    }
}

/// Sends batches one after the other: how far each is acknowledged, and what of it is aside.
fn check(ledger: &Ledger, batches: &[Batch], expect: &[(u64, &[(u64, QuarantineReason)])]) {
    let mut memory = Memory::default();
    for (index, (batch, (through, aside))) in batches.iter().zip(expect).enumerate() {
        let decision = memory.send(ledger, batch);
        let found: Vec<_> = decision
            .quarantined
            .iter()
            .map(|one| (one.sequence.0, one.why))
            .collect();
        assert_eq!(
            (decision.acknowledged.0, &found[..]),
            (*through, *aside),
            "batch {index}"
        );
        let before = memory.clone();
        let again = memory.send(ledger, batch);
        assert_eq!(
            again.quarantined, decision.quarantined,
            "batch {index} again"
        );
        assert_eq!(
            again.acknowledged, decision.acknowledged,
            "batch {index} again"
        );
        assert!(again.taken + again.aside + again.notes.len() == 0);
        assert_eq!(memory, before, "batch {index} again");
    }
}

const FORK: QuarantineReason = QuarantineReason::Fork;
const BROKEN: QuarantineReason = QuarantineReason::BrokenChain;
const UNDECODABLE: QuarantineReason = QuarantineReason::Undecodable;
const MISPLACED: QuarantineReason = QuarantineReason::Misplaced;

#[test]
fn records_that_follow_one_another_are_taken() {
    let ledger = Ledger::with_faults("kiosk-1", 1, 6);
    let batches = [ledger.batch(1, 3), ledger.batch(4, 6), ledger.batch(2, 5)];
    check(&ledger, &batches, &[(3, &[]), (6, &[]), (5, &[])]);
}

#[test]
fn a_batch_behind_a_hole_is_answered_with_where_to_go_on() {
    let ledger = Ledger::with_faults("kiosk-1", 1, 9);
    let batches = [ledger.batch(1, 2), ledger.batch(6, 9), ledger.batch(3, 9)];
    check(&ledger, &batches, &[(2, &[]), (2, &[]), (9, &[])]);
}

#[test]
fn what_the_device_no_longer_has_is_noted_and_gone_over() {
    let ledger = Ledger::with_faults("kiosk-1", 1, 9);
    let mut memory = Memory::default();
    memory.send(&ledger, &ledger.batch(1, 2));
    let mut behind = ledger.batch(7, 9);
    behind.oldest = Sequence(5);
    let decision = memory.send(&ledger, &behind);
    assert_eq!((decision.acknowledged.0, decision.taken), (4, 0));
    assert_eq!(memory.lost, [(3, 4)]);
    let mut rest = ledger.batch(5, 9);
    rest.oldest = Sequence(5);
    let decision = memory.send(&ledger, &rest);
    assert_eq!((decision.acknowledged.0, decision.taken), (9, 5));
    // What was thought lost turns up, and only what fits between what is held is taken.
    let decision = memory.send(&ledger, &ledger.batch(3, 4));
    assert_eq!((decision.acknowledged.0, decision.taken), (4, 2));
    assert_eq!(memory.through, 9);
}

#[test]
fn a_forged_record_does_not_fill_a_hole() {
    let ledger = Ledger::with_faults("kiosk-1", 1, 4);
    let mut other = Ledger::with_faults("kiosk-1", 1, 2);
    other.clock_offset_ms = 5;
    other.push(fault());
    let mut memory = Memory::default();
    memory.send(&ledger, &ledger.batch(1, 2));
    let mut behind = ledger.batch(4, 4);
    behind.oldest = Sequence(4);
    memory.send(&ledger, &behind);
    let decision = memory.send(&ledger, &other.batch(3, 3));
    assert_eq!(decision.quarantined[0].why, BROKEN);
    let decision = memory.send(&ledger, &ledger.batch(3, 3));
    assert_eq!(decision.taken, 1);
}

#[test]
fn a_clone_is_kept_aside_with_all_that_follows_on_it() {
    let one = Ledger::with_faults("kiosk-1", 1, 6);
    let mut clone = Ledger::with_faults("kiosk-1", 1, 4);
    clone.clock_offset_ms = 5;
    (0..4).for_each(|_| {
        clone.push(fault());
    });
    let batches = [one.batch(1, 6), clone.batch(5, 8), clone.batch(7, 8)];
    let all: &[_] = &[(5, FORK), (6, FORK), (7, FORK), (8, FORK)];
    check(&one, &batches, &[(6, &[]), (8, all), (8, &all[2..])]);
}

#[test]
fn what_a_clone_sent_is_never_acknowledged_to_the_other() {
    let mut one = Ledger::with_faults("kiosk-1", 1, 3);
    let mut clone = one.clone();
    clone.clock_offset_ms = 5;
    (0..3).for_each(|_| {
        clone.push(fault());
    });
    one.push(fault());
    let batches = [clone.batch(1, 6), one.batch(4, 4)];
    check(&one, &batches, &[(6, &[]), (4, &[(4, FORK)])]);
}

#[test]
fn one_bad_record_keeps_only_itself_aside() {
    let ledger = Ledger::with_faults("kiosk-1", 1, 5);
    let garbage = |place: usize, bytes: Vec<u8>| {
        let mut batch = ledger.batch(1, 5);
        batch.records[place - 1] = bytes;
        batch
    };
    let other_device = Ledger::with_faults("kiosk-2", 1, 3);
    let other_epoch = Ledger::with_faults("kiosk-1", 2, 3);
    check(
        &ledger,
        &[garbage(3, b"no record".to_vec())],
        &[(5, &[(3, UNDECODABLE)])],
    );
    check(
        &ledger,
        &[garbage(3, Vec::new())],
        &[(5, &[(3, UNDECODABLE)])],
    );
    for misplaced in [
        other_device.records[2].clone(),
        other_epoch.records[2].clone(),
        ledger.records[3].clone(),
    ] {
        check(&ledger, &[garbage(3, misplaced)], &[(5, &[(3, MISPLACED)])]);
    }
    let mut loose = Ledger::with_faults("kiosk-1", 1, 2);
    loose.head = Digest([7; 32]);
    loose.push(fault());
    check(
        &ledger,
        &[garbage(3, loose.records[2].clone())],
        &[(5, &[(3, BROKEN)])],
    );
}

#[test]
fn the_right_record_still_finds_its_place_after_a_bad_one() {
    let ledger = Ledger::with_faults("kiosk-1", 1, 3);
    let mut bad = ledger.batch(1, 3);
    bad.records[1] = b"no record".to_vec();
    let mut memory = Memory::default();
    memory.send(&ledger, &bad);
    let decision = memory.send(&ledger, &ledger.all());
    assert_eq!((decision.taken, decision.quarantined.len()), (1, 0));
    assert_eq!(memory.held.len(), 3);
}

#[test]
fn a_new_epoch_should_name_the_end_of_an_old_one() {
    let old = Ledger::with_faults("kiosk-1", 1, 3);
    let unlinked = |ends: Vec<Digest>, previous: Digest| {
        let mut ledger = Ledger::new("kiosk-1", 2, previous);
        ledger.push(fault());
        let mut memory = Memory {
            ends,
            ..Memory::default()
        };
        let decision = memory.send(&ledger, &ledger.all());
        assert_eq!(decision.taken, 1, "it is taken in any case");
        decision
            .notes
            .contains(&NoteKind::EpochUnlinked { previous })
    };
    assert!(!unlinked(vec![], Digest::ZERO));
    assert!(!unlinked(vec![Digest([9; 32]), old.head], old.head));
    assert!(unlinked(vec![old.head], Digest::ZERO));
    assert!(unlinked(vec![old.head], Digest([5; 32])));
}

#[test]
fn unknown_kinds_and_meetings_are_taken_and_named() {
    let mut ledger = Ledger::new("kiosk-1", 1, Digest::ZERO);
    ledger.push(fault());
    let unknown = of_unknown_kind(&ledger.records[0]);
    ledger.head = record::digest(&unknown);
    ledger.records[0] = unknown;
    let person = vocabulary::PersonId::new("p-x").unwrap();
    ledger.push(check_in(context("GB-1", 1, Digest::ZERO), &person));
    ledger.push(check_in(context("GB-1", 1, Digest::ZERO), &person));
    let decision = Memory::default().send(&ledger, &ledger.all());
    assert_eq!(decision.taken, 3);
    let sequence = Sequence(1);
    assert_eq!(
        decision.notes,
        [NoteKind::UnknownKind { sequence, kind: 99 }]
    );
    let meeting = MeetingId::new("GB-1").unwrap();
    assert_eq!(decision.meetings, BTreeMap::from([(meeting, Sequence(2))]));
}

#[test]
fn what_is_no_batch_is_refused_by_name() {
    let ledger = Ledger::with_faults("kiosk-1", 1, 2);
    let refused = |change: &dyn Fn(&mut Batch)| {
        let mut batch = ledger.all();
        change(&mut batch);
        let error = examine(&batch).unwrap_err();
        let decided = decide(&ledger.device, &batch, &[], Known::default());
        assert_eq!(decided.unwrap_err(), error);
        error
    };
    let first = Sequence(u64::MAX);
    assert_eq!(refused(&|b| b.records.clear()), BatchError::Count(0));
    assert_eq!(
        refused(&|b| b.records = vec![Vec::new(); 501]),
        BatchError::Count(501)
    );
    assert_eq!(refused(&|b| b.first = first), BatchError::Range(first));
    assert_eq!(
        refused(&|b| b.first = Sequence(0)),
        BatchError::Range(Sequence(0))
    );
    assert_eq!(
        refused(&|b| b.oldest = Sequence(2)),
        BatchError::Oldest {
            oldest: Sequence(2),
            first: Sequence(1)
        }
    );
}

#[test]
fn only_the_devices_own_head_is_believed() {
    let key = record::SigningKey::from_bytes(&[3; 32]);
    let public = key.verifying_key().to_bytes();
    let ledger = Ledger::with_faults("kiosk-1", 1, 3);
    let signed = ledger.signed_head(&key);
    let believed = |ledger: &Ledger, bytes: &[u8], key: &[u8; 32]| {
        believed_head(&ledger.device, ledger.epoch, bytes, key).map(|head| head.sequence.0)
    };
    assert_eq!(believed(&ledger, &signed, &public), Some(3));
    let other_key = record::SigningKey::from_bytes(&[4; 32]);
    let other_public = other_key.verifying_key().to_bytes();
    assert_eq!(believed(&ledger, &signed, &other_public), None);
    assert_eq!(believed(&ledger, &signed, &[255; 32]), None);
    assert_eq!(believed(&ledger, b"no head", &public), None);
    let other = Ledger::with_faults("kiosk-2", 1, 3);
    assert_eq!(believed(&other, &signed, &public), None);
    let other = Ledger::with_faults("kiosk-1", 2, 3);
    assert_eq!(believed(&other, &signed, &public), None);
}

/// What a device, its clone and a bad line may send: from which of both, from where, how many, how
/// much is already removed, and which record is spoilt.
type Send = (bool, usize, usize, usize, Option<usize>);

fn sends() -> impl Strategy<Value = Vec<Send>> {
    let one = (
        any::<bool>(),
        1..=20_usize,
        1..=6_usize,
        0..=20_usize,
        prop::option::weighted(0.2, 0..6_usize),
    );
    prop::collection::vec(one, 1..20)
}

proptest! {
    #[test]
    fn whatever_is_sent_nothing_acknowledged_is_missing_and_again_changes_nothing(
        sends in sends()
    ) {
        let one = Ledger::with_faults("kiosk-1", 1, 20);
        let mut clone = Ledger::with_faults("kiosk-1", 1, 10);
        clone.clock_offset_ms = 5;
        (0..10).for_each(|_| { clone.push(fault()); });
        let mut memory = Memory::default();
        for (cloned, first, count, oldest, spoilt) in sends {
            let ledger = if cloned { &clone } else { &one };
            let mut batch = ledger.batch(first, (first + count - 1).min(20));
            batch.oldest = Sequence(oldest.clamp(1, first) as u64);
            if let Some(spoilt) = spoilt.filter(|spoilt| *spoilt < batch.records.len()) {
                batch.records[spoilt] = vec![0; spoilt];
            }
            let before = memory.clone();
            let decision = memory.send(ledger, &batch);
            prop_assert!(before.held.iter().all(|(k, v)| memory.held.get(k) == Some(v)));
            prop_assert!(before.aside.iter().all(|(k, v)| memory.aside.get(k) == Some(v)));
            prop_assert!(memory.through >= before.through);
            for (index, bytes) in batch.records.iter().enumerate() {
                let place = (first + index) as u64;
                let acknowledged = place <= decision.acknowledged.0;
                prop_assert!(!acknowledged || memory.has(place, bytes), "{place} is missing");
            }
            for place in 1..=memory.through {
                let here = memory.held.contains_key(&place)
                    || memory.aside.keys().any(|(one, _)| *one == place)
                    || memory.lost.iter().any(|(from, to)| (*from..=*to).contains(&place));
                prop_assert!(here, "nothing is known of {place}");
            }
            // What is held is one chain wherever two neighbours are.
            for (place, (held, _)) in &memory.held {
                if let Some((next, _)) = memory.held.get(&(place + 1)) {
                    prop_assert_eq!(next.previous, held.digest, "after {}", place);
                }
            }
            let after = memory.clone();
            let again = memory.send(ledger, &batch);
            prop_assert_eq!(again.quarantined, decision.quarantined);
            prop_assert_eq!(again.acknowledged, decision.acknowledged);
            prop_assert_eq!(&memory, &after);
        }
    }

    #[test]
    fn any_bytes_have_a_fate(records in prop::collection::vec(any::<Vec<u8>>(), 1..5), first: u64) {
        let ledger = Ledger::with_faults("kiosk-1", 1, 1);
        let batch = Batch {
            epoch: ledger.epoch,
            first: Sequence(first),
            oldest: Sequence(1),
            records,
            head: Some(vec![1, 2, 3]),
        };
        let known = Known { through: first.saturating_sub(1), ..Known::default() };
        if let Ok(examined) = examine(&batch) {
            let decision = decide(&ledger.device, &batch, &examined, known).unwrap();
            prop_assert_eq!(decision.quarantined.len(), batch.records.len());
        }
    }
}
