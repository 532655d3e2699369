//! The session machine: observations and credentials in, commands out.
