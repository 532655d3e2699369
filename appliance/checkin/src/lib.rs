//! The session machine: the roll of one meeting at one door. What was seen and shown goes in, what
//! is to be written, opened and said comes out.
//!
//! Pure: it reads no clock, file, camera or screen; `now` comes with each [`Input`], and the same
//! inputs give the same [`Command`]s. Whoever obeys them answers each [`Command::Append`] and each
//! [`Command::Release`] with one input, and sends a [`Input::Tick`] a few times a second.
//!
//! # What holds
//!
//! - Nobody is greeted and no door released but for a record that is durable: [`Input::Appended`]
//!   alone leads there, now or when it happened before (a person who comes back is let in by the
//!   record they have).
//! - A person is checked in once, whatever number of tracks and codes speak for them, and also
//!   across a restart: [`Session::restore`] reads the records. Who was checked out may come again.
//! - A face names nobody who is to be called by code only, and nobody not on the roster, even if
//!   the comparison says so: then a second means is asked for, and the defect is recorded.
//! - Somebody who could not be recorded is told so, by name, and it is tried again for as long as
//!   they stand there. Nobody is told that they are recorded who is not.
//! - Nothing grows without limit: subjects, pending and owed records, releases, refusals a minute
//!   and things shown each have a named one. What the limits cost is counted, and becomes a record
//!   ([`record::Loss`]) where it should have been one.
//!
//! # Subjects
//!
//! Whoever is before the door is a subject: a track, or a code that is held there. Each is in one
//! state:
//!
//! ```text
//!            a decision or a code              Appended
//!   Open ─────────────────────────▶ Waiting ─────────────▶ Called
//!    │ ▲                             │   ▲                    ▲
//!    │ not known, doubtful,          │   │ retry              │ was called before, or by
//!    ▼ not accepted     AppendFailed ▼   │                    │ another track or code
//!   Told ──── a decision ────▶     Failed                   (any)
//! ```
//!
//! - *Waiting*: the record is on its way. Another subject that speaks for the same person waits for
//!   the same record.
//! - *Called*: the person is greeted once for each subject, and not again within
//!   [`Timings::greet_again`]: a face lost for a moment is not told "already called" under its own
//!   welcome.
//! - *Told*: why they are not called. One refusal is recorded for each subject, and at most
//!   [`REFUSALS_PER_MINUTE_MAX`] of each reason in a minute; the notice is shown in any case. A
//!   later decision, or a code, still calls them.
//! - *Failed*: known and not recorded; tried again after [`Timings::retry`].
//!
//! A track is forgotten when it ends, a code when it was not seen for [`Timings::code_gone`]. An
//! append goes on without its subject, and is greeted when it is done.
//!
//! A face that only proposes (the roster is too large, or two people are too alike) asks for a
//! second means. The invitation of the person whom it proposes then counts with the comparison.
//!
//! # The door
//!
//! With [`DoorRelease::Relay`] each durable passage commands one release, and its answer, or its
//! silence after [`Timings::release_answer`], becomes a second record. With [`DoorRelease::None`]
//! no release is ever commanded, and the second record says so.
//!
//! # When the ledger fails
//!
//! [`Session::trouble`] says why until something is written again. What is owed in the meantime
//! (outcomes, the fault itself) is kept and tried one at a time.
//!
//! # Substitutes
//!
//! Who attends for somebody else is called by their own face or code. Their check-in says for whom
//! and by which document, and the greeting has the other's name as well.
//!
//! Citizen cards, a secretary's own entries and a roster replaced while people stand
//! at the door have no input yet.

mod book;
mod config;
mod owed;
mod port;
mod rate;
mod session;
mod showing;
mod subject;
#[cfg(test)]
mod tests;

pub use config::{
    DoorRelease, FaceMode, OWED_MAX, OWED_PENDING_MAX, PASSAGES_PENDING_MAX, PENDING_MAX,
    REFUSALS_PENDING_MAX, REFUSALS_PER_MINUTE_MAX, RELEASES_MAX, SHOWING_MAX, SUBJECTS_MAX,
    SessionConfig, Substitute, Timings,
};
pub use port::{
    AppendFailure, Command, Greeting, GreetingKind, Input, Notice, NoticeKind, Observation, Token,
};
pub use session::{Headcount, Session};
pub use showing::{Showing, Shown};
