//! A door for tests: a daemon's machine with a ledger in memory, and words to answer it with.

#![allow(clippy::unwrap_used, dead_code, reason = "shared by several tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use sync::*;
use vocabulary::{
    Attendance, Delegate, Epoch, Meeting, MeetingId, Monotonic, OrganisationId, PersonId, Role,
    RoomId, Roster, RosterEntry, WallTime,
};
use wire::device::*;
use wire::problem::{Problem, ProblemType};
use wire::scalar::{Hex, Hex16, Hex32};
use wire::{Base64, Id, Timestamp};

pub const STORE: Hex16 = Hex([1; 16]);
pub const FIRST_LIFE: Hex16 = Hex([2; 16]);
pub const SECOND_LIFE: Hex16 = Hex([3; 16]);
pub const EPOCH: Epoch = Epoch([4; 16]);
/// What the device's clock shows at the beginning: a day in 2026.
pub const BEGIN: WallTime = WallTime(1_780_000_000_000);
pub const DAY_MS: i64 = 86_400_000;
/// Only then is a call made again that was not answered.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(300);

pub struct Door {
    pub sync: Sync,
    pub now: Now,
    pub epoch: Epoch,
    pub ledger: Vec<Vec<u8>>,
    pub oldest: u64,
    pub unreadable: Option<u64>,
    /// Calls that were made and not answered.
    pub calls: Vec<Request>,
    made_at: BTreeMap<&'static str, Monotonic>,
    /// All other commands but reading and showing, in order.
    pub done: Vec<Command>,
    pub status: Status,
}

impl Door {
    /// A door that has just started, with so many records of which so many are acknowledged.
    pub fn new(records: u64, acknowledged: u64) -> Self {
        Self::with(records, remembered(acknowledged))
    }

    pub fn with(records: u64, remembered: Remembered) -> Self {
        let mut door = Self {
            sync: Sync::new(&remembered, 7),
            now: Now {
                wall: BEGIN,
                monotonic: Monotonic::from_millis(1000),
            },
            epoch: EPOCH,
            ledger: (1..=records)
                .map(|n| format!("record {n}").into_bytes())
                .collect(),
            oldest: 1,
            unreadable: None,
            calls: Vec::new(),
            made_at: BTreeMap::new(),
            done: Vec::new(),
            status: Status::default(),
        };
        door.handle(Event::Tick);
        door
    }

    /// Lets an event happen; reads of the ledger are answered at once.
    pub fn handle(&mut self, event: Event) {
        let mut out = Vec::new();
        self.sync.handle(self.now, event, &mut out);
        for command in out {
            match command {
                Command::Send(request) => {
                    let kind = request.call.operation();
                    let before = self.made_at.insert(kind, self.now.monotonic);
                    if self.has_call(kind) {
                        let age = self.now.monotonic.since(before.unwrap());
                        assert!(age >= GIVEN_UP_AFTER, "two {request:?}");
                        self.calls.retain(|one| one.call.operation() != kind);
                    }
                    self.calls.push(request);
                }
                Command::ReadLedger { id, after, limit } => {
                    assert!(limit <= wire::limits::BATCH_RECORDS_MAX);
                    let outcome = self.read(after, limit);
                    self.handle(Event::LedgerRead { id, outcome });
                }
                Command::Show(status) => self.status = status,
                other => self.done.push(other),
            }
        }
    }

    fn read(&self, after: u64, limit: usize) -> LedgerOutcome {
        let last = self.ledger.len() as u64;
        let from = after.max(self.oldest - 1);
        let until = last.min(from + limit as u64);
        if self
            .unreadable
            .is_some_and(|bad| (from + 1..=until).contains(&bad))
        {
            return LedgerOutcome::Failed("bad sector".into());
        }
        let records = (from..until).map(|index| LedgerRecord {
            sequence: index + 1,
            bytes: self.ledger[usize::try_from(index).unwrap()].clone(),
        });
        LedgerOutcome::Batch(LedgerBatch {
            epoch: self.epoch,
            oldest: self.oldest,
            last,
            records: records.collect(),
            head: None,
        })
    }

