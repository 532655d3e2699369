//! The OpenAPI 3.1 document, made from the types and the table of operations, so that it cannot
//! say anything else than they do.
//!
//! Who may call an operation stands in its `security`; the scope that an API key needs is the
//! requirement's role. `x-accepts-expired-certificate` marks the one operation for which an
//! expired certificate is enough, `x-body-bytes-max` is an operation's limit for its body.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use crate::operation::{Access, Content, Form, Operation, Query, Scope};
use crate::problem::{PROBLEM_JSON, Problem};
use crate::scalar::{Hex16, Hex32, Id, Timestamp};
use crate::{BASE, OPERATIONS, VERSION, limits};

/// The media type of tables.
pub const CSV: &str = "text/csv";

/// The media types of pictures that can be handed in.
pub const PICTURES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];

/// The media type of bytes of any kind.
pub const BYTES: &str = "application/octet-stream";

/// What the problem of every operation is described as when several types share a status.
const SCHEMAS_PATH: &str = "/components/schemas";

macro_rules! schemas {
    ($($name:ident: $type:ty,)*) => {
        /// The names of all types that bodies may have.
        pub const SCHEMAS: &[&str] = &[$(stringify!($name)),*];

        fn references(generator: &mut SchemaGenerator) -> Map<String, Value> {
            [$((stringify!($name).to_owned(), reference::<$type>(generator))),*]
                .into_iter()
                .collect()
        }
    };
}

schemas! {
    EnrolDevice: crate::device::EnrolDevice,
    Enrolled: crate::device::Enrolled,
    RenewCertificate: crate::device::RenewCertificate,
    Health: crate::device::Health,
    HealthAnswer: crate::device::HealthAnswer,
    DeviceMeetings: crate::device::DeviceMeetings,
    DeviceRoster: crate::device::DeviceRoster,
    Position: crate::device::Position,
    SendRecords: crate::device::SendRecords,
    RecordsAccepted: crate::device::RecordsAccepted,
    Organisation: crate::meeting::Organisation,
    Rooms: crate::meeting::Rooms,
    Room: crate::meeting::Room,
    PutRoom: crate::meeting::PutRoom,
    People: crate::enrolment::People,
    Person: crate::enrolment::Person,
    PutPerson: crate::enrolment::PutPerson,
    Reference: crate::enrolment::Reference,
    PutTemplate: crate::enrolment::PutTemplate,
    ModelPlan: crate::plan::ModelPlan,
    PutCitizenCard: crate::enrolment::PutCitizenCard,
    Meetings: crate::meeting::Meetings,
    Meeting: crate::meeting::Meeting,
    PutMeeting: crate::meeting::PutMeeting,
    Roster: crate::meeting::Roster,
    PutRoster: crate::meeting::PutRoster,
    InvitationKeys: crate::invitation::InvitationKeys,
    PutInvitationKeys: crate::invitation::PutInvitationKeys,
    Roll: crate::roll::Roll,
    Records: crate::roll::Records,
    Record: crate::roll::Record,
    PutDevice: crate::fleet::PutDevice,
    Device: crate::fleet::Device,
    Devices: crate::fleet::Devices,
    EnrolmentToken: crate::fleet::EnrolmentToken,
    Notes: crate::fleet::Notes,
    DeviceOffers: crate::offer::DeviceOffers,
    PutOffer: crate::offer::PutOffer,
    Offer: crate::offer::Offer,
    Offers: crate::offer::Offers,
    PutWebhook: crate::webhook::PutWebhook,
    Webhook: crate::webhook::Webhook,
    Webhooks: crate::webhook::Webhooks,
    EventData: crate::webhook::EventData,
    Deliveries: crate::webhook::Deliveries,
    Problem: Problem,
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS_PATH.into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let references = references(&mut generator);
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths
            .entry(format!("{BASE}{}", operation.path))
            .or_insert_with(|| json!({}));
        path[operation.method.to_ascii_lowercase()] =
            operation_object(operation, &references, &mut generator);
    }
    let (limits, about_limits) = limits_objects();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Điểm Danh sync API",
            "version": VERSION,
            "summary": "Rosters down to the doors of meeting rooms, records up to the city.",
            "description": DESCRIPTION,
            "license": { "name": "Apache License 2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The hub that gives this document." }],
        "paths": paths,
        "components": {
            "schemas": with_examples(generator.take_definitions(true)),
            "securitySchemes": security_schemes(),
        },
        "x-limits": limits,
        "x-limits-about": about_limits,
    })
}

