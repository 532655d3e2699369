//! YuNet: from a picture to faces with five landmarks, as OpenCV's `FaceDetectorYN` reads it.
//!
//! The network looks at the picture on three grids, one cell for every 8, 16 and 32 pixels. Each
//! cell answers four questions: how much it looks like a face, how sure it is that one is centred
//! here, where the box is, and where the landmarks are. Sides are padded with black on the right
//! and below to multiples of 32.
//!
//! It never scales a picture: small faces in a large picture are the caller's choice. Between
//! frames of one size it allocates nothing of its own; tensors and buffers are kept.

use biometrics::{Detection, Landmarks, Point, Rect};
use imaging::Picture;
use models::{Model, VerifiedModel};
use ort::memory::Allocator;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionInputValue};
use ort::value::Tensor;

use crate::error::InferenceError;
use crate::runtime::Runtime;
use crate::tensor::{ANY, CHANNELS, Planes, describe, float_shape};

/// Most pixels of a picture to be searched, padding included. A network at 2048×2048 takes half a
/// gigabyte; doors are searched at 640×480 or less.
pub const PIXELS_MAX: usize = 2048 * 2048;

/// Most candidates that are compared with each other, as in OpenCV.
pub const TOP_K_MAX: usize = 5000;

/// How many sizes of pictures have tensors of their own at a time: the camera's, a reduced one, and
/// portraits being enrolled.
const SIZES_MAX: usize = 4;

/// The sides of the grids' cells in pixels, and the names of their outputs.
const GRIDS: [Grid; 3] = [
    Grid {
        cell_px: 8,
        outputs: ["cls_8", "obj_8", "bbox_8", "kps_8"],
    },
    Grid {
        cell_px: 16,
        outputs: ["cls_16", "obj_16", "bbox_16", "kps_16"],
    },
    Grid {
        cell_px: 32,
        outputs: ["cls_32", "obj_32", "bbox_32", "kps_32"],
    },
];

/// Values of each output for one cell: face or not, centred here, box, landmarks.
const VALUES: [usize; 4] = [1, 1, 4, 10];

/// Sides are padded to multiples of the largest cell.
const PADDING_PX: usize = 32;

struct Grid {
    cell_px: usize,
    outputs: [&'static str; 4],
}

impl Grid {
    fn cells(&self, width: usize, height: usize) -> usize {
        (width / self.cell_px) * (height / self.cell_px)
    }
}

/// What counts as a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorConfig {
    /// Least score of a face, above 0 and up to 1.
    pub score_min: f32,
    /// Of two boxes that overlap by more than this intersection over union, 0 to 1, the lesser
    /// scored one is dropped.
    pub nms_iou: f32,
    /// How many of the best candidates are looked at, 1 to [`TOP_K_MAX`].
    pub top_k: usize,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        Self {
            score_min: 0.8,
            nms_iou: 0.3,
            top_k: TOP_K_MAX,
        }
    }
}

/// Finds faces in pictures.
pub struct Detector {
    session: Session,
    planes: Planes,
    config: DetectorConfig,
    /// Most recently used last.
    tensors: Vec<Tensors>,
    candidates: Vec<Candidate>,
}

/// A detection, and how many were read before it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    detection: Detection,
    place: usize,
}

/// Input and outputs for pictures of one padded size.
struct Tensors {
    width: usize,
    height: usize,
    /// What of the input the last picture covered; the rest is black.
    covered: (u32, u32),
    input: Tensor<f32>,
    run: RunOptions<HasSelectedOutputs>,
}

impl Detector {
    /// A detector that runs `file`, the verified file of `model`.
    ///
    /// # Errors
    /// [`InferenceError::Setting`] when the configuration is out of range,
    /// [`InferenceError::ModelRefused`], or [`InferenceError::WrongModel`] when it is no prepared
    /// YuNet.
    pub fn new(
        runtime: &Runtime,
        model: &Model,
        file: &VerifiedModel,
        config: DetectorConfig,
    ) -> Result<Self, InferenceError> {
        config.check()?;
        let session = runtime.session(file)?;
        check_shapes(&session).map_err(|found| InferenceError::WrongModel {
            path: file.path.clone(),
            task: "face detector",
            expected: "one input of 1×3×any×any floats and the twelve outputs of a prepared YuNet"
                .to_owned(),
            found,
        })?;
        Ok(Self {
            session,
            planes: Planes::of(&model.input),
            config,
            tensors: Vec::with_capacity(SIZES_MAX),
            candidates: Vec::new(),
        })
    }

