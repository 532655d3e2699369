//! Which portraits a reference is made of, and why the others are sent back.
//!
//! Never improves a portrait and never picks one face of several: whom it shows is for people to
//! say.

use imaging::Picture;

use crate::align::AlignError;
use crate::geometry::Detection;
use crate::quality::{Quality, QualityDefect, QualityLimits, assess};

/// What a portrait must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnrolmentRules {
    /// What its face must come up to.
    pub quality: QualityLimits,
    /// Least length of the picture's shorter side in pixels.
    pub side_px_min: u32,
    /// A further face counts when it is at least this large a share of the largest one's width:
    /// somebody tiny in the background does not make it a portrait of two.
    pub further_face_share_min: f32,
}

impl Default for EnrolmentRules {
    fn default() -> Self {
        Self {
            quality: QualityLimits::PORTRAIT,
            side_px_min: 96,
            further_face_share_min: 0.3,
        }
    }
}

/// Why no reference is made of a portrait. Each says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EnrolmentRefusal {
    /// The whole picture is too small.
    #[error(
        "the picture is {width}×{height} pixels, its shorter side needs at least {side_px_min}; \
         send a larger one"
    )]
    PictureTooSmall {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The least shorter side in pixels.
        side_px_min: u32,
    },
    /// No face found.
    #[error("no face was found; send a portrait taken from the front, without mask or sunglasses")]
    NoFace,
    /// More than one face.
    #[error("{0} faces were found; send a portrait of this person alone")]
    SeveralFaces(usize),
    /// The face is too small.
    #[error(
        "the face is {width_px} pixels wide, at least {width_px_min} are needed; send a larger \
         picture or one taken from nearer"
    )]
    TooSmall {
        /// Width of the face in pixels, rounded down.
        width_px: u32,
        /// The least width in pixels.
        width_px_min: u32,
    },
    /// The face is blurred.
    #[error("the face is blurred; send a sharp picture, in its original size")]
    Blurred,
    /// Too little light.
    #[error("the face is too dark; send a picture with light from the front")]
    TooDark,
    /// Too much light.
    #[error("the face is too bright; send a picture without glare or flash from near")]
    TooBright,
    /// Hardly any contrast.
    #[error("the face has hardly any contrast; send a picture that is not faded or behind glass")]
    TooFlat,
    /// Looks aside, up or down.
    #[error("the face is turned away; send a picture that looks straight into the camera")]
    TurnedAway,
    /// The five points make no face.
    #[error("the face's eyes, nose and mouth were not found; send a picture taken from the front")]
    NoLandmarks(#[source] AlignError),
}

/// A portrait that a reference may be made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Portrait {
    /// The face: align it as it is, plainly, as the frames at the door are.
    pub detection: Detection,
    /// Its numbers, to be kept with the reference.
    pub quality: Quality,
}

/// Judges a portrait by what the detector found in it; `detections` are in pixels of `picture`.
///
/// # Errors
/// [`EnrolmentRefusal`]: the first thing to mend.
pub fn check_portrait(
    picture: &Picture,
    detections: &[Detection],
    rules: &EnrolmentRules,
) -> Result<Portrait, EnrolmentRefusal> {
    let (width, height) = (picture.width(), picture.height());
    if width.min(height) < rules.side_px_min {
        return Err(EnrolmentRefusal::PictureTooSmall {
            width,
            height,
            side_px_min: rules.side_px_min,
        });
    }
    let by_width = |a: &&Detection, b: &&Detection| a.bounds.width.total_cmp(&b.bounds.width);
    let largest = detections
        .iter()
        .max_by(by_width)
        .ok_or(EnrolmentRefusal::NoFace)?;
    let counted = |face: &&Detection| {
        face.bounds.width >= largest.bounds.width * rules.further_face_share_min
    };
    match detections.iter().filter(counted).count() {
        0 => return Err(EnrolmentRefusal::NoFace),
        1 => {}
        several => return Err(EnrolmentRefusal::SeveralFaces(several)),
    }
    let quality = assess(picture, largest).map_err(EnrolmentRefusal::NoLandmarks)?;
    match rules.quality.check(&quality) {
        Ok(()) => Ok(Portrait {
            detection: *largest,
            quality,
        }),
        Err(defects) => Err(defects.first().map_or(EnrolmentRefusal::NoFace, refusal_of)),
    }
}

