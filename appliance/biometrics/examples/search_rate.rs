//! Times the search over 200, 1,000, 10,000 and 100,000 templates, one thread, and prints one JSON
//! line each.
//!
//! With `--rows FILE --probes FILE` it takes the templates from files of little-endian 32-bit
//! floats, row by row, so that another library can search exactly the same; `--width N` says how
//! many values a row has (128) and `--top1 FILE` writes, for each size, the best row of each probe
//! as little-endian 32-bit integers, one size after the other. Without files the templates are
//! made from a fixed seed. Run with `--release`.

use std::error::Error;
use std::fs;
use std::time::Instant;

use biometrics::{Gallery, search_flat};
use vocabulary::{Digest, FeatureSpace, PersonId, Template};

const SIZES: [usize; 4] = [200, 1_000, 10_000, 100_000];
const PROBES: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args()?;
    let width = options.width;
    let rows = match &options.rows {
        Some(path) => floats(path)?,
        None => unit_vectors(1, SIZES[3], width),
    };
    let probes = match &options.probes {
        Some(path) => floats(path)?,
        None => unit_vectors(2, PROBES, width),
    };
    let probes: Vec<&[f32]> = probes.chunks_exact(width).collect();
    let (mut top1, mut found) = (Vec::new(), Vec::new());
    for size in SIZES {
        let Some(rows) = rows.get(..size * width) else {
            break;
        };
        let flat = time(&probes, |probe| {
            search_flat(rows, width, probe, 1, &mut found);
            found.first().map_or(u32::MAX, |(row, _)| *row)
        });
        report("bare loop", size, width, &flat);
        let people = gallery(rows, &probes, width)?;
        report("gallery", size, width, &people);
        if flat.best != people.best {
            return Err(format!("the two searches over {size} rows disagree").into());
        }
        top1.extend(people.best.iter().flat_map(|row| row.to_le_bytes()));
    }
    if let Some(path) = &options.top1 {
        fs::write(path, top1)?;
    }
    Ok(())
}

/// What the passes over all probes come to.
struct Timed {
    /// Median and least over the passes of the time of one probe, in nanoseconds.
    median_ns: f64,
    least_ns: f64,
    best: Vec<u32>,
}

/// Passes over all probes for about a second; `search` returns a probe's best row.
fn time<P>(probes: &[P], mut search: impl FnMut(&P) -> u32) -> Timed {
    const PASSES_MAX: usize = 1_000;
    const PASSES_MIN: usize = 5;
    let mut best = Vec::with_capacity(probes.len());
    let mut passes = Vec::new();
    let begun = Instant::now();
    while passes.len() < PASSES_MIN
        || (begun.elapsed().as_secs_f64() < 1.0 && passes.len() < PASSES_MAX)
    {
        best.clear();
        let start = Instant::now();
        best.extend(probes.iter().map(&mut search));
        passes.push(start.elapsed().as_nanos() as f64 / probes.len().max(1) as f64);
    }
    passes.sort_by(f64::total_cmp);
    Timed {
        median_ns: passes[passes.len() / 2],
        least_ns: passes[0],
        best,
    }
}

/// The same through the door's own gallery, everybody with one reference.
fn gallery(rows: &[f32], probes: &[&[f32]], width: usize) -> Result<Timed, Box<dyn Error>> {
    let space = FeatureSpace::new("rate", Digest::ZERO);
    let mut people = Vec::new();
    for (at, row) in rows.chunks_exact(width).enumerate() {
        let template = Template::normalise(space.clone(), row)?;
        people.push((PersonId::new(&format!("P{at}"))?, vec![template]));
    }
    let gallery = Gallery::build(space.clone(), people)?;
    let probes: Vec<Template> = probes
        .iter()
        .map(|probe| Template::normalise(space.clone(), probe))
        .collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    Ok(time(&probes, |probe| {
        match gallery.search(probe, 2, &mut found) {
            Ok(()) => found.first().map_or(u32::MAX, |candidate| candidate.person),
            Err(_) => u32::MAX,
        }
    }))
}

fn report(what: &str, rows: usize, width: usize, timed: &Timed) {
    println!(
        "{{\"search\":\"{what}\",\"rows\":{rows},\"width\":{width},\"median_ns\":{:.0},\
         \"least_ns\":{:.0}}}",
        timed.median_ns, timed.least_ns
    );
}

fn floats(path: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    let bytes = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let (values, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(format!("{path} is no whole number of 32-bit floats").into());
    }
    Ok(values
        .iter()
        .map(|value| f32::from_le_bytes(*value))
        .collect())
}

/// Vectors of length 1 whose directions are near enough to uniform.
fn unit_vectors(seed: u64, count: usize, width: usize) -> Vec<f32> {
    let mut state = seed;
    let mut uniform = || {
        // SplitMix64 (Steele et al., 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut values = Vec::with_capacity(count * width);
    for _ in 0..count {
        let row: Vec<f32> = (0..width)
            .map(|_| uniform() + uniform() + uniform())
            .collect();
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        values.extend(row.iter().map(|value| value / length));
    }
    values
}

struct Options {
    rows: Option<String>,
    probes: Option<String>,
    top1: Option<String>,
    width: usize,
}

impl Options {
    fn from_args() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            rows: None,
            probes: None,
            top1: None,
            width: 128,
        };
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--rows" => options.rows = Some(value),
                "--probes" => options.probes = Some(value),
                "--top1" => options.top1 = Some(value),
                "--width" => options.width = value.parse()?,
                other => return Err(format!("{other}: --rows, --probes, --top1, --width").into()),
            }
        }
        if options.width == 0 {
            return Err("--width must be at least 1".into());
        }
        Ok(options)
    }
}
