//! A camera that does what a list says, for tests: frames, gaps, losses, garbage.
//!
//! It goes through the same shell and the same decoder as a real one, and takes its time from the
//! clock that it is given.

use std::sync::Arc;
use std::time::Duration;

use imaging::Picture;
use vocabulary::Monotonic;

use crate::clock::Clock;
use crate::error::CameraError;
use crate::link::{Link, Read, Reconnecting};
use crate::mjpeg::MotionJpeg;
use crate::reconnect::Patience;

/// Most steps that pass without a frame or a moment of time in one read.
const STEPS_MAX: u32 = 1024;

/// What the scripted camera does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Gives this picture.
    Picture(Picture),
    /// Gives these bytes as a motion-JPEG camera would; they are decoded, or fail to be.
    Jpeg(Vec<u8>),
    /// Gives nothing for this long.
    Gap(Duration),
    /// Is unplugged for this long.
    Unplugged(Duration),
}

/// A camera that follows a script; at its end, so does the source.
pub type Scripted = Reconnecting<ScriptedLink>;

impl Scripted {
    /// A camera that gives one frame every `every` of `clock`'s time unless a step says otherwise.
    pub fn scripted<I>(steps: I, every: Duration, clock: Arc<dyn Clock>) -> Self
    where
        I: IntoIterator<Item = Step, IntoIter: Send + 'static>,
    {
        let link = ScriptedLink::new(steps, every, clock.clone());
        Self::waiting(link, Patience::default(), clock)
    }
}

/// The scripted camera itself.
pub struct ScriptedLink {
    clock: Arc<dyn Clock>,
    steps: Box<dyn Iterator<Item = Step> + Send>,
    every: Duration,
    /// When the next step is due.
    due: Monotonic,
    /// Until when it is unplugged.
    gone_until: Monotonic,
    jpeg: MotionJpeg,
}

impl ScriptedLink {
    /// A camera that gives one frame every `every` unless a step says otherwise.
    pub fn new<I>(steps: I, every: Duration, clock: Arc<dyn Clock>) -> Self
    where
        I: IntoIterator<Item = Step, IntoIter: Send + 'static>,
    {
        let now = clock.now();
        Self {
            clock,
            steps: Box::new(steps.into_iter()),
            every,
            due: now,
            gone_until: now,
            jpeg: MotionJpeg::default(),
        }
    }

    /// Until when it is unplugged, or was last.
    #[must_use]
    pub fn gone_until(&self) -> Monotonic {
        self.gone_until
    }

    /// Waits at most `wait` for the next step to be due.
    fn is_due_within(&self, wait: Duration) -> bool {
        let left = self.due.since(self.clock.now());
        self.clock.sleep(left.min(wait));
        self.due <= self.clock.now()
    }
}

impl Link for ScriptedLink {
    fn start_open(&mut self) {}

    fn poll_open(&mut self, _wait: Duration) -> Option<Result<(), CameraError>> {
        let now = self.clock.now();
        if now < self.gone_until {
            return Some(Err(CameraError::Scripted));
        }
        self.due = self.due.max(now);
        Some(Ok(()))
    }

    fn read(&mut self, into: &mut Picture, wait: Duration) -> Read {
        for _ in 0..STEPS_MAX {
            if !self.is_due_within(wait) {
                return Read::Nothing;
            }
            let now = self.clock.now();
            match self.steps.next() {
                Some(Step::Picture(picture)) => {
                    *into = picture;
                    self.due = now.saturating_add(self.every);
                    return Read::Frame { dropped: 0 };
                }
                Some(Step::Jpeg(bytes)) => {
                    self.due = now.saturating_add(self.every);
                    return match self.jpeg.decode(&bytes, into) {
                        Ok(()) => Read::Frame { dropped: 0 },
                        Err(error) => Read::Garbage(CameraError::BrokenJpeg(error)),
                    };
                }
                Some(Step::Gap(lasts)) => self.due = now.saturating_add(lasts),
                Some(Step::Unplugged(lasts)) => {
                    self.gone_until = now.saturating_add(lasts);
                    return Read::Broken(CameraError::Scripted);
                }
                None => return Read::Ended,
            }
        }
        Read::Nothing
    }

    fn close(&mut self) {}
}

