//! The hub as its callers meet it: a real one over TLS on the loopback address, with its own
//! authority and an SQLite store in a directory that goes with the test.

#![allow(
    clippy::unwrap_used,
    reason = "whatever is missing here fails the test that needs it"
)]

mod access;
mod behind;
mod cards;
mod contract;
mod flow;
mod hostile;
mod invitations;
mod offers;
mod old_clients;
mod peers;
mod plan;
mod portraits;
mod town;
mod webhooks;
