//! The tables of the hub's database, as steps from each version to the next. A step that was
//! published is never changed; a new one is added behind it.
//!
//! Ids of callers stand once each and are referred to by number. Lists of doors are ids with
//! spaces between, which no id has.

/// The steps; the file's `user_version` counts those done.
pub(super) const MIGRATIONS: &[&str] = &[
    FIRST,
    WEBHOOKS,
    INVITATION_KEYS,
    CITIZEN_CARDS,
    OFFERS,
    PORTRAITS,
    EVENTS,
];

/// Events of meetings, rolls and devices; which a webhook is told of, and what failed. The kinds
/// of a webhook's events are their numbers with spaces between.
const EVENTS: &str = "
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    subject TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX event_by_subject ON event (kind, subject, at_ms);
CREATE TABLE delivery (
    number INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL,
    webhook TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    is_record INTEGER NOT NULL,
    place INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    tried_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    status INTEGER,
    problem TEXT,
    taken INTEGER NOT NULL,
    again INTEGER NOT NULL,
    UNIQUE (organisation, webhook, is_record, place)
) STRICT;
CREATE INDEX meeting_closed ON meeting (ends_ms) WHERE state = 3;
CREATE INDEX delivery_again ON delivery (organisation, webhook) WHERE again = 1;
ALTER TABLE webhook ADD COLUMN records INTEGER NOT NULL DEFAULT 1;
ALTER TABLE webhook ADD COLUMN events TEXT NOT NULL DEFAULT '';
ALTER TABLE webhook ADD COLUMN after_event INTEGER NOT NULL DEFAULT 0;
";

