//! What an answer comes to: one of a few fates, decided before anything acts on it.
//!
//! Nothing here knows what was being done when the answer came, or changes anything.

use std::time::Duration;

use serde::de::DeserializeOwned;
use thiserror::Error;
use wire::limits::RETRY_AFTER_MAX;
use wire::problem::{Problem, ProblemType};

use crate::call::Call;

/// Most characters of a hub's own words that are kept, for the status and the log.
const DETAIL_CHARS_MAX: usize = 200;

/// An answer, or why there is none.
pub type Answer = Result<HttpAnswer, TransportError>;

/// An HTTP answer, unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The header `Retry-After`, as it came.
    pub retry_after: Option<String>,
    /// The header `Content-Range`, as it came.
    pub content_range: Option<String>,
    /// The header `Date`, as it came.
    pub date: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer. The request may have arrived all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum TransportError {
    /// No connection: no network, no such host, nobody listens.
    #[error("the hub cannot be reached")]
    Unreachable,
    /// The proxy on the way refuses.
    #[error("the proxy on the way refuses")]
    Proxy,
    /// It took too long.
    #[error("the hub did not answer in time")]
    TimedOut,
    /// The connection broke, or what came is no HTTP.
    #[error("the connection to the hub broke")]
    Broken,
    /// Who answers does not show a certificate of the hub that this device was enrolled with.
    #[error("who answers is not the hub that this device was enrolled with")]
    Untrusted,
    /// The hub shows a certificate that is over, by the best clock that this device has.
    #[error("the certificate that the hub shows has expired; its keeper must renew it")]
    HubExpired,
    /// The hub shows a certificate that begins later, by the best clock that this device has.
    #[error("the certificate that the hub shows is not valid yet: is this device's clock right?")]
    HubNotYetValid,
    /// The hub shows a certificate for another name than it is called by.
    #[error("the certificate that the hub shows is for another name than the configured one")]
    HubMisnamed,
    /// The answer is larger than it may be, or unpacks to more.
    #[error("the answer is larger than it may be")]
    TooLarge,
}

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate<T> {
    /// It was done; this is the answer.
    Accepted(T),
    /// What is known is still so.
    NotModified,
    /// There is no such thing, or not any more.
    NotThere,
    /// The hub does not take this request as it is: too large, or not understood.
    NotTaken(String),
    /// Not now.
    TryLater {
        /// Why.
        why: Later,
        /// How long the hub asked to wait, already capped.
        after: Option<Duration>,
    },
    /// The certificate is over: renew it first.
    Renew,
    /// The hub does not want this device.
    Stopped(Stop),
    /// It is not our hub that answers.
    Untrusted,
    /// The hub understands nothing of what is asked: it speaks another version, or one side has a
    /// defect.
    OurFault {
        /// The status.
        status: u16,
        /// The hub's words, if any.
        detail: String,
    },
    /// What came is not an answer to this.
    Garbage(String),
}

impl<T> Fate<T> {
    /// The same for somebody who expected another answer: a success is none then.
    pub(crate) fn without_answer<U>(self) -> Fate<U> {
        match self {
            Self::Accepted(_) => Fate::Garbage("another answer was expected".to_owned()),
            Self::NotModified => Fate::NotModified,
            Self::NotThere => Fate::NotThere,
            Self::NotTaken(detail) => Fate::NotTaken(detail),
            Self::TryLater { why, after } => Fate::TryLater { why, after },
            Self::Renew => Fate::Renew,
            Self::Stopped(stop) => Fate::Stopped(stop),
            Self::Untrusted => Fate::Untrusted,
            Self::OurFault { status, detail } => Fate::OurFault { status, detail },
            Self::Garbage(what) => Fate::Garbage(what),
        }
    }
}

/// Why to try later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Later {
    /// There was no answer at all.
    Transport(TransportError),
    /// The hub, or who stands before it, answered with this status.
    Status(u16),
}

/// Why the hub does not want this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    /// It does not know the certificate.
    Unauthenticated,
    /// The device was revoked.
    Revoked,
    /// The device may not do this.
    Forbidden,
}