    /// Lets time pass, waking the daemon whenever it wants.
    pub fn wait(&mut self, wait: Duration) {
        let end = self.now.monotonic.saturating_add(wait);
        while let Some(at) = self.sync.next_wake().filter(|at| *at <= end) {
            let at = at.max(Monotonic(self.now.monotonic.0 + 1));
            self.pass(at);
            self.handle(Event::Tick);
        }
        self.pass(end);
        self.handle(Event::Tick);
    }

    fn pass(&mut self, at: Monotonic) {
        let passed = at.since(self.now.monotonic);
        self.now.wall = self.now.wall.saturating_add(passed);
        self.now.monotonic = self.now.monotonic.max(at);
    }

    /// Where a hub stands that has this ledger's records up to a number.
    pub fn position_of_ours(&self, incarnation: Hex16, through: u64) -> Position {
        let bytes = &self.ledger[usize::try_from(through).unwrap() - 1];
        Position {
            digest: Some(Hex32::from(record::digest(bytes))),
            ..position(incarnation, self.epoch, through)
        }
    }

    /// The call of an operation that is under way.
    pub fn call(&mut self, operation: &str) -> Request {
        let at = self
            .calls
            .iter()
            .position(|one| one.call.operation() == operation);
        let at = at.unwrap_or_else(|| panic!("no {operation} among {:?}", self.calls));
        self.calls.remove(at)
    }

    pub fn has_call(&self, operation: &str) -> bool {
        self.calls
            .iter()
            .any(|one| one.call.operation() == operation)
    }

    pub fn answer(&mut self, operation: &str, answer: Answer) {
        let id = self.call(operation).id;
        self.handle(Event::Answered { id, answer });
    }

    /// The batch that is under way.
    pub fn batch(&self) -> SendRecords {
        let mut batches = self.calls.iter().filter_map(|one| match &one.call {
            Call::Records(batch) => Some(batch.clone()),
            _ => None,
        });
        batches
            .next_back()
            .unwrap_or_else(|| panic!("no batch among {:?}", self.calls))
    }

    pub fn acknowledge(&mut self, through: u64) {
        self.answer("sendRecords", ok(&accepted(FIRST_LIFE, EPOCH, through)));
    }

    /// How far the watermark was saved, if it was.
    pub fn saved(&self) -> Option<Watermark> {
        let mut saved = self.done.iter().filter_map(|command| match command {
            Command::SaveWatermark(mark) => Some(*mark),
            _ => None,
        });
        saved.next_back()
    }

    pub fn has_trouble(&self, is: impl Fn(&Trouble) -> bool) -> bool {
        self.status.troubles.iter().any(is)
    }
}

pub fn remembered(acknowledged: u64) -> Remembered {
    Remembered {
        store: STORE,
        watermark: (acknowledged > 0).then_some(Watermark {
            store: STORE,
            incarnation: FIRST_LIFE,
            epoch: EPOCH,
            through: acknowledged,
        }),
        set_aside: Vec::new(),
        meetings: Vec::new(),
        expires_at: WallTime(BEGIN.0 + 60 * DAY_MS),
        renew_at: WallTime(BEGIN.0 + 30 * DAY_MS),
        built_at: WallTime(BEGIN.0 - 30 * DAY_MS),
        last_record_at: None,
    }
}

pub fn ok<T: serde::Serialize>(body: &T) -> Answer {
    Ok(HttpAnswer {
        status: 200,
        body: serde_json::to_vec(body).unwrap(),
        ..HttpAnswer::default()
    })
}

pub fn status(status: u16) -> Answer {
    Ok(HttpAnswer {
        status,
        ..HttpAnswer::default()
    })
}

