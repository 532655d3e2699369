//! Keeps ONNX Runtime from reporting to its maker.
//!
//! Why it exists: since 1.29 the published Linux builds of ONNX Runtime carry a telemetry client
//! that is on by default. As soon as its environment is created it writes an identifier of the
//! device and a queue of events into the user's cache directory, starts upload threads and sends
//! what it queued to its maker. The switch in its API (which is used as well) comes too late for
//! the first of that; only the environment variable [`TELEMETRY_VARIABLE`], set before the library
//! starts, keeps all of it from happening. A camera in a government office reports to nobody.
//!
//! It never lets ONNX Runtime start without that variable.

use std::{env, fs};

use crate::error::InferenceError;

/// The environment variable that turns ONNX Runtime's telemetry off when it is `1` before the
/// library starts. The library reads it once.
pub const TELEMETRY_VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

const FORBIDDEN: &str = "1";

/// Forbids ONNX Runtime's telemetry for this process and its children. To be called first thing in
/// `main`, while there is one thread; costs nothing when the environment forbids it already.
///
/// # Errors
/// [`InferenceError::TelemetryNotForbidden`] when the variable is not set and other threads run,
/// since the environment must not be changed then.
pub fn forbid_telemetry() -> Result<(), InferenceError> {
    if telemetry_is_forbidden() {
        return Ok(());
    }
    if !is_only_thread() {
        return Err(InferenceError::TelemetryNotForbidden {
            variable: TELEMETRY_VARIABLE,
        });
    }
    // SAFETY: changing the environment is unsound only while another thread may read it. The
    // system has just said that this process has one thread, this one, and only this one could
    // start another.
    #[expect(unsafe_code, reason = "sound with one thread, which was checked")]
    unsafe {
        env::set_var(TELEMETRY_VARIABLE, FORBIDDEN);
    }
    Ok(())
}

/// Whether the environment forbids telemetry.
#[must_use]
pub fn telemetry_is_forbidden() -> bool {
    env::var_os(TELEMETRY_VARIABLE).is_some_and(|value| value == FORBIDDEN)
}

/// Where the system does not tell, there may be others.
fn is_only_thread() -> bool {
    fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}
