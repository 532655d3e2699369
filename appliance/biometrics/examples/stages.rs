//! Times the pure stages of recognition, one thread, and prints one JSON line each.
//!
//! Synthetic input of realistic size; says how long, never how well. Run with `--release`.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use biometrics::align::ALIGNED_POINTS;
use biometrics::{
    Detection, Landmarks, Point, QualityLimits, Rect, Tracker, TrackerConfig, align, assess_aligned,
};
use imaging::Picture;
use vocabulary::Monotonic;

fn main() -> Result<(), Box<dyn Error>> {
    let picture = noise(1280, 720)?;
    for (name, scale, x) in [
        ("align, face 90 px wide", 0.8, 600.0),
        ("align, face 280 px wide", 2.5, 500.0),
        ("align, face across the edge", 1.5, -60.0),
    ] {
        let face = face(x, 200.0, scale);
        let mut aligned = Picture::new(112, 112)?;
        measure(name, || {
            align(&picture, &face.landmarks, &mut aligned).is_ok()
        });
    }
    let face = face(600.0, 200.0, 1.0);
    let mut aligned = Picture::new(112, 112)?;
    align(&picture, &face.landmarks, &mut aligned)?;
    measure("quality", || {
        let quality = assess_aligned(black_box(&aligned), &face);
        QualityLimits::DOOR.admit(&quality)
    });
    for faces in [1_u16, 4, 16] {
        let mut tracker = Tracker::new(TrackerConfig::default());
        let mut frame = 0_u64;
        measure(&format!("tracker, {faces} faces"), || {
            frame += 1;
            let sway = if frame.is_multiple_of(2) { 1.0 } else { -1.0 };
            let mut found = [self::face(0.0, 0.0, 1.0); 16];
            for (at, face) in found.iter_mut().enumerate() {
                face.bounds.x = 75.0 * at as f32 + sway;
            }
            let now = Monotonic::from_millis(frame * 33);
            let shown = &found[..usize::from(faces)];
            tracker.update(now, shown, (1280, 720)).tracks.len() == shown.len()
        });
    }
    Ok(())
}

/// Runs `once` for about a second in batches and prints the median time of one run.
fn measure(stage: &str, mut once: impl FnMut() -> bool) {
    const BATCHES: u32 = 25;
    let mut runs = 1_u32;
    // Doubles the batch until it lasts 20 ms, which also warms up; 2^24 runs are enough for all.
    while runs < 1 << 24 && time(runs, &mut once) < Duration::from_millis(20) {
        runs *= 2;
    }
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| time(runs, &mut once).as_nanos() as f64 / f64::from(runs))
        .collect();
    batches.sort_by(f64::total_cmp);
    println!(
        "{{\"stage\":\"{stage}\",\"median_ns\":{:.0},\"least_ns\":{:.0}}}",
        batches[batches.len() / 2],
        batches[0]
    );
}

fn time(runs: u32, once: &mut impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    for _ in 0..runs {
        assert!(black_box(once()), "a stage refused its input");
    }
    start.elapsed()
}

fn face(x: f32, y: f32, scale: f32) -> Detection {
    let points = ALIGNED_POINTS.points.map(|point| Point {
        x: x + point.x * scale + point.y * scale * 0.1,
        y: y + point.y * scale - point.x * scale * 0.1,
    });
    Detection {
        bounds: Rect {
            x,
            y,
            width: 112.0 * scale,
            height: 140.0 * scale,
        },
        landmarks: Landmarks { points },
        score: 0.95,
    }
}

fn noise(width: u32, height: u32) -> Result<Picture, imaging::SizeError> {
    let mut picture = Picture::new(width, height)?;
    for (at, byte) in picture.rgb_mut().iter_mut().enumerate() {
        *byte = ((at as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
    }
    Ok(picture)
}
