//! Kiosk, daemon and hub as real processes over TLS, behind a proxy that breaks connections, each
//! killed at random: at the end the hub has exactly what the ledger has.
//!
//! It talks to loopback only, ends by itself, and ends every process that it started. A kill is no
//! power cut: what the kernel was given survives it. Power cuts are the simulation's.

mod fleet;
mod house;
mod proxy;
mod random;
mod writer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand};
use ledger::Reader;
use vocabulary::Sequence;

use house::House;
use random::Random;

/// The shortest and the longest time between two kills, in milliseconds.
const KILL_AFTER_MS: (usize, usize) = (300, 2500);

/// How long the records may take to arrive once nothing is broken any more. The daemon's longest
/// wait between two tries is minutes, when it was refused many times.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(240);

/// What can be typed.
#[derive(Debug, Parser)]
#[command(about = "Kiosk, daemon and hub under kill -9 and a broken network")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run it.
    Run {
        /// The directory of the programs `kiosk` and `syncd`.
        #[arg(long, value_name = "DIR", default_value = "target/debug")]
        programs: PathBuf,
        /// For how long processes are killed.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        seconds: u64,
        /// What decides who is killed when, and which connections break.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Let a door that was offline for weeks send what waits, and measure the daemon.
    Drain {
        /// The directory of the programs `kiosk` and `syncd`.
        #[arg(long, value_name = "DIR", default_value = "target/debug")]
        programs: PathBuf,
        /// How many records wait.
        #[arg(long, default_value_t = 200_000)]
        records: u64,
        /// Print the figures as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let many devices read a large roster at once, and measure the hub beside nginx.
    Fleet {
        /// The directory of the programs `kiosk` and `syncd`.
        #[arg(long, value_name = "DIR", default_value = "target/debug")]
        programs: PathBuf,
        /// People on the roster, with a reference each.
        #[arg(long, default_value_t = 10_000)]
        people: usize,
        /// Devices.
        #[arg(long, default_value_t = 200)]
        devices: usize,
        /// Print the figures as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Append records as a kiosk does, until it is killed. Started by `run`.
    Write {
        /// The ledger.
        ledger: PathBuf,
        /// The device.
        device: String,
        /// The meeting.
        meeting: String,
        /// Only so many, as fast as they are taken.
        #[arg(long)]
        count: Option<u64>,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Run {
            programs,
            seconds,
            seed,
        } => run(&programs, Duration::from_secs(seconds), seed),
        Command::Write {
            ledger,
            device,
            meeting,
            count: None,
        } => writer::write(&ledger, &device, &meeting),
        Command::Write {
            ledger,
            device,
            meeting,
            count: Some(count),
        } => writer::fill(&ledger, &device, &meeting, count),
        Command::Drain {
            programs,
            records,
            json,
        } => drain(&programs, records, json),
        Command::Fleet {
            programs,
            people,
            devices,
            json,
        } => fleet(&programs, people, devices, json),
    }
}

fn run(programs: &Path, time: Duration, seed: u64) -> anyhow::Result<()> {
    println!("seed {seed}, {} s of kills", time.as_secs());
    let mut random = Random::new(seed);
    let mut house = House::build(programs, random.next())?;
    println!("{}", house.accounts());
    house.start_hub()?;
    house.proxy().set_faulty(false);
    house.enrol()?;
    house.start_syncd()?;
    house.wait_for_roster()?;
    house.evening()?;
    house.start_writer()?;
    house.proxy().set_faulty(true);
    let kills = kill(&mut house, time, &mut random)?;
    house.proxy().set_faulty(false);
    house.stop_writer()?;
    house.start_all()?;
    let began = Instant::now();
    let written = written(&house)?;
    let arrived = loop {
        let arrived = house.records_at_hub()?;
        if arrived.len() >= written.len() || began.elapsed() > DRAIN_TIME_MAX {
            break arrived;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let (connections, broken) = house.proxy().counts();
    println!(
        "{} kills (kiosk {}, daemon {}, hub {}); {broken} of {connections} connections broken; \
         {} records written, {} at the hub, {} s after the last kill",
        kills.iter().sum::<u32>(),
        kills[0],
        kills[1],
        kills[2],
        written.len(),
        arrived.len(),
        began.elapsed().as_secs()
    );
    compare(&written, &arrived)?;
    house.check_roll()
}

/// How long draining may take: two hundred records a second would be slow.
const DRAIN_RECORDS_PER_SECOND_MIN: u64 = 200;

/// A door with many records waiting, an honest network, and the daemon's memory.
fn drain(programs: &Path, records: u64, json: bool) -> anyhow::Result<()> {
    let mut house = House::build(programs, 1)?;
    house.start_hub()?;
    house.proxy().set_faulty(false);
    house.enrol()?;
    house.start_syncd()?;
    house.wait_for_roster()?;
    let at_rest = house.syncd_memory()?;
    house.stop_syncd()?;
    house.fill_ledger(records)?;
    let began = Instant::now();
    house.start_syncd()?;
    let time_max = Duration::from_secs(60 + records / DRAIN_RECORDS_PER_SECOND_MIN);
    while house.records_waiting()? != Some(0) {
        ensure!(
            began.elapsed() < time_max,
            "the records are not drained in {time_max:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let time = began.elapsed();
    let draining = house.syncd_memory()?;
    let rate = records as f64 / time.as_secs_f64();
    if json {
        let measured = serde_json::json!({
            "records": records, "seconds": time.as_secs_f64(), "per_s": rate,
            "rest_mb": at_rest.now_mb, "peak_mb": draining.peak_mb,
        });
        println!("{measured}");
        return Ok(());
    }
    println!(
        "{records} records drained in {:.1} s, {rate:.0} a second; the daemon's resident memory: \
         {:.1} MB at rest, at most {:.1} MB while draining",
        time.as_secs_f64(),
        at_rest.now_mb,
        draining.peak_mb
    );
    Ok(())
}

/// Lets many devices read a large roster at once.
fn fleet(programs: &Path, people: usize, devices: usize, json: bool) -> anyhow::Result<()> {
    let mut house = House::build(programs, 1)?;
    let measured = fleet::measure(&mut house, people, devices)?;
    let seconds = measured.hub.as_secs_f64();
    let megabytes = measured.bytes as f64 * devices as f64 / 1e6;
    if json {
        let measured = serde_json::json!({
            "people": people, "devices": devices, "bytes": measured.bytes,
            "first_s": measured.first.as_secs_f64(), "hub_s": seconds,
            "nginx_s": measured.nginx.map(|time| time.as_secs_f64()),
            "hub_mb": measured.memory.peak_mb,
        });
        println!("{measured}");
        return Ok(());
    }
    println!(
        "a roster of {people} people ({:.1} MB) to {devices} devices: {seconds:.1} s, {:.0} MB/s; \
         the first alone {:.2} s; the hub's resident memory at most {:.0} MB",
        measured.bytes as f64 / 1e6,
        megabytes / seconds,
        measured.first.as_secs_f64(),
        measured.memory.peak_mb
    );
    if let Some(nginx) = measured.nginx {
        let nginx = nginx.as_secs_f64();
        println!(
            "nginx with the same bytes: {nginx:.1} s; ratio {:.2}",
            seconds / nginx
        );
    }
    Ok(())
}

/// Kills one after the other and starts them again, for a time.
fn kill(house: &mut House, time: Duration, random: &mut Random) -> anyhow::Result<[u32; 3]> {
    let began = Instant::now();
    let mut kills = [0; 3];
    while began.elapsed() < time {
        let (least, most) = KILL_AFTER_MS;
        let pause = least + random.below(most - least);
        std::thread::sleep(Duration::from_millis(pause as u64));
        let whom = random.below(3);
        kills[whom] += 1;
        match whom {
            0 => house.kill_writer()?,
            1 => house.kill_syncd()?,
            _ => house.kill_hub()?,
        }
    }
    Ok(kills)
}

/// Every record of the ledger, by number and digest.
fn written(house: &House) -> anyhow::Result<BTreeSet<(u64, [u8; 32])>> {
    let reader = Reader::open(&house.ledger())?;
    reader
        .records_after(Sequence(0))
        .map(|stored| {
            let stored = stored.context("the ledger does not read back")?;
            Ok((stored.record.sequence.0, stored.digest.0))
        })
        .collect()
}

fn compare(written: &BTreeSet<(u64, [u8; 32])>, arrived: &[(u64, [u8; 32])]) -> anyhow::Result<()> {
    let set: BTreeSet<_> = arrived.iter().copied().collect();
    ensure!(
        set.len() == arrived.len(),
        "{} records are at the hub twice",
        arrived.len() - set.len()
    );
    let missing: Vec<u64> = written
        .difference(&set)
        .map(|(number, _)| *number)
        .collect();
    let foreign: Vec<u64> = set.difference(written).map(|(number, _)| *number).collect();
    ensure!(
        missing.is_empty(),
        "{} records are missing at the hub, the first is {:?}",
        missing.len(),
        missing.first()
    );
    ensure!(
        foreign.is_empty(),
        "the hub has {} records that nobody wrote, the first is {:?}",
        foreign.len(),
        foreign.first()
    );
    println!("the hub has what the ledger has: each record, once");
    Ok(())
}
