//! Whatever a hub sends, which may be broken, taken over or wrong: the daemon goes on, within its
//! memory, says what is the matter, and believes nothing of it.

#![allow(
    clippy::unwrap_used,
    reason = "whatever is missing here fails the test that needs it"
)]

mod city;
#[path = "../door/mod.rs"]
#[allow(dead_code, reason = "the other test of the daemon uses the rest")]
mod door;
mod offers;

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use vocabulary::{
    Attendance, Delegate, DoorId, Meeting, MeetingId, OrganisationId, PersonId, Role, RoomId,
    Roster, RosterEntry, WallTime,
};
use wire::Base64;
use wire::limits::{DEVICE_MEETINGS_BYTES_MAX, ROSTER_BODY_BYTES_MAX};
use wire::packing::Packing;

use city::{City, Question, Reply, STORE, accepted, hex};
use door::{Door, wait_until};

/// The most memory of a daemon that is sent anything but a roster, in KiB. It has some twenty
/// thousand before.
const MEMORY_KIB_MAX: u64 = 64 << 10;

/// The same while a roster comes: its largest answer beside that.
const ROSTER_MEMORY_KIB_MAX: u64 = MEMORY_KIB_MAX + (ROSTER_BODY_BYTES_MAX as u64 >> 10);

/// The largest answer of the list, and what both systems' sockets hold beside it.
const LIST_SENT_BYTES_MAX: usize = DEVICE_MEETINGS_BYTES_MAX + SOCKETS_BYTES_MAX;
const SOCKETS_BYTES_MAX: usize = 40 << 20;

/// What the daemon says of a list that is none.
const GARBLED: &str = "what the hub answers cannot be read";

/// What it says of such a roster.
const UNUSABLE: &str = "the roster of meeting M-1 cannot be used";

/// What an answer is made by.
type Answering = Box<dyn Fn() -> Reply + Send + Sync>;

/// Lets a daemon ask a hub that answers so, until it tells of this trouble; gives both. Nothing was
/// kept then.
#[track_caller]
fn check(
    what: &str,
    script: impl Fn(&Question) -> Reply + Send + Sync + 'static,
    trouble: &str,
    memory_kib_max: u64,
) -> City {
    let city = City::start(script);
    let mut door = Door::enrolled(&city.url(), &city.token);
    door.start();
    door.wait_for_trouble(trouble);
    let memory = door.memory_max_kib();
    eprintln!("{what}: at most {memory} KiB of memory");
    assert!(memory < memory_kib_max, "{what}: {memory} KiB");
    door.stop();
    assert_eq!(door.held(), Vec::<String>::new(), "{what}");
    city
}

/// The list of meetings is answered so.
#[track_caller]
fn check_list(
    what: &str,
    reply: impl Fn() -> Reply + Send + Sync + 'static,
    trouble: &str,
) -> City {
    let script = move |question: &Question| match question.is_list() {
        true => reply(),
        false => Reply::Usual,
    };
    check(what, script, trouble, MEMORY_KIB_MAX)
}

