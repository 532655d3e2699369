//! SFace and its like: from an aligned face to a template, as OpenCV's `FaceRecognizerSF` does it.
//!
//! Why it exists: a template means something only in the feature space of the network that made it,
//! so the network and the space are tied together here. It never aligns, never compares, and never
//! makes a template of anything but a picture of exactly the aligned size.

use imaging::Picture;
use models::{Model, Task, VerifiedModel};
use ort::memory::Allocator;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionInputValue};
use ort::value::Tensor;
use vocabulary::template::TEMPLATE_VALUES_MAX;
use vocabulary::{Digest, FeatureSpace, Template};

use crate::error::InferenceError;
use crate::runtime::Runtime;
use crate::tensor::{ANY, CHANNELS, Planes, describe, float_shape};

/// Side of an aligned face in pixels.
const SIDE_PX: u32 = 112;

/// Computes templates in one feature space.
pub struct Comparer {
    session: Session,
    planes: Planes,
    space: FeatureSpace,
    values: usize,
    input: Tensor<f32>,
    run: RunOptions<HasSelectedOutputs>,
}

impl Comparer {
    /// A comparer that runs `file`, the verified file of `model`.
    ///
    /// Its feature space is the manifest's name for it and the digest of the file as it was
    /// *published*. What is run may be a prepared form of that file, and preparing may change with
    /// a new version of this program, but never the templates: it is proved to keep every output
    /// within 1e-4. So references stay good across such a change, and a different network can
    /// never pass for this one, since both digests are in the manifest and both are checked.
    ///
    /// # Errors
    /// [`InferenceError::ModelRefused`], or [`InferenceError::WrongModel`] when the manifest's
    /// entry or the network itself is no comparer of aligned faces.
    pub fn new(
        runtime: &Runtime,
        model: &Model,
        file: &VerifiedModel,
    ) -> Result<Self, InferenceError> {
        let wrong = |found: String| InferenceError::WrongModel {
            path: file.path.clone(),
            task: "face comparer",
            expected: format!(
                "one input of 1×3×{SIDE_PX}×{SIDE_PX} floats and one output of 1×(1 to \
                 {TEMPLATE_VALUES_MAX}) floats"
            ),
            found,
        };
        let Task::Comparer(comparer) = &model.task else {
            return Err(wrong(format!(
                "the manifest calls `{}` something else",
                model.id
            )));
        };
        let session = runtime.session(file)?;
        let values = check_shapes(&session).map_err(wrong)?;
        if values != comparer.template_length {
            return Err(wrong(format!(
                "its templates have {values} values, and the manifest says {}",
                comparer.template_length
            )));
        }
        let output = session.outputs()[0].name().to_owned();
        let (input, run) = tensors(output, values).map_err(InferenceError::Run)?;
        Ok(Self {
            session,
            planes: Planes::of(&model.input),
            space: FeatureSpace::new(&comparer.feature_space, Digest(*model.sha256.bytes())),
            values,
            input,
            run,
        })
    }

    /// The feature space of all its templates.
    #[must_use]
    pub fn space(&self) -> &FeatureSpace {
        &self.space
    }

    /// The template of an aligned face of 112×112 pixels.
    ///
    /// # Errors
    /// [`InferenceError::PictureSize`] for another size; [`InferenceError::Run`] and
    /// [`InferenceError::OutputShape`] when the network fails; [`InferenceError::Template`] when
    /// its output has no direction.
    pub fn template(&mut self, aligned: &Picture) -> Result<Template, InferenceError> {
        if (aligned.width(), aligned.height()) != (SIDE_PX, SIDE_PX) {
            return Err(InferenceError::PictureSize {
                width: aligned.width(),
                height: aligned.height(),
                expected: format!("an aligned face has {SIDE_PX}×{SIDE_PX}"),
            });
        }
        let (_, values) = self.input.extract_tensor_mut();
        self.planes.fill(aligned, SIDE_PX as usize, values);
        let input = [SessionInputValue::from(&self.input)];
        let outputs = self
            .session
            .run_with_options(input, &self.run)
            .map_err(InferenceError::Run)?;
        let (_, raw) = outputs[0]
            .try_extract_tensor::<f32>()
            .map_err(InferenceError::Run)?;
        if raw.len() != self.values {
            return Err(InferenceError::OutputShape {
                output: "template",
                expected: self.values,
                found: raw.len(),
            });
        }
        Template::normalise(self.space.clone(), raw).map_err(InferenceError::Template)
    }
}

/// How many values the network's templates have.
fn check_shapes(session: &Session) -> Result<usize, String> {
    let [input] = session.inputs() else {
        return Err(format!("it has {} inputs", session.inputs().len()));
    };
    let side = i64::from(SIDE_PX);
    let fits = match float_shape(input) {
        Some([1 | ANY, 3, height, width]) => *height == side && *width == side,
        _ => false,
    };
    if !fits {
        return Err(format!("its input is {}", describe(input)));
    }
    let [output] = session.outputs() else {
        return Err(format!("it has {} outputs", session.outputs().len()));
    };
    match float_shape(output) {
        Some([1 | ANY, values]) => usize::try_from(*values)
            .ok()
            .filter(|values| (1..=TEMPLATE_VALUES_MAX).contains(values)),
        _ => None,
    }
    .ok_or_else(|| format!("its output is {}", describe(output)))
}

fn tensors(
    output: String,
    values: usize,
) -> ort::Result<(Tensor<f32>, RunOptions<HasSelectedOutputs>)> {
    let side = SIDE_PX as usize;
    let black = vec![0.0_f32; CHANNELS * side * side];
    let template = Tensor::<f32>::new(&Allocator::default(), [1, values])?;
    let selector = OutputSelector::default().preallocate(output, template);
    Ok((
        Tensor::from_array(([1, CHANNELS, side, side], black))?,
        RunOptions::new()?.with_outputs(selector),
    ))
}
