//! What no single crate can promise: the crate table, the house rules, parity with peers.
//!
//! The tests are under `tests/`; here is what they share: where the tree, the fetched files and
//! the networks are. It never fetches anything: what is missing is said, and the test that needs
//! it passes without having looked, since `make test` fetches it all beforehand.

use std::path::{Path, PathBuf};

use inference::{Comparer, Detector, DetectorConfig, Runtime};
use models::{Manifest, Model, ModelError, TaskKind, VerifiedModel, store};

/// The root of the source tree.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Where set-up puts what it fetches.
#[must_use]
pub fn setup() -> PathBuf {
    std::env::var_os("DIEMDANH_SETUP").map_or_else(|| root().join(".setup"), PathBuf::from)
}

/// A fetched file or directory, or `None` and a message that the test is skipped.
#[must_use]
pub fn fetched(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is missing; run deploy/setup", path.display());
    None
}

/// A model of the project's manifest and its verified file, when it was fetched.
///
/// # Errors
/// What the manifest or the file has wrong, but for a missing file.
pub fn model(task: TaskKind) -> Result<Option<(Model, VerifiedModel)>, Box<dyn std::error::Error>> {
    let manifest = Manifest::load(&root().join("models/manifest.toml"))?;
    let model = manifest.default_for(task)?.clone();
    match store::open_verified(&root().join("models/files"), &model) {
        Ok(file) => Ok(Some((model, file))),
        Err(ModelError::Missing { path, .. }) => {
            eprintln!("skipped: {} is missing; run deploy/setup", path.display());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The project's detector and comparer, when runtime and models were fetched.
///
/// # Errors
/// Why they cannot be loaded although they are there.
pub fn networks() -> Result<Option<(Detector, Comparer)>, Box<dyn std::error::Error>> {
    let Some(library) = fetched(setup().join("onnxruntime/libonnxruntime.so")) else {
        return Ok(None);
    };
    let (Some(detector), Some(comparer)) = (model(TaskKind::Detector)?, model(TaskKind::Comparer)?)
    else {
        return Ok(None);
    };
    let runtime = Runtime::load(&library)?;
    let config = DetectorConfig::default();
    let detector = Detector::new(&runtime, &detector.0, &detector.1, config)?;
    let comparer = Comparer::new(&runtime, &comparer.0, &comparer.1)?;
    Ok(Some((detector, comparer)))
}
