//! Packed bodies, both ways: which packings the API has, and how bytes are packed and unpacked
//! within limits, so that a bomb of a few kilobytes costs no more memory than what it is taken for.
//!
//! Nothing here speaks HTTP; which packing a peer takes is for hub and daemon to find out.

use std::io::{self, BufWriter, Write};

use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};
use zstd::stream::raw::{DParameter, Decoder};
use zstd::stream::write::Encoder;
use zstd::stream::zio::Writer;

use crate::limits::{UNPACKING_ALWAYS_BYTES, UNPACKING_RATIO_MAX, ZSTD_WINDOW_LOG_MAX};

/// What a body may be packed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Packing {
    /// Zstandard (RFC 8878).
    Zstd,
    /// gzip (RFC 1952).
    Gzip,
}

/// All packings, the better ones first, as `Accept-Encoding` has them.
pub const ACCEPTED: &str = "zstd, gzip";

/// How hard it is packed: rosters and records are mostly random bytes in base64, which any level
/// packs to three quarters, and nobody should wait.
const ZSTD_LEVEL: i32 = 1;
const GZIP_LEVEL: u32 = 1;

/// What is gathered before it is packed: whoever writes JSON writes a few bytes at a time.
const GATHERED_BYTES: usize = 32 << 10;

impl Packing {
    /// All of them, the better ones first.
    pub const ALL: [Self; 2] = [Self::Zstd, Self::Gzip];

    /// Its name in `Content-Encoding` and `Accept-Encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// The packing of a name in `Content-Encoding`; `x-gzip` is an old one (RFC 9110 §8.4.1.3).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim();
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match () {
            () if is("zstd") => Some(Self::Zstd),
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () => None,
        }
    }

    /// Packs bytes.
    ///
    /// # Errors
    /// What the packer says; memory takes all bytes.
    pub fn pack(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.pack_with(|writer| writer.write_all(bytes))
    }

    /// Packs whatever is written, which need never be in memory whole.
    ///
    /// # Errors
    /// Those of `write`, and what the packer says.
    pub fn pack_with(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd => {
                let encoder = Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                gathered(encoder, write)?.finish()
            }
            Self::Gzip => {
                let encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
                gathered(encoder, write)?.finish()
            }
        }
    }
}

