//! All that can wake the daemon, all that it may be told to do, and what it remembers.
//!
//! Both enums are closed: what is not in here does not happen.

use record::Head;
use vocabulary::{Epoch, MeetingId, Monotonic, Roster, WallTime};
use wire::device::{
    CitizenCard, Enrolled, MeetingKey, SealedReference, Space, SubstituteRight, Versions,
};
use wire::offer::OfferReport;
use wire::scalar::Hex16;
use wire::{Hex32, Name};

use crate::call::{Request, RequestId};
use crate::fate::Answer;
use crate::status::Status;

/// What both clocks show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, which may be wrong by any amount and may jump.
    pub wall: WallTime,
    /// The monotonic clock, by which all waiting is counted.
    pub monotonic: Monotonic,
}

/// What wakes the daemon.
#[derive(Debug)]
pub enum Event {
    /// The time has come that [`crate::Sync::next_wake`] named, or the daemon has just started.
    Tick,
    /// The kiosk says that its ledger has grown. A hint: without it the ledger is looked at every
    /// few seconds.
    LedgerGrew {
        /// The ledger's epoch.
        epoch: Epoch,
        /// The number of its last record.
        last: u64,
    },
    /// What [`Command::ReadLedger`] found.
    LedgerRead {
        /// As in the command.
        id: RequestId,
        /// What was found.
        outcome: LedgerOutcome,
    },
    /// What became of a request.
    Answered {
        /// As in the request.
        id: RequestId,
        /// The answer, or why there is none.
        answer: Answer,
    },
    /// What became of a change in `city.db` or of the certificate.
    Stored {
        /// Which change.
        change: Change,
        /// Why it failed, in English without personal data; none when it is done, or was done
        /// before.
        failed: Option<String>,
    },
    /// How the device is. To be told whenever it changes, and before the first tick.
    Facts(Box<Facts>),
}

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Send this, and answer by [`Event::Answered`]. Redirects are not followed.
    Send(Request),
    /// Read at most `limit` records after the one of this number, and answer by
    /// [`Event::LedgerRead`].
    ReadLedger {
        /// To be given back.
        id: RequestId,
        /// The number after which to read; 0 for the beginning.
        after: u64,
        /// How many at most; never more than [`wire::limits::BATCH_RECORDS_MAX`].
        limit: usize,
    },
    /// Remember how far the hub has the records: [`Change::Watermark`].
    SaveWatermark(Watermark),
    /// Remember that the hub did not take a record, although it takes others: [`Change::SetAside`].
    SaveSetAside(SetAside),
    /// A record that was set aside has been taken after all; forget it: [`Change::SetAside`].
    ForgetSetAside(SetAside),
    /// Keep a roster in place of the one before: [`Change::Roster`].
    StoreRoster(Box<FetchedRoster>),
    /// Keep a meeting's wrapped key: [`Change::Key`].
    StoreKey {
        /// Of which meeting.
        meeting: MeetingId,
        /// The key.
        key: MeetingKey,
    },
    /// Forget a meeting, and its key: [`Change::Withdrawal`].
    Withdraw {
        /// Which.
        meeting: MeetingId,
        /// The generation of its withdrawal.
        generation: u64,
    },
    /// The secretary closed a meeting: destroy its key: [`Change::Closing`].
    Close {
        /// Which.
        meeting: MeetingId,
        /// The generation in which it was closed.
        generation: u64,
    },
    /// Use this certificate from now on, and trust these authorities: [`Change::Certificate`].
    StoreCertificate(Box<Enrolled>),
    /// The hub's clock and this device's were compared: tell the kiosk, which writes it down.
    ObserveClock {
        /// When, by this device's clocks.
        at: Now,
        /// What the hub's clock showed then.
        hub: WallTime,
    },
    /// Show the kiosk how things are. Comes whenever that has changed.
    Show(Status),
}

impl From<Request> for Command {
    fn from(request: Request) -> Self {
        Self::Send(request)
    }
}

/// What was found in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerOutcome {
    /// It was read; also when nothing is there after the number asked for.
    Batch(LedgerBatch),
    /// The kiosk has not made one yet.
    NoLedger,
    /// It could not be read: why, in English.
    Failed(String),
}

/// Records of the ledger, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerBatch {
    /// The ledger's epoch.
    pub epoch: Epoch,
    /// The number of the oldest record that is kept; 1 when there is none.
    pub oldest: u64,
    /// The number of the last record; 0 when there is none.
    pub last: u64,
    /// The records, oldest first.
    pub records: Vec<LedgerRecord>,
    /// The device's signature over the last of these records ([`record::SignedHead::encode`]).
    pub head: Option<Vec<u8>>,
}

