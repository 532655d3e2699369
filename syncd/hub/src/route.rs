//! From a method and a path to a row of the table of operations. Nothing here knows what they do.

use wire::limits::PATH_BYTES_MAX;
use wire::{OPERATIONS, Operation};

use crate::pages::{self, PageFile};

/// Where a request leads.
#[derive(Debug)]
pub(crate) enum Route {
    /// To an operation, with the parameters of its path in order.
    Operation(&'static Operation, Vec<String>),
    /// Whether the process lives.
    Health,
    /// Whether the hub can do its work.
    Ready,
    /// The hub's numbers.
    Metrics,
    /// To a file of a page for people.
    Page(&'static PageFile),
    /// The path has other methods: these.
    Method(String),
    /// Nowhere.
    Nowhere,
}

/// The names of what is outside the versioned paths, for logs and metrics.
pub(crate) const HEALTH_PATH: &str = "/healthz";
pub(crate) const READY_PATH: &str = "/readyz";
pub(crate) const METRICS_PATH: &str = "/metrics";

/// Finds where a request leads. `HEAD` leads where `GET` does.
pub(crate) fn find(method: &str, path: &str) -> Route {
    let method = if method == "HEAD" { "GET" } else { method };
    let fixed = match path {
        HEALTH_PATH => Some(Route::Health),
        READY_PATH => Some(Route::Ready),
        METRICS_PATH => Some(Route::Metrics),
        _ => pages::find(path).map(Route::Page),
    };
    if let Some(route) = fixed {
        return match method {
            "GET" => route,
            _ => Route::Method("GET, HEAD".to_owned()),
        };
    }
    let Some(rest) = path.strip_prefix(wire::BASE) else {
        return Route::Nowhere;
    };
    if path.len() > PATH_BYTES_MAX {
        return Route::Nowhere;
    }
    let mut allow = Vec::new();
    // An operation with a fixed word in place of a parameter goes first: `/records/live` is no
    // record.
    let mut found: Option<(&'static Operation, Vec<String>)> = None;
    for operation in OPERATIONS {
        let Some(parameters) = matches(operation.path, rest) else {
            continue;
        };
        if operation.method != method {
            allow.push(operation.method);
            if operation.method == "GET" {
                allow.push("HEAD");
            }
            continue;
        }
        if found
            .as_ref()
            .is_none_or(|(_, best)| parameters.len() < best.len())
        {
            found = Some((operation, parameters));
        }
    }
    match found {
        Some((operation, parameters)) => Route::Operation(operation, parameters),
        None if allow.is_empty() => Route::Nowhere,
        None => Route::Method(allow.join(", ")),
    }
}

/// The parameters of a path that has the pattern's form.
fn matches(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut parameters = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            // What cannot be decoded is passed on as it is: no id has a percent sign, so the
            // parameter is refused by name.
            parameters.push(percent_decode(segment).unwrap_or_else(|| segment.to_owned()));
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(parameters)
}

/// The pairs of a query. A `+` stays one, since times have it and no value of ours has a space.
pub(crate) fn query(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((percent_decode(name)?, percent_decode(value)?))
        })
        .collect()
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(method: &str, path: &str, expect: &str) {
        let found = match find(method, &path.replace("BASE", wire::BASE)) {
            Route::Operation(operation, parameters) => {
                format!("{} {}", operation.id, parameters.join(" "))
            }
            Route::Method(allow) => format!("405 {allow}"),
            Route::Nowhere => "404".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(found.trim(), expect, "{method} {path}");
    }

    #[test]
    fn requests_find_their_operation() {
        check("GET", "/healthz", "Health");
        check("POST", "/healthz", "405 GET, HEAD");
        check("POST", "/pages/webhooks", "405 GET, HEAD");
        check("GET", "/pages/../hub.db", "404");
        check("GET", "BASE/rooms", "listRooms");
        check("HEAD", "BASE/rooms/G1", "getRoom G1");
        check("PUT", "BASE/people/a/portraits/1", "putPortrait a 1");
        check("GET", "BASE/meetings/a%2Db/roster", "getRoster a-b");
        check("GET", "BASE/meetings/..%2Fx/roster", "getRoster ../x");
        check("PATCH", "BASE/rooms", "405 GET, HEAD");
        check("DELETE", "BASE/rooms/G1", "405 GET, HEAD, PUT");
        check("GET", "BASE/rooms/", "404");
        check("GET", "BASE/rooms/G1/x", "404");
        check("GET", "/rooms", "404");
        check("GET", "BASE", "404");
        check("GET", "BASEx/rooms", "404");
    }

    #[test]
    fn every_operation_finds_itself() {
        for operation in OPERATIONS {
            let path = format!("{}{}", wire::BASE, operation.path);
            let Route::Operation(found, parameters) = find(operation.method, &path) else {
                panic!("{} is not found", operation.id);
            };
            assert_eq!(found.id, operation.id);
            let names = wire::openapi::path_parameters(operation.path).count();
            assert_eq!(parameters.len(), names);
        }
    }

    #[test]
    fn a_query_keeps_the_sign_of_a_zone() {
        let pairs = query("from=2026-03-02T08:30:00+07:00&limit=5&x=%C4%91").unwrap();
        let texts: Vec<_> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(texts, ["from=2026-03-02T08:30:00+07:00", "limit=5", "x=đ"]);
        assert!(query("a=%").is_none());
        assert!(query("a=%ff").is_none());
    }

    proptest! {
        #[test]
        fn any_path_leads_somewhere_or_nowhere(path in ".{0,80}", tail in "[/a-z%0-9.]{0,60}") {
            for path in [path.clone(), format!("{}{tail}", wire::BASE), tail.clone()] {
                let _ = find("GET", &path);
                let _ = query(&path);
            }
        }
    }
}
