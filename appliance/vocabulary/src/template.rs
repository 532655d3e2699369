//! Templates and the feature space that each belongs to.

use std::fmt;
use std::sync::Arc;

use crate::id::Digest;
use crate::score::{ComparisonScore, ScoreError};

/// Most values a template may have; SFace has 128, the largest models in use 512.
pub const TEMPLATE_VALUES_MAX: usize = 1024;

/// Shortest length that a vector can be normalised from without amplifying noise.
const NORM_MIN: f32 = 1e-6;

/// How far from 1 the length of a stored template may be.
const UNIT_TOLERANCE: f32 = 1e-3;

/// The space in which a model's templates compare: a name to read and the digest of the very file
/// that computes them. Templates of different spaces never compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureSpace {
    name: Arc<str>,
    digest: Digest,
}

impl FeatureSpace {
    /// A space by its model's name (at most 64 bytes are kept) and its file's SHA-256 digest.
    #[must_use]
    pub fn new(name: &str, digest: Digest) -> Self {
        let end = name
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .take_while(|e| *e <= 64);
        Self {
            name: Arc::from(&name[..end.last().unwrap_or(0)]),
            digest,
        }
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest of the model's file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Display for FeatureSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, &self.digest.to_string()[..12])
    }
}

/// Why values are not a template, or two templates do not compare.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateError {
    /// No values, or more than [`TEMPLATE_VALUES_MAX`]; carries the count.
    Length(usize),
    /// A value is not finite, or the vector is too short to have a direction.
    NoDirection,
    /// Stored values whose length is not 1; carries the length.
    NotUnit(f32),
    /// The two templates belong to different feature spaces.
    Spaces(FeatureSpace, FeatureSpace),
    /// The cosine is no score, so one of the vectors is broken.
    Score(ScoreError),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(count) => {
                write!(
                    f,
                    "a template has 1 to {TEMPLATE_VALUES_MAX} values, this has {count}"
                )
            }
            Self::NoDirection => write!(f, "the template's values have no direction"),
            Self::NotUnit(length) => write!(f, "the template's length is {length}, not 1"),
            Self::Spaces(one, other) => {
                write!(f, "templates of {one} and {other} cannot be compared")
            }
            Self::Score(_) => write!(f, "the two templates give no score"),
        }
    }
}

impl std::error::Error for TemplateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Score(source) => Some(source),
            Self::Length(_) | Self::NoDirection | Self::NotUnit(_) | Self::Spaces(..) => None,
        }
    }
}

/// What a comparer computes from one aligned face: a vector of length 1 in its feature space.
///
/// Biometric data: `Debug` shows only the space.
#[derive(Clone, PartialEq)]
pub struct Template {
    space: FeatureSpace,
    values: Box<[f32]>,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({}, {} values)", self.space, self.values.len())
    }
}

impl Template {
    /// Normalises a network's raw output to length 1.
    ///
    /// # Errors
    /// [`TemplateError::Length`] or [`TemplateError::NoDirection`].
    pub fn normalise(space: FeatureSpace, raw: &[f32]) -> Result<Self, TemplateError> {
        if raw.is_empty() || raw.len() > TEMPLATE_VALUES_MAX {
            return Err(TemplateError::Length(raw.len()));
        }
        let length = length(raw);
        if !length.is_finite() || length < NORM_MIN {
            return Err(TemplateError::NoDirection);
        }
        Ok(Self {
            space,
            values: raw.iter().map(|value| value / length).collect(),
        })
    }

