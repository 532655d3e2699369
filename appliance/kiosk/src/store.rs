//! The ledger thread: step 4 of a frame, and the reading of rosters. It is the only writer of the
//! ledger, answers for every record one by one, and decides nothing.

use std::path::PathBuf;
use std::sync::Arc;

use biometrics::Gallery;
use checkin::{AppendFailure, Substitute};
use crossbeam_channel::{Receiver, Sender};
use ledger::{Ledger, LedgerError, LedgerErrorKind, LocalStore, Reader, StoreError};
use record::{Body, Fault, Part, Record, Text, roster_digest};
use screen::TroubleKind;
use vocabulary::{
    Attendance, DeviceId, Epoch, FeatureSpace, MeetingId, PersonId, Roster, Sequence, Stamp,
    Template,
};

use crate::config::Config;
use crate::event::{Edition, Event, Known, LoadedMeeting};
use crate::keys;
use crate::networks::Thresholds;
use crate::perceive::Target;
use crate::rosters::{BroughtBy, Loaded, Rosters, RostersError, Version};
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
    meetings: Meetings,
}

impl Store {
    /// Serves an open ledger, and the rosters once there are any.
    pub fn new(config: &Config, ledger: Ledger, compared: Compared) -> Self {
        Self {
            path: config.data.ledger(),
            device: config.device.id.clone(),
            epoch: ledger.epoch(),
            ledger: Some(ledger),
            meetings: Meetings {
                config: config.clone(),
                compared,
                rosters: Rosters::new(config),
                known: None,
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
                Request::Meetings => Event::Meetings(self.meetings.known()),
                Request::Load(meeting) => Event::Loaded(self.load(&meeting).map(Box::new)),
                Request::Forget(meeting) => {
                    let done = self.meetings.forget(&meeting);
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
        let (roster, edition, target, city) = self.meetings.load(meeting)?;
        let reader = Reader::open(&self.path).map_err(|error| trouble(&error))?;
        let records = records_of(&reader, meeting).map_err(|error| trouble(&error))?;
        Ok(LoadedMeeting {
            roster,
            edition,
            target: Arc::new(target),
            substitutes: city.substitutes,
            nobody_by_face: city.only_elsewhere,
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

/// What only the city says of a meeting.
struct OfCity {
    substitutes: Vec<Substitute>,
    only_elsewhere: bool,
}

/// The meetings of this door, and what their people are compared in.
struct Meetings {
    config: Config,
    compared: Compared,
    rosters: Rosters,
    /// The answer of the last reading, and of which version it was.
    known: Option<(Version, Vec<Known>)>,
}

impl Meetings {
    /// The meetings with rosters here; read only where something changed.
    fn known(&mut self) -> Result<Vec<Known>, Trouble> {
        let failed = |error| rosters_trouble(&error);
        let version = self.rosters.version().map_err(failed)?;
        if let Some((of, known)) = &self.known
            && *of == version
        {
            return Ok(known.clone());
        }
        let listed = self.rosters.list().map_err(failed)?;
        let known: Vec<Known> = listed
            .into_iter()
            .map(|listed| Known {
                edition: Edition {
                    roster: listed.summary.digest,
                    has_key: listed.summary.has_key,
                },
                meeting: listed.summary.meeting,
                closed: listed.closed,
                is_ours: listed.brought_by == BroughtBy::Local,
            })
            .collect();
        self.known = Some((version, known.clone()));
        Ok(known)
    }

    fn load(&mut self, meeting: &MeetingId) -> Result<(Roster, Edition, Target, OfCity), Trouble> {
        let compared = self.compared.clone();
        // Whether the key is there is asked first: one that comes meanwhile is seen as news later.
        let known = self.known()?;
        let known = known.iter().find(|known| known.meeting.id == *meeting);
        let has_key = known.is_some_and(|known| known.edition.has_key);
        let loaded = self.rosters.load(meeting, &compared.space);
        let loaded = loaded.map_err(|error| rosters_trouble(&error))?;
        let Loaded {
            roster,
            references: found,
            substitutes,
            only_elsewhere,
        } = loaded.ok_or_else(|| {
            Trouble::new(
                TroubleKind::Other,
                &StoreError::UnknownMeeting(meeting.clone()),
            )
        })?;
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
        let digest = roster_digest(&roster);
        let edition = Edition {
            roster: digest,
            has_key,
        };
        let target = Target {
            gallery,
            policy,
            roster: digest,
        };
        let substitutes = substitutes.into_iter().map(|right| Substitute {
            person: right.person,
            instead_of: right.instead_of,
            document: Text::clipped(&right.document),
        });
        let of_city = OfCity {
            substitutes: substitutes.collect(),
            only_elsewhere,
        };
        Ok((roster, edition, target, of_city))
    }

    /// Whether a meeting's key is destroyed. A failure is not the door's trouble: it is tried
    /// again, and an operator has `kiosk roster remove`.
    fn forget(&self, meeting: &MeetingId) -> bool {
        let forgotten = keys::open(&self.config.data)
            .map_err(RostersError::from)
            .and_then(|keys| {
                let path = self.config.data.local();
                let mut store = LocalStore::open(&path, &self.config.device.id, Arc::new(keys))?;
                Ok(store.forget_references(meeting)?)
            });
        match forgotten {
            Ok(()) => {
                tracing::info!(%meeting, "the key and the references are destroyed");
                true
            }
            Err(error) => {
                let reason = rosters_trouble(&error).detail;
                tracing::warn!(%meeting, reason, "the key is not destroyed yet");
                false
            }
        }
    }
}

/// The references of those on the roster who may be called by face, in the order of the roster.
pub fn by_person(
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
fn rosters_trouble(error: &RostersError) -> Trouble {
    let kind = match error.kind() {
        Some(LedgerErrorKind::DiskFull) => TroubleKind::DiskFull,
        Some(_) | None => TroubleKind::Other,
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
