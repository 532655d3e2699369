//! Shows the sample states one after the other in a window:
//! `cargo run -p screen --features window --example window -- [MILLISECONDS_EACH]`

mod samples;

use std::path::Path;
use std::time::Duration;

use screen::{BOLD_PATH, Canvas, Context, Fonts, REGULAR_PATH, Sink, SinkError, WindowSink, draw};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let each = std::env::args()
        .nth(1)
        .map_or(Ok(2000), |text| text.parse())?;
    let context = Context::new(Fonts::load(Path::new(REGULAR_PATH), Path::new(BOLD_PATH))?);
    let mut canvas = Canvas::new(800, 480)?;
    let mut window = WindowSink::open("Điểm Danh", canvas.width(), canvas.height())?;
    for (name, view) in samples::all() {
        println!("{name}");
        let Ok(()) = draw(&view, &context, &mut canvas);
        match window.show(&canvas) {
            Ok(()) => std::thread::sleep(Duration::from_millis(each)),
            Err(SinkError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
