//! `syncd`: beside a kiosk it pulls rosters and pushes records; `syncd hub` is the city side.
//!
//! The edge build (`--no-default-features`) has none of the city side in it.

mod cli;
mod config;
#[cfg(feature = "hub")]
mod demo;
mod edge;
mod enrol;
mod file;
mod http;
#[cfg(feature = "hub")]
mod hub_cli;
mod identity;
mod kept;
mod ledger_reader;
mod neighbour;
mod offers;
mod trust;

use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command, EnrolArgs};
use config::{Config, LogFormat};

/// Most bytes of a token on standard input.
const TOKEN_BYTES_MAX: u64 = 4096;

fn main() -> ExitCode {
    // The hub looks at portraits by ONNX Runtime, and no thread may run when this is forbidden.
    #[cfg(feature = "hub")]
    if let Err(error) = hub::forbid_telemetry() {
        eprintln!("syncd: {error}");
        return ExitCode::FAILURE;
    }
    let cli = Cli::parse();
    match start(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("syncd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: &Cli) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(cli.config.as_deref())?;
    log(config.log.format);
    match &cli.command {
        Command::Run => {
            one_thread()?.block_on(edge::run(&config))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Enrol(EnrolArgs { token, hub, again }) => {
            if let Some(url) = hub {
                config.hub.url.clone_from(url);
            }
            let token = if token == "-" {
                standard_input()?
            } else {
                token.clone()
            };
            one_thread()?.block_on(enrol::enrol(&config, token.trim(), *again))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Status => {
            print!("{}", kept::status_text(&config)?);
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(feature = "hub")]
        Command::Hub(command) => hub_cli::run(command),
        #[cfg(feature = "hub")]
        Command::Conformance(args) => one_thread()?.block_on(hub_cli::conformance(args)),
        #[cfg(feature = "hub")]
        Command::Demo(args) => {
            one_thread()?.block_on(demo::demo(args))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The edge needs no more than one thread: it waits nearly always.
fn one_thread() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")
}

fn standard_input() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(TOKEN_BYTES_MAX)
        .read_to_string(&mut text)
        .context("the token cannot be read from standard input")?;
    Ok(text)
}

/// Makes a directory that only its owner may enter, unless it is there.
fn make_directory(path: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("{} cannot be made", path.display()))
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
}
