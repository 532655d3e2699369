//! The committed test vectors: whoever writes or reads records elsewhere can check against them,
//! and nobody changes the encoding unnoticed.
//!
//! Each file holds the diagnostic notation (RFC 8949 §8), the bytes in hexadecimal and their
//! SHA-256. `UPDATE_VECTORS=1` writes files that are missing; it never overwrites one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod samples;

use std::fmt::Write as _;
use std::path::PathBuf;

use record::{
    Break, Chain, Head, Record, SignedHead, SigningKey, decode_roster, digest, encode_roster,
    roster_digest,
};
use samples::{EPOCH, device, records, roster};
use vocabulary::{Digest, Sequence};

fn path(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    directory.join(format!("{name}.txt"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn describe(bytes: &[u8]) -> String {
    let mut text = format!("diagnostic {}\n", minicbor::display(bytes));
    for line in hexadecimal(bytes).as_bytes().chunks(64) {
        writeln!(text, "hex {}", std::str::from_utf8(line).unwrap()).unwrap();
    }
    writeln!(text, "sha256 {}", digest(bytes)).unwrap();
    text
}

/// Compares an encoding with its file and gives the bytes of the file back.
fn check(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = path(name);
    let expect = describe(bytes);
    if std::env::var_os("UPDATE_VECTORS").is_some() && !path.exists() {
        std::fs::write(&path, &expect).unwrap();
    }
    let file = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(file, expect, "{}", path.display());
    let digits: String = file
        .lines()
        .filter_map(|l| l.strip_prefix("hex "))
        .collect();
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn every_kind_encodes_to_its_vector_and_back() {
    for (name, record) in records() {
        let file = check(
            &format!("{:02}-{name}", record.sequence.0),
            &record.encode(),
        );
        assert_eq!(Record::decode(&file).unwrap(), record, "{name}");
    }
}

#[test]
fn a_kind_of_the_future_keeps_its_bytes_and_its_digest() {
    let (_, last) = records().pop().unwrap();
    let mut bytes = last.encode();
    // The kind is the item after the key 4, which stands between the number (a small integer) and
    // the key 5 of the time.
    let at = bytes
        .windows(5)
        .position(|w| w == [0x03, 12, 0x04, 10, 0x05])
        .unwrap();
    bytes.splice(at + 3..at + 4, [0x19, 0x03, 0xe7]);
    let file = check("13-unknown-kind-999", &bytes);
    let record = Record::decode(&file).unwrap();
    assert_eq!(record.body.kind(), 999);
    assert_eq!(record.encode(), bytes);
}

#[test]
fn the_vectors_are_one_chain() {
    let mut chain = Chain::start(device());
    for (name, record) in records() {
        assert_eq!(chain.check(&record.encode()).unwrap(), record, "{name}");
    }
    assert_eq!(chain.last(), Sequence(12));
}

#[test]
fn a_roster_encodes_to_its_vector_and_back() {
    let file = check("roster", &encode_roster(&roster()));
    assert_eq!(decode_roster(&file).unwrap(), roster());
    assert_eq!(digest(&file), roster_digest(&roster()));
}

#[test]
fn a_head_is_signed_as_in_its_vector() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let head = Head {
        device: device(),
        epoch: EPOCH,
        sequence: Sequence(12),
        digest: Digest([0x55; 32]),
    };
    let file = check("signed-head", &head.clone().sign(&key).encode());
    let signed = SignedHead::decode(&file).unwrap();
    assert_eq!(signed.verify(&key.verifying_key()).unwrap(), &head);
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    assert!(signed.verify(&other).is_err());
}

#[test]
fn every_change_to_a_signed_head_is_refused() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let head = Head {
        device: device(),
        epoch: EPOCH,
        sequence: Sequence(12),
        digest: Digest([0x55; 32]),
    };
    let bytes = head.sign(&key).encode();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let believed = SignedHead::decode(&changed)
                .is_ok_and(|signed| signed.verify(&key.verifying_key()).is_ok());
            assert!(!believed, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn the_first_broken_link_is_named() {
    let encoded: Vec<_> = records().iter().map(|(_, r)| r.encode()).collect();
    let broken_at = |chain: &[Vec<u8>]| {
        let mut walk = Chain::start(device());
        let error = chain.iter().find_map(|bytes| walk.check(bytes).err());
        let error = error.expect("the chain is broken");
        (error.sequence.0, error.what)
    };

    let mut missing = encoded.clone();
    missing.remove(4);
    assert!(matches!(
        broken_at(&missing),
        (5, Break::Sequence { found: Sequence(6) })
    ));

    let mut changed = encoded.clone();
    let (_, record) = &mut records()[2];
    record.at.wall.0 += 1;
    changed[2] = record.encode();
    assert!(matches!(broken_at(&changed), (4, Break::Previous { .. })));

    let mut cut = encoded.clone();
    cut[6].pop();
    assert!(matches!(broken_at(&cut), (7, Break::Decode(_))));

    let mut foreign = encoded.clone();
    let (_, record) = &mut records()[7];
    record.device = vocabulary::DeviceId::new("kiosk-08").unwrap();
    foreign[7] = record.encode();
    assert!(matches!(broken_at(&foreign), (8, Break::Device { .. })));
}

#[test]
fn a_new_epoch_follows_the_last_record_of_the_old_one() {
    let (_, last) = records().pop().unwrap();
    let head = digest(&last.encode());
    let mut chain = Chain::resume(device(), EPOCH, last.sequence, head);
    let mut first = last.clone();
    first.epoch = vocabulary::Epoch([1; 16]);
    first.sequence = Sequence::FIRST;

    first.previous = Digest::ZERO;
    let error = chain.check(&first.encode()).unwrap_err();
    assert!(matches!(error.what, Break::Previous { .. }));

    first.previous = head;
    first.sequence = Sequence(2);
    let error = chain.check(&first.encode()).unwrap_err();
    assert!(matches!(error.what, Break::Sequence { .. }));

    first.sequence = Sequence::FIRST;
    assert_eq!(chain.check(&first.encode()).unwrap(), first);
    assert_eq!(chain.epoch(), Some(first.epoch));
}
