//! Which photographs there are and whom each shows: from `MANIFEST.tsv` when the dataset has one,
//! else from its folders. Opens no photograph, and never leaves the dataset's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path};

use anyhow::{Context, bail, ensure};

use super::split;
use crate::cli::Half;

/// The list of photographs that a dataset may bring.
const MANIFEST: &str = "MANIFEST.tsv";

/// What the manifest says of a photograph that shows nobody in particular.
const NOBODY: &str = "-";

/// A folder of frames without faces, in a dataset without a manifest.
const NOT_A_PERSON: &str = "video";

/// Endings of photographs' names, in small letters.
const ENDINGS: [&str; 6] = ["jpg", "jpeg", "png", "webp", "bmp", "gif"];

/// Most photographs of a dataset. All pairs are compared: twice as many take four times as long,
/// and this many take some ten seconds.
pub const PHOTOGRAPHS_MAX: usize = 20_000;

/// Largest manifest in bytes: four times what the most photographs with long paths need.
const MANIFEST_BYTES_MAX: u64 = 32 << 20;

/// One photograph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photograph {
    /// Where, from the dataset's folder, with `/` between its parts.
    pub path: String,
    /// Whom it shows, an index into [`Dataset::people`].
    pub person: usize,
}

/// Somebody who is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The dataset's own name for them; never printed outside the lists that are asked for.
    pub identity: String,
    /// Of which group, where the manifest says.
    pub group: Option<String>,
}

/// The photographs in the order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// Who is shown, in the order of their identities.
    pub people: Vec<Person>,
    /// What shows them.
    pub photographs: Vec<Photograph>,
}

/// A photograph as it is listed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    path: String,
    identity: String,
    group: Option<String>,
}

impl Dataset {
    /// Lists the dataset in a folder, and keeps the people of one half.
    ///
    /// # Errors
    /// Says which folder, file or line cannot be used and what is expected there.
    pub fn open(folder: &Path, half: Half) -> anyhow::Result<Self> {
        let manifest = folder.join(MANIFEST);
        let listed = if manifest.is_file() {
            parse(&table(&manifest)?)
                .with_context(|| format!("{} is not usable", manifest.display()))?
        } else {
            walk(folder)?
        };
        let kept: Vec<Listed> = listed
            .into_iter()
            .filter(|one| split::belongs(half, &one.identity))
            .collect();
        ensure!(
            !kept.is_empty(),
            "{} holds no photographs of anybody; expected is a folder per person with pictures in \
             it, or a {MANIFEST} with columns `path` and `identity`",
            folder.display()
        );
        ensure!(
            kept.len() <= PHOTOGRAPHS_MAX,
            "{} holds {} photographs, at most {PHOTOGRAPHS_MAX} are evaluated; take a part of it",
            folder.display(),
            kept.len()
        );
        Ok(Self::of(kept))
    }

    /// Puts people into the groups that a file of its own names, and nobody else into any.
    ///
    /// # Errors
    /// Says what the file lacks, or that it names nobody of this dataset.
    pub fn group_by(&mut self, file: &Path) -> anyhow::Result<()> {
        let text = table(file)?;
        let groups =
            parse_groups(&text).with_context(|| format!("{} is not usable", file.display()))?;
        for person in &mut self.people {
            let group = groups.get(person.identity.as_str());
            person.group = group.map(|group| (*group).to_owned());
        }
        ensure!(
            self.people.iter().any(|person| person.group.is_some()),
            "{} names nobody of this dataset; its column `identity` holds names as in {MANIFEST}, \
             or of the folders",
            file.display()
        );
        Ok(())
    }

    fn of(mut listed: Vec<Listed>) -> Self {
        listed.sort();
        listed.dedup_by(|one, other| one.path == other.path);
        let mut groups: BTreeMap<String, Option<String>> = BTreeMap::new();
        for one in &listed {
            let group = groups.entry(one.identity.clone()).or_default();
            if group.is_none() {
                group.clone_from(&one.group);
            }
        }
        let index: BTreeMap<&str, usize> = groups
            .keys()
            .enumerate()
            .map(|(at, identity)| (identity.as_str(), at))
            .collect();
        let photographs = listed
            .iter()
            .map(|one| Photograph {
                path: one.path.clone(),
                person: index[one.identity.as_str()],
            })
            .collect();
        let people = groups
            .into_iter()
            .map(|(identity, group)| Person { identity, group })
            .collect();
        Self {
            people,
            photographs,
        }
    }
}

/// The text of a table of bounded size.
fn table(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::metadata(path).map(|data| data.len()).unwrap_or(0);
    ensure!(
        bytes <= MANIFEST_BYTES_MAX,
        "{} has more than {MANIFEST_BYTES_MAX} bytes; is it the right file?",
        path.display()
    );
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Reads which group each identity belongs to: tab-separated, with a header.
fn parse_groups(text: &str) -> anyhow::Result<BTreeMap<&str, &str>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or("").split('\t').collect();
    let column = |name: &str| {
        let found = header.iter().position(|cell| cell.trim() == name);
        found.with_context(|| format!("its first line names no column `{name}`"))
    };
    let (identity, group) = (column("identity")?, column("group")?);
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let cell = |at: usize| cells.get(at).copied().unwrap_or("");
        (cell(identity), cell(group))
    });
    let said =
        |(identity, group): &(&str, &str)| !identity.is_empty() && !["", NOBODY].contains(group);
    Ok(rows.filter(said).collect())
}

