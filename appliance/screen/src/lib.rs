//! The views, drawn on any `DrawTarget`, and the sinks that show them.
//!
//! A [`View`] is plain data; [`draw`] turns it into pixels and remembers nothing but glyphs. It
//! reads no clock and no file, decides nothing, and never says that an attendance is recorded
//! unless the view does. Everything derives from the target's size by one grid, so that a screen
//! of another size or standing upright needs no other code.

// Under test the samples of the examples name this crate as they do from outside.
#[cfg(test)]
extern crate self as screen;

mod canvas;
mod font;
mod icon;
mod layout;
mod live;
mod paint;
mod scene;
mod sheet;
mod sink;
mod text;
mod theme;
mod view;
#[cfg(feature = "window")]
mod window;
mod wording;

use embedded_graphics::draw_target::DrawTargetExt;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;

pub use canvas::{CANVAS_PIXELS_MAX, CANVAS_SIDE_PX_MAX, Canvas, CanvasError};
pub use font::{
    BOLD_PATH, FONT_BYTES_MAX, FontError, Fonts, REGULAR_PATH, TYPE_PX_MAX, TYPE_PX_MIN, Weight,
};
pub use sheet::{ContactSheet, SHEET_PICTURES_MAX, SheetError};
pub use sink::{MemorySink, PNG_FILES_MAX, PngSink, Sink, SinkError, png, write_png};
pub use text::TEXT_CHARS_MAX;
pub use theme::{CONTRAST_LARGE_MIN, CONTRAST_TEXT_MIN, Marks, Theme, Tone, contrast};
pub use view::{
    Count, Date, FACES_MAX, FaceBox, FaceState, Hint, Looking, MeetingInfo, Note, OtherMeans,
    Person, Scene, TimeOfDay, Trouble, TroubleKind, View, Weekday, Welcome,
};
#[cfg(feature = "window")]
pub use window::WindowSink;

/// What drawing needs besides the view: the typeface and the colours.
#[derive(Debug)]
pub struct Context {
    /// The typeface, with its glyph cache.
    pub fonts: Fonts,
    /// The colours.
    pub theme: Theme,
}

impl Context {
    /// The typeface with the dark theme.
    #[must_use]
    pub fn new(fonts: Fonts) -> Self {
        Self {
            fonts,
            theme: Theme::default(),
        }
    }
}

/// Draws a whole screen over everything that the target shows. Any view can be drawn at any size;
/// what does not fit is made smaller, then shortened, then left out.
///
/// # Errors
/// Those of the target.
pub fn draw<D>(view: &View, context: &Context, target: &mut D) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888>,
{
    let area = target.bounding_box();
    if area.is_zero_sized() {
        return Ok(());
    }
    let mut clipped = target.clipped(&area);
    scene::paint(view, &mut paint::Painter::new(&mut clipped, context))
}
