//! Base45 (RFC 9285): bytes as the characters of a QR code's alphanumeric mode, in which two bytes
//! cost 16.5 bits. Base64 would force the byte mode and a larger, finer code.
//!
//! Strict: every byte string has one text, and any other text is refused.

/// The alphabet of RFC 9285, table 1.
const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Bytes to text; three characters for two bytes, two for a last single one.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    let (pairs, rest) = bytes.as_chunks::<2>();
    for pair in pairs {
        push_digits(&mut text, u32::from(u16::from_be_bytes(*pair)), 3);
    }
    if let [single] = rest {
        push_digits(&mut text, u32::from(*single), 2);
    }
    text
}

/// Text to bytes; `None` when it is no text that [`encode`] makes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    let (triples, rest) = text.as_bytes().as_chunks::<3>();
    for triple in triples {
        let pair = u16::try_from(number(triple)?).ok()?;
        bytes.extend_from_slice(&pair.to_be_bytes());
    }
    match rest {
        [] => {}
        [_, _] => bytes.push(u8::try_from(number(rest)?).ok()?),
        _ => return None,
    }
    Some(bytes)
}

fn push_digits(text: &mut String, mut number: u32, count: usize) {
    for _ in 0..count {
        text.push(char::from(ALPHABET[(number % 45) as usize]));
        number /= 45;
    }
}

/// The number that up to three characters stand for, the least significant first.
fn number(characters: &[u8]) -> Option<u32> {
    characters.iter().rev().try_fold(0, |number, character| {
        let digit = ALPHABET.iter().position(|known| known == character)?;
        Some(number * 45 + u32::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc_hold() {
        let check = |bytes: &str, text: &str| {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        };
        check("", "");
        check("AB", "BB8");
        check("Hello!!", "%69 VD92EX0");
        check("base-45", "UJCLQE7W581");
        check("ietf!", "QED8WEX0");
    }

    #[test]
    fn what_no_bytes_encode_to_is_refused() {
        let check = |text: &str| assert_eq!(decode(text), None, "{text:?}");
        check("GGW"); // 65,536: the RFC's own example of an overflow.
        check(":::");
        check("::"); // More than one byte.
        check("A");
        check("BB8A");
        check("bb8");
        check("BB_");
        check("Đ12");
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = encode(&bytes);
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn a_text_that_decodes_is_the_only_one(text in "[0-9A-Z $%*+./:-]{0,12}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
