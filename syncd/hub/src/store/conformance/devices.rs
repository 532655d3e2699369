//! Devices, tokens, certificates, and the keys of callers.

use std::sync::Arc;

use vocabulary::{Digest, WallTime};
use wire::Scope;

use super::Case;
use super::city::{City, HOUR_MS, certificate, device, door, organisation, room_id};
use super::fixture::START;
use crate::model::{
    ApiKey, ApiKeyId, CertificateSerial, Change, Health, KeyRole, Organisation, TokenUse,
};
use crate::store::{Conflict, HUB_DEVICE, Missing, Store, StoreError};

pub(super) const CASES: &[Case] = &[
    ("a device is one organisation's", declared),
    (
        "a token enrols once, and again with the same request",
        tokens,
    ),
    (
        "a certificate is renewed and an old one superseded",
        certificates,
    ),
    (
        "a revoked device stays revoked until it is reinstated",
        revoked,
    ),
    ("a health report takes the place of the one before", health),
    (
        "a caller's key is kept by its hash and revoked once",
        api_keys,
    ),
];

fn declared(store: Arc<dyn Store>) {
    let city = City::new(store);
    let other = Organisation {
        id: organisation("khac"),
        name: "Khác".to_owned(),
    };
    city.store.put_organisation(&other, START).unwrap();
    city.store
        .put_room(&other.id, &super::city::room("room-1", &["door-1"]), START)
        .unwrap();
    let put = |whose: &_, id: &str, at: &str| {
        let doors = [door(at)];
        city.store
            .put_device(whose, &device(id), &room_id("room-1"), &doors, START)
    };
    let taken = put(&other.id, "kiosk-1", "door-1");
    assert!(matches!(
        taken,
        Err(StoreError::Conflict(Conflict::DeviceElsewhere(_)))
    ));
    let reserved = put(&other.id, HUB_DEVICE, "door-1");
    assert!(matches!(
        reserved,
        Err(StoreError::Conflict(Conflict::DeviceReserved(_)))
    ));
    let nowhere = put(&other.id, "kiosk-2", "door-2");
    assert!(matches!(
        nowhere,
        Err(StoreError::Missing(Missing::Door { .. }))
    ));
    assert_eq!(put(&other.id, "kiosk-2", "door-1").unwrap(), Change::Made);
    city.put_device("kiosk-3", "room-2", "door-3");
    let page = city.store.devices(&city.organisation, None, 1).unwrap();
    assert_eq!(
        (page.items[0].id.clone(), page.more),
        (device("kiosk-1"), true)
    );
    let after = Some(device("kiosk-1"));
    let page = city
        .store
        .devices(&city.organisation, after.as_ref(), 5)
        .unwrap();
    assert_eq!((page.items.len(), page.more), (1, false));
    assert_eq!(city.store.device(&device("kiosk-9")).unwrap(), None);
    assert_eq!(city.store.totals().unwrap().devices, 3);
}

fn tokens(store: Arc<dyn Store>) {
    let city = City::new(store);
    let again = city.use_token(1, 1, START);
    assert_eq!(
        again,
        TokenUse::Enrolled(certificate(1, 100)),
        "the same answer"
    );
    let late = WallTime(START.0 + 50 * HOUR_MS);
    assert_eq!(
        city.use_token(1, 1, late),
        again,
        "also after the token's end"
    );
    assert_eq!(city.use_token(1, 2, START), TokenUse::Used);
    assert_eq!(city.use_token(9, 9, START), TokenUse::Unknown);
    let until = WallTime(START.0 + 5);
    let put = |token: u8| {
        city.store
            .put_token(&Digest([token; 32]), &device("kiosk-1"), until, START)
            .unwrap();
    };
    put(3);
    put(4);
    assert_eq!(
        city.use_token(3, 3, START),
        TokenUse::Unknown,
        "a newer one took its place"
    );
    assert_eq!(city.use_token(4, 4, until), TokenUse::Expired);
    let found = city.store.token(&Digest([4; 32])).unwrap().unwrap();
    assert_eq!((found.device, found.used_by), (device("kiosk-1"), None));
    let nobody = city
        .store
        .put_token(&Digest([5; 32]), &device("kiosk-9"), until, START);
    assert!(matches!(
        nobody,
        Err(StoreError::Missing(Missing::Device(_)))
    ));
    let keys = city.store.device(&device("kiosk-1")).unwrap().unwrap().keys;
    assert_eq!(keys.unwrap().sealing, [1; 32]);
}

fn certificates(store: Arc<dyn Store>) {
    let city = City::new(store);
    let shown = |serial: u8| {
        let shown = city.store.authenticate(&CertificateSerial(vec![serial]));
        shown
            .unwrap()
            .map(|shown| (shown.expires_at, shown.superseded))
    };
    let until = |hours: i64| WallTime(START.0 + hours * HOUR_MS);
    assert_eq!(shown(1), Some((until(100), false)));
    assert_eq!(shown(9), None);
    let renew = |number: u8, request: u8, now: WallTime| {
        let mut wanted = certificate(number, 200);
        wanted.request = Digest([request; 32]);
        city.store
            .renew_certificate(&device("kiosk-1"), &wanted, now)
            .unwrap()
            .serial
            .0
    };
    let newest = |id: &str| city.store.newest_certificate(&device(id)).unwrap();
    assert_eq!(newest("kiosk-1").as_deref(), Some("certificate 1"));
    assert_eq!(renew(2, 7, START), [2]);
    assert_eq!(newest("kiosk-1").as_deref(), Some("certificate 2"));
    assert_eq!(
        renew(3, 7, WallTime(START.0 + 1000)),
        [2],
        "the answer was lost"
    );
    assert_eq!(renew(3, 7, until(2)), [3]);
    assert_eq!(
        shown(1),
        Some((until(100), false)),
        "until the new one is used"
    );
    assert_eq!(shown(2), Some((until(200), false)));
    city.enrol("kiosk-1", 5);
    for old in [1, 2, 3] {
        assert!(shown(old).unwrap().1, "it was enrolled anew");
    }
    assert_eq!(shown(5), Some((until(100), false)));
    assert_eq!(city.use_token(1, 1, START), TokenUse::Used);
}

