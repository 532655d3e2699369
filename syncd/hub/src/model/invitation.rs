//! Which keys sign invitations that doors believe.

use vocabulary::WallTime;

/// An Ed25519 public key whose invitations are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvitationKey {
    /// The key.
    pub key: [u8; 32],
    /// Since when; none for one that an earlier version of the store had.
    pub since: Option<WallTime>,
}

/// What is to become of the keys of an organisation or a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// These and no others, in any order.
    Replace(Vec<[u8; 32]>),
    /// This one too; where another is named that it comes instead of, that one no longer.
    Put {
        /// The key.
        key: [u8; 32],
        /// The one that it comes instead of.
        instead_of: Option<[u8; 32]>,
    },
    /// This one no longer.
    Withdraw([u8; 32]),
}

impl KeyChange {
    /// The keys after the change, each once, in their order.
    #[must_use]
    pub fn of(&self, before: impl IntoIterator<Item = [u8; 32]>) -> Vec<[u8; 32]> {
        let mut keys: Vec<[u8; 32]> = match self {
            Self::Replace(keys) => keys.clone(),
            Self::Put { key, instead_of } => before
                .into_iter()
                .filter(|one| Some(*one) != *instead_of)
                .chain([*key])
                .collect(),
            Self::Withdraw(key) => before.into_iter().filter(|one| one != key).collect(),
        };
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_which_keys_there_are_then() {
        let key = |n: u8| [n; 32];
        let check = |change: KeyChange, expect: &[u8]| {
            let after = change.of([key(1), key(2)]);
            let firsts: Vec<u8> = after.iter().map(|key| key[0]).collect();
            assert_eq!(firsts, expect, "{change:?}");
        };
        let put = |n, instead_of: Option<u8>| KeyChange::Put {
            key: key(n),
            instead_of: instead_of.map(key),
        };
        check(KeyChange::Replace(vec![key(3), key(1), key(3)]), &[1, 3]);
        check(put(3, None), &[1, 2, 3]);
        check(put(3, Some(1)), &[2, 3]);
        check(put(2, Some(2)), &[1, 2]);
        check(put(3, Some(9)), &[1, 2, 3]);
        check(KeyChange::Withdraw(key(1)), &[2]);
        check(KeyChange::Withdraw(key(9)), &[1, 2]);
    }
}
