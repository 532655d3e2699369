//! What the city sends: a roster is taken whole or not at all and never goes back; what is closed
//! or withdrawn is gone from the disk; the kiosk's account reads it and cannot write it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::{
    CardHolder, CityCard, CityMeeting, CityReader, CityReference, CityRoster, CityStore, Holding,
    INVITATION_KEYS_MAX, LedgerError, Put, REFERENCES_PER_PERSON_MAX, Reader, StoreError,
    SubstituteRight, Watermark,
};
use seal::{
    DataKey, DevicePublicKey, KeyId, KeyStore, MemoryKeyStore, Scope, TemplateBinding, WrapBinding,
    WrappedKey, card_hash, seal_template, wrap,
};
use support::cut::{Files, Random, directory, mix};
use support::{at, body, device, open, other_process, task};
use tempfile::TempDir;
use vocabulary::{
    Attendance, CardNumber, Delegate, Digest, Epoch, FeatureSpace, Meeting, MeetingId,
    OrganisationId, PersonId, ReferenceId, Role, RoomId, Roster, RosterEntry, Sequence, Template,
    WallTime,
};

/// How many random mixtures of each power cut are tried.
const MIXTURES: u64 = 40;

/// An account that owns nothing.
const NOBODY: u32 = 65_534;

/// The city's side of a meeting: its key, and what it is wrapped for.
struct City {
    directory: TempDir,
    keys: Arc<MemoryKeyStore>,
    key: DataKey,
    key_id: KeyId,
}

