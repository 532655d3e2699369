//! Scores of comparison and the thresholds they are held against.

use std::fmt;

/// Why a number is not a score or a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreError(pub f32);

impl fmt::Display for ScoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a number from -1 to 1", self.0)
    }
}

impl std::error::Error for ScoreError {}

/// Rounding of a dot product of two unit vectors may pass 1 by this much.
const ROUNDING: f32 = 1e-4;

/// How alike two templates are: their cosine, −1 to 1, higher is more alike. Only scores of one
/// feature space compare.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct ComparisonScore(f32);

impl ComparisonScore {
    /// Takes a cosine.
    ///
    /// # Errors
    /// [`ScoreError`] when it is not a number or outside −1 to 1 by more than rounding explains.
    pub fn new(cosine: f32) -> Result<Self, ScoreError> {
        if cosine.is_finite() && cosine.abs() <= 1.0 + ROUNDING {
            Ok(Self(cosine.clamp(-1.0, 1.0)))
        } else {
            Err(ScoreError(cosine))
        }
    }

    /// The cosine.
    #[must_use]
    pub fn value(self) -> f32 {
        self.0
    }

    /// Whether the score is as high as the threshold or higher.
    #[must_use]
    pub fn reaches(self, threshold: Threshold) -> bool {
        self.0 >= threshold.0
    }
}

impl fmt::Display for ComparisonScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

/// The least score that counts as a match; −1 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Threshold(f32);

impl Threshold {
    /// Takes a cosine.
    ///
    /// # Errors
    /// [`ScoreError`] when it is not a number from −1 to 1.
    pub fn new(cosine: f32) -> Result<Self, ScoreError> {
        if cosine.is_finite() && cosine.abs() <= 1.0 {
            Ok(Self(cosine))
        } else {
            Err(ScoreError(cosine))
        }
    }

    /// The cosine.
    #[must_use]
    pub fn value(self) -> f32 {
        self.0
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cosines_are_scores() {
        assert!(ComparisonScore::new(f32::NAN).is_err());
        assert!(ComparisonScore::new(1.1).is_err());
        assert_eq!(
            ComparisonScore::new(1.000_01).map(ComparisonScore::value),
            Ok(1.0)
        );
        assert!(Threshold::new(-1.5).is_err());
    }

    #[test]
    fn a_score_at_the_threshold_reaches_it() {
        let at = |cosine| ComparisonScore::new(cosine).unwrap();
        let threshold = Threshold::new(0.5).unwrap();
        assert!(at(0.5).reaches(threshold));
        assert!(!at(0.499).reaches(threshold));
    }
}
