//! The configuration: one TOML file, each key documented in `deploy/syncd.example.toml`. An error
//! names the file, the key and the line.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Largest configuration file in bytes; a real one has some two thousand.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Most bytes of a PEM file of authorities.
const AUTHORITIES_BYTES_MAX: u64 = 1 << 20;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than any configuration.
    #[error("the configuration {} has more than {FILE_BYTES_MAX} bytes; is it the right file?",
        path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// A key or value is wrong; the message shows line and key.
    #[error("the configuration {} is not valid:\n{message}\nEvery key is described in \
        deploy/syncd.example.toml.", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What the parser says, with line and key.
        message: String,
    },
    /// The file of further authorities cannot be read.
    #[error("hub.authorities: {} cannot be read", path.display())]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of further authorities is larger than any.
    #[error("hub.authorities: {} has more than {AUTHORITIES_BYTES_MAX} bytes", path.display())]
    AuthoritiesTooLarge {
        /// Which file.
        path: PathBuf,
    },
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the hub is.
    pub hub: HubConfig,
    /// Where the files are.
    pub data: Data,
    /// The kiosk beside this daemon.
    pub kiosk: Kiosk,
    /// What is told to keepers.
    pub log: Log,
}

/// Where the hub is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// Its address: `https://` with host and port.
    pub url: String,
    /// An HTTP proxy on the way, as `http://host:port`; empty for none.
    pub proxy: String,
    /// A PEM file of further authorities by which the hub may show itself, where a city's own
    /// stand before it; empty for none.
    pub authorities: String,
}

impl HubConfig {
    /// The further authorities in PEM; nothing where none are configured.
    ///
    /// # Errors
    /// [`ConfigError`] names the file.
    pub fn further_authorities(&self) -> Result<Vec<u8>, ConfigError> {
        if self.authorities.is_empty() {
            return Ok(Vec::new());
        }
        let path = PathBuf::from(&self.authorities);
        let read = crate::file::read_bounded(&path, AUTHORITIES_BYTES_MAX);
        match read {
            Ok(Some(pem)) => Ok(pem),
            Ok(None) => Err(ConfigError::AuthoritiesTooLarge { path }),
            Err(source) => Err(ConfigError::Authorities { path, source }),
        }
    }
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            url: "https://localhost:8443".to_owned(),
            proxy: String::new(),
            authorities: String::new(),
        }
    }
}

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// The daemon's own directory: its identity and its status.
    pub directory: PathBuf,
    /// The kiosk's records, to be read.
    pub ledger: PathBuf,
    /// What the city sends, to be written for the kiosk.
    pub city: PathBuf,
    /// The kiosk's public key, for which meetings' keys are wrapped.
    pub sealing_key: PathBuf,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            directory: "var/syncd".into(),
            ledger: "var/ledger.db".into(),
            city: "var/city.db".into(),
            sealing_key: "var/device.pub".into(),
        }
    }
}

/// The kiosk beside this daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kiosk {
    /// The socket that it listens on; empty to tell it nothing.
    pub socket: PathBuf,
}

/// What is told to keepers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Config {
    /// Reads a file; without one, every key has its default.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, and the key and line where it is about one.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let failed = |source| ConfigError::Read {
            path: path.to_owned(),
            source,
        };
        let bytes = crate::file::read_bounded(path, FILE_BYTES_MAX).map_err(failed)?;
        let Some(bytes) = bytes else {
            return Err(ConfigError::TooLarge {
                path: path.to_owned(),
            });
        };
        let invalid = |message: String| ConfigError::Invalid {
            path: path.to_owned(),
            message,
        };
        let text = String::from_utf8(bytes).map_err(|error| invalid(error.to_string()))?;
        toml::from_str(&text).map_err(|error| invalid(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_says_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/syncd.example.toml");
        assert_eq!(Config::load(Some(&path)).unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("syncd.toml");
        std::fs::write(&path, "[hub]\nurl = \"https://a\"\nuri = \"b\"\n").unwrap();
        let error = Config::load(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("uri") && error.contains("line 3"), "{error}");
    }
}
