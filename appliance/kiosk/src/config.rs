//! The configuration: one TOML file, every key optional, each documented in
//! `deploy/kiosk.example.toml`. An error names the key and the line.
//!
//! Only here do configuration and domain types meet; the domain types know nothing of TOML.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vocabulary::{DeviceId, DoorId, OrganisationId, RoomId};

/// Largest configuration file in bytes; a real one has some four thousand.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than any configuration.
    #[error("the configuration {} has more than {FILE_BYTES_MAX} bytes; is it the right file?",
        path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// A key or value is wrong; the message shows line and key.
    #[error("the configuration {} is not valid:\n{message}\nEvery key is described in \
        deploy/kiosk.example.toml.", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What the parser says, with line and key.
        message: String,
    },
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who and where this kiosk is.
    pub device: Device,
    /// Where its files are.
    pub data: Data,
    /// Where the daemon beside it is met.
    pub city: City,
    /// What it recognises with.
    pub models: Models,
    /// What it sees with.
    pub camera: Camera,
    /// How it decides.
    pub recognition: Recognition,
    /// When a meeting is open.
    pub meeting: MeetingWindow,
    /// What it shows.
    pub screen: Screen,
    /// What it tells its keepers.
    pub log: Log,
}

/// Who and where this kiosk is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// The kiosk's own id, in every record that it makes.
    #[serde(deserialize_with = "id", serialize_with = "text")]
    pub id: DeviceId,
    /// Whose meetings it serves.
    #[serde(deserialize_with = "id", serialize_with = "text")]
    pub organisation: OrganisationId,
    /// The room it hangs at.
    #[serde(deserialize_with = "id", serialize_with = "text")]
    pub room: RoomId,
    /// What the room is called on its sign, at most 60 characters; the screen shows it.
    #[serde(deserialize_with = "sign")]
    pub room_name: String,
    /// The door of that room.
    #[serde(deserialize_with = "id", serialize_with = "text")]
    pub door: DoorId,
    /// The IANA time zone of clock and times on the screen.
    #[serde(deserialize_with = "zone")]
    pub zone: String,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            id: DeviceId::new("kiosk-1").expect("a literal id"),
            organisation: OrganisationId::new("local").expect("a literal id"),
            room: RoomId::new("room-1").expect("a literal id"),
            room_name: "Phòng họp 1".to_owned(),
            door: DoorId::new("door-1").expect("a literal id"),
            zone: "Asia/Ho_Chi_Minh".to_owned(),
        }
    }
}

/// Where the kiosk's files are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// The directory of ledger.db, local.db, device.key and device.pub.
    pub directory: PathBuf,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            directory: "var".into(),
        }
    }
}

impl Data {
    /// The attendance records.
    pub fn ledger(&self) -> PathBuf {
        self.directory.join("ledger.db")
    }

    /// Rosters and references of a kiosk that stands alone.
    pub fn local(&self) -> PathBuf {
        self.directory.join("local.db")
    }

    /// The key that unwraps the meetings' keys.
    pub fn key(&self) -> PathBuf {
        self.directory.join("device.key")
    }

    /// The public half of that key.
    pub fn public_key(&self) -> PathBuf {
        self.directory.join("device.pub")
    }
}

/// Where the daemon beside the kiosk is met. A kiosk that stands alone has neither.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct City {
    /// The file of what the city sent; empty for none.
    pub database: PathBuf,
    /// The socket on which the kiosk listens for the daemon; empty for none.
    pub socket: PathBuf,
}

impl City {
    /// The file of what the city sent, where there is to be one.
    pub fn database(&self) -> Option<&PathBuf> {
        Some(&self.database).filter(|path| !path.as_os_str().is_empty())
    }

    /// The socket, where there is to be one.
    pub fn socket(&self) -> Option<&PathBuf> {
        Some(&self.socket).filter(|path| !path.as_os_str().is_empty())
    }
}

/// What the kiosk recognises with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// The manifest that names every model.
    pub manifest: PathBuf,
    /// The directory of the models' files.
    pub directory: PathBuf,
    /// ONNX Runtime's shared library.
    pub runtime: PathBuf,
    /// The detector's id in the manifest.
    pub detector: String,
    /// The comparer's id in the manifest.
    pub comparer: String,
}

