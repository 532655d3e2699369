//! Disks that fill up, files that cannot be written, bytes that rot, processes that are killed:
//! nothing acknowledged is lost, nothing is acknowledged that is not there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use ledger::{LedgerError, LedgerErrorKind, Reader, VerifyError, verify};
use support::{at, body, device, open, other_process, other_process_after, task};
use vocabulary::{Digest, Sequence};

/// The lines that the other process says after this word.
fn said<'a>(lines: &'a [String], word: &str) -> Vec<&'a str> {
    let rest = lines.iter().filter_map(|line| line.strip_prefix(word));
    rest.map(str::trim).collect()
}

fn run(mut command: Command) -> Vec<String> {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(
        !said(&lines, "ended").is_empty(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    lines
}

fn tell(line: &str) {
    // Straight to the pipe, in one piece: the parent reads it when it is acknowledged, not later.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn start(test: &str, path: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut command = other_process(test, path);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

/// The other process of the tests below that kill it.
#[test]
fn process_appends_for_ever() {
    let Some(path) = task() else { return };
    let mut ledger = open(&path).unwrap();
    for number in 0.. {
        let appended = if number % 3 == 0 {
            let bodies = (0..20).map(body).collect();
            ledger.append_batch(at(number), bodies).unwrap()
        } else {
            vec![ledger.append(at(number), body(number)).unwrap()]
        };
        for one in appended {
            tell(&format!("appended {} {}", one.sequence, one.digest));
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut acknowledged = Vec::new();
    for round in 0..6 {
        let (mut child, mut stdout) = start("process_appends_for_ever", &path);
        let mut line = String::new();
        // Every round ends at another place between two commits.
        let mut left = 40 + 7 * round;
        while left > 0 {
            line.clear();
            assert!(
                stdout.read_line(&mut line).unwrap() > 0,
                "round {round}: it ended early"
            );
            if line.starts_with("appended ") {
                left -= 1;
                acknowledged.push(line.trim().to_owned());
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said after the last line that was read above counts as well.
        let rest: Vec<String> = stdout.lines().map_while(Result::ok).collect();
        let whole = rest
            .iter()
            .filter(|l| l.starts_with("appended ") && l.len() > 70);
        acknowledged.extend(whole.cloned());

        let verified = verify(&path, |_, _| ()).unwrap();
        let reader = Reader::open(&path).unwrap();
        let stored: Vec<String> = reader
            .records_after(Sequence(0))
            .map(|stored| stored.unwrap())
            .map(|stored| format!("appended {} {}", stored.record.sequence, stored.digest))
            .collect();
        assert_eq!(stored.len() as u64, verified.records);
        for line in &acknowledged {
            assert!(stored.contains(line), "round {round}: {line} is lost");
        }
    }
}

#[test]
fn a_second_writer_is_told_who_has_the_file_until_that_one_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let (mut child, mut stdout) = start("process_appends_for_ever", &path);
    let mut line = String::new();
    while !line.starts_with("appended ") {
        line.clear();
        assert!(stdout.read_line(&mut line).unwrap() > 0);
    }
    let error = open(&path).err().unwrap();
    let process = child.id();
    assert!(
        matches!(error, LedgerError::Locked { by: Some(by), .. } if by == process),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {process} uses it")),
        "{text}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    open(&path).unwrap();
}

#[test]
fn a_ledger_is_verified_while_another_process_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let (mut child, mut stdout) = start("process_appends_for_ever", &path);
    let mut line = String::new();
    let mut acknowledged = 0;
    for _ in 0..10 {
        for _ in 0..60 {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0);
            acknowledged += u64::from(line.starts_with("appended "));
        }
        let verified = verify(&path, |_, _| ()).unwrap();
        assert!(
            verified.records >= acknowledged,
            "{verified:?}, {acknowledged} acknowledged"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The other process of the test below: fills the small disk that it was given.
#[test]
fn process_fills_the_disk() {
    let Some(directory) = task() else { return };
    let ballast = directory.join("ballast");
    fs::write(&ballast, vec![0; 200 << 10]).unwrap();
    let path = directory.join("ledger.db");
    let mut ledger = open(&path).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match ledger.append(at(acknowledged), body(acknowledged)) {
            Ok(appended) => {
                acknowledged += 1;
                assert_eq!(appended.sequence.0, acknowledged);
            }
            Err(error) => break error,
        }
    };
    tell(&format!("kind {:?}", error.kind()));
    tell(&format!("text {error}"));
    let again = ledger.append(at(1), body(1)).unwrap_err();
    assert_eq!(again.kind(), LedgerErrorKind::DiskFull, "{again}");
    let batch = ledger.append_batch(at(1), vec![body(1); 50]).unwrap_err();
    assert_eq!(batch.kind(), LedgerErrorKind::DiskFull, "{batch}");
    assert_eq!(verify(&path, |_, _| ()).unwrap().records, acknowledged);
    fs::remove_file(ballast).unwrap();
    // With room again, it goes on with the very next number.
    let appended = ledger.append(at(2), body(2)).unwrap();
    assert_eq!(appended.sequence.0, acknowledged + 1);
    drop(ledger);
    assert_eq!(verify(&path, |_, _| ()).unwrap().records, acknowledged + 1);
    tell(&format!("ended {acknowledged}"));
}

#[test]
fn a_full_disk_is_told_and_once_there_is_room_the_ledger_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=600k none";
    let isolated = ["--user", "--map-root-user", "--mount"];
    let probe = Command::new("unshare")
        .args(isolated)
        .args([
            "sh",
            "-c",
            &format!("{mount} {}", directory.path().display()),
        ])
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!("not checked: this system lets nobody mount a small disk in a namespace");
        return;
    }
    let before = format!("{mount} \"$LEDGER_TEST_TASK\"");
    let inner = other_process_after(&before, "process_fills_the_disk", directory.path());
    let mut command = Command::new("unshare");
    command
        .args(isolated)
        .arg(inner.get_program())
        .args(inner.get_args());
    command.env("LEDGER_TEST_TASK", directory.path());
    let lines = run(command);
    assert_eq!(said(&lines, "kind"), ["DiskFull"]);
    let text = said(&lines, "text")[0];
    assert!(
        text.contains("the disk is full, nothing was recorded; free some space"),
        "{text}"
    );
    let acknowledged: u64 = said(&lines, "ended")[0].parse().unwrap();
    assert!(acknowledged > 20, "{acknowledged}");
}

/// The other process of the test below: writes until the system refuses.
#[test]
fn process_writes_until_it_is_refused() {
    let Some(path) = task() else { return };
    let mut ledger = open(&path).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match ledger.append(at(acknowledged), body(acknowledged)) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    tell(&format!("kind {:?}", error.kind()));
    let again = ledger.append(at(1), body(1)).unwrap_err();
    tell(&format!("again {again}"));
    let batch = ledger.append_batch(at(1), vec![body(1)]).unwrap_err();
    assert!(matches!(batch, LedgerError::Failed { .. }), "{batch}");
    tell(&format!("ended {acknowledged}"));
}

#[test]
fn after_a_failed_write_nothing_is_promised_until_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    // A limit on the size of files makes a write fail as a dying disk does; the signal that would
    // end the process is ignored.
    let before = "trap '' XFSZ; ulimit -f 500";
    let lines = run(other_process_after(
        before,
        "process_writes_until_it_is_refused",
        &path,
    ));
    assert_eq!(said(&lines, "kind"), ["Io"]);
    let again = said(&lines, "again")[0];
    assert!(
        again.contains("a write failed before; close the file and open it again"),
        "{again}"
    );
    let acknowledged: u64 = said(&lines, "ended")[0].parse().unwrap();
    assert!(acknowledged > 10, "{acknowledged}");
    let mut ledger = open(&path).unwrap();
    let records = ledger.tail().unwrap().sequence.0;
    assert!(
        (acknowledged..=acknowledged + 1).contains(&records),
        "{records}"
    );
    ledger.append(at(1), body(1)).unwrap();
    assert_eq!(verify(&path, |_, _| ()).unwrap().records, records + 1);
}

/// The other process of the test below: without the right to write.
#[test]
fn process_has_no_right_to_write() {
    let Some(path) = task() else { return };
    match open(&path) {
        Ok(mut ledger) => match ledger.append(at(1), body(1)) {
            Ok(_) => tell("kind none"),
            Err(error) => tell(&format!("kind {:?} {error}", error.kind())),
        },
        Err(error) => tell(&format!("kind {:?} {error}", error.kind())),
    }
    match verify(&path, |_, _| ()) {
        Ok(verified) => tell(&format!("verified {}", verified.records)),
        Err(error) => tell(&format!("verified {error}")),
    }
    tell("ended");
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_can_still_be_verified() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    open(&path).unwrap().append(at(1), body(1)).unwrap();
    // The superuser may write anything, so the other process is somebody else, for whom the
    // program is put where they can run it.
    let program = directory.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let superuser = fs::metadata("/proc/self").unwrap().uid() == 0;
    let check = |directory_mode: u32, file_mode: u32, lock_mode: u32| {
        fs::set_permissions(&path, fs::Permissions::from_mode(file_mode)).unwrap();
        let lock = directory.path().join("ledger.db.lock");
        fs::set_permissions(&lock, fs::Permissions::from_mode(lock_mode)).unwrap();
        let mode = fs::Permissions::from_mode(directory_mode);
        fs::set_permissions(directory.path(), mode).unwrap();
        let mut command = Command::new(&program);
        command.args(["--exact", "process_has_no_right_to_write", "--nocapture"]);
        command.env("LEDGER_TEST_TASK", &path);
        if superuser {
            command.uid(65534).gid(65534);
        }
        let lines = run(command);
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let kind = said(&lines, "kind")[0];
        assert!(kind.starts_with("ReadOnly "), "{kind}");
        assert!(
            kind.contains("it cannot be written; give the file"),
            "{kind}"
        );
        assert_eq!(said(&lines, "verified"), ["1"]);
    };
    check(0o555, 0o444, 0o444); // nothing may be written
    check(0o555, 0o444, 0o666); // the lock may
    check(0o777, 0o444, 0o666); // the directory may
}

/// A ledger of some records, closed; its encoded records.
fn written(path: &Path, records: u64) -> Vec<Vec<u8>> {
    let mut ledger = open(path).unwrap();
    for number in 1..=records {
        ledger.append(at(number), body(number)).unwrap();
    }
    drop(ledger);
    let reader = Reader::open(path).unwrap();
    let stored = reader.records_after(Sequence(0));
    stored.map(|stored| stored.unwrap().bytes).collect()
}

fn find(file: &[u8], bytes: &[u8]) -> usize {
    let mut windows = file.windows(bytes.len());
    windows.position(|window| window == bytes).unwrap()
}

#[test]
fn a_changed_byte_of_a_record_is_found_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let records = written(&path, 60);
    let file = fs::read(&path).unwrap();
    for number in [1_u64, 30, 59, 60] {
        let bytes = &records[usize::try_from(number).unwrap() - 1];
        let mut changed = file.clone();
        changed[find(&file, bytes) + bytes.len() / 2] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        let error = verify(&path, |_, _| ()).unwrap_err();
        assert!(
            matches!(error, VerifyError::Digest { sequence, .. } if sequence.0 == number),
            "{number}: {error:?}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("record {number} of epoch")),
            "{error}"
        );
    }
}

#[test]
fn no_changed_byte_makes_a_record_read_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    written(&path, 60);
    let whole = verify(&path, |_, _| ()).unwrap();
    let file = fs::read(&path).unwrap();
    let mut found = 0;
    for at_byte in (0..file.len()).step_by(41) {
        let mut changed = file.clone();
        changed[at_byte] ^= 0x21;
        fs::write(&path, &changed).unwrap();
        // What the change does not reach may still read as it was; nothing may read otherwise.
        match verify(&path, |_, _| ()) {
            Ok(verified) => assert_eq!(verified, whole, "byte {at_byte}"),
            Err(_) => found += 1,
        }
        // Opening may find it or not; it must not fall over it. It waits for the disk, so that is
        // tried with some.
        if at_byte % 16 != 0 {
            continue;
        }
        if let Ok(mut ledger) = open(&path) {
            let _ = ledger.append(at(99), body(99));
        }
        for beside in ["-wal", "-shm"] {
            let _ = fs::remove_file(directory.path().join(format!("ledger.db{beside}")));
        }
    }
    assert!(found > 100, "only {found} changes were found");
}

#[test]
fn a_corrupt_last_page_is_told_when_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let records = written(&path, 60);
    let file = fs::read(&path).unwrap();
    let page = find(&file, records.last().unwrap()) / 4096;
    let mut changed = file;
    changed[page * 4096..(page + 1) * 4096].fill(0xa5);
    fs::write(&path, &changed).unwrap();
    let error = open(&path).err().unwrap();
    assert_eq!(error.kind(), LedgerErrorKind::Corrupt, "{error}");
    assert!(
        error
            .to_string()
            .contains("`kiosk ledger verify` says how far"),
        "{error}"
    );
    assert!(verify(&path, |_, _| ()).is_err());
}

#[test]
fn a_truncated_file_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    written(&path, 60);
    let file = fs::read(&path).unwrap();
    for length in [1, 15, 16, 100, 4096, file.len() - 4096, file.len() - 100] {
        fs::write(&path, &file[..length]).unwrap();
        let error = verify(&path, |_, _| ()).err();
        assert!(error.is_some(), "{length} of {}", file.len());
        let error = open(&path).err();
        assert!(
            error
                .as_ref()
                .is_some_and(|e| e.kind() == LedgerErrorKind::Corrupt),
            "{length} of {}: {error:?}",
            file.len()
        );
    }
}

