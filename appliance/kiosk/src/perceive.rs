//! What the kiosk sees: from a frame to tracks, from tracks to probes, from probes to decisions.
//!
//! Owned by the inference thread and by nobody else. Without a [`Target`] it looks at nothing: no
//! meeting, no processing of faces. It keeps no picture beyond the frame it works on.

use std::sync::Arc;
use std::time::Duration;

use biometrics::{
    ALIGNED_SIDE_PX, Detection, Evidence, FusionError, Gallery, Policy, Quality, QualityDefect,
    QualityLimits, Rect, TrackId, Tracker, TrackerConfig, align, assess_aligned,
};
use imaging::{Frame, Picture, ScaleError, Scaler, SizeError};
use inference::{Comparer, Detector, InferenceError};
use vocabulary::{Decision, Digest, FeatureSpace, Monotonic, Template, Threshold};

/// Most templates computed for one frame. Further people wait for the next frame, so that a crowd
/// slows nobody's screen.
const TEMPLATES_PER_FRAME_MAX: usize = 4;

/// How long after a comparison that named nobody a person who still stands there is looked at once
/// more. One frame is added to what was seen before: evidence begun afresh each time would give a
/// stranger as many chances to be called by somebody's name.
const AGAIN_AFTER: Duration = Duration::from_millis(1500);

/// How often that is done for one track.
const AGAIN_MAX: u32 = 10;

/// Against whom faces are compared, and by which rules.
#[derive(Debug)]
pub struct Target {
    /// The references of the meeting's roster.
    pub gallery: Gallery,
    /// The thresholds that its size asks for.
    pub policy: Policy,
    /// The digest of the roster.
    pub roster: Digest,
}

/// Why a frame could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum PerceiveError {
    /// A network failed.
    #[error("a frame could not be looked at")]
    Inference(#[from] InferenceError),
    /// The frame could not be scaled.
    #[error("a frame could not be scaled")]
    Scale(#[from] ScaleError),
    /// The frame has impossible sides.
    #[error("a frame has no usable size")]
    Size(#[from] SizeError),
    /// A probe does not compare with the roster's references.
    #[error("a face could not be compared with the roster")]
    Fusion(#[from] FusionError),
}

/// A face in the newest frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Which track it belongs to.
    pub track: TrackId,
    /// Where, in pixels of the frame.
    pub bounds: Rect,
    /// How far its comparison is, 0 to 1.
    pub progress: f32,
    /// Whether it is decided.
    pub settled: bool,
    /// What is the matter with it, if anything; the first thing to mend.
    pub defect: Option<Defect>,
}

/// Why a visible face is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Too far away.
    Far,
    /// Turned away.
    Turned,
    /// Too dark, or too flat to see anything.
    Dark,
    /// Too bright.
    Bright,
    /// Blurred.
    Blurred,
}

/// What one track's comparison has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The track.
    pub track: TrackId,
    /// The decision.
    pub decision: Decision,
    /// Usable frames that it rests on.
    pub frames: u32,
    /// The score that was asked for.
    pub threshold: Threshold,
    /// In which space.
    pub space: FeatureSpace,
    /// Where the face is, in pixels of the frame.
    pub bounds: Rect,
    /// Since the track was first seen.
    pub waited: Duration,
}

/// What one frame showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Perceived {
    /// When the frame was taken.
    pub at: Monotonic,
    /// The visible faces.
    pub faces: Vec<Face>,
    /// Decisions that fell with this frame.
    pub outcomes: Vec<Outcome>,
    /// Tracks that ended.
    pub ended: Vec<TrackId>,
    /// By which roster the decisions fell.
    pub roster: Option<Digest>,
}

/// A usable face of one frame as a template, on its way to be compared.
struct Probe {
    track: TrackId,
    template: Template,
    weight: f32,
}

/// What the frames of one track have shown.
struct Gathered {
    track: TrackId,
    evidence: Evidence,
    /// Whether it has come to a decision. When the tracker asks for a template all the same, it is
    /// not sure that the same person still stands there, and the evidence begins anew.
    decided: bool,
}

impl Gathered {
    fn new(track: TrackId) -> Self {
        Self {
            track,
            evidence: Evidence::new(),
            decided: false,
        }
    }
}

/// A track whose comparison named nobody.
struct Unnamed {
    track: TrackId,
    /// When that was said last.
    at: Monotonic,
    /// How often.
    times: u32,
}

