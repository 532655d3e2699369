//! The kiosk: threads, configuration, one event loop, the command line.

fn main() {}
