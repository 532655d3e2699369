//! The hub: its store, its authority, its keys, and what one process shares between requests. All
//! that a second process would need is in the store and the data directory.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seal::{FileKeyStore, KeyStoreError};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, Semaphore};
use vocabulary::{Digest, WallTime};
use wire::limits::{
    CONNECTIONS_PER_ADDRESS, DEVICE_SILENT_AFTER, HEADER_TIME_MAX, KEY_KEPT_AFTER_END,
    PICTURES_MAX, STREAMS_MAX,
};

use crate::bodies::Bodies;
use crate::ca::{Ca, CaError};
use crate::handlers::RosterCache;
use crate::metrics::Metrics;
use crate::model::StoreIdentity;
use crate::offers::Contents;
use crate::portrait::{ModelPaths, Portraits};
use crate::reply::chain;
use crate::shown::ServerFiles;
use crate::store::sqlite::{OpenError, SqliteOptions, SqliteStore};
use crate::store::{KeyStoreSealing, Store, StoreError};

/// Most store operations at once; a disk has one head, and each waits for it.
pub const BLOCKING_MAX: usize = 16;

/// How many devices are noted as silent in one go.
const SILENT_AT_ONCE: u32 = 1000;

/// How many keys are destroyed in one go.
const KEYS_DESTROYED_AT_ONCE: u32 = 1000;

/// How many portraits are destroyed in one go.
const PORTRAITS_DESTROYED_AT_ONCE: u32 = 1000;

/// The name of the file of the hub's own key, for which organisations' and meetings' keys are
/// wrapped.
pub const KEY: &str = "hub.key";
/// The name of the file of the key of digests of what was handed in.
pub(crate) const DIGEST_KEY: &str = "digest.key";

/// What tells the time; real hubs ask the system.
pub type Clock = Arc<dyn Fn() -> WallTime + Send + Sync>;

/// How a hub is set up.
#[derive(Clone)]
pub struct Options {
    /// The names and addresses that the hub is called by, for the certificate that it makes itself.
    pub names: Vec<String>,
    /// A certificate of the operator's to show instead.
    pub certificate: Option<ServerFiles>,
    /// Most connections of one address at once, and behind a proxy most requests.
    pub connections_per_address: u32,
    /// How long a request's header may take, also the next one on a connection that is kept.
    pub header_time_max: Duration,
    /// Where the models are; without, portraits cannot be handed in.
    pub models: Option<ModelPaths>,
    /// What tells the time.
    pub clock: Clock,
    /// Whether webhooks may lead to private addresses, and be without TLS: for a receiver within
    /// the city's own network, and for trying things out.
    pub private_webhooks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            certificate: None,
            connections_per_address: CONNECTIONS_PER_ADDRESS,
            header_time_max: HEADER_TIME_MAX,
            models: None,
            clock: Arc::new(system_time),
            private_webhooks: false,
        }
    }
}

/// Why a hub cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The data directory cannot be used.
    #[error("{}: the hub's file or directory cannot be {doing}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The authority cannot be used.
    #[error("the hub's authority cannot be used")]
    Ca(#[from] CaError),
    /// The hub's own key cannot be used.
    #[error("the hub's own key cannot be used")]
    Key(#[from] KeyStoreError),
    /// The store cannot be opened.
    #[error("the hub's store cannot be opened")]
    Open(#[from] OpenError),
    /// The store does not answer.
    #[error("the hub's store cannot be used")]
    Store(#[from] StoreError),
    /// The store is not in the data directory.
    #[error("the hub's store is not in its directory; save it by its database's own means")]
    StoreElsewhere,
    /// The directory that a backup is to be restored into has another hub's key.
    #[error(
        "{}: this key is not the backup's; restore into a new directory, or move it away",
        .0.display()
    )]
    AnotherHub(PathBuf),
    /// A key of the digests is no key.
    #[error("{}: this is no key of the hub; restore it from the backup", .0.display())]
    Damaged(PathBuf),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

/// A hub.
pub struct Hub {
    pub(crate) dir: PathBuf,
    /// The same store as [`Hub::store`], where it is the embedded one.
    pub(crate) embedded: Option<Arc<SqliteStore>>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) identity: StoreIdentity,
    ca: RwLock<Arc<Ca>>,
    pub(crate) names: Vec<String>,
    pub(crate) certificate: Option<ServerFiles>,
    pub(crate) connections_per_address: u32,
    pub(crate) header_time_max: Duration,
    pub(crate) private_webhooks: bool,
    pub(crate) sealing: KeyStoreSealing,
    pub(crate) portraits: Result<Portraits, String>,
    pub(crate) rosters: RosterCache,
    pub(crate) offers: Contents,
    pub(crate) metrics: Metrics,
    pub(crate) blocking: Arc<Semaphore>,
    pub(crate) bodies: Bodies,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) pictures: Arc<Semaphore>,
    /// Wakes whoever follows the records when some were taken by this process.
    pub(crate) records_came: Notify,
    /// Ends the streams when the hub stops.
    pub(crate) stopping: Notify,
    /// Wakes whoever serves when files are to be read again.
    pub(crate) reloading: Notify,
    stopped: AtomicBool,
    in_flight: Mutex<HashMap<String, u32>>,
    digest_key: [u8; 32],
    clock: Clock,
}

