//! What every store must do, as a suite that any store can be put through: each case gets a new,
//! empty one. What a case finds wrong makes it panic with what it expected.
//!
//! The ids and names in here are made up.
#![allow(
    clippy::unwrap_used,
    reason = "what fails here is a failed test, and panics"
)]

mod cards;
mod city;
mod devices;
mod doors;
pub(crate) mod fixture;
mod offers;
mod people;
mod portraits;
mod records;
mod rolls;
mod rosters;
mod threads;
mod webhooks;

use std::sync::Arc;

use super::Store;

/// One case of the suite: its name, and what it does with an empty store.
pub type Case = (&'static str, fn(Arc<dyn Store>));

/// Every case.
#[must_use]
pub fn cases() -> Vec<Case> {
    [
        people::CASES,
        rosters::CASES,
        cards::CASES,
        portraits::CASES,
        devices::CASES,
        doors::CASES,
        records::CASES,
        rolls::CASES,
        threads::CASES,
        webhooks::CASES,
        offers::CASES,
    ]
    .concat()
}

pub use records::aside_is_bounded;

/// Puts a store through every case; `make` gives a new, empty one each time. The name of each case
/// is printed before it, so that a failure's output ends with the name of what failed.
///
/// # Panics
/// When the store does not do what it must.
pub fn run(make: &dyn Fn() -> Arc<dyn Store>) {
    for (name, case) in cases() {
        println!("{name}");
        case(make());
    }
}
