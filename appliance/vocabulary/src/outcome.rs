//! What comes of a person at the door: the decision on a face, the means, the assurance, the
//! reasons of a refusal.

use crate::id::PersonId;
use crate::score::ComparisonScore;

/// A person and the score that speaks for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Who.
    pub person: PersonId,
    /// How alike.
    pub score: ComparisonScore,
}

/// What the comparison of one subject's frames with a roster comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// One person of the roster, beyond the threshold and the margin.
    Identified(Ranked),
    /// Nobody of the roster; the best score, where there was any reference to compare with.
    NotIdentified {
        /// The score of the most alike, for the record's sake.
        best: Option<ComparisonScore>,
    },
    /// The face alone cannot decide: two persons within the margin, or a roster so large that one
    /// face only proposes. A second means is asked for.
    Ambiguous {
        /// The most alike.
        first: Ranked,
        /// The next, where it is a second person that makes it doubtful.
        second: Option<Ranked>,
    },
}

/// By which means a person was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Means {
    /// The face, compared on the device.
    Face,
    /// A signed invitation code.
    Invitation,
    /// The code on a citizen card.
    CitizenCard,
    /// A secretary said so.
    Secretary,
}

/// How much a check-in is worth as evidence of who was present. Higher is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assurance {
    /// A claim that nobody signed and nothing was compared with (a card's plain code).
    Claimed,
    /// Something that the person has was verified (a signed invitation).
    Possession,
    /// The person's face was compared.
    Compared,
    /// A human who knows the person vouches for them.
    Vouched,
}

/// Which way through the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Into the room.
    In,
    /// Out of the room.
    Out,
}

/// Why somebody was not called. Never an accusation: each has a way on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// Nobody of this roster.
    NotOnRoster,
    /// More than one person of the roster, or a roster too large for the face alone.
    Ambiguous,
    /// It may not have been a person standing there.
    SuspectedAttack,
    /// The credential was not valid: its time, its meeting or its signature.
    InvalidCredential,
}
