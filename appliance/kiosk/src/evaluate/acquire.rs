//! From photographs to templates, through the very code that enrols and looks at the door: decode,
//! find faces, take the widest, align, compare. No face is turned away for its quality here; a
//! photograph without a template is counted, and says why.
//!
//! Keeps no picture: each is dropped when its template is made.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, anyhow};
use biometrics::{EnrolmentRefusal, EnrolmentRules, check_portrait};
use crossbeam_channel::{Receiver, Sender, bounded};
use imaging::DecodeLimits;
use indicatif::{ProgressBar, ProgressStyle};
use models::Manifest;
use vocabulary::{FeatureSpace, Template};

use super::cache::{Cache, Entry};
use super::dataset::Dataset;
use crate::cli::EvaluateArgs;
use crate::config::Config;
use crate::networks::Networks;
use crate::portrait::{self, PortraitError};
use crate::trouble::chain;
use inference::portrait::{faces, template};

/// Finished photographs that may wait to be gathered, for each thread.
const WAITING_MAX: usize = 16;

/// What the photographs came to.
#[derive(Debug)]
pub struct Acquired {
    /// One for each photograph of the dataset, in its order; `None` when it gave no template.
    pub templates: Vec<Option<Template>>,
    /// Why photographs gave no template: index and reason.
    pub failures: Vec<(usize, String)>,
    /// Photographs with a template that enrolment would refuse, and why.
    pub refusals: Vec<(usize, String)>,
    /// How many templates were in the cache.
    pub cached: usize,
    /// In which space all templates are.
    pub space: FeatureSpace,
}

/// Makes a template of each photograph, or takes it from the cache.
///
/// # Errors
/// When a network does not work, a photograph cannot be read, or the cache cannot be written.
pub fn acquire(config: &Config, args: &EvaluateArgs, of: &Dataset) -> anyhow::Result<Acquired> {
    let cache = Cache::open(&args.cache, &facts(config)?)?;
    let networks = (0..args.threads)
        .map(|_| Networks::load(config))
        .collect::<Result<Vec<_>, _>>()?;
    let space = networks
        .first()
        .context("no thread makes templates; give --threads")?
        .comparer
        .space()
        .clone();
    let (next, count) = (AtomicUsize::new(0), of.photographs.len());
    let (done, finished) = bounded(WAITING_MAX * usize::from(args.threads));
    thread::scope(|scope| {
        for mut networks in networks {
            let (done, next, cache) = (done.clone(), &next, &cache);
            scope.spawn(move || work(&mut networks, cache, args, of, next, &done));
        }
        drop(done);
        gather(&finished, count, space)
    })
}

/// What a template depends on beside the photograph and this program's version of the pipeline.
fn facts(config: &Config) -> anyhow::Result<Vec<String>> {
    let manifest = Manifest::load(&config.models.manifest)?;
    let mut facts = vec![format!(
        "least score {}",
        config.recognition.detector_score_min
    )];
    for id in [&config.models.detector, &config.models.comparer] {
        let model = manifest.model(id)?;
        facts.push(format!("{id} {}", model.sha256));
        facts.push(format!(
            "{:?}",
            model.prepared.as_ref().map(|form| form.sha256)
        ));
    }
    Ok(facts)
}

/// A photograph's index, what it came to, and whether that was known.
type Done = (usize, anyhow::Result<(Entry, bool)>);

/// One thread: takes the next photograph until there is none or nobody listens.
fn work(
    networks: &mut Networks,
    cache: &Cache,
    args: &EvaluateArgs,
    of: &Dataset,
    next: &AtomicUsize,
    done: &Sender<Done>,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(photograph) = of.photographs.get(index) else {
            return;
        };
        let entry = look_up(networks, cache, &args.dataset.join(&photograph.path))
            .with_context(|| format!("photograph {}", photograph.path));
        if done.send((index, entry)).is_err() {
            return;
        }
    }
}

fn look_up(networks: &mut Networks, cache: &Cache, path: &Path) -> anyhow::Result<(Entry, bool)> {
    let bytes = portrait::read_bytes(path)?;
    if let Some(entry) = cache.get(&bytes) {
        return Ok((entry, true));
    }
    let entry = match look(networks, &bytes) {
        Ok(entry) => entry,
        // What the photograph itself is to blame for.
        Err(
            error @ (PortraitError::Decode(_)
            | PortraitError::Portrait(inference::PortraitError::Align(_))),
        ) => Entry::Failed(chain(&error)),
        Err(error @ (PortraitError::Read { .. } | PortraitError::Portrait(_))) => {
            return Err(error.into());
        }
    };
    cache.put(&bytes, &entry)?;
    Ok((entry, false))
}

fn look(networks: &mut Networks, bytes: &[u8]) -> Result<Entry, PortraitError> {
    let picture = imaging::decode(bytes, DecodeLimits::default())?.picture;
    let found = faces(&mut networks.detector, &picture)?;
    let widest = found
        .iter()
        .max_by(|a, b| a.bounds.width.total_cmp(&b.bounds.width));
    let Some(widest) = widest else {
        return Ok(Entry::Failed("no face was found".to_owned()));
    };
    let template = template(&mut networks.comparer, &picture, widest)?;
    let judged = check_portrait(&picture, &found, &EnrolmentRules::default());
    let refused = judged.err().map(|refusal| kind(&refusal).to_owned());
    Ok(Entry::face(template.values(), refused))
}

/// What enrolment minds, without the numbers of the single case.
fn kind(refusal: &EnrolmentRefusal) -> &'static str {
    match refusal {
        EnrolmentRefusal::PictureTooSmall { .. } => "the picture is too small",
        EnrolmentRefusal::NoFace => "no face was found",
        EnrolmentRefusal::SeveralFaces(_) => "several faces",
        EnrolmentRefusal::TooSmall { .. } => "the face is too small",
        EnrolmentRefusal::Blurred => "blurred",
        EnrolmentRefusal::TooDark => "too dark",
        EnrolmentRefusal::TooBright => "too bright",
        EnrolmentRefusal::TooFlat => "hardly any contrast",
        EnrolmentRefusal::TurnedAway => "turned away",
        EnrolmentRefusal::NoLandmarks(_) => "the five points make no face",
    }
}

fn gather(
    finished: &Receiver<Done>,
    count: usize,
    space: FeatureSpace,
) -> anyhow::Result<Acquired> {
    let style = "Photographs {wide_bar} {pos}/{len} ({eta} left)";
    let bar = ProgressBar::new(count as u64).with_style(ProgressStyle::with_template(style)?);
    let mut acquired = Acquired {
        templates: vec![None; count],
        failures: Vec::new(),
        refusals: Vec::new(),
        cached: 0,
        space,
    };
    for (index, entry) in finished {
        let (entry, known) = entry?;
        acquired.cached += usize::from(known);
        acquired.take(index, entry)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    acquired.failures.sort();
    acquired.refusals.sort();
    Ok(acquired)
}

impl Acquired {
    fn take(&mut self, index: usize, entry: Entry) -> anyhow::Result<()> {
        match entry {
            Entry::Face { template, refused } => {
                let values = Entry::values(&template)
                    .ok_or_else(|| anyhow!("the cache is damaged; delete it and start again"))?;
                self.templates[index] = Some(Template::normalise(self.space.clone(), &values)?);
                self.refusals.extend(refused.map(|reason| (index, reason)));
            }
            Entry::Failed(reason) => self.failures.push((index, reason)),
        }
        Ok(())
    }
}