impl City {
    fn new() -> Self {
        Self {
            directory: directory(),
            keys: Arc::new(MemoryKeyStore::generate().unwrap()),
            key: DataKey::generate().unwrap(),
            key_id: KeyId([1; 16]),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("city.db")
    }

    fn open(&self) -> CityStore {
        CityStore::open(&self.path()).unwrap()
    }

    fn read(&self) -> CityReader {
        CityReader::open(&self.path(), &device(), self.keys.clone()).unwrap()
    }

    fn wrapped(&self, for_whom: &DevicePublicKey) -> WrappedKey {
        let binding = WrapBinding {
            device: device(),
            key: self.key_id,
            scope: scope(),
        };
        wrap(&self.key, &binding, for_whom).unwrap()
    }

    fn put_key(&self, store: &mut CityStore) -> bool {
        let wrapped = self.wrapped(self.keys.public_key());
        store
            .put_key(&organisation(), &meeting(), self.key_id, &wrapped)
            .unwrap()
    }

    /// A roster of so many people, each with one reference.
    fn roster(&self, generation: u64, people: usize) -> CityRoster {
        let entries = (0..people).map(|n| entry(n, Attendance::FaceOrCode));
        let references = (0..people).map(|n| self.reference(n, 0));
        CityRoster {
            roster: Roster::new(meeting_of(), generation, entries.collect()).unwrap(),
            key: self.key_id,
            references: references.collect(),
            invitation_keys: vec![[7; 32]],
            substitutes: vec![SubstituteRight {
                person: person(0),
                instead_of: person(1),
                document: "12/GUQ".to_owned(),
            }],
            citizen_cards: vec![CityCard {
                person: person(0),
                hash: card_hash(&self.key, &scope(), &card("001099000001")),
            }],
        }
    }

    fn reference(&self, of: usize, number: usize) -> CityReference {
        let (whose, reference) = (person(of), ReferenceId::new(&format!("r{number}")).unwrap());
        let binding = TemplateBinding {
            scope: &scope(),
            person: &whose,
            reference: &reference,
            space: &space(),
        };
        let sealed = seal_template(&self.key, &binding, &template(of)).unwrap();
        CityReference {
            person: whose,
            reference,
            space: space(),
            sealed,
        }
    }
}

fn card(number: &str) -> CardNumber {
    CardNumber::new(number).unwrap()
}

fn organisation() -> OrganisationId {
    OrganisationId::new("mau").unwrap()
}

fn meeting() -> MeetingId {
    MeetingId::new("GB-12").unwrap()
}

fn scope() -> Scope {
    Scope {
        organisation: organisation(),
        meeting: Some(meeting()),
    }
}

fn person(number: usize) -> PersonId {
    PersonId::new(&format!("p-{number}")).unwrap()
}

fn space() -> FeatureSpace {
    FeatureSpace::new("sface", Digest([1; 32]))
}

fn template(seed: usize) -> Template {
    Template::normalise(space(), &[1.0, seed as f32, 2.0]).unwrap()
}

fn entry(number: usize, attendance: Attendance) -> RosterEntry {
    RosterEntry {
        delegate: Delegate {
            person: person(number),
            name: format!("Mẫu Thị {number}"),
            title: "Bà".to_owned(),
            unit: String::new(),
        },
        role: Role::Member,
        attendance,
    }
}

fn meeting_of() -> Meeting {
    Meeting {
        id: meeting(),
        organisation: organisation(),
        room: RoomId::new("P-201").unwrap(),
        doors: vec![],
        title: "Họp giao ban".to_owned(),
        starts_at: WallTime(1_795_500_000_000),
        ends_at: WallTime(1_795_510_000_000),
        zone: "Asia/Ho_Chi_Minh".to_owned(),
        quorum: None,
    }
}

fn put(store: &mut CityStore, roster: &CityRoster) -> Put {
    store.put_roster(roster, WallTime(9)).unwrap()
}

fn only(reader: &CityReader) -> CityMeeting {
    let mut meetings = reader.meetings().unwrap();
    assert_eq!(meetings.len(), 1);
    meetings.pop().unwrap()
}

/// Generation, people and opened references of the one meeting.
fn state(reader: &CityReader) -> (u64, usize, usize) {
    let CityMeeting { summary, .. } = only(reader);
    let opened = reader.references(&meeting(), &space()).unwrap();
    assert!(opened.broken.is_empty(), "{:?}", opened.broken);
    (summary.generation, summary.entries, opened.references.len())
}

#[test]
fn a_roster_arrives_whole_with_all_that_belongs_to_it() {
    let city = City::new();
    let mut store = city.open();
    let sent = city.roster(3, 2);
    assert_eq!(put(&mut store, &sent), Put::Taken);
    assert!(city.put_key(&mut store));
    let reader = city.read();
    assert_eq!(reader.roster(&meeting()).unwrap(), Some(sent.roster));
    let opened = reader.references(&meeting(), &space()).unwrap();
    let expect = [0, 1].map(|n| (person(n), ReferenceId::new("r0").unwrap(), template(n)));
    assert_eq!(opened.references, expect);
    assert_eq!(reader.spaces(&meeting()).unwrap(), [space()]);
    assert_eq!(reader.invitation_keys(&meeting()).unwrap(), [[7; 32]]);
    assert_eq!(reader.substitutes(&meeting()).unwrap(), sent.substitutes);
    let CityMeeting { summary, closed } = only(&reader);
    assert_eq!((summary.with_reference, summary.has_key), (2, true));
    assert!(!closed);
    let held = store.held().unwrap();
    assert_eq!((held[0].generation, held[0].key), (3, Some(city.key_id)));
    assert_eq!(held[0].holding, Holding::Roster);
}

#[test]
fn a_citizen_card_is_known_again_while_the_meeting_s_key_is_here() {
    let city = City::new();
    let mut store = city.open();
    let mut sent = city.roster(3, 3);
    put(&mut store, &sent);
    let reader = city.read();
    let check = |number: &str, expect: CardHolder| {
        let found = reader.card_holder(&meeting(), &card(number)).unwrap();
        assert_eq!(found, expect, "{number}");
    };
    check("001099000001", CardHolder::NoKey);
    city.put_key(&mut store);
    check("001099000001", CardHolder::Person(person(0)));
    check("001099000002", CardHolder::Unknown);
    let unknown = reader.card_holder(&MeetingId::new("GB-9").unwrap(), &card("001099000001"));
    assert!(matches!(unknown, Err(StoreError::UnknownMeeting(_))));
    // Two people for whom one number was handed in: the card cannot say which.
    let hash = sent.citizen_cards[0].hash;
    let of = |n| CityCard {
        person: person(n),
        hash,
    };
    sent.roster = city.roster(4, 3).roster;
    sent.citizen_cards = vec![of(0), of(1)];
    put(&mut store, &sent);
    check("001099000001", CardHolder::Several);
    sent.roster = city.roster(5, 3).roster;
    sent.citizen_cards.clear();
    put(&mut store, &sent);
    check("001099000001", CardHolder::Unknown);
    sent.roster = city.roster(6, 3).roster;
    sent.citizen_cards = vec![of(1)];
    put(&mut store, &sent);
    store.close(&meeting(), 7).unwrap();
    check("001099000001", CardHolder::NoKey);
    let file = std::fs::read(city.path()).unwrap();
    assert!(!file.windows(32).any(|bytes| bytes == hash.0), "destroyed");
    for cards in [vec![of(1), of(1)], vec![of(9)]] {
        sent.roster = city.roster(8, 3).roster;
        sent.citizen_cards = cards;
        let refused = store.put_roster(&sent, WallTime(1));
        assert!(matches!(refused, Err(StoreError::CardOfNobody { .. })));
    }
}

#[test]
fn rosters_never_go_back() {
    let city = City::new();
    let mut store = city.open();
    city.put_key(&mut store);
    assert_eq!(put(&mut store, &city.roster(3, 2)), Put::Taken);
    assert_eq!(put(&mut store, &city.roster(3, 2)), Put::Same);
    assert_eq!(put(&mut store, &city.roster(2, 3)), Put::Older);
    let conflict = store.put_roster(&city.roster(3, 4), WallTime(9));
    assert!(
        matches!(conflict, Err(StoreError::Conflict { generation: 3, .. })),
        "{conflict:?}"
    );
    assert_eq!(state(&city.read()), (3, 2, 2));
    assert_eq!(put(&mut store, &city.roster(7, 4)), Put::Taken);
    assert_eq!(state(&city.read()), (7, 4, 4));
}

#[test]
fn a_withdrawn_meeting_is_gone_until_a_later_roster_comes() {
    let city = City::new();
    let mut store = city.open();
    city.put_key(&mut store);
    put(&mut store, &city.roster(3, 2));
    assert_eq!(store.withdraw(&meeting(), 2).unwrap(), Put::Older);
    assert_eq!(state(&city.read()).0, 3);
    assert_eq!(store.withdraw(&meeting(), 5).unwrap(), Put::Taken);
    assert_eq!(store.withdraw(&meeting(), 5).unwrap(), Put::Same);
    let held = store.held().unwrap();
    assert_eq!(
        (held[0].generation, held[0].holding),
        (5, Holding::Withdrawn)
    );
    let reader = city.read();
    assert_eq!(reader.meetings().unwrap(), []);
    assert_eq!(reader.invitation_keys(&meeting()).unwrap().len(), 0);
    assert!(!city.put_key(&mut store), "no key without a meeting");
    for generation in [3, 5] {
        assert_eq!(put(&mut store, &city.roster(generation, 2)), Put::Older);
    }
    assert_eq!(put(&mut store, &city.roster(6, 2)), Put::Taken);
    assert!(city.put_key(&mut store));
    assert_eq!(state(&reader), (6, 2, 2));
    assert_eq!(store.held().unwrap()[0].holding, Holding::Roster);
}

#[test]
fn a_closed_meeting_has_no_key_and_no_reference_on_the_disk() {
    let city = City::new();
    let mut store = city.open();
    city.put_key(&mut store);
    let sent = city.roster(3, 2);
    put(&mut store, &sent);
    let secret = sent.references[0].sealed.as_bytes().to_vec();
    let wrapped = city.wrapped(city.keys.public_key());
    assert_eq!(store.close(&meeting(), 4).unwrap(), Put::Taken);
    assert_eq!(store.close(&meeting(), 4).unwrap(), Put::Same);
    let held = store.held().unwrap();
    assert_eq!((held[0].generation, held[0].holding), (4, Holding::Closed));
    assert_eq!(held[0].key, None);
    let reader = city.read();
    let CityMeeting { summary, closed } = only(&reader);
    assert!(closed && !summary.has_key);
    assert_eq!((summary.entries, summary.with_reference), (2, 0));
    assert!(!city.put_key(&mut store), "it stays closed");
    assert_eq!(put(&mut store, &city.roster(4, 3)), Put::Taken);
    assert_eq!(state(&reader), (4, 3, 0));
    drop((store, reader));
    for entry in fs::read_dir(city.directory.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for gone in [&secret[..], wrapped.as_bytes()] {
            assert!(!bytes.windows(gone.len()).any(|window| window == gone));
        }
    }
}

#[test]
fn a_key_comes_before_the_roster_or_after_and_is_replaced() {
    let city = City::new();
    let mut store = city.open();
    assert!(city.put_key(&mut store));
    let wrapped = city.wrapped(city.keys.public_key());
    let put_again = |store: &mut CityStore, key: KeyId, wrapped: &WrappedKey| {
        store
            .put_key(&organisation(), &meeting(), key, wrapped)
            .unwrap()
    };
    put(&mut store, &city.roster(1, 1));
    assert!(put_again(&mut store, city.key_id, &wrapped), "other bytes");
    assert!(!put_again(&mut store, city.key_id, &wrapped), "the same");
    assert_eq!(state(&city.read()), (1, 1, 1));
    // A roster that is sealed under another key makes the one that is here useless.
    let other = City {
        key_id: KeyId([2; 16]),
        ..City::new()
    };
    assert_eq!(put(&mut store, &other.roster(1, 1)), Put::Taken);
    assert_eq!(state(&city.read()), (1, 1, 0));
    assert!(!only(&city.read()).summary.has_key);
    assert_eq!(store.held().unwrap()[0].key, None);
}

#[test]
fn what_no_city_may_send_changes_nothing() {
    let city = City::new();
    let mut store = city.open();
    city.put_key(&mut store);
    put(&mut store, &city.roster(1, 2));
    let mut refused = |sent: CityRoster, expect: &str| {
        let error = store.put_roster(&sent, WallTime(9)).unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
        assert_eq!(state(&city.read()), (1, 2, 2), "{expect}");
    };
    let mut sent = city.roster(2, 2);
    sent.references.push(city.reference(2, 0));
    refused(sent, "reference of person p-2, who is not called by face");
    let mut sent = city.roster(2, 1);
    let by_code = vec![entry(0, Attendance::CodeOnly)];
    sent.roster = Roster::new(meeting_of(), 2, by_code).unwrap();
    refused(sent, "reference of person p-0, who is not called by face");
    let mut sent = city.roster(2, 2);
    let many = (0..=REFERENCES_PER_PERSON_MAX).map(|number| city.reference(1, number));
    sent.references = many.collect();
    refused(sent, "person p-1 has 16 references");
    let mut sent = city.roster(2, 2);
    sent.invitation_keys = vec![[3; 32]; INVITATION_KEYS_MAX + 1];
    refused(sent, "65 invitation keys");
    let mut sent = city.roster(2, 2);
    sent.substitutes[0].document = "x".repeat(257);
    refused(sent, "257 bytes of a substitution's document");
}

#[test]
fn the_watermark_and_the_last_contact_are_kept() {
    let city = City::new();
    let mark = Watermark {
        store: [1; 16],
        incarnation: [2; 16],
        epoch: Epoch([3; 16]),
        through: Sequence(4711),
    };
    let mut store = city.open();
    assert_eq!(store.watermark().unwrap(), None);
    assert_eq!(store.last_contact().unwrap(), None);
    store.set_watermark(&mark).unwrap();
    store.set_last_contact(WallTime(77)).unwrap();
    drop(store);
    let store = city.open();
    assert_eq!(store.watermark().unwrap(), Some(mark));
    assert_eq!(city.read().watermark().unwrap(), Some(mark));
    assert_eq!(city.read().last_contact().unwrap(), Some(WallTime(77)));
}

#[test]
fn records_that_were_not_taken_are_remembered_until_they_are() {
    let city = City::new();
    let mut store = city.open();
    let epoch = Epoch([3; 16]);
    for number in [9, 4, 9] {
        store.set_aside(epoch, Sequence(number), true).unwrap();
    }
    let expect = [(epoch, Sequence(4)), (epoch, Sequence(9))];
    assert_eq!(store.all_set_aside().unwrap(), expect);
    store.set_aside(epoch, Sequence(4), false).unwrap();
    assert_eq!(store.all_set_aside().unwrap(), expect[1..]);
}

#[test]
fn one_process_writes() {
    let city = City::new();
    let _store = city.open();
    let again = CityStore::open(&city.path()).err().unwrap();
    assert!(
        matches!(again, StoreError::Database(LedgerError::Locked { .. })),
        "{again:?}"
    );
}

#[test]
fn a_reader_sees_changes_by_their_number() {
    let city = City::new();
    let mut store = city.open();
    put(&mut store, &city.roster(1, 1));
    let reader = city.read();
    let before = reader.version().unwrap();
    assert_eq!(reader.version().unwrap(), before);
    put(&mut store, &city.roster(2, 1));
    assert_ne!(reader.version().unwrap(), before);
    assert!(reader.is_current());
    fs::rename(city.path(), city.directory.path().join("away.db")).unwrap();
    assert!(!reader.is_current());
}

/// What the other process of the tests below does: read as an account that owns nothing.
#[test]
fn process_reads() {
    let Some(path) = task() else { return };
    let keys = Arc::new(MemoryKeyStore::generate().unwrap());
    let reader = CityReader::open(&path.join("city.db"), &device(), keys).unwrap();
    let generation = only(&reader).summary.generation;
    assert!(CityStore::open(&path.join("city.db")).is_err());
    let ledger = Reader::open(&path.join("ledger.db")).unwrap();
    let records = ledger.read_after(Sequence(0), 100).unwrap().len();
    assert_eq!(ledger.count_after(Sequence(0)).unwrap(), records as u64);
    println!("\nread {generation} {records}");
}

/// Reads as an account that is in the group and may write nothing; without the right to become
/// another account, as this one with everything made read-only.
fn read_as_another_account(directory: &Path) -> (u64, u64) {
    let mut command = other_process("process_reads", directory);
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        let group = fs::metadata(directory).unwrap().gid();
        // The test program itself lies where another account may not look.
        let program = directory.join("test-program");
        if !program.exists() {
            fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        command = std::process::Command::new(program);
        command
            .args(["--exact", "process_reads", "--nocapture"])
            .env("LEDGER_TEST_TASK", directory)
            .current_dir("/")
            .uid(NOBODY)
            .gid(group);
        fs::set_permissions(directory, fs::Permissions::from_mode(0o750)).unwrap();
    } else {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o550)).unwrap();
    }
    let output = command.output().unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o750)).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("read "));
    let line = line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    let (generation, records) = line.split_once(' ').unwrap();
    (generation.parse().unwrap(), records.parse().unwrap())
}

