//! The ledger thread: step 4 of a frame, and the reading of rosters. It is the only writer of the
//! ledger, answers for every record one by one, and decides nothing.

use std::path::PathBuf;
use std::sync::Arc;

use biometrics::Gallery;
use checkin::AppendFailure;
use crossbeam_channel::{Receiver, Sender};
use ledger::{Ledger, LedgerError, LedgerErrorKind, LocalReader, LocalStore, Reader, StoreError};
use record::{Body, Fault, Part, Record, Text, roster_digest};
use screen::TroubleKind;
use seal::{FileKeyStore, KeyStore};
use vocabulary::{
    Attendance, DeviceId, Epoch, FeatureSpace, MeetingId, PersonId, Roster, Sequence, Stamp,
    Template,
};

use crate::config::Config;
use crate::event::{Event, Known, LoadedMeeting};
use crate::networks::Thresholds;
use crate::perceive::Target;
use crate::trouble::Trouble;

/// Most requests that wait; the session itself lets fewer records wait than this.
pub const REQUESTS_MAX: usize = 64;

/// What the loop may ask of this thread.
#[derive(Debug)]
pub enum Request {
    /// Write a record durably.
    Append {
        /// What the answer names.
        token: u64,
        /// The moment that it is about.
        at: Stamp,
        /// What happened.
        body: Box<Body>,
    },
    /// Tell which meetings have rosters here.
    Meetings,
    /// Read a meeting into memory.
    Load(MeetingId),
    /// Destroy the key of a meeting that is over, and with it its copies of references.
    Forget(MeetingId),
}

/// The ledger and the rosters.
pub struct Store {
    path: PathBuf,
    device: DeviceId,
    epoch: Epoch,
    /// None after a failure that leaves open what is on the disk: the file is then opened again.
    ledger: Option<Ledger>,
    rosters: Rosters,
}

impl Store {
    /// Serves an open ledger, and the rosters once there are any.
    pub fn new(config: &Config, ledger: Ledger, compared: Compared) -> Self {
        Self {
            path: config.data.ledger(),
            device: config.device.id.clone(),
            epoch: ledger.epoch(),
            ledger: Some(ledger),
            rosters: Rosters {
                config: config.clone(),
                compared,
                open: None,
            },
        }
    }

    /// The id of the ledger's file.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Serves requests until nobody can send any.
    pub fn run(mut self, requests: &Receiver<Request>, events: &Sender<Event>) {
        for request in requests {
            let event = match request {
                Request::Append { token, at, body } => Event::Committed {
                    token,
                    result: self.commit(at, *body),
                },
                Request::Meetings => Event::Meetings(self.rosters.meetings()),
                Request::Load(meeting) => Event::Loaded(self.load(&meeting).map(Box::new)),
                Request::Forget(meeting) => {
                    let done = self.rosters.forget(&meeting);
                    Event::Forgotten { meeting, done }
                }
            };
            // The receiver is gone only when the kiosk is stopping; records are written all the
            // same, since whoever asked for them may have been seen.
            let _ = events.send(event);
        }
    }

    /// Step 4 of a frame: makes a record durable. Only what this answers leads to a greeting.
    fn commit(
        &mut self,
        at: Stamp,
        body: Body,
    ) -> Result<ledger::Appended, (AppendFailure, Trouble)> {
        let failed = |error: LedgerError| (failure(&error), trouble(&error));
        let ledger = match &mut self.ledger {
            Some(ledger) => ledger,
            None => {
                let opened = Ledger::open(&self.path, &self.device, at).map_err(failed)?;
                if opened.epoch() != self.epoch {
                    let detail = format!(
                        "{}: another file is there than when the kiosk started; restart the kiosk",
                        self.path.display()
                    );
                    let trouble = Trouble {
                        kind: TroubleKind::LedgerFailed,
                        detail,
                    };
                    return Err((AppendFailure::Io, trouble));
                }
                self.ledger.insert(opened)
            }
        };
        ledger.append(at, body).map_err(|error| {
            // A full or read-only disk left the file as it was; anything else is looked at anew.
            match error.kind() {
                LedgerErrorKind::DiskFull | LedgerErrorKind::ReadOnly => {}
                LedgerErrorKind::Locked
                | LedgerErrorKind::Corrupt
                | LedgerErrorKind::NewerVersion
                | LedgerErrorKind::Misuse
                | LedgerErrorKind::Io => self.ledger = None,
            }
            failed(error)
        })
    }

