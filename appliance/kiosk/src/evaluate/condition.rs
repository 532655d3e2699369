//! Worse light, size and focus, made from a photograph in pixels: what a door meets and a dataset
//! of portraits does not show.
//!
//! Pure and without chance: the same photograph gives the same picture. Every formula works on the
//! eight-bit values as they are (not on linear light), in the photograph's own pixels, and takes
//! its measures from `w`, the width of the widest face in the undegraded photograph. Nothing is
//! encoded again, no noise is added, and no picture is kept.

use biometrics::Rect;
use imaging::{Picture, ScaleError, Scaler, luma_of};

/// Raised whenever a formula here changes, so that no cache answers with the old one.
pub const CONDITIONS_VERSION: u32 = 1;

/// Width of a small face, in pixels.
const SMALL_FACE_PX: f32 = 32.0;

/// What the dark leaves of every value.
const DARK_GAIN: f32 = 0.25;

/// What overexposure multiplies every value by, before it is cut off at white.
const BRIGHT_GAIN: f32 = 2.2;

/// Standard deviation of the blur in pixels, where the face is [`BLUR_FACE_PX`] wide.
const BLUR_SIGMA_PX: f32 = 3.0;

/// At which width of the face the blur is [`BLUR_SIGMA_PX`]: about the width at which the door
/// begins to compare, and about that of the pictures that blur is commonly measured on.
const BLUR_FACE_PX: f32 = 80.0;

/// How far the blur reaches, in standard deviations; what lies beyond weighs below 0.3 %.
const BLUR_REACH: f32 = 3.0;

/// What light from the side leaves on the side away from it.
const SIDE_GAIN: f32 = 0.15;

/// What light from behind leaves of a person.
const BACKLIT_GAIN: f32 = 0.25;

/// What light scattered in the lens adds to a person lit from behind.
const BACKLIT_VEIL: f32 = 16.0;

/// What is left between a value and white where the light comes in.
const BACKLIT_ROOM: f32 = 0.2;

/// How pictures are made worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Far away: the photograph is shrunk, by averages over the pixels covered, until the face is
    /// 32 pixels wide; one with a smaller face stays as it is.
    Small,
    /// Too little light: v → 0.25 v.
    Dark,
    /// Overexposed: v → min(255, 2.2 v).
    Bright,
    /// Out of focus or moving: a Gaussian of σ = 3 w / 80 pixels, cut off at 3 σ; at the edges the
    /// outermost pixels are repeated.
    Blurred,
    /// Light from the left of the picture: v → g v, where g falls evenly from 1 at the left edge of
    /// the face to 0.15 at its right edge, and stays so beyond.
    SideLit,
    /// Light from behind: the person (m = 1) goes to 0.25 v + 16, the rest (m = 0) to
    /// 255 − 0.2 (255 − v), with m falling from 1 to 0 between 1 and 1.25 of the outline: two
    /// ellipses in units of w and from the middle of the face, one of half axes 0.75 and 1.0 for
    /// the head, one around (0, 2.6) of half axes 1.6 and 1.7 for the shoulders. Below its middle
    /// the latter goes straight down.
    Backlit,
    /// Without colour: all three channels are the luma of ITU-R BT.601.
    Grey,
}

impl Condition {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::Small,
        Self::Dark,
        Self::Bright,
        Self::Blurred,
        Self::SideLit,
        Self::Backlit,
        Self::Grey,
    ];

    /// What it is called in reports, in JSON and in the cache.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Dark => "dark",
            Self::Bright => "bright",
            Self::Blurred => "blurred",
            Self::SideLit => "side-lit",
            Self::Backlit => "backlit",
            Self::Grey => "grey",
        }
    }

    /// Its formula in short, for reports.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Small => "shrunk until the face is 32 px wide",
            Self::Dark => "0.25 v",
            Self::Bright => "min(255, 2.2 v)",
            Self::Blurred => "Gaussian, σ = 3 px where the face is 80 px wide",
            Self::SideLit => "g v, g from 1 to 0.15 across the face, left to right",
            Self::Backlit => "person 0.25 v + 16, the rest 255 − 0.2 (255 − v)",
            Self::Grey => "luma in all three channels",
        }
    }

    /// The picture under this condition. `face` is the widest face of the undegraded photograph, in
    /// its pixels.
    ///
    /// # Errors
    /// [`ScaleError`] when the picture cannot be shrunk.
    pub fn apply(self, picture: &Picture, face: &Rect) -> Result<Picture, ScaleError> {
        let width = face.width.max(1.0);
        Ok(match self {
            Self::Small => return shrunk(picture, SMALL_FACE_PX / width),
            Self::Dark => each(picture, |_, _, value| DARK_GAIN * value),
            Self::Bright => each(picture, |_, _, value| BRIGHT_GAIN * value),
            Self::Blurred => blurred(picture, BLUR_SIGMA_PX * width / BLUR_FACE_PX),
            Self::SideLit => each(picture, |x, _, value| {
                let across = ((x - face.x) / width).clamp(0.0, 1.0);
                value * (1.0 - (1.0 - SIDE_GAIN) * across)
            }),
            Self::Backlit => each(picture, |x, y, value| {
                let centre = face.centre();
                let person = outline((x - centre.x) / width, (y - centre.y) / width);
                let near = BACKLIT_GAIN * value + BACKLIT_VEIL;
                let behind = 255.0 - BACKLIT_ROOM * (255.0 - value);
                person * near + (1.0 - person) * behind
            }),
            Self::Grey => grey(picture),
        })
    }
}