    /// Finds the faces of a picture, best first, in its own pixels. `found` is emptied first.
    ///
    /// # Errors
    /// [`InferenceError::PictureSize`] beyond [`PIXELS_MAX`]; [`InferenceError::Run`] and
    /// [`InferenceError::OutputShape`] when the network fails.
    pub fn detect(
        &mut self,
        picture: &Picture,
        found: &mut Vec<Detection>,
    ) -> Result<(), InferenceError> {
        found.clear();
        self.select_tensors(picture)?;
        let Some(tensors) = self.tensors.last_mut() else {
            return Ok(());
        };
        tensors.load(self.planes, picture);
        let (width, height) = (tensors.width, tensors.height);
        let input = [SessionInputValue::from(&tensors.input)];
        let outputs = self
            .session
            .run_with_options(input, &tensors.run)
            .map_err(InferenceError::Run)?;
        self.candidates.clear();
        for grid in &GRIDS {
            let mut answers: [&[f32]; 4] = [&[]; 4];
            for ((answer, name), values) in answers.iter_mut().zip(grid.outputs).zip(VALUES) {
                let expected = grid.cells(width, height) * values;
                *answer = read(&outputs, name, expected)?;
            }
            decode(
                grid,
                width / grid.cell_px,
                answers,
                self.config.score_min,
                &mut self.candidates,
            );
        }
        suppress(&mut self.candidates, self.config, found);
        Ok(())
    }

    /// Puts the tensors for this picture's padded size last, made when there are none yet.
    fn select_tensors(&mut self, picture: &Picture) -> Result<(), InferenceError> {
        let width = (picture.width() as usize).next_multiple_of(PADDING_PX);
        let height = (picture.height() as usize).next_multiple_of(PADDING_PX);
        let known = self
            .tensors
            .iter()
            .position(|t| (t.width, t.height) == (width, height));
        if let Some(at) = known {
            self.tensors[at..].rotate_left(1);
            return Ok(());
        }
        if width * height > PIXELS_MAX {
            return Err(InferenceError::PictureSize {
                width: picture.width(),
                height: picture.height(),
                expected: format!("it may have {PIXELS_MAX} pixels; scale it down first"),
            });
        }
        let tensors = Tensors::new(width, height).map_err(InferenceError::Run)?;
        if self.tensors.len() == SIZES_MAX {
            self.tensors.remove(0);
        }
        self.tensors.push(tensors);
        Ok(())
    }
}

impl DetectorConfig {
    fn check(&self) -> Result<(), InferenceError> {
        let setting = |setting, expected, found: f64| {
            Err(InferenceError::Setting {
                setting,
                expected,
                found,
            })
        };
        if !(self.score_min > 0.0 && self.score_min <= 1.0) {
            return setting("score_min", "above 0 and at most 1", self.score_min.into());
        }
        if !(0.0..=1.0).contains(&self.nms_iou) {
            return setting("nms_iou", "0 to 1", self.nms_iou.into());
        }
        if !(1..=TOP_K_MAX).contains(&self.top_k) {
            return setting("top_k", "1 to 5000", self.top_k as f64);
        }
        Ok(())
    }
}

impl Tensors {
    fn new(width: usize, height: usize) -> ort::Result<Self> {
        let black = vec![0.0_f32; CHANNELS * width * height];
        let mut selector = OutputSelector::default();
        for grid in &GRIDS {
            for (name, values) in grid.outputs.into_iter().zip(VALUES) {
                let shape = [1, grid.cells(width, height), values];
                selector =
                    selector.preallocate(name, Tensor::<f32>::new(&Allocator::default(), shape)?);
            }
        }
        Ok(Self {
            width,
            height,
            covered: (0, 0),
            input: Tensor::from_array(([1, CHANNELS, height, width], black))?,
            run: RunOptions::new()?.with_outputs(selector),
        })
    }

