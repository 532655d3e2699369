//! How good a face is for comparison: size, sharpness, light and pose, each as a number of its own
//! so that a refusal can say what to do.
//!
//! Never one opaque score; never says who somebody is.

use std::f32::consts::FRAC_PI_2;
use std::fmt;

use imaging::{Picture, luma_of};

use crate::align::{ALIGNED_SIDE_PX, AlignError, align};
use crate::geometry::{Detection, Landmarks, Point};

/// What was measured on one face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Width of the face's box in pixels of the picture.
    pub face_width_px: f32,
    /// Distance of the eyes in pixels of the picture.
    pub eye_distance_px: f32,
    /// Variance of the Laplacian of the aligned face's luma over the variance of the luma itself:
    /// the share of fine detail, whatever the light. 0 is an even surface.
    pub sharpness: f32,
    /// Mean luma of the aligned face, 0 to 255.
    pub exposure: f32,
    /// Standard deviation of the aligned face's luma, 0 to 127.5.
    pub contrast: f32,
    /// Turned towards the right of the picture, in degrees; 0 looks into the camera.
    pub yaw_degrees: f32,
    /// Turned upwards, in degrees.
    pub pitch_degrees: f32,
    /// Tilted clockwise as seen in the picture, in degrees.
    pub roll_degrees: f32,
}

impl Quality {
    /// How much a frame counts when the frames of one track are fused, 0 to 1: small, blurred and
    /// turned faces count less.
    #[must_use]
    pub fn weight(&self) -> f32 {
        let share = |of: f32, full: f32| (of / full).clamp(SHARE_MIN, 1.0);
        let straight = self.yaw_degrees.to_radians().cos() * self.pitch_degrees.to_radians().cos();
        share(self.face_width_px, ALIGNED_SIDE_PX as f32)
            * share(self.sharpness, SHARPNESS_FULL)
            * share(straight, 1.0)
    }
}

/// Sharpness from which more does not help: a 100 px face blurred by one pixel has 0.036.
const SHARPNESS_FULL: f32 = 0.04;

/// Least that one fault alone leaves of a frame's weight.
const SHARE_MIN: f32 = 0.25;

/// What is the matter with a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum QualityDefect {
    /// The face is too small.
    Small {
        /// Its width in pixels.
        width_px: f32,
        /// The least width in pixels.
        width_px_min: f32,
    },
    /// The face is blurred.
    Blurred {
        /// Its sharpness.
        sharpness: f32,
        /// The least sharpness.
        sharpness_min: f32,
    },
    /// Too little light on the face.
    Dark {
        /// Mean luma.
        exposure: f32,
        /// The least mean luma.
        exposure_min: f32,
    },
    /// Too much light on the face.
    Bright {
        /// Mean luma.
        exposure: f32,
        /// The largest mean luma.
        exposure_max: f32,
    },
    /// Hardly any difference between light and dark.
    Flat {
        /// Standard deviation of the luma.
        contrast: f32,
        /// The least standard deviation.
        contrast_min: f32,
    },
    /// Looks aside, up or down.
    TurnedAway {
        /// Angle to the side in degrees.
        yaw_degrees: f32,
        /// Angle upwards in degrees.
        pitch_degrees: f32,
        /// The largest angle to the side in degrees.
        yaw_degrees_max: f32,
        /// The largest angle up or down in degrees.
        pitch_degrees_max: f32,
    },
}

impl fmt::Display for QualityDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Small {
                width_px,
                width_px_min,
            } => write!(
                f,
                "the face is {width_px:.0} px wide, at least {width_px_min:.0} are needed"
            ),
            Self::Blurred {
                sharpness,
                sharpness_min,
            } => write!(
                f,
                "the face is blurred (sharpness {sharpness:.3}, at least {sharpness_min:.3})"
            ),
            Self::Dark {
                exposure,
                exposure_min,
            } => write!(
                f,
                "the face is too dark (mean brightness {exposure:.0} of 255, at least \
                 {exposure_min:.0})"
            ),
            Self::Bright {
                exposure,
                exposure_max,
            } => write!(
                f,
                "the face is too bright (mean brightness {exposure:.0} of 255, at most \
                 {exposure_max:.0})"
            ),
            Self::Flat {
                contrast,
                contrast_min,
            } => write!(
                f,
                "the face has too little contrast ({contrast:.0}, at least {contrast_min:.0})"
            ),
            Self::TurnedAway {
                yaw_degrees,
                pitch_degrees,
                yaw_degrees_max,
                pitch_degrees_max,
            } => write!(
                f,
                "the face is turned away ({yaw_degrees:.0}° aside, {pitch_degrees:.0}° up; at \
                 most {yaw_degrees_max:.0}° and {pitch_degrees_max:.0}°)"
            ),
        }
    }
}

