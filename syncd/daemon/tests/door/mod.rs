//! A door of a test's own: a directory, a configuration, and the real daemon, which is ended when
//! it takes too long.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ledger::{CityReader, CityStore, Ledger};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use vocabulary::{BootId, ClockQuality, DeviceId, MeetingId, Monotonic, Roster, Stamp, WallTime};

/// Longest that anything may take; more is a hang. Generous, since machines are busy.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How often something is looked at that should happen soon.
const POLL: Duration = Duration::from_millis(5);

/// Most bytes that a daemon logs in a test, whatever it is sent.
const LOG_BYTES_MAX: usize = 16 << 10;

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT_MAX;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {WAIT_MAX:?}");
        std::thread::sleep(POLL);
    }
}

/// A door.
pub struct Door {
    directory: TempDir,
    running: Option<Child>,
}

impl Door {
    /// A door that asks the hub of this address, and whose configuration has these lines about it.
    pub fn new(url: &str, hub: &str) -> Self {
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("var")).unwrap();
        fs::write(directory.path().join("var/device.pub"), "09".repeat(32)).unwrap();
        let door = Self {
            directory,
            running: None,
        };
        door.configure(url, hub);
        door
    }

    /// A door that was enrolled with this hub.
    pub fn enrolled(url: &str, token: &str) -> Self {
        let door = Self::new(url, "");
        door.enrol(token);
        door
    }

    /// Writes its configuration anew.
    pub fn configure(&self, url: &str, hub: &str) {
        let config = format!(
            "[hub]\nurl = \"{url}\"\n{hub}\n[data]\ndirectory = \"var/syncd\"\nledger = \
             \"var/ledger.db\"\ncity = \"var/city.db\"\nsealing_key = \"var/device.pub\"\n",
        );
        fs::write(self.path("syncd.toml"), config).unwrap();
    }

    /// Enrols it, which must be possible.
    pub fn enrol(&self, token: &str) {
        let (status, said) = self.run(&["enrol", "--token", token]);
        assert_eq!(status, 0, "{said}");
    }

    /// A file of this door.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts so many records into its ledger.
    pub fn write_records(&self, count: u64) {
        self.write("var/ledger.db", WallTime(1_767_225_600_000), count);
    }

    /// Puts so many records into a ledger elsewhere.
    pub fn write_records_in(&self, ledger: &str, count: u64) {
        self.write(ledger, WallTime(1_767_225_600_000), count);
    }

    /// Puts a record of this time into its ledger.
    pub fn write_record_at(&self, wall: WallTime) {
        self.write("var/ledger.db", wall, 1);
    }

    fn write(&self, ledger: &str, wall: WallTime, count: u64) {
        let device = DeviceId::new("kiosk-thu").unwrap();
        let stamp = Stamp {
            wall,
            quality: ClockQuality::Synchronised,
            boot: BootId([3; 16]),
            monotonic: Monotonic(1),
        };
        let mut ledger = Ledger::open(&self.path(ledger), &device, stamp).unwrap();
        for _ in 0..count {
            let body = record::Body::ClockObservation(record::ClockObservation {
                before: stamp.wall,
                after: stamp.wall,
                quality: stamp.quality,
                source: record::ClockSource::Hub,
            });
            ledger.append(stamp, body).unwrap();
        }
    }

    /// Runs a command to its end; gives its status and all that it said.
    pub fn run(&self, args: &[&str]) -> (i32, String) {
        let output = self.command(args).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        (output.status.code().unwrap_or(-1), said)
    }

    /// Starts the daemon.
    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts the daemon, with these in its environment.
    pub fn start_with(&mut self, environment: &[(&str, &str)]) {
        let mut command = self.command(&["run"]);
        command.envs(environment.iter().copied());
        self.launch(command);
    }

    /// Starts the daemon by a program that becomes it: its command line follows these arguments.
    pub fn start_within(&mut self, program: &str, arguments: &[&str]) {
        let direct = self.command(&["run"]);
        let mut command = Command::new(program);
        command.args(arguments).arg(direct.get_program());
        command
            .args(direct.get_args())
            .current_dir(self.directory.path());
        command.env("RUST_LOG", "info").stdin(Stdio::null());
        self.launch(command);
    }

    fn launch(&mut self, mut command: Command) {
        // What was so before it was started says nothing.
        let _ = fs::remove_file(self.path("var/syncd/status.json"));
        let log = File::create(self.path("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        self.running = Some(command.spawn().unwrap());
    }

    /// The troubles that the daemon tells of, in English.
    pub fn troubles(&self) -> Vec<String> {
        let Ok(bytes) = fs::read(self.path("var/syncd/status.json")) else {
            return Vec::new();
        };
        let status: Value = serde_json::from_slice(&bytes).unwrap();
        let troubles = status["troubles"].as_array().unwrap();
        let english = troubles.iter().map(|trouble| trouble["english"].as_str());
        english.map(|text| text.unwrap().to_owned()).collect()
    }

    /// Waits until the daemon has had contact, has sent all records, and tells of no trouble.
    pub fn wait_for_peace(&mut self) {
        self.wait_for_status("contact, nothing waiting and no trouble", |status| {
            status["troubles"].as_array().unwrap().is_empty()
        });
    }

    /// Waits until the daemon has had contact and has sent all records, whatever trouble there is.
    pub fn wait_for_contact(&mut self) {
        self.wait_for_status("contact, and nothing waiting", |_| true);
    }

    /// Waits until so many records wait.
    pub fn wait_for_waiting(&mut self, count: u64) {
        self.wait_for_status("what waits", |status| status["waiting"] == count);
    }

    fn wait_for_status(&mut self, what: &str, holds: impl Fn(&Value) -> bool) {
        wait_until(what, || {
            self.assert_running();
            let Ok(bytes) = fs::read(self.path("var/syncd/status.json")) else {
                return false;
            };
            let status: Value = serde_json::from_slice(&bytes).unwrap();
            let is_sent = status["waiting"] == 0 || !self.path("var/ledger.db").exists();
            !status["last_contact"].is_null() && is_sent && holds(&status)
        });
    }

    /// Waits until the daemon, which must not end, tells of a trouble; `syncd status` tells it too.
    pub fn wait_for_trouble(&mut self, part: &str) {
        wait_until(part, || {
            self.assert_running();
            self.troubles().iter().any(|trouble| trouble.contains(part))
        });
        let (status, said) = self.run(&["status"]);
        assert_eq!(status, 0, "{said}");
        assert!(said.contains(part), "{part:?} in {said}");
    }

    /// The daemon has not ended.
    pub fn assert_running(&mut self) {
        let ended = self.running.as_mut().unwrap().try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", self.log());
    }

    /// The most memory that the daemon has had, in KiB.
    pub fn memory_max_kib(&self) -> u64 {
        let id = self.running.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Stops the daemon as a keeper does, and looks at what it leaves: an orderly end, a short log
    /// without anything that a terminal obeys, and no file but its own.
    pub fn stop(&mut self) {
        self.end();
        let log = self.log();
        assert!(log.len() < LOG_BYTES_MAX, "{} bytes are logged", log.len());
        let plain = |c: char| c == '\n' || !c.is_control();
        assert!(log.chars().all(plain), "{log:?}");
        let known: BTreeSet<_> = [
            "log",
            "syncd.toml",
            "var/city.db",
            "var/city.db.lock",
            "var/device.pub",
            "var/ledger.db",
            "var/ledger.db.lock",
            "var/syncd/identity.json",
            "var/syncd/status.json",
        ]
        .map(|name| self.path(name))
        .into();
        let mut found = BTreeSet::new();
        files(self.directory.path(), &mut found);
        let strange: Vec<_> = found
            .difference(&known)
            .filter(|path| {
                let name = path.to_str().unwrap();
                let is_offer = path.parent() == Some(&self.path("var/syncd/offers"));
                !name.ends_with("-wal") && !name.ends_with("-shm") && !is_offer
            })
            .collect();
        assert!(strange.is_empty(), "{strange:?}");
    }

    /// Stops the daemon as a keeper does.
    pub fn end(&mut self) {
        let mut running = self.running.take().unwrap();
        let id = Pid::from_child(&running);
        kill_process(id, Signal::TERM).unwrap();
        let status = running.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// The meetings of which `city.db` holds anything. Not while the daemon runs.
    pub fn held(&self) -> Vec<String> {
        let store = CityStore::open(&self.path("var/city.db")).unwrap();
        let held = store.held().unwrap().into_iter();
        held.map(|held| held.meeting.to_string()).collect()
    }

    /// Through which number `city.db` says that the hub has the records. Not while the daemon runs.
    pub fn acknowledged(&self) -> u64 {
        let store = CityStore::open(&self.path("var/city.db")).unwrap();
        store.watermark().unwrap().map_or(0, |mark| mark.through.0)
    }

    /// A roster as the kiosk reads it.
    pub fn roster(&self, meeting: &str) -> Option<Roster> {
        let device = DeviceId::new("kiosk-thu").unwrap();
        let keys = std::sync::Arc::new(seal::MemoryKeyStore::generate().unwrap());
        let reader = CityReader::open(&self.path("var/city.db"), &device, keys).unwrap();
        reader.roster(&MeetingId::new(meeting).unwrap()).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncd"));
        command.arg("--config").arg(self.path("syncd.toml"));
        command.args(args).current_dir(self.directory.path());
        command.env("RUST_LOG", "info").stdin(Stdio::null());
        command
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            // A test that failed leaves no program behind.
            let _ = running.kill();
            let _ = running.wait();
        }
    }
}

/// All files in a directory and those within.
fn files(directory: &Path, into: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.insert(path);
        }
    }
}