#[test]
fn an_account_that_may_only_read_sees_what_is_written() {
    let city = City::new();
    let ledger_path = city.directory.path().join("ledger.db");
    let mut store = city.open();
    let mut ledger = open(&ledger_path).unwrap();
    for number in 1..=5 {
        put(&mut store, &city.roster(number, 1));
        ledger.append(at(number), body(number)).unwrap();
        assert_eq!(
            read_as_another_account(city.directory.path()),
            (number, number),
            "while it is written"
        );
    }
    for name in ["city.db", "city.db-wal", "city.db-shm", "ledger.db-wal"] {
        let mode = fs::metadata(city.directory.path().join(name)).unwrap();
        assert_eq!(mode.mode() & 0o777, 0o640, "{name}");
    }
    drop((store, ledger));
    assert_eq!(
        read_as_another_account(city.directory.path()),
        (5, 5),
        "when nobody writes it"
    );
}

/// The other process of the next test: writes, and is gone without closing anything.
#[test]
fn process_dies_writing() {
    let Some(path) = task() else { return };
    let city = City::new();
    let mut store = CityStore::open(&path.join("city.db")).unwrap();
    let mut ledger = open(&path.join("ledger.db")).unwrap();
    put(&mut store, &city.roster(8, 1));
    store.set_last_contact(WallTime(5)).unwrap();
    ledger.append(at(1), body(1)).unwrap();
    println!("\nwritten");
    std::process::abort();
}