#[test]
fn a_file_taken_away_while_in_use_is_told_at_the_next_record() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere.db");
    let check = |name: &str, take_away: &dyn Fn(&Path)| {
        let path = directory.path().join(name);
        let mut ledger = open(&path).unwrap();
        ledger.append(at(1), body(1)).unwrap();
        take_away(&path);
        let error = ledger.append(at(2), body(2)).unwrap_err();
        assert!(
            matches!(
                error,
                LedgerError::Moved { .. } | LedgerError::ReadOnly { .. }
            ),
            "{name}: {error:?}"
        );
        let error = ledger.append_batch(at(2), vec![body(2)]).unwrap_err();
        assert!(
            matches!(error, LedgerError::Failed { .. }),
            "{name}: {error:?}"
        );
    };
    let log = |path: &Path| path.with_extension("db-wal");
    check("removed.db", &|path| fs::remove_file(path).unwrap());
    check("renamed.db", &|path| fs::rename(path, &elsewhere).unwrap());
    check("log.db", &|path| fs::remove_file(log(path)).unwrap());
    check("replaced.db", &|path| {
        let copy = path.with_extension("copy");
        fs::write(&copy, b"").unwrap();
        fs::rename(&copy, path).unwrap();
    });
}

#[test]
fn an_emptied_file_is_told_while_its_log_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    ledger.append(at(1), body(1)).unwrap();
    let log = fs::read(directory.path().join("ledger.db-wal")).unwrap();
    drop(ledger);
    fs::write(&path, b"").unwrap();
    fs::write(directory.path().join("ledger.db-wal"), &log).unwrap();
    let error = open(&path).err().unwrap();
    assert_eq!(error.kind(), LedgerErrorKind::Corrupt, "{error}");
    let kept = fs::read(directory.path().join("ledger.db-wal")).unwrap();
    assert_eq!(kept, log, "the log is all that is left");
}

