//! What goes wrong, as the screen, the log and the exit status need to know it.

use screen::TroubleKind;

/// Something that keeps the door from its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Trouble {
    /// What kind, for the screen.
    pub kind: TroubleKind,
    /// What exactly and what to do, in one line for technicians, without personal data.
    pub detail: String,
}

impl Trouble {
    /// A trouble from an error and all its sources.
    pub fn new(kind: TroubleKind, error: &dyn std::error::Error) -> Self {
        Self {
            kind,
            detail: chain(error),
        }
    }

    /// Whether it is one of those in which attendance is not recorded.
    pub fn is_of_ledger(&self) -> bool {
        match self.kind {
            TroubleKind::DiskFull
            | TroubleKind::LedgerReadOnly
            | TroubleKind::LedgerCorrupt
            | TroubleKind::LedgerLocked
            | TroubleKind::LedgerNewer
            | TroubleKind::LedgerFailed => true,
            TroubleKind::CameraLost
            | TroubleKind::ModelMissing
            | TroubleKind::ModelChanged
            | TroubleKind::InferenceFailed
            | TroubleKind::ClockUnsure
            | TroubleKind::Other => false,
        }
    }
}

/// An error and its sources in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
