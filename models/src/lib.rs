//! What the kiosk recognises with: manifest, fetch, verify, prepare, list.
