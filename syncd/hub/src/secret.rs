//! The secrets that the hub gives away and keeps only hashes of: enrolment tokens of devices and
//! keys of those who call the API. Each says by its form what it is, so that a leaked one is found
//! by a search. Nothing here knows whether one is still good.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use vocabulary::Digest;
use wire::limits::CREDENTIAL_BYTES_MAX;

use crate::ca::hex;
use crate::model::{ApiKeyId, SecretHash};

/// What a token begins with.
const TOKEN_PREFIX: &str = "ddt1";

/// What a key begins with.
const KEY_PREFIX: &str = "ddk1";

/// Random bytes of a secret: nobody guesses 256 bits, so a plain hash of them may be kept.
const SECRET_BYTES: usize = 32;

/// Random bytes of a key's id.
const KEY_ID_BYTES: usize = 6;

/// A new enrolment token.
pub struct NewToken {
    /// What the device is given, once.
    pub text: String,
    /// What the hub keeps.
    pub hash: SecretHash,
}

/// Draws an enrolment token that carries the digest of the authority's key, so that the device
/// knows whom to trust before it has ever talked to the hub.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_token(authority: &Digest) -> Result<NewToken, getrandom::Error> {
    let secret = draw()?;
    Ok(NewToken {
        text: format!("{TOKEN_PREFIX}.{secret}.{}", hex(&authority.0)),
        hash: hash(&secret),
    })
}

/// The hash of a token's secret; none when the text is no token.
#[must_use]
pub fn token_hash(text: &str) -> Option<SecretHash> {
    let mut parts = text.split('.');
    let of_form = text.len() <= CREDENTIAL_BYTES_MAX && parts.next() == Some(TOKEN_PREFIX);
    let secret = parts.next()?;
    let authority = parts.next()?;
    (of_form && parts.next().is_none() && !secret.is_empty() && authority.len() == 64)
        .then(|| hash(secret))
}

/// A new key for the API.
pub struct NewKey {
    /// What the caller is given, once.
    pub text: String,
    /// The key's id.
    pub id: ApiKeyId,
    /// What the hub keeps.
    pub hash: SecretHash,
}

/// Draws an API key.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_key() -> Result<NewKey, getrandom::Error> {
    let mut id = [0; KEY_ID_BYTES];
    getrandom::fill(&mut id)?;
    let id = ApiKeyId::new(&hex(&id)).expect("twelve hexadecimal digits are an id");
    let secret = draw()?;
    Ok(NewKey {
        text: format!("{KEY_PREFIX}.{id}.{secret}"),
        id,
        hash: hash(&secret),
    })
}

/// A key's id and the hash of its secret; none when the text is no key.
#[must_use]
pub fn key_parts(text: &str) -> Option<(ApiKeyId, SecretHash)> {
    if text.len() > CREDENTIAL_BYTES_MAX {
        return None;
    }
    let rest = text.strip_prefix(KEY_PREFIX)?.strip_prefix('.')?;
    let (id, secret) = rest.split_once('.')?;
    let id = ApiKeyId::new(id)?;
    (!secret.is_empty()).then(|| (id, hash(secret)))
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
#[must_use]
pub fn same(left: &SecretHash, right: &SecretHash) -> bool {
    let differing = left
        .0
        .iter()
        .zip(&right.0)
        .fold(0, |differing, (left, right)| differing | (left ^ right));
    std::hint::black_box(differing) == 0
}

fn draw() -> Result<String, getrandom::Error> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret)?;
    Ok(URL_SAFE_NO_PAD.encode(secret))
}

fn hash(secret: &str) -> SecretHash {
    Digest(Sha256::digest(secret.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_drawn_is_read_again_and_never_drawn_twice() {
        let authority = Digest([7; 32]);
        let token = new_token(&authority).unwrap();
        assert_eq!(token_hash(&token.text), Some(token.hash));
        assert!(token.text.ends_with(&"07".repeat(32)), "{}", token.text);
        assert_ne!(token.text, new_token(&authority).unwrap().text);
        let key = new_key().unwrap();
        assert_eq!(key_parts(&key.text), Some((key.id, key.hash)));
        assert_ne!(key.text, new_key().unwrap().text);
    }

    #[test]
    fn hashes_are_the_same_or_not() {
        let one = Digest([1; 32]);
        assert!(same(&one, &one));
        for at in 0..32 {
            let mut other = one;
            other.0[at] ^= 0x80;
            assert!(!same(&one, &other));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(
            text in ".{0,300}",
            parts in "[a-z0-9]{0,9}(\\.[a-z0-9]{0,70}){0,4}",
        ) {
            for text in [&text, &parts, &format!("ddk1.{parts}"), &format!("ddt1.{parts}")] {
                let _ = token_hash(text);
                let _ = key_parts(text);
            }
        }
    }
}
