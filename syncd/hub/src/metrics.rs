//! What this process has done since it began, for Prometheus. Nothing is decided by it, and no name
//! of a person, device or meeting is ever a label.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::Totals;

/// The media type of the text.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counters of one process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), Requests>>,
    connections: AtomicI64,
    handshakes_failed: AtomicU64,
    records_received: AtomicU64,
    records_kept_aside: AtomicU64,
    rosters_built: AtomicU64,
    rosters_from_cache: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Requests {
    count: u64,
    time: Duration,
}

/// Counts one connection for as long as it lives.
pub(crate) struct Connected<'a>(&'a AtomicI64);

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    pub fn connection(&self) -> Connected<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connected(&self.connections)
    }

    pub fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub fn request(&self, operation: &'static str, status: u16, time: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = requests.entry((operation, status)).or_default();
        entry.count += 1;
        entry.time += time;
    }

    pub fn records(&self, received: u64, kept_aside: u64) {
        self.records_received.fetch_add(received, Ordering::Relaxed);
        self.records_kept_aside
            .fetch_add(kept_aside, Ordering::Relaxed);
    }

    pub fn roster(&self, from_cache: bool) {
        let counter = if from_cache {
            &self.rosters_from_cache
        } else {
            &self.rosters_built
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it as text, with what the store says of itself.
    pub fn text(&self, totals: &Totals) -> String {
        let mut text = String::with_capacity(4096);
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        head(
            &mut text,
            "diemdanh_requests_total",
            "counter",
            "Requests answered.",
        );
        for ((operation, status), requests) in requests.iter() {
            let labels = format!("operation=\"{operation}\",status=\"{status}\"");
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "diemdanh_requests_total{{{labels}}} {}",
                requests.count
            );
        }
        head(
            &mut text,
            "diemdanh_request_seconds_total",
            "counter",
            "Time that answering took.",
        );
        for ((operation, status), requests) in requests.iter() {
            let labels = format!("operation=\"{operation}\",status=\"{status}\"");
            let seconds = requests.time.as_secs_f64();
            let _ = writeln!(text, "diemdanh_request_seconds_total{{{labels}}} {seconds}");
        }
        drop(requests);
        let of_process = self.of_process();
        let of_store = of_store(totals);
        for (name, kind, about, value) in of_process.into_iter().chain(of_store) {
            head(&mut text, name, kind, about);
            let _ = writeln!(text, "{name} {value}");
        }
        text
    }

    fn of_process(&self) -> [Sample; 6] {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
        [
            (
                "diemdanh_connections",
                "gauge",
                "Open connections.",
                self.connections.load(Ordering::Relaxed).to_string(),
            ),
            (
                "diemdanh_handshakes_failed_total",
                "counter",
                "TLS handshakes that came to nothing.",
                count(&self.handshakes_failed),
            ),
            (
                "diemdanh_records_received_total",
                "counter",
                "Records received and acknowledged by this process, repeated ones too.",
                count(&self.records_received),
            ),
            (
                "diemdanh_records_received_kept_aside_total",
                "counter",
                "Of these, kept aside.",
                count(&self.records_kept_aside),
            ),
            (
                "diemdanh_rosters_built_total",
                "counter",
                "Rosters for doors put together.",
                count(&self.rosters_built),
            ),
            (
                "diemdanh_rosters_cached_total",
                "counter",
                "Rosters for doors answered as they were put together before.",
                count(&self.rosters_from_cache),
            ),
        ]
    }
}

/// A sample without labels: name, kind, what it is, value.
type Sample = (&'static str, &'static str, &'static str, String);

fn of_store(totals: &Totals) -> [Sample; 6] {
    [
        (
            "diemdanh_records",
            "gauge",
            "Records in the store.",
            totals.commit.0.to_string(),
        ),
        (
            "diemdanh_records_kept_aside",
            "gauge",
            "Records in the store that are kept aside.",
            totals.kept_aside.to_string(),
        ),
        (
            "diemdanh_notes",
            "gauge",
            "Notes about records: gaps, forks, broken chains.",
            totals.notes.to_string(),
        ),
        (
            "diemdanh_devices",
            "gauge",
            "Declared devices.",
            totals.devices.to_string(),
        ),
        (
            "diemdanh_devices_revoked",
            "gauge",
            "Of these, revoked.",
            totals.devices_revoked.to_string(),
        ),
        (
            "diemdanh_meetings_planned",
            "gauge",
            "Planned meetings.",
            totals.meetings_planned.to_string(),
        ),
    ]
}

fn head(text: &mut String, name: &str, kind: &str, about: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        let metrics = Metrics::default();
        metrics.request("getRoom", 200, Duration::from_millis(3));
        metrics.request("getRoom", 404, Duration::from_millis(1));
        metrics.request("getRoom", 200, Duration::from_millis(3));
        metrics.records(5, 1);
        let connected = metrics.connection();
        let text = metrics.text(&Totals::default());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("diemdanh_"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
        let has = |line: &str| assert!(text.contains(line), "{line} in {text}");
        has("diemdanh_requests_total{operation=\"getRoom\",status=\"200\"} 2\n");
        has("diemdanh_connections 1\n");
        has("diemdanh_records_received_total 5\n");
        drop(connected);
        assert!(
            metrics
                .text(&Totals::default())
                .contains("diemdanh_connections 0\n")
        );
    }
}