#[cfg(test)]
mod tests {
    use imaging::Frame;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::VirtualClock;
    use crate::{FrameSource, Next, empty_frame};

    /// A replugged camera has to be back within this time.
    const BACK_WITHIN: Duration = Duration::from_secs(3);

    fn grey(value: u8) -> Step {
        Step::Picture(Picture::from_rgb(1, 1, vec![value; 3]).unwrap())
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// One letter for each answer until the script ends.
    fn play(steps: Vec<Step>) -> String {
        let clock = Arc::new(VirtualClock::default());
        let mut source = Scripted::scripted(steps, millis(33), clock);
        let mut frame = empty_frame().unwrap();
        let mut told = String::new();
        for _ in 0..10_000 {
            told.push(match source.next_frame(&mut frame, millis(50)).unwrap() {
                Next::Frame => 'f',
                Next::Recovered => 'R',
                Next::NotYet => '.',
                Next::Skipped(_) => 's',
                Next::Lost(_) => 'L',
                Next::Ended => return told,
            });
        }
        panic!("the script does not end: {told}");
    }

    #[test]
    fn frames_gaps_garbage_and_losses_come_as_scripted() {
        let check = |steps: Vec<Step>, expect: &str| {
            let shape = steps.len();
            assert_eq!(play(steps), expect, "{shape} steps");
        };
        check(vec![], "");
        check(vec![grey(1), grey(2)], "ff");
        check(vec![grey(1), Step::Gap(millis(120)), grey(2)], "f..f");
        check(
            vec![grey(1), Step::Jpeg(b"no JPEG".to_vec()), grey(2)],
            "fsf",
        );
        check(
            vec![grey(1), Step::Unplugged(millis(10)), grey(2), grey(3)],
            "fL..Rf",
        );
        let mut garbage = vec![Step::Jpeg(vec![0xFF, 0xD8]); 30];
        garbage.push(grey(1));
        check(garbage, &format!("{}L..R", "s".repeat(29)));
    }

    #[test]
    fn a_hanging_camera_is_lost_and_found_again() {
        let told = play(vec![grey(1), Step::Gap(millis(3_000)), grey(2)]);
        assert_eq!(told.replace('.', ""), "fLR");
    }

    /// Plugs out and in a thousand times; tells the longest time from plugging in to a frame.
    fn thousand_cycles(seed: u64) -> Duration {
        let mut state = seed | 1;
        let mut random = move |below: u64| {
            // xorshift64: enough to vary a script, and the seed reproduces it.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut steps = Vec::new();
        for _ in 0..1_000 {
            steps.extend((0..1 + random(200)).map(|_| grey(7)));
            steps.push(Step::Unplugged(millis(1 + random(20_000))));
        }
        steps.push(grey(7));
        let clock = Arc::new(VirtualClock::default());
        let mut source = Scripted::scripted(steps, millis(33), clock.clone());
        let mut frame: Frame = empty_frame().unwrap();
        let (mut lost, mut recovered, mut longest) = (0, 0, Duration::ZERO);
        loop {
            match source.next_frame(&mut frame, millis(100)).unwrap() {
                Next::Frame | Next::NotYet => {}
                Next::Skipped(error) => panic!("seed {seed}: {error}"),
                Next::Lost(_) => lost += 1,
                Next::Recovered => {
                    recovered += 1;
                    longest = longest.max(clock.now().since(source.link().gone_until()));
                }
                Next::Ended => break,
            }
            assert!(lost - recovered <= 1, "seed {seed}: a loss was told twice");
        }
        assert_eq!((lost, recovered), (1_000, 1_000), "seed {seed}");
        longest
    }

    #[test]
    fn a_thousand_times_unplugged_and_each_time_back_within_three_seconds() {
        for seed in 1..=5 {
            let longest = thousand_cycles(seed);
            assert!(longest <= BACK_WITHIN, "seed {seed}: {longest:?}");
            assert!(
                longest > Duration::ZERO,
                "seed {seed}: nothing was measured"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_from_a_camera_break_the_source(
            frames in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..200), 0..40
            )
        ) {
            let jpeg = |mut bytes: Vec<u8>| {
                bytes.splice(0..0, [0xFF, 0xD8, 0xFF]);
                Step::Jpeg(bytes)
            };
            play(frames.into_iter().map(jpeg).collect());
        }
    }
}
