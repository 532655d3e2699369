//! Offers of a hub that may be honest or not: what comes whole and right is handed over, nothing
//! else stays on the disk, and records go up meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wire::limits::OFFER_RANGE_BYTES;

use crate::city::{City, Question, Reply, hex};
use crate::door::{Door, wait_until};
use crate::{MEMORY_KIB_MAX, endless_head};

/// Two whole ranges and a bit.
const LENGTH: usize = 2 * OFFER_RANGE_BYTES + 77;

fn content() -> Vec<u8> {
    (0..LENGTH).map(|n| (n % 241) as u8).collect()
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn list(bytes: &[u8]) -> Reply {
    Reply::json(&json!({ "offers": [{
        "id": "fw-2", "kind": "update", "version": "2.0", "size_bytes": bytes.len(),
        "sha256": digest(bytes), "signature": "AQID", "signature_key": "key-1",
    }] }))
}

/// The range that is asked for, of these bytes, said to be of so many.
fn part(question: &Question, bytes: &[u8], size: usize) -> Reply {
    let (from, to) = question.range.expect("a device asks for ranges");
    let headers = vec![("Content-Range", format!("bytes {from}-{to}/{size}"))];
    Reply::Whole(206, headers, bytes[from..=to].to_vec())
}

/// What the last health report says of offers.
type Told = Arc<Mutex<Value>>;

/// A city that offers and answers ranges so, and hears what devices report.
fn city(
    offered: impl Fn() -> Reply + Send + Sync + 'static,
    ranged: impl Fn(&Question) -> Reply + Send + Sync + 'static,
) -> (City, Told) {
    let told = Told::default();
    let heard = told.clone();
    let city = City::start(move |question| {
        if question.path.ends_with("/device/offers") {
            return offered();
        }
        if question.path.ends_with("/fw-2/content") {
            return ranged(question);
        }
        if question.path.ends_with("/health") {
            let report: Value = serde_json::from_slice(&question.body).unwrap();
            *heard.lock().unwrap() = report["offers"].clone();
        }
        Reply::Usual
    });
    (city, told)
}

fn files(door: &Door) -> BTreeSet<String> {
    let entries = fs::read_dir(door.path("var/syncd/offers")).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).to_str().unwrap().to_owned())
        .collect()
}

fn wait_for_state(told: &Told, state: &str) {
    wait_until(state, || told.lock().unwrap()[0]["state"] == state);
}

#[test]
fn an_offer_comes_in_ranges_over_faults_and_a_restart_and_is_handed_over() {
    let bytes = content();
    let (served, asked) = (bytes.clone(), Arc::new(AtomicUsize::new(0)));
    let (count, offered) = (asked.clone(), bytes.clone());
    let (city, told) = city(
        move || list(&offered),
        move |question| match count.fetch_add(1, Ordering::Relaxed) {
            // The second range fails until the daemon was started anew.
            1 => Reply::Whole(503, vec![("Retry-After", "3600".to_owned())], Vec::new()),
            _ => part(question, &served, LENGTH),
        },
    );
    let mut door = Door::enrolled(&city.url(), &city.token);
    door.start();
    wait_until("the second range", || asked.load(Ordering::Relaxed) == 2);
    door.stop();
    let name = digest(&bytes);
    assert_eq!(files(&door), [format!("{name}.part")].into());
    door.write_records(3);
    door.start();
    wait_for_state(&told, "fetched");
    wait_until("records go up", || city.asked("/device/records") > 0);
    door.stop();
    assert_eq!(
        asked.load(Ordering::Relaxed),
        2 + 2,
        "it goes on where it was"
    );
    assert_eq!(files(&door), ["fw-2.json".to_owned(), name.clone()].into());
    let directory = door.path("var/syncd/offers");
    assert!(fs::read(directory.join(&name)).unwrap() == bytes);
    let about: Value =
        serde_json::from_slice(&fs::read(directory.join("fw-2.json")).unwrap()).unwrap();
    assert_eq!(
        (&about["sha256"], &about["signature"]),
        (&json!(name), &json!("AQID"))
    );
}

