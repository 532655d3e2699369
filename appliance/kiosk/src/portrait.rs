//! From a picture file to a decoded picture, and to what enrolment needs of it.
//!
//! The picture itself is dropped as soon as its template is made.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use imaging::{DecodeError, DecodeLimits, DecodeNote, Picture};
pub use inference::portrait::Reference;

use crate::networks::Networks;

/// Why a file gives no reference.
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
    /// The picture gives no reference.
    #[error(transparent)]
    Portrait(#[from] inference::PortraitError),
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

/// Makes a reference of a picture that shows one good face.
///
/// # Errors
/// [`PortraitError::Portrait`] says what is wrong with the picture and what to send instead.
pub fn reference(networks: &mut Networks, picture: &Picture) -> Result<Reference, PortraitError> {
    let Networks {
        detector, comparer, ..
    } = networks;
    Ok(inference::portrait::reference(detector, comparer, picture)?)
}
