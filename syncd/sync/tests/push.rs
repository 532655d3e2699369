//! Records up, through the machine's own face: what is sent, what an acknowledgement moves, what a
//! refusal costs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod door;

use std::time::Duration;

use door::*;
use sync::{Command, Event, SetAside, Stop, TransportError, Trouble};
use vocabulary::Epoch;
use wire::device::RecordsAccepted;
use wire::problem::ProblemType;
use wire::scalar::Hex;

const MINUTES: Duration = Duration::from_secs(180);

#[test]
fn what_waits_is_sent_and_the_watermark_follows_the_acknowledgement() {
    let mut door = Door::new(700, 0);
    assert_eq!((door.batch().first, door.batch().records.len()), (1, 500));
    assert_eq!(door.saved(), None, "sent is not acknowledged");
    door.acknowledge(500);
    assert_eq!(door.saved().unwrap().through, 500);
    assert_eq!((door.batch().first, door.batch().records.len()), (501, 200));
    door.acknowledge(700);
    assert_eq!(door.saved().unwrap().through, 700);
    assert!(!door.has_call("sendRecords"));
    assert_eq!(door.status.waiting, Some(0));
    door.ledger.push(b"one more".to_vec());
    door.handle(Event::LedgerGrew {
        epoch: EPOCH,
        last: 701,
    });
    assert_eq!(door.batch().first, 701);
}

#[test]
fn an_acknowledgement_counts_only_for_what_was_sent_to_our_store() {
    // Ten records, of which four are acknowledged; five to ten are under way.
    let check = |answer: RecordsAccepted, expect: Option<u64>, trouble: Option<Trouble>| {
        let mut door = Door::new(10, 4);
        door.answer("sendRecords", ok(&answer));
        assert_eq!(door.saved().map(|mark| mark.through), expect, "{answer:?}");
        let shown = door.status.troubles.iter().next().cloned();
        assert_eq!(shown, trouble, "{answer:?}");
        if trouble.is_some() {
            assert!(!door.has_call("sendRecords"), "not at once: {answer:?}");
            door.wait(MINUTES);
            let asks = door.has_call("sendRecords") || door.has_call("getPosition");
            assert!(asks, "and not never: {answer:?}");
        }
    };
    check(accepted(FIRST_LIFE, EPOCH, 10), Some(10), None);
    check(accepted(FIRST_LIFE, EPOCH, 7), Some(7), None);
    let ahead = Trouble::HubAhead {
        claimed: 11,
        last: 10,
    };
    check(accepted(FIRST_LIFE, EPOCH, 11), None, Some(ahead));
    let ahead = Trouble::HubAhead {
        claimed: u64::MAX,
        last: 10,
    };
    check(accepted(FIRST_LIFE, EPOCH, u64::MAX), None, Some(ahead));
    let forgot = Trouble::HubForgot {
        claimed: 3,
        acknowledged: 4,
    };
    check(accepted(FIRST_LIFE, EPOCH, 3), None, Some(forgot));
    check(accepted(FIRST_LIFE, EPOCH, 4), None, Some(Trouble::Garbled));
    let other = accepted(FIRST_LIFE, Epoch([9; 16]), 10);
    check(other, None, Some(Trouble::Garbled));
    let mut other = accepted(FIRST_LIFE, EPOCH, 10);
    other.position.store.store = Hex([9; 16]);
    check(other, None, Some(Trouble::OtherStore));
}

#[test]
fn the_hub_s_word_never_jumps_over_what_this_device_has_not_sent() {
    // A copy of this card may have sent numbers up to 600; this one sends its own.
    let mut door = Door::new(700, 0);
    door.acknowledge(600);
    assert_eq!(door.saved().unwrap().through, 500);
    assert_eq!(door.batch().first, 501);
}

#[test]
fn a_hub_that_forgot_is_sent_again_what_it_has_not() {
    let mut door = Door::new(10, 8);
    assert_eq!(door.batch().first, 9);
    door.acknowledge(3);
    door.wait(MINUTES);
    let at = door.position_of_ours(FIRST_LIFE, 3);
    door.answer("getPosition", ok(&at));
    assert_eq!(door.batch().first, 4);
    door.acknowledge(10);
    assert!(!door.has_trouble(|trouble| matches!(trouble, Trouble::HubForgot { .. })));
    assert_eq!(door.saved().unwrap().through, 10);
}

