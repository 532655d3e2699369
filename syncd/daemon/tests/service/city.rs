//! The real hub as a process of its own: `syncd hub serve` in a directory of a test's, and the
//! operator's commands beside it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A hub with the organisation `mau`, its room `G1`, and the device `kiosk-thu`.
pub struct Hub {
    directory: TempDir,
    running: Option<Child>,
    /// Its address, once it is served.
    pub url: String,
    /// What it is served with in its environment.
    pub environment: Vec<(String, String)>,
}

impl Hub {
    /// A hub that is not served yet.
    pub fn new() -> Self {
        let hub = Self {
            directory: TempDir::new().unwrap(),
            running: None,
            url: String::new(),
            environment: Vec::new(),
        };
        hub.admin("organisation mau --name Mau");
        hub.admin("room G1 --organisation mau --name G1 --door A1");
        hub.admin("device kiosk-thu --organisation mau --room G1");
        hub
    }

    /// A file beside its data.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Serves it, with these arguments too.
    pub fn serve(&mut self, arguments: &str) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        // Served again, it is where doors know it.
        let before = self.url.strip_prefix("https://").unwrap_or("127.0.0.1:0");
        let listen = match arguments.contains("--behind-proxy") {
            true => String::new(),
            false => format!("--listen {before}"),
        };
        let mut command = self.command(&format!("hub serve --data data {listen} {arguments}"));
        command.envs(self.environment.iter().cloned());
        let mut running = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        self.running = Some(running);
        let url = lines.next().unwrap_or_else(|| panic!("{}", self.log()));
        self.url = url.unwrap();
    }

    /// Runs a command of the operator's; gives what it prints.
    pub fn admin(&self, arguments: &str) -> String {
        let arguments = format!("hub admin --data data {arguments}");
        let output = self.command(&arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {error}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs a command of the operator's that must be refused; gives what it says.
    pub fn refused(&self, arguments: &str) -> String {
        let arguments = format!("hub admin --data data {arguments}");
        let output = self.command(&arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// A new token for the device.
    pub fn token(&self) -> String {
        self.admin("token kiosk-thu")
    }

    /// Sends the hub a signal.
    pub fn signal(&self, signal: Signal) {
        let running = self.running.as_ref().unwrap();
        kill_process(Pid::from_child(running), signal).unwrap();
    }

    /// Stops it as an operator does.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.running.take().unwrap().wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A command in its directory.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncd"));
        command.args(arguments.split(' ').filter(|word| !word.is_empty()));
        command.current_dir(self.directory.path());
        command.env("RUST_LOG", "info").stdin(Stdio::null());
        command
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            // A test that failed leaves no program behind.
            let _ = running.kill();
            let _ = running.wait();
        }
    }
}
