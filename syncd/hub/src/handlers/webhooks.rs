//! Webhooks: put, looked at, tried again, taken away.

use std::sync::Arc;

use wire::problem::ProblemType;
use wire::webhook as api;
use wire::{Id, Timestamp};

use super::records::write_cursor;
use crate::call::Call;
use crate::hub::Hub;
use crate::model::{KeptWebhook, Webhook, WebhookId, WebhookState};
use crate::reply::{Failure, Reply};
use crate::webhook::{check_url, secret};

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
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Failure::internal("a webhook", &error))?;
    let webhook = Webhook {
        organisation: call.organisation()?.clone(),
        id: id.clone(),
        url: url.to_string(),
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
