//! What daemon and hub tell systemd: that they are there, that they go round, that they stop. Here
//! the test is systemd.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::city::Hub;
use crate::door::Door;

/// Longest that anything is waited for.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Within which time a loop that goes round says so, many times over.
const SILENCE: Duration = Duration::from_secs(4);

/// The socket of a service's manager.
struct Manager {
    _directory: TempDir,
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self {
            _directory: directory,
            socket,
            path,
        }
    }

    /// The next message; none when nothing comes for so long.
    fn next(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut message = [0; 4096];
        let count = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..count].to_vec()).unwrap())
    }

    /// Waits for a message.
    fn wait_for(&self, expect: &str) {
        while let Some(message) = self.next(WAIT_MAX) {
            if message.lines().any(|line| line == expect) {
                return;
            }
        }
        panic!("{expect} does not come");
    }

    /// Reads what has come, until nothing comes any more.
    fn wait_for_silence(&self) {
        let deadline = std::time::Instant::now() + WAIT_MAX;
        while let Some(message) = self.next(SILENCE) {
            assert!(std::time::Instant::now() < deadline, "still {message}");
        }
    }
}

fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[test]
fn the_daemon_says_that_it_is_there_that_it_goes_round_and_that_it_stops() {
    let mut hub = Hub::new();
    hub.serve("");
    let mut door = Door::enrolled(&hub.url, &hub.token());
    let manager = Manager::new();
    door.start_with(&[("NOTIFY_SOCKET", manager.path.to_str().unwrap())]);
    manager.wait_for("READY=1");
    manager.wait_for("WATCHDOG=1");
    manager.wait_for("WATCHDOG=1");
    // Opening what stands in the ledger's place waits for a writer who does not come: the loop
    // hangs as on a disk that does not answer.
    let ledger = door.path("var/ledger.db");
    make_fifo(&ledger);
    manager.wait_for_silence();
    door.assert_running();
    drop(
        std::fs::OpenOptions::new()
            .write(true)
            .open(&ledger)
            .unwrap(),
    );
    std::fs::remove_file(&ledger).unwrap();
    manager.wait_for("WATCHDOG=1");
    door.stop();
    manager.wait_for("STOPPING=1");
    hub.stop();
}

#[test]
fn the_hub_says_that_it_is_there_that_it_works_and_that_it_stops() {
    let manager = Manager::new();
    let mut hub = Hub::new();
    hub.environment = vec![
        (
            "NOTIFY_SOCKET".to_owned(),
            manager.path.to_str().unwrap().to_owned(),
        ),
        ("WATCHDOG_USEC".to_owned(), "400000".to_owned()),
    ];
    hub.serve("");
    manager.wait_for("READY=1");
    manager.wait_for("WATCHDOG=1");
    manager.wait_for("WATCHDOG=1");
    hub.stop();
    manager.wait_for("STOPPING=1");
}
