//! Which session options are best for these two networks: time and peak memory of each choice.
//!
//! Why it exists: the options in `runtime.rs` are claims, and this measures them again, on another
//! board or with another version of ONNX Runtime. Each choice runs in a process of its own, in
//! rounds, so that none has the better moment; times are processor time. It never measures
//! accuracy.
//!
//! `cargo run --release -p inference --example session_options`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use inference::forbid_telemetry;
use models::{Manifest, TaskKind, store};
use ort::ep;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;

const ROUNDS: usize = 5;
const RUNS: usize = 40;

/// What is chosen: optimisation level, memory arena, memory pattern, packed weights.
const CHOICES: [(&str, Choice); 7] = [
    (
        "level 3, no arena",
        Choice {
            level: 3,
            arena: false,
            pattern: true,
            packed: true,
        },
    ),
    (
        "level 3, arena",
        Choice {
            level: 3,
            arena: true,
            pattern: true,
            packed: true,
        },
    ),
    (
        "level 3, arena, no pattern",
        Choice {
            level: 3,
            arena: true,
            pattern: false,
            packed: true,
        },
    ),
    (
        "level 3, no arena, no pattern",
        Choice {
            level: 3,
            arena: false,
            pattern: false,
            packed: true,
        },
    ),
    (
        "level 3, no arena, not packed",
        Choice {
            level: 3,
            arena: false,
            pattern: true,
            packed: false,
        },
    ),
    (
        "level 2, no arena",
        Choice {
            level: 2,
            arena: false,
            pattern: true,
            packed: true,
        },
    ),
    (
        "level 1, no arena",
        Choice {
            level: 1,
            arena: false,
            pattern: true,
            packed: true,
        },
    ),
];

#[derive(Clone, Copy)]
struct Choice {
    level: u8,
    arena: bool,
    pattern: bool,
    packed: bool,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    forbid_telemetry()?;
    match std::env::args().nth(1) {
        Some(index) => child(CHOICES[index.parse::<usize>()?].1),
        None => parent(),
    }
}

/// Medians over the rounds, choices interleaved.
fn parent() -> Result<(), Failure> {
    let mut measured = vec![Vec::<Vec<f64>>::new(); CHOICES.len()];
    for _ in 0..ROUNDS {
        for (index, rounds) in measured.iter_mut().enumerate() {
            let output = Command::new(std::env::current_exe()?)
                .arg(index.to_string())
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            let line = String::from_utf8(output.stdout)?;
            let values = line
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()?;
            rounds.push(values);
        }
    }
    println!("| options | load ms | 320×240 ms | 640×480 ms | template ms | peak MB | then MB |");
    println!("|---|---|---|---|---|---|---|");
    for ((name, _), rounds) in CHOICES.iter().zip(&measured) {
        let columns = (0..6).map(|column| {
            let mut values: Vec<f64> = rounds.iter().map(|round| round[column]).collect();
            format!("{:.1}", median(&mut values))
        });
        println!("| {name} | {} |", columns.collect::<Vec<_>>().join(" | "));
    }
    Ok(())
}

fn child(choice: Choice) -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let setup =
        std::env::var_os("DIEMDANH_SETUP").map_or_else(|| root.join(".setup"), PathBuf::from);
    let begun = processor_ms()?;
    let environment = ort::init_from(setup.join("onnxruntime/libonnxruntime.so"))?
        .with_telemetry(false)
        .build()?;
    let mut sessions = Vec::new();
    for task in [TaskKind::Detector, TaskKind::Comparer] {
        let manifest = Manifest::load(&root.join("models/manifest.toml"))?;
        let file = store::open_verified(&root.join("models/files"), manifest.default_for(task)?)?;
        sessions.push(
            Session::builder(&environment)?
                .with_optimization_level(match choice.level {
                    1 => GraphOptimizationLevel::Level1,
                    2 => GraphOptimizationLevel::Level2,
                    _ => GraphOptimizationLevel::All,
                })?
                .with_intra_threads(1)?
                .with_inter_threads(1)?
                .with_memory_pattern(choice.pattern)?
                .with_prepacking(choice.packed)?
                .with_execution_providers([ep::CPU::default()
                    .with_arena_allocator(choice.arena)
                    .build()])?
                .commit_from_memory(&file.bytes)?,
        );
    }
    print!("{}", processor_ms()? - begun);
    for (session, height, width) in [(0, 256, 320), (0, 480, 640), (1, 112, 112)] {
        print!(" {}", time(&mut sessions[session], height, width)?);
    }
    println!(" {} {}", megabytes("VmHWM:")?, megabytes("VmRSS:")?);
    Ok(())
}

/// The median time of one run in milliseconds.
fn time(session: &mut Session, height: usize, width: usize) -> Result<f64, Failure> {
    let values = (0..3 * height * width)
        .map(|at| (at * 7919 % 256) as f32)
        .collect::<Vec<_>>();
    let input = Tensor::from_array(([1, 3, height, width], values))?;
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let begun = processor_ms()?;
        session.run(ort::inputs![&input])?;
        times.push(processor_ms()? - begun);
    }
    Ok(median(&mut times))
}

/// How long this thread, the only one, has been on a processor.
fn processor_ms() -> Result<f64, Failure> {
    let statistics = fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = statistics.split_whitespace().next();
    Ok(nanoseconds
        .ok_or("/proc/self/schedstat is empty")?
        .parse::<f64>()?
        / 1e6)
}

fn megabytes(field: &str) -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes
        .ok_or("no such field in /proc/self/status")?
        .parse::<f64>()?
        / 1024.0)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
