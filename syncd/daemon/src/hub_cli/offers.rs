//! `syncd hub admin offer…`: updates and configurations for devices, from files.

use std::io::Seek as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use hub::model::{Offer, OfferKind};
use hub::{Hub, admin};
use vocabulary::WallTime;
use wire::limits::OFFER_SIGNATURE_BYTES_MAX;

use super::read;
use crate::file;

/// What can be done about offers.
#[derive(Debug, Subcommand)]
pub(super) enum OffersCommand {
    /// Offer an update or a configuration to devices, with its content from a file.
    Offer(OfferArgs),
    /// List offers, and how much of their contents is here.
    Offers {
        /// Whose.
        #[arg(long)]
        organisation: String,
    },
    /// Withdraw an offer: devices forget what they have fetched of it.
    WithdrawOffer {
        /// Which.
        offer: String,
        /// Whose.
        #[arg(long)]
        organisation: String,
    },
}

/// Arguments of `admin offer`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  syncd hub admin offer fw-2 --organisation so-mau --kind update \
    --version 2.0 --file image.zst --signature image.sig --signature-key key-1 --percent 10"
)]
pub(super) struct OfferArgs {
    /// Its id.
    id: String,
    /// Whose.
    #[arg(long)]
    organisation: String,
    /// What it is.
    #[arg(long, value_enum)]
    kind: Kind,
    /// Its version.
    #[arg(long)]
    version: String,
    /// The file with its content.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// A file with its maker's signature.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Which key the signature is by.
    #[arg(long, default_value = "")]
    signature_key: String,
    /// A room whose devices it is for; may be repeated. Without rooms and devices it is for all.
    #[arg(long)]
    room: Vec<String>,
    /// A device that it is for; may be repeated.
    #[arg(long)]
    device: Vec<String>,
    /// Before when no device is told of it, such as 2026-12-01T00:00:00+07:00.
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// When no device is told of it any more.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// The share of these devices that are told of it.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
    percent: Option<u8>,
}

/// What is offered.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Another version of what runs on the device.
    Update,
    /// Another configuration.
    Configuration,
}

/// Runs a command.
pub(super) fn run(hub: &Hub, command: &OffersCommand) -> anyhow::Result<()> {
    match command {
        OffersCommand::Offer(offer) => put_offer(hub, offer)?,
        OffersCommand::Offers { organisation } => {
            for (offer, received) in admin::offers(hub, &read(organisation)?)? {
                let (id, version, size) = (&offer.id, &offer.version, offer.size_bytes);
                println!(
                    "{id}\t{:?}\t{version}\t{received} of {size} bytes",
                    offer.kind
                );
            }
        }
        OffersCommand::WithdrawOffer {
            offer,
            organisation,
        } => {
            let (organisation, offer) = (read(organisation)?, read(offer)?);
            println!("{:?}", admin::withdraw_offer(hub, &organisation, &offer)?);
        }
    }
    Ok(())
}

/// Offers a file: what it is, then its content.
fn put_offer(hub: &Hub, args: &OfferArgs) -> anyhow::Result<()> {
    let path = args.file.display();
    let mut file = std::fs::File::open(&args.file).with_context(|| format!("{path}"))?;
    let size_bytes = file.metadata().with_context(|| format!("{path}"))?.len();
    let sha256 = hub::content_digest(&mut file).with_context(|| format!("{path}"))?;
    let signature = match &args.signature {
        None => Vec::new(),
        Some(path) => file::read_bounded(path, OFFER_SIGNATURE_BYTES_MAX as u64)
            .with_context(|| format!("{}", path.display()))?
            .with_context(|| format!("{} is too large for a signature", path.display()))?,
    };
    let time = |text: &Option<String>| -> anyhow::Result<Option<WallTime>> {
        let read = text
            .as_deref()
            .map(str::parse::<wire::Timestamp>)
            .transpose();
        Ok(read
            .context("a time is like 2026-12-01T00:00:00+07:00")?
            .map(|time| time.0))
    };
    let offer = Offer {
        organisation: read(&args.organisation)?,
        id: read(&args.id)?,
        kind: match args.kind {
            Kind::Update => OfferKind::Update,
            Kind::Configuration => OfferKind::Configuration,
        },
        version: args.version.clone(),
        size_bytes,
        sha256,
        signature,
        signature_key: args.signature_key.clone(),
        rooms: args
            .room
            .iter()
            .map(|room| read(room))
            .collect::<Result<_, _>>()?,
        devices: args
            .device
            .iter()
            .map(|id| read(id))
            .collect::<Result<_, _>>()?,
        not_before: time(&args.not_before)?,
        expires_at: time(&args.expires_at)?,
        percent: args.percent,
        made_at: hub.now(),
    };
    let change = admin::put_offer(hub, &offer)?;
    file.rewind().with_context(|| format!("{path}"))?;
    admin::put_offer_content(hub, &offer, &mut file)?;
    println!("{change:?}\t{sha256}");
    Ok(())
}
