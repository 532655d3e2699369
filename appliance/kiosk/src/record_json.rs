//! A record as one JSON object: what people and programs look for by name, and beside it the
//! canonical bytes, which alone are the evidence.

use ledger::Stored;
use record::{Body, CheckIn, CheckOut, Comparison, Context, Lost};
use serde_json::{Map, Value, json};

use crate::codes;
use crate::local_time::rfc3339;

/// One line of an export.
pub fn of(stored: &Stored) -> Value {
    let record = &stored.record;
    json!({
        "device": record.device.as_str(),
        "epoch": record.epoch.to_string(),
        "sequence": record.sequence.0,
        "kind": record.body.kind_name(),
        "at": {
            "wall": rfc3339(record.at.wall),
            "clock": record.at.quality.to_string(),
            "boot": record.at.boot.to_string(),
            "monotonic_ns": record.at.monotonic.0,
        },
        "body": body(&record.body),
        "previous": record.previous.to_string(),
        "digest": stored.digest.to_string(),
        "cbor": hex(&stored.bytes),
    })
}

fn body(body: &Body) -> Value {
    match body {
        Body::CheckIn(check_in) => check_in_json(check_in),
        Body::CheckOut(check_out) => check_out_json(check_out),
        Body::Refused(refused) => with_context(
            &refused.context,
            json!({
                "reason": codes::refusal(refused.reason),
                "comparison": refused.comparison.as_ref().map(comparison),
            }),
        ),
        Body::ReleaseOutcome(release) => json!({
            "of": release.of.0,
            "outcome": codes::release(release.outcome),
        }),
        Body::Correction(correction) => json!({
            "of": {"epoch": correction.of.0.to_string(), "sequence": correction.of.1.0},
            "amendment": codes::amendment(correction.amendment),
            "reason": codes::correction(correction.reason),
            "actor": correction.actor.as_ref().map(ToString::to_string),
        }),
        Body::ClockObservation(observed) => json!({
            "before": rfc3339(observed.before),
            "after": rfc3339(observed.after),
            "clock": observed.quality.to_string(),
            "source": codes::clock_source(observed.source),
        }),
        Body::Fault(fault) => {
            json!({"part": codes::part(fault.part), "what": fault.what.as_str()})
        }
        Body::Loss(loss) => json!({
            "lost": match loss.lost {
                Lost::Records { epoch, from, through } => json!({
                    "epoch": epoch.to_string(),
                    "from": from.0,
                    "through": through.map(|sequence| sequence.0),
                }),
                Lost::Events { count } => json!({"events": count}),
            },
            "why": codes::loss(loss.why),
        }),
        Body::MeetingOpened(opened) => with_context(
            &opened.context,
            json!({
                "actor": opened.actor.as_ref().map(ToString::to_string),
            }),
        ),
        Body::MeetingClosed(closed) => with_context(
            &closed.context,
            json!({
                "actor": closed.actor.as_ref().map(ToString::to_string),
            }),
        ),
        Body::Unknown(unknown) => json!({"kind": unknown.kind(), "cbor": hex(unknown.bytes())}),
    }
}

fn check_in_json(check_in: &CheckIn) -> Value {
    with_context(
        &check_in.context,
        json!({
            "person": check_in.person.as_str(),
            "substitute": check_in.substitute.as_ref().map(|substitute| json!({
                "for": substitute.for_person.as_str(),
                "document": substitute.document.as_str(),
            })),
            "direction": codes::direction(check_in.direction),
            "means": codes::means(check_in.means),
            "assurance": codes::assurance(check_in.assurance),
            "comparison": check_in.comparison.as_ref().map(comparison),
            "actor": check_in.actor.as_ref().map(ToString::to_string),
        }),
    )
}

fn check_out_json(check_out: &CheckOut) -> Value {
    with_context(
        &check_out.context,
        json!({
            "person": check_out.person.as_str(),
            "means": codes::means(check_out.means),
            "assurance": codes::assurance(check_out.assurance),
            "comparison": check_out.comparison.as_ref().map(comparison),
            "actor": check_out.actor.as_ref().map(ToString::to_string),
        }),
    )
}

fn with_context(context: &Context, fields: Value) -> Value {
    let mut all = Map::new();
    all.insert("meeting".into(), json!(context.meeting.as_str()));
    all.insert("roster_generation".into(), json!(context.generation));
    all.insert("roster".into(), json!(context.roster.to_string()));
    all.insert("door".into(), json!(context.door.as_str()));
    all.insert("policy".into(), json!(context.policy));
    all.insert("software".into(), json!(context.software.as_str()));
    if let Value::Object(fields) = fields {
        all.extend(fields);
    }
    Value::Object(all)
}

fn comparison(comparison: &Comparison) -> Value {
    json!({
        "score": comparison.score.value(),
        "threshold": comparison.threshold.value(),
        "feature_space": {
            "name": comparison.space.name(),
            "digest": comparison.space.digest().to_string(),
        },
        "frames": comparison.frames,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
