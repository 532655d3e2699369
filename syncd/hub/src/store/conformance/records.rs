//! Records in: once each, acknowledged only when durable, none lost; and out again by cursor.

use std::sync::Arc;

use record::{Amendment, Body, Correction, CorrectionReason, Release, ReleaseOutcome};
use vocabulary::{Digest, Sequence, WallTime};

use super::Case;
use super::city::{City, device, entry, meeting, organisation, plan};
use super::fixture::{Ledger, START, check_in, context, fault, observation, of_unknown_kind};
use crate::ingest::BatchError;
use crate::model::{
    Commit, Cursor, Ingested, NoteKind, NoteNumber, Organisation, QuarantineReason,
};
use crate::store::{ASIDE_ROW_BYTES, EPOCHS_MAX, Missing, Store, StoreError};

pub(super) const CASES: &[Case] = &[
    ("records are taken once", once),
    ("a hole is answered, a loss is noted", holes),
    ("forks and broken chains are kept aside", aside),
    ("a new epoch follows an old one", epochs),
    (
        "what is not understood is kept all the same",
        not_understood,
    ),
    ("signed heads are believed or noted", heads),
    ("what is no batch is refused whole", refused),
    ("a cursor comes to every record once", cursors),
    (
        "a meeting's records are found with what is said of them",
        of_meeting,
    ),
    ("times are repaired when the clock is known", repaired),
];

pub(super) fn send(city: &City, ledger: &Ledger, first: usize, last: usize) -> Ingested {
    let batch = ledger.batch(first, last);
    city.store.ingest(&ledger.device, &batch, START).unwrap()
}

/// All records of the organisation behind a cursor, a few at a time.
pub(super) fn follow(city: &City, mut cursor: Cursor) -> (Vec<crate::model::StoredRecord>, Cursor) {
    let mut all = Vec::new();
    loop {
        let page = city.store.records(&city.organisation, cursor, 3).unwrap();
        assert!(page.records.len() <= 3);
        all.extend(page.records);
        cursor = page.next;
        if !page.more {
            return (all, cursor);
        }
    }
}

fn notes(city: &City) -> Vec<NoteKind> {
    let notes = city.store.notes(&city.organisation, NoteNumber(0), 100);
    notes.unwrap().into_iter().map(|note| note.kind).collect()
}

fn once(store: Arc<dyn Store>) {
    let city = City::new(store);
    let ledger = Ledger::with_faults("kiosk-1", 1, 9);
    let position = || {
        let position = city.store.position(&ledger.device, &ledger.epoch).unwrap();
        (position.committed_through.0, position.digest)
    };
    assert_eq!(position(), (0, None));
    let first = send(&city, &ledger, 1, 4);
    assert_eq!(first.accepted, Some((Commit(1), Commit(4))));
    assert_eq!(first.position.committed_through, Sequence(4));
    let digest = record::digest(&ledger.records[3]);
    assert_eq!(first.position.digest, Some(digest));
    assert_eq!(position(), (4, Some(digest)));
    let again = send(&city, &ledger, 1, 4);
    assert_eq!((again.accepted, again.position), (None, first.position));
    let overlapping = send(&city, &ledger, 3, 9);
    assert_eq!(overlapping.accepted, Some((Commit(5), Commit(9))));
    let old = send(&city, &ledger, 2, 3);
    assert_eq!(
        old.position.committed_through,
        Sequence(3),
        "not beyond what was sent"
    );
    let (records, _) = follow(&city, city.store.first_cursor().unwrap());
    let bytes: Vec<_> = records.iter().map(|one| one.bytes.clone()).collect();
    assert_eq!(bytes, ledger.records);
    let nobody = city.store.ingest(&device("kiosk-9"), &ledger.all(), START);
    assert!(matches!(
        nobody,
        Err(StoreError::Missing(Missing::Device(_)))
    ));
    assert_eq!(notes(&city), []);
    assert_eq!(city.store.totals().unwrap().commit, Commit(9));
}

