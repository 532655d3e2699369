//! `syncd hub admin …`: what people are recognised by beside their faces, and what is kept of them.
//! Names and pictures are never printed.

use std::str::FromStr;

use clap::Subcommand;
use hub::admin::{self, Remade};
use hub::plan::{self, Model};
use hub::{Hub, ModelPaths};
use vocabulary::{MeetingId, OrganisationId};

use super::{ModelArgs, read};

/// What an operator sets about people and how they are recognised.
#[derive(Debug, Subcommand)]
pub enum PeopleCommand {
    /// List the keys whose invitations are valid.
    InvitationKeys {
        /// At whose meetings.
        #[arg(long)]
        organisation: String,
        /// Only those that this meeting has beside the organisation's.
        #[arg(long)]
        meeting: Option<String>,
    },
    /// Let invitations that a key signs be valid. Doors know with their next rosters.
    InvitationKey {
        /// The Ed25519 public key: 64 hexadecimal digits.
        key: String,
        /// At whose meetings.
        #[arg(long)]
        organisation: String,
        /// Only at this meeting.
        #[arg(long)]
        meeting: Option<String>,
        /// The key that it comes instead of, whose invitations are valid no longer.
        #[arg(long, value_name = "KEY")]
        instead_of: Option<String>,
    },
    /// Let invitations that a key signed be valid no longer.
    WithdrawInvitationKey {
        /// The key.
        key: String,
        /// At whose meetings.
        #[arg(long)]
        organisation: String,
        /// Only at this meeting.
        #[arg(long)]
        meeting: Option<String>,
    },
    /// List organisations, and whether they keep portraits.
    Organisations,
    /// Keep portraits that are handed in, encrypted and to a date, so that references can be made
    /// of them again for another model. Off unless it is switched on here; tell the people first.
    KeepPortraits {
        /// Whose.
        #[arg(long)]
        organisation: String,
        /// For how many days from when each is handed in; counts for those that are there too.
        #[arg(long, conflicts_with = "off", required_unless_present = "off")]
        days: Option<u32>,
        /// Keep none any more: all of them are destroyed at once.
        #[arg(long)]
        off: bool,
    },
    /// Tell who must be photographed again before doors may compare by another model.
    ModelPlan {
        /// Whose.
        #[arg(long)]
        organisation: String,
        /// The digest of the model's published file, as in the manifest; without, that of the last
        /// comparer.
        #[arg(long, value_name = "DIGEST")]
        model: Option<String>,
        /// Everybody as a sheet, in place of the sums.
        #[arg(long)]
        csv: bool,
        #[command(flatten)]
        models: ModelArgs,
    },
    /// Make references again of kept portraits, by the models named here, for people who have none
    /// by the last of them. Those that are there stay.
    RemakeReferences {
        /// Whose.
        #[arg(long)]
        organisation: String,
        #[command(flatten)]
        models: ModelArgs,
    },
}

impl PeopleCommand {
    /// Where the models are that the command works with, if it does.
    pub fn models(&self) -> Option<ModelPaths> {
        match self {
            Self::RemakeReferences { models, .. } | Self::ModelPlan { models, .. } => {
                models.paths()
            }
            Self::InvitationKeys { .. }
            | Self::InvitationKey { .. }
            | Self::WithdrawInvitationKey { .. }
            | Self::Organisations
            | Self::KeepPortraits { .. } => None,
        }
    }
}