/// Sees.
pub struct Perceiver {
    detector: Detector,
    comparer: Comparer,
    tracker: Tracker,
    scaler: Scaler,
    detect_side_px: u32,
    limits: QualityLimits,
    target: Option<Arc<Target>>,
    gathered: Vec<Gathered>,
    unnamed: Vec<Unnamed>,
    small: Picture,
    aligned: Picture,
    found: Vec<Detection>,
    probes: Vec<Probe>,
    defects: Vec<(TrackId, Defect)>,
    ended: Vec<TrackId>,
}

impl Perceiver {
    /// Sees with these networks; looks for faces in pictures of at most `detect_side_px`, and
    /// compares faces at least `face_width_px_min` wide.
    ///
    /// # Errors
    /// [`PerceiveError::Size`] never in practice; the sides are constants.
    pub fn new(
        detector: Detector,
        comparer: Comparer,
        detect_side_px: u32,
        face_width_px_min: u32,
    ) -> Result<Self, PerceiveError> {
        let approach_width_px = face_width_px_min as f32;
        let limits = QualityLimits {
            face_width_px_min: approach_width_px,
            ..QualityLimits::DOOR
        };
        Ok(Self {
            detector,
            comparer,
            tracker: Tracker::new(TrackerConfig {
                approach_width_px,
                ..Default::default()
            }),
            scaler: Scaler::new(),
            detect_side_px,
            limits,
            target: None,
            gathered: Vec::new(),
            unnamed: Vec::new(),
            small: Picture::new(1, 1)?,
            aligned: Picture::new(ALIGNED_SIDE_PX, ALIGNED_SIDE_PX)?,
            found: Vec::new(),
            probes: Vec::new(),
            defects: Vec::new(),
            ended: Vec::new(),
        })
    }

    /// Against whom to compare from now on; `None` stops looking. What was gathered against the
    /// former target is forgotten, since it says nothing about the new one.
    pub fn aim(&mut self, target: Option<Arc<Target>>) {
        self.target = target;
        self.gathered.clear();
        self.unnamed.clear();
        self.tracker.reopen(|_| true);
    }

    /// Step 2 of a frame: finds the faces, follows them, and makes a template of each that has
    /// come near, is good enough and is not decided yet.
    ///
    /// # Errors
    /// [`PerceiveError`] when a network or the scaler fails; the frame is then lost and the next
    /// may succeed.
    pub fn perceive(&mut self, frame: &Frame) -> Result<(), PerceiveError> {
        self.probes.clear();
        self.defects.clear();
        self.found.clear();
        let picture = &frame.picture;
        if self.target.is_some() {
            self.detect(picture)?;
        }
        let sides = (picture.width(), picture.height());
        let update = self.tracker.update(frame.captured_at, &self.found, sides);
        self.gathered
            .retain(|gathered| !update.ended.contains(&gathered.track));
        self.ended.clear();
        self.ended.extend_from_slice(update.ended);
        self.unnamed
            .retain(|unnamed| !self.ended.contains(&unnamed.track));
        self.try_again(frame.captured_at);
        let Self {
            comparer,
            tracker,
            limits,
            aligned,
            probes,
            defects,
            ..
        } = self;
        for track in tracker
            .tracks()
            .iter()
            .filter(|track| track.wants_template())
        {
            if probes.len() == TEMPLATES_PER_FRAME_MAX {
                break;
            }
            if align(picture, &track.detection.landmarks, aligned).is_err() {
                defects.push((track.id, Defect::Turned));
                continue;
            }
            let quality = assess_aligned(aligned, &track.detection);
            match first_defect(limits, &quality) {
                Some(defect) => defects.push((track.id, defect)),
                None => probes.push(Probe {
                    track: track.id,
                    template: comparer.template(aligned)?,
                    weight: quality.weight(),
                }),
            }
        }
        Ok(())
    }

    /// Step 3 of a frame: compares the probes with the roster, weighs them with what the same
    /// track showed before, and decides what can be decided.
    ///
    /// # Errors
    /// [`PerceiveError::Fusion`] when a probe does not fit the roster's references.
    pub fn decide(&mut self, frame: &Frame) -> Result<Perceived, PerceiveError> {
        let mut outcomes = Vec::new();
        if let Some(target) = self.target.clone() {
            for index in 0..self.probes.len() {
                self.weigh(index, &target, frame.captured_at, &mut outcomes)?;
            }
        }
        let faces = self.faces();
        Ok(Perceived {
            at: frame.captured_at,
            faces,
            outcomes,
            ended: self.ended.clone(),
            roster: self.target.as_ref().map(|target| target.roster),
        })
    }