impl Default for Models {
    fn default() -> Self {
        Self {
            manifest: "models/manifest.toml".into(),
            directory: "models/files".into(),
            runtime: ".setup/onnxruntime/libonnxruntime.so".into(),
            detector: "yunet-2023mar".to_owned(),
            comparer: "sface-2021dec".to_owned(),
        }
    }
}

/// What the kiosk sees with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Camera {
    /// A device path, better one under /dev/v4l/by-id; "auto" takes the first camera.
    pub device: String,
    /// Width asked of the camera, in pixels.
    #[serde(deserialize_with = "camera_side")]
    pub width_px: u32,
    /// Height asked of the camera, in pixels.
    #[serde(deserialize_with = "camera_side")]
    pub height_px: u32,
    /// Frames a second asked of the camera.
    #[serde(deserialize_with = "frame_rate")]
    pub frames_per_second: u32,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            device: "auto".to_owned(),
            width_px: 1280,
            height_px: 720,
            frames_per_second: 30,
        }
    }
}

/// How the kiosk decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recognition {
    /// The longest side of the picture that faces are looked for in; larger frames are scaled.
    #[serde(deserialize_with = "detect_side")]
    pub detect_side_px: u32,
    /// The least detector score of a face, 0 to 1.
    #[serde(deserialize_with = "unit")]
    pub detector_score_min: f64,
    /// The share of strangers that may be called by a delegate's name, 0 to 1.
    #[serde(deserialize_with = "budget")]
    pub calls_per_stranger_max: f64,
    /// Of which people the operating points are taken, as the manifest names them.
    pub population: String,
    /// Two persons whose scores differ by less are not told apart by face, 0 to 1.
    #[serde(deserialize_with = "unit")]
    pub margin: f64,
    /// Usable frames of one person before the face decides, at least 2.
    #[serde(deserialize_with = "frames_min")]
    pub usable_frames_min: u32,
    /// Usable frames after which the kiosk stops trying.
    #[serde(deserialize_with = "frames_max")]
    pub usable_frames_max: u32,
    /// The least width of a face, in pixels of the camera's picture, that is compared.
    #[serde(deserialize_with = "face_width")]
    pub face_width_px_min: u32,
}

impl Default for Recognition {
    fn default() -> Self {
        Self {
            detect_side_px: 640,
            detector_score_min: 0.8,
            calls_per_stranger_max: 0.001,
            population: "east-and-south-east-asian".to_owned(),
            margin: 0.05,
            usable_frames_min: 3,
            usable_frames_max: 10,
            face_width_px_min: 64,
        }
    }
}

/// When a meeting is open for its delegates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeetingWindow {
    /// Minutes before the start at which the door begins to call the roll.
    #[serde(deserialize_with = "minutes")]
    pub opens_before_minutes: u32,
    /// Minutes after the planned end until which it goes on: meetings overrun.
    #[serde(deserialize_with = "minutes")]
    pub closes_after_minutes: u32,
}

impl Default for MeetingWindow {
    fn default() -> Self {
        Self {
            opens_before_minutes: 60,
            closes_after_minutes: 120,
        }
    }
}

/// Where the views go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScreenSink {
    /// Nowhere: a kiosk without a screen, or a test.
    None,
    /// Each change of the screen as a PNG file.
    Png,
    /// A window, for development (needs the build feature `window`).
    Window,
}

/// What the kiosk shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Screen {
    /// Where the views go.
    pub sink: ScreenSink,
    /// The directory of the PNG files.
    pub png_directory: PathBuf,
    /// The directory of NotoSans-Regular.ttf and NotoSans-Bold.ttf.
    pub font_directory: PathBuf,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            sink: ScreenSink::None,
            png_directory: "var/screens".into(),
            font_directory: "/usr/share/fonts/truetype/noto".into(),
        }
    }
}

