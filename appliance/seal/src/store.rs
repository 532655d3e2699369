//! Where a device keeps the key that unwraps. A store answers with the unwrapped key and never with
//! its own, so that one can be a chip that does not give it away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::SealError;
use crate::binding::WrapBinding;
use crate::key::{DataKey, KeyId};
use crate::wrap::{DevicePublicKey, WrappedKey, public_key, unwrap};

/// The first line of a key file.
const HEADER: &str = "diemdanh device key 1\n";

/// Most bytes of a key file: the header, 64 digits and a line break are fewer.
pub const KEY_FILE_BYTES_MAX: u64 = 256;

/// A device's key, usable and not readable.
pub trait KeyStore: Send + Sync {
    /// The public half, to wrap keys for this device.
    fn public_key(&self) -> &DevicePublicKey;

    /// Unwraps a key that was wrapped for this device under this binding.
    ///
    /// # Errors
    /// [`SealError::Wrapped`] when it was not, or was changed.
    fn unwrap_key(&self, wrapped: &WrappedKey, binding: &WrapBinding)
    -> Result<DataKey, SealError>;
}

/// Why a key file cannot be used.
#[derive(Debug, Error)]
pub enum KeyStoreError {
    /// The operating system refused; names the file and what was tried.
    #[error("{}: the key file cannot be {doing}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried: "read", "created", ….
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Others can read or write the key, or it is not a plain file.
    #[error(
        "{}: the key file must be a plain file that only its owner can read, its mode is \
         {mode:03o}; run: chmod 600 {}", path.display(), path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a device key.
    #[error(
        "{}: this is no device key, or a damaged one; restore it from where it was kept, or move \
         it away and enrol again: what was sealed for it stays unreadable", path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// A new key could not be made.
    #[error("a new device key cannot be made")]
    Generate(#[source] SealError),
}

/// A key in a file of mode 0600, readable by its owner alone.
pub struct FileKeyStore {
    key: MemoryKeyStore,
    path: PathBuf,
}

impl FileKeyStore {
    /// Opens the key file, or makes a new key where there is none.
    ///
    /// The file appears whole or not at all, and one that exists is never written to.
    ///
    /// # Errors
    /// [`KeyStoreError`] names the file, what is wrong with it and what to do.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyStoreError> {
        match Self::open(path) {
            Err(KeyStoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create(path)?;
                Self::open(path)
            }
            opened => opened,
        }
    }

    /// Opens a key file that exists.
    ///
    /// # Errors
    /// [`KeyStoreError`] names the file, what is wrong with it and what to do.
    pub fn open(path: &Path) -> Result<Self, KeyStoreError> {
        let io_error = failed(path, "read");
        let file = File::open(path).map_err(&io_error)?;
        let metadata = file.metadata().map_err(&io_error)?;
        let mode = metadata.mode() & 0o7777;
        if !metadata.is_file() || mode & 0o077 != 0 {
            return Err(KeyStoreError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX as usize));
        let damaged = || KeyStoreError::Damaged {
            path: path.to_owned(),
        };
        match file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text) {
            Err(source) if source.kind() == io::ErrorKind::InvalidData => return Err(damaged()),
            read => read.map_err(&io_error)?,
        };
        let private = parse(&text).ok_or_else(damaged)?;
        let key = MemoryKeyStore::from_private(private).map_err(KeyStoreError::Generate)?;
        Ok(Self {
            key,
            path: path.to_owned(),
        })
    }

    /// Where the key is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl KeyStore for FileKeyStore {
    fn public_key(&self) -> &DevicePublicKey {
        self.key.public_key()
    }

    fn unwrap_key(
        &self,
        wrapped: &WrappedKey,
        binding: &WrapBinding,
    ) -> Result<DataKey, SealError> {
        self.key.unwrap_key(wrapped, binding)
    }
}

/// A key in memory: gone with the process, or given to it by somebody else on contact.
pub struct MemoryKeyStore {
    private: Zeroizing<[u8; 32]>,
    public: DevicePublicKey,
}

impl MemoryKeyStore {
    /// A new random key.
    ///
    /// # Errors
    /// [`SealError::Random`] when the system gives no random numbers.
    pub fn generate() -> Result<Self, SealError> {
        let mut private = Zeroizing::new([0; 32]);
        getrandom::fill(private.as_mut()).map_err(SealError::Random)?;
        Self::from_private(private)
    }

    fn from_private(private: Zeroizing<[u8; 32]>) -> Result<Self, SealError> {
        let public = public_key(&private)?;
        Ok(Self { private, public })
    }
}

impl KeyStore for MemoryKeyStore {
    fn public_key(&self) -> &DevicePublicKey {
        &self.public
    }

