//! The one event loop: whatever wakes the kiosk comes through [`Kiosk::handle_event`], and whatever
//! it wants done goes out through [`Ports`]. It waits for nobody and does no I/O of its own.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use beside::{FromDaemon, FromKiosk};
use checkin::{
    AppendFailure, Command, DoorRelease, FaceMode, Headcount, Input, Observation, Session,
    SessionConfig, Timings, Token,
};
use crossbeam_channel::Sender;
use jiff::tz::TimeZone;
use record::{Body, Release, Text};
use screen::{Note, TroubleKind, View};
use vocabulary::{
    ClockQuality, Digest, Direction, Epoch, Meeting, MeetingId, Monotonic, Roster, Sequence, Stamp,
};

use crate::choose::{Choice, choose, closes_at, opens_at};
use crate::city::City;
use crate::compose::{Door, compose};
use crate::config::Config;
use crate::event::{CameraEvent, Edition, Event, Known, LoadedMeeting, PartEvent};
use crate::local_time::zone;
use crate::looking::{Aim, Live};
use crate::mailbox::{Mailbox, Put};
use crate::model_choice::{self, Chosen, ModelChoice};
use crate::perceive::{Face, Outcome, Perceived};
use crate::store::Request;
use crate::trouble::Trouble;

/// The version of the rules of decision: of the policy, fusion and check-in code. It stands in
/// every record, and grows when the same frames would be decided otherwise.
const POLICY_VERSION: u32 = 1;

/// How often the meetings are read again: a roster that was imported is held within this time.
const MEETINGS_EVERY: Duration = Duration::from_secs(5);

/// How long a face stays on the screen after the last frame that showed it.
const FACES_LAST: Duration = Duration::from_millis(700);

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It waits for the next event.
    GoOn,
    /// It ends.
    Stop,
}

/// What somebody who watches the kiosk at work is told: the demonstration, a test.
#[derive(Debug, Clone)]
pub struct Told {
    /// When a track was decided.
    pub at: Stamp,
    /// How.
    pub outcome: Outcome,
}

/// Where the loop's wishes go.
pub struct Ports {
    /// To the ledger thread: a bounded queue that refuses when it is full.
    pub store: Sender<Request>,
    /// To the inference thread.
    pub aims: Sender<Aim>,
    /// To the screen thread.
    pub views: Arc<Mailbox<View>>,
    /// From the inference thread, for the screen.
    pub live: Arc<Mailbox<Live>>,
    /// Whether every view is to be drawn, as a recording wants it.
    pub every_view: bool,
    /// To whoever watches.
    pub told: Option<Sender<Told>>,
    /// What the daemon is told when it asks.
    pub beside: Arc<Mutex<FromKiosk>>,
}

/// The kiosk's state.
pub struct Kiosk {
    config: Config,
    epoch: Epoch,
    /// The meeting that was asked for by hand, whatever the clock says.
    fixed: Option<MeetingId>,
    ports: Ports,
    zone: TimeZone,
    /// The meetings with rosters here.
    meetings: Option<Vec<Known>>,
    meetings_asked: Option<Monotonic>,
    place: Place,
    /// Appends under way: our number to the session's.
    tokens: HashMap<u64, Token>,
    next_token: u64,
    faces: Vec<Face>,
    faces_at: Monotonic,
    live: Option<Live>,
    camera: Option<Trouble>,
    inference: Option<Trouble>,
    /// What keeps records from being written.
    storage: Option<Trouble>,
    /// What keeps rosters from being read.
    rosters: Option<Trouble>,
    /// The first trouble with recording, for the exit status.
    unrecorded: Option<Trouble>,
    source_ended: bool,
    /// A thread without which the kiosk cannot go on.
    died: Option<Trouble>,
    /// What the daemon tells of the city.
    city: City,
    /// What was chosen to compare by.
    choice: ModelChoice,
    /// Whether the open meeting has references by other models only.
    nobody_by_face: bool,
    /// The meetings whose keys are being destroyed.
    forgetting: HashSet<MeetingId>,
    shown: Option<View>,
    commands: Vec<Command>,
}

