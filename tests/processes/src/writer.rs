//! Appends records to a ledger as a busy door does, through the kiosk's own crate, until it is
//! killed.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use ledger::{Ledger, Reader};
use record::{Body, Context, Refused, Text};
use vocabulary::{
    BootId, ClockQuality, Digest, DoorId, MeetingId, Monotonic, RefusalReason, Sequence, Stamp,
    WallTime,
};

/// Records in one transaction.
const BATCH: usize = 5;

/// Between two transactions: hundreds of records a second, as no door has them.
const PAUSE: Duration = Duration::from_millis(10);

/// Records of one meeting: an hour of this is more than the roll of one meeting may be made from.
const MEETING_RECORDS: usize = 50_000;

/// Records in one transaction when there is a count to reach, and nobody is to be imitated.
const FILLING_BATCH: u64 = 1000;

/// Appends so many records, as fast as they are taken.
pub fn fill(path: &Path, device: &str, meeting: &str, count: u64) -> anyhow::Result<()> {
    let mut ledger = Ledger::open(path, &device.parse().context("the device's id")?, now())?;
    let meeting: MeetingId = meeting.parse().context("the meeting's id")?;
    let mut left = count;
    while left > 0 {
        let batch = left.min(FILLING_BATCH);
        let bodies = (0..batch)
            .map(|_| body(&meeting))
            .collect::<anyhow::Result<_>>()?;
        ledger.append_batch(now(), bodies)?;
        left -= batch;
    }
    Ok(())
}

/// Appends until it is killed.
pub fn write(path: &Path, device: &str, meeting: &str) -> anyhow::Result<()> {
    let device = device.parse().context("the device's id")?;
    let mut ledger = Ledger::open(path, &device, now())?;
    // What is there already must read back before anything is added.
    let reader = Reader::open(path)?;
    let mut count = 0;
    for stored in reader.records_after(Sequence(0)) {
        stored.context("the ledger does not read back after a kill")?;
        count += 1;
    }
    loop {
        let meeting = meeting_after(count, meeting).context("the meeting's id")?;
        let bodies = (0..BATCH)
            .map(|_| body(&meeting))
            .collect::<anyhow::Result<_>>()?;
        ledger.append_batch(now(), bodies)?;
        count += BATCH;
        std::thread::sleep(PAUSE);
    }
}

/// At which meeting the records behind so many are: the first, and then others that nobody planned.
fn meeting_after(count: usize, first: &str) -> Result<MeetingId, vocabulary::IdError> {
    match count / MEETING_RECORDS {
        0 => first.parse(),
        number => format!("{first}-{number}").parse(),
    }
}

fn body(meeting: &MeetingId) -> anyhow::Result<Body> {
    Ok(Body::Refused(Refused {
        context: Context {
            meeting: meeting.clone(),
            generation: 1,
            roster: Digest::ZERO,
            door: DoorId::new("d")?,
            policy: 1,
            software: Text::clipped("processes"),
        },
        reason: RefusalReason::NotOnRoster,
        comparison: None,
    }))
}

fn now() -> Stamp {
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    Stamp {
        wall: WallTime(i64::try_from(wall).unwrap_or(i64::MAX)),
        quality: ClockQuality::Synchronised,
        boot: BootId([1; 16]),
        monotonic: Monotonic::from_millis(u64::try_from(wall).unwrap_or(0)),
    }
}
