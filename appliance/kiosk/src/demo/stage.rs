//! A recorded camera made of portraits: people walk up to a grey wall, one or two at a time, nearer
//! with every frame, swaying a little, in changing light.
//!
//! It only makes pictures; what the kiosk sees in them is the kiosk's affair. Nothing is random, so
//! the same portraits give the same recording.

use anyhow::Context;
use imaging::{Picture, Scaler};

/// Sides of the recorded camera's picture, in pixels.
pub const FRAME_WIDTH_PX: u32 = 1280;
/// See [`FRAME_WIDTH_PX`].
const FRAME_HEIGHT_PX: u32 = 720;

/// Width of a face at the first and at the last frame of a walk-up, in pixels.
const FACE_WIDTH_FAR_PX: f32 = 76.0;
/// See [`FACE_WIDTH_FAR_PX`].
const FACE_WIDTH_NEAR_PX: f32 = 150.0;

/// How far a person sways to each side while walking, in pixels.
const SWAY_PX: f32 = 7.0;

/// The wall's grey at its upper and its lower edge.
const WALL: (f32, f32) = (196.0, 150.0);

/// A portrait and where its face is.
#[derive(Debug)]
pub struct Portrait {
    picture: Picture,
    face_centre_x: f32,
    face_centre_y: f32,
    face_width: f32,
}

impl Portrait {
    /// Cuts head and shoulders out of a photograph, by the face's box in its pixels.
    ///
    /// # Errors
    /// When the box lies outside the photograph.
    pub fn cut(photograph: &Picture, face: &biometrics::Rect) -> anyhow::Result<Self> {
        let side = |value: f32, most: u32| value.clamp(0.0, most as f32) as u32;
        let left = side(face.x - 0.9 * face.width, photograph.width());
        let right = side(face.x + 1.9 * face.width, photograph.width());
        let top = side(face.y - 0.7 * face.height, photograph.height());
        let bottom = side(face.y + 2.2 * face.height, photograph.height());
        let mut picture = Picture::new(right.saturating_sub(left), bottom.saturating_sub(top))
            .context("the face lies outside its photograph")?;
        let row_bytes = picture.width() as usize * 3;
        let pitch = photograph.width() as usize * 3;
        let first = top as usize * pitch + left as usize * 3;
        let rows = photograph.rgb()[first..].chunks(pitch);
        for (to, from) in picture.rgb_mut().chunks_exact_mut(row_bytes).zip(rows) {
            to.copy_from_slice(&from[..row_bytes]);
        }
        let centre = face.centre();
        Ok(Self {
            picture,
            face_centre_x: centre.x - left as f32,
            face_centre_y: centre.y - top as f32,
            face_width: face.width,
        })
    }
}

/// Somebody who walks up.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// Who is shown.
    pub portrait: &'a Portrait,
    /// Where across the picture the face is, 0 (left) to 1.
    pub across: f32,
}

/// Makes one frame.
///
/// `progress` goes from 0 (far) to 1 (near); `light` multiplies the people's brightness, 1 leaves
/// it.
///
/// # Errors
/// When scaling fails, which valid pictures never make it do.
pub fn frame(
    scaler: &mut Scaler,
    actors: &[Actor<'_>],
    progress: f32,
    light: f32,
) -> anyhow::Result<Picture> {
    let mut frame = Picture::new(FRAME_WIDTH_PX, FRAME_HEIGHT_PX)?;
    paint_wall(&mut frame);
    for (index, actor) in actors.iter().enumerate() {
        let portrait = actor.portrait;
        let width = FACE_WIDTH_FAR_PX + (FACE_WIDTH_NEAR_PX - FACE_WIDTH_FAR_PX) * progress;
        let scale = width / portrait.face_width;
        let scaled = |side: u32| ((side as f32 * scale).round() as u32).max(1);
        let mut person = Picture::new(
            scaled(portrait.picture.width()),
            scaled(portrait.picture.height()),
        )?;
        scaler.scale_into(&portrait.picture, &mut person)?;
        let phase = progress * 9.0 + index as f32 * 2.0;
        let x = actor.across * FRAME_WIDTH_PX as f32 + SWAY_PX * phase.sin();
        let y = FRAME_HEIGHT_PX as f32 * 0.42 + SWAY_PX * 0.5 * (phase * 1.7).cos();
        let left = x - portrait.face_centre_x * scale;
        let top = y - portrait.face_centre_y * scale;
        paste(
            &mut frame,
            &person,
            left.round() as i64,
            top.round() as i64,
            light,
        );
    }
    Ok(frame)
}

fn paint_wall(frame: &mut Picture) {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    for (row, pixels) in frame.rgb_mut().chunks_exact_mut(width * 3).enumerate() {
        let grey = WALL.0 + (WALL.1 - WALL.0) * row as f32 / height as f32;
        pixels.fill(grey as u8);
    }
}

/// Lays a person's picture over the frame, clipped at its edges.
fn paste(frame: &mut Picture, person: &Picture, left: i64, top: i64, light: f32) {
    let (width, height) = (i64::from(frame.width()), i64::from(frame.height()));
    let from_x = (-left).clamp(0, i64::from(person.width()));
    let until_x = (width - left).clamp(from_x, i64::from(person.width()));
    let person_pitch = person.width() as usize * 3;
    for (row, pixels) in person.rgb().chunks_exact(person_pitch).enumerate() {
        let y = top + row as i64;
        if !(0..height).contains(&y) {
            continue;
        }
        let source = &pixels[from_x as usize * 3..until_x as usize * 3];
        let start = (y * width + left + from_x) as usize * 3;
        let target = &mut frame.rgb_mut()[start..start + source.len()];
        for (to, from) in target.iter_mut().zip(source) {
            *to = (f32::from(*from) * light).min(255.0) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use biometrics::Rect;

    use super::*;

    fn portrait() -> Portrait {
        let photograph = Picture::from_rgb(100, 120, vec![90; 100 * 120 * 3]).unwrap();
        let face = Rect {
            x: 30.0,
            y: 30.0,
            width: 40.0,
            height: 50.0,
        };
        Portrait::cut(&photograph, &face).unwrap()
    }

    #[test]
    fn people_at_the_edge_are_clipped() {
        let portrait = portrait();
        for across in [-1.0, 0.0, 0.5, 1.0, 2.0] {
            let actor = Actor {
                portrait: &portrait,
                across,
            };
            let frame = frame(&mut Scaler::new(), &[actor], 1.0, 1.0).unwrap();
            assert_eq!((frame.width(), frame.height()), (1280, 720));
        }
    }

    #[test]
    fn light_brightens_the_people_and_not_the_wall() {
        let portrait = portrait();
        let actor = Actor {
            portrait: &portrait,
            across: 0.5,
        };
        let pixel = |frame: &Picture, x: usize, y: usize| frame.rgb()[(y * 1280 + x) * 3];
        let plain = frame(&mut Scaler::new(), &[actor], 1.0, 1.0).unwrap();
        let bright = frame(&mut Scaler::new(), &[actor], 1.0, 1.5).unwrap();
        assert_eq!(
            (pixel(&plain, 640, 300), pixel(&bright, 640, 300)),
            (90, 135)
        );
        assert_eq!(pixel(&plain, 5, 5), pixel(&bright, 5, 5));
    }

    #[test]
    fn a_face_outside_its_photograph_is_refused() {
        let photograph = Picture::new(10, 10).unwrap();
        let face = Rect {
            x: 50.0,
            y: 50.0,
            width: 4.0,
            height: 4.0,
        };
        assert!(Portrait::cut(&photograph, &face).is_err());
    }
}
