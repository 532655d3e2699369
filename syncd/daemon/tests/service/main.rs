//! How hub and daemon are run, as the programs that an operator starts: whom they believe, by which
//! certificates, through whom, and what they say when they do not.

#![allow(
    clippy::unwrap_used,
    reason = "whatever is missing here fails the test that needs it"
)]

mod authority;
mod behind;
mod certificates;
mod city;
mod commands;
#[path = "../door/mod.rs"]
#[allow(dead_code, reason = "the other test of the daemon uses the rest")]
mod door;
mod notified;
mod rotation;
mod units;
mod way;
