//! Wires the threads together, runs the loop, and takes everything apart again within a second.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use beside::FromKiosk;
use camera::FrameSource;
use crossbeam_channel::{Receiver, Sender, bounded};
use screen::{TroubleKind, View};
use vocabulary::{MeetingId, Monotonic, Stamp};

use crate::capture::{Capture, Handover, Shot};
use crate::clock::Clock;
use crate::compose::{Door, compose};
use crate::config::Config;
use crate::event::{EVENTS_MAX, Event, PartEvent};
use crate::keys;
use crate::kiosk::{Flow, Kiosk, Ports, Told};
use crate::local_time::zone;
use crate::looking::Looking;
use crate::mailbox::Mailbox;
use crate::model_choice::{self, Chosen};
use crate::neighbour::{Hangup, Neighbour};
use crate::networks::Networks;
use crate::perceive::Perceiver;
use crate::show::Show;
use crate::store::{Compared, REQUESTS_MAX, Store, open_ledger};
use crate::trouble::Trouble;

/// How often the loop is told that time has passed.
const TICK: Duration = Duration::from_millis(200);

/// Longest that a stop may take; a thread that has not ended by then is left behind and named.
const STOP_MAX: Duration = Duration::from_secs(1);

/// Of that, how long the last view may wait to be drawn.
const STOP_VIEW_MAX: Duration = Duration::from_millis(300);

/// How often a stopping thread is looked at.
const STOP_POLL: Duration = Duration::from_millis(5);

/// Frames whose memory goes round between camera and inference.
const SPARES_MAX: usize = 2;

/// Most changes of aim that wait: one for each meeting that opens or closes.
const AIMS_MAX: usize = 16;

/// Why a run ended badly. The exit status tells these apart.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Attendance could not be recorded.
    #[error("attendance is not being recorded ({}): {}", .0.kind.code(), .0.detail)]
    NotRecording(Trouble),
    /// The kiosk cannot see or recognise anybody.
    #[error("{}: {}", .0.kind.code(), .0.detail)]
    Trouble(Trouble),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// What a run is given besides the configuration. A recording ([`Handover::Every`]) begins only
/// when a roll is open; a camera looks at once.
pub struct Run {
    /// Where frames come from; an error is shown as a lost camera.
    pub source: Result<Box<dyn FrameSource>, Trouble>,
    /// How frames are handed over.
    pub handover: Handover,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The meeting, where it was given by hand.
    pub meeting: Option<MeetingId>,
    /// Who watches, if anybody does.
    pub told: Option<Sender<Told>>,
    /// What stops the run from outside: one message, or the other end dropped.
    pub stop: Receiver<()>,
}

/// Runs until the source ends or somebody stops it.
///
/// # Errors
/// [`RunError`]; what can be shown is shown on the screen first.
pub fn run(config: &Config, run: Run) -> Result<(), RunError> {
    let chosen = choose_model(config, &run.clock.now());
    run_with(chosen, run)
}

fn run_with(chosen: Chosen, run: Run) -> Result<(), RunError> {
    let config = &chosen.config.clone();
    let (events, incoming) = bounded(EVENTS_MAX);
    let views = Arc::new(Mailbox::default());
    let mut show = Show::open(
        &config.screen,
        run.handover == Handover::Every,
        Arc::clone(&views),
        events.clone(),
    )?;
    let parts = match Parts::start(config, run.clock.now(), run.source) {
        Ok(parts) => parts,
        Err(error) => {
            show_trouble(config, &mut show, &*run.clock, &error);
            return Err(error);
        }
    };
    let epoch = parts.store.epoch();
    let beside = Arc::new(Mutex::new(parts.told.clone()));
    let mut threads = Threads::new(Arc::clone(&views), events.clone());
    threads.spawn("screen", move || show.run())?;
    let hangup = threads.listen(config, &beside);
    let (store, requests) = bounded(REQUESTS_MAX);
    let (aims, aimed) = bounded(AIMS_MAX);
    let live = Arc::new(Mailbox::default());
    let ports = Ports {
        store,
        aims,
        views,
        live: Arc::clone(&live),
        every_view: run.handover == Handover::Every,
        told: run.told,
        beside: Arc::clone(&beside),
    };
    let (keeper, keeper_events) = (parts.store, events.clone());
    threads.spawn("ledger", move || keeper.run(&requests, &keeper_events))?;
    let (spares, spared) = bounded(SPARES_MAX);
    let frames = Arc::clone(&threads.frames);
    let looking = Looking {
        perceiver: parts.perceiver,
        frames: Arc::clone(&frames),
        spares,
        aims: aimed,
        live,
        events: events.clone(),
    };
    threads.spawn("inference", move || looking.run())?;
    let clock = Arc::clone(&run.clock);
    let (source, handover) = (parts.source, run.handover);
    let capture = Capture {
        source,
        clock,
        handover,
        frames,
        spares: spared,
        events,
    };
    let mut capture = Some(capture);

    let mut kiosk = Kiosk::new(chosen, epoch, run.meeting, ports);
    let recording = run.handover == Handover::Every;
    // A camera begins at once; a recording when a roll is open, and not at all when none will be.
    let begin = |kiosk: &Kiosk| {
        if capture.is_none() {
            return Ok(());
        }
        if recording && !kiosk.is_open() {
            verdict(kiosk)?;
            let never = kiosk.not_opening();
            return never.map_or(Ok(()), |trouble| Err(RunError::Trouble(trouble)));
        }
        match capture.take() {
            Some(capture) => Ok(threads.spawn("camera", move || capture.run())?),
            None => Ok(()),
        }
    };
    let turned = turn(&mut kiosk, &*run.clock, &incoming, &run.stop, begin);
    let result = turned.and_then(|()| verdict(&kiosk));
    // Dropping the loop and its queues lets the threads at their other ends come to an end.
    drop(kiosk);
    drop(incoming);
    drop(hangup);
    threads.stop();
    result
}