#[test]
fn a_restored_hub_is_asked_where_it_is_and_sent_the_rest_again() {
    let check = |notice: fn(&mut Door)| {
        let mut door = Door::new(10, 8);
        notice(&mut door);
        let at = door.position_of_ours(SECOND_LIFE, 3);
        door.answer("getPosition", ok(&at));
        let saved = door.saved().unwrap();
        assert_eq!((saved.through, saved.incarnation), (3, SECOND_LIFE));
        assert_eq!(door.batch().first, 4);
        door.answer("sendRecords", ok(&accepted(SECOND_LIFE, EPOCH, 10)));
        assert_eq!(door.saved().unwrap().through, 10);
    };
    check(|door| door.answer("sendRecords", ok(&accepted(SECOND_LIFE, EPOCH, 10))));
    check(|door| {
        door.acknowledge(10);
        door.answer("reportHealth", ok(&health(SECOND_LIFE, BEGIN)));
    });
}

#[test]
fn a_restored_hub_that_has_more_moves_nothing_ahead() {
    let mut door = Door::new(10, 8);
    door.answer("sendRecords", ok(&accepted(SECOND_LIFE, EPOCH, 10)));
    let at = door.position_of_ours(SECOND_LIFE, 10);
    door.answer("getPosition", ok(&at));
    assert_eq!(door.saved().unwrap().through, 8);
    assert_eq!(door.batch().first, 9);
}

#[test]
fn a_restored_hub_that_has_another_s_records_is_sent_all_of_ours() {
    let check = |spoil: fn(&mut wire::device::Position)| {
        let mut door = Door::new(10, 8);
        door.answer("sendRecords", ok(&accepted(SECOND_LIFE, EPOCH, 10)));
        let mut at = door.position_of_ours(SECOND_LIFE, 6);
        spoil(&mut at);
        door.answer("getPosition", ok(&at));
        assert_eq!(door.saved().unwrap().through, 0);
        assert_eq!((door.batch().first, door.batch().records.len()), (1, 10));
    };
    check(|at| at.digest = Some(Hex([7; 32])));
    check(|at| at.digest = None);
    check(|at| at.committed_through = 7);
    check(|at| at.committed_through = 11);
}

#[test]
fn a_lost_answer_costs_a_resend_and_nothing_else() {
    for error in [
        TransportError::Unreachable,
        TransportError::Proxy,
        TransportError::TimedOut,
        TransportError::Broken,
        TransportError::Untrusted,
        TransportError::HubExpired,
        TransportError::HubNotYetValid,
        TransportError::HubMisnamed,
        TransportError::TooLarge,
    ] {
        let mut door = Door::new(3, 0);
        let before = door.batch();
        door.answer("sendRecords", Err(error));
        assert_eq!(door.saved(), None);
        assert!(!door.status.troubles.is_empty(), "{error:?}");
        door.wait(MINUTES);
        let again = door.batch();
        assert_eq!(again.first, before.first);
        assert_eq!(again.records[..1], before.records[..1]);
    }
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
    let mut door = Door::new(3, 0);
    let lost = door.call("sendRecords");
    door.wait(Duration::from_secs(600));
    assert_eq!(door.batch().first, 1);
    // The old answer comes after all: it is no answer to what is asked now.
    let answer = ok(&accepted(FIRST_LIFE, EPOCH, 3));
    door.handle(Event::Answered {
        id: lost.id,
        answer,
    });
    assert_eq!(door.saved(), None);
    door.acknowledge(1);
    assert_eq!(door.saved().unwrap().through, 1);
}

#[test]
fn a_batch_that_is_too_large_is_halved() {
    let mut door = Door::new(400, 0);
    let mut sizes = Vec::new();
    for _ in 0..4 {
        sizes.push(door.batch().records.len());
        door.answer("sendRecords", problem(ProblemType::TooLarge));
    }
    assert_eq!(sizes, [400, 200, 100, 50]);
    door.acknowledge(25);
    assert_eq!(door.batch().records.len(), 50, "it grows again");
    assert!(door.status.troubles.is_empty());
}

#[test]
fn one_record_that_the_hub_never_takes_holds_up_no_other() {
    let mut door = Door::new(20, 0);
    let poison = b"record 7".to_vec();
    let mut through = 0;
    while through < 20 {
        let batch = door.batch();
        if batch.records.iter().any(|record| record.0 == poison) {
            door.answer("sendRecords", problem(ProblemType::Malformed));
        } else {
            assert_eq!(batch.first, through + 1);
            through = batch.first + batch.records.len() as u64 - 1;
            door.acknowledge(through);
        }
    }
    let aside = SetAside {
        epoch: EPOCH,
        sequence: 7,
    };
    assert!(door.done.contains(&Command::SaveSetAside(aside)));
    assert!(door.has_trouble(|trouble| *trouble == Trouble::SetAside(1)));
    assert_eq!(door.saved().unwrap().through, 20);
    // It is not lost: a day later the hub takes it.
    door.calls.clear();
    door.done.clear();
    for _ in 0..1500 {
        door.wait(Duration::from_secs(60));
        door.calls
            .retain(|one| one.call.operation() == "sendRecords");
        if door.has_call("sendRecords") {
            break;
        }
    }
    assert_eq!(door.batch().records[0].0, poison);
    door.acknowledge(7);
    assert!(door.done.contains(&Command::ForgetSetAside(aside)));
    assert!(!door.has_trouble(|trouble| matches!(trouble, Trouble::SetAside(_))));
    assert_eq!(door.saved(), None, "the watermark stays where it is");
}

