//! A city's reverse proxy between doors and hub: the real nginx, set up by the example that stands
//! in `deploy`. Where there is no nginx the tests say so and pass; after set-up
//! (`DIEMDANH_SET_UP=1`) only where that could not get it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hub::ca::{Ca, RequestedKey};
use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use vocabulary::{DeviceId, WallTime};

use crate::authority::Authority;
use crate::city::Hub;
use crate::door::{Door, wait_until};
use crate::way::Proxy;

const ARGUMENTS: &str =
    "--behind-proxy unix:proxy.sock --proxy-certificate-header x-ssl-client-cert";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The program that set-up puts beside the tree.
fn program() -> Option<PathBuf> {
    let path = root().join(".setup/nginx/usr/sbin/nginx");
    if path.exists() {
        return Some(path);
    }
    let set_up = std::env::var("DIEMDANH_SET_UP").is_ok_and(|value| value == "1");
    let left_out = root().join(".setup/nginx.left-out").exists();
    assert!(
        !set_up || left_out,
        "{} is missing after set-up",
        path.display()
    );
    eprintln!(
        "skipped: {} is missing; deploy/setup puts it there",
        path.display()
    );
    None
}

/// A running nginx before a hub.
struct Nginx {
    running: Child,
    url: String,
}

impl Nginx {
    /// Starts it with the example, on a port of a test's own.
    fn start(program: &Path, hub: &Hub) -> Self {
        // Freed at once; whoever takes it meanwhile fails the test and not more.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let example = fs::read_to_string(root().join("deploy/nginx.example.conf")).unwrap();
        let within = hub.path("");
        let within = within.to_str().unwrap().trim_end_matches('/');
        let mut server = example;
        for (from, to) in [
            ("listen 443 ssl", format!("listen {address} ssl")),
            (
                "/run/diemdanh-hub/proxy.sock",
                format!("{within}/proxy.sock"),
            ),
            (
                "/etc/nginx/hub-vouched.pem",
                format!("{within}/vouched.pem"),
            ),
            ("/etc/ssl/private/hub.key", format!("{within}/hub.key.pem")),
        ] {
            assert!(server.contains(from), "{from}");
            server = server.replace(from, &to);
        }
        // nginx gives up root where it has it, and must get at the test's directory then.
        fs::set_permissions(within, fs::Permissions::from_mode(0o755)).unwrap();
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let config = format!(
            "{user} daemon off; pid {within}/nginx.pid; error_log stderr;\n\
             events {{ worker_connections 64; }}\nhttp {{\naccess_log off;\n\
             client_body_temp_path {within}/body; proxy_temp_path {within}/proxy;\n\
             fastcgi_temp_path {within}/f; uwsgi_temp_path {within}/u; scgi_temp_path {within}/s;\n\
             {server}\n}}\n"
        );
        let path = hub.path("nginx.conf");
        fs::write(&path, config).unwrap();
        let log = fs::File::create(hub.path("nginx.log")).unwrap();
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(&path)
            .args(["-p", within, "-e", "stderr"]);
        let mut running = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        wait_until("nginx listens", || {
            let ended = running.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{:?}",
                fs::read_to_string(hub.path("nginx.log"))
            );
            TcpStream::connect(address).is_ok()
        });
        Self {
            running,
            url: format!("https://{address}"),
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.running), Signal::TERM);
        let _ = self.running.wait();
    }
}

/// A hub behind nginx, which shows a city's certificate with the hub's vouchers.
fn house(program: &Path) -> (Hub, Nginx, Authority) {
    house_showing(program, |hub| hub.admin("vouch --certificate hub.pem"))
}

/// The same, where this chain is shown.
fn house_showing(program: &Path, chain: impl Fn(&Hub) -> String) -> (Hub, Nginx, Authority) {
    let mut hub = Hub::new();
    hub.serve(ARGUMENTS);
    let city = Authority::new("a city");
    let (own, key) = (hub.path("hub.pem"), hub.path("hub.key.pem"));
    city.write_pair(&own, &key, &rcgen::PKCS_ECDSA_P256_SHA256, -1..30);
    fs::write(hub.path("vouched.pem"), chain(&hub)).unwrap();
    let nginx = Nginx::start(program, &hub);
    (hub, nginx, city)
}

