//! Alignment: the face turned, scaled and shifted so that its five points lie where the comparer's
//! training data had them.
//!
//! Never mirrors and never shears: only a similarity keeps a face's proportions.

use imaging::{Picture, SizeError};

use crate::geometry::{Landmarks, Point};

/// Side of an aligned face in pixels.
pub const ALIGNED_SIDE_PX: u32 = 112;

/// Where the five points lie in an aligned face, in the order of [`Landmarks`]: the template of
/// ArcFace (Deng et al., 2019), which SFace was trained on and `cv::FaceRecognizerSF` uses.
pub const ALIGNED_POINTS: Landmarks = Landmarks {
    points: [
        Point {
            x: 38.2946,
            y: 51.6963,
        },
        Point {
            x: 73.5318,
            y: 51.5014,
        },
        Point {
            x: 56.0252,
            y: 71.7366,
        },
        Point {
            x: 41.5493,
            y: 92.3655,
        },
        Point {
            x: 70.7299,
            y: 92.2041,
        },
    ],
};

/// Least spread of the five points, as the root of their mean squared distance from their middle,
/// in pixels. Below it they say nothing about how the face is turned.
const SPREAD_PX_MIN: f64 = 0.5;

/// Furthest that a point may lie from the picture's corner in pixels; detectors place points a
/// little outside the picture, never this far.
const COORDINATE_PX_MAX: f32 = 65_536.0;

/// Why a face cannot be aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AlignError {
    /// The points are not finite, far outside any picture, or all in one place.
    #[error("the five points of the face have no direction; the frame is passed over")]
    Degenerate,
    /// The aligned picture could not be made.
    #[error("the aligned face cannot be made")]
    Size(#[source] SizeError),
}

/// A similarity transform: x′ = a·x − b·y + x₀, y′ = b·x + a·y + y₀, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// Scale times the cosine of the rotation.
    pub a: f64,
    /// Scale times the sine of the rotation (clockwise on the screen, as y grows downwards).
    pub b: f64,
    /// Shift to the right.
    pub x0: f64,
    /// Shift downwards.
    pub y0: f64,
}

impl Similarity {
    /// The transform that brings the points closest to [`ALIGNED_POINTS`] in the sense of least
    /// squares.
    ///
    /// Umeyama (1991) solves this by an SVD for any dimension. In the plane, points are complex
    /// numbers and a similarity is w = c·z + t, so with centred points c = Σ z̄·w ∕ Σ |z|² is the
    /// same minimum in closed form; a reflection cannot come out of it.
    ///
    /// # Errors
    /// [`AlignError::Degenerate`].
    pub fn to_aligned(landmarks: &Landmarks) -> Result<Self, AlignError> {
        let usable = |p: &Point| p.x.abs() <= COORDINATE_PX_MAX && p.y.abs() <= COORDINATE_PX_MAX;
        if !landmarks.points.iter().all(usable) {
            return Err(AlignError::Degenerate);
        }
        let (from_x, from_y) = middle(landmarks);
        let (to_x, to_y) = middle(&ALIGNED_POINTS);
        let (mut real, mut imaginary, mut spread) = (0.0, 0.0, 0.0);
        for (from, to) in landmarks.points.iter().zip(&ALIGNED_POINTS.points) {
            let (x, y) = (f64::from(from.x) - from_x, f64::from(from.y) - from_y);
            let (u, v) = (f64::from(to.x) - to_x, f64::from(to.y) - to_y);
            real += x * u + y * v;
            imaginary += x * v - y * u;
            spread += x * x + y * y;
        }
        let count = landmarks.points.len() as f64;
        if (spread / count).sqrt() < SPREAD_PX_MIN {
            return Err(AlignError::Degenerate);
        }
        let (a, b) = (real / spread, imaginary / spread);
        if a.hypot(b) < f64::EPSILON {
            return Err(AlignError::Degenerate);
        }
        Ok(Self {
            a,
            b,
            x0: to_x - a * from_x + b * from_y,
            y0: to_y - b * from_x - a * from_y,
        })
    }

