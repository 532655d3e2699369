//! What `--help` says: every command has one that is worth reading.

use crate::kit::Kit;

#[test]
fn every_command_explains_itself() {
    let kit = Kit::new();
    let check = |command: &[&str], said: &[&str]| {
        let help = kit.run(&[command, &["--help"]].concat()).done();
        // Help is wrapped; what is looked for may stand on two lines.
        let flat = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in said {
            assert!(
                flat.contains(part),
                "{command:?} does not mention {part:?}:\n{help}"
            );
        }
    };
    let commands = [
        "run", "enrol", "roster", "roll", "ledger", "key", "doctor", "demo",
    ];
    check(&[], &commands);
    check(
        &[],
        &[
            "--config",
            "kiosk.example.toml",
            "RUST_LOG",
            "Exit status",
            "3 attendance was not recorded",
        ],
    );
    check(
        &["run"],
        &["--replay", "--meeting", "camera", "Ctrl-C", "--config"],
    );
    check(
        &["enrol"],
        &[
            "--person",
            "--replace",
            "--camera",
            "one face",
            "not kept",
            "GIF",
        ],
    );
    check(&["roster"], &["import", "list", "export"]);
    let import = [
        "--meeting",
        "--title",
        "--start",
        "--end",
        "--quorum",
        "JSON",
        "CSV",
    ];
    check(&["roster", "import"], &import);
    check(&["roster", "list"], &["rosters"]);
    check(
        &["roster", "export"],
        &["--format", "--output", "json", "csv"],
    );
    check(
        &["roll"],
        &["--meeting", "--format", "table", "csv", "json"],
    );
    check(&["ledger"], &["verify", "export"]);
    check(&["ledger", "verify"], &["first broken link"]);
    check(
        &["ledger", "export"],
        &["--output", "JSON lines", "canonical bytes"],
    );
    check(
        &["doctor"],
        &["camera", "models", "runtime", "disk", "clock"],
    );
    check(&["key"], &["public half", "device.pub", "syncd enrol"]);
    check(&["demo"], &["--output", "--portraits", "contact sheet"]);
}

#[test]
fn a_wrong_command_line_ends_with_status_two() {
    let kit = Kit::new();
    kit.run(&["rool"]).refused(2, &["rool", "roll"]);
    kit.run(&["enrol", "--person", "CB-001"])
        .refused(2, &["PHOTOGRAPH"]);
    kit.run(&["run", "--replay", "x", "--replay-fps", "0"])
        .refused(2, &["--replay-fps", "1..=120"]);
    kit.run(&["roll", "--format", "pdf"])
        .refused(2, &["pdf", "table, csv, json"]);
}
