//! This project's side of `make bench`: does one stage as often as it is told and says how much
//! processor time it took.
//!
//! Why it exists: a fair comparison alternates the two sides within one run, so each side is a
//! process that waits for its turn. `bench/bench.py` writes commands to standard input, one a line,
//! and reads one line of JSON for each; `bench/opencv_worker.py` is the other side. It never
//! decides what is measured and never sees the other side's numbers.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::Path;

use acceptance::networks;
use biometrics::{ALIGNED_SIDE_PX, Detection, Gallery, align};
use imaging::{Picture, Scaler, decode_jpeg_into};
use inference::{Comparer, Detector, forbid_telemetry};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use vocabulary::{Digest, FeatureSpace, PersonId, Template};

type Failure = Box<dyn Error>;

/// People on the roster that a decision searches.
const ROSTER: usize = 200;
const TEMPLATE_VALUES: usize = 128;

fn main() -> Result<(), Failure> {
    forbid_telemetry()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, enrolled, shown] = &arguments[..]
        && command == "first"
    {
        return first_decision(Path::new(enrolled), Path::new(shown));
    }
    let mut worker = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["frames", directory] => {
                worker = Some(Worker::new(Path::new(directory))?);
                json!({})
            }
            ["search", rows, probes, times] => search(rows, probes, times.parse()?)?,
            ["stage", name, times] => match &mut worker {
                Some(worker) => worker.stage(name, times.parse()?)?,
                None => return Err("frames come before stages".into()),
            },
            ["info"] => json!({ "name": "diemdanh", "version": env!("CARGO_PKG_VERSION") }),
            _ => return Err(format!("no such command: {line}").into()),
        };
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

/// From the start of the process to one comparison: what a kiosk does before its first decision.
fn first_decision(enrolled: &Path, shown: &Path) -> Result<(), Failure> {
    let Some((mut detector, mut comparer)) = networks()? else {
        return Err("runtime or models are missing; run deploy/setup".into());
    };
    let mut templates = Vec::new();
    for path in [enrolled, shown] {
        let mut picture = Picture::new(1, 1)?;
        decode_jpeg_into(&fs::read(path)?, &mut picture)?;
        let mut found = Vec::new();
        detector.detect(&picture, &mut found)?;
        let face = found.first().ok_or("no face in the frame")?;
        let mut aligned = Picture::new(1, 1)?;
        align(&picture, &face.landmarks, &mut aligned)?;
        templates.push(comparer.template(&aligned)?);
    }
    println!(
        "{}",
        json!({ "score": templates[0].compare(&templates[1])?.value() })
    );
    Ok(())
}

/// The frames of one run in every form that a stage starts from, and the memory that is reused.
struct Worker {
    detector: Detector,
    comparer: Comparer,
    scaler: Scaler,
    gallery: Gallery,
    frames: Vec<Frame>,
    scratch: Picture,
    half: Picture,
    aligned: Picture,
    found: Vec<Detection>,
    candidates: Vec<biometrics::Candidate>,
}

struct Frame {
    jpeg: Vec<u8>,
    large_jpeg: Vec<u8>,
    picture: Picture,
    large: Picture,
    small: Picture,
    face: Detection,
    aligned: Picture,
}

impl Worker {
    fn new(directory: &Path) -> Result<Self, Failure> {
        let Some((mut detector, comparer)) = networks()? else {
            return Err("runtime or models are missing; run deploy/setup".into());
        };
        let mut scaler = Scaler::new();
        let mut frames = Vec::new();
        let mut names: Vec<_> = fs::read_dir(directory.join("vga"))?.collect::<Result<_, _>>()?;
        names.sort_by_key(fs::DirEntry::file_name);
        for name in names {
            let jpeg = fs::read(name.path())?;
            let large_jpeg = fs::read(directory.join("hd").join(name.file_name()))?;
            let mut picture = Picture::new(1, 1)?;
            decode_jpeg_into(&jpeg, &mut picture)?;
            let mut large = Picture::new(1, 1)?;
            decode_jpeg_into(&large_jpeg, &mut large)?;
            let mut small = Picture::new(320, 240)?;
            scaler.scale_into(&picture, &mut small)?;
            let mut found = Vec::new();
            detector.detect(&picture, &mut found)?;
            let face = *found.first().ok_or("a frame without a face")?;
            let mut aligned = Picture::new(ALIGNED_SIDE_PX, ALIGNED_SIDE_PX)?;
            align(&picture, &face.landmarks, &mut aligned)?;
            frames.push(Frame {
                jpeg,
                large_jpeg,
                picture,
                large,
                small,
                face,
                aligned,
            });
        }
        let gallery = gallery(comparer.space(), &directory.join("roster.f32"), ROSTER)?;
        Ok(Self {
            detector,
            comparer,
            scaler,
            gallery,
            frames,
            scratch: Picture::new(1, 1)?,
            half: Picture::new(640, 360)?,
            aligned: Picture::new(1, 1)?,
            found: Vec::new(),
            candidates: Vec::new(),
        })
    }

