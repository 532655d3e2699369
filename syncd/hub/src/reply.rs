//! What an operation answers: a reply or a failure, still without HTTP. A failure's detail goes to
//! the caller; its cause goes to the log only, since it may name files.

use std::fmt::Display;
use std::fs::File;

use hyper::body::Bytes;
use tokio::sync::mpsc;
use wire::Packing;
use wire::problem::ProblemType;

use crate::store::{Missing, StoreError};

/// An answer of success.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status; the operation's own where there is none.
    pub status: Option<u16>,
    /// Headers beside those that every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: ReplyBody,
}

/// A body on its way out.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    /// None.
    Empty,
    /// Bytes of a media type.
    Whole(&'static str, Bytes),
    /// Bytes of a media type that are packed already.
    Packed(&'static str, Packing, Bytes),
    /// Bytes of a file, from one on, so many.
    File(File, u64, u64),
    /// An endless stream of a media type.
    Stream(&'static str, mpsc::Receiver<Bytes>),
}

impl Reply {
    /// A body of a media type.
    pub fn of(kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self {
            status: None,
            headers: Vec::new(),
            body: ReplyBody::Whole(kind, bytes.into()),
        }
    }

    /// JSON.
    pub fn json(value: &impl serde::Serialize) -> Result<Self, Failure> {
        json_bytes(value).map(Self::of_json)
    }

    /// What [`json_bytes`] wrote.
    pub fn of_json(bytes: Vec<u8>) -> Self {
        Self::of("application/json", bytes)
    }

    /// No body.
    pub fn empty() -> Self {
        Self {
            status: None,
            headers: Vec::new(),
            body: ReplyBody::Empty,
        }
    }

    /// "What you have still holds."
    pub fn not_modified(etag: String) -> Self {
        Self {
            status: Some(304),
            ..Self::empty()
        }
        .with("etag", etag)
    }

    /// With a header more.
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The bytes of a JSON answer, for whoever makes a tag of them first.
///
/// # Errors
/// A failure when it cannot be written.
pub(crate) fn json_bytes(value: &impl serde::Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value)
        .map_err(|error| Failure::internal("the answer cannot be written", &error))
}

/// Why an operation was not done.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Which kind of problem.
    pub kind: ProblemType,
    /// What exactly, for the caller.
    pub detail: String,
    /// What it came from, for the log.
    pub cause: Option<String>,
    /// Which methods the path has, for 405.
    pub allow: Option<String>,
    /// How many bytes there are, for 416.
    pub content_range: Option<String>,
}

impl Failure {
    /// A problem of a kind.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            cause: None,
            allow: None,
            content_range: None,
        }
    }

    /// A defect, or a failure of the system.
    pub fn internal(what: &str, cause: &dyn Display) -> Self {
        Self {
            cause: Some(format!("{what}: {cause}")),
            ..Self::new(ProblemType::Internal, INTERNAL)
        }
    }

    /// There is no such thing for this caller.
    pub fn not_found(what: &str, id: &dyn Display) -> Self {
        Self::new(ProblemType::NotFound, format!("there is no {what} {id}"))
    }

    /// A parameter or a field is wrong.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::Malformed, detail)
    }
}

const INTERNAL: &str = "the hub failed; give its operator the request's id";

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Missing(missing) => match missing {
                // The thing that the path names is not found; another one is named in the body.
                Missing::Meeting(_) | Missing::Device(_) | Missing::ApiKey(_) => {
                    ProblemType::NotFound
                }
                Missing::Organisation(_)
                | Missing::Room(_)
                | Missing::Door { .. }
                | Missing::Person(_)
                | Missing::Substituted { .. } => ProblemType::Unprocessable,
            },
            StoreError::Conflict(_) => ProblemType::Conflict,
            StoreError::Invalid(_) | StoreError::TooMany { .. } | StoreError::Batch(_) => {
                ProblemType::Unprocessable
            }
            StoreError::Full(_) | StoreError::Unavailable(_) | StoreError::Failed => {
                ProblemType::Unavailable
            }
            StoreError::Sealing(_) | StoreError::Damaged { .. } | StoreError::System(_) => {
                ProblemType::Internal
            }
        };
        let cause = chain(&error);
        match kind {
            ProblemType::Internal => Self {
                cause: Some(cause),
                ..Self::new(kind, INTERNAL)
            },
            ProblemType::Unavailable => Self {
                cause: Some(cause),
                ..Self::new(kind, error.to_string())
            },
            kind => Self::new(kind, error.to_string()),
        }
    }
}

/// An error with all that it came from, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
