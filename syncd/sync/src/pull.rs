//! Rosters down: the list of meetings, then each roster that is newer than what is held, whole.
//!
//! A generation never goes back. A roster that cannot be used stops none of the others, and a
//! list counts as read only when all that it asked for was done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vocabulary::{Digest, MeetingId, Monotonic};
use wire::device::{DeviceMeeting, DeviceMeetings, DeviceRoster, MeetingKey};
use wire::limits::{DEVICE_MEETINGS_MAX, HEALTH_SPACES_MAX, LIST_EVERY, REFERENCES_PER_PERSON_MAX};
use wire::scalar::{Hex16, Hex32};

use crate::call::{Call, RequestId};
use crate::event::{Change, Command, FetchedRoster, HeldMeeting, Holding};
use crate::fate::{Answer, Fate, classify};
use crate::planted::planted;
use crate::setback::{ANSWER_WAIT_MAX, Failures, Setback, Turn, Upshot};
use crate::status::Trouble;

/// Most meetings that are kept in mind. Beyond it those withdrawn or closed are forgotten first.
pub const MEETINGS_MAX: usize = 10_000;

/// The fetching of rosters.
#[derive(Debug)]
pub(crate) struct Pull {
    held: BTreeMap<MeetingId, Held>,
    /// The tag of the last list of which all was done.
    etag: Option<String>,
    /// The tag of the list that is being worked through.
    listed_etag: Option<String>,
    /// Rosters to fetch, in the order of the meetings' beginnings, those of `delayed` last.
    wanted: VecDeque<DeviceMeeting>,
    /// Something of this list was not done.
    incomplete: bool,
    state: State,
    /// Meetings whose roster was of no use the last time.
    unusable: BTreeSet<MeetingId>,
    /// Meetings whose roster did not come when it was last asked for, by the order in which that
    /// happened. They are asked for last, so that one that never comes delays no other.
    delayed: BTreeMap<MeetingId, u64>,
    delays: u64,
    too_many: bool,
    city_fails: bool,
    failures: Failures,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    generation: u64,
    holding: Holding,
    key: Option<Hex16>,
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
        meeting: Box<DeviceMeeting>,
        until: Monotonic,
    },
    Storing {
        meeting: Box<DeviceMeeting>,
        key: Hex16,
        until: Monotonic,
    },
}

impl Pull {
    pub(crate) fn new(held: &[HeldMeeting]) -> Self {
        let held = held.iter().take(MEETINGS_MAX).map(|one| {
            let held = Held {
                generation: one.generation,
                holding: one.holding,
                key: one.key,
            };
            (one.meeting.clone(), held)
        });
        Self {
            held: held.collect(),
            etag: None,
            listed_etag: None,
            wanted: VecDeque::new(),
            incomplete: false,
            state: State::Idle(Monotonic(0)),
            unusable: BTreeSet::new(),
            delayed: BTreeMap::new(),
            delays: 0,
            too_many: false,
            city_fails: false,
            failures: Failures::default(),
        }
    }

    /// Begins what is due, and gives up what is overdue.
    pub(crate) fn step(&mut self, turn: &mut Turn<'_>, may_begin: bool) {
        match &self.state {
            State::Listing { until, .. } | State::Fetching { until, .. }
                if turn.is_due(*until) && !planted!(WaitsForEver) =>
            {
                self.fail(&Setback::lost(), turn);
            }
            State::Storing { until, .. } if turn.is_due(*until) => {
                self.city_fails = true;
                self.fail(&Setback::new(Trouble::CityUnwritable), turn);
            }
            State::Idle(_)
            | State::Listing { .. }
            | State::Fetching { .. }
            | State::Storing { .. } => {}
        }
        if let State::Idle(at) = self.state
            && may_begin
            && turn.is_due(at)
        {
            let call = Call::Meetings {
                etag: self.etag.clone(),
            };
            self.state = State::Listing {
                id: turn.send(call.clone()),
                call,
                until: turn.after(ANSWER_WAIT_MAX),
            };
        }
    }

    pub(crate) fn next_wake(&self, may_begin: bool) -> Option<Monotonic> {
        match &self.state {
            State::Idle(at) => may_begin.then_some(*at),
            State::Listing { until, .. }
            | State::Fetching { until, .. }
            | State::Storing { until, .. } => Some(*until),
        }
    }

    /// Does not wait any longer for the next list.
    pub(crate) fn wake(&mut self, turn: &Turn<'_>) {
        if let State::Idle(at) = &mut self.state {
            *at = (*at).min(turn.now.monotonic);
        }
    }

    /// The hub is another incarnation: its tags mean something else now.
    pub(crate) fn forget_tag(&mut self) {
        self.etag = None;
        self.listed_etag = None;
    }

