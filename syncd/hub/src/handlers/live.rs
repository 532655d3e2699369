//! Records as they come: an endless stream of server-sent events, each with the cursor behind it,
//! so that whoever is cut off goes on where they were and misses nothing.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use vocabulary::OrganisationId;
use wire::limits::{STREAM_BEAT_EVERY, STREAMS_PER_KEY_MAX};
use wire::problem::ProblemType;

use super::records::{read_cursor, record_out, write_cursor};
use crate::auth::Caller;
use crate::call::Call;
use crate::hub::Hub;
use crate::model::{ApiKeyId, Cursor};
use crate::reply::{Failure, Reply, ReplyBody};

/// Records that are read from the store at once.
const AT_ONCE: u32 = 100;

/// Events that wait for a slow reader; then the store is not asked any more.
const EVENTS_MAX: usize = 128;

/// How often the store is asked although this process took nothing: another may have.
const ASK_EVERY: Duration = Duration::from_secs(2);

pub(super) fn follow(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let Caller::Key(key) = &call.caller else {
        return Err(Failure::internal("a stream has no key", &""));
    };
    let after = match call.last_event.as_deref().or(call.text("after")) {
        Some(text) => read_cursor(text)?,
        None => Cursor {
            incarnation: hub.identity.incarnation,
            commit: hub.store.totals()?.commit,
        },
    };
    let Ok(place) = hub.streams.clone().try_acquire_owned() else {
        let detail = "there are too many streams; read /records from a cursor instead";
        return Err(Failure::new(ProblemType::TooMany, detail));
    };
    let Some(of_key) = hub.enter(format!("stream:{}", key.id), STREAMS_PER_KEY_MAX) else {
        let detail = format!("a key has at most {STREAMS_PER_KEY_MAX} streams; end one first");
        return Err(Failure::new(ProblemType::TooMany, detail));
    };
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    let stream = Stream {
        hub: hub.clone(),
        organisation: key.organisation.clone(),
        key: key.id.clone(),
        after,
        events,
    };
    tokio::spawn(async move {
        let _places = (place, of_key);
        stream.run().await;
    });
    Ok(Reply {
        status: None,
        headers: Vec::new(),
        body: ReplyBody::Stream("text/event-stream", receiver),
    })
}

struct Stream {
    hub: Arc<Hub>,
    organisation: OrganisationId,
    key: ApiKeyId,
    after: Cursor,
    events: mpsc::Sender<Bytes>,
}

impl Stream {
    /// Runs until the reader goes, the key is revoked, the store fails or the hub stops. The
    /// reader then comes again with the last cursor and is told why not, if so.
    async fn run(mut self) {
        let mut beat = Instant::now();
        // An id without data is no event, but what a reader goes on from when it is cut off.
        let begun = format!("id: {}\n: begun\n\n", write_cursor(&self.after));
        if self.send(begun).await.is_none() {
            return;
        }
        loop {
            let hub = self.hub.clone();
            // Asked for before the store is, so that what comes in between is not slept over.
            let came = hub.records_came.notified();
            let Some(more) = self.next().await else {
                return;
            };
            if hub.is_stopping() {
                return;
            }
            if beat.elapsed() >= STREAM_BEAT_EVERY {
                beat = Instant::now();
                if !self.may_go_on().await || self.send(": \n\n".to_owned()).await.is_none() {
                    return;
                }
            }
            if !more {
                tokio::select! {
                    () = hub.stopping.notified() => return,
                    // Either way the store is asked again.
                    _ = timeout(ASK_EVERY, came) => {}
                    () = self.events.closed() => return,
                }
                // A burst of batches is read in one go.
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Sends the next records; whether more are there already.
    async fn next(&mut self) -> Option<bool> {
        let (hub, organisation, after) = (self.hub.clone(), self.organisation.clone(), self.after);
        let permit = hub.blocking.clone().acquire_owned().await.ok()?;
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            hub.store.records(&organisation, after, AT_ONCE)
        });
        let page = read.await.ok()?.ok()?;
        for record in page.records {
            let place = Cursor {
                incarnation: page.next.incarnation,
                commit: record.commit,
            };
            let data = serde_json::to_string(&record_out(record)).ok()?;
            let id = write_cursor(&place);
            self.send(format!("id: {id}\nevent: record\ndata: {data}\n\n"))
                .await?;
        }
        self.after = page.next;
        Some(page.more)
    }

    async fn may_go_on(&self) -> bool {
        let (hub, key) = (self.hub.clone(), self.key.clone());
        let looked = tokio::task::spawn_blocking(move || hub.store.api_key(&key)).await;
        matches!(looked, Ok(Ok(Some(key))) if key.revoked_at.is_none())
    }

    async fn send(&self, event: String) -> Option<()> {
        self.events.send(event.into()).await.ok()
    }
}
