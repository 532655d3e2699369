//! Templates between evaluations: one small file for each photograph, found by the digest of the
//! photograph and by all else that a template depends on. So a changed photograph, model or
//! pipeline is never answered with an old template.
//!
//! It holds templates of a dataset's people, unencrypted, for development; never a photograph, and
//! nothing of the kiosk's own delegates. Deleting it costs time and nothing else.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::condition::{CONDITIONS_VERSION, Condition};

/// Raised whenever the way from a photograph to its template changes in a manner that digests do
/// not show: decoding, scaling, the choice of the face, alignment.
const PIPELINE_VERSION: u32 = 1;

/// Largest file of the cache in bytes: the longest template in hexadecimal, and room.
const ENTRY_BYTES_MAX: u64 = 16 * 1024;

/// What a photograph came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Entry {
    /// A face, its template's values as IEEE 754 bits in hexadecimal, and whether enrolment would
    /// have refused it.
    Face {
        /// See there.
        template: String,
        /// What enrolment would have minded, if anything.
        refused: Option<String>,
    },
    /// No template, and why.
    Failed(String),
}

impl Entry {
    /// The entry of a face.
    pub fn face(values: &[f32], refused: Option<String>) -> Self {
        let template = values
            .iter()
            .map(|value| format!("{:08x}", value.to_bits()))
            .collect();
        Self::Face { template, refused }
    }

    /// The values of a template that [`Entry::face`] wrote.
    pub fn values(template: &str) -> Option<Vec<f32>> {
        let digits = template.as_bytes();
        let (chunks, rest) = digits.as_chunks::<8>();
        let value = |chunk: &[u8; 8]| {
            let text = std::str::from_utf8(chunk).ok()?;
            u32::from_str_radix(text, 16).ok().map(f32::from_bits)
        };
        rest.is_empty()
            .then(|| chunks.iter().map(value).collect())?
    }
}

/// How a photograph is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// As it is.
    Plain,
    /// As it is, but the aligned crop is mirrored before it is compared.
    Mirrored,
    /// Made worse.
    Under(Condition),
}

/// By what a photograph is known: its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key of a photograph with these bytes.
    pub fn of(photograph: &[u8]) -> Self {
        Self(hexadecimal(&Sha256::digest(photograph)))
    }
}

/// The entries of one pipeline.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache for templates that depend on `facts` (models, settings) beside the photograph.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn open(folder: &Path, facts: &[String]) -> anyhow::Result<Self> {
        let mut digest = Sha256::new();
        digest.update(PIPELINE_VERSION.to_le_bytes());
        for fact in facts {
            digest.update((fact.len() as u64).to_le_bytes());
            digest.update(fact);
        }
        let folder = folder.join(hexadecimal(&digest.finalize()[..8]));
        fs::create_dir_all(&folder)
            .with_context(|| format!("the cache {} cannot be made", folder.display()))?;
        Ok(Self { folder })
    }

    /// What is known of a photograph as it is seen. What cannot be read is not known.
    pub fn get(&self, photograph: &Key, view: View) -> Option<Entry> {
        let mut text = String::new();
        let file = File::open(self.path(photograph, view)).ok()?;
        file.take(ENTRY_BYTES_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Remembers what a photograph came to; whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, photograph: &Key, view: View, entry: &Entry) -> anyhow::Result<()> {
        let path = self.path(photograph, view);
        let part = path.with_extension("part");
        let write = || -> anyhow::Result<()> {
            File::create(&part)?.write_all(&serde_json::to_vec(entry)?)?;
            Ok(fs::rename(&part, &path)?)
        };
        write().with_context(|| format!("the cache entry {} cannot be written", path.display()))
    }

    fn path(&self, photograph: &Key, view: View) -> PathBuf {
        let view = match view {
            View::Plain => String::new(),
            View::Mirrored => "-mirrored".to_owned(),
            View::Under(condition) => format!("-{}-{CONDITIONS_VERSION}", condition.name()),
        };
        self.folder.join(format!("{}{view}.json", photograph.0))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_for_the_same_photograph_and_pipeline_only() {
        let folder = tempfile::tempdir().unwrap();
        let facts = |text: &str| vec![text.to_owned()];
        let cache = Cache::open(folder.path(), &facts("one")).unwrap();
        let entry = Entry::face(&[0.1, -1.5e-7, 1.0], Some("blurred".to_owned()));
        let key = Key::of(b"photograph");
        assert_eq!(cache.get(&key, View::Plain), None);
        cache.put(&key, View::Plain, &entry).unwrap();
        assert_eq!(cache.get(&key, View::Plain), Some(entry.clone()));
        assert_eq!(cache.get(&Key::of(b"another"), View::Plain), None);
        let dark = Entry::Failed("no face".to_owned());
        cache
            .put(&key, View::Under(Condition::Dark), &dark)
            .unwrap();
        assert_eq!(cache.get(&key, View::Under(Condition::Dark)), Some(dark));
        assert_eq!(cache.get(&key, View::Under(Condition::Grey)), None);
        assert_eq!(cache.get(&key, View::Plain), Some(entry.clone()));
        let other = Cache::open(folder.path(), &facts("two")).unwrap();
        assert_eq!(other.get(&key, View::Plain), None);
        let Entry::Face { template, .. } = entry else {
            panic!("a face")
        };
        assert_eq!(Entry::values(&template), Some(vec![0.1, -1.5e-7, 1.0]));
    }

    #[test]
    fn a_broken_entry_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path(), &[]).unwrap();
        let (key, entry) = (Key::of(b"p"), Entry::Failed("no face".to_owned()));
        cache.put(&key, View::Plain, &entry).unwrap();
        fs::write(cache.path(&key, View::Plain), "{\"face\":").unwrap();
        assert_eq!(cache.get(&key, View::Plain), None);
        for template in ["0", "zzzzzzzz", "3f80000", "ÿÿÿÿ"] {
            assert_eq!(Entry::values(template), None, "{template}");
        }
    }
}
