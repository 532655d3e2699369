//! Citizen cards: kept sealed, hashed for each meeting under that meeting's key, and gone with it.

use std::sync::Arc;

use seal::{Document, Scope, SealedDocument, card_hash};
use vocabulary::{Attendance, CardNumber, PersonId};

use super::Case;
use super::city::{City, device, entry, meeting, person, plan};
use super::fixture::START;
use crate::model::{Change, DeviceRosterAnswer, MeetingCard};
use crate::store::{Missing, Store, StoreError};

pub(super) const CASES: &[Case] = &[
    (
        "a citizen card is hashed for each meeting of its holder",
        hashes,
    ),
    ("a citizen card is forgotten everywhere", forgotten),
];

const ONE: &str = "001099000001";
const TWO: &str = "001099000002";

impl City {
    fn seal_card(&self, opaque: &PersonId, number: &str) -> SealedDocument {
        let number = CardNumber::new(number).unwrap();
        self.sealed_document(opaque, Document::CitizenCard, number.expose())
    }

    fn card(&self, id: &str, sealed: &SealedDocument) -> Change {
        let (of, id) = (&self.organisation, person(id));
        self.store
            .put_citizen_card(of, &id, sealed, &self.sealing, START)
            .unwrap()
    }

    /// The cards of a meeting as its door gets them.
    fn cards(&self, id: &str) -> Vec<MeetingCard> {
        let answer = self
            .store
            .device_roster(&device("kiosk-1"), &meeting(id), None, START);
        match answer.unwrap() {
            DeviceRosterAnswer::Here(roster) => roster.citizen_cards,
            other => panic!("the roster is there: {other:?}"),
        }
    }

    /// What the hash of a number is at a meeting.
    fn expected(&self, id: &str, holder: &PersonId, number: &str) -> MeetingCard {
        let scope = Scope {
            organisation: self.organisation.clone(),
            meeting: Some(meeting(id)),
        };
        let key = self.sealing.open(&scope, &self.meeting_key(id)).unwrap();
        MeetingCard {
            person: holder.clone(),
            hash: card_hash(&key, &scope, &CardNumber::new(number).unwrap()),
        }
    }
}

fn hashes(store: Arc<dyn Store>) {
    let city = City::new(store);
    let holder = city.person("CB-1", "Mẫu Một").opaque;
    city.person("CB-2", "Mẫu Hai");
    assert!(!city.person("CB-1", "Mẫu Một").citizen_card);
    city.put_meeting(&plan("GB-1", 0));
    city.put_meeting(&plan("GB-2", 5));
    let mut by_code = entry("CB-1");
    by_code.attendance = Attendance::CodeOnly;
    city.put_roster("GB-1", &[by_code, entry("CB-2")]);
    let sealed = city.seal_card(&holder, ONE);
    let before = city.generation("GB-1");
    assert_eq!(city.card("CB-1", &sealed), Change::Made);
    assert_eq!(city.card("CB-1", &sealed), Change::Same);
    assert_eq!(city.generation("GB-1"), before + 1);
    assert_eq!(city.generation("GB-2"), 1, "not on that roster");
    assert!(city.person("CB-1", "Mẫu Một").citizen_card);
    assert_eq!(city.cards("GB-1"), [city.expected("GB-1", &holder, ONE)]);
    // A roster that is put later has them too, under its own key.
    city.put_roster("GB-2", &[entry("CB-1")]);
    assert_eq!(city.cards("GB-2"), [city.expected("GB-2", &holder, ONE)]);
    assert_ne!(city.cards("GB-1"), city.cards("GB-2"));
    let other = city.seal_card(&holder, TWO);
    assert_eq!(city.card("CB-1", &other), Change::Changed);
    assert_eq!(city.cards("GB-1"), [city.expected("GB-1", &holder, TWO)]);
    city.put_roster("GB-1", &[entry("CB-2")]);
    assert_eq!(city.cards("GB-1"), [], "no longer on the roster");
    // A meeting that is planned again has another key, and so other hashes.
    let (old, id) = (city.cards("GB-2"), meeting("GB-2"));
    city.store
        .cancel_meeting(&city.organisation, &id, START)
        .unwrap();
    city.put_meeting(&plan("GB-2", 5));
    assert_eq!(city.cards("GB-2"), [city.expected("GB-2", &holder, TWO)]);
    assert_ne!(city.cards("GB-2"), old);
    let nobody = city.store.put_citizen_card(
        &city.organisation,
        &person("CB-9"),
        &sealed,
        &city.sealing,
        START,
    );
    assert!(matches!(
        nobody,
        Err(StoreError::Missing(Missing::Person(_)))
    ));
}

fn forgotten(store: Arc<dyn Store>) {
    let city = City::new(store);
    let holder = city.person("CB-1", "Mẫu Một").opaque;
    city.put_meeting(&plan("GB-1", 0));
    city.put_roster("GB-1", &[entry("CB-1")]);
    let sealed = city.seal_card(&holder, ONE);
    city.card("CB-1", &sealed);
    let read = || city.store.citizen_card(&city.organisation, &person("CB-1"));
    assert_eq!(read().unwrap(), Some(sealed));
    let before = city.generation("GB-1");
    let delete = |id: &str| {
        city.store
            .delete_citizen_card(&city.organisation, &person(id), START)
            .unwrap()
    };
    assert_eq!(delete("CB-1"), Change::Changed);
    assert_eq!(delete("CB-1"), Change::Same);
    assert_eq!(delete("CB-9"), Change::Same);
    assert_eq!(city.generation("GB-1"), before + 1);
    assert_eq!(read().unwrap(), None);
    assert_eq!(city.cards("GB-1"), []);
    assert!(!city.person("CB-1", "Mẫu Một").citizen_card);
}
