//! Writes the tensors on which networks are compared with a peer, for `tests/peers` to read.
//!
//! It writes bytes cut from photographs, so only into a directory that git ignores.

#[path = "../tests/support/pictures.rs"]
mod pictures;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.ok_or_else(|| anyhow::anyhow!("usage: peer_inputs DIRECTORY"))?;
    let fetched = support::fetched().ok_or_else(|| anyhow::anyhow!("nothing was set up"))?;
    std::fs::create_dir_all(&directory)?;
    let mut index = Vec::new();
    for (at, input) in pictures::inputs(&fetched.portraits).iter().enumerate() {
        let name = format!("{at:02}.planes");
        std::fs::write(directory.join(&name), &input.planes)?;
        let model = fetched.manifest.model(input.model)?;
        index.push(serde_json::json!({
            "file": name,
            "model": input.model,
            "onnx": fetched.files.join(&model.file),
            "onnx_sha256": model.sha256.to_string(),
            "input": model.input.name,
            "portrait": input.portrait,
            "width": input.width,
            "height": input.height,
            "sha256": input.sha256().to_string(),
        }));
    }
    std::fs::write(
        directory.join("index.json"),
        serde_json::to_vec_pretty(&index)?,
    )?;
    println!("{} tensors in {}", index.len(), directory.display());
    Ok(())
}
