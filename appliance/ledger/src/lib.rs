//! SQLite: append, read after, acknowledge; local rosters.
