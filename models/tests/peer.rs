//! The prepared models against the published files, as a peer runs those.
//!
//! Why it exists: preparing changes a graph's form and must not change its function. The numbers
//! in `tests/peers/data` are OpenCV's, from the published block-quantised files, on real faces;
//! `tests/peers/model_outputs.py` makes them. Here the prepared files answer the same tensors.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pictures.rs"]
mod pictures;
mod support;

use models::store::open_verified;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::Tensor;
use pictures::{Input, inputs};
use serde_json::Value;
use std::collections::BTreeMap;
use support::{Fetched, fetched, project};

/// The most that an output may be away from the peer's.
const TOLERANCE: f32 = 1e-4;

#[test]
fn outputs_are_the_peers_on_real_faces() {
    let Some(fetched) = fetched() else {
        return;
    };
    let stored = project().join("tests/peers/data/model_outputs.json");
    let stored: Value = serde_json::from_slice(&std::fs::read(stored).unwrap()).unwrap();
    let environment = environment(&fetched);
    let mut sessions = BTreeMap::new();
    let mut worst = BTreeMap::new();
    let inputs = inputs(&fetched.portraits);
    assert_eq!(stored["inputs"].as_array().unwrap().len(), inputs.len());
    for (input, expected) in inputs.iter().zip(stored["inputs"].as_array().unwrap()) {
        let known = &stored["published"][input.model];
        let model = fetched.manifest.model(input.model).unwrap();
        assert_eq!(
            known.as_str(),
            Some(model.sha256.to_string().as_str()),
            "{}",
            input.model
        );
        assert_eq!(
            expected["sha256"].as_str(),
            Some(input.sha256().to_string().as_str()),
            "{}: decoded to other pixels than when the peer's numbers were stored; \
             run tests/peers/model_outputs.py --write",
            input.portrait
        );
        let session = sessions
            .entry(input.model)
            .or_insert_with(|| session(&environment, &fetched, input.model));
        let found = run(session, &model.input.name, input);
        let away = farthest(input, expected, &found);
        let worst = worst.entry(input.model).or_insert(0.0_f32);
        *worst = worst.max(away);
    }
    println!("farthest from the peer: {worst:?}");
    assert_eq!(worst.len(), 2, "both models were compared");
}

#[test]
fn the_detector_takes_any_size_and_the_comparer_one() {
    let Some(fetched) = fetched() else {
        return;
    };
    let environment = environment(&fetched);
    let mut detector = session(&environment, &fetched, "yunet-2023mar");
    for (width, height) in [(320, 256), (640, 480), (1280, 736), (32, 32)] {
        let planes = vec![0; 3 * width * height];
        let input = Input {
            model: "yunet-2023mar",
            portrait: "none",
            width,
            height,
            planes,
        };
        let found = run(&mut detector, "input", &input);
        for (stride, what, values) in [8, 16, 32]
            .iter()
            .flat_map(|s| [(s, "cls", 1), (s, "bbox", 4), (s, "kps", 10)])
        {
            let cells = width / stride * (height / stride);
            let name = format!("{what}_{stride}");
            assert_eq!(
                found[&name].len(),
                cells * values,
                "{name} of {width}×{height}"
            );
        }
    }
}

/// The environment is one for the process, so both tests share it.
fn environment(fetched: &Fetched) -> Environment {
    static SHARED: std::sync::OnceLock<Environment> = std::sync::OnceLock::new();
    let start = || {
        assert_eq!(
            std::env::var("ORT_DISABLE_TELEMETRY").as_deref(),
            Ok("1"),
            "run this by cargo, whose configuration here forbids the runtime's telemetry"
        );
        let builder = ort::init_from(&fetched.library)
            .unwrap()
            .with_telemetry(false);
        builder.build().unwrap()
    };
    SHARED.get_or_init(start).clone()
}

fn session(environment: &Environment, fetched: &Fetched, id: &str) -> Session {
    let model = fetched.manifest.model(id).unwrap();
    let verified = open_verified(&fetched.files, model).unwrap();
    let mut builder = Session::builder(environment)
        .unwrap()
        .with_intra_threads(1)
        .unwrap();
    builder.commit_from_memory(&verified.bytes).unwrap()
}

fn run(session: &mut Session, name: &str, input: &Input) -> BTreeMap<String, Vec<f32>> {
    let shape = [1, 3, input.height, input.width];
    let floats: Vec<f32> = input.planes.iter().map(|&byte| f32::from(byte)).collect();
    let tensor = Tensor::from_array((shape, floats)).unwrap();
    let outputs = session.run(ort::inputs![name => tensor]).unwrap();
    outputs
        .iter()
        .map(|(name, value)| {
            let (_, values) = value.try_extract_tensor::<f32>().unwrap();
            (name.to_owned(), values.to_vec())
        })
        .collect()
}

/// Checks every stored number and tells how far the farthest one is.
fn farthest(input: &Input, expected: &Value, found: &BTreeMap<String, Vec<f32>>) -> f32 {
    let outputs = expected["outputs"].as_object().unwrap();
    assert_eq!(
        outputs.len(),
        found.len(),
        "{}: all outputs are compared",
        input.portrait
    );
    let mut worst = 0.0_f32;
    for (name, values) in outputs {
        let values = values.as_array().unwrap();
        let all = &found[name];
        let places = match name.rsplit_once('_').map(|(_, s)| &expected["cells"][s]) {
            Some(Value::Array(cells)) => {
                let each = values.len() / cells.len();
                let cells = cells
                    .iter()
                    .map(|c| usize::try_from(c.as_u64().unwrap()).unwrap());
                cells
                    .flat_map(|cell| cell * each..(cell + 1) * each)
                    .collect()
            }
            _ => (0..all.len()).collect::<Vec<_>>(),
        };
        assert_eq!(places.len(), values.len(), "{name}");
        for (place, value) in places.into_iter().zip(values) {
            let away = (all[place] - value.as_f64().unwrap() as f32).abs();
            assert!(
                away <= TOLERANCE,
                "{} {}×{}: {name}[{place}] is {}, the peer's is {value}",
                input.portrait,
                input.width,
                input.height,
                all[place]
            );
            worst = worst.max(away);
        }
    }
    worst
}