/// Decides what an answer to a call comes to. `T` is the type of the call's answer.
#[must_use]
pub fn classify<T: DeserializeOwned>(call: &Call, answer: &Answer) -> Fate<T> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(TransportError::Untrusted) => return Fate::Untrusted,
        Err(TransportError::TooLarge) => {
            return Fate::Garbage(TransportError::TooLarge.to_string());
        }
        Err(
            error @ (TransportError::Unreachable
            | TransportError::Proxy
            | TransportError::TimedOut
            | TransportError::Broken
            | TransportError::HubExpired
            | TransportError::HubNotYetValid
            | TransportError::HubMisnamed),
        ) => {
            return Fate::TryLater {
                why: Later::Transport(*error),
                after: None,
            };
        }
    };
    match answer.status {
        200 => match serde_json::from_slice(&answer.body) {
            Ok(read) => Fate::Accepted(read),
            // Its position only: the message of an unknown field or value repeats what came.
            Err(error) => Fate::Garbage(format!(
                "the answer to {} cannot be read at line {} column {}",
                call.operation(),
                error.line(),
                error.column()
            )),
        },
        304 if matches!(
            call,
            Call::Meetings { etag: Some(_) } | Call::Offers { etag: Some(_) }
        ) =>
        {
            Fate::NotModified
        }
        401 => refused(answer, Stop::Unauthenticated),
        403 => refused(answer, Stop::Forbidden),
        404 | 410
            if matches!(
                call,
                Call::Roster { .. } | Call::Offers { .. } | Call::OfferRange { .. }
            ) =>
        {
            Fate::NotThere
        }
        400 | 413 | 415 | 422 if matches!(call, Call::Records(_)) => Fate::NotTaken(detail(answer)),
        407 => Fate::TryLater {
            why: Later::Transport(TransportError::Proxy),
            after: None,
        },
        408 | 425 | 429 | 500..=599 => Fate::TryLater {
            why: Later::Status(answer.status),
            after: retry_after(answer),
        },
        400..=499 => Fate::OurFault {
            status: answer.status,
            detail: detail(answer),
        },
        status => Fate::Garbage(format!(
            "status {status} is no answer to {}",
            call.operation()
        )),
    }
}

