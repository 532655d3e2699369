//! A door as the simulation has it: the real ledger, the real store of what the city sent and the
//! real machine of the daemon, and between them no more than the daemon's shell does.
//!
//! What the code does is checked where it does it: a watermark when it is saved, a roster when it
//! is stored, the ledger when it is opened again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ledger::{Beginning, CityRoster, CityStore, Ledger, Reader};
use record::{Body, Fault, Part, SigningKey, Text};
use seal::{KeyId, WrappedKey};
use sync::backoff::Chance;
use sync::{
    Change, Command, Event, FetchedRoster, HeldMeeting, Holding, LedgerBatch, LedgerOutcome,
    LedgerRecord, Now, Remembered, Request, RequestId, SetAside, Status, Sync,
};
use vocabulary::{
    BootId, ClockQuality, DeviceId, Digest, Epoch, MeetingId, Monotonic, OrganisationId, Sequence,
    Stamp, WallTime,
};
use wire::scalar::{Hex, Hex16};

use crate::disk;

/// A door, or a copy of one.
pub struct Door {
    /// Whose records these are. A copy has the same.
    pub device: DeviceId,
    /// Its disk.
    pub directory: PathBuf,
    /// What its clock shows more than the hub's, in milliseconds.
    pub clock_ms: i64,
    /// Counts the starts of its daemon: answers to an earlier one find nobody.
    pub life: u64,
    /// When it wants to be woken, if it runs.
    pub wake_at: Option<u64>,
    /// The digests of the ledger's records, as they were acknowledged.
    pub digests: Vec<Digest>,
    /// Records that turned out to be in the ledger although nobody was told so.
    pub beyond: Vec<(u64, Digest)>,
    /// The ledger's epoch.
    pub epoch: Option<Epoch>,
    /// What the daemon last said.
    pub status: Status,
    /// Records that the hub does not take.
    pub set_aside: BTreeSet<(Epoch, u64)>,
    /// The newest generation of each meeting that was stored.
    generations: BTreeMap<MeetingId, u64>,
    key: SigningKey,
    store: Hex16,
    organisation: OrganisationId,
    running: Option<Running>,
    /// The digest of the last record of the ledger before this one.
    predecessor: Digest,
    count: u64,
    just_read: Option<((u64, u64, usize, u64), LedgerBatch)>,
}

struct Running {
    ledger: Ledger,
    city: CityStore,
    sync: Sync,
}

/// What came of letting the daemon do something.
#[derive(Default)]
pub struct Outcome {
    /// What it sends.
    pub requests: Vec<Request>,
    /// Watermarks that it saved.
    pub marks: Vec<sync::Watermark>,
}

impl Door {
    /// A door with an empty disk.
    pub fn new(
        root: &Path,
        name: &str,
        device: DeviceId,
        key: SigningKey,
        store: Hex16,
    ) -> Result<Self> {
        let directory = root.join(name);
        fs::create_dir(&directory)?;
        disk::add(&directory);
        Ok(Self {
            device,
            directory,
            clock_ms: 0,
            life: 0,
            wake_at: None,
            digests: Vec::new(),
            beyond: Vec::new(),
            epoch: None,
            status: Status::default(),
            set_aside: BTreeSet::new(),
            generations: BTreeMap::new(),
            key,
            store,
            organisation: OrganisationId::new("org")?,
            running: None,
            predecessor: Digest::ZERO,
            count: 0,
            just_read: None,
        })
    }

