//! A contact sheet: many pictures with captions on one, to be looked at side by side.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use image::imageops::{self, FilterType};
use image::{ImageBuffer, Rgb};

use crate::Context;
use crate::canvas::{Canvas, CanvasError};
use crate::font::Weight;
use crate::layout::Cut;
use crate::paint::{Across, Down, Ink, Painter};
use crate::text::{Fit, line_height};

/// Most pictures on one sheet: more are not looked at, and the sheet stays within a canvas.
pub const SHEET_PICTURES_MAX: usize = 400;

/// Narrowest and widest picture on a sheet in pixels.
const WIDTH_PX: std::ops::RangeInclusive<u32> = 80..=1280;

/// Space between pictures and around them in pixels.
const GAP_PX: u32 = 16;

/// Type size of captions in pixels, and the lines that each may have.
const CAPTION_PX: u32 = 17;
const CAPTION_LINES: u32 = 2;

/// Type size of the sheet's title in pixels.
const TITLE_PX: u32 = 28;

/// A picture does not go on the sheet, or the sheet cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// The sheet is full.
    #[error("a contact sheet holds at most {SHEET_PICTURES_MAX} pictures; begin another")]
    Full,
    /// The sheet would be too large.
    #[error("the contact sheet is too large; begin another, or make its pictures narrower")]
    Size(#[from] CanvasError),
}

/// Collects pictures, made narrower at once, and lays them out in columns.
#[derive(Debug)]
pub struct ContactSheet {
    columns: u32,
    width_px: u32,
    cells: Vec<(Canvas, String)>,
}

impl ContactSheet {
    /// A sheet of so many columns (at least 1) of pictures so many pixels wide (held to 80 to
    /// 1280).
    #[must_use]
    pub fn new(columns: u32, width_px: u32) -> Self {
        Self {
            columns: columns.max(1),
            width_px: width_px.clamp(*WIDTH_PX.start(), *WIDTH_PX.end()),
            cells: Vec::new(),
        }
    }

    /// How many pictures there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is none yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Adds a picture with its caption, of which two lines are shown.
    ///
    /// # Errors
    /// [`SheetError::Full`] beyond [`SHEET_PICTURES_MAX`].
    pub fn add(&mut self, picture: &Canvas, caption: &str) -> Result<(), SheetError> {
        if self.cells.len() >= SHEET_PICTURES_MAX {
            return Err(SheetError::Full);
        }
        let narrow = narrowed(picture, self.width_px)?;
        self.cells.push((narrow, caption.to_owned()));
        Ok(())
    }

    /// Draws the sheet.
    ///
    /// # Errors
    /// [`SheetError::Size`] when the sheet would be larger than a canvas can be.
    pub fn compose(&self, context: &Context, title: &str) -> Result<Canvas, SheetError> {
        let columns = self.columns as usize;
        let caption = line_height(CAPTION_PX) * CAPTION_LINES + GAP_PX / 2;
        let heights: Vec<u32> = self.cells.chunks(columns).map(highest).collect();
        let used = self.columns.min(self.cells.len().max(1) as u32);
        let width = used.saturating_mul(self.width_px + GAP_PX) + GAP_PX;
        let top = GAP_PX + line_height(TITLE_PX) + GAP_PX;
        let rows: u32 = heights.iter().map(|row| row + caption + GAP_PX).sum();
        let mut sheet = Canvas::new(width, top + rows)?;

        let tone = context.theme.calm;
        let mut rest = sheet.bounding_box().inset(GAP_PX, GAP_PX);
        let mut painter = Painter::new(&mut sheet, context);
        let Ok(()) = painter.fill(painter.target.bounding_box(), tone.ground);
        let place = rest.cut_top(line_height(TITLE_PX));
        let ink = Ink::new(tone.ink, tone.ground);
        let at = (Across::Left, Down::Middle);
        let rule = Fit::line(TITLE_PX, CAPTION_PX);
        let Ok(_) = painter.text(place, title, Weight::Bold, rule, ink, at);
        rest.cut_top(GAP_PX);
        for (row, height) in self.cells.chunks(columns).zip(heights) {
            let mut line = rest.cut_top(height + caption);
            rest.cut_top(GAP_PX);
            for (picture, caption) in row {
                let mut cell = line.cut_left(self.width_px);
                line.cut_left(GAP_PX);
                let place = cell.cut_top(height);
                painter.target.place(picture, place.top_left);
                cell.cut_top(GAP_PX / 2);
                captioned(&mut painter, cell, caption);
            }
        }
        Ok(sheet)
    }
}

