//! When a model comes in whose feature space people have no references in: who is ready for it,
//! whose reference can be made again from a portrait that was kept, and who must be photographed.
//! Pure: people in, a state for each out.

use ::sheet::guard_formula;
use vocabulary::{Digest, FeatureSpace, PersonId, ReferenceId};

use crate::model::Person;

/// Which model comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// The one of this feature space.
    Of(FeatureSpace),
    /// The one whose published file has this digest, whatever it is called.
    Named(Digest),
}

impl Model {
    /// The digest of its published file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Of(space) => space.digest(),
            Self::Named(digest) => *digest,
        }
    }

    fn compares_in(&self, space: &FeatureSpace) -> bool {
        match self {
            Self::Of(own) => own == space,
            Self::Named(digest) => space.digest() == *digest,
        }
    }
}

/// What a person needs before a door may compare in a feature space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing: a reference is there.
    Ready,
    /// Their references can be made again from these portraits, which were kept.
    FromPortrait(Vec<ReferenceId>),
    /// A photograph: they have references in other feature spaces only, and no portrait was kept.
    Photograph,
    /// A photograph, as for any model: nothing of them was ever handed in.
    NeverEnrolled,
}

/// What a person needs before a door may compare by a model.
#[must_use]
pub fn step(person: &Person, model: &Model) -> Step {
    let there = |reference: &crate::model::Reference| model.compares_in(&reference.space);
    if person.references.iter().any(there) {
        return Step::Ready;
    }
    let mut kept: Vec<ReferenceId> = person
        .references
        .iter()
        .filter(|reference| reference.portrait_until.is_some())
        .map(|reference| reference.id.clone())
        .collect();
    kept.dedup();
    if !kept.is_empty() {
        Step::FromPortrait(kept)
    } else if person.references.is_empty() {
        Step::NeverEnrolled
    } else {
        Step::Photograph
    }
}

/// How many people need what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Nothing.
    pub ready: u64,
    /// Their references made again.
    pub from_portrait: u64,
    /// To be photographed again.
    pub photograph: u64,
    /// To be photographed for the first time.
    pub never_enrolled: u64,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, step: &Step) {
        match step {
            Step::Ready => self.ready += 1,
            Step::FromPortrait(_) => self.from_portrait += 1,
            Step::Photograph => self.photograph += 1,
            Step::NeverEnrolled => self.never_enrolled += 1,
        }
    }
}

/// A row of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who, by the caller's id.
    pub person: PersonId,
    /// Full name.
    pub name: String,
    /// Title before the name.
    pub title: String,
    /// Unit.
    pub unit: String,
    /// What they need.
    pub step: Step,
}

impl Row {
    /// The row of a person.
    #[must_use]
    pub fn of(person: Person, model: &Model) -> Self {
        Self {
            step: step(&person, model),
            person: person.details.id,
            name: person.details.name,
            title: person.details.title,
            unit: person.details.unit,
        }
    }
}

/// Rows as a sheet for whoever calls people to the photographer.
///
/// # Errors
/// None is expected: it is written into memory.
pub fn sheet(rows: &[Row], with_header: bool) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if with_header {
        writer.write_record(HEADER)?;
    }
    for row in rows {
        let (step, kept) = match &row.step {
            Step::Ready => ("Đã sẵn sàng", ""),
            Step::FromPortrait(_) => ("Tạo lại từ ảnh đã lưu", "có"),
            Step::Photograph => ("Chụp lại ảnh", ""),
            Step::NeverEnrolled => ("Chụp ảnh lần đầu", ""),
        };
        writer.write_record([
            row.person.as_str(),
            &guard_formula(&row.name),
            &guard_formula(&row.title),
            &guard_formula(&row.unit),
            step,
            kept,
        ])?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    // Every cell was text.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The sheet's first line.
const HEADER: [&str; 6] = [
    "Mã",
    "Họ và tên",
    "Chức danh",
    "Đơn vị",
    "Việc cần làm",
    "Ảnh đã lưu",
];

#[cfg(test)]
mod tests {
    use vocabulary::WallTime;

    use super::*;
    use crate::model::{Origin, PersonDetails, Reference};

    fn person(references: &[(&str, u8, bool)]) -> Person {
        let id = |text: &str| PersonId::new(text).unwrap();
        Person {
            details: PersonDetails {
                id: id("a1"),
                name: "Nguyễn Văn Mẫu".to_owned(),
                title: String::new(),
                unit: String::new(),
            },
            opaque: id("p-1"),
            references: references
                .iter()
                .map(|(reference, space, kept)| Reference {
                    id: ReferenceId::new(reference).unwrap(),
                    space: FeatureSpace::new("mau", Digest([*space; 32])),
                    origin: Origin::Portrait,
                    quality: None,
                    made_at: WallTime(0),
                    portrait_until: kept.then_some(WallTime(1)),
                })
                .collect(),
            citizen_card: false,
        }
    }

    #[test]
    fn each_person_needs_one_thing() {
        let check = |references: &[(&str, u8, bool)], expect: Step| {
            let digest = Digest([2; 32]);
            let space = FeatureSpace::new("mau", digest);
            for model in [Model::Named(digest), Model::Of(space)] {
                let found = step(&person(references), &model);
                assert_eq!(found, expect, "{references:?}");
                assert_eq!(model.digest(), digest);
            }
            let other = Model::Of(FeatureSpace::new("khac", digest));
            assert_ne!(step(&person(references), &other), Step::Ready);
        };
        let from = |ids: &[&str]| {
            Step::FromPortrait(ids.iter().map(|id| ReferenceId::new(id).unwrap()).collect())
        };
        check(&[], Step::NeverEnrolled);
        check(&[("r1", 1, false)], Step::Photograph);
        check(&[("r1", 1, true)], from(&["r1"]));
        check(
            &[("r1", 1, true), ("r1", 3, true), ("r2", 1, true)],
            from(&["r1", "r2"]),
        );
        check(&[("r1", 1, false), ("r2", 1, true)], from(&["r2"]));
        check(&[("r1", 1, true), ("r2", 2, false)], Step::Ready);
    }

    #[test]
    fn the_sheet_is_vietnamese_and_no_cell_is_a_formula() {
        let mut somebody = person(&[("r1", 1, false)]);
        somebody.details.name = "=HYPERLINK(1)".to_owned();
        let rows = [Row::of(somebody, &Model::Named(Digest([2; 32])))];
        let expect = "Mã,Họ và tên,Chức danh,Đơn vị,Việc cần làm,Ảnh đã lưu\n\
                      a1,'=HYPERLINK(1),,,Chụp lại ảnh,\n";
        assert_eq!(sheet(&rows, true).unwrap(), expect);
        assert_eq!(sheet(&rows, false).unwrap().lines().count(), 1);
    }

    #[test]
    fn all_are_counted_once() {
        let mut counts = Counts::default();
        for step in [
            Step::Ready,
            Step::Ready,
            Step::FromPortrait(vec![]),
            Step::Photograph,
            Step::NeverEnrolled,
        ] {
            counts.add(&step);
        }
        let expect = Counts {
            ready: 2,
            from_portrait: 1,
            photograph: 1,
            never_enrolled: 1,
        };
        assert_eq!(counts, expect);
    }
}