    /// A copy of this door's disk, as of now, in another device.
    pub fn copy(&self, root: &Path, name: &str) -> Result<Self> {
        let directory = root.join(name);
        fs::create_dir(&directory)?;
        disk::add(&directory);
        copy_files(&self.directory, &directory)?;
        Ok(Self {
            device: self.device.clone(),
            directory,
            clock_ms: self.clock_ms,
            life: 0,
            wake_at: None,
            digests: self.digests.clone(),
            beyond: Vec::new(),
            epoch: self.epoch,
            status: Status::default(),
            set_aside: self.set_aside.clone(),
            generations: self.generations.clone(),
            key: self.key.clone(),
            store: self.store,
            organisation: self.organisation.clone(),
            running: None,
            predecessor: self.predecessor,
            count: 0,
            just_read: None,
        })
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// What both clocks show; virtual time in milliseconds.
    pub fn now(&self, at: u64) -> Now {
        Now {
            wall: WallTime(
                i64::try_from(at)
                    .unwrap_or(i64::MAX)
                    .saturating_add(self.clock_ms),
            ),
            monotonic: Monotonic::from_millis(at),
        }
    }

    /// Starts kiosk and daemon on what is on the disk, and checks that the ledger has all that it
    /// acknowledged. What it has beyond that, records whose acknowledgement was cut off, it leaves
    /// in [`Door::beyond`].
    pub fn start(&mut self, at: u64, chance: &mut Chance) -> Result<()> {
        let stamp = self.stamp(at);
        let path = self.directory.join("ledger.db");
        let mut epoch = [0; 16];
        epoch[..8].copy_from_slice(&chance.next_u64().to_le_bytes());
        epoch[8..].copy_from_slice(&chance.next_u64().to_le_bytes());
        let beginning = Beginning {
            predecessor: self.predecessor,
            epoch: Some(Epoch(epoch)),
        };
        let ledger = Ledger::open_after(&path, &self.device, stamp, beginning)?;
        if self.epoch.is_some_and(|epoch| epoch != ledger.epoch()) {
            ensure!(self.digests.is_empty(), "the ledger was replaced by itself");
        }
        self.epoch = Some(ledger.epoch());
        let tail = ledger.tail().map_or(0, |tail| tail.sequence.0);
        ensure!(
            tail >= self.digests.len() as u64,
            "the ledger lost what it acknowledged"
        );
        let reader = Reader::open(&path)?;
        for stored in reader.records_after(Sequence(0)) {
            let stored = stored?;
            let number = stored.record.sequence.0;
            match self.digests.get(usize::try_from(number - 1)?) {
                Some(digest) => ensure!(*digest == stored.digest, "the ledger changed {number}"),
                None => {
                    self.beyond.push((number, stored.digest));
                    self.digests.push(stored.digest);
                }
            }
        }
        let city = CityStore::open(&self.directory.join("city.db"))?;
        let remembered = self.remember(&city)?;
        let sync = Sync::new(&remembered, chance.next_u64());
        self.running = Some(Running { ledger, city, sync });
        self.life += 1;
        self.wake_at = Some(at);
        Ok(())
    }

    /// Stops both without closing anything properly that was begun.
    pub fn stop(&mut self) {
        self.running = None;
        self.wake_at = None;
        self.life += 1;
    }

    /// Takes the ledger away; the next start begins a new one. The door is off, its disk too.
    pub fn replace_ledger(&mut self) -> Result<()> {
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            let _ = fs::remove_file(self.directory.join(name));
        }
        self.predecessor = self.digests.last().copied().unwrap_or(Digest::ZERO);
        self.digests.clear();
        self.epoch = None;
        Ok(())
    }

    /// Keeps a copy of the ledger, to be put back later.
    pub fn save_ledger(&self, into: &Path) -> Result<()> {
        fs::create_dir_all(into)?;
        for name in ["ledger.db", "ledger.db-wal"] {
            let _ = fs::remove_file(into.join(name));
            let from = self.directory.join(name);
            if from.exists() {
                fs::copy(from, into.join(name))?;
            }
        }
        Ok(())
    }

