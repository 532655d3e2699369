//! Webhooks: records delivered to whoever asked to be told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{WEBHOOK_URL_BYTES_MAX, WEBHOOKS_MAX};
use crate::scalar::{Id, Timestamp};

/// A webhook as it is put, under the caller's own id in the path. It is told of every record that
/// the hub gets from now on: each a CloudEvent (1.0, in JSON, type `diemdanh.record.v1-draft`)
/// whose `data` is a [`Record`](crate::roll::Record), signed as Standard Webhooks has it, in the
/// order of the list of records. What is not answered with 2xx within 15 seconds is delivered
/// again, for five days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutWebhook {
    /// Where to deliver, over `https`, to an address on the internet.
    #[schemars(length(min = 1, max = WEBHOOK_URL_BYTES_MAX), regex(pattern = "^https?://"))]
    pub url: String,
}

/// A webhook, and how it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhook {
    /// Its id.
    pub id: Id<String>,
    /// Where it is delivered to.
    pub url: String,
    /// The secret that its deliveries are signed with (`whsec_…`).
    pub secret: String,
    /// How it goes.
    pub state: WebhookState,
    /// Behind which record it goes on, as a cursor of the list of records.
    pub after: String,
    /// When something was last taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// Since when nothing is taken, when that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// How often it was tried since then.
    pub failures: u32,
    /// What went wrong the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// How a webhook goes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookState {
    /// Everything was taken, or is about to be.
    Working,
    /// The last delivery was not taken; it will be tried again.
    Failing,
    /// Nothing was taken for five days. It goes on, from where it was, when it is told to.
    GivenUp,
}

/// All webhooks of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhooks {
    /// In order of their ids.
    #[schemars(length(max = WEBHOOKS_MAX))]
    pub webhooks: Vec<Webhook>,
}
