//! Which bytes of a file an HTTP range asks for (RFC 9110 §14). Pure: headers in, a decision out.
//!
//! One range is answered. Of several, and of what is no range of bytes, nothing is made: the
//! answer is the whole, as the RFC allows.

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// All of it.
    Whole,
    /// From this byte to that one, both included.
    Part {
        /// The first byte.
        from: u64,
        /// The last byte.
        to: u64,
    },
    /// No byte of what is there is asked for.
    Unsatisfiable,
}

/// Decides for a content of `size` bytes with this strong tag.
pub(crate) fn decide(range: Option<&str>, if_range: Option<&str>, tag: &str, size: u64) -> Range {
    // A weak tag or a date never says that the bytes are the same.
    if if_range.is_some_and(|condition| condition.trim() != tag) {
        return Range::Whole;
    }
    range
        .and_then(|text| read(text, size))
        .unwrap_or(Range::Whole)
}

/// One range of bytes; none for anything else.
fn read(text: &str, size: u64) -> Option<Range> {
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    let (from, to) = match (first.trim(), last.trim()) {
        ("", suffix) => match number(suffix)? {
            0 => return Some(Range::Unsatisfiable),
            suffix => (size.saturating_sub(suffix), size.checked_sub(1)),
        },
        (first, "") => (number(first)?, size.checked_sub(1)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, size.checked_sub(1).map(|end| last.min(end)))
        }
    };
    Some(match to {
        Some(to) if from <= to => Range::Part { from, to },
        Some(_) | None => Range::Unsatisfiable,
    })
}

/// A number of digits alone; one beyond all sizes counts as the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_what_the_rfc_says() {
        let part = |from, to| Range::Part { from, to };
        let check = |range: &str, expect: Range| {
            assert_eq!(decide(Some(range), None, "\"x\"", 100), expect, "{range}");
        };
        check("bytes=0-9", part(0, 9));
        check("bytes=90-", part(90, 99));
        check("bytes=90-1000", part(90, 99));
        check("bytes=-10", part(90, 99));
        check("bytes=-1000", part(0, 99));
        check("BYTES = 5 - 6", part(5, 6));
        check("bytes=99-99999999999999999999", part(99, 99));
        check("bytes=100-", Range::Unsatisfiable);
        check("bytes=100-200", Range::Unsatisfiable);
        check("bytes=-0", Range::Unsatisfiable);
        check("bytes=9-5", Range::Whole);
        check("bytes=0-1,5-6", Range::Whole);
        check("bytes=a-b", Range::Whole);
        check("bytes=+1-2", Range::Whole);
        check("items=0-1", Range::Whole);
        check("", Range::Whole);
        assert_eq!(
            decide(Some("bytes=0-"), None, "\"x\"", 0),
            Range::Unsatisfiable
        );
        assert_eq!(decide(None, None, "\"x\"", 100), Range::Whole);
    }

    #[test]
    fn a_range_of_something_else_is_the_whole() {
        let check = |condition: &str, expect: Range| {
            let decided = decide(Some("bytes=0-9"), Some(condition), "\"x\"", 100);
            assert_eq!(decided, expect, "{condition}");
        };
        check("\"x\"", Range::Part { from: 0, to: 9 });
        check("\"y\"", Range::Whole);
        check("W/\"x\"", Range::Whole);
        check("Sun, 06 Nov 1994 08:49:37 GMT", Range::Whole);
    }

    proptest! {
        #[test]
        fn any_range_lies_within(text in "(bytes=)?[0-9, -]{0,24}", size in 0u64..1000) {
            match decide(Some(&text), None, "", size) {
                Range::Part { from, to } => prop_assert!(from <= to && to < size),
                Range::Whole | Range::Unsatisfiable => {}
            }
        }
    }
}
