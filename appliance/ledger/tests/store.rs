//! Rosters and references of a kiosk that stands alone: whichever comes first, the door has both;
//! what is removed is gone; what is sealed for one place opens in no other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::{
    Enrolled, Enrolment, Imported, LedgerError, LocalReader, LocalStore, Origin, QualityNumbers,
    REFERENCES_PER_PERSON_MAX, StoreError,
};
use seal::{KeyStore, MemoryKeyStore, SealError};
use support::device;
use tempfile::TempDir;
use vocabulary::{
    Attendance, Delegate, DeviceId, Digest, FeatureSpace, Meeting, MeetingId, OrganisationId,
    PersonId, ReferenceId, Role, RoomId, Roster, RosterEntry, Template, WallTime,
};

struct Fixture {
    directory: TempDir,
    keys: Arc<dyn KeyStore>,
}

impl Fixture {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            keys: Arc::new(MemoryKeyStore::generate().unwrap()),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("local.db")
    }

    fn open(&self) -> LocalStore {
        LocalStore::open(&self.path(), &device(), self.keys.clone()).unwrap()
    }
}

fn organisation() -> OrganisationId {
    OrganisationId::new("mau").unwrap()
}

fn person(id: &str) -> PersonId {
    PersonId::new(id).unwrap()
}

fn meeting(id: &str) -> MeetingId {
    MeetingId::new(id).unwrap()
}

fn space() -> FeatureSpace {
    FeatureSpace::new("sface", Digest([1; 32]))
}

fn template(seed: f32) -> Template {
    Template::normalise(space(), &[1.0, seed, seed * seed]).unwrap()
}

fn entry(id: &str, attendance: Attendance) -> RosterEntry {
    RosterEntry {
        delegate: Delegate {
            person: person(id),
            name: format!("Mẫu Thị {id}"),
            title: "Bà".to_owned(),
            unit: String::new(),
        },
        role: Role::Member,
        attendance,
    }
}

fn roster_of(id: &str, generation: u64, entries: Vec<RosterEntry>) -> Roster {
    let meeting = Meeting {
        id: meeting(id),
        organisation: organisation(),
        room: RoomId::new("P-201").unwrap(),
        doors: vec![],
        title: "Họp giao ban".to_owned(),
        starts_at: WallTime(1_795_500_000_000),
        ends_at: WallTime(1_795_510_000_000),
        zone: "Asia/Ho_Chi_Minh".to_owned(),
        quorum: None,
    };
    Roster::new(meeting, generation, entries).unwrap()
}

fn roster(id: &str, generation: u64, people: &[&str]) -> Roster {
    let entries = people.iter().map(|id| entry(id, Attendance::FaceOrCode));
    roster_of(id, generation, entries.collect())
}

fn enrol_as(
    store: &mut LocalStore,
    who: &str,
    reference: &str,
    template: &Template,
) -> Result<Enrolled, StoreError> {
    store.enrol(&Enrolment {
        organisation: &organisation(),
        person: &person(who),
        reference: &ReferenceId::new(reference).unwrap(),
        template,
        quality: QualityNumbers {
            face_width_px: 120.5,
            sharpness: 0.25,
            ..QualityNumbers::default()
        },
        origin: Origin::Photograph,
        at: WallTime(7),
    })
}

fn enrol(store: &mut LocalStore, who: &str, reference: &str, seed: f32) -> Enrolled {
    enrol_as(store, who, reference, &template(seed)).unwrap()
}

fn import(store: &mut LocalStore, roster: &Roster) -> Imported {
    store.put_roster(roster, WallTime(9)).unwrap()
}

/// The references of a meeting as (person, reference, second value of the raw template).
fn check_references(reader: &LocalReader, of: &str, expect: &[(&str, &str, f32)]) {
    let opened = reader.references(&meeting(of), &space()).unwrap();
    assert!(opened.broken.is_empty(), "{:?}", opened.broken);
    let expect: Vec<_> = expect
        .iter()
        .map(|(who, reference, seed)| {
            let reference = ReferenceId::new(reference).unwrap();
            (person(who), reference, template(*seed))
        })
        .collect();
    assert_eq!(opened.references, expect);
}

