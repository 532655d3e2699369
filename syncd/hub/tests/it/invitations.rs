//! Keys of invitations: put by an integrator or an operator, and at the door with the next roster,
//! where an invitation that one of them signed is believed.

use credential::{Invitation, Keyring, KeyringError, SigningKey};
use hub::admin;
use record::decode_roster;
use serde_json::{Value, json};
use vocabulary::{BootId, ClockQuality, MeetingId, Monotonic, Stamp, WallTime};
use wire::device::DeviceRoster;
use wire::invitation::InvitationKeys;
use wire::scalar::Hex;
use wire::{Hex32, Scope};

use crate::town::{Kiosk, Town, ask, organisation, read};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn public(seed: u8) -> Hex32 {
    Hex(key(seed).public().to_bytes())
}

async fn planned() -> (Town, Kiosk, String) {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let bearer = town.key("mau", Scope::ALL);
    let roster = json!({ "entries": [{ "person": "a1" }] });
    let all = [
        ("/people/a1", json!({ "name": "Nguyễn Văn Mẫu" })),
        ("/meetings/hop-1", town.meeting_now()),
        ("/meetings/hop-1/roster", roster),
    ];
    town.put_all(&bearer, all).await;
    (town, kiosk, bearer)
}

async fn roster(town: &Town, kiosk: &Kiosk) -> DeviceRoster {
    let url = town.url("/v1-draft/device/meetings/hop-1/roster");
    read(kiosk.client.get(url).send().await.unwrap(), 200).await
}

async fn put(town: &Town, bearer: &str, path: &str, keys: &[Hex32]) -> InvitationKeys {
    let body = json!({ "keys": keys });
    read(ask(town, "PUT", path, bearer, Some(&body)).await, 200).await
}

/// What the door makes of an invitation that a key signed, by the roster that it has.
fn at_the_door(roster: &DeviceRoster, signer: &SigningKey) -> Result<String, KeyringError> {
    let list = decode_roster(&roster.roster.0).unwrap();
    let person = list.entries()[0].delegate.person.clone();
    let meeting = list.meeting();
    let invitation = Invitation::new(meeting, person, WallTime(0), meeting.ends_at, [1; 8]);
    let now = Stamp {
        wall: meeting.starts_at,
        quality: ClockQuality::Synchronised,
        boot: BootId([0; 16]),
        monotonic: Monotonic(0),
    };
    let (keyring, refused) = Keyring::of(roster.invitation_keys.iter().map(|key| key.0));
    assert_eq!(refused, []);
    keyring
        .verify(invitation.unwrap().sign(signer), &now, meeting)
        .map(|verified| verified.person().to_string())
}

#[tokio::test]
async fn keys_are_rotated_and_withdrawn_up_to_the_door() {
    let (town, kiosk, bearer) = planned().await;
    let all = "/invitation-keys";
    let own = "/meetings/hop-1/invitation-keys";
    let before = roster(&town, &kiosk).await;
    assert_eq!(
        at_the_door(&before, &key(1)),
        Err(KeyringError::NoKeys),
        "none was put"
    );
    let put_first = put(&town, &bearer, all, &[public(1)]).await;
    assert!(put_first.keys[0].since.is_some());
    let first = roster(&town, &kiosk).await;
    assert_eq!(first.generation, before.generation + 1);
    assert!(at_the_door(&first, &key(1)).unwrap().starts_with("p-"));
    // Rotated: for a while both count, and the meeting has one of its own besides.
    put(&town, &bearer, all, &[public(2), public(1)]).await;
    put(&town, &bearer, own, &[public(3)]).await;
    let both = roster(&town, &kiosk).await;
    assert_eq!(both.generation, first.generation + 2);
    for seed in [1, 2, 3] {
        assert!(at_the_door(&both, &key(seed)).is_ok(), "key {seed}");
    }
    assert_eq!(
        at_the_door(&both, &key(4)),
        Err(KeyringError::SignedByUnknown(3))
    );
    let again = put(&town, &bearer, all, &[public(1), public(2)]).await;
    let kept = again.keys.iter().find(|one| one.key == public(1)).unwrap();
    assert_eq!(kept.since, put_first.keys[0].since);
    assert_eq!(roster(&town, &kiosk).await.generation, both.generation);
    put(&town, &bearer, all, &[public(2)]).await;
    let later = roster(&town, &kiosk).await;
    assert_eq!(
        at_the_door(&later, &key(1)),
        Err(KeyringError::SignedByUnknown(2))
    );
    let read_own: InvitationKeys = read(ask(&town, "GET", own, &bearer, None).await, 200).await;
    assert_eq!(read_own.keys.len(), 1);
    town.stop().await;
}

#[tokio::test]
async fn what_is_no_key_is_refused_by_its_place_and_changes_nothing() {
    let (town, kiosk, bearer) = planned().await;
    let before = roster(&town, &kiosk).await.generation;
    let weak = format!("01{}", "00".repeat(31));
    let no_point = format!("02{}", "00".repeat(31));
    let check = async |path: &str, keys: Value, status: u16, expect: &str| {
        let body = json!({ "keys": keys });
        let answer = ask(&town, "PUT", path, &bearer, Some(&body)).await;
        let problem: wire::Problem = read(answer, status).await;
        let detail = problem.detail.unwrap();
        assert!(detail.contains(expect), "{detail}");
    };
    let all = "/invitation-keys";
    check(all, json!([public(1), weak]), 422, "`keys[1]`").await;
    check(all, json!([no_point]), 422, "not an Ed25519 public key").await;
    check(all, json!(["00"]), 400, "64 hexadecimal digits").await;
    let many: Vec<Hex32> = (1..=17).map(public).collect();
    check(all, json!(many), 422, "more than 16 invitation keys").await;
    let nowhere = "/meetings/hop-9/invitation-keys";
    check(nowhere, json!([public(1)]), 404, "hop-9").await;
    let cancelled = ask(&town, "DELETE", "/meetings/hop-1", &bearer, None).await;
    assert_eq!(cancelled.status(), 204);
    let own = "/meetings/hop-1/invitation-keys";
    check(own, json!([public(1)]), 409, "cancelled").await;
    let meeting: wire::meeting::Meeting = read(
        ask(&town, "GET", "/meetings/hop-1", &bearer, None).await,
        200,
    )
    .await;
    assert_eq!(meeting.generation, before + 1, "only the cancelling");
    town.stop().await;
}

#[tokio::test]
async fn an_operator_rotates_keys_at_the_hub_itself() {
    let (town, kiosk, _) = planned().await;
    let (hub, mau) = (&town.hub, organisation("mau"));
    let meeting = MeetingId::new("hop-1").unwrap();
    admin::put_invitation_key(hub, &mau, None, public(1), None).unwrap();
    admin::put_invitation_key(hub, &mau, None, public(2), Some(public(1))).unwrap();
    admin::put_invitation_key(hub, &mau, Some(&meeting), public(3), None).unwrap();
    let listed = admin::invitation_keys(hub, &mau, None).unwrap();
    let listed: Vec<_> = listed.iter().map(|one| Hex(one.key)).collect();
    assert_eq!(listed, [public(2)]);
    admin::withdraw_invitation_key(hub, &mau, Some(&meeting), public(3)).unwrap();
    let at_door = roster(&town, &kiosk).await;
    assert_eq!(at_door.invitation_keys, [public(2)]);
    let mut weak = Hex([0; 32]);
    weak.0[0] = 1;
    let refused = admin::put_invitation_key(hub, &mau, None, weak, None).unwrap_err();
    assert!(refused.to_string().contains(&weak.to_string()), "{refused}");
    town.stop().await;
}