/// The document as it is committed and served: indented, with a line break at its end.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}

const DESCRIPTION: &str = "\
Every id is its caller's own, unique within the organisation; putting the same again is a success \
and changes nothing. Times are RFC 3339, answered in UTC. Errors are problem details (RFC 9457); \
programs decide by `type` alone. Lists are read page by page: follow the `Link` header's `next`, \
or pass `next` of the body as `after`. Request bodies may be packed (`Content-Encoding: zstd` or \
`gzip`; every answer's `Accept-Encoding` names what is taken), answers are where \
`Accept-Encoding` allows it. Every answer has an `X-Request-Id`, which the hub's log has too. \
`HEAD` is answered wherever `GET` is; a method that a path does not have is answered 405 with \
`Allow`. What is put replaces what was there, whole. `x-limits` has every limit by name, times in \
seconds, and `x-limits-about` what each is for. Names, titles and units have at most \
`labelBytesMax` bytes in UTF-8, which is fewer letters where they have diacritics. Outside the \
versioned paths are `/healthz`, `/readyz` and, for keys with `metrics:read`, `/metrics`. The \
version in the path is a draft.";

/// Adds an example to the types that integrators begin with.
fn with_examples(mut schemas: Map<String, Value>) -> Map<String, Value> {
    let examples = [
        (
            "PutRoom",
            json!({ "name": "Phòng họp A", "doors": ["A1", "A2"] }),
        ),
        (
            "PutPerson",
            json!({ "name": "Nguyễn Văn Mẫu", "title": "Ông", "unit": "Sở Thí Dụ" }),
        ),
        (
            "PutMeeting",
            json!({
                "title": "Họp giao ban", "room": "phong-a",
                "starts_at": "2026-03-02T08:30:00+07:00", "ends_at": "2026-03-02T11:00:00+07:00",
                "zone": "Asia/Ho_Chi_Minh", "quorum": 1,
            }),
        ),
        (
            "PutRoster",
            json!({ "entries": [
                { "person": "CB-0001" },
                { "person": "CB-0002", "role": "guest", "attendance": "code-only" },
                { "person": "CB-0003", "instead_of": "CB-0001", "document": "Giấy ủy quyền số 1" },
            ] }),
        ),
        ("PutDevice", json!({ "room": "phong-a", "doors": ["A1"] })),
        (
            "PutWebhook",
            json!({ "url": "https://receiver.example/diemdanh" }),
        ),
    ];
    for (name, example) in examples {
        if let Some(schema) = schemas.get_mut(name) {
            schema["examples"] = json!([example]);
        }
    }
    schemas
}

fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn operation_object(
    operation: &Operation,
    references: &Map<String, Value>,
    generator: &mut SchemaGenerator,
) -> Value {
    let mut object = json!({
        "operationId": operation.id,
        "summary": operation.about,
        "tags": [tag(operation)],
        "security": security(operation.access),
        "responses": responses(operation, references),
    });
    if !operation.notes.is_empty() {
        object["description"] = operation.notes.into();
    }
    let parameters = parameters(operation, generator);
    if !parameters.is_empty() {
        object["parameters"] = parameters.into();
    }
    if operation.request != Content::None {
        object["requestBody"] = json!({
            "required": true,
            "content": content(operation.request, references),
        });
        object["x-body-bytes-max"] = operation.request_bytes_max.into();
    }
    if operation.access == Access::ExpiredDevice {
        object["x-accepts-expired-certificate"] = true.into();
    }
    object
}

fn tag(operation: &Operation) -> &'static str {
    match operation.access {
        Access::Anyone => "document",
        Access::Token | Access::Device | Access::ExpiredDevice => "devices' side",
        Access::Key(_) => "integrators' side",
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone => json!([]),
        Access::Token => json!([{ "token": [] }]),
        Access::Device | Access::ExpiredDevice => json!([{ "device": [] }]),
        Access::Key(scope) => json!([{ "key": [scope.name()] }]),
    }
}

