//! The command line: what can be typed, and what `--help` says about it. Nothing is done here.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Carries rosters to a meeting-room door and its records to the city.
#[derive(Debug, Parser)]
#[command(name = "syncd", version, max_term_width = 100, after_help = EXIT_HELP)]
pub struct Cli {
    /// The configuration (TOML). Without it, every key has its default; see
    /// deploy/syncd.example.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_HELP: &str = "\
Exit status: 0 done; 1 refused or failed, and the message says what to do; 2 the command line is \
wrong.
The log goes to standard error; RUST_LOG=info (or debug, warn) sets its level. It holds no names.";

/// What the daemon can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Pull rosters and push records, until it is stopped.
    Run,
    /// Enrol this device at the hub with its one-time token.
    ///
    /// The token names the key of the hub's own authority, so no other server is believed. An
    /// enrolment that was interrupted is simply run again.
    Enrol(EnrolArgs),
    /// Say how things are between this door and the hub.
    Status,
    /// Be the city side, and keep it.
    #[cfg(feature = "hub")]
    #[command(subcommand)]
    Hub(crate::hub_cli::HubCommand),
    /// Run the contract of the sync API against a server, and print what it keeps of it.
    ///
    /// It makes a room, people and meetings whose ids begin with "conformance-", and needs a
    /// device that was declared and never enrolled.
    #[cfg(feature = "hub")]
    Conformance(crate::hub_cli::ConformanceArgs),
    /// Watch a city and a door at work on this machine, on a few public portraits.
    ///
    /// Starts a hub, enrols a device, holds a meeting before the kiosk's demonstration, and ends
    /// with the roll as the hub gives it out.
    #[cfg(feature = "hub")]
    Demo(crate::demo::DemoArgs),
}

/// Arguments of `enrol`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  syncd --config syncd.toml enrol --token ddt1.…")]
pub struct EnrolArgs {
    /// The one-time token, as the hub's keeper gave it; `-` reads it from standard input, so that
    /// it does not stand in the list of processes.
    #[arg(long, value_name = "TOKEN")]
    pub token: String,

    /// The hub's address, in place of the configuration's.
    #[arg(long, value_name = "URL")]
    pub hub: Option<String>,

    /// Replace the identity that this device has.
    #[arg(long)]
    pub again: bool,
}