/// Which model to compare by. Rosters that cannot be read are told of by whoever reads them next.
fn choose_model(config: &Config, now: &Stamp) -> Chosen {
    let chosen = model_choice::chosen(config, now.wall);
    let chosen = chosen.unwrap_or_else(|_| Chosen::configured(config));
    if let Some(note) = model_choice::note(&chosen.choice) {
        let (configured, used) = (&config.models.comparer, &chosen.config.models.comparer);
        tracing::warn!(
            configured,
            used,
            why = note.en,
            "the configured model is refused"
        );
    }
    chosen
}

/// Everything that can fail before the first frame.
struct Parts {
    store: Store,
    perceiver: Perceiver,
    source: Box<dyn FrameSource>,
    /// What the daemon is told before anything has happened.
    told: FromKiosk,
}

impl Parts {
    /// The ledger comes first: what cannot be recorded needs no camera.
    fn start(
        config: &Config,
        now: Stamp,
        source: Result<Box<dyn FrameSource>, Trouble>,
    ) -> Result<Self, RunError> {
        let ledger = open_ledger(config, now).map_err(RunError::NotRecording)?;
        if config.city.database().is_some() {
            // The daemon has this device enrolled by the public half of its key.
            let made = keys::open_or_create(&config.data);
            made.map_err(|error| RunError::Trouble(Trouble::new(TroubleKind::Other, &error)))?;
        }
        let networks = Networks::load(config).map_err(|e| RunError::Trouble(e.trouble()))?;
        let Networks {
            detector,
            comparer,
            thresholds,
            runtime,
        } = networks;
        tracing::info!(runtime, space = %comparer.space(), "inference is ready");
        let told = FromKiosk {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            spaces: vec![comparer.space().clone()],
            camera_works: None,
            ledger: ledger.tail().map(|tail| (ledger.epoch(), tail.sequence)),
            troubles: Vec::new(),
        };
        let store = Store::new(
            config,
            ledger,
            Compared {
                space: comparer.space().clone(),
                thresholds,
            },
        );
        let recognition = &config.recognition;
        let perceiver = Perceiver::new(
            detector,
            comparer,
            recognition.detect_side_px,
            recognition.face_width_px_min,
        )
        .context("the first frame cannot be prepared for")?;
        let source = source.map_err(RunError::Trouble)?;
        Ok(Self {
            store,
            perceiver,
            source,
            told,
        })
    }
}

/// The loop: one event after the other, and a tick when time has passed. `begin` is asked after
/// each whether frames may come, and may give up.
fn turn(
    kiosk: &mut Kiosk,
    clock: &dyn Clock,
    incoming: &Receiver<Event>,
    stop: &Receiver<()>,
    mut begin: impl FnMut(&Kiosk) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut ticked = Monotonic::default();
    loop {
        let event = crossbeam_channel::select! {
            recv(stop) -> _ => Event::Stop,
            recv(incoming) -> event => event.unwrap_or(Event::Stop),
            default(TICK) => Event::Tick,
        };
        let now = clock.now();
        let mut flow = kiosk.handle_event(&now, event);
        if flow == Flow::GoOn && now.monotonic.since(ticked) >= TICK {
            ticked = now.monotonic;
            flow = kiosk.handle_event(&now, Event::Tick);
        }
        begin(kiosk)?;
        if flow == Flow::Stop {
            return Ok(());
        }
    }
}

