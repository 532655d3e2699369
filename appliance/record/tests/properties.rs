//! What must hold for whatever bytes arrive: decoding never panics, and what is taken is exactly
//! the one encoding of its content.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod samples;

use proptest::prelude::*;
use record::{
    Amendment, Body, CheckIn, CheckOut, ClockObservation, ClockSource, Comparison, Correction,
    CorrectionReason, Fault, Loss, LossReason, Lost, MeetingOpened, Part, RECORD_BYTES_MAX, Record,
    Refused, Release, ReleaseOutcome, SignedHead, Substitution, TEXT_BYTES_MAX, Text,
    decode_roster, encode_roster,
};
use vocabulary::{
    Assurance, BootId, ClockQuality, ComparisonScore, DeviceId, Digest, Direction, DoorId, Epoch,
    FeatureSpace, Means, MeetingId, Monotonic, PersonId, RefusalReason, Sequence, Stamp, Threshold,
    WallTime,
};

fn id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
}

fn person() -> impl Strategy<Value = PersonId> {
    id().prop_map(|id| PersonId::new(&id).unwrap())
}

fn text() -> impl Strategy<Value = Text> {
    any::<String>().prop_map(|text| Text::clipped(&text))
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn context() -> impl Strategy<Value = record::Context> {
    (id(), any::<u64>(), digest(), id(), any::<u32>(), text()).prop_map(
        |(meeting, generation, roster, door, policy, software)| record::Context {
            meeting: MeetingId::new(&meeting).unwrap(),
            generation,
            roster,
            door: DoorId::new(&door).unwrap(),
            policy,
            software,
        },
    )
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let cosine = || prop_oneof![-1.0_f32..=1.0, Just(0.5), Just(-0.0), Just(1.0), Just(-1.0)];
    (cosine(), cosine(), id(), digest(), any::<u32>()).prop_map(
        |(score, threshold, name, digest, frames)| Comparison {
            score: ComparisonScore::new(score).unwrap(),
            threshold: Threshold::new(threshold).unwrap(),
            space: FeatureSpace::new(&name, digest),
            frames,
        },
    )
}

fn means() -> impl Strategy<Value = Means> {
    prop::sample::select(vec![
        Means::Face,
        Means::Invitation,
        Means::CitizenCard,
        Means::Secretary,
    ])
}

fn assurance() -> impl Strategy<Value = Assurance> {
    prop::sample::select(vec![
        Assurance::Claimed,
        Assurance::Possession,
        Assurance::Compared,
        Assurance::Vouched,
    ])
}

fn quality() -> impl Strategy<Value = ClockQuality> {
    prop::sample::select(vec![
        ClockQuality::Unknown,
        ClockQuality::FreeRunning,
        ClockQuality::Synchronised,
    ])
}

fn passage() -> impl Strategy<Value = Body> {
    let option = prop::option::of::<BoxedStrategy<Comparison>>;
    let substitute = (person(), text()).prop_map(|(for_person, document)| Substitution {
        for_person,
        document,
    });
    let common = (
        context(),
        person(),
        means(),
        assurance(),
        option(comparison().boxed()),
        prop::option::of(person()),
    );
    let way = prop::sample::select(vec![None, Some(Direction::In), Some(Direction::Out)]);
    (common, prop::option::of(substitute), way).prop_map(|(common, substitute, way)| {
        let (context, person, means, assurance, comparison, actor) = common;
        match way {
            Some(direction) => Body::CheckIn(CheckIn {
                context,
                person,
                substitute,
                direction,
                means,
                assurance,
                comparison,
                actor,
            }),
            None => Body::CheckOut(CheckOut {
                context,
                person,
                means,
                assurance,
                comparison,
                actor,
            }),
        }
    })
}

fn body() -> impl Strategy<Value = Body> {
    let refusal = prop::sample::select(vec![
        RefusalReason::NotOnRoster,
        RefusalReason::Ambiguous,
        RefusalReason::SuspectedAttack,
        RefusalReason::InvalidCredential,
    ]);
    let refused = (context(), refusal, prop::option::of(comparison())).prop_map(
        |(context, reason, comparison)| {
            Body::Refused(Refused {
                context,
                reason,
                comparison,
            })
        },
    );
    let opened = (context(), prop::option::of(person()))
        .prop_map(|(context, actor)| Body::MeetingOpened(MeetingOpened { context, actor }));
    let correction = (any::<[u8; 16]>(), any::<u64>(), prop::option::of(person())).prop_map(
        |(epoch, sequence, actor)| {
            Body::Correction(Correction {
                of: (Epoch(epoch), Sequence(sequence)),
                amendment: Amendment::Annulled,
                reason: CorrectionReason::Trial,
                actor,
            })
        },
    );
    let clock = (any::<i64>(), any::<i64>(), quality()).prop_map(|(before, after, quality)| {
        Body::ClockObservation(ClockObservation {
            before: WallTime(before),
            after: WallTime(after),
            quality,
            source: ClockSource::Hub,
        })
    });
    let fault = text().prop_map(|what| {
        Body::Fault(Fault {
            part: Part::Screen,
            what,
        })
    });
    let lost = (
        any::<[u8; 16]>(),
        any::<u64>(),
        prop::option::of(any::<u64>()),
    )
        .prop_map(|(epoch, from, through)| Lost::Records {
            epoch: Epoch(epoch),
            from: Sequence(from),
            through: through.map(Sequence),
        });
    let lost = prop_oneof![lost, any::<u64>().prop_map(|count| Lost::Events { count })];
    let loss = lost.prop_map(|lost| {
        Body::Loss(Loss {
            lost,
            why: LossReason::Missing,
        })
    });
    let release = any::<u64>().prop_map(|of| {
        Body::ReleaseOutcome(ReleaseOutcome {
            of: Sequence(of),
            outcome: Release::NoAnswer,
        })
    });
    prop_oneof![
        passage(),
        refused,
        opened,
        correction,
        clock,
        fault,
        loss,
        release
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let stamp = (any::<i64>(), quality(), any::<[u8; 16]>(), any::<u64>());
    let envelope = (id(), any::<[u8; 16]>(), any::<u64>(), stamp, digest());
    (envelope, body()).prop_map(
        |((device, epoch, sequence, stamp, previous), body)| Record {
            device: DeviceId::new(&device).unwrap(),
            epoch: Epoch(epoch),
            sequence: Sequence(sequence),
            at: Stamp {
                wall: WallTime(stamp.0),
                quality: stamp.1,
                boot: BootId(stamp.2),
                monotonic: Monotonic(stamp.3),
            },
            previous,
            body,
        },
    )
}

/// What was decoded must be the encoding of what came out, or the decoder took a second form.
fn taken_is_canonical(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(record) = Record::decode(bytes) {
        prop_assert_eq!(record.encode(), bytes);
    }
    if let Ok(roster) = decode_roster(bytes) {
        prop_assert_eq!(encode_roster(&roster), bytes);
    }
    if let Ok(signed) = SignedHead::decode(bytes) {
        prop_assert_eq!(signed.encode(), bytes);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_record_survives_its_encoding(record in record()) {
        let bytes = record.encode();
        prop_assert!(bytes.len() <= RECORD_BYTES_MAX / 3);
        prop_assert_eq!(Record::decode(&bytes).unwrap(), record);
    }

    #[test]
    fn equal_digests_mean_equal_records(one in record(), other in record()) {
        prop_assert_eq!(one.encode() == other.encode(), one == other);
    }

    #[test]
    fn changed_bytes_are_refused_or_are_another_record(
        record in record(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        let mut bytes = record.encode();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != with);
        bytes[at] = with;
        taken_is_canonical(&bytes)?;
        if let Ok(other) = Record::decode(&bytes) {
            prop_assert_ne!(other, record);
        }
    }

    #[test]
    fn cut_or_lengthened_bytes_are_refused(record in record(), at in any::<prop::sample::Index>()) {
        let bytes = record.encode();
        let cut = at.index(bytes.len());
        prop_assert!(Record::decode(&bytes[..cut]).is_err());
        prop_assert!(Record::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        taken_is_canonical(&bytes)?;
    }

    #[test]
    fn a_changed_roster_is_refused_or_another(
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        let mut bytes = encode_roster(&samples::roster());
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != with);
        bytes[at] = with;
        taken_is_canonical(&bytes)?;
        if let Ok(other) = decode_roster(&bytes) {
            prop_assert_ne!(other, samples::roster());
        }
    }

    #[test]
    fn a_text_is_taken_as_it_is_or_not_at_all(text in any::<String>()) {
        match Text::new(&text) {
            Ok(taken) => prop_assert_eq!(taken.as_str(), text.as_str()),
            Err(_) => prop_assert!(
                text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control)
            ),
        }
    }
}

#[test]
fn an_oversized_record_is_refused_before_it_is_read() {
    let bytes = vec![0xa0; RECORD_BYTES_MAX + 1];
    let error = Record::decode(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it has 4097 bytes, at most 4096 are allowed"
    );
}

#[test]
fn the_samples_are_decoded_as_they_were() {
    assert!(samples::device().as_str().starts_with("kiosk"));
    for (name, sample) in samples::records() {
        assert_eq!(sample.epoch, samples::EPOCH);
        assert_eq!(Record::decode(&sample.encode()).unwrap(), sample, "{name}");
    }
}
