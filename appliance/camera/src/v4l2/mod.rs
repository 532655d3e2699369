//! A camera on Video4Linux that may be unplugged, and comes back by itself.
//!
//! Opening and closing a device can take seconds when it hangs, so a thread of its own does that
//! and the reader waits only as long as it wants to. Reading itself is bounded by a poll. The
//! thread is not waited for at the end: what hangs in the kernel does not hang the kiosk.

mod capture;
mod find;
mod mode;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use imaging::Picture;

pub use find::{DEVICES_MAX, Found, Identity, Which, list};
pub use mode::{Encoding, Mode, Wish};

use crate::clock::Clock;
use crate::error::CameraError;
use crate::link::{Link, Read, Reconnecting};
use crate::reconnect::Patience;
use capture::Capture;

/// Orders that wait for the device thread at most: closing one device and opening the next.
const ORDERS_MAX: usize = 4;

/// How long the end of the source waits for the device to be closed. The kiosk has to stop within
/// a second.
const CLOSE_MAX: Duration = Duration::from_millis(300);

/// A V4L2 camera that comes back by itself.
pub type Camera = Reconnecting<DeviceLink>;

impl Camera {
    /// Opens a camera that has to be there now.
    ///
    /// # Errors
    /// [`CameraError`] says which device is missing, busy or forbidden, and what to do.
    pub fn present(which: Which, wish: Wish, clock: Arc<dyn Clock>) -> Result<Self, CameraError> {
        Self::open(DeviceLink::new(which, wish)?, Patience::default(), clock)
    }

    /// A camera that may come later: a missing one is told as a loss, not as an error.
    ///
    /// # Errors
    /// [`CameraError::Driver`] when not even a thread can be started.
    pub fn awaited(which: Which, wish: Wish, clock: Arc<dyn Clock>) -> Result<Self, CameraError> {
        let link = DeviceLink::new(which, wish)?;
        Ok(Self::waiting(link, Patience::default(), clock))
    }
}

/// What the device thread is told.
enum Order {
    Open { last: Option<Identity> },
    Close(Box<Capture>),
}

type Opened = Result<Box<Capture>, CameraError>;

/// One V4L2 camera and the thread that opens and closes it.
pub struct DeviceLink {
    /// None only while it is being dropped.
    orders: Option<SyncSender<Order>>,
    opened: Receiver<Opened>,
    capture: Option<Box<Capture>>,
    last: Option<Identity>,
    /// What went wrong before the thread could be asked.
    failed: Option<CameraError>,
}

impl DeviceLink {
    /// A link that is not opened yet.
    ///
    /// # Errors
    /// [`CameraError::Driver`] when no thread can be started.
    pub fn new(which: Which, wish: Wish) -> Result<Self, CameraError> {
        let (orders, inbox) = sync_channel(ORDERS_MAX);
        let (outbox, opened) = sync_channel(ORDERS_MAX);
        thread::Builder::new()
            .name("camera-device".to_owned())
            .spawn(move || serve(&inbox, &outbox, &which, &wish))
            .map_err(|error| CameraError::Driver {
                path: "/dev/video".into(),
                what: error.to_string(),
            })?;
        Ok(Self {
            orders: Some(orders),
            opened,
            capture: None,
            last: None,
            failed: None,
        })
    }

    /// The device that is open, and the mode it gives its pictures in.
    #[must_use]
    pub fn connected(&self) -> Option<(&Found, Mode)> {
        let capture = self.capture.as_deref()?;
        Some((capture.found(), capture.mode()))
    }

    fn order(&mut self, order: Order) -> bool {
        self.orders
            .as_ref()
            .is_some_and(|orders| orders.try_send(order).is_ok())
    }
}

impl Link for DeviceLink {
    fn start_open(&mut self) {
        let last = self.last.clone();
        if !self.order(Order::Open { last }) {
            self.failed = Some(CameraError::Driver {
                path: "/dev/video".into(),
                what: "the thread that opens devices does not answer".to_owned(),
            });
        }
    }

