//! The project's own manifest: what it promises about files that are published elsewhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use models::prepare::{Plan, prepare};
use models::store::{open_published, open_verified};
use models::{Digest, Manifest, ModelError, Size, TaskKind, package};
use support::{fetched, project};

fn manifest() -> Manifest {
    Manifest::load(&project().join("models/manifest.toml")).unwrap()
}

#[test]
fn the_digests_are_those_that_opencv_zoo_publishes() {
    let manifest = manifest();
    let check = |id: &str, file: &str, digest: &str| {
        let model = manifest.model(id).unwrap();
        assert_eq!(
            (model.file.as_str(), model.sha256.to_string().as_str()),
            (file, digest)
        );
    };
    check(
        "yunet-2023mar",
        "face_detection_yunet_2023mar_int8bq.onnx",
        "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    );
    check(
        "sface-2021dec",
        "face_recognition_sface_2021dec_int8bq.onnx",
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    );
    check(
        "sface-2021dec-fp32",
        "face_recognition_sface_2021dec.onnx",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    );
}

#[test]
fn every_model_says_what_a_kiosk_needs_to_know() {
    let manifest = manifest();
    let detector = manifest.default_for(TaskKind::Detector).unwrap();
    assert!(detector.detector().unwrap().score_min >= 0.8);
    assert_eq!(detector.input.size, Size::MultipleOf(32));
    let comparer = manifest.default_for(TaskKind::Comparer).unwrap();
    let rates = comparer.comparer().unwrap();
    assert_eq!(rates.template_length, 128);
    assert_eq!(rates.population, "east-and-south-east-asian");
    assert_eq!(rates.deciding_points().count(), 5);
    assert_eq!(rates.points_of("lfw").count(), 6);
    // At each threshold the people at these doors are mistaken for each other more often.
    for point in rates.deciding_points() {
        let all = rates
            .points_of("lfw")
            .find(|p| p.threshold == point.threshold)
            .unwrap();
        assert!(point.fmr > 2.0 * all.fmr, "{point:?} {all:?}");
    }
    let spaces: Vec<_> = manifest
        .models()
        .iter()
        .filter_map(|m| m.feature_space())
        .collect();
    assert!(
        spaces
            .iter()
            .all(|s| spaces.iter().filter(|t| t.0 == s.0 || t.1 == s.1).count() == 1)
    );
    assert!(
        manifest.default_for(TaskKind::Pad).is_err(),
        "no attack detector is built in"
    );
}

#[test]
fn every_package_that_is_named_is_pinned() {
    let pins = project().join("deploy/requirements/sources.txt");
    let pins = std::fs::read_to_string(pins).unwrap();
    for model in manifest().models() {
        if let Some(source) = &model.source {
            let digests = package::pinned(&pins, &source.package, &source.version);
            assert_eq!(digests.len(), 1, "{}", model.id);
        }
    }
}

#[test]
fn preparing_gives_the_recorded_file_each_time() {
    let Some(fetched) = fetched() else {
        return;
    };
    for model in fetched.manifest.models() {
        let Some(prepared) = &model.prepared else {
            continue;
        };
        let published = match open_published(&fetched.files, model) {
            Err(ModelError::Missing { .. }) if model.optional => continue,
            other => other.unwrap(),
        };
        let free_size = matches!(model.input.size, Size::MultipleOf(_));
        let plan = Plan {
            input: &model.input.name,
            free_size,
        };
        for _ in 0..2 {
            let bytes = prepare(&published.bytes, plan).unwrap();
            assert_eq!(Some(Digest::of(&bytes)), prepared.sha256, "{}", model.id);
        }
        assert_eq!(
            Some(open_verified(&fetched.files, model).unwrap().sha256),
            prepared.sha256
        );
    }
}