    fn load(&mut self, meeting: &MeetingId) -> Result<LoadedMeeting, Trouble> {
        let (roster, target) = self.rosters.load(meeting)?;
        let reader = Reader::open(&self.path).map_err(|error| trouble(&error))?;
        let records = records_of(&reader, meeting).map_err(|error| trouble(&error))?;
        Ok(LoadedMeeting {
            roster,
            target: Arc::new(target),
            records,
        })
    }
}

/// Opens the ledger for writing. A clock that is behind the last record is itself recorded.
///
/// # Errors
/// A trouble that the screen can show.
pub fn open_ledger(config: &Config, now: Stamp) -> Result<Ledger, Trouble> {
    let (path, device) = (config.data.ledger(), &config.device.id);
    make_directory(config)?;
    let mut ledger = Ledger::open(&path, device, now).map_err(|error| trouble(&error))?;
    if let Some(behind) = ledger.clock_behind() {
        let what = format!("the clock is {} s behind the last record", behind.as_secs());
        tracing::warn!(what, "times may be wrong");
        let fault = Fault {
            part: Part::Clock,
            what: Text::clipped(&what),
        };
        ledger
            .append(now, Body::Fault(fault))
            .map_err(|error| trouble(&error))?;
    }
    Ok(ledger)
}

/// Makes the data directory where it is missing.
fn make_directory(config: &Config) -> Result<(), Trouble> {
    let directory = &config.data.directory;
    std::fs::create_dir_all(directory).map_err(|error| Trouble {
        kind: TroubleKind::LedgerReadOnly,
        detail: format!(
            "the data directory {} cannot be made: {error}; correct data.directory or its \
             permissions",
            directory.display()
        ),
    })
}

/// All records of a meeting, and those that answer to them.
///
/// # Errors
/// [`LedgerError`] when the file cannot be read.
pub fn records_of(reader: &Reader, meeting: &MeetingId) -> Result<Vec<Record>, LedgerError> {
    let mut records = Vec::new();
    for stored in reader.records_after(Sequence(0)) {
        let record = stored?.record;
        let other = record.body.meeting().is_some_and(|of| of != meeting);
        if !other {
            records.push(record);
        }
    }
    Ok(records)
}

/// What faces are compared in, and how alike they must be.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The comparer's feature space.
    pub space: FeatureSpace,
    /// Its thresholds.
    pub thresholds: Thresholds,
}

/// The rosters of a kiosk that stands alone, and what they are compared in.
struct Rosters {
    config: Config,
    compared: Compared,
    open: Option<LocalReader>,
}

impl Rosters {
    fn meetings(&mut self) -> Result<Vec<Known>, Trouble> {
        let Some(reader) = self.reader()? else {
            return Ok(Vec::new());
        };
        let rosters = reader.rosters().map_err(|error| store_trouble(&error))?;
        let known = rosters.into_iter().map(|summary| Known {
            meeting: summary.meeting,
            roster: summary.digest,
            has_key: summary.has_key,
        });
        Ok(known.collect())
    }

    fn load(&mut self, meeting: &MeetingId) -> Result<(Roster, Target), Trouble> {
        let compared = self.compared.clone();
        let unknown = || {
            Trouble::new(
                TroubleKind::Other,
                &StoreError::UnknownMeeting(meeting.clone()),
            )
        };
        let reader = self.reader()?.ok_or_else(unknown)?;
        let roster = reader
            .roster(meeting)
            .map_err(|error| store_trouble(&error))?;
        let roster = roster.ok_or_else(unknown)?;
        let found = reader
            .references(meeting, &compared.space)
            .map_err(|error| store_trouble(&error))?;
        if !found.broken.is_empty() {
            // Which ones would name people; `kiosk roster import` lists them.
            let count = found.broken.len();
            tracing::error!(count, "references do not open and are left out");
        }
        let references = found
            .references
            .into_iter()
            .map(|(person, _, t)| (person, t));
        let people = by_person(&roster, references);
        let defect = |error: &dyn std::error::Error| Trouble::new(TroubleKind::Other, error);
        let gallery = Gallery::build(compared.space, people).map_err(|error| defect(&error))?;
        let policy = compared.thresholds.for_roster(gallery.people());
        let policy = policy.map_err(|error| defect(&error))?;
        let target = Target {
            gallery,
            policy,
            roster: roster_digest(&roster),
        };
        Ok((roster, target))
    }

