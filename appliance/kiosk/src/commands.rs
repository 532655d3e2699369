//! The commands besides `demo` and `doctor`: each reads its arguments, calls what does the work,
//! and says what came of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::DateTime;
use ledger::{Enrolment, LocalStore, Origin, QualityNumbers, Reader, VerifyError};
use roll::Roll;
use vocabulary::{
    Digest, Meeting, MeetingId, PersonId, ReferenceId, Roster, Sequence, Stamp, WallTime,
};

use crate::capture::Handover;
use crate::cli::{
    EnrolArgs, ExportArgs, FileFormat, ImportArgs, LedgerCommand, RemoveArgs, RollArgs, RollFormat,
    RosterCommand, RunArgs,
};
use crate::clock::{Clock, ReplayClock, SystemClock};
use crate::config::Config;
use crate::keys;
use crate::local_time::{day_text, zone};
use crate::networks::Networks;
use crate::portrait::{Reference, read_picture, reference};
use crate::roster_file::{self, Home, note_on_size};
use crate::rosters::{BroughtBy, Rosters};
use crate::run::{Run, RunError, run};
use crate::store::{records_of, trouble};
use crate::table::layout;
use crate::{record_json, roll_output, roster_check, source};

/// Frames that the camera may take to settle its exposure before a portrait is taken of it.
const CAMERA_FRAMES: u32 = 30;

/// Longest wait for all of them; some cameras take seconds to their first.
const CAMERA_MAX: Duration = Duration::from_secs(15);

/// `kiosk run`.
///
/// # Errors
/// [`RunError`] inside: its kind decides the exit status.
pub fn run_kiosk(config: &Config, args: &RunArgs) -> anyhow::Result<()> {
    let meeting = args.meeting.as_deref().map(meeting_id).transpose()?;
    if let Some(meeting) = &meeting {
        roster_of(config, meeting)?;
    }
    let clock: Arc<dyn Clock> = match args.replay {
        Some(_) => Arc::new(ReplayClock::new(SystemClock::new().now())),
        None => Arc::new(SystemClock::new()),
    };
    let (source, handover) = match &args.replay {
        Some(path) => (
            source::open_recording(path, args.replay_fps),
            Handover::Every,
        ),
        None => (source::open_camera(&config.camera), Handover::Newest),
    };
    let stop = stop_on_signals()?;
    run(
        config,
        Run {
            source,
            handover,
            clock,
            meeting,
            told: None,
            stop,
        },
    )?;
    Ok(())
}

/// A message for each signal that asks the program to end.
fn stop_on_signals() -> anyhow::Result<crossbeam_channel::Receiver<()>> {
    let (send, receive) = crossbeam_channel::bounded(1);
    let mut signals = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
    ])
    .context("signals cannot be listened to")?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                // A second signal while the first is being obeyed adds nothing.
                let _ = send.try_send(());
            }
        })?;
    Ok(receive)
}

/// `kiosk enrol`.
///
/// # Errors
/// When any picture was refused; those that were accepted are kept all the same.
pub fn enrol(config: &Config, args: &EnrolArgs) -> anyhow::Result<()> {
    let person = PersonId::new(&args.person)
        .with_context(|| format!("{:?} is no person's id", args.person))?;
    if args.remove {
        return remove_enrolment(config, &person);
    }
    let mut networks = Networks::load(config)?;
    let mut store = open_local(config)?;
    let now = SystemClock::new().now();
    let mut made = Vec::new();
    let mut refused = 0;
    if args.camera {
        let picture = camera_picture(config)?;
        match reference(&mut networks, &picture) {
            Ok(reference) => made.push((reference, Origin::Camera)),
            Err(error) => bail!(
                "the camera's picture was refused: {:#}",
                anyhow::Error::new(error)
            ),
        }
    }
    for path in &args.photographs {
        let result = read_picture(path).and_then(|(picture, notes)| {
            let reference = reference(&mut networks, &picture)?;
            Ok((reference, notes))
        });
        match result {
            Ok((reference, notes)) => {
                println!("{}: accepted ({})", path.display(), describe(&reference));
                for note in notes {
                    println!("{}: note: {note}", path.display());
                }
                made.push((reference, Origin::Photograph));
            }
            Err(error) => {
                eprintln!(
                    "{}: refused: {:#}",
                    path.display(),
                    anyhow::Error::new(error)
                );
                refused += 1;
            }
        }
    }
    if !made.is_empty() {
        let meetings = put_references(&mut store, config, &person, &made, args.replace, &now)?;
        println!("{person}: references added: {}", made.len());
        if meetings.is_empty() {
            println!("{person} is on no roster here yet; import one, and they are compared there.");
        }
    }
    ensure!(
        refused == 0,
        "{refused} of {} pictures were refused",
        args.photographs.len()
    );
    Ok(())
}