/// One record as it lies in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRecord {
    /// Its number.
    pub sequence: u64,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

impl LedgerBatch {
    /// The head that is to be signed for these records; none when there are none.
    #[must_use]
    pub fn head_to_sign(&self, device: &vocabulary::DeviceId) -> Option<Head> {
        let last = self.records.last()?;
        Some(Head {
            device: device.clone(),
            epoch: self.epoch,
            sequence: vocabulary::Sequence(last.sequence),
            digest: record::digest(&last.bytes),
        })
    }
}

/// How far the hub has the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// Which store said so.
    pub store: Hex16,
    /// Which incarnation of it.
    pub incarnation: Hex16,
    /// Of which ledger.
    pub epoch: Epoch,
    /// Everything up to this number is there.
    pub through: u64,
}

/// A record that the hub did not take. It stays in the ledger and is offered again every day. The
/// largest number that a database can hold stands for "one of this ledger, once".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetAside {
    /// Of which ledger.
    pub epoch: Epoch,
    /// Its number.
    pub sequence: u64,
}

/// A change that the shell was told to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The watermark.
    Watermark,
    /// The list of records that were set aside.
    SetAside,
    /// A roster.
    Roster {
        /// Of which meeting.
        meeting: MeetingId,
        /// Which generation.
        generation: u64,
    },
    /// A meeting's key.
    Key {
        /// Of which meeting.
        meeting: MeetingId,
        /// The key's id.
        key: Hex16,
    },
    /// A meeting was forgotten.
    Withdrawal {
        /// Which.
        meeting: MeetingId,
        /// The generation of its withdrawal.
        generation: u64,
    },
    /// A meeting was closed.
    Closing {
        /// Which.
        meeting: MeetingId,
        /// The generation in which it was closed.
        generation: u64,
    },
    /// The certificate.
    Certificate,
}

/// A roster whose digest, ids and generation agree with each other and with what was asked for.
/// The sealed references are still sealed; whether they open is for the kiosk to see.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchedRoster {
    /// The roster.
    pub roster: Roster,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// The digest of these bytes.
    pub digest: Hex32,
    /// The key that the references are sealed with.
    pub key: Hex16,
    /// The references, only of people on the roster.
    pub references: Vec<SealedReference>,
    /// Ed25519 keys whose invitations are valid at this meeting.
    pub invitation_keys: Vec<Hex32>,
    /// Who may attend for whom.
    pub substitutes: Vec<SubstituteRight>,
    /// Keyed hashes of citizen cards, only of people on the roster.
    pub citizen_cards: Vec<CitizenCard>,
}

/// How the device is, as the shell sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What runs on it.
    pub versions: Versions,
    /// Feature spaces that its kiosk compares in.
    pub spaces: Vec<Space>,
    /// Free bytes where the records are kept, where known.
    pub disk_free_bytes: Option<u64>,
    /// Whether the camera gives pictures, where known.
    pub camera_works: Option<bool>,
    /// How far it is with what it is offered.
    pub offers: Vec<OfferReport>,
    /// What does not work on the kiosk's side, in English.
    pub kiosk_troubles: Vec<Name>,
}

/// What the shell kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The hub's store, from when this device was enrolled. No other is believed.
    pub store: Hex16,
    /// How far the hub has the records; none before the first acknowledgement.
    pub watermark: Option<Watermark>,
    /// Records that the hub did not take.
    pub set_aside: Vec<SetAside>,
    /// The meetings that `city.db` has, those withdrawn and closed among them.
    pub meetings: Vec<HeldMeeting>,
    /// When the certificate ends.
    pub expires_at: WallTime,
    /// When to ask for the next one.
    pub renew_at: WallTime,
    /// When this program was built; no clock before that is right.
    pub built_at: WallTime,
    /// The time of the ledger's last record, where there is one.
    pub last_record_at: Option<WallTime>,
}

/// A meeting in `city.db`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMeeting {
    /// Which.
    pub meeting: MeetingId,
    /// The newest generation that was taken: of the roster, the withdrawal or the closing.
    pub generation: u64,
    /// What is there.
    pub holding: Holding,
    /// The id of the wrapped key that is there.
    pub key: Option<Hex16>,
}

/// What `city.db` has of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Its roster.
    Roster,
    /// Nothing: it was withdrawn.
    Withdrawn,
    /// Its roster, for reading only: it was closed.
    Closed,
}