fn gathered<W: Write>(
    inner: W,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<W> {
    let mut writer = BufWriter::with_capacity(GATHERED_BYTES, inner);
    write(&mut writer)?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Why a body is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It has more bytes than it may.
    #[error("unpacked, the body has more than {bytes_max} bytes")]
    TooLarge {
        /// How many it may have.
        bytes_max: usize,
    },
    /// It grows as only a bomb does.
    #[error("the body grows more than {UNPACKING_RATIO_MAX} times when it is unpacked")]
    TooPacked,
    /// It is not what it says, it is cut off, or, for zstd, it asks for too large a window.
    #[error("the body is no {} that can be read here", .packing.name())]
    Broken {
        /// What it says that it is.
        packing: Packing,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
}

/// Unpacks a whole body.
///
/// # Errors
/// [`UnpackError`], before more than the limit, or than [`UNPACKING_RATIO_MAX`] times the body, is
/// in memory.
pub fn unpack(packing: Packing, packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, UnpackError> {
    let by_ratio = packed.len().saturating_mul(UNPACKING_RATIO_MAX);
    let most = bytes_max.min(by_ratio.max(UNPACKING_ALWAYS_BYTES));
    let unpacked = Unpacker::new(packing, most).and_then(|mut unpacker| {
        unpacker.push(packed)?;
        unpacker.finish()
    });
    match unpacked {
        Err(UnpackError::TooLarge { .. }) if most < bytes_max => Err(UnpackError::TooPacked),
        unpacked => unpacked,
    }
}

/// Unpacks a body as it comes, piece by piece.
pub struct Unpacker {
    packing: Packing,
    inner: Inner,
}

enum Inner {
    Zstd(Box<Writer<Bounded, Decoder<'static>>>),
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

impl Unpacker {
    /// An unpacker of a body that has at most so many bytes when it is unpacked.
    ///
    /// # Errors
    /// [`UnpackError::Broken`] when there is no memory for it.
    pub fn new(packing: Packing, bytes_max: usize) -> Result<Self, UnpackError> {
        let bounded = Bounded {
            bytes: Vec::new(),
            bytes_max,
            is_over: false,
        };
        let inner = match packing {
            Packing::Zstd => {
                let broken = |source| UnpackError::Broken { packing, source };
                let mut decoder = Decoder::new().map_err(broken)?;
                decoder
                    .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))
                    .map_err(broken)?;
                Inner::Zstd(Box::new(Writer::new(bounded, decoder)))
            }
            Packing::Gzip => Inner::Gzip(Box::new(MultiGzDecoder::new(bounded))),
        };
        Ok(Self { packing, inner })
    }

    /// Unpacks the next piece.
    ///
    /// # Errors
    /// [`UnpackError::TooLarge`] and [`UnpackError::Broken`]; nothing is to be pushed after that.
    pub fn push(&mut self, packed: &[u8]) -> Result<(), UnpackError> {
        let done = match &mut self.inner {
            Inner::Zstd(writer) => writer.write_all(packed),
            Inner::Gzip(decoder) => decoder.write_all(packed),
        };
        done.map_err(|error| self.failure(error))
    }

    /// All of it, when it has come to its end.
    ///
    /// # Errors
    /// As [`Unpacker::push`], and [`UnpackError::Broken`] when the end is missing.
    pub fn finish(mut self) -> Result<Vec<u8>, UnpackError> {
        let done = match &mut self.inner {
            Inner::Zstd(writer) => writer.finish(),
            Inner::Gzip(decoder) => decoder.try_finish(),
        };
        done.map_err(|error| self.failure(error))?;
        Ok(std::mem::take(&mut self.bounded().bytes))
    }

    fn bounded(&mut self) -> &mut Bounded {
        match &mut self.inner {
            Inner::Zstd(writer) => writer.writer_mut(),
            Inner::Gzip(decoder) => decoder.get_mut(),
        }
    }

    fn failure(&mut self, source: io::Error) -> UnpackError {
        let packing = self.packing;
        let bounded = self.bounded();
        match bounded.is_over {
            true => UnpackError::TooLarge {
                bytes_max: bounded.bytes_max,
            },
            false => UnpackError::Broken { packing, source },
        }
    }
}

/// Bytes that grow to a limit and no further.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    is_over: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_over || bytes.len() > self.bytes_max - self.bytes.len() {
            self.is_over = true;
            return Err(io::Error::other("it is too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_refused(packing: Packing, packed: &[u8], bytes_max: usize, expect: &str) {
        let error = unpack(packing, packed, bytes_max).unwrap_err();
        assert!(error.to_string().contains(expect), "{packing:?}: {error}");
    }

    #[test]
    fn a_bomb_is_refused_and_an_honest_body_is_not() {
        for packing in Packing::ALL {
            let bomb = packing.pack(&vec![0; 10 << 20]).unwrap();
            check_refused(packing, &bomb, 64 << 20, "100 times");
            let honest: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
            let packed = packing.pack(&honest).unwrap();
            assert_eq!(unpack(packing, &packed, 64 << 20).unwrap(), honest);
            check_refused(packing, &packed, 1000, "more than 1000 bytes");
            let spaces = packing.pack(&[b' '; 9000]).unwrap();
            assert_eq!(unpack(packing, &spaces, 1 << 20).unwrap().len(), 9000);
        }
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_broken() {
        for packing in Packing::ALL {
            let whole = packing.pack(b"a body of some length").unwrap();
            for end in 0..whole.len() {
                check_refused(packing, &whole[..end], 1 << 20, packing.name());
            }
            let garbage = [&whole[..], b"garbage"].concat();
            check_refused(packing, &garbage, 1 << 20, packing.name());
            check_refused(packing, b"nothing of the kind", 1 << 20, packing.name());
        }
        let gzip = Packing::Gzip.pack(b"x").unwrap();
        check_refused(Packing::Zstd, &gzip, 1 << 20, "zstd");
    }

    /// A frame's header says how much memory it wants before a byte has come out of it.
    #[test]
    fn a_window_larger_than_the_limit_is_refused_before_it_is_made() {
        let framed = |log: u32| {
            let mut encoder = Encoder::new(Vec::new(), ZSTD_LEVEL).unwrap();
            encoder.window_log(log).unwrap();
            encoder.write_all(&[b'x'; 100]).unwrap();
            // Without a flush the whole is known, and its length is the window.
            encoder.flush().unwrap();
            encoder.finish().unwrap()
        };
        let good = framed(ZSTD_WINDOW_LOG_MAX);
        assert_eq!(unpack(Packing::Zstd, &good, 1 << 20).unwrap().len(), 100);
        let large = framed(ZSTD_WINDOW_LOG_MAX + 1);
        check_refused(Packing::Zstd, &large, 1 << 20, "zstd");
    }

    #[test]
    fn several_frames_are_one_body() {
        for packing in Packing::ALL {
            let two = [packing.pack(b"ab").unwrap(), packing.pack(b"cd").unwrap()].concat();
            assert_eq!(unpack(packing, &two, 4).unwrap(), b"abcd");
            check_refused(packing, &two, 3, "more than 3 bytes");
        }
    }

    #[test]
    fn every_packing_is_found_by_its_name_and_is_accepted() {
        let names: Vec<_> = Packing::ALL.iter().map(|packing| packing.name()).collect();
        assert_eq!(names.join(", "), ACCEPTED);
        for packing in Packing::ALL {
            assert_eq!(Packing::from_name(packing.name()), Some(packing));
        }
        assert_eq!(Packing::from_name(" X-GZIP"), Some(Packing::Gzip));
        assert_eq!(Packing::from_name("br"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(
            bytes: Vec<u8>,
            piece in 1usize..16,
            cut in 1usize..64,
        ) {
            for packing in Packing::ALL {
                let _ = unpack(packing, &bytes, 1 << 16);
                let packed = packing.pack(&bytes).unwrap();
                let mut unpacker = Unpacker::new(packing, bytes.len()).unwrap();
                for piece in packed.chunks(piece) {
                    unpacker.push(piece).unwrap();
                }
                prop_assert_eq!(&unpacker.finish().unwrap(), &bytes);
                let _ = unpack(packing, &packed[..packed.len().saturating_sub(cut)], 1 << 16);
            }
        }

        #[test]
        fn a_body_that_was_changed_on_the_way_costs_no_more(at: usize, to: u8) {
            for packing in Packing::ALL {
                let mut packed = packing.pack(&[7; 5000]).unwrap();
                let at = at % packed.len();
                packed[at] = to;
                if let Ok(bytes) = unpack(packing, &packed, 6000) {
                    prop_assert!(bytes.len() <= 6000);
                }
            }
        }
    }
}
