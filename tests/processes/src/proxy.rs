//! A TCP proxy on loopback that breaks connections as networks do, decided by a seed.
//!
//! It sees only ciphertext: what breaks here is when bytes come and whether they come at all. Its
//! one sleep is the fault itself, a connection that stands still.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::random::Random;

/// How long a stalled connection stands still: longer than any honest answer takes, shorter than
/// the daemon's patience with one request.
const STALL: Duration = Duration::from_millis(1500);

/// How long a read waits before it looks whether the proxy is to stop.
const LOOK: Duration = Duration::from_millis(200);

/// What happens to one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing.
    Pass,
    /// It is closed at once.
    Refuse,
    /// After so many bytes up it breaks, in both directions.
    CutUp(usize),
    /// All that goes up arrives; after so many bytes down it breaks: a reply is lost.
    CutDown(usize),
    /// It stands still for a while after so many bytes down.
    Stall(usize),
}

/// A proxy that is running; it stops when this is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream_port: AtomicU16,
    faulty: AtomicBool,
    stop: AtomicBool,
    connections: AtomicU64,
    broken: AtomicU64,
}

impl Proxy {
    /// Starts a proxy before a port of loopback.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(upstream_port: u16, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream_port: AtomicU16::new(upstream_port),
            faulty: AtomicBool::new(true),
            stop: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            broken: AtomicU64::new(0),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting, Random::new(seed)));
        Ok(Self { address, shared })
    }

    /// Where connections go from now on: the upstream was started again elsewhere.
    pub fn lead_to(&self, upstream_port: u16) {
        self.shared
            .upstream_port
            .store(upstream_port, Ordering::SeqCst);
    }

    /// Whether connections that begin from now on are broken.
    pub fn set_faulty(&self, faulty: bool) {
        self.shared.faulty.store(faulty, Ordering::SeqCst);
    }

    /// How many connections there were, and how many of them were broken on purpose.
    pub fn counts(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        (count(&self.shared.connections), count(&self.shared.broken))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // The thread that accepts sits in `accept`; a last connection wakes it.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, mut random: Random) {
    for client in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let fate = if shared.faulty.load(Ordering::SeqCst) {
            draw(&mut random)
        } else {
            Fate::Pass
        };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        if fate != Fate::Pass {
            shared.broken.fetch_add(1, Ordering::SeqCst);
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A connection that breaks is what this is for.
            let _ = carry(&client, &shared, fate);
            let _ = client.shutdown(Shutdown::Both);
        });
    }
}

/// A third of the connections pass; the rest break somewhere within a handshake, a request of
/// some kilobytes, or its answer.
fn draw(random: &mut Random) -> Fate {
    let bytes = random.below(12_000);
    match random.below(9) {
        0..=2 => Fate::Pass,
        3 => Fate::Refuse,
        4 | 5 => Fate::CutUp(bytes),
        6 | 7 => Fate::CutDown(bytes),
        _ => Fate::Stall(bytes),
    }
}

fn carry(client: &TcpStream, shared: &Arc<Shared>, fate: Fate) -> io::Result<()> {
    if fate == Fate::Refuse {
        return Ok(());
    }
    let port = shared.upstream_port.load(Ordering::SeqCst);
    let upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (mut from_client, mut to_client) = (client.try_clone()?, client.try_clone()?);
    let (mut from_upstream, mut to_upstream) = (upstream.try_clone()?, upstream.try_clone()?);
    let (up, down) = match fate {
        Fate::Pass | Fate::Refuse => (None, None),
        Fate::CutUp(bytes) => (Some((bytes, false)), None),
        Fate::CutDown(bytes) => (None, Some((bytes, false))),
        Fate::Stall(bytes) => (None, Some((bytes, true))),
    };
    let stopping = Arc::clone(shared);
    let upwards = thread::spawn(move || {
        let _ = copy(&mut from_client, &mut to_upstream, up, &stopping);
        let _ = to_upstream.shutdown(Shutdown::Write);
    });
    let result = copy(&mut from_upstream, &mut to_client, down, shared);
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = upstream.shutdown(Shutdown::Both);
    let _ = upwards.join();
    result
}

/// Copies until the end, or until the limit: then it stands still for a while or breaks.
fn copy(
    from: &mut TcpStream,
    to: &mut TcpStream,
    limit: Option<(usize, bool)>,
    shared: &Shared,
) -> io::Result<()> {
    from.set_read_timeout(Some(LOOK))?;
    let mut buffer = [0; 4096];
    let mut copied = 0;
    let mut limit = limit;
    loop {
        if shared.stop.load(Ordering::SeqCst) {
            return Ok(());
        }
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some((bytes, stall)) = limit
            && copied + read > bytes
        {
            let before = bytes.saturating_sub(copied);
            to.write_all(&buffer[..before])?;
            if !stall {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            thread::sleep(STALL);
            to.write_all(&buffer[before..read])?;
            limit = None;
        } else {
            to.write_all(&buffer[..read])?;
        }
        copied += read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says back what it hears.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                    let _ = io::copy(&mut from, &mut to);
                });
            }
        });
        port
    }

    fn say(address: SocketAddr, words: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(words)?;
        stream.shutdown(Shutdown::Write)?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard)?;
        Ok(heard)
    }

    #[test]
    fn what_passes_is_unchanged_and_what_breaks_is_a_beginning() {
        let proxy = Proxy::start(echo(), 1).unwrap();
        let words: Vec<u8> = (0..20_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for _ in 0..20 {
            if let Ok(heard) = say(proxy.address, &words) {
                assert!(words.starts_with(&heard));
            }
        }
        proxy.set_faulty(false);
        assert_eq!(say(proxy.address, &words).unwrap(), words);
        let (connections, broken) = proxy.counts();
        assert!(connections == 21 && broken > 5, "{connections} {broken}");
    }
}
