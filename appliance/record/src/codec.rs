//! The encoding of records. The number of every key and of every value of an enumeration is fixed
//! here, for ever; new ones are added at the end, and an old number never gets a new meaning.

use vocabulary::{
    Assurance, BootId, ClockQuality, ComparisonScore, DeviceId, Digest, Direction, DoorId, Epoch,
    FeatureSpace, IdError, Means, MeetingId, Monotonic, PersonId, RefusalReason, Sequence, Stamp,
    Threshold, WallTime,
};

use crate::body::{
    Amendment, Body, CheckIn, CheckOut, ClockObservation, ClockSource, Comparison, Context,
    Correction, CorrectionReason, Fault, Loss, LossReason, Lost, MeetingClosed, MeetingOpened,
    Part, Record, Refused, Release, ReleaseOutcome, Substitution, Unknown,
};
use crate::cbor::{DecodeError, Map, Reader, Writer};
use crate::text::Text;

/// Most bytes of one record. The largest of a known kind has less than a third of it.
pub const RECORD_BYTES_MAX: usize = 4096;

/// The version of the envelope and of the known bodies.
const VERSION: u64 = 1;

impl Record {
    /// The one encoding of this record; its SHA-256 is the record's digest.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(8).uint(0).uint(VERSION);
        writer.uint(1).text(self.device.as_str());
        writer.uint(2).bytes(&self.epoch.0);
        writer.uint(3).uint(self.sequence.0);
        writer.uint(4).uint(u64::from(self.body.kind()));
        writer.uint(5);
        write_stamp(&mut writer, &self.at);
        writer.uint(6).bytes(&self.previous.0);
        writer.uint(7);
        write_body(&mut writer, &self.body);
        writer.into_bytes()
    }

    /// Reads what [`Record::encode`] wrote, and nothing else: the result encodes to the same bytes.
    ///
    /// # Errors
    /// [`DecodeError`] names the first field that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, RECORD_BYTES_MAX)?;
        let mut map = reader.map("the record")?;
        let found = reader
            .need(&mut map, 0, "the version")?
            .uint("the version")?;
        if found != VERSION {
            return Err(DecodeError::Version {
                found,
                supported: VERSION,
            });
        }
        let device = reader.need(&mut map, 1, "the device")?.text("the device")?;
        let device = DeviceId::new(device).map_err(id("the device"))?;
        let epoch = Epoch(reader.need(&mut map, 2, "the epoch")?.bytes("the epoch")?);
        let sequence = reader.need(&mut map, 3, "the number")?.uint("the number")?;
        let kind = reader.need(&mut map, 4, "the kind")?.uint("the kind")?;
        let kind = u16::try_from(kind).map_err(|_| DecodeError::Range("the kind"))?;
        reader.need(&mut map, 5, "the time")?;
        let at = read_stamp(&mut reader)?;
        let previous = reader.need(&mut map, 6, "the previous digest")?;
        let previous = Digest(previous.bytes("the previous digest")?);
        reader.need(&mut map, 7, "the body")?;
        let body = read_body(&mut reader, kind)?;
        reader.end(&map)?;
        reader.finish()?;
        let record = Self {
            device,
            epoch,
            sequence: Sequence(sequence),
            at,
            previous,
            body,
        };
        if record.encode() != bytes {
            return Err(DecodeError::NotCanonical);
        }
        Ok(record)
    }
}

fn write_body(writer: &mut Writer, body: &Body) {
    match body {
        Body::CheckIn(body) => write_check_in(writer, body),
        Body::CheckOut(body) => write_check_out(writer, body),
        Body::Refused(body) => write_refused(writer, body),
        Body::ReleaseOutcome(ReleaseOutcome { of, outcome }) => {
            writer.map(2).uint(0).uint(of.0);
            writer.uint(1).uint(outcome.number());
        }
        Body::Correction(body) => write_correction(writer, body),
        Body::ClockObservation(body) => {
            writer.map(4).uint(0).int(body.before.0);
            writer.uint(1).int(body.after.0);
            writer.uint(2).uint(body.quality.number());
            writer.uint(3).uint(body.source.number());
        }
        Body::Fault(Fault { part, what }) => {
            writer.map(2).uint(0).uint(part.number());
            writer.uint(1).text(what.as_str());
        }
        Body::Loss(body) => write_loss(writer, body),
        Body::MeetingOpened(MeetingOpened { context, actor })
        | Body::MeetingClosed(MeetingClosed { context, actor }) => {
            write_meeting_state(writer, context, actor.as_ref());
        }
        Body::Unknown(unknown) => {
            writer.item(unknown.bytes());
        }
    }
}

