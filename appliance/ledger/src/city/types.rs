//! What the daemon puts into the store of what the city sent, and what the store answers.

use seal::{CardHash, KeyId, SealedTemplate};
use vocabulary::{Epoch, FeatureSpace, MeetingId, PersonId, ReferenceId, Roster, Sequence};

use crate::store::RosterSummary;

/// A roster as the city sent it, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CityRoster {
    /// The roster.
    pub roster: Roster,
    /// Which key the references are sealed with.
    pub key: KeyId,
    /// The references of those who are called by face.
    pub references: Vec<CityReference>,
    /// Ed25519 public keys whose invitations are valid at this meeting; at most
    /// [`super::INVITATION_KEYS_MAX`].
    pub invitation_keys: Vec<[u8; 32]>,
    /// Who may attend for whom; at most [`super::SUBSTITUTES_MAX`].
    pub substitutes: Vec<SubstituteRight>,
    /// The citizen cards of those on the roster who have one there, each person once.
    pub citizen_cards: Vec<CityCard>,
}

/// A person's citizen card, as it can be known again at one meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CityCard {
    /// Whose.
    pub person: PersonId,
    /// The hash of its number under the meeting's key.
    pub hash: CardHash,
}

/// Whose citizen card was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardHolder {
    /// This person's.
    Person(PersonId),
    /// Nobody's on this roster who has a card there.
    Unknown,
    /// Of several people on this roster: somebody handed in a wrong number, and the card decides
    /// nothing.
    Several,
    /// The meeting's key is not here, so no card can be known: not sent yet, or destroyed.
    NoKey,
}

/// A reference of a person, sealed under the meeting's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CityReference {
    /// Whose.
    pub person: PersonId,
    /// Which of the person's references.
    pub reference: ReferenceId,
    /// In which feature space.
    pub space: FeatureSpace,
    /// The sealed template.
    pub sealed: SealedTemplate,
}

/// Somebody may attend for somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubstituteRight {
    /// Who comes.
    pub person: PersonId,
    /// For whom.
    pub instead_of: PersonId,
    /// By which document, at most 256 bytes.
    pub document: String,
}

/// What became of a roster or a withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is here now.
    Taken,
    /// It was here already.
    Same,
    /// Something later is here; nothing was changed.
    Older,
}

/// A meeting that the city told of, as the daemon needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub meeting: MeetingId,
    /// The newest generation that was taken: of the roster, the closing or the withdrawal.
    pub generation: u64,
    /// What is here of it.
    pub holding: Holding,
    /// Which key of the meeting is here, if any.
    pub key: Option<KeyId>,
}

/// What is here of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Its roster.
    Roster,
    /// It was closed; its roster, if it came, is here for reading.
    Closed,
    /// Nothing; it was withdrawn.
    Withdrawn,
}

/// A meeting that the city sent, as the kiosk needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CityMeeting {
    /// Its roster. `has_key` says whether the very key is here that its references are sealed
    /// with.
    pub summary: RosterSummary,
    /// Whether the secretary closed it: its roll is not taken any more.
    pub closed: bool,
}

/// How far the city has the records of one ledger file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// The city's store.
    pub store: [u8; 16],
    /// Which incarnation of it.
    pub incarnation: [u8; 16],
    /// Of which ledger file.
    pub epoch: Epoch,
    /// Everything up to this record is durably there; 0 for nothing.
    pub through: Sequence,
}