/// How much a place belongs to the person, 0 to 1. In widths of the face from its middle.
fn outline(x: f32, y: f32) -> f32 {
    /// Half axes across and up.
    const HEAD: (f32, f32) = (0.75, 1.0);
    /// Half axes across and up.
    const SHOULDERS: (f32, f32) = (1.6, 1.7);
    /// How far below the middle of the face theirs is.
    const SHOULDERS_BELOW: f32 = 2.6;
    /// Over which share of the outline the person ends.
    const EDGE: f32 = 0.25;
    let inside = |distance: f32| (1.0 - (distance - 1.0) / EDGE).clamp(0.0, 1.0);
    let head = x.hypot(y * HEAD.0 / HEAD.1) / HEAD.0;
    let above = (SHOULDERS_BELOW - y).max(0.0);
    let shoulders = x.hypot(above * SHOULDERS.0 / SHOULDERS.1) / SHOULDERS.0;
    inside(head).max(inside(shoulders))
}

/// Every value by its place and itself, rounded and cut off at black and white.
fn each(picture: &Picture, change: impl Fn(f32, f32, f32) -> f32) -> Picture {
    let mut changed = picture.clone();
    let row = picture.width() as usize * 3;
    for (y, row) in changed.rgb_mut().chunks_exact_mut(row).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            for value in pixel {
                // A float becomes the nearest byte, and black or white when it lies beyond.
                *value = change(x as f32, y as f32, f32::from(*value)).round() as u8;
            }
        }
    }
    changed
}

fn grey(picture: &Picture) -> Picture {
    let mut changed = picture.clone();
    for pixel in changed.rgb_mut().as_chunks_mut::<3>().0 {
        *pixel = [luma_of(pixel[0], pixel[1], pixel[2]); 3];
    }
    changed
}

fn shrunk(picture: &Picture, factor: f32) -> Result<Picture, ScaleError> {
    if factor >= 1.0 {
        return Ok(picture.clone());
    }
    let side = |side: u32| ((side as f32 * factor).round() as u32).max(1);
    let mut small =
        Picture::new(side(picture.width()), side(picture.height())).map_err(ScaleError::Size)?;
    Scaler::new().scale_into(picture, &mut small)?;
    Ok(small)
}

/// A Gaussian in two passes, rounded once.
fn blurred(picture: &Picture, sigma: f32) -> Picture {
    let weights = gaussian(sigma);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let values: Vec<f32> = picture
        .rgb()
        .iter()
        .map(|value| f32::from(*value))
        .collect();
    // Along rows a neighbour is a pixel further, along columns a row.
    let across = convolved(&values, &weights, width, height, (3, width * 3));
    let both = convolved(&across, &weights, height, width, (width * 3, 3));
    let mut changed = picture.clone();
    for (to, from) in changed.rgb_mut().iter_mut().zip(both) {
        *to = from.round() as u8;
    }
    changed
}

/// Weights of the neighbours at 0, 1, 2 and so on; with both sides they sum to 1.
fn gaussian(sigma: f32) -> Vec<f32> {
    let sigma = sigma.max(0.1);
    let reach = (BLUR_REACH * sigma).ceil() as usize;
    let bell = |at: usize| (-0.5 * (at as f32 / sigma).powi(2)).exp();
    let sum = bell(0) + 2.0 * (1..=reach).map(bell).sum::<f32>();
    (0..=reach).map(|at| bell(at) / sum).collect()
}