fn remove_enrolment(config: &Config, person: &PersonId) -> anyhow::Result<()> {
    let removed = open_local(config)?.remove_enrolment(&config.device.organisation, person)?;
    ensure!(removed > 0, "{person} has no references here");
    println!("{person}: {removed} references removed, here and on every roster");
    Ok(())
}

fn describe(reference: &Reference) -> String {
    let quality = &reference.quality;
    format!(
        "face {:.0} px wide, sharpness {:.3}, turned {:.0}°",
        quality.face_width_px,
        quality.sharpness,
        quality.yaw_degrees.abs()
    )
}

/// Takes one picture with the camera, after its exposure has settled.
fn camera_picture(config: &Config) -> anyhow::Result<imaging::Picture> {
    let mut camera = source::open_camera(&config.camera)?;
    let mut frame = camera::empty_frame()?;
    let deadline = Instant::now() + CAMERA_MAX;
    let mut taken = 0;
    while taken < CAMERA_FRAMES {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(
            !left.is_zero(),
            "the camera gave {taken} of {CAMERA_FRAMES} pictures in {} s; run `kiosk doctor`",
            CAMERA_MAX.as_secs()
        );
        if camera.next_frame(&mut frame, left)?.is_frame() {
            taken += 1;
        }
    }
    Ok(frame.picture)
}

/// Keeps references of a person; with `replace` in the place of the earlier ones, which go only if
/// all of these are kept. Answers the meetings on whose rosters they now are.
fn put_references(
    store: &mut LocalStore,
    config: &Config,
    person: &PersonId,
    made: &[(Reference, Origin)],
    replace: bool,
    now: &Stamp,
) -> anyhow::Result<Vec<MeetingId>> {
    if !replace {
        let mut meetings = Vec::new();
        for (reference, origin) in made {
            meetings = put_reference(store, config, person, reference, *origin, now)?;
        }
        return Ok(meetings);
    }
    let ids = made
        .iter()
        .map(|(reference, _)| reference_id(reference))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let enrolments: Vec<Enrolment<'_>> = made
        .iter()
        .zip(&ids)
        .map(|((reference, origin), id)| enrolment(config, person, id, reference, *origin, now))
        .collect();
    Ok(store.replace_enrolment(&enrolments)?.meetings)
}

/// Keeps a reference.
///
/// # Errors
/// When the store refuses it.
pub fn put_reference(
    store: &mut LocalStore,
    config: &Config,
    person: &PersonId,
    reference: &Reference,
    origin: Origin,
    now: &Stamp,
) -> anyhow::Result<Vec<MeetingId>> {
    let id = reference_id(reference)?;
    let enrolled = store.enrol(&enrolment(config, person, &id, reference, origin, now))?;
    Ok(enrolled.meetings)
}

/// The id of a reference comes from its template, so that enrolling the same picture again changes
/// nothing.
fn reference_id(reference: &Reference) -> anyhow::Result<ReferenceId> {
    let digest = record::digest(&reference.template.to_bytes()).to_string();
    Ok(ReferenceId::new(&digest[..32])?)
}

fn enrolment<'a>(
    config: &'a Config,
    person: &'a PersonId,
    id: &'a ReferenceId,
    reference: &'a Reference,
    origin: Origin,
    now: &Stamp,
) -> Enrolment<'a> {
    let quality = &reference.quality;
    Enrolment {
        organisation: &config.device.organisation,
        person,
        reference: id,
        template: &reference.template,
        quality: QualityNumbers {
            face_width_px: quality.face_width_px,
            eye_distance_px: quality.eye_distance_px,
            sharpness: quality.sharpness,
            exposure: quality.exposure,
            contrast: quality.contrast,
            yaw_degrees: quality.yaw_degrees,
            pitch_degrees: quality.pitch_degrees,
            roll_degrees: quality.roll_degrees,
        },
        origin,
        at: now.wall,
    }
}