/// What the door is for.
enum Place {
    /// Not known yet.
    Unknown,
    /// No meeting.
    Nothing,
    /// A meeting that is not open yet.
    Before(Box<Meeting>),
    /// A meeting whose roster is being read.
    Loading(MeetingId),
    /// An open meeting.
    Open(Box<Open>),
    /// A meeting that is over.
    After(Box<Meeting>, Headcount),
}

/// An open meeting.
struct Open {
    session: Session,
    roster: Roster,
    /// The digest of this roster.
    digest: Digest,
    /// The newest edition that was asked for, and the number of the next append then. None asks
    /// again.
    asked: (Option<Edition>, u64),
    /// Whether that roster could not be read.
    failed: bool,
}

impl Kiosk {
    /// A kiosk that knows nothing yet. `epoch` is its ledger file's.
    pub fn new(chosen: Chosen, epoch: Epoch, fixed: Option<MeetingId>, ports: Ports) -> Self {
        let Chosen { config, choice } = chosen;
        let kiosk = Self {
            choice,
            nobody_by_face: false,
            zone: zone(&config.device.zone),
            city: City::new(config.city.socket().is_some()),
            config,
            epoch,
            fixed,
            ports,
            meetings: None,
            meetings_asked: None,
            place: Place::Unknown,
            tokens: HashMap::new(),
            next_token: 1,
            faces: Vec::new(),
            faces_at: Monotonic::default(),
            live: None,
            camera: None,
            inference: None,
            storage: None,
            rosters: None,
            unrecorded: None,
            source_ended: false,
            forgetting: HashSet::new(),
            died: None,
            shown: None,
            commands: Vec::new(),
        };
        kiosk.tell_of_model();
        kiosk
    }

    /// Takes in one event that happened by `now` and does what follows from it.
    pub fn handle_event(&mut self, now: &Stamp, event: Event) -> Flow {
        match event {
            Event::Perceived(perceived) => self.perceived(now, perceived),
            Event::Camera(camera) => self.camera(camera),
            Event::Committed { token, result } => self.committed(now, token, result),
            Event::Meetings(Ok(meetings)) => self.meetings_read(meetings),
            Event::Loaded(Ok(loaded)) => self.open(now, *loaded),
            Event::Meetings(Err(trouble)) | Event::Loaded(Err(trouble)) => {
                tracing::error!(trouble = trouble.detail, "rosters cannot be read");
                if trouble.is_of_ledger() {
                    self.unrecorded.get_or_insert_with(|| trouble.clone());
                }
                if let Place::Open(open) = &mut self.place {
                    open.failed = true;
                }
                self.rosters = Some(trouble);
            }
            Event::Forgotten { meeting, done } => {
                if !done {
                    self.forgetting.remove(&meeting);
                }
            }
            Event::Part(part) => self.part(part),
            Event::City(told) => self.told_of_city(now, told),
            Event::Tick => self.feed(now, Input::Tick),
            Event::Stop => return Flow::Stop,
        }
        self.look_after_meetings(now);
        self.show(now);
        if self.died.is_some() || (self.source_ended && self.is_settled()) {
            Flow::Stop
        } else {
            Flow::GoOn
        }
    }

    /// Whether the roll of a meeting is open.
    pub fn is_open(&self) -> bool {
        matches!(self.place, Place::Open(_))
    }

    /// Why no roll will open by itself now, if that is so: a recording does not wait for it.
    pub fn not_opening(&self) -> Option<Trouble> {
        let none = |detail: &str| {
            Some(Trouble {
                kind: TroubleKind::Other,
                detail: detail.to_owned(),
            })
        };
        match (&self.rosters, &self.place) {
            (Some(trouble), _) => Some(trouble.clone()),
            (None, Place::Nothing | Place::Before(_) | Place::After(..)) => none(
                "no meeting is open at this door now; name one by --meeting ID, or import a roster",
            ),
            (None, Place::Unknown | Place::Loading(_) | Place::Open(_)) => None,
        }
    }

    /// The first trouble that kept attendance from being recorded, if there was any.
    pub fn unrecorded(&self) -> Option<&Trouble> {
        self.unrecorded.as_ref()
    }

