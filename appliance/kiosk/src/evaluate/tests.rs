//! The evaluation as a whole: on made-up templates, whose answers are known, and on a dataset of
//! photographs where there is one.

use std::path::PathBuf;

use vocabulary::{Digest, FeatureSpace, Template};

use super::acquire::{Acquired, Taken};
use super::by_condition::ByCondition;
use super::condition::Condition;
use super::dataset::{Dataset, Person, Photograph};
use super::random::Random;
use super::results::{FPIRS, Results};
use super::{acquire, plots, report};
use crate::cli::{EvaluateArgs, Half};
use crate::config::Config;

/// Names the folder of photographs for the test that needs one.
const FACES: &str = "DIEMDANH_FACES";

fn args(dataset: PathBuf, cache: PathBuf) -> EvaluateArgs {
    EvaluateArgs {
        dataset,
        half: Half::All,
        report: None,
        json: None,
        templates: None,
        cache,
        rosters: 10,
        seed: 1,
        resamplings: 50,
        threads: 2,
        conditions: false,
        ways: false,
        groups: None,
    }
}

/// Templates in 128 dimensions: everybody has a direction of their own, and a photograph is that
/// direction and some noise. One stranger is somebody's double.
fn made_up(people: usize, photographs: usize, noise: f32, seed: u64) -> (Dataset, Acquired) {
    let space = FeatureSpace::new("made-up", Digest::ZERO);
    let mut random = Random::new(seed, 0);
    let mut vector = |scale: f32| -> Vec<f32> {
        let mut even = || random.below(2001) as f32 / 1000.0 - 1.0;
        (0..128).map(|_| even() * scale).collect()
    };
    let mut dataset = Dataset::default();
    let mut templates = Vec::new();
    for person in 0..people {
        let own = vector(1.0);
        let group = Some(if person % 2 == 0 { "even" } else { "odd" }.to_owned());
        dataset.people.push(Person {
            identity: format!("person-{person}"),
            group,
        });
        for number in 0..photographs {
            let path = format!("person-{person}/{number}.png");
            dataset.photographs.push(Photograph { path, person });
            let values: Vec<f32> = own
                .iter()
                .zip(vector(noise))
                .map(|(value, noise)| value + noise)
                .collect();
            templates.push(Some(Template::normalise(space.clone(), &values).unwrap()));
        }
    }
    let acquired = Acquired {
        plain: Taken {
            templates,
            ..Taken::default()
        },
        mirrored: None,
        conditions: Vec::new(),
        cached: 0,
        space,
    };
    (dataset, acquired)
}

fn evaluated(dataset: &Dataset, acquired: &Acquired) -> Results {
    let args = args(PathBuf::new(), PathBuf::new());
    Results::of(&Config::default(), &args, dataset, acquired).unwrap()
}

#[test]
fn people_far_apart_are_told_apart_without_a_mistake() {
    let (dataset, mut acquired) = made_up(160, 4, 0.3, 5);
    acquired.plain.templates[0] = None;
    acquired
        .plain
        .failures
        .push((0, "no face was found".to_owned()));
    let results = evaluated(&dataset, &acquired);
    assert_eq!(results.acquisition.failure_to_acquire, 1.0 / 640.0);
    // Rosters of 50 and 100 leave strangers enough, of 200 and 500 not.
    assert_eq!((results.open_set.len(), results.left_out.len()), (12, 6));
    for row in &results.open_set {
        assert!(row.fpir_reached <= row.fpir, "seed 5: {row:?}");
        let perfect = (row.fnir, row.fnir_high, row.wrong_name);
        assert_eq!(perfect, (0.0, Some(0.0), 0), "seed 5: {row:?}");
    }
    assert_eq!(results.one_to_one.same_pairs, 159 * 6 + 3);
    let [even, odd] = &results.groups[..] else {
        panic!("seed 5: two groups, {:?}", results.groups);
    };
    // 320 photographs of 80 people, and one of them gives no template.
    assert_eq!((even.people, odd.people), (80, 80));
    assert_eq!((even.same_pairs, odd.same_pairs), (79 * 6 + 3, 80 * 6));
    assert_eq!(odd.different_pairs, 320 * 319 / 2 - 80 * 6);
    for group in [even, odd] {
        let false_matches = group.point.false_matches;
        assert!(group.people_mistaken > 0, "seed 5: {group:?}");
        assert!(
            group.people_mistaken as u64 <= false_matches,
            "seed 5: {group:?}"
        );
        let share = false_matches as f64 / group.different_pairs as f64;
        assert_eq!(group.point.fmr, share, "seed 5");
        assert_eq!(
            group.point.threshold,
            results.one_to_one.by_fmr[0].threshold
        );
    }
    let plots = plots::all(&results);
    let text = report::markdown(&results, &plots);
    for plot in &plots {
        assert!(text.contains(&format!("]({})", plot.file)), "{text}");
        assert!(!plot.svg.contains("person-"), "a plot names nobody");
    }
    assert!(text.contains("no face was found: 1"), "{text}");
    assert!(!text.contains("person-"), "a report names nobody:\n{text}");
}