    fn load(&mut self, planes: Planes, picture: &Picture) {
        let size = (picture.width(), picture.height());
        let (_, values) = self.input.extract_tensor_mut();
        // Of a larger picture before this one, a rim would be left in the padding.
        if self.covered != size {
            values.fill(0.0);
            self.covered = size;
        }
        planes.fill(picture, self.width, values);
    }
}

fn check_shapes(session: &Session) -> Result<(), String> {
    let [input] = session.inputs() else {
        return Err(format!("it has {} inputs", session.inputs().len()));
    };
    if !matches!(float_shape(input), Some([1 | ANY, 3, ANY, ANY])) {
        return Err(format!("its input is {}", describe(input)));
    }
    for grid in &GRIDS {
        for (name, values) in grid.outputs.into_iter().zip(VALUES) {
            let Some(output) = session.outputs().iter().find(|o| o.name() == name) else {
                return Err(format!("it has no output `{name}`"));
            };
            let last = i64::try_from(values).ok();
            let shape = float_shape(output).unwrap_or_default();
            if shape.len() != 3 || shape.last().copied() != last {
                return Err(format!("its output is {}", describe(output)));
            }
        }
    }
    if session.outputs().len() != GRIDS.len() * VALUES.len() {
        return Err(format!("it has {} outputs", session.outputs().len()));
    }
    Ok(())
}

fn read<'a>(
    outputs: &'a ort::session::SessionOutputs<'_>,
    name: &'static str,
    expected: usize,
) -> Result<&'a [f32], InferenceError> {
    let (_, values) = outputs[name]
        .try_extract_tensor::<f32>()
        .map_err(InferenceError::Run)?;
    if values.len() == expected {
        Ok(values)
    } else {
        Err(InferenceError::OutputShape {
            output: name,
            expected,
            found: values.len(),
        })
    }
}

/// Adds the faces that one grid's cells claim. The formulas are those of OpenCV's
/// `FaceDetectorYN`: centres and landmarks are offsets from the cell's corner in cells, sides are
/// logarithms of cells.
fn decode(
    grid: &Grid,
    columns: usize,
    [faces, centred, boxes, landmarks]: [&[f32]; 4],
    score_min: f32,
    found: &mut Vec<Candidate>,
) {
    let cell = grid.cell_px as f32;
    for (index, (face, centred)) in faces.iter().zip(centred).enumerate() {
        let score = (face.clamp(0.0, 1.0) * centred.clamp(0.0, 1.0)).sqrt();
        // A score that is no number is not at or above anything, so it is no face.
        let is_face = score >= score_min;
        if !is_face {
            continue;
        }
        let (column, row) = ((index % columns) as f32, (index / columns) as f32);
        let [x, y, width, height] = [0, 1, 2, 3].map(|value| boxes[index * 4 + value]);
        let (width, height) = (width.exp() * cell, height.exp() * cell);
        let bounds = Rect {
            x: (column + x) * cell - width / 2.0,
            y: (row + y) * cell - height / 2.0,
            width,
            height,
        };
        let points = [0, 1, 2, 3, 4].map(|point| Point {
            x: (landmarks[index * 10 + point * 2] + column) * cell,
            y: (landmarks[index * 10 + point * 2 + 1] + row) * cell,
        });
        let finite = [bounds.x, bounds.y, width, height]
            .iter()
            .all(|value| value.is_finite())
            && points
                .iter()
                .all(|point| point.x.is_finite() && point.y.is_finite());
        if finite {
            let detection = Detection {
                bounds,
                landmarks: Landmarks { points },
                score,
            };
            found.push(Candidate {
                detection,
                place: found.len(),
            });
        }
    }
}

/// Keeps the best of those that overlap. As in OpenCV, boxes are cut to whole pixels for this and a
/// single candidate is not looked at.
fn suppress(candidates: &mut [Candidate], config: DetectorConfig, kept: &mut Vec<Detection>) {
    // A stable order without the memory that a stable sort takes.
    candidates.sort_unstable_by(|one, other| {
        let (score, other_score) = (one.detection.score, other.detection.score);
        other_score
            .total_cmp(&score)
            .then(one.place.cmp(&other.place))
    });
    for Candidate { detection, .. } in candidates.iter().take(config.top_k) {
        let whole = whole_pixels(detection.bounds);
        let hidden = kept
            .iter()
            .any(|better| whole_pixels(better.bounds).iou(&whole) > config.nms_iou);
        if !hidden {
            kept.push(*detection);
        }
    }
}

