//! `syncd hub admin …`: what people are recognised by beside their faces, and what is kept of them.
//! Names and pictures are never printed.

use std::str::FromStr;

use clap::Subcommand;
use hub::{Hub, admin};
use vocabulary::{MeetingId, OrganisationId};

use super::read;

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
}

/// Runs one of them.
pub fn run(hub: &Hub, command: &PeopleCommand) -> anyhow::Result<()> {
    match command {
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
