//! Webhooks are due when there is something to deliver, to one process at a time, and never go
//! back by themselves.

use std::sync::Arc;

use vocabulary::WallTime;

use super::Case;
use super::city::{City, device, organisation};
use super::fixture::{Ledger, START};
use crate::model::{Change, Delivery, EventKind, Health, Told, Webhook, WebhookState};
use crate::store::Store;

pub(super) const CASES: &[Case] = &[
    (
        "webhooks are put once and changed by their address",
        put_and_change,
    ),
    (
        "a webhook is due to one at a time, when there is something",
        due_to_one,
    ),
    (
        "events are told in order, to whom they belong",
        events_in_order,
    ),
    ("a silence is noted once", silence_once),
    (
        "failed deliveries are kept and sent again",
        deliveries_again,
    ),
];

fn webhook(url: &str) -> Webhook {
    Webhook {
        organisation: organisation("mau"),
        id: "moc-1".parse().unwrap(),
        url: url.to_owned(),
        records: true,
        events: Vec::new(),
        salt: [5; 16],
    }
}

fn put_and_change(store: Arc<dyn Store>) {
    let city = City::new(store.clone());
    let put = |url: &str| store.put_webhook(&webhook(url), START).unwrap();
    assert_eq!(put("https://a.example/"), Change::Made);
    assert_eq!(put("https://a.example/"), Change::Same);
    assert_eq!(put("https://b.example/"), Change::Changed);
    let [kept] = store
        .webhooks(&city.organisation)
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(kept.webhook, webhook("https://b.example/"));
    assert!(store.webhooks(&organisation("khac")).unwrap().is_empty());
    let id = webhook("").id;
    assert_eq!(
        store.delete_webhook(&city.organisation, &id).unwrap(),
        Change::Changed
    );
    assert_eq!(
        store.delete_webhook(&city.organisation, &id).unwrap(),
        Change::Same
    );
}

fn due_to_one(store: Arc<dyn Store>) {
    let city = City::new(store.clone());
    store
        .put_webhook(&webhook("https://a.example/"), START)
        .unwrap();
    let at = |ms: i64| WallTime(START.0 + ms);
    let claim = |ms: i64| store.claim_webhooks(at(ms), at(ms + 60_000), 8).unwrap();
    assert!(claim(1).is_empty(), "there is nothing to deliver");
    let ledger = Ledger::with_faults("kiosk-1", 1, 1);
    store
        .ingest(&device("kiosk-1"), &ledger.all(), at(2))
        .unwrap();
    let [kept] = claim(3).try_into().unwrap();
    assert!(claim(4).is_empty(), "another has it");
    assert_eq!(claim(60_003).len(), 1, "the other did not come back");
    let page = store
        .records(&city.organisation, kept.state.after, 10)
        .unwrap();
    assert_eq!(page.records.len(), 1);
    let state = WebhookState {
        after: page.next,
        delivered_at: Some(at(60_004)),
        ..kept.state
    };
    store
        .put_webhook_state(&city.organisation, &kept.webhook.id, &state)
        .unwrap();
    assert!(claim(200_000).is_empty(), "all was delivered");
    let [kept] = store
        .webhooks(&city.organisation)
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(kept.state, state);
    let given_up = WebhookState {
        next_at: None,
        problem: Some("no answer".to_owned()),
        failing_since: Some(at(5)),
        failures: 3,
        ..state
    };
    store
        .put_webhook_state(&city.organisation, &kept.webhook.id, &given_up)
        .unwrap();
    store
        .ingest(
            &device("kiosk-1"),
            &Ledger::with_faults("kiosk-1", 1, 2).all(),
            at(6),
        )
        .unwrap();
    assert!(claim(300_000).is_empty(), "it was given up");
}

