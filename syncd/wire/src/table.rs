//! The rows of the table of operations, in the order of the document.

use crate::limits::{
    BODY_BYTES_MAX, OFFER_PART_BYTES, OFFER_PARTS_MAX, PAGE_ITEMS_MAX, PORTRAIT_BYTES_MAX,
    RECORDS_BODY_BYTES_MAX, ROSTER_BODY_BYTES_MAX,
};
use crate::operation::{Access, Content, Form, Operation, Query, Scope};
use crate::problem::ProblemType as P;

/// What most operations are; rows say where they differ.
const PLAIN: Operation = Operation {
    id: "",
    method: "GET",
    path: "",
    access: Access::Anyone,
    about: "",
    notes: "",
    query: &[],
    request: Content::None,
    request_bytes_max: BODY_BYTES_MAX,
    status: 200,
    answer: Content::None,
    conditional: false,
    ranged: false,
    problems: &[],
};

const LIMIT: Query = Query {
    name: "limit",
    about: "How many at most.",
    form: Form::Number(PAGE_ITEMS_MAX),
};

const AFTER: Query = Query {
    name: "after",
    about: "The cursor of the page before.",
    form: Form::Cursor,
};

const FROM: Query = Query {
    name: "from",
    about: "Only meetings that end after this moment.",
    form: Form::Time,
};

const UNTIL: Query = Query {
    name: "until",
    about: "Only meetings that begin before this moment.",
    form: Form::Time,
};

/// How rosters look as sheets.
const ROSTER_SHEET: &str = "\
As CSV: UTF-8, with or without a mark at its beginning; commas, semicolons or tabs; the first \
line names the columns, in any order, in Vietnamese (with or without diacritics) or English: Mã \
(id; the only one that must be there), Họ và tên (name; for readers, the person's own counts), \
Chức danh (title), Đơn vị (unit), Vai trò (role: Đại biểu or member, Khách mời or guest; empty \
is member), Hình thức (attendance: Khuôn mặt or face, Mã QR or code; empty is face), Dự thay cho \
(instead of: an id), Theo văn bản (document), STT (ignored). What is written begins with a mark, \
has commas, and an apostrophe before a cell that would be a formula; it is read back as it was.";

/// How keys of invitations are changed.
const INVITATION_KEYS: &str = "\
The list is replaced whole; the same again changes nothing. A change makes a new generation of \
every roster that it concerns, and counts at a door when that has come there. To rotate, put the \
new key beside the old one, and later the list without the old one; to withdraw, put the list \
without it. The private halves stay with whoever signs: nothing here ever asks for one.";

