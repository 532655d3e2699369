//! What set-up fetched, for tests that need it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use models::Manifest;
use std::path::{Path, PathBuf};

/// What set-up fetched.
pub struct Fetched {
    /// The manifest of the project.
    pub manifest: Manifest,
    /// The directory of models.
    pub files: PathBuf,
    /// The shared library of ONNX Runtime.
    pub library: PathBuf,
    /// The directory of portraits.
    pub portraits: PathBuf,
}

/// The project's directory.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What set-up fetched, or nothing when it was not run. `make test` runs it, and says so by
/// `DIEMDANH_SET_UP`; then nothing may be missing.
pub fn fetched() -> Option<Fetched> {
    let setup = std::env::var_os("DIEMDANH_SETUP").map_or(project().join(".setup"), PathBuf::from);
    let fetched = Fetched {
        manifest: Manifest::load(&project().join("models/manifest.toml")).unwrap(),
        files: project().join("models/files"),
        library: setup.join("onnxruntime/libonnxruntime.so"),
        portraits: setup.join("portraits"),
    };
    if fetched.library.exists() && fetched.portraits.exists() && fetched.files.exists() {
        return Some(fetched);
    }
    assert!(
        std::env::var_os("DIEMDANH_SET_UP").is_none(),
        "set-up left something out"
    );
    eprintln!("skipped: run deploy/setup, which fetches models, portraits and the runtime");
    None
}
