//! Which model the kiosk compares by. A new one is of no use while the people of the next meetings
//! have references by another only: nobody would be called by face. So it is refused until they
//! have: the one that their references are made by goes on, if it is still there; else the door
//! calls nobody by face, and says so beforehand.
//!
//! [`choose`] decides and is pure; [`chosen`] looks at the manifest, the files and the rosters.

use anyhow::Context as _;
use models::{Manifest, Model};
use screen::Note;
use vocabulary::{Digest, FeatureSpace, WallTime};

use crate::config::Config;
use crate::networks;
use crate::rosters::{Rosters, RostersError};

/// What the configured model is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelChoice {
    /// The next meetings: it is used.
    Configured,
    /// Not the next ones: this one is used, by which their people have references.
    Other(FeatureSpace),
    /// Not the next one, and none that is here is: nobody is called by face.
    NoneFits,
}

/// Which of the models here to compare by. `ahead` are the feature spaces in which the people of
/// each meeting have references, the next meeting first; one without any says nothing.
pub fn choose(
    configured: &FeatureSpace,
    others: &[FeatureSpace],
    ahead: &[Vec<FeatureSpace>],
) -> ModelChoice {
    let with_references = || ahead.iter().filter(|spaces| !spaces.is_empty());
    // For how many meetings in a row, from the next one on, a model is good.
    let good_for = |space: &FeatureSpace| {
        with_references()
            .take_while(|spaces| spaces.contains(space))
            .count()
    };
    let configured_for = good_for(configured);
    let best = others
        .iter()
        .map(|space| (good_for(space), space))
        .reduce(|best, one| if one.0 > best.0 { one } else { best })
        .filter(|(meetings, _)| *meetings > configured_for);
    match best {
        Some((_, space)) => ModelChoice::Other(space.clone()),
        None if configured_for == 0 && with_references().next().is_some() => ModelChoice::NoneFits,
        None => ModelChoice::Configured,
    }
}

/// The configuration with the model that is to be used.
pub struct Chosen {
    /// The configuration.
    pub config: Config,
    /// What was chosen.
    pub choice: ModelChoice,
}

impl Chosen {
    /// The model that is configured.
    pub fn configured(config: &Config) -> Self {
        Self {
            config: config.clone(),
            choice: ModelChoice::Configured,
        }
    }
}

/// Chooses for the meetings that are not over at `now`. A manifest that cannot be used is told of
/// when the networks are loaded.
///
/// # Errors
/// [`RostersError`] when it is not known what people have references by.
pub fn chosen(config: &Config, now: WallTime) -> Result<Chosen, RostersError> {
    let mut chosen = Chosen::configured(config);
    let Ok(manifest) = Manifest::load(&config.models.manifest) else {
        return Ok(chosen);
    };
    let configured = manifest.model(&config.models.comparer).ok();
    let Some(configured) = configured.and_then(space_of) else {
        return Ok(chosen);
    };
    let ahead = Rosters::new(config).spaces_ahead(now)?;
    let wanted = |space: &FeatureSpace| ahead.iter().any(|spaces| spaces.contains(space));
    let others: Vec<(&Model, FeatureSpace)> = manifest
        .models()
        .iter()
        .filter_map(|model| Some((model, space_of(model)?)))
        .filter(|(model, space)| {
            *space != configured && wanted(space) && networks::is_usable(config, model)
        })
        .collect();
    let spaces: Vec<FeatureSpace> = others.iter().map(|(_, space)| space.clone()).collect();
    chosen.choice = choose(&configured, &spaces, &ahead);
    if let ModelChoice::Other(space) = &chosen.choice
        && let Some((model, _)) = others.iter().find(|(_, other)| other == space)
    {
        chosen.config.models.comparer = model.id.clone();
    }
    Ok(chosen)
}

/// The feature space of the configured comparer.
///
/// # Errors
/// When the manifest cannot be used, or has no such comparer.
pub fn configured_space(config: &Config) -> anyhow::Result<FeatureSpace> {
    let manifest = Manifest::load(&config.models.manifest)?;
    let model = manifest.model(&config.models.comparer)?;
    space_of(model).with_context(|| format!("the model {} compares no faces", model.id))
}

/// The feature space of a comparer.
fn space_of(model: &Model) -> Option<FeatureSpace> {
    let comparer = model.comparer()?;
    let digest = Digest(*model.sha256.bytes());
    Some(FeatureSpace::new(&comparer.feature_space, digest))
}

/// What staff should know of a choice, if anything.
pub fn note(choice: &ModelChoice) -> Option<Note> {
    match choice {
        ModelChoice::Configured => None,
        ModelChoice::Other(_) => Some(Note {
            vi: "Mô hình nhận diện mới chưa có ảnh mẫu cho các cuộc họp tới; thiết bị vẫn dùng mô \
                 hình trước"
                .to_owned(),
            en: "the next meetings have no references by the new model; the one before is used"
                .to_owned(),
        }),
        ModelChoice::NoneFits => Some(nobody_by_face()),
    }
}

/// People of a meeting have references, and none by the model of this kiosk.
pub fn nobody_by_face() -> Note {
    Note {
        vi: "Cuộc họp chưa có ảnh mẫu cho mô hình nhận diện của thiết bị: điểm danh bằng mã QR \
             hoặc qua thư ký"
            .to_owned(),
        en: "the meeting has no references by this kiosk's model: nobody is called by face"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(name: &str) -> FeatureSpace {
        FeatureSpace::new(name, Digest([name.len() as u8; 32]))
    }

    fn check(others: &[&str], ahead: &[&[&str]], expect: ModelChoice) {
        let spaces = |names: &[&str]| names.iter().map(|name| space(name)).collect::<Vec<_>>();
        let meetings: Vec<_> = ahead.iter().map(|names| spaces(names)).collect();
        let found = choose(&space("new"), &spaces(others), &meetings);
        assert_eq!(found, expect, "others {others:?}, ahead {ahead:?}");
        let silent = note(&found).is_none();
        assert_eq!(silent, found == ModelChoice::Configured);
    }

    #[test]
    fn a_model_without_references_for_the_next_meetings_is_refused() {
        let other = || ModelChoice::Other(space("before"));
        let configured = ModelChoice::Configured;
        check(&["before"], &[], configured.clone());
        check(&["before"], &[&["new"], &["new"]], configured.clone());
        check(&["before"], &[&["before", "new"]], configured.clone());
        check(&["before"], &[&["before"]], other());
        check(&["before"], &[&["before", "new"], &["before"]], other());
        // A meeting for which nobody was enrolled says nothing of models.
        check(&["before"], &[&[], &["before"]], other());
        check(&["before"], &[&[], &[]], configured.clone());
        // The next one counts first.
        check(&["before"], &[&["new"], &["before"]], configured);
        check(&["before"], &[&["before"], &["new"]], other());
        check(&["older", "before"], &[&["before"]], other());
    }

    #[test]
    fn without_the_model_before_nobody_is_called_by_face() {
        check(&[], &[&["before"]], ModelChoice::NoneFits);
        check(&["older"], &[&["before"], &["new"]], ModelChoice::NoneFits);
        check(&[], &[&["new"], &["before"]], ModelChoice::Configured);
    }
}
