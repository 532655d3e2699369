//! Defects to be planted on purpose, so that the simulation can show that it finds them. Only with
//! the feature `planted`, which nothing but the simulation turns on; without it every question
//! here is the constant `false`.

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Defect {
    /// The watermark moves when a batch is sent, not when it is acknowledged.
    MovedBeforeAcknowledged = 1,
    /// An acknowledgement is believed whatever number it names.
    RangeUnchecked,
    /// Any acknowledgement counts for all that was sent.
    SentCountsAsAcknowledged,
    /// A batch that failed is not sent again.
    FailedBatchForgotten,
    /// A batch that the hub refuses is skipped.
    RefusedBatchSkipped,
    /// A new ledger goes on at the old one's number.
    EpochIgnored,
    /// An acknowledgement of another epoch is believed.
    AcknowledgedEpochUnchecked,
    /// Whoever answers is believed to be our store.
    StoreUnchecked,
    /// A restored hub is not noticed.
    IncarnationIgnored,
    /// A restored hub is noticed, and what it lost is not sent again.
    NeverGoesBack,
    /// The hub's word moves the watermark ahead of what was sent.
    PositionJumpsAhead,
    /// The ledger is said to begin at every batch.
    OldestAlwaysFirst,
    /// A ledger that is an older copy of itself is not noticed.
    ShrunkenLedgerIgnored,
    /// A roster of an older generation replaces a newer one.
    OlderRosterTaken,
    /// A roster is not fetched again when its generation grows.
    NewerRosterIgnored,
    /// A withdrawn meeting stays.
    TombstoneIgnored,
    /// An older withdrawal takes a newer roster away.
    OlderTombstoneTaken,
    /// The list counts as read although a roster of it failed.
    TagKeptAfterFailure,
    /// The digest of a roster is not compared.
    RosterDigestUnchecked,
    /// An answer is taken for another request's.
    AnswerOfAnother,
    /// A meeting's new key is not kept.
    NewKeyIgnored,
    /// A closing is not passed on.
    ClosingIgnored,
    /// After a failure nothing is tried again.
    GivesUp,
    /// A lost answer is waited for without end.
    WaitsForEver,
    /// A restored hub is believed to have this device's records where it has a copy's.
    CopyIgnored,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::MovedBeforeAcknowledged,
        Self::RangeUnchecked,
        Self::SentCountsAsAcknowledged,
        Self::FailedBatchForgotten,
        Self::RefusedBatchSkipped,
        Self::EpochIgnored,
        Self::AcknowledgedEpochUnchecked,
        Self::StoreUnchecked,
        Self::IncarnationIgnored,
        Self::NeverGoesBack,
        Self::PositionJumpsAhead,
        Self::OldestAlwaysFirst,
        Self::ShrunkenLedgerIgnored,
        Self::OlderRosterTaken,
        Self::NewerRosterIgnored,
        Self::TombstoneIgnored,
        Self::OlderTombstoneTaken,
        Self::TagKeptAfterFailure,
        Self::RosterDigestUnchecked,
        Self::AnswerOfAnother,
        Self::NewKeyIgnored,
        Self::ClosingIgnored,
        Self::GivesUp,
        Self::WaitsForEver,
        Self::CopyIgnored,
    ];
}

/// The defect that is planted now, in this whole process; 0 for none.
#[cfg(feature = "planted")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Plants a defect in place of the one before, in this whole process.
#[cfg(feature = "planted")]
pub fn plant(defect: Option<Defect>) {
    let number = defect.map_or(0, |defect| defect as u8);
    PLANTED.store(number, std::sync::atomic::Ordering::Relaxed);
}

/// Whether a defect is planted.
#[cfg(feature = "planted")]
pub(crate) fn is(defect: Defect) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) == defect as u8
}

/// Whether a defect is planted: never, in what is shipped.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_: Defect) -> bool {
    false
}

/// Whether the defect of this name is planted.
macro_rules! planted {
    ($defect:ident) => {
        $crate::planted::is($crate::planted::Defect::$defect)
    };
}
pub(crate) use planted;
