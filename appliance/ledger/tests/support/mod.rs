//! What the tests of this crate share: made-up records, and running a part of a test in a process
//! of its own, which can then be killed or limited.

#![allow(dead_code, reason = "no test file uses all of it")]

pub mod cut;

use std::path::Path;
use std::process::Command;

use ledger::{Ledger, LedgerError};
use record::{Body, Fault, Part, Text};
use vocabulary::{BootId, ClockQuality, DeviceId, Monotonic, Stamp, WallTime};

/// The device of all tests.
pub fn device() -> DeviceId {
    DeviceId::new("kiosk-07").unwrap()
}

/// A moment, by seconds after some beginning.
pub fn at(seconds: u64) -> Stamp {
    Stamp {
        wall: WallTime(1_795_500_000_000 + i64::try_from(seconds).unwrap() * 1000),
        quality: ClockQuality::FreeRunning,
        boot: BootId([0x42; 16]),
        monotonic: Monotonic::from_millis(seconds * 1000),
    }
}

/// A body that tells its number.
pub fn body(number: u64) -> Body {
    Body::Fault(Fault {
        part: Part::Camera,
        what: Text::new(&format!("event {number}")).unwrap(),
    })
}

/// Opens the ledger of the tests.
pub fn open(path: &Path) -> Result<Ledger, LedgerError> {
    Ledger::open(path, &device(), at(0))
}

/// A command that runs one test of this very test file, as the other process of a test. The test
/// finds its task in `LEDGER_TEST_TASK` and does nothing without.
pub fn other_process(test: &str, task: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("LEDGER_TEST_TASK", task);
    command
}

/// As [`other_process`], started by a shell that first runs `before`.
pub fn other_process_after(before: &str, test: &str, task: &Path) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{before}; exec \"$0\" --exact {test} --nocapture --test-threads=1");
    command
        .arg("-c")
        .arg(script)
        .arg(std::env::current_exe().unwrap())
        .env("LEDGER_TEST_TASK", task);
    command
}

/// The task of this process, if it is the other process of a test.
pub fn task() -> Option<std::path::PathBuf> {
    std::env::var_os("LEDGER_TEST_TASK").map(Into::into)
}
