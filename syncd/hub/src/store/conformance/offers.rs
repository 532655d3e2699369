//! Offers are put once, change in what may change, and are bounded.

use std::sync::Arc;

use vocabulary::{Digest, WallTime};

use super::Case;
use super::city::{City, organisation};
use super::fixture::START;
use crate::model::{Change, Offer, OfferKind};
use crate::store::{Conflict, OFFERS_BYTES_MAX, OFFERS_MAX, Store, StoreError};

pub(super) const CASES: &[Case] = &[
    ("an offer is put once and taken away", put_and_delete),
    ("an offer's content never changes", content_stays),
    ("offers are bounded", bounded),
];

fn offer(id: &str) -> Offer {
    Offer {
        organisation: organisation("mau"),
        id: id.parse().unwrap(),
        kind: OfferKind::Update,
        version: "2.0".to_owned(),
        size_bytes: 10,
        sha256: Digest([7; 32]),
        signature: vec![1, 2],
        signature_key: "key-1".to_owned(),
        rooms: vec!["G1".parse().unwrap(), "G2".parse().unwrap()],
        devices: vec!["kiosk-1".parse().unwrap()],
        not_before: Some(START),
        expires_at: None,
        percent: Some(10),
        made_at: START,
    }
}

fn put_and_delete(store: Arc<dyn Store>) {
    let city = City::new(store.clone());
    let mut one = offer("fw-2");
    assert_eq!(store.put_offer(&one).unwrap(), Change::Made);
    let later = Offer {
        made_at: WallTime(START.0 + 1),
        ..one.clone()
    };
    assert_eq!(store.put_offer(&later).unwrap(), Change::Same);
    assert_eq!(store.offers(&city.organisation).unwrap(), [one.clone()]);
    one.rooms.clear();
    (one.percent, one.expires_at) = (None, Some(WallTime(START.0 + 5)));
    assert_eq!(store.put_offer(&one).unwrap(), Change::Changed);
    assert_eq!(store.offers(&city.organisation).unwrap(), [one.clone()]);
    assert!(store.offers(&organisation("khac")).unwrap().is_empty());
    assert_eq!(store.offer_digests().unwrap(), [one.sha256]);
    let delete = || store.delete_offer(&city.organisation, &one.id).unwrap();
    assert_eq!((delete(), delete()), (Change::Changed, Change::Same));
    assert_eq!(store.offer_digests().unwrap(), []);
}

fn content_stays(store: Arc<dyn Store>) {
    City::new(store.clone());
    let one = offer("fw-2");
    store.put_offer(&one).unwrap();
    let others = [
        Offer {
            kind: OfferKind::Configuration,
            ..one.clone()
        },
        Offer {
            version: "3".to_owned(),
            ..one.clone()
        },
        Offer {
            size_bytes: 11,
            ..one.clone()
        },
        Offer {
            sha256: Digest([8; 32]),
            ..one.clone()
        },
        Offer {
            signature: Vec::new(),
            ..one.clone()
        },
        Offer {
            signature_key: String::new(),
            ..one.clone()
        },
    ];
    for other in others {
        let refused = store.put_offer(&other).unwrap_err();
        let expected = Conflict::OfferExists(one.id.clone());
        assert!(
            matches!(&refused, StoreError::Conflict(conflict) if *conflict == expected),
            "{refused}"
        );
    }
}

fn bounded(store: Arc<dyn Store>) {
    City::new(store.clone());
    let large = Offer {
        size_bytes: OFFERS_BYTES_MAX + 1,
        ..offer("lon")
    };
    let refused = store.put_offer(&large).unwrap_err();
    assert!(matches!(refused, StoreError::TooMany { .. }), "{refused}");
    for number in 0..OFFERS_MAX {
        store.put_offer(&offer(&format!("fw-{number}"))).unwrap();
    }
    let refused = store.put_offer(&offer("fw-them")).unwrap_err();
    assert!(matches!(refused, StoreError::TooMany { .. }), "{refused}");
    assert_eq!(store.put_offer(&offer("fw-0")).unwrap(), Change::Same);
}
