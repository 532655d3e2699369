//! Measures how long a full redraw takes: `cargo run --release -p screen --example measure`.

mod samples;

use std::path::Path;
use std::time::{Duration, Instant};

use screen::{BOLD_PATH, Canvas, Context, Fonts, REGULAR_PATH, View, draw};

/// Redraws per scene; the first is reported by itself, since it fills the glyph cache.
const REDRAWS: u32 = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let context = Context::new(Fonts::load(Path::new(REGULAR_PATH), Path::new(BOLD_PATH))?);
    println!("fonts loaded in {:.1} ms", ms(started.elapsed()));
    for (width, height) in [(800, 480), (1280, 800)] {
        println!("{width}×{height}: first, then best and median of {REDRAWS} redraws, in ms");
        let mut canvas = Canvas::new(width, height)?;
        for (name, view) in samples::all() {
            if name.starts_with("trouble-") && name != "trouble-CAM-01" {
                continue;
            }
            let first = timed(&view, &context, &mut canvas);
            let mut times: Vec<Duration> = (0..REDRAWS)
                .map(|_| timed(&view, &context, &mut canvas))
                .collect();
            times.sort();
            let (best, median) = (times[0], times[times.len() / 2]);
            println!(
                "{name:>24} {:6.2} {:6.2} {:6.2}",
                ms(first),
                ms(best),
                ms(median)
            );
        }
    }
    Ok(())
}

fn timed(view: &View, context: &Context, canvas: &mut Canvas) -> Duration {
    let started = Instant::now();
    let Ok(()) = draw(view, context, canvas);
    started.elapsed()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