    /// Where a point goes.
    #[must_use]
    pub fn apply(&self, point: Point) -> Point {
        let (x, y) = (f64::from(point.x), f64::from(point.y));
        Point {
            x: (self.a * x - self.b * y + self.x0) as f32,
            y: (self.b * x + self.a * y + self.y0) as f32,
        }
    }

    /// The transform back. Its scale is finite since a similarity of ours never shrinks to nothing.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let norm = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / norm, -self.b / norm);
        Self {
            a,
            b,
            x0: b * self.y0 - a * self.x0,
            y0: -b * self.x0 - a * self.y0,
        }
    }

    /// How many pixels of the aligned face one pixel of the picture becomes.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.a.hypot(self.b)
    }
}

fn middle(landmarks: &Landmarks) -> (f64, f64) {
    let count = landmarks.points.len() as f64;
    let sum = landmarks.points.iter().fold((0.0, 0.0), |(x, y), point| {
        (x + f64::from(point.x), y + f64::from(point.y))
    });
    (sum.0 / count, sum.1 / count)
}

/// Cuts the face out of `picture` into `into`, which becomes [`ALIGNED_SIDE_PX`] on each side and
/// keeps its memory.
///
/// As `cv::FaceRecognizerSF::alignCrop`: each pixel is interpolated bilinearly between the four
/// around its source, and what lies outside the picture is black. A face much larger than the
/// target is therefore sampled and not averaged, exactly as the comparer's reference does it.
///
/// # Errors
/// [`AlignError::Degenerate`] when the points have no direction.
pub fn align(
    picture: &Picture,
    landmarks: &Landmarks,
    into: &mut Picture,
) -> Result<(), AlignError> {
    let back = Similarity::to_aligned(landmarks)?.inverse();
    into.reshape(ALIGNED_SIDE_PX, ALIGNED_SIDE_PX)
        .map_err(AlignError::Size)?;
    let source = Source::of(picture);
    let inside = source.holds_square(&back);
    let row_bytes = ALIGNED_SIDE_PX as usize * 3;
    for (y, row) in into.rgb_mut().chunks_exact_mut(row_bytes).enumerate() {
        let mut at = FixedPoint::start(&back, y);
        let (pixels, _) = row.as_chunks_mut::<3>();
        for pixel in pixels {
            *pixel = if inside {
                source.between_inside(at)
            } else {
                source.between(at)
            };
            at.step();
        }
    }
    Ok(())
}

/// Bits of a source coordinate's fraction while stepping: the error over a row stays far below the
/// weights' own resolution.
const STEP_BITS: u32 = 32;

/// Bits of the two interpolation weights: 1/2048 of a pixel.
const WEIGHT_BITS: u32 = 11;

/// A source position in fixed point, and how it moves from one target pixel to the next.
#[derive(Clone, Copy)]
struct FixedPoint {
    x: i64,
    y: i64,
    step_x: i64,
    step_y: i64,
}

impl FixedPoint {
    fn start(back: &Similarity, row: usize) -> Self {
        let fixed = |value: f64| (value * (1_u64 << STEP_BITS) as f64).round() as i64;
        let row = row as f64;
        // Half a weight is added so that taking the upper bits below rounds.
        let half = 1 << (STEP_BITS - WEIGHT_BITS - 1);
        Self {
            x: fixed(back.x0 - back.b * row) + half,
            y: fixed(back.y0 + back.a * row) + half,
            step_x: fixed(back.a),
            step_y: fixed(back.b),
        }
    }

    fn step(&mut self) {
        self.x += self.step_x;
        self.y += self.step_y;
    }

    /// Whole pixel and weight of the next one, of one coordinate.
    fn split(value: i64) -> (i64, u32) {
        let fraction = (value >> (STEP_BITS - WEIGHT_BITS)) & ((1 << WEIGHT_BITS) - 1);
        (value >> STEP_BITS, fraction as u32)
    }
}

/// The picture that is sampled.
struct Source<'a> {
    rgb: &'a [u8],
    width: i64,
    height: i64,
}

impl<'a> Source<'a> {
    fn of(picture: &'a Picture) -> Self {
        Self {
            rgb: picture.rgb(),
            width: i64::from(picture.width()),
            height: i64::from(picture.height()),
        }
    }