fn holes(store: Arc<dyn Store>) {
    let city = City::new(store);
    let ledger = Ledger::with_faults("kiosk-1", 1, 9);
    send(&city, &ledger, 1, 2);
    let behind = send(&city, &ledger, 6, 9);
    assert_eq!(behind.accepted, None);
    assert_eq!(behind.position.committed_through, Sequence(2));
    assert_eq!(
        behind.position.digest,
        Some(record::digest(&ledger.records[1]))
    );
    let mut gone = ledger.batch(6, 9);
    gone.oldest = Sequence(6);
    let taken = city.store.ingest(&ledger.device, &gone, START).unwrap();
    assert_eq!(taken.position.committed_through, Sequence(9));
    let lost = [NoteKind::Lost {
        from: Sequence(3),
        through: Sequence(5),
    }];
    assert_eq!(notes(&city), lost);
    city.store.ingest(&ledger.device, &gone, START).unwrap();
    assert_eq!(notes(&city), lost, "noted once");
    let position = || city.store.position(&ledger.device, &ledger.epoch).unwrap();
    assert_eq!(
        (position().committed_through, position().digest),
        (Sequence(9), None),
        "a digest says that all before it is here"
    );
    let found = send(&city, &ledger, 3, 5);
    assert_eq!(
        found.accepted.map(|(from, to)| to.0 - from.0),
        Some(2),
        "found after all"
    );
    let last = record::digest(&ledger.records[8]);
    assert_eq!(position().digest, Some(last));
    let mut untouched = Ledger::with_faults("kiosk-1", 2, 9);
    untouched.records.truncate(9);
    let mut late = untouched.batch(5, 9);
    late.oldest = Sequence(5);
    let taken = city.store.ingest(&untouched.device, &late, START).unwrap();
    assert_eq!(
        taken.position.committed_through,
        Sequence(9),
        "an epoch that begins with a loss"
    );
}

fn aside(store: Arc<dyn Store>) {
    let city = City::new(store);
    let ledger = Ledger::with_faults("kiosk-1", 1, 6);
    let mut clone = Ledger::with_faults("kiosk-1", 1, 4);
    clone.clock_offset_ms = 5;
    (0..4).for_each(|_| {
        clone.push(fault());
    });
    send(&city, &ledger, 1, 6);
    let forked = send(&city, &clone, 5, 8);
    let found: Vec<_> = forked
        .quarantined
        .iter()
        .map(|one| (one.sequence.0, one.why))
        .collect();
    let fork = QuarantineReason::Fork;
    assert_eq!(found, [(5, fork), (6, fork), (7, fork), (8, fork)]);
    assert_eq!(forked.position.committed_through, Sequence(8));
    let again = send(&city, &clone, 5, 8);
    assert_eq!(again.quarantined, forked.quarantined);
    assert_eq!(again.accepted, None);
    let mut spoilt = ledger.batch(1, 6);
    spoilt.records[2] = b"spoilt".to_vec();
    let spoilt = city.store.ingest(&ledger.device, &spoilt, START).unwrap();
    assert_eq!(spoilt.quarantined.len(), 1);
    let (records, _) = follow(&city, city.store.first_cursor().unwrap());
    assert_eq!(records.len(), 6 + 4 + 1, "all of them are there");
    let kept: Vec<_> = records.iter().filter(|one| one.aside.is_some()).collect();
    assert_eq!(kept.len(), 5);
    assert_eq!(kept[0].bytes, clone.records[4]);
    assert_eq!((kept[4].kind, kept[4].at), (None, None));
    assert_eq!(notes(&city).len(), 5);
    assert_eq!(city.store.totals().unwrap().kept_aside, 5);
    // The clone's seventh did not take the place of this one's.
    let mut ledger = ledger;
    ledger.push(fault());
    let seventh = send(&city, &ledger, 7, 7);
    assert_eq!(
        (seventh.quarantined.len(), seventh.accepted.is_some()),
        (0, true)
    );
}