    /// The normalised mean of several templates of one space.
    ///
    /// # Errors
    /// [`TemplateError::Spaces`] when they differ, [`TemplateError::Length`] for none at all or
    /// unequal lengths, [`TemplateError::NoDirection`] when they cancel out.
    pub fn mean<'a>(templates: impl IntoIterator<Item = &'a Self>) -> Result<Self, TemplateError> {
        let mut templates = templates.into_iter();
        let first = templates.next().ok_or(TemplateError::Length(0))?;
        let mut sum = first.values.to_vec();
        for template in templates {
            first.same_space(template)?;
            for (total, value) in sum.iter_mut().zip(&template.values) {
                *total += value;
            }
        }
        Self::normalise(first.space.clone(), &sum)
    }

    /// Reads what [`Template::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`TemplateError::Length`] when the bytes are no whole number of values or too many,
    /// [`TemplateError::NotUnit`] when the vector's length is not 1.
    pub fn from_bytes(space: FeatureSpace, bytes: &[u8]) -> Result<Self, TemplateError> {
        let (chunks, rest) = bytes.as_chunks::<4>();
        if chunks.is_empty() || chunks.len() > TEMPLATE_VALUES_MAX || !rest.is_empty() {
            return Err(TemplateError::Length(chunks.len()));
        }
        let values: Box<[f32]> = chunks
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect();
        let length = length(&values);
        if !length.is_finite() || (length - 1.0).abs() > UNIT_TOLERANCE {
            return Err(TemplateError::NotUnit(length));
        }
        Ok(Self { space, values })
    }

    /// The values as little-endian IEEE 754 binary32.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    /// The feature space.
    #[must_use]
    pub fn space(&self) -> &FeatureSpace {
        &self.space
    }

    /// The values, of length 1 as a vector.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The cosine of two templates.
    ///
    /// # Errors
    /// [`TemplateError::Spaces`] or [`TemplateError::Length`] when they do not compare.
    pub fn compare(&self, other: &Self) -> Result<ComparisonScore, TemplateError> {
        self.same_space(other)?;
        let cosine = self
            .values
            .iter()
            .zip(&other.values)
            .map(|(a, b)| a * b)
            .sum();
        ComparisonScore::new(cosine).map_err(TemplateError::Score)
    }

    fn same_space(&self, other: &Self) -> Result<(), TemplateError> {
        if self.space != other.space {
            return Err(TemplateError::Spaces(
                self.space.clone(),
                other.space.clone(),
            ));
        }
        if self.values.len() != other.values.len() {
            return Err(TemplateError::Length(other.values.len()));
        }
        Ok(())
    }
}

fn length(values: &[f32]) -> f32 {
    values.iter().map(|value| value * value).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(name: &str) -> FeatureSpace {
        FeatureSpace::new(name, Digest::ZERO)
    }

    #[test]
    fn a_template_has_length_one_and_survives_its_bytes() {
        let template = Template::normalise(space("a"), &[3.0, 4.0]).unwrap();
        assert_eq!(template.values(), &[0.6, 0.8]);
        assert_eq!(
            Template::from_bytes(space("a"), &template.to_bytes()),
            Ok(template)
        );
    }

    #[test]
    fn broken_vectors_are_refused() {
        assert_eq!(
            Template::normalise(space("a"), &[]),
            Err(TemplateError::Length(0))
        );
        assert_eq!(
            Template::normalise(space("a"), &[0.0; 4]),
            Err(TemplateError::NoDirection)
        );
        assert_eq!(
            Template::normalise(space("a"), &[f32::NAN]),
            Err(TemplateError::NoDirection)
        );
        assert_eq!(
            Template::from_bytes(space("a"), &[0; 7]),
            Err(TemplateError::Length(1))
        );
        assert_eq!(
            Template::from_bytes(space("a"), &[0; 8]),
            Err(TemplateError::NotUnit(0.0))
        );
    }

    #[test]
    fn templates_compare_only_within_their_space() {
        let one = Template::normalise(space("a"), &[1.0, 0.0]).unwrap();
        let same = Template::normalise(space("a"), &[1.0, 1.0]).unwrap();
        let other = Template::normalise(space("b"), &[1.0, 0.0]).unwrap();
        assert!((one.compare(&same).unwrap().value() - 0.5_f32.sqrt()).abs() < 1e-6);
        assert!(matches!(
            one.compare(&other),
            Err(TemplateError::Spaces(..))
        ));
        assert!(matches!(
            Template::mean([&one, &other]),
            Err(TemplateError::Spaces(..))
        ));
    }
}