fn events_in_order(store: Arc<dyn Store>) {
    let city = City::new(store.clone());
    let told = |after: u64| -> Vec<(EventKind, String)> {
        let (events, newest) = store.events(&city.organisation, after, 100).unwrap();
        assert!(
            events
                .iter()
                .all(|event| after < event.number && event.number <= newest)
        );
        let pair = |event: crate::model::Event| (event.kind, event.subject);
        events.into_iter().map(pair).collect()
    };
    let (_, before) = store.events(&city.organisation, 0, 100).unwrap();
    let id = device("kiosk-1");
    let report = |ms: i64, troubles: &str| {
        let health = Health {
            received_at: WallTime(START.0 + ms),
            document: format!("{{\"troubles\":[{troubles}]}}"),
        };
        store.put_health(&id, &health).unwrap();
    };
    report(1, "");
    report(2, "\"the disk has 9 MiB left\"");
    report(3, "\"the disk has 8 MiB left\"");
    report(4, "\"no camera\"");
    assert_eq!(store.revoke_device(&id, START).unwrap(), Change::Changed);
    assert_eq!(store.revoke_device(&id, START).unwrap(), Change::Same);
    let kiosk = || "kiosk-1".to_owned();
    let expected = [
        (EventKind::DeviceTrouble, kiosk()),
        (EventKind::DeviceTrouble, kiosk()),
        (EventKind::DeviceRevoked, kiosk()),
    ];
    assert_eq!(told(before), expected);
    let (others, _) = store.events(&organisation("khac"), before, 100).unwrap();
    assert!(others.is_empty(), "another organisation's");
}

fn silence_once(store: Arc<dyn Store>) {
    City::new(store.clone());
    let at = |ms: i64| WallTime(START.0 + ms);
    let silent =
        |before: i64, now: i64| store.note_silent_devices(at(before), at(now), 100).unwrap();
    assert_eq!(silent(1000, 1000), 0, "none has ever reported");
    let report = |ms: i64| {
        let health = Health {
            received_at: at(ms),
            document: "{}".to_owned(),
        };
        store.put_health(&device("kiosk-1"), &health).unwrap();
    };
    report(10);
    assert_eq!((silent(10, 20), silent(11, 21), silent(12, 22)), (0, 1, 0));
    report(30);
    assert_eq!((silent(25, 40), silent(31, 41), silent(50, 60)), (0, 1, 0));
}

fn deliveries_again(store: Arc<dyn Store>) {
    let city = City::new(store.clone());
    store
        .put_webhook(&webhook("https://a.example/"), START)
        .unwrap();
    let id = webhook("").id;
    let of = &city.organisation;
    let delivery = |number: u64, is_taken: bool| Delivery {
        id: format!("x-{number}"),
        kind: "diemdanh.record".to_owned(),
        told: Told::Record(number),
        first_at: START,
        tried_at: START,
        tries: 1,
        status: Some(500),
        problem: Some("it answered 500".to_owned()),
        is_taken,
        again: false,
    };
    let keep = |one: Delivery| store.put_delivery(of, &id, &one).unwrap();
    assert_eq!(keep(delivery(1, true)), Change::Same, "taken at once");
    assert_eq!(keep(delivery(1, false)), Change::Made);
    assert_eq!(keep(delivery(1, false)), Change::Changed);
    let [kept] = store.deliveries(of, &id).unwrap().try_into().unwrap();
    assert_eq!(
        kept,
        Delivery {
            tries: 2,
            ..delivery(1, false)
        }
    );
    let claim = |ms: i64| {
        let (now, until) = (WallTime(START.0 + ms), WallTime(START.0 + ms));
        store.claim_webhooks(now, until, 8).unwrap().len()
    };
    assert_eq!(claim(10), 0, "there is nothing to deliver");
    assert_eq!(
        store.redeliver(of, &id, Told::Event(1)).unwrap(),
        Change::Same
    );
    assert_eq!(
        store.redeliver(of, &id, Told::Record(1)).unwrap(),
        Change::Changed
    );
    assert_eq!(claim(20), 1, "one is to be sent again");
    assert_eq!(keep(delivery(1, true)), Change::Changed);
    assert_eq!(claim(30), 0);
    let [kept] = store.deliveries(of, &id).unwrap().try_into().unwrap();
    assert!(kept.is_taken && !kept.again && kept.tries == 3, "{kept:?}");
    for number in 2..=crate::store::DELIVERIES_KEPT_MAX as u64 + 5 {
        keep(delivery(number, false));
    }
    let kept = store.deliveries(of, &id).unwrap();
    assert_eq!(kept.len(), crate::store::DELIVERIES_KEPT_MAX);
    assert_eq!(
        kept[0].told,
        Told::Record(crate::store::DELIVERIES_KEPT_MAX as u64 + 5)
    );
    store.delete_webhook(of, &id).unwrap();
    assert!(store.deliveries(of, &id).unwrap().is_empty());
    assert_eq!(keep(delivery(1, false)), Change::Same, "it was taken away");
    assert!(store.deliveries(of, &id).unwrap().is_empty());
}