    /// What the kiosk cannot go on with: a thread that died, or a camera that gives no frames.
    pub fn fatal(&self) -> Option<&Trouble> {
        self.died.as_ref().or(self.camera.as_ref())
    }

    /// Step 5 of a frame: what became of the door is told to the session, which records it. No
    /// relay is wired to this kiosk yet, so none is ever said to have opened.
    fn release(&mut self, now: &Stamp, of: Sequence) {
        self.feed(
            now,
            Input::ReleaseAnswered {
                of,
                outcome: Release::NotConfigured,
            },
        );
    }
}

/// What comes in.
impl Kiosk {
    fn perceived(&mut self, now: &Stamp, perceived: Perceived) {
        self.tell_daemon(|told| told.camera_works = Some(true));
        if !perceived.faces.is_empty() {
            self.live = self.ports.live.take(Duration::ZERO).or(self.live.take());
            self.faces = perceived.faces;
            self.faces_at = now.monotonic;
        } else if now.monotonic.since(self.faces_at) > FACES_LAST {
            self.faces.clear();
            self.live = None;
        }
        let held = match &self.place {
            Place::Open(open) => Some(open.digest),
            Place::Unknown
            | Place::Nothing
            | Place::Before(_)
            | Place::Loading(_)
            | Place::After(..) => None,
        };
        // What was decided by another roster than the one that is held now says nothing.
        let outcomes = perceived
            .outcomes
            .into_iter()
            .filter(|_| perceived.roster == held);
        for outcome in outcomes {
            tracing::info!(
                track = outcome.track.0,
                frames = outcome.frames,
                waited_ms = outcome.waited.as_millis() as u64,
                "a face was decided"
            );
            self.tell(Told {
                at: *now,
                outcome: outcome.clone(),
            });
            let observation = Observation {
                track: outcome.track,
                decision: outcome.decision,
                threshold: outcome.threshold,
                space: outcome.space,
                frames: outcome.frames,
            };
            self.feed(now, Input::Observation(observation));
        }
        for track in perceived.ended {
            self.feed(now, Input::TrackEnded(track));
        }
    }

    fn meetings_read(&mut self, meetings: Vec<Known>) {
        // A roster that could not be read is tried again now, and not at once: it would only fail
        // again.
        let failed = self.rosters.take().is_some();
        match &mut self.place {
            Place::Loading(_) if failed => self.place = Place::Unknown,
            Place::Open(open) if open.failed => {
                open.failed = false;
                open.asked.0 = None;
            }
            Place::Unknown
            | Place::Nothing
            | Place::Before(_)
            | Place::Loading(_)
            | Place::Open(_)
            | Place::After(..) => {}
        }
        self.meetings = Some(meetings);
    }

    fn camera(&mut self, event: CameraEvent) {
        let lost = |detail| {
            Some(Trouble {
                kind: TroubleKind::CameraLost,
                detail,
            })
        };
        match event {
            CameraEvent::Lost(detail) => {
                self.tell_daemon(|told| told.camera_works = Some(false));
                tracing::warn!(detail, "the camera is lost and being looked for");
                self.camera = lost(detail);
            }
            CameraEvent::Back => {
                tracing::info!("the camera is back");
                self.camera = None;
            }
            CameraEvent::Ended => self.source_ended = true,
            CameraEvent::Failed(detail) => {
                tracing::error!(detail, "the camera gives no more frames");
                self.camera = lost(detail);
                self.source_ended = true;
            }
        }
    }

    fn part(&mut self, event: PartEvent) {
        match event {
            PartEvent::InferenceFailed(detail) => {
                tracing::error!(detail, "frames cannot be looked at");
                self.inference = Some(Trouble {
                    kind: TroubleKind::InferenceFailed,
                    detail,
                });
            }
            PartEvent::InferenceWorks => self.inference = None,
            PartEvent::ScreenFailed(detail) => tracing::error!(detail, "a view was not shown"),
            PartEvent::Died(thread) => {
                let detail = format!("the {thread} thread has panicked; start the kiosk again");
                tracing::error!(detail, "the kiosk stops");
                self.died = Some(Trouble {
                    kind: TroubleKind::Other,
                    detail,
                });
            }
        }
    }

