//! The account that is kept of everything: what the ledgers were told is recorded, and what the
//! hub has. Whatever does not agree is a violation, and ends the run.
//!
//! It never believes what the code under test says of itself; it reads the bytes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use hub::model::Cursor;
use hub::store::Store;
use vocabulary::{DeviceId, Digest, Epoch, OrganisationId};

/// A record's place: whose, in which ledger, under which number.
pub type Place = (DeviceId, Epoch, u64);

/// Records that are read from the hub at once.
const PAGE: u32 = 500;

/// What stands in the place of a record begins with one of these.
const STAND_INS: [&[u8]; 2] = [b"not taken as it was", b"this record cannot be read"];

/// What was recorded, and what the hub has.
#[derive(Default)]
pub struct Account {
    /// Everything that a ledger acknowledged. More than one digest where a card was copied.
    written: BTreeMap<Place, BTreeSet<Digest>>,
    held: BTreeMap<Place, Digest>,
    aside: BTreeSet<(Place, Digest)>,
    cursor: Option<Cursor>,
    /// Records that a ledger acknowledged, for the report.
    pub appended: u64,
}

impl Account {
    /// A ledger acknowledged a record.
    pub fn wrote(&mut self, place: Place, digest: Digest) {
        self.appended += 1;
        self.written.entry(place).or_default().insert(digest);
    }

    /// The hub was restored: what it has is read anew.
    pub fn forget_hub(&mut self) {
        self.held.clear();
        self.aside.clear();
        self.cursor = None;
    }

    /// Reads what is new at the hub, and checks each record of it.
    ///
    /// # Errors
    /// The violation.
    pub fn follow(&mut self, store: &dyn Store, organisation: &OrganisationId) -> Result<()> {
        loop {
            let after = match self.cursor {
                Some(cursor) => cursor,
                None => store.first_cursor()?,
            };
            let page = store.records(organisation, after, PAGE)?;
            self.cursor = Some(page.next);
            for record in page.records {
                let place = (record.device, record.epoch, record.sequence.0);
                let digest = record::digest(&record.bytes);
                ensure!(digest == record.digest, "changed: {place:?}");
                let written = self.written.get(&place);
                let genuine = written.is_some_and(|digests| digests.contains(&digest));
                if record.aside.is_some() {
                    let stands_in = STAND_INS.iter().any(|text| record.bytes.starts_with(text));
                    ensure!(genuine || stands_in, "invented, and kept aside: {place:?}");
                    let new = self.aside.insert((place.clone(), digest));
                    ensure!(new, "kept aside twice: {place:?}");
                } else {
                    ensure!(genuine, "invented or changed: {place:?}");
                    let before = self.held.insert(place.clone(), digest);
                    ensure!(before.is_none(), "held twice: {place:?}");
                }
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Whether the hub has a record, held or kept aside.
    pub fn has(&self, place: &Place, digest: Digest) -> bool {
        self.held.get(place) == Some(&digest) || self.aside.contains(&(place.clone(), digest))
    }

    /// Checks that all records of a ledger from one number to another are at the hub; `pardoned`
    /// are those that the hub is known not to take.
    ///
    /// # Errors
    /// The first that is missing.
    pub fn check(
        &self,
        (device, epoch): (&DeviceId, Epoch),
        digests: &[Digest],
        numbers: std::ops::RangeInclusive<u64>,
        pardoned: &BTreeSet<(Epoch, u64)>,
    ) -> Result<()> {
        for number in numbers {
            let index = usize::try_from(number - 1)?;
            let Some(digest) = digests.get(index) else {
                bail!("acknowledged, and never written: record {number} of {device}");
            };
            let place = (device.clone(), epoch, number);
            ensure!(
                self.has(&place, *digest) || pardoned.contains(&(epoch, number)),
                "missing at the hub: record {number} of {device}"
            );
        }
        Ok(())
    }
}
