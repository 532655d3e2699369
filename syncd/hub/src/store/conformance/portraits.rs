//! Portraits that an organisation keeps: not unless it says so, to their date, and gone with their
//! reference, by switching it off, and when their date has come.

use std::sync::Arc;

use seal::{Document, SealedDocument};
use vocabulary::{Digest, WallTime};

use super::Case;
use super::city::{City, HOUR_MS, organisation, person, reference, space};
use super::fixture::START;
use crate::model::{Change, Enrolment, Origin, PortraitKeeping};
use crate::store::{Missing, Store, StoreError};

pub(super) const CASES: &[Case] = &[
    ("portraits are kept only where it is switched on", kept),
    (
        "a portrait goes with its reference, its date and the switch",
        gone,
    ),
    (
        "a further feature space of one picture is added to the others",
        spaces,
    ),
];

const DAY_MS: i64 = 24 * HOUR_MS;

fn days(days: i64) -> WallTime {
    WallTime(START.0 + days * DAY_MS)
}

impl City {
    fn seal_portrait(&self) -> SealedDocument {
        let document = Document::Portrait(&reference("r1"));
        self.sealed_document(&person("CB-1"), document, &[7; 1000])
    }

    /// A portrait of a person is handed in: what is on it, and in which feature spaces.
    fn hand_in(&self, id: &str, on_it: u8, spaces: &[&str], now: WallTime) -> Change {
        let templates = spaces
            .iter()
            .map(|name| self.sealed_face(id, "r1", &space(name), 0.5))
            .collect();
        let enrolment = Enrolment {
            id: reference("r1"),
            origin: Origin::Portrait,
            content: Digest([on_it; 32]),
            quality: None,
            templates,
            portrait: Some(self.seal_portrait()),
        };
        let (of, id) = (&self.organisation, person(id));
        self.store
            .put_reference(of, &id, &enrolment, &self.sealing, now)
            .unwrap()
    }

    fn keep(&self, for_days: Option<u32>, now: WallTime) -> (Change, u64) {
        self.store
            .set_portrait_days(&self.organisation, for_days, now)
            .unwrap()
    }

    fn keeping(&self) -> PortraitKeeping {
        self.store.portrait_keeping(&self.organisation).unwrap()
    }

    fn has_portrait(&self, id: &str, now: WallTime) -> bool {
        let (of, id) = (&self.organisation, person(id));
        let found = self.store.portrait(of, &id, &reference("r1"), now);
        found.unwrap().is_some()
    }

    fn kept_until(&self, id: &str) -> Option<WallTime> {
        let found = self.store.person(&self.organisation, &person(id));
        found.unwrap().unwrap().references[0].portrait_until
    }
}

fn kept(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.person("CB-1", "Mẫu Một");
    assert_eq!(city.keeping(), PortraitKeeping::default());
    assert_eq!(city.hand_in("CB-1", 1, &["a"], START), Change::Made);
    assert_eq!(city.keeping().kept, 0, "off by default");
    assert!(!city.has_portrait("CB-1", START));
    assert_eq!(city.kept_until("CB-1"), None);
    assert_eq!(city.keep(Some(30), START), (Change::Made, 0));
    assert_eq!(city.keep(Some(30), START), (Change::Same, 0));
    // The same picture again is kept now, and once more does not keep it for longer.
    assert_eq!(city.hand_in("CB-1", 1, &["a"], days(1)), Change::Changed);
    assert_eq!(city.hand_in("CB-1", 1, &["a"], days(2)), Change::Same);
    assert_eq!(city.kept_until("CB-1"), Some(days(31)));
    assert!(city.has_portrait("CB-1", days(30)));
    assert!(!city.has_portrait("CB-1", days(31)), "its date has come");
    let keeping = city.keeping();
    assert_eq!((keeping.days, keeping.kept), (Some(30), 1));
    assert!(keeping.bytes > 1000, "{keeping:?}");
    // Another picture in its place.
    assert_eq!(city.hand_in("CB-1", 2, &["a"], days(5)), Change::Changed);
    assert_eq!(city.kept_until("CB-1"), Some(days(35)));
    assert_eq!(city.keeping().kept, 1);
    let nobody = city.store.portrait_keeping(&organisation("khac"));
    assert!(matches!(
        nobody,
        Err(StoreError::Missing(Missing::Organisation(_)))
    ));
}

fn gone(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.keep(Some(30), START);
    for id in ["CB-1", "CB-2", "CB-3"] {
        city.person(id, "Mẫu");
    }
    city.hand_in("CB-1", 1, &["a"], START);
    city.hand_in("CB-2", 1, &["a"], days(1));
    city.hand_in("CB-3", 1, &["a"], days(2));
    city.store
        .delete_reference(
            &city.organisation,
            &person("CB-1"),
            &reference("r1"),
            days(2),
        )
        .unwrap();
    assert!(!city.has_portrait("CB-1", days(2)));
    assert_eq!(city.keeping().kept, 2);
    let sweep = |now, limit| city.store.destroy_portraits(now, limit).unwrap();
    assert_eq!(sweep(days(30), 10), 0);
    assert_eq!(sweep(days(40), 1), 1, "no more at once than asked");
    assert_eq!(sweep(days(40), 10), 1);
    assert_eq!(city.keeping().kept, 0);
    assert_eq!(city.kept_until("CB-2"), None, "the reference stays");
    city.hand_in("CB-2", 1, &["a"], days(40));
    city.hand_in("CB-3", 1, &["a"], days(44));
    // A shorter time counts for what is there already.
    assert_eq!(city.keep(Some(5), days(45)), (Change::Changed, 1));
    assert_eq!(city.kept_until("CB-3"), Some(days(49)));
    assert_eq!(city.keep(None, days(46)), (Change::Changed, 1));
    assert_eq!(city.keeping(), PortraitKeeping::default());
    assert_eq!(city.keep(None, days(46)), (Change::Same, 0));
}

fn spaces(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.person("CB-1", "Mẫu Một");
    city.hand_in("CB-1", 1, &["a"], START);
    let found = || {
        let person = city.store.person(&city.organisation, &person("CB-1"));
        let references = person.unwrap().unwrap().references;
        let names = references.iter().map(|one| one.space.name().to_owned());
        names.collect::<Vec<_>>()
    };
    // One picture in a further space leaves the others: both models are at doors meanwhile.
    assert_eq!(city.hand_in("CB-1", 1, &["bb"], START), Change::Changed);
    assert_eq!(found(), ["a", "bb"]);
    assert_eq!(city.hand_in("CB-1", 1, &["a"], START), Change::Same);
    let counted = city.store.reference_spaces(&city.organisation).unwrap();
    assert_eq!(counted, [(space("a"), 1), (space("bb"), 1)]);
    // Another picture takes the place of all.
    assert_eq!(city.hand_in("CB-1", 2, &["bb"], START), Change::Changed);
    assert_eq!(found(), ["bb"]);
    let counted = city.store.reference_spaces(&city.organisation).unwrap();
    assert_eq!(counted, [(space("bb"), 1)]);
}
