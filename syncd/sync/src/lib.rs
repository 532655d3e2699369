//! What a door's daemon does next: which records to send, which rosters to fetch, how long to wait.
//!
//! Pure: events and `now` in, commands out. It reads no clock, opens no file, knows no socket.
