//! Webhooks: put, looked at, tried again, taken away.

use std::sync::Arc;

use wire::limits::EVENT_TYPES_MAX;
use wire::problem::ProblemType;
use wire::webhook as api;
use wire::{Id, Timestamp};

use super::records::write_cursor;
use crate::call::Call;
use crate::hub::Hub;
use crate::model::{
    Change, Delivery, EventKind, KeptWebhook, Told, Webhook, WebhookId, WebhookState,
};
use crate::reply::{Failure, Reply};
use crate::webhook::{check_url, event_type, secret};

pub(super) fn list(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let webhooks = hub.store.webhooks(call.organisation()?)?;
    Reply::json(&api::Webhooks {
        webhooks: webhooks.into_iter().map(|kept| out(hub, kept)).collect(),
    })
}

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: WebhookId = call.path(0)?;
    Reply::json(&out(hub, find(hub, call, &id)?))
}

pub(super) fn put(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: WebhookId = call.path(0)?;
    let put: api::PutWebhook = call.json()?;
    let url = check_url(&put.url, hub.private_webhooks)
        .map_err(|error| Failure::new(ProblemType::Unprocessable, format!("`url`: {error}")))?;
    if put.types.is_empty() || put.types.len() > EVENT_TYPES_MAX {
        let detail = format!("`types` in the body has 1 to {EVENT_TYPES_MAX} items");
        return Err(Failure::malformed(detail));
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Failure::internal("a webhook", &error))?;
    let webhook = Webhook {
        organisation: call.organisation()?.clone(),
        id: id.clone(),
        url: url.to_string(),
        records: put.types.contains(&api::EventType::Record),
        events: EventKind::ALL
            .iter()
            .copied()
            .filter(|kind| put.types.contains(&event_type(*kind)))
            .collect(),
        salt,
    };
    hub.store.put_webhook(&webhook, call.now)?;
    hub.records_came.notify_waiters();
    Reply::json(&out(hub, find(hub, call, &id)?))
}

pub(super) fn delete(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: WebhookId = call.path(0)?;
    hub.store.delete_webhook(call.organisation()?, &id)?;
    Ok(Reply::empty())
}

pub(super) fn retry(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: WebhookId = call.path(0)?;
    let kept = find(hub, call, &id)?;
    let state = WebhookState {
        failing_since: None,
        failures: 0,
        next_at: Some(call.now),
        ..kept.state
    };
    hub.store
        .put_webhook_state(call.organisation()?, &id, &state)?;
    hub.records_came.notify_waiters();
    Reply::json(&out(hub, find(hub, call, &id)?))
}

pub(super) fn deliveries(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: WebhookId = call.path(0)?;
    let state = find(hub, call, &id)?.state;
    let kept = hub.store.deliveries(call.organisation()?, &id)?;
    let out = |delivery: Delivery| {
        let is_next = !delivery.is_taken && state.failing_since.is_some();
        api::Delivery {
            id: Id(delivery.told.to_string()),
            event: delivery.id,
            kind: delivery.kind,
            first_at: Timestamp(delivery.first_at),
            tried_at: Timestamp(delivery.tried_at),
            tries: delivery.tries,
            status: delivery.status,
            problem: delivery.problem,
            taken: delivery.is_taken,
            next_at: match delivery.again {
                true => Some(Timestamp(call.now)),
                false => state.next_at.filter(|_| is_next).map(Timestamp),
            },
        }
    };
    Reply::json(&api::Deliveries {
        deliveries: kept.into_iter().map(out).collect(),
    })
}

pub(super) fn redeliver(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: WebhookId = call.path(0)?;
    find(hub, call, &id)?;
    let told: Told = call.path(1)?;
    let change = hub.store.redeliver(call.organisation()?, &id, told)?;
    if change == Change::Same {
        return Err(Failure::not_found("delivery", &told));
    }
    hub.records_came.notify_waiters();
    Ok(Reply::empty())
}

/// What a webhook is told of, as the API has it.
fn types(webhook: &Webhook) -> Vec<api::EventType> {
    let records = webhook.records.then_some(api::EventType::Record);
    let events = webhook.events.iter().map(|kind| event_type(*kind));
    records.into_iter().chain(events).collect()
}

fn find(hub: &Hub, call: &Call, id: &WebhookId) -> Result<KeptWebhook, Failure> {
    let webhooks = hub.store.webhooks(call.organisation()?)?;
    let found = webhooks.into_iter().find(|kept| kept.webhook.id == *id);
    found.ok_or_else(|| Failure::not_found("webhook", id))
}

fn out(hub: &Hub, kept: KeptWebhook) -> api::Webhook {
    let KeptWebhook { webhook, state } = kept;
    api::Webhook {
        id: Id(webhook.id.to_string()),
        secret: secret(hub, &webhook),
        types: types(&webhook),
        url: webhook.url,
        state: match (state.next_at, state.failing_since) {
            (None, _) => api::WebhookState::GivenUp,
            (Some(_), Some(_)) => api::WebhookState::Failing,
            (Some(_), None) => api::WebhookState::Working,
        },
        after: write_cursor(&state.after),
        delivered_at: state.delivered_at.map(Timestamp),
        failing_since: state.failing_since.map(Timestamp),
        failures: state.failures,
        problem: state.problem,
        next_at: state.next_at.map(Timestamp),
    }
}
