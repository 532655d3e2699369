//! The kiosk as its keepers use it: the real program, with real files, faces and failures.
//!
//! Each test has a directory and a configuration of its own. No test fetches anything: where models
//! or portraits are missing it says so and passes, unless `DIEMDANH_SET_UP=1` says that set-up has
//! run; then it fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod city;
mod door;
mod help;
mod kit;
mod pictures;
mod portraits;
mod rosters;
mod setting;
mod trouble;
