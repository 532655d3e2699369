//! Offers down: the list of what this device is offered, then each content, a range at a time,
//! from wherever the last attempt was cut off. What is no longer offered is forgotten.
//!
//! A machine of its own beside [`crate::Sync`]: whatever happens to it, rosters come and records
//! go. It never opens a file; whoever keeps the bytes says how many are there, and whether their
//! digest is the one that was told. It applies nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vocabulary::Monotonic;
use wire::limits::{OFFER_RANGE_BYTES, OFFERS_BYTES_MAX, OFFERS_EVERY, OFFERS_MAX};
use wire::offer::{DeviceOffer, DeviceOffers, OfferReport, OfferState};
use wire::scalar::Hex32;

use crate::backoff::Chance;
use crate::call::{Call, Request, RequestId};
use crate::event::Now;
use crate::fate::{Answer, Fate, HttpAnswer, classify};
use crate::machine::STOPPED_ASK_EVERY;
use crate::setback::{ANSWER_WAIT_MAX, Failures, Setback, Turn, Upshot};
use crate::status::Trouble;

/// After how long a content that came with another digest is fetched again.
const REFUSED_AGAIN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How long a range may take to be kept: a whole content may have to be read again for its digest.
const KEEP_WAIT_MAX: Duration = Duration::from_secs(600);

/// What wakes the machine.
#[derive(Debug)]
pub enum OfferEvent {
    /// The time has come that [`Offers::next_wake`] named.
    Tick,
    /// What became of a request.
    Answered {
        /// As in the request.
        id: RequestId,
        /// The answer, or why there is none.
        answer: Answer,
    },
    /// What became of [`OfferCommand::Keep`].
    Kept {
        /// Which content.
        sha256: Hex32,
        /// What is there now.
        kept: Kept,
    },
}

/// What is there of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// So many bytes from its beginning.
    Bytes(u64),
    /// All of it, and its digest is the right one.
    Whole,
    /// All of it came with another digest, and was thrown away.
    WrongDigest,
    /// It cannot be kept now: the disk is full, or fails.
    NotNow,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferCommand {
    /// Send this, and answer by [`OfferEvent::Answered`].
    Send(Request),
    /// Keep bytes of a content behind those that are there, and answer by [`OfferEvent::Kept`].
    /// When all have come, look at their digest, and hand the content over with what is said of it.
    Keep {
        /// What is said of it.
        offer: Box<DeviceOffer>,
        /// How many bytes are there before.
        offset: u64,
        /// What follows.
        bytes: Vec<u8>,
    },
    /// A content is no longer offered: take away whatever there is of it.
    Forget(Hex32),
}

impl From<Request> for OfferCommand {
    fn from(request: Request) -> Self {
        Self::Send(request)
    }
}

type OfferTurn<'a> = Turn<'a, OfferCommand>;

/// How far this device is with what it is offered.
#[derive(Debug)]
pub struct Offers {
    chance: Chance,
    last_id: u64,
    etag: Option<String>,
    list_at: Monotonic,
    offers: Vec<DeviceOffer>,
    /// Bytes that are there of each content, those of earlier offers among them.
    there: BTreeMap<Hex32, u64>,
    whole: BTreeSet<Hex32>,
    refused: BTreeMap<Hex32, Monotonic>,
    state: State,
    failures: Failures,
}

#[derive(Debug, Clone)]
enum State {
    Idle(Monotonic),
    Listing {
        id: RequestId,
        call: Call,
        until: Monotonic,
    },
    Fetching {
        id: RequestId,
        call: Call,
        offer: Box<DeviceOffer>,
        from: u64,
        to: u64,
        until: Monotonic,
    },
    Keeping {
        sha256: Hex32,
        until: Monotonic,
    },
}

impl Offers {
    /// A machine that has just started, with so many bytes of each content that is there; those
    /// that are whole and were checked are said to be. `seed` is for spreading waits.
    #[must_use]
    pub fn new(there: &[(Hex32, Kept)], seed: u64) -> Self {
        let bytes = there.iter().filter_map(|(sha256, kept)| match kept {
            Kept::Bytes(bytes) => Some((*sha256, *bytes)),
            Kept::Whole => Some((*sha256, 0)),
            Kept::WrongDigest | Kept::NotNow => None,
        });
        let whole = there.iter().filter(|(_, kept)| *kept == Kept::Whole);
        Self {
            chance: Chance::new(seed),
            last_id: 0,
            etag: None,
            list_at: Monotonic(0),
            offers: Vec::new(),
            there: bytes.collect(),
            whole: whole.map(|(sha256, _)| *sha256).collect(),
            refused: BTreeMap::new(),
            state: State::Idle(Monotonic(0)),
            failures: Failures::default(),
        }
    }