    /// Whether this answer is waited for.
    pub(crate) fn waits_for(&self, id: RequestId) -> bool {
        match &self.state {
            State::Listing { id: waited, .. } | State::Fetching { id: waited, .. } => *waited == id,
            State::Idle(_) | State::Storing { .. } => false,
        }
    }

    pub(crate) fn rosters_waiting(&self) -> usize {
        self.wanted.len() + self.unusable.len()
    }

    pub(crate) fn troubles(&self, into: &mut BTreeSet<Trouble>) {
        into.extend(self.failures.trouble.clone());
        into.extend(self.unusable.iter().cloned().map(Trouble::RosterUnusable));
        if self.too_many {
            into.insert(Trouble::TooManyMeetings);
        }
        if self.city_fails {
            into.insert(Trouble::CityUnwritable);
        }
    }

    /// Takes an answer.
    pub(crate) fn answered(&mut self, answer: &Answer, turn: &mut Turn<'_>) -> Upshot {
        match self.state.clone() {
            State::Listing { call, .. } => self.listed(&call, answer, turn),
            State::Fetching { meeting, .. } => self.fetched(*meeting, answer, turn),
            State::Idle(_) | State::Storing { .. } => Upshot::Nothing,
        }
    }

    /// A change in `city.db` was made, or failed.
    pub(crate) fn stored(&mut self, change: &Change, failed: Option<&str>, turn: &mut Turn<'_>) {
        self.city_fails = failed.is_some();
        if failed.is_some() {
            self.incomplete = true;
            if !planted!(TagKeptAfterFailure) {
                self.forget_tag();
            }
        }
        let done = failed.is_none();
        match change {
            Change::Roster {
                meeting,
                generation,
            } => {
                if done {
                    self.hold(meeting, *generation, Holding::Roster);
                }
                self.roster_stored(meeting, done, turn);
            }
            Change::Key { meeting, key } => {
                if let Some(held) = self.held.get_mut(meeting).filter(|_| done) {
                    held.key = Some(*key);
                }
            }
            Change::Withdrawal {
                meeting,
                generation,
            } => {
                if done {
                    self.hold(meeting, *generation, Holding::Withdrawn);
                }
            }
            Change::Closing {
                meeting,
                generation,
            } => {
                if done {
                    self.hold(meeting, *generation, Holding::Closed);
                }
            }
            Change::Watermark | Change::SetAside | Change::Certificate => {}
        }
    }

    fn hold(&mut self, meeting: &MeetingId, generation: u64, holding: Holding) {
        let key = self.held.get(meeting).and_then(|held| held.key);
        let held = Held {
            generation,
            holding,
            key: key.filter(|_| holding == Holding::Roster),
        };
        self.held.insert(meeting.clone(), held);
    }

    fn listed(&mut self, call: &Call, answer: &Answer, turn: &mut Turn<'_>) -> Upshot {
        match classify::<DeviceMeetings>(call, answer) {
            Fate::Accepted(list) => {
                self.failures.succeed();
                self.listed_etag = answer.as_ref().ok().and_then(|answer| answer.etag.clone());
                self.take_list(list, turn);
                self.next(turn);
                Upshot::Contact
            }
            Fate::NotModified => {
                self.failures.succeed();
                self.state = State::Idle(turn.after(LIST_EVERY));
                Upshot::Contact
            }
            fate @ (Fate::NotThere
            | Fate::NotTaken(_)
            | Fate::TryLater { .. }
            | Fate::Renew
            | Fate::Stopped(_)
            | Fate::Untrusted
            | Fate::OurFault { .. }
            | Fate::Garbage(_)) => self.fail(&Setback::of(call.operation(), &fate), turn),
        }
    }

    /// Compares a list with what is held: what to fetch, what to forget, which keys to keep.
    fn take_list(&mut self, list: DeviceMeetings, turn: &mut Turn<'_>) {
        self.incomplete = false;
        self.too_many = list.meetings.len() > DEVICE_MEETINGS_MAX;
        self.wanted.clear();
        let mut listed = BTreeSet::new();
        for meeting in list.meetings.into_iter().take(DEVICE_MEETINGS_MAX) {
            if listed.insert(meeting.meeting.0.clone()) {
                self.compare(meeting, turn);
            } else {
                // One that is listed twice is believed neither time.
                self.incomplete = true;
            }
        }
        self.unusable.retain(|meeting| listed.contains(meeting));
        self.delayed.retain(|meeting, _| listed.contains(meeting));
        let delayed = &self.delayed;
        self.wanted
            .make_contiguous()
            .sort_by_key(|meeting| delayed.get(&meeting.meeting.0));
        for withdrawn in list.withdrawn.into_iter().take(MEETINGS_MAX) {
            let meeting = withdrawn.meeting.0;
            let held = self.held.get(&meeting);
            let is_news = held.is_some_and(|held| {
                let newer =
                    withdrawn.generation >= held.generation || planted!(OlderTombstoneTaken);
                newer && held.holding != Holding::Withdrawn
            });
            if is_news && !listed.contains(&meeting) && !planted!(TombstoneIgnored) {
                turn.out.push(Command::Withdraw {
                    meeting,
                    generation: withdrawn.generation,
                });
            }
        }
        self.make_room(&listed);
    }