    /// Whether all four neighbours of every source position lie in the picture: its corners tell,
    /// since a similarity keeps a square convex.
    fn holds_square(&self, back: &Similarity) -> bool {
        let far = (ALIGNED_SIDE_PX - 1) as f32;
        [(0.0, 0.0), (far, 0.0), (0.0, far), (far, far)]
            .into_iter()
            .all(|(x, y)| {
                let corner = back.apply(Point { x, y });
                corner.x >= 1.0
                    && corner.y >= 1.0
                    && corner.x <= (self.width - 3) as f32
                    && corner.y <= (self.height - 3) as f32
            })
    }

    fn between_inside(&self, at: FixedPoint) -> [u8; 3] {
        let (x, right) = FixedPoint::split(at.x);
        let (y, below) = FixedPoint::split(at.y);
        let start = ((y * self.width + x) * 3) as usize;
        let under = start + self.width as usize * 3;
        match (
            self.rgb.get(start..).and_then(<[u8]>::first_chunk::<6>),
            self.rgb.get(under..).and_then(<[u8]>::first_chunk::<6>),
        ) {
            (Some(above), Some(under)) => mix(above, under, right, below),
            _ => self.between(at),
        }
    }

    fn between(&self, at: FixedPoint) -> [u8; 3] {
        let (x, right) = FixedPoint::split(at.x);
        let (y, below) = FixedPoint::split(at.y);
        let row = |y: i64| {
            let [r, g, b] = self.pixel_or_black(x, y);
            let [s, h, c] = self.pixel_or_black(x + 1, y);
            [r, g, b, s, h, c]
        };
        mix(&row(y), &row(y + 1), right, below)
    }

    fn pixel_or_black(&self, x: i64, y: i64) -> [u8; 3] {
        if (0..self.width).contains(&x) && (0..self.height).contains(&y) {
            let start = ((y * self.width + x) * 3) as usize;
            [self.rgb[start], self.rgb[start + 1], self.rgb[start + 2]]
        } else {
            [0; 3]
        }
    }
}