#[test]
fn an_account_that_may_only_read_sees_what_a_dead_process_wrote() {
    let city = City::new();
    let mut writer = other_process("process_dies_writing", city.directory.path());
    let output = writer.output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("written"));
    let log = city.directory.path().join("city.db-wal");
    assert!(fs::metadata(log).unwrap().len() > 0, "nothing was closed");
    assert_eq!(read_as_another_account(city.directory.path()), (8, 1));
}

/// Opens the files as after a start and answers what the kiosk sees; all of it belongs together.
fn state_after_start(city: &City, files: &Files, what: &str) -> (u64, usize, usize) {
    let directory = directory();
    let path = directory.path().join("city.db");
    files.put(&path);
    let store = CityStore::open(&path).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let reader = CityReader::open(&path, &device(), city.keys.clone()).unwrap();
    let found = state(&reader);
    drop(store);
    found
}

#[test]
fn a_power_cut_leaves_the_roster_before_or_the_one_after_and_nothing_between() {
    let city = City::new();
    let mut store = city.open();
    city.put_key(&mut store);
    put(&mut store, &city.roster(1, 30));
    // The log is emptied after each change, so what is cut is the commit, within a log that a
    // reader has kept from being emptied.
    let before = Files::copy(&city.path());
    let blocker = city.read();
    let snapshot = blocker.meetings().unwrap();
    assert_eq!(snapshot.len(), 1);
    let connection = rusqlite::Connection::open(city.path()).unwrap();
    connection
        .execute_batch("BEGIN; SELECT count(*) FROM roster;")
        .unwrap();
    put(&mut store, &city.roster(2, 50));
    let after = Files::copy(&city.path());
    assert!(after.log.len() > before.log.len());
    let whole = [(1, 30, 30), (2, 50, 50)];
    assert_eq!(state_after_start(&city, &before, "before"), whole[0]);
    assert_eq!(state_after_start(&city, &after, "after"), whole[1]);
    for length in (0..after.log.len()).step_by(1777) {
        let files = Files {
            database: after.database.clone(),
            log: after.log[..length].to_vec(),
        };
        let what = format!("cut off at {length}");
        let found = state_after_start(&city, &files, &what);
        assert!(whole.contains(&found), "{what}: {found:?}");
    }
    for seed in 0..MIXTURES {
        let files = Files {
            database: after.database.clone(),
            log: mix(&before.log, &after.log, &mut Random(seed)),
        };
        let what = format!("mixture of seed {seed}");
        let found = state_after_start(&city, &files, &what);
        assert!(whole.contains(&found), "{what}: {found:?}");
    }
    drop(connection);
}
