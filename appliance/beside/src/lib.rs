//! What the kiosk and the daemon beside it tell each other: one line of JSON each way over a Unix
//! socket on which the kiosk listens. The daemon says how things are with the city, the kiosk how
//! it is itself. Neither is told to do anything, and neither waits for the other.
//!
//! Pure: lines in, messages out. No names, no ids of people, no keys ever stand in a line. What
//! comes from the other side is bounded before it is read and checked after; a field that is not
//! known is ignored, so that either may be updated first.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vocabulary::{Digest, Epoch, FeatureSpace, Monotonic, Sequence, WallTime};

/// Most bytes of a line with its line break: all troubles in two languages, every character of them
/// one that JSON writes as two.
pub const LINE_BYTES_MAX: usize = 24 << 10;

/// Longest that one exchange may take, in milliseconds: it never leaves the machine.
pub const EXCHANGE_MAX_MS: u64 = 2000;

/// How often the daemon tells the kiosk, at the latest, in milliseconds.
pub const EXCHANGE_EVERY_MS: u64 = 5000;

/// Most troubles that are told.
pub const TROUBLES_MAX: usize = 16;

/// Most feature spaces that are told.
pub const SPACES_MAX: usize = 8;

/// Most bytes of a text; longer ones are cut when they are written and refused when they are read.
pub const TEXT_BYTES_MAX: usize = 300;

/// How things are with the city, as the daemon tells the kiosk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FromDaemon {
    /// When the city last answered as it should, by this device's clock.
    pub last_contact: Option<WallTime>,
    /// Records that the city does not have yet, where that is known.
    pub waiting: Option<u64>,
    /// What does not work, the most important first; at most [`TROUBLES_MAX`].
    pub troubles: Vec<Trouble>,
    /// The newest comparison of this device's clock with the city's.
    pub clock: Option<ClockSeen>,
}

/// Something that does not work, in words for people at the door, in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In Vietnamese.
    pub vi: String,
    /// In English.
    pub en: String,
}

/// One comparison of this device's clock with the city's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSeen {
    /// When, by the clock of this boot that both processes read (`CLOCK_BOOTTIME`).
    pub at: Monotonic,
    /// What the city's clock showed then.
    pub city: WallTime,
}

/// How the kiosk is, as it tells the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FromKiosk {
    /// The kiosk's version.
    pub version: String,
    /// The feature spaces that it compares in; at most [`SPACES_MAX`].
    pub spaces: Vec<FeatureSpace>,
    /// Whether the camera gives pictures, where that is known.
    pub camera_works: Option<bool>,
    /// The ledger's epoch and its last record's number, where that is known.
    pub ledger: Option<(Epoch, Sequence)>,
    /// What does not work on the kiosk's side, the most important first; at most
    /// [`TROUBLES_MAX`].
    pub troubles: Vec<Trouble>,
}

/// Why a line is not a message.
#[derive(Debug, Error)]
pub enum LineError {
    /// More than [`LINE_BYTES_MAX`].
    #[error("the line has more than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// It is no JSON of this form. What stood in it is not repeated.
    #[error("the line cannot be read, at column {column}")]
    Malformed {
        /// Where.
        column: usize,
    },
    /// A field has more than it may, or something impossible.
    #[error("the line's {0} is out of bounds")]
    Field(&'static str),
}

impl FromDaemon {
    /// The line, with its line break.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        line(&DaemonLine {
            last_contact_ms: self.last_contact.map(|at| at.0),
            waiting: self.waiting,
            troubles: trouble_lines(&self.troubles),
            clock: self.clock.map(|seen| ClockLine {
                boot_time_ns: seen.at.0,
                city_ms: seen.city.0,
            }),
        })
    }

    /// Reads a line, with or without its line break.
    ///
    /// # Errors
    /// [`LineError`] says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, LineError> {
        let read: DaemonLine = parse(bytes)?;
        Ok(Self {
            last_contact: read.last_contact_ms.map(WallTime),
            waiting: read.waiting,
            troubles: read_troubles(read.troubles)?,
            clock: read.clock.map(|seen| ClockSeen {
                at: Monotonic(seen.boot_time_ns),
                city: WallTime(seen.city_ms),
            }),
        })
    }
}