impl Hub {
    /// Opens the hub of a data directory; makes what is missing in it.
    ///
    /// # Errors
    /// [`HubError`] names the file and the way out.
    pub fn open(dir: &Path, options: Options) -> Result<Arc<Self>, HubError> {
        make_directory(dir)?;
        let store = Arc::new(SqliteStore::open(dir, SqliteOptions::default())?);
        Self::assemble(dir, store.clone(), Some(store), options)
    }

    /// Opens a hub whose store is not in its data directory.
    ///
    /// # Errors
    /// [`HubError`] names the file and the way out.
    pub fn with_store(
        dir: &Path,
        store: Arc<dyn Store>,
        options: Options,
    ) -> Result<Arc<Self>, HubError> {
        Self::assemble(dir, store, None, options)
    }

    fn assemble(
        dir: &Path,
        store: Arc<dyn Store>,
        embedded: Option<Arc<SqliteStore>>,
        options: Options,
    ) -> Result<Arc<Self>, HubError> {
        make_directory(dir)?;
        let ca = Ca::open_or_create(dir, (options.clock)())?;
        let keys = FileKeyStore::open_or_create(&dir.join(KEY))?;
        let portraits = match &options.models {
            None => Err("this hub was started without models".to_owned()),
            Some(paths) => Portraits::load(paths).map_err(|error| {
                tracing::error!(error = chain(&error), "portraits cannot be taken");
                "this hub's models cannot be used; its log says why".to_owned()
            }),
        };
        Ok(Arc::new(Self {
            dir: dir.to_owned(),
            identity: store.identity()?,
            store,
            embedded,
            ca: RwLock::new(Arc::new(ca)),
            names: options.names,
            certificate: options.certificate,
            connections_per_address: options.connections_per_address,
            header_time_max: options.header_time_max,
            private_webhooks: options.private_webhooks,
            sealing: KeyStoreSealing::new(Arc::new(keys)),
            portraits,
            rosters: RosterCache::default(),
            offers: Contents::of(dir),
            metrics: Metrics::default(),
            blocking: Arc::new(Semaphore::new(BLOCKING_MAX)),
            bodies: Bodies::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            pictures: Arc::new(Semaphore::new(PICTURES_MAX)),
            records_came: Notify::new(),
            stopping: Notify::new(),
            reloading: Notify::new(),
            stopped: AtomicBool::new(false),
            in_flight: Mutex::default(),
            digest_key: digest_key(&dir.join(DIGEST_KEY))?,
            clock: options.clock,
        }))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> WallTime {
        (self.clock)()
    }

    /// What the hub remembers everything in.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What seals for organisations and meetings.
    #[must_use]
    pub fn sealing(&self) -> &KeyStoreSealing {
        &self.sealing
    }

    /// The hub's authorities, as they are now.
    #[must_use]
    pub fn ca(&self) -> Arc<Ca> {
        let ca = self.ca.read().unwrap_or_else(PoisonError::into_inner);
        ca.clone()
    }

    /// Reads the authorities' files and the certificate's again soon, where it is served: an
    /// operator has changed them and does not want to wait.
    pub fn reload(&self) {
        self.reloading.notify_one();
    }

    /// The authorities as their files have them at this moment, for whoever signs: what a device is
    /// told with its certificate must be all that it is to know.
    pub(crate) fn newest_ca(&self) -> Result<Arc<Ca>, CaError> {
        let read = Ca::open_or_create(&self.dir, self.now())?;
        let mut ca = self.ca.write().unwrap_or_else(PoisonError::into_inner);
        if read.authorities_pem() != ca.authorities_pem() {
            *ca = Arc::new(read);
            // Whoever shakes hands is to know it too.
            self.reload();
        }
        Ok(ca.clone())
    }

    /// The digest of something handed in that tells it from another, and nothing to whoever does
    /// not have this hub's key.
    pub(crate) fn content_digest(&self, parts: &[&[u8]]) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(self.digest_key);
        for part in parts {
            hasher.update(Sha256::digest(part));
        }
        Digest(hasher.finalize().into())
    }