fn read_body(reader: &mut Reader<'_>, kind: u16) -> Result<Body, DecodeError> {
    Ok(match kind {
        1 => Body::CheckIn(read_check_in(reader)?),
        2 => Body::CheckOut(read_check_out(reader)?),
        3 => Body::Refused(read_refused(reader)?),
        4 => Body::ReleaseOutcome(read_release_outcome(reader)?),
        5 => Body::Correction(read_correction(reader)?),
        6 => Body::ClockObservation(read_clock_observation(reader)?),
        7 => Body::Fault(read_fault(reader)?),
        8 => Body::Loss(read_loss(reader)?),
        9 => {
            let (context, actor) = read_meeting_state(reader)?;
            Body::MeetingOpened(MeetingOpened { context, actor })
        }
        10 => {
            let (context, actor) = read_meeting_state(reader)?;
            Body::MeetingClosed(MeetingClosed { context, actor })
        }
        unknown => Body::Unknown(Unknown::new(unknown, reader.item("the body")?.to_vec())),
    })
}

fn write_stamp(writer: &mut Writer, at: &Stamp) {
    writer.map(4).uint(0).int(at.wall.0);
    writer.uint(1).uint(at.quality.number());
    writer.uint(2).bytes(&at.boot.0);
    writer.uint(3).uint(at.monotonic.0);
}

fn read_stamp(reader: &mut Reader<'_>) -> Result<Stamp, DecodeError> {
    let mut map = reader.map("the time")?;
    let wall = reader.need(&mut map, 0, "the wall time")?;
    let wall = WallTime(wall.int("the wall time")?);
    let quality = reader.need(&mut map, 1, "the clock's quality")?;
    let quality = ClockQuality::read(quality)?;
    let boot = BootId(reader.need(&mut map, 2, "the boot")?.bytes("the boot")?);
    let monotonic = reader.need(&mut map, 3, "the monotonic time")?;
    let monotonic = Monotonic(monotonic.uint("the monotonic time")?);
    reader.end(&map)?;
    Ok(Stamp {
        wall,
        quality,
        boot,
        monotonic,
    })
}

fn write_context(writer: &mut Writer, context: &Context) {
    writer.map(6).uint(0).text(context.meeting.as_str());
    writer.uint(1).uint(context.generation);
    writer.uint(2).bytes(&context.roster.0);
    writer.uint(3).text(context.door.as_str());
    writer.uint(4).uint(u64::from(context.policy));
    writer.uint(5).text(context.software.as_str());
}

fn read_context(reader: &mut Reader<'_>) -> Result<Context, DecodeError> {
    let mut map = reader.map("the circumstances")?;
    let meeting = reader
        .need(&mut map, 0, "the meeting")?
        .text("the meeting")?;
    let meeting = MeetingId::new(meeting).map_err(id("the meeting"))?;
    let generation = reader.need(&mut map, 1, "the generation")?;
    let generation = generation.uint("the generation")?;
    let roster = reader.need(&mut map, 2, "the roster's digest")?;
    let roster = Digest(roster.bytes("the roster's digest")?);
    let door = reader.need(&mut map, 3, "the door")?.text("the door")?;
    let door = DoorId::new(door).map_err(id("the door"))?;
    let policy = reader
        .need(&mut map, 4, "the policy")?
        .uint32("the policy")?;
    reader.need(&mut map, 5, "the software")?;
    let software = read_text(reader, "the software")?;
    reader.end(&map)?;
    Ok(Context {
        meeting,
        generation,
        roster,
        door,
        policy,
        software,
    })
}

