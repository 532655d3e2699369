//! The same faces and the same templates as OpenCV's `FaceDetectorYN` and `FaceRecognizerSF`.
//!
//! `peers/data/opencv_parity.json` holds what OpenCV found in the photographs of the
//! demonstration; `peers/opencv_parity.py` makes it. A photograph is read by this project's own
//! decoder here, so decoding, padding, detection, alignment and comparison are all compared. Other
//! photographs are compared when `DIEMDANH_PHOTOGRAPHS` and `DIEMDANH_PARITY` name them and what
//! OpenCV found in them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::{env, fs};

use acceptance::{fetched, networks, root, setup};
use biometrics::{Detection, Landmarks, Point, Rect, align};
use imaging::{DecodeLimits, Picture, decode};
use inference::{Comparer, DetectorConfig};
use serde::Deserialize;

/// Least overlap of the two boxes of a face.
const IOU_MIN: f32 = 0.9;
/// Least cosine of the two templates of a face.
const COSINE_MIN: f32 = 0.99;
/// Most that two scores of a face differ by.
const SCORE_DIFFERENCE_MAX: f32 = 0.02;
/// Most that a landmark is off, in widths of the face.
const LANDMARK_DISTANCE_MAX: f32 = 0.03;

#[derive(Deserialize)]
struct Peer {
    opencv: String,
    detector_sha256: String,
    score_min: f32,
    nms_iou: f32,
    top_k: usize,
    views: Vec<View>,
}

#[derive(Deserialize)]
struct View {
    photographs: Vec<String>,
    sha256: Vec<String>,
    longest_side_px: u32,
    width: u32,
    height: u32,
    faces: Vec<Face>,
}

#[derive(Deserialize)]
struct Face {
    r#box: [f32; 4],
    landmarks: [f32; 10],
    score: f32,
    template: Vec<f32>,
}

/// How one face of ours agrees with the peer's.
struct Agreement {
    iou: f32,
    cosine: f32,
    score: f32,
    landmark: f32,
}

