//! A body on its way out: whole, or a stream that a task feeds.

use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc;

/// The body of an answer.
pub(crate) enum Outgoing {
    /// Bytes that are there already; none once they are taken.
    Whole(Option<Bytes>),
    /// What comes, when it comes.
    Stream(mpsc::Receiver<Bytes>),
    /// So many bytes more, as they come.
    Counted(mpsc::Receiver<Bytes>, u64),
}

/// Bytes of a file that are read at once, and how many such pieces wait for a slow peer.
const PIECE_BYTES: usize = 128 << 10;
const PIECES_MAX: usize = 2;

impl Outgoing {
    /// Bytes; none makes an empty body.
    pub fn whole(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }

    /// Bytes of a file, read as the peer takes them. Where the file cannot be read any further, the
    /// answer breaks off.
    pub fn of_file(file: File, from: u64, count: u64) -> Self {
        let (pieces, receiver) = mpsc::channel(PIECES_MAX);
        tokio::spawn(async move {
            let (mut at, end) = (from, from.saturating_add(count));
            let mut file = file;
            while at < end {
                let most = PIECE_BYTES.min(usize::try_from(end - at).unwrap_or(PIECE_BYTES));
                let read = tokio::task::spawn_blocking(move || {
                    let mut piece = vec![0; most];
                    let read = file.read_exact_at(&mut piece, at);
                    (file, read.map(|()| piece))
                });
                let Ok((again, read)) = read.await else {
                    return;
                };
                file = again;
                let piece = match read {
                    Ok(piece) => Bytes::from(piece),
                    Err(error) => {
                        tracing::error!(%error, "a content cannot be read");
                        return;
                    }
                };
                at += piece.len() as u64;
                if pieces.send(piece).await.is_err() {
                    return;
                }
            }
        });
        Self::Counted(receiver, count)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(receiver) => receiver
                .poll_recv(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Counted(receiver, left) => receiver.poll_recv(cx).map(|bytes| {
                bytes.map(|bytes| {
                    *left = left.saturating_sub(bytes.len() as u64);
                    Ok(Frame::data(bytes))
                })
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None) | Self::Counted(_, 0))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) => SizeHint::default(),
            Self::Counted(_, left) => SizeHint::with_exact(*left),
        }
    }
}
