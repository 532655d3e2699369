//! How many durable appends a second the ledger does, against bare SQLite with the same settings
//! and rows of the same size: what the chain and its checks cost. Measures, asserts no goal.
//!
//! Usage: `append_rate [DIRECTORY]`. The directory should be on the disk that is asked about; a
//! file system in memory says nothing. A table goes to standard error, JSON to standard output.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ledger::Ledger;
use record::{Body, CheckIn, Comparison, Context, Text};
use rusqlite::{Connection, TransactionBehavior, params};
use vocabulary::{
    Assurance, BootId, ClockQuality, ComparisonScore, DeviceId, Digest, Direction, DoorId,
    FeatureSpace, Means, MeetingId, Monotonic, PersonId, Sequence, Stamp, Threshold, WallTime,
};

/// Rounds, each of which measures every contestant once: slow moments of the machine hit all.
const ROUNDS: usize = 7;

/// Appends of one round, one by one.
const SINGLE_APPENDS: usize = 1000;

/// Batches of one round, and records of a batch.
const BATCHES: usize = 50;
const BATCH_RECORDS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args_os().nth(1);
    let directory = match &parent {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let mut ours = Ours::open(&directory.path().join("ledger.db"))?;
    let row_bytes = ours.row_bytes(&directory.path().join("ledger.db"))?;
    let mut bare = Bare::open(&directory.path().join("bare.db"), row_bytes)?;
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        rates[0].push(rate(SINGLE_APPENDS, || ours.append(SINGLE_APPENDS))?);
        rates[1].push(rate(SINGLE_APPENDS, || bare.append(SINGLE_APPENDS))?);
        let records = BATCHES * BATCH_RECORDS;
        rates[2].push(rate(records, || ours.append_batches(BATCHES))?);
        rates[3].push(rate(records, || bare.append_batches(BATCHES))?);
    }
    report(row_bytes, &rates);
    Ok(())
}

fn report(row_bytes: usize, rates: &[Vec<f64>; 4]) {
    let mut json = format!("{{\"row_bytes\":{row_bytes},\"rounds\":{ROUNDS}");
    eprintln!("durable appends a second, rows of {row_bytes} bytes, median of {ROUNDS} rounds");
    eprintln!(
        "{:<16}{:>12}{:>14}{:>8}",
        "", "ledger", "bare SQLite", "ratio"
    );
    for (name, pair) in [("one by one", 0), ("batches of 100", 2)] {
        let ours = median(&rates[pair]);
        let bare = median(&rates[pair + 1]);
        // Of each round the two that ran side by side are compared, then the median is taken.
        let both = rates[pair].iter().zip(&rates[pair + 1]);
        let ratio = median(&both.map(|(ours, bare)| ours / bare).collect::<Vec<_>>());
        eprintln!("{name:<16}{ours:>12.0}{bare:>14.0}{ratio:>8.2}");
        let key = if pair == 0 { "single" } else { "batch_100" };
        let _ = write!(
            json,
            ",\"{key}\":{{\"ledger_per_s\":{ours:.0},\"bare_per_s\":{bare:.0},\
             \"ratio\":{ratio:.3}}}"
        );
    }
    println!("{json}}}");
}

fn rate(
    records: usize,
    work: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let from = Instant::now();
    work()?;
    let took = from.elapsed().max(Duration::from_nanos(1));
    Ok(records as f64 / took.as_secs_f64())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The ledger.
struct Ours {
    ledger: Ledger,
    body: Body,
    at: Stamp,
}

impl Ours {
    fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let at = Stamp {
            wall: WallTime(1_795_500_000_000),
            quality: ClockQuality::Synchronised,
            boot: BootId([7; 16]),
            monotonic: Monotonic::from_millis(123_456_789),
        };
        Ok(Self {
            ledger: Ledger::open(path, &DeviceId::new("kiosk-07")?, at)?,
            body: check_in()?,
            at,
        })
    }

    /// Writes one record and says how long its encoding is.
    fn row_bytes(&mut self, path: &Path) -> Result<usize, Box<dyn Error>> {
        self.append(1)?;
        let stored = ledger::Reader::open(path)?.read_after(Sequence(0), 1)?;
        Ok(stored.first().map_or(0, |stored| stored.bytes.len()))
    }

    fn append(&mut self, records: usize) -> Result<(), Box<dyn Error>> {
        for _ in 0..records {
            self.ledger.append(self.at, self.body.clone())?;
        }
        Ok(())
    }

    fn append_batches(&mut self, batches: usize) -> Result<(), Box<dyn Error>> {
        for _ in 0..batches {
            let bodies = vec![self.body.clone(); BATCH_RECORDS];
            self.ledger.append_batch(self.at, bodies)?;
        }
        Ok(())
    }
}

/// A check-in as a door writes most of them.
fn check_in() -> Result<Body, Box<dyn Error>> {
    Ok(Body::CheckIn(CheckIn {
        context: Context {
            meeting: MeetingId::new("GB-2026-11-24")?,
            generation: 3,
            roster: Digest([0xab; 32]),
            door: DoorId::new("P201-A1")?,
            policy: 1,
            software: Text::new("kiosk 0.1.0")?,
        },
        person: PersonId::new("DB-000042")?,
        substitute: None,
        direction: Direction::In,
        means: Means::Face,
        assurance: Assurance::Compared,
        comparison: Some(Comparison {
            score: ComparisonScore::new(0.612)?,
            threshold: Threshold::new(0.45)?,
            space: FeatureSpace::new("sface", Digest([0xcd; 32])),
            frames: 2,
        }),
        actor: None,
    }))
}

/// What anybody would write with SQLite: the same settings, the same columns, no chain.
struct Bare {
    connection: Connection,
    next: i64,
    digest: [u8; 32],
    bytes: Vec<u8>,
}

impl Bare {
    fn open(path: &Path, row_bytes: usize) -> Result<Self, Box<dyn Error>> {
        let connection = Connection::open(path)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(
            "CREATE TABLE record (
                sequence INTEGER PRIMARY KEY,
                digest BLOB NOT NULL,
                bytes BLOB NOT NULL
            ) STRICT",
        )?;
        Ok(Self {
            connection,
            next: 1,
            digest: [0x5a; 32],
            bytes: vec![0xa5; row_bytes],
        })
    }

    fn append(&mut self, records: usize) -> Result<(), Box<dyn Error>> {
        let mut insert = self
            .connection
            .prepare("INSERT INTO record VALUES (?1, ?2, ?3)")?;
        for _ in 0..records {
            insert.execute(params![self.next, self.digest, self.bytes])?;
            self.next += 1;
        }
        Ok(())
    }

    fn append_batches(&mut self, batches: usize) -> Result<(), Box<dyn Error>> {
        for _ in 0..batches {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut insert =
                transaction.prepare_cached("INSERT INTO record VALUES (?1, ?2, ?3)")?;
            for _ in 0..BATCH_RECORDS {
                insert.execute(params![self.next, self.digest, self.bytes])?;
                self.next += 1;
            }
            drop(insert);
            transaction.commit()?;
        }
        Ok(())
    }
}
