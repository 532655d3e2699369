//! From a portrait to a reference, with the same networks and rules as at the door. The picture is
//! dropped as soon as its template is made; nothing here writes anything anywhere.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use imaging::{DecodeError, DecodeLimits};
use inference::portrait;
use inference::{Comparer, Detector, DetectorConfig, InferenceError, Runtime};
use models::{Manifest, ManifestError, ModelError};
use vocabulary::{FeatureSpace, Template};

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
    /// The comparers' ids in the manifest, the newest last: a reference is made by each. Devices
    /// only compare in the feature space of their own.
    pub comparers: Vec<String>,
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
    /// No comparer is named.
    #[error("no comparer is named; name one by its id in the list of models")]
    NoComparer,
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
pub(crate) struct Portraits {
    networks: Mutex<Networks>,
    spaces: Vec<FeatureSpace>,
}

struct Networks {
    detector: Detector,
    comparers: Vec<Comparer>,
}

/// What a portrait gives: a template by each comparer, the newest last.
pub(crate) struct Made {
    /// The templates, at least one.
    pub templates: Vec<Template>,
    /// How good the picture was.
    pub quality: biometrics::Quality,
}

impl Portraits {
    /// Loads the networks, both files verified before the runtime is even loaded.
    ///
    /// # Errors
    /// [`ModelsError`] names the file or the model.
    pub fn load(paths: &ModelPaths) -> Result<Self, ModelsError> {
        let manifest = Manifest::load(&paths.manifest)?;
        let detector_model = manifest.model(&paths.detector)?;
        let wrong = |id: &str, task| ModelsError::WrongTask {
            id: id.to_owned(),
            task,
        };
        let numbers = detector_model
            .detector()
            .ok_or_else(|| wrong(&detector_model.id, "detector"))?;
        if paths.comparers.is_empty() {
            return Err(ModelsError::NoComparer);
        }
        let mut files = Vec::new();
        for id in &paths.comparers {
            let model = manifest.model(id)?;
            if model.comparer().is_none() {
                return Err(wrong(&model.id, "comparer"));
            }
            files.push((
                model,
                models::store::open_verified(&paths.directory, model)?,
            ));
        }
        let detector_file = models::store::open_verified(&paths.directory, detector_model)?;
        let runtime = Runtime::load(&paths.runtime)?;
        let config = DetectorConfig {
            nms_iou: numbers.overlap_max,
            ..DetectorConfig::default()
        };
        let comparers = files
            .iter()
            .map(|(model, file)| Comparer::new(&runtime, model, file))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            spaces: comparers.iter().map(|one| one.space().clone()).collect(),
            networks: Mutex::new(Networks {
                detector: Detector::new(&runtime, detector_model, &detector_file, config)?,
                comparers,
            }),
        })
    }

    /// The feature spaces that references are made in, the newest last; at least one.
    pub fn spaces(&self) -> &[FeatureSpace] {
        &self.spaces
    }

    /// Makes a template by each comparer of a picture that shows one good face.
    ///
    /// # Errors
    /// [`PortraitError`] says what is wrong with the picture and what to send instead.
    pub fn reference(&self, bytes: &[u8]) -> Result<Made, PortraitError> {
        let picture = imaging::decode(bytes, DecodeLimits::default())?.picture;
        // Whatever a panic left in the networks is overwritten by the next picture.
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        let Networks {
            detector,
            comparers,
        } = &mut *networks;
        let mut templates = Vec::with_capacity(comparers.len());
        let mut quality = None;
        for comparer in comparers {
            let made = portrait::reference(detector, comparer, &picture)?;
            quality = Some(made.quality);
            templates.push(made.template);
        }
        let quality = quality.expect("there is at least one comparer");
        Ok(Made { templates, quality })
    }
}