    /// Puts back a copy of the ledger that had so many records. The door is off, its disk too.
    pub fn put_ledger_back(&mut self, from: &Path, records: usize) -> Result<()> {
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            let _ = fs::remove_file(self.directory.join(name));
            if from.join(name).exists() {
                fs::copy(from.join(name), self.directory.join(name))?;
            }
        }
        self.digests.truncate(records);
        Ok(())
    }

    /// The kiosk records some things. Answers what was acknowledged.
    pub fn record(&mut self, at: u64, how_many: u64) -> Result<Vec<(u64, Digest)>> {
        let stamp = self.stamp(at);
        let mut acknowledged = Vec::new();
        let Some(running) = &mut self.running else {
            return Ok(acknowledged);
        };
        for _ in 0..how_many {
            self.count += 1;
            // What a copy writes differs from what the other writes.
            let what = format!("{} {}", self.directory.display(), self.count);
            let body = Body::Fault(Fault {
                part: Part::Door,
                what: Text::clipped(&what),
            });
            match running.ledger.append(stamp, body) {
                Ok(appended) => {
                    self.digests.push(appended.digest);
                    acknowledged.push((appended.sequence.0, appended.digest));
                }
                Err(error) => {
                    ensure!(
                        disk::is_dead(&self.directory),
                        "the ledger refused: {error}"
                    );
                    break;
                }
            }
        }
        Ok(acknowledged)
    }

    /// Lets an event happen to the daemon, and does what it commands.
    pub fn handle(&mut self, at: u64, event: Event) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut events = vec![event];
        let mut turns = 0;
        while let Some(event) = events.pop() {
            turns += 1;
            ensure!(turns < 2000, "the daemon never comes to rest");
            let now = self.now(at);
            let Some(running) = &mut self.running else {
                break;
            };
            let mut commands = Vec::new();
            running.sync.handle(now, event, &mut commands);
            for command in commands {
                let answer = self.obey(command, at, &mut outcome)?;
                if disk::is_dead(&self.directory) {
                    return Ok(outcome);
                }
                events.extend(answer);
            }
        }
        let wake = self
            .running
            .as_ref()
            .and_then(|running| running.sync.next_wake());
        self.wake_at = wake.map(|wake| wake.0.div_ceil(1_000_000).max(at));
        Ok(outcome)
    }

    /// What `city.db` has.
    pub fn held(&self) -> Result<Vec<ledger::Held>> {
        let running = self
            .running
            .as_ref()
            .context("every door runs in the end")?;
        Ok(running.city.held()?)
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each command")]
    #[allow(
        clippy::too_many_lines,
        reason = "one arm for each command, in the order of the enum"
    )]
    fn obey(&mut self, command: Command, at: u64, into: &mut Outcome) -> Result<Option<Event>> {
        let wall = self.now(at).wall;
        let Some(running) = &mut self.running else {
            return Ok(None);
        };
        let (change, done) = match command {
            Command::Send(request) => {
                into.requests.push(request);
                return Ok(None);
            }
            Command::ReadLedger { id, after, limit } => {
                return Ok(Some(self.read(id, after, limit)));
            }
            Command::Show(status) => {
                self.status = status;
                return Ok(None);
            }
            Command::ObserveClock { .. } | Command::StoreCertificate(_) => return Ok(None),
            Command::SaveWatermark(mark) => {
                into.marks.push(mark);
                let mark = ledger::Watermark {
                    store: mark.store.0,
                    incarnation: mark.incarnation.0,
                    epoch: mark.epoch,
                    through: Sequence(mark.through),
                };
                let done = running.city.set_watermark(&mark).err();
                (Change::Watermark, done.map(|error| error.to_string()))
            }
            Command::SaveSetAside(one) | Command::ForgetSetAside(one) => {
                let saved = matches!(command, Command::SaveSetAside(_));
                if saved {
                    self.set_aside.insert((one.epoch, one.sequence));
                } else {
                    self.set_aside.remove(&(one.epoch, one.sequence));
                }
                let number = Sequence(one.sequence);
                let done = running.city.set_aside(one.epoch, number, saved).err();
                (Change::SetAside, done.map(|error| error.to_string()))
            }
            Command::StoreRoster(fetched) => {
                let meeting = fetched.roster.meeting().id.clone();
                let generation = fetched.roster.generation();
                check_forward(&self.generations, &meeting, generation, true)?;
                let digest = record::digest(&fetched.bytes);
                ensure!(
                    fetched.digest == digest.into(),
                    "{meeting}: a changed roster was kept"
                );
                let done = running.city.put_roster(&sent(*fetched), wall).err();
                if done.is_none() {
                    self.generations.insert(meeting.clone(), generation);
                }
                let change = Change::Roster {
                    meeting,
                    generation,
                };
                (change, done.map(|error| error.to_string()))
            }
            Command::StoreKey { meeting, key } => {
                let id = KeyId(key.id.0);
                let wrapped = WrappedKey::from_bytes(&key.wrapped.0)?;
                let organisation = &self.organisation;
                let done = running
                    .city
                    .put_key(organisation, &meeting, id, &wrapped)
                    .err();
                let key = key.id;
                (
                    Change::Key { meeting, key },
                    done.map(|error| error.to_string()),
                )
            }
            Command::Withdraw {
                meeting,
                generation,
            } => {
                check_forward(&self.generations, &meeting, generation, false)?;
                let done = running.city.withdraw(&meeting, generation).err();
                if done.is_none() {
                    self.generations.insert(meeting.clone(), generation);
                }
                let change = Change::Withdrawal {
                    meeting,
                    generation,
                };
                (change, done.map(|error| error.to_string()))
            }
            Command::Close {
                meeting,
                generation,
            } => {
                check_forward(&self.generations, &meeting, generation, false)?;
                let done = running.city.close(&meeting, generation).err();
                if done.is_none() {
                    self.generations.insert(meeting.clone(), generation);
                }
                let change = Change::Closing {
                    meeting,
                    generation,
                };
                (change, done.map(|error| error.to_string()))
            }
        };
        if let Some(why) = &done {
            ensure!(
                disk::is_dead(&self.directory),
                "{change:?} was refused: {why}"
            );
        }
        Ok(Some(Event::Stored {
            change,
            failed: done,
        }))
    }

    /// Reads the ledger. What was just read is not read again as long as nothing was added: over
    /// days without a network that would be most of the work.
    fn read(&mut self, id: RequestId, after: u64, limit: usize) -> Event {
        let last = self.digests.len() as u64;
        let asked = (self.life, after, limit, last);
        if let Some((before, batch)) = &self.just_read
            && *before == asked
        {
            let outcome = LedgerOutcome::Batch(batch.clone());
            return Event::LedgerRead { id, outcome };
        }
        let batch = |records: Vec<LedgerRecord>| {
            let batch = LedgerBatch {
                epoch: self.epoch.unwrap_or(Epoch([0; 16])),
                oldest: 1,
                last,
                records,
                head: None,
            };
            let head = batch.head_to_sign(&self.device);
            LedgerBatch {
                head: head.map(|head| head.sign(&self.key).encode()),
                ..batch
            }
        };
        // That there is nothing new is known without looking.
        if after >= last {
            let outcome = LedgerOutcome::Batch(batch(Vec::new()));
            return Event::LedgerRead { id, outcome };
        }
        let read = Reader::open(&self.directory.join("ledger.db"))
            .and_then(|reader| reader.read_after(Sequence(after), limit));
        let outcome = match read {
            Ok(rows) => LedgerOutcome::Batch(batch(
                rows.into_iter()
                    .map(|row| LedgerRecord {
                        sequence: row.record.sequence.0,
                        bytes: row.bytes,
                    })
                    .collect(),
            )),
            Err(error) => LedgerOutcome::Failed(error.to_string()),
        };
        if let LedgerOutcome::Batch(batch) = &outcome {
            self.just_read = Some((asked, batch.clone()));
        }
        Event::LedgerRead { id, outcome }
    }

    fn remember(&mut self, city: &CityStore) -> Result<Remembered> {
        let watermark = city.watermark()?.map(|mark| sync::Watermark {
            store: Hex(mark.store),
            incarnation: Hex(mark.incarnation),
            epoch: mark.epoch,
            through: mark.through.0,
        });
        let set_aside: Vec<SetAside> = city
            .all_set_aside()?
            .into_iter()
            .map(|(epoch, number)| SetAside {
                epoch,
                sequence: number.0,
            })
            .collect();
        self.set_aside = set_aside
            .iter()
            .map(|one| (one.epoch, one.sequence))
            .collect();
        let mut meetings = Vec::new();
        let mut generations = BTreeMap::new();
        for held in city.held()? {
            generations.insert(held.meeting.clone(), held.generation);
            meetings.push(HeldMeeting {
                meeting: held.meeting,
                generation: held.generation,
                holding: match held.holding {
                    ledger::Holding::Roster => Holding::Roster,
                    ledger::Holding::Closed => Holding::Closed,
                    ledger::Holding::Withdrawn => Holding::Withdrawn,
                },
                key: held.key.map(|key| Hex(key.0)),
            });
        }
        // What was stored must be there; what was cut off may be.
        for (meeting, stored) in &self.generations {
            let found = generations.get(meeting);
            ensure!(
                found >= Some(stored),
                "{meeting}: stored as {stored}, found as {found:?}"
            );
        }
        self.generations = generations;
        Ok(Remembered {
            store: self.store,
            watermark,
            set_aside,
            meetings,
            expires_at: WallTime(i64::MAX / 2),
            renew_at: WallTime(i64::MAX / 2),
            built_at: WallTime(0),
            last_record_at: None,
        })
    }

    fn stamp(&self, at: u64) -> Stamp {
        let now = self.now(at);
        Stamp {
            wall: now.wall,
            quality: ClockQuality::FreeRunning,
            boot: BootId([1; 16]),
            monotonic: now.monotonic,
        }
    }
}

