//! Every limit of the API, by name. The OpenAPI document repeats them; the hub enforces them, and
//! the daemon keeps to them.

use std::time::Duration;

/// Most records in one batch of a device.
pub const BATCH_RECORDS_MAX: usize = 500;

/// Most bytes of a request with records, unpacked: a full batch of largest records in base64.
pub const RECORDS_BODY_BYTES_MAX: usize = 4 << 20;

/// Most bytes of any other JSON request but a roster.
pub const BODY_BYTES_MAX: usize = 256 << 10;

/// Most bytes of a roster that an integrator puts, and of one that a device gets, unpacked:
/// twenty thousand people with a few references each.
pub const ROSTER_BODY_BYTES_MAX: usize = 64 << 20;

/// Most bytes of a portrait.
pub const PORTRAIT_BYTES_MAX: usize = 10 << 20;

/// Most items on one page of a list.
pub const PAGE_ITEMS_MAX: u32 = 500;

/// Items on one page when none are asked for by number.
pub const PAGE_ITEMS_DEFAULT: u32 = 100;

/// Most bytes of an opaque cursor.
pub const CURSOR_BYTES_MAX: usize = 200;

/// Most meetings that a device is told about at once.
pub const DEVICE_MEETINGS_MAX: usize = 500;

/// Most references of one person in one feature space that travel to a door.
pub const REFERENCES_PER_PERSON_MAX: usize = 16;

/// Most bytes of a name, a title or a unit; as in the roster that the kiosk keeps.
pub const LABEL_BYTES_MAX: usize = vocabulary::meeting::LABEL_BYTES_MAX;

/// Most bytes of a certificate signing request in PEM.
pub const CSR_BYTES_MAX: usize = 8 << 10;

/// How many times a body may grow when it is unpacked. Real ones grow tenfold; a bomb grows a
/// thousandfold.
pub const UNPACKING_RATIO_MAX: usize = 100;

/// How much any body may grow whatever the ratio, so that short ones of equal letters pass.
pub const UNPACKING_ALWAYS_BYTES: usize = 64 << 10;

/// The largest window of a body packed by zstd, as a power of two in bytes: 8 MiB, which RFC 9659
/// lets nobody go beyond on the way.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How long a device may take for one whole request.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// Most feature spaces that a device reports.
pub const HEALTH_SPACES_MAX: usize = 8;

/// Most troubles that a device reports.
pub const HEALTH_TROUBLES_MAX: usize = 16;