/// Puts a new, empty store that keeps so few bytes aside for a device, some ten records, beyond it:
/// what is too much is refused whole and not acknowledged, what was kept stays, and good records
/// are taken as ever.
///
/// # Panics
/// When the store does not do so.
pub fn aside_is_bounded(store: Arc<dyn Store>, bytes_max: u64) {
    let city = City::new(store);
    city.put_device("kiosk-2", "room-1", "door-1");
    let ledger = Ledger::with_faults("kiosk-1", 1, 3);
    send(&city, &ledger, 1, 3);
    // Records of no bytes count as much as they cost.
    let mut kept = 0;
    let refused = loop {
        let mut junk = ledger.batch(3, 3);
        junk.records = vec![u64::to_be_bytes(kept).to_vec()];
        match city.store.ingest(&ledger.device, &junk, START) {
            Ok(ingested) => assert_eq!(ingested.quarantined.len(), 1),
            Err(error) => break error,
        }
        kept += 1;
        assert!(kept * ASIDE_ROW_BYTES <= bytes_max, "{kept} are kept");
    };
    assert!(matches!(refused, StoreError::TooMany { max, .. } if max == bytes_max));
    assert!(kept > 0);
    // A batch with something too much in it is not taken in part.
    let mut ledger = ledger;
    (0..2).for_each(|_| {
        ledger.push(fault());
    });
    let mut mixed = ledger.batch(4, 5);
    mixed.records[1] = b"spoilt".to_vec();
    assert!(city.store.ingest(&ledger.device, &mixed, START).is_err());
    let position = city.store.position(&ledger.device, &ledger.epoch).unwrap();
    assert_eq!(position.committed_through, Sequence(3));
    let good = send(&city, &ledger, 4, 5);
    assert_eq!(good.position.committed_through, Sequence(5));
    assert_eq!(city.store.totals().unwrap().kept_aside, kept);
    // Another device's share is its own.
    let other = Ledger::with_faults("kiosk-2", 2, 1);
    let mut junk = other.batch(1, 1);
    junk.records = vec![b"spoilt".to_vec()];
    let taken = city.store.ingest(&other.device, &junk, START).unwrap();
    assert_eq!(taken.quarantined.len(), 1);
}

fn epochs(store: Arc<dyn Store>) {
    let city = City::new(store);
    let old = Ledger::with_faults("kiosk-1", 1, 3);
    send(&city, &old, 1, 3);
    let mut next = Ledger::new("kiosk-1", 2, old.head);
    next.push(fault());
    let taken = send(&city, &next, 1, 1);
    assert_eq!(taken.position.committed_through, Sequence(1));
    assert_eq!(notes(&city), []);
    let mut loose = Ledger::new("kiosk-1", 3, Digest([9; 32]));
    loose.push(fault());
    assert!(send(&city, &loose, 1, 1).accepted.is_some());
    let previous = Digest([9; 32]);
    assert_eq!(notes(&city), [NoteKind::EpochUnlinked { previous }]);
    let position = city.store.position(&old.device, &old.epoch).unwrap();
    assert_eq!(
        position.committed_through,
        Sequence(3),
        "each epoch stands for itself"
    );
}

fn not_understood(store: Arc<dyn Store>) {
    let city = City::new(store);
    let mut ledger = Ledger::with_faults("kiosk-1", 1, 1);
    ledger.records[0] = of_unknown_kind(&ledger.records[0]);
    ledger.head = record::digest(&ledger.records[0]);
    let person = city.person("CB-1", "Mẫu").opaque;
    ledger.push(check_in(context("GB-9", 1, Digest::ZERO), &person));
    ledger.push(check_in(context("GB-9", 1, Digest::ZERO), &person));
    let taken = send(&city, &ledger, 1, 3);
    assert_eq!(
        (taken.quarantined.len(), taken.position.committed_through.0),
        (0, 3)
    );
    let expect = [
        NoteKind::UnknownKind {
            sequence: Sequence(1),
            kind: 99,
        },
        NoteKind::UnknownMeeting {
            sequence: Sequence(2),
            meeting: meeting("GB-9"),
        },
    ];
    assert_eq!(notes(&city), expect);
    ledger.push(check_in(context("GB-9", 1, Digest::ZERO), &person));
    send(&city, &ledger, 4, 4);
    assert_eq!(notes(&city).len(), 2, "noted once");
    let (records, _) = follow(&city, city.store.first_cursor().unwrap());
    assert_eq!(records[0].kind, Some(99));
    assert_eq!(records[0].bytes, ledger.records[0]);
    assert_eq!(records[1].person, Some(person));
    // Put afterwards, the meeting has the records that came before it.
    city.put_meeting(&plan("GB-9", 0));
    let found = city
        .store
        .meeting_records(&city.organisation, &meeting("GB-9"), Commit(0), 10)
        .unwrap();
    assert_eq!(found.len(), 3);
}

