//! What integrators put: people, templates, a meeting, its roster.

use std::collections::BTreeSet;

use serde_json::json;
use wire::ProblemType as P;
use wire::device::Space;
use wire::enrolment::{People, Person, PutPerson, PutTemplate, Reference};
use wire::invitation::{InvitationKeys, PutInvitationKeys};
use wire::meeting::{Attendance, Meeting, MeetingState, Meetings, Role, Roster, RosterEntry};
use wire::scalar::Hex;
use wire::{Base64, Hex32};

use crate::client::{Client, Who};
use crate::report::{Report, check};
use crate::world::{World, name};

/// How many people the run makes. The first has a template; the last two bear one name.
pub(crate) const PEOPLE: usize = 5;

/// The number of the first one's citizen card; nobody's.
pub(crate) const CARD: &str = "000000000000";

/// Where the run's meeting is held when no device's room is given.
const ROOM: &str = "conformance-room";

pub(crate) async fn run(client: &Client, world: &mut World, report: &mut Report) {
    let put = put_people(client, world).await;
    report.add(
        "people",
        "are put, and putting them again changes nothing",
        put,
    );
    report.add(
        "people",
        "come a page at a time, each once",
        pages(client, world).await,
    );
    report.add(
        "people",
        "unknown ones are a 404 problem",
        unknown(client).await,
    );
    report.add(
        "people",
        "a template is taken, and its space kept",
        template(client, world).await,
    );
    report.add(
        "people",
        "a citizen card's number is taken and never given back",
        citizen_card(client, world).await,
    );
    report.add(
        "meetings",
        "are put, moved, and read back",
        meeting(client, world).await,
    );
    report.add(
        "meetings",
        "are listed by their window",
        window(client, world).await,
    );
    report.add(
        "meetings",
        "that end before they begin are refused",
        backwards(client, world).await,
    );
    report.add(
        "rosters",
        "are replaced whole, by generation",
        roster(client, world).await,
    );
    report.add(
        "rosters",
        "with one person twice are refused",
        twice(client, world).await,
    );
    report.add(
        "rosters",
        "with an unknown person are refused",
        stranger(client, world).await,
    );
    report.add(
        "invitations",
        "keys of a meeting are replaced whole, and a weak one is refused",
        invitation_keys(client, world).await,
    );
}

async fn put_people(client: &Client, world: &mut World) -> Result<(), String> {
    for number in 0..PEOPLE {
        let path = format!("/people/{}", world.person(number));
        let person = put_person(number)?;
        let first: Person = client
            .put(Who::Key, &path, &person)
            .await?
            .expect(200)?
            .json()?;
        let again: Person = client
            .put(Who::Key, &path, &person)
            .await?
            .expect(200)?
            .json()?;
        let read: Person = client.get(Who::Key, &path).await?.expect(200)?.json()?;
        check!(
            first == again,
            "{path}: putting it again gave another answer"
        );
        check!(
            first == read,
            "{path}: it is read otherwise than it was put"
        );
        check!(first.name == person.name, "{path}: the name was changed");
        check!(
            first.opaque.0.as_str() != first.id.0.as_str(),
            "{path}: the opaque id is the caller's own id"
        );
        world.opaque.push(first.opaque.0);
    }
    let distinct: BTreeSet<_> = world.opaque.iter().collect();
    check!(distinct.len() == PEOPLE, "two people have one opaque id");
    Ok(())
}

fn put_person(number: usize) -> Result<PutPerson, String> {
    let number = number.min(PEOPLE - 2);
    Ok(PutPerson {
        name: name(&format!("Người Thử Số {number}"))?,
        title: name("Ông")?,
        unit: name(&format!("Đơn vị thử {number}"))?,
    })
}

async fn pages(client: &Client, world: &World) -> Result<(), String> {
    let mut seen = Vec::new();
    let mut path = "/people?limit=2".to_owned();
    // The organisation may have many people of its own; the run's stand in one piece among them.
    for _ in 0..10_000 {
        let reply = client.get(Who::Key, &path).await?;
        let page: People = reply.expect(200)?.json()?;
        check!(
            page.people.len() <= 2,
            "a page of 2 has {}",
            page.people.len()
        );
        let ids = page.people.iter().map(|person| person.id.to_string());
        seen.extend(ids.filter(|id| id.starts_with(&world.prefix)));
        let Some(next) = page.next else { break };
        let link = reply.header("link").unwrap_or_default();
        check!(
            link.contains("rel=\"next\""),
            "a page with more has no Link to the next"
        );
        path = format!("/people?limit=2&after={next}");
    }
    let expected: Vec<String> = (0..PEOPLE).map(|number| world.person(number)).collect();
    check!(
        seen == expected,
        "the pages give {seen:?} and not {expected:?}"
    );
    client
        .get(Who::Key, "/people?after=not-a-cursor")
        .await?
        .problem(P::Malformed)
}

async fn unknown(client: &Client) -> Result<(), String> {
    client
        .get(Who::Key, "/people/conformance-nobody")
        .await?
        .problem(P::NotFound)
}