    /// Takes an event and appends what is to be done, in order.
    pub fn handle(&mut self, now: Now, event: OfferEvent, out: &mut Vec<OfferCommand>) {
        let mut chance = std::mem::replace(&mut self.chance, Chance::new(0));
        let mut last_id = self.last_id;
        let mut turn = Turn {
            now,
            out,
            last_id: &mut last_id,
            chance: &mut chance,
        };
        match event {
            OfferEvent::Tick => {}
            OfferEvent::Answered { id, answer } => self.answered(id, &answer, &mut turn),
            OfferEvent::Kept { sha256, kept } => self.kept(sha256, kept, &mut turn),
        }
        self.step(&mut turn);
        self.chance = chance;
        self.last_id = last_id;
    }

    /// When to call [`Offers::handle`] with [`OfferEvent::Tick`], if nothing else happens before.
    #[must_use]
    pub fn next_wake(&self) -> Monotonic {
        match &self.state {
            State::Idle(at) => *at,
            State::Listing { until, .. }
            | State::Fetching { until, .. }
            | State::Keeping { until, .. } => *until,
        }
    }

    /// How far each offer is, for the health report.
    #[must_use]
    pub fn reports(&self) -> Vec<OfferReport> {
        let report = |offer: &DeviceOffer| {
            let is_whole = self.whole.contains(&offer.sha256);
            let there = self.there.get(&offer.sha256).copied().unwrap_or(0);
            OfferReport {
                offer: offer.id.clone(),
                sha256: offer.sha256,
                state: match () {
                    () if is_whole => OfferState::Fetched,
                    () if self.refused.contains_key(&offer.sha256) => OfferState::Refused,
                    () => OfferState::Fetching,
                },
                received_bytes: if is_whole { offer.size_bytes } else { there },
            }
        };
        self.offers.iter().map(report).collect()
    }

    /// What hinders it, if anything does.
    #[must_use]
    pub fn trouble(&self) -> Option<&Trouble> {
        self.failures.trouble.as_ref()
    }

    fn step(&mut self, turn: &mut OfferTurn<'_>) {
        match &self.state {
            State::Idle(at) if turn.is_due(*at) => {}
            State::Listing { until, .. }
            | State::Fetching { until, .. }
            | State::Keeping { until, .. }
                if turn.is_due(*until) =>
            {
                self.fail(&Setback::lost(), turn);
                return;
            }
            State::Idle(_)
            | State::Listing { .. }
            | State::Fetching { .. }
            | State::Keeping { .. } => return,
        }
        self.refused.retain(|_, until| !turn.is_due(*until));
        if turn.is_due(self.list_at) {
            let call = Call::Offers {
                etag: self.etag.clone(),
            };
            self.state = State::Listing {
                id: turn.send(call.clone()),
                call,
                until: turn.after(ANSWER_WAIT_MAX),
            };
            return;
        }
        let Some(offer) = self.next_offer() else {
            self.state = State::Idle(self.list_at);
            return;
        };
        let from = self.there.get(&offer.sha256).copied().unwrap_or(0);
        let to = (from + OFFER_RANGE_BYTES as u64).min(offer.size_bytes) - 1;
        let call = Call::OfferRange {
            offer: offer.id.clone(),
            sha256: offer.sha256,
            from,
            to,
        };
        self.state = State::Fetching {
            id: turn.send(call.clone()),
            call,
            offer: Box::new(offer),
            from,
            to,
            until: turn.after(ANSWER_WAIT_MAX),
        };
    }

    /// What is not whole yet, in the order of the list, as far as all of it has room.
    fn next_offer(&self) -> Option<DeviceOffer> {
        let mut sum: u64 = 0;
        let found = self.offers.iter().find(|offer| {
            sum = sum.saturating_add(offer.size_bytes);
            sum <= OFFERS_BYTES_MAX
                && !self.whole.contains(&offer.sha256)
                && !self.refused.contains_key(&offer.sha256)
        });
        found.cloned()
    }