fn verdict(kiosk: &Kiosk) -> Result<(), RunError> {
    match (kiosk.unrecorded(), kiosk.fatal()) {
        (Some(trouble), _) => Err(RunError::NotRecording(trouble.clone())),
        (None, Some(trouble)) => Err(RunError::Trouble(trouble.clone())),
        (None, None) => Ok(()),
    }
}

/// Shows on the screen what keeps the kiosk from starting.
fn show_trouble(config: &Config, show: &mut Show, clock: &dyn Clock, error: &RunError) {
    let (RunError::NotRecording(trouble) | RunError::Trouble(trouble)) = error else {
        return;
    };
    let trouble = screen::Trouble {
        kind: trouble.kind,
        detail: trouble.detail.clone(),
    };
    let zone = zone(&config.device.zone);
    let room = config.device.room_name.as_str();
    let view = compose(&clock.now(), &zone, room, Some(&trouble), &Door::Starting);
    if let Err(error) = show.show(&view) {
        tracing::error!("the trouble could not be shown: {error:#}");
    }
}

/// The running threads, and the mailboxes that keep them running.
struct Threads {
    frames: Arc<Mailbox<Shot>>,
    views: Arc<Mailbox<View>>,
    events: Sender<Event>,
    running: Vec<(&'static str, JoinHandle<()>)>,
}

impl Threads {
    fn new(views: Arc<Mailbox<View>>, events: Sender<Event>) -> Self {
        Self {
            frames: Arc::new(Mailbox::default()),
            views,
            events,
            running: Vec::new(),
        }
    }

    fn spawn(
        &mut self,
        name: &'static str,
        body: impl FnOnce() + Send + 'static,
    ) -> anyhow::Result<()> {
        let thread = std::thread::Builder::new().name(name.to_owned());
        let alarm = Alarm {
            thread: name,
            frames: Arc::clone(&self.frames),
            views: Arc::clone(&self.views),
            events: self.events.clone(),
        };
        let handle = thread
            .spawn(move || {
                let _alarm = alarm;
                body();
            })
            .with_context(|| format!("thread {name} cannot start"))?;
        self.running.push((name, handle));
        Ok(())
    }

    /// Listens for the daemon, where the configuration names a socket. A roll is taken also where
    /// that fails: the log says so, and staff see on the screen that no daemon is heard.
    fn listen(&mut self, config: &Config, beside: &Arc<Mutex<FromKiosk>>) -> Option<Hangup> {
        let socket = config.city.socket()?;
        let listened = Neighbour::listen(socket, Arc::clone(beside), self.events.clone()).and_then(
            |(neighbour, hangup)| {
                self.spawn("daemon's socket", move || neighbour.run())?;
                Ok(hangup)
            },
        );
        listened
            .inspect_err(|error| tracing::error!("the daemon is not listened for: {error:#}"))
            .ok()
    }

    /// Closes the mailboxes and waits for the threads, all together at most [`STOP_MAX`].
    fn stop(self) {
        let dropped = self.frames.replaced();
        tracing::info!(
            dropped,
            "frames that gave way to newer ones before they were looked at"
        );
        let deadline = Instant::now() + STOP_MAX;
        self.frames.close();
        self.views.close_when_taken(STOP_VIEW_MAX);
        for (name, handle) in self.running {
            while !handle.is_finished() && Instant::now() < deadline {
                std::thread::sleep(STOP_POLL);
            }
            if !handle.is_finished() {
                tracing::error!(thread = name, "a thread does not stop and is left behind");
            } else if handle.join().is_err() {
                tracing::error!(thread = name, "a thread has panicked");
            }
        }
    }
}

/// Tells the loop when its thread panics, and wakes whoever waits for that thread. A kiosk that
/// goes on without one would invite people for ever and record nobody.
struct Alarm {
    thread: &'static str,
    frames: Arc<Mailbox<Shot>>,
    views: Arc<Mailbox<View>>,
    events: Sender<Event>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.frames.close();
            self.views.close();
            let died = Event::Part(PartEvent::Died(self.thread));
            // With the mailboxes closed the loop turns freely, so the queue does not stay full.
            let _ = self.events.send_timeout(died, STOP_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_tells_the_loop() {
        let (events, incoming) = bounded(1);
        let mut threads = Threads::new(Arc::new(Mailbox::default()), events);
        threads
            .spawn("trial", || panic!("as the test wants it"))
            .unwrap();
        let event = incoming.recv_timeout(Duration::from_secs(60));
        assert!(
            matches!(event, Ok(Event::Part(PartEvent::Died("trial")))),
            "{event:?}"
        );
        assert!(threads.frames.is_closed() && threads.views.is_closed());
        threads.stop();
    }
}