fn write_comparison(writer: &mut Writer, comparison: &Comparison) {
    writer.map(5).uint(0).float(comparison.score.value());
    writer.uint(1).float(comparison.threshold.value());
    writer.uint(2).text(comparison.space.name());
    writer.uint(3).bytes(&comparison.space.digest().0);
    writer.uint(4).uint(u64::from(comparison.frames));
}

fn read_comparison(reader: &mut Reader<'_>) -> Result<Comparison, DecodeError> {
    let score_error = |field| move |source| DecodeError::Score { field, source };
    let mut map = reader.map("the comparison")?;
    let score = reader.need(&mut map, 0, "the score")?.float("the score")?;
    let score = ComparisonScore::new(score).map_err(score_error("the score"))?;
    let threshold = reader.need(&mut map, 1, "the threshold")?;
    let threshold = threshold.float("the threshold")?;
    let threshold = Threshold::new(threshold).map_err(score_error("the threshold"))?;
    let name = reader.need(&mut map, 2, "the feature space")?;
    let name = name.text("the feature space")?;
    let digest = reader.need(&mut map, 3, "the model's digest")?;
    let digest = Digest(digest.bytes("the model's digest")?);
    let frames = reader
        .need(&mut map, 4, "the frames")?
        .uint32("the frames")?;
    reader.end(&map)?;
    Ok(Comparison {
        score,
        threshold,
        space: FeatureSpace::new(name, digest),
        frames,
    })
}

fn write_check_in(writer: &mut Writer, body: &CheckIn) {
    let entries = 5
        + usize::from(body.substitute.is_some())
        + usize::from(body.comparison.is_some())
        + usize::from(body.actor.is_some());
    writer.map(entries).uint(0);
    write_context(writer, &body.context);
    writer.uint(1).text(body.person.as_str());
    if let Some(substitute) = &body.substitute {
        writer.uint(2).map(2);
        writer.uint(0).text(substitute.for_person.as_str());
        writer.uint(1).text(substitute.document.as_str());
    }
    writer.uint(3).uint(body.direction.number());
    writer.uint(4).uint(body.means.number());
    writer.uint(5).uint(body.assurance.number());
    if let Some(comparison) = &body.comparison {
        writer.uint(6);
        write_comparison(writer, comparison);
    }
    if let Some(actor) = &body.actor {
        writer.uint(7).text(actor.as_str());
    }
}

fn read_check_in(reader: &mut Reader<'_>) -> Result<CheckIn, DecodeError> {
    let mut map = reader.map("the check-in")?;
    let context = read_context(reader.need(&mut map, 0, "the circumstances")?)?;
    let person = read_person(reader.need(&mut map, 1, "the person")?, "the person")?;
    let substitute = if reader.find(&mut map, 2)? {
        Some(read_substitution(reader)?)
    } else {
        None
    };
    let direction = Direction::read(reader.need(&mut map, 3, "the direction")?)?;
    let means = Means::read(reader.need(&mut map, 4, "the means")?)?;
    let assurance = Assurance::read(reader.need(&mut map, 5, "the assurance")?)?;
    let comparison = find_comparison(reader, &mut map, 6)?;
    let actor = find_actor(reader, &mut map, 7)?;
    reader.end(&map)?;
    Ok(CheckIn {
        context,
        person,
        substitute,
        direction,
        means,
        assurance,
        comparison,
        actor,
    })
}

fn read_substitution(reader: &mut Reader<'_>) -> Result<Substitution, DecodeError> {
    let mut map = reader.map("the substitution")?;
    let for_person = reader.need(&mut map, 0, "the person substituted")?;
    let for_person = read_person(for_person, "the person substituted")?;
    let document = reader.need(&mut map, 1, "the document")?;
    let document = read_text(document, "the document")?;
    reader.end(&map)?;
    Ok(Substitution {
        for_person,
        document,
    })
}

fn write_check_out(writer: &mut Writer, body: &CheckOut) {
    let entries = 4 + usize::from(body.comparison.is_some()) + usize::from(body.actor.is_some());
    writer.map(entries).uint(0);
    write_context(writer, &body.context);
    writer.uint(1).text(body.person.as_str());
    writer.uint(2).uint(body.means.number());
    writer.uint(3).uint(body.assurance.number());
    if let Some(comparison) = &body.comparison {
        writer.uint(4);
        write_comparison(writer, comparison);
    }
    if let Some(actor) = &body.actor {
        writer.uint(5).text(actor.as_str());
    }
}