fn security_schemes() -> Value {
    let scopes: Vec<_> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    json!({
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ddt1.<random>.<digest of the hub's authority>",
            "description": "A device's one-time enrolment token.",
        },
        "device": {
            "type": "mutualTLS",
            "description": "The certificate that the device got at its enrolment. One that another \
                            authority signed is refused at the TLS handshake already.",
        },
        "key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ddk1.<id>.<secret>",
            "description": format!(
                "An API key of one organisation, with scopes: {}. What belongs to another \
                 organisation is not found.",
                scopes.join(", ")
            ),
        },
    })
}

fn parameters(operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters: Vec<_> = path_parameters(operation.path)
        .map(|name| {
            let schema = match name {
                "epoch" => reference::<Hex16>(generator),
                _ => reference::<Id<String>>(generator),
            };
            let about = path_parameter_about(name);
            json!({
                "name": name, "in": "path", "required": true, "description": about,
                "schema": schema,
            })
        })
        .collect();
    for query in operation.query {
        parameters.push(query_object(query, generator));
    }
    if matches!(operation.answer, Content::Events(_)) {
        parameters.push(json!({
            "name": "Last-Event-ID",
            "in": "header",
            "description":
                "The id of the last event that the caller has; it counts before `after`.",
            "schema": { "type": "string", "minLength": 1, "maxLength": limits::CURSOR_BYTES_MAX },
        }));
    }
    if operation.conditional {
        parameters.push(json!({
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of an answer that the caller has: when it still holds, \
                            the answer is 304 and empty.",
            "schema": { "type": "string" },
        }));
    }
    if operation.ranged {
        for (name, about) in [
            (
                "Range",
                "Which bytes: `bytes=FROM-TO`, `bytes=FROM-` or `bytes=-LAST`. Of several ranges \
                 none is made.",
            ),
            (
                "If-Range",
                "The `ETag` of what the caller has a part of: where it is another one by now, the \
                 answer is the whole.",
            ),
        ] {
            parameters.push(json!({
                "name": name, "in": "header", "description": about,
                "schema": { "type": "string" },
            }));
        }
    }
    parameters
}

fn path_parameter_about(name: &str) -> &'static str {
    match name {
        "room" => "The room's id, the caller's own.",
        "person" => "The person's id, the caller's own.",
        "reference" => "Which of the person's references, the caller's own.",
        "meeting" => "The meeting's id, the caller's own.",
        "epoch" => "The epoch of the device's ledger.",
        "device" => "The device's id, unique at the hub.",
        "webhook" => "The webhook's id, the caller's own.",
        "offer" => "The offer's id, the caller's own.",
        "delivery" => "The delivery's id, as the list has it.",
        _ => "An id.",
    }
}

/// The names of a path's parameters, in their order.
pub fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn query_object(query: &Query, generator: &mut SchemaGenerator) -> Value {
    let schema = match query.form {
        Form::Number(most) => {
            let mut schema = json!({ "type": "integer", "minimum": 1, "maximum": most });
            if most == PAGE_ITEMS_MAX {
                schema["default"] = PAGE_ITEMS_DEFAULT.into();
            }
            schema
        }
        Form::Time => reference::<Timestamp>(generator),
        Form::Cursor => json!({
            "type": "string", "minLength": 1, "maxLength": limits::CURSOR_BYTES_MAX,
        }),
        Form::Hex16 => reference::<Hex16>(generator),
        Form::Hex32 => reference::<Hex32>(generator),
    };
    json!({ "name": query.name, "in": "query", "description": query.about, "schema": schema })
}

fn content(content: Content, references: &Map<String, Value>) -> Value {
    let of = |name: &str| references.get(name).cloned().unwrap_or(Value::Null);
    match content {
        Content::None => json!({}),
        Content::Json(name) => json!({ "application/json": { "schema": of(name) } }),
        Content::JsonOrCsv(name) => json!({
            "application/json": { "schema": of(name) },
            CSV: { "schema": { "type": "string" } },
        }),
        Content::Picture => PICTURES
            .iter()
            .map(|kind| ((*kind).to_owned(), json!({})))
            .collect::<Map<_, _>>()
            .into(),
        Content::Bytes => json!({ BYTES: {} }),
        Content::Text("application/json") => json!({ "application/json": {} }),
        Content::Text(kind) => json!({ kind: { "schema": { "type": "string" } } }),
        Content::Events(name) => json!({
            "text/event-stream": {
                "schema": { "type": "string" },
                "x-data-schema": of(name),
            }
        }),
    }
}

