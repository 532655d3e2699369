//! `kiosk doctor`: looks at everything the kiosk needs, says what is wrong and what to do. It
//! changes nothing but what opening a camera changes and what opening the device's key leaves, its
//! public half; and it stops at nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use camera::{FrameSource, Next};
use imaging::Frame;
use ledger::Reader;
use rustix::fs::Access;
use screen::Fonts;
use vocabulary::ClockQuality;

use crate::clock::{quality, wall};
use crate::config::{Config, ScreenSink};
use crate::model_choice::{self, ModelChoice};
use crate::networks::Networks;
use crate::rosters::{Listed, Rosters};
use crate::source::open_camera;
use crate::store::trouble;
use crate::trouble::chain;

/// Least free space on the data disk: some million records.
const FREE_BYTES_MIN: u64 = 512 * 1024 * 1024;

/// Longest wait for a camera's first picture.
const CAMERA_WAIT: Duration = Duration::from_secs(5);

/// What came of one look.
enum Finding {
    /// All is well; a few words.
    Good(String),
    /// It works, and should be known.
    Note(String),
    /// It does not work; what to do.
    Bad(String),
}

/// One look at one thing.
type Look = fn(&Config) -> Finding;

/// Looks at everything and prints a line for each.
///
/// # Errors
/// When anything does not work.
pub fn doctor(config: &Config) -> anyhow::Result<()> {
    let looks: [(&str, Look); 7] = [
        ("models", models),
        ("screen", screen),
        ("disk", disk),
        ("ledger", ledger),
        ("rosters", rosters),
        ("clock", clock),
        ("camera", camera),
    ];
    let mut bad = 0;
    for (name, look) in looks {
        let (mark, text) = match look(config) {
            Finding::Good(text) => ("good", text),
            Finding::Note(text) => ("note", text),
            Finding::Bad(text) => {
                bad += 1;
                ("BAD ", text)
            }
        };
        println!("{mark}  {name:<8} {text}");
    }
    ensure!(
        bad == 0,
        "{bad} of {} things do not work; see the lines marked BAD",
        looks.len()
    );
    Ok(())
}

fn models(config: &Config) -> Finding {
    let chosen = match model_choice::chosen(config, wall()) {
        Ok(chosen) => chosen,
        Err(error) => return Finding::Bad(chain(&error)),
    };
    let loaded = networks(&chosen.config);
    match (loaded, model_choice::note(&chosen.choice)) {
        (Finding::Good(text) | Finding::Note(text), Some(note)) => {
            let text = format!("`{}`: {}; {text}", config.models.comparer, note.en);
            match chosen.choice {
                ModelChoice::NoneFits => Finding::Bad(text),
                ModelChoice::Configured | ModelChoice::Other(_) => Finding::Note(text),
            }
        }
        (loaded, _) => loaded,
    }
}

fn networks(config: &Config) -> Finding {
    match Networks::load(config) {
        Ok(networks) => Finding::Good(format!(
            "`{}` and `{}` are what the manifest says; {}",
            config.models.detector, config.models.comparer, networks.runtime
        )),
        Err(error) => Finding::Bad(chain(&error)),
    }
}

fn screen(config: &Config) -> Finding {
    let directory = &config.screen.font_directory;
    let fonts = Fonts::load(
        &directory.join("NotoSans-Regular.ttf"),
        &directory.join("NotoSans-Bold.ttf"),
    );
    match (fonts, config.screen.sink) {
        (Err(error), _) => Finding::Bad(chain(&error)),
        (Ok(_), ScreenSink::None) => Finding::Note(
            "the fonts are there, but screen.sink is \"none\": nothing is shown".into(),
        ),
        (Ok(_), ScreenSink::Png | ScreenSink::Window) => {
            Finding::Good("the fonts are there".into())
        }
    }
}

fn disk(config: &Config) -> Finding {
    let directory = &config.data.directory;
    let existing = directory
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() {
        Path::new(".")
    } else {
        existing
    };
    if let Err(error) = rustix::fs::access(existing, Access::WRITE_OK) {
        return Finding::Bad(format!(
            "{} cannot be written ({error}); give it to the account that runs the kiosk, or mount \
             the disk writable",
            existing.display()
        ));
    }
    match rustix::fs::statvfs(existing) {
        Err(error) => Finding::Bad(format!("{}: {error}", existing.display())),
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let text = format!("{} MiB free for {}", free >> 20, directory.display());
            if free < FREE_BYTES_MIN {
                Finding::Bad(format!(
                    "{text}; free at least {} MiB",
                    FREE_BYTES_MIN >> 20
                ))
            } else {
                Finding::Good(text)
            }
        }
    }
}