fn heads(store: Arc<dyn Store>) {
    let city = City::new(store);
    let mut ledger = Ledger::with_faults("kiosk-1", 1, 3);
    let with_head = |ledger: &Ledger, head: Vec<u8>| {
        let mut batch = ledger.all();
        batch.head = Some(head);
        let taken = city.store.ingest(&ledger.device, &batch, START).unwrap();
        assert_eq!(
            taken.position.committed_through.0 as usize,
            ledger.records.len()
        );
        let heads = city.store.heads(&ledger.device).unwrap();
        heads
            .into_iter()
            .map(|one| one.sequence.0)
            .collect::<Vec<_>>()
    };
    let signed = ledger.signed_head(&city.head_key);
    assert_eq!(with_head(&ledger, signed.clone()), [3]);
    assert_eq!(city.store.heads(&ledger.device).unwrap()[0].bytes, signed);
    ledger.push(fault());
    assert_eq!(with_head(&ledger, ledger.signed_head(&city.head_key)), [4]);
    assert_eq!(
        with_head(&ledger, signed),
        [4],
        "an older one does not take its place"
    );
    assert_eq!(notes(&city), []);
    let stranger = record::SigningKey::from_bytes(&[9; 32]);
    assert_eq!(with_head(&ledger, ledger.signed_head(&stranger)), [4]);
    assert_eq!(with_head(&ledger, vec![1, 2, 3]), [4]);
    assert_eq!(notes(&city), [NoteKind::HeadInvalid]);
    let mut clone = Ledger::with_faults("kiosk-1", 1, 3);
    clone.clock_offset_ms = 5;
    clone.push(fault());
    assert_eq!(with_head(&clone, clone.signed_head(&city.head_key)), [4]);
    let contradicts = NoteKind::HeadContradicts {
        sequence: Sequence(4),
        digest: clone.head,
    };
    assert!(notes(&city).contains(&contradicts));
}

fn refused(store: Arc<dyn Store>) {
    let city = City::new(store);
    let ledger = Ledger::with_faults("kiosk-1", 1, 2);
    let mut empty = ledger.all();
    empty.records.clear();
    let result = city.store.ingest(&ledger.device, &empty, START);
    assert!(matches!(
        result,
        Err(StoreError::Batch(BatchError::Count(0)))
    ));
    for epoch in 0..EPOCHS_MAX {
        let mut ledger = Ledger::new("kiosk-1", 0, Digest::ZERO);
        ledger.epoch.0[..8].copy_from_slice(&(epoch as u64).to_be_bytes());
        ledger.push(fault());
        let batch = ledger.all();
        city.store.ingest(&ledger.device, &batch, START).unwrap();
    }
    let beyond = Ledger::with_faults("kiosk-1", 255, 1);
    let result = city.store.ingest(&beyond.device, &beyond.all(), START);
    assert!(matches!(result, Err(StoreError::TooMany { .. })));
    assert_eq!(
        city.store.totals().unwrap().commit,
        Commit(EPOCHS_MAX as u64)
    );
}

