//! How things are, in a small file beside the identity, for `syncd status`.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sync::Status;
use vocabulary::WallTime;
use wire::Timestamp;

use crate::config::Config;
use crate::file;

/// How things are, as it was last.
pub const STATUS: &str = "status.json";

/// Most bytes of the file; with every trouble at once it has some twenty thousand.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// How things are, as the file has it.
#[derive(Debug, Serialize, Deserialize)]
struct StatusFile {
    written_at: Timestamp,
    last_contact: Option<Timestamp>,
    waiting: Option<u64>,
    clock_offset_ms: Option<i64>,
    rosters_waiting: usize,
    troubles: Vec<TroubleFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TroubleFile {
    vietnamese: String,
    english: String,
}

/// Writes how things are. A power cut may lose it; it is written again soon.
///
/// # Errors
/// What the operating system says.
pub fn write_status(directory: &Path, now: WallTime, status: &Status) -> io::Result<()> {
    let troubles = status.troubles.iter().map(|trouble| TroubleFile {
        vietnamese: trouble.vietnamese(),
        english: trouble.to_string(),
    });
    let written = StatusFile {
        written_at: Timestamp(now),
        last_contact: status.last_contact.map(Timestamp),
        waiting: status.waiting,
        clock_offset_ms: status.clock_offset_ms,
        rosters_waiting: status.rosters_waiting,
        troubles: troubles.collect(),
    };
    let bytes = serde_json::to_vec_pretty(&written)?;
    file::replace(&directory.join(STATUS), &bytes, 0o640)
}

/// What `syncd status` prints.
///
/// # Errors
/// When nothing was written yet, or it cannot be read.
pub fn status_text(config: &Config) -> anyhow::Result<String> {
    use anyhow::Context as _;
    let path = config.data.directory.join(STATUS);
    let bytes = file::read_bounded(&path, FILE_BYTES_MAX).with_context(|| {
        format!(
            "{}: how things are is not known; `syncd run` writes it",
            path.display()
        )
    })?;
    let status: StatusFile = serde_json::from_slice(&bytes.unwrap_or_default())
        .with_context(|| format!("{} is damaged; `syncd run` writes it anew", path.display()))?;
    let mut text = String::new();
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let rows = [
        ("Lúc ghi / as of", status.written_at.to_string()),
        (
            "Liên lạc cuối / last contact",
            or_dash(status.last_contact.map(|time| time.to_string())),
        ),
        (
            "Bản ghi chờ gửi / records waiting",
            or_dash(status.waiting.map(|count| count.to_string())),
        ),
        (
            "Danh sách chờ tải / rosters waiting",
            status.rosters_waiting.to_string(),
        ),
        (
            "Lệch đồng hồ / clock offset",
            or_dash(status.clock_offset_ms.map(|ms| format!("{ms} ms"))),
        ),
    ];
    for (name, value) in rows {
        let pad = 36_usize.saturating_sub(name.chars().count());
        let _ = writeln!(text, "{name}{:pad$}  {value}", "");
    }
    for trouble in &status.troubles {
        let _ = writeln!(text, "! {} / {}", trouble.vietnamese, trouble.english);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use sync::Trouble;

    use super::*;

    #[test]
    fn the_status_is_said_in_both_languages() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.directory = directory.path().to_owned();
        assert!(
            status_text(&config)
                .unwrap_err()
                .to_string()
                .contains("syncd run")
        );
        let status = Status {
            waiting: Some(12),
            troubles: [Trouble::NoCamera].into(),
            ..Status::default()
        };
        write_status(directory.path(), WallTime(0), &status).unwrap();
        let text = status_text(&config).unwrap();
        for part in [
            "12",
            "Máy ảnh không hoạt động",
            "the camera gives no pictures",
            "1970",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
