//! `syncd hub …` and `syncd conformance`: the commands of the city side. Each calls one function of
//! `hub` and prints what came of it.

mod offers;
mod people;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use hub::ca::Ca;
use hub::model::{ApiKeyId, KeyRole, MeetingState};
use hub::sandbox::{self, Sandbox};
use hub::{
    AddressHeader, CertificateHeader, Hub, Listeners, ModelPaths, Options, ProxyAddress,
    ProxyHeaders, ProxyListener, ServerFiles, admin,
};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;
use vocabulary::{DeviceId, DoorId, MeetingId, OrganisationId, RoomId};

use crate::file;

/// Most bytes of a file of authorities.
const AUTHORITIES_BYTES_MAX: u64 = 1 << 20;

/// How often within the time that systemd waits it is told.
const WATCHDOG_SHARE: u32 = 4;

/// Where the hub listens unless it is said.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);

/// What the city side can do.
#[derive(Debug, Subcommand)]
pub enum HubCommand {
    /// Serve the sync API. The first start makes the store, the authority and the keys.
    #[command(
        after_help = "Examples:\n  syncd hub serve --data city --listen 0.0.0.0:8443 --name \
        hub.example\n  syncd hub serve --data sandbox --sandbox"
    )]
    Serve(ServeArgs),
    /// Organisations, rooms, devices, tokens, keys, meetings.
    Admin(AdminArgs),
    /// Write a copy of the hub, its store and its keys, while it is served.
    Backup {
        /// The hub's data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The directory to write; it must not be there.
        #[arg(value_name = "COPY")]
        to: PathBuf,
    },
    /// Make a hub of a copy, in a directory without one. Devices send again what came later.
    Restore {
        /// The hub's data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The copy: the directory that `backup` wrote.
        #[arg(value_name = "COPY")]
        from: PathBuf,
    },
    /// Print the OpenAPI document of this version.
    Openapi,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The directory of store, authority and keys.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Where to listen; port 0 takes a free one, which is printed. 127.0.0.1:8443 unless it is said
    /// here, and nowhere but for the proxy with --behind-proxy alone.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Serve a reverse proxy that ends TLS before the hub, at unix:/PATH or at a loopback address.
    /// What it says of clients' certificates and addresses is believed here, and nowhere else. See
    /// deploy/nginx.example.conf.
    #[arg(long, value_name = "ADDRESS")]
    behind_proxy: Option<ProxyAddress>,

    /// An address that the proxy comes from; may be repeated. Needed with a loopback address.
    #[arg(long, value_name = "IP", requires = "behind_proxy")]
    trusted_proxy: Vec<IpAddr>,

    /// The header in which the proxy passes a client's certificate on: client-cert (RFC 9440) or
    /// x-ssl-client-cert (as nginx writes it). The proxy must set it on every request.
    #[arg(
        long,
        value_name = "HEADER",
        requires = "behind_proxy",
        default_value = "client-cert"
    )]
    proxy_certificate_header: CertificateHeader,

    /// The header in which the proxy passes a client's address on: x-forwarded-for or forwarded
    /// (RFC 7239). Its last address is the client's.
    #[arg(
        long,
        value_name = "HEADER",
        requires = "behind_proxy",
        default_value = "x-forwarded-for"
    )]
    proxy_address_header: AddressHeader,

    /// Most connections of one address at once; all devices behind one address share it.
    #[arg(long, value_name = "COUNT", default_value_t = wire::limits::CONNECTIONS_PER_ADDRESS)]
    connections_per_address: u32,

    /// A name or address that the hub is called by, for its certificate; may be repeated.
    /// localhost and 127.0.0.1 always are.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// A certificate of the operator's to show in place of the hub's own: a PEM file with its
    /// chain, the server's own first. Devices know it by a voucher of the hub's authority, which
    /// goes along. It is read again when it changes, and at once on SIGHUP.
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,

    /// The private key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,

    /// Begin with an invented city, to build against: rooms, people, meetings around now, and a
    /// key that is printed once.
    #[arg(long)]
    sandbox: bool,

    /// Deliver webhooks to private addresses too, and without TLS: for receivers within one's own
    /// network.
    #[arg(long)]
    private_webhooks: bool,

    #[command(flatten)]
    models: ModelArgs,
}

