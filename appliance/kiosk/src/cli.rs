//! The command line: what can be typed, and what `--help` says about it. Nothing is done here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Takes the roll at a meeting-room door, by face, on the device.
#[derive(Debug, Parser)]
#[command(name = "kiosk", version, max_term_width = 100, after_help = EXIT_HELP)]
pub struct Cli {
    /// The configuration (TOML). Without it, every key has its default; see
    /// deploy/kiosk.example.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_HELP: &str = "\
Exit status: 0 done; 1 refused or failed, and the message says what to do; 2 the command line is \
wrong; 3 attendance was not recorded, at least for a time (ledger full, read-only, locked, \
corrupt or of a newer version).
The log goes to standard error; RUST_LOG=info (or debug, warn) sets its level. It holds no names \
and no pictures.";

/// What the kiosk can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take the roll: camera, faces, records, screen. Ends with Ctrl-C.
    Run(RunArgs),
    /// Make references of a person from photographs or the camera.
    ///
    /// Each picture must show one face, near, sharp and from the front; one that is refused says
    /// why. Pictures are not kept, only what the comparer computes from them, encrypted.
    Enrol(EnrolArgs),
    /// Bring in, list and take out rosters.
    #[command(subcommand)]
    Roster(RosterCommand),
    /// Who is present, who is absent, since when and by which means.
    Roll(RollArgs),
    /// Check or copy out the attendance records.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Make this device's key where there is none, and print its public half.
    ///
    /// The public half also lies beside the key, in device.pub. `syncd enrol` hands it to the hub,
    /// which wraps the keys of meetings for it.
    Key,
    /// Look at camera, models, runtime, fonts, disk and clock: what is wrong and what to do.
    Doctor,
    /// Watch the whole of it at work on a few public portraits.
    Demo(DemoArgs),
    /// Measure on photographs how right the recognition is.
    ///
    /// The dataset has a folder per person, or a MANIFEST.tsv with columns `path` and `identity`.
    /// Only templates are kept, in the cache; who may read it may compare these people.
    #[cfg(feature = "evaluate")]
    Evaluate(EvaluateArgs),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  kiosk --config kiosk.toml run\n  \
    kiosk run --replay evening.mp4 --meeting GB-12")]
pub struct RunArgs {
    /// Play a recording in place of the camera: a folder of pictures, or a video that ffmpeg
    /// reads. Its own clock counts, and no frame is left out.
    #[arg(long, value_name = "PATH")]
    pub replay: Option<PathBuf>,

    /// Frames a second of a folder of pictures.
    #[arg(long, value_name = "FPS", default_value_t = 10, requires = "replay",
        value_parser = clap::value_parser!(u32).range(1..=120))]
    pub replay_fps: u32,

    /// The meeting; without it, the one whose time it is at this door.
    #[arg(long, value_name = "ID")]
    pub meeting: Option<String>,
}

/// Arguments of `enrol`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  kiosk enrol --person CB-001 portrait.jpg another.jpg")]
pub struct EnrolArgs {
    /// The person's id, as on the roster.
    #[arg(long, value_name = "ID")]
    pub person: String,

    /// Take the picture with the camera, now.
    #[arg(long, conflicts_with = "photographs")]
    pub camera: bool,

    /// Remove the references that the person has before adding these.
    #[arg(long)]
    pub replace: bool,

    /// Remove the references that the person has, on every roster here, and add none.
    #[arg(long, conflicts_with_all = ["camera", "replace", "photographs"])]
    pub remove: bool,

    /// Photographs: JPEG, PNG, WebP, BMP or GIF (first frame).
    #[arg(value_name = "PHOTOGRAPH", required_unless_present_any = ["camera", "remove"])]
    pub photographs: Vec<PathBuf>,
}

/// What can be done with rosters.
#[derive(Debug, Subcommand)]
pub enum RosterCommand {
    /// Bring in a roster, replacing the meeting's earlier one.
    ///
    /// JSON holds the meeting and its people. CSV holds the people, as a secretary saves them from
    /// a spreadsheet, and the meeting is given by the options below.
    Import(ImportArgs),
    /// The meetings whose rosters are here.
    List,
    /// What can still be mended before the meeting: people without a reference, look-alikes, one
    /// person on two lines, portraits that could be better. Changes nothing.
    Check(CheckArgs),
    /// Write a roster out.
    Export(ExportArgs),
    /// Destroy a meeting's key, and with it the references on its roster; then remove the roster.
    ///
    /// Records stay. People stay enrolled for other meetings; `kiosk enrol --remove` ends that.
    Remove(RemoveArgs),
}

/// Arguments of `roster check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The meeting's id.
    pub meeting: String,
}

/// Arguments of `roster remove`.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The meeting's id.
    pub meeting: String,

    /// Keep the roster with its names, so that `kiosk roll` still shows who was present.
    #[arg(long)]
    pub keep_roster: bool,
}