fn read_check_out(reader: &mut Reader<'_>) -> Result<CheckOut, DecodeError> {
    let mut map = reader.map("the check-out")?;
    let context = read_context(reader.need(&mut map, 0, "the circumstances")?)?;
    let person = read_person(reader.need(&mut map, 1, "the person")?, "the person")?;
    let means = Means::read(reader.need(&mut map, 2, "the means")?)?;
    let assurance = Assurance::read(reader.need(&mut map, 3, "the assurance")?)?;
    let comparison = find_comparison(reader, &mut map, 4)?;
    let actor = find_actor(reader, &mut map, 5)?;
    reader.end(&map)?;
    Ok(CheckOut {
        context,
        person,
        means,
        assurance,
        comparison,
        actor,
    })
}

fn write_refused(writer: &mut Writer, body: &Refused) {
    writer
        .map(2 + usize::from(body.comparison.is_some()))
        .uint(0);
    write_context(writer, &body.context);
    writer.uint(1).uint(body.reason.number());
    if let Some(comparison) = &body.comparison {
        writer.uint(2);
        write_comparison(writer, comparison);
    }
}

fn read_refused(reader: &mut Reader<'_>) -> Result<Refused, DecodeError> {
    let mut map = reader.map("the refusal")?;
    let context = read_context(reader.need(&mut map, 0, "the circumstances")?)?;
    let reason = RefusalReason::read(reader.need(&mut map, 1, "the reason")?)?;
    let comparison = find_comparison(reader, &mut map, 2)?;
    reader.end(&map)?;
    Ok(Refused {
        context,
        reason,
        comparison,
    })
}

fn read_release_outcome(reader: &mut Reader<'_>) -> Result<ReleaseOutcome, DecodeError> {
    let mut map = reader.map("the release")?;
    let of = reader.need(&mut map, 0, "the number released for")?;
    let of = Sequence(of.uint("the number released for")?);
    let outcome = Release::read(reader.need(&mut map, 1, "the outcome")?)?;
    reader.end(&map)?;
    Ok(ReleaseOutcome { of, outcome })
}

fn write_correction(writer: &mut Writer, body: &Correction) {
    writer.map(4 + usize::from(body.actor.is_some()));
    writer.uint(0).bytes(&body.of.0.0);
    writer.uint(1).uint(body.of.1.0);
    writer.uint(2).uint(body.amendment.number());
    writer.uint(3).uint(body.reason.number());
    if let Some(actor) = &body.actor {
        writer.uint(4).text(actor.as_str());
    }
}

fn read_correction(reader: &mut Reader<'_>) -> Result<Correction, DecodeError> {
    let mut map = reader.map("the correction")?;
    let epoch = reader.need(&mut map, 0, "the epoch corrected")?;
    let epoch = Epoch(epoch.bytes("the epoch corrected")?);
    let sequence = reader.need(&mut map, 1, "the number corrected")?;
    let sequence = Sequence(sequence.uint("the number corrected")?);
    let amendment = Amendment::read(reader.need(&mut map, 2, "the amendment")?)?;
    let reason = CorrectionReason::read(reader.need(&mut map, 3, "the reason")?)?;
    let actor = find_actor(reader, &mut map, 4)?;
    reader.end(&map)?;
    Ok(Correction {
        of: (epoch, sequence),
        amendment,
        reason,
        actor,
    })
}

fn read_clock_observation(reader: &mut Reader<'_>) -> Result<ClockObservation, DecodeError> {
    let mut map = reader.map("the clock observation")?;
    let before = reader.need(&mut map, 0, "the time before")?;
    let before = WallTime(before.int("the time before")?);
    let after = reader.need(&mut map, 1, "the time after")?;
    let after = WallTime(after.int("the time after")?);
    let quality = ClockQuality::read(reader.need(&mut map, 2, "the clock's quality")?)?;
    let source = ClockSource::read(reader.need(&mut map, 3, "the clock's source")?)?;
    reader.end(&map)?;
    Ok(ClockObservation {
        before,
        after,
        quality,
        source,
    })
}

