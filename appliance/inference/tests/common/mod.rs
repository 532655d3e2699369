//! What the tests of this crate share: where the runtime, the models and pictures are.
//!
//! It never fetches anything; a test that needs what is not there says so and passes, since
//! `make test` fetches it all beforehand.

#![allow(dead_code, reason = "each test target uses its own part of this")]

use std::path::{Path, PathBuf};

use imaging::Picture;
use inference::{Comparer, Detector, DetectorConfig, Runtime};
use models::{Manifest, Model, TaskKind, VerifiedModel, store};

/// The root of the source tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where set-up puts what it fetches.
pub fn setup() -> PathBuf {
    std::env::var_os("DIEMDANH_SETUP").map_or_else(|| root().join(".setup"), PathBuf::from)
}

/// The shared library, when it was fetched.
pub fn library() -> Option<PathBuf> {
    let path = setup().join("onnxruntime/libonnxruntime.so");
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: {} is missing; run deploy/setup", path.display());
    None
}

/// A model of the project's manifest and its verified file, when it was fetched.
pub fn model(task: TaskKind) -> Option<(Model, VerifiedModel)> {
    let manifest = Manifest::load(&root().join("models/manifest.toml")).unwrap();
    let model = manifest.default_for(task).unwrap().clone();
    match store::open_verified(&root().join("models/files"), &model) {
        Ok(file) => Some((model, file)),
        Err(models::ModelError::Missing { path, .. }) => {
            eprintln!("skipped: {} is missing; run deploy/setup", path.display());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Both networks, when all was fetched.
pub fn networks() -> Option<(Runtime, Detector, Comparer)> {
    let runtime = Runtime::load(&library()?).unwrap();
    let (model, file) = model(TaskKind::Detector)?;
    let detector = Detector::new(&runtime, &model, &file, DetectorConfig::default()).unwrap();
    let (model, file) = self::model(TaskKind::Comparer)?;
    let comparer = Comparer::new(&runtime, &model, &file).unwrap();
    Some((runtime, detector, comparer))
}

/// A portrait that set-up fetched.
pub fn portrait(name: &str) -> Picture {
    let bytes = std::fs::read(setup().join("portraits").join(name)).unwrap();
    imaging::decode(&bytes, imaging::DecodeLimits::default())
        .unwrap()
        .picture
}