    fn answered(&mut self, id: RequestId, answer: &Answer, turn: &mut OfferTurn<'_>) {
        match self.state.clone() {
            State::Listing {
                id: waited, call, ..
            } if waited == id => self.listed(&call, answer, turn),
            State::Fetching {
                id: waited,
                call,
                offer,
                from,
                to,
                ..
            } if waited == id => match range(&call, answer, from, to, offer.size_bytes) {
                Fate::Accepted(bytes) => {
                    self.state = State::Keeping {
                        sha256: offer.sha256,
                        until: turn.after(KEEP_WAIT_MAX),
                    };
                    turn.out.push(OfferCommand::Keep {
                        offer,
                        offset: from,
                        bytes,
                    });
                }
                // Withdrawn meanwhile, or another content: the list knows.
                Fate::NotThere => self.list_anew(turn),
                fate @ (Fate::NotModified
                | Fate::NotTaken(_)
                | Fate::TryLater { .. }
                | Fate::Renew
                | Fate::Stopped(_)
                | Fate::Untrusted
                | Fate::OurFault { .. }
                | Fate::Garbage(_)) => self.fail(&Setback::of(call.operation(), &fate), turn),
            },
            // It came too late or twice.
            State::Idle(_)
            | State::Listing { .. }
            | State::Fetching { .. }
            | State::Keeping { .. } => {}
        }
    }

    fn listed(&mut self, call: &Call, answer: &Answer, turn: &mut OfferTurn<'_>) {
        match classify::<DeviceOffers>(call, answer) {
            Fate::Accepted(list) if is_sane(&list) => {
                self.etag = answer.as_ref().ok().and_then(|answer| answer.etag.clone());
                self.offers = list.offers;
                let offered: BTreeSet<_> = self.offers.iter().map(|offer| offer.sha256).collect();
                let gone = self.there.keys().filter(|held| !offered.contains(held));
                turn.out
                    .extend(gone.map(|held| OfferCommand::Forget(*held)));
                self.there.retain(|held, _| offered.contains(held));
                self.whole.retain(|held| offered.contains(held));
                self.refused.retain(|held, _| offered.contains(held));
            }
            Fate::NotModified => {}
            Fate::Accepted(_) => {
                let fate = Fate::<()>::Garbage("the list of offers contradicts itself".to_owned());
                return self.fail(&Setback::of(call.operation(), &fate), turn);
            }
            // A hub of before there were offers.
            Fate::NotThere => self.offers.clear(),
            fate @ (Fate::NotTaken(_)
            | Fate::TryLater { .. }
            | Fate::Renew
            | Fate::Stopped(_)
            | Fate::Untrusted
            | Fate::OurFault { .. }
            | Fate::Garbage(_)) => {
                return self.fail(&Setback::of(call.operation(), &fate), turn);
            }
        }
        self.failures.succeed();
        self.list_at = turn.after(OFFERS_EVERY);
        self.state = State::Idle(turn.now.monotonic);
    }

    fn kept(&mut self, sha256: Hex32, kept: Kept, turn: &mut OfferTurn<'_>) {
        if !matches!(&self.state, State::Keeping { sha256: waited, .. } if *waited == sha256) {
            return;
        }
        self.state = State::Idle(turn.now.monotonic);
        match kept {
            Kept::Bytes(bytes) => {
                self.failures.succeed();
                self.there.insert(sha256, bytes);
            }
            Kept::Whole => {
                self.failures.succeed();
                self.there.insert(sha256, 0);
                self.whole.insert(sha256);
            }
            Kept::WrongDigest => {
                self.there.remove(&sha256);
                self.refused.insert(sha256, turn.after(REFUSED_AGAIN_AFTER));
            }
            Kept::NotNow => self.fail(&Setback::new(Trouble::OfferNotKept), turn),
        }
    }

    fn list_anew(&mut self, turn: &OfferTurn<'_>) {
        self.etag = None;
        self.list_at = turn.now.monotonic;
        self.state = State::Idle(turn.now.monotonic);
    }

