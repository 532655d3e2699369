//! The city side of Điểm Danh: keeps meetings, people and records, answers devices and integrators.
//!
//! No SQL outside `store`, and nothing kept in the process that a second process would need.

pub mod ingest;
pub mod model;
pub mod revisions;
pub mod store;
pub mod times;
