//! Loads what the kiosk recognises with: the manifest, the verified files, the runtime, the two
//! networks, and the table of thresholds. Every failure says which file and what to do.

use biometrics::{OperatingPoint, Policy, PolicyConfig, PolicyError};
use inference::{Comparer, Detector, DetectorConfig, InferenceError, Runtime};
use models::{Manifest, ManifestError, ModelError};
use screen::TroubleKind;
use vocabulary::{ScoreError, Threshold};

use crate::config::{Config, Recognition};
use crate::trouble::Trouble;

/// Why the kiosk cannot recognise anybody.
#[derive(Debug, thiserror::Error)]
pub enum NetworksError {
    /// The manifest cannot be used.
    #[error("the list of models cannot be used")]
    Manifest(#[from] ManifestError),
    /// A model's file cannot be used.
    #[error("a model cannot be used")]
    Model(#[from] ModelError),
    /// The runtime or a network does not work.
    #[error("inference does not work")]
    Inference(#[from] InferenceError),
    /// The configured detector or comparer is a model for something else.
    #[error("model `{id}` is no {task}; correct models.{task} in the configuration")]
    WrongTask {
        /// The model.
        id: String,
        /// What it was configured as.
        task: &'static str,
    },
    /// The manifest has no thresholds for the configured population.
    #[error(
        "the manifest has no operating points of `{population}` for model `{id}`; \
         recognition.population may be one of: {known}"
    )]
    Population {
        /// What was configured.
        population: String,
        /// The comparer.
        id: String,
        /// What there is.
        known: String,
    },
    /// An operating point has an impossible threshold.
    #[error("the manifest has an impossible threshold for model `{id}`")]
    Threshold {
        /// The comparer.
        id: String,
        /// The number.
        #[source]
        source: ScoreError,
    },
}

impl NetworksError {
    /// The trouble that the screen shows for it.
    pub fn trouble(&self) -> Trouble {
        let kind = match self {
            Self::Model(ModelError::WrongDigest(_)) => TroubleKind::ModelChanged,
            Self::Manifest(_)
            | Self::Model(_)
            | Self::WrongTask { .. }
            | Self::Population { .. }
            | Self::Threshold { .. } => TroubleKind::ModelMissing,
            Self::Inference(_) => TroubleKind::InferenceFailed,
        };
        Trouble::new(kind, self)
    }
}

/// The networks and the numbers that belong to them.
pub struct Networks {
    /// Finds faces.
    pub detector: Detector,
    /// Makes templates.
    pub comparer: Comparer,
    /// What the comparer's scores are worth, for the configured population.
    pub thresholds: Thresholds,
    /// What the loaded runtime says of itself.
    pub runtime: &'static str,
}

impl Networks {
    /// Loads everything.
    ///
    /// # Errors
    /// [`NetworksError`] names the file or key and the way out.
    pub fn load(config: &Config) -> Result<Self, NetworksError> {
        let manifest = Manifest::load(&config.models.manifest)?;
        let directory = &config.models.directory;
        let detector_model = manifest.model(&config.models.detector)?;
        let comparer_model = manifest.model(&config.models.comparer)?;
        let wrong = |id: &str, task| NetworksError::WrongTask {
            id: id.to_owned(),
            task,
        };
        let numbers = detector_model
            .detector()
            .ok_or_else(|| wrong(&detector_model.id, "detector"))?;
        let thresholds = Thresholds::of(comparer_model, &config.recognition)?;
        // Both files are verified before the runtime is even loaded.
        let detector_file = models::store::open_verified(directory, detector_model)?;
        let comparer_file = models::store::open_verified(directory, comparer_model)?;
        let runtime = Runtime::load(&config.models.runtime)?;
        let detector_config = DetectorConfig {
            score_min: config.recognition.detector_score_min as f32,
            nms_iou: numbers.overlap_max,
            ..DetectorConfig::default()
        };
        Ok(Self {
            detector: Detector::new(&runtime, detector_model, &detector_file, detector_config)?,
            comparer: Comparer::new(&runtime, comparer_model, &comparer_file)?,
            thresholds,
            runtime: runtime.describe(),
        })
    }
}

/// Whether a comparer could take the configured one's place: its file is what it should be, and it
/// has thresholds for the configured population.
pub fn is_usable(config: &Config, model: &models::Model) -> bool {
    Thresholds::of(model, &config.recognition).is_ok()
        && models::store::open_verified(&config.models.directory, model).is_ok()
}

/// The thresholds of the configured comparer alone, without loading any network.
///
/// # Errors
/// [`NetworksError`] when the manifest or the configured population cannot be used.
pub fn thresholds(config: &Config) -> Result<Thresholds, NetworksError> {
    let manifest = Manifest::load(&config.models.manifest)?;
    Thresholds::of(
        manifest.model(&config.models.comparer)?,
        &config.recognition,
    )
}

/// How alike two templates must be, as a function of the roster's size.
#[derive(Debug, Clone)]
pub struct Thresholds {
    config: PolicyConfig,
    table: Vec<OperatingPoint>,
}

impl Thresholds {
    fn of(model: &models::Model, recognition: &Recognition) -> Result<Self, NetworksError> {
        let comparer = model.comparer().ok_or_else(|| NetworksError::WrongTask {
            id: model.id.clone(),
            task: "comparer",
        })?;
        let point = |point: &models::OperatingPoint| {
            let threshold =
                Threshold::new(point.threshold).map_err(|source| NetworksError::Threshold {
                    id: model.id.clone(),
                    source,
                })?;
            Ok(OperatingPoint {
                threshold,
                fmr: point.fmr,
                fnmr: point.fnmr,
            })
        };
        let points = comparer.points_of(&recognition.population);
        let table = points
            .map(point)
            .collect::<Result<Vec<_>, NetworksError>>()?;
        if table.is_empty() {
            let mut known: Vec<&str> = comparer
                .operating_points
                .iter()
                .map(|p| p.population.as_str())
                .collect();
            known.dedup();
            return Err(NetworksError::Population {
                population: recognition.population.clone(),
                id: model.id.clone(),
                known: known.join(", "),
            });
        }
        let config = PolicyConfig {
            strangers_called_max: recognition.calls_per_stranger_max,
            margin: recognition.margin as f32,
            frames_min: recognition.usable_frames_min,
            frames_max: recognition.usable_frames_max,
            ..PolicyConfig::default()
        };
        Ok(Self { config, table })
    }

    /// The rules for a roster on which so many people have references.
    ///
    /// # Errors
    /// [`PolicyError`] when the table is not usable.
    pub fn for_roster(&self, people: usize) -> Result<Policy, PolicyError> {
        Policy::for_roster(&self.config, &self.table, people)
    }
}