async fn template(client: &Client, world: &World) -> Result<(), String> {
    let path = format!("/people/{}/templates/r1", world.person(0));
    let mut values = Vec::new();
    for index in 0..128_u16 {
        values.extend_from_slice(&(f32::from(index % 7) - 3.0).to_le_bytes());
    }
    let mut put = PutTemplate {
        space: Space {
            name: name("conformance")?,
            digest: wire::scalar::Hex([9; 32]),
        },
        values: Base64(values),
    };
    let reference: Reference = client
        .put(Who::Key, &path, &put)
        .await?
        .expect(200)?
        .json()?;
    check!(
        reference.space == put.space,
        "the reference is in another space"
    );
    let person: Person = client
        .get(Who::Key, &format!("/people/{}", world.person(0)))
        .await?
        .expect(200)?
        .json()?;
    check!(
        person.references.len() == 1,
        "the person has {} references",
        person.references.len()
    );
    put.values.0.truncate(7);
    client
        .put(Who::Key, &path, &put)
        .await?
        .problem(P::Unprocessable)
}

/// The room of the run's meeting: the device's, or one of the run's own.
async fn room(client: &Client) -> Result<String, String> {
    if let Some((room, _)) = client.place() {
        return Ok(room.to_owned());
    }
    let body = json!({ "name": "Phòng thử", "doors": ["conformance-door"] });
    let path = format!("/rooms/{ROOM}");
    client.put(Who::Key, &path, &body).await?.expect(200)?;
    Ok(ROOM.to_owned())
}

async fn meeting(client: &Client, world: &World) -> Result<(), String> {
    let path = format!("/meetings/{}", world.meeting());
    let mut put = world.put_meeting(&room(client).await?)?;
    let first: Meeting = client
        .put(Who::Key, &path, &put)
        .await?
        .expect(200)?
        .json()?;
    check!(
        first.state == MeetingState::Planned,
        "it is {:?}",
        first.state
    );
    let again: Meeting = client
        .put(Who::Key, &path, &put)
        .await?
        .expect(200)?
        .json()?;
    check!(
        first == again,
        "putting it again changed it: generation {}",
        again.generation
    );
    put.ends_at.0.0 += 60_000;
    let moved: Meeting = client
        .put(Who::Key, &path, &put)
        .await?
        .expect(200)?
        .json()?;
    check!(moved.ends_at == put.ends_at, "the new end was not taken");
    check!(
        moved.generation > first.generation,
        "a moved meeting has the same generation"
    );
    let read: Meeting = client.get(Who::Key, &path).await?.expect(200)?.json()?;
    check!(read == moved, "it is read otherwise than it was put");
    Ok(())
}

async fn window(client: &Client, world: &World) -> Result<(), String> {
    let listed = async |query: &str| -> Result<bool, String> {
        let mut path = format!("/meetings?{query}");
        for _ in 0..1000 {
            let page: Meetings = client.get(Who::Key, &path).await?.expect(200)?.json()?;
            let wanted = world.meeting();
            if page
                .meetings
                .iter()
                .any(|meeting| meeting.id.to_string() == wanted)
            {
                return Ok(true);
            }
            let Some(next) = page.next else {
                return Ok(false);
            };
            path = format!("/meetings?{query}&after={next}");
        }
        Ok(false)
    };
    let time = |hours: i64| {
        wire::Timestamp(vocabulary::WallTime(world.now.0 + hours * 3_600_000)).to_string()
    };
    check!(
        listed(&format!("from={}&until={}", time(0), time(1))).await?,
        "a meeting that is on now is not in a window around now"
    );
    check!(
        !listed(&format!("from={}", time(4))).await?,
        "a meeting is in a window after its end"
    );
    check!(
        !listed(&format!("until={}", time(-2))).await?,
        "a meeting is in a window before its beginning"
    );
    Ok(())
}

async fn backwards(client: &Client, world: &World) -> Result<(), String> {
    let mut put = world.put_meeting(&room(client).await?)?;
    put.ends_at = put.starts_at;
    let path = format!("/meetings/{}-backwards", world.prefix);
    client
        .put(Who::Key, &path, &put)
        .await?
        .problem(P::Unprocessable)
}

fn entries(world: &World) -> Result<Vec<RosterEntry>, String> {
    (0..PEOPLE)
        .map(|number| {
            Ok(RosterEntry {
                person: wire::Id(
                    world
                        .person(number)
                        .parse()
                        .map_err(|error| format!("a person's id: {error}"))?,
                ),
                title: None,
                unit: None,
                role: if number == 2 {
                    Role::Guest
                } else {
                    Role::Member
                },
                attendance: if number == 0 {
                    Attendance::FaceOrCode
                } else {
                    Attendance::CodeOnly
                },
                instead_of: None,
                document: None,
            })
        })
        .collect()
}

