//! The hub as the simulation has it: its real store, and between that and the wire no more than is
//! needed to answer a daemon.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use hub::ingest::Batch;
use hub::model::{
    DeviceCertificate, DeviceKeys, DeviceRosterAnswer, Entry, Health, MeetingPlan, Organisation,
    PersonDetails, Room, TokenUse,
};
use hub::store::sqlite::{Entropy, SqliteOptions, SqliteStore, restore};
use hub::store::{KeyStoreSealing, Store, StoreError};
use seal::MemoryKeyStore;
use sync::backoff::Chance;
use sync::{Answer, Call, HttpAnswer};
use vocabulary::{
    Attendance, DeviceId, Digest, MeetingId, OrganisationId, PersonId, Role, RoomId, WallTime,
};
use wire::device as w;
use wire::problem::{Problem, ProblemType};
use wire::scalar::{Hex, Hex16};
use wire::{Base64, Id, Timestamp};

/// People of the city.
const PEOPLE: usize = 6;

const DAY_MS: i64 = 86_400_000;

/// The hub.
pub struct Hub {
    /// Its disk.
    pub directory: PathBuf,
    store: Option<SqliteStore>,
    sealing: KeyStoreSealing,
    entropy: Entropy,
    /// Keys of meetings are not given out yet.
    pub withholds_keys: bool,
    backups: PathBuf,
    backup_count: u32,
    organisation: OrganisationId,
    room: RoomId,
}

impl Hub {
    /// A new hub with an organisation, a room, people and devices.
    pub fn new(root: &Path, devices: &[(DeviceId, [u8; 32])], seed: u64) -> Result<Self> {
        let directory = root.join("hub");
        let backups = root.join("backups");
        std::fs::create_dir(&directory)?;
        std::fs::create_dir(&backups)?;
        crate::disk::add(&directory);
        let chance = Mutex::new(Chance::new(seed));
        let entropy: Entropy = Arc::new(move |bytes: &mut [u8]| {
            let mut chance = chance.lock().unwrap_or_else(PoisonError::into_inner);
            for byte in bytes {
                *byte = chance.next_u64().to_le_bytes()[0];
            }
            Ok(())
        });
        let mut hub = Self {
            directory,
            store: None,
            sealing: KeyStoreSealing::new(Arc::new(MemoryKeyStore::generate()?)),
            entropy,
            withholds_keys: false,
            backups,
            backup_count: 0,
            organisation: OrganisationId::new("org")?,
            room: RoomId::new("room")?,
        };
        hub.start()?;
        hub.populate(devices)?;
        Ok(hub)
    }

    /// The organisation whose hub this is.
    pub fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    /// The store, while the hub runs.
    pub fn store(&self) -> Option<&SqliteStore> {
        self.store.as_ref()
    }

    /// Starts, on what is on the disk.
    pub fn start(&mut self) -> Result<()> {
        let options = SqliteOptions {
            entropy: self.entropy.clone(),
            ..SqliteOptions::default()
        };
        self.store = Some(SqliteStore::open(&self.directory, options)?);
        Ok(())
    }

    /// Stops, without as much as closing anything that was begun.
    pub fn stop(&mut self) {
        self.store = None;
    }

    /// Saves the store.
    pub fn back_up(&mut self) -> Result<()> {
        if let Some(store) = &self.store {
            self.backup_count += 1;
            store.backup(&self.backups.join(self.backup_count.to_string()))?;
        }
        Ok(())
    }

    /// Puts a store that was saved in the place of the running one. False when none was saved.
    pub fn restore(&mut self, chance: &mut Chance, now: WallTime) -> Result<bool> {
        if self.backup_count == 0 {
            return Ok(false);
        }
        let which = 1 + chance.next_u64() % u64::from(self.backup_count);
        self.stop();
        for name in ["hub.db", "hub.db-wal", "hub.db-shm"] {
            let _ = std::fs::remove_file(self.directory.join(name));
        }
        let backup = self.backups.join(which.to_string());
        restore(&backup, &self.directory, &self.entropy, now)?;
        self.start()?;
        Ok(true)
    }

    fn populate(&mut self, devices: &[(DeviceId, [u8; 32])]) -> Result<()> {
        let now = WallTime(0);
        let store = self.store.as_ref().context("the hub was just started")?;
        let organisation = Organisation {
            id: self.organisation.clone(),
            name: "Cơ quan thử".into(),
        };
        store.put_organisation(&organisation, now)?;
        let room = Room {
            id: self.room.clone(),
            name: "Phòng thử".into(),
            doors: vec!["door".parse()?],
        };
        store.put_room(&self.organisation, &room, now)?;
        for number in 0..PEOPLE {
            store.put_person(&self.organisation, &person(number, 0)?, now)?;
        }
        for (index, (device, head)) in devices.iter().enumerate() {
            let doors = room.doors.clone();
            store.put_device(&self.organisation, device, &self.room, &doors, now)?;
            let number = u8::try_from(index)?;
            let hash = Digest([number; 32]);
            store.put_token(&hash, device, WallTime(DAY_MS), now)?;
            let certificate = DeviceCertificate {
                serial: hub::model::CertificateSerial(vec![number]),
                expires_at: WallTime(i64::MAX / 2),
                pem: String::new(),
                request: hash,
            };
            let keys = DeviceKeys {
                sealing: [number; 32],
                head: *head,
            };
            let used = store.enrol_device(&hash, &keys, &certificate, now)?;
            anyhow::ensure!(matches!(used, TokenUse::Enrolled(_)), "enrolled: {used:?}");
        }
        Ok(())
    }