/// Every operation under [`crate::BASE`].
pub const OPERATIONS: &[Operation] = &[
    Operation {
        id: "getOpenApi",
        path: "/openapi.json",
        about: "This document.",
        answer: Content::Text("application/json"),
        ..PLAIN
    },
    Operation {
        id: "enrolDevice",
        method: "POST",
        path: "/device/enrolment",
        access: Access::Token,
        about: "Enrols a device: its one-time token for a certificate.",
        request: Content::Json("EnrolDevice"),
        answer: Content::Json("Enrolled"),
        problems: &[P::TokenUsed, P::Revoked, P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "renewCertificate",
        method: "POST",
        path: "/device/certificate",
        access: Access::ExpiredDevice,
        about: "Renews a device's certificate.",
        request: Content::Json("RenewCertificate"),
        answer: Content::Json("Enrolled"),
        problems: &[P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "reportHealth",
        method: "PUT",
        path: "/device/health",
        access: Access::Device,
        about: "Tells how the device is.",
        request: Content::Json("Health"),
        answer: Content::Json("HealthAnswer"),
        ..PLAIN
    },
    Operation {
        id: "listDeviceMeetings",
        path: "/device/meetings",
        access: Access::Device,
        about: "The meetings of the device's doors, with their keys.",
        query: &[FROM, UNTIL],
        answer: Content::Json("DeviceMeetings"),
        conditional: true,
        ..PLAIN
    },
    Operation {
        id: "getDeviceRoster",
        path: "/device/meetings/{meeting}/roster",
        access: Access::Device,
        about: "A meeting's roster, whole, with sealed references.",
        answer: Content::Json("DeviceRoster"),
        conditional: true,
        problems: &[P::NotFound, P::Gone],
        ..PLAIN
    },
    Operation {
        id: "getPosition",
        path: "/device/position/{epoch}",
        access: Access::Device,
        about: "How far the hub has the device's records of an epoch (32 hexadecimal digits).",
        answer: Content::Json("Position"),
        ..PLAIN
    },
    Operation {
        id: "sendRecords",
        method: "POST",
        path: "/device/records",
        access: Access::Device,
        about: "Sends records. Sending them again is a success.",
        request: Content::Json("SendRecords"),
        request_bytes_max: RECORDS_BODY_BYTES_MAX,
        answer: Content::Json("RecordsAccepted"),
        problems: &[P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "listDeviceOffers",
        path: "/device/offers",
        access: Access::Device,
        about: "The updates and configurations that this device is offered.",
        answer: Content::Json("DeviceOffers"),
        conditional: true,
        ..PLAIN
    },
    Operation {
        id: "getDeviceOffer",
        path: "/device/offers/{offer}/content",
        access: Access::Device,
        about: "The content of an offer, whole or a range of it (RFC 9110).",
        notes: "Its `ETag` is its SHA-256 in hexadecimal digits, in quotation marks: send it as \
                `If-Range`, so that ranges of two contents are never put together.",
        answer: Content::Bytes,
        conditional: true,
        ranged: true,
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "getOrganisation",
        path: "/organisation",
        access: Access::Key(Scope::MeetingsRead),
        about: "The key's organisation.",
        answer: Content::Json("Organisation"),
        ..PLAIN
    },
    Operation {
        id: "listRooms",
        path: "/rooms",
        access: Access::Key(Scope::MeetingsRead),
        about: "All rooms.",
        answer: Content::Json("Rooms"),
        ..PLAIN
    },
    Operation {
        id: "getRoom",
        path: "/rooms/{room}",
        access: Access::Key(Scope::MeetingsRead),
        about: "A room.",
        answer: Content::Json("Room"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "putRoom",
        method: "PUT",
        path: "/rooms/{room}",
        access: Access::Key(Scope::MeetingsWrite),
        about: "Makes a room, or changes it.",
        notes: "What is put replaces what was there, whole: a door that is left out is taken away.",
        request: Content::Json("PutRoom"),
        answer: Content::Json("Room"),
        problems: &[P::Conflict, P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "listPeople",
        path: "/people",
        access: Access::Key(Scope::PeopleRead),
        about: "All people, a page at a time.",
        query: &[LIMIT, AFTER],
        answer: Content::Json("People"),
        ..PLAIN
    },
    Operation {
        id: "getPerson",
        path: "/people/{person}",
        access: Access::Key(Scope::PeopleRead),
        about: "A person.",
        answer: Content::Json("Person"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "putPerson",
        method: "PUT",
        path: "/people/{person}",
        access: Access::Key(Scope::PeopleWrite),
        about: "Makes a person, or changes name, title or unit.",
        notes: "What is put replaces what was there, whole: a title or unit that is left out \
                becomes empty. References stay.",
        request: Content::Json("PutPerson"),
        answer: Content::Json("Person"),
        problems: &[P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "putPortrait",
        method: "PUT",
        path: "/people/{person}/portraits/{reference}",
        access: Access::Key(Scope::EnrolmentsWrite),
        about: "Enrols a person from a portrait (JPEG, PNG or WebP), which is not kept unless the \
                organisation keeps portraits.",
        notes: "The hub makes a reference in each feature space that it has a model for, and \
                answers with the newest. The same portrait again adds those that are missing; \
                another one takes the place of all. Where the organisation keeps portraits (see \
                `portraits_kept_days` of the organisation), this one is kept encrypted until the \
                date that its references then have, and destroyed with them.",
        request: Content::Picture,
        request_bytes_max: PORTRAIT_BYTES_MAX,
        answer: Content::Json("Reference"),
        problems: &[
            P::NotFound,
            P::PortraitRefused,
            P::Conflict,
            P::Unprocessable,
            P::NotOffered,
        ],
        ..PLAIN
    },
    Operation {
        id: "putTemplate",
        method: "PUT",
        path: "/people/{person}/templates/{reference}",
        access: Access::Key(Scope::EnrolmentsWrite),
        about: "Enrols a person by a template that is ready made.",
        request: Content::Json("PutTemplate"),
        answer: Content::Json("Reference"),
        problems: &[P::NotFound, P::Unprocessable, P::Conflict],
        ..PLAIN
    },
    Operation {
        id: "deleteReference",
        method: "DELETE",
        path: "/people/{person}/references/{reference}",
        access: Access::Key(Scope::EnrolmentsWrite),
        about: "Takes a reference away, from all rosters too. A success also when it is not there.",
        status: 204,
        ..PLAIN
    },
    Operation {
        id: "getModelPlan",
        path: "/model-plan",
        access: Access::Key(Scope::PeopleRead),
        about: "Who must be photographed again before doors may compare by a model.",
        notes: "Templates are only compared within their own model. Before doors change theirs, \
                everybody needs a reference made by it: some have one, of some a portrait was kept \
                of which the hub's operator can make one by a command, the others are to be \
                photographed. As CSV (UTF-8 with a mark at the beginning of each page) it has the \
                columns Mã, Họ và tên, Chức danh, Đơn vị, Việc cần làm, Ảnh đã lưu; a cell that \
                would be a formula begins with an apostrophe.",
        query: &[
            Query {
                name: "model",
                about: "The digest of the model's published file; without, the newest that this \
                        hub makes references by.",
                form: Form::Hex32,
            },
            LIMIT,
            AFTER,
        ],
        answer: Content::JsonOrCsv("ModelPlan"),
        problems: &[P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "putCitizenCard",
        method: "PUT",
        path: "/people/{person}/citizen-card",
        access: Access::Key(Scope::EnrolmentsWrite),
        about: "Lets doors know a person by their citizen card.",
        notes: "The number is kept only sealed under the organisation's key, and no answer has \
                it. For each meeting whose roster the person is on, doors get a hash of it, keyed \
                under that meeting's key, which is destroyed with it. (A hash without a key would \
                be no protection: there are few enough numbers to try them all.)",
        request: Content::Json("PutCitizenCard"),
        answer: Content::Json("Person"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "deleteCitizenCard",
        method: "DELETE",
        path: "/people/{person}/citizen-card",
        access: Access::Key(Scope::EnrolmentsWrite),
        about: "Forgets a person's citizen card, on all rosters too. A success also when there is \
                none.",
        status: 204,
        ..PLAIN
    },
    Operation {
        id: "listMeetings",
        path: "/meetings",
        access: Access::Key(Scope::MeetingsRead),
        about: "Meetings in order of their beginning, a page at a time.",
        query: &[FROM, UNTIL, LIMIT, AFTER],
        answer: Content::Json("Meetings"),
        ..PLAIN
    },
    Operation {
        id: "getMeeting",
        path: "/meetings/{meeting}",
        access: Access::Key(Scope::MeetingsRead),
        about: "A meeting.",
        answer: Content::Json("Meeting"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "putMeeting",
        method: "PUT",
        path: "/meetings/{meeting}",
        access: Access::Key(Scope::MeetingsWrite),
        about: "Makes a meeting, changes it, or moves it. A cancelled one is planned again.",
        notes: "What is put replaces what was there, whole: what is left out becomes its default.",
        request: Content::Json("PutMeeting"),
        answer: Content::Json("Meeting"),
        problems: &[P::Conflict, P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "cancelMeeting",
        method: "DELETE",
        path: "/meetings/{meeting}",
        access: Access::Key(Scope::MeetingsWrite),
        about: "Cancels a meeting: doors forget it. Its records stay.",
        status: 204,
        problems: &[P::Conflict],
        ..PLAIN
    },
    Operation {
        id: "closeMeeting",
        method: "POST",
        path: "/meetings/{meeting}/closing",
        access: Access::Key(Scope::MeetingsClose),
        about: "Closes a meeting: its key is destroyed. Closing it again is a success.",
        answer: Content::Json("Meeting"),
        problems: &[P::NotFound, P::Conflict],
        ..PLAIN
    },
    Operation {
        id: "getCalendar",
        path: "/calendar",
        access: Access::Key(Scope::MeetingsRead),
        about: "Meetings as iCalendar (RFC 5545), from now on when nothing else is said: at most \
                `calendarEventsMax`.",
        query: &[FROM, UNTIL],
        answer: Content::Text("text/calendar"),
        ..PLAIN
    },
    Operation {
        id: "postCalendar",
        method: "POST",
        path: "/calendar",
        access: Access::Key(Scope::MeetingsWrite),
        about: "Puts the meetings of a calendar: what stands before `@` in an event's `UID` is the \
                meeting's id, its `LOCATION` a room's id or name. Events that repeat are refused. \
                Sending it again changes nothing.",
        request: Content::Text("text/calendar"),
        answer: Content::Json("Meetings"),
        problems: &[P::Conflict, P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "getRoster",
        path: "/meetings/{meeting}/roster",
        access: Access::Key(Scope::MeetingsRead),
        about: "A meeting's roster.",
        notes: ROSTER_SHEET,
        answer: Content::JsonOrCsv("Roster"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "putRoster",
        method: "PUT",
        path: "/meetings/{meeting}/roster",
        access: Access::Key(Scope::MeetingsWrite),
        about: "Replaces a meeting's roster, whole. The same again changes nothing.",
        notes: ROSTER_SHEET,
        request: Content::JsonOrCsv("PutRoster"),
        request_bytes_max: ROSTER_BODY_BYTES_MAX,
        answer: Content::Json("Roster"),
        problems: &[P::NotFound, P::Conflict, P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "getInvitationKeys",
        path: "/invitation-keys",
        access: Access::Key(Scope::MeetingsRead),
        about: "The keys whose invitations are valid at all meetings of the organisation.",
        answer: Content::Json("InvitationKeys"),
        ..PLAIN
    },
    Operation {
        id: "putInvitationKeys",
        method: "PUT",
        path: "/invitation-keys",
        access: Access::Key(Scope::EnrolmentsWrite),
        about: "Replaces the keys whose invitations are valid at all meetings of the \
                organisation.",
        notes: INVITATION_KEYS,
        request: Content::Json("PutInvitationKeys"),
        answer: Content::Json("InvitationKeys"),
        problems: &[P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "getMeetingInvitationKeys",
        path: "/meetings/{meeting}/invitation-keys",
        access: Access::Key(Scope::MeetingsRead),
        about: "The keys whose invitations are valid at this meeting beside the organisation's.",
        answer: Content::Json("InvitationKeys"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "putMeetingInvitationKeys",
        method: "PUT",
        path: "/meetings/{meeting}/invitation-keys",
        access: Access::Key(Scope::EnrolmentsWrite),
        about: "Replaces the keys whose invitations are valid at this meeting beside the \
                organisation's.",
        notes: INVITATION_KEYS,
        request: Content::Json("PutInvitationKeys"),
        answer: Content::Json("InvitationKeys"),
        problems: &[P::NotFound, P::Conflict, P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "getRoll",
        path: "/meetings/{meeting}/roll",
        access: Access::Key(Scope::RollRead),
        about: "A meeting's roll: the newest revision, or an earlier one.",
        notes: "A revision never changes. A new one is made when the newest is asked for and, \
                since the one before, records of the meeting came, its roster or state changed, or \
                something was learnt about the clocks of its doors. As CSV (UTF-8 with a mark at \
                its beginning, commas, for spreadsheets and their readers) it has the columns STT, \
                Mã, Họ và tên, Chức danh, Đơn vị, Có mặt (có, vắng), Thời gian (in the meeting's \
                zone), Hình thức, Người dự thay; a cell that would be a formula begins with an \
                apostrophe.",
        query: &[Query {
            name: "revision",
            about: "Which revision.",
            form: Form::Number(u32::MAX),
        }],
        answer: Content::JsonOrCsv("Roll"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "listRecords",
        path: "/records",
        access: Access::Key(Scope::RecordsRead),
        about: "All records of the organisation's devices, from a cursor.",
        query: &[LIMIT, AFTER],
        answer: Content::Json("Records"),
        ..PLAIN
    },
    Operation {
        id: "followRecords",
        path: "/records/live",
        access: Access::Key(Scope::RecordsRead),
        about: "Records as they come, as server-sent events; from now on, or from a cursor. Each \
                event's id is the cursor behind it: send it as `Last-Event-ID` to go on.",
        notes: "The stream begins with a comment and an id, so that one that is cut off before its \
                first record goes on from there too. Each record is an event named `record` whose \
                data is one line of JSON. A comment comes at least every \
                `streamBeatEverySeconds`. The stream \
                ends when the key is revoked or the hub stops; come again then, and with growing \
                waits. At most \
                `streamsPerKeyMax` streams are open for one key.",
        query: &[AFTER],
        answer: Content::Events("Record"),
        ..PLAIN
    },
    Operation {
        id: "listNotes",
        path: "/notes",
        access: Access::Key(Scope::DevicesRead),
        about: "What people should look at about records: gaps, forks, broken chains, unknown \
                meetings, from a cursor.",
        query: &[LIMIT, AFTER],
        answer: Content::Json("Notes"),
        ..PLAIN
    },
    Operation {
        id: "listDevices",
        path: "/devices",
        access: Access::Key(Scope::DevicesRead),
        about: "All devices and how they are, a page at a time.",
        query: &[LIMIT, AFTER],
        answer: Content::Json("Devices"),
        ..PLAIN
    },
    Operation {
        id: "getDevice",
        path: "/devices/{device}",
        access: Access::Key(Scope::DevicesRead),
        about: "A device and how it is.",
        answer: Content::Json("Device"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "putDevice",
        method: "PUT",
        path: "/devices/{device}",
        access: Access::Key(Scope::DevicesWrite),
        about: "Declares a device, or moves it to other doors. Ids of devices are unique at the \
                hub, not only in one organisation: of one that is not free it is not said whose \
                it is. Begin them with your organisation's id.",
        request: Content::Json("PutDevice"),
        answer: Content::Json("Device"),
        problems: &[P::Conflict, P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "revokeDevice",
        method: "DELETE",
        path: "/devices/{device}",
        access: Access::Key(Scope::DevicesWrite),
        about: "Revokes a device: nothing is answered to it any more. Revoking it again is a \
                success.",
        status: 204,
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "reinstateDevice",
        method: "POST",
        path: "/devices/{device}/reinstatement",
        access: Access::Key(Scope::DevicesWrite),
        about: "Lets a revoked device be enrolled again, by a new token.",
        answer: Content::Json("Device"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "makeToken",
        method: "POST",
        path: "/devices/{device}/token",
        access: Access::Key(Scope::DevicesWrite),
        about: "Makes a one-time token to enrol a device with; earlier unused ones count no more.",
        answer: Content::Json("EnrolmentToken"),
        problems: &[P::NotFound, P::Conflict],
        ..PLAIN
    },
    Operation {
        id: "listOffers",
        path: "/offers",
        access: Access::Key(Scope::DevicesRead),
        about: "All offers, and how much of their contents is here.",
        answer: Content::Json("Offers"),
        ..PLAIN
    },
    Operation {
        id: "getOffer",
        path: "/offers/{offer}",
        access: Access::Key(Scope::DevicesRead),
        about: "An offer, and how much of its content is here.",
        answer: Content::Json("Offer"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "putOffer",
        method: "PUT",
        path: "/offers/{offer}",
        access: Access::Key(Scope::DevicesWrite),
        about: "Offers an update or a configuration, or changes for whom and when it is.",
        notes: "Its content follows, by `putOfferPart`. What is in it never changes under one id: \
                withdraw it, or take another id. How far each device is stands in its health \
                report.",
        request: Content::Json("PutOffer"),
        answer: Content::Json("Offer"),
        problems: &[P::Conflict, P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "putOfferPart",
        method: "PUT",
        path: "/offers/{offer}/content",
        access: Access::Key(Scope::DevicesWrite),
        about: "Sends the next part of an offer's content: `offerPartBytes` each, the last what \
                remains. Sending one again is a success. With the last one the digest is checked.",
        query: &[Query {
            name: "part",
            about: "Which part, from 1. `next_part` of the offer says which is next.",
            form: Form::Number(OFFER_PARTS_MAX),
        }],
        request: Content::Bytes,
        request_bytes_max: OFFER_PART_BYTES,
        answer: Content::Json("Offer"),
        problems: &[P::NotFound, P::Conflict, P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "withdrawOffer",
        method: "DELETE",
        path: "/offers/{offer}",
        access: Access::Key(Scope::DevicesWrite),
        about: "Withdraws an offer: devices forget what they have fetched of it. A success also \
                when it is not there.",
        status: 204,
        ..PLAIN
    },
    Operation {
        id: "listWebhooks",
        path: "/webhooks",
        access: Access::Key(Scope::WebhooksWrite),
        about: "All webhooks, and how their deliveries go.",
        answer: Content::Json("Webhooks"),
        ..PLAIN
    },
    Operation {
        id: "getWebhook",
        path: "/webhooks/{webhook}",
        access: Access::Key(Scope::WebhooksWrite),
        about: "A webhook, and how its deliveries go.",
        answer: Content::Json("Webhook"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "putWebhook",
        method: "PUT",
        path: "/webhooks/{webhook}",
        access: Access::Key(Scope::WebhooksWrite),
        about: "Makes a webhook, or changes its address; it is tried again then.",
        request: Content::Json("PutWebhook"),
        answer: Content::Json("Webhook"),
        problems: &[P::Unprocessable],
        ..PLAIN
    },
    Operation {
        id: "deleteWebhook",
        method: "DELETE",
        path: "/webhooks/{webhook}",
        access: Access::Key(Scope::WebhooksWrite),
        about: "Takes a webhook away. A success also when it is not there.",
        status: 204,
        ..PLAIN
    },
    Operation {
        id: "retryWebhook",
        method: "POST",
        path: "/webhooks/{webhook}/retry",
        access: Access::Key(Scope::WebhooksWrite),
        about: "Goes on delivering at once, from where it was, also when it was given up.",
        answer: Content::Json("Webhook"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "listDeliveries",
        path: "/webhooks/{webhook}/deliveries",
        access: Access::Key(Scope::WebhooksWrite),
        about: "The newest deliveries of a webhook that failed once, at least, and what became of \
                each.",
        answer: Content::Json("Deliveries"),
        problems: &[P::NotFound],
        ..PLAIN
    },
    Operation {
        id: "redeliver",
        method: "POST",
        path: "/webhooks/{webhook}/deliveries/{delivery}/again",
        access: Access::Key(Scope::WebhooksWrite),
        about: "Delivers one of them once more, out of its turn.",
        status: 204,
        problems: &[P::NotFound],
        ..PLAIN
    },
];