async fn roster(client: &Client, world: &World) -> Result<(), String> {
    let path = format!("/meetings/{}/roster", world.meeting());
    let all = entries(world)?;
    let put = |entries: &[RosterEntry]| json!({ "entries": entries });
    let first: Roster = client
        .put(Who::Key, &path, &put(&all[1..]))
        .await?
        .expect(200)?
        .json()?;
    let whole: Roster = client
        .put(Who::Key, &path, &put(&all))
        .await?
        .expect(200)?
        .json()?;
    check!(
        whole.generation > first.generation,
        "another roster has the same generation"
    );
    check!(
        whole.digest != first.digest,
        "another roster has the same digest"
    );
    let again: Roster = client
        .put(Who::Key, &path, &put(&all))
        .await?
        .expect(200)?
        .json()?;
    check!(
        again == whole,
        "putting it again changed it: generation {}",
        again.generation
    );
    let read: Roster = client.get(Who::Key, &path).await?.expect(200)?.json()?;
    check!(read == whole, "it is read otherwise than it was put");
    check!(
        read.entries == all,
        "the entries or their order were changed"
    );
    Ok(())
}

/// The last person has no card, the first one keeps theirs: the device is to find it.
async fn citizen_card(client: &Client, world: &World) -> Result<(), String> {
    let path = |number: usize| format!("/people/{}/citizen-card", world.person(number));
    let card = json!({ "number": CARD });
    for number in [0, PEOPLE - 1, 0] {
        let reply = client.put(Who::Key, &path(number), &card).await?;
        let person: Person = reply.expect(200)?.json()?;
        check!(person.citizen_card, "the person has no card afterwards");
        let shown = serde_json::to_string(&reply.json::<serde_json::Value>()?);
        check!(
            shown.is_ok_and(|shown| !shown.contains(CARD)),
            "the answer has the card's number"
        );
    }
    let last = path(PEOPLE - 1);
    for _ in 0..2 {
        client.delete(Who::Key, &last).await?.expect(204)?;
    }
    let read: Person = client
        .get(Who::Key, &format!("/people/{}", world.person(PEOPLE - 1)))
        .await?
        .expect(200)?
        .json()?;
    check!(
        !read.citizen_card,
        "a card that was taken away is still there"
    );
    let wrong = json!({ "number": "123" });
    client
        .put(Who::Key, &path(0), &wrong)
        .await?
        .problem(P::Malformed)
}

/// Only the meeting's own keys: those of the organisation may be in use.
async fn invitation_keys(client: &Client, world: &World) -> Result<(), String> {
    let meeting = format!("/meetings/{}", world.meeting());
    let path = format!("{meeting}/invitation-keys");
    let generation = async || -> Result<u64, String> {
        let meeting: Meeting = client.get(Who::Key, &meeting).await?.expect(200)?.json()?;
        Ok(meeting.generation)
    };
    let key = Hex(world.head_key.verifying_key().to_bytes());
    let put = |keys: Vec<Hex32>| PutInvitationKeys { keys };
    let before = generation().await?;
    let body = put(vec![key]);
    let first: InvitationKeys = client
        .put(Who::Key, &path, &body)
        .await?
        .expect(200)?
        .json()?;
    check!(
        first.keys.iter().map(|one| one.key).eq([key]),
        "it has other keys than were put"
    );
    let after = generation().await?;
    check!(after > before, "a new key made no new generation");
    let again: InvitationKeys = client
        .put(Who::Key, &path, &body)
        .await?
        .expect(200)?
        .json()?;
    check!(first == again, "putting it again gave another answer");
    check!(
        generation().await? == after,
        "putting it again made a new generation"
    );
    // The neutral element of the curve: everything would be signed by it.
    let mut weak = Hex([0; 32]);
    weak.0[0] = 1;
    client
        .put(Who::Key, &path, &put(vec![weak]))
        .await?
        .problem(P::Unprocessable)?;
    let read: InvitationKeys = client.get(Who::Key, &path).await?.expect(200)?.json()?;
    check!(read == first, "what was refused changed the keys");
    Ok(())
}

async fn twice(client: &Client, world: &World) -> Result<(), String> {
    let mut all = entries(world)?;
    all.push(all[0].clone());
    refused(client, world, &all).await
}

async fn stranger(client: &Client, world: &World) -> Result<(), String> {
    let mut all = entries(world)?;
    all[1].person = wire::Id(
        format!("{}-nobody", world.prefix)
            .parse()
            .map_err(|error| format!("a person's id: {error}"))?,
    );
    refused(client, world, &all).await
}

/// A roster that is refused leaves the one before as it was.
async fn refused(client: &Client, world: &World, entries: &[RosterEntry]) -> Result<(), String> {
    let path = format!("/meetings/{}/roster", world.meeting());
    let digest = async || -> Result<Hex32, String> {
        let roster: Roster = client.get(Who::Key, &path).await?.expect(200)?.json()?;
        Ok(roster.digest)
    };
    let before = digest().await?;
    let body = json!({ "entries": entries });
    client
        .put(Who::Key, &path, &body)
        .await?
        .problem(P::Unprocessable)?;
    check!(
        digest().await? == before,
        "the roster was changed all the same"
    );
    Ok(())
}