    /// An integrator changes something: a meeting, a roster, a name.
    pub fn change(&self, chance: &mut Chance, now: WallTime) -> Result<(), StoreError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let number = chance.next_u64() % 4;
        let Ok(meeting) = MeetingId::new(&format!("M-{number}-{}", chance.next_u64() % 3)) else {
            return Ok(());
        };
        let organisation = &self.organisation;
        let result = match chance.next_u64() % 10 {
            0..3 => {
                let plan = MeetingPlan {
                    id: meeting,
                    title: format!("Họp thử lần {}", chance.next_u64() % 5),
                    room: self.room.clone(),
                    doors: Vec::new(),
                    starts_at: WallTime(now.0 + 3_600_000),
                    ends_at: WallTime(now.0 + DAY_MS),
                    zone: "Asia/Ho_Chi_Minh".into(),
                    quorum: None,
                };
                store
                    .put_meeting(organisation, &plan, &self.sealing, now)
                    .map(|_| ())
            }
            3..7 => {
                let mut entries = Vec::new();
                for number in 0..PEOPLE {
                    if chance.next_u64().is_multiple_of(2) {
                        entries.extend(entry(number).ok());
                    }
                }
                let sealing = &self.sealing;
                store
                    .put_roster(organisation, &meeting, &entries, sealing, now)
                    .map(|_| ())
            }
            7 => store
                .cancel_meeting(organisation, &meeting, now)
                .map(|_| ()),
            8 => store.close_meeting(organisation, &meeting, now).map(|_| ()),
            _ => {
                let which = usize::try_from(chance.next_u64() % PEOPLE as u64).unwrap_or(0);
                match person(which, chance.next_u64() % 5) {
                    Ok(person) => store.put_person(organisation, &person, now).map(|_| ()),
                    Err(_) => Ok(()),
                }
            }
        };
        match result {
            // Nobody promised that there is such a meeting, or that it is still open.
            Err(StoreError::Missing(_) | StoreError::Conflict(_)) => Ok(()),
            other => other,
        }
    }

    /// What the device should have in the end.
    pub fn meetings(&self, device: &DeviceId, now: WallTime) -> Result<w::DeviceMeetings> {
        let store = self.store.as_ref().context("the hub runs in the end")?;
        Ok(self.list(store, device, now)?)
    }

    /// Answers a daemon. An error is one of the store: the hub dies of it.
    pub fn answer(&self, device: &DeviceId, call: &Call, now: WallTime) -> Result<Answer> {
        let store = self
            .store
            .as_ref()
            .context("who does not run answers nothing")?;
        let identity = store.identity()?;
        let id = w::StoreId {
            store: Hex(identity.store),
            incarnation: Hex(identity.incarnation),
        };
        let answer = match call {
            Call::Renew => problem(ProblemType::Unavailable),
            // A machine of its own asks for these, which is not simulated here.
            Call::Offers { .. } | Call::OfferRange { .. } => problem(ProblemType::NotFound),
            Call::Health(health) => {
                let kept = Health {
                    received_at: now,
                    document: serde_json::to_string(health)?,
                };
                store.put_health(device, &kept)?;
                ok(&w::HealthAnswer {
                    now: Timestamp(now),
                    store: id,
                    renew_at: Timestamp(WallTime(i64::MAX / 2)),
                })?
            }
            Call::Meetings { etag } => {
                let list = self.list(store, device, now)?;
                let tag = serde_json::to_vec(&(&list.meetings, &list.withdrawn))?;
                let tag = format!("\"{}\"", record::digest(&tag));
                if *etag == Some(tag.clone()) {
                    HttpAnswer {
                        status: 304,
                        ..HttpAnswer::default()
                    }
                } else {
                    HttpAnswer {
                        etag: Some(tag),
                        ..ok(&list)?
                    }
                }
            }
            Call::Roster { meeting } => match store.device_roster(device, meeting, None, now)? {
                DeviceRosterAnswer::Here(roster) => ok(&on_the_wire(meeting, *roster))?,
                DeviceRosterAnswer::Gone => problem(ProblemType::Gone),
                DeviceRosterAnswer::Unknown => problem(ProblemType::NotFound),
                DeviceRosterAnswer::Unchanged => problem(ProblemType::Internal),
            },
            Call::Position { epoch } => {
                let position = store.position(device, epoch)?;
                ok(&w::Position {
                    store: id,
                    epoch: position.epoch.into(),
                    committed_through: position.committed_through.0,
                    digest: position.digest.map(Into::into),
                })?
            }
            Call::Records(sent) => self.ingest(store, device, sent, id, now)?,
        };
        Ok(Ok(answer))
    }

    fn ingest(
        &self,
        store: &SqliteStore,
        device: &DeviceId,
        sent: &w::SendRecords,
        id: w::StoreId,
        now: WallTime,
    ) -> Result<HttpAnswer> {
        let batch = Batch {
            epoch: sent.epoch.into(),
            first: vocabulary::Sequence(sent.first),
            oldest: vocabulary::Sequence(sent.oldest),
            records: sent.records.iter().map(|one| one.0.clone()).collect(),
            head: sent.head.as_ref().map(|head| head.0.clone()),
        };
        let ingested = match store.ingest(device, &batch, now) {
            Ok(ingested) => ingested,
            Err(StoreError::Batch(_)) => return Ok(problem(ProblemType::Unprocessable)),
            Err(error) => return Err(error.into()),
        };
        let quarantined = ingested.quarantined.into_iter().map(|one| w::Quarantined {
            sequence: one.sequence.0,
            digest: one.digest.into(),
            why: w::QuarantineReason::Fork,
        });
        ok(&w::RecordsAccepted {
            position: w::Position {
                store: id,
                epoch: ingested.position.epoch.into(),
                committed_through: ingested.position.committed_through.0,
                digest: ingested.position.digest.map(Into::into),
            },
            quarantined: quarantined.collect(),
        })
    }

    fn list(
        &self,
        store: &SqliteStore,
        device: &DeviceId,
        now: WallTime,
    ) -> Result<w::DeviceMeetings, StoreError> {
        let (from, until) = (WallTime(now.0 - DAY_MS), WallTime(now.0 + 30 * DAY_MS));
        let list = store.device_meetings(device, from, until, now)?;
        let meetings = list.meetings.into_iter().map(|one| w::DeviceMeeting {
            meeting: Id(one.meeting),
            generation: one.generation,
            digest: one.digest.into(),
            starts_at: Timestamp(one.starts_at),
            ends_at: Timestamp(one.ends_at),
            closed: one.closed,
            key: one
                .key
                .filter(|_| !self.withholds_keys)
                .map(|key| w::MeetingKey {
                    id: Hex(key.id.0),
                    wrapped: Base64(key.wrapped.as_bytes().to_vec()),
                }),
            recorded_elsewhere: Vec::new(),
        });
        let withdrawn = list.withdrawn.into_iter().map(|one| w::Withdrawn {
            meeting: Id(one.meeting),
            generation: one.generation,
        });
        Ok(w::DeviceMeetings {
            meetings: meetings.collect(),
            withdrawn: withdrawn.collect(),
            now: Timestamp(now),
        })
    }
}