#[test]
fn enrolled_before_the_roster_or_after_makes_no_difference() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    assert_eq!(enrol(&mut store, "A", "1", 0.1).meetings, []);
    let imported = import(&mut store, &roster("M1", 1, &["A", "B"]));
    assert_eq!(imported.without_reference, [person("B")]);
    let enrolled = enrol(&mut store, "B", "1", 0.2);
    assert_eq!(enrolled.meetings, [meeting("M1")]);
    enrol(&mut store, "B", "2", 0.3);
    let expect = [("A", "1", 0.1), ("B", "1", 0.2), ("B", "2", 0.3)];
    check_references(store.read(), "M1", &expect);
    // A second meeting uses the same enrolments.
    import(&mut store, &roster("M2", 1, &["B"]));
    check_references(store.read(), "M2", &[("B", "1", 0.2), ("B", "2", 0.3)]);
    // So does another process, after this one has ended.
    drop(store);
    let reader = LocalReader::open(&fixture.path(), &device(), fixture.keys.clone()).unwrap();
    check_references(&reader, "M1", &expect);
}

#[test]
fn a_roster_comes_back_as_it_was_imported() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    let one = roster("M1", 1, &["A", "B"]);
    assert!(import(&mut store, &one).changed);
    enrol(&mut store, "A", "1", 0.1);
    enrol(&mut store, "A", "2", 0.2);
    assert_eq!(
        store.read().roster(&meeting("M1")).unwrap(),
        Some(one.clone())
    );
    assert_eq!(store.read().roster(&meeting("M2")).unwrap(), None);
    let summaries = store.read().rosters().unwrap();
    assert_eq!(summaries.len(), 1);
    let summary = &summaries[0];
    assert_eq!(&summary.meeting, one.meeting());
    assert_eq!(
        (summary.generation, summary.entries, summary.with_reference),
        (1, 2, 1)
    );
    assert_eq!(summary.digest, record::roster_digest(&one));
    assert_eq!(summary.imported_at, WallTime(9));
    assert!(summary.has_key);
}

#[test]
fn a_roster_is_replaced_whole_and_only_forwards() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    enrol(&mut store, "A", "1", 0.1);
    enrol(&mut store, "B", "1", 0.2);
    import(&mut store, &roster("M1", 1, &["A"]));
    import(&mut store, &roster("M1", 3, &["B"]));
    check_references(store.read(), "M1", &[("B", "1", 0.2)]);

    // The same again is success and no change.
    assert!(!import(&mut store, &roster("M1", 3, &["B"])).changed);
    let refused = |store: &mut LocalStore, roster: &Roster, says: &str| {
        let error = store.put_roster(roster, WallTime(9)).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    };
    let older = roster("M1", 2, &["A"]);
    refused(
        &mut store,
        &older,
        "is of generation 2, generation 3 is here; import a later one",
    );
    let other = roster("M1", 3, &["A"]);
    refused(
        &mut store,
        &other,
        "another roster of meeting M1 with generation 3 is here",
    );
    let huge = roster("M9", u64::MAX, &["A"]);
    refused(&mut store, &huge, "is too large; count from 1");
    check_references(store.read(), "M1", &[("B", "1", 0.2)]);
    assert_eq!(
        store.read().roster(&meeting("M1")).unwrap(),
        Some(roster("M1", 3, &["B"]))
    );
}

#[test]
fn who_does_not_wish_it_is_not_compared() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    enrol(&mut store, "A", "1", 0.1);
    let by_code = roster_of("M1", 1, vec![entry("A", Attendance::CodeOnly)]);
    let imported = import(&mut store, &by_code);
    assert_eq!(imported.without_reference, []);
    check_references(store.read(), "M1", &[]);
    assert_eq!(enrol(&mut store, "A", "2", 0.2).meetings, []);
    check_references(store.read(), "M1", &[]);
}

#[test]
fn templates_of_another_space_are_not_given_out() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    let other = FeatureSpace::new("sface", Digest([2; 32]));
    let template = Template::normalise(other.clone(), &[1.0, 2.0]).unwrap();
    enrol_as(&mut store, "A", "1", &template).unwrap();
    enrol(&mut store, "A", "1", 0.1);
    import(&mut store, &roster("M1", 1, &["A"]));
    check_references(store.read(), "M1", &[("A", "1", 0.1)]);
    let opened = store.read().references(&meeting("M1"), &other).unwrap();
    assert_eq!(opened.references[0].2, template);
}

