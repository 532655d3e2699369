//! The city side of Điểm Danh: keeps meetings, people and records, answers devices and integrators.
//!
//! No SQL outside `store`, and nothing kept in the process that a second process would need.

pub mod admin;
mod auth;
mod backup;
mod bodies;
pub mod ca;
mod calendar;
mod call;
mod convert;
mod enrol;
mod handlers;
mod hub;
pub mod ingest;
mod metrics;
pub mod model;
mod offers;
mod pages;
pub mod plan;
mod portrait;
mod range;
mod reply;
pub mod revisions;
mod route;
pub mod sandbox;
mod secret;
mod server;
mod shown;
pub mod store;
pub mod times;
pub mod tls;
mod webhook;

pub use backup::{backup, restore};
pub use hub::{Clock, Hub, HubError, Options, system_time};
/// To be called first thing in `main`: the runtime that portraits are looked at with may otherwise
/// tell its makers.
pub use inference::forbid_telemetry;
pub use offers::{ContentError, digest as content_digest};
pub use portrait::{ModelPaths, ModelsError};
pub use server::{
    AddressHeader, CertificateHeader, HeaderError, ListenError, Listeners, ProxyAddress,
    ProxyHeaders, ProxyListener, ServeError, serve, serve_at,
};
pub use shown::{ServerFiles, ShownError, vouched_chain};
