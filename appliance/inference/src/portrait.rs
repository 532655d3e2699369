//! From a portrait to a reference: its one face found, judged, aligned, and made a template. The
//! kiosk and the city's side enrol by this one way, so that a picture gives the same reference
//! wherever it is handed in. The picture is not kept, and nothing here decodes or opens a file.

use biometrics::{
    ALIGNED_SIDE_PX, AlignError, Detection, EnrolmentRefusal, EnrolmentRules, Quality, align,
    check_portrait,
};
use imaging::{Picture, ScaleError, Scaler, SizeError};
use vocabulary::Template;

use crate::{Comparer, Detector, InferenceError};

/// Longest sides of a portrait in which its face is looked for, one after the other until there is
/// one: the detector knows faces up to some 300 pixels, and a close portrait fills the picture.
const PORTRAIT_SIDES_PX: [u32; 3] = [1280, 640, 320];

/// Why a picture gives no reference.
#[derive(Debug, thiserror::Error)]
pub enum PortraitError {
    /// The picture is not a portrait.
    #[error("no reference can be made of the picture")]
    Refused(#[from] EnrolmentRefusal),
    /// A network failed.
    #[error("inference failed")]
    Inference(#[from] InferenceError),
    /// The picture could not be scaled.
    #[error("the picture could not be scaled")]
    Scale(#[from] ScaleError),
    /// The face could not be aligned.
    #[error("the face could not be aligned; take a picture from the front")]
    Align(#[from] AlignError),
    /// A picture of impossible sides.
    #[error("the picture has no usable size")]
    Size(#[from] SizeError),
}

/// A reference made of one picture.
#[derive(Debug)]
pub struct Reference {
    /// The template.
    pub template: Template,
    /// How good the face was.
    pub quality: Quality,
}

/// Makes a reference of a picture that shows one good face.
///
/// # Errors
/// [`PortraitError::Refused`] says what is wrong with the picture and what to send instead.
pub fn reference(
    detector: &mut Detector,
    comparer: &mut Comparer,
    picture: &Picture,
) -> Result<Reference, PortraitError> {
    let found = faces(detector, picture)?;
    let portrait = check_portrait(picture, &found, &EnrolmentRules::default())?;
    let template = template(comparer, picture, &portrait.detection)?;
    Ok(Reference {
        template,
        quality: portrait.quality,
    })
}

/// Finds the faces of a picture of any size, in its own pixels.
///
/// # Errors
/// [`PortraitError`] when scaling or the network fails.
pub fn faces(detector: &mut Detector, picture: &Picture) -> Result<Vec<Detection>, PortraitError> {
    let mut found = Vec::new();
    for side in PORTRAIT_SIDES_PX {
        match Scaler::new().bounded(picture, side)? {
            Some((small, factor)) => {
                detector.detect(&small, &mut found)?;
                found = found
                    .iter()
                    .map(|detection| detection.scaled(1.0 / factor))
                    .collect();
            }
            None => detector.detect(picture, &mut found)?,
        }
        if !found.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// The template of one face of a picture, whatever its quality.
///
/// # Errors
/// [`PortraitError::Align`] when its five points make no face; the others when the network fails.
pub fn template(
    comparer: &mut Comparer,
    picture: &Picture,
    face: &Detection,
) -> Result<Template, PortraitError> {
    let mut aligned = Picture::new(ALIGNED_SIDE_PX, ALIGNED_SIDE_PX)?;
    align(picture, &face.landmarks, &mut aligned)?;
    Ok(comparer.template(&aligned)?)
}
