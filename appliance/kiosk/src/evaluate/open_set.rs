//! Open-set identification (ISO/IEC 19795-1): how often a stranger is called by a delegate's name
//! (FPIR), and how often a delegate is not called by their own (FNIR), for rosters drawn at random.
//!
//! Pure: templates in, trials and rates out; the same seed gives the same rosters. It searches with
//! the door's own gallery, so what is measured is what runs. Every trial is one photograph: at the
//! door several frames decide together, which is another and easier question.
//!
//! Each delegate comes with every photograph that is not enrolled. Each stranger comes once, with a
//! photograph drawn at random: few people of a dataset have many photographs, and if all of them
//! came, these few would set the threshold.

use biometrics::{Gallery, GalleryError, Scoring};
use vocabulary::{FeatureSpace, PersonId, Template};

use super::random::Random;
use crate::cli::EvaluateArgs;

/// A roster that leaves fewer strangers than this is not evaluated: a rate of one in a thousand
/// would rest on a handful of people.
pub const STRANGERS_MIN: usize = 50;

/// A photograph's template, and its index in the dataset.
pub type Shot = (usize, Template);

/// What is drawn and enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// People on a roster.
    pub roster: usize,
    /// Photographs enrolled of each, at least 1.
    pub photographs: usize,
    /// How many rosters are drawn.
    pub rosters: usize,
    /// What they are drawn from.
    pub seed: u64,
    /// What a probe is compared with, of several references.
    pub scoring: Scoring,
}

impl Setup {
    /// What the kiosk does: of several references the mean is compared.
    pub fn plain(args: &EvaluateArgs, roster: usize, photographs: usize) -> Self {
        Self {
            roster,
            photographs,
            rosters: args.rosters as usize,
            seed: args.seed,
            scoring: Scoring::Mean,
        }
    }
}

/// One photograph held against one roster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Index of the photograph.
    pub photograph: usize,
    /// Whom it shows.
    pub person: usize,
    /// Who on the roster is most like it; nobody when no template could be made of it.
    pub called: Option<usize>,
    /// How like, as a cosine; below every threshold when there is no template.
    pub score: f32,
}

impl Trial {
    /// A photograph that no template could be made of: it is called by no name.
    fn unseen(photograph: usize, person: usize) -> Self {
        Self {
            photograph,
            person,
            called: None,
            score: f32::NEG_INFINITY,
        }
    }

    /// Whether the most alike is the person who is shown.
    pub fn right(&self) -> bool {
        self.called == Some(self.person)
    }
}

/// All trials of a setup.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trials {
    /// Photographs of delegates that were not enrolled.
    pub mated: Vec<Trial>,
    /// One photograph of each person who is not on the roster; the most alike first.
    pub strangers: Vec<Trial>,
    /// On how many places of all rosters somebody stood with fewer photographs than asked for.
    pub places_with_fewer: usize,
}

/// What comes to the door.
#[derive(Debug, Clone, Copy)]
pub enum Probes<'a> {
    /// The photographs themselves.
    Themselves,
    /// What became of each under a condition, by the photograph's index; nothing when no template
    /// could be made of it.
    Instead(&'a [Option<Template>]),
}

