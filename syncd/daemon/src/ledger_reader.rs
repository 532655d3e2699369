//! The kiosk's ledger as the daemon reads it: bounded batches, with the head signed. It never
//! writes, and opens the file anew when the kiosk has put another in its place.

use std::path::PathBuf;

use ledger::{LedgerError, Reader};
use record::SigningKey;
use sync::{LedgerBatch, LedgerOutcome, LedgerRecord};
use vocabulary::{ClockQuality, DeviceId, Sequence, WallTime};

/// The ledger, open or to be opened.
pub struct LedgerReader {
    path: PathBuf,
    device: DeviceId,
    head_key: SigningKey,
    open: Option<Reader>,
    version: Option<i64>,
}

impl LedgerReader {
    /// The ledger of a device, wherever it is by now.
    #[must_use]
    pub fn new(path: PathBuf, device: DeviceId, head_key: SigningKey) -> Self {
        Self {
            path,
            device,
            head_key,
            open: None,
            version: None,
        }
    }

    /// Reads at most so many records after the one of this number.
    pub fn read(&mut self, after: u64, limit: usize) -> LedgerOutcome {
        if !self.path.exists() {
            self.open = None;
            return LedgerOutcome::NoLedger;
        }
        match self.batch(after, limit) {
            Ok(Some(batch)) => LedgerOutcome::Batch(batch),
            Ok(None) => {
                let found = self.open.take().map(|reader| reader.device().to_string());
                LedgerOutcome::Failed(format!(
                    "the ledger is of device {}, and this device was enrolled as {}",
                    found.unwrap_or_default(),
                    self.device
                ))
            }
            Err(error) => {
                self.open = None;
                LedgerOutcome::Failed(in_one_line(&error))
            }
        }
    }

    /// The last record's time, where there is one that can be read and its clock was held by a time
    /// service. A clock that ran wrong for years would spoil every judgement by it.
    pub fn newest(&mut self) -> Option<WallTime> {
        let reader = self.current().ok()?;
        let (_, newest) = reader.span().ok()??;
        let last = reader.read_after(Sequence(newest.0 - 1), 1).ok()?.pop()?;
        let at = last.record.at;
        (at.quality == ClockQuality::Synchronised).then_some(at.wall)
    }

    /// Whether something was written since this was asked last, and the last record's number.
    pub fn grown(&mut self) -> Option<(vocabulary::Epoch, u64)> {
        if !self.path.exists() {
            return None;
        }
        let before = self.version;
        let reader = self.current().ok()?;
        let version = reader.version().ok()?;
        if before == Some(version) {
            return None;
        }
        let last = reader.span().ok()?.map_or(0, |(_, newest)| newest.0);
        let epoch = reader.epoch();
        self.version = Some(version);
        Some((epoch, last))
    }

    /// None when the ledger is another device's.
    fn batch(&mut self, after: u64, limit: usize) -> Result<Option<LedgerBatch>, LedgerError> {
        let (device, head_key) = (self.device.clone(), self.head_key.clone());
        let reader = self.current()?;
        if *reader.device() != device {
            return Ok(None);
        }
        let (oldest, last) = reader
            .span()?
            .map_or((1, 0), |(oldest, newest)| (oldest.0, newest.0));
        let records = reader.read_after(Sequence(after), limit)?;
        let mut batch = LedgerBatch {
            epoch: reader.epoch(),
            oldest,
            last,
            records: records
                .into_iter()
                .map(|stored| LedgerRecord {
                    sequence: stored.record.sequence.0,
                    bytes: stored.bytes,
                })
                .collect(),
            head: None,
        };
        batch.head = batch
            .head_to_sign(&device)
            .map(|head| head.sign(&head_key).encode());
        Ok(Some(batch))
    }

    fn current(&mut self) -> Result<&Reader, LedgerError> {
        if self.open.as_ref().is_some_and(|open| !open.is_current()) {
            self.open = None;
            self.version = None;
        }
        match &mut self.open {
            Some(reader) => Ok(reader),
            closed => Ok(closed.insert(Reader::open(&self.path)?)),
        }
    }
}

/// An error with its causes in one line.
pub fn in_one_line(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