/// The identity of a store, as the device was told when it was enrolled.
pub fn store_id(store: &SqliteStore) -> Result<Hex16> {
    Ok(Hex(store.identity()?.store))
}

/// An answer with a body.
pub fn ok<T: serde::Serialize>(body: &T) -> Result<HttpAnswer> {
    Ok(HttpAnswer {
        status: 200,
        body: serde_json::to_vec(body)?,
        ..HttpAnswer::default()
    })
}

/// An answer with a problem.
pub fn problem(kind: ProblemType) -> HttpAnswer {
    HttpAnswer {
        status: kind.status(),
        body: serde_json::to_vec(&Problem::new(kind, "simulated")).unwrap_or_default(),
        ..HttpAnswer::default()
    }
}

fn on_the_wire(meeting: &MeetingId, roster: hub::model::DeviceRoster) -> w::DeviceRoster {
    let substitutes = roster.substitutes.into_iter().filter_map(|one| {
        Some(w::SubstituteRight {
            person: Id(one.person),
            instead_of: Id(one.instead_of),
            document: wire::Name::new(&one.document).ok()?,
        })
    });
    w::DeviceRoster {
        organisation: Id(roster.organisation),
        meeting: Id(meeting.clone()),
        generation: roster.roster.generation,
        digest: roster.roster.digest.into(),
        roster: Base64(roster.roster.bytes),
        key: Hex(roster.key.id.0),
        references: Vec::new(),
        invitation_keys: roster.invitation_keys.into_iter().map(Hex).collect(),
        substitutes: substitutes.collect(),
        citizen_cards: Vec::new(),
    }
}

fn person(number: usize, version: u64) -> Result<PersonDetails> {
    Ok(PersonDetails {
        id: PersonId::new(&format!("P-{number}"))?,
        name: format!("Đại biểu Thử {number} lần {version}"),
        title: "Ông".into(),
        unit: "Đơn vị thử".into(),
    })
}

fn entry(number: usize) -> Result<Entry> {
    Ok(Entry {
        person: PersonId::new(&format!("P-{number}"))?,
        title: None,
        unit: None,
        role: Role::Member,
        attendance: Attendance::FaceOrCode,
        instead_of: None,
        document: None,
    })
}
