//! From a portrait to a reference, with the same networks and rules as at the door. The picture is
//! dropped as soon as its template is made; nothing here writes anything anywhere.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use imaging::{DecodeError, DecodeLimits};
use inference::portrait::{self, Reference};
use inference::{Comparer, Detector, DetectorConfig, InferenceError, Runtime};
use models::{Manifest, ManifestError, ModelError};

/// Where the models are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPaths {
    /// The manifest that names every model.
    pub manifest: PathBuf,
    /// The directory of the models' files.
    pub directory: PathBuf,
    /// The runtime's shared library.
    pub runtime: PathBuf,
    /// The detector's id in the manifest.
    pub detector: String,
    /// The comparer's id in the manifest. Devices only compare in its feature space.
    pub comparer: String,
}

/// Why the models cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The manifest cannot be used.
    #[error("the list of models cannot be used")]
    Manifest(#[from] ManifestError),
    /// A model's file cannot be used.
    #[error("a model cannot be used")]
    Model(#[from] ModelError),
    /// The runtime or a network does not work.
    #[error("inference does not work")]
    Inference(#[from] InferenceError),
    /// A model is one for something else.
    #[error("model `{id}` is no {task}")]
    WrongTask {
        /// The model.
        id: String,
        /// What it should be.
        task: &'static str,
    },
}

/// Why a picture gives no reference.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PortraitError {
    /// The bytes are no picture.
    #[error("the body is not a usable picture")]
    Decode(#[from] DecodeError),
    /// The picture gives no reference.
    #[error(transparent)]
    Portrait(#[from] inference::PortraitError),
}

/// The networks. One portrait is looked at at a time: more threads were never faster.
pub(crate) struct Portraits(Mutex<Networks>);

struct Networks {
    detector: Detector,
    comparer: Comparer,
}

impl Portraits {
    /// Loads the networks, both files verified before the runtime is even loaded.
    ///
    /// # Errors
    /// [`ModelsError`] names the file or the model.
    pub fn load(paths: &ModelPaths) -> Result<Self, ModelsError> {
        let manifest = Manifest::load(&paths.manifest)?;
        let detector_model = manifest.model(&paths.detector)?;
        let comparer_model = manifest.model(&paths.comparer)?;
        let wrong = |id: &str, task| ModelsError::WrongTask {
            id: id.to_owned(),
            task,
        };
        let numbers = detector_model
            .detector()
            .ok_or_else(|| wrong(&detector_model.id, "detector"))?;
        if comparer_model.comparer().is_none() {
            return Err(wrong(&comparer_model.id, "comparer"));
        }
        let detector_file = models::store::open_verified(&paths.directory, detector_model)?;
        let comparer_file = models::store::open_verified(&paths.directory, comparer_model)?;
        let runtime = Runtime::load(&paths.runtime)?;
        let config = DetectorConfig {
            nms_iou: numbers.overlap_max,
            ..DetectorConfig::default()
        };
        Ok(Self(Mutex::new(Networks {
            detector: Detector::new(&runtime, detector_model, &detector_file, config)?,
            comparer: Comparer::new(&runtime, comparer_model, &comparer_file)?,
        })))
    }

    /// Makes a reference of a picture that shows one good face.
    ///
    /// # Errors
    /// [`PortraitError`] says what is wrong with the picture and what to send instead.
    pub fn reference(&self, bytes: &[u8]) -> Result<Reference, PortraitError> {
        let picture = imaging::decode(bytes, DecodeLimits::default())?.picture;
        // Whatever a panic left in the networks is overwritten by the next picture.
        let mut networks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Networks { detector, comparer } = &mut *networks;
        Ok(portrait::reference(detector, comparer, &picture)?)
    }
}