impl<'a> Probes<'a> {
    fn of(self, shot: &'a Shot) -> Option<&'a Template> {
        match self {
            Self::Themselves => Some(&shot.1),
            Self::Instead(templates) => templates.get(shot.0)?.as_ref(),
        }
    }
}

/// Draws the rosters and holds everybody's photographs against them. `None` when there are too few
/// people for a roster of this size and strangers beside it.
///
/// People with a photograph to spare come first, in random order: only they can be missed. When
/// they are not enough, others fill the roster with what they have, so that strangers meet as many
/// delegates as asked for. What is enrolled are the photographs themselves, whatever the probes
/// are, and the same seed draws the same rosters for all of these.
///
/// # Errors
/// [`GalleryError`] when templates do not belong together.
pub fn run(
    people: &[Vec<Shot>],
    probes: Probes<'_>,
    space: &FeatureSpace,
    setup: Setup,
) -> Result<Option<Trials>, GalleryError> {
    let shown = people.iter().filter(|shots| !shots.is_empty()).count();
    if shown < setup.roster + STRANGERS_MIN || setup.photographs == 0 {
        return Ok(None);
    }
    let mut trials = Trials::default();
    for number in 0..setup.rosters {
        let mut random = Random::new(setup.seed, number as u64);
        let drawn = draw(people, setup, &mut random);
        let references = drawn.iter().map(|member| {
            let mean = member
                .enrolled
                .iter()
                .map(|at| people[member.person][*at].1.clone());
            (id(member.person), mean.collect())
        });
        let gallery = Gallery::build_scored(space.clone(), setup.scoring, references)?;
        trials.hold_against(people, probes, &gallery, &drawn, &mut random)?;
        trials.places_with_fewer += drawn
            .iter()
            .filter(|member| member.enrolled.len() < setup.photographs)
            .count();
    }
    trials.strangers.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(Some(trials))
}

/// Rates at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Share of strangers' photographs that are called by some name.
    pub fpir: f64,
    /// Share of delegates' photographs that are not called by the right name.
    pub fnir: f64,
}

impl Trials {
    /// The lowest threshold at which at most the share `fpir` of strangers' photographs is called,
    /// each person counting `weights[person]` times.
    pub fn threshold(&self, fpir: f64, weights: &[u32]) -> f32 {
        let weight = |trial: &Trial| f64::from(weights[trial.person]);
        let budget = fpir * self.strangers.iter().map(weight).sum::<f64>();
        let mut called = 0.0;
        for same in self
            .strangers
            .chunk_by(|one, other| one.score == other.score)
        {
            called += same.iter().map(weight).sum::<f64>();
            if called > budget {
                return same[0].score.next_up();
            }
        }
        -1.0
    }

    /// The rates at a threshold; a score that reaches it counts.
    pub fn rates(&self, threshold: f32, weights: &[u32]) -> Rates {
        let share = |trials: &[Trial], counts: &dyn Fn(&Trial) -> bool| {
            let (mut some, mut all) = (0_u64, 0_u64);
            for trial in trials {
                let weight = u64::from(weights[trial.person]);
                all += weight;
                some += if counts(trial) { weight } else { 0 };
            }
            if all == 0 {
                0.0
            } else {
                some as f64 / all as f64
            }
        };
        Rates {
            fpir: share(&self.strangers, &|trial| trial.score >= threshold),
            fnir: share(&self.mated, &|trial| {
                !trial.right() || trial.score < threshold
            }),
        }
    }

    /// The delegates' photographs that are called by another delegate's name.
    pub fn wrong_names(&self, threshold: f32) -> impl Iterator<Item = &Trial> {
        self.mated.iter().filter(move |trial| {
            trial.called.is_some() && !trial.right() && trial.score >= threshold
        })
    }

    /// The strangers' photographs that are called, the most alike first.
    pub fn strangers_called(&self, threshold: f32) -> impl Iterator<Item = &Trial> {
        self.strangers
            .iter()
            .take_while(move |trial| trial.score >= threshold)
    }

    fn hold_against(
        &mut self,
        people: &[Vec<Shot>],
        probes: Probes<'_>,
        gallery: &Gallery,
        drawn: &[Member],
        random: &mut Random,
    ) -> Result<(), GalleryError> {
        let mut member_of: Vec<Option<&Member>> = vec![None; people.len()];
        for member in drawn {
            member_of[member.person] = Some(member);
        }
        let mut found = Vec::new();
        for (person, shots) in people
            .iter()
            .enumerate()
            .filter(|(_, shots)| !shots.is_empty())
        {
            let shown: Vec<usize> = match member_of[person] {
                Some(member) => (0..shots.len())
                    .filter(|at| !member.enrolled.contains(at))
                    .collect(),
                None => vec![random.below(shots.len())],
            };
            for shot in shown.iter().map(|at| &shots[*at]) {
                let mut trial = Trial::unseen(shot.0, person);
                if let Some(template) = probes.of(shot) {
                    gallery.search(template, 1, &mut found)?;
                    let Some(best) = found.first() else {
                        continue;
                    };
                    trial.called = Some(drawn[best.person as usize].person);
                    trial.score = best.score.value();
                }
                match member_of[person] {
                    Some(_) => self.mated.push(trial),
                    None => self.strangers.push(trial),
                }
            }
        }
        Ok(())
    }
}

