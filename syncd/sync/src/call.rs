//! The calls that a daemon makes, and how each becomes one HTTP request.
//!
//! Never more than one call of a kind is under way, and no call is made that the table of
//! operations does not have.

use vocabulary::{Epoch, MeetingId};
use wire::Id;
use wire::device::{Health, SendRecords};
use wire::limits::{
    BODY_BYTES_MAX, DEVICE_MEETINGS_BYTES_MAX, OFFER_RANGE_BYTES, ROSTER_BODY_BYTES_MAX,
};
use wire::offer::OfferId;
use wire::scalar::Hex32;

/// Most bytes of an answer that is neither a roster nor a list of meetings, unpacked.
pub const ANSWER_BYTES_MAX: usize = BODY_BYTES_MAX;

/// Most bytes of the list of offers: as many as there may be, each with a signature of full length.
pub const OFFERS_ANSWER_BYTES_MAX: usize = BODY_BYTES_MAX;

/// Names one request, so that its answer is not mistaken for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request to be sent to the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// To be given back with the answer.
    pub id: RequestId,
    /// What to ask.
    pub call: Call,
}

/// What is asked of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Ask for a new certificate. The shell makes the signing request, and keeps the key that
    /// belongs to it until [`crate::Command::StoreCertificate`].
    Renew,
    /// Tell how the device is.
    Health(Health),
    /// Ask for the meetings of the device's doors; the hub chooses the window by its own clock.
    Meetings {
        /// The `ETag` of the list that is known, for `If-None-Match`.
        etag: Option<String>,
    },
    /// Fetch a roster.
    Roster {
        /// Of which meeting.
        meeting: MeetingId,
    },
    /// Ask how far the hub has an epoch's records.
    Position {
        /// Which epoch.
        epoch: Epoch,
    },
    /// Send records.
    Records(SendRecords),
    /// Ask what this device is offered.
    Offers {
        /// The `ETag` of the list that is known, for `If-None-Match`.
        etag: Option<String>,
    },
    /// Fetch some bytes of the content of an offer.
    OfferRange {
        /// Of which offer.
        offer: Id<OfferId>,
        /// Which content, for `If-Range`.
        sha256: Hex32,
        /// The first byte.
        from: u64,
        /// The last byte.
        to: u64,
    },
}

/// A request as HTTP has it, without host and headers that every request has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `GET`, `PUT` or `POST`.
    pub method: &'static str,
    /// The path from the root, with the version.
    pub path: String,
    /// JSON to send. None also for [`Call::Renew`], whose body the shell makes.
    pub body: Option<Vec<u8>>,
    /// The value for `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The first and the last byte that are asked for, and the value for `If-Range`.
    pub range: Option<(u64, u64, String)>,
    /// Most bytes of the answer, unpacked. A longer one is [`crate::TransportError::TooLarge`].
    pub answer_bytes_max: usize,
}

impl Call {
    /// Its name in the table of operations.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Renew => "renewCertificate",
            Self::Health(_) => "reportHealth",
            Self::Meetings { .. } => "listDeviceMeetings",
            Self::Roster { .. } => "getDeviceRoster",
            Self::Position { .. } => "getPosition",
            Self::Records(_) => "sendRecords",
            Self::Offers { .. } => "listDeviceOffers",
            Self::OfferRange { .. } => "getDeviceOffer",
        }
    }

    /// The HTTP request.
    #[must_use]
    pub fn http(&self) -> Http {
        let row = wire::OPERATIONS
            .iter()
            .find(|row| row.id == self.operation())
            .expect("a test looks up every call in the table");
        let (parameter, body, if_none_match, answer_bytes_max) = match self {
            Self::Renew => (None, None, None, ANSWER_BYTES_MAX),
            Self::Health(health) => (None, json(health), None, ANSWER_BYTES_MAX),
            Self::Meetings { etag } => (None, None, etag.clone(), DEVICE_MEETINGS_BYTES_MAX),
            Self::Roster { meeting } => {
                let parameter = Some(("{meeting}", meeting.to_string()));
                (parameter, None, None, ROSTER_BODY_BYTES_MAX)
            }
            Self::Position { epoch } => {
                let parameter = Some(("{epoch}", epoch.to_string()));
                (parameter, None, None, ANSWER_BYTES_MAX)
            }
            Self::Records(batch) => (None, json(batch), None, ANSWER_BYTES_MAX),
            Self::Offers { etag } => (None, None, etag.clone(), OFFERS_ANSWER_BYTES_MAX),
            Self::OfferRange { offer, .. } => {
                let parameter = Some(("{offer}", offer.to_string()));
                (parameter, None, None, OFFER_RANGE_BYTES)
            }
        };
        let range = match self {
            Self::OfferRange {
                sha256, from, to, ..
            } => Some((*from, *to, format!("\"{sha256}\""))),
            Self::Renew
            | Self::Health(_)
            | Self::Meetings { .. }
            | Self::Roster { .. }
            | Self::Position { .. }
            | Self::Records(_)
            | Self::Offers { .. } => None,
        };
        let path = match parameter {
            // Ids and epochs have no character that means something in a path.
            Some((name, value)) => row.path.replace(name, &value),
            None => row.path.to_owned(),
        };
        Http {
            method: row.method,
            path: format!("{}{path}", wire::BASE),
            body,
            if_none_match,
            range,
            answer_bytes_max,
        }
    }
}

