//! `kiosk evaluate`: how right the recognition is, measured on photographs of people whose names
//! are known, by the field's own methods (ISO/IEC 19795-1).
//!
//! Part of development builds (feature `evaluate`), never of the appliance. It uses the very code
//! of enrolment and of the door and sets nothing: thresholds in the manifest are changed by people
//! who have read a report.

mod acquire;
mod bootstrap;
mod by_condition;
mod cache;
mod chart;
mod condition;
mod dataset;
mod npz;
mod one_to_one;
mod open_set;
mod plots;
mod random;
mod report;
mod results;
mod split;
mod svg;
#[cfg(test)]
mod tests;
mod ways;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context;

use self::acquire::Acquired;
use self::dataset::Dataset;
use self::results::Results;
use crate::cli::EvaluateArgs;
use crate::config::Config;

/// Evaluates a dataset and writes what was asked for.
///
/// # Errors
/// When the dataset, a model or an output cannot be used; the message says what to do.
pub fn evaluate(config: &Config, args: &EvaluateArgs) -> anyhow::Result<()> {
    let mut dataset = Dataset::open(&args.dataset, args.half)?;
    if let Some(groups) = &args.groups {
        dataset.group_by(groups)?;
    }
    let acquired = acquire::acquire(config, args, &dataset)?;
    for (at, reason) in &acquired.plain.failures {
        eprintln!("{}: {reason}", dataset.photographs[*at].path);
    }
    eprintln!(
        "{} photographs, {} templates from the cache; comparing",
        dataset.photographs.len(),
        acquired.cached
    );
    if let Some(path) = &args.templates {
        write_templates(path, &dataset, &acquired)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let results = Results::of(config, args, &dataset, &acquired)?;
    let json = || serde_json::to_string_pretty(&results).map(|text| text + "\n");
    if let Some(path) = &args.json {
        write(path, &json()?)?;
    }
    match &args.report {
        Some(folder) => {
            let plots = plots::all(&results);
            for plot in &plots {
                write(&folder.join(plot.file), &plot.svg)?;
            }
            write(
                &folder.join("report.md"),
                &report::markdown(&results, &plots),
            )?;
            write(&folder.join("results.json"), &json()?)?;
        }
        None => print!("{}", report::markdown(&results, &[])),
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    make_folder_of(path).with_context(cannot)?;
    fs::write(path, text).with_context(cannot)
}

fn write_templates(path: &Path, dataset: &Dataset, acquired: &Acquired) -> anyhow::Result<()> {
    let both = dataset.photographs.iter().zip(&acquired.plain.templates);
    let made = both.filter_map(|(one, template)| Some((one.path.as_str(), template.as_ref()?)));
    let (paths, feats): (Vec<&str>, Vec<&[f32]>) = made
        .map(|(path, template)| (path, template.values()))
        .unzip();
    make_folder_of(path)?;
    npz::write(BufWriter::new(File::create(path)?), &paths, &feats)
}

fn make_folder_of(path: &Path) -> std::io::Result<()> {
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => fs::create_dir_all(folder),
        None => Ok(()),
    }
}