/// The list has one meeting whose roster has this digest, and the roster is answered so.
#[track_caller]
fn check_roster(
    what: &str,
    generation: u64,
    digest: String,
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> City {
    let script = move |question: &Question| {
        if question.is_list() {
            Reply::json(&list("M-1", generation, &digest))
        } else if question.is_roster() {
            reply()
        } else {
            Reply::Usual
        }
    };
    check(what, script, UNUSABLE, ROSTER_MEMORY_KIB_MAX)
}

fn list(meeting: &str, generation: u64, digest: &str) -> Value {
    json!({
        "meetings": [{
            "meeting": meeting, "generation": generation, "digest": digest,
            "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z",
            "closed": false,
        }],
        "withdrawn": [],
        "now": "2026-01-01T00:00:00Z",
    })
}

/// The canonical bytes of a roster with one person of this name.
fn roster(generation: u64, person: &str, name: &str) -> Vec<u8> {
    let meeting = Meeting {
        id: MeetingId::new("M-1").unwrap(),
        organisation: OrganisationId::new("mau").unwrap(),
        room: RoomId::new("G1").unwrap(),
        doors: vec![DoorId::new("A1").unwrap()],
        title: "Cuộc họp mẫu".into(),
        starts_at: WallTime(1_767_225_600_000),
        ends_at: WallTime(1_767_229_200_000),
        zone: "Asia/Ho_Chi_Minh".into(),
        quorum: None,
    };
    let entry = RosterEntry {
        delegate: Delegate {
            person: PersonId::new(person).unwrap(),
            name: name.into(),
            title: String::new(),
            unit: String::new(),
        },
        role: Role::Member,
        attendance: Attendance::FaceOrCode,
    };
    record::encode_roster(&Roster::new(meeting, generation, vec![entry]).unwrap())
}

/// The digest of a roster's bytes.
fn digest(bytes: &[u8]) -> String {
    hex(&record::digest(bytes).0)
}

/// A roster as it travels, with the right digest of whatever bytes these are.
fn on_the_way(generation: u64, bytes: &[u8]) -> Value {
    json!({
        "organisation": "mau", "meeting": "M-1", "generation": generation,
        "digest": digest(bytes), "roster": Base64(bytes.to_vec()),
        "key": "22".repeat(16), "references": [],
    })
}

/// The same bytes with something else in one place.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut places = bytes.windows(from.len());
    let at = places.position(|part| part == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// The head of an answer without end.
fn endless_head(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 X\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

/// Spaces that come packed and never end: a beginning, and what may come again and again.
fn bomb(packing: Packing) -> Reply {
    let (first, again) = match packing {
        Packing::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            endless(&mut encoder, GzEncoder::get_mut)
        }
        Packing::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            endless(&mut encoder, |encoder| encoder.get_mut())
        }
    };
    let head = endless_head(&format!("Content-Encoding: {}\r\n", packing.name()));
    Reply::Endless([head, first].concat(), again)
}

/// What a packer gives for some spaces, and for as many behind them.
fn endless<E: Write>(encoder: &mut E, out: fn(&mut E) -> &mut Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    const PART: &[u8] = &[b' '; 4 << 20];
    let mut part = || -> io::Result<Vec<u8>> {
        encoder.write_all(PART)?;
        encoder.flush()?;
        Ok(std::mem::take(out(encoder)))
    };
    (part().unwrap(), part().unwrap())
}

fn redirect(to: &str) -> Reply {
    Reply::Whole(302, vec![("Location", to.to_owned())], Vec::new())
}

#[test]
fn an_answer_without_end_is_hung_up_on() {
    let spaces = vec![b' '; 64 << 10];
    let ten_gigabytes = endless_head("Content-Length: 10737418240\r\n");
    let endless = endless_head("");
    for (what, head) in [("10 GB", ten_gigabytes), ("no end", endless)] {
        let spaces = spaces.clone();
        let reply = move || Reply::Endless(head.clone(), spaces.clone());
        let city = check_list(what, reply, GARBLED);
        wait_until("hung up", || !city.hung_up_after().is_empty());
        let sent = city.hung_up_after();
        assert!(
            sent.iter().all(|sent| *sent < LIST_SENT_BYTES_MAX),
            "{what}: {sent:?}"
        );
    }
}

#[test]
fn a_bomb_is_not_unpacked() {
    for packing in Packing::ALL {
        check_list("a list", move || bomb(packing), GARBLED);
        check_roster("a roster", 1, "11".repeat(32), move || bomb(packing));
    }
}

#[test]
fn a_roster_without_end_is_hung_up_on() {
    let spaces = vec![b' '; 64 << 10];
    let reply = move || Reply::Endless(endless_head(""), spaces.clone());
    let city = check_roster("no end", 1, "11".repeat(32), reply);
    let sent = city.hung_up_after();
    let most = ROSTER_BODY_BYTES_MAX + SOCKETS_BYTES_MAX;
    assert!(sent.iter().all(|sent| *sent < most), "{sent:?}");
}

#[test]
fn headers_without_end_are_hung_up_on() {
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000)).into_bytes();
    let reply = move || Reply::Endless(b"HTTP/1.1 200 X\r\n".to_vec(), line.clone());
    let city = check_list("headers", reply, "the connection to the hub broke");
    wait_until("hung up", || !city.hung_up_after().is_empty());
    let sent = city.hung_up_after();
    assert!(
        sent.iter().all(|sent| *sent < LIST_SENT_BYTES_MAX),
        "{sent:?}"
    );
}

