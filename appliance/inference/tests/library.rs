//! A library that is missing, broken, something else or too old is an error that says what to do.
//!
//! Nothing here ever loads a library that works: a process has one runtime, and the tests of this
//! target share a process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use inference::{InferenceError, Runtime, RuntimeConfig, THREADS_MAX};

fn refusal(path: &Path) -> InferenceError {
    Runtime::load(path).expect_err("this library must not load")
}

#[test]
fn a_missing_library_is_named_with_the_way_out() {
    let error = refusal(Path::new("/nowhere/libonnxruntime.so"));
    assert_eq!(
        error.to_string(),
        "ONNX Runtime is missing: /nowhere/libonnxruntime.so; run `deploy/setup`, which fetches \
         it, or name the library in the configuration"
    );
}

#[test]
fn what_is_no_library_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("libonnxruntime.so");
    for content in [&b""[..], b"not a library", b"\x7fELF\x02\x01\x01"] {
        fs::write(&path, content).unwrap();
        let error = refusal(&path);
        assert!(
            matches!(error, InferenceError::LibraryUnusable { .. }),
            "{error}"
        );
        assert!(error.source().is_some(), "the loader's own words are kept");
    }
    let error = refusal(directory.path());
    assert!(
        matches!(error, InferenceError::LibraryUnusable { .. }),
        "{error}"
    );
}

#[test]
fn a_library_of_something_else_is_refused() {
    let error = refusal(&some_other_library());
    assert!(
        matches!(error, InferenceError::LibraryUnusable { .. }),
        "{error}"
    );
}

#[test]
fn an_old_library_is_refused_by_its_version() {
    let directory = tempfile::tempdir().unwrap();
    let check = |version: &str| {
        let library = claims_to_be(directory.path(), version);
        let error = refusal(&library);
        let InferenceError::LibraryTooOld { found, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(found, version);
    };
    check("1.30.2");
    check("1.9.0");
    check("nonsense");
}

#[test]
fn threads_out_of_range_are_refused_before_anything_is_loaded() {
    for threads in [0, THREADS_MAX + 1] {
        let error = Runtime::load_with(Path::new("/nowhere"), RuntimeConfig { threads });
        assert!(
            matches!(error, Err(InferenceError::Threads { .. })),
            "{error:?}"
        );
    }
}

/// The C library that this very process runs on.
fn some_other_library() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| path.contains("/libc.so") || path.contains("/libc-"));
    PathBuf::from(path.expect("a C library is mapped"))
}

/// A library with the entry point of ONNX Runtime that states `version` and has no functions.
fn claims_to_be(directory: &Path, version: &str) -> PathBuf {
    let source = directory.join(format!("{version}.c"));
    let library = directory.join(format!("{version}.so"));
    let text = format!(
        "struct base {{ const void *(*api)(unsigned); const char *(*version)(void); }};\n\
         static const void *api(unsigned v) {{ (void)v; return 0; }}\n\
         static const char *version(void) {{ return \"{version}\"; }}\n\
         static const struct base base = {{ api, version }};\n\
         const struct base *OrtGetApiBase(void) {{ return &base; }}\n"
    );
    fs::write(&source, text).unwrap();
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .expect("the C compiler that links Rust");
    assert!(status.success());
    library
}
