//! When a camera is lost, and when to try it again: the decisions alone.
//!
//! Pure: events and the time in, what to do out. It opens nothing, waits for nothing and reads no
//! clock, so that a thousand cycles of unplugging are tested in no time at all.

use std::time::Duration;

use vocabulary::Monotonic;

/// When patience ends, and how fast it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a camera may take from being open to its first frame. Some calibrate exposure
    /// first.
    pub first_frame_max: Duration,
    /// How long a camera that has given frames may be silent.
    pub silent_max: Duration,
    /// How long opening may take before the camera is called lost. It is not interrupted.
    pub opening_max: Duration,
    /// How many undecodable frames in a row mean that the stream itself is broken.
    pub garbage_max: u32,
    /// The pause before the first try after a loss.
    pub pause_first: Duration,
    /// The longest pause between two tries. With the time that opening takes it has to stay well
    /// under the three seconds in which a replugged camera is back.
    pub pause_max: Duration,
    /// How long frames must have come before the pauses start anew from the shortest.
    pub steady_min: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_frame_max: Duration::from_millis(4_000),
            silent_max: Duration::from_millis(2_000),
            opening_max: Duration::from_millis(3_000),
            garbage_max: 30,
            pause_first: Duration::from_millis(100),
            pause_max: Duration::from_millis(1_000),
            steady_min: Duration::from_millis(5_000),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Opening has begun.
    OpeningBegan,
    /// The camera is open and streams.
    Opened,
    /// Opening failed.
    OpenFailed,
    /// A good frame came.
    Frame,
    /// A frame came that could not be decoded.
    Garbage,
    /// Nothing came within a wait.
    Nothing,
    /// Reading failed: the camera is gone.
    Broken,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Wait this long, then ask again.
    Pause(Duration),
    /// Begin to open the camera.
    Open,
    /// Wait for the opening to end.
    AwaitOpen,
    /// Read a frame.
    Read,
}

/// Why a camera counts as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// It could not be opened.
    OpenFailed,
    /// Opening takes too long; carries how long so far.
    SlowToOpen(Duration),
    /// Reading failed.
    Broken,
    /// No frame for this long.
    Silent(Duration),
    /// This many frames in a row were undecodable.
    OnlyGarbage(u32),
}

/// What is to be told, once each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The camera is lost.
    Lost(Loss),
    /// The first frame after a loss came.
    Recovered,
}

/// What an event leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaction {
    /// The camera is to be closed before anything else is done with it.
    pub close: bool,
    /// What is to be told.
    pub report: Option<Report>,
}

/// The state of one camera.
#[derive(Debug, Clone)]
pub struct Reconnect {
    patience: Patience,
    state: State,
    /// The pause before the next try.
    pause: Duration,
    /// A loss has been reported and no frame has come since.
    lost: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        open_at: Monotonic,
    },
    Opening {
        since: Monotonic,
    },
    Streaming {
        opened: Monotonic,
        /// The last good frame; none yet since it was opened.
        frame: Option<Monotonic>,
        /// Undecodable frames in a row.
        garbage: u32,
    },
}

impl Reconnect {
    /// A camera that is to be opened at once.
    #[must_use]
    pub fn closed(patience: Patience, now: Monotonic) -> Self {
        Self {
            patience,
            state: State::Closed { open_at: now },
            pause: patience.pause_first,
            lost: false,
        }
    }

    /// A camera that has just been opened.
    #[must_use]
    pub fn opened(patience: Patience, now: Monotonic) -> Self {
        let mut this = Self::closed(patience, now);
        this.handle(now, Event::Opened);
        this
    }

