//! Batches that wait for the same disk: whoever gets to write writes for all who wait, in one
//! transaction. Each batch still succeeds or fails by itself.

use std::sync::{Arc, Mutex, TryLockError};

use rusqlite::{Connection, TransactionBehavior};
use vocabulary::{DeviceId, WallTime};

use super::{Writer, database, ingest, lock};
use crate::ingest::{Batch, Examined, examine};
use crate::model::Ingested;
use crate::store::StoreError;

/// Most batches in one transaction: it holds up other writers for some tens of milliseconds.
const TOGETHER_MAX: usize = 16;

pub(super) type Answer = Result<Ingested, StoreError>;

/// A batch with what it says and where it comes from.
#[derive(Clone, Copy)]
pub(super) struct Arrived<'a> {
    pub(super) device: &'a DeviceId,
    pub(super) batch: &'a Batch,
    pub(super) examined: &'a [Examined],
    pub(super) now: WallTime,
}

/// The batches that wait. It is empty whenever nobody waits.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Vec<Arc<Job>>>,
}

struct Job {
    device: DeviceId,
    batch: Batch,
    examined: Vec<Examined>,
    now: WallTime,
    answer: Mutex<Option<Answer>>,
}

impl Job {
    fn arrived(&self) -> Arrived<'_> {
        Arrived {
            device: &self.device,
            batch: &self.batch,
            examined: &self.examined,
            now: self.now,
        }
    }
}

impl Queue {
    /// Takes a batch durably, together with others that wait.
    pub(super) fn ingest(
        &self,
        writer: &Mutex<Writer>,
        device: &DeviceId,
        batch: &Batch,
        now: WallTime,
    ) -> Answer {
        let examined = examine(batch)?;
        match writer.try_lock() {
            Ok(mut writer) => {
                let others = self.next();
                let mut all = vec![Arrived {
                    device,
                    batch,
                    examined: &examined,
                    now,
                }];
                all.extend(others.iter().map(|job| job.arrived()));
                let mut answers = writer.take(&all);
                deliver(&others, answers.drain(1..));
                answers.pop().unwrap_or(Err(StoreError::Failed))
            }
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => {
                let job = Arc::new(Job {
                    device: device.clone(),
                    batch: batch.clone(),
                    examined,
                    now,
                    answer: Mutex::new(None),
                });
                lock(&self.waiting).push(Arc::clone(&job));
                self.wait(writer, &job)
            }
        }
    }

    /// Waits for the writer, and writes for all who wait unless somebody did meanwhile.
    fn wait(&self, writer: &Mutex<Writer>, job: &Job) -> Answer {
        loop {
            let mut writer = lock(writer);
            if let Some(answer) = lock(&job.answer).take() {
                return answer;
            }
            let jobs = self.next();
            if jobs.is_empty() {
                // Only a panic between taking the job from the queue and answering gets here.
                return Err(StoreError::Failed);
            }
            let all: Vec<_> = jobs.iter().map(|job| job.arrived()).collect();
            deliver(&jobs, writer.take(&all).into_iter());
        }
    }

    /// The next that wait, oldest first, as many as go together.
    fn next(&self) -> Vec<Arc<Job>> {
        let mut waiting = lock(&self.waiting);
        let count = waiting.len().min(TOGETHER_MAX - 1);
        waiting.drain(..count).collect()
    }
}

fn deliver(jobs: &[Arc<Job>], answers: impl Iterator<Item = Answer>) {
    for (job, answer) in jobs.iter().zip(answers) {
        *lock(&job.answer) = Some(answer);
    }
}

impl Writer {
    /// Takes batches in one transaction; gives one answer for each, in order.
    pub(super) fn take(&mut self, batches: &[Arrived<'_>]) -> Vec<Answer> {
        if self.failed {
            return vec![Err(StoreError::Failed); batches.len()];
        }
        self.take_all(batches)
            .unwrap_or_else(|error| vec![Err(error); batches.len()])
    }

    fn take_all(&mut self, batches: &[Arrived<'_>]) -> Result<Vec<Answer>, StoreError> {
        let mut transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let most = self.aside_bytes_max;
        let take = |c: &Connection, one: &Arrived<'_>| {
            ingest::take(c, one.device, one.batch, one.examined, one.now, most)
        };
        let mut answers = Vec::with_capacity(batches.len());
        if let [one] = batches {
            // Alone it needs no savepoint, which copies every page before it is changed.
            match take(&transaction, one) {
                Ok(ingested) => answers.push(Ok(ingested)),
                Err(error) => {
                    transaction.rollback()?;
                    return Ok(vec![Err(error)]);
                }
            }
        } else {
            for one in batches {
                // What one batch did before it failed is undone without the others'.
                let part = transaction.savepoint()?;
                let answer = take(&part, one);
                match answer {
                    Ok(_) => part.commit()?,
                    Err(_) => part.finish()?,
                }
                answers.push(answer);
            }
        }
        match transaction.commit() {
            Ok(()) => Ok(answers),
            Err(error) => {
                self.failed = database::leaves_doubt(&error);
                Err(error.into())
            }
        }
    }
}
