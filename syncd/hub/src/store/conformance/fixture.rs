//! A device's ledger as the suite plays it: a chain of records, grown one by one.

use record::{
    Body, CheckIn, CheckOut, ClockObservation, ClockSource, Context, Fault, Head, Part, Record,
    SigningKey, Text,
};
use vocabulary::{
    Assurance, BootId, ClockQuality, DeviceId, Digest, Direction, DoorId, Epoch, Means, MeetingId,
    Monotonic, PersonId, Sequence, Stamp, WallTime,
};

use crate::ingest::Batch;

/// When the suite's first meeting begins.
pub(crate) const START: WallTime = WallTime(1_772_415_000_000);

/// A device's chain of one epoch.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub(crate) device: DeviceId,
    pub(crate) epoch: Epoch,
    pub(crate) head: Digest,
    pub(crate) boot: BootId,
    pub(crate) clock_offset_ms: i64,
    pub(crate) quality: ClockQuality,
    pub(crate) records: Vec<Vec<u8>>,
}

impl Ledger {
    /// An empty one, whose first record will name `previous`.
    pub(crate) fn new(device: &str, epoch: u8, previous: Digest) -> Self {
        Self {
            device: DeviceId::new(device).expect("the suite's ids are ids"),
            epoch: Epoch([epoch; 16]),
            head: previous,
            boot: BootId([1; 16]),
            clock_offset_ms: 0,
            quality: ClockQuality::Synchronised,
            records: Vec::new(),
        }
    }

    /// One with some records that belong to no meeting.
    pub(crate) fn with_faults(device: &str, epoch: u8, count: usize) -> Self {
        let mut ledger = Self::new(device, epoch, Digest::ZERO);
        for _ in 0..count {
            ledger.push(fault());
        }
        ledger
    }

    /// Appends what happened, one second after the record before.
    pub(crate) fn push(&mut self, body: Body) -> Digest {
        let sequence = Sequence(self.records.len() as u64 + 1);
        let millis = 1_000 * sequence.0;
        let record = Record {
            device: self.device.clone(),
            epoch: self.epoch,
            sequence,
            at: Stamp {
                wall: WallTime(START.0 + millis as i64 + self.clock_offset_ms),
                quality: self.quality,
                boot: self.boot,
                monotonic: Monotonic::from_millis(millis),
            },
            previous: self.head,
            body,
        };
        let bytes = record.encode();
        self.head = record::digest(&bytes);
        self.records.push(bytes);
        self.head
    }

    /// The records from one number to another, as a batch of a device that still has all.
    pub(crate) fn batch(&self, first: usize, last: usize) -> Batch {
        Batch {
            epoch: self.epoch,
            first: Sequence(first as u64),
            oldest: Sequence::FIRST,
            records: self.records[first - 1..last].to_vec(),
            head: None,
        }
    }

    /// All records, as one batch.
    pub(crate) fn all(&self) -> Batch {
        self.batch(1, self.records.len())
    }

    /// The signed head of the chain as it is.
    pub(crate) fn signed_head(&self, key: &SigningKey) -> Vec<u8> {
        let head = Head {
            device: self.device.clone(),
            epoch: self.epoch,
            sequence: Sequence(self.records.len() as u64),
            digest: self.head,
        };
        head.sign(key).encode()
    }
}

/// Something that happens and belongs to no meeting.
pub(crate) fn fault() -> Body {
    Body::Fault(Fault {
        part: Part::Camera,
        what: text("no picture"),
    })
}

/// What a record says of its meeting.
pub(crate) fn context(meeting: &str, generation: u64, roster: Digest) -> Context {
    Context {
        meeting: MeetingId::new(meeting).expect("the suite's ids are ids"),
        generation,
        roster,
        door: DoorId::new("door-1").expect("the suite's ids are ids"),
        policy: 1,
        software: text("test"),
    }
}

/// A person comes.
pub(crate) fn check_in(context: Context, person: &PersonId) -> Body {
    Body::CheckIn(CheckIn {
        context,
        person: person.clone(),
        substitute: None,
        direction: Direction::In,
        means: Means::Invitation,
        assurance: Assurance::Possession,
        comparison: None,
        actor: None,
    })
}

/// A person goes.
pub(crate) fn check_out(context: Context, person: &PersonId) -> Body {
    Body::CheckOut(CheckOut {
        context,
        person: person.clone(),
        means: Means::Invitation,
        assurance: Assurance::Possession,
        comparison: None,
        actor: None,
    })
}

/// The clock is found to have shown `before` when it was `after`.
pub(crate) fn observation(before: WallTime, after: WallTime, quality: ClockQuality) -> Body {
    Body::ClockObservation(ClockObservation {
        before,
        after,
        quality,
        source: ClockSource::TimeService,
    })
}

/// A record of a kind that this version does not know: a fault's with another kind's number.
pub(crate) fn of_unknown_kind(record: &[u8]) -> Vec<u8> {
    let fault = Record::decode(record).expect("the suite's records are records");
    let bytes = fault.encode();
    // The kind is the value of key 4, which no other pair of bytes before the stamp looks like.
    let at = bytes
        .windows(3)
        .position(|window| window == [0x04, 0x07, 0x05])
        .expect("a fault's kind stands there");
    let mut unknown = bytes[..=at].to_vec();
    unknown.extend([0x18, 0x63]);
    unknown.extend(&bytes[at + 2..]);
    unknown
}

fn text(text: &str) -> Text {
    Text::new(text).expect("the suite's texts are texts")
}
