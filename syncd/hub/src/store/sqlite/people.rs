//! People, by the caller's ids and by the hub's own.

use rusqlite::{Connection, OptionalExtension, Row, params};
use vocabulary::meeting::LABEL_BYTES_MAX;
use vocabulary::{MeetingError, OrganisationId, PersonId, WallTime};

use super::{Entropy, convert, meetings, organisations, references};
use crate::model::{Change, Page, Person, PersonDetails};
use crate::store::{Missing, PEOPLE_MAX, StoreError};

/// The characters of an opaque id: base 32 (RFC 4648) in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Characters of randomness in an opaque id: 130 bits, which nobody guesses.
const OPAQUE_CHARACTERS: usize = 26;

/// Refuses a text that no roster could show.
pub(super) fn check_label(
    field: &'static str,
    text: &str,
    of: impl Fn() -> String,
    required: bool,
) -> Result<(), StoreError> {
    if required && text.trim().is_empty() {
        return Err(MeetingError::Empty { field, of: of() }.into());
    }
    if text.len() > LABEL_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(MeetingError::Label { field, of: of() }.into());
    }
    Ok(())
}

pub(super) fn put(
    c: &Connection,
    organisation: &OrganisationId,
    person: &PersonDetails,
    entropy: &Entropy,
    now: WallTime,
) -> Result<(Change, Person), StoreError> {
    let organisation_number = organisations::number(c, organisation)?;
    let of = || format!("person {}", person.id);
    check_label("name", &person.name, of, true)?;
    check_label("title", &person.title, of, false)?;
    check_label("unit", &person.unit, of, false)?;
    let found = find(c, organisation_number, &person.id)?;
    let change = match &found {
        Some((_, found)) if found.details == *person => Change::Same,
        Some((number, found)) => {
            c.prepare_cached(
                "UPDATE person SET name = ?2, title = ?3, unit = ?4 WHERE number = ?1",
            )?
            .execute(params![number, person.name, person.title, person.unit])?;
            meetings::advance_showing(c, *number, &found.details, person, now)?;
            Change::Changed
        }
        None => {
            let count = "SELECT count(*) FROM person WHERE organisation = ?1";
            let of = [organisation_number];
            organisations::below(c, "people of one organisation", PEOPLE_MAX, count, of)?;
            c.prepare_cached(
                "INSERT INTO person (organisation, id, opaque, name, title, unit)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                organisation_number,
                person.id.as_str(),
                opaque(entropy)?,
                person.name,
                person.title,
                person.unit,
            ])?;
            Change::Made
        }
    };
    let person = one(c, organisation, &person.id)?;
    let person = person.ok_or(StoreError::Damaged {
        place: "person",
        source: None,
    })?;
    Ok((change, person))
}

fn opaque(entropy: &Entropy) -> Result<String, StoreError> {
    let mut bytes = [0_u8; OPAQUE_CHARACTERS];
    entropy(&mut bytes).map_err(|error| StoreError::from(seal::SealError::Random(error)))?;
    let characters = bytes
        .iter()
        .map(|byte| char::from(BASE32[usize::from(byte % 32)]));
    Ok("p-".chars().chain(characters).collect())
}

pub(super) fn one(
    c: &Connection,
    organisation: &OrganisationId,
    id: &PersonId,
) -> Result<Option<Person>, StoreError> {
    Ok(find_of(c, organisation, id)?.map(|(_, person)| person))
}

/// A person of an organisation that may not be there either.
pub(super) fn find_of(
    c: &Connection,
    organisation: &OrganisationId,
    id: &PersonId,
) -> Result<Option<(i64, Person)>, StoreError> {
    match organisations::find(c, organisation)? {
        None => Ok(None),
        Some(organisation) => find(c, organisation, id),
    }
}

/// A person's number and what is known of them.
pub(super) fn find(
    c: &Connection,
    organisation: i64,
    id: &PersonId,
) -> Result<Option<(i64, Person)>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT number, id, opaque, name, title, unit,
             EXISTS (SELECT 1 FROM citizen_card k WHERE k.person = number)
         FROM person
         WHERE organisation = ?1 AND id = ?2",
    )?;
    let mut rows = statement.query(params![organisation, id.as_str()])?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => read(c, row).map(Some),
    }
}

/// A person's number.
pub(super) fn number(c: &Connection, organisation: i64, id: &PersonId) -> Result<i64, StoreError> {
    let found: Option<i64> = c
        .prepare_cached("SELECT number FROM person WHERE organisation = ?1 AND id = ?2")?
        .query_row(params![organisation, id.as_str()], |row| row.get(0))
        .optional()?;
    found.ok_or_else(|| Missing::Person(id.clone()).into())
}

pub(super) fn page(
    c: &Connection,
    organisation: &OrganisationId,
    after: Option<&PersonId>,
    limit: u32,
) -> Result<Page<Person>, StoreError> {
    let limit = limit.clamp(1, wire::limits::PAGE_ITEMS_MAX) as usize;
    let mut page = Page {
        items: Vec::new(),
        more: false,
    };
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(page);
    };
    let mut statement = c.prepare_cached(
        "SELECT number, id, opaque, name, title, unit,
             EXISTS (SELECT 1 FROM citizen_card k WHERE k.person = number)
         FROM person
         WHERE organisation = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )?;
    let after = after.map_or("", PersonId::as_str);
    let mut rows = statement.query(params![organisation, after, limit as u64 as i64 + 1])?;
    while let Some(row) = rows.next()? {
        if page.items.len() == limit {
            page.more = true;
            break;
        }
        page.items.push(read(c, row)?.1);
    }
    Ok(page)
}

pub(super) fn by_opaque(
    c: &Connection,
    organisation: &OrganisationId,
    opaque: &[PersonId],
) -> Result<Vec<(PersonId, PersonId)>, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Vec::new());
    };
    let mut statement =
        c.prepare_cached("SELECT id FROM person WHERE opaque = ?1 AND organisation = ?2")?;
    let mut found = Vec::new();
    for one in opaque {
        let mut rows = statement.query(params![one.as_str(), organisation])?;
        if let Some(row) = rows.next()? {
            found.push((one.clone(), convert::id(row, 0, "person.id")?));
        }
    }
    Ok(found)
}

fn read(c: &Connection, row: &Row<'_>) -> Result<(i64, Person), StoreError> {
    let number = row.get(0)?;
    let person = Person {
        details: PersonDetails {
            id: convert::id(row, 1, "person.id")?,
            name: row.get(3)?,
            title: row.get(4)?,
            unit: row.get(5)?,
        },
        opaque: convert::id(row, 2, "person.opaque")?,
        references: references::of_person(c, number)?,
        citizen_card: row.get(6)?,
    };
    Ok((number, person))
}
