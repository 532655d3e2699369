//! SQLite: append, read after, verify; the rosters and references of a kiosk that stands alone, and
//! those that a city sent.
//!
//! `ledger.db` has one writing process and any number of reading ones. What [`Ledger::append`] has
//! answered is on the disk; what it refused was not recorded, and nobody is told that it was. No
//! text from outside becomes SQL, and nothing here knows names, pictures or clocks.

mod city;
mod database;
mod error;
mod journal;
mod reader;
mod shelf;
mod store;
mod verify;

pub use city::{
    CardHolder, CityCard, CityMeeting, CityReader, CityReference, CityRoster, CityStore, Held,
    Holding, INVITATION_KEYS_MAX, Put, SET_ASIDE_MAX, SUBSTITUTES_MAX, SubstituteRight,
    WITHDRAWN_MAX, Watermark,
};
pub use error::{LedgerError, LedgerErrorKind};
pub use journal::{Appended, BATCH_RECORDS_MAX, Beginning, Ledger, Tail};
pub use reader::{READ_RECORDS_MAX, Reader, Records, Stored};
pub use store::{
    Enrolled, Enrolment, EnrolmentSummary, Imported, LocalReader, LocalStore, MEETINGS_MAX, Origin,
    QualityNumbers, REFERENCES_PER_PERSON_MAX, References, RosterSummary, StoreError,
};
pub use verify::{Verified, VerifyError, verify};