#[test]
fn another_digest_than_was_told_leaves_nothing() {
    let bytes = content();
    let mut served = bytes.clone();
    served[LENGTH / 2] ^= 1;
    let (city, told) = city(
        move || list(&bytes),
        move |question| part(question, &served, LENGTH),
    );
    let mut door = Door::enrolled(&city.url(), &city.token);
    door.start();
    wait_for_state(&told, "refused");
    door.stop();
    assert_eq!(files(&door), BTreeSet::new());
    assert_eq!(city.asked("/content"), 3);
}

/// Lets a daemon ask for a range that is answered so, some times, and looks at what it keeps.
#[track_caller]
fn check_kept_nothing(what: &str, ranged: impl Fn(&Question) -> Reply + Send + Sync + 'static) {
    let bytes = content();
    let (city, _) = city(move || list(&bytes), ranged);
    let mut door = Door::enrolled(&city.url(), &city.token);
    door.start();
    wait_until(what, || {
        door.assert_running();
        city.asked("/content") >= 2
    });
    let memory = door.memory_max_kib();
    assert!(memory < MEMORY_KIB_MAX, "{what}: {memory} KiB");
    door.stop();
    assert_eq!(files(&door), BTreeSet::new(), "{what}");
}

#[test]
fn what_is_no_range_is_not_kept() {
    let spaces = vec![b' '; 64 << 10];
    check_kept_nothing("ranges ignored, without end", move |_| {
        Reply::Endless(
            endless_head("Content-Length: 10737418240\r\n"),
            spaces.clone(),
        )
    });
    let bytes = content();
    check_kept_nothing("longer than said", move |question| {
        let (from, to) = question.range.unwrap();
        let headers = vec![("Content-Range", format!("bytes {from}-{to}/{LENGTH}"))];
        Reply::Whole(206, headers, bytes[from..=to + 1].to_vec())
    });
    let bytes = content();
    check_kept_nothing("of another size", move |question| {
        part(question, &bytes, LENGTH + 1)
    });
    check_kept_nothing("a redirect", |_| {
        Reply::Whole(
            302,
            vec![("Location", "file:///etc/passwd".to_owned())],
            Vec::new(),
        )
    });
}

#[test]
fn what_is_withdrawn_in_the_middle_is_taken_away() {
    let bytes = content();
    let (served, asked) = (bytes.clone(), Arc::new(AtomicUsize::new(0)));
    let (ranges, offered) = (asked.clone(), asked);
    let (city, _) = city(
        move || match offered.load(Ordering::Relaxed) {
            0 => list(&bytes),
            _ => Reply::json(&json!({ "offers": [] })),
        },
        move |question| match ranges.fetch_add(1, Ordering::Relaxed) {
            0 => part(question, &served, LENGTH),
            _ => Reply::Whole(404, Vec::new(), Vec::new()),
        },
    );
    let mut door = Door::enrolled(&city.url(), &city.token);
    door.start();
    wait_until("the list is asked for again", || {
        city.asked("/device/offers") >= 2
    });
    wait_until("it is taken away", || files(&door).is_empty());
    door.stop();
}

#[test]
fn an_id_that_is_a_path_is_no_offer() {
    let (city, _) = city(
        || {
            Reply::json(&json!({ "offers": [{
                "id": "../../../x", "kind": "update", "version": "2", "size_bytes": 1,
                "sha256": "11".repeat(32),
            }] }))
        },
        |_| Reply::Whole(404, Vec::new(), Vec::new()),
    );
    let mut door = Door::enrolled(&city.url(), &city.token);
    door.start();
    wait_until("the list was read", || city.asked("/device/offers") >= 2);
    door.stop();
    assert_eq!(files(&door), BTreeSet::new());
    assert_eq!(city.asked("/content"), 0);
}
