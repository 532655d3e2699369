//! Draws every sample state to PNG files and one contact sheet, to be looked at by people.
//!
//! `cargo run -p screen --example gallery -- OUT_DIR [WIDTHxHEIGHT] [dark|light]`

mod samples;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use screen::{
    BOLD_PATH, Canvas, ContactSheet, Context, Fonts, REGULAR_PATH, Theme, draw, write_png,
};

/// Columns of the contact sheet, and the width of its pictures in pixels.
const SHEET: (u32, u32) = (4, 480);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(directory) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: gallery OUT_DIR [WIDTHxHEIGHT] [dark|light]");
        return ExitCode::FAILURE;
    };
    let size = arguments.next().unwrap_or_else(|| "800x480".to_owned());
    let theme = match arguments.next().as_deref() {
        Some("light") => Theme::LIGHT,
        Some(_) | None => Theme::DARK,
    };
    match gallery(&directory, &size, theme) {
        Ok(count) => {
            println!("{count} screens in {}", directory.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn gallery(
    directory: &Path,
    size: &str,
    theme: Theme,
) -> Result<usize, Box<dyn std::error::Error>> {
    let (width, height) = size.split_once('x').ok_or("the size is WIDTHxHEIGHT")?;
    let (width, height) = (width.parse()?, height.parse()?);
    let fonts = Fonts::load(Path::new(REGULAR_PATH), Path::new(BOLD_PATH))?;
    let context = Context { fonts, theme };
    std::fs::create_dir_all(directory)?;
    let samples = samples::all();
    let mut canvas = Canvas::new(width, height)?;
    let mut sheet = ContactSheet::new(SHEET.0, SHEET.1);
    for (name, view) in &samples {
        let Ok(()) = draw(view, &context, &mut canvas);
        write_png(&canvas, &directory.join(format!("{name}.png")))?;
        sheet.add(&canvas, name)?;
    }
    let title = format!("Điểm Danh · {width}×{height}");
    let sheet = sheet.compose(&context, &title)?;
    write_png(&sheet, &directory.join("_contact-sheet.png"))?;
    Ok(samples.len())
}
