//! From a picture file to what enrolment needs of it: decoded, its one face found and judged.
//!
//! The picture itself is dropped as soon as its template is made.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use biometrics::{
    ALIGNED_SIDE_PX, AlignError, Detection, EnrolmentRefusal, EnrolmentRules, Quality, align,
    check_portrait,
};
use imaging::{DecodeError, DecodeLimits, DecodeNote, Picture, ScaleError, Scaler, SizeError};
use inference::InferenceError;
use vocabulary::Template;

use crate::networks::Networks;

/// Longest sides of a portrait in which its face is looked for, one after the other until there is
/// one: the detector knows faces up to some 300 pixels, and a close portrait fills the picture.
const PORTRAIT_SIDES_PX: [u32; 3] = [1280, 640, 320];

/// Why a picture gives no reference.
#[derive(Debug, thiserror::Error)]
pub enum PortraitError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no picture.
    #[error("the file is not a usable picture")]
    Decode(#[from] DecodeError),
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
    #[error("the face could not be aligned")]
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

/// Reads a file within the decoder's limit and decodes it.
///
/// # Errors
/// [`PortraitError`] says why the file is no picture.
pub fn read_picture(path: &Path) -> Result<(Picture, Vec<DecodeNote>), PortraitError> {
    let decoded = imaging::decode(&read_bytes(path)?, DecodeLimits::default())?;
    Ok((decoded.picture, decoded.notes))
}

/// Reads a file, but no more of it than the decoder needs to say that it is too large.
///
/// # Errors
/// [`PortraitError::Read`] names the file.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, PortraitError> {
    let read = |source| PortraitError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let most = DecodeLimits::default().bytes_max as u64 + 1;
    File::open(path)
        .map_err(read)?
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    Ok(bytes)
}

/// Finds the faces of a picture of any size, in its own pixels.
///
/// # Errors
/// [`PortraitError`] when scaling or the network fails.
pub fn faces(networks: &mut Networks, picture: &Picture) -> Result<Vec<Detection>, PortraitError> {
    let mut found = Vec::new();
    for side in PORTRAIT_SIDES_PX {
        match Scaler::new().bounded(picture, side)? {
            Some((small, factor)) => {
                networks.detector.detect(&small, &mut found)?;
                found = found
                    .iter()
                    .map(|detection| detection.scaled(1.0 / factor))
                    .collect();
            }
            None => networks.detector.detect(picture, &mut found)?,
        }
        if !found.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// Makes a reference of a picture that shows one good face.
///
/// # Errors
/// [`PortraitError::Refused`] says what is wrong with the picture and what to send instead.
pub fn reference(networks: &mut Networks, picture: &Picture) -> Result<Reference, PortraitError> {
    let found = faces(networks, picture)?;
    let portrait = check_portrait(picture, &found, &EnrolmentRules::default())?;
    let template = template(networks, picture, &portrait.detection)?;
    Ok(Reference {
        template,
        quality: portrait.quality,
    })
}

/// The template of one face of a picture, whatever its quality.
///
/// # Errors
/// [`PortraitError::Align`] when its five points make no face; the others when a network fails.
pub fn template(
    networks: &mut Networks,
    picture: &Picture,
    face: &Detection,
) -> Result<Template, PortraitError> {
    let mut aligned = Picture::new(ALIGNED_SIDE_PX, ALIGNED_SIDE_PX)?;
    align(picture, &face.landmarks, &mut aligned)?;
    Ok(networks.comparer.template(&aligned)?)
}
