//! A disk that loses power: a layer of SQLite's that passes everything on to the system's files,
//! remembers what was written since each file's last sync, and can take it away again in pieces of
//! 512 bytes, as a power cut does.
//!
//! It becomes the default for every connection of this process, so the code under test runs as it
//! is. Files outside the directories that were named are passed on and not remembered.
//!
//! What it does not do: bring back a deleted file, or lose a new file's name.

#![allow(
    unsafe_code,
    reason = "SQLite's layer for files is an interface of C; nothing safe wraps it"
)]

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::ffi;
use sync::backoff::Chance;

/// What a disk keeps or loses in one piece.
const SECTOR_BYTES: usize = 512;

/// The disks, by their directory.
static DISKS: Mutex<BTreeMap<PathBuf, Disk>> = Mutex::new(BTreeMap::new());

/// Writes and syncs to all disks, for the report.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// SQLite's own layer, under ours.
static BENEATH: OnceLock<Beneath> = OnceLock::new();

struct Beneath(*mut ffi::sqlite3_vfs);

// SAFETY: SQLite registers its layers once and never changes or frees them; they are made to be
// called from any thread.
unsafe impl Send for Beneath {}
// SAFETY: as above.
unsafe impl Sync for Beneath {}

#[derive(Default)]
struct Disk {
    /// Writes that are still done before the power goes; none for no end.
    writes_left: Option<u64>,
    dead: bool,
    /// Writes since the last sync, by file.
    unsynced: BTreeMap<PathBuf, Vec<Write>>,
}

/// A write, or a truncation when it has no bytes.
struct Write {
    offset: u64,
    new: Vec<u8>,
    old: Vec<u8>,
    old_bytes: u64,
    truncated: bool,
}

/// Puts the layer under every connection that is opened from now on.
pub fn install() {
    BENEATH.get_or_init(|| {
        // SAFETY: SQLite is initialised by the first call; it hands out its default layer, which
        // lives for ever.
        unsafe {
            ffi::sqlite3_initialize();
            let beneath = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!beneath.is_null(), "SQLite has a layer for files");
            let mut ours = *beneath;
            ours.zName = c"powercut".as_ptr();
            ours.pNext = ptr::null_mut();
            ours.szOsFile += HEADER;
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            let ours = Box::leak(Box::new(ours));
            ffi::sqlite3_vfs_register(ours, 1);
            Beneath(beneath)
        }
    });
}

/// Everything under this directory is on a disk of its own from now on.
pub fn add(directory: &Path) {
    disks().insert(directory.to_owned(), Disk::default());
}

/// The directory is no disk any more.
pub fn remove(directory: &Path) {
    disks().remove(directory);
}

/// The power goes after so many writes, or syncs, more.
pub fn fail_after(directory: &Path, writes: u64) {
    if let Some(disk) = disks().get_mut(directory) {
        disk.writes_left = Some(writes);
    }
}

/// Whether the power is gone.
pub fn is_dead(directory: &Path) -> bool {
    disks().get(directory).is_some_and(|disk| disk.dead)
}

/// How many writes and syncs there were.
pub fn writes() -> u64 {
    WRITES.load(Ordering::Relaxed)
}

