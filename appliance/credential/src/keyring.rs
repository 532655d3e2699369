//! All keys whose invitations are valid at one meeting: the organisation's present one, the one
//! before while invitations signed by it are still about, and those of co-organisers.
//!
//! A code does not say by which key it was signed, so each is tried; a key that the meeting does
//! not have is told as such, since what helps then is another roster and not another code. Nothing
//! here fetches keys or remembers anything.

use vocabulary::{Meeting, Stamp};

use crate::invitation::{SignedInvitation, VerifiedInvitation, VerifyError};
use crate::key::{self, KeyError, PUBLIC_KEY_BYTES, PublicKey};

/// The keys of one meeting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: Vec<PublicKey>,
}

/// Bytes that were to be a key of a meeting and are none. The others of its keys count all the
/// same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {name} of the meeting cannot be used")]
pub struct Refused {
    /// The bytes in hexadecimal digits.
    pub name: String,
    /// Why they are no key.
    #[source]
    pub source: KeyError,
}

/// Why no key of the meeting accepts an invitation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The meeting has no key at all: invitations are not used at it, or its roster has not come.
    #[error("no key of invitations is known for this meeting")]
    NoKeys,
    /// A key was named that the meeting does not have; carries its name.
    #[error("the meeting has no key {0}; it may have been withdrawn, or not have come yet")]
    UnknownKey(String),
    /// None of the meeting's keys signed it; carries how many there are.
    #[error("the invitation is signed by a key that this meeting does not have (of {0})")]
    SignedByUnknown(usize),
    /// One of them signed it, and it is not accepted for what it says.
    #[error(transparent)]
    NotAccepted(VerifyError),
}

impl Keyring {
    /// Takes over the keys that a roster brought, each once; says which of them are none.
    #[must_use]
    pub fn of(keys: impl IntoIterator<Item = [u8; PUBLIC_KEY_BYTES]>) -> (Self, Vec<Refused>) {
        let mut taken = Self::default();
        let mut refused = Vec::new();
        for bytes in keys {
            match PublicKey::from_bytes(&bytes) {
                Ok(key) if taken.keys.contains(&key) => {}
                Ok(key) => taken.keys.push(key),
                Err(source) => refused.push(Refused {
                    name: key::name(&bytes),
                    source,
                }),
            }
        }
        (taken, refused)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key of a name, as [`PublicKey::name`] has it.
    ///
    /// # Errors
    /// [`KeyringError::UnknownKey`] names it.
    pub fn key(&self, name: &str) -> Result<&PublicKey, KeyringError> {
        let found = self.keys.iter().find(|key| key.name() == name);
        found.ok_or_else(|| {
            // Whoever asks may have read the name off a code: no more of it than a key has.
            KeyringError::UnknownKey(name.chars().take(2 * PUBLIC_KEY_BYTES).collect())
        })
    }

    /// Accepts an invitation for `meeting` at `now` by whichever key signed it, as
    /// [`SignedInvitation::verify`] does.
    ///
    /// # Errors
    /// [`KeyringError`] says whether no key is known, none of them signed it, or what it says is
    /// not accepted.
    pub fn verify(
        &self,
        invitation: SignedInvitation,
        now: &Stamp,
        meeting: &Meeting,
    ) -> Result<VerifiedInvitation, KeyringError> {
        if self.keys.is_empty() {
            return Err(KeyringError::NoKeys);
        }
        let signed_by = self.keys.iter().find(|key| invitation.is_signed_by(key));
        let key = signed_by.ok_or(KeyringError::SignedByUnknown(self.keys.len()))?;
        invitation
            .verify(key, now, meeting)
            .map_err(KeyringError::NotAccepted)
    }
}

#[cfg(test)]
mod tests {
    use vocabulary::{
        BootId, ClockQuality, MeetingId, Monotonic, OrganisationId, PersonId, RoomId, WallTime,
    };

    use super::*;
    use crate::invitation::Invitation;
    use crate::key::SigningKey;

    fn signing(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn meeting(id: &str) -> Meeting {
        Meeting {
            id: MeetingId::new(id).unwrap(),
            organisation: OrganisationId::new("so-mau").unwrap(),
            room: RoomId::new("P1").unwrap(),
            doors: vec![],
            title: "Họp giao ban".into(),
            starts_at: WallTime(10_000),
            ends_at: WallTime(20_000),
            zone: "Asia/Ho_Chi_Minh".into(),
            quorum: None,
        }
    }

    fn signed(seed: u8, id: &str) -> SignedInvitation {
        let person = PersonId::new("p-1").unwrap();
        let (from, until) = (WallTime(0), WallTime(30_000));
        let invitation = Invitation::new(&meeting(id), person, from, until, [1; 8]).unwrap();
        invitation.sign(&signing(seed))
    }

    fn ring(seeds: &[u8]) -> Keyring {
        let keys = seeds.iter().map(|seed| signing(*seed).public().to_bytes());
        let (ring, refused) = Keyring::of(keys);
        assert_eq!(refused, []);
        ring
    }

    #[test]
    fn whichever_key_signed_counts_and_an_unknown_one_is_told() {
        let now = Stamp {
            wall: WallTime(15_000),
            quality: ClockQuality::Synchronised,
            boot: BootId([0; 16]),
            monotonic: Monotonic(0),
        };
        let check = |seeds: &[u8], signed: SignedInvitation, expect: Result<&str, KeyringError>| {
            let found = ring(seeds).verify(signed, &now, &meeting("M1"));
            let found = found.map(|invitation| invitation.person().to_string());
            assert_eq!(found, expect.map(str::to_owned), "keys {seeds:?}");
        };
        check(&[1, 2], signed(2, "M1"), Ok("p-1"));
        check(&[2, 1, 2], signed(2, "M1"), Ok("p-1"));
        check(
            &[1, 3],
            signed(2, "M1"),
            Err(KeyringError::SignedByUnknown(2)),
        );
        check(&[], signed(2, "M1"), Err(KeyringError::NoKeys));
        let other = VerifyError::OtherMeeting;
        check(&[2], signed(2, "M2"), Err(KeyringError::NotAccepted(other)));
    }

    #[test]
    fn a_key_is_found_by_its_name_and_an_unknown_name_is_told() {
        let ring = ring(&[1]);
        let name = signing(1).public().name();
        assert_eq!(ring.key(&name).unwrap(), &signing(1).public());
        let unknown = signing(2).public().name();
        let error = ring.key(&unknown).unwrap_err();
        assert_eq!(error, KeyringError::UnknownKey(unknown.clone()));
        assert!(error.to_string().contains(&unknown), "{error}");
        let long = ring.key(&"x".repeat(1000)).unwrap_err().to_string();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn what_is_no_key_is_named_and_the_others_count() {
        let mut weak = [0; 32];
        weak[0] = 1;
        let (ring, refused) = Keyring::of([weak, signing(1).public().to_bytes()]);
        assert_eq!((ring.len(), ring.is_empty(), refused.len()), (1, false, 1));
        assert!(refused[0].name.starts_with("0100"), "{}", refused[0]);
        assert_eq!(refused[0].source, KeyError::Weak);
    }
}
