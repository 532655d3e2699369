//! Keyed hashes of citizen cards' numbers, by which a door knows a card again without having its
//! number.
//!
//! A number has 12 digits of which a province, a century and a year are half: some billions are
//! possible, and a hash *without* a key would be undone by trying them all in seconds. So the hash
//! is HMAC-SHA256 under a key that is derived from the meeting's own, and is worth as much as that
//! key is secret: it says nothing to whoever has the hash alone, nothing across meetings, and
//! nothing any more once the meeting's key is destroyed. Whoever has the meeting's key can try all
//! numbers.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vocabulary::CardNumber;

use crate::binding::Scope;
use crate::key::DataKey;

/// The hash of a citizen card's number at one meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardHash(pub [u8; 32]);

/// The hash of a number under a meeting's key.
#[must_use]
pub fn card_hash(key: &DataKey, scope: &Scope, number: &CardNumber) -> CardHash {
    // The key that seals templates is not used for anything else: one of its own is derived.
    let derived = hmac(key.bytes(), &scope.card_bytes());
    CardHash(hmac(&derived, number.expose()))
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use vocabulary::{MeetingId, OrganisationId};

    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }

    fn scope(meeting: &str) -> Scope {
        Scope {
            organisation: OrganisationId::new("mau").unwrap(),
            meeting: Some(MeetingId::new(meeting).unwrap()),
        }
    }

    fn number(text: &str) -> CardNumber {
        CardNumber::new(text).unwrap()
    }

    /// RFC 4231, test case 1, whose key is padded with zeros as HMAC itself does.
    #[test]
    fn the_keyed_hash_is_the_published_one() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expect = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(hmac(&key, b"Hi There").to_vec(), unhex(expect));
    }

    #[test]
    fn a_number_has_one_hash_at_a_meeting_and_no_other_meeting_has_it() {
        let key = || DataKey::from_bytes([7; 32]);
        let hash = |key: &DataKey, of: &str, n: &str| card_hash(key, &scope(of), &number(n));
        let one = hash(&key(), "GB-1", "001099000001");
        assert_eq!(one, hash(&key(), "GB-1", "001099000001"));
        assert_ne!(one, hash(&key(), "GB-1", "001099000002"));
        assert_ne!(one, hash(&key(), "GB-2", "001099000001"));
        let other = DataKey::from_bytes([8; 32]);
        assert_ne!(one, hash(&other, "GB-1", "001099000001"));
        // Doors and hubs of every version compute the same.
        let expect = "bfabd9af4f3aae106cc489f8286f99e9e949eea73d3538b05e3330ad614bdbcb";
        assert_eq!(one.0.to_vec(), unhex(expect));
    }
}