    fn fail(&mut self, setback: &Setback, turn: &mut OfferTurn<'_>) {
        let until = self.failures.count(setback, turn);
        // Who is not wanted asks as rarely as the rest of the daemon does.
        let until = match setback.upshot {
            Upshot::Stopped(_) => turn.after(STOPPED_ASK_EVERY),
            Upshot::Nothing
            | Upshot::Contact
            | Upshot::Store(_)
            | Upshot::Renew
            | Upshot::Renewed => until,
        };
        self.state = State::Idle(until);
    }
}

/// Whether a list is within its limits, and no two of its offers are one content of two sizes.
fn is_sane(list: &DeviceOffers) -> bool {
    let mut sizes = BTreeMap::new();
    list.offers.len() <= OFFERS_MAX
        && list.offers.iter().all(|offer| {
            let size = *sizes.entry(offer.sha256).or_insert(offer.size_bytes);
            size == offer.size_bytes && (1..=OFFERS_BYTES_MAX).contains(&size)
        })
}

/// The bytes of a range, where the answer has just those that were asked for.
fn range(call: &Call, answer: &Answer, from: u64, to: u64, size: u64) -> Fate<Vec<u8>> {
    let garbage = |what: &str| Fate::Garbage(format!("the range {what}"));
    let asked = to - from + 1;
    let Ok(HttpAnswer {
        status,
        content_range,
        body,
        ..
    }) = answer
    else {
        return classify::<serde::de::IgnoredAny>(call, answer).without_answer();
    };
    match status {
        206 if content_range.as_deref() != Some(&format!("bytes {from}-{to}/{size}")) => {
            garbage("is another one than was asked for")
        }
        206 if body.len() as u64 != asked => garbage("has another length than it says"),
        206 => Fate::Accepted(body.clone()),
        // Whoever ignores ranges sends the whole, which is good where that is what was asked for.
        200 if from == 0 && asked == size && body.len() as u64 == size => {
            Fate::Accepted(body.clone())
        }
        200 => garbage("was not answered as one"),
        416 => Fate::NotThere,
        _ => classify::<serde::de::IgnoredAny>(call, answer).without_answer(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};
    use vocabulary::WallTime;
    use wire::Name;
    use wire::offer::OfferKind;
    use wire::scalar::{Base64, Hex};

    use super::*;
    use crate::fate::TransportError;

    /// A hub with some offers and a disk, and what becomes of a device in front of them.
    struct World {
        contents: BTreeMap<Hex32, Vec<u8>>,
        offers: Vec<DeviceOffer>,
        disk: BTreeMap<Hex32, Vec<u8>>,
        now: Now,
        machine: Offers,
        requests: u32,
    }

    impl World {
        fn new(contents: &[Vec<u8>]) -> Self {
            let mut world = Self {
                contents: BTreeMap::new(),
                offers: Vec::new(),
                disk: BTreeMap::new(),
                now: Now {
                    wall: WallTime(0),
                    monotonic: Monotonic::from_millis(1000),
                },
                machine: Offers::new(&[], 7),
                requests: 0,
            };
            for (index, bytes) in contents.iter().enumerate() {
                world.offer(&format!("fw-{index}"), bytes);
            }
            world
        }

        fn offer(&mut self, id: &str, bytes: &[u8]) {
            let sha256 = Hex(Sha256::digest(bytes).into());
            self.contents.insert(sha256, bytes.to_vec());
            self.offers.push(DeviceOffer {
                id: wire::Id(id.parse().unwrap()),
                kind: OfferKind::Update,
                version: Name::new("2").unwrap(),
                size_bytes: bytes.len() as u64,
                sha256,
                signature: Base64(vec![1]),
                signature_key: Name::default(),
                expires_at: None,
            });
        }

        fn restart(&mut self) {
            let there: Vec<_> = self
                .disk
                .iter()
                .map(|(sha256, bytes)| {
                    let is_whole = self.contents.get(sha256) == Some(bytes);
                    let kept = match is_whole {
                        true => Kept::Whole,
                        false => Kept::Bytes(bytes.len() as u64),
                    };
                    (*sha256, kept)
                })
                .collect();
            self.machine = Offers::new(&there, 8);
        }

        /// Lets the machine work for so many wakes, with answers that `twist` may change.
        fn run(&mut self, wakes: u32, mut twist: impl FnMut(u32, &Call, &mut Answer)) {
            let mut events = VecDeque::from([OfferEvent::Tick]);
            for _ in 0..wakes {
                let event = events.pop_front().unwrap_or_else(|| {
                    let at = self.machine.next_wake();
                    self.now.monotonic = self.now.monotonic.max(at);
                    OfferEvent::Tick
                });
                let mut commands = Vec::new();
                self.machine.handle(self.now, event, &mut commands);
                for command in commands {
                    events.extend(self.obey(command, &mut twist));
                }
            }
        }

        fn obey(
            &mut self,
            command: OfferCommand,
            twist: &mut impl FnMut(u32, &Call, &mut Answer),
        ) -> Option<OfferEvent> {
            match command {
                OfferCommand::Send(Request { id, call }) => {
                    self.requests += 1;
                    let mut answer = self.answer(&call);
                    twist(self.requests, &call, &mut answer);
                    Some(OfferEvent::Answered { id, answer })
                }
                OfferCommand::Keep {
                    offer,
                    offset,
                    bytes,
                } => {
                    let file = self.disk.entry(offer.sha256).or_default();
                    file.truncate(usize::try_from(offset).unwrap());
                    assert_eq!(file.len() as u64, offset, "there is no hole");
                    file.extend(bytes);
                    assert!(file.len() as u64 <= offer.size_bytes, "it is not too long");
                    let kept = if (file.len() as u64) < offer.size_bytes {
                        Kept::Bytes(file.len() as u64)
                    } else if Hex(Sha256::digest(&file[..]).into()) == offer.sha256 {
                        Kept::Whole
                    } else {
                        self.disk.remove(&offer.sha256);
                        Kept::WrongDigest
                    };
                    let sha256 = offer.sha256;
                    Some(OfferEvent::Kept { sha256, kept })
                }
                OfferCommand::Forget(sha256) => {
                    self.disk.remove(&sha256);
                    None
                }
            }
        }

        fn answer(&self, call: &Call) -> Answer {
            match call {
                Call::Offers { .. } => {
                    let offers = self.offers.clone();
                    let body = serde_json::to_vec(&DeviceOffers { offers }).unwrap();
                    Ok(HttpAnswer {
                        status: 200,
                        body,
                        ..HttpAnswer::default()
                    })
                }
                Call::OfferRange {
                    offer,
                    sha256,
                    from,
                    to,
                } => {
                    let found = self.offers.iter().find(|one| one.id == *offer);
                    let Some(found) = found.filter(|one| one.sha256 == *sha256) else {
                        return Ok(HttpAnswer {
                            status: 404,
                            ..HttpAnswer::default()
                        });
                    };
                    let bytes = &self.contents[&found.sha256];
                    let (first, last) = (usize::try_from(*from), usize::try_from(*to));
                    Ok(HttpAnswer {
                        status: 206,
                        content_range: Some(format!("bytes {from}-{to}/{}", bytes.len())),
                        body: bytes[first.unwrap()..=last.unwrap()].to_vec(),
                        ..HttpAnswer::default()
                    })
                }
                other => panic!("offers do not need {other:?}"),
            }
        }

        fn states(&self) -> Vec<OfferState> {
            self.machine.reports().iter().map(|one| one.state).collect()
        }
    }

    const RANGE: usize = OFFER_RANGE_BYTES;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n % 251) as u8).collect()
    }

    #[test]
    fn contents_come_in_ranges_and_are_whole() {
        let contents = [bytes(1), bytes(RANGE), bytes(2 * RANGE + 5)];
        let mut world = World::new(&contents);
        world.run(30, |_, _, _| {});
        assert_eq!(world.states(), [OfferState::Fetched; 3]);
        assert_eq!(world.disk, world.contents);
        // The list, and one range, one, and three.
        assert_eq!(world.requests, 1 + 1 + 1 + 3 + (world.requests - 6));
        assert!(world.machine.trouble().is_none());
    }

    #[test]
    fn a_cut_costs_one_range_and_a_restart_nothing() {
        let mut world = World::new(&[bytes(4 * RANGE)]);
        world.run(8, |_, _, _| {});
        let held = world.disk.values().next().unwrap().len();
        assert!(held > 0 && held < 4 * RANGE, "{held}");
        world.restart();
        let mut first = None;
        world.run(40, |number, call, answer| {
            if let Call::OfferRange { from, .. } = call {
                first.get_or_insert(*from);
                if number % 3 == 0 {
                    *answer = Err(TransportError::Broken);
                }
            }
        });
        assert_eq!(first, Some(held as u64), "it goes on where it was");
        assert_eq!(world.states(), [OfferState::Fetched]);
    }

    #[test]
    fn another_digest_is_refused_and_tried_a_day_later() {
        let mut world = World::new(&[bytes(10), bytes(RANGE + 1)]);
        let sha256 = world.offers[0].sha256;
        world.contents.insert(sha256, bytes(11)[1..].to_vec());
        world.run(20, |_, _, _| {});
        assert_eq!(world.states(), [OfferState::Refused, OfferState::Fetched]);
        assert!(!world.disk.contains_key(&sha256));
        world.contents.insert(sha256, bytes(10));
        world.now.monotonic = world.now.monotonic.saturating_add(REFUSED_AGAIN_AFTER);
        world.run(20, |_, _, _| {});
        assert_eq!(world.states(), [OfferState::Fetched; 2]);
    }

    #[test]
    fn what_is_no_answer_to_the_range_changes_nothing() {
        let check = |what: &str, twist: fn(&mut HttpAnswer)| {
            let mut world = World::new(&[bytes(2 * RANGE)]);
            world.run(40, |_, call, answer| {
                if let (Call::OfferRange { .. }, Ok(answer)) = (call, answer) {
                    twist(answer);
                }
            });
            assert_eq!(world.states(), [OfferState::Fetching], "{what}");
            assert!(world.disk.is_empty(), "{what}");
            assert!(world.machine.trouble().is_some(), "{what}");
            assert!(world.requests < 25, "{what}: {} requests", world.requests);
        };
        check("ranges ignored", |answer| {
            (answer.status, answer.content_range) = (200, None);
        });
        check("longer than said", |answer| answer.body.push(0));
        check("shorter than said", |answer| {
            answer.body.pop();
        });
        check("another range", |answer| {
            answer.content_range = Some("bytes 1-5/10".to_owned());
        });
        check("no range said", |answer| answer.content_range = None);
        check("an error", |answer| answer.status = 500);
    }

    #[test]
    fn what_is_withdrawn_in_the_middle_is_forgotten() {
        let mut world = World::new(&[bytes(3 * RANGE)]);
        world.run(6, |_, _, _| {});
        assert!(!world.disk.is_empty());
        world.offers.clear();
        world.run(6, |_, _, _| {});
        assert!(world.disk.is_empty() && world.states().is_empty());
        // The same id with another content is another offer.
        world.offer("fw-0", &bytes(9));
        world.now.monotonic = world.now.monotonic.saturating_add(OFFERS_EVERY);
        world.run(8, |_, _, _| {});
        assert_eq!(world.states(), [OfferState::Fetched]);
    }

    #[test]
    fn a_whole_content_that_is_one_range_may_come_without_one() {
        let mut world = World::new(&[bytes(100)]);
        world.run(10, |_, call, answer| {
            if let (Call::OfferRange { .. }, Ok(answer)) = (call, answer) {
                (answer.status, answer.content_range) = (200, None);
            }
        });
        assert_eq!(world.states(), [OfferState::Fetched]);
    }

    proptest! {
        #[test]
        fn whatever_breaks_in_between_it_is_whole_at_the_end(
            lengths in prop::collection::vec(1usize..3 * RANGE, 1..4),
            faults in prop::collection::vec(0u8..6, 0..30),
        ) {
            let contents: Vec<_> = lengths.iter().map(|length| bytes(*length)).collect();
            let mut world = World::new(&contents);
            let mut faults = faults.into_iter();
            world.run(400, |_, _, answer| match (faults.next(), answer) {
                (Some(1), answer) => *answer = Err(TransportError::TimedOut),
                (Some(2), Ok(answer)) => answer.status = 503,
                (Some(3), Ok(answer)) => answer.body.truncate(3),
                (Some(4), Ok(answer)) => answer.content_range = None,
                (Some(5), answer) => *answer = Err(TransportError::TooLarge),
                (Some(_) | None, _) => {}
            });
            prop_assert!(world.states().iter().all(|state| *state == OfferState::Fetched));
            prop_assert_eq!(&world.disk, &world.contents);
        }
    }
}
