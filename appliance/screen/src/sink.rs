//! Where finished pictures go: memory, PNG files, and with the feature `window` a window.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use crate::canvas::Canvas;

/// Most files that one numbered sink writes: a forgotten sink fills no disk.
pub const PNG_FILES_MAX: u32 = 100_000;

/// A picture could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A file or its directory cannot be written.
    #[error(
        "the picture {} cannot be written; check the directory and its free space",
        path.display()
    )]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The picture cannot be encoded: an empty canvas has no PNG.
    #[error("the picture of {width}×{height} pixels cannot be encoded as PNG")]
    Encode {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Why.
        #[source]
        source: image::ImageError,
    },
    /// The sink has written [`PNG_FILES_MAX`] files.
    #[error(
        "{PNG_FILES_MAX} pictures are written to {}; name a fresh directory",
        directory.display()
    )]
    TooMany {
        /// Where to.
        directory: PathBuf,
    },
    /// The window was closed by hand.
    #[error("the window was closed")]
    Closed,
    /// The window cannot be opened or drawn to.
    #[error(
        "the window does not work ({reason}); it needs an X server named by DISPLAY, and Debian's \
         packages libx11-6 and libxcursor1"
    )]
    Window {
        /// What the window library says.
        reason: String,
    },
}

/// Shows pictures, each replacing the one before.
pub trait Sink {
    /// Shows one picture.
    ///
    /// # Errors
    /// [`SinkError`]; the sink may be tried again with the next picture.
    fn show(&mut self, canvas: &Canvas) -> Result<(), SinkError>;
}

/// Keeps the last picture, for tests and for programs without a screen.
#[derive(Debug, Default)]
pub struct MemorySink {
    last: Option<Canvas>,
    shown: u64,
}

impl MemorySink {
    /// The last picture, once there was one.
    #[must_use]
    pub fn last(&self) -> Option<&Canvas> {
        self.last.as_ref()
    }

    /// How many pictures were shown.
    #[must_use]
    pub fn shown(&self) -> u64 {
        self.shown
    }
}

impl Sink for MemorySink {
    fn show(&mut self, canvas: &Canvas) -> Result<(), SinkError> {
        match &mut self.last {
            Some(last) => last.clone_from(canvas),
            None => self.last = Some(canvas.clone()),
        }
        self.shown += 1;
        Ok(())
    }
}

/// Writes each picture to a file of its own: `0001.png`, `0002.png`, …, or to a name given just
/// before.
#[derive(Debug)]
pub struct PngSink {
    directory: PathBuf,
    written: u32,
    name: Option<String>,
}

impl PngSink {
    /// A sink into a directory, which is created with the first picture.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            written: 0,
            name: None,
        }
    }

    /// Names the next picture: the file is `0001-NAME.png`. Characters other than letters, digits,
    /// `-` and `_` become `-`, so that a name never leaves the directory.
    pub fn name_next(&mut self, name: &str) {
        let safe = |letter: char| {
            if letter.is_ascii_alphanumeric() || letter == '_' {
                letter
            } else {
                '-'
            }
        };
        self.name = Some(name.chars().take(80).map(safe).collect());
    }

    /// How many files were written.
    #[must_use]
    pub fn written(&self) -> u32 {
        self.written
    }
}

impl Sink for PngSink {
    fn show(&mut self, canvas: &Canvas) -> Result<(), SinkError> {
        if self.written >= PNG_FILES_MAX {
            return Err(SinkError::TooMany {
                directory: self.directory.clone(),
            });
        }
        fs::create_dir_all(&self.directory).map_err(|source| SinkError::Write {
            path: self.directory.clone(),
            source,
        })?;
        let number = self.written + 1;
        let file = match self.name.take() {
            Some(name) => format!("{number:04}-{name}.png"),
            None => format!("{number:04}.png"),
        };
        write_png(canvas, &self.directory.join(file))?;
        self.written = number;
        Ok(())
    }
}

/// Writes one picture to a PNG file of this very name.
///
/// # Errors
/// [`SinkError`] names the file.
pub fn write_png(canvas: &Canvas, path: &Path) -> Result<(), SinkError> {
    let bytes = png(canvas)?;
    fs::write(path, bytes).map_err(|source| SinkError::Write {
        path: path.to_owned(),
        source,
    })
}

/// One picture as the bytes of a PNG file.
///
/// # Errors
/// [`SinkError::Encode`] for a canvas without pixels.
pub fn png(canvas: &Canvas) -> Result<Vec<u8>, SinkError> {
    let (width, height) = (canvas.width(), canvas.height());
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive)
        .write_image(canvas.rgb(), width, height, ExtendedColorType::Rgb8)
        .map_err(|source| SinkError::Encode {
            width,
            height,
            source,
        })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use embedded_graphics::pixelcolor::Rgb888;
    use embedded_graphics::prelude::*;

    use super::*;

    #[test]
    fn a_png_holds_the_very_pixels() {
        let mut canvas = Canvas::new(5, 3).unwrap();
        canvas.clear(Rgb888::new(1, 2, 3)).unwrap();
        canvas
            .draw_iter([Pixel(Point::new(4, 2), Rgb888::RED)])
            .unwrap();
        let decoded = image::load_from_memory(&png(&canvas).unwrap()).unwrap();
        assert_eq!(decoded.to_rgb8().as_raw(), canvas.rgb());
    }

    #[test]
    fn files_are_numbered_and_named_within_their_directory() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("screens");
        let mut sink = PngSink::new(&below);
        let canvas = Canvas::new(2, 2).unwrap();
        sink.show(&canvas).unwrap();
        sink.name_next("../welcome Ễ");
        sink.show(&canvas).unwrap();
        let mut names: Vec<_> = fs::read_dir(&below)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["0001.png", "0002----welcome--.png"]);
        assert_eq!(sink.written(), 2);
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let empty = Canvas::new(0, 2).unwrap();
        assert!(matches!(png(&empty), Err(SinkError::Encode { .. })));
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut sink = PngSink::new(&file.path().join("below-a-file"));
        let error = sink.show(&Canvas::new(1, 1).unwrap()).unwrap_err();
        assert!(error.to_string().contains("below-a-file"), "{error}");
    }

    #[test]
    fn memory_keeps_the_last() {
        let mut sink = MemorySink::default();
        assert!(sink.last().is_none());
        for side in [1, 2] {
            sink.show(&Canvas::new(side, side).unwrap()).unwrap();
        }
        assert_eq!(sink.last().map(Canvas::width), Some(2));
        assert_eq!(sink.shown(), 2);
    }
}