/// Changes a closed ledger by SQL, as someone would who can write the file.
fn forged(path: &Path, statements: &str) -> VerifyError {
    written(path, 20);
    let connection = rusqlite::Connection::open(path).unwrap();
    let drop_triggers = "DROP TRIGGER record_stays; DROP TRIGGER record_is_kept;";
    connection
        .execute_batch(&format!("{drop_triggers}{statements}"))
        .unwrap();
    drop(connection);
    verify(path, |_, _| ()).unwrap_err()
}

#[test]
fn a_forgery_by_sql_is_found_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);

    let error = forged(&path("gap.db"), "DELETE FROM record WHERE sequence = 7");
    assert!(
        matches!(
            error,
            VerifyError::Gap {
                sequence: Sequence(7),
                found: 8,
                ..
            }
        ),
        "{error:?}"
    );

    let error = forged(
        &path("renumbered.db"),
        "DELETE FROM record WHERE sequence = 7;
         UPDATE record SET sequence = sequence - 1 WHERE sequence > 7;",
    );
    assert!(
        matches!(
            error,
            VerifyError::Chain {
                sequence: Sequence(7),
                ..
            }
        ),
        "{error:?}"
    );

    // A whole record written anew, with its right digest: the next one names the old one.
    let name = path("rewritten.db");
    let records = written(&name, 20);
    let mut record = record::Record::decode(&records[6]).unwrap();
    record.body = body(999);
    let bytes = record.encode();
    let connection = rusqlite::Connection::open(&name).unwrap();
    connection
        .execute_batch("DROP TRIGGER record_stays")
        .unwrap();
    connection
        .execute(
            "UPDATE record SET bytes = ?1, digest = ?2 WHERE sequence = 7",
            (&bytes, record::digest(&bytes).0),
        )
        .unwrap();
    drop(connection);
    let error = verify(&name, |_, _| ()).unwrap_err();
    assert!(
        matches!(
            error,
            VerifyError::Chain {
                sequence: Sequence(8),
                ..
            }
        ),
        "{error:?}"
    );

    let error = forged(
        &path("predecessor.db"),
        "UPDATE ledger SET predecessor = randomblob(32)",
    );
    assert!(
        matches!(
            error,
            VerifyError::Chain {
                sequence: Sequence(1),
                ..
            }
        ),
        "{error:?}"
    );

    let error = forged(&path("epoch.db"), "UPDATE ledger SET epoch = zeroblob(16)");
    assert!(matches!(error, VerifyError::Structure { .. }), "{error:?}");
}

#[test]
fn an_empty_ledger_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    drop(open(&path).unwrap());
    let verified = verify(&path, |_, _| ()).unwrap();
    assert_eq!((verified.records, verified.head), (0, Digest::ZERO));
    assert_eq!(verified.device, device());
}