fn refusal_of(defect: &QualityDefect) -> EnrolmentRefusal {
    match defect {
        QualityDefect::Small {
            width_px,
            width_px_min,
        } => EnrolmentRefusal::TooSmall {
            width_px: *width_px as u32,
            width_px_min: width_px_min.ceil() as u32,
        },
        QualityDefect::Blurred { .. } => EnrolmentRefusal::Blurred,
        QualityDefect::Dark { .. } => EnrolmentRefusal::TooDark,
        QualityDefect::Bright { .. } => EnrolmentRefusal::TooBright,
        QualityDefect::Flat { .. } => EnrolmentRefusal::TooFlat,
        QualityDefect::TurnedAway { .. } => EnrolmentRefusal::TurnedAway,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::ALIGNED_POINTS;
    use crate::geometry::{Point, Rect};

    /// A picture with detail of every size, so that nothing in it is blurred.
    fn picture(side: u32, dim: u8) -> Picture {
        let mut picture = Picture::new(side, side).unwrap();
        for (at, pixel) in picture.rgb_mut().chunks_exact_mut(3).enumerate() {
            let noise = (at as u32).wrapping_mul(2_654_435_761) >> 24;
            pixel.fill((60 + noise / 2) as u8 / dim);
        }
        picture
    }

    /// A face that looks straight, `width` pixels wide.
    fn face(x: f32, y: f32, width: f32) -> Detection {
        let scale = width / 90.0;
        let mut landmarks = ALIGNED_POINTS.scaled(scale);
        for point in &mut landmarks.points {
            *point = Point {
                x: point.x + x,
                y: point.y + y,
            };
        }
        Detection {
            bounds: Rect {
                x,
                y,
                width,
                height: width * 1.3,
            },
            landmarks,
            score: 0.95,
        }
    }

    fn judged(side: u32, dim: u8, faces: &[Detection]) -> Result<Portrait, EnrolmentRefusal> {
        check_portrait(&picture(side, dim), faces, &EnrolmentRules::default())
    }

    #[test]
    fn a_good_portrait_keeps_its_numbers() {
        let portrait = judged(300, 1, &[face(80.0, 60.0, 120.0)]).unwrap();
        assert_eq!(portrait.detection.bounds.width, 120.0);
        assert!((portrait.quality.exposure - 124.0).abs() < 10.0);
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let check = |side, dim, faces: &[Detection], expect: &str| {
            let refusal = judged(side, dim, faces).unwrap_err().to_string();
            assert!(refusal.contains(expect), "{refusal}");
            assert!(refusal.contains("send"), "{refusal}");
        };
        check(40, 1, &[face(0.0, 0.0, 20.0)], "40×40 pixels");
        check(300, 1, &[], "no face");
        let three = [
            face(0.0, 0.0, 80.0),
            face(100.0, 0.0, 90.0),
            face(200.0, 0.0, 70.0),
        ];
        check(300, 1, &three, "3 faces");
        check(
            300,
            1,
            &[face(50.0, 50.0, 50.0)],
            "50 pixels wide, at least 64",
        );
        check(300, 8, &[face(80.0, 60.0, 120.0)], "too dark");
        let mut aside = face(80.0, 60.0, 120.0);
        aside.landmarks.points[2].x += 40.0;
        check(300, 1, &[aside], "turned away");
    }

    #[test]
    fn somebody_tiny_in_the_background_does_not_count() {
        let faces = [face(80.0, 60.0, 120.0), face(5.0, 5.0, 20.0)];
        assert!(judged(300, 1, &faces).is_ok());
    }

    #[test]
    fn even_colour_is_blurred_and_points_in_one_place_are_no_face() {
        let plain = Picture::from_rgb(300, 300, vec![120; 300 * 300 * 3]).unwrap();
        let rules = EnrolmentRules::default();
        let refusal = check_portrait(&plain, &[face(80.0, 60.0, 120.0)], &rules);
        assert_eq!(refusal, Err(EnrolmentRefusal::Blurred));
        let mut nothing = face(80.0, 60.0, 120.0);
        nothing.landmarks.points = [Point::default(); 5];
        let refusal = check_portrait(&plain, &[nothing], &rules);
        assert!(matches!(refusal, Err(EnrolmentRefusal::NoLandmarks(_))));
    }
}
