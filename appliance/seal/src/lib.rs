//! Encryption of templates, wrapping of meeting keys, key stores.