    fn committed(
        &mut self,
        now: &Stamp,
        token: u64,
        result: Result<ledger::Appended, (AppendFailure, Trouble)>,
    ) {
        let session_token = self.tokens.remove(&token);
        let input = match result {
            Ok(appended) => {
                self.storage = None;
                let ledger = (self.epoch, appended.sequence);
                self.tell_daemon(|told| told.ledger = Some(ledger));
                session_token.map(|token| Input::Appended {
                    token,
                    sequence: appended.sequence,
                })
            }
            Err((why, trouble)) => {
                self.not_recorded(trouble);
                session_token.map(|token| Input::AppendFailed { token, why })
            }
        };
        // The answer to a session that has been closed since only matters for the trouble.
        if let Some(input) = input {
            self.feed(now, input);
        }
    }

    /// The daemon's words are kept for the screen; what it saw of the city's clock is written down,
    /// but not by a recording, whose clock is its own.
    fn told_of_city(&mut self, now: &Stamp, told: FromDaemon) {
        self.city.hear(now, told);
        if self.ports.every_view {
            return;
        }
        if let Some(observation) = self.city.observation(now) {
            let token = self.next_token;
            self.next_token += 1;
            let body = Box::new(Body::ClockObservation(observation));
            let append = Request::Append {
                token,
                at: *now,
                body,
            };
            // A full queue has more important things in it; the daemon compares again.
            let _ = self.ports.store.try_send(append);
        }
    }

    /// Changes what the daemon is told when it asks.
    fn tell_daemon(&self, change: impl FnOnce(&mut FromKiosk)) {
        let beside = self.ports.beside.lock();
        change(&mut beside.unwrap_or_else(PoisonError::into_inner));
    }

    fn not_recorded(&mut self, trouble: Trouble) {
        tracing::error!(trouble = trouble.detail, "attendance was not recorded");
        self.unrecorded.get_or_insert_with(|| trouble.clone());
        self.storage = Some(trouble);
    }
}

/// What goes out.
impl Kiosk {
    /// Tells the session something and does what it commands.
    fn feed(&mut self, now: &Stamp, input: Input) {
        let Place::Open(open) = &mut self.place else {
            return;
        };
        let mut commands = std::mem::take(&mut self.commands);
        open.session.handle(now, input, &mut commands);
        for command in commands.drain(..) {
            match command {
                Command::Append { token, at, body } => self.append(now, token, at, body),
                Command::Release { of } => self.release(now, of),
                // Both are shown by way of the session's list of showings.
                Command::Greet(_) | Command::Notify(_) => {}
            }
        }
        self.commands = commands;
    }

    fn append(&mut self, now: &Stamp, session_token: Token, at: Stamp, body: Box<Body>) {
        let token = self.next_token;
        self.next_token += 1;
        self.tokens.insert(token, session_token);
        if self
            .ports
            .store
            .try_send(Request::Append { token, at, body })
            .is_err()
        {
            let detail = "the ledger is too far behind".to_owned();
            let trouble = Trouble {
                kind: TroubleKind::LedgerFailed,
                detail,
            };
            self.committed(now, token, Err((AppendFailure::Busy, trouble)));
        }
    }

    /// Reads the meetings now and then, and follows the clock from one to the next.
    fn look_after_meetings(&mut self, now: &Stamp) {
        let due = self
            .meetings_asked
            .is_none_or(|asked| now.monotonic.since(asked) >= MEETINGS_EVERY);
        // A full queue only means that they are asked for with the next event.
        if due && self.ports.store.try_send(Request::Meetings).is_ok() {
            self.meetings_asked = Some(now.monotonic);
        }
        let Some(known) = self.meetings.take() else {
            return;
        };
        let device = &self.config.device;
        let choice = match &self.fixed {
            Some(id) => match known.iter().find(|known| known.meeting.id == *id) {
                Some(known) if known.closed => Choice::After(&known.meeting),
                Some(known) => Choice::Open(&known.meeting),
                None => Choice::Nothing,
            },
            None => choose(
                known.iter().map(|known| (&known.meeting, known.closed)),
                &device.room,
                &device.door,
                &self.config.meeting,
                now.wall,
            ),
        };
        self.go_to(now, &choice);
        self.renew(&known);
        self.forget(now, &known);
        self.meetings = Some(known);
    }

