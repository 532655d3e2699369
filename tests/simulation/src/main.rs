//! `simulate`: runs doors and a hub under every fault, seed by seed, and says which seed fails and
//! how to see it again.
//!
//! One seed is one thread; seeds share nothing but the layer of SQLite's that loses power.

mod account;
mod city;
mod disk;
mod door;
#[cfg(feature = "planted")]
mod planted;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use world::Report;

const USAGE: &str = "\
simulate [--first SEED] [--seeds COUNT] [--threads COUNT] [--twice] [--verbose]
    Runs COUNT seeds from SEED on (0 and 200 when not said). --twice runs each seed twice and
    compares the traces. --verbose prints all that happens; for one seed.
simulate --planted [--seeds COUNT]
    Plants each defect in turn and tells which are found within COUNT seeds (1000). Only when
    built with the feature `planted`.";

/// What was asked for.
struct Options {
    first: u64,
    seeds: Option<u64>,
    threads: usize,
    twice: bool,
    verbose: bool,
    planted: bool,
}

fn main() -> ExitCode {
    match read_options(std::env::args().skip(1)).and_then(|options| act(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn read_options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        first: 0,
        seeds: None,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        twice: false,
        verbose: false,
        planted: false,
    };
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64> {
            let value = words
                .next()
                .with_context(|| format!("{word} needs a number"))?;
            value
                .parse()
                .with_context(|| format!("{word}: {value} is no number"))
        };
        match word.as_str() {
            "--first" => options.first = number()?,
            "--seeds" => options.seeds = Some(number()?),
            "--threads" => options.threads = usize::try_from(number()?)?.max(1),
            "--twice" => options.twice = true,
            "--verbose" => options.verbose = true,
            "--planted" => options.planted = true,
            _ => bail!("{word} is not known\n\n{USAGE}"),
        }
    }
    Ok(options)
}

/// Whether nothing failed.
fn act(options: &Options) -> Result<bool> {
    disk::install();
    if options.planted {
        #[cfg(feature = "planted")]
        return planted::find_all(options.seeds.unwrap_or(1000), options.threads);
        #[cfg(not(feature = "planted"))]
        bail!("this was built without the feature `planted`\n\n{USAGE}");
    }
    let seeds = options.seeds.unwrap_or(200);
    let begun = Instant::now();
    let outcome = run_many(options.first, seeds, options, usize::MAX);
    let faults: Vec<String> = outcome
        .faults
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    println!(
        "{} seeds, {} failed, {} s; {} happenings, {} records, {} writes; trace {:016x}",
        outcome.done,
        outcome.failed.len(),
        begun.elapsed().as_secs(),
        outcome.happenings,
        outcome.records,
        disk::writes(),
        outcome.trace,
    );
    println!("went wrong: {}", faults.join(", "));
    Ok(outcome.failed.is_empty())
}

/// What many seeds came to.
#[derive(Default)]
struct Outcome {
    done: u64,
    failed: BTreeMap<u64, anyhow::Error>,
    happenings: u64,
    records: u64,
    faults: BTreeMap<&'static str, u64>,
    /// All traces, whatever order they were done in.
    trace: u64,
}

/// Runs seeds on several threads until all are done or so many have failed.
fn run_many(first: u64, seeds: u64, options: &Options, failures_max: usize) -> Outcome {
    let next = AtomicU64::new(0);
    let enough = AtomicBool::new(false);
    let outcome = Mutex::new(Outcome::default());
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= seeds {
                        return;
                    }
                    let seed = first.wrapping_add(index);
                    let result = run_one(seed, options);
                    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                    outcome.done += 1;
                    match result {
                        Ok(report) => {
                            outcome.happenings += report.happenings;
                            outcome.records += report.records;
                            outcome.trace = outcome.trace.wrapping_add(report.trace);
                            for (name, count) in report.faults {
                                *outcome.faults.entry(name).or_default() += count;
                            }
                        }
                        Err(error) => {
                            if !options.planted {
                                println!("seed {seed} FAILED: {error:#}");
                                println!("  again: simulate --first {seed} --seeds 1 --verbose");
                            }
                            outcome.failed.insert(seed, error);
                            if outcome.failed.len() >= failures_max {
                                enough.store(true, Ordering::Relaxed);
                            }
                        }
                    }
                }
            });
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn run_one(seed: u64, options: &Options) -> Result<Report> {
    let report = run_in_new_directory(seed, options.verbose)?;
    if options.twice {
        let again = run_in_new_directory(seed, false)?;
        if again != report {
            bail!("the same seed went two ways: {report:?} and {again:?}");
        }
    }
    Ok(report)
}

fn run_in_new_directory(seed: u64, verbose: bool) -> Result<Report> {
    let directory = tempfile::Builder::new()
        .prefix("simulate-")
        .tempdir_in(memory())?;
    let run = || world::run(seed, directory.path(), verbose);
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err(anyhow!("seed {seed}: something panicked, see above")))
}

/// Files in memory where the system has such a place: nothing here must outlive the run.
fn memory() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    }
}
