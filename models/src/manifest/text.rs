//! The manifest as it is written in TOML: its own types, and their checks with line and key.
//!
//! It never guesses: an unknown key, a number out of range or a name with a path in it is refused.

use super::{
    Channels, Comparer, Detector, FORMAT, ID_BYTES_MAX, Input, MODELS_MAX, Model, OperatingPoint,
    Pad, Prepared, SIDE_PX_MAX, Size, Source, Task, TaskKind,
};
use crate::digest::Digest;
use crate::error::ManifestFlaw;
use serde::Deserialize;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;

/// Reads and checks the whole text.
pub fn parse(text: &str) -> Result<Vec<Model>, ManifestFlaw> {
    let check = Check { text };
    let file: FileText = toml::from_str(text)
        .map_err(|error| check.flaw(error.span().unwrap_or(0..0), error.message()))?;
    if *file.format.get_ref() != FORMAT {
        return Err(check.flaw(
            file.format.span(),
            format!("this program reads format {FORMAT} only"),
        ));
    }
    if file.model.len() > MODELS_MAX {
        return Err(check.flaw(
            file.model[MODELS_MAX].id.span(),
            format!("at most {MODELS_MAX} models are allowed"),
        ));
    }
    let mut models: Vec<Model> = Vec::new();
    for entry in file.model {
        let span = entry.id.span();
        let model = check.model(entry)?;
        if models.iter().any(|other| other.id == model.id) {
            return Err(check.flaw(span, format!("the id `{}` is taken", model.id)));
        }
        models.push(model);
    }
    Ok(models)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    format: Spanned<u32>,
    #[serde(default)]
    model: Vec<ModelText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelText {
    id: Spanned<String>,
    task: Spanned<TaskText>,
    file: Spanned<String>,
    sha256: Spanned<String>,
    #[serde(default)]
    optional: bool,
    source: Option<SourceText>,
    licence: Spanned<String>,
    upstream: Spanned<String>,
    input: InputText,
    prepared: Option<PreparedText>,
    detector: Option<DetectorText>,
    comparer: Option<ComparerText>,
    pad: Option<PadText>,
    #[serde(default)]
    operating_point: Vec<PointText>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum TaskText {
    Detector,
    Comparer,
    Pad,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceText {
    package: Spanned<String>,
    version: Spanned<String>,
    path: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputText {
    name: Spanned<String>,
    channels: ChannelsText,
    width: Option<Spanned<u32>>,
    height: Option<Spanned<u32>>,
    multiple_of: Option<Spanned<u32>>,
    mean: Option<[f32; 3]>,
    std: Option<Spanned<[f32; 3]>>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum ChannelsText {
    Rgb,
    Bgr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreparedText {
    file: Spanned<String>,
    sha256: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DetectorText {
    score_min: Spanned<f64>,
    overlap_max: Spanned<f64>,
    measured_on: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComparerText {
    feature_space: Spanned<String>,
    template_length: Spanned<u32>,
    population: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PadText {
    crop_scale: Spanned<f64>,
    classes: Spanned<u32>,
    bona_fide_class: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PointText {
    threshold: Spanned<f64>,
    fmr: Spanned<f64>,
    fnmr: Spanned<f64>,
    population: Spanned<String>,
    measured_on: String,
}

/// Knows the text, and so turns a place in it into a line and a key.
struct Check<'a> {
    text: &'a str,
}

impl Check<'_> {
    fn model(&self, entry: ModelText) -> Result<Model, ManifestFlaw> {
        let id = self.id(&entry.id)?;
        let task = self.task(&entry)?;
        let source = entry.source.map(|source| self.source(source)).transpose()?;
        let prepared = entry
            .prepared
            .map(|prepared| self.prepared(prepared))
            .transpose()?;
        Ok(Model {
            id,
            task,
            file: self.file_name(&entry.file)?,
            sha256: self.digest(&entry.sha256)?,
            optional: entry.optional,
            source,
            licence: self.filled(&entry.licence)?,
            upstream: self.filled(&entry.upstream)?,
            input: self.input(&entry.input)?,
            prepared,
        })
    }

    fn task(&self, entry: &ModelText) -> Result<Task, ManifestFlaw> {
        let kind = match entry.task.get_ref() {
            TaskText::Detector => TaskKind::Detector,
            TaskText::Comparer => TaskKind::Comparer,
            TaskText::Pad => TaskKind::Pad,
        };
        let parts = (&entry.detector, &entry.comparer, &entry.pad);
        let task = match (kind, parts) {
            (TaskKind::Detector, (Some(part), None, None)) => Task::Detector(self.detector(part)?),
            (TaskKind::Comparer, (None, Some(part), None)) => {
                Task::Comparer(self.comparer(part, &entry.operating_point)?)
            }
            (TaskKind::Pad, (None, None, Some(part))) => Task::Pad(self.pad(part)?),
            (TaskKind::Detector | TaskKind::Comparer | TaskKind::Pad, _) => {
                return Err(self.flaw(
                    entry.task.span(),
                    format!("needs a table [model.{kind}], and none of another task"),
                ));
            }
        };
        match (&task, entry.operating_point.first()) {
            (Task::Detector(_) | Task::Pad(_), Some(point)) => Err(self.flaw(
                point.threshold.span(),
                format!("operating points belong to a comparer, this is a {kind}"),
            )),
            _ => Ok(task),
        }
    }

    fn detector(&self, part: &DetectorText) -> Result<Detector, ManifestFlaw> {
        Ok(Detector {
            score_min: self.within(&part.score_min, 0.0..=1.0)? as f32,
            overlap_max: self.within(&part.overlap_max, 0.0..=1.0)? as f32,
            measured_on: part.measured_on.clone(),
        })
    }

    fn comparer(
        &self,
        part: &ComparerText,
        points: &[PointText],
    ) -> Result<Comparer, ManifestFlaw> {
        let feature_space = self.id(&part.feature_space)?;
        let template_length = self.count(&part.template_length, 1..=4096)? as usize;
        let population = self.filled(&part.population)?;
        let mut operating_points: Vec<OperatingPoint> = Vec::new();
        for point in points {
            let read = OperatingPoint {
                threshold: self.within(&point.threshold, -1.0..=1.0)? as f32,
                fmr: self.within(&point.fmr, 0.0..=1.0)?,
                fnmr: self.within(&point.fnmr, 0.0..=1.0)?,
                population: self.filled(&point.population)?,
                measured_on: point.measured_on.clone(),
            };
            let before = operating_points
                .iter()
                .rfind(|p| p.population == read.population);
            if before.is_some_and(|p| p.threshold >= read.threshold) {
                let problem = "must be above the threshold before it of the same population";
                return Err(self.flaw(point.threshold.span(), problem));
            }
            if before.is_some_and(|p| p.fmr < read.fmr) {
                let problem = "rises with the threshold, which a false match rate cannot";
                return Err(self.flaw(point.fmr.span(), problem));
            }
            operating_points.push(read);
        }
        let known = operating_points.iter().any(|p| p.population == population);
        if !known && !operating_points.is_empty() {
            return Err(self.flaw(part.population.span(), "no operating point is of these"));
        }
        Ok(Comparer {
            feature_space,
            template_length,
            population,
            operating_points,
        })
    }

    fn pad(&self, part: &PadText) -> Result<Pad, ManifestFlaw> {
        let classes = self.count(&part.classes, 2..=100)?;
        let bona_fide_class = self.count(&part.bona_fide_class, 0..=classes - 1)?;
        Ok(Pad {
            crop_scale: self.within(&part.crop_scale, 0.1..=20.0)? as f32,
            classes: classes as usize,
            bona_fide_class: bona_fide_class as usize,
        })
    }

    fn source(&self, part: SourceText) -> Result<Source, ManifestFlaw> {
        let plain = |text: &Spanned<String>| {
            let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if text.get_ref().is_empty() || !text.get_ref().chars().all(fine) {
                return Err(self.flaw(text.span(), "has letters, digits, '.', '_' and '-' only"));
            }
            Ok(text.get_ref().clone())
        };
        let path = part.path.get_ref();
        if path.split('/').any(|step| matches!(step, "" | "." | "..")) {
            return Err(self.flaw(
                part.path.span(),
                "is a path within the package, without '..'",
            ));
        }
        Ok(Source {
            package: plain(&part.package)?,
            version: plain(&part.version)?,
            path: path.clone(),
        })
    }

    fn prepared(&self, part: PreparedText) -> Result<Prepared, ManifestFlaw> {
        Ok(Prepared {
            file: self.file_name(&part.file)?,
            sha256: part
                .sha256
                .as_ref()
                .map(|text| self.digest(text))
                .transpose()?,
        })
    }

    fn input(&self, part: &InputText) -> Result<Input, ManifestFlaw> {
        let size = match (&part.width, &part.height, &part.multiple_of) {
            (Some(width), Some(height), None) => Size::Fixed {
                width: self.count(width, 1..=SIDE_PX_MAX)?,
                height: self.count(height, 1..=SIDE_PX_MAX)?,
            },
            (None, None, Some(step)) => Size::MultipleOf(self.count(step, 1..=SIDE_PX_MAX)?),
            (Some(_) | None, _, _) => {
                let problem = "needs either width and height, or multiple_of";
                return Err(self.flaw(part.name.span(), problem));
            }
        };
        let std = match &part.std {
            Some(std) if std.get_ref().iter().any(|s| !s.is_finite() || *s <= 0.0) => {
                return Err(self.flaw(std.span(), "has numbers above 0 only"));
            }
            Some(std) => *std.get_ref(),
            None => [1.0; 3],
        };
        Ok(Input {
            name: self.filled(&part.name)?,
            channels: match part.channels {
                ChannelsText::Rgb => Channels::Rgb,
                ChannelsText::Bgr => Channels::Bgr,
            },
            size,
            mean: part.mean.unwrap_or([0.0; 3]),
            std,
        })
    }

    fn id(&self, text: &Spanned<String>) -> Result<String, ManifestFlaw> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let id = text.get_ref();
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.chars().all(fine) {
            return Err(self.flaw(
                text.span(),
                format!("has 1 to {ID_BYTES_MAX} of a-z, 0-9, '.', '_' and '-'"),
            ));
        }
        Ok(id.clone())
    }

    /// A plain name: a model can only be below the directory of models.
    fn file_name(&self, text: &Spanned<String>) -> Result<String, ManifestFlaw> {
        let name = text.get_ref();
        let fine = |c: char| !c.is_control() && c != '/' && c != '\\';
        if !name.ends_with(".onnx") || name.starts_with('.') || !name.chars().all(fine) {
            let problem = "is the plain name of an .onnx file, without a directory";
            return Err(self.flaw(text.span(), problem));
        }
        Ok(name.clone())
    }

    fn digest(&self, text: &Spanned<String>) -> Result<Digest, ManifestFlaw> {
        Digest::parse(text.get_ref()).map_err(|error| self.flaw(text.span(), error.to_string()))
    }

    fn filled(&self, text: &Spanned<String>) -> Result<String, ManifestFlaw> {
        if text.get_ref().trim().is_empty() {
            return Err(self.flaw(text.span(), "is empty"));
        }
        Ok(text.get_ref().clone())
    }

    fn within(
        &self,
        number: &Spanned<f64>,
        range: RangeInclusive<f64>,
    ) -> Result<f64, ManifestFlaw> {
        if range.contains(number.get_ref()) {
            return Ok(*number.get_ref());
        }
        let (low, high) = (range.start(), range.end());
        Err(self.flaw(number.span(), format!("is a number from {low} to {high}")))
    }

    fn count(
        &self,
        number: &Spanned<u32>,
        range: RangeInclusive<u32>,
    ) -> Result<u32, ManifestFlaw> {
        if range.contains(number.get_ref()) {
            return Ok(*number.get_ref());
        }
        let (low, high) = (range.start(), range.end());
        Err(self.flaw(
            number.span(),
            format!("is a whole number from {low} to {high}"),
        ))
    }

    fn flaw(&self, span: Range<usize>, problem: impl Into<String>) -> ManifestFlaw {
        let start = span.start.min(self.text.len());
        let before = &self.text.as_bytes()[..start];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let line_text = self.text.lines().nth(line - 1).unwrap_or("").trim();
        let column = before
            .iter()
            .rev()
            .take_while(|&&byte| byte != b'\n')
            .count();
        ManifestFlaw {
            line,
            key: key_of(line_text, column),
            problem: problem.into(),
        }
    }
}

/// The key on a line that a place in it belongs to: within an inline table the nearest one before.
fn key_of(line: &str, column: usize) -> String {
    if line.starts_with('[') {
        return line.trim_matches(['[', ']']).to_owned();
    }
    let reach = line
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| *at >= column);
    let head = &line[..reach.unwrap_or(line.len())];
    let key = match head.rfind('=') {
        Some(equals) => head[..equals].rsplit(['{', ',', '[']).next().unwrap_or(""),
        None => line.split('=').next().unwrap_or(""),
    };
    key.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: &str = r#"format = 1

[[model]]
id = "m"
task = "comparer"
file = "m.onnx"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
licence = "MIT"
upstream = "none"
source = { package = "p", version = "1", path = "a/m.onnx" }

[model.input]
name = "x"
channels = "rgb"
width = 112
height = 112
mean = [127.5, 127.5, 127.5]
std = [128.0, 128.0, 128.0]

[model.comparer]
feature_space = "m"
template_length = 128
population = "all"

[[model.operating_point]]
threshold = 0.4
fmr = 1e-4
fnmr = 0.01
population = "all"
measured_on = "a test"

[[model.operating_point]]
threshold = 0.5
fmr = 1e-5
fnmr = 0.02
population = "all"
measured_on = "a test"
"#;

    /// The flaw of the manifest above with one text in it replaced.
    fn flaw(from: &str, to: &str) -> ManifestFlaw {
        assert!(WHOLE.contains(from), "{from}");
        parse(&WHOLE.replacen(from, to, 1)).unwrap_err()
    }

    #[test]
    fn a_whole_entry_is_read_as_written() {
        let [model] = parse(WHOLE).unwrap().try_into().unwrap();
        assert_eq!(model.input.std, [128.0; 3]);
        assert_eq!(
            model.input.size,
            Size::Fixed {
                width: 112,
                height: 112
            }
        );
        assert_eq!(model.feature_space(), Some(("m", model.sha256)));
        let points: Vec<f32> = model
            .comparer()
            .unwrap()
            .deciding_points()
            .map(|p| p.threshold)
            .collect();
        assert_eq!(points, [0.4, 0.5]);
    }

    /// Replaces a text, and expects a flaw at a line and a key, with a word about it.
    fn check(rows: &[(&str, &str, usize, &str, &str)]) {
        for (from, to, line, key, problem) in rows {
            let found = flaw(from, to);
            assert_eq!(
                (found.line, found.key.as_str()),
                (*line, *key),
                "{to}: {found}"
            );
            assert!(found.problem.contains(problem), "{to}: {found}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn a_flaw_of_the_entry_names_its_line_and_its_key() {
        check(&[
            ("format = 1", "format = 2", 1, "format", "format 1 only"),
            ("id = \"m\"", "id = \"M m\"", 4, "id", "a-z"),
            ("id = \"m\"", "id = 5", 4, "id", "expected a string"),
            ("task = \"comparer\"", "task = \"seer\"", 5, "task", "unknown variant `seer`"),
            ("task = \"comparer\"", "task = \"pad\"", 5, "task", "[model.pad]"),
            ("\"m.onnx\"", "\"../m.onnx\"", 6, "file", "without a directory"),
            ("\"m.onnx\"", "\"m.bin\"", 6, "file", ".onnx"),
            ("e3b0", "e3b", 7, "sha256", "this has 63"),
            ("licence = \"MIT\"", "licence = \" \"", 8, "licence", "empty"),
            ("licence = \"MIT\"", "license = \"MIT\"", 8, "license", "unknown field"),
            ("path = \"a/m.onnx\"", "path = \"../m.onnx\"", 10, "path", "without '..'"),
            ("version = \"1\"", "version = \"1/2\"", 10, "version", "letters"),
            ("format = 1", "format = ", 1, "format", ""),
        ]);
    }

    #[test]
    #[rustfmt::skip]
    fn a_flaw_of_a_table_names_its_line_and_its_key() {
        check(&[
            ("width = 112", "width = 0", 15, "width", "from 1 to 4096"),
            ("height = 112", "multiple_of = 32", 13, "name", "either width and height"),
            ("std = [128.0,", "std = [0.0,", 18, "std", "above 0"),
            ("std = [128.0,", "std = [nan,", 18, "std", "above 0"),
            ("template_length = 128", "template_length = 0", 22, "template_length", "4096"),
            ("128\npopulation = \"all", "128\npopulation = \"few", 23, "population", "of these"),
            ("threshold = 0.4", "threshold = 1.4", 26, "threshold", "from -1 to 1"),
            ("threshold = 0.5", "threshold = 0.4", 33, "threshold", "above the threshold"),
            ("fmr = 1e-5", "fmr = 1e-3", 34, "fmr", "rises"),
            ("fnmr = 0.02", "fnmr = 2", 35, "fnmr", ""),
        ]);
    }

    #[test]
    fn an_id_belongs_to_one_model() {
        let second = WHOLE.strip_prefix("format = 1").unwrap();
        let found = parse(&format!("{WHOLE}{second}")).unwrap_err();
        assert_eq!(found.problem, "the id `m` is taken");
        assert_eq!((found.line, found.key.as_str()), (41, "id"));
    }

    #[test]
    fn a_missing_key_is_named() {
        let found = flaw("licence = \"MIT\"\n", "");
        assert!(found.problem.contains("missing field `licence`"), "{found}");
        assert_eq!(found.line, 3);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_mutated_manifest_is_read_or_refused_on_a_line_it_has(
            at in 0..WHOLE.len(), cut in 0..12_usize, insert in "[\\[\\]={}\"'\\n,.0-9a-zé-]{0,6}",
        ) {
            let end = (at + cut).min(WHOLE.len());
            let text = format!("{}{insert}{}", &WHOLE[..at], &WHOLE[end..]);
            if let Err(found) = parse(&text) {
                prop_assert!(found.line >= 1 && found.line <= text.lines().count() + 1);
            }
        }
    }
}