    fn go_to(&mut self, now: &Stamp, choice: &Choice<'_>) {
        if let Place::Open(open) = &self.place
            && !matches!(choice, Choice::Open(meeting) if meeting.id == open.roster.meeting().id)
        {
            self.close(now);
        }
        match (choice, &self.place) {
            (Choice::Open(meeting), Place::Open(open))
                if open.roster.meeting().id == meeting.id => {}
            (Choice::Open(meeting), Place::Loading(id)) if *id == meeting.id => {}
            (Choice::Open(meeting), _) => {
                let request = Request::Load(meeting.id.clone());
                if self.ports.store.try_send(request).is_ok() {
                    self.place = Place::Loading(meeting.id.clone());
                }
            }
            (Choice::After(meeting), Place::After(over, _)) if over.id == meeting.id => {}
            // How many came is only known where this run held the meeting.
            (Choice::After(_) | Choice::Nothing, _) => self.place = Place::Nothing,
            (Choice::Before(meeting), _) => {
                self.place = Place::Before(Box::new((*meeting).clone()));
            }
        }
    }

    /// Has the keys of meetings destroyed that are over for good. Only a clock that a time service
    /// holds may say so; otherwise it is left to an operator.
    fn forget(&mut self, now: &Stamp, known: &[Known]) {
        if now.quality != ClockQuality::Synchronised {
            return;
        }
        let over = known.iter().filter(|known| {
            known.is_ours
                && known.edition.has_key
                && self.fixed.as_ref() != Some(&known.meeting.id)
                && closes_at(&known.meeting, &self.config.meeting) <= now.wall
        });
        for Known { meeting, .. } in over {
            if !self.forgetting.contains(&meeting.id)
                && self
                    .ports
                    .store
                    .try_send(Request::Forget(meeting.id.clone()))
                    .is_ok()
            {
                self.forgetting.insert(meeting.id.clone());
            }
        }
    }

    /// Reads the open meeting's roster again when another one was imported. Until it is in memory
    /// the roll goes on by the one that is.
    fn renew(&mut self, known: &[Known]) {
        let Place::Open(open) = &mut self.place else {
            return;
        };
        let id = &open.roster.meeting().id;
        let newest = known
            .iter()
            .find(|known| known.meeting.id == *id)
            .map(|known| known.edition);
        if let Some(newest) = newest
            && Some(newest) != open.asked.0
            && self.ports.store.try_send(Request::Load(id.clone())).is_ok()
        {
            open.asked = (Some(newest), self.next_token);
        }
    }

    fn open(&mut self, now: &Stamp, loaded: LoadedMeeting) {
        if let Place::Open(open) = &mut self.place
            && open.asked.1 != self.next_token
        {
            // Something was recorded after the records were read; they are read once more, since a
            // session that does not know of it would record it again.
            open.asked.0 = None;
            return;
        }
        let policy = &loaded.target.policy;
        tracing::info!(
            meeting = %loaded.roster.meeting().id,
            generation = loaded.roster.generation(),
            people = loaded.roster.entries().len(),
            compared = policy.people(),
            threshold = policy.accept().value(),
            face_decides = policy.face_decides(),
            "the roll is open"
        );
        let config = SessionConfig {
            device: self.config.device.id.clone(),
            epoch: self.epoch,
            door: self.config.device.door.clone(),
            direction: Direction::In,
            release: DoorRelease::None,
            face: if policy.face_decides() {
                FaceMode::Decides
            } else {
                FaceMode::Proposes
            },
            substitutes: loaded.substitutes,
            policy: POLICY_VERSION,
            software: Text::clipped(concat!("kiosk ", env!("CARGO_PKG_VERSION"))),
            timings: Timings::default(),
        };
        let session = Session::restore(loaded.roster.clone(), config, &loaded.records);
        self.rosters = None;
        // Answers to what an earlier session asked for mean nothing to this one, which has read
        // what was written.
        self.tokens.clear();
        let digest = loaded.target.roster;
        // Nobody could be known: whoever comes is not to be told that they are not expected.
        let aim = match loaded.nobody_by_face {
            true => Aim::Nothing,
            false => Aim::At(loaded.target),
        };
        self.nobody_by_face = loaded.nobody_by_face;
        self.tell_of_model();
        self.place = Place::Open(Box::new(Open {
            session,
            roster: loaded.roster,
            digest,
            asked: (Some(loaded.edition), self.next_token),
            failed: false,
        }));
        self.aim(aim);
        self.feed(now, Input::Open(None));
    }