/// What the power cut leaves: of all that was written since the last sync, some pieces and not
/// others. The power is back afterwards. No connection to a file of this disk may be open.
///
/// # Errors
/// Whatever the system says of the files.
pub fn cut(directory: &Path, chance: &mut Chance) -> io::Result<()> {
    let unsynced = {
        let mut disks = disks();
        let Some(disk) = disks.get_mut(directory) else {
            return Ok(());
        };
        disk.dead = false;
        disk.writes_left = None;
        std::mem::take(&mut disk.unsynced)
    };
    for (path, writes) in unsynced {
        let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else {
            continue;
        };
        for write in writes.iter().rev() {
            file.write_all_at(&write.old, write.offset)?;
            file.set_len(write.old_bytes)?;
        }
        let how = chance.next_u64() % 4;
        let keep = chance.next_u64() as usize % (writes.len() + 1);
        for (index, write) in writes.iter().enumerate() {
            let whole = match how {
                0 => break,
                1 | 2 => {
                    if index > keep {
                        break;
                    }
                    index < keep
                }
                _ => false,
            };
            if write.truncated {
                if whole {
                    file.set_len(write.offset)?;
                }
                continue;
            }
            for (piece, bytes) in write.new.chunks(SECTOR_BYTES).enumerate() {
                if whole || chance.next_u64().is_multiple_of(2) {
                    file.write_all_at(bytes, write.offset + (piece * SECTOR_BYTES) as u64)?;
                }
            }
        }
    }
    // What processes share in memory does not outlive them.
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.as_os_str().as_bytes().ends_with(b"-shm") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn disks() -> MutexGuard<'static, BTreeMap<PathBuf, Disk>> {
    DISKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The disk of a file, and whether its power is on. Counts one write.
fn spend(path: &Path) -> Power {
    let Some(directory) = path.parent() else {
        return Power::NoDisk;
    };
    let mut disks = disks();
    let Some(disk) = disks.get_mut(directory) else {
        return Power::NoDisk;
    };
    if !disk.dead {
        WRITES.fetch_add(1, Ordering::Relaxed);
        if let Some(left) = &mut disk.writes_left {
            if *left == 0 {
                disk.dead = true;
            } else {
                *left -= 1;
            }
        }
    }
    if disk.dead { Power::Off } else { Power::On }
}

enum Power {
    NoDisk,
    On,
    Off,
}

fn note(path: &Path, write: Option<Write>) {
    let mut disks = disks();
    let disk = path.parent().and_then(|directory| disks.get_mut(directory));
    if let Some(disk) = disk {
        match write {
            Some(write) => disk
                .unsynced
                .entry(path.to_owned())
                .or_default()
                .push(write),
            None => {
                disk.unsynced.remove(path);
            }
        }
    }
}

/// Our file, with SQLite's own behind it in the same piece of memory.
#[repr(C)]
struct File {
    methods: *const ffi::sqlite3_io_methods,
    path: *mut PathBuf,
}

const HEADER: c_int = size_of::<File>() as c_int;

/// The file beneath.
unsafe fn beneath(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite gives `szOsFile` bytes, of which the first are our header.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

unsafe fn methods(file: *mut ffi::sqlite3_file) -> &'static ffi::sqlite3_io_methods {
    // SAFETY: the file beneath was opened, so it has methods, which are static.
    unsafe { &*(*beneath(file)).pMethods }
}

unsafe fn path_of(file: *mut ffi::sqlite3_file) -> &'static Path {
    // SAFETY: `open` set it and `close` takes it away; in between it stays where it is.
    unsafe { &*(*file.cast::<File>()).path }
}