    /// Does a stage `times` times, over the frames in turn.
    fn stage(&mut self, name: &str, times: usize) -> Result<Value, Failure> {
        let frames = std::mem::take(&mut self.frames);
        let begun = processor_ns();
        let mut outcome = Ok(0);
        let mut sum = 0;
        for frame in frames.iter().cycle().take(times) {
            outcome = self.once(name, frame);
            match &outcome {
                Ok(value) => sum += value,
                Err(_) => break,
            }
        }
        let spent = processor_ns() - begun;
        self.frames = frames;
        outcome?;
        Ok(json!({ "ns": spent / times as i64, "sum": sum }))
    }

    /// The number that comes out keeps the work from being optimised away, and lets counts of
    /// faces be compared.
    fn once(&mut self, name: &str, frame: &Frame) -> Result<usize, Failure> {
        match name {
            "decode-vga" => decode_jpeg_into(&frame.jpeg, &mut self.scratch)?,
            "decode-hd" => decode_jpeg_into(&frame.large_jpeg, &mut self.scratch)?,
            "scale" => self.scaler.scale_into(&frame.large, &mut self.half)?,
            "detect-320" => self.detector.detect(&frame.small, &mut self.found)?,
            "detect-640" => self.detector.detect(&frame.picture, &mut self.found)?,
            "align" => align(&frame.picture, &frame.face.landmarks, &mut self.aligned)?,
            "template" => {
                self.comparer.template(&frame.aligned)?;
            }
            "decision" => return self.decide(frame),
            _ => return Err(format!("no such stage: {name}").into()),
        }
        Ok(if name.starts_with("detect") {
            self.found.len()
        } else {
            0
        })
    }

    /// One whole decision, from a camera's JPEG to the best of the roster.
    fn decide(&mut self, frame: &Frame) -> Result<usize, Failure> {
        decode_jpeg_into(&frame.jpeg, &mut self.scratch)?;
        self.detector.detect(&self.scratch, &mut self.found)?;
        let face = self.found.first().ok_or("a frame without a face")?;
        align(&self.scratch, &face.landmarks, &mut self.aligned)?;
        let template = self.comparer.template(&self.aligned)?;
        self.gallery.search(&template, 1, &mut self.candidates)?;
        Ok(self
            .candidates
            .first()
            .map_or(0, |best| best.person as usize))
    }
}

/// The first `people` of a file, one reference each, in its order, so that an index means the same
/// on both sides.
fn gallery(space: &FeatureSpace, path: &Path, people: usize) -> Result<Gallery, Failure> {
    let values = floats(path)?;
    let rows = values.chunks_exact(TEMPLATE_VALUES).take(people);
    let people = rows
        .enumerate()
        .map(|(index, row)| {
            let person = PersonId::new(&format!("p{index}"))?;
            Ok((person, vec![Template::normalise(space.clone(), row)?]))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    Ok(Gallery::build(space.clone(), people)?)
}

/// All probes against all rows, as the door searches, `times` over; the time of one search, and
/// each probe's best row.
fn search(rows: &str, probes: &str, times: usize) -> Result<Value, Failure> {
    let space = FeatureSpace::new("bench", Digest::ZERO);
    let gallery = gallery(&space, Path::new(rows), usize::MAX)?;
    let probes = floats(Path::new(probes))?
        .chunks_exact(TEMPLATE_VALUES)
        .map(|probe| Template::normalise(space.clone(), probe))
        .collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    let mut best = Vec::new();
    let begun = processor_ns();
    for _ in 0..times {
        best.clear();
        for probe in &probes {
            gallery.search(probe, 1, &mut found)?;
            best.push(found.first().map_or(0, |candidate| candidate.person));
        }
    }
    let spent = processor_ns() - begun;
    Ok(json!({ "ns": spent / (times * best.len()) as i64, "top": best }))
}

fn floats(path: &Path) -> Result<Vec<f32>, Failure> {
    let bytes = fs::read(path)?;
    let (chunks, _) = bytes.as_chunks::<4>();
    Ok(chunks
        .iter()
        .map(|chunk| f32::from_le_bytes(*chunk))
        .collect())
}

/// Processor time of this process, which other processes on the machine do not lengthen.
fn processor_ns() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
