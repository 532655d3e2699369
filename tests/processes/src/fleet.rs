//! A large roster to many devices at once: how long it takes and how much memory the hub needs, in
//! turns with nginx, which serves the same bytes from a file over TLS.
//!
//! The devices are this process's own: enrolled at the hub, each with its own certificate and
//! connection. They read the roster and throw it away.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::house::{House, Memory};
use crate::random::Random;

/// How often both sides have their turn.
const ROUNDS: usize = 3;

/// Values of a template, as the shipped comparer makes them.
const TEMPLATE_VALUES: usize = 128;

/// Requests of the integrator's that are under way at once.
const PUTS_AT_ONCE: usize = 8;

/// How long one device may wait for its roster.
const ROSTER_TIME_MAX: Duration = Duration::from_secs(300);

/// The X25519 base point: a public key for which nobody here has to unwrap anything.
const SEALING_KEY: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 9;
    point
};

/// What was measured.
pub struct Measured {
    /// Bytes of the roster as it is sent.
    pub bytes: u64,
    /// The first reading, for which the hub writes the roster's canonical bytes.
    pub first: Duration,
    /// All devices, by the hub; the middle turn.
    pub hub: Duration,
    /// All devices, by nginx; the middle turn, where nginx is there.
    pub nginx: Option<Duration>,
    /// The hub's memory.
    pub memory: Memory,
}

/// Puts a roster of so many people with a reference each, and lets so many devices read it.
pub fn measure(house: &mut House, people: usize, devices: usize) -> anyhow::Result<Measured> {
    house.start_hub()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let hub = house.hub_address()?;
    let authority = fs::read(house.hub_authority())?;
    let clients: Vec<Client> = (0..devices)
        .map(|number| {
            let token = house.declare(&format!("kiosk-{number}"))?;
            runtime.block_on(enrol(&hub, &authority, &token))
        })
        .collect::<anyhow::Result<_>>()?;
    let integrator = client(&authority)?.build()?;
    let key = house.key().to_owned();
    runtime.block_on(put_people(&integrator, &hub, &key, people))?;
    let entries: Vec<Value> = (0..people)
        .map(|number| json!({ "person": format!("n{number}") }))
        .collect();
    house.put_meeting(&entries)?;
    let roster = format!("{hub}/device/meetings/{}/roster", house.meeting());
    let started = Instant::now();
    let body = runtime.block_on(read(&clients[0], &roster))?;
    let first = started.elapsed();
    let nginx = Nginx::start(house.directory(), &body)?;
    let strangers: Vec<Client> = match &nginx {
        Some(nginx) => (0..devices)
            .map(|_| Ok(client(nginx.certificate.as_bytes())?.build()?))
            .collect::<anyhow::Result<_>>()?,
        None => Vec::new(),
    };
    let (mut of_hub, mut of_nginx) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_hub.push(runtime.block_on(read_all(&clients, &roster, body.len()))?);
        if let Some(nginx) = &nginx {
            of_nginx.push(runtime.block_on(read_all(&strangers, &nginx.url, body.len()))?);
        }
    }
    Ok(Measured {
        bytes: body.len() as u64,
        first,
        hub: middle(&mut of_hub).context("no round")?,
        nginx: middle(&mut of_nginx),
        memory: house.hub_memory()?,
    })
}

fn middle(times: &mut [Duration]) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// Every reading begins with a new connection, as after a night without power.
async fn read_all(clients: &[Client], url: &str, bytes: usize) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let mut all = JoinSet::new();
    for client in clients {
        all.spawn(count(client.clone(), url.to_owned()));
    }
    while let Some(read) = all.join_next().await {
        let read = read??;
        ensure!(read == bytes, "a device got {read} bytes of {bytes}");
    }
    Ok(started.elapsed())
}

async fn count(client: Client, url: String) -> anyhow::Result<usize> {
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await? {
        bytes += chunk.len();
    }
    Ok(bytes)
}

async fn read(client: &Client, url: &str) -> anyhow::Result<Vec<u8>> {
    let response = client.get(url).send().await?.error_for_status()?;
    Ok(response.bytes().await?.to_vec())
}

/// A client as a device has it, without what one process does not need two hundred times.
fn client(authority: &[u8]) -> anyhow::Result<reqwest::ClientBuilder> {
    Ok(Client::builder()
        .https_only(true)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(ROSTER_TIME_MAX)
        .tls_certs_only(Certificate::from_pem_bundle(authority)?))
}