#[test]
fn enrolling_the_same_reference_again_replaces_it() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    import(&mut store, &roster("M1", 1, &["A"]));
    enrol(&mut store, "A", "1", 0.1);
    enrol(&mut store, "A", "1", 0.2);
    check_references(store.read(), "M1", &[("A", "1", 0.2)]);
    let enrolments = store.read().enrolments(&organisation()).unwrap();
    assert_eq!(enrolments.len(), 1);
    assert_eq!(enrolments[0].person, person("A"));
    assert_eq!(enrolments[0].space, space());
    assert_eq!(enrolments[0].origin, Origin::Photograph);
    assert_eq!(enrolments[0].at, WallTime(7));
    assert!((enrolments[0].quality.face_width_px - 120.5).abs() < f32::EPSILON);
    assert!((enrolments[0].quality.sharpness - 0.25).abs() < f32::EPSILON);
}

#[test]
fn nobody_has_more_references_than_allowed() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    for number in 0..REFERENCES_PER_PERSON_MAX {
        enrol(&mut store, "A", &number.to_string(), 0.1);
    }
    let error = enrol_as(&mut store, "A", "more", &template(0.1)).unwrap_err();
    assert!(
        error.to_string().contains("person A has 16 references"),
        "{error}"
    );
    enrol(&mut store, "A", "0", 0.3); // replacing is not one more
    enrol(&mut store, "B", "1", 0.1);
}

#[test]
fn references_are_replaced_all_together_or_not_at_all() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    import(&mut store, &roster("M", 1, &["A", "B"]));
    enrol(&mut store, "A", "old", 0.1);
    enrol(&mut store, "B", "other", 0.2);
    let (organisation, who) = (organisation(), person("A"));
    let template = template(0.3);
    let mut replace = |names: &[String]| {
        let ids: Vec<_> = names
            .iter()
            .map(|id| ReferenceId::new(id).unwrap())
            .collect();
        let enrolments: Vec<_> = ids
            .iter()
            .map(|reference| Enrolment {
                organisation: &organisation,
                person: &who,
                reference,
                template: &template,
                quality: QualityNumbers::default(),
                origin: Origin::Photograph,
                at: WallTime(8),
            })
            .collect();
        store.replace_enrolment(&enrolments)
    };
    let names: Vec<String> = (0..=REFERENCES_PER_PERSON_MAX)
        .map(|n| format!("r{n}"))
        .collect();
    let error = replace(&names).unwrap_err();
    assert!(
        matches!(error, StoreError::TooManyReferences { .. }),
        "{error:?}"
    );
    let unchanged = [("A", "old", 0.1), ("B", "other", 0.2)];
    check_references(
        &LocalReader::open(&fixture.path(), &device(), fixture.keys.clone()).unwrap(),
        "M",
        &unchanged,
    );

    let replaced = replace(&names[..2]).unwrap();
    assert_eq!(replaced.meetings, [meeting("M")]);
    let expect = [("A", "r0", 0.3), ("A", "r1", 0.3), ("B", "other", 0.2)];
    check_references(store.read(), "M", &expect);
}

