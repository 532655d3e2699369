//! The manifest: every model by digest, with what goes in, what comes out and what it is worth.
//!
//! Why it exists: thresholds, input ranges and feature spaces belong to a file's exact bytes, so
//! they are written down next to its digest and read from there alone. An operator's own models
//! are entries of the same form, in the same file or one of their own. An error names the key and
//! the line. It never opens a model's file.

use crate::digest::Digest;
use crate::error::{ManifestError, ManifestFlaw, ModelError};
use crate::store::read_limited;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

mod text;

/// The version of the manifest's form that is read.
pub const FORMAT: u32 = 1;
/// The largest manifest that is read; the project's own has some kilobytes.
pub const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
/// The most models of one manifest.
pub const MODELS_MAX: usize = 100;
/// The longest id of a model or a feature space, in bytes.
pub const ID_BYTES_MAX: usize = 64;
/// The longest side of an input, in pixels: more than any camera here gives.
pub const SIDE_PX_MAX: u32 = 4096;

/// All models that are known, in the order of their manifests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    models: Vec<Model>,
}

/// One model: its file, how it is fed and what its results mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The name by which configuration and records call it.
    pub id: String,
    /// What it does, with the numbers that belong to the task.
    pub task: Task,
    /// The published file's plain name.
    pub file: String,
    /// The published file's digest.
    pub sha256: Digest,
    /// Whether it is fine that the file is absent.
    pub optional: bool,
    /// Which package carries the file; none when an operator has to bring it.
    pub source: Option<Source>,
    /// The licence, as an SPDX identifier.
    pub licence: String,
    /// The page of those who made it.
    pub upstream: String,
    /// What it expects to see.
    pub input: Input,
    /// The rewritten file that is run in the published one's place.
    pub prepared: Option<Prepared>,
}

/// What a model does.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Finds faces and five landmarks.
    Detector(Detector),
    /// Turns an aligned face into a template.
    Comparer(Comparer),
    /// Tells a presentation attack from a bona fide presentation.
    Pad(Pad),
}

/// A task without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskKind {
    /// See [`Task::Detector`].
    Detector,
    /// See [`Task::Comparer`].
    Comparer,
    /// See [`Task::Pad`].
    Pad,
}

/// A detector's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Detector {
    /// Detections below this score, 0 to 1, are not faces.
    pub score_min: f32,
    /// Of two boxes with more than this intersection over union, 0 to 1, the lesser is dropped.
    pub overlap_max: f32,
    /// Where these were measured or come from.
    pub measured_on: String,
}

/// A comparer's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparer {
    /// The name of its feature space; with the published file's digest it is the space's identity.
    pub feature_space: String,
    /// How many numbers a template has.
    pub template_length: usize,
    /// Whose error rates decide at this project's doors; one of the operating points' populations.
    pub population: String,
    /// Measured error rates by threshold, as in the manifest, by population and ascending.
    pub operating_points: Vec<OperatingPoint>,
}

/// Measured error rates of one-to-one comparison at one threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingPoint {
    /// The least cosine, −1 to 1, that counts as the same subject.
    pub threshold: f32,
    /// False match rate: the part, 0 to 1, of comparisons of two subjects at or above it.
    pub fmr: f64,
    /// False non-match rate: the part, 0 to 1, of comparisons of one subject below it.
    pub fnmr: f64,
    /// Of whom these were measured.
    pub population: String,
    /// On what these were measured.
    pub measured_on: String,
}

/// The numbers of a presentation-attack detector.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// The side of the square crop, in sides of the face's box.
    pub crop_scale: f32,
    /// How many classes it tells apart.
    pub classes: usize,
    /// Which of them, counted from 0, is the bona fide presentation.
    pub bona_fide_class: usize,
}

/// Where a file is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The source package that carries it.
    pub package: String,
    /// The package's version.
    pub version: String,
    /// The file's path within the package.
    pub path: String,
}

/// The tensor that a model expects: batch 1, channels first (NCHW), 32-bit floats.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The input's name in the graph.
    pub name: String,
    /// The order of the channels.
    pub channels: Channels,
    /// Width and height.
    pub size: Size,
    /// Taken from each channel of a pixel of 0 to 255.
    pub mean: [f32; 3],
    /// What the difference is then divided by.
    pub std: [f32; 3],
}

/// The order of colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channels {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// The size of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// Exactly so many pixels.
    Fixed {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// Any, with both sides multiples of this; what is missing is padded.
    MultipleOf(u32),
}

/// A rewritten file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Its plain name.
    pub file: String,
    /// Its digest; none in an operator's entry that was never prepared.
    pub sha256: Option<Digest>,
}

impl Manifest {
    /// Reads a manifest's text.
    ///
    /// # Errors
    /// [`ManifestFlaw`] with the line and the key.
    pub fn parse(text: &str) -> Result<Self, ManifestFlaw> {
        text::parse(text).map(|models| Self { models })
    }