impl FromKiosk {
    /// The line, with its line break.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let spaces = self.spaces.iter().take(SPACES_MAX);
        line(&KioskLine {
            version: cut(&self.version),
            spaces: spaces
                .map(|space| SpaceLine {
                    name: space.name().to_owned(),
                    digest: space.digest().to_string(),
                })
                .collect(),
            camera_works: self.camera_works,
            ledger: self.ledger.map(|(epoch, last)| LedgerLine {
                epoch: epoch.to_string(),
                last: last.0,
            }),
            troubles: trouble_lines(&self.troubles),
        })
    }

    /// Reads a line, with or without its line break.
    ///
    /// # Errors
    /// [`LineError`] says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, LineError> {
        let read: KioskLine = parse(bytes)?;
        if read.spaces.len() > SPACES_MAX {
            return Err(LineError::Field("spaces"));
        }
        let spaces = read.spaces.into_iter().map(|space| {
            let digest = Digest::from_hex(&space.digest);
            let digest = digest.ok_or(LineError::Field("feature space"))?;
            let name = bounded(space.name, "feature space")?;
            Ok(FeatureSpace::new(&name, digest))
        });
        let ledger = read.ledger.map(|ledger| {
            let epoch = Epoch::from_hex(&ledger.epoch).ok_or(LineError::Field("epoch"))?;
            Ok((epoch, Sequence(ledger.last)))
        });
        Ok(Self {
            version: bounded(read.version, "version")?,
            spaces: spaces.collect::<Result<_, _>>()?,
            camera_works: read.camera_works,
            ledger: ledger.transpose()?,
            troubles: read_troubles(read.troubles)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct DaemonLine {
    #[serde(default)]
    last_contact_ms: Option<i64>,
    #[serde(default)]
    waiting: Option<u64>,
    #[serde(default)]
    troubles: Vec<TroubleLine>,
    #[serde(default)]
    clock: Option<ClockLine>,
}

#[derive(Serialize, Deserialize)]
struct TroubleLine {
    vi: String,
    en: String,
}

#[derive(Serialize, Deserialize)]
struct ClockLine {
    boot_time_ns: u64,
    city_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct KioskLine {
    version: String,
    #[serde(default)]
    spaces: Vec<SpaceLine>,
    #[serde(default)]
    camera_works: Option<bool>,
    #[serde(default)]
    ledger: Option<LedgerLine>,
    #[serde(default)]
    troubles: Vec<TroubleLine>,
}

#[derive(Serialize, Deserialize)]
struct SpaceLine {
    name: String,
    digest: String,
}

#[derive(Serialize, Deserialize)]
struct LedgerLine {
    epoch: String,
    last: u64,
}

fn trouble_lines(troubles: &[Trouble]) -> Vec<TroubleLine> {
    let troubles = troubles.iter().take(TROUBLES_MAX);
    troubles
        .map(|trouble| TroubleLine {
            vi: cut(&trouble.vi),
            en: cut(&trouble.en),
        })
        .collect()
}

fn read_troubles(lines: Vec<TroubleLine>) -> Result<Vec<Trouble>, LineError> {
    if lines.len() > TROUBLES_MAX {
        return Err(LineError::Field("troubles"));
    }
    let read = lines.into_iter().map(|trouble| {
        Ok(Trouble {
            vi: bounded(trouble.vi, "trouble")?,
            en: bounded(trouble.en, "trouble")?,
        })
    });
    read.collect()
}

fn line(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(message).expect("these types have only names for keys");
    bytes.push(b'\n');
    bytes
}

fn parse<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, LineError> {
    if bytes.len() > LINE_BYTES_MAX {
        return Err(LineError::TooLong);
    }
    serde_json::from_slice(bytes).map_err(|error| LineError::Malformed {
        column: error.column(),
    })
}

/// Cuts a text at a character's end.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

/// Refuses a text that is longer than any of ours, or that would leave its line on a screen.
fn bounded(text: String, what: &'static str) -> Result<String, LineError> {
    if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(LineError::Field(what));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from_daemon() -> FromDaemon {
        FromDaemon {
            last_contact: Some(WallTime(1_795_500_000_000)),
            waiting: Some(12),
            troubles: vec![Trouble {
                vi: "Chưa kết nối được với trung tâm".to_owned(),
                en: "the hub cannot be reached".to_owned(),
            }],
            clock: Some(ClockSeen {
                at: Monotonic(7),
                city: WallTime(8),
            }),
        }
    }

    fn from_kiosk() -> FromKiosk {
        FromKiosk {
            version: "0.1.0".to_owned(),
            spaces: vec![FeatureSpace::new("sface", Digest([1; 32]))],
            camera_works: Some(false),
            ledger: Some((Epoch([2; 16]), Sequence(4711))),
            troubles: from_daemon().troubles,
        }
    }

    #[test]
    fn messages_are_one_line_and_come_back() {
        let (daemon, kiosk) = (from_daemon().encode(), from_kiosk().encode());
        for line in [&daemon, &kiosk] {
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert!(line.ends_with(b"\n"));
        }
        assert_eq!(FromDaemon::decode(&daemon).unwrap(), from_daemon());
        assert_eq!(FromKiosk::decode(&kiosk).unwrap(), from_kiosk());
    }

    #[test]
    fn an_older_or_newer_side_is_understood() {
        assert_eq!(FromDaemon::decode(b"{}").unwrap(), FromDaemon::default());
        let newer = br#"{"waiting":3,"moon":"full"}"#;
        assert_eq!(FromDaemon::decode(newer).unwrap().waiting, Some(3));
        assert!(FromKiosk::decode(br#"{"version":"1","spaces":[]}"#).is_ok());
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        let check = |line: String, expect: &str| {
            let error = FromDaemon::decode(line.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expect), "{error}");
        };
        let trouble = r#"{"vi":"x","en":"y"}"#;
        let many = vec![trouble; TROUBLES_MAX + 1].join(",");
        check(format!(r#"{{"troubles":[{many}]}}"#), "troubles");
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        check(
            format!(r#"{{"troubles":[{{"vi":"{long}","en":""}}]}}"#),
            "trouble",
        );
        check(
            r#"{"troubles":[{"vi":"a\nb","en":""}]}"#.to_owned(),
            "trouble",
        );
        check("x".repeat(LINE_BYTES_MAX + 1), "more than");
        check(r#"{"waiting":-1}"#.to_owned(), "column");
        let space = br#"{"version":"","spaces":[{"name":"a","digest":"zz"}]}"#;
        let error = FromKiosk::decode(space).unwrap_err();
        assert!(error.to_string().contains("feature space"), "{error}");
    }

    #[test]
    fn the_longest_message_fits_a_line() {
        let text = "\"".repeat(TEXT_BYTES_MAX);
        let trouble = Trouble {
            vi: text.clone(),
            en: text,
        };
        let longest = FromDaemon {
            last_contact: Some(WallTime(i64::MIN)),
            waiting: Some(u64::MAX),
            troubles: vec![trouble; TROUBLES_MAX],
            clock: Some(ClockSeen {
                at: Monotonic(u64::MAX),
                city: WallTime(i64::MIN),
            }),
        };
        let line = longest.encode();
        assert!(line.len() > LINE_BYTES_MAX / 2, "the limit is a close one");
        assert_eq!(FromDaemon::decode(&line).unwrap(), longest);
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(bytes: Vec<u8>) {
            let _ = FromDaemon::decode(&bytes);
            let _ = FromKiosk::decode(&bytes);
        }

        #[test]
        fn a_changed_line_is_read_or_refused(
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            for line in [from_daemon().encode(), from_kiosk().encode()] {
                let mut line = line;
                let at = at.index(line.len());
                line[at] = byte;
                let _ = FromDaemon::decode(&line);
                let _ = FromKiosk::decode(&line);
            }
        }

        #[test]
        fn texts_of_any_length_are_cut_at_a_character(text in "\\PC{0,400}") {
            let sent = FromDaemon {
                troubles: vec![Trouble { vi: text.clone(), en: text }],
                ..FromDaemon::default()
            };
            let read = FromDaemon::decode(&sent.encode()).unwrap();
            prop_assert!(sent.troubles[0].vi.starts_with(&read.troubles[0].vi));
        }
    }
}