    /// Whether a loss has been reported and no frame has come since.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// What to do now.
    #[must_use]
    pub fn action(&self, now: Monotonic) -> Action {
        match self.state {
            State::Closed { open_at } if open_at > now => Action::Pause(open_at.since(now)),
            State::Closed { .. } => Action::Open,
            State::Opening { .. } => Action::AwaitOpen,
            State::Streaming { .. } => Action::Read,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Monotonic, event: Event) -> Reaction {
        match event {
            Event::OpeningBegan => {
                self.state = State::Opening { since: now };
                Reaction::default()
            }
            Event::Opened => {
                self.state = State::Streaming {
                    opened: now,
                    frame: None,
                    garbage: 0,
                };
                Reaction::default()
            }
            Event::OpenFailed => self.lose(now, Loss::OpenFailed),
            Event::Broken => self.lose(now, Loss::Broken),
            Event::Frame => self.frame(now),
            Event::Garbage => self.garbage(now),
            Event::Nothing => self.nothing(now),
        }
    }

    fn frame(&mut self, now: Monotonic) -> Reaction {
        if let State::Streaming {
            opened,
            frame,
            garbage,
        } = &mut self.state
        {
            (*frame, *garbage) = (Some(now), 0);
            if now.since(*opened) >= self.patience.steady_min {
                self.pause = self.patience.pause_first;
            }
        }
        Reaction {
            close: false,
            report: std::mem::take(&mut self.lost).then_some(Report::Recovered),
        }
    }

    fn garbage(&mut self, now: Monotonic) -> Reaction {
        if let State::Streaming { garbage, .. } = &mut self.state {
            *garbage += 1;
            let count = *garbage;
            if count >= self.patience.garbage_max {
                return self.lose(now, Loss::OnlyGarbage(count));
            }
        }
        // A stream of broken frames is no sign of life: silence is counted from the last good one.
        self.nothing(now)
    }

    fn nothing(&mut self, now: Monotonic) -> Reaction {
        match self.state {
            State::Closed { .. } => Reaction::default(),
            State::Opening { since } => {
                let waited = now.since(since);
                let report = (waited > self.patience.opening_max && !self.lost).then(|| {
                    self.lost = true;
                    Report::Lost(Loss::SlowToOpen(waited))
                });
                Reaction {
                    close: false,
                    report,
                }
            }
            State::Streaming { opened, frame, .. } => {
                let silent = now.since(frame.unwrap_or(opened));
                let most = if frame.is_some() {
                    self.patience.silent_max
                } else {
                    self.patience.first_frame_max
                };
                if silent > most {
                    self.lose(now, Loss::Silent(silent))
                } else {
                    Reaction::default()
                }
            }
        }
    }

    /// Closes, and comes back after a pause that doubles up to its longest.
    fn lose(&mut self, now: Monotonic, loss: Loss) -> Reaction {
        self.state = State::Closed {
            open_at: now.saturating_add(self.pause),
        };
        self.pause = self.pause.saturating_mul(2).min(self.patience.pause_max);
        let first = !std::mem::replace(&mut self.lost, true);
        Reaction {
            close: true,
            report: first.then_some(Report::Lost(loss)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_millis(millis)
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Feeds events at their times and collects what is told.
    fn check(events: &[(u64, Event)], expect: &[(u64, Report)]) -> Reconnect {
        let mut machine = Reconnect::opened(Patience::default(), at(0));
        let told: Vec<_> = events
            .iter()
            .filter_map(|(time, event)| {
                let report = machine.handle(at(*time), *event).report?;
                Some((*time, report))
            })
            .collect();
        assert_eq!(told, expect, "{events:?}");
        machine
    }

    #[test]
    fn a_loss_is_told_once_and_so_is_the_return() {
        let machine = check(
            &[
                (10, Event::Frame),
                (20, Event::Broken),
                (120, Event::OpeningBegan),
                (130, Event::OpenFailed),
                (330, Event::OpeningBegan),
                (340, Event::Opened),
                (350, Event::Nothing),
                (360, Event::Frame),
                (370, Event::Frame),
            ],
            &[(20, Report::Lost(Loss::Broken)), (360, Report::Recovered)],
        );
        assert!(!machine.is_lost());
    }

    #[test]
    fn silence_is_a_loss_and_a_broken_frame_is_no_sign_of_life() {
        check(&[(10, Event::Frame), (2010, Event::Nothing)], &[]);
        check(
            &[
                (10, Event::Frame),
                (1500, Event::Garbage),
                (2011, Event::Garbage),
            ],
            &[(2011, Report::Lost(Loss::Silent(millis(2001))))],
        );
        // The first frame may take longer.
        check(&[(4000, Event::Nothing)], &[]);
        check(
            &[(4001, Event::Nothing)],
            &[(4001, Report::Lost(Loss::Silent(millis(4001))))],
        );
    }

    #[test]
    fn many_broken_frames_in_a_row_are_a_loss() {
        let broken = |count: usize| vec![(5, Event::Garbage); count];
        check(&broken(29), &[]);
        check(&broken(30), &[(5, Report::Lost(Loss::OnlyGarbage(30)))]);
        let mut between = broken(29);
        between.push((6, Event::Frame));
        between.extend(broken(29));
        check(&between, &[]);
    }

    #[test]
    fn opening_that_hangs_is_told_and_still_awaited() {
        let mut machine = Reconnect::closed(Patience::default(), at(0));
        assert_eq!(machine.action(at(0)), Action::Open);
        machine.handle(at(0), Event::OpeningBegan);
        assert_eq!(machine.handle(at(3000), Event::Nothing).report, None);
        assert_eq!(
            machine.handle(at(3001), Event::Nothing).report,
            Some(Report::Lost(Loss::SlowToOpen(millis(3001))))
        );
        assert_eq!(
            machine.handle(at(9000), Event::Nothing),
            Reaction::default()
        );
        assert_eq!(machine.action(at(9000)), Action::AwaitOpen);
    }

    #[test]
    fn pauses_double_up_to_their_longest_and_start_anew_after_steady_frames() {
        let mut machine = Reconnect::opened(Patience::default(), at(0));
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            machine.handle(at(now), Event::Broken);
            let Action::Pause(pause) = machine.action(at(now)) else {
                panic!("no pause after a loss");
            };
            pauses.push(pause.as_millis());
            now += u64::try_from(pause.as_millis()).unwrap();
            assert_eq!(machine.action(at(now)), Action::Open);
            machine.handle(at(now), Event::OpeningBegan);
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);

        machine.handle(at(now), Event::Opened);
        machine.handle(at(now + 4_999), Event::Frame);
        assert_eq!(machine.pause, millis(1000));
        machine.handle(at(now + 5_000), Event::Frame);
        assert_eq!(machine.pause, millis(100));
    }
}