/// What references are made of portraits with.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The manifest of models, to enrol people from portraits; see models/manifest.toml.
    #[arg(long, value_name = "FILE", requires = "models")]
    manifest: Option<PathBuf>,

    /// The directory of the models' files.
    #[arg(long, value_name = "DIR", requires = "manifest")]
    models: Option<PathBuf>,

    /// ONNX Runtime's shared library.
    #[arg(
        long,
        value_name = "FILE",
        default_value = ".setup/onnxruntime/libonnxruntime.so"
    )]
    runtime: PathBuf,

    /// The detector's id in the manifest.
    #[arg(long, value_name = "ID", default_value = "yunet-2023mar")]
    detector: String,

    /// A comparer's id in the manifest; may be repeated, the newest last. References are made by
    /// each, so that doors may change their model one after the other.
    #[arg(long, value_name = "ID", default_value = "sface-2021dec")]
    comparer: Vec<String>,
}

impl ModelArgs {
    /// Where the models are, if they are named.
    fn paths(&self) -> Option<ModelPaths> {
        let (manifest, directory) = self.manifest.as_ref().zip(self.models.as_ref())?;
        Some(ModelPaths {
            manifest: manifest.clone(),
            directory: directory.clone(),
            runtime: self.runtime.clone(),
            detector: self.detector.clone(),
            comparers: self.comparer.clone(),
        })
    }
}

/// Arguments of `admin`.
#[derive(Debug, Args)]
pub struct AdminArgs {
    /// The hub's data directory. The hub may be running.
    #[arg(long, value_name = "DIR", global = true, default_value = "city")]
    data: PathBuf,

    #[command(subcommand)]
    command: AdminCommand,
}

/// What an operator does at the hub itself.
#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Make an organisation, or change its name.
    Organisation {
        /// Its id.
        id: String,
        /// Its name.
        #[arg(long)]
        name: String,
    },
    /// Make a room with its doors, or change it.
    Room {
        /// Its id.
        id: String,
        /// Whose room.
        #[arg(long)]
        organisation: String,
        /// What its sign says.
        #[arg(long)]
        name: String,
        /// A door of it; may be repeated.
        #[arg(long, required = true)]
        door: Vec<String>,
    },
    /// Declare a device at a room, and print its one-time enrolment token.
    Device {
        /// Its id, as in the kiosk's configuration.
        id: String,
        /// Whose device.
        #[arg(long)]
        organisation: String,
        /// Its room.
        #[arg(long)]
        room: String,
        /// Its door; may be repeated. None for all of the room.
        #[arg(long)]
        door: Vec<String>,
    },
    /// Print another enrolment token for a device; the one before counts no more.
    Token {
        /// The device.
        device: String,
        /// How many hours it is good for.
        #[arg(long, default_value_t = 168)]
        hours: u64,
    },
    /// List devices and how they are.
    Devices {
        /// Whose.
        #[arg(long)]
        organisation: String,
    },
    /// Revoke a device: nothing is answered to it from now on.
    RevokeDevice {
        /// Which.
        device: String,
    },
    /// Let a revoked device be enrolled again, by a new token.
    ReinstateDevice {
        /// Which.
        device: String,
    },
    /// Make an API key and print it; it is nowhere else.
    Key {
        /// Whose key.
        #[arg(long)]
        organisation: String,
        /// What it may do.
        #[arg(long, value_enum, default_value_t = Role::Integrator)]
        role: Role,
        /// Only this scope; may be repeated. In place of the role's own.
        #[arg(long)]
        scope: Vec<String>,
        /// Who uses it, for the list.
        #[arg(long, default_value = "")]
        label: String,
    },
    /// List API keys.
    Keys {
        /// Whose.
        #[arg(long)]
        organisation: String,
    },
    /// Revoke an API key.
    RevokeKey {
        /// The key's id: what stands between the first and the second dot of the key.
        key: String,
    },
    /// List meetings that are not over.
    Meetings {
        /// Whose.
        #[arg(long)]
        organisation: String,
    },
    /// What people are recognised by.
    #[command(flatten)]
    People(people::PeopleCommand),
    /// Print a certificate's chain with this hub's vouchers behind it, for a proxy that ends TLS
    /// before the hub: by them devices know it. To be run again whenever the certificate is renewed
    /// or the hub's authority replaced.
    Vouch {
        /// The PEM file of the certificate's chain, the server's own first.
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
    },
    /// Replace the hub's authority, in three steps: `begin` makes the next one, of which devices
    /// are told within minutes; `switch` lets it sign; `finish` forgets the one before. A running
    /// hub follows within a minute. `status` lists the devices that have not followed yet.
    Authority {
        /// Which step.
        #[arg(value_enum)]
        step: Rotation,

        /// Go on although devices have not followed the step before.
        #[arg(long)]
        force: bool,
    },
    /// Offers of updates and of configuration.
    #[command(flatten)]
    Offers(offers::OffersCommand),
    /// Close a meeting: its key is destroyed.
    CloseMeeting {
        /// Which.
        meeting: String,
        /// Whose.
        #[arg(long)]
        organisation: String,
    },
}