#[test]
fn noise_costs_misses_and_photographs_mend_them() {
    let (dataset, acquired) = made_up(160, 4, 1.5, 6);
    let results = evaluated(&dataset, &acquired);
    let fnir = |photographs: usize, fpir: f64| {
        let fits = |row: &&super::results::OpenSet| {
            (row.roster, row.photographs, row.fpir) == (100, photographs, fpir)
        };
        results.open_set.iter().find(fits).unwrap().fnir
    };
    assert!(fnir(1, FPIRS[0]) > 0.2, "seed 6: {}", fnir(1, FPIRS[0]));
    for fpir in FPIRS {
        assert!(fnir(2, fpir) < fnir(1, fpir), "seed 6");
        assert!(fnir(3, fpir) < fnir(2, fpir), "seed 6");
    }
    assert!(fnir(1, FPIRS[1]) < fnir(1, FPIRS[0]), "seed 6");
}

#[test]
fn somebody_called_wrongly_is_listed_for_review() {
    let (dataset, mut acquired) = made_up(160, 4, 0.3, 7);
    // All photographs of one person are labelled as another's.
    for at in 0..3 {
        acquired.plain.templates[at] = acquired.plain.templates[4 + at].clone();
    }
    let results = evaluated(&dataset, &acquired);
    let listed = results.called_wrongly.iter();
    let mut doubles =
        listed.filter(|one| one.photograph.starts_with("person-0/") && one.called == "person-1");
    assert!(
        doubles.next().is_some(),
        "seed 7: {:?}",
        results.called_wrongly
    );
    let pairs = ["person-0", "person-1"];
    for one in &results.called_wrongly {
        let known = pairs
            .iter()
            .any(|name| one.photograph.starts_with(&format!("{name}/")));
        assert!(known, "seed 7: {one:?}");
    }
}

#[test]
fn worse_probes_are_missed_and_what_is_enrolled_stays() {
    let (dataset, mut acquired) = made_up(260, 4, 0.3, 8);
    let plain = acquired.plain.clone();
    let mut dark = plain.clone();
    // Every second photograph gives no template in the dark; grey changes nothing; on small ones
    // everybody looks like the next person.
    dark.templates
        .iter_mut()
        .step_by(2)
        .for_each(|one| *one = None);
    dark.failures = (0..1040)
        .step_by(2)
        .map(|at| (at, "no face".to_owned()))
        .collect();
    let mut small = plain.clone();
    small.templates.rotate_left(4);
    acquired.conditions = vec![
        (Condition::Small, small),
        (Condition::Dark, dark),
        (Condition::Grey, plain),
    ];
    let results = evaluated(&dataset, &acquired);
    let check = |condition: &str, expect: &dyn Fn(&ByCondition) -> bool| {
        let rows = results.conditions.iter();
        let rows: Vec<_> = rows.filter(|row| row.condition == condition).collect();
        assert_eq!(rows.len(), 3, "{condition}");
        for row in rows {
            assert!(expect(row), "seed 8: {row:?}");
        }
    };
    let perfect = |row: &ByCondition| (row.missed, row.wrong_name, row.fnir) == (0, 0, 0.0);
    check("undegraded", &perfect);
    check("grey", &perfect);
    check("dark", &|row| {
        let share = row.missed as f64 / row.mated_trials as f64;
        row.missed == row.missed_without_template
            && row.wrong_name == 0
            && row.fnir == share
            && (0.45..0.55).contains(&share)
    });
    // Whose likeness is on the roster is called by that name; the likeness of a stranger is not.
    check("small", &|row| {
        let wrong = row.wrong_name as f64 / row.mated_trials as f64;
        row.fnir == 1.0 && row.missed_without_template == 0 && (0.6..0.95).contains(&wrong)
    });
    let first = &results.conditions[0];
    assert_eq!((first.condition, first.photographs), ("undegraded", 1));
    let failed = results.conditions_acquisition.iter();
    let failed: Vec<f64> = failed
        .map(|one| one.acquisition.failure_to_acquire)
        .collect();
    assert_eq!(failed, [0.0, 0.5, 0.0]);
    let text = report::markdown(&results, &[]);
    assert!(text.contains("| dark | 0.25 v | 50.0 % |"), "{text}");
}

