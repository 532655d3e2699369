//! How many refusals are recorded: enough to answer for, not enough to fill a ledger.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use vocabulary::{Monotonic, RefusalReason};

use crate::config::REFUSALS_PER_MINUTE_MAX;

const WINDOW: Duration = Duration::from_secs(60);

/// When refusals were recorded, by reason: a crowd of strangers must not hide that an invitation
/// was forged.
#[derive(Debug, Clone, Default)]
pub(crate) struct RefusalRate(BTreeMap<RefusalReason, VecDeque<Monotonic>>);

impl RefusalRate {
    /// Whether one more may be recorded now; if so it is counted.
    pub(crate) fn admits(&mut self, reason: RefusalReason, now: Monotonic) -> bool {
        let times = self.0.entry(reason).or_default();
        while times.front().is_some_and(|time| now.since(*time) >= WINDOW) {
            times.pop_front();
        }
        if times.len() >= REFUSALS_PER_MINUTE_MAX {
            return false;
        }
        times.push_back(now);
        true
    }
}
