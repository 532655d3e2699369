//! Every limit of the API that a peer can meet, by name and once. The OpenAPI document repeats all
//! of them, since it is made from this very list; the hub enforces them, and the daemon keeps to
//! them.
//!
//! A limit that only the inside of a program knows (a queue between two of its threads) stands
//! where it is used.

use std::time::Duration;

/// A limit as the document has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The constant's name.
    pub name: &'static str,
    /// Its value; of a time, in seconds.
    pub value: u64,
    /// Whether it is a time.
    pub is_time: bool,
    /// What it limits, in a sentence or two.
    pub about: &'static [&'static str],
}

impl Limit {
    /// Its name in the document: `PAGE_ITEMS_MAX` is `pageItemsMax`, and a time says that it is in
    /// seconds, as in `requestSecondsMax` for `REQUEST_TIME_MAX`.
    #[must_use]
    pub fn key(&self) -> String {
        let mut words: Vec<String> = self.name.split('_').map(str::to_lowercase).collect();
        if self.is_time {
            match words.iter_mut().find(|word| *word == "time") {
                Some(word) => "seconds".clone_into(word),
                None => words.push("seconds".to_owned()),
            }
        }
        let capital = |word: &String| word[..1].to_uppercase() + &word[1..];
        let rest = words[1..].iter().map(capital);
        std::iter::once(words[0].clone()).chain(rest).collect()
    }

    /// What it limits, as one text.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.about.iter().map(|line| line.trim());
        lines.collect::<Vec<_>>().join(" ")
    }
}