pub fn problem(kind: ProblemType) -> Answer {
    let mut answer = ok(&Problem::new(kind, "why"));
    if let Ok(answer) = &mut answer {
        answer.status = kind.status();
    }
    answer
}

pub fn store_id(incarnation: Hex16) -> StoreId {
    StoreId {
        store: STORE,
        incarnation,
    }
}

pub fn position(incarnation: Hex16, epoch: Epoch, through: u64) -> Position {
    Position {
        store: store_id(incarnation),
        epoch: epoch.into(),
        committed_through: through,
        digest: None,
    }
}

pub fn accepted(incarnation: Hex16, epoch: Epoch, through: u64) -> RecordsAccepted {
    RecordsAccepted {
        position: position(incarnation, epoch, through),
        quarantined: Vec::new(),
    }
}

pub fn health(incarnation: Hex16, now: WallTime) -> HealthAnswer {
    HealthAnswer {
        now: Timestamp(now),
        store: store_id(incarnation),
        renew_at: Timestamp(WallTime(BEGIN.0 + 30 * DAY_MS)),
    }
}

pub fn meeting_id(name: &str) -> MeetingId {
    MeetingId::new(name).unwrap()
}

pub fn roster(meeting: &str, generation: u64) -> Roster {
    let person = |name: &str| RosterEntry {
        delegate: Delegate {
            person: PersonId::new(name).unwrap(),
            name: "Đại biểu Thử".into(),
            title: "Ông".into(),
            unit: String::new(),
        },
        role: Role::Member,
        attendance: Attendance::FaceOrCode,
    };
    let meeting = Meeting {
        id: meeting_id(meeting),
        organisation: OrganisationId::new("org").unwrap(),
        room: RoomId::new("room").unwrap(),
        doors: Vec::new(),
        title: "Họp thử".into(),
        starts_at: BEGIN,
        ends_at: WallTime(BEGIN.0 + 3_600_000),
        zone: "Asia/Ho_Chi_Minh".into(),
        quorum: None,
    };
    Roster::new(meeting, generation, vec![person("p-1"), person("p-2")]).unwrap()
}

pub fn device_roster(meeting: &str, generation: u64) -> DeviceRoster {
    let bytes = record::encode_roster(&roster(meeting, generation));
    DeviceRoster {
        organisation: Id(OrganisationId::new("org").unwrap()),
        meeting: Id(meeting_id(meeting)),
        generation,
        digest: Hex32::from(record::digest(&bytes)),
        roster: Base64(bytes),
        key: Hex([9; 16]),
        references: Vec::new(),
        invitation_keys: Vec::new(),
        substitutes: Vec::new(),
        citizen_cards: Vec::new(),
    }
}

pub fn listed(meeting: &str, generation: u64) -> DeviceMeeting {
    DeviceMeeting {
        meeting: Id(meeting_id(meeting)),
        generation,
        digest: device_roster(meeting, generation).digest,
        starts_at: Timestamp(BEGIN),
        ends_at: Timestamp(WallTime(BEGIN.0 + 3_600_000)),
        closed: false,
        key: Some(MeetingKey {
            id: Hex([9; 16]),
            wrapped: Base64(vec![1, 2, 3]),
        }),
        recorded_elsewhere: Vec::new(),
    }
}

pub fn list(meetings: Vec<DeviceMeeting>, withdrawn: Vec<(&str, u64)>) -> Answer {
    let withdrawn = withdrawn
        .into_iter()
        .map(|(meeting, generation)| Withdrawn {
            meeting: Id(meeting_id(meeting)),
            generation,
        });
    let answer = ok(&DeviceMeetings {
        meetings,
        withdrawn: withdrawn.collect(),
        now: Timestamp(BEGIN),
    });
    answer.map(|answer| HttpAnswer {
        etag: Some("\"tag\"".into()),
        ..answer
    })
}
