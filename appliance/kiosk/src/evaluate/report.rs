//! The report for reading, in Markdown, from [`Results`] alone. It names nobody.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::by_condition::ROSTER;
use super::plots::Plot;
use super::results::{GROUPS_AT_FMR, OneToOne, OpenSet, Point, Results};

/// Writes the report; the plots are linked as files beside it.
pub fn markdown(results: &Results, plots: &[Plot]) -> String {
    let mut text = String::from("# How right the recognition is\n\n");
    text.push_str(&what(results));
    text.push_str(&acquisition(results));
    text.push_str(&open_set(results));
    text.push_str(&one_to_one(&results.one_to_one));
    text.push_str(&groups(results));
    text.push_str(&conditions(results));
    text.push_str(&ways(results));
    if !plots.is_empty() {
        text.push_str("\n## Plots\n");
    }
    for plot in plots {
        let _ = writeln!(text, "\n![{}]({})", plot.shows, plot.file);
    }
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
    let interval = interval(row.fnir_low, row.fnir_high);
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
    text
}

fn groups(results: &Results) -> String {
    let mut text = format!(
        "\n## Groups, at the threshold where all pairs have an FMR of {GROUPS_AT_FMR:e}\n\n"
    );
    if results.groups.is_empty() {
        text.push_str("The dataset says of nobody to which group they belong.\n");
        return text;
    }
    text.push_str(
        "Pairs within a group, and all pairs, those between groups among them.\n\n\
         | group | people | pairs of two people | FMR | false matches | from pairs of people \
         | pairs of one | FNMR | false non-matches | of people |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut row = |name: &str, people, pairs: (u64, u64), from: [String; 2], point: &Point| {
        let _ = writeln!(
            text,
            "| {} | {people} | {} | {:.1e} | {} | {} | {} | {} | {} | {} |",
            name.replace('|', "/"),
            pairs.0,
            point.fmr,
            point.false_matches,
            from[0],
            pairs.1,
            percent(point.fnmr),
            point.false_non_matches,
            from[1],
        );
    };
    let one = &results.one_to_one;
    if let Some(all) = one.by_fmr.first() {
        let pairs = (one.different_pairs, one.same_pairs);
        row(
            "everybody",
            results.dataset.people,
            pairs,
            [String::new(), String::new()],
            all,
        );
    }
    for group in &results.groups {
        let from = [group.people_mistaken, group.people_missed].map(|count| count.to_string());
        let pairs = (group.different_pairs, group.same_pairs);
        row(&group.group, group.people, pairs, from, &group.point);
    }
    text
}

fn conditions(results: &Results) -> String {
    let rows = &results.conditions;
    let Some(first) = rows.first() else {
        let why = match results.conditions_acquisition.is_empty() {
            true => "Not asked for; `--conditions` measures them.",
            false => "There are too few people for the rosters.",
        };
        return format!("\n## By condition\n\n{why}\n");
    };
    let mut text = format!(
        "\n## By condition\n\nRosters of {}, undegraded photographs enrolled, at the thresholds \
         where {} of strangers' undegraded photographs are called. A probe without a template is a \
         miss. v is a value of a pixel, 0 to 255. Counts are over all rosters; in brackets after \
         wrong names, how many photographs.\n\n| condition | photographs | threshold | FNIR \
         | missed | of these without a template | wrong names | strangers called \
         | trials of delegates, strangers |\n|---|---|---|---|---|---|---|---|---|\n",
        first.roster,
        percent(first.fpir)
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {:.3} | {}{} | {} | {} | {} ({}) | {} | {}, {} |",
            row.condition,
            row.photographs,
            row.threshold,
            percent(row.fnir),
            interval(row.fnir_low, row.fnir_high),
            row.missed,
            row.missed_without_template,
            row.wrong_name,
            row.wrong_name_photographs,
            row.strangers_called,
            row.mated_trials,
            row.stranger_trials,
        );
    }
    text.push_str(
        "\n| condition | made by | photographs without a template \
         | refused as a portrait for enrolment | why |\n|---|---|---|---|---|\n",
    );
    for one in &results.conditions_acquisition {
        let formula = rows.iter().find(|row| row.condition == one.condition);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            one.condition,
            formula.map_or("", |row| row.formula),
            percent(one.acquisition.failure_to_acquire),
            percent(one.acquisition.failure_to_enrol),
            list(&one.acquisition.refusals),
        );
    }
    text
}

fn ways(results: &Results) -> String {
    let mut text = String::new();
    if !results.ways.is_empty() {
        let _ = write!(
            text,
            "\n## Other ways to compare\n\nRosters of {ROSTER}, the same for all. In brackets: \
             the difference from the plain way in percentage points, as a 95 % interval, \
             resampling the same persons for both.\n\n\
             | way | photographs | FPIR | threshold | FNIR, plain | FNIR | wrong names |\n\
             |---|---|---|---|---|---|---|\n"
        );
    }
    for row in &results.ways {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.3} | {} | {}{} | {} |",
            row.way,
            row.photographs,
            percent(row.fpir),
            row.threshold,
            percent(row.plain),
            percent(row.fnir),
            difference(row.difference_low, row.difference_high),
            row.wrong_name,
        );
    }
    text
}

fn difference(low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!(" ({:+.2} to {:+.2})", low * 100.0, high * 100.0),
        (None | Some(_), None | Some(_)) => String::new(),
    }
}

fn list(reasons: &BTreeMap<String, usize>) -> String {
    let each = reasons.iter();
    let each = each.map(|(reason, count)| format!("{reason}: {count}"));
    each.collect::<Vec<_>>().join("; ")
}

fn interval(low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!(" ({:.1}–{:.1})", low * 100.0, high * 100.0),
        (None | Some(_), None | Some(_)) => String::new(),
    }
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
