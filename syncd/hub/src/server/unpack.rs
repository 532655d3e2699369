//! Bodies that come packed, unpacked within limits: a bomb of a few kilobytes costs no more memory
//! than the operation's own limit.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use wire::limits::UNPACKING_RATIO_MAX;
use wire::problem::ProblemType;

use crate::reply::Failure;

/// How much any body may grow whatever the ratio, so that short ones of equal letters pass.
const ALWAYS_ALLOWED_BYTES: usize = 64 << 10;

/// Unpacks a gzip body.
///
/// # Errors
/// [`ProblemType::TooLarge`] when it grows beyond the limit or too many times over;
/// [`ProblemType::Malformed`] when it is no gzip.
pub(super) fn gunzip(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let ratio_max = packed.len().saturating_mul(UNPACKING_RATIO_MAX);
    let most = bytes_max.min(ratio_max.max(ALWAYS_ALLOWED_BYTES));
    let mut bytes = Vec::new();
    MultiGzDecoder::new(packed)
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::malformed(format!("the body is no gzip: {error}")))?;
    if bytes.len() <= most {
        return Ok(bytes);
    }
    let detail = if most == bytes_max {
        format!("unpacked, the body has more than {bytes_max} bytes")
    } else {
        format!("the body grows more than {UNPACKING_RATIO_MAX} times when it is unpacked")
    };
    Err(Failure::new(ProblemType::TooLarge, detail))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_refused_and_an_honest_body_is_not() {
        let bomb = gzip(&vec![0; 10 << 20]);
        let refused = gunzip(&bomb, 64 << 20).unwrap_err();
        assert_eq!(refused.kind, ProblemType::TooLarge);
        assert!(refused.detail.contains("100 times"), "{}", refused.detail);
        let honest: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(gunzip(&gzip(&honest), 64 << 20).unwrap(), honest);
        let refused = gunzip(&gzip(&honest), 1000).unwrap_err();
        assert!(refused.detail.contains("1000 bytes"), "{}", refused.detail);
        assert_eq!(gunzip(&gzip(&[b' '; 9000]), 1 << 20).unwrap().len(), 9000);
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes: Vec<u8>, cut in 0usize..64) {
            let _ = gunzip(&bytes, 1 << 16);
            let packed = gzip(&bytes);
            prop_assert_eq!(gunzip(&packed, 1 << 16).unwrap(), bytes);
            let _ = gunzip(&packed[..packed.len().saturating_sub(cut)], 1 << 16);
        }
    }
}