/// Enrols a device, and answers its client.
async fn enrol(hub: &str, authority: &[u8], token: &str) -> anyhow::Result<Client> {
    let key = KeyPair::generate()?;
    let head = record::SigningKey::from_bytes(&[7; 32]).verifying_key();
    let asked = json!({
        "csr": CertificateParams::default().serialize_request(&key)?.pem()?,
        "sealing_key": wire::scalar::Hex(SEALING_KEY),
        "head_key": wire::scalar::Hex(head.to_bytes()),
        "versions": {},
    });
    let response = client(authority)?
        .build()?
        .post(format!("{hub}/device/enrolment"))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&asked)?)
        .send()
        .await?
        .error_for_status()?;
    let enrolled: Value = serde_json::from_slice(&response.bytes().await?)?;
    let certificate = enrolled["certificate"]
        .as_str()
        .context("no certificate came")?;
    let identity = Identity::from_pem((key.serialize_pem() + certificate).as_bytes())?;
    Ok(client(authority)?.identity(identity).build()?)
}

/// Puts people with a template each, which stands for no face.
async fn put_people(http: &Client, hub: &str, key: &str, people: usize) -> anyhow::Result<()> {
    let mut random = Random::new(1);
    let mut under_way = JoinSet::new();
    for number in 0..people {
        let values: Vec<u8> = (0..TEMPLATE_VALUES)
            .flat_map(|_| (random.below(2000) as f32 - 999.5).to_le_bytes())
            .collect();
        let person = json!({ "name": format!("Người Thử {number}"), "unit": "Đơn vị thử" });
        let template = json!({
            "space": { "name": "measured", "digest": "11".repeat(32) },
            "values": wire::Base64(values),
        });
        let put = |path: String, body: &Value| -> anyhow::Result<reqwest::RequestBuilder> {
            Ok(http
                .put(format!("{hub}/people/{path}"))
                .bearer_auth(key)
                .header("content-type", "application/json")
                .body(serde_json::to_vec(body)?))
        };
        let person = put(format!("n{number}"), &person)?;
        let template = put(format!("n{number}/templates/r1"), &template)?;
        if under_way.len() >= PUTS_AT_ONCE
            && let Some(done) = under_way.join_next().await
        {
            done??;
        }
        under_way.spawn(async move {
            person.send().await?.error_for_status()?;
            template.send().await?.error_for_status()?;
            anyhow::Ok(())
        });
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    Ok(())
}

/// nginx with one file, as set-up unpacked it.
struct Nginx {
    child: Child,
    url: String,
    certificate: String,
}

impl Nginx {
    fn start(directory: &Path, body: &[u8]) -> anyhow::Result<Option<Self>> {
        let program = Path::new(".setup/nginx/usr/sbin/nginx");
        if !program.exists() {
            println!("nginx is not set up; the hub is measured alone");
            return Ok(None);
        }
        let directory = directory.join("nginx");
        fs::create_dir_all(directory.join("files"))?;
        fs::write(directory.join("files/roster"), body)?;
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        fs::write(directory.join("certificate.pem"), cert.pem())?;
        fs::write(directory.join("key.pem"), signing_key.serialize_pem())?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let place = directory.display();
        fs::write(
            directory.join("nginx.conf"),
            format!(
                "daemon off; worker_processes auto; pid {place}/pid; user root;\n\
                 error_log {place}/error.log;\n\
                 events {{ worker_connections 1024; }}\n\
                 http {{\n access_log off; sendfile on; client_body_temp_path {place}/body;\n\
                 proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;\n\
                 uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;\n\
                 server {{ listen 127.0.0.1:{port} ssl; root {place}/files;\n\
                 ssl_certificate {place}/certificate.pem; ssl_certificate_key {place}/key.pem;\n\
                 }}\n}}\n"
            ),
        )?;
        let child = Command::new(program)
            .arg("-p")
            .arg(&directory)
            .arg("-c")
            .arg(directory.join("nginx.conf"))
            .arg("-e")
            .arg(directory.join("error.log"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let nginx = Self {
            child,
            url: format!("https://127.0.0.1:{port}/roster"),
            certificate: cert.pem(),
        };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(Some(nginx));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let said = fs::read_to_string(directory.join("error.log")).unwrap_or_default();
        bail!("nginx does not listen: {said}")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked to end rather than killed: its workers end with it.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}
