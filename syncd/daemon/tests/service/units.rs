//! The units of `deploy/systemd`: systemd reads them, and says how well they are shut in. Where
//! there is no systemd on the machine, the test says so and passes.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The most that `systemd-analyze security` may find exposed, in tenths, of 100.
const EXPOSURE_MAX: &str = "20";

fn analyse(arguments: &[&str], unit: &Path) -> Option<(bool, String)> {
    let mut command = Command::new("systemd-analyze");
    let output = command.args(arguments).arg(unit).output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no systemd-analyze");
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8(said).unwrap()))
}

#[test]
fn systemd_takes_the_units_and_they_are_shut_in() {
    let directory = tempfile::tempdir().unwrap();
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd");
    let mut count = 0;
    for unit in fs::read_dir(units).unwrap() {
        let unit = unit.unwrap().path();
        let text = fs::read_to_string(&unit).unwrap();
        // It is not installed here, and systemd looks whether it is there.
        let program = env!("CARGO_BIN_EXE_syncd");
        assert!(
            text.contains("ExecStart=/usr/bin/syncd "),
            "{}",
            unit.display()
        );
        let here = directory.path().join(unit.file_name().unwrap());
        fs::write(
            &here,
            text.replace("=/usr/bin/syncd ", &format!("={program} ")),
        )
        .unwrap();
        let Some((done, said)) = analyse(&["verify"], &here) else {
            return;
        };
        // It warns of what it does not know and succeeds all the same.
        let name = here.file_name().unwrap().to_str().unwrap();
        assert!(done && !said.contains(name), "{}: {said}", unit.display());
        let threshold = format!("--threshold={EXPOSURE_MAX}");
        let security = ["security", "--offline=true", "--no-pager", &threshold];
        let Some((done, said)) = analyse(&security, &here) else {
            return;
        };
        let unknown = said.contains("unrecognized option");
        assert!(done || unknown, "{}: {said}", unit.display());
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn the_units_start_what_can_be_typed() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd");
    for unit in fs::read_dir(units).unwrap() {
        let text = fs::read_to_string(unit.unwrap().path()).unwrap();
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart=/usr/bin/syncd "));
        for line in lines {
            let mut command = Command::new(env!("CARGO_BIN_EXE_syncd"));
            let output = command
                .args(line.split(' '))
                .arg("--help")
                .output()
                .unwrap();
            assert!(output.status.success(), "{line}");
        }
    }
}
