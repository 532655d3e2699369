//! What can go wrong between a model's file and a template.
//!
//! Why it exists: each message names the file or the value and says what to do about it. It never
//! shows pixels or a template's values.

use std::path::PathBuf;

use vocabulary::TemplateError;

/// Why there is no detection and no template.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The shared library is not there.
    #[error(
        "ONNX Runtime is missing: {}; run `deploy/setup`, which fetches it, or name the library \
         in the configuration",
        path.display()
    )]
    LibraryMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is no library that this machine can load, or a library of something else.
    #[error(
        "{} is not an ONNX Runtime for this machine; delete it and run `deploy/setup`",
        path.display()
    )]
    LibraryUnusable {
        /// Which file.
        path: PathBuf,
        /// What the loader said.
        #[source]
        source: ort::LoadDynamicError,
    },
    /// The library is an ONNX Runtime older than this program needs.
    #[error(
        "{} is ONNX Runtime {found}, and 1.{minor_min} is the oldest that works; delete it and \
         run `deploy/setup`",
        path.display()
    )]
    LibraryTooOld {
        /// Which file.
        path: PathBuf,
        /// The version that it states.
        found: String,
        /// The oldest minor version of major version 1 that works.
        minor_min: u32,
    },
    /// This process has loaded another library already; there can be only one.
    #[error(
        "this process runs on {} already and cannot load {} as well",
        loaded.display(),
        asked.display()
    )]
    LibraryLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The library asked for.
        asked: PathBuf,
    },
    /// ONNX Runtime would report to its maker, and it is too late to forbid it.
    #[error(
        "ONNX Runtime may send telemetry unless {variable}=1 is in the environment, and with \
         other threads running it is too late to put it there; start the program with \
         {variable}=1, or call forbid_telemetry() first thing in main"
    )]
    TelemetryNotForbidden {
        /// The environment variable that forbids it.
        variable: &'static str,
    },
    /// The number of threads is out of range.
    #[error("inference runs on 1 to {threads_max} threads, not on {threads}")]
    Threads {
        /// What was asked for.
        threads: usize,
        /// The most there may be.
        threads_max: usize,
    },
    /// ONNX Runtime itself did not start.
    #[error("ONNX Runtime does not start")]
    Start(#[source] ort::Error),
    /// ONNX Runtime does not take the model.
    #[error(
        "ONNX Runtime refuses the model {}; run `deploy/setup` to prepare it again",
        path.display()
    )]
    ModelRefused {
        /// The model's file.
        path: PathBuf,
        /// What ONNX Runtime said.
        #[source]
        source: ort::Error,
    },
    /// The model is a network for something else.
    #[error(
        "the model {} is no {task}: {found}, and {expected} is needed; put the right file into \
         the models' manifest",
        path.display()
    )]
    WrongModel {
        /// The model's file.
        path: PathBuf,
        /// What it was meant to be.
        task: &'static str,
        /// What a model of this task has.
        expected: String,
        /// What this one has.
        found: String,
    },
    /// The picture has sides that the network cannot take.
    #[error("a picture of {width}×{height} pixels cannot be used here: {expected}")]
    PictureSize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What can.
        expected: String,
    },
    /// A setting of the detector is out of range.
    #[error("the detector's {setting} must be {expected}, not {found}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// The range.
        expected: &'static str,
        /// The value.
        found: f64,
    },
    /// The network failed while it ran.
    #[error("the network failed while it ran")]
    Run(#[source] ort::Error),
    /// The network's output has another shape than it announced.
    #[error("the network's output `{output}` has {found} values where {expected} were expected")]
    OutputShape {
        /// The output's name.
        output: &'static str,
        /// How many values a picture of this size gives.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// The comparer's output is no template.
    #[error("the comparer's output is no template")]
    Template(#[source] TemplateError),
}