/// Whether some bytes stand in one of the store's files.
fn on_disk(path: &Path, bytes: &[u8]) -> bool {
    ["", "-wal"].iter().any(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = std::fs::read(PathBuf::from(name)).unwrap_or_default();
        file.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// All wrapped keys and sealed templates in the store.
fn ciphertexts(path: &Path) -> Vec<Vec<u8>> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let query = "SELECT wrapped FROM wrapped_key UNION ALL SELECT sealed FROM enrolment
                 UNION ALL SELECT sealed FROM meeting_reference";
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(|row| row.unwrap()).collect()
}

#[test]
fn what_is_destroyed_is_gone_from_the_disk() {
    let fixture = Fixture::new();
    let path = fixture.path();
    let mut store = fixture.open();
    enrol(&mut store, "A", "1", 0.1);
    import(&mut store, &roster("M1", 1, &["A"]));
    drop(store);
    let before = ciphertexts(&path);
    assert_eq!(before.len(), 4);
    assert!(before.iter().all(|bytes| on_disk(&path, bytes)));

    let mut store = fixture.open();
    store.forget_references(&meeting("M1")).unwrap();
    check_references(store.read(), "M1", &[]);
    assert!(!store.read().rosters().unwrap()[0].has_key);
    assert!(store.read().roster(&meeting("M1")).unwrap().is_some());
    // Without the meeting's key no reference is copied to it any more.
    assert_eq!(enrol(&mut store, "A", "2", 0.2).meetings, []);
    store
        .remove_enrolment(&organisation(), &person("A"))
        .unwrap();
    store.forget_enrolments(&organisation()).unwrap();
    store.remove_meeting(&meeting("M1")).unwrap();
    assert_eq!(store.read().rosters().unwrap(), []);
    drop(store);
    assert!(before.iter().all(|bytes| !on_disk(&path, bytes)));
    assert!(!on_disk(&path, "Mẫu Thị A".as_bytes()));
}

#[test]
fn a_removed_person_is_on_no_roster() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    import(&mut store, &roster("M1", 1, &["A", "B"]));
    enrol(&mut store, "A", "1", 0.1);
    enrol(&mut store, "A", "2", 0.1);
    enrol(&mut store, "B", "1", 0.2);
    assert_eq!(
        store
            .remove_enrolment(&organisation(), &person("A"))
            .unwrap(),
        2
    );
    assert_eq!(
        store
            .remove_enrolment(&organisation(), &person("A"))
            .unwrap(),
        0
    );
    check_references(store.read(), "M1", &[("B", "1", 0.2)]);
    assert!(import(&mut store, &roster("M1", 2, &["A", "B"])).changed);
    check_references(store.read(), "M1", &[("B", "1", 0.2)]);
}

#[test]
fn a_meeting_that_is_not_there_is_named() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    for error in [
        store
            .read()
            .references(&meeting("M1"), &space())
            .err()
            .unwrap(),
        store.forget_references(&meeting("M1")).unwrap_err(),
        store.remove_meeting(&meeting("M1")).unwrap_err(),
    ] {
        assert!(
            error
                .to_string()
                .contains("no roster of meeting M1; import it"),
            "{error}"
        );
    }
}

#[test]
fn no_template_stands_in_the_file_unsealed() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    import(&mut store, &roster("M1", 1, &["A"]));
    enrol(&mut store, "A", "1", 0.1);
    drop(store);
    let plain = template(0.1).to_bytes();
    assert!(!on_disk(&fixture.path(), &plain[..8]));
    let mode = std::os::unix::fs::MetadataExt::mode(&fixture.path().metadata().unwrap());
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn another_devices_key_opens_nothing() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    enrol(&mut store, "A", "1", 0.1);
    import(&mut store, &roster("M1", 1, &["A"]));
    drop(store);
    let stolen: Arc<dyn KeyStore> = Arc::new(MemoryKeyStore::generate().unwrap());
    let reader = LocalReader::open(&fixture.path(), &device(), stolen.clone()).unwrap();
    let error = reader.references(&meeting("M1"), &space()).err().unwrap();
    assert!(
        matches!(error, StoreError::Seal(SealError::Wrapped(_))),
        "{error}"
    );
    let renamed = DeviceId::new("kiosk-08").unwrap();
    let reader = LocalReader::open(&fixture.path(), &renamed, fixture.keys.clone()).unwrap();
    let error = reader.references(&meeting("M1"), &space()).err().unwrap();
    assert!(
        matches!(error, StoreError::Seal(SealError::Wrapped(_))),
        "{error}"
    );
    drop(reader);

    // The way out: begin the enrolments anew, and import the roster again.
    let mut store = LocalStore::open(&fixture.path(), &device(), stolen).unwrap();
    assert!(enrol_as(&mut store, "A", "1", &template(0.1)).is_err());
    store.forget_enrolments(&organisation()).unwrap();
    assert!(import(&mut store, &roster("M1", 1, &["A"])).changed);
    enrol(&mut store, "A", "1", 0.1);
    check_references(store.read(), "M1", &[("A", "1", 0.1)]);
    assert!(!import(&mut store, &roster("M1", 1, &["A"])).changed);
}

