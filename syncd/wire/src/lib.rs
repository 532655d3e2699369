//! The sync API between doors, the hub and those who build on it: versioned request and reply
//! types, the one table of operations with who may call them, and the OpenAPI document made from
//! both.
//!
//! Nothing here does I/O, keeps state or decides. A type that arrives here was only *read*: ids
//! and sizes are checked, what they mean is for `sync` and `hub`.

pub mod device;
pub mod enrolment;
pub mod fleet;
pub mod invitation;
pub mod limits;
pub mod meeting;
pub mod offer;
pub mod openapi;
pub mod operation;
pub mod packing;
pub mod plan;
pub mod problem;
pub mod roll;
pub mod scalar;
pub mod table;
pub mod webhook;

pub use operation::{Access, Operation, Scope};
pub use packing::Packing;
pub use problem::{Problem, ProblemType};
pub use scalar::{Base64, Hex32, Id, Name, Timestamp};
pub use table::OPERATIONS;

/// The version that stands in every path. It is a draft until a meeting has been held through it
/// at a real door; what is built on it may have to change once more.
pub const VERSION: &str = "v1-draft";

/// What every versioned path begins with.
pub const BASE: &str = "/v1-draft";