    fn compare(&mut self, meeting: DeviceMeeting, turn: &mut Turn<'_>) {
        let held = self.held.get(&meeting.meeting.0).copied();
        let generation = held.map_or(0, |held| held.generation);
        if meeting.closed {
            let open = held.is_some_and(|held| held.holding == Holding::Roster);
            // Closed is for good, whatever the generation: a restored hub may have closed it in one
            // that is smaller than what this door was given in between.
            if open && !planted!(ClosingIgnored) {
                turn.out.push(Command::Close {
                    meeting: meeting.meeting.0,
                    generation: meeting.generation.max(generation),
                });
            }
            return;
        }
        let newer = match held {
            None => true,
            Some(_) => meeting.generation > generation && !planted!(NewerRosterIgnored),
        };
        if newer || (planted!(OlderRosterTaken) && meeting.generation < generation) {
            if held.is_none() && self.held.len() + self.wanted.len() >= MEETINGS_MAX {
                self.too_many = true;
                return;
            }
            self.wanted.push_back(meeting);
        } else if held.is_some_and(|held| held.holding == Holding::Roster)
            && meeting.generation == generation
            && let Some(key) = meeting.key
            && held.is_some_and(|held| held.key != Some(key.id))
            && !planted!(NewKeyIgnored)
        {
            let meeting = meeting.meeting.0;
            turn.out.push(Command::StoreKey { meeting, key });
        }
    }

    /// Forgets meetings that are over when there are too many.
    fn make_room(&mut self, listed: &BTreeSet<MeetingId>) {
        if self.held.len() >= MEETINGS_MAX {
            self.held.retain(|meeting, held| {
                listed.contains(meeting) || held.holding == Holding::Roster
            });
        }
    }

    /// Goes on with the next roster, or to rest.
    fn next(&mut self, turn: &mut Turn<'_>) {
        if let Some(meeting) = self.wanted.pop_front() {
            let call = Call::Roster {
                meeting: meeting.meeting.0.clone(),
            };
            self.state = State::Fetching {
                id: turn.send(call),
                meeting: Box::new(meeting),
                until: turn.after(ANSWER_WAIT_MAX),
            };
            return;
        }
        let done = !self.incomplete || planted!(TagKeptAfterFailure);
        self.etag = self.listed_etag.take().filter(|_| done);
        self.state = State::Idle(turn.after(LIST_EVERY));
    }

    fn fetched(&mut self, meeting: DeviceMeeting, answer: &Answer, turn: &mut Turn<'_>) -> Upshot {
        let id = meeting.meeting.0.clone();
        let call = Call::Roster {
            meeting: id.clone(),
        };
        match classify::<DeviceRoster>(&call, answer) {
            Fate::Accepted(wire) => {
                self.failures.succeed();
                match self.check(&meeting, wire) {
                    Ok(fetched) => {
                        self.delayed.remove(&id);
                        self.store(meeting, fetched, turn);
                    }
                    Err(Unusable::Wrong) => self.skip(id, turn),
                    Err(Unusable::Older) => {
                        // Somebody on the way answered from memory; the hub has a newer one.
                        self.incomplete = true;
                        self.next(turn);
                    }
                }
                Upshot::Contact
            }
            Fate::Garbage(_) | Fate::OurFault { .. } => {
                self.skip(id, turn);
                Upshot::Contact
            }
            Fate::NotThere => {
                // It was withdrawn since the list was made; the next list says so.
                self.incomplete = true;
                self.next(turn);
                Upshot::Contact
            }
            fate @ (Fate::NotModified
            | Fate::NotTaken(_)
            | Fate::TryLater { .. }
            | Fate::Renew
            | Fate::Stopped(_)
            | Fate::Untrusted) => self.fail(&Setback::of(call.operation(), &fate), turn),
        }
    }

    fn store(&mut self, meeting: DeviceMeeting, fetched: FetchedRoster, turn: &mut Turn<'_>) {
        self.unusable.remove(&meeting.meeting.0);
        self.state = State::Storing {
            key: fetched.key,
            meeting: Box::new(meeting),
            until: turn.after(ANSWER_WAIT_MAX),
        };
        turn.out.push(Command::StoreRoster(Box::new(fetched)));
    }

