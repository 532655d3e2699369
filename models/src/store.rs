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
    let remedy = match model.source {
        Some(_) => "run `deploy/setup`, which prepares it",
        None => "run `cargo run -p models -- prepare`, which makes it from the published file",
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    /// A model with a prepared file, and one without; neither file has content yet.
    fn models() -> Manifest {
        let entry = |id: &str, sha256: Digest, prepared: &str| {
            format!(
                "[[model]]\nid = \"{id}\"\ntask = \"pad\"\nfile = \"{id}.onnx\"\n\
                 sha256 = \"{sha256}\"\nlicence = \"MIT\"\nupstream = \"none\"\n\
                 [model.input]\nname = \"x\"\nchannels = \"rgb\"\nwidth = 8\nheight = 8\n\
                 [model.pad]\ncrop_scale = 1.0\nclasses = 2\nbona_fide_class = 0\n{prepared}\n"
            )
        };
        let (plain, prepared) = (Digest::of(b"plain"), Digest::of(b"prepared"));
        let table = format!("[model.prepared]\nfile = \"b.onnx\"\nsha256 = \"{prepared}\"");
        let unrecorded = "[model.prepared]\nfile = \"c.onnx\"";
        Manifest::parse(&format!(
            "format = 1\n{}{}{}",
            entry("a", plain, ""),
            entry("b", plain, &table),
            entry("c", plain, unrecorded)
        ))
        .unwrap()
    }

    #[test]
    fn the_prepared_file_is_what_is_opened_where_there_is_one() {
        let place = tempfile::tempdir().unwrap();
        let manifest = models();
        let (a, b) = (manifest.model("a").unwrap(), manifest.model("b").unwrap());
        write_whole(a, &place.path().join("a.onnx"), b"plain").unwrap();
        write_whole(b, &place.path().join("b.onnx"), b"plain").unwrap();
        write_whole(b, &prepared_path(place.path(), "b.onnx"), b"prepared").unwrap();
        assert_eq!(open_verified(place.path(), a).unwrap().bytes, b"plain");
        assert_eq!(open_verified(place.path(), b).unwrap().bytes, b"prepared");
        assert_eq!(open_published(place.path(), b).unwrap().bytes, b"plain");
        assert_eq!(
            open_verified(place.path(), b).unwrap().sha256,
            Digest::of(b"prepared")
        );
        let left: Vec<_> = fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name.to_string_lossy().contains("part"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn whatever_is_wrong_names_the_file_and_the_way_out() {
        let place = tempfile::tempdir().unwrap();
        let manifest = models();
        let a = manifest.model("a").unwrap();
        let path = place.path().join("a.onnx");
        let check = |expect: &[&str]| {
            let error = open_verified(place.path(), a).unwrap_err().to_string();
            for part in expect {
                assert!(error.contains(part), "`{part}` is not in: {error}");
            }
        };
        check(&["model `a` is missing", "a.onnx", "put the file there"]);
        fs::write(&path, b"plain!").unwrap();
        let (expected, found) = (
            Digest::of(b"plain").to_string(),
            Digest::of(b"plain!").to_string(),
        );
        check(&[
            "a.onnx",
            &expected,
            &found,
            "delete it and put the file there",
        ]);
        fs::write(&path, b"").unwrap();
        check(&["a.onnx is not the file of model `a`"]);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        check(&["cannot read the file of model `a`", "a.onnx"]);
        fs::remove_dir(&path).unwrap();
        File::create(&path)
            .unwrap()
            .set_len(MODEL_BYTES_MAX + 1)
            .unwrap();
        check(&["larger than 268435456 bytes", "a.onnx"]);
        let unrecorded = open_verified(place.path(), manifest.model("c").unwrap()).unwrap_err();
        assert!(
            unrecorded.to_string().contains("models prepare"),
            "{unrecorded}"
        );
        let unknown = manifest.model("d").unwrap_err().to_string();
        assert_eq!(unknown, "no model `d` in the manifest; it has: a, b, c");
    }

    #[test]
    fn a_file_without_a_stated_length_is_limited_all_the_same() {
        let endless = Path::new("/dev/zero");
        if endless.exists() {
            assert_eq!(read_limited(endless, 1000).unwrap(), None);
        }
    }
}
