//! The way from a door to the hub, and what bears on it: an HTTP proxy, a city's own authority, the
//! clock, and a disk that is nearly full.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use vocabulary::WallTime;

use crate::authority::Authority;
use crate::city::Hub;
use crate::door::Door;

/// Most bytes of a line or of all headers that this proxy reads.
const HEAD_BYTES_MAX: u64 = 8 << 10;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// An HTTP proxy that connects (RFC 9110 §9.3.6), or refuses to.
pub struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts one that answers with this status.
    pub fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, seen) = (stream.unwrap(), seen.clone());
                // Either side may hang up whenever it likes.
                thread::spawn(move || drop(connect(stream, status, &seen)));
            }
        });
        Self { url, asked }
    }

    /// What it was asked to connect to, each once.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked.dedup();
        asked
    }

    /// The lines of a door's configuration.
    pub fn lines(&self) -> String {
        format!("proxy = \"{}\"", self.url)
    }
}

fn connect(stream: TcpStream, status: u16, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = BufReader::new(stream.try_clone()?).take(HEAD_BYTES_MAX);
    let mut line = String::new();
    head.read_line(&mut line)?;
    seen.lock().unwrap().push(line.trim_end().to_owned());
    let mut rest = String::new();
    while head.read_line(&mut rest)? > 2 {
        rest.clear();
    }
    let (mut from, mut to) = (stream.try_clone()?, stream);
    if status != 200 {
        return write!(to, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
    }
    let target = line.split(' ').nth(1).unwrap_or_default();
    let hub = TcpStream::connect(target)?;
    write!(to, "HTTP/1.1 200 Connected\r\n\r\n")?;
    let (mut up, mut down) = (hub.try_clone()?, hub);
    let sending = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut up);
        up.shutdown(Shutdown::Write)
    });
    std::io::copy(&mut down, &mut to)?;
    to.shutdown(Shutdown::Write)?;
    drop(sending.join());
    Ok(())
}

#[test]
fn everything_goes_through_the_configured_proxy() {
    let mut hub = Hub::new();
    hub.serve("");
    let proxy = Proxy::start(200);
    let mut door = Door::new(&hub.url, &proxy.lines());
    door.enrol(&hub.token());
    let address = hub.url.strip_prefix("https://").unwrap();
    let connected = format!("CONNECT {address} HTTP/1.1");
    assert_eq!(proxy.asked(), [connected.as_str()]);
    let count = proxy.asked.lock().unwrap().len();
    door.write_records(700);
    door.start();
    door.wait_for_peace();
    door.stop();
    assert_eq!(door.acknowledged(), 700);
    assert_eq!(proxy.asked(), [connected.as_str()]);
    assert!(
        proxy.asked.lock().unwrap().len() > count,
        "the daemon went past the proxy"
    );
    hub.stop();
}

#[test]
fn a_proxy_that_refuses_is_told_from_a_hub_that_is_not_there() {
    let mut hub = Hub::new();
    hub.serve("");
    let mut door = Door::enrolled(&hub.url, &hub.token());
    for status in [403, 407, 502] {
        let proxy = Proxy::start(status);
        door.configure(&hub.url, &proxy.lines());
        door.start();
        door.wait_for_trouble("the proxy on the way refuses");
        door.stop();
        assert_eq!(proxy.asked().len(), 1);
    }
    // The environment has no say.
    let proxy = Proxy::start(200);
    door.configure(&hub.url, "");
    door.start_with(&[("HTTPS_PROXY", &proxy.url), ("https_proxy", &proxy.url)]);
    door.write_records(1);
    door.wait_for_peace();
    door.stop();
    assert!(proxy.asked().is_empty());
    hub.stop();
}

#[test]
fn certificates_are_judged_by_the_last_record_where_the_clock_is_behind_it() {
    let city = Authority::new("a city");
    let mut hub = Hub::new();
    let (chain, key) = (hub.path("hub.pem"), hub.path("hub.key.pem"));
    let write = |days| city.write_pair(&chain, &key, &rcgen::PKCS_ECDSA_P256_SHA256, days);
    write(-1..9);
    hub.serve("--certificate hub.pem --key hub.key.pem");
    let mut door = Door::enrolled(&hub.url, &hub.token());
    // This door's clock is behind: its last record is of in twenty days.
    let now = hub::system_time();
    door.write_record_at(WallTime(now.0 + 20 * DAY_MS));
    door.start();
    door.wait_for_trouble("has expired");
    door.stop();
    write(15..25);
    hub.stop();
    hub.serve("--certificate hub.pem --key hub.key.pem");
    door.start();
    door.wait_for_contact();
    door.stop();
    assert_eq!(door.acknowledged(), 1);
    hub.stop();
}

#[test]
fn a_disk_that_is_nearly_full_is_said_and_nothing_is_dropped() {
    let isolate = ["--user", "--map-root-user", "--mount", "sh", "-c"];
    let tried = Command::new("unshare")
        .args(isolate)
        .args(["mount -t tmpfs -o size=1m none /mnt"])
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("not checked: this system lets nobody mount a small disk in a namespace");
        return;
    }
    let mut hub = Hub::new();
    hub.serve("");
    let mut door = Door::enrolled(&hub.url, &hub.token());
    let config = fs::read_to_string(door.path("syncd.toml")).unwrap();
    let config = config.replace("var/ledger.db", "small/ledger.db");
    fs::write(door.path("syncd.toml"), config).unwrap();
    fs::create_dir(door.path("small")).unwrap();
    let mut count = 0;
    for (mebibytes, is_little) in [(200, true), (300, false)] {
        count += 1;
        // The records lie on a disk of their own.
        door.write_records_in("small/ledger.db", 1);
        let script = format!(
            "cp small/ledger.db records && mount -t tmpfs -o size={mebibytes}m none small && \
             cp records small/ledger.db && rm records && exec \"$0\" \"$@\""
        );
        door.start_within("unshare", &[&isolate[..], &[&script]].concat());
        if is_little {
            door.wait_for_trouble("space");
        } else {
            door.wait_for_peace();
        }
        door.wait_for_waiting(0);
        door.end();
        assert_eq!(door.acknowledged(), count);
    }
    hub.stop();
}