/// Runs one of them.
pub fn run(hub: &Hub, command: &PeopleCommand) -> anyhow::Result<()> {
    match command {
        PeopleCommand::Organisations => organisations(hub)?,
        PeopleCommand::KeepPortraits {
            organisation, days, ..
        } => keep_portraits(hub, &read(organisation)?, *days)?,
        PeopleCommand::ModelPlan {
            organisation,
            model,
            csv,
            ..
        } => model_plan(hub, &read(organisation)?, model.as_deref(), *csv)?,
        PeopleCommand::RemakeReferences { organisation, .. } => {
            let Remade {
                made,
                refused,
                lost,
            } = admin::remake_references(hub, &read(organisation)?)?;
            println!("{made} made; {refused} portraits give none, {lost} are no longer there");
        }
        PeopleCommand::InvitationKeys {
            organisation,
            meeting,
        } => invitation_keys(hub, &read(organisation)?, meeting.as_deref())?,
        PeopleCommand::InvitationKey {
            key,
            organisation,
            meeting,
            instead_of,
        } => {
            let (organisation, meeting) = (read(organisation)?, maybe(meeting.as_deref())?);
            let (key, before) = (read(key)?, maybe(instead_of.as_deref())?);
            let meeting = meeting.as_ref();
            let change = admin::put_invitation_key(hub, &organisation, meeting, key, before)?;
            println!("{change:?}");
        }
        PeopleCommand::WithdrawInvitationKey {
            key,
            organisation,
            meeting,
        } => {
            let (organisation, meeting) = (read(organisation)?, maybe(meeting.as_deref())?);
            let (key, meeting) = (read(key)?, meeting.as_ref());
            let change = admin::withdraw_invitation_key(hub, &organisation, meeting, key)?;
            println!("{change:?}");
        }
    }
    Ok(())
}

fn organisations(hub: &Hub) -> anyhow::Result<()> {
    for organisation in admin::organisations(hub)? {
        let keeping = admin::portrait_keeping(hub, &organisation.id)?;
        let portraits = keeping.days.map_or_else(
            || "keeps no portraits".to_owned(),
            |days| format!("keeps portraits for {days} days, {} now", keeping.kept),
        );
        println!("{}\t{}\t{portraits}", organisation.id, organisation.name);
    }
    Ok(())
}

fn keep_portraits(
    hub: &Hub,
    organisation: &OrganisationId,
    days: Option<u32>,
) -> anyhow::Result<()> {
    let (change, destroyed) = admin::keep_portraits(hub, organisation, days)?;
    match days {
        Some(days) => println!(
            "{change:?}: portraits handed in from now on are kept encrypted for {days} days"
        ),
        None => println!("{change:?}: no portrait is kept any more"),
    }
    println!("{destroyed} portraits were destroyed; backups still have them");
    Ok(())
}

fn model_plan(
    hub: &Hub,
    organisation: &OrganisationId,
    model: Option<&str>,
    csv: bool,
) -> anyhow::Result<()> {
    let model = match maybe::<wire::Hex32>(model)? {
        Some(model) => Model::Named(model.into()),
        None => admin::own_model(hub)?,
    };
    let mut first = true;
    let mut failed = None;
    let counts = admin::model_plan(hub, organisation, &model, |rows| {
        if csv {
            match plan::sheet(rows, first) {
                Ok(text) if first => print!("\u{feff}{text}"),
                Ok(text) => print!("{text}"),
                Err(error) => failed = Some(error),
            }
        }
        first = false;
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    if !csv {
        println!("{} ready", counts.ready);
        println!(
            "{} can be made again of kept portraits",
            counts.from_portrait
        );
        println!("{} must be photographed again", counts.photograph);
        println!("{} were never enrolled", counts.never_enrolled);
    }
    Ok(())
}

fn invitation_keys(
    hub: &Hub,
    organisation: &OrganisationId,
    meeting: Option<&str>,
) -> anyhow::Result<()> {
    let meeting: Option<MeetingId> = maybe(meeting)?;
    for one in admin::invitation_keys(hub, organisation, meeting.as_ref())? {
        let since = one
            .since
            .map_or_else(|| "-".to_owned(), |at| wire::Timestamp(at).to_string());
        println!("{}\t{since}", wire::scalar::Hex(one.key));
    }
    Ok(())
}

/// Reads an id where there is one.
fn maybe<T: FromStr<Err: std::fmt::Display>>(text: Option<&str>) -> anyhow::Result<Option<T>> {
    text.map(read).transpose()
}
