//! Which portraits a reference is made of, and why the others are sent back.
//!
//! Never improves a portrait and never picks one face of several: who it shows is for people to say.

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