fn revoked(store: Arc<dyn Store>) {
    let city = City::new(store);
    let id = device("kiosk-1");
    let until = WallTime(START.0 + HOUR_MS);
    city.store
        .put_token(&Digest([2; 32]), &id, until, START)
        .unwrap();
    assert_eq!(
        city.store.revoke_device(&id, START).unwrap(),
        Change::Changed
    );
    assert_eq!(city.store.revoke_device(&id, until).unwrap(), Change::Same);
    let shown = city
        .store
        .authenticate(&CertificateSerial(vec![1]))
        .unwrap()
        .unwrap();
    assert_eq!(
        (shown.device.revoked_at, shown.superseded),
        (Some(START), true)
    );
    assert_eq!(city.use_token(2, 2, START), TokenUse::Unknown);
    assert_eq!(city.use_token(1, 1, START), TokenUse::Revoked);
    let token = city.store.put_token(&Digest([3; 32]), &id, until, START);
    assert!(matches!(
        token,
        Err(StoreError::Conflict(Conflict::DeviceRevoked(_)))
    ));
    let renewed = city
        .store
        .renew_certificate(&id, &certificate(4, 100), START);
    assert!(matches!(
        renewed,
        Err(StoreError::Conflict(Conflict::DeviceRevoked(_)))
    ));
    assert_eq!(city.put_device("kiosk-1", "room-1", "door-1"), Change::Same);
    assert!(
        city.store
            .device(&id)
            .unwrap()
            .unwrap()
            .revoked_at
            .is_some()
    );
    assert_eq!(
        city.store.reinstate_device(&id, START).unwrap(),
        Change::Changed
    );
    assert_eq!(
        city.store.reinstate_device(&id, START).unwrap(),
        Change::Same
    );
    let shown = city
        .store
        .authenticate(&CertificateSerial(vec![1]))
        .unwrap()
        .unwrap();
    assert!(shown.superseded, "its old certificate stays revoked");
    assert!(matches!(city.enrol("kiosk-1", 6), TokenUse::Enrolled(_)));
    let nobody = city.store.revoke_device(&device("kiosk-9"), START);
    assert!(matches!(
        nobody,
        Err(StoreError::Missing(Missing::Device(_)))
    ));
}

fn health(store: Arc<dyn Store>) {
    let city = City::new(store);
    for (second, document) in [(1, "{}"), (2, "{\"waiting\":3}")] {
        let health = Health {
            received_at: WallTime(START.0 + second),
            document: document.to_owned(),
        };
        city.store.put_health(&device("kiosk-1"), &health).unwrap();
        let found = city.store.device(&device("kiosk-1")).unwrap().unwrap();
        assert_eq!(found.health, Some(health));
    }
    let large = Health {
        received_at: START,
        document: "x".repeat(wire::limits::BODY_BYTES_MAX + 1),
    };
    let put = city.store.put_health(&device("kiosk-1"), &large);
    assert!(matches!(put, Err(StoreError::TooMany { .. })));
}

fn api_keys(store: Arc<dyn Store>) {
    let city = City::new(store);
    let key = |id: &str| ApiKey {
        id: ApiKeyId::new(id).unwrap(),
        organisation: city.organisation.clone(),
        hash: Digest([8; 32]),
        role: KeyRole::Secretary,
        scopes: vec![Scope::MeetingsRead, Scope::RollRead],
        label: "văn phòng".to_owned(),
        made_at: START,
        revoked_at: None,
    };
    let (one, two) = (key("zz"), key("aa"));
    city.store.put_api_key(&one).unwrap();
    city.store.put_api_key(&two).unwrap();
    let twice = city.store.put_api_key(&one);
    assert!(matches!(
        twice,
        Err(StoreError::Conflict(Conflict::KeyExists(_)))
    ));
    assert_eq!(city.store.api_key(&one.id).unwrap(), Some(one.clone()));
    assert_eq!(
        city.store.api_key(&ApiKeyId::new("none").unwrap()).unwrap(),
        None
    );
    let revoke = || city.store.revoke_api_key(&one.id, START).unwrap();
    assert_eq!((revoke(), revoke()), (Change::Changed, Change::Same));
    let all = city.store.api_keys(&city.organisation).unwrap();
    let found: Vec<_> = all.iter().map(|key| (&key.id, key.revoked_at)).collect();
    assert_eq!(found, [(&one.id, Some(START)), (&two.id, None)]);
    let mut nowhere = key("bb");
    nowhere.organisation = organisation("khac");
    let put = city.store.put_api_key(&nowhere);
    assert!(matches!(
        put,
        Err(StoreError::Missing(Missing::Organisation(_)))
    ));
}