/// What a face must come up to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityLimits {
    /// Least width of the face's box in pixels.
    pub face_width_px_min: f32,
    /// Least sharpness.
    pub sharpness_min: f32,
    /// Least mean luma.
    pub exposure_min: f32,
    /// Largest mean luma.
    pub exposure_max: f32,
    /// Least standard deviation of the luma.
    pub contrast_min: f32,
    /// Largest angle to either side in degrees.
    pub yaw_degrees_max: f32,
    /// Largest angle up or down in degrees.
    pub pitch_degrees_max: f32,
}

impl QualityLimits {
    /// What a frame at the door must come up to before it counts. Of 100 px wide faces blurred by
    /// σ = 3 px, whose templates still come to 0.78 of the sharp ones', most pass this sharpness;
    /// of those blurred by σ = 4 px (0.64), half do. The light is judged so that pictures at a
    /// quarter of their brightness pass, since they are still recognised.
    pub const DOOR: Self = Self {
        face_width_px_min: 40.0,
        sharpness_min: 0.0035,
        exposure_min: 10.0,
        exposure_max: 235.0,
        contrast_min: 5.0,
        yaw_degrees_max: 45.0,
        pitch_degrees_max: 35.0,
    };

    /// What a portrait must come up to before a reference is made of it: it will be compared with
    /// for months. Its sharpness refuses faces blurred as by σ = 2 px or more. The least exposure
    /// is low on purpose: mean luma is the skin's as well as the light's, and 13 of 613 public
    /// photographs lie between 25 and 40. Of these photographs 3 % are refused, nearly all as
    /// turned away.
    pub const PORTRAIT: Self = Self {
        face_width_px_min: 64.0,
        sharpness_min: 0.008,
        exposure_min: 25.0,
        exposure_max: 230.0,
        contrast_min: 10.0,
        yaw_degrees_max: 35.0,
        pitch_degrees_max: 30.0,
    };

    /// What a portrait is advised to come up to: better than [`Self::PORTRAIT`], below which none
    /// is taken. From 112 pixels on the face is not enlarged to be compared; the other numbers lie
    /// between what is refused and what most public photographs have.
    pub const GOOD_PORTRAIT: Self = Self {
        face_width_px_min: ALIGNED_SIDE_PX as f32,
        sharpness_min: 0.012,
        exposure_min: 40.0,
        exposure_max: 215.0,
        contrast_min: 15.0,
        yaw_degrees_max: 20.0,
        pitch_degrees_max: 20.0,
    };

