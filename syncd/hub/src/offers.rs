//! Contents of offers: files in the hub's directory that their digests name, so that a content that
//! is offered twice is there once. They come in parts and count only when their digest is right.
//!
//! A backup has none of them: they are no memory of the city, whoever offers has them, and a
//! restored hub says that they are to be sent again.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use vocabulary::Digest;
use wire::limits::OFFER_PART_BYTES;
use wire::offer::parts;

use crate::ca::hex;
use crate::model::Offer;

/// The directory in the hub's own.
const DIRECTORY: &str = "offers";

/// How a content's file ends that is not whole.
const PART_ENDING: &str = ".part";

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// Why a part of a content is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// There is no such part.
    #[error("the content has {parts} parts, and no part {part}")]
    NoPart {
        /// How many there are.
        parts: u64,
        /// Which was sent.
        part: u32,
    },
    /// It is longer or shorter than it has to be.
    #[error("part {part} has {bytes} bytes; it has to have {expected}")]
    Length {
        /// Which was sent.
        part: u32,
        /// How long it is.
        bytes: usize,
        /// How long it has to be.
        expected: u64,
    },
    /// An earlier part is missing.
    #[error("part {next} is missing; send that one next")]
    Gap {
        /// The one to send next.
        next: u64,
    },
    /// All of it came, and is something else. It is thrown away.
    #[error("all parts came, and their SHA-256 is {found}; send all of them again")]
    Digest {
        /// What it is.
        found: Digest,
    },
    /// The disk did not take it.
    #[error("the content cannot be kept")]
    Io(#[from] io::Error),
}

/// The contents of a hub's offers.
pub(crate) struct Contents {
    directory: PathBuf,
}

impl Contents {
    /// Those in a hub's directory.
    pub fn of(hub: &Path) -> Self {
        Self {
            directory: hub.join(DIRECTORY),
        }
    }

    /// How many bytes of an offer's content are here, whole parts only.
    pub fn received(&self, offer: &Offer) -> io::Result<u64> {
        if self.open(offer)?.is_some() {
            return Ok(offer.size_bytes);
        }
        let found = fs::metadata(self.path(&offer.sha256, PART_ENDING));
        match found {
            Ok(found) => Ok(whole(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The whole content; none where it is not here.
    pub fn open(&self, offer: &Offer) -> io::Result<Option<File>> {
        match File::open(self.path(&offer.sha256, "")) {
            Ok(file) if file.metadata()?.len() == offer.size_bytes => Ok(Some(file)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes a part, counted from 1. One that is here already is a success and changes nothing.
    ///
    /// # Errors
    /// [`ContentError`] says what to send instead.
    pub fn take(&self, offer: &Offer, part: u32, bytes: &[u8]) -> Result<(), ContentError> {
        let count = parts(offer.size_bytes);
        if u64::from(part) == 0 || u64::from(part) > count {
            return Err(ContentError::NoPart { parts: count, part });
        }
        let offset = u64::from(part - 1) * OFFER_PART_BYTES as u64;
        let expected = (offer.size_bytes - offset).min(OFFER_PART_BYTES as u64);
        if bytes.len() as u64 != expected {
            let bytes = bytes.len();
            return Err(ContentError::Length {
                part,
                bytes,
                expected,
            });
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let path = self.path(&offer.sha256, PART_ENDING);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        // Two who send the same at once take turns, also when they are two processes.
        file.lock()?;
        if self.open(offer)?.is_some() {
            // Somebody else sent the last part, or this one made a file anew behind it.
            let _ = fs::remove_file(&path);
            return Ok(());
        }
        let here = whole(file.metadata()?.len());
        if offset < here {
            return Ok(());
        }
        if offset > here {
            let next = here / OFFER_PART_BYTES as u64 + 1;
            return Err(ContentError::Gap { next });
        }
        // What a crash left behind the last whole part is written over.
        file.set_len(here)?;
        file.seek(SeekFrom::Start(here))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        if here + expected == offer.size_bytes {
            self.finish(offer, &mut file, &path)?;
        }
        Ok(())
    }

    fn finish(&self, offer: &Offer, file: &mut File, path: &Path) -> Result<(), ContentError> {
        let found = digest(file)?;
        if found != offer.sha256 {
            fs::remove_file(path)?;
            return Err(ContentError::Digest { found });
        }
        fs::rename(path, self.path(&offer.sha256, ""))?;
        File::open(&self.directory)?.sync_all()?;
        Ok(())
    }

    /// Takes away what nobody offers any more.
    pub fn keep_only(&self, offered: &HashSet<Digest>) -> io::Result<u32> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut count = 0;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let digest = Digest::from_hex(name.strip_suffix(PART_ENDING).unwrap_or(name));
            if digest.is_some_and(|digest| !offered.contains(&digest)) {
                fs::remove_file(entry.path())?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn path(&self, digest: &Digest, ending: &str) -> PathBuf {
        self.directory.join(format!("{}{ending}", hex(&digest.0)))
    }
}

/// The SHA-256 of a whole file, and how many bytes it has.
///
/// # Errors
/// What the operating system says.
pub fn digest(file: &mut File) -> io::Result<Digest> {
    file.rewind()?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest(hasher.finalize().into())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// The bytes of whole parts alone.
fn whole(bytes: u64) -> u64 {
    bytes / OFFER_PART_BYTES as u64 * OFFER_PART_BYTES as u64
}