    /// Reads a manifest's file, of at most [`MANIFEST_BYTES_MAX`].
    ///
    /// # Errors
    /// [`ManifestError`] with the file's name, and as its source what is wrong in it.
    pub fn load(path: &Path) -> Result<Self, ManifestError> {
        let bytes = read_limited(path, MANIFEST_BYTES_MAX)
            .and_then(|bytes| {
                bytes
                    .map(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other))
                    .transpose()
            })
            .map_err(|source| ManifestError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        let text = bytes.ok_or_else(|| ManifestError::TooLarge {
            path: path.to_owned(),
            bytes_max: MANIFEST_BYTES_MAX,
        })?;
        Self::parse(&text).map_err(|source| ManifestError::Flaw {
            path: path.to_owned(),
            source,
        })
    }

    /// Adds the models of an operator's own manifest after these.
    ///
    /// # Errors
    /// [`ManifestError`] as in [`Self::load`], and when an id is taken.
    pub fn load_also(&mut self, path: &Path) -> Result<(), ManifestError> {
        let more = Self::load(path)?;
        let known: BTreeSet<&str> = self.models.iter().map(|m| m.id.as_str()).collect();
        if let Some(twice) = more.models.iter().find(|m| known.contains(m.id.as_str())) {
            let id = twice.id.clone();
            return Err(ManifestError::Twice {
                path: path.to_owned(),
                id,
            });
        }
        self.models.extend(more.models);
        Ok(())
    }

    /// All models.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The model of this id.
    ///
    /// # Errors
    /// [`ModelError::Unknown`], with the ids there are.
    pub fn model(&self, id: &str) -> Result<&Model, ModelError> {
        self.models
            .iter()
            .find(|m| m.id == id)
            .ok_or_else(|| ModelError::Unknown {
                id: id.to_owned(),
                known: self
                    .models
                    .iter()
                    .map(|m| m.id.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// The models for a task, in the manifest's order.
    pub fn for_task(&self, task: TaskKind) -> impl Iterator<Item = &Model> {
        self.models.iter().filter(move |m| m.task.kind() == task)
    }

    /// The model that a task takes when nothing else is configured: the first that is not
    /// optional.
    ///
    /// # Errors
    /// [`ModelError::NoneFor`] when there is none.
    pub fn default_for(&self, task: TaskKind) -> Result<&Model, ModelError> {
        self.for_task(task)
            .find(|m| !m.optional)
            .ok_or(ModelError::NoneFor(task))
    }
}

impl Model {
    /// The numbers of a detector, when it is one.
    #[must_use]
    pub fn detector(&self) -> Option<&Detector> {
        match &self.task {
            Task::Detector(detector) => Some(detector),
            Task::Comparer(_) | Task::Pad(_) => None,
        }
    }

    /// The numbers of a comparer, when it is one.
    #[must_use]
    pub fn comparer(&self) -> Option<&Comparer> {
        match &self.task {
            Task::Comparer(comparer) => Some(comparer),
            Task::Detector(_) | Task::Pad(_) => None,
        }
    }

    /// The numbers of a presentation-attack detector, when it is one.
    #[must_use]
    pub fn pad(&self) -> Option<&Pad> {
        match &self.task {
            Task::Pad(pad) => Some(pad),
            Task::Detector(_) | Task::Comparer(_) => None,
        }
    }

    /// A comparer's feature space: its name and the published file's digest. Preparing keeps a
    /// file's results, so the space is that of the published file and survives a better `prepare`.
    #[must_use]
    pub fn feature_space(&self) -> Option<(&str, Digest)> {
        self.comparer()
            .map(|comparer| (comparer.feature_space.as_str(), self.sha256))
    }
}

impl Comparer {
    /// The measured rates of one population, ascending by threshold.
    pub fn points_of<'a>(
        &'a self,
        population: &'a str,
    ) -> impl Iterator<Item = &'a OperatingPoint> {
        self.operating_points
            .iter()
            .filter(move |p| p.population == population)
    }

    /// The measured rates of the population that decides here, ascending by threshold.
    pub fn deciding_points(&self) -> impl Iterator<Item = &OperatingPoint> {
        self.points_of(&self.population)
    }
}

impl Task {
    /// Which task, without its numbers.
    #[must_use]
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Detector(_) => TaskKind::Detector,
            Self::Comparer(_) => TaskKind::Comparer,
            Self::Pad(_) => TaskKind::Pad,
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Detector => "detector",
            Self::Comparer => "comparer",
            Self::Pad => "pad",
        })
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rgb => "RGB",
            Self::Bgr => "BGR",
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed { width, height } => write!(f, "{width}×{height}"),
            Self::MultipleOf(step) => write!(f, "any ×{step}"),
        }
    }
}
