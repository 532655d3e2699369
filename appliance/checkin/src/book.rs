//! The roster, with what is asked of it often.

use std::collections::HashMap;

use record::{Substitution, roster_digest};
use vocabulary::{Delegate, Digest, PersonId, Roster, RosterEntry};

use crate::config::Substitute;

/// The roster with what is asked of it often.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) roster: Roster,
    pub(crate) digest: Digest,
    places: HashMap<PersonId, usize>,
    name_shared: Vec<bool>,
    substitutions: HashMap<PersonId, Substitution>,
}

impl Book {
    pub(crate) fn new(roster: Roster, substitutes: &[Substitute]) -> Self {
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
            substitutions: substitutions(&places, substitutes),
            places,
            name_shared,
            roster,
        }
    }

    /// For whom a person attends, and by which document.
    pub(crate) fn substitution(&self, person: &PersonId) -> Option<&Substitution> {
        self.substitutions.get(person)
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

fn substitutions(
    places: &HashMap<PersonId, usize>,
    substitutes: &[Substitute],
) -> HashMap<PersonId, Substitution> {
    let mut found = HashMap::new();
    for right in substitutes {
        let both_expected =
            places.contains_key(&right.person) && places.contains_key(&right.instead_of);
        if both_expected && right.person != right.instead_of {
            found
                .entry(right.person.clone())
                .or_insert_with(|| Substitution {
                    for_person: right.instead_of.clone(),
                    document: right.document.clone(),
                });
        }
    }
    found
}