fn responses(operation: &Operation, references: &Map<String, Value>) -> Value {
    let mut headers = Map::new();
    headers.insert(
        "X-Request-Id".to_owned(),
        json!({ "description": "The request's id, as in the hub's log.",
                "schema": { "type": "string" } }),
    );
    let plain = Value::from(headers.clone());
    if operation.conditional {
        headers.insert(
            "ETag".to_owned(),
            json!({ "description": "What to send as `If-None-Match` next time.",
                    "schema": { "type": "string" } }),
        );
    }
    let is_stream = matches!(operation.answer, Content::Events(_));
    if !is_stream && operation.query.iter().any(|q| q.form == Form::Cursor) {
        headers.insert(
            "Link".to_owned(),
            json!({ "description": "The next page, as `rel=\"next\"` (RFC 8288).",
                    "schema": { "type": "string" } }),
        );
    }
    let mut success = json!({ "description": "Done.", "headers": headers });
    if operation.answer != Content::None {
        success["content"] = content(operation.answer, references);
    }
    let mut responses = Map::new();
    responses.insert(operation.status.to_string(), success);
    if operation.conditional {
        let mut headers = plain.clone();
        headers["ETag"] = json!({ "schema": { "type": "string" } });
        responses.insert(
            "304".to_owned(),
            json!({ "description": "What the caller has still holds.", "headers": headers }),
        );
    }
    if operation.ranged {
        let mut headers = responses[&operation.status.to_string()]["headers"].clone();
        headers["Content-Range"] = json!({
            "description": "Which bytes these are, of how many.", "schema": { "type": "string" },
        });
        responses.insert(
            "206".to_owned(),
            json!({
                "description": "The range that was asked for.", "headers": headers,
                "content": content(operation.answer, references),
            }),
        );
    }
    for problem in operation.problems() {
        let line = format!("`{}`: {}", problem.uri(), problem.title());
        let entry = responses
            .entry(problem.status().to_string())
            .or_insert_with(|| {
                let mut headers = plain.clone();
                for (statuses, name, about) in PROBLEM_HEADERS {
                    if statuses.contains(&problem.status()) {
                        headers[*name] =
                            json!({ "description": about, "schema": { "type": "string" } });
                    }
                }
                json!({
                    "headers": headers,
                    "content": { PROBLEM_JSON: {
                        "schema": references.get("Problem").cloned().unwrap_or(Value::Null)
                    } },
                })
            });
        let before = entry["description"].as_str().unwrap_or_default();
        let separator = if before.is_empty() { "" } else { "\n\n" };
        entry["description"] = format!("{before}{separator}{line}").into();
    }
    responses.into()
}

const PROBLEM_HEADERS: &[(&[u16], &str, &str)] = &[
    (
        &[401],
        "WWW-Authenticate",
        "Which kind of credential is needed.",
    ),
    (
        &[416],
        "Content-Range",
        "How many bytes there are: `bytes */N`.",
    ),
    (
        &[429, 503],
        "Retry-After",
        "In how many seconds to try again.",
    ),
];