    /// Counts one request or stream of a caller, for as long as what is given back lives; none when
    /// there are so many already.
    pub(crate) fn enter(self: &Arc<Self>, caller: String, most: u32) -> Option<InFlight> {
        let mut in_flight = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = in_flight.entry(caller.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(InFlight(self.clone(), caller))
    }

    /// Ends what has no end of its own.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.stopping.notify_waiters();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Destroys the keys of meetings that ended long ago and that nobody closed, and portraits
    /// whose date has come.
    pub(crate) fn keep_house(&self) {
        let before = self.now().saturating_sub(KEY_KEPT_AFTER_END);
        match self.store.destroy_keys(before, KEYS_DESTROYED_AT_ONCE) {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "keys of past meetings were destroyed"),
            Err(error) => tracing::error!(error = chain(&error), "keys could not be destroyed"),
        }
        let destroyed = self
            .store
            .destroy_portraits(self.now(), PORTRAITS_DESTROYED_AT_ONCE);
        match destroyed {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "portraits were destroyed whose date had come"),
            Err(error) => tracing::error!(error = chain(&error), "portraits were not destroyed"),
        }
        self.note_silent();
        self.forget_contents();
    }

    /// Notes the devices that have fallen silent, for those who want to be told.
    fn note_silent(&self) {
        let now = self.now();
        let before = now.saturating_sub(DEVICE_SILENT_AFTER);
        match self.store.note_silent_devices(before, now, SILENT_AT_ONCE) {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "devices have fallen silent"),
            Err(error) => tracing::error!(error = chain(&error), "devices cannot be looked at"),
        }
    }

    /// Takes the contents away that nobody offers any more.
    pub(crate) fn forget_contents(&self) {
        let done = self.store.offer_digests().map(|digests| {
            let offered = digests.into_iter().collect();
            self.offers.keep_only(&offered)
        });
        match done {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(count, "contents of offers were taken away"),
            Ok(Err(error)) => tracing::error!(%error, "contents could not be taken away"),
            Err(error) => tracing::error!(error = chain(&error), "offers cannot be looked up"),
        }
    }
}

/// One request of a caller that is being answered.
pub(crate) struct InFlight(Arc<Hub>, String);

impl Drop for InFlight {
    fn drop(&mut self) {
        let in_flight = &self.0.in_flight;
        let mut in_flight = in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = in_flight.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                in_flight.remove(&self.1);
            }
        }
    }
}

/// What the system's clock shows.
#[must_use]
pub fn system_time() -> WallTime {
    // A clock before 1970 is as wrong as one at it.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

pub(crate) fn make_directory(dir: &Path) -> Result<(), HubError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(failed(dir, "created"))
}

/// Reads the key of digests, or draws it where there is none.
fn digest_key(path: &Path) -> Result<[u8; 32], HubError> {
    let mut key = [0; 32];
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(mut file) => {
            getrandom::fill(&mut key).map_err(HubError::Random)?;
            file.write_all(&key)
                .and_then(|()| file.sync_all())
                .map_err(failed(path, "created"))?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut bytes = Vec::new();
            fs::File::open(path)
                .and_then(|file| file.take(64).read_to_end(&mut bytes))
                .map_err(failed(path, "read"))?;
            key = bytes
                .try_into()
                .map_err(|_| HubError::Damaged(path.to_owned()))?;
        }
        Err(error) => return Err(failed(path, "created")(error)),
    }
    Ok(key)
}

pub(crate) fn failed(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> HubError {
    move |source| HubError::Io {
        path: path.to_owned(),
        doing,
        source,
    }
}
