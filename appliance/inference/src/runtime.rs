//! ONNX Runtime itself: loaded once, quiet, and without telemetry.
//!
//! Why it exists: the library is loaded from a named file at run time, so a missing, broken or old
//! one has to end in an error that says what to do. There is one environment per process, whoever
//! asks first decides which library it is. Messages of ONNX Runtime go to `tracing` under the
//! target `onnxruntime`; it never prints anything itself, and it never starts before telemetry is
//! forbidden.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use models::VerifiedModel;
use ort::environment::Environment;
use ort::ep;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use crate::error::InferenceError;
use crate::telemetry::forbid_telemetry;

/// Most threads that one network may use. The boards that this is meant for have four cores.
pub const THREADS_MAX: usize = 16;

/// How networks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuntimeConfig {
    /// Threads that share the work of one network, 1 to [`THREADS_MAX`]. These networks are so
    /// small that one was always the fastest, so it is the default.
    pub threads: usize,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self { threads: 1 }
    }
}

/// A loaded ONNX Runtime. Clones share it.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    config: RuntimeConfig,
}

/// The library that this process runs on, once there is one. It is never unloaded: ONNX Runtime
/// does not support a second environment in one process.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

impl Runtime {
    /// Loads the shared library at `path` with the default configuration.
    ///
    /// # Errors
    /// As [`Runtime::load_with`].
    pub fn load(path: &Path) -> Result<Self, InferenceError> {
        Self::load_with(path, RuntimeConfig::default())
    }

    /// Loads the shared library at `path`, or joins it when this process has loaded it before.
    ///
    /// # Errors
    /// [`InferenceError::TelemetryNotForbidden`] when neither the environment nor
    /// [`forbid_telemetry`] forbade it; [`InferenceError::LibraryMissing`],
    /// [`InferenceError::LibraryUnusable`], [`InferenceError::LibraryTooOld`],
    /// [`InferenceError::LibraryLoaded`] when another one is in use;
    /// [`InferenceError::Threads`]; [`InferenceError::Start`].
    pub fn load_with(path: &Path, config: RuntimeConfig) -> Result<Self, InferenceError> {
        if config.threads == 0 || config.threads > THREADS_MAX {
            return Err(InferenceError::Threads {
                threads: config.threads,
                threads_max: THREADS_MAX,
            });
        }
        forbid_telemetry()?;
        // Absolute, because a relative path would be looked for beside the program first.
        let path = path
            .canonicalize()
            .map_err(|_| InferenceError::LibraryMissing {
                path: path.to_owned(),
            })?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let environment = match loaded.as_ref() {
            Some((in_use, environment)) if *in_use == path => environment.clone(),
            Some((in_use, _)) => {
                return Err(InferenceError::LibraryLoaded {
                    loaded: in_use.clone(),
                    asked: path,
                });
            }
            None => {
                let environment = start(&path)?;
                *loaded = Some((path, environment.clone()));
                environment
            }
        };
        Ok(Self {
            environment,
            config,
        })
    }

    /// What the loaded library says of itself: version, commit, build.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        ort::info()
    }

    /// A session of a verified model.
    pub(crate) fn session(&self, model: &VerifiedModel) -> Result<Session, InferenceError> {
        self.builder()
            .and_then(|mut builder| builder.commit_from_memory(&model.bytes))
            .map_err(|source| InferenceError::ModelRefused {
                path: model.path.clone(),
                source,
            })
    }

    /// The options that were measured to be best; `examples/session_options.rs` measures them
    /// again. The graph's full optimisation more than halves the time. The memory arena only keeps
    /// memory, and packing the weights costs a second copy of the comparer's largest matrix for the
    /// time of loading; neither gains any time in networks of this size.
    fn builder(&self) -> ort::Result<SessionBuilder> {
        Ok(Session::builder(&self.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_prepacking(false)?
            .with_intra_threads(self.config.threads)?
            .with_inter_threads(1)?
            // Between two frames a spinning thread would only warm the board.
            .with_config_entry("session.intra_op.allow_spinning", "0")?
            .with_execution_providers([ep::CPU::default().with_arena_allocator(false).build()])?)
    }
}

fn start(path: &Path) -> Result<Environment, InferenceError> {
    let environment = ort::init_from(path)
        .map_err(|source| load_error(path, source))?
        .with_name("diemdanh")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(InferenceError::Start)?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

fn load_error(path: &Path, source: ort::LoadDynamicError) -> InferenceError {
    match source {
        ort::LoadDynamicError::BadVersion { version_str, .. } => InferenceError::LibraryTooOld {
            path: path.to_owned(),
            found: version_str,
            minor_min: ort::MINOR_VERSION,
        },
        ort::LoadDynamicError::Dlopen { .. }
        | ort::LoadDynamicError::MissingApi { .. }
        | ort::LoadDynamicError::InvalidVersionString => InferenceError::LibraryUnusable {
            path: path.to_owned(),
            source,
        },
    }
}

/// Messages about graphs and memory, never about pixels. What ONNX Runtime calls a warning is
/// about its own doing (no GPU was found, say) and nothing that a keeper of a kiosk could act on.
fn log(level: LogLevel, category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Verbose => {
            tracing::trace!(target: "onnxruntime", category, location, "{message}")
        }
        LogLevel::Info | LogLevel::Warning => {
            tracing::debug!(target: "onnxruntime", category, location, "{message}");
        }
        LogLevel::Error | LogLevel::Fatal => {
            tracing::error!(target: "onnxruntime", category, location, "{message}");
        }
    }
}
