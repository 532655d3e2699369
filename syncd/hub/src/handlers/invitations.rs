//! Keys whose invitations are valid. Only public halves come here.

use std::sync::Arc;

use vocabulary::MeetingId;
use wire::invitation as api;
use wire::problem::ProblemType;
use wire::scalar::Hex;
use wire::{Hex32, Timestamp};

use crate::call::Call;
use crate::hub::Hub;
use crate::model::{InvitationKey, KeyChange};
use crate::reply::{Failure, Reply};

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    list(hub, call, None)
}

pub(super) fn put(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    replace(hub, call, None)
}

pub(super) fn get_of_meeting(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    list(hub, call, Some(&call.path(0)?))
}

pub(super) fn put_of_meeting(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    replace(hub, call, Some(&call.path(0)?))
}

fn list(hub: &Hub, call: &Call, meeting: Option<&MeetingId>) -> Result<Reply, Failure> {
    let keys = hub.store.invitation_keys(call.organisation()?, meeting)?;
    answer(keys)
}

fn replace(hub: &Hub, call: &Call, meeting: Option<&MeetingId>) -> Result<Reply, Failure> {
    let put: api::PutInvitationKeys = call.json()?;
    for (index, key) in put.keys.iter().enumerate() {
        check(key).map_err(|why| {
            let detail = format!("`keys[{index}]` in the body: {why}");
            Failure::new(ProblemType::Unprocessable, detail)
        })?;
    }
    let change = KeyChange::Replace(put.keys.into_iter().map(|key| key.0).collect());
    let organisation = call.organisation()?;
    let (_, keys) = hub
        .store
        .change_invitation_keys(organisation, meeting, &change, call.now)?;
    answer(keys)
}

/// Refuses what no signature could be verified with, before it has travelled to every door.
fn check(key: &Hex32) -> Result<(), credential::KeyError> {
    credential::PublicKey::from_bytes(&key.0).map(drop)
}

fn answer(keys: Vec<InvitationKey>) -> Result<Reply, Failure> {
    Reply::json(&api::InvitationKeys {
        keys: keys
            .into_iter()
            .map(|one| api::InvitationKey {
                key: Hex(one.key),
                since: one.since.map(Timestamp),
            })
            .collect(),
    })
}
