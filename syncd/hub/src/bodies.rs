//! The memory for bodies on their way in: what all have together, and what one caller may have of
//! it. Memory is reserved as bytes come, not as they are announced, so that who announces much and
//! sends nothing holds nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use wire::limits::{BODIES_KIB_MAX, BODIES_PER_CALLER_KIB_MAX, TURN_TIME_MAX};
use wire::problem::ProblemType;

use crate::reply::Failure;

/// In which steps memory is reserved, in kibibytes.
const STEP_KIB: u32 = 64;

/// Callers that are remembered before those without a body are forgotten.
const CALLERS_REMEMBERED: usize = 1024;

/// The memory for all bodies.
pub(crate) struct Bodies {
    all: Arc<Semaphore>,
    caller_kib_max: usize,
    wait_max: Duration,
    callers: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// What one body has of it.
pub(crate) struct Share {
    all: Arc<Semaphore>,
    caller: Arc<Semaphore>,
    wait_max: Duration,
    kib: u32,
    held: Vec<OwnedSemaphorePermit>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::new(BODIES_KIB_MAX, BODIES_PER_CALLER_KIB_MAX, TURN_TIME_MAX)
    }
}

impl Bodies {
    fn new(all_kib_max: usize, caller_kib_max: usize, wait_max: Duration) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all_kib_max)),
            caller_kib_max,
            wait_max,
            callers: Mutex::default(),
        }
    }

    /// Memory for a body of this caller, nothing yet.
    pub(crate) fn share(&self, caller: &str) -> Share {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = callers.get(caller).and_then(Weak::upgrade);
        let caller = known.unwrap_or_else(|| {
            if callers.len() >= CALLERS_REMEMBERED {
                callers.retain(|_, semaphore| semaphore.strong_count() > 0);
            }
            let semaphore = Arc::new(Semaphore::new(self.caller_kib_max));
            callers.insert(caller.to_owned(), Arc::downgrade(&semaphore));
            semaphore
        });
        Share {
            all: self.all.clone(),
            caller,
            wait_max: self.wait_max,
            kib: 0,
            held: Vec::new(),
        }
    }
}

impl Share {
    /// Has memory for so many bytes from now on; waits for it a while.
    ///
    /// # Errors
    /// 429 when this caller's other bodies have it all, 503 when everybody's have.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> Result<(), Failure> {
        let needed = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        if needed <= self.kib {
            return Ok(());
        }
        let kib = (needed - self.kib).next_multiple_of(STEP_KIB);
        let many = Failure::new(
            ProblemType::TooMany,
            "this caller's other bodies take all the memory that one caller may have; send one \
             after the other",
        );
        let own = reserve(&self.caller, kib, self.wait_max)
            .await
            .ok_or(many)?;
        let busy = Failure::new(
            ProblemType::Unavailable,
            "the hub has too much to do; try again later",
        );
        let all = reserve(&self.all, kib, self.wait_max).await.ok_or(busy)?;
        for permit in [own, all] {
            let mut held = self.held.iter_mut();
            let same = held.find(|one| Arc::ptr_eq(one.semaphore(), permit.semaphore()));
            match same {
                Some(one) => one.merge(permit),
                None => self.held.push(permit),
            }
        }
        self.kib += kib;
        Ok(())
    }
}

async fn reserve(
    semaphore: &Arc<Semaphore>,
    kib: u32,
    wait_max: Duration,
) -> Option<OwnedSemaphorePermit> {
    let waiting = semaphore.clone().acquire_many_owned(kib);
    timeout(wait_max, waiting).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    async fn check(share: &mut Share, kib: usize, expect: Option<ProblemType>) {
        let grown = share.grow_to(kib * KIB).await;
        assert_eq!(grown.err().map(|failure| failure.kind), expect, "{kib} KiB");
    }

    #[tokio::test]
    async fn nobody_takes_all_and_all_is_given_back() {
        let bodies = Bodies::new(256, 128, Duration::from_millis(1));
        let (mut first, mut second) = (bodies.share("a"), bodies.share("a"));
        check(&mut first, 0, None).await;
        check(&mut first, 1, None).await;
        check(&mut first, 65, None).await;
        check(&mut second, 1, Some(ProblemType::TooMany)).await;
        let (mut other, mut third) = (bodies.share("b"), bodies.share("c"));
        check(&mut other, 128, None).await;
        check(&mut third, 1, Some(ProblemType::Unavailable)).await;
        drop(first);
        check(&mut third, 1, None).await;
        check(&mut second, 64, None).await;
        drop((second, third, other));
        assert_eq!(bodies.all.available_permits(), 256);
    }

    #[tokio::test]
    async fn callers_without_a_body_are_forgotten() {
        let bodies = Bodies::default();
        let mut kept = bodies.share("kept");
        kept.grow_to(1).await.unwrap();
        for caller in 0..3 * CALLERS_REMEMBERED {
            drop(bodies.share(&caller.to_string()));
        }
        let callers = bodies.callers.lock().unwrap();
        assert!(callers.len() <= CALLERS_REMEMBERED);
        assert!(callers.contains_key("kept"));
    }

    #[test]
    fn the_largest_body_has_room_in_one_caller_s_share() {
        let largest = wire::OPERATIONS
            .iter()
            .map(|o| o.request_bytes_max)
            .max()
            .unwrap();
        assert!(largest <= BODIES_PER_CALLER_KIB_MAX * KIB);
        assert_eq!(BODIES_PER_CALLER_KIB_MAX % STEP_KIB as usize, 0);
        const { assert!(BODIES_PER_CALLER_KIB_MAX * 4 <= BODIES_KIB_MAX) };
    }
}