/// `kiosk key`.
///
/// # Errors
/// When the key cannot be made or used.
pub fn key(config: &Config) -> anyhow::Result<()> {
    make_directory(config)?;
    let keys = keys::open_or_create(&config.data)?;
    println!("{}", keys::public_digits(&keys));
    Ok(())
}

/// `kiosk roster …`.
///
/// # Errors
/// When the file, a meeting's data or the store is not usable.
pub fn roster(config: &Config, command: &RosterCommand) -> anyhow::Result<()> {
    match command {
        RosterCommand::Import(args) => import(config, args),
        RosterCommand::List => list(config),
        RosterCommand::Check(args) => {
            let text = roster_check::check(config, &meeting_id(&args.meeting)?)?;
            write_out(None, |to| Ok(to.write_all(text.as_bytes())?))
        }
        RosterCommand::Export(args) => export(config, args),
        RosterCommand::Remove(args) => remove(config, args),
    }
}

fn import(config: &Config, args: &ImportArgs) -> anyhow::Result<()> {
    let device = &config.device;
    let home = Home {
        organisation: &device.organisation,
        room: &device.room,
        zone: &device.zone,
    };
    let file = roster_file::read(&args.file, &home)?;
    let meeting = match file.meeting {
        Some(meeting) => {
            ensure!(
                !names_meeting(args),
                "the file says which meeting it is for; leave out --meeting, --title, --start, \
                 --end and --quorum"
            );
            meeting
        }
        None => meeting_of(config, args)?,
    };
    let mut store = open_local(config)?;
    let earlier = store.read().roster(&meeting.id)?;
    let generation = earlier.as_ref().map_or(1, |roster| roster.generation() + 1);
    let mut roster = Roster::new(meeting, generation, file.entries)?;
    if let Some(earlier) = &earlier
        && earlier.meeting() == roster.meeting()
        && earlier.entries() == roster.entries()
    {
        // The same roster again is no new generation.
        roster = earlier.clone();
    }
    for note in &file.notes {
        println!("note: {note}");
    }
    let imported = store.put_roster(&roster, SystemClock::new().now().wall)?;
    let people = roster.entries().len();
    println!(
        "{}: {people} people, generation {}{}",
        roster.meeting().id,
        roster.generation(),
        if imported.changed { "" } else { " (unchanged)" }
    );
    for (person, reference) in &imported.unreadable {
        println!("note: reference {reference} of {person} does not open; enrol them again");
    }
    if !imported.without_reference.is_empty() {
        let (some, more) = first_few(&imported.without_reference);
        println!(
            "note: {} of {people} people have no reference and are called by other means only (QR \
             code, secretary) until `kiosk enrol` makes one: {some}{more}",
            imported.without_reference.len()
        );
    }
    if let Ok(thresholds) = crate::networks::thresholds(config)
        && let Some(note) = note_on_size(people, thresholds.for_roster(people)?.face_decides())
    {
        println!("note: {note}");
    }
    Ok(())
}

/// Whether any option tells of the meeting.
fn names_meeting(args: &ImportArgs) -> bool {
    let texts = [&args.meeting, &args.title, &args.start, &args.end];
    args.quorum.is_some() || texts.into_iter().any(Option::is_some)
}

fn first_few(people: &[PersonId]) -> (String, &'static str) {
    const FEW: usize = 10;
    let ids: Vec<&str> = people.iter().take(FEW).map(PersonId::as_str).collect();
    (ids.join(", "), if people.len() > FEW { ", …" } else { "" })
}

/// The meeting of a CSV file, from the command line.
fn meeting_of(config: &Config, args: &ImportArgs) -> anyhow::Result<Meeting> {
    let missing = "a CSV file has only people: give --meeting ID, --title TEXT, --start TIME and \
                   --end TIME as well";
    let required = |value: &Option<String>| value.clone().context(missing);
    let device = &config.device;
    Ok(Meeting {
        id: meeting_id(&required(&args.meeting)?)?,
        organisation: device.organisation.clone(),
        room: device.room.clone(),
        doors: Vec::new(),
        title: required(&args.title)?,
        starts_at: local_time(&required(&args.start)?, &device.zone)?,
        ends_at: local_time(&required(&args.end)?, &device.zone)?,
        zone: device.zone.clone(),
        quorum: args.quorum,
    })
}

