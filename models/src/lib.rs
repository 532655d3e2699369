//! What the kiosk recognises with: which models there are, and proof that a file is one of them.
//!
//! Why it exists: a recognition result means something only together with the exact network that
//! made it. `manifest.toml` names every model by its digest, says what goes in, what its numbers
//! mean and where its thresholds were measured; [`store`] hands out bytes only after their digest
//! was found right; [`prepare`] rewrites published files into graphs that run everywhere and fast.
//!
//! This library never runs a network, never reaches for the internet (the `models` program asks
//! pip for that, through `deploy/setup`) and never writes a file whose digest is not recorded.

mod digest;
mod error;
pub mod manifest;
mod onnx;
pub mod package;
pub mod prepare;
pub mod store;

pub use digest::Digest;
pub use error::{
    DigestError, ManifestError, ManifestFlaw, Mismatch, ModelError, OnnxError, PackageError,
    PrepareError,
};
pub use manifest::{
    Channels, Comparer, Detector, Input, Manifest, Model, OperatingPoint, Pad, Prepared, Size,
    Source, Task, TaskKind,
};
pub use store::VerifiedModel;
