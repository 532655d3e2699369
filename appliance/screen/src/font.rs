//! The typeface and the cache of its glyphs.
//!
//! Files are read once at start. Glyphs are rasterised on first use and kept, so that a redraw
//! costs copying only. Nothing here breaks lines; see `text`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fontdue::{Font, FontSettings};

/// Where Debian's package `fonts-noto-core` puts the regular weight.
pub const REGULAR_PATH: &str = "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf";

/// Where Debian's package `fonts-noto-core` puts the bold weight.
pub const BOLD_PATH: &str = "/usr/share/fonts/truetype/noto/NotoSans-Bold.ttf";

/// Largest font file in bytes. Noto Sans has half a megabyte; fonts of all of Unicode have 20.
pub const FONT_BYTES_MAX: u64 = 32 << 20;

/// Smallest and largest type size in pixels per em; sizes are clamped to it.
pub const TYPE_PX_MIN: u32 = 6;
/// See [`TYPE_PX_MIN`].
pub const TYPE_PX_MAX: u32 = 400;

/// Most bytes of glyphs kept. All screens at one size need less than one megabyte; when the limit
/// is passed the cache starts afresh, which costs time and nothing else.
const CACHE_BYTES_MAX: usize = 16 << 20;

/// Letters without which Vietnamese cannot be written; a font that lacks one is refused at start
/// instead of showing boxes at the door.
const REQUIRED: &str = "ĂÂĐÊÔƠƯăâđêôơưẠạẢảẤấẦầẨẩẪẫẬậẮắẰằẲẳẴẵẶặẸẹẺẻẼẽẾếỀềỂểỄễỆệỈỉỊịỌọỎỏỐốỒồỔổỖỗỘộ\
                        ỚớỜờỞởỠỡỢợỤụỦủỨứỪừỬửỮữỰựỲỳỴỵỶỷỸỹÀÁÃÈÉÌÍĨÒÓÕÙÚŨÝàáãèéìíĩòóõùúũý…–·“”";

/// A font cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FontError {
    /// The file cannot be read.
    #[error(
        "the font {} cannot be read; install Debian's package fonts-noto-core \
         (apt-get install fonts-noto-core) or name another TrueType file",
        path.display()
    )]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is longer than [`FONT_BYTES_MAX`].
    #[error("the font {} has {bytes} bytes, at most {FONT_BYTES_MAX} are read", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// The bytes are no TrueType or OpenType font.
    #[error("the {weight} font is not a TrueType font ({reason}); name another file")]
    Parse {
        /// Which of the two.
        weight: Weight,
        /// What the parser says.
        reason: &'static str,
    },
    /// The font lacks a letter of the Vietnamese alphabet.
    #[error(
        "the {weight} font has no glyph for {missing:?}, so it cannot write Vietnamese; use Noto \
         Sans of Debian's package fonts-noto-core"
    )]
    Incomplete {
        /// Which of the two.
        weight: Weight,
        /// The first letter that is missing.
        missing: char,
    },
}

/// The two weights in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weight {
    /// For sentences.
    Regular,
    /// For names and headlines.
    Bold,
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regular => "regular",
            Self::Bold => "bold",
        })
    }
}

/// The typeface in two weights, with its glyph cache. One thread draws with it.
pub struct Fonts {
    regular: Font,
    bold: Font,
    cache: RefCell<Cache>,
}

impl fmt::Debug for Fonts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Fonts({:?}, {:?})",
            self.regular.name(),
            self.bold.name()
        )
    }
}

impl Fonts {
    /// Reads both weights, usually [`REGULAR_PATH`] and [`BOLD_PATH`].
    ///
    /// # Errors
    /// [`FontError`] names the file and the package to install.
    pub fn load(regular: &Path, bold: &Path) -> Result<Self, FontError> {
        Self::from_bytes(&read(regular)?, &read(bold)?)
    }

    /// Takes both weights as the bytes of TrueType files.
    ///
    /// # Errors
    /// [`FontError`] when one is no font or cannot write Vietnamese.
    pub fn from_bytes(regular: &[u8], bold: &[u8]) -> Result<Self, FontError> {
        Ok(Self {
            regular: parse(Weight::Regular, regular)?,
            bold: parse(Weight::Bold, bold)?,
            cache: RefCell::default(),
        })
    }

    /// Whether both weights have a glyph for a character.
    #[must_use]
    pub fn has_glyph(&self, character: char) -> bool {
        self.regular.has_glyph(character) && self.bold.has_glyph(character)
    }