fn read_fault(reader: &mut Reader<'_>) -> Result<Fault, DecodeError> {
    let mut map = reader.map("the fault")?;
    let part = Part::read(reader.need(&mut map, 0, "the part")?)?;
    let what = read_text(
        reader.need(&mut map, 1, "the fault's text")?,
        "the fault's text",
    )?;
    reader.end(&map)?;
    Ok(Fault { part, what })
}

/// Records lost stand under the keys 1 to 3, events lost under key 4; one of the two is there.
fn write_loss(writer: &mut Writer, body: &Loss) {
    match &body.lost {
        Lost::Records {
            epoch,
            from,
            through,
        } => {
            writer.map(3 + usize::from(through.is_some()));
            writer.uint(0).uint(body.why.number());
            writer.uint(1).bytes(&epoch.0);
            writer.uint(2).uint(from.0);
            if let Some(through) = through {
                writer.uint(3).uint(through.0);
            }
        }
        Lost::Events { count } => {
            writer.map(2).uint(0).uint(body.why.number());
            writer.uint(4).uint(*count);
        }
    }
}

fn read_loss(reader: &mut Reader<'_>) -> Result<Loss, DecodeError> {
    let mut map = reader.map("the loss")?;
    let why = LossReason::read(reader.need(&mut map, 0, "the reason")?)?;
    let lost = if reader.find(&mut map, 1)? {
        let epoch = Epoch(reader.bytes("the epoch lost")?);
        let from = reader.need(&mut map, 2, "the first number lost")?;
        let from = Sequence(from.uint("the first number lost")?);
        let through = if reader.find(&mut map, 3)? {
            Some(Sequence(reader.uint("the last number lost")?))
        } else {
            None
        };
        Lost::Records {
            epoch,
            from,
            through,
        }
    } else {
        let count = reader.need(&mut map, 4, "the number of events lost")?;
        Lost::Events {
            count: count.uint("the number of events lost")?,
        }
    };
    reader.end(&map)?;
    Ok(Loss { lost, why })
}

fn write_meeting_state(writer: &mut Writer, context: &Context, actor: Option<&PersonId>) {
    writer.map(1 + usize::from(actor.is_some())).uint(0);
    write_context(writer, context);
    if let Some(actor) = actor {
        writer.uint(1).text(actor.as_str());
    }
}

fn read_meeting_state(reader: &mut Reader<'_>) -> Result<(Context, Option<PersonId>), DecodeError> {
    let mut map = reader.map("the meeting's opening or closing")?;
    let context = read_context(reader.need(&mut map, 0, "the circumstances")?)?;
    let actor = find_actor(reader, &mut map, 1)?;
    reader.end(&map)?;
    Ok((context, actor))
}

fn find_comparison(
    reader: &mut Reader<'_>,
    map: &mut Map,
    key: u64,
) -> Result<Option<Comparison>, DecodeError> {
    Ok(if reader.find(map, key)? {
        Some(read_comparison(reader)?)
    } else {
        None
    })
}

fn find_actor(
    reader: &mut Reader<'_>,
    map: &mut Map,
    key: u64,
) -> Result<Option<PersonId>, DecodeError> {
    Ok(if reader.find(map, key)? {
        Some(read_person(reader, "the actor")?)
    } else {
        None
    })
}

fn read_person(reader: &mut Reader<'_>, field: &'static str) -> Result<PersonId, DecodeError> {
    PersonId::new(reader.text(field)?).map_err(id(field))
}

fn read_text(reader: &mut Reader<'_>, field: &'static str) -> Result<Text, DecodeError> {
    Text::new(reader.text(field)?).map_err(|source| DecodeError::Text { field, source })
}

pub(crate) fn id(field: &'static str) -> impl FnOnce(IdError) -> DecodeError {
    move |source| DecodeError::Id { field, source }
}

/// An enumeration with a number for each value, from 1, so that a zeroed field never reads as the
/// first value.
pub(crate) trait Numbered: Sized {
    /// What the error calls it.
    const FIELD: &'static str;

    fn number(&self) -> u64;