#[test]
fn a_reference_put_in_anothers_place_is_named_and_left_out() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    import(&mut store, &roster("M1", 1, &["A", "B"]));
    enrol(&mut store, "A", "1", 0.1);
    enrol(&mut store, "B", "1", 0.2);
    drop(store);
    let connection = rusqlite::Connection::open(fixture.path()).unwrap();
    for table in ["meeting_reference", "enrolment"] {
        let swap = format!(
            "UPDATE {table} SET sealed = (SELECT sealed FROM {table} WHERE person = 'A')
             WHERE person = 'B'"
        );
        assert_eq!(connection.execute(&swap, []).unwrap(), 1);
    }
    drop(connection);
    let mut store = fixture.open();
    let opened = store.read().references(&meeting("M1"), &space()).unwrap();
    assert_eq!(opened.references.len(), 1);
    assert_eq!(opened.broken.len(), 1);
    let text = opened.broken[0].to_string();
    assert!(
        text.contains("reference 1 of person B does not open"),
        "{text}"
    );
    // Nor does it come onto the next roster.
    let imported = import(&mut store, &roster("M1", 2, &["A", "B"]));
    let reference = ReferenceId::new("1").unwrap();
    assert_eq!(imported.unreadable, [(person("B"), reference)]);
    assert_eq!(imported.without_reference, [person("B")]);
    check_references(store.read(), "M1", &[("A", "1", 0.1)]);
}

#[test]
fn one_process_at_a_time_changes_the_store_and_others_read_it() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    import(&mut store, &roster("M1", 1, &["A"]));
    let second = LocalStore::open(&fixture.path(), &device(), fixture.keys.clone());
    let error = second.err().unwrap();
    assert!(
        matches!(
            error,
            StoreError::Database(LedgerError::Locked { by: Some(_), .. })
        ),
        "{error}"
    );
    let reader = LocalReader::open(&fixture.path(), &device(), fixture.keys.clone()).unwrap();
    enrol(&mut store, "A", "1", 0.1);
    check_references(&reader, "M1", &[("A", "1", 0.1)]);
}

#[test]
fn a_damaged_roster_is_told() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    import(&mut store, &roster("M1", 1, &["A"]));
    drop(store);
    let connection = rusqlite::Connection::open(fixture.path()).unwrap();
    connection
        .execute("UPDATE roster SET bytes = zeroblob(length(bytes))", [])
        .unwrap();
    drop(connection);
    let store = fixture.open();
    let error = store.read().roster(&meeting("M1")).unwrap_err();
    assert!(
        matches!(error, StoreError::Database(LedgerError::Corrupt { .. })),
        "{error}"
    );
}

#[test]
fn a_value_larger_than_any_of_ours_is_not_read() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    import(&mut store, &roster("M1", 1, &["A"]));
    drop(store);
    let connection = rusqlite::Connection::open(fixture.path()).unwrap();
    connection
        .execute("UPDATE roster SET bytes = zeroblob(40000000)", [])
        .unwrap();
    drop(connection);
    let reader = LocalReader::open(&fixture.path(), &device(), fixture.keys.clone()).unwrap();
    let error = reader.roster(&meeting("M1")).unwrap_err();
    assert!(
        matches!(error, StoreError::Database(LedgerError::Corrupt { .. })),
        "{error:?}"
    );
}

#[test]
fn a_roster_of_ten_thousand_is_taken() {
    let fixture = Fixture::new();
    let mut store = fixture.open();
    let ids: Vec<String> = (0..10_000)
        .map(|number| format!("DB-{number:05}"))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let whole = roster("M1", 1, &ids);
    for (number, id) in ids.iter().take(200).enumerate() {
        enrol(&mut store, id, "1", number as f32);
    }
    let imported = import(&mut store, &whole);
    assert_eq!(imported.without_reference.len(), 9_800);
    assert_eq!(store.read().roster(&meeting("M1")).unwrap(), Some(whole));
    let opened = store.read().references(&meeting("M1"), &space()).unwrap();
    assert_eq!(opened.references.len(), 200);
    assert_eq!(store.read().rosters().unwrap()[0].with_reference, 200);
}