/// Bilinear interpolation between two pixels above and two below.
fn mix(above: &[u8; 6], under: &[u8; 6], right: u32, below: u32) -> [u8; 3] {
    const ONE: u32 = 1 << WEIGHT_BITS;
    const HALF: u32 = 1 << (2 * WEIGHT_BITS - 1);
    let weights = [
        (ONE - right) * (ONE - below),
        right * (ONE - below),
        (ONE - right) * below,
        right * below,
    ];
    std::array::from_fn(|channel| {
        let sum = u32::from(above[channel]) * weights[0]
            + u32::from(above[channel + 3]) * weights[1]
            + u32::from(under[channel]) * weights[2]
            + u32::from(under[channel + 3]) * weights[3];
        ((sum + HALF) >> (2 * WEIGHT_BITS)) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The aligned points as they would lie in a picture that `to_picture` maps them into.
    fn landmarks_of(to_picture: &Similarity) -> Landmarks {
        Landmarks {
            points: ALIGNED_POINTS.points.map(|point| to_picture.apply(point)),
        }
    }

    fn turned(scale: f64, degrees: f64, x0: f64, y0: f64) -> Similarity {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        Similarity {
            a: scale * cosine,
            b: scale * sine,
            x0,
            y0,
        }
    }

    /// A picture whose colours are linear in the place, so that interpolation is exact.
    fn slope(width: u32, height: u32) -> Picture {
        let pixels = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, (x / 2 + y / 2) as u8]))
            .collect();
        Picture::from_rgb(width, height, pixels).unwrap()
    }

    proptest! {
        #[test]
        fn any_similarity_is_found_again(
            scale in 0.1_f64..8.0, degrees in -180.0_f64..180.0,
            x0 in -500.0_f64..2000.0, y0 in -500.0_f64..2000.0,
        ) {
            let to_picture = turned(scale, degrees, x0, y0);
            let found = Similarity::to_aligned(&landmarks_of(&to_picture)).unwrap();
            let landmarks = landmarks_of(&to_picture);
            for (point, expect) in landmarks.points.iter().zip(ALIGNED_POINTS.points) {
                let back = found.apply(*point);
                prop_assert!((back.x - expect.x).abs() < 0.02 && (back.y - expect.y).abs() < 0.02);
            }
            prop_assert!((found.scale() * scale - 1.0).abs() < 1e-3);
        }

        /// Points that fit no similarity exactly: no small change of the result fits better.
        #[test]
        fn the_transform_is_the_least_squares_one(
            offsets in prop::array::uniform10(-15.0_f32..15.0),
            change in prop::array::uniform4(-1.0_f64..1.0),
        ) {
            let mut landmarks = ALIGNED_POINTS;
            for (point, offset) in landmarks.points.iter_mut().zip(offsets.chunks(2)) {
                point.x += offset[0];
                point.y += offset[1];
            }
            let error = |transform: &Similarity| -> f64 {
                let pairs = landmarks.points.iter().zip(ALIGNED_POINTS.points);
                pairs.map(|(from, to)| {
                    let at = transform.apply(*from);
                    f64::from(at.x - to.x).powi(2) + f64::from(at.y - to.y).powi(2)
                }).sum()
            };
            let best = Similarity::to_aligned(&landmarks).unwrap();
            let other = Similarity {
                a: best.a + change[0] * 0.05,
                b: best.b + change[1] * 0.05,
                x0: best.x0 + change[2],
                y0: best.y0 + change[3],
            };
            prop_assert!(error(&best) <= error(&other) + 1e-3);
        }

        #[test]
        fn whatever_the_points_nothing_panics(
            numbers in prop::array::uniform10(prop_oneof![
                -200.0_f32..400.0, any::<f32>(), Just(f32::NAN), Just(f32::INFINITY),
            ]),
            width in 1_u32..70, height in 1_u32..70,
        ) {
            let mut landmarks = Landmarks::default();
            for (point, pair) in landmarks.points.iter_mut().zip(numbers.chunks(2)) {
                *point = Point { x: pair[0], y: pair[1] };
            }
            let mut into = Picture::new(1, 1).unwrap();
            if align(&slope(width, height), &landmarks, &mut into).is_ok() {
                prop_assert_eq!((into.width(), into.height()), (112, 112));
            }
        }
    }

    #[test]
    fn pixels_come_from_where_the_transform_says() {
        let picture = slope(200, 200);
        let check = |to_picture: Similarity| {
            let mut aligned = Picture::new(1, 1).unwrap();
            align(&picture, &landmarks_of(&to_picture), &mut aligned).unwrap();
            for (at, pixel) in aligned.rgb().chunks_exact(3).enumerate() {
                let place = to_picture.apply(Point {
                    x: (at % 112) as f32,
                    y: (at / 112) as f32,
                });
                let inside = (0.0..199.0).contains(&place.x) && (0.0..199.0).contains(&place.y);
                if inside {
                    let off = (f32::from(pixel[0]) - place.x).abs();
                    assert!(off <= 0.51, "{at}: {pixel:?} from {place:?}");
                    assert!((f32::from(pixel[1]) - place.y).abs() <= 0.51, "{at}");
                } else if place.x < -1.0 || place.y < -1.0 || place.x > 200.0 || place.y > 200.0 {
                    assert_eq!(pixel, [0; 3], "{at} from {place:?}");
                }
            }
        };
        check(turned(1.0, 0.0, 30.0, 40.0));
        check(turned(1.37, 17.0, 55.5, 12.25));
        check(turned(0.4, -160.0, 120.0, 130.0));
        // Reaches beyond each edge.
        check(turned(1.5, 30.0, 90.0, -40.0));
        check(turned(2.5, 0.0, -60.0, -50.0));
    }

    #[test]
    fn points_in_one_place_are_refused() {
        let check = |x: f32, y: f32| {
            let landmarks = Landmarks {
                points: [Point { x, y }; 5],
            };
            assert_eq!(
                Similarity::to_aligned(&landmarks),
                Err(AlignError::Degenerate)
            );
        };
        check(10.0, 10.0);
        check(f32::NAN, 1.0);
        check(1e9, 1.0);
    }
}