/// Reads a manifest: tab-separated, with a header.
fn parse(text: &str) -> anyhow::Result<Vec<Listed>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or("").split('\t').collect();
    let column = |name: &str| header.iter().position(|cell| cell.trim() == name);
    let required = |name: &str| {
        column(name).with_context(|| format!("its first line names no column `{name}`"))
    };
    let (path, identity) = (required("path")?, required("identity")?);
    let group = column("group");
    let mut listed = Vec::new();
    for (number, line) in lines
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let cell = |at: usize| cells.get(at).copied().filter(|cell| !cell.is_empty());
        let at_line = || format!("line {} is not usable", number + 2);
        let identity = cell(identity)
            .context("it has no identity")
            .with_context(at_line)?;
        let path = cell(path).context("it has no path").with_context(at_line)?;
        if identity == NOBODY {
            continue;
        }
        inside(path).with_context(at_line)?;
        listed.push(Listed {
            path: path.to_owned(),
            identity: identity.to_owned(),
            group: group
                .and_then(cell)
                .filter(|name| *name != NOBODY)
                .map(str::to_owned),
        });
    }
    Ok(listed)
}

/// A path that leads nowhere but into the dataset.
fn inside(path: &str) -> anyhow::Result<()> {
    let plain = |part| matches!(part, Component::Normal(_));
    if !Path::new(path).components().all(plain) {
        bail!("the path {path:?} leads out of the dataset; give it from the dataset's folder");
    }
    Ok(())
}

/// A folder per person. A folder that holds only folders is nobody's.
fn walk(folder: &Path) -> anyhow::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for person in names(folder)? {
        let home = folder.join(&person);
        if !home.is_dir() || person == NOT_A_PERSON || person.starts_with('.') {
            continue;
        }
        for name in names(&home)? {
            let ending = Path::new(&name)
                .extension()
                .and_then(|ending| ending.to_str());
            let ending = ending.map(str::to_ascii_lowercase);
            let picture = ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()));
            if picture && home.join(&name).is_file() {
                listed.push(Listed {
                    path: format!("{person}/{name}"),
                    identity: person.clone(),
                    group: None,
                });
            }
        }
    }
    Ok(listed)
}

/// The names in a folder that are text, in order; a name that is not could not be reported.
fn names(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let cannot = || format!("the folder {} cannot be read", folder.display());
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        if let Ok(name) = entry.with_context(cannot)?.file_name().into_string() {
            names.insert(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(dataset: &Dataset) -> Vec<(&str, &str)> {
        let person = |at: usize| dataset.people[at].identity.as_str();
        dataset
            .photographs
            .iter()
            .map(|one| (one.path.as_str(), person(one.person)))
            .collect()
    }

    #[test]
    fn a_manifest_says_whom_photographs_show() {
        let text = "path\tidentity\trole\tgroup\nb/1.jpg\tb\tmated\tnorth\n\na/1.jpg\ta\t\t-\n\
                    video/1.jpg\t-\tempty\t-\nb/2.jpg\tb\tmated\t\n";
        let dataset = Dataset::of(parse(text).unwrap());
        assert_eq!(
            shown(&dataset),
            [("a/1.jpg", "a"), ("b/1.jpg", "b"), ("b/2.jpg", "b")]
        );
        assert_eq!(dataset.people[0].group, None);
        assert_eq!(dataset.people[1].group.as_deref(), Some("north"));
    }

    #[test]
    fn a_manifest_that_is_not_usable_says_where() {
        let check = |text: &str, expect: &str| {
            let message = format!("{:#}", parse(text).unwrap_err());
            assert!(message.contains(expect), "{message}");
        };
        check("", "no column `path`");
        check("path\tname\n", "no column `identity`");
        check("path\tidentity\na.jpg\ta\nb.jpg\n", "line 3");
        check("path\tidentity\n../a.jpg\ta\n", "leads out of the dataset");
        check("path\tidentity\n/etc/a.jpg\ta\n", "line 2");
    }

    #[test]
    fn folders_are_people_unless_they_hold_only_folders() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "b/1.JPG",
            "b/notes.txt",
            "a/2.png",
            "video/1.jpg",
            "other/kind/1.jpg",
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let dataset = Dataset::open(folder.path(), Half::All).unwrap();
        assert_eq!(shown(&dataset), [("a/2.png", "a"), ("b/1.JPG", "b")]);
    }

    #[test]
    fn a_file_of_groups_says_who_belongs_together() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("groups.tsv");
        let text = "path\tidentity\tgroup\na/1.jpg\ta\told\nb/1.jpg\tb\told\n\
                    c/1.jpg\tc\told\n";
        let mut dataset = Dataset::of(parse(text).unwrap());
        fs::write(&file, "group\tidentity\nnorth\ta\n-\tb\n\nsouth\tabsent\n").unwrap();
        dataset.group_by(&file).unwrap();
        let groups = dataset.people.iter().map(|person| person.group.as_deref());
        assert_eq!(groups.collect::<Vec<_>>(), [Some("north"), None, None]);
        let mut check = |text: &str, expect: &str| {
            fs::write(&file, text).unwrap();
            let message = format!("{:#}", dataset.group_by(&file).unwrap_err());
            assert!(message.contains(expect), "{message}");
        };
        check("identity\tkind\na\tnorth\n", "no column `group`");
        check("identity\tgroup\nnobody\tnorth\n", "names nobody");
        fs::remove_file(&file).unwrap();
        let message = format!("{:#}", dataset.group_by(&file).unwrap_err());
        assert!(message.contains("cannot be read"), "{message}");
    }

    #[test]
    fn an_empty_dataset_says_what_is_expected() {
        let folder = tempfile::tempdir().unwrap();
        let error = Dataset::open(folder.path(), Half::All).unwrap_err();
        assert!(error.to_string().contains("folder per person"), "{error}");
        let missing = Dataset::open(&folder.path().join("none"), Half::All).unwrap_err();
        assert!(missing.to_string().contains("cannot be read"), "{missing}");
    }
}