/// Every limit by its name, and what each limits.
fn limits_objects() -> (Value, Value) {
    let values = limits::ALL
        .iter()
        .map(|limit| (limit.key(), limit.value.into()));
    let texts = limits::ALL
        .iter()
        .map(|limit| (limit.key(), limit.text().into()));
    (
        Value::Object(values.collect()),
        Value::Object(texts.collect()),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_body_in_the_table_is_a_known_type() {
        for operation in OPERATIONS {
            for content in [operation.request, operation.answer] {
                match content {
                    Content::Json(name) | Content::JsonOrCsv(name) | Content::Events(name) => {
                        assert!(SCHEMAS.contains(&name), "{}: {name}", operation.id);
                    }
                    Content::None | Content::Picture | Content::Bytes | Content::Text(_) => {}
                }
            }
        }
    }

    #[test]
    fn no_two_operations_share_a_name_or_a_place() {
        let ids: HashSet<_> = OPERATIONS.iter().map(|o| o.id).collect();
        assert_eq!(ids.len(), OPERATIONS.len());
        let places: HashSet<_> = OPERATIONS.iter().map(|o| (o.method, o.path)).collect();
        assert_eq!(places.len(), OPERATIONS.len());
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        fn check(value: &Value, document: &Value) {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(reference)) = map.get("$ref") {
                        let pointer = reference.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    map.values().for_each(|value| check(value, document));
                }
                Value::Array(values) => values.iter().for_each(|value| check(value, document)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = document();
        check(&document, &document);
    }

    /// A number in a schema is one of the named limits, not another of its own.
    #[test]
    fn every_bound_of_a_schema_is_a_named_limit() {
        fn bounds(value: &Value, at: &str, found: &mut Vec<(String, u64)>) {
            match value {
                Value::Object(map) => {
                    for (key, value) in map {
                        if matches!(key.as_str(), "maxItems" | "maxLength") {
                            found.push((at.to_owned(), value.as_u64().unwrap()));
                        }
                        bounds(value, &format!("{at}/{key}"), found);
                    }
                }
                Value::Array(values) => {
                    for (index, value) in values.iter().enumerate() {
                        bounds(value, &format!("{at}/{index}"), found);
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        bounds(&document, "", &mut found);
        let in_base64 = |bytes: u64| crate::scalar::base64_chars(bytes as usize) as u64;
        let named: HashSet<u64> = limits::ALL
            .iter()
            .flat_map(|limit| [limit.value, in_base64(limit.value)])
            .collect();
        // A time has a form, not a limit.
        let of_form = crate::scalar::TIMESTAMP_CHARS_MAX as u64;
        let strange: Vec<_> = found
            .iter()
            .filter(|(_, bound)| *bound != of_form && !named.contains(bound))
            .collect();
        assert!(strange.is_empty(), "{strange:?}");
        let bound_of = |pointer: &str| {
            let at = format!("/components/schemas/{pointer}");
            let bound = found.iter().find(|(place, _)| *place == at);
            bound.unwrap_or_else(|| panic!("{pointer} has no bound")).1
        };
        let check = |pointer: &str, limit: u64| assert_eq!(bound_of(pointer), limit, "{pointer}");
        check(
            "SendRecords/properties/records",
            limits::BATCH_RECORDS_MAX as u64,
        );
        check(
            "PutRoster/properties/entries",
            limits::ROSTER_ENTRIES_MAX as u64,
        );
        check("PutRoom/properties/doors", limits::DOORS_MAX as u64);
        check("PutMeeting/properties/zone", limits::ZONE_BYTES_MAX as u64);
        check("PutPerson/properties/name", limits::LABEL_BYTES_MAX as u64);
        check(
            "PutWebhook/properties/url",
            limits::WEBHOOK_URL_BYTES_MAX as u64,
        );
        check(
            "Records/properties/records",
            u64::from(limits::PAGE_ITEMS_MAX),
        );
    }

    #[test]
    fn every_limit_is_in_the_document_and_every_one_it_names_is_there() {
        let document = document();
        let limits = document["x-limits"].as_object().unwrap();
        assert_eq!(limits.len(), limits::ALL.len());
        for limit in limits::ALL {
            assert_eq!(limits[&limit.key()], limit.value, "{}", limit.name);
        }
        let text = document.to_string();
        let named = text.split('`').skip(1).step_by(2);
        let mentioned = named.filter(|word| word.ends_with("Max") || word.ends_with("Seconds"));
        for word in mentioned {
            assert!(limits.contains_key(word), "there is no limit `{word}`");
        }
    }

    #[test]
    fn every_operation_says_what_it_needs_and_may_answer() {
        let document = document();
        for operation in OPERATIONS {
            let path = format!("{BASE}{}", operation.path);
            let object = &document["paths"][&path][operation.method.to_ascii_lowercase()];
            assert_eq!(object["operationId"], operation.id);
            assert_eq!(object["security"], security(operation.access));
            for problem in operation.problems() {
                let response = &object["responses"][problem.status().to_string()];
                let description = response["description"].as_str().unwrap();
                assert!(description.contains(&problem.uri()), "{}", operation.id);
            }
        }
    }

    /// The committed document is what integrators build on; it changes in the same commit as the
    /// types do, or not at all.
    #[test]
    fn the_committed_document_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == text(),
            "docs/openapi.json is not what the types say; run: make openapi"
        );
    }
}