    /// The queue holds more changes of aim than there are meetings in a day, so a full one means
    /// that inference hangs, and the loop must not hang with it.
    fn aim(&self, aim: Aim) {
        if self.ports.aims.try_send(aim).is_err() {
            tracing::error!("inference does not take orders; start the kiosk again");
        }
    }

    fn close(&mut self, now: &Stamp) {
        self.feed(now, Input::Close(None));
        self.aim(Aim::Nothing);
        self.faces.clear();
        self.live = None;
        if let Place::Open(open) = &self.place {
            tracing::info!(meeting = %open.roster.meeting().id, "the roll is closed");
            let meeting = Box::new(open.roster.meeting().clone());
            self.place = Place::After(meeting, open.session.headcount());
            self.nobody_by_face = false;
            self.tell_of_model();
        }
    }

    /// What staff should know of what faces are compared by. Of an open meeting it is known whether
    /// its people have references; the choice was made for the next ones.
    fn model_note(&self) -> Option<Note> {
        match (self.is_open(), self.nobody_by_face) {
            (true, true) => Some(model_choice::nobody_by_face()),
            (true, false) => None,
            (false, _) => model_choice::note(&self.choice),
        }
    }

    /// Tells the daemon, and through it the city, what staff should know of the model.
    fn tell_of_model(&self) {
        let note = match self.nobody_by_face {
            true => Some(model_choice::nobody_by_face()),
            false => model_choice::note(&self.choice),
        };
        let troubles = note.into_iter().map(|note| beside::Trouble {
            vi: note.vi,
            en: note.en,
        });
        self.tell_daemon(|told| told.troubles = troubles.collect());
    }

    /// Leaves the view for the screen thread, when it is another than the last one.
    fn show(&mut self, now: &Stamp) {
        // A newer roster that cannot be read does not keep the one that is open from being held.
        let rosters = if self.is_open() { &None } else { &self.rosters };
        let troubles = [&self.storage, rosters, &self.inference, &self.camera];
        let trouble = troubles.into_iter().find_map(Option::as_ref);
        let trouble = trouble.map(|trouble| screen::Trouble {
            kind: trouble.kind,
            detail: trouble.detail.clone(),
        });
        let door = match &self.place {
            Place::Unknown | Place::Loading(_) => Door::Starting,
            Place::Nothing => Door::Nothing,
            Place::Before(meeting) => {
                Door::Before(meeting, opens_at(meeting, &self.config.meeting))
            }
            Place::Open(open) => Door::Open {
                meeting: open.roster.meeting(),
                headcount: open.session.headcount(),
                showing: open.session.showing(),
                faces: &self.faces,
                live: self.live.as_ref(),
            },
            Place::After(meeting, headcount) => Door::After(meeting, *headcount),
        };
        let room = self.config.device.room_name.as_str();
        let mut view = compose(now, &self.zone, room, trouble.as_ref(), &door);
        view.note = self.model_note().or_else(|| self.city.note(now));
        if self.shown.as_ref() == Some(&view) {
            return;
        }
        let put = if self.ports.every_view {
            self.ports.views.put_when_free(view.clone())
        } else {
            self.ports.views.put(view.clone())
        };
        match put {
            Put::Stored | Put::Replaced(_) | Put::Closed(_) => self.shown = Some(view),
        }
    }

    /// Whether nothing is under way any more.
    fn is_settled(&self) -> bool {
        self.tokens.is_empty() && !matches!(self.place, Place::Unknown | Place::Loading(_))
    }

    fn tell(&self, told: Told) {
        if let Some(to) = &self.ports.told {
            // Whoever watched may have gone.
            let _ = to.send(told);
        }
    }
}