#[test]
fn no_redirect_is_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let plain = format!("http://{}/x", elsewhere.local_addr().unwrap());
    let secure = format!("https://{}/x", elsewhere.local_addr().unwrap());
    let itself = "/v1-draft/device/meetings".to_owned();
    for to in [
        itself,
        plain,
        secure,
        "file:///etc/passwd".into(),
        "/passwd".into(),
    ] {
        let reply = {
            let to = to.clone();
            move || redirect(&to)
        };
        let city = check_list(&to, reply, GARBLED);
        assert_eq!(city.asked("passwd"), 0);
        // Asked again after a while, as after any failure, but not in a circle.
        assert!(city.asked("/meetings") < 10, "{}", city.asked("/meetings"));
        let digest = "11".repeat(32);
        check_roster(&to.clone(), 1, digest, move || redirect(&to));
    }
    assert!(elsewhere.accept().is_err(), "somebody came");
}

#[test]
fn a_list_that_is_none_is_not_read() {
    let named = |meeting: &str| list(meeting, 1, &"11".repeat(32)).to_string();
    let strange = [
        "../../../../tmp/x",
        "x'; DROP TABLE meetings; --",
        "\u{1b}[2J\u{7}",
        "",
        "M 1",
        "Đ",
        &"x".repeat(1 << 20),
    ];
    let mut bodies: Vec<String> = strange.map(named).into();
    bodies.push("<html>Sign in</html>".into());
    bodies.push("[".repeat(1 << 20));
    bodies.push(format!("{{\"x\":{}", "{\"x\":".repeat(100_000)));
    bodies.push(named("M-1").replace("\"generation\":1", "\"generation\":-1"));
    bodies.push(named("M-1").replace("\"generation\":1", "\"generation\":1e400"));
    for body in bodies {
        let what: String = body.chars().take(100).collect();
        let reply = move || Reply::Whole(200, Vec::new(), body.clone().into_bytes());
        check_list(&what, reply, GARBLED);
    }
}

#[test]
fn a_refusal_s_own_words_are_neither_believed_nor_logged() {
    let words = "\u{1b}[2J\nERROR all is lost\u{7}".repeat(5_000);
    let problem = json!({ "type": "about:blank", "title": words, "status": 400, "detail": words });
    let reply = move || Reply::Whole(400, Vec::new(), problem.to_string().into_bytes());
    check_list(
        "words",
        reply,
        "the hub does not understand listDeviceMeetings (status 400)",
    );
}

#[test]
fn a_roster_that_is_none_is_not_kept() {
    let name = "X".repeat(200);
    let honest = roster(1, "p-mau.mau.mau.mau", &name);
    assert!(record::decode_roster(&honest).is_ok());
    let text = [&[0x78, 200], name.as_bytes()].concat();
    let long = [&[0x7a, 0, 0x10, 0, 0][..], &vec![b'X'; 1 << 20]].concat();
    let person = b"p-mau.mau.mau.mau";
    let strange = [
        ("a name of 1 MB", replaced(&honest, &text, &long)),
        (
            "a name of control characters",
            replaced(&honest, b"XXXX", b"\x1b[2J"),
        ),
        ("a name of NUL", replaced(&honest, b"X", b"\0")),
        ("a name of no UTF-8", replaced(&honest, b"X", b"\xff")),
        ("a path", replaced(&honest, person, b"../../../../tmp/x")),
        ("SQL", replaced(&honest, person, b"';DROP TABLE x;--")),
        ("cut off", honest[..honest.len() - 1].to_vec()),
        ("with more behind", [&honest[..], &[0]].concat()),
        (
            "billions of entries",
            replaced(
                &honest,
                &[3, 0x81],
                &[3, 0x9b, 255, 255, 255, 255, 255, 255, 255, 255],
            ),
        ),
        ("nested", vec![0x81; 1 << 20]),
        ("nothing", Vec::new()),
    ];
    for (what, bytes) in strange {
        let value = on_the_way(1, &bytes);
        check_roster(what, 1, digest(&bytes), move || Reply::json(&value));
    }
}

