//! The screen thread: draws the newest view and hands it to the sink. It decides nothing.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use screen::{Canvas, Context, Fonts, PngSink, Scene, Sink, View, draw};
use vocabulary::RefusalReason;

use crate::config::{Screen, ScreenSink};
use crate::event::{Event, PartEvent};
use crate::mailbox::Mailbox;

/// Sides of the screen in pixels.
const SCREEN_PX: (u32, u32) = (800, 480);

/// Longest wait for a view before the stop is looked at again.
const WAIT: Duration = Duration::from_millis(100);

/// Where pictures of the screen go.
enum Display {
    /// Nowhere; nothing is drawn either.
    None,
    /// Files, one for each change of scene; live pictures of one scene are written once.
    Png {
        /// Writes them.
        sink: PngSink,
        /// The scene that the last file shows.
        last: Option<std::mem::Discriminant<Scene>>,
        /// Whether the live picture is in the files: only that of a recording, since a camera's
        /// pictures are stored nowhere.
        pictures: bool,
    },
    /// A window.
    #[cfg(feature = "window")]
    Window(Box<screen::WindowSink>),
}

/// The screen thread and what it is connected to.
pub struct Show {
    /// What drawing needs; none when nothing is drawn.
    context: Option<Context>,
    /// What is drawn on.
    canvas: Canvas,
    /// Where pictures go.
    display: Display,
    /// Where views come from.
    views: Arc<Mailbox<View>>,
    /// Where failures are told.
    events: Sender<Event>,
}

impl Show {
    /// Loads the fonts and opens the display that the configuration asks for; `recording` says
    /// whether frames come from a recording.
    ///
    /// # Errors
    /// When a font is missing, or the display cannot be opened or is not built in.
    pub fn open(
        config: &Screen,
        recording: bool,
        views: Arc<Mailbox<View>>,
        events: Sender<Event>,
    ) -> anyhow::Result<Self> {
        let (context, display) = open(config, recording)?;
        let canvas = Canvas::new(SCREEN_PX.0, SCREEN_PX.1)?;
        Ok(Self {
            context,
            canvas,
            display,
            views,
            events,
        })
    }

    /// Runs until the views' mailbox is closed.
    pub fn run(mut self) {
        while !self.views.is_closed() {
            let Some(view) = self.views.take(WAIT) else {
                continue;
            };
            if let Err(error) = self.show(&view) {
                // Never waited for: the loop may itself be waiting for this thread.
                let failed = PartEvent::ScreenFailed(format!("{error:#}"));
                if self.events.try_send(Event::Part(failed)).is_err() {
                    tracing::error!("a view was not shown: {error:#}");
                }
            }
        }
    }

    /// Draws one view and shows it.
    ///
    /// # Errors
    /// When the sink refuses the picture.
    pub fn show(&mut self, view: &View) -> anyhow::Result<()> {
        let Some(context) = &self.context else {
            return Ok(());
        };
        match &mut self.display {
            Display::None => {}
            Display::Png {
                sink,
                last,
                pictures,
            } => {
                let scene = std::mem::discriminant(&view.scene);
                if *last == Some(scene) && matches!(view.scene, Scene::Looking(_)) {
                    return Ok(());
                }
                *last = Some(scene);
                sink.name_next(name(&view.scene));
                if *pictures {
                    draw(view, context, &mut self.canvas)?;
                } else {
                    draw(&without_picture(view), context, &mut self.canvas)?;
                }
                sink.show(&self.canvas)?;
            }
            #[cfg(feature = "window")]
            Display::Window(sink) => {
                draw(view, context, &mut self.canvas)?;
                sink.show(&self.canvas)?;
            }
        }
        Ok(())
    }
}

/// Loads the fonts and opens the display that the configuration asks for.
fn open(config: &Screen, recording: bool) -> anyhow::Result<(Option<Context>, Display)> {
    let display = match config.sink {
        ScreenSink::None => return Ok((None, Display::None)),
        ScreenSink::Png => Display::Png {
            sink: PngSink::new(&config.png_directory),
            last: None,
            pictures: recording,
        },
        ScreenSink::Window => window()?,
    };
    Ok((Some(context(config)?), display))
}

/// Loads what drawing needs.
///
/// # Errors
/// When a font is missing or is none.
pub fn context(config: &Screen) -> anyhow::Result<Context> {
    let regular = config.font_directory.join("NotoSans-Regular.ttf");
    let bold = config.font_directory.join("NotoSans-Bold.ttf");
    Ok(Context::new(Fonts::load(&regular, &bold)?))
}

#[cfg(feature = "window")]
fn window() -> anyhow::Result<Display> {
    let sink = screen::WindowSink::open("Điểm Danh", SCREEN_PX.0, SCREEN_PX.1)?;
    Ok(Display::Window(Box::new(sink)))
}

#[cfg(not(feature = "window"))]
fn window() -> anyhow::Result<Display> {
    anyhow::bail!(
        "screen.sink is \"window\", and this build has no window; build with `--features window` \
         or set \"png\" or \"none\""
    )
}

/// The same view with its live picture left out.
fn without_picture(view: &View) -> View {
    let mut view = view.clone();
    if let Scene::Looking(looking) = &mut view.scene {
        looking.picture = None;
        looking.faces.clear();
    }
    view
}

/// What a scene is called in file names.
fn name(scene: &Scene) -> &'static str {
    match scene {
        Scene::Starting => "starting",
        Scene::NoMeeting { .. } => "no-meeting",
        Scene::BeforeMeeting { .. } => "before-meeting",
        Scene::Idle { .. } => "idle",
        Scene::Looking(_) => "looking",
        Scene::Welcome(_) => "welcome",
        Scene::AlreadyCalled { .. } => "already-called",
        Scene::Refused(RefusalReason::NotOnRoster) => "not-on-roster",
        Scene::Refused(RefusalReason::Ambiguous) => "ambiguous",
        Scene::Refused(RefusalReason::SuspectedAttack) => "second-means",
        Scene::Refused(RefusalReason::InvalidCredential) => "invalid-code",
        Scene::AfterMeeting { .. } => "after-meeting",
        Scene::Trouble(_) => "trouble",
    }
}