#[test]
fn detections_and_templates_are_those_of_opencv() {
    let peer = peer();
    let Some((mut detector, mut comparer)) = networks().unwrap() else {
        return;
    };
    if fetched(photographs()).is_none() {
        return;
    }
    let mut wrong = Vec::new();
    let mut worst = Agreement {
        iou: 1.0,
        cosine: 1.0,
        score: 0.0,
        landmark: 0.0,
    };
    let mut faces = 0;
    for view in &peer.views {
        let name = format!("{:?} at {} px", view.photographs, view.longest_side_px);
        let picture = view.picture();
        assert_eq!(
            (picture.width(), picture.height()),
            (view.width, view.height),
            "{name}"
        );
        let mut found = Vec::new();
        detector.detect(&picture, &mut found).unwrap();
        if found.len() != view.faces.len() {
            wrong.push(format!(
                "{name}: {} faces, {} of ours",
                view.faces.len(),
                found.len()
            ));
        }
        for face in &view.faces {
            let Some(ours) = take_nearest(&mut found, face.bounds()) else {
                continue;
            };
            faces += 1;
            let agreement = face.compare(&picture, &ours, &mut comparer);
            if !agreement.is_enough() {
                wrong.push(format!(
                    "{name}: {} of {:?}",
                    agreement.describe(),
                    face.r#box
                ));
            }
            worst.lower_to(&agreement);
        }
    }
    let against = format!("{} views against OpenCV {}", peer.views.len(), peer.opencv);
    println!("{faces} faces in {against}; at worst {}", worst.describe());
    assert!(
        wrong.is_empty(),
        "{} disagreements:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_peer_was_asked_what_the_kiosk_asks() {
    let peer = peer();
    let ours = DetectorConfig::default();
    assert_eq!(
        (peer.score_min, peer.nms_iou),
        (ours.score_min, ours.nms_iou)
    );
    assert_eq!(peer.top_k, ours.top_k);
    let manifest = models::Manifest::load(&root().join("models/manifest.toml")).unwrap();
    let detector = manifest.default_for(models::TaskKind::Detector).unwrap();
    assert_eq!(peer.detector_sha256, detector.sha256.to_string());
    let faces: usize = peer.views.iter().map(|view| view.faces.len()).sum();
    assert!(faces >= 30, "a comparison of {faces} faces says little");
}

fn peer() -> Peer {
    let path = env::var_os("DIEMDANH_PARITY").map_or_else(
        || root().join("tests/peers/data/opencv_parity.json"),
        PathBuf::from,
    );
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn photographs() -> PathBuf {
    env::var_os("DIEMDANH_PHOTOGRAPHS").map_or_else(|| setup().join("portraits"), PathBuf::from)
}

impl View {
    /// The photographs side by side from the left, black below the lower ones.
    fn picture(&self) -> Picture {
        let parts: Vec<Picture> = self
            .photographs
            .iter()
            .zip(&self.sha256)
            .map(|(name, sha256)| {
                let path = photographs().join(name);
                let bytes = fs::read(&path).unwrap();
                let found = models::Digest::of(&bytes).to_string();
                assert_eq!(
                    &found,
                    sha256,
                    "{} is not the photograph compared",
                    path.display()
                );
                let mut picture = decode(&bytes, DecodeLimits::default()).unwrap().picture;
                while picture.width().max(picture.height()) > self.longest_side_px {
                    picture = halved(&picture);
                }
                picture
            })
            .collect();
        beside(&parts)
    }
}

impl Face {
    fn bounds(&self) -> Rect {
        let [x, y, width, height] = self.r#box;
        Rect {
            x,
            y,
            width,
            height,
        }
    }

    fn compare(&self, picture: &Picture, ours: &Detection, comparer: &mut Comparer) -> Agreement {
        let mut aligned = Picture::new(1, 1).unwrap();
        align(picture, &ours.landmarks, &mut aligned).unwrap();
        let template = comparer.template(&aligned).unwrap();
        Agreement {
            iou: ours.bounds.iou(&self.bounds()),
            cosine: cosine(template.values(), &self.template),
            score: (ours.score - self.score).abs(),
            landmark: distance(&ours.landmarks, &self.landmarks) / self.bounds().width,
        }
    }
}

impl Agreement {
    fn is_enough(&self) -> bool {
        self.iou >= IOU_MIN
            && self.cosine >= COSINE_MIN
            && self.score <= SCORE_DIFFERENCE_MAX
            && self.landmark <= LANDMARK_DISTANCE_MAX
    }

    fn describe(&self) -> String {
        format!(
            "IoU {:.4}, cosine {:.5}, scores {:.4} and landmarks {:.4} face widths apart",
            self.iou, self.cosine, self.score, self.landmark
        )
    }

    fn lower_to(&mut self, other: &Self) {
        self.iou = self.iou.min(other.iou);
        self.cosine = self.cosine.min(other.cosine);
        self.score = self.score.max(other.score);
        self.landmark = self.landmark.max(other.landmark);
    }
}

/// Takes the detection that overlaps most out of `found`.
fn take_nearest(found: &mut Vec<Detection>, bounds: Rect) -> Option<Detection> {
    let overlap = |index: &usize| found[*index].bounds.iou(&bounds);
    let nearest = (0..found.len()).max_by(|a, b| overlap(a).total_cmp(&overlap(b)))?;
    Some(found.swap_remove(nearest))
}

/// The largest distance of two corresponding points.
fn distance(ours: &Landmarks, theirs: &[f32; 10]) -> f32 {
    let (pairs, _) = theirs.as_chunks::<2>();
    let apart = |(one, other): (&Point, &[f32; 2])| (one.x - other[0]).hypot(one.y - other[1]);
    ours.points.iter().zip(pairs).map(apart).fold(0.0, f32::max)
}

/// Of vectors of any length, since the stored one is rounded.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

/// Means of 2×2 pixels, halves rounded up: what the peer's script does, to the bit.
fn halved(picture: &Picture) -> Picture {
    let (width, height) = (picture.width() / 2, picture.height() / 2);
    let row_bytes = picture.width() as usize * 3;
    let mut half = Picture::new(width, height).unwrap();
    for (y, row) in half
        .rgb_mut()
        .chunks_exact_mut(width as usize * 3)
        .enumerate()
    {
        let above = &picture.rgb()[2 * y * row_bytes..][..row_bytes];
        let below = &picture.rgb()[(2 * y + 1) * row_bytes..][..row_bytes];
        for (at, value) in row.iter_mut().enumerate() {
            let left = at / 3 * 6 + at % 3;
            let sum: u16 = [above[left], above[left + 3], below[left], below[left + 3]]
                .map(u16::from)
                .iter()
                .sum();
            *value = ((sum + 2) / 4) as u8;
        }
    }
    half
}

fn beside(parts: &[Picture]) -> Picture {
    let width = parts.iter().map(Picture::width).sum();
    let height = parts.iter().map(Picture::height).max().unwrap();
    let mut whole = Picture::new(width, height).unwrap();
    let whole_row_bytes = width as usize * 3;
    let mut left = 0;
    for part in parts {
        let row_bytes = part.width() as usize * 3;
        for (y, row) in part.rgb().chunks_exact(row_bytes).enumerate() {
            whole.rgb_mut()[y * whole_row_bytes + left..][..row_bytes].copy_from_slice(row);
        }
        left += row_bytes;
    }
    whole
}
