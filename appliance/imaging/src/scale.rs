//! Scaling by the widest instructions that the processor has, in memory that is reused.
//!
//! Never chooses a size by itself: the target picture's own sides say what is wanted.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::picture::{Picture, SizeError};

/// A picture could not be scaled.
#[derive(Debug, thiserror::Error)]
pub enum ScaleError {
    /// The scaler refused the two pictures.
    #[error("{from:?} cannot be scaled to {to:?} (width, height in pixels)")]
    Refused {
        /// Sides of the source.
        from: (u32, u32),
        /// Sides of the target.
        to: (u32, u32),
        /// Why.
        #[source]
        source: fast_image_resize::ResizeError,
    },
    /// The bytes of a picture did not fit its sides.
    #[error("the scaler does not take the picture's bytes")]
    Bytes(#[source] fast_image_resize::ImageBufferError),
    /// A bounded size could not be made.
    #[error("the scaled picture would have no usable size")]
    Size(#[source] SizeError),
}

/// Scales pictures; keep one per thread, it reuses its memory.
#[derive(Debug, Default)]
pub struct Scaler {
    resizer: Resizer,
}

impl Scaler {
    /// A scaler without memory of its own yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Fills `to`, whose sides are the target, from the whole of `from`.
    ///
    /// Each target pixel is the bilinear (triangle) average over the source pixels that it covers,
    /// so shrinking does not alias. The scaler keeps its large buffers; the library still makes its
    /// small tables of weights anew for each picture.
    ///
    /// # Errors
    /// [`ScaleError`] when the scaler refuses; two valid pictures are never refused.
    pub fn scale_into(&mut self, from: &Picture, to: &mut Picture) -> Result<(), ScaleError> {
        let sides = (from.width(), from.height());
        let target = (to.width(), to.height());
        if sides == target {
            to.rgb_mut().copy_from_slice(from.rgb());
            return Ok(());
        }
        let source = TypedImageRef::<U8x3>::from_buffer(sides.0, sides.1, from.rgb())
            .map_err(ScaleError::Bytes)?;
        let mut sink = TypedImage::<U8x3>::from_buffer(target.0, target.1, to.rgb_mut())
            .map_err(ScaleError::Bytes)?;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .use_alpha(false);
        self.resizer
            .resize_typed(&source, &mut sink, &options)
            .map_err(|source| ScaleError::Refused {
                from: sides,
                to: target,
                source,
            })
    }

    /// Shrinks a picture so that its longer side has at most `side_px_max` pixels and says by which
    /// factor its coordinates were multiplied; `None` when it was small enough already.
    ///
    /// # Errors
    /// As [`Scaler::scale_into`].
    pub fn bounded(
        &mut self,
        from: &Picture,
        side_px_max: u32,
    ) -> Result<Option<(Picture, f32)>, ScaleError> {
        let (width, height) = bounded_size(from.width(), from.height(), side_px_max);
        if (width, height) == (from.width(), from.height()) {
            return Ok(None);
        }
        let mut to = Picture::new(width, height).map_err(ScaleError::Size)?;
        self.scale_into(from, &mut to)?;
        Ok(Some((to, width as f32 / from.width() as f32)))
    }
}

/// The sides of a picture shrunk, its shape kept, until the longer has at most `side_px_max`
/// pixels; never enlarged, never zero.
#[must_use]
pub fn bounded_size(width: u32, height: u32, side_px_max: u32) -> (u32, u32) {
    let longest = width.max(height);
    let most = side_px_max.max(1);
    if longest <= most {
        return (width, height);
    }
    let shrink = |side: u32| {
        let scaled =
            (u64::from(side) * u64::from(most) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(most).max(1)
    };
    (shrink(width), shrink(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_shrink_in_proportion_and_never_to_nothing() {
        let check = |from: (u32, u32), most, expect: (u32, u32)| {
            assert_eq!(bounded_size(from.0, from.1, most), expect, "{from:?}");
        };
        check((640, 480), 1600, (640, 480));
        check((4000, 3000), 1600, (1600, 1200));
        check((3000, 4000), 1600, (1200, 1600));
        check((8000, 1), 1600, (1600, 1));
        check((10, 10), 0, (1, 1));
    }

    #[test]
    fn an_even_colour_stays_and_edges_stay_where_they_are() {
        let mut half = Picture::new(64, 8).unwrap();
        for (at, pixel) in half.rgb_mut().chunks_exact_mut(3).enumerate() {
            pixel.fill(if at % 64 < 32 { 10 } else { 200 });
        }
        let (small, factor) = Scaler::new().bounded(&half, 16).unwrap().unwrap();
        assert_eq!((small.width(), small.height(), factor), (16, 2, 0.25));
        let row: Vec<u8> = small.rgb()[..48].chunks_exact(3).map(|p| p[1]).collect();
        assert_eq!(row[..7], [10; 7]);
        assert_eq!(row[9..], [200; 7]);
    }

    #[test]
    fn the_same_size_is_a_copy() {
        let from = Picture::from_rgb(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let mut to = Picture::new(2, 1).unwrap();
        Scaler::new().scale_into(&from, &mut to).unwrap();
        assert_eq!(from, to);
        assert!(Scaler::new().bounded(&from, 2).unwrap().is_none());
    }
}
