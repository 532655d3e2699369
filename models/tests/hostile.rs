//! Bytes that are no model, or not quite one, given to `prepare`.
//!
//! Why it exists: a model's digest is checked before it is parsed, but an operator's own digest
//! vouches for nothing but that operator's file. Whatever the bytes are, preparing them ends in a
//! result or an error, within memory that is in proportion to them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/tiny.rs"]
mod tiny;

use models::PrepareError;
use models::prepare::{Plan, prepare};
use proptest::prelude::*;
use proptest::sample::Index;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

const PLAN: Plan<'_> = Plan {
    input: "x",
    free_size: true,
};

/// Bytes of memory for a byte of input, at most. The worst is a row of empty messages: two bytes
/// each, and a few hundred in memory.
const MEMORY_FACTOR_MAX: usize = 768;
/// And what anything takes.
const MEMORY_BASE_MAX: usize = 64 * 1024;

#[test]
fn the_tiny_model_is_prepared_and_always_alike() {
    let once = prepare(&tiny::model(), PLAN).unwrap();
    assert_eq!(prepare(&tiny::model(), PLAN).unwrap(), once);
    // Prepared again it is what it was, but for the note of its origin.
    assert!(prepare(&once, PLAN).is_ok());
    let text = String::from_utf8_lossy(&once);
    for gone in ["DequantizeLinear", "PRelu", "nobody", "w_bytes"] {
        assert!(!text.contains(gone), "{gone} is still there");
    }
    assert!(text.contains("height") && text.contains("prepared_from_sha256"));
}

#[test]
fn what_is_wrong_with_a_graph_is_said() {
    let check = |bytes: &[u8], input: &str, expect: &str| {
        let plan = Plan { input, ..PLAN };
        let mut error: &dyn std::error::Error = &prepare(bytes, plan).unwrap_err();
        let mut text = error.to_string();
        while let Some(source) = error.source() {
            text = format!("{text}: {source}");
            error = source;
        }
        assert!(text.contains(expect), "{text}");
    };
    let model = tiny::model();
    check(b"", "x", "the model has no graph");
    check(b"not a model", "x", "not an ONNX model");
    check(&model, "y", "second input `x`");
    check(&model[..model.len() - 1], "x", "not an ONNX model");
    // A field of a number that no version of the format has.
    let unknown = [model.clone(), vec![0xf8, 0x06, 1]].concat();
    check(&unknown, "x", &format!("unknown at byte {}", model.len()));
}

proptest! {
    #[test]
    fn mutated_bytes_end_in_a_result_or_an_error(
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<Index>()),
    ) {
        let mut bytes = tiny::model();
        for (place, byte) in changes {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        within_memory(&bytes)?;
    }

    #[test]
    fn any_bytes_end_in_an_error(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        within_memory(&bytes)?;
    }

    #[test]
    fn rows_of_empty_messages_take_memory_in_proportion(field in 1_u8..16, count in 0_usize..5000) {
        // Within the graph: fields of two bytes, an empty message each.
        let inside = [field << 3 | 2, 0].repeat(count);
        let mut bytes = vec![7 << 3 | 2];
        let mut length = inside.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(inside);
        within_memory(&bytes)?;
    }
}

fn within_memory(bytes: &[u8]) -> Result<(), TestCaseError> {
    LIVE.set(0);
    PEAK.set(0);
    let result = prepare(bytes, PLAN);
    let peak = PEAK.get();
    let allowed = MEMORY_BASE_MAX + MEMORY_FACTOR_MAX * bytes.len();
    prop_assert!(
        peak <= allowed,
        "{peak} bytes of memory for {} of input",
        bytes.len()
    );
    match result {
        Ok(prepared) => {
            let again = prepare(bytes, PLAN).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(prepared, again);
        }
        Err(PrepareError::TooLarge { .. }) => prop_assert!(false, "so little cannot be so much"),
        Err(error) => prop_assert!(!error.to_string().is_empty()),
    }
    Ok(())
}

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, and how much a thread has from it.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is passed on as it came; counting touches two plain numbers of the thread and
// allocates nothing.
#[expect(unsafe_code, reason = "memory is counted where it is given out")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.get().saturating_add(layout.size());
        LIVE.set(live);
        PEAK.set(PEAK.get().max(live));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().saturating_sub(layout.size()));
        unsafe { System.dealloc(memory, layout) }
    }
}