/// A person on a roster.
#[derive(Debug)]
struct Member {
    person: usize,
    /// Which of their photographs are enrolled.
    enrolled: Vec<usize>,
}

fn draw(people: &[Vec<Shot>], setup: Setup, random: &mut Random) -> Vec<Member> {
    let shown = (0..people.len()).filter(|person| !people[*person].is_empty());
    let (mut spare, mut rest): (Vec<usize>, Vec<usize>) =
        shown.partition(|person| people[*person].len() > setup.photographs);
    random.shuffle(&mut spare);
    random.shuffle(&mut rest);
    let roster = spare.into_iter().chain(rest).take(setup.roster);
    roster
        .map(|person| {
            let mut enrolled: Vec<usize> = (0..people[person].len()).collect();
            random.shuffle(&mut enrolled);
            enrolled.truncate(setup.photographs);
            Member { person, enrolled }
        })
        .collect()
}

/// The gallery knows people by ids; what a dataset calls them may not be one.
fn id(person: usize) -> PersonId {
    PersonId::new(&format!("p{person}")).expect("a letter and digits are an id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::Digest;

    fn space() -> FeatureSpace {
        FeatureSpace::new("test", Digest::ZERO)
    }

    /// A direction in the plane of two axes, `degrees` away from the first.
    fn toward(axis: usize, other: usize, degrees: f32) -> Template {
        let mut values = [0.0; 64];
        values[axis] = degrees.to_radians().cos();
        values[other] = degrees.to_radians().sin();
        Template::normalise(space(), &values).unwrap()
    }

    fn trial(person: usize, called: usize, score: f32) -> Trial {
        Trial {
            photograph: 0,
            person,
            called: Some(called),
            score,
        }
    }

    fn by_hand() -> Trials {
        Trials {
            // Right, right but low, wrong and high, wrong and low.
            mated: vec![
                trial(0, 0, 0.9),
                trial(0, 0, 0.3),
                trial(1, 0, 0.7),
                trial(1, 0, 0.1),
            ],
            strangers: [0.8, 0.6, 0.6, 0.4]
                .map(|score| trial(2, 0, score))
                .to_vec(),
            places_with_fewer: 0,
        }
    }

    #[test]
    fn thresholds_and_rates_of_hand_made_scores() {
        let trials = by_hand();
        let check = |fpir: f64, threshold: f32, reached: f64, fnir: f64, wrong: usize| {
            let found = trials.threshold(fpir, &[1; 3]);
            assert_eq!(found, threshold, "FPIR {fpir}");
            let rates = trials.rates(found, &[1; 3]);
            assert_eq!((rates.fpir, rates.fnir), (reached, fnir), "FPIR {fpir}");
            assert_eq!(trials.wrong_names(found).count(), wrong, "FPIR {fpir}");
            let called = trials.strangers_called(found).count();
            assert_eq!(called as f64 / 4.0, reached, "FPIR {fpir}");
        };
        check(0.0, 0.8_f32.next_up(), 0.0, 0.75, 0);
        check(0.25, 0.6_f32.next_up(), 0.25, 0.75, 1);
        // The two at 0.6 come together or not at all.
        check(0.5, 0.6_f32.next_up(), 0.25, 0.75, 1);
        check(0.75, 0.4_f32.next_up(), 0.75, 0.75, 1);
        check(1.0, -1.0, 1.0, 0.5, 2);
    }

    #[test]
    fn a_weight_counts_a_person_as_often() {
        let trials = by_hand();
        let rates = trials.rates(0.5, &[3, 1, 2]);
        // Person 0 has one miss of two, three times over; person 1 two misses.
        assert_eq!(rates.fnir, 5.0 / 8.0);
        assert_eq!(rates.fpir, 0.75);
        assert_eq!(
            trials.threshold(0.25, &[1, 1, 0]),
            -1.0,
            "nobody strange is left"
        );
    }

    #[test]
    fn everybody_on_their_own_axis_is_told_apart() {
        // Eight people with three photographs each, and sixty more with one.
        let mut photograph = 0;
        let mut shots = |axis: usize, count: usize| -> Vec<Shot> {
            (0..count)
                .map(|number| {
                    photograph += 1;
                    (photograph - 1, toward(axis, 63, 4.0 * number as f32))
                })
                .collect()
        };
        let mut people: Vec<Vec<Shot>> = (0..8).map(|axis| shots(axis, 3)).collect();
        people.extend((0..60).map(|number| shots(8 + number % 50, 1 + number % 2)));
        people.push(Vec::new());
        for seed in 0..5 {
            let setup = Setup {
                roster: 8,
                photographs: 2,
                rosters: 3,
                seed,
                scoring: Scoring::Mean,
            };
            let trials = run(&people, Probes::Themselves, &space(), setup)
                .unwrap()
                .unwrap();
            assert_eq!(trials.mated.len(), 3 * 8, "seed {seed}");
            assert_eq!(trials.strangers.len(), 3 * 60, "seed {seed}");
            assert_eq!(trials.places_with_fewer, 0, "seed {seed}");
            let weights = vec![1; people.len()];
            let threshold = trials.threshold(0.0, &weights);
            let rates = trials.rates(threshold, &weights);
            assert_eq!((rates.fpir, rates.fnir), (0.0, 0.0), "seed {seed}");
            assert!((-0.1..0.1).contains(&threshold), "seed {seed}: {threshold}");
            assert_eq!(
                run(&people, Probes::Themselves, &space(), setup)
                    .unwrap()
                    .unwrap(),
                trials
            );
        }
        // Of the eight and ten who fill the roster, the ten have one photograph instead of two.
        people[8..].iter_mut().for_each(|shots| shots.truncate(1));
        let setup = Setup {
            roster: 18,
            photographs: 2,
            rosters: 1,
            seed: 1,
            scoring: Scoring::Mean,
        };
        let filled = run(&people, Probes::Themselves, &space(), setup)
            .unwrap()
            .unwrap();
        assert_eq!((filled.mated.len(), filled.places_with_fewer), (8, 10));
        let setup = Setup {
            roster: 19,
            ..setup
        };
        assert_eq!(
            run(&people, Probes::Themselves, &space(), setup).unwrap(),
            None,
            "49 strangers are too few"
        );
    }

    #[test]
    fn a_double_takes_the_name() {
        // Person 1's second photograph is the very template of person 0.
        let mut people = vec![
            vec![(0, toward(0, 1, 0.0)), (1, toward(0, 1, 1.0))],
            vec![(2, toward(1, 2, 0.0)), (3, toward(0, 1, 0.0))],
        ];
        people.extend((0..50).map(|number| vec![(4 + number, toward(3 + number, 63, 0.0))]));
        // With one of two photographs enrolled at random, some seed enrols the first of each.
        let setup = |seed| Setup {
            roster: 2,
            photographs: 1,
            rosters: 1,
            seed,
            scoring: Scoring::Mean,
        };
        let wrong = (0..40).map(|seed| {
            let trials = run(&people, Probes::Themselves, &space(), setup(seed))
                .unwrap()
                .unwrap();
            trials
                .wrong_names(0.99)
                .map(|t| (t.photograph, t.called))
                .collect::<Vec<_>>()
        });
        let wrong: Vec<_> = wrong.flatten().collect();
        assert!(wrong.contains(&(3, Some(0))), "seeds 0 to 39: {wrong:?}");
    }
}