/// Checks that a generation does not go back; a roster must be newer than what was there.
fn check_forward(
    generations: &BTreeMap<MeetingId, u64>,
    meeting: &MeetingId,
    generation: u64,
    newer: bool,
) -> Result<()> {
    let before = generations.get(meeting).copied();
    let forward = before.is_none_or(|before| {
        if newer {
            generation > before
        } else {
            generation >= before
        }
    });
    ensure!(
        forward,
        "{meeting} went back from generation {before:?} to {generation}"
    );
    Ok(())
}

fn sent(fetched: FetchedRoster) -> CityRoster {
    let substitutes = fetched
        .substitutes
        .into_iter()
        .map(|one| ledger::SubstituteRight {
            person: one.person.0,
            instead_of: one.instead_of.0,
            document: one.document.as_str().to_owned(),
        });
    CityRoster {
        roster: fetched.roster,
        key: KeyId(fetched.key.0),
        references: Vec::new(),
        invitation_keys: fetched
            .invitation_keys
            .into_iter()
            .map(|key| key.0)
            .collect(),
        substitutes: substitutes.collect(),
        citizen_cards: Vec::new(),
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for name in ["ledger.db", "ledger.db-wal", "city.db", "city.db-wal"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name))?;
        }
    }
    Ok(())
}
