//! Splits what ffmpeg writes into pictures: binary PPM (P6), one after the other.
//!
//! Pure: bytes in, pixels out, as they arrive and in pieces of any size. PPM is used because each
//! picture says its own size and nothing is compressed twice. Never takes memory for a picture
//! before its header is found to be good.

use imaging::{Picture, SizeError};

/// Longest header in bytes: "P6\n8192 8192\n255\n" has 17; the rest is for other writers' spaces.
const HEADER_BYTES_MAX: usize = 64;

/// The only depth that is read: eight bits a channel.
const CHANNEL_MAX: u32 = 255;

/// Why the bytes are no PPM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PpmError {
    /// The header is none, or is too long.
    #[error("the header of a picture is not that of a PPM with eight bits a channel")]
    Header,
    /// The header names an unusable size.
    #[error("the header of a picture names an unusable size")]
    Size(#[source] SizeError),
}

/// Takes bytes in, gives pictures out.
pub struct PpmSplitter {
    header: Vec<u8>,
    /// The picture being filled, and how many of its bytes are there; none between pictures.
    filling: Option<usize>,
    picture: Picture,
}

impl PpmSplitter {
    /// A splitter at the beginning of a picture.
    ///
    /// # Errors
    /// None in practice; the size of the first, black picture is valid.
    pub fn new() -> Result<Self, SizeError> {
        Ok(Self {
            header: Vec::with_capacity(HEADER_BYTES_MAX),
            filling: None,
            picture: Picture::new(1, 1)?,
        })
    }

    /// Whether the bytes so far end within a picture.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.filling.is_some() || !self.header.is_empty()
    }

    /// Where the next bytes are to be written, when a picture is being filled; followed by
    /// [`PpmSplitter::filled`]. Spares a copy of every frame.
    pub fn room(&mut self) -> Option<&mut [u8]> {
        let at = self.filling?;
        self.picture.rgb_mut().get_mut(at..)
    }

    /// So many bytes were written to [`PpmSplitter::room`]. True when the picture is whole; it is
    /// then to be taken.
    pub fn filled(&mut self, count: usize) -> bool {
        let whole = self.picture.rgb().len();
        let at = self.filling.map_or(0, |at| at.saturating_add(count));
        self.filling = (at < whole).then_some(at);
        at >= whole
    }

    /// Takes in one byte of a header; true when the header is complete and pixels follow.
    ///
    /// # Errors
    /// [`PpmError`]; the stream is then of no more use.
    pub fn header_byte(&mut self, byte: u8) -> Result<bool, PpmError> {
        self.header.push(byte);
        if self.header.len() > HEADER_BYTES_MAX
            || !b"P6".starts_with(&self.header[..self.header.len().min(2)])
        {
            return Err(PpmError::Header);
        }
        if !byte.is_ascii_whitespace() {
            return Ok(false);
        }
        let Some((width, height)) = parse(&self.header)? else {
            return Ok(false);
        };
        self.header.clear();
        self.picture
            .reshape(width, height)
            .map_err(PpmError::Size)?;
        self.filling = Some(0);
        Ok(true)
    }

    /// Exchanges the whole picture for `into`, whose memory is used for the next one.
    pub fn take(&mut self, into: &mut Picture) {
        std::mem::swap(&mut self.picture, into);
    }

    /// Takes in any bytes, and calls `whole` with each picture that they complete.
    ///
    /// # Errors
    /// [`PpmError`]; the stream is then of no more use.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        mut whole: impl FnMut(&Picture),
    ) -> Result<(), PpmError> {
        while let Some((first, rest)) = bytes.split_first() {
            let Some(room) = self.room() else {
                self.header_byte(*first)?;
                bytes = rest;
                continue;
            };
            let count = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            room[..count].copy_from_slice(now);
            bytes = later;
            if self.filled(count) {
                whole(&self.picture);
            }
        }
        Ok(())
    }
}

/// Width and height of a header that ends with the one white-space character before the pixels;
/// none while it is not complete.
fn parse(header: &[u8]) -> Result<Option<(u32, u32)>, PpmError> {
    let text = std::str::from_utf8(header).map_err(|_| PpmError::Header)?;
    let mut words = text.split_ascii_whitespace();
    if words.next() != Some("P6") {
        return Err(PpmError::Header);
    }
    let mut number = || match words.next() {
        None => Ok(None),
        Some(word) => word.parse::<u32>().map(Some).map_err(|_| PpmError::Header),
    };
    let (width, height, most) = (number()?, number()?, number()?);
    match (width, height, most) {
        (Some(width), Some(height), Some(CHANNEL_MAX)) => Ok(Some((width, height))),
        (_, _, Some(_)) => Err(PpmError::Header),
        (_, _, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ppm(picture: &Picture) -> Vec<u8> {
        let mut bytes = format!("P6\n{} {}\n255\n", picture.width(), picture.height()).into_bytes();
        bytes.extend_from_slice(picture.rgb());
        bytes
    }

    fn split(pieces: &[&[u8]]) -> Result<Vec<Picture>, PpmError> {
        let mut splitter = PpmSplitter::new().unwrap();
        let mut pictures = Vec::new();
        for piece in pieces {
            splitter.push(piece, |picture| pictures.push(picture.clone()))?;
        }
        Ok(pictures)
    }

    fn picture() -> impl Strategy<Value = Picture> {
        (1..6_u32, 1..6_u32, any::<u8>()).prop_map(|(width, height, seed)| {
            // Pixels include white space and digits, which must not be read as a header.
            let pixels = (0..width * height * 3).map(|i| (i as u8).wrapping_mul(7) ^ seed);
            Picture::from_rgb(width, height, pixels.collect()).unwrap()
        })
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        let check = |bytes: &[u8], expect: Result<usize, PpmError>| {
            assert_eq!(split(&[bytes]).map(|all| all.len()), expect, "{bytes:?}");
        };
        check(b"P6\n1 1\n255\nabc", Ok(1));
        check(b"P6 1 1 255 abc", Ok(1));
        check(b"P6\n1 1\n255\nab", Ok(0));
        check(b"", Ok(0));
        check(b"P5\n1 1\n255\n", Err(PpmError::Header));
        check(b"P6\n1 1\n65535\n", Err(PpmError::Header));
        check(b"P6\n-1 1\n255\n", Err(PpmError::Header));
        check(b"P6\n1 99999999999\n", Err(PpmError::Header));
        check(
            &[b"P6".as_slice(), &[b' '; 99]].concat(),
            Err(PpmError::Header),
        );
        check(
            b"P6\n9000 1\n255\n",
            Err(PpmError::Size(SizeError {
                width: 9000,
                height: 1,
                bytes: 0,
            })),
        );
    }

    proptest! {
        #[test]
        fn pictures_come_out_whole_however_the_bytes_are_cut(
            pictures in proptest::collection::vec(picture(), 0..5),
            cuts in proptest::collection::vec(1..40_usize, 1..40),
        ) {
            let bytes: Vec<u8> = pictures.iter().flat_map(ppm).collect();
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = later;
            }
            prop_assert_eq!(split(&pieces).unwrap(), pictures);
        }

        #[test]
        fn no_bytes_break_the_splitter(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = split(&[&bytes]);
            let _ = split(&[b"P6\n", &bytes]);
        }
    }
}