    fn unwrap_key(
        &self,
        wrapped: &WrappedKey,
        binding: &WrapBinding,
    ) -> Result<DataKey, SealError> {
        unwrap(wrapped, binding, &self.private)
    }
}

/// Writes a new key beside its place and links it there. Linking refuses to replace a file, so of
/// two processes one makes the key and both use it.
fn create(path: &Path) -> Result<(), KeyStoreError> {
    let io_error = failed(path, "created");
    let id = KeyId::generate().map_err(KeyStoreError::Generate)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{id}.new"));
    let beside = PathBuf::from(name);
    let written = write_key(&beside, path);
    let linked = written.and_then(|()| match fs::hard_link(&beside, path) {
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(&io_error),
    });
    // The link is what counts; a left-over of the name beside it is as well protected.
    let _ = fs::remove_file(&beside);
    linked?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error)
}

fn write_key(beside: &Path, path: &Path) -> Result<(), KeyStoreError> {
    let io_error = failed(path, "created");
    let mut private = Zeroizing::new([0; 32]);
    getrandom::fill(private.as_mut())
        .map_err(|source| KeyStoreError::Generate(SealError::Random(source)))?;
    let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX as usize));
    text.push_str(HEADER);
    for byte in private.iter() {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text.push('\n');
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(beside)
        .map_err(&io_error)?;
    // A mask of the process could have taken more away, but never adds: this says 0600 exactly.
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .map_err(io_error)
}

fn parse(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digits = text.strip_prefix(HEADER)?.strip_suffix('\n')?;
    if digits.len() != 64
        || !digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    let mut private = Zeroizing::new([0; 32]);
    for (byte, pair) in private.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(private)
}

fn failed(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> KeyStoreError {
    move |source| KeyStoreError::Io {
        path: path.to_owned(),
        doing,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scope, wrap};
    use proptest::prelude::*;
    use vocabulary::{DeviceId, OrganisationId};

    fn binding() -> WrapBinding {
        WrapBinding {
            device: DeviceId::new("kiosk-07").unwrap(),
            key: KeyId([5; 16]),
            scope: Scope {
                organisation: OrganisationId::new("mau").unwrap(),
                meeting: None,
            },
        }
    }

    #[test]
    fn a_key_made_once_unwraps_ever_after() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("device.key");
        let made = FileKeyStore::open_or_create(&path).unwrap();
        let key = DataKey::from_bytes([9; 32]);
        let wrapped = wrap(&key, &binding(), made.public_key()).unwrap();
        let again = FileKeyStore::open_or_create(&path).unwrap();
        let unwrapped = again.unwrap_key(&wrapped, &binding()).unwrap();
        assert_eq!(unwrapped.bytes(), key.bytes());
        let names: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing else is left behind");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn all_who_create_at_once_use_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("device.key");
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let store = FileKeyStore::open_or_create(&path).unwrap();
                    store.public_key().clone()
                })
            })
            .collect();
        let mut keys: Vec<_> = threads.into_iter().map(|t| t.join().unwrap().0).collect();
        keys.dedup();
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("device.key");
        FileKeyStore::open_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = FileKeyStore::open_or_create(&path).err().unwrap();
            let text = error.to_string();
            assert!(
                text.contains(&format!("its mode is {mode:o}; run: chmod 600")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_damaged_key_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("device.key");
        FileKeyStore::open_or_create(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        let check = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let opened = FileKeyStore::open_or_create(&path);
            assert!(
                matches!(opened, Err(KeyStoreError::Damaged { .. })),
                "{bytes:?}"
            );
            assert_eq!(fs::read(&path).unwrap(), bytes);
        };
        check(b"");
        check(&whole[..whole.len() - 1]);
        check(&whole[..whole.len() - 9]);
        check(&[&whole[..], b"\n"].concat());
        check(&[&whole[..], &[b'x'; 5000]].concat());
        check(&[0xff; 86]);
        fs::write(&path, &whole).unwrap();
        assert!(FileKeyStore::open(&path).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_key_but_the_one_form(text in ".{0,100}", digits in "[0-9a-f]{60,68}") {
            prop_assert!(parse(&text).is_none());
            let whole = format!("{HEADER}{digits}\n");
            prop_assert_eq!(parse(&whole).is_some(), digits.len() == 64);
            let other = format!("{HEADER}{text}\n");
            prop_assert!(parse(&other).is_none());
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let path = Path::new("/dev/null/device.key");
        let error = FileKeyStore::open_or_create(path).err().unwrap();
        assert!(
            error.to_string().contains("/dev/null/device.key"),
            "{error}"
        );
        let directory = tempfile::tempdir().unwrap();
        let error = FileKeyStore::open_or_create(directory.path())
            .err()
            .unwrap();
        assert!(matches!(error, KeyStoreError::Exposed { .. }), "{error}");
    }
}
