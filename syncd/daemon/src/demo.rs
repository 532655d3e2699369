//! `syncd demo`: a city and a door on one machine, to be watched. It starts a hub, tells it of a
//! meeting as an integrator does, enrols a device, runs the daemon and the kiosk's own
//! demonstration beside each other, and ends with the roll as the hub gives it out over HTTPS.
//!
//! Every part is the program that runs in earnest, as a process of its own. It decides nothing
//! about anybody; the kiosk's demonstration says whether everybody was called rightly.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use ledger::Reader;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::{Value, json};
use vocabulary::{Sequence, WallTime};
use wire::enrolment::Reference;
use wire::roll::{Records, Roll};

const ORGANISATION: &str = "demo";
const ROOM: &str = "phong-1";
const DOOR: &str = "cua-1";
const DEVICE: &str = "kiosk-1";

/// How long the roster may take to the door, and the records to the hub.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often is looked whether they have come.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a program may take to end when it is asked to.
const STOP_MAX: Duration = Duration::from_secs(5);

/// How long one request may take; a portrait is looked at while it waits.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The kiosk's program; without, the one beside this program.
    #[arg(long, value_name = "FILE")]
    kiosk: Option<PathBuf>,

    /// Where everything goes; what an earlier demonstration left there is replaced.
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    output: PathBuf,

    /// The folder of the portraits that the set-up fetched.
    #[arg(long, value_name = "DIR", default_value = ".setup/portraits")]
    portraits: PathBuf,

    /// The manifest of models.
    #[arg(long, value_name = "FILE", default_value = "models/manifest.toml")]
    manifest: PathBuf,

    /// The directory of the models' files.
    #[arg(long, value_name = "DIR", default_value = "models/files")]
    models: PathBuf,

    /// ONNX Runtime's shared library.
    #[arg(
        long,
        value_name = "FILE",
        default_value = ".setup/onnxruntime/libonnxruntime.so"
    )]
    runtime: PathBuf,
}

/// Runs the demonstration.
///
/// # Errors
/// When something is missing, anybody was called wrongly or not at all, or the hub's roll is not
/// what happened at the door.
pub async fn demo(args: &DemoArgs) -> anyhow::Result<()> {
    let mut stage = Stage::build(args)?;
    let list = stage.delegates()?;
    let hub = stage.start_hub().await?;
    println!(
        "\nA hub at {}, and a device enrolled there by its one-time token.",
        hub.url
    );
    stage.enrol_device(&hub.url)?;
    println!("\nTold to the hub by an integrator, from one photograph each:");
    hub.tell(&list).await?;
    stage.start_daemon()?;
    stage.wait_for_roster(&list.meeting)?;
    println!("\nThe meeting has come to the door. The kiosk and `syncd run` are at work.");
    let verdict = stage.evening()?;
    stage.wait_for_records(&hub).await?;
    let roll = hub.roll(&list.meeting).await?;
    print_roll(&hub.url, &roll);
    check(&roll, &list)?;
    println!("\n{verdict}");
    Ok(())
}

/// Whom the hub has to know, as the kiosk's demonstration prints it.
#[derive(Debug, Deserialize)]
struct List {
    meeting: String,
    title: String,
    delegates: Vec<Delegate>,
}

#[derive(Debug, Deserialize)]
struct Delegate {
    id: String,
    name: String,
    title: String,
    unit: String,
    photograph: PathBuf,
}

/// Directories, configurations and running programs.
struct Stage<'a> {
    args: &'a DemoArgs,
    syncd: PathBuf,
    kiosk: PathBuf,
    directory: PathBuf,
    running: Vec<(&'static str, Child)>,
}