#[test]
fn doors_and_hub_work_through_a_real_nginx() {
    let Some(program) = program() else { return };
    let (mut hub, nginx, _city) = house(&program);
    let mut door = Door::enrolled(&nginx.url, &hub.token());
    door.write_records(5_000);
    door.start();
    door.wait_for_peace();
    door.stop();
    assert_eq!(door.acknowledged(), 5_000);
    // The hub looks a revocation up at each request, whoever ended TLS.
    hub.admin("revoke-device kiosk-thu");
    door.start();
    door.wait_for_trouble("was revoked");
    door.stop();
    hub.stop();
}

#[test]
fn nobody_passes_for_a_device_by_a_header_that_nginx_passes_on() {
    let Some(program) = program() else { return };
    let (mut hub, nginx, city) = house(&program);
    let door = Door::enrolled(&nginx.url, &hub.token());
    let identity = fs::read(door.path("var/syncd/identity.json")).unwrap();
    let identity: Value = serde_json::from_slice(&identity).unwrap();
    let pem = identity["enrolled"]["certificate"].as_str().unwrap();
    let base64: String = pem.lines().filter(|line| !line.contains("-----")).collect();
    let escaped: String = pem.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let root = reqwest::Certificate::from_pem(city.root_pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
    let client = client.build().unwrap();
    let url = format!("{}/v1-draft/device/meetings", nginx.url);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let check = |name: &str, value: &str| {
        let asked = client.get(&url).header(name, value).send();
        assert_eq!(runtime.block_on(asked).unwrap().status(), 401, "{name}");
    };
    check("accept", "*/*");
    check("x-ssl-client-cert", &escaped);
    check("X-SSL-CLIENT-CERT", &escaped);
    check("client-cert", &format!(":{base64}:"));
    hub.stop();
}

#[test]
fn where_nothing_vouches_for_the_city_s_proxy_an_operator_must_name_its_authority() {
    let Some(program) = program() else { return };
    let plain = |hub: &Hub| fs::read_to_string(hub.path("hub.pem")).unwrap();
    let (mut hub, nginx, city) = house_showing(&program, plain);
    let token = hub.token();
    let mut door = Door::new(&nginx.url, "");
    let (status, said) = door.run(&["enrol", "--token", &token]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("is not the hub"), "{said}");
    // The whole way of a door in a city: an HTTP proxy out, the city's authority, its own proxy in.
    let way = Proxy::start(200);
    let root = door.path("city.pem");
    fs::write(&root, city.root_pem()).unwrap();
    let lines = format!("authorities = \"{}\"\n{}", root.display(), way.lines());
    door.configure(&nginx.url, &lines);
    door.enrol(&token);
    door.write_records(3);
    door.start();
    door.wait_for_peace();
    door.end();
    assert_eq!(door.acknowledged(), 3);
    assert_eq!(way.asked().len(), 1);
    door.configure(&nginx.url, &way.lines());
    door.start();
    door.wait_for_trouble("is not the hub");
    door.end();
    hub.stop();
}

#[test]
fn a_door_whose_certificate_has_ended_renews_through_nginx() {
    let Some(program) = program() else { return };
    let (mut hub, nginx, _city) = house(&program);
    let mut door = Door::enrolled(&nginx.url, &hub.token());
    door.write_records(1);
    let path = door.path("var/syncd/identity.json");
    let mut identity: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let key = KeyPair::from_pem(identity["tls_key"].as_str().unwrap()).unwrap();
    let csr = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let key = RequestedKey::of_csr(&csr.pem().unwrap()).unwrap();
    let device = DeviceId::new("kiosk-thu").unwrap();
    let now = hub::system_time();
    let past = WallTime(now.0 - 200 * 86_400_000);
    let ca = Ca::open_or_create(&hub.path("data"), now).unwrap();
    let ended = ca.sign_device(&device, &key, past).unwrap();
    identity["enrolled"]["certificate"] = ended.pem.clone().into();
    fs::write(&path, identity.to_string()).unwrap();
    door.start();
    door.wait_for_peace();
    door.stop();
    let identity: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_ne!(identity["enrolled"]["certificate"], ended.pem);
    hub.stop();
}
