//! Pixels to detections and templates: the only crate that uses ONNX Runtime.
//!
//! Why it exists: the runtime is a large foreign library, so everything that is peculiar to it ends
//! here: how it is loaded, kept quiet and kept from reporting to its maker ([`Runtime`]), how
//! pictures become tensors, and how the outputs of YuNet ([`Detector`]) and SFace ([`Comparer`])
//! are read, exactly as OpenCV's `FaceDetectorYN` and `FaceRecognizerSF` do it.
//!
//! It never opens a model's file (it takes verified bytes), never keeps or logs a picture or a
//! template, never prints, and never decides who somebody is.

mod comparer;
mod detector;
mod error;
pub mod portrait;
mod runtime;
mod telemetry;
mod tensor;

pub use comparer::Comparer;
pub use detector::{Detector, DetectorConfig, PIXELS_MAX, TOP_K_MAX};
pub use error::InferenceError;
pub use portrait::PortraitError;
pub use runtime::{Runtime, RuntimeConfig, THREADS_MAX};
pub use telemetry::{TELEMETRY_VARIABLE, forbid_telemetry, telemetry_is_forbidden};
