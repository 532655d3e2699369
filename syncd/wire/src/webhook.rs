//! Webhooks: records delivered to whoever asked to be told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{DELIVERIES_KEPT_MAX, EVENT_TYPES_MAX, WEBHOOK_URL_BYTES_MAX, WEBHOOKS_MAX};
use crate::scalar::{Id, Timestamp};

/// A webhook as it is put, under the caller's own id in the path. It is told of everything of its
/// types that happens from now on: each a CloudEvent (1.0, in JSON), signed as Standard Webhooks
/// has it. Records come in the order of the list of records, events in theirs. What is not answered
/// with 2xx within `webhookDeliverySecondsMax` is delivered again, until nothing was taken for
/// `webhookGivenUpAfterSeconds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutWebhook {
    /// Where to deliver, over `https`, to an address on the internet.
    #[schemars(length(min = 1, max = WEBHOOK_URL_BYTES_MAX), regex(pattern = "^https?://"))]
    pub url: String,
    /// What it is told of; records where it is left out.
    #[serde(default = "records_alone")]
    #[schemars(length(min = 1, max = EVENT_TYPES_MAX))]
    pub types: Vec<EventType>,
}

fn records_alone() -> Vec<EventType> {
    vec![EventType::Record]
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What a webhook may be told of.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            JsonSchema,
        )]
        pub enum EventType {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl EventType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in a webhook's `types`. A CloudEvent's `type` has it between `diemdanh.`
            /// and the version.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

event_types! {
    /// The hub has a record; `data` is a [`Record`](crate::roll::Record).
    Record = "record";
    /// A meeting or its roster was put, and is another now; `data` of this and all that follow is
    /// an [`EventData`].
    MeetingChanged = "meeting.changed";
    /// A meeting was cancelled.
    MeetingCancelled = "meeting.cancelled";
    /// A meeting was closed.
    MeetingClosed = "meeting.closed";
    /// There is a new revision of a meeting's roll.
    RollRevised = "roll.revised";
    /// A device has not reported for `deviceSilentAfterSeconds`.
    DeviceSilent = "device.silent";
    /// A device reports a trouble that it had not before.
    DeviceTrouble = "device.trouble";
    /// A device was revoked.
    DeviceRevoked = "device.revoked";
}

impl EventType {
    /// A CloudEvent's `type`.
    #[must_use]
    pub fn cloud_event(self) -> String {
        format!("diemdanh.{}.{}", self.name(), crate::VERSION)
    }
}

/// The `data` of an event that is no record: which thing it is about. Read that for the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventData {
    /// The meeting, of an event of a meeting or a roll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting: Option<String>,
    /// The generation of the meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The revision of the roll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The device, of an event of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// A delivery that failed once, at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// Its id, to deliver it once more.
    pub id: Id<String>,
    /// The CloudEvent's id, as its receiver saw it.
    pub event: String,
    /// The CloudEvent's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was tried first.
    pub first_at: Timestamp,
    /// When it was tried last.
    pub tried_at: Timestamp,
    /// How often.
    pub tries: u32,
    /// What the receiver answered the last time, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether it was taken in the end.
    pub taken: bool,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// Deliveries of a webhook that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deliveries {
    /// The newest first.
    #[schemars(length(max = DELIVERIES_KEPT_MAX))]
    pub deliveries: Vec<Delivery>,
}

/// A webhook, and how it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhook {
    /// Its id.
    pub id: Id<String>,
    /// Where it is delivered to.
    pub url: String,
    /// What it is told of.
    #[serde(default = "records_alone")]
    pub types: Vec<EventType>,
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
