//! What went wrong, as RFC 9457 problem details with types that never change their meaning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What every problem type's URI begins with. It is a name, not an address to be called.
pub const TYPE_PREFIX: &str = "urn:diemdanh:problem:";

/// An error's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Which kind of problem, as a URI; programs decide by it alone.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words; the same for every problem of that type.
    pub title: String,
    /// The HTTP status once more.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// What exactly was wrong here, and what to do; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The request's id, which the hub's log has too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

impl Problem {
    /// A problem of a type, with what exactly was wrong.
    #[must_use]
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.uri(),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: Some(detail.into()),
            request: None,
        }
    }

    /// Which type it is; none for one that this version does not know.
    #[must_use]
    pub fn problem_type(&self) -> Option<ProblemType> {
        let name = self.kind.strip_prefix(TYPE_PREFIX)?;
        ProblemType::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

macro_rules! problem_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)*) => {
        /// Every kind of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProblemType {
            $($(#[$doc])* $variant,)*
        }

        impl ProblemType {
            /// All of them.
            pub const ALL: [Self; [$($status),*].len()] = [$(Self::$variant),*];

            /// The last part of its URI.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status that comes with it.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// It in words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

problem_types! {
    /// The request is not what the operation takes: syntax, a field, a parameter.
    Malformed = "malformed", 400, "The request is not what this operation takes.";
    /// No credential, or one that is unknown.
    Unauthenticated = "unauthenticated", 401, "A valid credential is needed.";
    /// The certificate is over; it may still be renewed.
    CertificateExpired = "certificate-expired", 401,
        "The device's certificate has expired; renew it.";
    /// The device or key was revoked, for good.
    Revoked = "revoked", 403, "The credential was revoked.";
    /// The credential is good, and this is not for it.
    Forbidden = "forbidden", 403, "The credential does not allow this.";
    /// There is no such thing, or not for this caller.
    NotFound = "not-found", 404, "There is no such thing.";
    /// The path knows other methods.
    MethodNotAllowed = "method-not-allowed", 405, "The path has no such method.";
    /// What would be answered is in none of the formats that are accepted.
    NotAcceptable = "not-acceptable", 406, "None of the accepted formats is made here.";
    /// The client was too slow in sending its request.
    RequestTimeout = "request-timeout", 408, "The request took too long to arrive.";
    /// It contradicts what is there.
    Conflict = "conflict", 409, "The request contradicts what is there.";
    /// The token was used by another device's key.
    TokenUsed = "token-used", 409, "The enrolment token was used already.";
    /// It was there, and was taken away for good.
    Gone = "gone", 410, "It was taken away.";
    /// The body has no length or is not what its length says.
    TooLarge = "too-large", 413, "The body is larger than this operation takes.";
    /// The body is in a format that this operation does not read.
    UnsupportedMediaType = "unsupported-media-type", 415,
        "The operation does not read this format.";
    /// None of the bytes that are there were asked for.
    RangeNotSatisfiable = "range-not-satisfiable", 416, "There are no such bytes.";
    /// Well formed, and impossible: a roster with one person twice.
    Unprocessable = "unprocessable", 422, "The request is well formed and cannot be followed.";
    /// The picture is not one to enrol somebody with.
    PortraitRefused = "portrait-refused", 422, "The portrait cannot be used.";
    /// Too many requests; `Retry-After` says when.
    TooMany = "too-many-requests", 429, "Too many requests; try again later.";
    /// This hub was set up without it; trying again does not help.
    NotOffered = "not-offered", 501, "This hub does not offer this.";
    /// A defect of the hub.
    Internal = "internal", 500, "The hub failed; the log has the request's id.";
    /// The hub cannot do it now: its disk is full, or it is stopping.
    Unavailable = "unavailable", 503, "The hub cannot do this now; try again later.";
}

impl ProblemType {
    /// Its URI.
    #[must_use]
    pub fn uri(self) -> String {
        format!("{TYPE_PREFIX}{}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_again_by_its_uri() {
        for kind in ProblemType::ALL {
            assert_eq!(Problem::new(kind, "x").problem_type(), Some(kind));
        }
    }

    #[test]
    fn a_type_of_a_later_version_is_not_mistaken() {
        let json = r#"{"type":"urn:diemdanh:problem:new","title":"","status":418,"more":1}"#;
        let problem: Problem = serde_json::from_str(json).unwrap();
        assert_eq!(problem.problem_type(), None);
    }
}