/// What devices are offered; contents are files that the digests name.
const OFFERS: &str = "
CREATE TABLE offer (
    organisation INTEGER NOT NULL,
    id TEXT NOT NULL,
    kind INTEGER NOT NULL,
    version TEXT NOT NULL,
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    signature BLOB NOT NULL,
    signature_key TEXT NOT NULL,
    rooms TEXT NOT NULL,
    devices TEXT NOT NULL,
    not_before_ms INTEGER,
    expires_ms INTEGER,
    percent INTEGER,
    made_ms INTEGER NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
";

/// Where records are delivered to, how far each has been, and who has it in hand until when.
const WEBHOOKS: &str = "
CREATE TABLE webhook (
    organisation INTEGER NOT NULL,
    id TEXT NOT NULL,
    url TEXT NOT NULL,
    salt BLOB NOT NULL CHECK (length(salt) = 16),
    incarnation BLOB NOT NULL CHECK (length(incarnation) = 16),
    after_commit INTEGER NOT NULL,
    delivered_ms INTEGER,
    failing_since_ms INTEGER,
    failures INTEGER NOT NULL,
    problem TEXT,
    next_ms INTEGER,
    leased_ms INTEGER,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
";

/// Portraits of organisations that keep them, sealed, each to a date.
const PORTRAITS: &str = "
ALTER TABLE organisation ADD COLUMN portrait_days INTEGER;
CREATE TABLE portrait (
    person INTEGER NOT NULL,
    id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    made_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (person, id)
) STRICT;
CREATE INDEX portrait_by_end ON portrait (until_ms);
";

/// Sealed numbers of citizen cards, and keyed hashes of them at meetings.
const CITIZEN_CARDS: &str = "
CREATE TABLE citizen_card (
    person INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE meeting_card (
    meeting INTEGER NOT NULL,
    person INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (meeting, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX meeting_card_by_person ON meeting_card (person);
";

/// Keys of invitations of single meetings too, and since when each counts. Meeting 0 is all of the
/// organisation's.
const INVITATION_KEYS: &str = "
ALTER TABLE invitation_key RENAME TO invitation_key_before;
CREATE TABLE invitation_key (
    organisation INTEGER NOT NULL,
    meeting INTEGER NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 32),
    since_ms INTEGER,
    PRIMARY KEY (organisation, meeting, key)
) STRICT, WITHOUT ROWID;
INSERT INTO invitation_key (organisation, meeting, key)
    SELECT organisation, 0, key FROM invitation_key_before;
DROP TABLE invitation_key_before;
";

const FIRST: &str = "
CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id BLOB NOT NULL CHECK (length(id) = 16)
) STRICT;
-- The last is the present one. Each began with the records up to begins_after.
CREATE TABLE incarnation (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    begins_after INTEGER NOT NULL,
    -- Every generation of a roster that this incarnation gives is larger.
    generations_after INTEGER NOT NULL
) STRICT;

CREATE TABLE organisation (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    key_id BLOB CHECK (length(key_id) = 16),
    key BLOB
) STRICT;
CREATE TABLE room (
    organisation INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE door (
    organisation INTEGER NOT NULL,
    id TEXT NOT NULL,
    room TEXT NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX door_by_room ON door (organisation, room, id);
CREATE TABLE invitation_key (
    organisation INTEGER NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 32),
    PRIMARY KEY (organisation, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE person (
    number INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL,
    id TEXT NOT NULL,
    opaque TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    unit TEXT NOT NULL,
    UNIQUE (organisation, id)
) STRICT;
CREATE TABLE reference (
    person INTEGER NOT NULL,
    id TEXT NOT NULL,
    space TEXT NOT NULL,
    model BLOB NOT NULL CHECK (length(model) = 32),
    origin INTEGER NOT NULL,
    content BLOB NOT NULL CHECK (length(content) = 32),
    made_ms INTEGER NOT NULL,
    quality BLOB CHECK (length(quality) = 32),
    sealed BLOB NOT NULL,
    PRIMARY KEY (person, id, space, model)
) STRICT;

CREATE TABLE meeting (
    number INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    room TEXT NOT NULL,
    doors TEXT NOT NULL,
    starts_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    zone TEXT NOT NULL,
    quorum INTEGER,
    state INTEGER NOT NULL,
    generation INTEGER NOT NULL CHECK (generation > 0),
    key_id BLOB CHECK (length(key_id) = 16),
    key BLOB,
    UNIQUE (organisation, id)
) STRICT;
CREATE INDEX meeting_by_start ON meeting (organisation, starts_ms, id);
CREATE INDEX meeting_by_room ON meeting (organisation, room, ends_ms);
CREATE INDEX meeting_with_key ON meeting (ends_ms) WHERE key IS NOT NULL;
CREATE TABLE entry (
    meeting INTEGER NOT NULL,
    place INTEGER NOT NULL,
    person INTEGER NOT NULL,
    title TEXT,
    unit TEXT,
    role INTEGER NOT NULL,
    attendance INTEGER NOT NULL,
    instead_of INTEGER,
    document TEXT,
    PRIMARY KEY (meeting, place)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entry_by_person ON entry (person, meeting);
CREATE TABLE meeting_reference (
    meeting INTEGER NOT NULL,
    person INTEGER NOT NULL,
    id TEXT NOT NULL,
    space TEXT NOT NULL,
    model BLOB NOT NULL CHECK (length(model) = 32),
    sealed BLOB NOT NULL,
    PRIMARY KEY (meeting, person, id, space, model)
) STRICT;
CREATE INDEX meeting_reference_by_person ON meeting_reference (person, id);
-- The canonical rosters of those generations that anybody was given.
CREATE TABLE snapshot (
    meeting INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    bytes BLOB NOT NULL,
    PRIMARY KEY (meeting, generation)
) STRICT;
CREATE TABLE revision (
    meeting INTEGER NOT NULL,
    number INTEGER NOT NULL,
    through INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    PRIMARY KEY (meeting, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    organisation INTEGER NOT NULL,
    room TEXT NOT NULL,
    doors TEXT NOT NULL,
    sealing_key BLOB CHECK (length(sealing_key) = 32),
    head_key BLOB CHECK (length(head_key) = 32),
    revoked_ms INTEGER,
    health TEXT,
    health_ms INTEGER,
    aside_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX device_by_organisation ON device (organisation, id);
CREATE TABLE certificate (
    number INTEGER PRIMARY KEY,
    serial BLOB NOT NULL UNIQUE,
    device INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    pem TEXT NOT NULL,
    request BLOB NOT NULL CHECK (length(request) = 32),
    superseded INTEGER NOT NULL
) STRICT;
CREATE INDEX certificate_by_device ON certificate (device, number);
CREATE TABLE token (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    device INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_by BLOB CHECK (length(used_by) = 32),
    certificate INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX token_by_device ON token (device);
CREATE TABLE api_key (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    organisation INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    role TEXT NOT NULL,
    scopes TEXT NOT NULL,
    label TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) STRICT;
-- The largest generation of a meeting that a device was told of, and whether it was told since
-- to forget it.
CREATE TABLE told (
    device INTEGER NOT NULL,
    meeting INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (device, meeting)
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch (
    number INTEGER PRIMARY KEY,
    device INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    through INTEGER NOT NULL,
    last INTEGER NOT NULL,
    last_digest BLOB CHECK (length(last_digest) = 32),
    head_sequence INTEGER,
    head BLOB,
    UNIQUE (device, id)
) STRICT;
-- Meetings as records name them, whether or not the hub has them.
CREATE TABLE named_meeting (
    number INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL,
    id TEXT NOT NULL,
    UNIQUE (organisation, id)
) STRICT;
-- The number is the commit number, which record and aside share.
CREATE TABLE record (
    number INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    named_meeting INTEGER,
    received_ms INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX record_by_place ON record (epoch, sequence);
CREATE INDEX record_by_meeting ON record (named_meeting, number) WHERE named_meeting IS NOT NULL;
CREATE TABLE aside (
    number INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    why INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (epoch, sequence, digest)
) STRICT;
-- Which records are clock observations, to repair the times of others of the same boot.
CREATE TABLE observation (
    device INTEGER NOT NULL,
    boot BLOB NOT NULL CHECK (length(boot) = 16),
    record INTEGER NOT NULL,
    PRIMARY KEY (device, boot, record)
) STRICT, WITHOUT ROWID;
CREATE TABLE note (
    number INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    device INTEGER NOT NULL,
    epoch BLOB NOT NULL CHECK (length(epoch) = 16),
    kind INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    other INTEGER NOT NULL,
    digest BLOB NOT NULL,
    meeting TEXT NOT NULL
) STRICT;
-- Each thing is noted once: what tells it apart depends on its kind.
CREATE UNIQUE INDEX note_once ON note (
    device, epoch, kind,
    CASE kind WHEN 3 THEN 0 WHEN 4 THEN 0 WHEN 5 THEN 0 WHEN 6 THEN 0 ELSE sequence END,
    CASE kind WHEN 4 THEN other ELSE 0 END,
    CASE kind WHEN 2 THEN digest ELSE x'' END,
    meeting
);
";
