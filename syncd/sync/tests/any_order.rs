//! Whatever happens, in whatever order: nothing panics, at most one call of a kind is under way,
//! and the watermark never goes beyond what was acknowledged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod door;

use door::*;
use proptest::prelude::*;
use sync::{Call, Change, Command, Event, LedgerBatch, LedgerOutcome, LedgerRecord, Request};
use sync::{Now, RequestId, Sync, TransportError};
use vocabulary::{Epoch, Monotonic, WallTime};

#[derive(Debug, Clone)]
enum Happening {
    Tick,
    Pass(u64),
    StepClock(i64),
    Grow(u64),
    NewLedger,
    Read { good: bool, count: u64 },
    Records { life: u8, through: u64, right: bool },
    Position { life: u8, through: u64 },
    Health { life: u8 },
    List { generation: u64, withdrawn: u64 },
    Roster { generation: u64 },
    Status(usize, u16),
    Lost(usize),
    Stale(u64),
    Stored(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    prop_oneof![
        3 => Just(H::Tick),
        4 => (0_u64..400_000).prop_map(H::Pass),
        1 => any::<i64>().prop_map(H::StepClock),
        4 => (0_u64..900).prop_map(H::Grow),
        1 => Just(H::NewLedger),
        6 => (any::<bool>(), 0_u64..600).prop_map(|(good, count)| H::Read { good, count }),
        6 => (0_u8..3, 0_u64..2000, any::<bool>())
            .prop_map(|(life, through, right)| H::Records { life, through, right }),
        2 => (0_u8..3, 0_u64..2000).prop_map(|(life, through)| H::Position { life, through }),
        2 => (0_u8..3).prop_map(|life| H::Health { life }),
        3 => (0_u64..5, 0_u64..5)
            .prop_map(|(generation, withdrawn)| H::List { generation, withdrawn }),
        3 => (0_u64..5).prop_map(|generation| H::Roster { generation }),
        3 => (0_usize..6, 0_u16..700).prop_map(|(which, status)| H::Status(which, status)),
        2 => (0_usize..6).prop_map(H::Lost),
        1 => any::<u64>().prop_map(H::Stale),
        3 => any::<bool>().prop_map(H::Stored),
    ]
}

struct World {
    sync: Sync,
    now: Now,
    epoch: Epoch,
    last: u64,
    calls: Vec<Request>,
    reads: Vec<(RequestId, u64, usize)>,
    changes: Vec<Change>,
    /// The furthest that any answer to a batch acknowledged, in this life of this ledger.
    acknowledged: u64,
    generation: u64,
}

impl World {
    fn handle(&mut self, event: Event) {
        let mut out = Vec::new();
        self.sync.handle(self.now, event, &mut out);
        assert!(out.len() < 50, "{out:?}");
        for command in out {
            match command {
                Command::Send(request) => {
                    let kind = request.call.operation();
                    // One that was given up on may still be here; the daemon knows one of each.
                    self.calls.retain(|one| one.call.operation() != kind);
                    self.calls.push(request);
                }
                Command::ReadLedger { id, after, limit } => {
                    assert!((1..=500).contains(&limit));
                    self.reads = vec![(id, after, limit)];
                }
                Command::SaveWatermark(mark) => {
                    assert!(mark.through <= self.acknowledged, "{mark:?}");
                    assert_eq!(mark.store, STORE);
                }
                Command::StoreRoster(fetched) => {
                    let generation = fetched.roster.generation();
                    assert!(generation > self.generation, "it went back");
                    let meeting = fetched.roster.meeting().id.clone();
                    self.changes.push(Change::Roster {
                        meeting,
                        generation,
                    });
                }
                Command::Withdraw {
                    meeting,
                    generation,
                } => {
                    assert!(generation >= self.generation, "it went back");
                    self.changes.push(Change::Withdrawal {
                        meeting,
                        generation,
                    });
                }
                Command::StoreKey { meeting, key } => {
                    let key = key.id;
                    self.changes.push(Change::Key { meeting, key });
                }
                Command::Close { .. }
                | Command::SaveSetAside(_)
                | Command::ForgetSetAside(_)
                | Command::StoreCertificate(_)
                | Command::ObserveClock { .. }
                | Command::Show(_) => {}
            }
        }
        assert!(self.calls.len() <= 6);
        self.changes.truncate(20);
    }

    fn answer(&mut self, operation: &str, answer: sync::Answer) {
        let at = self
            .calls
            .iter()
            .position(|one| one.call.operation() == operation);
        if let Some(at) = at {
            let id = self.calls.remove(at).id;
            self.handle(Event::Answered { id, answer });
        }
    }

