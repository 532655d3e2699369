//! A door of today and hubs of earlier days: what they answered, as it was written down on the day
//! that names the folder, is understood and followed.

#![allow(
    clippy::unwrap_used,
    reason = "whatever is missing here fails the test that needs it"
)]

mod door;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use sync::*;
use wire::device::{Enrolled, HealthAnswer, SendRecords};

use door::BEGIN;

const FOLDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/contract/clients");

/// How many events a door may need until it has done everything.
const EVENTS_MAX: usize = 200;

/// What a hub answered on one day, by path, and the records that were sent to it.
struct Day {
    name: String,
    replies: BTreeMap<String, Value>,
    sent: Value,
}

impl Day {
    fn all() -> Vec<Self> {
        let days = fs::read_dir(FOLDERS).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            let mut day = Self {
                name: path.display().to_string(),
                replies: BTreeMap::new(),
                sent: Value::Null,
            };
            for entry in fs::read_dir(path).unwrap() {
                let text = fs::read_to_string(entry.unwrap().path()).unwrap();
                let exchange: Value = serde_json::from_str(&text).unwrap();
                let path = exchange["path"].as_str().unwrap().to_owned();
                if exchange["operation"] == "sendRecords" {
                    day.sent = exchange["body"].clone();
                }
                if exchange["reply"].is_object() {
                    day.replies.insert(path, exchange["reply"].clone());
                }
            }
            day
        });
        days.collect()
    }

    fn enrolled(&self) -> Enrolled {
        serde_json::from_value(self.reply("/device/enrolment").clone()).unwrap()
    }

    fn batch(&self) -> SendRecords {
        serde_json::from_value(self.sent.clone()).unwrap()
    }

    fn reply(&self, path: &str) -> &Value {
        let reply = self.replies.get(&format!("{}{path}", wire::BASE));
        reply.unwrap_or_else(|| panic!("{}: nothing is recorded of {path}", self.name))
    }

    fn answer(&self, call: &Call) -> Answer {
        let path = call.http().path;
        let reply = self.reply(path.trim_start_matches(wire::BASE));
        Ok(fate::HttpAnswer {
            status: 200,
            body: reply.to_string().into_bytes(),
            ..fate::HttpAnswer::default()
        })
    }
}

#[test]
fn hubs_of_every_recorded_day_are_understood_and_followed() {
    let days = Day::all();
    assert!(!days.is_empty(), "nothing is recorded in {FOLDERS}");
    for day in days {
        let mut followed = follow(&day);
        followed.entries.sort_unstable();
        let batch = day.batch();
        let through = batch.first + batch.records.len() as u64 - 1;
        assert_eq!(followed.through, through, "{}", day.name);
        assert_eq!(followed.entries, [1, 3], "{}", day.name);
        assert_eq!(followed.status.troubles, [].into(), "{}", day.name);
        let renewed = day.answer(&Call::Renew);
        let fate = fate::classify::<Enrolled>(&Call::Renew, &renewed);
        assert!(matches!(fate, fate::Fate::Accepted(_)), "{}", day.name);
    }
}

/// What a door did that this hub answered.
#[derive(Default)]
struct Followed {
    through: u64,
    /// How many people are on each roster that was kept.
    entries: Vec<usize>,
    status: Status,
}

fn follow(day: &Day) -> Followed {
    let enrolled = day.enrolled();
    let remembered = Remembered {
        store: enrolled.store.store,
        watermark: None,
        set_aside: Vec::new(),
        meetings: Vec::new(),
        expires_at: enrolled.expires_at.0,
        renew_at: enrolled.renew_at.0,
        built_at: BEGIN,
        last_record_at: None,
    };
    let mut sync = Sync::new(&remembered, 7);
    let health: HealthAnswer = serde_json::from_value(day.reply("/device/health").clone()).unwrap();
    let now = Now {
        wall: health.now.0,
        monotonic: vocabulary::Monotonic::from_millis(1000),
    };
    let mut events = std::collections::VecDeque::from([Event::Tick]);
    let mut followed = Followed::default();
    for _ in 0..EVENTS_MAX {
        let Some(event) = events.pop_front() else {
            break;
        };
        let mut commands = Vec::new();
        sync.handle(now, event, &mut commands);
        for command in commands {
            events.extend(obey(day, command, &mut followed));
        }
    }
    assert!(events.is_empty(), "{}: the door comes to no end", day.name);
    followed
}

fn obey(day: &Day, command: Command, followed: &mut Followed) -> Option<Event> {
    let stored = |change| {
        Some(Event::Stored {
            change,
            failed: None,
        })
    };
    match command {
        Command::Send(request) => Some(Event::Answered {
            id: request.id,
            answer: day.answer(&request.call),
        }),
        Command::ReadLedger { id, after, .. } => {
            let batch = day.batch();
            let records = (batch.first..).zip(batch.records);
            let behind = records.filter(|(sequence, _)| *sequence > after);
            let batch = LedgerBatch {
                epoch: batch.epoch.into(),
                oldest: 1,
                last: 2,
                records: behind
                    .map(|(sequence, bytes)| LedgerRecord {
                        sequence,
                        bytes: bytes.0,
                    })
                    .collect(),
                head: None,
            };
            let outcome = LedgerOutcome::Batch(batch);
            Some(Event::LedgerRead { id, outcome })
        }
        Command::SaveWatermark(watermark) => {
            followed.through = watermark.through;
            stored(Change::Watermark)
        }
        Command::StoreRoster(roster) => {
            followed.entries.push(roster.roster.entries().len());
            stored(Change::Roster {
                meeting: roster.roster.meeting().id.clone(),
                generation: roster.roster.generation(),
            })
        }
        Command::StoreKey { meeting, key } => stored(Change::Key {
            meeting,
            key: key.id,
        }),
        Command::Show(status) => {
            followed.status = status;
            None
        }
        Command::ObserveClock { .. } => None,
        command @ (Command::SaveSetAside(_)
        | Command::ForgetSetAside(_)
        | Command::Withdraw { .. }
        | Command::Close { .. }
        | Command::StoreCertificate(_)) => panic!("{}: {command:?}", day.name),
    }
}
