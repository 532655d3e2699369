//! `syncd hub …` and `syncd conformance`: the commands of the city side. Each calls one function of
//! `hub` and prints what came of it.

mod people;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use hub::ca::Ca;
use hub::model::{ApiKeyId, KeyRole};
use hub::sandbox::{self, Sandbox};
use hub::{Hub, ModelPaths, Options, ServerFiles, admin};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use vocabulary::{DeviceId, DoorId, MeetingId, OrganisationId, RoomId};

use crate::file;

/// Most bytes of a file of authorities.
const AUTHORITIES_BYTES_MAX: u64 = 1 << 20;

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

    /// Where to listen; port 0 takes a free one, which is printed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,

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

    /// The comparer's id in the manifest.
    #[arg(long, value_name = "ID", default_value = "sface-2021dec")]
    comparer: String,
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
    /// Replace the hub's authority, in three steps: `begin` makes the next one and tells devices of
    /// it, `switch` (when all have renewed their certificates) lets it sign, `finish` forgets the
    /// one before. Start the hub again after each step.
    Authority {
        /// Which step.
        #[arg(value_enum)]
        step: Rotation,
    },
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
    anyhow::ensure!(
        data.join(hub::store::sqlite::FILE_NAME).exists(),
        "there is no hub in {}; `syncd hub serve` or `syncd hub admin organisation` makes one",
        data.display()
    );
    open(data, Options::default())
}

fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    let mut options = Options::default();
    options.names.extend(args.name.iter().cloned());
    options.private_webhooks = args.private_webhooks;
    if let (Some(certificate), Some(key)) = (&args.certificate, &args.key) {
        options.certificate = Some(ServerFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        });
    }
    if let (Some(manifest), Some(directory)) = (&args.manifest, &args.models) {
        options.models = Some(ModelPaths {
            manifest: manifest.clone(),
            directory: directory.clone(),
            runtime: args.runtime.clone(),
            detector: args.detector.clone(),
            comparer: args.comparer.clone(),
        });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    let hub = open(&args.data, options)?;
    if args.sandbox {
        say(&sandbox::fill(&hub)?);
    }
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("{} cannot be listened on", args.listen))?;
        println!("https://{}", listener.local_addr()?);
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
        hub::serve(hub, listener, stopped).await?;
        Ok(())
    })
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
        AdminCommand::Authority { step } => {
            match step {
                Rotation::Begin => println!("{}", Ca::begin_rotation(&args.data, hub.now())?),
                Rotation::Switch => println!("{}", Ca::switch_rotation(&args.data)?),
                Rotation::Finish => Ca::finish_rotation(&args.data)?,
            }
            println!("start the hub again for this to count");
        }
        AdminCommand::People(command) => people::run(&hub, command)?,
        AdminCommand::Meetings { organisation } => meetings(&hub, &read(organisation)?)?,
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
    existing(&args.data)
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
    for meeting in admin::meetings(hub, organisation)?.items {
        println!("{meeting:?}");
    }
    Ok(())
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