/// What a roster's file may look like.
const IMPORT_HELP: &str = "\
Columns of a CSV file, in any order, by these names or their English ones (id, name, title, unit, \
role, attendance):
  Mã;Họ và tên;Chức danh;Đơn vị;Vai trò;Hình thức
  CB-001;Nguyễn Văn Mẫu;Ông;Sở Ví dụ;Đại biểu;Khuôn mặt
Only the id and the name are needed. Separators are commas, semicolons or tabs.

Example:
  kiosk roster import people.csv --meeting GB-12 --title \"Họp giao ban tháng 12\" \\
      --start 2026-12-01T08:00 --end 2026-12-01T11:30";

/// Arguments of `roster import`.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_HELP)]
pub struct ImportArgs {
    /// The file; its name ends in .json or .csv.
    pub file: PathBuf,

    /// The meeting's id (CSV).
    #[arg(long, value_name = "ID")]
    pub meeting: Option<String>,

    /// The meeting's title (CSV).
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,

    /// When it starts, local time (CSV), such as 2026-12-01T08:00.
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,

    /// When it ends, local time (CSV).
    #[arg(long, value_name = "TIME")]
    pub end: Option<String>,

    /// How many members must be present for a quorum (CSV).
    #[arg(long, value_name = "COUNT")]
    pub quorum: Option<u32>,
}

/// Arguments of `roster export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The meeting's id.
    pub meeting: String,

    /// The form.
    #[arg(long, value_enum, default_value_t = FileFormat::Json)]
    pub format: FileFormat,

    /// Where to; without it, standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Forms of a roster's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// Meeting and people, for programs.
    Json,
    /// The people, for spreadsheets.
    Csv,
}

/// Arguments of `roll`.
#[derive(Debug, Args)]
pub struct RollArgs {
    /// The meeting; without it, the one with the latest record.
    #[arg(long, value_name = "ID")]
    pub meeting: Option<String>,

    /// The form.
    #[arg(long, value_enum, default_value_t = RollFormat::Table)]
    pub format: RollFormat,
}

/// Forms of the roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RollFormat {
    /// For reading.
    Table,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

/// What can be done with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Walk the chain of records and name the first broken link.
    Verify,
    /// Write all records as JSON lines, each with its canonical bytes.
    Export {
        /// Where to; without it, standard output.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the ledger, the screens and the contact sheet go; what an earlier demo left there is
    /// replaced.
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    pub output: PathBuf,

    /// The folder of the portraits that the set-up fetched.
    #[arg(long, value_name = "DIR", default_value = ".setup/portraits")]
    pub portraits: PathBuf,

    /// Hold the meeting that came from a hub, with the references that came with it, in place of
    /// one that is made here. `syncd demo` runs it so.
    #[arg(long)]
    pub from_city: bool,

    /// Print who is on the demonstration's roster and the photographs that they are enrolled from,
    /// as JSON, and do nothing else.
    #[arg(long, conflicts_with = "from_city")]
    pub delegates: bool,
}

/// Arguments of `evaluate`.
#[cfg(feature = "evaluate")]
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The photographs: a folder per person.
    #[arg(long, value_name = "DIR")]
    pub dataset: PathBuf,

    /// Which half of the people, split by a fixed hash of their identities: settings are tuned on
    /// one half and reported on the other.
    #[arg(long, value_enum, default_value_t = Half::All)]
    pub half: Half,

    /// Write report.md and results.json there; without it, the report goes to standard output.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,

    /// Write the numbers as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the templates for NumPy: `paths` and `feats`.
    #[arg(long, value_name = "FILE")]
    pub templates: Option<PathBuf>,

    /// Where templates are kept between evaluations, by their photographs' digests.
    #[arg(long, value_name = "DIR", default_value = "target/evaluate-cache")]
    pub cache: PathBuf,

    /// Random rosters of each size.
    #[arg(long, value_name = "COUNT", default_value_t = 40,
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rosters: u32,

    /// What the rosters and the intervals are drawn from.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Resamplings of the people for the intervals; 0 leaves the intervals out.
    #[arg(long, value_name = "COUNT", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub resamplings: u32,

    /// Make every photograph small, dark, bright, blurred, lit from the side, lit from behind and
    /// grey too, and report how much is missed under each condition. Takes eight times as long.
    #[arg(long)]
    pub conditions: bool,

    /// Hold other ways to compare against the plain one, on the same rosters.
    #[arg(long)]
    pub ways: bool,

    /// Which group people belong to, in place of what the dataset's manifest says: tab-separated,
    /// with a header that names the columns `identity` and `group`.
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,

    /// Threads that make templates, each with its own networks.
    #[arg(long, value_name = "COUNT", default_value_t = 2,
        value_parser = clap::value_parser!(u8).range(1..=16))]
    pub threads: u8,
}

/// Whom to evaluate.
#[cfg(feature = "evaluate")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Half {
    /// The half that settings may be tuned on.
    Tune,
    /// The half that is reported.
    Report,
    /// Everybody.
    All,
}