/// The form of the log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// What the kiosk tells its keepers. The level comes from `RUST_LOG`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The form of the lines.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, and the key and line that are wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read {
            path: path.to_owned(),
            source,
        };
        if std::fs::metadata(path).map_err(read)?.len() > FILE_BYTES_MAX {
            return Err(ConfigError::TooLarge {
                path: path.to_owned(),
            });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::parse(&text).map_err(|message| ConfigError::Invalid {
            path: path.to_owned(),
            message,
        })
    }

    /// Reads a configuration's text; the error is the parser's message with line and key.
    fn parse(text: &str) -> Result<Self, String> {
        let config: Self =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let recognition = &config.recognition;
        if recognition.usable_frames_max < recognition.usable_frames_min {
            let line = line_of(text, "usable_frames_max")
                .or_else(|| line_of(text, "usable_frames_min"))
                .unwrap_or(0);
            return Err(format!(
                "line {line}: recognition.usable_frames_max ({}) is less than \
                 recognition.usable_frames_min ({})",
                recognition.usable_frames_max, recognition.usable_frames_min
            ));
        }
        Ok(config)
    }
}

/// The line, from 1, on which a key is given.
fn line_of(text: &str, key: &str) -> Option<usize> {
    text.lines()
        .position(|line| line.trim_start().starts_with(key))
        .map(|index| index + 1)
}

fn text<T: std::fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn id<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr,
    T::Err: std::fmt::Display,
    D: Deserializer<'de>,
{
    String::deserialize(from)?
        .parse()
        .map_err(serde::de::Error::custom)
}

/// Longest name of a room on the screen, in characters.
const SIGN_CHARS_MAX: usize = 60;

fn sign<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    if name.chars().count() > SIGN_CHARS_MAX || name.chars().any(char::is_control) {
        let message = format!("it has control characters or more than {SIGN_CHARS_MAX} characters");
        return Err(serde::de::Error::custom(message));
    }
    Ok(name)
}

fn zone<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    jiff::tz::TimeZone::get(&name)
        .map_err(|_| serde::de::Error::custom(format!("{name:?} is no IANA time zone")))?;
    Ok(name)
}

/// Reads a number and holds it to a range; the parser adds line and key to the message.
macro_rules! ranged {
    ($name:ident, $type:ty, $range:expr, $what:literal) => {
        fn $name<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
            let value = <$type>::deserialize(from)?;
            if ($range).contains(&value) {
                return Ok(value);
            }
            let message = format!("{value} is out of range; {}", $what);
            Err(serde::de::Error::custom(message))
        }
    };
}

ranged!(
    camera_side,
    u32,
    160..=4096,
    "a camera's sides go from 160 to 4096 pixels"
);
ranged!(frame_rate, u32, 1..=120, "frames a second go from 1 to 120");
ranged!(
    detect_side,
    u32,
    160..=1920,
    "the side goes from 160 to 1920 pixels"
);
ranged!(unit, f64, 0.0..=1.0, "it goes from 0 to 1");
ranged!(budget, f64, 1e-6..=0.1, "it goes from 0.000001 to 0.1");
ranged!(
    frames_min,
    u32,
    2..=30,
    "it goes from 2 (never one frame alone) to 30"
);
ranged!(frames_max, u32, 2..=120, "it goes from 2 to 120");
ranged!(
    face_width,
    u32,
    24..=512,
    "the width goes from 24 to 512 pixels"
);
ranged!(minutes, u32, 0..=1440, "it goes from 0 to 1440 minutes");

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../deploy/kiosk.example.toml");

    #[test]
    fn the_example_shows_every_key_with_its_default() {
        let example: toml::Table = toml::from_str(EXAMPLE).unwrap();
        let default = toml::Table::try_from(Config::default()).unwrap();
        assert_eq!(example, default);
        assert_eq!(Config::parse(EXAMPLE).unwrap(), Config::default());
    }

    #[test]
    fn an_error_names_key_and_line() {
        let check = |text: &str, expect: &[&str]| {
            let message = Config::parse(text).unwrap_err();
            for part in expect {
                assert!(message.contains(part), "{message:?} lacks {part:?}");
            }
        };
        check("[camera]\nwidht_px = 640", &["line 2", "widht_px"]);
        check("[camera]\n\nwidth_px = 7", &["line 3", "width_px", "160"]);
        check("[device]\nid = \"../x\"", &["line 2", "id"]);
        check("[device]\nzone = \"Hà Nội\"", &["line 2", "zone", "IANA"]);
        check("[screen]\nsink = \"paper\"", &["line 2", "sink", "png"]);
        check("[camera\n", &["line 1"]);
        check(
            "[recognition]\nusable_frames_min = 20\nusable_frames_max = 3",
            &["line 3", "usable_frames_max"],
        );
    }
}