/// A step in replacing the authority.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rotation {
    /// Say which devices have not followed yet.
    Status,
    /// Make the next authority.
    Begin,
    /// Let it sign.
    Switch,
    /// Forget the one before.
    Finish,
}

/// A key's role.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Puts people, meetings and rosters; reads rolls and records.
    Integrator,
    /// Puts and closes meetings; reads rolls.
    Secretary,
    /// Keeps devices.
    Operator,
}

/// Arguments of `conformance`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  syncd conformance --against https://localhost:8443 \
    --authority city/ca.pem --key ddk1.… --token ddt1.… --room r --door d"
)]
pub struct ConformanceArgs {
    /// The server's address.
    #[arg(long, value_name = "URL")]
    against: String,

    /// A PEM file of the authorities by which it may show itself; without, the system's.
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,

    /// An API key of an organisation, with all scopes of an integrator and of a secretary.
    #[arg(long)]
    key: String,

    /// A one-time token of a device that was declared and never enrolled.
    #[arg(long, requires_all = ["room", "door"])]
    token: Option<String>,

    /// That device's room.
    #[arg(long)]
    room: Option<String>,

    /// A door of it.
    #[arg(long)]
    door: Option<String>,
}

/// Runs a command of the city side.
pub fn run(command: &HubCommand) -> anyhow::Result<ExitCode> {
    match command {
        HubCommand::Serve(args) => serve(args)?,
        HubCommand::Admin(args) => admin(args)?,
        HubCommand::Backup { data, to } => {
            hub::backup(&*existing(data)?, to)?;
            println!("{}", to.display());
        }
        HubCommand::Restore { data, from } => {
            hub::restore(data, from)?;
            println!("restored; start the hub, and devices send again what came later");
        }
        HubCommand::Openapi => print!("{}", wire::openapi::text()),
    }
    Ok(ExitCode::SUCCESS)
}

fn open(data: &Path, options: Options) -> anyhow::Result<Arc<Hub>> {
    Hub::open(data, options).with_context(|| format!("the hub in {} does not open", data.display()))
}

/// Opens a hub that is there already: a directory that was mistyped is not to become another city.
fn existing(data: &Path) -> anyhow::Result<Arc<Hub>> {
    existing_with(data, None)
}

fn existing_with(data: &Path, models: Option<ModelPaths>) -> anyhow::Result<Arc<Hub>> {
    anyhow::ensure!(
        data.join(hub::store::sqlite::FILE_NAME).exists(),
        "there is no hub in {}; `syncd hub serve` or `syncd hub admin organisation` makes one",
        data.display()
    );
    let options = Options {
        models,
        ..Options::default()
    };
    open(data, options)
}

fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    let mut options = Options::default();
    options.names.extend(args.name.iter().cloned());
    options.private_webhooks = args.private_webhooks;
    options.connections_per_address = args.connections_per_address;
    if let (Some(certificate), Some(key)) = (&args.certificate, &args.key) {
        options.certificate = Some(ServerFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        });
    }
    options.models = args.models.paths();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    let hub = open(&args.data, options)?;
    if args.sandbox {
        say(&sandbox::fill(&hub)?);
    }
    runtime.block_on(async {
        let listeners = listeners(args).await?;
        if let Some(open) = &listeners.open {
            println!("https://{}", open.local_addr()?);
        }
        if let Some(proxy) = &listeners.proxy {
            println!("proxy {}", proxy.local_address()?);
        }
        let mut hangup = signal(SignalKind::hangup())?;
        let reloaded = hub.clone();
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                reloaded.reload();
            }
        });
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let stopped = async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        };
        notify(&[NotifyState::Ready]);
        tokio::spawn(say_alive(hub.clone()));
        let stopped = async move {
            stopped.await;
            notify(&[NotifyState::Stopping]);
        };
        hub::serve_at(hub, listeners, stopped).await?;
        Ok(())
    })
}

/// Tells systemd, where that wants to know, that this process goes round and its store answers. A
/// store that failed to write answers no more, and what helps then is a new start.
async fn say_alive(hub: Arc<Hub>) {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut often = tokio::time::interval(within / WATCHDOG_SHARE);
    often.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        often.tick().await;
        let store = hub.store().clone();
        match tokio::task::spawn_blocking(move || store.check()).await {
            Ok(Ok(())) => notify(&[NotifyState::Watchdog]),
            Ok(Err(error)) => tracing::error!(%error, "the store does not answer"),
            Err(error) => tracing::error!(%error, "the store cannot be asked"),
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}

async fn listeners(args: &ServeArgs) -> anyhow::Result<Listeners> {
    let open = match (args.listen, &args.behind_proxy) {
        (None, Some(_)) => None,
        (None, None) => Some(LISTEN),
        (listen @ Some(_), _) => listen,
    };
    let open = match open {
        None => None,
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .with_context(|| format!("{address} cannot be listened on"))?,
        ),
    };
    let headers = ProxyHeaders {
        certificate: args.proxy_certificate_header,
        address: args.proxy_address_header,
    };
    let proxy = match &args.behind_proxy {
        None => None,
        Some(address) => {
            let proxies = args.trusted_proxy.clone();
            let bound = ProxyListener::bind(address, proxies, headers).await;
            Some(bound.context("a proxy cannot be listened to (--behind-proxy, --trusted-proxy)")?)
        }
    };
    Ok(Listeners { open, proxy })
}

/// What an integrator needs to begin.
fn say(sandbox: &Sandbox) {
    println!("An invented city, organisation {}.", sandbox.organisation);
    let meetings: Vec<&str> = sandbox.meetings.iter().map(MeetingId::as_str).collect();
    println!("Meetings: {}", meetings.join(", "));
    if let Some(secrets) = &sandbox.secrets {
        println!("These are shown once:");
        println!("  integrator's key  {}", secrets.integrator);
        println!("  secretary's key   {}", secrets.secretary);
        println!("  operator's key    {}", secrets.operator);
        println!("  device {}    {}", sandbox::DEVICE, secrets.token);
    }
}

