//! What a door's daemon does next: which records to send, which rosters to fetch, how long to wait.
//!
//! Pure: events and `now` in, commands out. It reads no clock, opens no file, knows no socket; even
//! chance comes in as a seed. What it remembers over a restart is what the shell hands back in
//! [`Remembered`], and losing that costs a resend and nothing else.
//!
//! The shell keeps four rules. It answers each [`Request`] once by [`Event::Answered`], each
//! [`Command::ReadLedger`] by [`Event::LedgerRead`], each change of `city.db` by
//! [`Event::Stored`], and it calls [`Sync::handle`] with [`Event::Tick`] when [`Sync::next_wake`]
//! has come. An answer that never comes, comes twice or comes late does no harm.

pub mod backoff;
pub mod call;
pub mod event;
pub mod fate;
pub mod machine;
pub mod offers;
pub mod planted;
pub mod pull;
pub mod push;
mod setback;
pub mod status;
pub mod vitals;

pub use call::{Call, Http, Request, RequestId};
pub use event::{
    Change, Command, Event, Facts, FetchedRoster, HeldMeeting, Holding, LedgerBatch, LedgerOutcome,
    LedgerRecord, Now, Remembered, SetAside, Watermark,
};
pub use fate::{Answer, Fate, HttpAnswer, Later, Stop, TransportError};
pub use machine::Sync;
pub use status::{Status, Trouble};