    #[allow(
        clippy::too_many_lines,
        reason = "one arm for each thing that can happen"
    )]
    fn happen(&mut self, happening: Happening) {
        let life = |number: u8| [FIRST_LIFE, SECOND_LIFE, STORE][usize::from(number)];
        match happening {
            Happening::Tick => self.handle(Event::Tick),
            Happening::Pass(ms) => {
                self.now.monotonic = Monotonic(self.now.monotonic.0 + ms * 1_000_000);
                self.handle(Event::Tick);
            }
            Happening::StepClock(to) => self.now.wall = WallTime(to),
            Happening::Grow(by) => {
                self.last += by;
                let (epoch, last) = (self.epoch, self.last);
                self.handle(Event::LedgerGrew { epoch, last });
            }
            Happening::NewLedger => {
                self.epoch.0[0] = self.epoch.0[0].wrapping_add(1);
                self.last = 0;
            }
            Happening::Read { good, count } => self.read(good, count),
            Happening::Records {
                life: number,
                through,
                right,
            } => {
                let sent = self.calls.iter().find_map(|one| match &one.call {
                    Call::Records(batch) => Some(batch.clone()),
                    _ => None,
                });
                let Some(sent) = sent else { return };
                let last = sent.first + sent.records.len() as u64 - 1;
                let through = if right { last } else { through };
                self.acknowledged = self.acknowledged.max(through.min(last));
                let answer = accepted(life(number), sent.epoch.into(), through);
                self.answer("sendRecords", ok(&answer));
            }
            Happening::Position {
                life: number,
                through,
            } => {
                let answer = position(life(number), self.epoch, through);
                self.answer("getPosition", ok(&answer));
            }
            Happening::Health { life: number } => {
                let now = self.now.wall;
                self.answer("reportHealth", ok(&health(life(number), now)));
            }
            Happening::List {
                generation,
                withdrawn,
            } => {
                let meetings = vec![listed("M", generation), listed("N", 1)];
                let answer = if withdrawn > generation {
                    list(vec![], vec![("M", withdrawn)])
                } else {
                    list(meetings, vec![("M", withdrawn)])
                };
                self.answer("listDeviceMeetings", answer);
            }
            Happening::Roster { generation } => {
                let answer = ok(&device_roster("M", generation));
                self.answer("getDeviceRoster", answer);
            }
            Happening::Status(which, status) => {
                if let Some(one) = self.calls.get(which) {
                    let operation = one.call.operation();
                    self.answer(operation, door::status(status));
                }
            }
            Happening::Lost(which) => {
                if let Some(one) = self.calls.get(which) {
                    let operation = one.call.operation();
                    self.answer(operation, Err(TransportError::TimedOut));
                }
            }
            Happening::Stale(id) => {
                let answer = ok(&accepted(FIRST_LIFE, self.epoch, 100));
                // No number of ours is that large.
                let id = RequestId(id | 1 << 40);
                self.handle(Event::Answered { id, answer });
            }
            Happening::Stored(good) => {
                if let Some(change) = self.changes.pop() {
                    let failed = (!good).then(|| "no".to_owned());
                    if let (
                        Change::Roster {
                            meeting,
                            generation,
                        },
                        true,
                    ) = (&change, good)
                        && *meeting == meeting_id("M")
                    {
                        self.generation = *generation;
                    }
                    self.handle(Event::Stored { change, failed });
                }
            }
        }
    }

    fn read(&mut self, good: bool, count: u64) {
        let Some((id, after, limit)) = self.reads.pop() else {
            return;
        };
        let until = self.last.min(after + count.min(limit as u64));
        let records = (after + 1..=until).map(|sequence| LedgerRecord {
            sequence,
            bytes: vec![7; 100],
        });
        let outcome = if good {
            LedgerOutcome::Batch(LedgerBatch {
                epoch: self.epoch,
                oldest: 1,
                last: self.last,
                records: records.collect(),
                head: None,
            })
        } else {
            LedgerOutcome::Failed("no".into())
        };
        self.handle(Event::LedgerRead { id, outcome });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn nothing_that_happens_moves_what_was_not_acknowledged(
        seed: u64, happenings in prop::collection::vec(happening(), 1..200)
    ) {
        let mut world = World {
            sync: Sync::new(&remembered(0), seed),
            now: Now { wall: BEGIN, monotonic: Monotonic(0) },
            epoch: EPOCH,
            last: 0,
            calls: Vec::new(),
            reads: Vec::new(),
            changes: Vec::new(),
            acknowledged: 0,
            generation: 0,
        };
        world.handle(Event::Tick);
        for happening in happenings {
            world.happen(happening);
        }
    }
}
