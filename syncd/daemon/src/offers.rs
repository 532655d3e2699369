//! Contents of offers on the device's disk: kept as they come, checked when all is there, handed
//! over, and taken away when they are no longer offered. Whoever applies one finds in this
//! directory `ID.json`, which says what it is, and the file that its digest names; nothing here
//! does, and nothing here looks into one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use sync::offers::{Kept, OfferCommand, OfferEvent};
use wire::limits::OFFER_BYTES_MAX;
use wire::offer::DeviceOffer;
use wire::scalar::{Hex, Hex32};

use crate::file;
use crate::ledger_reader::in_one_line;

/// The directory within the daemon's own.
const DIRECTORY: &str = "offers";

/// How the file ends of a content that is not whole, and of what is said of a whole one.
const PART: &str = "part";
const ABOUT: &str = "json";

/// Free bytes that are left to records and rosters, whatever is offered.
const LEFT_FREE_BYTES_MIN: u64 = 512 << 20;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// Most bytes of what is said of a content.
const ABOUT_BYTES_MAX: u64 = 64 << 10;

/// The contents on the disk.
#[derive(Debug, Clone)]
pub struct Contents {
    directory: PathBuf,
}

impl Contents {
    /// Those in the daemon's directory.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(daemon: &Path) -> io::Result<Self> {
        let directory = daemon.join(DIRECTORY);
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    /// What is there from before. A whole one is believed, since it was checked when it came.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn there(&self) -> io::Result<Vec<(Hex32, Kept)>> {
        let mut there = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let path = PathBuf::from(entry.file_name());
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let Some(sha256) = stem.and_then(|stem| stem.parse::<Hex32>().ok()) else {
                continue;
            };
            match path.extension().and_then(|ending| ending.to_str()) {
                None => there.push((sha256, Kept::Whole)),
                Some(PART) => {
                    let bytes = entry.metadata()?.len().min(OFFER_BYTES_MAX);
                    there.push((sha256, Kept::Bytes(bytes)));
                }
                Some(_) => {}
            }
        }
        Ok(there)
    }

    /// Does what is commanded; says what became of it. Sending is not for here.
    pub fn obey(&self, command: OfferCommand) -> Option<OfferEvent> {
        match command {
            OfferCommand::Send(_) => None,
            OfferCommand::Keep {
                offer,
                offset,
                bytes,
            } => {
                let sha256 = offer.sha256;
                let kept = self.keep(&offer, offset, &bytes).unwrap_or_else(|error| {
                    let error = in_one_line(&error);
                    tracing::warn!(offer = %offer.id, error, "an offer cannot be kept");
                    Kept::NotNow
                });
                Some(OfferEvent::Kept { sha256, kept })
            }
            OfferCommand::Forget(sha256) => {
                if let Err(error) = self.forget(sha256) {
                    tracing::warn!(error = in_one_line(&error), "an offer cannot be forgotten");
                }
                None
            }
        }
    }

    fn keep(&self, offer: &DeviceOffer, offset: u64, bytes: &[u8]) -> io::Result<Kept> {
        let missing = offer.size_bytes.saturating_sub(offset);
        if self.free_bytes()? < missing.saturating_add(LEFT_FREE_BYTES_MIN) {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "there is no room for it beside records and rosters",
            ));
        }
        let path = self.path(offer.sha256, Some(PART));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        if file.metadata()?.len() < offset {
            // Somebody else cut it off; it is fetched from there.
            return Ok(Kept::Bytes(file.metadata()?.len()));
        }
        file.set_len(offset)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let there = offset + bytes.len() as u64;
        if there < offer.size_bytes {
            return Ok(Kept::Bytes(there));
        }
        if digest(&mut file)? != offer.sha256 {
            fs::remove_file(&path)?;
            tracing::error!(offer = %offer.id, "an offer came with another digest than was told");
            return Ok(Kept::WrongDigest);
        }
        fs::rename(&path, self.path(offer.sha256, None))?;
        // Last, so that whoever finds this finds the content too.
        let about = serde_json::to_vec_pretty(offer)?;
        file::replace(&self.about(offer), &about, 0o640)?;
        tracing::info!(offer = %offer.id, bytes = offer.size_bytes, "an offer is here");
        Ok(Kept::Whole)
    }

    fn forget(&self, sha256: Hex32) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == ABOUT)
                && let Ok(Some(bytes)) = file::read_bounded(&path, ABOUT_BYTES_MAX)
                && let Ok(offer) = serde_json::from_slice::<DeviceOffer>(&bytes)
                && offer.sha256 == sha256
            {
                fs::remove_file(&path)?;
            }
        }
        for ending in [None, Some(PART)] {
            match fs::remove_file(self.path(sha256, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.directory)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn path(&self, sha256: Hex32, ending: Option<&str>) -> PathBuf {
        let path = self.directory.join(sha256.to_string());
        ending.map_or(path.clone(), |ending| path.with_extension(ending))
    }

    /// An id may have a point in it, which is no ending of a file.
    fn about(&self, offer: &DeviceOffer) -> PathBuf {
        self.directory.join(format!("{}.{ABOUT}", offer.id))
    }
}

fn digest(file: &mut File) -> io::Result<Hex32> {
    file.rewind()?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Hex(hasher.finalize().into())),
            count => hasher.update(&buffer[..count]),
        }
    }
}
