//! A request as a handler sees it: who calls, and the parameters, read and checked by name. Nothing
//! here knows HTTP, so handlers are plain functions.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use vocabulary::{OrganisationId, WallTime};
use wire::limits::{CURSOR_BYTES_MAX, PAGE_ITEMS_DEFAULT};
use wire::operation::{Form, Query};
use wire::{Operation, Packing, Timestamp};

use crate::auth::Caller;
use crate::ca::Presented;
use crate::model::Device;
use crate::reply::Failure;

/// A format of a body, where an operation has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON, or whatever else is the operation's only format.
    Main,
    /// CSV.
    Csv,
}

/// One request.
pub(crate) struct Call {
    /// Which operation.
    pub operation: &'static Operation,
    /// When.
    pub now: WallTime,
    /// Who calls.
    pub caller: Caller,
    /// The parameters of the path, in order.
    pub path: Vec<String>,
    /// The pairs of the query.
    pub query: Vec<(String, String)>,
    /// What stands in `If-None-Match`.
    pub if_none_match: Option<String>,
    /// What stands in `Range`, of a `GET`.
    pub range: Option<String>,
    /// What stands in `If-Range`.
    pub if_range: Option<String>,
    /// What stands in `Last-Event-ID`.
    pub last_event: Option<String>,
    /// The body's format.
    pub format: Format,
    /// The answer's format.
    pub answer: Format,
    /// How the answer may be packed.
    pub packing: Option<Packing>,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

impl Call {
    /// The caller's organisation.
    pub fn organisation(&self) -> Result<&OrganisationId, Failure> {
        self.caller
            .organisation()
            .ok_or_else(|| Failure::internal("the operation has no organisation", &""))
    }

    /// The calling device and its certificate.
    pub fn device(&self) -> Result<(&Device, &Presented), Failure> {
        match &self.caller {
            Caller::Device(device, certificate) => Ok((device, certificate)),
            Caller::Anyone | Caller::Token(..) | Caller::Key(_) => {
                Err(Failure::internal("the operation has no device", &""))
            }
        }
    }

    /// A parameter of the path by its place.
    pub fn path<T: FromStr<Err: Display>>(&self, index: usize) -> Result<T, Failure> {
        let name = wire::openapi::path_parameters(self.operation.path)
            .nth(index)
            .unwrap_or_default();
        let text = self.path.get(index).map_or("", String::as_str);
        text.parse()
            .map_err(|error| Failure::malformed(format!("`{name}` in the path: {error}")))
    }

    /// The body as JSON of a type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            if path == "." {
                Failure::malformed(format!("the body: {}", error.inner()))
            } else {
                Failure::malformed(format!("`{path}` in the body: {}", error.inner()))
            }
        })?;
        reader
            .end()
            .map_err(|error| Failure::malformed(format!("the body: {error}")))?;
        Ok(value)
    }

    /// Checks that the query has nothing that the operation does not know, and nothing twice.
    pub fn check_query(&self) -> Result<(), Failure> {
        for (index, (name, value)) in self.query.iter().enumerate() {
            let Some(query) = self.known(name) else {
                let known: Vec<_> = self.operation.query.iter().map(|q| q.name).collect();
                return Err(Failure::malformed(format!(
                    "there is no parameter `{name}` in the query; there are: {}",
                    if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    }
                )));
            };
            if self.query[..index].iter().any(|(other, _)| other == name) {
                return Err(Failure::malformed(format!(
                    "`{name}` stands in the query twice"
                )));
            }
            check_form(query, value)?;
        }
        Ok(())
    }

    fn known(&self, name: &str) -> Option<&'static Query> {
        self.operation.query.iter().find(|query| query.name == name)
    }

    /// The text of a parameter of the query.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// A number of the query.
    pub fn number(&self, name: &str) -> Result<Option<u32>, Failure> {
        self.parsed(name)
    }

    /// A time of the query.
    pub fn time(&self, name: &str) -> Result<Option<WallTime>, Failure> {
        Ok(self.parsed::<Timestamp>(name)?.map(|time| time.0))
    }

    /// How many items a page is to have.
    pub fn limit(&self) -> Result<u32, Failure> {
        Ok(self.number("limit")?.unwrap_or(PAGE_ITEMS_DEFAULT))
    }

    /// The parts of the cursor of the query, which begin with a word that says of which list it is.
    pub fn cursor(&self, list: &str) -> Result<Option<Vec<String>>, Failure> {
        self.text("after")
            .map(|text| cursor_parts(list, text))
            .transpose()
    }

    fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error| Failure::malformed(format!("`{name}` in the query: {error}")))
    }

    /// The `Link` header to the next page: the same request with another cursor.
    pub fn link(&self, cursor: &str) -> String {
        let mut path = wire::BASE.to_owned();
        let mut values = self.path.iter();
        for segment in self.operation.path.split('/').skip(1) {
            path.push('/');
            match segment.starts_with('{') {
                true => path.push_str(values.next().map_or("", String::as_str)),
                false => path.push_str(segment),
            }
        }
        let kept = self.query.iter().filter(|(name, _)| name != "after");
        let kept: String = kept
            .map(|(name, value)| format!("{name}={}&", value.replace('+', "%2B")))
            .collect();
        format!("<{path}?{kept}after={cursor}>; rel=\"next\"")
    }
}

fn check_form(query: &Query, value: &str) -> Result<(), Failure> {
    let name = query.name;
    match query.form {
        Form::Number(most) => match value.parse::<u32>() {
            Ok(number) if (1..=most).contains(&number) => Ok(()),
            Ok(_) | Err(_) => Err(Failure::malformed(format!(
                "`{name}` in the query must be a number from 1 to {most}"
            ))),
        },
        Form::Time => value
            .parse::<Timestamp>()
            .map(drop)
            .map_err(|error| Failure::malformed(format!("`{name}` in the query: {error}"))),
        Form::Cursor if value.len() <= CURSOR_BYTES_MAX => Ok(()),
        Form::Cursor => Err(Failure::malformed(format!(
            "`{name}` in the query is longer than any cursor, {CURSOR_BYTES_MAX} bytes"
        ))),
        Form::Hex32 => value
            .parse::<wire::Hex32>()
            .map(drop)
            .map_err(|error| Failure::malformed(format!("`{name}` in the query: {error}"))),
        Form::Hex16 => value
            .parse::<wire::scalar::Hex16>()
            .map(drop)
            .map_err(|error| Failure::malformed(format!("`{name}` in the query: {error}"))),
    }
}

/// A cursor: parts that no caller should read, behind the word that says of which list it is.
pub(crate) fn cursor(list: &str, parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list} {}", parts.join(" ")))
}

pub(crate) fn cursor_parts(list: &str, text: &str) -> Result<Vec<String>, Failure> {
    let wrong = || Failure::malformed("the cursor is none that this list gave; begin without one");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let mut parts = text.split(' ');
    if parts.next() != Some(list) {
        return Err(wrong());
    }
    Ok(parts.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_is_only_good_for_its_own_list() {
        let text = cursor("people", &["a-b"]);
        assert_eq!(cursor_parts("people", &text).unwrap(), ["a-b"]);
        assert!(cursor_parts("meetings", &text).is_err());
    }

    proptest! {
        #[test]
        fn any_cursor_is_read_or_refused(text in ".{0,250}") {
            let _ = cursor_parts("people", &text);
        }
    }
}