/// How long an answer asks to wait, at most [`RETRY_AFTER_MAX`]. A date is taken against the
/// answer's own `Date`, since the device's clock may be wrong; without one it says nothing.
fn retry_after(answer: &HttpAnswer) -> Option<Duration> {
    let text = answer.retry_after.as_deref()?.trim();
    let seconds = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().unwrap_or(u64::MAX)
    } else {
        let until = http_date_s(text)?;
        let sent = http_date_s(answer.date.as_deref()?.trim())?;
        u64::try_from(until.saturating_sub(sent)).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

fn refused<T>(answer: &HttpAnswer, plain: Stop) -> Fate<T> {
    match problem(answer).and_then(|problem| problem.problem_type()) {
        Some(ProblemType::CertificateExpired) => Fate::Renew,
        Some(ProblemType::Revoked) => Fate::Stopped(Stop::Revoked),
        Some(_) | None => Fate::Stopped(plain),
    }
}

fn problem(answer: &HttpAnswer) -> Option<Problem> {
    serde_json::from_slice(&answer.body).ok()
}

/// What the hub says for people, cut to a length that a status line bears.
fn detail(answer: &HttpAnswer) -> String {
    let problem = problem(answer);
    let text = problem.and_then(|problem| problem.detail.or(Some(problem.title)));
    let text = text.unwrap_or_else(|| format!("status {}", answer.status));
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(DETAIL_CHARS_MAX).collect()
}

/// Seconds since 1970 of an HTTP date in its one current form (RFC 9110 §5.6.7), such as
/// `Sun, 06 Nov 1994 08:49:37 GMT`. The day of the week is not looked at.
fn http_date_s(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text.split_once(", ")?.1.split(' ');
    let mut number = |most: i64| -> Option<i64> {
        let word = words.next()?;
        let value = if let Some(month) = MONTHS.iter().position(|name| *name == word) {
            i64::try_from(month).ok()? + 1
        } else {
            word.parse().ok()?
        };
        (0..=most).contains(&value).then_some(value)
    };
    let (day, month, year) = (number(31)?, number(12)?, number(9999)?);
    let mut time = words
        .next()?
        .split(':')
        .map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if words.next() != Some("GMT") || !(0..=60).contains(&second) {
        return None;
    }
    // Days from the civil date (Hinnant 2013): years begin in March, eras have 400 of them.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    days.checked_mul(86_400)?
        .checked_add(hour.checked_mul(3600)?)?
        .checked_add(minute.checked_mul(60)?)?
        .checked_add(second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vocabulary::{Epoch, MeetingId};
    use wire::device::{Position, SendRecords};

    use super::*;

    const POSITION: &str = r#"{"store":{"store":"00000000000000000000000000000001",
        "incarnation":"00000000000000000000000000000002"},
        "epoch":"00000000000000000000000000000003","committed_through":7}"#;

    fn position() -> Call {
        Call::Position {
            epoch: Epoch([0; 16]),
        }
    }

    fn records() -> Call {
        Call::Records(SendRecords {
            epoch: Epoch([0; 16]).into(),
            first: 1,
            oldest: 1,
            records: Vec::new(),
            head: None,
        })
    }

    fn roster() -> Call {
        let meeting = MeetingId::new("M").unwrap();
        Call::Roster { meeting }
    }

    fn meetings(etag: Option<&str>) -> Call {
        let etag = etag.map(str::to_owned);
        Call::Meetings { etag }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Ok(HttpAnswer {
            status,
            body: body.as_bytes().to_vec(),
            ..HttpAnswer::default()
        })
    }

    fn problem_answer(kind: ProblemType) -> Answer {
        let body = serde_json::to_string(&Problem::new(kind, "why")).unwrap();
        answer(kind.status(), &body)
    }

    /// The fate without what it carries.
    fn name(call: &Call, answer: &Answer) -> &'static str {
        match classify::<Position>(call, answer) {
            Fate::Accepted(_) => "accepted",
            Fate::NotModified => "not modified",
            Fate::NotThere => "not there",
            Fate::NotTaken(_) => "not taken",
            Fate::TryLater { .. } => "try later",
            Fate::Renew => "renew",
            Fate::Stopped(Stop::Unauthenticated) => "stopped: unauthenticated",
            Fate::Stopped(Stop::Revoked) => "stopped: revoked",
            Fate::Stopped(Stop::Forbidden) => "stopped: forbidden",
            Fate::Untrusted => "untrusted",
            Fate::OurFault { .. } => "our fault",
            Fate::Garbage(_) => "garbage",
        }
    }

    #[test]
    fn every_failure_of_the_way_has_its_fate() {
        let check = |error, expect| {
            for call in [position(), records(), roster(), meetings(None), Call::Renew] {
                assert_eq!(name(&call, &Err(error)), expect, "{error:?} {call:?}");
            }
        };
        check(TransportError::Unreachable, "try later");
        check(TransportError::Proxy, "try later");
        check(TransportError::TimedOut, "try later");
        check(TransportError::Broken, "try later");
        check(TransportError::HubExpired, "try later");
        check(TransportError::HubNotYetValid, "try later");
        check(TransportError::HubMisnamed, "try later");
        check(TransportError::Untrusted, "untrusted");
        check(TransportError::TooLarge, "garbage");
    }

    #[test]
    fn every_status_has_its_fate() {
        let check = |call: Call, status: u16, expect: &str| {
            assert_eq!(
                name(&call, &answer(status, "")),
                expect,
                "{status} {call:?}"
            );
        };
        check(position(), 200, "garbage");
        for status in [
            0, 100, 201, 204, 206, 299, 300, 301, 302, 307, 308, 600, 999,
        ] {
            check(position(), status, "garbage");
        }
        check(meetings(Some("\"a\"")), 304, "not modified");
        check(meetings(None), 304, "garbage");
        check(position(), 304, "garbage");
        check(position(), 401, "stopped: unauthenticated");
        check(position(), 403, "stopped: forbidden");
        for status in [404, 410] {
            check(roster(), status, "not there");
            check(position(), status, "our fault");
            check(records(), status, "our fault");
        }
        for status in [400, 413, 415, 422] {
            check(records(), status, "not taken");
            check(roster(), status, "our fault");
            check(Call::Renew, status, "our fault");
        }
        check(position(), 407, "try later");
        for status in [408, 425, 429, 500, 501, 502, 503, 504, 599] {
            check(records(), status, "try later");
            check(meetings(None), status, "try later");
        }
        for status in [402, 405, 406, 409, 411, 418, 426, 451, 499] {
            check(records(), status, "our fault");
        }
    }

    #[test]
    fn the_type_of_a_problem_decides_where_the_status_does_not() {
        let check = |kind, expect| {
            assert_eq!(name(&position(), &problem_answer(kind)), expect, "{kind:?}");
        };
        check(ProblemType::CertificateExpired, "renew");
        check(ProblemType::Unauthenticated, "stopped: unauthenticated");
        check(ProblemType::Revoked, "stopped: revoked");
        check(ProblemType::Forbidden, "stopped: forbidden");
        let later = r#"{"type":"urn:diemdanh:problem:later","title":"x","status":401}"#;
        assert_eq!(
            name(&position(), &answer(401, later)),
            "stopped: unauthenticated"
        );
    }

    #[test]
    fn an_answer_is_read_or_is_garbage() {
        let check = |body: &str, expect: &str| {
            assert_eq!(name(&position(), &answer(200, body)), expect, "{body}");
        };
        check(POSITION, "accepted");
        check("<html>Sign in to the hotel's network</html>", "garbage");
        check("{}", "garbage");
        check(&POSITION.replace('7', "-7"), "garbage");
        check(&POSITION.replace('7', "7.5"), "garbage");
        check(&POSITION.replace("0003", "003"), "garbage");
        check(&POSITION.replace('{', r#"{"new":1,"#), "accepted");
    }

    #[test]
    fn what_was_unreadable_is_not_repeated() {
        let fate = classify::<Position>(&position(), &answer(200, r#"{"store":"secret"}"#));
        let Fate::Garbage(why) = fate else {
            panic!("{fate:?}");
        };
        assert!(!why.contains("secret"), "{why}");
    }

    #[test]
    fn the_hub_s_words_are_cut_and_cleaned() {
        let long = format!("a\nb{}", "ộ".repeat(1000));
        let body = serde_json::to_string(&Problem::new(ProblemType::TooLarge, long)).unwrap();
        let fate = classify::<Position>(&records(), &answer(413, &body));
        let Fate::NotTaken(why) = fate else {
            panic!("{fate:?}");
        };
        assert_eq!(why.chars().count(), DETAIL_CHARS_MAX);
        assert!(why.starts_with("abộ"), "{why}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_has_an_end() {
        let check = |text: &str, date: Option<&str>, expect: Option<u64>| {
            let answer = Ok(HttpAnswer {
                status: 503,
                retry_after: Some(text.to_owned()),
                content_range: None,
                date: date.map(str::to_owned),
                ..HttpAnswer::default()
            });
            let fate = classify::<Position>(&position(), &answer);
            let why = Later::Status(503);
            let after = expect.map(Duration::from_secs);
            assert_eq!(fate, Fate::TryLater { why, after }, "{text} {date:?}");
        };
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        check("0", None, Some(0));
        check(" 30 ", None, Some(30));
        check("99999999999999999999999999", None, Some(3600));
        check("-5", None, None);
        check("", None, None);
        check("soon", date, None);
        check("Sun, 06 Nov 1994 08:50:07 GMT", date, Some(30));
        check("Mon, 07 Nov 1994 08:49:37 GMT", date, Some(3600));
        check("Sun, 06 Nov 1994 08:49:00 GMT", date, Some(0));
        check("Sun, 06 Nov 1994 08:50:07 GMT", None, None);
        check("Sun, 06 Nov 1994 08:50:07 ICT", date, None);
    }

    #[test]
    fn dates_are_counted_right() {
        let check = |text, expect| assert_eq!(http_date_s(text), expect, "{text}");
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199));
        check("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200));
        check("Sunday, 06-Nov-94 08:49:37 GMT", None);
        check("Sun Nov  6 08:49:37 1994", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn whatever_comes_has_a_fate(status: u16, body: Vec<u8>, retry: String, date: String) {
            let answer = Ok(HttpAnswer {
                status,
                etag: None,
                retry_after: Some(retry),
                content_range: None,
                date: Some(date),
                body,
            });
            for call in [position(), records(), roster(), meetings(Some("x")), Call::Renew] {
                let fate = classify::<Position>(&call, &answer);
                prop_assert!(!matches!(fate, Fate::Accepted(_)));
            }
        }
    }
}
