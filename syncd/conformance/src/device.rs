//! What a device is promised: enrolment, its meetings, rosters that open with its key.

use seal::{KeyId, KeyStore, Scope, SealedTemplate, TemplateBinding, WrapBinding, WrappedKey};
use vocabulary::{CardNumber, Digest, FeatureSpace};
use wire::ProblemType as P;
use wire::device::{
    DeviceMeeting, DeviceMeetings, DeviceRoster, EnrolDevice, Enrolled, Health, HealthAnswer,
    RenewCertificate, Versions,
};
use wire::offer::DeviceOffers;
use wire::scalar::Hex;

use crate::client::{Client, Who, signing_request};
use crate::people::{CARD, PEOPLE};
use crate::report::{Report, check};
use crate::world::{World, name};

const PROMISES: [&str; 8] = [
    "are enrolled once: the same again is the same, another key is refused",
    "report their health and are told the time",
    "are told the meetings of their doors, with an ETag",
    "get rosters whose digest is that of their bytes, with an ETag",
    "can open the references, and know cards, with the key that was wrapped for them",
    "have their certificate renewed",
    "are not told of a roster that is not theirs",
    "are told what they are offered, with an ETag, and of nothing else's content",
];

pub(crate) async fn run(client: &mut Client, world: &mut World, report: &mut Report) {
    if client.place().is_none() {
        for promise in PROMISES {
            report.untried(
                "devices",
                promise,
                "no token and place of a device were given",
            );
        }
        return;
    }
    report.add("devices", PROMISES[0], enrol(client, world).await);
    report.add("devices", PROMISES[1], health(client, world).await);
    report.add(
        "devices",
        PROMISES[2],
        meetings(client, world).await.map(drop),
    );
    report.add("devices", PROMISES[3], roster(client, world).await);
    report.add("devices", PROMISES[4], open(world));
    report.add("devices", PROMISES[5], renew(client).await);
    report.add("devices", PROMISES[6], foreign(client).await);
    report.add("devices", PROMISES[7], offers(client).await);
}

async fn enrol(client: &mut Client, world: &mut World) -> Result<(), String> {
    let (key, csr) = signing_request()?;
    let mut request = EnrolDevice {
        csr,
        sealing_key: Hex(world.keys.public_key().0),
        head_key: Hex(world.head_key.verifying_key().to_bytes()),
        versions: Versions {
            syncd: name("conformance")?,
            ..Versions::default()
        },
    };
    let path = "/device/enrolment";
    let reply = client.post(Who::Token, path, &request).await?;
    check!(
        reply.problem(P::TokenUsed).is_err(),
        "the token was used before; run this with a new one"
    );
    let first: Enrolled = reply.expect(200)?.json()?;
    let again: Enrolled = client
        .post(Who::Token, path, &request)
        .await?
        .expect(200)?
        .json()?;
    check!(
        first == again,
        "the same token with the same request got another answer"
    );
    let (_, other) = signing_request()?;
    request.csr = other;
    client
        .post(Who::Token, path, &request)
        .await?
        .problem(P::TokenUsed)?;
    client.become_device(&first.certificate, &key)?;
    world.enrolled = Some(first);
    Ok(())
}

async fn health(client: &Client, world: &World) -> Result<(), String> {
    let health = Health {
        at: wire::Timestamp(world.now),
        versions: Versions::default(),
        spaces: Vec::new(),
        waiting: 0,
        disk_free_bytes: Some(1 << 30),
        camera_works: Some(true),
        clock_offset_ms: None,
        troubles: Vec::new(),
        offers: Vec::new(),
    };
    let answer: HealthAnswer = client
        .put(Who::Device, "/device/health", &health)
        .await?
        .expect(200)?
        .json()?;
    let enrolled = world
        .enrolled
        .as_ref()
        .ok_or("the device was not enrolled")?;
    check!(
        answer.store == enrolled.store,
        "another store answers than the one that enrolled"
    );
    Ok(())
}

async fn meetings(client: &Client, world: &World) -> Result<DeviceMeeting, String> {
    let path = "/device/meetings";
    let reply = client.get(Who::Device, path).await?;
    let listed: DeviceMeetings = reply.expect(200)?.json()?;
    let etag = reply.header("etag").ok_or("the list has no ETag")?;
    let unchanged = client.get_unless(Who::Device, path, etag).await?;
    unchanged.expect(304)?;
    listed
        .meetings
        .into_iter()
        .find(|meeting| meeting.meeting.to_string() == world.meeting())
        .ok_or_else(|| "the meeting at the device's door is not listed".to_owned())
}