fn local_time(text: &str, zone_name: &str) -> anyhow::Result<WallTime> {
    let time: DateTime = text
        .parse()
        .with_context(|| format!("{text:?} is no time; write it like 2026-12-01T08:00"))?;
    let zoned = time.to_zoned_datetime(zone(zone_name))?;
    Ok(WallTime(zoned.timestamp().as_millisecond()))
}

fn list(config: &Config) -> anyhow::Result<()> {
    let rosters = open_rosters(config)?.list()?;
    if rosters.is_empty() {
        println!("No rosters here yet; bring one in with `kiosk roster import FILE`.");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = rosters
        .iter()
        .map(|listed| {
            let summary = &listed.summary;
            let meeting = &summary.meeting;
            let zone = zone(&meeting.zone);
            vec![
                meeting.id.to_string(),
                meeting.title.clone(),
                day_text(meeting.starts_at, &zone),
                day_text(meeting.ends_at, &zone),
                meeting.room.to_string(),
                summary.entries.to_string(),
                summary.with_reference.to_string(),
                summary.generation.to_string(),
                match (listed.brought_by, listed.closed, summary.has_key) {
                    (BroughtBy::Local, _, _) => "here",
                    (BroughtBy::City, false, true) => "city",
                    (BroughtBy::City, false, false) => "city, key not here yet",
                    (BroughtBy::City, true, _) => "city, closed",
                }
                .to_owned(),
            ]
        })
        .collect();
    let header = [
        "Id",
        "Title",
        "Start",
        "End",
        "Room",
        "People",
        "With reference",
        "Generation",
        "From",
    ];
    write_out(None, |to| {
        Ok(to.write_all(layout(&header, &rows).as_bytes())?)
    })
}

fn export(config: &Config, args: &ExportArgs) -> anyhow::Result<()> {
    let roster = roster_of(config, &meeting_id(&args.meeting)?)?;
    let text = match args.format {
        FileFormat::Json => roster_file::to_json(&roster)?,
        FileFormat::Csv => roster_file::to_csv(&roster)?,
    };
    write_out(args.output.as_deref(), |to| {
        Ok(to.write_all(text.as_bytes())?)
    })
}

fn remove(config: &Config, args: &RemoveArgs) -> anyhow::Result<()> {
    let meeting = meeting_id(&args.meeting)?;
    let mut store = open_local(config)?;
    if args.keep_roster {
        store.forget_references(&meeting)?;
        println!("{meeting}: its key and the references on its roster are destroyed");
    } else {
        store.remove_meeting(&meeting)?;
        println!("{meeting}: its key, the references on its roster and the roster are destroyed");
    }
    Ok(())
}

/// `kiosk roll`.
///
/// # Errors
/// When there is no such meeting, or the ledger cannot be read.
pub fn roll(config: &Config, args: &RollArgs) -> anyhow::Result<()> {
    let text = roll_text(config, args.meeting.as_deref(), args.format)?;
    write_out(None, |to| Ok(to.write_all(text.as_bytes())?))
}

/// The roll of a meeting, or of the one with the latest record.
///
/// # Errors
/// When there is no such meeting, or the ledger cannot be read.
pub fn roll_text(
    config: &Config,
    meeting: Option<&str>,
    format: RollFormat,
) -> anyhow::Result<String> {
    let reader = open_reader(config)?;
    let meeting = match meeting {
        Some(id) => meeting_id(id)?,
        None => latest_meeting(&reader)?,
    };
    let roster = roster_of(config, &meeting)?;
    let records = records_of(&reader, &meeting).map_err(not_readable)?;
    roll_output::render(&roster, &Roll::of(&roster, &records), format)
}

fn latest_meeting(reader: &Reader) -> anyhow::Result<MeetingId> {
    let mut latest = None;
    for stored in reader.records_after(Sequence(0)) {
        if let Some(meeting) = stored.map_err(not_readable)?.record.body.meeting() {
            latest = Some(meeting.clone());
        }
    }
    latest.context("the ledger has no record of any meeting yet; give --meeting ID")
}

/// `kiosk ledger …`.
///
/// # Errors
/// When the ledger cannot be read, or its chain is broken.
pub fn ledger(config: &Config, command: &LedgerCommand) -> anyhow::Result<()> {
    match command {
        LedgerCommand::Verify => verify(&existing_ledger(config)?),
        LedgerCommand::Export { output } => export_ledger(config, output.as_deref()),
    }
}

fn verify(path: &Path) -> anyhow::Result<()> {
    let bar = progress("records verified");
    let result = ledger::verify(path, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    match result {
        Ok(verified) => {
            println!(
                "{}: unbroken. Device {}, epoch {}, {} records, head {}",
                path.display(),
                verified.device,
                verified.epoch,
                verified.records,
                verified.head
            );
            if verified.predecessor != Digest::ZERO {
                println!(
                    "It follows an earlier ledger whose head was {}.",
                    verified.predecessor
                );
            }
            Ok(())
        }
        // A file that cannot be opened is not said to be broken: a newer version, another account
        // or a name that is wrong are no damage.
        Err(error @ VerifyError::Open(_)) => Err(error.into()),
        Err(error) => Err(anyhow::Error::new(error).context(format!("{}: broken", path.display()))),
    }
}

fn export_ledger(config: &Config, output: Option<&Path>) -> anyhow::Result<()> {
    let reader = open_reader(config)?;
    let bar = progress("records written");
    write_out(output, |to| {
        for stored in reader.records_after(Sequence(0)) {
            let stored = stored.map_err(not_readable)?;
            serde_json::to_writer(&mut *to, &record_json::of(&stored))?;
            to.write_all(b"\n")?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    })
}

/// Opens the rosters for changing them, with the device's key, which is made where there is none.
///
/// # Errors
/// When another process changes them, or key or store is not usable.
pub fn open_local(config: &Config) -> anyhow::Result<LocalStore> {
    make_directory(config)?;
    let keys = keys::open_or_create(&config.data)?;
    Ok(LocalStore::open(
        &config.data.local(),
        &config.device.id,
        Arc::new(keys),
    )?)
}

fn make_directory(config: &Config) -> anyhow::Result<()> {
    let directory = &config.data.directory;
    std::fs::create_dir_all(directory).with_context(|| {
        let directory = directory.display();
        format!("the data directory {directory} cannot be made")
    })
}

fn open_rosters(config: &Config) -> anyhow::Result<Rosters> {
    let rosters = Rosters::new(config);
    ensure!(
        !rosters.is_none_here(),
        "no rosters in {}; bring one in with `kiosk roster import FILE`",
        config.data.directory.display()
    );
    Ok(rosters)
}

fn roster_of(config: &Config, meeting: &MeetingId) -> anyhow::Result<Roster> {
    open_rosters(config)?.roster(meeting)?.with_context(|| {
        format!("no roster of meeting {meeting}; `kiosk roster list` shows what is here")
    })
}

fn open_reader(config: &Config) -> anyhow::Result<Reader> {
    Reader::open(&existing_ledger(config)?).map_err(not_readable)
}

fn existing_ledger(config: &Config) -> anyhow::Result<PathBuf> {
    let path = config.data.ledger();
    ensure!(
        path.exists(),
        "{}: there is no ledger yet; `kiosk run` makes it, and data.directory in the configuration \
         says where",
        path.display()
    );
    Ok(path)
}

/// A ledger that cannot even be read is of the kind that decides the exit status.
fn not_readable(error: ledger::LedgerError) -> anyhow::Error {
    RunError::NotRecording(trouble(&error)).into()
}

fn meeting_id(text: &str) -> anyhow::Result<MeetingId> {
    MeetingId::new(text).with_context(|| format!("{text:?} is no meeting's id"))
}

fn progress(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    let bar = ProgressBar::no_length().with_message(what);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// Writes to a file, whole or not at all, or to standard output.
fn write_out(
    path: Option<&Path>,
    write: impl FnOnce(&mut dyn std::io::Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(path) = path else {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        write(&mut out)?;
        return Ok(out.flush()?);
    };
    let part = path.with_added_extension("part");
    let failed = || format!("{} cannot be written", path.display());
    let mut file = std::io::BufWriter::new(std::fs::File::create(&part).with_context(failed)?);
    write(&mut file)?;
    file.into_inner()
        .map_err(|error| error.into_error())?
        .sync_all()
        .with_context(failed)?;
    std::fs::rename(&part, path).with_context(failed)
}
