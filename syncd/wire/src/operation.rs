//! The one table of operations: path, who may call it, what goes in and out, what it may answer.
//!
//! The OpenAPI document, the hub's routes and the test of every route with every credential are
//! made from it; whoever adds an operation adds a row here.

use crate::problem::ProblemType as P;

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Anybody.
    Anyone,
    /// Whoever has a one-time token for one device, as bearer.
    Token,
    /// An enrolled device, by its certificate.
    Device,
    /// An enrolled device, also with a certificate that has expired.
    ExpiredDevice,
    /// An API key with this scope, as bearer.
    Key(Scope),
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What an API key may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope {
            $($(#[$doc])* $variant,)*
        }

        impl Scope {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name, as keys are made with.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The scope of a name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|scope| scope.name() == name)
            }
        }
    };
}

scopes! {
    /// Read rooms, meetings and rosters.
    MeetingsRead = "meetings:read";
    /// Put rooms, meetings and rosters.
    MeetingsWrite = "meetings:write";
    /// Close a meeting: the secretary's act.
    MeetingsClose = "meetings:close";
    /// Read people.
    PeopleRead = "people:read";
    /// Put people.
    PeopleWrite = "people:write";
    /// Hand in portraits and templates, and take them away.
    EnrolmentsWrite = "enrolments:write";
    /// Read rolls.
    RollRead = "roll:read";
    /// Read all records.
    RecordsRead = "records:read";
    /// Put webhooks, and see what became of their deliveries.
    WebhooksWrite = "webhooks:write";
    /// See devices and how they are.
    DevicesRead = "devices:read";
    /// Declare devices, make enrolment tokens, revoke.
    DevicesWrite = "devices:write";
    /// Read the hub's metrics.
    MetricsRead = "metrics:read";
}

/// How a request's or an answer's body looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// No body.
    None,
    /// JSON of one of this crate's types, by its schema's name.
    Json(&'static str),
    /// JSON of that type, or CSV.
    JsonOrCsv(&'static str),
    /// A picture.
    Picture,
    /// Bytes of any kind.
    Bytes,
    /// Text of this media type.
    Text(&'static str),
    /// An endless stream of server-sent events whose data are JSON of this type.
    Events(&'static str),
}

/// A parameter beside the path's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Its form.
    pub form: Form,
}

/// The form of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number from 1 to this.
    Number(u32),
    /// A moment in RFC 3339.
    Time,
    /// An opaque cursor, as an answer gave it.
    Cursor,
    /// Thirty-two hexadecimal digits.
    Hex16,
    /// Sixty-four hexadecimal digits.
    Hex32,
}

/// One operation.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// Its name in the document, in camel case.
    pub id: &'static str,
    /// `GET`, `PUT`, `POST` or `DELETE`.
    pub method: &'static str,
    /// The path with its parameters in braces. Each parameter is an id.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// What more there is to know, for the document; empty where nothing is.
    pub notes: &'static str,
    /// Parameters in the query.
    pub query: &'static [Query],
    /// What goes in.
    pub request: Content,
    /// The most bytes that go in, unpacked.
    pub request_bytes_max: usize,
    /// The status of success.
    pub status: u16,
    /// What comes out.
    pub answer: Content,
    /// Whether the answer carries an `ETag` and `If-None-Match` may be answered with 304.
    pub conditional: bool,
    /// Whether a part of the answer may be asked for by `Range`.
    pub ranged: bool,
    /// What it may answer beside what [`Operation::problems`] adds by itself.
    pub problems: &'static [P],
}

impl Operation {
    /// Every kind of problem that it may answer: those that follow from its form, and its own.
    #[must_use]
    pub fn problems(&self) -> Vec<P> {
        let mut problems = vec![P::NotAcceptable, P::TooMany, P::Internal, P::Unavailable];
        match self.access {
            Access::Anyone => {}
            Access::Token => problems.push(P::Unauthenticated),
            Access::Device => {
                problems.extend([P::Unauthenticated, P::CertificateExpired, P::Revoked]);
            }
            Access::ExpiredDevice => problems.extend([P::Unauthenticated, P::Revoked]),
            Access::Key(_) => problems.extend([P::Unauthenticated, P::Forbidden, P::Revoked]),
        }
        if self.access != Access::Anyone {
            // Two credentials where one belongs.
            problems.push(P::Malformed);
        }
        if self.request != Content::None {
            problems.extend([
                P::Malformed,
                P::TooLarge,
                P::UnsupportedMediaType,
                P::RequestTimeout,
            ]);
        }
        if !self.query.is_empty() || self.path.contains('{') {
            problems.push(P::Malformed);
        }
        if self.ranged {
            problems.push(P::RangeNotSatisfiable);
        }
        problems.extend(self.problems);
        problems.sort_unstable();
        problems.dedup();
        problems
    }
}
