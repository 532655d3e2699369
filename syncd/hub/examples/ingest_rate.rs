//! How many records a second the embedded store takes durably, beside bare SQLite that inserts the
//! same bytes in the same batches with the same durability: both take turns in one run, so that a
//! busy machine slows both. A table of records a second and ratios goes to standard error, JSON to
//! standard output.
//!
//! `cargo run --release -p hub --example ingest_rate -- [rounds] [directory]`
//!
//! The bare side is given the digests and checks nothing; the store decodes each record, digests
//! it, checks its place in the chain, verifies a signed head for each batch and keeps indexes by
//! place and by meeting.

use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hub::ingest::Batch;
use hub::model::{CertificateSerial, DeviceCertificate, DeviceKeys, Organisation, Room};
use hub::store::Store;
use hub::store::sqlite::{SqliteOptions, SqliteStore};
use record::{Body, CheckIn, Comparison, Context, Head, Record, SigningKey, Text};
use rusqlite::{Connection, params};
use vocabulary::{
    Assurance, BootId, ClockQuality, ComparisonScore, DeviceId, Digest, Direction, DoorId, Epoch,
    FeatureSpace, Means, MeetingId, Monotonic, OrganisationId, PersonId, RoomId, Sequence, Stamp,
    Threshold, WallTime,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Records of each side and turn.
const RECORDS: usize = 10_000;

/// Devices that send at once in the last rows.
const DEVICES: usize = 4;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let directory = match arguments.next() {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let key = SigningKey::from_bytes(&[3; 32]);
    let store = SqliteStore::open(directory.path(), SqliteOptions::default())?;
    declare(&store, &key)?;
    let mut bare = Bare::open(&directory.path().join("bare.db"))?;
    eprintln!("batch  devices  store records/s  bare records/s  ratio");
    let mut epoch = 0_u64;
    let mut rows = Vec::new();
    for (size, devices) in [(100, 1), (500, 1), (100, DEVICES), (500, DEVICES)] {
        let (mut of_store, mut of_bare) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            epoch += 1;
            let chains: Vec<Vec<Batch>> = (0..devices)
                .map(|device| chain(device, epoch, size, RECORDS / devices, &key))
                .collect::<Outcome<_>>()?;
            let measured = |of_store: &mut Vec<Duration>| time(of_store, || send(&store, &chains));
            if round % 2 == 0 {
                measured(&mut of_store)?;
                time(&mut of_bare, || bare.insert(&chains))?;
            } else {
                time(&mut of_bare, || bare.insert(&chains))?;
                measured(&mut of_store)?;
            }
        }
        let (store, bare) = (rate(&mut of_store), rate(&mut of_bare));
        let ratio = store / bare;
        eprintln!("{size:5}  {devices:7}  {store:15.0}  {bare:14.0}  {ratio:5.2}");
        rows.push(serde_json::json!({
            "batch": size, "devices": devices,
            "store_per_s": store.round(), "bare_per_s": bare.round(), "ratio": ratio,
        }));
    }
    println!("{}", serde_json::Value::from(rows));
    Ok(())
}

fn time(into: &mut Vec<Duration>, work: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let start = Instant::now();
    work()?;
    into.push(start.elapsed());
    Ok(())
}

/// Records a second of the middle turn.
fn rate(turns: &mut [Duration]) -> f64 {
    turns.sort_unstable();
    RECORDS as f64 / turns[turns.len() / 2].as_secs_f64()
}

fn send(store: &SqliteStore, chains: &[Vec<Batch>]) -> Outcome<()> {
    let now = WallTime(1_772_415_000_000);
    let sent: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = chains
            .iter()
            .enumerate()
            .map(|(number, batches)| {
                scope.spawn(move || {
                    let device = device(number).ok()?;
                    let taken = batches.iter().map(|batch| {
                        let taken = store.ingest(&device, batch, now).ok()?;
                        taken.quarantined.is_empty().then_some(())
                    });
                    taken.collect::<Option<()>>()
                })
            })
            .collect();
        threads.into_iter().map(|one| one.join()).collect()
    });
    if sent.iter().all(|one| matches!(one, Ok(Some(())))) {
        Ok(())
    } else {
        Err("a batch was not taken".into())
    }
}

/// SQLite as anybody would use it: a table by device, epoch and number, one transaction a batch.
struct Bare(Connection);

