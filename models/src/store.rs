//! Model files on disk: read whole, checked, and only then handed out.
//!
//! Why it exists: no byte of a model reaches a parser or a runtime before its digest was compared
//! with the manifest's, so a file that was changed, by accident or not, is refused by name. The
//! bytes that were checked are the bytes that are handed out: the file is opened once, and what
//! happens to it afterwards does not matter. It never follows a path out of a model's entry other
//! than a plain file name.

use crate::digest::Digest;
use crate::error::{Mismatch, ModelError};
use crate::manifest::Model;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The largest model file that is read: six times SFace, and far below a board's memory.
pub const MODEL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Where prepared files are, beneath the directory of the published ones.
pub const PREPARED_DIRECTORY: &str = "prepared";

/// The bytes of a model's file, found to be what the manifest says.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedModel {
    /// The file's content.
    pub bytes: Vec<u8>,
    /// Its digest, which is the manifest's.
    pub sha256: Digest,
    /// Where it was read, for messages.
    pub path: PathBuf,
}

impl std::fmt::Debug for VerifiedModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedModel")
            .field("path", &self.path)
            .field("sha256", &self.sha256)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// Opens the file that a runtime should load: the prepared one where the manifest has one, else
/// the published one. `directory` is where published files are (`models/files`).
///
/// # Errors
/// [`ModelError::Missing`], [`ModelError::WrongDigest`], [`ModelError::TooLarge`],
/// [`ModelError::Unreadable`], or [`ModelError::Unrecorded`] when the manifest has no digest of
/// the prepared file.
pub fn open_verified(directory: &Path, model: &Model) -> Result<VerifiedModel, ModelError> {
    let Some(prepared) = &model.prepared else {
        return open_published(directory, model);
    };
    let Some(expected) = prepared.sha256 else {
        return Err(ModelError::Unrecorded {
            id: model.id.clone(),
        });
    };
    let remedy = "run `deploy/setup`, which prepares it";
    open(
        model,
        prepared_path(directory, &prepared.file),
        expected,
        remedy,
    )
}

/// Opens the file as it was published, checked against the manifest's `sha256`.
///
/// # Errors
/// As [`open_verified`], but for [`ModelError::Unrecorded`].
pub fn open_published(directory: &Path, model: &Model) -> Result<VerifiedModel, ModelError> {
    let remedy = match model.source {
        Some(_) => "run `deploy/setup`, which fetches it",
        None => "put the file there that the manifest describes",
    };
    open(model, directory.join(&model.file), model.sha256, remedy)
}

/// Where the prepared file of that name belongs.
#[must_use]
pub fn prepared_path(directory: &Path, file: &str) -> PathBuf {
    directory.join(PREPARED_DIRECTORY).join(file)
}

/// Writes a file in one step: whoever opens `path` finds the old content or the new, whole.
///
/// # Errors
/// [`ModelError::Unwritable`] with what the system said.
pub fn write_whole(model: &Model, path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let write = || -> io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let part = path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|source| ModelError::Unwritable {
        id: model.id.clone(),
        path: path.to_owned(),
        source,
    })
}

fn open(
    model: &Model,
    path: PathBuf,
    expected: Digest,
    remedy: &str,
) -> Result<VerifiedModel, ModelError> {
    let id = || model.id.clone();
    let bytes = match read_limited(&path, MODEL_BYTES_MAX) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            return Err(ModelError::TooLarge {
                id: id(),
                path,
                bytes_max: MODEL_BYTES_MAX,
            });
        }
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(ModelError::Missing {
                id: id(),
                path,
                remedy: remedy.to_owned(),
            });
        }
        Err(source) => {
            return Err(ModelError::Unreadable {
                id: id(),
                path,
                source,
            });
        }
    };
    let found = Digest::of(&bytes);
    if found != expected {
        let remedy = format!("delete it and {remedy}");
        let id = id();
        return Err(ModelError::WrongDigest(Box::new(Mismatch {
            id,
            path,
            expected,
            found,
            remedy,
        })));
    }
    Ok(VerifiedModel {
        bytes,
        sha256: found,
        path,
    })
}

/// A file's content, or `None` when it is longer than `bytes_max`. A length that the system states
/// is not trusted: the file may grow, or be no plain file.
pub(crate) fn read_limited(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let stated = file.metadata()?.len();
    if stated > bytes_max {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(stated).unwrap_or(0));
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}
