//! One exchange with the kiosk over its Unix socket: how things are with the city for how the kiosk
//! is. A kiosk that does not answer is no trouble of ours.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use beside::{EXCHANGE_MAX_MS, FromDaemon, FromKiosk, LINE_BYTES_MAX, LineError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Why there was no exchange.
#[derive(Debug, thiserror::Error)]
pub enum NeighbourError {
    /// The kiosk does not listen, or went away.
    #[error("{}: the kiosk does not answer", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("{}: the kiosk takes too long", .0.display())]
    TimedOut(PathBuf),
    /// What it says is no message.
    #[error("what the kiosk says cannot be read")]
    Line(#[from] LineError),
}

/// Tells the kiosk, and hears it.
///
/// # Errors
/// [`NeighbourError`] says why not.
pub async fn exchange(path: &Path, tell: &FromDaemon) -> Result<FromKiosk, NeighbourError> {
    let time_max = Duration::from_millis(EXCHANGE_MAX_MS);
    let heard = timeout(time_max, lines(path, tell)).await;
    let heard = heard.map_err(|_| NeighbourError::TimedOut(path.to_owned()))?;
    let line = heard.map_err(|source| NeighbourError::Socket {
        path: path.to_owned(),
        source,
    })?;
    Ok(FromKiosk::decode(&line)?)
}

async fn lines(path: &Path, tell: &FromDaemon) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path).await?;
    stream.write_all(&tell.encode()).await?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LINE_BYTES_MAX as u64))
        .read_until(b'\n', &mut line)
        .await?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// What the daemon makes of a kiosk that says this.
    async fn check(says: Vec<u8>) -> Result<FromKiosk, NeighbourError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kiosk.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let kiosk = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            stream.read_until(b'\n', &mut line).await.unwrap();
            assert!(FromDaemon::decode(&line).is_ok());
            // It may be gone before everything is said.
            let _ = stream.write_all(&says).await;
        };
        let tell = FromDaemon::default();
        let (heard, ()) = tokio::join!(exchange(&path, &tell), kiosk);
        heard
    }

    #[tokio::test]
    async fn what_the_kiosk_says_is_read_or_refused() {
        let kiosk = FromKiosk {
            version: "1".to_owned(),
            camera_works: Some(true),
            ..FromKiosk::default()
        };
        assert_eq!(check(kiosk.encode()).await.unwrap(), kiosk);
        assert!(matches!(
            check(Vec::new()).await,
            Err(NeighbourError::Line(_))
        ));
        let endless = vec![b'x'; 10 << 20];
        assert!(matches!(check(endless).await, Err(NeighbourError::Line(_))));
    }
}
