//! The roster, with what is asked of it often.

use std::collections::HashMap;

use record::roster_digest;
use vocabulary::{Delegate, Digest, PersonId, Roster, RosterEntry};

/// The roster with what is asked of it often.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) roster: Roster,
    pub(crate) digest: Digest,
    places: HashMap<PersonId, usize>,
    name_shared: Vec<bool>,
}

impl Book {
    pub(crate) fn new(roster: Roster) -> Self {
        let shared = roster.shared_names();
        let entries = roster.entries().iter();
        let name_shared = entries
            .map(|entry| shared.contains(entry.delegate.name.as_str()))
            .collect();
        let entries = roster.entries().iter().enumerate();
        let places = entries
            .map(|(place, entry)| (entry.delegate.person.clone(), place))
            .collect();
        Self {
            digest: roster_digest(&roster),
            places,
            name_shared,
            roster,
        }
    }

    pub(crate) fn entry(&self, person: &PersonId) -> Option<&RosterEntry> {
        let place = self.places.get(person)?;
        self.roster.entries().get(*place)
    }

    /// How to call a person, and whether another bears the same name.
    pub(crate) fn delegate(&self, person: &PersonId) -> Option<(&Delegate, bool)> {
        let place = *self.places.get(person)?;
        let entry = self.roster.entries().get(place)?;
        Some((&entry.delegate, self.name_shared.get(place) == Some(&true)))
    }
}
