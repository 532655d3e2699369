//! Tables of what happens and what a session commands because of it, and a random walk.
//!
//! Commands are compared as short texts, so that a table reads like a protocol.

mod fixture;
mod owing;
mod table;
mod walk;