    /// Whether a meeting's key is destroyed. A failure is not the door's trouble: it is tried
    /// again, and an operator has `kiosk roster remove`.
    fn forget(&self, meeting: &MeetingId) -> bool {
        let forgotten = self.keys().and_then(|keys| {
            let path = self.config.data.local();
            LocalStore::open(&path, &self.config.device.id, keys)
                .and_then(|mut store| store.forget_references(meeting))
                .map_err(|error| store_trouble(&error))
        });
        match forgotten {
            Ok(()) => {
                tracing::info!(%meeting, "the key and the references are destroyed");
                true
            }
            Err(trouble) => {
                tracing::warn!(%meeting, reason = trouble.detail, "the key is not destroyed yet");
                false
            }
        }
    }

    fn keys(&self) -> Result<Arc<dyn KeyStore>, Trouble> {
        match FileKeyStore::open(&self.config.data.key()) {
            Ok(keys) => Ok(Arc::new(keys)),
            Err(error) => Err(Trouble::new(TroubleKind::Other, &error)),
        }
    }

    /// The store, opened when it first exists: a new kiosk has no rosters yet.
    fn reader(&mut self) -> Result<Option<&LocalReader>, Trouble> {
        if self.open.is_none() && self.config.data.local().exists() {
            let (path, device) = (self.config.data.local(), &self.config.device.id);
            let reader = LocalReader::open(&path, device, self.keys()?);
            self.open = Some(reader.map_err(|error| store_trouble(&error))?);
        }
        Ok(self.open.as_ref())
    }
}

/// The references of those on the roster who may be called by face, in the order of the roster.
fn by_person(
    roster: &Roster,
    references: impl Iterator<Item = (PersonId, Template)>,
) -> Vec<(PersonId, Vec<Template>)> {
    let mut found: std::collections::HashMap<PersonId, Vec<Template>> = Default::default();
    for (person, template) in references {
        found.entry(person).or_default().push(template);
    }
    let by_face = |entry: &&vocabulary::RosterEntry| match entry.attendance {
        Attendance::FaceOrCode => true,
        Attendance::CodeOnly => false,
    };
    let entries = roster.entries().iter().filter(by_face);
    entries
        .filter_map(|entry| found.remove_entry(&entry.delegate.person))
        .collect()
}

/// Rosters that cannot be read are no trouble of the ledger, but for a full disk: no record finds
/// room on it either.
fn store_trouble(error: &StoreError) -> Trouble {
    let full = matches!(error, StoreError::Database(of) if of.kind() == LedgerErrorKind::DiskFull);
    let kind = if full {
        TroubleKind::DiskFull
    } else {
        TroubleKind::Other
    };
    Trouble::new(kind, error)
}

/// A ledger's error as the screen shows it.
pub fn trouble(error: &LedgerError) -> Trouble {
    let kind = match error.kind() {
        LedgerErrorKind::DiskFull => TroubleKind::DiskFull,
        LedgerErrorKind::ReadOnly => TroubleKind::LedgerReadOnly,
        LedgerErrorKind::Locked => TroubleKind::LedgerLocked,
        LedgerErrorKind::Corrupt => TroubleKind::LedgerCorrupt,
        LedgerErrorKind::NewerVersion => TroubleKind::LedgerNewer,
        LedgerErrorKind::Misuse | LedgerErrorKind::Io => TroubleKind::LedgerFailed,
    };
    Trouble::new(kind, error)
}

fn failure(error: &LedgerError) -> AppendFailure {
    match error.kind() {
        LedgerErrorKind::DiskFull => AppendFailure::DiskFull,
        LedgerErrorKind::ReadOnly => AppendFailure::ReadOnly,
        LedgerErrorKind::Locked => AppendFailure::Locked,
        LedgerErrorKind::Corrupt => AppendFailure::Corrupt,
        LedgerErrorKind::NewerVersion | LedgerErrorKind::Misuse | LedgerErrorKind::Io => {
            AppendFailure::Io
        }
    }
}
