//! Those who want to be told of records, and how far each has been.

use std::fmt;
use std::str::FromStr;

use vocabulary::{OrganisationId, PersonId, WallTime};

use crate::model::{Cursor, EventKind};

/// The id of a webhook, its caller's own: of the same form as all ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookId(String);

impl WebhookId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WebhookId {
    type Err = vocabulary::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // All ids have one form; that of people says what it is.
        PersonId::new(text).map(|_| Self(text.to_owned()))
    }
}

/// Where an organisation wants its records delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Whose.
    pub organisation: OrganisationId,
    /// Its id, unique in the organisation.
    pub id: WebhookId,
    /// Where to.
    pub url: String,
    /// Whether it is told of records.
    pub records: bool,
    /// Of which events it is told.
    pub events: Vec<EventKind>,
    /// Drawn when it was made; with the hub's own key it gives the secret that signs.
    pub salt: [u8; 16],
}

/// How far a webhook has been, and how it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookState {
    /// Behind which record it goes on.
    pub after: Cursor,
    /// Behind which event it goes on.
    pub after_event: u64,
    /// When something was last delivered.
    pub delivered_at: Option<WallTime>,
    /// Since when nothing can be delivered, when that is so.
    pub failing_since: Option<WallTime>,
    /// How often it was tried since then.
    pub failures: u32,
    /// What went wrong the last time; without personal data.
    pub problem: Option<String>,
    /// When it is tried again; none when it was given up.
    pub next_at: Option<WallTime>,
}

/// A webhook as the hub has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptWebhook {
    /// What was put.
    pub webhook: Webhook,
    /// How it goes.
    pub state: WebhookState,
}
