//! From photographs to templates, through the very code that enrols and looks at the door: decode,
//! find faces, take the widest, align, compare. No face is turned away for its quality here; a
//! photograph without a template is counted, and says why.
//!
//! Keeps no picture: each is dropped when its template is made.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, anyhow};
use biometrics::{
    ALIGNED_SIDE_PX, Detection, EnrolmentRefusal, EnrolmentRules, align, check_portrait,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use imaging::{DecodeLimits, Picture};
use indicatif::{ProgressBar, ProgressStyle};
use models::Manifest;
use vocabulary::{FeatureSpace, Template};

use super::cache::{Cache, Entry, Key, View};
use super::condition::Condition;
use super::dataset::Dataset;
use crate::cli::EvaluateArgs;
use crate::config::Config;
use crate::networks::Networks;
use crate::portrait::{self, PortraitError};
use crate::trouble::chain;
use inference::portrait::{faces, template};

/// Finished photographs that may wait to be gathered, for each thread.
const WAITING_MAX: usize = 16;

/// What is said of a degraded photograph when nobody is seen on the photograph itself.
const NOBODY_ON_IT: &str = "no face was found on the photograph itself";

/// What the photographs came to, as they are or under one condition.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// One for each photograph of the dataset, in its order; `None` when it gave no template.
    pub templates: Vec<Option<Template>>,
    /// Why photographs gave no template: index and reason.
    pub failures: Vec<(usize, String)>,
    /// Photographs with a template that enrolment would refuse, and why.
    pub refusals: Vec<(usize, String)>,
}

/// What the photographs came to, all in all.
#[derive(Debug)]
pub struct Acquired {
    /// As they are.
    pub plain: Taken,
    /// With the crop mirrored, where that was asked for.
    pub mirrored: Option<Taken>,
    /// Under each condition, where that was asked for.
    pub conditions: Vec<(Condition, Taken)>,
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
        gather(&finished, &wanted(args), count, space)
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

/// A photograph's index, what it came to as it is and then under each condition, and how much of
/// this was known.
type Done = (usize, anyhow::Result<(Vec<Entry>, usize)>);

/// One thread: takes the next photograph until there is none or nobody listens.
fn work(
    networks: &mut Networks,
    cache: &Cache,
    args: &EvaluateArgs,
    of: &Dataset,
    next: &AtomicUsize,
    done: &Sender<Done>,
) {
    let wanted = wanted(args);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(photograph) = of.photographs.get(index) else {
            return;
        };
        let path = args.dataset.join(&photograph.path);
        let entries = look_up(networks, cache, &path, &wanted)
            .with_context(|| format!("photograph {}", photograph.path));
        if done.send((index, entries)).is_err() {
            return;
        }
    }
}

/// The photograph as it is, and what else was asked for.
fn wanted(args: &EvaluateArgs) -> Vec<View> {
    let mirrored = args.ways.then_some(View::Mirrored);
    let conditions = args.conditions.then_some(Condition::ALL);
    let conditions = conditions.into_iter().flatten().map(View::Under);
    std::iter::once(View::Plain)
        .chain(mirrored)
        .chain(conditions)
        .collect()
}

fn look_up(
    networks: &mut Networks,
    cache: &Cache,
    path: &Path,
    wanted: &[View],
) -> anyhow::Result<(Vec<Entry>, usize)> {
    let bytes = portrait::read_bytes(path)?;
    let key = Key::of(&bytes);
    let known: Vec<Option<Entry>> = wanted.iter().map(|one| cache.get(&key, *one)).collect();
    let count = known.iter().flatten().count();
    if count == wanted.len() {
        return Ok((known.into_iter().flatten().collect(), count));
    }
    let seen = fault(see(networks, &bytes))?;
    let mut entries = Vec::with_capacity(wanted.len());
    for (view, entry) in wanted.iter().zip(known) {
        if let Some(entry) = entry {
            entries.push(entry);
            continue;
        }
        let looked = match &seen {
            Ok(seen) => fault(look(networks, seen, *view))?,
            Err(reason) => Err(reason.clone()),
        };
        let entry = looked.unwrap_or_else(Entry::Failed);
        cache.put(&key, *view, &entry)?;
        entries.push(entry);
    }
    Ok((entries, count))
}

/// What the photograph itself is to blame for becomes a reason; all else stays an error.
fn fault<T>(found: Result<T, PortraitError>) -> Result<Result<T, String>, PortraitError> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(
            error @ (PortraitError::Decode(_)
            | PortraitError::Portrait(inference::PortraitError::Align(_))),
        ) => Ok(Err(chain(&error))),
        Err(error @ (PortraitError::Read { .. } | PortraitError::Portrait(_))) => Err(error),
    }
}