    fn poll_open(&mut self, wait: Duration) -> Option<Result<(), CameraError>> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        match self.opened.recv_timeout(wait) {
            Ok(Ok(capture)) => {
                self.last = Some(capture.found().identity.clone());
                self.capture = Some(capture);
                Some(Ok(()))
            }
            Ok(Err(error)) => Some(Err(error)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(CameraError::Driver {
                path: "/dev/video".into(),
                what: "the thread that opens devices has ended".to_owned(),
            })),
        }
    }

    fn read(&mut self, into: &mut Picture, wait: Duration) -> Read {
        let Some(capture) = &mut self.capture else {
            return Read::Broken(CameraError::NoCamera);
        };
        let path = capture.found().node();
        catch_unwind(AssertUnwindSafe(|| capture.read(into, wait))).unwrap_or_else(|panic| {
            Read::Broken(CameraError::Driver {
                path,
                what: words(&*panic),
            })
        })
    }

    fn close(&mut self) {
        if let Some(capture) = self.capture.take()
            && !self.order(Order::Close(capture))
        {
            tracing::warn!("the camera's device thread does not answer; a device is left open");
        }
    }
}

impl Drop for DeviceLink {
    fn drop(&mut self) {
        self.close();
        // Without orders to come the thread ends, and with it its side of the other channel. An
        // opening that is just done is closed with the message that carries it.
        self.orders = None;
        while self.opened.recv_timeout(CLOSE_MAX).is_ok() {}
    }
}

/// The device thread: does what it is told, one after the other, until nobody tells it anything.
fn serve(inbox: &Receiver<Order>, outbox: &SyncSender<Opened>, which: &Which, wish: &Wish) {
    while let Ok(order) = inbox.recv() {
        match order {
            Order::Open { last } => {
                let answer = open(which, wish, last.as_ref());
                if let Err(unsent) = outbox.send(answer)
                    && let Ok(capture) = unsent.0
                {
                    close(*capture);
                }
            }
            Order::Close(capture) => close(*capture),
        }
    }
}

/// Opens the first device that may be meant and works.
fn open(which: &Which, wish: &Wish, last: Option<&Identity>) -> Opened {
    let found = list().map_err(|source| CameraError::Device {
        path: "/sys/class/video4linux".into(),
        step: "listed",
        source,
    })?;
    let resolve = |path: &std::path::Path| std::fs::canonicalize(path).ok();
    let mut problem = None;
    for candidate in find::candidates(&found, which, last, resolve)? {
        let attempt = catch_unwind(|| Capture::open(candidate, wish)).unwrap_or_else(|panic| {
            Err(CameraError::Driver {
                path: candidate.node(),
                what: words(&*panic),
            })
        });
        match attempt {
            Ok(Some(capture)) => return Ok(Box::new(capture)),
            Ok(None) => {}
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    Err(problem.unwrap_or_else(|| CameraError::NoUsableCamera {
        found: find::names(&found),
    }))
}

fn close(capture: Capture) {
    let name = capture.found().to_string();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| capture.close())) {
        tracing::warn!(
            camera = name,
            what = words(&*panic),
            "camera not closed cleanly"
        );
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it did not say why".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::clock::MonotonicClock;
    use crate::{FrameSource, Next, empty_frame};

    /// A camera that no machine has, so that these tests tell the same with a webcam attached.
    fn nobodys() -> Which {
        Which::parse("usb:0000:ffff:none").unwrap()
    }

    fn is_missing(error: &CameraError) -> bool {
        matches!(error, CameraError::NoCamera | CameraError::NotFound { .. })
    }

    #[test]
    fn a_missing_camera_is_an_error_with_a_way_out() {
        let clock = Arc::new(MonotonicClock);
        let error = Camera::present(nobodys(), Wish::default(), clock)
            .err()
            .expect("nobody has this camera");
        assert!(is_missing(&error), "{error}");
        assert!(error.to_string().contains("configuration"), "{error}");
    }

    #[test]
    fn an_awaited_camera_is_told_missing_once_and_ends_quickly() {
        let clock = Arc::new(MonotonicClock);
        let mut camera = Camera::awaited(nobodys(), Wish::default(), clock).unwrap();
        let mut frame = empty_frame().unwrap();
        let mut losses = 0;
        for _ in 0..6 {
            match camera
                .next_frame(&mut frame, Duration::from_millis(50))
                .unwrap()
            {
                Next::Lost(error) => {
                    assert!(is_missing(&error), "{error}");
                    losses += 1;
                }
                Next::NotYet => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(losses, 1);
        assert!(camera.link().connected().is_none());
        let before = Instant::now();
        drop(camera);
        assert!(before.elapsed() < Duration::from_secs(1));
    }
}