    fn detect(&mut self, picture: &Picture) -> Result<(), PerceiveError> {
        let (width, height) =
            imaging::bounded_size(picture.width(), picture.height(), self.detect_side_px);
        if (width, height) == (picture.width(), picture.height()) {
            self.detector.detect(picture, &mut self.found)?;
            return Ok(());
        }
        self.small.reshape(width, height)?;
        self.scaler.scale_into(picture, &mut self.small)?;
        self.detector.detect(&self.small, &mut self.found)?;
        let factor = picture.width() as f32 / width as f32;
        for detection in &mut self.found {
            *detection = detection.scaled(factor);
        }
        Ok(())
    }

    /// Lets those be compared once more who were not known some time ago and still stand there.
    fn try_again(&mut self, now: Monotonic) {
        for unnamed in &mut self.unnamed {
            let due = unnamed.times <= AGAIN_MAX && now.since(unnamed.at) >= AGAIN_AFTER;
            if due {
                unnamed.at = now;
                let known = self
                    .gathered
                    .iter_mut()
                    .find(|known| known.track == unnamed.track);
                if let Some(known) = known {
                    known.decided = false;
                }
                self.tracker.reopen(|track| track == unnamed.track);
            }
        }
    }

    fn weigh(
        &mut self,
        index: usize,
        target: &Target,
        now: Monotonic,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), PerceiveError> {
        let probe = &self.probes[index];
        let at = match self
            .gathered
            .iter()
            .position(|known| known.track == probe.track)
        {
            Some(at) => at,
            None => {
                self.gathered.push(Gathered::new(probe.track));
                self.gathered.len() - 1
            }
        };
        let gathered = &mut self.gathered[at];
        if gathered.decided {
            // The tracker is not sure that it is still the same person.
            *gathered = Gathered::new(probe.track);
        }
        let evidence = &mut gathered.evidence;
        evidence.add(&target.gallery, &probe.template, probe.weight)?;
        let Some(decision) = evidence.decide(&target.gallery, &target.policy) else {
            return Ok(());
        };
        let (frames, id) = (evidence.frames(), probe.track);
        gathered.decided = true;
        self.note_unnamed(id, &decision, now);
        if let Some(track) = self.tracker.tracks().iter().find(|track| track.id == id) {
            outcomes.push(Outcome {
                track: id,
                decision,
                frames,
                threshold: target.policy.accept(),
                space: target.gallery.space().clone(),
                bounds: track.detection.bounds,
                waited: now.since(track.first_seen),
            });
        }
        self.tracker.settle(id);
        Ok(())
    }

    /// Remembers whom a comparison did not name, and forgets whom it named.
    fn note_unnamed(&mut self, id: TrackId, decision: &Decision, now: Monotonic) {
        let known = self.unnamed.iter_mut().find(|unnamed| unnamed.track == id);
        match (decision, known) {
            (Decision::Identified(_), _) => self.unnamed.retain(|unnamed| unnamed.track != id),
            (Decision::NotIdentified { .. } | Decision::Ambiguous { .. }, Some(unnamed)) => {
                unnamed.at = now;
                unnamed.times += 1;
            }
            (Decision::NotIdentified { .. } | Decision::Ambiguous { .. }, None) => {
                self.unnamed.push(Unnamed {
                    track: id,
                    at: now,
                    times: 1,
                });
            }
        }
    }

    fn faces(&self) -> Vec<Face> {
        let needed = self
            .target
            .as_ref()
            .map_or(1, |target| target.policy.frames_min().max(1));
        let visible = self.tracker.tracks().iter().filter(|track| track.visible);
        visible
            .map(|track| {
                let settled = track.stage == biometrics::Stage::Settled;
                let gathered = self.gathered.iter().find(|known| known.track == track.id);
                let frames = gathered.map_or(0, |gathered| gathered.evidence.frames());
                let defect = self.defects.iter().find(|(id, _)| *id == track.id);
                let far = track.detection.bounds.width < self.limits.face_width_px_min;
                Face {
                    track: track.id,
                    bounds: track.detection.bounds,
                    progress: (frames as f32 / needed as f32).min(1.0),
                    settled,
                    defect: defect
                        .map(|(_, defect)| *defect)
                        .or(far.then_some(Defect::Far)),
                }
            })
            .collect()
    }
}

fn first_defect(limits: &QualityLimits, quality: &Quality) -> Option<Defect> {
    // The list of defects is only made for a face that has some: it allocates.
    if limits.admit(quality) {
        return None;
    }
    let defects = limits.check(quality).err()?;
    defects.first().map(|defect| match defect {
        QualityDefect::Small { .. } => Defect::Far,
        QualityDefect::Blurred { .. } => Defect::Blurred,
        QualityDefect::Dark { .. } | QualityDefect::Flat { .. } => Defect::Dark,
        QualityDefect::Bright { .. } => Defect::Bright,
        QualityDefect::TurnedAway { .. } => Defect::Turned,
    })
}