    fn roster_stored(&mut self, stored: &MeetingId, done: bool, turn: &mut Turn<'_>) {
        let State::Storing {
            meeting,
            key: sealed_with,
            ..
        } = &self.state
        else {
            return;
        };
        if meeting.meeting.0 != *stored {
            return;
        }
        let sealed_with = *sealed_with;
        let meeting = stored.clone();
        let key: Option<MeetingKey> = match &self.state {
            State::Storing { meeting, .. } => meeting.key.clone(),
            State::Idle(_) | State::Listing { .. } | State::Fetching { .. } => None,
        };
        if done {
            match key {
                Some(key) if key.id == sealed_with => {
                    turn.out.push(Command::StoreKey { meeting, key });
                }
                // The list is older than the roster, or the key is not released yet; in both
                // cases a later list has it.
                Some(_) => self.incomplete = true,
                None => {}
            }
        }
        self.next(turn);
    }

    /// Looks whether a roster is what was asked for, and whole.
    fn check(&self, asked: &DeviceMeeting, wire: DeviceRoster) -> Result<FetchedRoster, Unusable> {
        let digest = Hex32::from(record::digest(&wire.roster.0));
        let roster = record::decode_roster(&wire.roster.0).map_err(|_| Unusable::Wrong)?;
        let meeting = roster.meeting();
        let held = self.held.get(&meeting.id).map_or(0, |held| held.generation);
        let digest_is_right = wire.digest == digest
            && (wire.generation != asked.generation || asked.digest == digest);
        let consistent = wire.meeting == asked.meeting
            && meeting.id == wire.meeting.0
            && meeting.organisation == wire.organisation.0
            && roster.generation() == wire.generation
            && (digest_is_right || planted!(RosterDigestUnchecked));
        if !consistent || !references_fit(&roster, &wire) {
            return Err(Unusable::Wrong);
        }
        let older = wire.generation < asked.generation || wire.generation <= held;
        if older && !planted!(OlderRosterTaken) {
            return Err(Unusable::Older);
        }
        Ok(FetchedRoster {
            roster,
            bytes: wire.roster.0,
            digest: wire.digest,
            key: wire.key,
            references: wire.references,
            invitation_keys: wire.invitation_keys,
            substitutes: wire.substitutes,
            citizen_cards: wire.citizen_cards,
        })
    }

    /// This roster is of no use; the others are fetched all the same.
    fn skip(&mut self, meeting: MeetingId, turn: &mut Turn<'_>) {
        self.unusable.insert(meeting);
        self.incomplete = true;
        self.next(turn);
    }

    fn fail(&mut self, setback: &Setback, turn: &mut Turn<'_>) -> Upshot {
        if let State::Fetching { meeting, .. } = &self.state {
            self.delays += 1;
            self.delayed.insert(meeting.meeting.0.clone(), self.delays);
        }
        self.wanted.clear();
        self.incomplete = true;
        if !planted!(TagKeptAfterFailure) {
            self.listed_etag = None;
        } else if self.listed_etag.is_some() {
            self.etag = self.listed_etag.take();
        }
        let until = self.failures.count(setback, turn);
        self.state = State::Idle(if planted!(GivesUp) {
            Monotonic(u64::MAX)
        } else {
            until
        });
        setback.upshot
    }
}

/// Why a roster is not taken.
enum Unusable {
    /// It contradicts itself, or what was asked for.
    Wrong,
    /// A newer one was listed, or is held.
    Older,
}

/// Whether every reference, right and card is of somebody on the roster, and nobody has too many.
fn references_fit(roster: &vocabulary::Roster, wire: &DeviceRoster) -> bool {
    let people: BTreeSet<_> = roster
        .entries()
        .iter()
        .map(|entry| &entry.delegate.person)
        .collect();
    let mut spaces = BTreeSet::new();
    let mut counts = BTreeMap::new();
    for reference in &wire.references {
        spaces.insert(&reference.space);
        *counts
            .entry((&reference.person.0, &reference.space))
            .or_insert(0_usize) += 1;
    }
    let known = wire
        .references
        .iter()
        .all(|one| people.contains(&one.person.0));
    let substitutes = wire.substitutes.iter();
    let substitutes_known = substitutes
        .flat_map(|right| [&right.person.0, &right.instead_of.0])
        .all(|person| people.contains(person));
    let mut holders = BTreeSet::new();
    let cards_fit = wire
        .citizen_cards
        .iter()
        .all(|card| people.contains(&card.person.0) && holders.insert(&card.person.0));
    known
        && substitutes_known
        && cards_fit
        && spaces.len() <= HEALTH_SPACES_MAX
        && counts
            .values()
            .all(|count| *count <= REFERENCES_PER_PERSON_MAX)
        && Digest::from(wire.digest) != Digest::ZERO
}
