//! A one-place mailbox: the newest value wins, what it replaces is counted and handed back.
//!
//! For frames and views only, where an old value is worth nothing. Commands, records and
//! credentials never travel so: they go through bounded queues that refuse.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a delivery came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Put<T> {
    /// The place was free.
    Stored,
    /// The value took the place of an older one, which is given back for its memory.
    Replaced(T),
    /// The mailbox is closed; the value is given back.
    Closed(T),
}

/// The mailbox; shared between one sender and one receiver.
#[derive(Debug)]
pub struct Mailbox<T> {
    place: Mutex<Place<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Place<T> {
    value: Option<T>,
    replaced: u64,
    closed: bool,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let place = Place {
            value: None,
            replaced: 0,
            closed: false,
        };
        Self {
            place: Mutex::new(place),
            changed: Condvar::new(),
        }
    }
}

impl<T> Mailbox<T> {
    /// Delivers a value; an older one that nobody took is replaced and counted.
    pub fn put(&self, value: T) -> Put<T> {
        let mut place = self.lock();
        if place.closed {
            return Put::Closed(value);
        }
        let older = place.value.replace(value);
        self.changed.notify_all();
        match older {
            Some(older) => {
                place.replaced += 1;
                Put::Replaced(older)
            }
            None => Put::Stored,
        }
    }

    /// Waits until the place is free, then delivers. For recordings, which lose no frame.
    pub fn put_when_free(&self, value: T) -> Put<T> {
        let mut place = self.lock();
        while place.value.is_some() && !place.closed {
            place = self
                .changed
                .wait(place)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(place);
        self.put(value)
    }

    /// Takes the value, waiting for one at most `wait`. `None` when there was none in time or the
    /// mailbox is closed.
    pub fn take(&self, wait: Duration) -> Option<T> {
        let deadline = Instant::now() + wait;
        let mut place = self.lock();
        loop {
            if place.closed {
                return None;
            }
            if let Some(value) = place.value.take() {
                self.changed.notify_all();
                return Some(value);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            (place, _) = self
                .changed
                .wait_timeout(place, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the mailbox: whoever waits at either end returns at once, and what lies in it is
    /// dropped.
    pub fn close(&self) {
        let mut place = self.lock();
        place.closed = true;
        place.value = None;
        self.changed.notify_all();
    }

    /// Closes the mailbox once its value has been taken, or after `wait`.
    pub fn close_when_taken(&self, wait: Duration) {
        let deadline = Instant::now() + wait;
        let mut place = self.lock();
        while place.value.is_some() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                break;
            };
            (place, _) = self
                .changed
                .wait_timeout(place, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(place);
        self.close();
    }

    /// How many values were replaced before anybody took them.
    pub fn replaced(&self) -> u64 {
        self.lock().replaced
    }

    /// Whether [`Mailbox::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// A thread that panicked while it held the lock left at worst a value in place, so the
    /// mailbox stays usable.
    fn lock(&self) -> MutexGuard<'_, Place<T>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wins_and_the_replaced_are_counted() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.put(1), Put::Stored);
        assert_eq!(mailbox.put(2), Put::Replaced(1));
        assert_eq!(mailbox.replaced(), 1);
        assert_eq!(mailbox.take(Duration::ZERO), Some(2));
        assert_eq!(mailbox.take(Duration::ZERO), None);
    }

    #[test]
    fn closing_releases_whoever_waits() {
        let mailbox = Mailbox::default();
        mailbox.put(1);
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| mailbox.put_when_free(2));
            mailbox.close();
            assert_eq!(sender.join().unwrap(), Put::Closed(2));
        });
        assert_eq!(mailbox.take(Duration::from_secs(60)), None);
    }

    #[test]
    fn a_recording_loses_nothing() {
        let mailbox = Mailbox::default();
        std::thread::scope(|scope| {
            scope
                .spawn(|| (0..100).for_each(|n| assert_eq!(mailbox.put_when_free(n), Put::Stored)));
            for expect in 0..100 {
                assert_eq!(mailbox.take(Duration::from_secs(60)), Some(expect));
            }
        });
    }
}