fn json(value: &impl serde::Serialize) -> Option<Vec<u8>> {
    Some(serde_json::to_vec(value).expect("these types have only names for keys"))
}

#[cfg(test)]
mod tests {
    use wire::device::Versions;
    use wire::{Base64, Timestamp};

    use super::*;

    #[test]
    fn every_call_is_a_row_of_the_table() {
        let check = |call: Call, expect: &str| {
            let http = call.http();
            assert_eq!(format!("{} {}", http.method, http.path), expect);
            assert!(!http.path.contains('{'));
        };
        let epoch = Epoch([0xab; 16]);
        check(Call::Renew, "POST /v1-draft/device/certificate");
        check(Call::Health(health()), "PUT /v1-draft/device/health");
        check(
            Call::Meetings { etag: None },
            "GET /v1-draft/device/meetings",
        );
        let meeting = MeetingId::new("M-1").unwrap();
        check(
            Call::Roster { meeting },
            "GET /v1-draft/device/meetings/M-1/roster",
        );
        check(
            Call::Position { epoch },
            "GET /v1-draft/device/position/abababababababababababababababab",
        );
        check(Call::Records(batch()), "POST /v1-draft/device/records");
        check(Call::Offers { etag: None }, "GET /v1-draft/device/offers");
        let range = Call::OfferRange {
            offer: Id("fw-2".parse().unwrap()),
            sha256: wire::scalar::Hex([0xcd; 32]),
            from: 5,
            to: 9,
        };
        let (from, to, tag) = range.http().range.unwrap();
        assert_eq!((from, to), (5, 9));
        assert_eq!(tag, format!("\"{}\"", "cd".repeat(32)));
        check(range, "GET /v1-draft/device/offers/fw-2/content");
    }

    #[test]
    fn bodies_are_read_again_as_what_they_were() {
        let body = Call::Records(batch()).http().body.unwrap();
        assert_eq!(
            serde_json::from_slice::<SendRecords>(&body).unwrap(),
            batch()
        );
        let body = Call::Health(health()).http().body.unwrap();
        assert_eq!(serde_json::from_slice::<Health>(&body).unwrap(), health());
    }

    #[test]
    fn an_etag_is_sent_as_it_came() {
        let etag = Some("\"x\"".to_owned());
        let call = Call::Meetings { etag: etag.clone() };
        assert_eq!(call.http().if_none_match, etag);
    }

    fn batch() -> SendRecords {
        SendRecords {
            epoch: Epoch([1; 16]).into(),
            first: 3,
            oldest: 1,
            records: vec![Base64(vec![1, 2, 3])],
            head: None,
        }
    }

    fn health() -> Health {
        Health {
            at: Timestamp(vocabulary::WallTime(0)),
            versions: Versions::default(),
            spaces: Vec::new(),
            waiting: 3,
            disk_free_bytes: None,
            camera_works: Some(true),
            clock_offset_ms: None,
            troubles: Vec::new(),
            offers: Vec::new(),
        }
    }
}
