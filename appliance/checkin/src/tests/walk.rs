//! A random walk through everything that can happen, with a ledger and a door that obey, fail,
//! answer late and repeat themselves. What must always hold is checked at every step.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use record::{Body, Record, Release};
use vocabulary::{Direction, Means, PersonId, RefusalReason, Sequence};

use super::fixture::{
    Door, answered, appended, code, doubtful, ended, face, failed, now, person, record, stranger,
    weak_face,
};
use crate::{
    AppendFailure, Command, DoorRelease, FaceMode, GreetingKind, Input, PENDING_MAX,
    REFUSALS_PER_MINUTE_MAX, SHOWING_MAX, SessionConfig, Token,
};

/// One step: something happens, or the ledger or the door answers one of what they were asked.
#[derive(Debug, Clone)]
enum Step {
    Input(Input),
    Write(usize),
    Fail(usize, AppendFailure),
    Answer(usize, Release),
    RepeatAnswer(usize),
    /// The kiosk stops, with or without having written what was on its way, and starts again.
    Restart {
        written: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let who = || prop::sample::select(vec!["A", "B", "C", "Q", "X", "P1", "P2", "P3"]);
    let track = || 1_u64..24;
    let input = prop_oneof![
        6 => (track(), who()).prop_map(|(t, id)| face(t, id)),
        1 => (track(), who()).prop_map(|(t, id)| weak_face(t, id)),
        3 => track().prop_map(stranger),
        2 => (track(), who(), who()).prop_map(|(t, a, b)| doubtful(t, a, Some(b))),
        1 => (track(), who()).prop_map(|(t, id)| doubtful(t, id, None)),
        3 => track().prop_map(ended),
        3 => (who(), 0_u8..3).prop_map(|(id, nonce)| code(id, nonce)),
        1 => Just(Input::InvitationRefused(credential::VerifyError::Signature)),
        1 => Just(Input::Open(None)),
        1 => Just(Input::Close(None)),
        4 => Just(Input::Tick),
    ];
    let failure = prop::sample::select(vec![
        AppendFailure::Busy,
        AppendFailure::DiskFull,
        AppendFailure::ReadOnly,
        AppendFailure::Locked,
        AppendFailure::Corrupt,
        AppendFailure::Io,
    ]);
    let outcome = prop::sample::select(vec![
        Release::Opened,
        Release::NoAnswer,
        Release::SentUnconfirmed,
        Release::Failed,
    ]);
    prop_oneof![
        6 => input.prop_map(Step::Input),
        5 => any::<usize>().prop_map(Step::Write),
        1 => (any::<usize>(), failure).prop_map(|(which, why)| Step::Fail(which, why)),
        2 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Step::Answer(which, outcome)),
        1 => any::<usize>().prop_map(Step::RepeatAnswer),
        1 => any::<bool>().prop_map(|written| Step::Restart { written }),
    ]
}

fn place() -> impl Strategy<Value = (Direction, DoorRelease, FaceMode)> {
    (
        prop::sample::select(vec![Direction::In, Direction::In, Direction::Out]),
        prop::sample::select(vec![DoorRelease::None, DoorRelease::Relay]),
        prop::sample::select(vec![
            FaceMode::Decides,
            FaceMode::Decides,
            FaceMode::Proposes,
        ]),
    )
}

/// The world outside the session, and what it has seen.
#[derive(Default)]
struct World {
    waiting: BTreeMap<Token, Body>,
    answered: Vec<Token>,
    releasing: Vec<Sequence>,
    /// All that is durable.
    ledger: Vec<Record>,
    /// The person of each durable check-in or check-out.
    passages: BTreeMap<Sequence, PersonId>,
    outcomes_of: BTreeMap<Sequence, usize>,
    refusals: BTreeMap<RefusalReason, Vec<u64>>,
    refusals_by_step: usize,
}

impl World {
    /// The input that a step stands for; none where there is nothing to answer.
    fn input(&mut self, at_ms: u64, step: &Step) -> Option<Input> {
        let nth = |which: usize, waiting: &BTreeMap<Token, Body>| {
            let index = which.checked_rem(waiting.len())?;
            waiting.keys().nth(index).copied()
        };
        match step {
            Step::Input(input) => Some(input.clone()),
            Step::Write(which) => {
                let token = nth(*which, &self.waiting)?;
                let body = self.waiting.remove(&token)?;
                self.write(at_ms, body);
                self.answered.push(token);
                Some(appended(token.0, self.ledger.len() as u64))
            }
            Step::Fail(which, why) => {
                let token = nth(*which, &self.waiting)?;
                self.waiting.remove(&token);
                self.answered.push(token);
                Some(failed(token.0, *why))
            }
            Step::Answer(which, outcome) => {
                let index = which.checked_rem(self.releasing.len())?;
                let of = self.releasing[index];
                Some(answered(of.0, *outcome))
            }
            Step::Restart { written } => {
                self.restart(at_ms, *written);
                None
            }
            Step::RepeatAnswer(which) => {
                let token = self.answered[which.checked_rem(self.answered.len())?];
                Some(appended(token.0, 1_000_000))
            }
        }
    }

    fn write(&mut self, at_ms: u64, body: Body) {
        let number = self.ledger.len() as u64 + 1;
        let person = match &body {
            Body::CheckIn(check_in) => Some(&check_in.person),
            Body::CheckOut(check_out) => Some(&check_out.person),
            _ => None,
        };
        if let Some(person) = person {
            let twice = self.passages.values().any(|other| other == person);
            assert!(!twice, "{person} was recorded twice");
            self.passages.insert(Sequence(number), person.clone());
        }
        self.ledger.push(record(number, at_ms, body));
    }