#[test]
fn a_roster_that_contradicts_itself_is_not_kept() {
    let honest = roster(1, "p-mau", "Nguyễn Văn Mẫu");
    let value = on_the_way(1, &honest);
    let changed = |key: &str, to: Value| {
        let mut value = value.clone();
        value[key] = to;
        value
    };
    let reference = |person: &str, sealed: &str| {
        json!([{
            "person": person, "reference": "anh-1", "sealed": sealed,
            "space": { "name": "mau", "digest": "11".repeat(32) },
        }])
    };
    for (key, to) in [
        ("digest", json!("11".repeat(32))),
        ("digest", json!("../x")),
        ("meeting", json!("M-2")),
        ("organisation", json!("khac")),
        ("generation", json!(2)),
        ("references", reference("p-khac", "AAAA")),
        ("references", reference("'; DROP TABLE x; --", "AAAA")),
        ("references", reference("p-mau", "no base64")),
        (
            "substitutes",
            json!([{ "person": "p-mau", "instead_of": "p-mau", "document": "x".repeat(1 << 20) }]),
        ),
        (
            "substitutes",
            json!([{ "person": "p-mau", "instead_of": "p-khac", "document": "x" }]),
        ),
        ("invitation_keys", json!(["00"])),
        (
            "citizen_cards",
            json!([{ "person": "p-khac", "hash": "11".repeat(32) }]),
        ),
        ("citizen_cards", json!([{ "person": "p-mau", "hash": "1" }])),
    ] {
        let what = format!("{key}: {to}").chars().take(100).collect::<String>();
        let value = changed(key, to);
        check_roster(&what, 1, digest(&honest), move || Reply::json(&value));
    }
    // The list names another digest than the roster has.
    let listed = "11".repeat(32);
    check_roster("the list's digest", 1, listed, move || Reply::json(&value));
}

#[test]
fn an_acknowledgement_that_cannot_be_moves_nothing() {
    let other = "ff".repeat(16);
    for (what, through, store, trouble) in [
        ("beyond", Some(u64::MAX), STORE, "the last one here is 3"),
        ("another store", None, other.as_str(), "another store"),
        ("nothing", Some(0), STORE, GARBLED),
    ] {
        let store = store.to_owned();
        let city = City::start(move |question| match question.is_records() {
            true => Reply::json(&accepted(question, through, &store)),
            false => Reply::Usual,
        });
        let mut door = Door::enrolled(&city.url(), &city.token);
        door.write_records(3);
        door.start();
        door.wait_for_trouble(trouble);
        door.stop();
        assert_eq!(door.acknowledged(), 0, "{what}");
    }
}

#[test]
fn a_hub_that_comes_to_its_senses_is_believed_again() {
    let name = "Robert'); DROP TABLE meetings; --";
    let honest = roster(1, "p-mau", name);
    let is_honest = Arc::new(AtomicBool::new(false));
    let told = is_honest.clone();
    let city = City::start(move |question| {
        let honestly = told.load(Ordering::Relaxed);
        match (question.is_list(), question.is_roster()) {
            (true, _) if !honestly => bomb(Packing::Zstd),
            (true, _) => Reply::json(&list("M-1", 1, &digest(&honest))),
            (_, true) => Reply::json(&on_the_way(1, &honest)),
            (false, false) => Reply::Usual,
        }
    });
    let mut door = Door::enrolled(&city.url(), &city.token);
    door.start();
    door.wait_for_trouble(GARBLED);
    is_honest.store(true, Ordering::Relaxed);
    wait_until("the roster is held", || {
        door.assert_running();
        door.roster("M-1").is_some()
    });
    assert_eq!(door.roster("M-1").unwrap().entries()[0].delegate.name, name);
    door.stop();
    assert_eq!(door.held(), ["M-1"]);
}

