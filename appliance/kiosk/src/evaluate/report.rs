//! The report for reading, in Markdown, from [`Results`] alone. It names nobody.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::results::{GROUPS_AT_FMR, OneToOne, OpenSet, Point, Results};

/// Writes the report.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from("# How right the recognition is\n\n");
    text.push_str(&what(results));
    text.push_str(&acquisition(results));
    text.push_str(&open_set(results));
    text.push_str(&one_to_one(&results.one_to_one));
    text
}

fn what(results: &Results) -> String {
    let (dataset, pipeline) = (&results.dataset, &results.pipeline);
    format!(
        "{} photographs of {} people ({} with several photographs; half: {}). Detector {} at \
         {}, feature space {}, version {}. {} random rosters of each kind, seed {}.\n",
        dataset.photographs,
        dataset.people,
        dataset.people_with_several,
        dataset.half,
        pipeline.detector,
        pipeline.detector_score_min,
        pipeline.feature_space,
        pipeline.version,
        dataset.rosters,
        dataset.seed,
    )
}

fn acquisition(results: &Results) -> String {
    let one = &results.acquisition;
    let list = |reasons: &BTreeMap<String, usize>| {
        let each = reasons
            .iter()
            .map(|(reason, count)| format!("{reason}: {count}"));
        each.collect::<Vec<_>>().join("; ")
    };
    let mut text = format!(
        "\n## Failure to acquire and to enrol\n\nWithout a template: {}.",
        percent(one.failure_to_acquire)
    );
    if !one.failures.is_empty() {
        let _ = write!(text, " {}.", list(&one.failures));
    }
    let _ = write!(
        text,
        "\nRefused as a portrait for enrolment, were it sent in: {}.",
        percent(one.failure_to_enrol)
    );
    if !one.refusals.is_empty() {
        let _ = write!(text, " {}.", list(&one.refusals));
    }
    text.push_str(" Below, refused portraits are compared and enrolled all the same.\n");
    text
}

fn open_set(results: &Results) -> String {
    let mut text = String::from(
        "\n## Open set\n\nFPIR: strangers' photographs called by some name. FNIR: delegates' \
         photographs not called by the right name. A person is compared by the mean of the \
         photographs enrolled; each delegate comes with every photograph that is not \
         enrolled, and everybody who is not on the roster comes as a stranger, once. In brackets: \
         95 % intervals, from resampling persons; of wrong names, how many photographs.\n\n\
         | roster | photographs | FPIR | threshold | FNIR | wrong names \
         | trials of delegates, strangers |\n|---|---|---|---|---|---|---|\n",
    );
    results
        .open_set
        .iter()
        .for_each(|row| text.push_str(&open_set_row(row)));
    for one in &results.left_out {
        let _ = writeln!(
            text,
            "| {} | {} | | too few people | | | |",
            one.roster, one.photographs
        );
    }
    let short = results.open_set.iter().filter(|row| row.with_fewer > 0.0);
    let mut short: Vec<String> = short
        .map(|row| {
            format!(
                "{:.0} of {} with {}",
                row.with_fewer, row.roster, row.photographs
            )
        })
        .collect();
    short.dedup();
    if !short.is_empty() {
        let _ = writeln!(
            text,
            "\nPlaces filled by people of whom there are fewer photographs, who therefore give no \
             trials: {}.",
            short.join("; ")
        );
    }
    text
}

fn open_set_row(row: &OpenSet) -> String {
    let interval = match (row.fnir_low, row.fnir_high) {
        (Some(low), Some(high)) => {
            format!(" ({:.1}–{:.1})", low * 100.0, high * 100.0)
        }
        (None | Some(_), None | Some(_)) => String::new(),
    };
    format!(
        "| {} | {} | {} | {:.3} | {}{interval} | {} ({}) | {}, {} |\n",
        row.roster,
        row.photographs,
        percent(row.fpir),
        row.threshold,
        percent(row.fnir),
        row.wrong_name,
        row.wrong_name_photographs,
        row.mated_trials,
        row.stranger_trials,
    )
}

fn one_to_one(one: &OneToOne) -> String {
    let mut text = format!(
        "\n## One to one\n\n{} pairs of one person, {} pairs of two people.\n\n\
         | threshold | FMR | false matches | FNMR | false non-matches |\n|---|---|---|---|---|\n",
        one.same_pairs, one.different_pairs
    );
    let points = one.by_threshold.iter().chain(&one.by_fmr);
    let mut points: Vec<&Point> = points.collect();
    points.sort_by(|a, b| a.threshold.total_cmp(&b.threshold));
    points
        .iter()
        .for_each(|point| text.push_str(&format!("| {}\n", cells(point))));
    if !one.groups.is_empty() {
        let _ = write!(
            text,
            "\n### Groups, at the threshold where all pairs have an FMR of {GROUPS_AT_FMR:e}\n\n\
             Pairs within a group.\n\n| group | pairs of two people | pairs of one | threshold \
             | FMR | false matches | FNMR | false non-matches |\n\
             |---|---|---|---|---|---|---|---|\n"
        );
    }
    for group in &one.groups {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {}",
            group.group.replace('|', "/"),
            group.different_pairs,
            group.same_pairs,
            cells(&group.point)
        );
    }
    text
}

fn cells(point: &Point) -> String {
    format!(
        "{:.4} | {:.1e} | {} | {} | {} |",
        point.threshold,
        point.fmr,
        point.false_matches,
        percent(point.fnmr),
        point.false_non_matches
    )
}

fn percent(share: f64) -> String {
    let digits = if share < 0.1 { 2 } else { 1 };
    format!("{:.digits$} %", share * 100.0)
}