fn captioned(painter: &mut Painter<Canvas>, cell: Rectangle, caption: &str) {
    let tone = painter.context.theme.calm;
    let rule = Fit::lines(CAPTION_PX, CAPTION_PX, CAPTION_LINES as usize);
    let ink = Ink::new(tone.muted, tone.ground);
    let at = (Across::Left, Down::Top);
    let Ok(_) = painter.text(cell, caption, Weight::Regular, rule, ink, at);
}

fn highest(row: &[(Canvas, String)]) -> u32 {
    let heights = row.iter().map(|(picture, _)| picture.height());
    heights.max().unwrap_or(0)
}

/// The picture at most so many pixels wide, its proportions kept.
fn narrowed(picture: &Canvas, width_px: u32) -> Result<Canvas, CanvasError> {
    let (width, height) = (picture.width(), picture.height());
    if width <= width_px {
        return Ok(picture.clone());
    }
    let scaled = u64::from(height) * u64::from(width_px) / u64::from(width);
    let scaled = u32::try_from(scaled).unwrap_or(height).max(1);
    let mut narrow = Canvas::new(width_px, scaled)?;
    if let Some(whole) = ImageBuffer::<Rgb<u8>, &[u8]>::from_raw(width, height, picture.rgb()) {
        let pixels = imageops::resize(&whole, width_px, scaled, FilterType::Triangle);
        narrow.copy_from_rgb(pixels.as_raw());
    }
    Ok(narrow)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use embedded_graphics::pixelcolor::Rgb888;

    use super::*;
    use crate::{BOLD_PATH, Fonts, REGULAR_PATH};

    #[test]
    fn pictures_stand_in_columns_under_the_title() {
        let fonts = match Fonts::load(Path::new(REGULAR_PATH), Path::new(BOLD_PATH)) {
            Ok(fonts) => fonts,
            Err(error) => panic!("{error}"),
        };
        let context = Context::new(fonts);
        let mut sheet = ContactSheet::new(2, 100);
        let mut picture = Canvas::new(200, 100).unwrap();
        for colour in [Rgb888::RED, Rgb888::GREEN, Rgb888::BLUE] {
            let Ok(()) = picture.clear(colour);
            sheet.add(&picture, "Nguyễn Văn Mẫu 0.712").unwrap();
        }
        let composed = sheet.compose(&context, "Điểm Danh").unwrap();
        assert_eq!(composed.width(), 2 * (100 + GAP_PX) + GAP_PX);
        let found = |colour| {
            let mut points = composed.bounding_box().points();
            points
                .find(|at| composed.pixel(*at) == Some(colour))
                .unwrap()
        };
        let (red, green, blue) = (
            found(Rgb888::RED),
            found(Rgb888::GREEN),
            found(Rgb888::BLUE),
        );
        assert_eq!(green - red, Point::new(100 + GAP_PX as i32, 0));
        assert_eq!((blue - red).x, 0);
        assert!((blue - red).y > 50);
        assert!(ContactSheet::new(0, 0).compose(&context, "").is_ok());
    }

    #[test]
    fn a_sheet_has_a_limit() {
        let mut sheet = ContactSheet::new(1, 80);
        let picture = Canvas::new(1, 1).unwrap();
        for _ in 0..SHEET_PICTURES_MAX {
            sheet.add(&picture, "").unwrap();
        }
        assert_eq!(sheet.add(&picture, ""), Err(SheetError::Full));
        assert_eq!(sheet.len(), SHEET_PICTURES_MAX);
    }
}