#[test]
fn a_hub_that_refuses_everything_loses_nothing() {
    let mut door = Door::new(20, 0);
    for _ in 0..50 {
        if door.has_call("sendRecords") {
            door.answer("sendRecords", status(400));
        }
        door.wait(MINUTES);
    }
    assert!(
        !door
            .done
            .iter()
            .any(|one| matches!(one, Command::SaveSetAside(_)))
    );
    assert!(door.has_trouble(|trouble| matches!(trouble, Trouble::NotUnderstood(..))));
    for _ in 0..20 {
        if door.has_call("sendRecords") {
            let batch = door.batch();
            let last = batch.first + batch.records.len() as u64 - 1;
            if batch.records[0].0.starts_with(b"not taken") {
                door.answer("sendRecords", status(400));
            } else {
                door.acknowledge(last);
            }
        }
        door.wait(MINUTES);
    }
    assert_eq!(door.saved().unwrap().through, 20);
}

#[test]
fn one_record_that_cannot_be_read_holds_up_no_other() {
    let mut door = Door::new(0, 0);
    door.ledger = (1..=20).map(|n| vec![n]).collect();
    door.unreadable = Some(7);
    let mut through = 0;
    for _ in 0..100 {
        if door.has_call("sendRecords") {
            let batch = door.batch();
            through = batch.first + batch.records.len() as u64 - 1;
            door.acknowledge(through);
        }
        door.wait(MINUTES);
    }
    assert_eq!(through, 20);
    assert_eq!(door.saved().unwrap().through, 20);
    assert!(door.has_trouble(|trouble| *trouble == Trouble::SetAside(1)));
}

#[test]
fn a_new_ledger_is_sent_from_its_beginning() {
    let mut door = Door::new(10, 10);
    door.epoch = Epoch([5; 16]);
    door.ledger.truncate(3);
    door.wait(MINUTES);
    let batch = door.batch();
    assert_eq!((batch.first, batch.records.len()), (1, 3));
    door.acknowledge(10);
    assert_eq!(door.saved(), None, "an acknowledgement of the old one");
    door.wait(MINUTES);
    door.answer("sendRecords", ok(&accepted(FIRST_LIFE, door.epoch, 3)));
    let saved = door.saved().unwrap();
    assert_eq!((saved.epoch, saved.through), (door.epoch, 3));
}

#[test]
fn an_older_copy_of_the_ledger_is_noticed() {
    let mut door = Door::new(10, 10);
    door.ledger.truncate(6);
    door.wait(MINUTES);
    assert!(door.has_trouble(|trouble| matches!(trouble, Trouble::HubAhead { .. })));
    door.ledger.push(b"another seventh".to_vec());
    door.wait(MINUTES);
    assert_eq!(door.batch().first, 7);
}

#[test]
fn what_the_ledger_no_longer_has_is_said_and_not_waited_for() {
    let mut door = Door::new(0, 2);
    door.oldest = 6;
    door.ledger = (1..=10).map(|n| vec![n]).collect();
    door.wait(MINUTES);
    let batch = door.batch();
    assert_eq!((batch.first, batch.oldest, batch.records.len()), (6, 6, 5));
    door.acknowledge(10);
    assert_eq!(door.saved().unwrap().through, 10);
}

#[test]
fn a_hub_that_does_not_want_us_is_left_alone_until_it_does() {
    let check = |kind: ProblemType, why: Stop| {
        let mut door = Door::new(10, 0);
        door.answer("sendRecords", problem(kind));
        door.calls.clear();
        assert_eq!(
            door.status.troubles.iter().collect::<Vec<_>>(),
            [&Trouble::Stopped(why)]
        );
        door.wait(Duration::from_secs(3500));
        assert!(door.calls.is_empty(), "{:?}", door.calls);
        door.wait(Duration::from_secs(200));
        assert_eq!(door.calls.len(), 1);
        door.answer("reportHealth", problem(kind));
        door.wait(Duration::from_secs(3500));
        assert!(door.calls.is_empty(), "{:?}", door.calls);
        door.wait(Duration::from_secs(200));
        door.answer("reportHealth", ok(&health(FIRST_LIFE, BEGIN)));
        assert!(door.has_call("sendRecords") && door.has_call("listDeviceMeetings"));
        assert!(!door.has_trouble(|trouble| matches!(trouble, Trouble::Stopped(_))));
    };
    check(ProblemType::Revoked, Stop::Revoked);
    check(ProblemType::Unauthenticated, Stop::Unauthenticated);
    check(ProblemType::Forbidden, Stop::Forbidden);
}