    fn from_number(number: u64) -> Option<Self>;

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = reader.uint(Self::FIELD)?;
        Self::from_number(number).ok_or(DecodeError::Range(Self::FIELD))
    }
}

/// Both directions from one list, which the compiler checks to be complete.
macro_rules! numbered {
    ($type:ident, $field:literal, $($value:ident = $number:literal),+ $(,)?) => {
        impl $crate::codec::Numbered for $type {
            const FIELD: &'static str = $field;

            fn number(&self) -> u64 {
                match self {
                    $(Self::$value => $number,)+
                }
            }

            fn from_number(number: u64) -> Option<Self> {
                match number {
                    $($number => Some(Self::$value),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use numbered;

numbered!(
    ClockQuality,
    "the clock's quality",
    Unknown = 1,
    FreeRunning = 2,
    Synchronised = 3,
);

numbered!(Direction, "the direction", In = 1, Out = 2,);

numbered!(
    Means,
    "the means",
    Face = 1,
    Invitation = 2,
    CitizenCard = 3,
    Secretary = 4,
);

numbered!(
    Assurance,
    "the assurance",
    Claimed = 1,
    Possession = 2,
    Compared = 3,
    Vouched = 4,
);

numbered!(
    RefusalReason,
    "the reason",
    NotOnRoster = 1,
    Ambiguous = 2,
    SuspectedAttack = 3,
    InvalidCredential = 4,
);

numbered!(
    Release,
    "the outcome",
    Opened = 1,
    NoAnswer = 2,
    SentUnconfirmed = 3,
    NotConfigured = 4,
    Failed = 5,
);

numbered!(Amendment, "the amendment", Annulled = 1,);

numbered!(
    CorrectionReason,
    "the reason",
    WrongPerson = 1,
    DidNotPass = 2,
    Duplicate = 3,
    Trial = 4,
    Other = 5,
);

numbered!(
    ClockSource,
    "the clock's source",
    TimeService = 1,
    Hub = 2,
    BatteryClock = 3,
    Person = 4,
    Unknown = 5,
);

numbered!(
    Part,
    "the part",
    Camera = 1,
    Inference = 2,
    Ledger = 3,
    Screen = 4,
    Door = 5,
    Scanner = 6,
    Clock = 7,
    Roster = 8,
    Thread = 9,
);

numbered!(
    LossReason,
    "the reason",
    Corrupt = 1,
    Missing = 2,
    DiskFull = 3,
    Overflow = 4,
    Pruned = 5,
    Unwritable = 6,
);

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use vocabulary::{Attendance, Role};

    /// All values of an enumeration in the order of their numbers, from 1 without gaps.
    fn check<T: Numbered + Debug + PartialEq>(expect: &str) {
        let values: Vec<T> = (1..).map_while(T::from_number).collect();
        let names: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        assert_eq!(names.join(" "), expect, "{}", T::FIELD);
        assert_eq!(T::from_number(0), None);
        assert_eq!(T::from_number(u64::MAX), None);
        for (number, value) in (1..).zip(values) {
            assert_eq!(value.number(), number);
        }
    }

    /// Written records depend on these: a name may be added at the end, and none may move.
    #[test]
    fn numbers_never_change() {
        check::<ClockQuality>("Unknown FreeRunning Synchronised");
        check::<Direction>("In Out");
        check::<Means>("Face Invitation CitizenCard Secretary");
        check::<Assurance>("Claimed Possession Compared Vouched");
        check::<RefusalReason>("NotOnRoster Ambiguous SuspectedAttack InvalidCredential");
        check::<Release>("Opened NoAnswer SentUnconfirmed NotConfigured Failed");
        check::<Amendment>("Annulled");
        check::<CorrectionReason>("WrongPerson DidNotPass Duplicate Trial Other");
        check::<ClockSource>("TimeService Hub BatteryClock Person Unknown");
        check::<Part>("Camera Inference Ledger Screen Door Scanner Clock Roster Thread");
        check::<LossReason>("Corrupt Missing DiskFull Overflow Pruned Unwritable");
        check::<Role>("Member Guest");
        check::<Attendance>("FaceOrCode CodeOnly");
    }
}
