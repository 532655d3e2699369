//! The fixed split of people into a half to tune on and a half to report, so that no setting is
//! ever judged by the people whom it was fitted to. It depends on nothing but the identity: people
//! who join a dataset move nobody else.

use sha2::{Digest, Sha256};

use crate::cli::Half;

/// Whether the person belongs to the half: to the one for tuning when the first byte of the
/// SHA-256 of the identity is even.
pub fn belongs(half: Half, identity: &str) -> bool {
    let even = Sha256::digest(identity.as_bytes())[0] & 1 == 0;
    match half {
        Half::Tune => even,
        Half::Report => !even,
        Half::All => true,
    }
}

/// What the half is called in reports.
pub fn name(half: Half) -> &'static str {
    match half {
        Half::Tune => "tune",
        Half::Report => "report",
        Half::All => "all",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_stays_as_it_is() {
        let check = |identity: &str, expect: Half| {
            assert!(belongs(expect, identity), "{identity}");
            assert!(belongs(Half::All, identity));
            let other = match expect {
                Half::Tune => Half::Report,
                Half::Report | Half::All => Half::Tune,
            };
            assert!(!belongs(other, identity), "{identity}");
        };
        // SHA-256 of "abc" begins with ba, of "" with e3 (FIPS 180-4 and its test vectors).
        check("abc", Half::Tune);
        check("", Half::Report);
    }

    #[test]
    fn the_halves_are_about_as_large() {
        let people = (0..2000).map(|number| format!("person_{number}"));
        let tuned = people.filter(|id| belongs(Half::Tune, id)).count();
        assert!((880..1120).contains(&tuned), "{tuned} of 2000");
    }
}