    /// How far the pen moves on for a character, in pixels, before rounding.
    pub(crate) fn advance(&self, character: char, weight: Weight, px: u32) -> f32 {
        // Advances are linear in the size, so measuring fills no cache.
        self.font(weight).metrics(character, size(px)).advance_width
    }

    /// Hands a character's glyph to `with`, rasterising it if it is not yet kept.
    pub(crate) fn with_glyph<T>(
        &self,
        character: char,
        weight: Weight,
        px: u32,
        with: impl FnOnce(&Glyph) -> T,
    ) -> T {
        let mut cache = self.cache.borrow_mut();
        let key = (character, weight, px);
        if !cache.glyphs.contains_key(&key) {
            let glyph = Glyph::rasterise(self.font(weight), character, px);
            cache.bytes += glyph.coverage.len() + size_of::<Glyph>();
            if cache.bytes > CACHE_BYTES_MAX {
                cache.glyphs.clear();
                cache.bytes = glyph.coverage.len();
            }
            cache.glyphs.insert(key, glyph);
        }
        with(&cache.glyphs[&key])
    }

    fn font(&self, weight: Weight) -> &Font {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }
}

/// One glyph's coverage.
pub(crate) struct Glyph {
    /// From the pen to the left edge, in pixels.
    pub left: i32,
    /// From the baseline up to the upper edge, in pixels.
    pub top: i32,
    /// Width in pixels.
    pub width: usize,
    /// Rows of `width` bytes from the top, 0 empty to 255 covered.
    pub coverage: Box<[u8]>,
}

impl Glyph {
    fn rasterise(font: &Font, character: char, px: u32) -> Self {
        let (metrics, coverage) = font.rasterize(character, size(px));
        let height = i32::try_from(metrics.height).unwrap_or(0);
        Self {
            left: metrics.xmin,
            top: metrics.ymin + height,
            width: metrics.width,
            coverage: coverage.into_boxed_slice(),
        }
    }
}

#[derive(Default)]
struct Cache {
    glyphs: HashMap<(char, Weight, u32), Glyph>,
    bytes: usize,
}

fn read(path: &Path) -> Result<Vec<u8>, FontError> {
    let at = |source| FontError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::metadata(path).map_err(at)?.len();
    if bytes > FONT_BYTES_MAX {
        return Err(FontError::TooLarge {
            path: path.to_owned(),
            bytes,
        });
    }
    fs::read(path).map_err(at)
}

fn parse(weight: Weight, bytes: &[u8]) -> Result<Font, FontError> {
    let settings = FontSettings {
        // The geometry is prepared for the size of names; small print looks the same with it.
        scale: 64.0,
        // Ligatures are not used: each letter of a name is drawn as it is written.
        load_substitutions: false,
        ..FontSettings::default()
    };
    let font =
        Font::from_bytes(bytes, settings).map_err(|reason| FontError::Parse { weight, reason })?;
    match REQUIRED.chars().find(|letter| !font.has_glyph(*letter)) {
        Some(missing) => Err(FontError::Incomplete { weight, missing }),
        None => Ok(font),
    }
}

fn size(px: u32) -> f32 {
    // At most 400, which every f32 holds exactly.
    px.clamp(TYPE_PX_MIN, TYPE_PX_MAX) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_font_names_the_file_and_the_package() {
        let missing = Path::new("/nonexistent/NotoSans.ttf");
        let error = Fonts::load(missing, missing).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/NotoSans.ttf"), "{error}");
        assert!(error.contains("fonts-noto-core"), "{error}");
    }

    #[test]
    fn what_is_no_font_is_refused() {
        let error = Fonts::from_bytes(b"no font", b"").unwrap_err();
        assert!(matches!(error, FontError::Parse { .. }), "{error}");
        let error = Fonts::load(Path::new("/"), Path::new("/")).unwrap_err();
        assert!(matches!(error, FontError::Read { .. }), "{error}");
    }

    #[test]
    fn the_cache_stays_within_its_limit() {
        let fonts = match Fonts::load(Path::new(REGULAR_PATH), Path::new(BOLD_PATH)) {
            Ok(fonts) => fonts,
            Err(error) => panic!("{error}"),
        };
        for px in (TYPE_PX_MAX - 60)..=TYPE_PX_MAX {
            for letter in "ẪMWỄĐ".chars() {
                fonts.with_glyph(letter, Weight::Bold, px, |_| ());
                assert!(fonts.cache.borrow().bytes <= CACHE_BYTES_MAX);
            }
        }
    }
}