fn admin(args: &AdminArgs) -> anyhow::Result<()> {
    let hub = hub_of(args)?;
    match &args.command {
        AdminCommand::Organisation { id, name } => {
            let change = admin::put_organisation(&hub, read(id)?, name)?;
            println!("{change:?}");
        }
        AdminCommand::Room {
            id,
            organisation,
            name,
            door,
        } => {
            let doors = door
                .iter()
                .map(|door| read(door))
                .collect::<Result<_, _>>()?;
            let change = admin::put_room(&hub, &read(organisation)?, read(id)?, name, doors)?;
            println!("{change:?}");
        }
        AdminCommand::Device {
            id,
            organisation,
            room,
            door,
        } => {
            let device: DeviceId = read(id)?;
            let (organisation, room): (OrganisationId, RoomId) = (read(organisation)?, read(room)?);
            let doors: Vec<DoorId> = door
                .iter()
                .map(|door| read(door))
                .collect::<Result<_, _>>()?;
            admin::put_device(&hub, &organisation, &device, &room, &doors)?;
            println!("{}", admin::new_token(&hub, &device, admin::TOKEN_LASTS)?);
        }
        AdminCommand::Token { device, hours } => {
            let lasts = Duration::from_secs(hours.saturating_mul(3600));
            println!("{}", admin::new_token(&hub, &read(device)?, lasts)?);
        }
        AdminCommand::Devices { organisation } => devices(&hub, &read(organisation)?)?,
        AdminCommand::RevokeDevice { device } => {
            println!("{:?}", admin::revoke_device(&hub, &read(device)?)?);
        }
        AdminCommand::ReinstateDevice { device } => {
            println!("{:?}", admin::reinstate_device(&hub, &read(device)?)?);
        }
        AdminCommand::Key {
            organisation,
            role,
            scope,
            label,
        } => new_key(&hub, &read(organisation)?, *role, scope, label)?,
        AdminCommand::Keys { organisation } => keys(&hub, &read(organisation)?)?,
        AdminCommand::RevokeKey { key } => {
            let key = ApiKeyId::new(key).with_context(|| format!("`{key}` is no key's id"))?;
            println!("{:?}", admin::revoke_key(&hub, &key)?);
        }
        AdminCommand::Vouch { certificate } => {
            print!("{}", hub::vouched_chain(&hub.ca(), certificate, hub.now())?);
        }
        AdminCommand::People(command) => people::run(&hub, command)?,
        AdminCommand::Authority { step, force } => rotate(&hub, &args.data, *step, *force)?,
        AdminCommand::Meetings { organisation } => meetings(&hub, &read(organisation)?)?,
        AdminCommand::Offers(command) => offers::run(&hub, command)?,
        AdminCommand::CloseMeeting {
            meeting,
            organisation,
        } => {
            let meeting: MeetingId = read(meeting)?;
            println!(
                "{:?}",
                admin::close_meeting(&hub, &read(organisation)?, &meeting)?
            );
        }
    }
    Ok(())
}

/// The hub that a command is for. Only the first command there is makes one.
fn hub_of(args: &AdminArgs) -> anyhow::Result<Arc<Hub>> {
    if matches!(args.command, AdminCommand::Organisation { .. }) {
        return open(&args.data, Options::default());
    }
    let models = if let AdminCommand::People(command) = &args.command {
        command.models()
    } else {
        None
    };
    existing_with(&args.data, models)
}

fn rotate(hub: &Hub, data: &Path, step: Rotation, force: bool) -> anyhow::Result<()> {
    let standing = admin::authority_standing(hub)?;
    let behind: Vec<&str> = standing.behind.iter().map(DeviceId::as_str).collect();
    match step {
        Rotation::Switch | Rotation::Finish => anyhow::ensure!(
            force || behind.is_empty(),
            "{} of {} devices have not followed the step before: {}; wait until they have, revoke \
             those that never will, or use --force: after `finish` they must be enrolled again",
            behind.len(),
            behind.len() + standing.current,
            behind.join(", ")
        ),
        Rotation::Status | Rotation::Begin => {}
    }
    match step {
        Rotation::Status => {
            println!("{} devices have followed", standing.current);
            for device in behind {
                println!("{device}\tbehind");
            }
        }
        Rotation::Begin => println!("{}", Ca::begin_rotation(data, hub.now())?),
        Rotation::Switch => println!("{}", Ca::switch_rotation(data)?),
        Rotation::Finish => Ca::finish_rotation(data)?,
    }
    Ok(())
}