fn whole_pixels(bounds: Rect) -> Rect {
    Rect {
        x: bounds.x.trunc(),
        y: bounds.y.trunc(),
        width: bounds.width.trunc(),
        height: bounds.height.trunc(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the smallest grid of a 16×16 picture says, with one value of one cell replaced.
    fn decoded(cell: usize, output: usize, value: f32) -> Vec<Candidate> {
        let mut answers = VALUES.map(|values| vec![0.0; 4 * values]);
        answers[0][3] = 1.0;
        answers[1][3] = 0.81;
        answers[output][cell * VALUES[output]] = value;
        let [faces, centred, boxes, landmarks] = &answers;
        let mut found = Vec::new();
        decode(
            &GRIDS[0],
            2,
            [faces, centred, boxes, landmarks],
            0.8,
            &mut found,
        );
        found
    }

    #[test]
    fn a_cell_says_where_its_face_is() {
        let found = decoded(3, 2, 0.5);
        let [
            Candidate {
                detection,
                place: 0,
            },
        ] = &found[..]
        else {
            panic!("{found:?}");
        };
        assert!((detection.score - 0.9).abs() < 1e-6);
        // The cell in column 1, row 1 with its corner at 8, 8: half a cell to the right, one wide.
        let expect = Rect {
            x: 8.0,
            y: 4.0,
            width: 8.0,
            height: 8.0,
        };
        assert_eq!(detection.bounds, expect);
        assert_eq!(detection.landmarks.points, [Point { x: 8.0, y: 8.0 }; 5]);
    }

    #[test]
    fn what_is_no_number_is_no_face() {
        let check = |output: usize, value: f32, expect: usize| {
            let count = decoded(3, output, value).len();
            assert_eq!(count, expect, "output {output} says {value}");
        };
        check(0, f32::NAN, 0);
        check(1, f32::NAN, 0);
        check(1, -1.0, 0);
        check(1, 7.0, 1);
        check(1, f32::INFINITY, 1);
        check(2, f32::NAN, 0);
        check(2, f32::INFINITY, 0);
        check(3, f32::NEG_INFINITY, 0);
    }

    fn at(x: f32, score: f32, place: usize) -> Candidate {
        let bounds = Rect {
            x,
            y: 0.0,
            width: 10.0,
            height: 10.0,
        };
        let landmarks = Landmarks::default();
        Candidate {
            detection: Detection {
                bounds,
                landmarks,
                score,
            },
            place,
        }
    }

    #[test]
    fn of_overlapping_boxes_the_better_stays() {
        let check = |candidates: &[Candidate], top_k: usize, expect: &[f32]| {
            let config = DetectorConfig {
                top_k,
                ..DetectorConfig::default()
            };
            let mut kept = Vec::new();
            suppress(&mut candidates.to_vec(), config, &mut kept);
            let places: Vec<f32> = kept.iter().map(|face| face.bounds.x).collect();
            assert_eq!(places, expect);
        };
        check(&[], 5, &[]);
        check(
            &[at(0.0, 0.8, 0), at(4.0, 0.9, 1), at(20.0, 0.85, 2)],
            5,
            &[4.0, 20.0],
        );
        // Five of fifteen columns shared is 0.33, four of sixteen 0.25; fractions are cut off.
        check(&[at(0.9, 0.9, 0), at(5.9, 0.8, 1)], 5, &[0.9]);
        check(&[at(0.9, 0.9, 0), at(6.0, 0.8, 1)], 5, &[0.9, 6.0]);
        // Of two equals the one that was read first.
        check(&[at(3.0, 0.9, 1), at(0.0, 0.9, 0)], 5, &[0.0]);
        check(
            &[at(0.0, 0.8, 0), at(20.0, 0.9, 1), at(40.0, 0.85, 2)],
            2,
            &[20.0, 40.0],
        );
    }
}