/// A photograph and the faces on it.
struct Seen {
    picture: Picture,
    found: Vec<Detection>,
}

fn see(networks: &mut Networks, bytes: &[u8]) -> Result<Seen, PortraitError> {
    let picture = imaging::decode(bytes, DecodeLimits::default())?.picture;
    let found = faces(&mut networks.detector, &picture)?;
    Ok(Seen { picture, found })
}

/// Looks at the photograph itself, or makes it worse and begins anew with what became of it.
fn look(networks: &mut Networks, seen: &Seen, view: View) -> Result<Entry, PortraitError> {
    let condition = match view {
        View::Plain => return judge(networks, &seen.picture, &seen.found, false),
        View::Mirrored => return judge(networks, &seen.picture, &seen.found, true),
        View::Under(condition) => condition,
    };
    let Some(face) = widest(&seen.found) else {
        return Ok(Entry::Failed(NOBODY_ON_IT.to_owned()));
    };
    let worse = condition
        .apply(&seen.picture, &face.bounds)
        .map_err(inference::PortraitError::Scale)?;
    let found = faces(&mut networks.detector, &worse)?;
    judge(networks, &worse, &found, false)
}

fn judge(
    networks: &mut Networks,
    picture: &Picture,
    found: &[Detection],
    mirrored: bool,
) -> Result<Entry, PortraitError> {
    let Some(face) = widest(found) else {
        return Ok(Entry::Failed("no face was found".to_owned()));
    };
    let template = match mirrored {
        false => template(&mut networks.comparer, picture, face)?,
        true => mirrored_template(networks, picture, face)?,
    };
    let judged = check_portrait(picture, found, &EnrolmentRules::default());
    let refused = judged.err().map(|refusal| kind(&refusal).to_owned());
    Ok(Entry::face(template.values(), refused))
}

/// The template of a face whose aligned crop is mirrored.
fn mirrored_template(
    networks: &mut Networks,
    picture: &Picture,
    face: &Detection,
) -> Result<Template, inference::PortraitError> {
    let mut aligned = Picture::new(ALIGNED_SIDE_PX, ALIGNED_SIDE_PX)?;
    align(picture, &face.landmarks, &mut aligned)?;
    let row = ALIGNED_SIDE_PX as usize * 3;
    for row in aligned.rgb_mut().chunks_exact_mut(row) {
        row.as_chunks_mut::<3>().0.reverse();
    }
    Ok(networks.comparer.template(&aligned)?)
}

fn widest(found: &[Detection]) -> Option<&Detection> {
    found
        .iter()
        .max_by(|one, other| one.bounds.width.total_cmp(&other.bounds.width))
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
    wanted: &[View],
    count: usize,
    space: FeatureSpace,
) -> anyhow::Result<Acquired> {
    let style = "Photographs {wide_bar} {pos}/{len} ({eta} left)";
    let bar = ProgressBar::new(count as u64).with_style(ProgressStyle::with_template(style)?);
    let nothing = || Taken {
        templates: vec![None; count],
        ..Taken::default()
    };
    let mut taken: Vec<Taken> = wanted.iter().map(|_| nothing()).collect();
    let mut cached = 0;
    for (index, entries) in finished {
        let (entries, known) = entries?;
        cached += known;
        for (taken, entry) in taken.iter_mut().zip(entries) {
            taken.take(index, entry, &space)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    for taken in &mut taken {
        taken.failures.sort();
        taken.refusals.sort();
    }
    let mut taken = taken.into_iter();
    let plain = taken.next().unwrap_or_else(nothing);
    let (mut mirrored, mut conditions) = (None, Vec::new());
    for (view, taken) in wanted.iter().skip(1).zip(taken) {
        match view {
            View::Plain => {}
            View::Mirrored => mirrored = Some(taken),
            View::Under(condition) => conditions.push((*condition, taken)),
        }
    }
    Ok(Acquired {
        plain,
        mirrored,
        conditions,
        cached,
        space,
    })
}

impl Taken {
    fn take(&mut self, index: usize, entry: Entry, space: &FeatureSpace) -> anyhow::Result<()> {
        match entry {
            Entry::Face { template, refused } => {
                let values = Entry::values(&template)
                    .ok_or_else(|| anyhow!("the cache is damaged; delete it and start again"))?;
                self.templates[index] = Some(Template::normalise(space.clone(), &values)?);
                self.refusals.extend(refused.map(|reason| (index, reason)));
            }
            Entry::Failed(reason) => self.failures.push((index, reason)),
        }
        Ok(())
    }
}