impl Bare {
    fn open(path: &Path) -> Outcome<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(
            "CREATE TABLE record (
                 device TEXT NOT NULL, epoch BLOB NOT NULL, sequence INTEGER NOT NULL,
                 digest BLOB NOT NULL, received_ms INTEGER NOT NULL, bytes BLOB NOT NULL,
                 PRIMARY KEY (device, epoch, sequence)) STRICT",
        )?;
        Ok(Self(connection))
    }

    fn insert(&mut self, chains: &[Vec<Batch>]) -> Outcome<()> {
        // The digests were made where the records were; this side only writes.
        for (number, batches) in chains.iter().enumerate() {
            let device = device(number)?;
            for batch in batches {
                let transaction = self.0.transaction()?;
                {
                    let mut insert = transaction.prepare_cached(
                        "INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                         ON CONFLICT DO NOTHING",
                    )?;
                    for (index, bytes) in batch.records.iter().enumerate() {
                        let sequence = i64::try_from(batch.first.0)? + i64::try_from(index)?;
                        let digest = [7_u8; 32];
                        insert.execute(params![
                            device.as_str(),
                            batch.epoch.0,
                            sequence,
                            digest,
                            0,
                            bytes
                        ])?;
                    }
                }
                transaction.commit()?;
            }
        }
        Ok(())
    }
}

fn device(number: usize) -> Outcome<DeviceId> {
    Ok(DeviceId::new(&format!("kiosk-{number}"))?)
}

fn declare(store: &SqliteStore, key: &SigningKey) -> Outcome<()> {
    let now = WallTime(1);
    let organisation = Organisation {
        id: OrganisationId::new("sample")?,
        name: "Sample".to_owned(),
    };
    store.put_organisation(&organisation, now)?;
    let room = Room {
        id: RoomId::new("room-1")?,
        name: "Room 1".to_owned(),
        doors: vec![DoorId::new("door-1")?],
    };
    store.put_room(&organisation.id, &room, now)?;
    for number in 0..DEVICES {
        let id = device(number)?;
        store.put_device(&organisation.id, &id, &room.id, &room.doors, now)?;
        let hash = Digest([u8::try_from(number)?; 32]);
        store.put_token(&hash, &id, WallTime(2), now)?;
        let keys = DeviceKeys {
            sealing: [1; 32],
            head: key.verifying_key().to_bytes(),
        };
        let certificate = DeviceCertificate {
            serial: CertificateSerial(vec![u8::try_from(number)?]),
            expires_at: WallTime(9),
            pem: "none".to_owned(),
            request: hash,
        };
        store.enrol_device(&hash, &keys, &certificate, now)?;
    }
    Ok(())
}

/// A device's check-ins by face, in batches with signed heads.
fn chain(
    number: usize,
    epoch: u64,
    size: usize,
    count: usize,
    key: &SigningKey,
) -> Outcome<Vec<Batch>> {
    let device = device(number)?;
    let mut id = [0; 16];
    id[..8].copy_from_slice(&epoch.to_be_bytes());
    let epoch = Epoch(id);
    let (mut previous, mut batches, mut records) = (Digest::ZERO, Vec::new(), Vec::new());
    for sequence in 1..=count as u64 {
        let record = Record {
            device: device.clone(),
            epoch,
            sequence: Sequence(sequence),
            at: Stamp {
                wall: WallTime(1_772_415_000_000 + i64::try_from(sequence)?),
                quality: ClockQuality::Synchronised,
                boot: BootId([2; 16]),
                monotonic: Monotonic::from_millis(sequence),
            },
            previous,
            body: check_in(sequence)?,
        };
        let bytes = record.encode();
        previous = record::digest(&bytes);
        records.push(bytes);
        if records.len() == size || sequence == count as u64 {
            let head = Head {
                device: device.clone(),
                epoch,
                sequence: Sequence(sequence),
                digest: previous,
            };
            batches.push(Batch {
                epoch,
                first: Sequence(sequence + 1 - records.len() as u64),
                oldest: Sequence::FIRST,
                records: std::mem::take(&mut records),
                head: Some(head.sign(key).encode()),
            });
        }
    }
    Ok(batches)
}

fn check_in(number: u64) -> Outcome<Body> {
    Ok(Body::CheckIn(CheckIn {
        context: Context {
            meeting: MeetingId::new(&format!("meeting-{}", number / 200))?,
            generation: 3,
            roster: Digest([4; 32]),
            door: DoorId::new("door-1")?,
            policy: 1,
            software: Text::new("0.1.0")?,
        },
        person: PersonId::new(&format!("p-{number:026}"))?,
        substitute: None,
        direction: Direction::In,
        means: Means::Face,
        assurance: Assurance::Compared,
        comparison: Some(Comparison {
            score: ComparisonScore::new(0.6)?,
            threshold: Threshold::new(0.45)?,
            space: FeatureSpace::new("sface", Digest([5; 32])),
            frames: 4,
        }),
        actor: None,
    }))
}