impl<'a> Stage<'a> {
    fn build(args: &'a DemoArgs) -> anyhow::Result<Self> {
        let syncd = std::env::current_exe().context("this program's own file is not known")?;
        let kiosk = args
            .kiosk
            .clone()
            .unwrap_or_else(|| syncd.with_file_name("kiosk"));
        ensure!(
            kiosk.exists(),
            "{} is not there; build the kiosk first, or name it by --kiosk (`make demo` does both)",
            kiosk.display()
        );
        let directory = args.output.join("city");
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let left = directory.display();
                bail!("what an earlier demonstration left in {left} cannot be removed: {error}");
            }
            Ok(()) | Err(_) => {}
        }
        for name in ["hub", "syncd", "kiosk"] {
            crate::make_directory(&directory.join(name))?;
        }
        Ok(Self {
            args,
            syncd,
            kiosk,
            directory,
            running: Vec::new(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn delegates(&self) -> anyhow::Result<List> {
        let mut command = Command::new(&self.kiosk);
        command
            .args(["demo", "--delegates", "--portraits"])
            .arg(&self.args.portraits);
        let list: List = serde_json::from_str(&done(command)?)
            .context("the kiosk's list of delegates cannot be read; build both programs anew")?;
        for delegate in &list.delegates {
            ensure!(
                delegate.photograph.exists(),
                "{} is not there; run `deploy/setup`, which fetches the portraits",
                delegate.photograph.display()
            );
        }
        Ok(list)
    }

    /// A hub with an organisation, a room and an integrator's key.
    async fn start_hub(&mut self) -> anyhow::Result<HubSide> {
        let mut command = Command::new(&self.syncd);
        command
            .args(["hub", "serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(self.path("hub"))
            .arg("--manifest")
            .arg(&self.args.manifest)
            .arg("--models")
            .arg(&self.args.models)
            .arg("--runtime")
            .arg(&self.args.runtime)
            .stdout(Stdio::piped());
        let mut child = self.spawn(command, "hub")?;
        let output = child.stdout.take();
        self.running.push(("hub", child));
        let mut line = String::new();
        BufReader::new(output.context("the hub's output is not read")?).read_line(&mut line)?;
        let url = line.trim().to_owned();
        ensure!(
            url.starts_with("https://"),
            "the hub does not start; {} says why",
            self.path("hub.log").display()
        );
        self.admin(&["organisation", ORGANISATION, "--name", "Đơn vị chạy thử"])?;
        let of = ["--organisation", ORGANISATION];
        let room = ["room", ROOM, "--name", "Phòng họp 1", "--door", DOOR];
        self.admin(&[&room[..], &of].concat())?;
        let key = self.admin(&[&["key", "--label", "demo"][..], &of].concat())?;
        HubSide::new(url, key, &self.path("hub/ca.pem"))
    }

    fn enrol_device(&self, url: &str) -> anyhow::Result<()> {
        self.configure(url)?;
        done(self.kiosk(&["key"]))?;
        let device = ["device", DEVICE, "--room", ROOM, "--door", DOOR];
        let token = self.admin(&[&device[..], &["--organisation", ORGANISATION]].concat())?;
        done(self.daemon(&["enrol", "--token", &token]))?;
        Ok(())
    }

    fn start_daemon(&mut self) -> anyhow::Result<()> {
        let child = self.spawn(self.daemon(&["run"]), "syncd")?;
        self.running.push(("daemon", child));
        Ok(())
    }

    fn wait_for_roster(&mut self, meeting: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            // As long as there is nothing at all the kiosk says so by its exit status.
            let output = self.kiosk(&["roster", "list"]).output()?;
            let listed = String::from_utf8_lossy(&output.stdout);
            let mut lines = listed.lines().filter(|line| line.starts_with(meeting));
            if lines.any(|line| line.trim_end().ends_with("city")) {
                return Ok(());
            }
            self.look(begun, "the meeting did not come to the door")?;
        }
    }

    /// Passes on what the kiosk's demonstration prints, but for its last line, who was called
    /// rightly and who was not: that is this demonstration's last line too.
    fn evening(&self) -> anyhow::Result<String> {
        let mut command = self.kiosk(&["demo", "--from-city", "--output"]);
        command
            .arg(&self.args.output)
            .arg("--portraits")
            .arg(&self.args.portraits)
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = child
            .stdout
            .take()
            .context("the kiosk's output is not read")?;
        let mut held: Option<String> = None;
        for line in BufReader::new(output).lines() {
            if let Some(before) = held.replace(line?) {
                println!("{before}");
            }
        }
        let status = child.wait()?;
        ensure!(
            status.success(),
            "the kiosk's demonstration ended with {status}"
        );
        held.context("the kiosk's demonstration said nothing")
    }

    async fn wait_for_records(&mut self, hub: &HubSide) -> anyhow::Result<()> {
        let reader = Reader::open(&self.path("kiosk/ledger.db"))?;
        let written = reader.count_after(Sequence(0))?;
        let begun = Instant::now();
        loop {
            let arrived = hub.count_records().await?;
            if arrived == written {
                println!("Records written at the door {written}, at the hub {arrived}.");
                return Ok(());
            }
            ensure!(
                arrived < written,
                "the hub has {arrived} of {written} records"
            );
            let what = format!("{arrived} of {written} records came to the hub");
            self.look(begun, &what)?;
        }
    }

    /// Waits a moment, unless it has taken too long or somebody has ended.
    fn look(&mut self, begun: Instant, what: &str) -> anyhow::Result<()> {
        for (name, child) in &mut self.running {
            if let Some(status) = child.try_wait()? {
                bail!(
                    "the {name} ended with {status}; see the logs in {}",
                    self.directory.display()
                );
            }
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "{what} in {} s; see the logs in {}",
            PATIENCE.as_secs(),
            self.directory.display()
        );
        std::thread::sleep(LOOK_EVERY);
        Ok(())
    }

    fn configure(&self, url: &str) -> anyhow::Result<()> {
        let kiosk = json!({
            "device": { "id": DEVICE, "organisation": ORGANISATION, "room": ROOM, "door": DOOR },
            "data": { "directory": self.path("kiosk") },
            "city": {
                "database": self.path("kiosk/city.db"),
                "socket": self.path("kiosk/kiosk.sock"),
            },
            "models": {
                "manifest": self.args.manifest,
                "directory": self.args.models,
                "runtime": self.args.runtime,
            },
        });
        fs::write(self.path("kiosk.toml"), toml::to_string(&kiosk)?)?;
        let mut config = crate::config::Config::default();
        config.hub.url = url.to_owned();
        config.data.directory = self.path("syncd");
        config.data.ledger = self.path("kiosk/ledger.db");
        config.data.city = self.path("kiosk/city.db");
        config.data.sealing_key = self.path("kiosk/device.pub");
        config.kiosk.socket = self.path("kiosk/kiosk.sock");
        fs::write(self.path("syncd.toml"), toml::to_string(&config)?)?;
        Ok(())
    }

    fn admin(&self, args: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.syncd);
        command
            .args(["hub", "admin", "--data"])
            .arg(self.path("hub"))
            .args(args)
            .env("RUST_LOG", "error");
        Ok(done(command)?.trim().to_owned())
    }

    fn kiosk(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.kiosk);
        command
            .arg("--config")
            .arg(self.path("kiosk.toml"))
            .args(args);
        command
    }

    fn daemon(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.syncd);
        command
            .arg("--config")
            .arg(self.path("syncd.toml"))
            .args(args);
        command
    }

    fn spawn(&self, mut command: Command, name: &str) -> anyhow::Result<Child> {
        let log = self.path(&format!("{name}.log"));
        let log = fs::File::create(&log).with_context(|| format!("{}", log.display()))?;
        let child = command.stderr(log).stdin(Stdio::null()).spawn();
        child.with_context(|| format!("{} does not start", command.get_program().display()))
    }
}