    /// Holds a face against the limits.
    ///
    /// # Errors
    /// All defects, the one to mend first at the head.
    pub fn check(&self, quality: &Quality) -> Result<(), Vec<QualityDefect>> {
        let found: Vec<QualityDefect> = self.defects(quality).into_iter().flatten().collect();
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Whether a face comes up to the limits; allocates nothing.
    #[must_use]
    pub fn admit(&self, quality: &Quality) -> bool {
        self.defects(quality).iter().all(Option::is_none)
    }

    /// A number that is none (NaN) fails, so every comparison asks for what is good.
    fn defects(&self, quality: &Quality) -> [Option<QualityDefect>; 6] {
        let turned = quality.yaw_degrees.abs() <= self.yaw_degrees_max
            && quality.pitch_degrees.abs() <= self.pitch_degrees_max;
        let unless = |good: bool, defect: QualityDefect| (!good).then_some(defect);
        [
            unless(
                quality.face_width_px >= self.face_width_px_min,
                QualityDefect::Small {
                    width_px: quality.face_width_px,
                    width_px_min: self.face_width_px_min,
                },
            ),
            unless(
                quality.exposure >= self.exposure_min,
                QualityDefect::Dark {
                    exposure: quality.exposure,
                    exposure_min: self.exposure_min,
                },
            ),
            unless(
                quality.exposure <= self.exposure_max,
                QualityDefect::Bright {
                    exposure: quality.exposure,
                    exposure_max: self.exposure_max,
                },
            ),
            unless(
                turned,
                QualityDefect::TurnedAway {
                    yaw_degrees: quality.yaw_degrees,
                    pitch_degrees: quality.pitch_degrees,
                    yaw_degrees_max: self.yaw_degrees_max,
                    pitch_degrees_max: self.pitch_degrees_max,
                },
            ),
            unless(
                quality.sharpness >= self.sharpness_min,
                QualityDefect::Blurred {
                    sharpness: quality.sharpness,
                    sharpness_min: self.sharpness_min,
                },
            ),
            unless(
                quality.contrast >= self.contrast_min,
                QualityDefect::Flat {
                    contrast: quality.contrast,
                    contrast_min: self.contrast_min,
                },
            ),
        ]
    }
}

/// Measures a face in its picture; aligns it first, into memory of its own. At the door
/// [`assess_aligned`] saves that.
///
/// # Errors
/// [`AlignError`] when the five points have no direction.
pub fn assess(picture: &Picture, detection: &Detection) -> Result<Quality, AlignError> {
    let mut aligned = Picture::new(ALIGNED_SIDE_PX, ALIGNED_SIDE_PX).map_err(AlignError::Size)?;
    align(picture, &detection.landmarks, &mut aligned)?;
    Ok(assess_aligned(&aligned, detection))
}

/// Measures a face that has been aligned already; `detection` is the one that it was cut out by.
/// Allocates nothing.
#[must_use]
pub fn assess_aligned(aligned: &Picture, detection: &Detection) -> Quality {
    let light = Light::of(aligned);
    let pose = Pose::of(&detection.landmarks);
    Quality {
        face_width_px: detection.bounds.width,
        eye_distance_px: pose.eye_distance_px,
        sharpness: light.sharpness,
        exposure: light.mean,
        contrast: light.deviation,
        yaw_degrees: pose.yaw_degrees,
        pitch_degrees: pose.pitch_degrees,
        roll_degrees: pose.roll_degrees,
    }
}

/// What the luma of the middle of an aligned face says.
struct Light {
    mean: f32,
    deviation: f32,
    sharpness: f32,
}

/// The part of an aligned face that is looked at: brows to chin, cheek to cheek. Hair and
/// background, which say nothing about the face, stay out.
const INNER_X: std::ops::Range<usize> = 20..92;
const INNER_Y: std::ops::Range<usize> = 28..108;
const INNER_WIDTH: usize = INNER_X.end - INNER_X.start;

/// Luma variance that is added to the denominator of sharpness, so that sensor noise on a nearly
/// even surface is not taken for detail.
const VARIANCE_FLOOR: f32 = 16.0;

impl Light {
    fn of(aligned: &Picture) -> Self {
        let mut rows = [[0_i32; INNER_WIDTH]; 3];
        let (mut sum, mut squares, mut count) = (0_i64, 0_i64, 0_i64);
        let (mut edges, mut edge_squares, mut edge_count) = (0_i64, 0_i64, 0_i64);
        for (index, y) in INNER_Y.enumerate() {
            let Some(newest) = luma_row(aligned, y) else {
                break;
            };
            let (row_sum, row_squares) = totals(&newest);
            sum += row_sum;
            squares += row_squares;
            count += INNER_WIDTH as i64;
            rows.rotate_left(1);
            rows[2] = newest;
            if index >= 2 {
                let laplacian = laplacian(&rows);
                let (row_sum, row_squares) = totals(&laplacian);
                edges += row_sum;
                edge_squares += row_squares;
                edge_count += INNER_WIDTH as i64 - 2;
            }
        }
        let (mean, variance) = moments(sum, squares, count);
        let (_, edge_variance) = moments(edges, edge_squares, edge_count);
        Self {
            mean,
            deviation: variance.sqrt(),
            sharpness: edge_variance / (variance + VARIANCE_FLOOR),
        }
    }
}

/// The luma of one row's inner part; `None` where the picture is smaller than an aligned face.
fn luma_row(aligned: &Picture, y: usize) -> Option<[i32; INNER_WIDTH]> {
    let start = (y * aligned.width() as usize + INNER_X.start) * 3;
    let bytes = aligned.rgb().get(start..start + INNER_WIDTH * 3)?;
    let (pixels, _) = bytes.as_chunks::<3>();
    let mut row = [0; INNER_WIDTH];
    for (luma, &[red, green, blue]) in row.iter_mut().zip(pixels) {
        *luma = i32::from(luma_of(red, green, blue));
    }
    Some(row)
}

/// The four-neighbour Laplacian of the middle one of three rows; 0 at its two ends.
fn laplacian(rows: &[[i32; INNER_WIDTH]; 3]) -> [i32; INNER_WIDTH] {
    let mut edges = [0; INNER_WIDTH];
    for x in 1..INNER_WIDTH - 1 {
        edges[x] = rows[0][x] + rows[2][x] + rows[1][x - 1] + rows[1][x + 1] - 4 * rows[1][x];
    }
    edges
}

/// Sum and sum of squares; 72 squares of at most 1020² stay within 32 bits.
fn totals(row: &[i32; INNER_WIDTH]) -> (i64, i64) {
    let sum: i32 = row.iter().sum();
    let squares: i32 = row.iter().map(|value| value * value).sum();
    (i64::from(sum), i64::from(squares))
}

fn moments(sum: i64, squares: i64, count: i64) -> (f32, f32) {
    if count == 0 {
        return (0.0, 0.0);
    }
    let mean = sum as f64 / count as f64;
    let variance = (squares as f64 / count as f64 - mean * mean).max(0.0);
    (mean as f32, variance as f32)
}

/// How far the tip of the nose lies before the plane of eyes and mouth, in eye distances. The
/// generic head used for pose by OpenCV's own examples has 0.43, anthropometric means 0.5 to 0.6;
/// the middle is taken, so angles are right to within a fifth, which a limit does not feel.
const NOSE_DEPTH: f32 = 0.5;

/// A head's pose, seen from afar (so that perspective does not matter), from five points.
struct Pose {
    eye_distance_px: f32,
    yaw_degrees: f32,
    pitch_degrees: f32,
    roll_degrees: f32,
}

impl Pose {
    /// After turning the face upright, let the eyes be e apart, the mouth m below them and the nose
    /// tip n below and d before that plane, when seen straight. Turned by ψ to the side, the eyes
    /// seem e·cos ψ apart and the nose tip moves by d·sin ψ: its offset over the eyes' distance is
    /// (d ∕ e)·tan ψ. Turned up by θ, the mouth seems m·cos θ below the eyes and the nose tip
    /// n·cos θ − d·sin θ: their ratio is n ∕ m − (d ∕ m)·tan θ. Both are solved for the angle, with
    /// d ∕ e, n ∕ m and m ∕ e the constants below.
    fn of(landmarks: &Landmarks) -> Self {
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = landmarks.points;
        let across = minus(left_eye, right_eye);
        let eye_distance_px = across.x.hypot(across.y);
        let roll = across.y.atan2(across.x);
        let eyes = halfway(right_eye, left_eye);
        let upright = |point: Point| {
            let from_eyes = minus(point, eyes);
            Point {
                x: from_eyes.x * roll.cos() + from_eyes.y * roll.sin(),
                y: from_eyes.y * roll.cos() - from_eyes.x * roll.sin(),
            }
        };
        let nose = upright(nose);
        let mouth = upright(halfway(right_mouth, left_mouth));
        let (yaw, pitch) = if mouth.y > 0.0 {
            let ratio = nose.y / mouth.y;
            // Measured from the line between eyes and mouth, not from the vertical: a small error
            // in the eyes' heights then does not pass for a turn.
            let aside = (nose.x - mouth.x * ratio) / eye_distance_px;
            let up = ((NOSE_OVER_MOUTH - ratio) * MOUTH_OVER_EYES / NOSE_DEPTH).atan();
            ((aside / NOSE_DEPTH).atan(), up)
        } else {
            // The mouth above the eyes: nothing that looks into the camera.
            (FRAC_PI_2, FRAC_PI_2)
        };
        Self {
            eye_distance_px,
            yaw_degrees: yaw.to_degrees(),
            pitch_degrees: pitch.to_degrees(),
            roll_degrees: roll.to_degrees(),
        }
    }
}

/// How far the tip of the nose lies below the eyes, as a share of the mouth's distance, in a face
/// that looks straight into the camera: the median over some 400 photographs of people who nearly
/// do, with the detector's own points.
const NOSE_OVER_MOUTH: f32 = 0.564;

/// How far the mouth lies below the eyes then, in distances of the eyes; of the same photographs.
const MOUTH_OVER_EYES: f32 = 0.98;

fn minus(one: Point, other: Point) -> Point {
    Point {
        x: one.x - other.x,
        y: one.y - other.y,
    }
}

fn halfway(one: Point, other: Point) -> Point {
    Point {
        x: (one.x + other.x) / 2.0,
        y: (one.y + other.y) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::ALIGNED_POINTS;
    use crate::geometry::Rect;

    /// A head in space, seen from afar: right and left eye, nose tip, corners of the mouth, with
    /// the proportions of the constants above; x right, y down, z towards the camera.
    fn head_turned(yaw: f32, pitch: f32, roll: f32) -> Landmarks {
        let (e, m) = (100.0, 100.0 * MOUTH_OVER_EYES);
        let head = [
            [-e / 2.0, 0.0, 0.0],
            [e / 2.0, 0.0, 0.0],
            [0.0, m * NOSE_OVER_MOUTH, e * NOSE_DEPTH],
            [-e * 0.4, m, 0.0],
            [e * 0.4, m, 0.0],
        ];
        let [yaw, pitch, roll] = [yaw, pitch, roll].map(f32::to_radians);
        let points = head.map(|[x, y, z]| {
            let (x, z) = (x * yaw.cos() + z * yaw.sin(), z * yaw.cos() - x * yaw.sin());
            let y = y * pitch.cos() - z * pitch.sin();
            Point {
                x: 300.0 + x * roll.cos() - y * roll.sin(),
                y: 200.0 + x * roll.sin() + y * roll.cos(),
            }
        });
        Landmarks { points }
    }

    #[test]
    fn a_turned_head_gives_its_angles() {
        let check = |yaw: f32, pitch: f32, roll: f32| {
            let pose = Pose::of(&head_turned(yaw, pitch, roll));
            let found = [pose.yaw_degrees, pose.pitch_degrees, pose.roll_degrees];
            for (found, expect) in found.iter().zip([yaw, pitch, roll]) {
                assert!((found - expect).abs() < 0.2, "{found} is not {expect}");
            }
        };
        for angle in [-40.0, -15.0, 0.0, 15.0, 40.0] {
            check(angle, 0.0, 0.0);
            check(0.0, angle, 0.0);
            check(0.0, 0.0, angle);
            check(angle, 0.0, 25.0);
            check(0.0, angle, -25.0);
        }
    }

    #[test]
    fn turned_both_ways_keeps_the_signs() {
        let pose = Pose::of(&head_turned(25.0, 15.0, 5.0));
        assert!(
            (pose.yaw_degrees - 25.0).abs() < 5.0,
            "{}",
            pose.yaw_degrees
        );
        assert!(
            (pose.pitch_degrees - 15.0).abs() < 5.0,
            "{}",
            pose.pitch_degrees
        );
    }

    #[test]
    fn points_without_a_face_never_pass() {
        let quality = |landmarks| {
            let aligned = checkers(8, 0, 255);
            assess_aligned(&aligned, &detection(200.0, landmarks))
        };
        for landmarks in [
            Landmarks::default(),
            Landmarks {
                points: [Point {
                    x: f32::NAN,
                    y: 0.0,
                }; 5],
            },
            head_turned(0.0, 0.0, 0.0).scaled(-1.0),
        ] {
            let measured = quality(landmarks);
            let upside_down = measured.roll_degrees.abs() > 90.0;
            assert!(
                !QualityLimits::DOOR.admit(&measured) || upside_down,
                "{measured:?}"
            );
        }
    }

    fn detection(width: f32, landmarks: Landmarks) -> Detection {
        Detection {
            bounds: Rect {
                x: 0.0,
                y: 0.0,
                width,
                height: width * 1.3,
            },
            landmarks,
            score: 0.95,
        }
    }

    /// An aligned face's size of squares, `side` pixels wide, of two shades.
    fn checkers(side: u32, dark: u8, light: u8) -> Picture {
        let mut picture = Picture::new(112, 112).unwrap();
        for (at, pixel) in picture.rgb_mut().chunks_exact_mut(3).enumerate() {
            let (x, y) = (at as u32 % 112 / side, at as u32 / 112 / side);
            pixel.fill(if (x + y) % 2 == 0 { dark } else { light });
        }
        picture
    }

    fn blurred(picture: &Picture) -> Picture {
        let small = Picture::new(28, 28).unwrap();
        let mut scaler = imaging::Scaler::new();
        let (mut small, mut back) = (small, picture.clone());
        scaler.scale_into(picture, &mut small).unwrap();
        scaler.scale_into(&small, &mut back).unwrap();
        back
    }

    #[test]
    fn sharpness_falls_with_blur_and_not_with_darkness() {
        let measure = |picture: &Picture| {
            assess_aligned(picture, &detection(112.0, ALIGNED_POINTS)).sharpness
        };
        let sharp = measure(&checkers(7, 40, 200));
        let dark = measure(&checkers(7, 10, 50));
        let soft = measure(&blurred(&checkers(7, 40, 200)));
        assert!(soft < sharp / 5.0, "{soft} of {sharp}");
        assert!((dark / sharp - 1.0).abs() < 0.2, "{dark} of {sharp}");
        assert!(measure(&checkers(7, 128, 128)) < 1e-6);
    }

    #[test]
    fn each_fault_is_named_and_a_good_face_has_none() {
        let good = Quality {
            face_width_px: 100.0,
            eye_distance_px: 45.0,
            sharpness: 0.1,
            exposure: 120.0,
            contrast: 40.0,
            yaw_degrees: 5.0,
            pitch_degrees: -5.0,
            roll_degrees: 3.0,
        };
        assert_eq!(QualityLimits::PORTRAIT.check(&good), Ok(()));
        let check = |spoil: fn(&mut Quality), expect: &str| {
            let mut bad = good;
            spoil(&mut bad);
            let found = QualityLimits::DOOR.check(&bad).unwrap_err();
            let text: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(text.len(), 1, "{text:?}");
            assert!(text[0].contains(expect), "{text:?} for {expect}");
            assert!(!QualityLimits::DOOR.admit(&bad));
        };
        check(|q| q.face_width_px = 20.0, "20 px wide");
        check(|q| q.sharpness = 0.001, "blurred");
        check(|q| q.exposure = 5.0, "too dark");
        check(|q| q.exposure = 250.0, "too bright");
        check(|q| q.contrast = 3.0, "contrast");
        check(|q| q.yaw_degrees = -60.0, "turned away");
        check(|q| q.pitch_degrees = 50.0, "turned away");
        check(|q| q.sharpness = f32::NAN, "blurred");
    }

    #[test]
    fn a_better_frame_weighs_more_and_none_weighs_nothing() {
        let of = |width: f32, sharpness: f32, yaw: f32| {
            Quality {
                face_width_px: width,
                eye_distance_px: width / 2.0,
                sharpness,
                exposure: 120.0,
                contrast: 40.0,
                yaw_degrees: yaw,
                pitch_degrees: 0.0,
                roll_degrees: 0.0,
            }
            .weight()
        };
        assert!((of(200.0, 0.3, 0.0) - 1.0).abs() < 1e-6);
        assert!(of(60.0, 0.3, 0.0) < of(100.0, 0.3, 0.0));
        assert!(of(100.0, 0.01, 0.0) < of(100.0, 0.03, 0.0));
        assert!(of(100.0, 0.1, 40.0) < of(100.0, 0.1, 5.0));
        assert!(of(0.0, 0.0, 90.0) > 0.0);
    }
}
