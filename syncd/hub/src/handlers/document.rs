//! The API's own document.

use std::sync::{Arc, LazyLock};

use hyper::body::Bytes;

use crate::call::Call;
use crate::hub::Hub;
use crate::reply::{Failure, Reply};

/// Made once: it only changes with the program.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| wire::openapi::text().into());

pub(super) fn open_api(_: &Arc<Hub>, _: &Call) -> Result<Reply, Failure> {
    Ok(Reply::of("application/json", DOCUMENT.clone()))
}