#[test]
fn a_hub_gets_zstd_when_it_says_so_and_gzip_when_it_was_put_back() {
    let refused = Arc::new(AtomicBool::new(false));
    let seen = refused.clone();
    let city = City::start(move |question| {
        if question.is_records() && question.packing == Some(Packing::Zstd) {
            seen.store(true, Ordering::Relaxed);
            return Reply::Whole(415, Vec::new(), Vec::new());
        }
        Reply::Usual
    });
    let mut door = Door::enrolled(&city.url(), &city.token);
    door.start();
    // Until it has heard an answer, it does not know.
    wait_until("the hub was heard", || {
        let status = std::fs::read(door.path("var/syncd/status.json")).unwrap_or_default();
        let status: Value = serde_json::from_slice(&status).unwrap_or_default();
        status["last_contact"].is_string()
    });
    // Enough of them that packing is worth it.
    door.write_records(20);
    wait_until("zstd is tried", || {
        door.assert_running();
        refused.load(Ordering::Relaxed)
    });
    wait_until("the last answer is taken", || {
        let status = std::fs::read(door.path("var/syncd/status.json")).unwrap();
        let status: Value = serde_json::from_slice(&status).unwrap();
        status["waiting"] == 0
    });
    door.stop();
    // With the one that says that the ledger began.
    assert!(door.acknowledged() >= 20, "{}", door.acknowledged());
}

#[test]
fn an_enrolment_that_is_none_leaves_no_identity() {
    let spaces = vec![b' '; 64 << 10];
    let replies: Vec<(&str, Answering, &str)> = vec![
        (
            "no end",
            Box::new(move || Reply::Endless(endless_head(""), spaces.clone())),
            "larger",
        ),
        ("a bomb", Box::new(|| bomb(Packing::Zstd)), "larger"),
        (
            "a redirect",
            Box::new(|| redirect("file:///etc/passwd")),
            "status 302",
        ),
        (
            "no JSON",
            Box::new(|| Reply::Whole(200, Vec::new(), b"<html>".to_vec())),
            "sync API",
        ),
        (
            "no certificate",
            Box::new(|| {
                Reply::json(&json!({
                    "device": "kiosk-thu", "organisation": "mau", "room": "G1", "doors": ["A1"],
                    "certificate": "none", "authorities": "none",
                    "expires_at": "2999-02-01T00:00:00Z", "renew_at": "2999-01-01T00:00:00Z",
                    "store": { "store": STORE, "incarnation": STORE },
                }))
            }),
            "certificate",
        ),
    ];
    for (what, reply, said) in replies {
        let city = City::start(
            move |question| match question.path.ends_with("/enrolment") {
                true => reply(),
                false => Reply::Usual,
            },
        );
        let door = Door::new(&city.url(), "");
        let (status, output) = door.run(&["enrol", "--token", &city.token]);
        assert_eq!(status, 1, "{what}: {output}");
        assert!(output.contains(said), "{what}: {said:?} in {output}");
        assert!(!door.path("var/syncd/identity.json").exists(), "{what}");
    }
    // Whoever holds another key than the token names is not even asked.
    let (named, other) = (City::start(|_| Reply::Usual), City::start(|_| Reply::Usual));
    let door = Door::new(&other.url(), "");
    let (status, output) = door.run(&["enrol", "--token", &named.token]);
    assert_eq!(status, 1, "{output}");
    assert!(output.contains("is not the hub"), "{output}");
    assert_eq!(other.asked(""), 0);
}
