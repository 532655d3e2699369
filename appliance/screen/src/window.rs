//! A window for development. The kiosk itself draws on a panel, never through this.
//!
//! The window belongs to a thread of its own: it stays responsive while nothing is shown, and the
//! sink can be handed to another thread, which the window library's types cannot.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use minifb::{Scale, ScaleMode, Window, WindowOptions};

use crate::canvas::{CANVAS_SIDE_PX_MAX, Canvas};
use crate::sink::{Sink, SinkError};

/// How often the window looks for a new picture and for its events, per second.
const REFRESHES_PER_S: usize = 60;

/// Shows pictures in a window of the X server that `DISPLAY` names.
#[derive(Debug)]
pub struct WindowSink {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the sink and its window share: the newest picture wins, none is queued.
#[derive(Debug, Default)]
struct Shared {
    picture: Mutex<Option<Pixels>>,
    closed: AtomicBool,
}

/// A picture as the window library wants it: 0x00RRGGBB.
#[derive(Debug)]
struct Pixels {
    width: usize,
    height: usize,
    words: Vec<u32>,
}

impl WindowSink {
    /// Opens a window whose inside is so many pixels wide and high (held to 1 to the longest side
    /// of a canvas).
    ///
    /// # Errors
    /// [`SinkError::Window`] without an X server.
    pub fn open(title: &str, width: u32, height: u32) -> Result<Self, SinkError> {
        let side = |px: u32| px.clamp(1, CANVAS_SIDE_PX_MAX) as usize;
        let (title, width, height) = (title.to_owned(), side(width), side(height));
        let shared = Arc::<Shared>::default();
        let (opened, outcome) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("window".to_owned())
            .spawn({
                let shared = shared.clone();
                move || match window(&title, width, height) {
                    Ok(window) => {
                        // A failure to tell means that the caller is gone; the flag then ends it.
                        let _ = opened.send(Ok(()));
                        serve(window, &shared);
                    }
                    Err(reason) => {
                        let _ = opened.send(Err(reason));
                    }
                }
            });
        let thread = thread.map_err(|error| failed(&error))?;
        match outcome.recv() {
            Ok(Ok(())) => Ok(Self {
                shared,
                thread: Some(thread),
            }),
            Ok(Err(reason)) => Err(SinkError::Window { reason }),
            Err(error) => Err(failed(&error)),
        }
    }
}

impl Sink for WindowSink {
    fn show(&mut self, canvas: &Canvas) -> Result<(), SinkError> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(SinkError::Closed);
        }
        let words = canvas.rgb().chunks_exact(3);
        let words = words.map(|rgb| u32::from_be_bytes([0, rgb[0], rgb[1], rgb[2]]));
        let pixels = Pixels {
            width: canvas.width() as usize,
            height: canvas.height() as usize,
            words: words.collect(),
        };
        if !pixels.words.is_empty() {
            *picture(&self.shared) = Some(pixels);
        }
        Ok(())
    }
}

impl Drop for WindowSink {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic of the window's thread has been printed; there is nothing left to do.
            let _ = thread.join();
        }
    }
}

fn window(title: &str, width: usize, height: usize) -> Result<Window, String> {
    let options = WindowOptions {
        resize: true,
        scale: Scale::X1,
        scale_mode: ScaleMode::AspectRatioStretch,
        ..WindowOptions::default()
    };
    let mut window =
        Window::new(title, width, height, options).map_err(|error| error.to_string())?;
    window.set_target_fps(REFRESHES_PER_S);
    Ok(window)
}

/// Keeps the window until it or the sink is closed.
fn serve(mut window: Window, shared: &Shared) {
    while window.is_open() && !shared.closed.load(Ordering::Acquire) {
        let newest = picture(shared).take();
        let updated = match newest {
            Some(Pixels {
                width,
                height,
                words,
            }) => window.update_with_buffer(&words, width, height).is_ok(),
            None => {
                window.update();
                true
            }
        };
        if !updated {
            break;
        }
    }
    shared.closed.store(true, Ordering::Release);
}

/// The place for the newest picture; a thread that died holding it left it whole.
fn picture(shared: &Shared) -> std::sync::MutexGuard<'_, Option<Pixels>> {
    shared
        .picture
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: &dyn std::error::Error) -> SinkError {
    SinkError::Window {
        reason: error.to_string(),
    }
}