fn new_key(
    hub: &Hub,
    organisation: &OrganisationId,
    role: Role,
    scope: &[String],
    label: &str,
) -> anyhow::Result<()> {
    let role = match role {
        Role::Integrator => KeyRole::Integrator,
        Role::Secretary => KeyRole::Secretary,
        Role::Operator => KeyRole::Operator,
    };
    let scopes = if scope.is_empty() {
        None
    } else {
        Some(admin::scopes(scope)?)
    };
    let key = admin::new_key(hub, organisation, role, scopes, label)?;
    println!("{key}");
    Ok(())
}

fn devices(hub: &Hub, organisation: &OrganisationId) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = admin::devices(hub, organisation, after.as_ref())?;
        for device in &page.items {
            let state = match (&device.revoked_at, &device.keys) {
                (Some(_), _) => "revoked",
                (None, Some(_)) => "enrolled",
                (None, None) => "declared",
            };
            let heard = device.health.as_ref().map_or_else(
                || "-".to_owned(),
                |health| wire::Timestamp(health.received_at).to_string(),
            );
            println!("{}\t{}\t{state}\t{heard}", device.id, device.room);
        }
        after = page.items.last().map(|device| device.id.clone());
        if !page.more {
            return Ok(());
        }
    }
}

fn keys(hub: &Hub, organisation: &OrganisationId) -> anyhow::Result<()> {
    for key in admin::keys(hub, organisation)? {
        let state = if key.revoked_at.is_some() {
            "revoked"
        } else {
            "valid"
        };
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
        println!(
            "{}\t{}\t{state}\t{}\t{}",
            key.id.as_str(),
            key.role.name(),
            key.label,
            scopes.join(" ")
        );
    }
    Ok(())
}

fn meetings(hub: &Hub, organisation: &OrganisationId) -> anyhow::Result<()> {
    let row = |cells: [&str; 7]| {
        let [id, starts, ends, room, state, expected, title] = cells;
        println!(
            "{id:<20}  {starts:<24}  {ends:<24}  {room:<12}  {state:<9}  {expected:>6}  {title}"
        );
    };
    row(["id", "begins", "ends", "room", "state", "people", "title"]);
    let mut after = None;
    loop {
        let page = admin::meetings(hub, organisation, after)?;
        for meeting in &page.items {
            let plan = &meeting.plan;
            row([
                plan.id.as_str(),
                &wire::Timestamp(plan.starts_at).to_string(),
                &wire::Timestamp(plan.ends_at).to_string(),
                plan.room.as_str(),
                match meeting.state {
                    MeetingState::Planned => "planned",
                    MeetingState::Cancelled => "cancelled",
                    MeetingState::Closed => "closed",
                },
                &meeting.expected.to_string(),
                &plan.title,
            ]);
        }
        let last = page.items.last().filter(|_| page.more);
        let Some(last) = last else {
            return Ok(());
        };
        after = Some((last.plan.starts_at, last.plan.id.clone()));
    }
}

/// Reads an id, and says which one is none.
fn read<T: FromStr<Err: std::fmt::Display>>(text: &str) -> anyhow::Result<T> {
    text.parse()
        .map_err(|error| anyhow!("`{text}` is no id: {error}"))
}

/// Runs the contract against a server.
pub async fn conformance(args: &ConformanceArgs) -> anyhow::Result<ExitCode> {
    let authorities = match &args.authority {
        None => None,
        Some(path) => Some(
            file::read_bounded(path, AUTHORITIES_BYTES_MAX)
                .with_context(|| format!("{} cannot be read", path.display()))?
                .with_context(|| format!("{} is too large", path.display()))?,
        ),
    };
    let credentials = conformance::Credentials {
        server: args.against.clone(),
        authorities,
        key: args.key.clone(),
        token: args.token.clone(),
        place: args.room.clone().zip(args.door.clone()),
    };
    let report = conformance::run(&credentials).await?;
    println!("{report}");
    Ok(if report.conforms() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