fn cursors(store: Arc<dyn Store>) {
    let city = City::new(store);
    let other = Organisation {
        id: organisation("khac"),
        name: "Khác".to_owned(),
    };
    city.store.put_organisation(&other, START).unwrap();
    let room = super::city::room("room-1", &["door-1"]);
    city.store.put_room(&other.id, &room, START).unwrap();
    city.store
        .put_device(&other.id, &device("kiosk-2"), &room.id, &room.doors, START)
        .unwrap();
    let one = Ledger::with_faults("kiosk-1", 1, 8);
    let two = Ledger::with_faults("kiosk-2", 1, 8);
    let first = city.store.first_cursor().unwrap();
    assert_eq!(
        follow(&city, first),
        (vec![], first),
        "there is nothing yet"
    );
    send(&city, &one, 1, 4);
    send(&city, &two, 1, 8);
    let (records, middle) = follow(&city, first);
    assert_eq!(records.len(), 4, "and none of another organisation's");
    assert_eq!(middle.commit, Commit(12));
    send(&city, &one, 5, 8);
    let (rest, end) = follow(&city, middle);
    let numbers: Vec<_> = rest.iter().map(|one| one.sequence.0).collect();
    assert_eq!(numbers, [5, 6, 7, 8]);
    assert!(rest.iter().all(|one| one.received_at == START));
    assert_eq!(follow(&city, end), (vec![], end));
    let stranger = Cursor {
        incarnation: [9; 16],
        commit: Commit(10),
    };
    assert_eq!(
        follow(&city, stranger).0.len(),
        8,
        "of another store: from the beginning"
    );
    let nobody = city
        .store
        .records(&organisation("nobody"), first, 3)
        .unwrap();
    assert_eq!(nobody.records, []);
}

fn of_meeting(store: Arc<dyn Store>) {
    let city = City::new(store);
    let person = city.person("CB-1", "Mẫu").opaque;
    city.put_meeting(&plan("GB-1", 0));
    city.put_roster("GB-1", &[entry("CB-1")]);
    let mut ledger = Ledger::new("kiosk-1", 1, Digest::ZERO);
    let here = || context("GB-1", 2, Digest::ZERO);
    let opened = |of: u64| {
        Body::ReleaseOutcome(ReleaseOutcome {
            of: Sequence(of),
            outcome: Release::Opened,
        })
    };
    ledger.push(check_in(here(), &person));
    ledger.push(opened(1));
    ledger.push(fault());
    ledger.push(check_in(context("GB-2", 2, Digest::ZERO), &person));
    ledger.push(opened(4));
    let annul = |epoch, of: u64| {
        Body::Correction(Correction {
            of: (epoch, Sequence(of)),
            amendment: Amendment::Annulled,
            reason: CorrectionReason::Trial,
            actor: None,
        })
    };
    ledger.push(annul(ledger.epoch, 1));
    send(&city, &ledger, 1, 1);
    send(&city, &ledger, 2, 6);
    let mut next = Ledger::new("kiosk-1", 2, ledger.head);
    next.push(annul(ledger.epoch, 6));
    next.push(annul(ledger.epoch, 99));
    send(&city, &next, 1, 2);
    let found = |after: u64, limit| {
        let found =
            city.store
                .meeting_records(&city.organisation, &meeting("GB-1"), Commit(after), limit);
        let numbers = found.unwrap().into_iter().map(|one| one.commit.0);
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(found(0, 10), [1, 2, 6, 7]);
    assert_eq!(found(1, 2), [2, 6]);
    let unknown = city
        .store
        .meeting_records(&city.organisation, &meeting("GB-9"), Commit(0), 10);
    assert_eq!(unknown.unwrap(), []);
}

fn repaired(store: Arc<dyn Store>) {
    use vocabulary::ClockQuality::{Synchronised, Unknown};
    let city = City::new(store);
    let mut ledger = Ledger::new("kiosk-1", 1, Digest::ZERO);
    ledger.quality = Unknown;
    ledger.clock_offset_ms = -5_000_000;
    ledger.push(fault());
    send(&city, &ledger, 1, 1);
    let first = city.store.first_cursor().unwrap();
    let times = || {
        let (records, _) = follow(&city, first);
        let times = records.iter().map(|one| (one.at, one.repaired_at));
        times.collect::<Vec<_>>()
    };
    let shown = |second: i64| Some(WallTime(START.0 + 1_000 * second - 5_000_000));
    assert_eq!(
        times(),
        [(shown(1), None)],
        "nothing is known of the clock yet"
    );
    let truth = |second: i64| WallTime(START.0 + 1_000 * second);
    ledger.push(observation(shown(2).unwrap(), truth(2), Synchronised));
    send(&city, &ledger, 2, 2);
    let expect = [(shown(1), Some(truth(1))), (shown(2), Some(truth(2)))];
    assert_eq!(times(), expect, "and both are kept");
}
