//! From packed eight-bit pixels to the planes of floats that networks take.
//!
//! Why it exists: both networks differ only in the order of channels and in what is subtracted and
//! divided, which the models' manifest says. It never scales a picture.

use imaging::Picture;
use models::{Channels, Input};
use ort::value::{Outlet, TensorElementType, ValueType};
use pulp::{Arch, Simd, WithSimd};

/// The side of a tensor that takes any length.
pub(crate) const ANY: i64 = -1;

/// Channels of a picture and of an input tensor.
pub(crate) const CHANNELS: usize = 3;

/// What becomes of a pixel: which channel comes first, and `value × factor + offset` by plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Planes {
    channels: Channels,
    factor: [f32; CHANNELS],
    offset: [f32; CHANNELS],
}

impl Planes {
    /// From `(value − mean) / std`, in the manifest's order of channels.
    pub(crate) fn of(input: &Input) -> Self {
        let mut planes = Self {
            channels: input.channels,
            factor: [1.0; CHANNELS],
            offset: [0.0; CHANNELS],
        };
        for plane in 0..CHANNELS {
            planes.factor[plane] = 1.0 / input.std[plane];
            planes.offset[plane] = -input.mean[plane] / input.std[plane];
        }
        planes
    }

    /// Writes the picture into the upper left of three planes of `stride` columns each; the rest is
    /// left as it is.
    pub(crate) fn fill(&self, picture: &Picture, stride: usize, tensor: &mut [f32]) {
        Arch::new().dispatch(Fill {
            planes: self,
            picture,
            stride,
            tensor,
        });
    }
}

/// The filling, compiled once for each set of instructions that a processor may have: with the
/// oldest, taking pixels apart would cost a tenth of the detection.
struct Fill<'a> {
    planes: &'a Planes,
    picture: &'a Picture,
    stride: usize,
    tensor: &'a mut [f32],
}

impl WithSimd for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.planes.channels {
            Channels::Rgb => self.rows::<0, 1, 2>(),
            Channels::Bgr => self.rows::<2, 1, 0>(),
        }
    }
}

impl Fill<'_> {
    #[inline(always)]
    fn rows<const FIRST: usize, const SECOND: usize, const THIRD: usize>(self) {
        let width = self.picture.width() as usize;
        let plane_len = self.tensor.len() / CHANNELS;
        let (first, rest) = self.tensor.split_at_mut(plane_len);
        let (second, third) = rest.split_at_mut(plane_len);
        let [factor, offset] = [self.planes.factor, self.planes.offset];
        let rows = self.picture.rgb().chunks_exact(width * CHANNELS);
        for (y, row) in rows.enumerate() {
            let at = y * self.stride..y * self.stride + width;
            let (pixels, _) = row.as_chunks::<CHANNELS>();
            let values = first[at.clone()]
                .iter_mut()
                .zip(&mut second[at.clone()])
                .zip(&mut third[at]);
            for (pixel, ((first, second), third)) in pixels.iter().zip(values) {
                *first = f32::from(pixel[FIRST]) * factor[0] + offset[0];
                *second = f32::from(pixel[SECOND]) * factor[1] + offset[1];
                *third = f32::from(pixel[THIRD]) * factor[2] + offset[2];
            }
        }
    }
}

/// The sizes of a float tensor, [`ANY`] where any will do; `None` for anything else.
pub(crate) fn float_shape(outlet: &Outlet) -> Option<&[i64]> {
    match outlet.dtype() {
        ValueType::Tensor {
            ty: TensorElementType::Float32,
            shape,
            ..
        } => Some(shape),
        _ => None,
    }
}

/// An input or output as a sentence part: "`data` of 1×3×112×112 floats".
pub(crate) fn describe(outlet: &Outlet) -> String {
    let Some(shape) = float_shape(outlet) else {
        return format!("`{}` of {}", outlet.name(), outlet.dtype());
    };
    let sides: Vec<String> = shape
        .iter()
        .map(|side| match side {
            &ANY => "any".to_owned(),
            side => side.to_string(),
        })
        .collect();
    format!("`{}` of {} floats", outlet.name(), sides.join("×"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::Size;

    fn input(channels: Channels, mean: f32, std: f32) -> Input {
        Input {
            name: "input".to_owned(),
            channels,
            size: Size::MultipleOf(32),
            mean: [mean; 3],
            std: [std; 3],
        }
    }

    #[test]
    fn pixels_land_in_their_planes_and_padding_stays() {
        let picture = Picture::from_rgb(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let check = |input: Input, expect: [f32; 18]| {
            let mut tensor = [9.0; 18];
            Planes::of(&input).fill(&picture, 3, &mut tensor);
            assert_eq!(tensor, expect);
        };
        check(
            input(Channels::Rgb, 0.0, 1.0),
            [
                1.0, 4.0, 9.0, 9.0, 9.0, 9.0, 2.0, 5.0, 9.0, 9.0, 9.0, 9.0, 3.0, 6.0, 9.0, 9.0,
                9.0, 9.0,
            ],
        );
        check(
            input(Channels::Bgr, 1.0, 2.0),
            [
                1.0, 2.5, 9.0, 9.0, 9.0, 9.0, 0.5, 2.0, 9.0, 9.0, 9.0, 9.0, 0.0, 1.5, 9.0, 9.0,
                9.0, 9.0,
            ],
        );
    }
}
