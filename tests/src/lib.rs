//! What no single crate can promise: the crate table, parity with peers, acceptance.
