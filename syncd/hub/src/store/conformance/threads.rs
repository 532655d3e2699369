//! Several at once: whoever follows a cursor misses nothing, and nobody's record comes twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Case;
use super::city::{City, device};
use super::fixture::{Ledger, START};
use crate::store::Store;

pub(super) const CASES: &[Case] = &[
    ("a cursor never skips what commits late", never_skips),
    (
        "a device that sends twice at once is taken once",
        twice_at_once,
    ),
];

/// Devices that send at the same time.
const DEVICES: usize = 4;

/// Records of each, in batches of five.
const RECORDS: usize = 60;

fn never_skips(store: Arc<dyn Store>) {
    let city = City::new(store);
    for number in 0..DEVICES {
        city.put_device(&format!("many-{number}"), "room-1", "door-1");
    }
    let sending = AtomicUsize::new(DEVICES);
    let first = city.store.first_cursor().unwrap();
    thread::scope(|scope| {
        for number in 0..DEVICES {
            let (store, sending) = (&city.store, &sending);
            scope.spawn(move || {
                let ledger = Ledger::with_faults(&format!("many-{number}"), 1, RECORDS);
                for first in (1..=RECORDS).step_by(5) {
                    let batch = ledger.batch(first, first + 4);
                    store.ingest(&ledger.device, &batch, START).unwrap();
                }
                sending.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let (store, sending, organisation) = (&city.store, &sending, &city.organisation);
        let follower = scope.spawn(move || {
            let (mut cursor, mut seen) = (first, Vec::new());
            loop {
                // Read before the page, so that a last page follows the last record.
                let done = sending.load(Ordering::SeqCst) == 0;
                let page = store.records(organisation, cursor, 7).unwrap();
                seen.extend(
                    page.records
                        .into_iter()
                        .map(|one| (one.device, one.sequence)),
                );
                cursor = page.next;
                if done && !page.more {
                    return seen;
                }
            }
        });
        let seen = follower.join().unwrap();
        assert_eq!(seen.len(), DEVICES * RECORDS, "none twice");
        let distinct: BTreeSet<_> = seen.into_iter().collect();
        assert_eq!(distinct.len(), DEVICES * RECORDS, "none missing");
    });
}

fn twice_at_once(store: Arc<dyn Store>) {
    let city = City::new(store);
    let ledger = Ledger::with_faults("kiosk-1", 1, RECORDS);
    let accepted: u64 = thread::scope(|scope| {
        let senders: Vec<_> = (0..DEVICES)
            .map(|_| {
                let (store, ledger) = (&city.store, &ledger);
                scope.spawn(move || {
                    let mut accepted = 0;
                    for first in (1..=RECORDS).step_by(5) {
                        let batch = ledger.batch(first, first + 4);
                        let taken = store.ingest(&ledger.device, &batch, START).unwrap();
                        assert_eq!(taken.quarantined, []);
                        assert_eq!(taken.position.committed_through.0 as usize, first + 4);
                        accepted += taken.accepted.map_or(0, |(from, to)| to.0 - from.0 + 1);
                    }
                    accepted
                })
            })
            .collect();
        senders.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(accepted as usize, RECORDS);
    let position = city.store.position(&device("kiosk-1"), &ledger.epoch);
    assert_eq!(position.unwrap().committed_through.0 as usize, RECORDS);
}
