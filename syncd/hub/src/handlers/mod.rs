//! What each operation does. A handler is a plain function: it is called where blocking is
//! allowed, with a caller who may, and a request whose parameters are of the documented form.

mod calendars;
mod cards;
mod device;
mod document;
mod enrolment;
mod fleet;
mod invitations;
mod live;
mod meetings;
mod offers;
mod people;
mod plan;
mod records;
mod rolls;
mod rooms;
mod rosters;
mod sheet;
mod webhooks;

pub(crate) use device::RosterCache;
pub(crate) use records::record_out;

use std::sync::Arc;

use crate::call::Call;
use crate::hub::Hub;
use crate::reply::{Failure, Reply};

/// What answers an operation.
pub(crate) type Handler = fn(&Arc<Hub>, &Call) -> Result<Reply, Failure>;

/// The handler of an operation, by its id in the table.
pub(crate) fn find(id: &str) -> Option<Handler> {
    HANDLERS
        .iter()
        .find(|(name, _)| *name == id)
        .map(|(_, handler)| *handler)
}

/// Every operation's handler, in the order of the table.
const HANDLERS: &[(&str, Handler)] = &[
    ("getOpenApi", document::open_api),
    ("enrolDevice", device::enrol),
    ("renewCertificate", device::renew),
    ("reportHealth", device::health),
    ("listDeviceMeetings", device::meetings),
    ("getDeviceRoster", device::roster),
    ("getPosition", device::position),
    ("sendRecords", device::records),
    ("listDeviceOffers", offers::of_device),
    ("getDeviceOffer", offers::content),
    ("getOrganisation", rooms::organisation),
    ("listRooms", rooms::list),
    ("getRoom", rooms::get),
    ("putRoom", rooms::put),
    ("listPeople", people::list),
    ("getPerson", people::get),
    ("putPerson", people::put),
    ("putPortrait", enrolment::portrait),
    ("putTemplate", enrolment::template),
    ("deleteReference", enrolment::delete),
    ("getModelPlan", plan::get),
    ("putCitizenCard", cards::put),
    ("deleteCitizenCard", cards::delete),
    ("listMeetings", meetings::list),
    ("getMeeting", meetings::get),
    ("putMeeting", meetings::put),
    ("cancelMeeting", meetings::cancel),
    ("closeMeeting", meetings::close),
    ("getCalendar", calendars::get),
    ("postCalendar", calendars::post),
    ("getRoster", rosters::get),
    ("putRoster", rosters::put),
    ("getInvitationKeys", invitations::get),
    ("putInvitationKeys", invitations::put),
    ("getMeetingInvitationKeys", invitations::get_of_meeting),
    ("putMeetingInvitationKeys", invitations::put_of_meeting),
    ("getRoll", rolls::get),
    ("listRecords", records::list),
    ("followRecords", live::follow),
    ("listNotes", fleet::notes),
    ("listDevices", fleet::list),
    ("getDevice", fleet::get),
    ("putDevice", fleet::put),
    ("revokeDevice", fleet::revoke),
    ("reinstateDevice", fleet::reinstate),
    ("makeToken", fleet::token),
    ("listOffers", offers::list),
    ("getOffer", offers::get),
    ("putOffer", offers::put),
    ("putOfferPart", offers::part),
    ("withdrawOffer", offers::withdraw),
    ("listWebhooks", webhooks::list),
    ("getWebhook", webhooks::get),
    ("putWebhook", webhooks::put),
    ("deleteWebhook", webhooks::delete),
    ("retryWebhook", webhooks::retry),
    ("listDeliveries", webhooks::deliveries),
    ("redeliver", webhooks::redeliver),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_one_handler_and_every_handler_an_operation() {
        let operations: Vec<_> = wire::OPERATIONS.iter().map(|o| o.id).collect();
        let handlers: Vec<_> = HANDLERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(handlers, operations);
    }
}