#[test]
fn another_way_is_held_against_the_plain_one_on_the_same_rosters() {
    let (dataset, mut acquired) = made_up(260, 4, 1.5, 9);
    // A second view with noise of its own; its mean with the first is nearer to the person.
    let (_, second) = made_up(260, 4, 1.5, 9);
    acquired.mirrored = Some(second.plain);
    let same = evaluated(&dataset, &acquired).ways;
    // Two mirrored ways with 1, 2 and 3 photographs, best of all with 2 and 3; at two FPIRs each.
    assert_eq!(same.len(), (3 + 3 + 2) * 2);
    for row in same.iter().filter(|row| row.way.contains("mirrored")) {
        assert!((row.fnir - row.plain).abs() < 1e-9, "seed 9: {row:?}");
    }
    let better = |(at, template): (usize, &Option<Template>)| {
        let sum = 4 * (at / 4)..4 * (at / 4) + 4;
        let all: Vec<Template> = acquired.plain.templates[sum]
            .iter()
            .flatten()
            .cloned()
            .collect();
        template.as_ref().and_then(|_| Template::mean(&all).ok())
    };
    let better = acquired.plain.templates.iter().enumerate().map(better);
    let taken = Taken {
        templates: better.collect(),
        ..Taken::default()
    };
    acquired.mirrored = Some(taken);
    let results = evaluated(&dataset, &acquired);
    for row in results
        .ways
        .iter()
        .filter(|row| row.way.contains("mirrored"))
    {
        assert!(row.fnir < row.plain, "seed 9: {row:?}");
        assert!(row.difference_high < Some(0.0), "seed 9: {row:?}");
    }
    let text = report::markdown(&results, &[]);
    assert!(
        text.contains("| best of the references and their mean | 3 |"),
        "{text}"
    );
}

#[test]
fn photographs_are_recognised_as_well_as_they_were() {
    let Ok(faces) = std::env::var(FACES) else {
        eprintln!("skipped: set {FACES} to a folder of photographs, a folder per person");
        return;
    };
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut config = Config::default();
    for path in [&mut config.models.manifest, &mut config.models.directory] {
        *path = root.join(&*path);
    }
    config.models.runtime = root.join(&config.models.runtime);
    inference::forbid_telemetry().unwrap();
    let args = args(faces.into(), root.join("target/evaluate-cache"));
    let dataset = Dataset::open(&args.dataset, args.half).unwrap();
    let acquired = acquire::acquire(&config, &args, &dataset).unwrap();
    let results = Results::of(&config, &args, &dataset, &acquired).unwrap();
    assert!(
        results.acquisition.failure_to_acquire < 0.01,
        "{:?}",
        results.acquisition
    );
    // Wide bands: rosters are few here, and datasets differ.
    for row in results.open_set.iter().filter(|row| row.fpir == FPIRS[1]) {
        assert!(row.fnir < 0.06, "{row:?}");
    }
}