    /// Forgets all that does not outlive a restart.
    fn restart(&mut self, at_ms: u64, written: bool) {
        for (_, body) in std::mem::take(&mut self.waiting) {
            if written {
                self.write(at_ms, body);
            }
        }
        self.answered.clear();
        self.releasing.clear();
        self.refusals.clear();
    }

    fn obey(&mut self, at_ms: u64, command: &Command, config: &SessionConfig) {
        match command {
            Command::Append { token, at, body } => {
                assert_eq!(*at, now(at_ms));
                self.check_body(at_ms, body, config);
                let known = self.waiting.insert(*token, (**body).clone());
                assert!(
                    known.is_none() && !self.answered.contains(token),
                    "{token} twice"
                );
            }
            Command::Release { of } => {
                assert_eq!(config.release, DoorRelease::Relay);
                assert!(
                    self.passages.contains_key(of),
                    "release without a durable record"
                );
                self.releasing.push(*of);
            }
            Command::Greet(greeting) => {
                let durable = self
                    .passages
                    .values()
                    .any(|p| *p == greeting.delegate.person);
                assert!(durable, "greeted without a durable record: {greeting:?}");
                let out = matches!(
                    greeting.kind,
                    GreetingKind::Farewell | GreetingKind::AlreadyLeft
                );
                assert_eq!(out, config.direction == Direction::Out);
            }
            Command::Notify(_) => {}
        }
    }

    fn check_body(&mut self, at_ms: u64, body: &Body, config: &SessionConfig) {
        match body {
            Body::CheckIn(_) => assert_eq!(config.direction, Direction::In),
            Body::CheckOut(_) => assert_eq!(config.direction, Direction::Out),
            Body::Refused(refused) => {
                let times = self.refusals.entry(refused.reason).or_default();
                times.push(at_ms);
                let recent = times.iter().filter(|time| at_ms - **time < 60_000).count();
                assert!(recent <= REFUSALS_PER_MINUTE_MAX);
                self.refusals_by_step += 1;
            }
            Body::ReleaseOutcome(outcome) => {
                assert!(self.passages.contains_key(&outcome.of));
                *self.outcomes_of.entry(outcome.of).or_default() += 1;
            }
            Body::Fault(_) | Body::Loss(_) | Body::MeetingOpened(_) | Body::MeetingClosed(_) => {}
            other => panic!("{other:?}"),
        }
        if let Body::CheckIn(check_in) = body {
            assert!(check_in.person != person("X"), "X is not on the roster");
            let by_face = check_in.means == Means::Face;
            assert!(
                !by_face || check_in.person != person("Q"),
                "Q is not to be called by face"
            );
            assert!(!by_face || config.face == FaceMode::Decides);
            if let Some(comparison) = &check_in.comparison {
                assert!(comparison.score.reaches(comparison.threshold));
            }
        }
    }
}

/// Walks, checks at each step, and returns all commands.
fn walk(steps: &[(Step, u64)], place: (Direction, DoorRelease, FaceMode)) -> Vec<Command> {
    let mut config = super::fixture::config();
    (config.direction, config.release, config.face) = place;
    let mut door = Door::new(|c| *c = config.clone());
    let mut world = World::default();
    let mut all = Vec::new();
    let mut at_ms = 0;
    for (step, wait_ms) in steps {
        at_ms += wait_ms;
        let input = world.input(at_ms, step);
        if let Step::Restart { .. } = step {
            door = Door::restored(|c| *c = config.clone(), &world.ledger);
        }
        let Some(input) = input else {
            continue;
        };
        world.refusals_by_step = 0;
        let mut out = Vec::new();
        door.0.handle(&now(at_ms), input, &mut out);
        out.iter()
            .for_each(|command| world.obey(at_ms, command, &config));
        assert!(world.refusals_by_step <= 1);
        assert_eq!(door.0.pending(), world.waiting.len());
        assert!(world.waiting.len() <= PENDING_MAX);
        assert!(door.0.showing().len() <= SHOWING_MAX);
        if place.0 == Direction::In {
            assert_eq!(door.0.headcount().present, world.passages.len());
        }
        all.extend(out);
    }
    settle(&mut door, &mut world, at_ms, &config);
    all
}

/// Everything is answered well from now on: in the end nothing waits, nothing is owed, and each
/// durable passage has the outcome of its door.
fn settle(door: &mut Door, world: &mut World, mut at_ms: u64, config: &SessionConfig) {
    let mut quiet = BTreeSet::new();
    for _ in 0..400 {
        at_ms += 1_000;
        let step = if world.waiting.is_empty() {
            quiet.insert(at_ms);
            Step::Input(Input::Tick)
        } else {
            Step::Write(0)
        };
        let input = world.input(at_ms, &step).unwrap();
        let mut out = Vec::new();
        door.0.handle(&now(at_ms), input, &mut out);
        out.iter()
            .for_each(|command| world.obey(at_ms, command, config));
    }
    assert!(quiet.len() > 20, "it never became quiet");
    assert!(world.waiting.is_empty() && door.0.trouble().is_none());
    for (of, person) in &world.passages {
        assert!(
            world.outcomes_of.contains_key(of),
            "no outcome for {person}"
        );
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_promises_hold(
        steps in prop::collection::vec((step(), prop_oneof![0_u64..50, 0_u64..4_000]), 1..160),
        place in place(),
    ) {
        let once = walk(&steps, place);
        prop_assert_eq!(once, walk(&steps, place));
    }
}
