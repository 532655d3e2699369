//! Webhooks are due when there is something to deliver, to one process at a time, and never go
//! back by themselves.

use std::sync::Arc;

use vocabulary::WallTime;

use super::Case;
use super::city::{City, device, organisation};
use super::fixture::{Ledger, START};
use crate::model::{Change, Webhook, WebhookState};
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
];

fn webhook(url: &str) -> Webhook {
    Webhook {
        organisation: organisation("mau"),
        id: "moc-1".parse().unwrap(),
        url: url.to_owned(),
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