fn path_from(name: *const c_char) -> PathBuf {
    if name.is_null() {
        return PathBuf::new();
    }
    // SAFETY: SQLite's names end with a zero.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn vfs() -> *mut ffi::sqlite3_vfs {
    BENEATH.get().map_or(ptr::null_mut(), |beneath| beneath.0)
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `file` has room for our header and for the file beneath, as `szOsFile` says.
    unsafe {
        let ours = file.cast::<File>();
        (*ours).methods = ptr::null();
        (*beneath(file)).pMethods = ptr::null();
        let Some(open) = (*vfs()).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let result = open(vfs(), name, beneath(file), flags, out_flags);
        if result == ffi::SQLITE_OK {
            (*ours).path = Box::into_raw(Box::new(path_from(name)));
            (*ours).methods = &METHODS;
        }
        result
    }
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_directory: c_int,
) -> c_int {
    let path = path_from(name);
    if matches!(spend(&path), Power::Off) {
        return ffi::SQLITE_IOERR_DELETE;
    }
    note(&path, None);
    // SAFETY: the same arguments go on to the layer beneath.
    unsafe {
        match (*vfs()).xDelete {
            Some(delete) => delete(vfs(), name, sync_directory),
            None => ffi::SQLITE_IOERR_DELETE,
        }
    }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Without mapped pages, which would go past us.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Passes a call on to the file beneath.
macro_rules! pass {
    ($file:expr, $method:ident $(, $argument:expr)*) => {
        match methods($file).$method {
            Some(method) => method(beneath($file) $(, $argument)*),
            None => ffi::SQLITE_IOERR,
        }
    };
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes what `open` opened, once.
    unsafe {
        let ours = file.cast::<File>();
        drop(Box::from_raw((*ours).path));
        (*ours).methods = ptr::null();
        pass!(file, xClose)
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    bytes: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { pass!(file, xRead, into, bytes, offset) }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: `from` has `bytes` bytes; the rest is passed on as it came.
    unsafe {
        let path = path_of(file);
        match spend(path) {
            Power::NoDisk => {}
            Power::Off => return ffi::SQLITE_IOERR_WRITE,
            Power::On => {
                let count = usize::try_from(bytes).unwrap_or(0);
                let new = std::slice::from_raw_parts(from.cast::<u8>(), count).to_vec();
                remember(file, offset, new, false);
            }
        }
        pass!(file, xWrite, from, bytes, offset)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, bytes: i64) -> c_int {
    // SAFETY: passed on as it came.
    unsafe {
        match spend(path_of(file)) {
            Power::NoDisk => {}
            Power::Off => return ffi::SQLITE_IOERR_TRUNCATE,
            Power::On => remember(file, bytes, Vec::new(), true),
        }
        pass!(file, xTruncate, bytes)
    }
}

/// Notes what a write, or a truncation, is about to change.
unsafe fn remember(file: *mut ffi::sqlite3_file, offset: i64, new: Vec<u8>, truncated: bool) {
    let mut size: i64 = 0;
    // SAFETY: the file is open; the buffer has the room that is said.
    unsafe {
        let _ = pass!(file, xFileSize, &mut size);
        let end = if truncated {
            size
        } else {
            size.min(offset + new.len() as i64)
        };
        let mut old = vec![0; usize::try_from(end - offset).unwrap_or(0)];
        if !old.is_empty() {
            let bytes = c_int::try_from(old.len()).unwrap_or(c_int::MAX);
            let _ = pass!(file, xRead, old.as_mut_ptr().cast(), bytes, offset);
        }
        let write = Write {
            offset: u64::try_from(offset).unwrap_or(0),
            new,
            old,
            old_bytes: u64::try_from(size).unwrap_or(0),
            truncated,
        };
        note(path_of(file), Some(write));
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: passed on as it came.
    unsafe {
        let path = path_of(file);
        match spend(path) {
            // The files lie in memory; what the system would do here is done by forgetting that
            // anything is not synced.
            Power::On => {
                note(path, None);
                ffi::SQLITE_OK
            }
            Power::Off => ffi::SQLITE_IOERR_FSYNC,
            Power::NoDisk => pass!(file, xSync, flags),
        }
    }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, into: *mut i64) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { pass!(file, xFileSize, into) }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { pass!(file, xLock, level) }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { pass!(file, xUnlock, level) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, into: *mut c_int) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { pass!(file, xCheckReservedLock, into) }
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    what: c_int,
    with: *mut c_void,
) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { pass!(file, xFileControl, what, with) }
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_BYTES as c_int
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // Nothing is promised: no write is whole, none is in order.
    0
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    bytes: c_int,
    extend: c_int,
    into: *mut *mut c_void,
) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { pass!(file, xShmMap, page, bytes, extend, into) }
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { pass!(file, xShmLock, offset, count, flags) }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: passed on as it came.
    unsafe {
        if let Some(barrier) = methods(file).xShmBarrier {
            barrier(beneath(file));
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, remove: c_int) -> c_int {
    // SAFETY: passed on as it came.
    unsafe { pass!(file, xShmUnmap, remove) }
}
