//! The kiosk: takes the roll at a meeting-room door. This file only turns the command line into
//! calls and results into an exit status.

mod capture;
mod choose;
mod city;
mod cli;
mod clock;
mod codes;
mod commands;
mod compose;
mod config;
mod demo;
mod doctor;
#[cfg(feature = "evaluate")]
mod evaluate;
mod event;
mod keys;
mod kiosk;
mod local_time;
mod looking;
mod mailbox;
mod model_choice;
mod neighbour;
mod networks;
mod perceive;
mod portrait;
mod record_json;
mod roll_output;
mod roster_check;
mod roster_file;
mod rosters;
mod run;
mod show;
mod source;
mod store;
mod table;
mod trouble;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::config::{Config, LogFormat};
use crate::run::RunError;

/// Exit status when attendance cannot be recorded.
const NOT_RECORDING: u8 = 3;

fn main() -> ExitCode {
    // First of all, while there is one thread: afterwards it is too late.
    if let Err(error) = inference::forbid_telemetry() {
        eprintln!("kiosk: {}", trouble::chain(&error));
        return ExitCode::FAILURE;
    }
    match obey(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kiosk: {error:#}");
            match error.downcast_ref::<RunError>() {
                Some(RunError::NotRecording(_)) => ExitCode::from(NOT_RECORDING),
                Some(RunError::Trouble(_) | RunError::Other(_)) | None => ExitCode::FAILURE,
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let kind = cause
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind);
        kind == Some(std::io::ErrorKind::BrokenPipe)
    })
}

fn obey(cli: &Cli) -> anyhow::Result<()> {
    let config = match &cli.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    start_log(&config);
    match &cli.command {
        Command::Run(args) => commands::run_kiosk(&config, args),
        Command::Enrol(args) => commands::enrol(&config, args),
        Command::Roster(command) => commands::roster(&config, command),
        Command::Roll(args) => commands::roll(&config, args),
        Command::Ledger(command) => commands::ledger(&config, command),
        Command::Key => commands::key(&config),
        Command::Doctor => doctor::doctor(&config),
        Command::Demo(args) => demo::demo(&config, args),
        #[cfg(feature = "evaluate")]
        Command::Evaluate(args) => evaluate::evaluate(&config, args),
    }
}

fn start_log(config: &Config) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
}