/// One pass: `count` lines of `length` pixels. Of `steps` the first leads to the next pixel of a
/// line, the second to the next line.
fn convolved(
    values: &[f32],
    weights: &[f32],
    length: usize,
    count: usize,
    steps: (usize, usize),
) -> Vec<f32> {
    let mut sums = vec![0.0; values.len()];
    for line in 0..count {
        for at in 0..length {
            let place = |at: usize| line * steps.1 + at * steps.0;
            let to = place(at);
            for channel in 0..3 {
                let mut sum = weights[0] * values[to + channel];
                for (far, weight) in weights.iter().enumerate().skip(1) {
                    let before = values[place(at.saturating_sub(far)) + channel];
                    let after = values[place((at + far).min(length - 1)) + channel];
                    sum += weight * (before + after);
                }
                sums[to + channel] = sum;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Rect = Rect {
        x: 40.0,
        y: 20.0,
        width: 80.0,
        height: 100.0,
    };

    fn even(width: u32, height: u32, pixel: [u8; 3]) -> Picture {
        let pixels = pixel.repeat((width * height) as usize);
        Picture::from_rgb(width, height, pixels).unwrap()
    }

    fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        let at = (y * picture.width() as usize + x) * 3;
        picture.rgb()[at..at + 3].try_into().unwrap()
    }

    #[test]
    fn values_change_as_the_formulas_say() {
        let check = |condition: Condition, place: (usize, usize), expect: [u8; 3]| {
            let changed = condition
                .apply(&even(200, 150, [200, 100, 0]), &FACE)
                .unwrap();
            let found = pixel(&changed, place.0, place.1);
            assert_eq!(found, expect, "{condition:?} at {place:?}");
        };
        check(Condition::Dark, (5, 5), [50, 25, 0]);
        check(Condition::Bright, (5, 5), [255, 220, 0]);
        // 0.299 · 200 + 0.587 · 100
        check(Condition::Grey, (5, 5), [119; 3]);
        check(Condition::Blurred, (0, 149), [200, 100, 0]);
        // Left of the face, in its middle (half way from 1 to 0.15), right of it.
        check(Condition::SideLit, (10, 70), [200, 100, 0]);
        check(Condition::SideLit, (80, 70), [115, 58, 0]);
        check(Condition::SideLit, (150, 70), [30, 15, 0]);
        // On the face, and in the corner that the light comes from.
        check(Condition::Backlit, (80, 70), [66, 41, 16]);
        check(Condition::Backlit, (199, 0), [244, 224, 204]);
    }

    #[test]
    fn a_person_has_a_head_and_shoulders_and_goes_down_to_the_floor() {
        let check = |x: f32, y: f32, expect: f32| {
            assert!(
                (outline(x, y) - expect).abs() < 1e-5,
                "{x} {y}: {}",
                outline(x, y)
            );
        };
        check(0.0, 0.0, 1.0);
        check(0.74, 0.0, 1.0);
        // An eighth beyond the head: half way over the edge.
        check(0.75 * 1.125, 0.0, 0.5);
        check(0.0, -1.125, 0.5);
        check(1.0, 0.0, 0.0);
        check(-1.5, 2.6, 1.0);
        check(1.6 * 1.125, 50.0, 0.5);
        check(2.1, 50.0, 0.0);
    }

    #[test]
    fn a_small_face_is_32_pixels_wide_and_never_enlarged() {
        let check = |face_px: f32, expect: (u32, u32)| {
            let face = Rect {
                width: face_px,
                ..FACE
            };
            let small = Condition::Small
                .apply(&even(200, 150, [9; 3]), &face)
                .unwrap();
            assert_eq!((small.width(), small.height()), expect, "{face_px} px");
        };
        check(80.0, (80, 60));
        check(64.0, (100, 75));
        check(32.0, (200, 150));
        check(20.0, (200, 150));
        check(8000.0, (1, 1));
    }

    #[test]
    fn the_blur_is_a_gaussian_of_the_stated_width() {
        let mut dots = even(61, 61, [0; 3]);
        let middle = (30 * 61 + 30) * 3;
        dots.rgb_mut()[middle..middle + 3].fill(255);
        let spread = Condition::Blurred.apply(&dots, &FACE).unwrap();
        // A single white pixel is too faint after σ 3: 255 / (2 π 9) = 4.5 at its middle.
        assert!((4..=5).contains(&pixel(&spread, 30, 30)[0]));
        // An edge tells the width: at one σ beside it, the normal distribution's 84.1 %.
        let mut edge = even(61, 61, [0; 3]);
        for (at, value) in edge.rgb_mut().iter_mut().enumerate() {
            *value = if at / 3 % 61 < 30 { 0 } else { 255 };
        }
        for face_px in [80.0, 160.0] {
            let sigma = 3.0 * face_px / 80.0;
            let face = Rect {
                width: face_px,
                ..FACE
            };
            let soft = Condition::Blurred.apply(&edge, &face).unwrap();
            // The edge lies between 29 and 30.
            let place = 29.5 + sigma;
            let (left, right) = (place.floor() as usize, place.ceil() as usize);
            let found = [left, right].map(|x| f32::from(pixel(&soft, x, 30)[1]));
            let found = (found[0] + found[1]) / 2.0 / 255.0;
            assert!((found - 0.841).abs() < 0.01, "{face_px}: {found}");
        }
    }

    #[test]
    fn weights_of_the_blur_sum_to_one() {
        for sigma in [0.0, 0.4, 3.0, 24.0] {
            let weights = gaussian(sigma);
            let sum = 2.0 * weights.iter().sum::<f32>() - weights[0];
            assert!((sum - 1.0).abs() < 1e-5, "σ {sigma}: {sum}");
        }
    }

    #[test]
    fn any_face_and_any_picture_will_do() {
        let faces = [
            Rect::default(),
            Rect {
                x: -50.0,
                y: 900.0,
                width: 3.0,
                height: 1.0,
            },
        ];
        for (face, condition) in faces.iter().flat_map(|f| Condition::ALL.map(|c| (f, c))) {
            let changed = condition.apply(&even(1, 2, [7; 3]), face).unwrap();
            assert!(!changed.rgb().is_empty(), "{condition:?}");
        }
        let names: std::collections::BTreeSet<_> = Condition::ALL.map(Condition::name).into();
        assert_eq!(names.len(), Condition::ALL.len());
    }
}