async fn roster(client: &Client, world: &mut World) -> Result<(), String> {
    let listed = meetings(client, world).await?;
    let path = format!("/device/meetings/{}/roster", world.meeting());
    let reply = client.get(Who::Device, &path).await?;
    let roster: DeviceRoster = reply.expect(200)?.json()?;
    let etag = reply.header("etag").ok_or("the roster has no ETag")?;
    client
        .get_unless(Who::Device, &path, etag)
        .await?
        .expect(304)?;
    check!(
        (roster.generation, roster.digest) == (listed.generation, listed.digest),
        "the list promises generation {} and {} comes",
        listed.generation,
        roster.generation
    );
    let digest = record::digest(&roster.roster.0);
    check!(
        Digest::from(roster.digest) == digest,
        "the digest is not that of the bytes"
    );
    let decoded = record::decode_roster(&roster.roster.0).map_err(|error| error.to_string())?;
    check!(
        decoded.generation() == roster.generation,
        "the bytes are of another generation"
    );
    let people: Vec<_> = decoded
        .entries()
        .iter()
        .map(|entry| &entry.delegate.person)
        .collect();
    check!(
        people == world.opaque.iter().collect::<Vec<_>>(),
        "the roster does not have the {PEOPLE} people by their opaque ids in their order"
    );
    let invited_by = Hex(world.head_key.verifying_key().to_bytes());
    check!(
        roster.invitation_keys.contains(&invited_by),
        "the meeting's key of invitations does not come with its roster"
    );
    let key = listed
        .key
        .ok_or("the meeting is on and its key was not released")?;
    world.roster = Some((roster, key));
    Ok(())
}

fn open(world: &World) -> Result<(), String> {
    let (roster, key) = world.roster.as_ref().ok_or("there is no roster")?;
    let enrolled = world
        .enrolled
        .as_ref()
        .ok_or("the device was not enrolled")?;
    check!(
        roster.references.len() == 1,
        "{} references came, not 1",
        roster.references.len()
    );
    check!(
        roster.key == key.id,
        "the references are sealed with another key than was given"
    );
    let scope = Scope {
        organisation: roster.organisation.0.clone(),
        meeting: Some(roster.meeting.0.clone()),
    };
    let binding = WrapBinding {
        device: enrolled.device.0.clone(),
        key: KeyId(key.id.0),
        scope: scope.clone(),
    };
    let wrapped = WrappedKey::from_bytes(&key.wrapped.0).map_err(|error| error.to_string())?;
    let opened = world
        .keys
        .unwrap_key(&wrapped, &binding)
        .map_err(|error| error.to_string())?;
    let reference = &roster.references[0];
    let space = FeatureSpace::new(reference.space.name.as_str(), reference.space.digest.into());
    let binding = TemplateBinding {
        scope: &scope,
        person: &reference.person.0,
        reference: &reference.reference.0,
        space: &space,
    };
    let sealed = SealedTemplate::from_bytes(reference.sealed.0.clone())
        .map_err(|error| error.to_string())?;
    let template =
        seal::open_template(&opened, &binding, &sealed).map_err(|error| error.to_string())?;
    check!(
        template.values().len() == 128,
        "the template has another length"
    );
    let number = CardNumber::new(CARD).map_err(|error| error.to_string())?;
    let expected = seal::card_hash(&opened, &scope, &number);
    let [card] = roster.citizen_cards.as_slice() else {
        return Err(format!("{} cards came, not 1", roster.citizen_cards.len()));
    };
    check!(
        card.person.0 == world.opaque[0] && card.hash.0 == expected.0,
        "the citizen card is not known again with the meeting's key"
    );
    Ok(())
}

async fn renew(client: &mut Client) -> Result<(), String> {
    let (key, csr) = signing_request()?;
    let path = "/device/certificate";
    let request = RenewCertificate { csr };
    let renewed: Enrolled = client
        .post(Who::Device, path, &request)
        .await?
        .expect(200)?
        .json()?;
    check!(
        renewed.renew_at < renewed.expires_at,
        "it is to be renewed after its end"
    );
    client.become_device(&renewed.certificate, &key)?;
    client
        .get(Who::Device, "/device/meetings")
        .await?
        .expect(200)?;
    Ok(())
}

async fn foreign(client: &Client) -> Result<(), String> {
    client
        .get(Who::Device, "/device/meetings/conformance-nothing/roster")
        .await?
        .problem(P::NotFound)
}

async fn offers(client: &Client) -> Result<(), String> {
    let path = "/device/offers";
    let reply = client.get(Who::Device, path).await?;
    let _: DeviceOffers = reply.expect(200)?.json()?;
    let etag = reply.header("etag").ok_or("the list has no ETag")?;
    let again = client.get_unless(Who::Device, path, etag).await?;
    again.expect(304)?;
    client
        .get(Who::Device, "/device/offers/conformance-none/content")
        .await?
        .problem(P::NotFound)
}
