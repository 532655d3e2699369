//! Templates as an archive that `numpy.load` reads, so that others can check every number of a
//! report with tools of their own. Writes only; this project reads no such archive.
//!
//! The array format is NumPy's NPY 1.0: a magic number, a Python literal that describes the array,
//! padded so that the values begin at a multiple of 64 bytes, and the values.

use std::io::{Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Writes `paths` (strings) and `feats` (one row of floats for each path).
///
/// # Errors
/// When the output cannot be written, or rows differ in length.
pub fn write<W: Write + Seek>(to: W, paths: &[&str], feats: &[&[f32]]) -> anyhow::Result<()> {
    let width = feats.first().map_or(0, |row| row.len());
    anyhow::ensure!(
        feats.iter().all(|row| row.len() == width) && feats.len() == paths.len(),
        "templates of several lengths do not fit one array"
    );
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut archive = ZipWriter::new(to);
    archive.start_file("paths.npy", options)?;
    archive.write_all(&strings(paths))?;
    archive.start_file("feats.npy", options)?;
    let mut bytes = header("<f4", &format!("({}, {width})", feats.len()));
    bytes.extend(
        feats
            .iter()
            .flat_map(|row| row.iter())
            .flat_map(|v| v.to_le_bytes()),
    );
    archive.write_all(&bytes)?;
    archive.finish()?.flush()?;
    Ok(())
}

/// An array of strings: each as many UTF-32 characters as the longest has, filled up with zeros.
fn strings(texts: &[&str]) -> Vec<u8> {
    let longest = texts.iter().map(|text| text.chars().count()).max();
    // NumPy knows no strings of no length.
    let width = longest.unwrap_or(0).max(1);
    let mut bytes = header(&format!("<U{width}"), &format!("({},)", texts.len()));
    for text in texts {
        let codes = text.chars().map(u32::from).chain(std::iter::repeat(0));
        bytes.extend(codes.take(width).flat_map(u32::to_le_bytes));
    }
    bytes
}

fn header(kind: &str, shape: &str) -> Vec<u8> {
    /// Magic number, version and the length of the description.
    const BEFORE: usize = 10;
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (BEFORE + text.len() + 1).next_multiple_of(64) - BEFORE;
    let padding = length - text.len() - 1;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};

    fn member(archive: &[u8], name: &str) -> Vec<u8> {
        let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
        let mut bytes = Vec::new();
        archive
            .by_name(name)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    }

    #[test]
    fn arrays_are_as_numpy_describes_them() {
        let mut file = Cursor::new(Vec::new());
        write(&mut file, &["a/1", "Đ"], &[&[1.0, 2.0], &[3.0, -1.0]]).unwrap();
        let file = file.into_inner();
        let check = |name, description: &str, values: &[u8]| {
            let array = member(&file, name);
            assert_eq!(&array[..8], b"\x93NUMPY\x01\x00");
            let length = usize::from(u16::from_le_bytes([array[8], array[9]]));
            assert_eq!((10 + length) % 64, 0);
            let text = std::str::from_utf8(&array[10..10 + length]).unwrap();
            assert_eq!(text.trim_end(), description);
            assert!(text.ends_with('\n'));
            assert_eq!(&array[10 + length..], values);
        };
        let floats: Vec<u8> = [1.0_f32, 2.0, 3.0, -1.0]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let form = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
        check("feats.npy", form, &floats);
        let codes = [
            u32::from('a'),
            u32::from('/'),
            u32::from('1'),
            u32::from('Đ'),
            0,
            0,
        ];
        let letters: Vec<u8> = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
        let form = "{'descr': '<U3', 'fortran_order': False, 'shape': (2,), }";
        check("paths.npy", form, &letters);
    }

    #[test]
    fn rows_of_several_lengths_are_refused() {
        let mut file = Cursor::new(Vec::new());
        assert!(write(&mut file, &["a", "b"], &[&[1.0], &[1.0, 2.0]]).is_err());
    }
}
