//! Times decoding, colour conversion and scaling, one thread, and prints one JSON line each.
//!
//! Synthetic pictures of a camera's size; says how long, never how well. Run with `--release`.

use std::error::Error;
use std::hint::black_box;
use std::io::Cursor;
use std::time::{Duration, Instant};

use imaging::{DecodeLimits, Picture, Scaler, decode, decode_jpeg_into, yuyv_into};

fn main() -> Result<(), Box<dyn Error>> {
    for (width, height) in [(640, 480), (1280, 720)] {
        let size = format!("{width}×{height}");
        let picture = scene(width, height)?;
        let mut into = Picture::new(width, height)?;

        let yuyv = vec![0x80; width as usize * height as usize * 2];
        measure(&format!("yuyv {size}"), || {
            yuyv_into(width, height, None, black_box(&yuyv), &mut into).is_ok()
        });
        let jpeg = encoded(&picture)?;
        measure(&format!("motion JPEG {size}"), || {
            decode_jpeg_into(black_box(&jpeg), &mut into).is_ok()
        });
        measure(&format!("portrait JPEG {size}"), || {
            decode(black_box(&jpeg), DecodeLimits::default()).is_ok()
        });
        let mut scaler = Scaler::new();
        let mut small = Picture::new(320, 320 * height / width)?;
        measure(&format!("scale {size} to 320"), || {
            scaler.scale_into(black_box(&picture), &mut small).is_ok()
        });
    }
    Ok(())
}

/// Runs `once` for about a second in batches and prints the median time of one run.
fn measure(stage: &str, mut once: impl FnMut() -> bool) {
    const BATCHES: u32 = 25;
    let mut runs = 1_u32;
    // Doubles the batch until it lasts 20 ms, which also warms up; 2^20 runs are enough for all.
    while runs < 1 << 20 && time(runs, &mut once) < Duration::from_millis(20) {
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

/// Waves and a little noise: about as much detail as a room has.
fn scene(width: u32, height: u32) -> Result<Picture, imaging::SizeError> {
    let mut picture = Picture::new(width, height)?;
    for (at, pixel) in picture.rgb_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = (at as u32 % width, at as u32 / width);
        let wave = (x as f32 / 37.0).sin() + (y as f32 / 23.0).cos();
        let noise = (at as u32).wrapping_mul(2_654_435_761) >> 29;
        for (channel, value) in pixel.iter_mut().enumerate() {
            *value = (120.0 + 40.0 * wave + 10.0 * channel as f32) as u8 + noise as u8;
        }
    }
    Ok(picture)
}

fn encoded(picture: &Picture) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_raw(picture.width(), picture.height(), picture.rgb().to_vec())
        .ok_or("the scene has no bytes")?
        .write_to(&mut bytes, image::ImageFormat::Jpeg)?;
    Ok(bytes.into_inner())
}