impl Drop for Stage<'_> {
    /// Asks the programs to end, the daemon first, and ends those that do not.
    fn drop(&mut self) {
        while let Some((_, mut child)) = self.running.pop() {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                // One that has ended already is not there to be asked.
                let _ = kill_process(pid, Signal::TERM);
            }
            let begun = Instant::now();
            while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < STOP_MAX {
                std::thread::sleep(LOOK_EVERY / 10);
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The hub as an integrator has it: an address, its authority, a key.
struct HubSide {
    client: reqwest::Client,
    url: String,
    key: String,
}

impl HubSide {
    fn new(url: String, key: String, authority: &Path) -> anyhow::Result<Self> {
        let pem = fs::read(authority).with_context(|| format!("{}", authority.display()))?;
        let client = reqwest::Client::builder()
            .https_only(true)
            .no_proxy()
            .timeout(REQUEST_MAX)
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?)
            .build()?;
        Ok(Self { client, url, key })
    }

    /// Puts the people, their portraits, the meeting and its roster.
    async fn tell(&self, list: &List) -> anyhow::Result<()> {
        for delegate in &list.delegates {
            let person = format!("people/{}", delegate.id);
            let body = json!({
                "name": delegate.name,
                "title": delegate.title,
                "unit": delegate.unit,
            });
            self.put(&person, &body).await?;
            let picture = fs::read(&delegate.photograph)
                .with_context(|| format!("{}", delegate.photograph.display()))?;
            let path = format!("{person}/portraits/1");
            let answer = self
                .call("PUT", &path, Some(("image/jpeg", picture)))
                .await?;
            let reference: Reference = serde_json::from_slice(&answer)?;
            let quality = reference.quality.context("the hub says no quality")?;
            println!(
                "  {:<16} face {:.0} px, sharpness {:.2}",
                delegate.name, quality.face_width_px, quality.sharpness
            );
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let now = WallTime(i64::try_from(now)?);
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let meeting = json!({
            "title": list.title,
            "room": ROOM,
            "starts_at": wire::Timestamp(now.saturating_sub(minutes(10))).to_string(),
            "ends_at": wire::Timestamp(now.saturating_add(minutes(120))).to_string(),
            "quorum": 2,
        });
        let path = format!("meetings/{}", list.meeting);
        let entries: Vec<Value> = list
            .delegates
            .iter()
            .map(|delegate| json!({ "person": delegate.id }))
            .collect();
        self.put(&path, &meeting).await?;
        let roster = json!({ "entries": entries });
        self.put(&format!("{path}/roster"), &roster).await
    }

    async fn count_records(&self) -> anyhow::Result<u64> {
        let mut count = 0;
        let mut path = "records?limit=500".to_owned();
        loop {
            let page: Records = serde_json::from_slice(&self.call("GET", &path, None).await?)?;
            count += page.records.len() as u64;
            if !page.more {
                return Ok(count);
            }
            path = format!("records?limit=500&after={}", page.next);
        }
    }

    async fn roll(&self, meeting: &str) -> anyhow::Result<Roll> {
        let path = format!("meetings/{meeting}/roll");
        Ok(serde_json::from_slice(
            &self.call("GET", &path, None).await?,
        )?)
    }

    async fn put(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let body = ("application/json", serde_json::to_vec(body)?);
        self.call("PUT", path, Some(body)).await?;
        Ok(())
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> anyhow::Result<Vec<u8>> {
        let url = format!("{}{}/{path}", self.url, wire::BASE);
        let mut request = self
            .client
            .request(method.parse()?, url)
            .bearer_auth(&self.key);
        if let Some((media_type, bytes)) = body {
            request = request.header("content-type", media_type).body(bytes);
        }
        let response = request.send().await.context("the hub does not answer")?;
        let status = response.status();
        let bytes = response.bytes().await?;
        ensure!(
            status.is_success(),
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&bytes)
        );
        Ok(bytes.to_vec())
    }
}

/// Runs a command to its end and answers what it printed.
fn done(mut command: Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .with_context(|| format!("{} does not start", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn print_roll(url: &str, roll: &Roll) {
    println!(
        "\nThe roll as the hub at {url} gives it out (revision {}, from {} records):\n",
        roll.revision, roll.records
    );
    for row in &roll.rows {
        let title = row.title.as_str();
        let came = match row.intervals.first() {
            Some(interval) => format!("{}, by {}", interval.from, interval.means),
            None => "absent".to_owned(),
        };
        println!(
            "  {title:<4} {:<18} {:<24} {came}",
            row.name.as_str(),
            row.unit.as_str()
        );
    }
    println!("\nPresent {} of {}.", roll.attended, roll.expected);
}

/// Everybody on the roster came to the door in the evening, and nobody else.
fn check(roll: &Roll, list: &List) -> anyhow::Result<()> {
    let present: Vec<&str> = roll
        .rows
        .iter()
        .filter(|row| row.attended)
        .filter_map(|row| row.person.as_ref())
        .map(|id| id.0.as_str())
        .collect();
    let expected: Vec<&str> = list.delegates.iter().map(|of| of.id.as_str()).collect();
    ensure!(
        present == expected && roll.conflicts.is_empty(),
        "the hub's roll is not what happened at the door: present {present:?}, conflicts {:?}",
        roll.conflicts
    );
    println!("As at the door.");
    Ok(())
}