macro_rules! limit {
    ($name:ident, Duration, $about:expr) => {
        Limit {
            name: stringify!($name),
            value: $name.as_secs(),
            is_time: true,
            about: $about,
        }
    };
    ($name:ident, $type:ident, $about:expr) => {
        Limit {
            name: stringify!($name),
            value: $name as u64,
            is_time: false,
            about: $about,
        }
    };
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ident = $value:expr;)*) => {
        $($(#[doc = $doc])* pub const $name: $type = $value;)*

        /// All of them, in the order in which they stand here.
        pub const ALL: &[Limit] = &[$(limit!($name, $type, &[$($doc),*])),*];
    };
}

const HOUR_S: u64 = 3600;
const DAY_S: u64 = 24 * HOUR_S;

limits! {
    /// Most records in one batch of a device.
    BATCH_RECORDS_MAX: usize = 500;
    /// Most bytes of one record.
    RECORD_BYTES_MAX: usize = record::RECORD_BYTES_MAX;
    /// Most bytes of a request with records, unpacked: a full batch of largest records in base64.
    RECORDS_BODY_BYTES_MAX: usize = 4 << 20;
    /// Most bytes of any other JSON request but a roster.
    BODY_BYTES_MAX: usize = 256 << 10;
    /// Most bytes of a roster that an integrator puts, and of one that a device gets, unpacked:
    /// twenty thousand people with a few references each.
    ROSTER_BODY_BYTES_MAX: usize = 64 << 20;
    /// Most bytes of a portrait.
    PORTRAIT_BYTES_MAX: usize = 10 << 20;
    /// Most bytes of the list of meetings that a device takes, unpacked.
    DEVICE_MEETINGS_BYTES_MAX: usize = 2 << 20;
    /// Most bytes of all request bodies that the hub has in memory at once, in KiB; more wait for
    /// their turn.
    BODIES_KIB_MAX: usize = 256 << 10;
    /// The same of one device's or key's bodies: one roster of the largest size.
    BODIES_PER_CALLER_KIB_MAX: usize = 64 << 10;

    /// How many times a body may grow when it is unpacked. Real ones grow tenfold; a bomb grows a
    /// thousandfold.
    UNPACKING_RATIO_MAX: usize = 100;
    /// How many bytes any body may grow to whatever the ratio, so that short ones of equal letters
    /// pass.
    UNPACKING_ALWAYS_BYTES: usize = 64 << 10;
    /// The largest window of a body packed by zstd, as a power of two in bytes: 8 MiB, which RFC
    /// 9659 lets nobody go beyond on the way.
    ZSTD_WINDOW_LOG_MAX: u32 = 23;

    /// Most bytes of a request's path and query.
    PATH_BYTES_MAX: usize = 1024;
    /// Most headers of a request.
    REQUEST_HEADERS_MAX: usize = 64;
    /// Most bytes of a request's headers.
    REQUEST_HEADER_BYTES_MAX: usize = 16 << 10;
    /// Most bytes of an answer's `ETag` and other headers that a device keeps; a longer one is as
    /// good as none.
    KEPT_HEADER_BYTES_MAX: usize = 256;
    /// Most bytes of a token, a key or another bearer's credential.
    CREDENTIAL_BYTES_MAX: usize = 256;

    /// Most connections of a hub at once: a city's devices, twice. More wait in the system's queue.
    CONNECTIONS_MAX: usize = 2048;
    /// Most connections of one address at once, and behind a proxy most requests, unless the hub's
    /// keeper says otherwise: all devices of a building may share an address.
    CONNECTIONS_PER_ADDRESS: u32 = 512;
    /// Most requests of one device or key that are answered at once.
    IN_FLIGHT_PER_CALLER_MAX: u32 = 16;
    /// Most streams of records of one key at once.
    STREAMS_PER_KEY_MAX: u32 = 4;
    /// Most streams of records of a hub at once.
    STREAMS_MAX: usize = 64;
    /// Most portraits that are looked at at once: decoded, each may have 100 MB.
    PICTURES_MAX: usize = 2;

    /// How long a TLS handshake may take.
    HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
    /// How long a request's headers may take, also the next one's on a connection that is kept.
    HEADER_TIME_MAX: Duration = Duration::from_secs(30);
    /// How long one whole request may take, from its headers to the end of its answer at a device.
    REQUEST_TIME_MAX: Duration = Duration::from_secs(60);
    /// How long a request waits for its turn before it is told to come later.
    TURN_TIME_MAX: Duration = Duration::from_secs(10);
    /// How long a peer may take nothing of an answer before its connection is given up.
    STALL_TIME_MAX: Duration = Duration::from_secs(30);
    /// What `Retry-After` says to whoever is told to come later.
    RETRY_AFTER: Duration = Duration::from_secs(5);
    /// The longest `Retry-After` that a device keeps to.
    RETRY_AFTER_MAX: Duration = Duration::from_secs(HOUR_S);
    /// At most how long a stream of records is silent: then it has a comment, and its key is
    /// looked up again.
    STREAM_BEAT_EVERY: Duration = Duration::from_secs(15);

    /// Most items on one page of a list.
    PAGE_ITEMS_MAX: u32 = 500;
    /// Items on one page when none are asked for by number.
    PAGE_ITEMS_DEFAULT: u32 = 100;
    /// Most bytes of an opaque cursor.
    CURSOR_BYTES_MAX: usize = 200;
    /// Most bytes of an id.
    ID_BYTES_MAX: usize = vocabulary::id::ID_BYTES_MAX;
    /// Most bytes of a name, a title or a unit, in UTF-8; as in the roster that the kiosk keeps.
    LABEL_BYTES_MAX: usize = vocabulary::meeting::LABEL_BYTES_MAX;
    /// Most bytes of the name of a time zone.
    ZONE_BYTES_MAX: usize = 64;
    /// Most bytes of a certificate signing request in PEM.
    CSR_BYTES_MAX: usize = 8 << 10;

    /// Most organisations of one hub.
    ORGANISATIONS_MAX: usize = 1_000;
    /// Most rooms of one organisation: a list of them travels in one piece.
    ROOMS_MAX: usize = 2_000;
    /// Most doors of one room, of one meeting and of one device.
    DOORS_MAX: usize = 32;
    /// Most people of one organisation: a province's.
    PEOPLE_MAX: usize = 1_000_000;
    /// Most references of one person in one feature space that travel to a door.
    REFERENCES_PER_PERSON_MAX: usize = 16;
    /// Most bytes of portraits that one organisation keeps, sealed: those of some ten thousand
    /// people.
    PORTRAITS_BYTES_MAX: u64 = 32 << 30;
    /// The longest that an organisation may keep portraits, in days: ten years.
    PORTRAIT_DAYS_MAX: u32 = 3650;
    /// Most bytes of a template that comes ready made: 1024 floats.
    TEMPLATE_BYTES_MAX: usize = 4096;
    /// Most keys of one organisation, and as many of one meeting, whose invitations are valid: the
    /// present one and some that it had before.
    INVITATION_KEYS_MAX: usize = 16;
    /// Most entries of a roster.
    ROSTER_ENTRIES_MAX: usize = vocabulary::meeting::ROSTER_ENTRIES_MAX;
    /// Most events of a calendar that is sent or asked for.
    CALENDAR_EVENTS_MAX: usize = 500;
    /// Most records of one meeting that a roll is made from: twenty thousand people who come and go
    /// five times.
    ROLL_RECORDS_MAX: usize = 200_000;

    /// Most devices of one hub.
    DEVICES_MAX: usize = 20_000;
    /// Most epochs of one device. A ledger file is begun anew a few times in a device's life; one
    /// that claims more is broken or hostile.
    EPOCHS_MAX: usize = 200;
    /// Most bytes that are kept aside for one device, so that a broken or hostile one cannot fill
    /// the hub's disk. Beyond it a batch with something new to keep aside is refused whole: nothing
    /// of it is acknowledged, the device keeps it and says so, and finds out by smaller batches
    /// which records are still taken. What was kept aside before stays, and good records are taken
    /// as ever. Somebody has to look at that device.
    ASIDE_BYTES_MAX: u64 = 256 << 20;
    /// What a record that is kept aside counts beside its own bytes: its row, its index, its note.
    /// Without it, records of no bytes would fill the disk.
    ASIDE_ROW_BYTES: u64 = 512;
    /// Most meetings that a device is told about at once.
    DEVICE_MEETINGS_MAX: usize = 500;
    /// Most feature spaces that a device reports.
    HEALTH_SPACES_MAX: usize = 8;
    /// Most troubles that a device reports.
    HEALTH_TROUBLES_MAX: usize = 16;

    /// How often a device asks for the list of its meetings.
    LIST_EVERY: Duration = Duration::from_secs(30);
    /// How often a device reports how it is.
    HEALTH_EVERY: Duration = Duration::from_secs(300);
    /// How long a device's certificate is good.
    DEVICE_CERTIFICATE_LASTS: Duration = Duration::from_secs(90 * DAY_S);
    /// After how long a device asks for its next certificate.
    DEVICE_RENEWAL_AFTER: Duration = Duration::from_secs(60 * DAY_S);
    /// How long an enrolment token is good when nothing else is said.
    TOKEN_LASTS: Duration = Duration::from_secs(7 * DAY_S);
    /// The longest that an enrolment token may be good.
    TOKEN_LASTS_MAX: Duration = Duration::from_secs(90 * DAY_S);
    /// For how long before a meeting its key is released to devices.
    KEY_RELEASED_BEFORE: Duration = Duration::from_secs(30 * DAY_S);
    /// For how long after its planned end a meeting that nobody closed keeps its key.
    KEY_KEPT_AFTER_END: Duration = Duration::from_secs(3 * DAY_S);
    /// For how long after its planned end a meeting still follows what changes about its people. A
    /// meeting may run late; one of last year does not get a new roster because a name changes.
    FOLLOWS_AFTER_END: Duration = Duration::from_secs(DAY_S);
    /// For how long after its planned end a withdrawn meeting is still told as withdrawn. A device
    /// that was offline for longer than that has destroyed it by itself.
    WITHDRAWN_AFTER_END: Duration = Duration::from_secs(60 * DAY_S);

    /// Most offers of one organisation at once, and in one list for a device.
    OFFERS_MAX: usize = 32;
    /// Most bytes of the contents of all offers of one organisation, and of what one device keeps.
    OFFERS_BYTES_MAX: u64 = 4 << 30;
    /// Most bytes of the content of an offer: an image of a small board, packed.
    OFFER_BYTES_MAX: u64 = 1 << 30;
    /// How many bytes each part of a content has that is sent to the hub, but the last.
    OFFER_PART_BYTES: usize = 4 << 20;
    /// Most parts of a content.
    OFFER_PARTS_MAX: u32 = 256;
    /// Most bytes that a device asks for at once: on a slow line still within a request's time.
    OFFER_RANGE_BYTES: usize = 1 << 20;
    /// Most bytes of the signature of an offer.
    OFFER_SIGNATURE_BYTES_MAX: usize = 4096;
    /// Most rooms, and most devices, that one offer names.
    OFFER_TARGETS_MAX: usize = 256;
    /// How often a device asks what it is offered.
    OFFERS_EVERY: Duration = Duration::from_secs(600);

    /// Most webhooks of one organisation.
    WEBHOOKS_MAX: usize = 16;
    /// Most bytes of a webhook's address.
    WEBHOOK_URL_BYTES_MAX: usize = 1024;
    /// Most types that a webhook names.
    EVENT_TYPES_MAX: usize = 8;
    /// Most failed deliveries that are kept of one webhook, the newest.
    DELIVERIES_KEPT_MAX: usize = 100;
    /// Most events of meetings, rolls and devices that a hub keeps for its webhooks, the newest.
    EVENTS_KEPT_MAX: usize = 100_000;
    /// For how long after its planned end a closed meeting's roll is revised by itself when a late
    /// record comes, for webhooks that are told of that. Later, somebody has to ask for it.
    ROLL_FOLLOWED_AFTER_END: Duration = Duration::from_secs(60 * DAY_S);
    /// After how long without a report a device counts as silent.
    DEVICE_SILENT_AFTER: Duration = Duration::from_secs(900);
    /// How long a webhook's receiver may take for one delivery.
    WEBHOOK_DELIVERY_TIME_MAX: Duration = Duration::from_secs(15);
    /// After how long without any success a webhook is given up.
    WEBHOOK_GIVEN_UP_AFTER: Duration = Duration::from_secs(5 * DAY_S);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn limits_have_names_of_their_own_and_say_what_they_limit() {
        let keys: HashSet<_> = ALL.iter().map(Limit::key).collect();
        assert_eq!(keys.len(), ALL.len());
        for limit in ALL {
            assert!(limit.text().ends_with('.'), "{}", limit.name);
            assert!(limit.value > 0, "{}", limit.name);
        }
        let key = |name: &str| ALL.iter().find(|l| l.name == name).unwrap().key();
        assert_eq!(key("PAGE_ITEMS_MAX"), "pageItemsMax");
        assert_eq!(key("REQUEST_TIME_MAX"), "requestSecondsMax");
        assert_eq!(key("KEY_KEPT_AFTER_END"), "keyKeptAfterEndSeconds");
    }
}