fn ledger(config: &Config) -> Finding {
    let path = config.data.ledger();
    if !path.exists() {
        return Finding::Note(format!(
            "{} is not there yet; `kiosk run` makes it",
            path.display()
        ));
    }
    match Reader::open(&path) {
        Ok(reader) => match ledger::verify(&path, |_, _| ()) {
            Ok(verified) => Finding::Good(format!(
                "unbroken, {} records, epoch {}",
                verified.records,
                reader.epoch()
            )),
            Err(error) => Finding::Bad(chain(&error)),
        },
        Err(error) => Finding::Bad(trouble(&error).detail),
    }
}

fn rosters(config: &Config) -> Finding {
    let mut rosters = Rosters::new(config);
    let listed = match rosters.list() {
        Ok(listed) => listed,
        Err(error) => return Finding::Bad(chain(&error)),
    };
    if listed.is_empty() {
        return Finding::Note("no roster yet; bring one in with `kiosk roster import FILE`".into());
    }
    let people: usize = listed.iter().map(|of| of.summary.entries).sum();
    let with: usize = listed.iter().map(|of| of.summary.with_reference).sum();
    let keys = match invitation_keys(&mut rosters, &listed) {
        Ok(keys) => keys,
        Err(finding) => return finding,
    };
    Finding::Good(format!(
        "{} here, on them {people} people, {with} of these with a reference; keys of invitations \
         for {keys} of them",
        listed.len()
    ))
}

/// For how many meetings invitations can be verified.
fn invitation_keys(rosters: &mut Rosters, listed: &[Listed]) -> Result<usize, Finding> {
    let mut with_keys = 0;
    for of in listed.iter().filter(|of| !of.closed) {
        let meeting = &of.summary.meeting.id;
        let (keyring, refused) = rosters
            .keyring(meeting)
            .map_err(|error| Finding::Bad(chain(&error)))?;
        if let Some(refused) = refused.first() {
            let why = chain(refused);
            return Err(Finding::Note(format!(
                "{meeting}: {why}; invitations signed by it are refused: have it replaced in the \
                 city"
            )));
        }
        with_keys += usize::from(!keyring.is_empty());
    }
    Ok(with_keys)
}

fn clock(_config: &Config) -> Finding {
    match quality() {
        ClockQuality::Synchronised => Finding::Good("a time service holds it".into()),
        ClockQuality::FreeRunning => Finding::Note(
            "battery-backed, but no time service has set it; install systemd-timesyncd".into(),
        ),
        ClockQuality::Unknown => Finding::Note(
            "nothing says that it is right; records carry that. Install \
             systemd-timesyncd, or a battery-backed clock"
                .into(),
        ),
    }
}

fn camera(config: &Config) -> Finding {
    let mut source = match open_camera(&config.camera) {
        Ok(source) => source,
        Err(trouble) => return Finding::Bad(trouble.detail),
    };
    let mut frame = match camera::empty_frame() {
        Ok(frame) => frame,
        Err(error) => return Finding::Bad(chain(&error)),
    };
    look_through(source.as_mut(), &mut frame)
}

/// Waits for the first picture. Cameras like to begin with a broken one, which says nothing yet.
fn look_through(source: &mut dyn FrameSource, frame: &mut Frame) -> Finding {
    let begun = Instant::now();
    let mut trouble = None;
    while let Some(left) = CAMERA_WAIT.checked_sub(begun.elapsed()) {
        match source.next_frame(frame, left) {
            Ok(Next::Frame | Next::Recovered) => {
                return Finding::Good(format!(
                    "gives pictures of {}×{}",
                    frame.picture.width(),
                    frame.picture.height()
                ));
            }
            Ok(Next::NotYet) => {}
            Ok(Next::Skipped(error) | Next::Lost(error)) => trouble = Some(error),
            Err(error) => return Finding::Bad(chain(&error)),
            Ok(Next::Ended) => break,
        }
    }
    let why = trouble.map_or_else(String::new, |error| format!(" ({})", chain(&error)));
    Finding::Bad(format!(
        "no picture within {} s{why}; unplug it and plug it in again",
        CAMERA_WAIT.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use camera::{Scripted, Step, VirtualClock};
    use imaging::Picture;

    use super::*;

    #[test]
    fn a_camera_may_begin_with_broken_frames() {
        let picture = || Step::Picture(Picture::new(64, 48).unwrap());
        let broken = || Step::Jpeg(vec![0; 9]);
        let check = |steps: Vec<Step>, expect: &str| {
            let clock = Arc::new(VirtualClock::default());
            let mut source = Scripted::scripted(steps, Duration::from_millis(100), clock);
            let mut frame = camera::empty_frame().unwrap();
            let told = match look_through(&mut source, &mut frame) {
                Finding::Good(text) => format!("good: {text}"),
                Finding::Note(text) => format!("note: {text}"),
                Finding::Bad(text) => format!("bad: {text}"),
            };
            assert!(told.starts_with(expect), "{told}");
        };
        check(vec![picture()], "good: gives pictures of 64×48");
        check(
            vec![broken(), broken(), picture()],
            "good: gives pictures of 64×48",
        );
        check(
            vec![broken()],
            "bad: no picture within 5 s (a frame could not be decoded",
        );
    }
}
