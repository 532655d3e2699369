//! `syncd enrol`: a one-time token for a certificate, without trusting anybody on first use.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use sync::Http;
use vocabulary::Digest;
use wire::Name;
use wire::device::{EnrolDevice, Enrolled, Versions};
use wire::problem::Problem;
use wire::scalar::{Hex, Hex32};

use crate::config::Config;
use crate::file;
use crate::http::Client;
use crate::identity::{self, Identity, TlsKey};
use crate::trust::{self, LatestClock};

/// What every token begins with.
const TOKEN_PREFIX: &str = "ddt1.";

/// The name of the file in which the keys of an enrolment lie until the hub has answered: asking
/// again with them is the same request, and so is answered the same.
const PENDING: &str = "enrolment.json";

/// Most bytes of that file, and of the kiosk's public key.
const SMALL_FILE_BYTES_MAX: u64 = 16 * 1024;

/// The keys of an enrolment that is under way.
#[derive(serde::Serialize, serde::Deserialize)]
struct Pending {
    tls_key: String,
    csr: String,
    head_seed: Hex32,
}

/// Enrols this device and says so.
///
/// # Errors
/// What is wrong, and what to do.
pub async fn enrol(config: &Config, token: &str, again: bool) -> anyhow::Result<()> {
    let directory = &config.data.directory;
    if !again && directory.join(identity::FILE).exists() {
        bail!(
            "this device is enrolled already ({}); `--again` replaces its identity",
            directory.join(identity::FILE).display()
        );
    }
    let authority = authority_of(token)?;
    let sealing_key = read_sealing_key(&config.data.sealing_key)?;
    crate::make_directory(directory)?;
    let pending = pending(directory)?;
    let head_key = record::SigningKey::from_bytes(&pending.head_seed.0);
    let request = EnrolDevice {
        csr: pending.csr.clone(),
        sealing_key: Hex(sealing_key),
        head_key: Hex(head_key.verifying_key().to_bytes()),
        versions: Versions {
            syncd: Name::new(env!("CARGO_PKG_VERSION")).unwrap_or_default(),
            ..Versions::default()
        },
    };
    let clock = LatestClock::new(trust::built_at());
    let further = config.hub.further_authorities()?;
    let client = Client::new(&config.hub, trust::pinned(authority, &further, &clock)?)?;
    let http = Http {
        method: "POST",
        path: format!("{}/device/enrolment", wire::BASE),
        body: Some(serde_json::to_vec(&request)?),
        if_none_match: None,
        range: None,
        answer_bytes_max: wire::limits::BODY_BYTES_MAX,
    };
    let answer = client
        .send(&http, Some(token))
        .await
        .with_context(|| format!("{} did not enrol this device", config.hub.url))?;
    if answer.status != 200 {
        let problem: Option<Problem> = serde_json::from_slice(&answer.body).ok();
        let said = problem.map_or_else(String::new, |problem| {
            format!(": {} {}", problem.title, problem.detail.unwrap_or_default())
        });
        bail!(
            "the hub did not enrol this device (status {}){said}",
            answer.status
        );
    }
    let enrolled: Enrolled = serde_json::from_slice(&answer.body)
        .context("the hub's answer is not one of the sync API")?;
    let tls_key = TlsKey::from_pem(&pending.tls_key)?;
    let identity = Identity::new(enrolled, &tls_key, &head_key);
    // An identity that cannot be used is not kept: the token still stands, and so asking again may
    // help.
    let authorities = [identity.enrolled.authorities.as_bytes()];
    let certificate = &identity.enrolled.certificate;
    trust::enrolled(&authorities, certificate, &identity.tls_key, &clock)
        .context("what the hub gives is no certificate for this device; ask its keeper")?;
    ensure!(
        trust::has_key(&identity.enrolled.authorities, authority),
        "who answered for {} is not the hub that made the token: its authorities are others",
        config.hub.url
    );
    identity.store(directory)?;
    std::fs::remove_file(directory.join(PENDING))
        .with_context(|| format!("{} cannot be removed", directory.join(PENDING).display()))?;
    say(&identity.enrolled);
    Ok(())
}

fn say(enrolled: &Enrolled) {
    let doors: Vec<String> = enrolled.doors.iter().map(ToString::to_string).collect();
    println!(
        "Enrolled as device {} of {}, room {}, door {}.\nThe certificate ends {} and is renewed \
         by itself.\nThe kiosk's configuration must have the same [device] id, organisation, room \
         and door.",
        enrolled.device,
        enrolled.organisation,
        enrolled.room,
        doors.join(", "),
        enrolled.expires_at
    );
}

/// The digest of the hub's authority that a token carries.
fn authority_of(token: &str) -> anyhow::Result<Digest> {
    let wrong = "the token is not one of a hub; it begins with ddt1. and is given out by \
                 `syncd hub admin token`";
    let rest = token.strip_prefix(TOKEN_PREFIX).context(wrong)?;
    let (_, digest) = rest.split_once('.').context(wrong)?;
    let digest: Hex32 = digest.parse().context(wrong)?;
    Ok(digest.into())
}

/// The kiosk's public key: 64 hexadecimal digits in the last line of its file.
fn read_sealing_key(path: &Path) -> anyhow::Result<[u8; 32]> {
    let bytes = file::read_bounded(path, SMALL_FILE_BYTES_MAX).with_context(|| {
        format!(
            "{}: the kiosk's public key cannot be read; `kiosk key` makes it",
            path.display()
        )
    })?;
    let text = String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default();
    let last = text.lines().last().unwrap_or_default().trim();
    let key: Hex32 = last
        .parse()
        .with_context(|| format!("{}: this is no public key of a kiosk", path.display()))?;
    Ok(key.0)
}

/// The keys of the enrolment that is under way, or new ones.
fn pending(directory: &Path) -> anyhow::Result<Pending> {
    let path = directory.join(PENDING);
    if path.exists() {
        let bytes = file::read_bounded(&path, SMALL_FILE_BYTES_MAX)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        if let Ok(pending) = serde_json::from_slice(&bytes.unwrap_or_default()) {
            return Ok(pending);
        }
        ensure!(
            std::fs::remove_file(&path).is_ok(),
            "{} is damaged and cannot be removed",
            path.display()
        );
    }
    let tls_key = TlsKey::generate()?;
    let pending = Pending {
        csr: tls_key.signing_request()?,
        tls_key: tls_key.pem(),
        head_seed: Hex(identity::new_head_key()?.to_bytes()),
    };
    file::replace(&path, &serde_json::to_vec(&pending)?, 0o600)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_the_authority() {
        let digest = "ab".repeat(32);
        let token = format!("ddt1.c2VjcmV0.{digest}");
        assert_eq!(authority_of(&token).unwrap(), Digest([0xab; 32]));
        for bad in [
            "",
            "ddt1.",
            "ddk1.x.y",
            "ddt1.a.b",
            &format!("ddt2.a.{digest}"),
        ] {
            assert!(authority_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_enrolment_that_was_interrupted_goes_on_with_the_same_keys() {
        let directory = tempfile::tempdir().unwrap();
        let first = pending(directory.path()).unwrap();
        let again = pending(directory.path()).unwrap();
        assert_eq!((first.csr, first.tls_key), (again.csr, again.tls_key));
        std::fs::write(directory.path().join(PENDING), "torn").unwrap();
        assert_ne!(
            pending(directory.path()).unwrap().head_seed,
            first.head_seed
        );
    }
}
