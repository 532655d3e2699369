//! What is promised of records: none lost, none twice, each trouble its own answer; and the roll.

use std::collections::BTreeMap;

use record::{Body, CheckIn, Context, MeetingOpened, Part, Text};
use vocabulary::{Assurance, Digest, Direction, Epoch, Means};
use wire::ProblemType as P;
use wire::device::{Position, QuarantineReason, RecordsAccepted, SendRecords};
use wire::meeting::{Meeting, MeetingState};
use wire::roll::{Records, Roll};
use wire::scalar::Hex;
use wire::{Base64, Timestamp};

use crate::client::{Client, Who};
use crate::report::{Report, check};
use crate::world::{Chain, World, random};

const PROMISES: [&str; 9] = [
    "are accepted and acknowledged; sending them again is a success",
    "are not taken beyond a gap that the device can still fill",
    "that nobody has any more leave a gap that jams nothing",
    "that differ under one number are kept aside as a fork",
    "that are none are kept aside, and those behind them go on",
    "of a meeting that nobody knows are kept",
    "are listed from a cursor, each once",
    "make the roll, and a late one makes a new revision",
    "still count when their meeting is closed",
];

pub(crate) async fn run(client: &Client, world: &mut World, report: &mut Report) {
    let mut run = match Run::new(world) {
        Ok(run) => run,
        Err(why) => {
            for promise in PROMISES {
                report.untried("records", promise, &why);
            }
            return;
        }
    };
    report.add("records", PROMISES[0], run.accepted(client).await);
    report.add("records", PROMISES[1], run.gap(client).await);
    report.add("records", PROMISES[3], run.fork(client).await);
    report.add("records", PROMISES[4], run.undecodable(client).await);
    report.add("records", PROMISES[5], run.unknown_meeting(client).await);
    report.add("records", PROMISES[7], run.roll(client, world).await);
    report.add("records", PROMISES[8], run.closed(client, world).await);
    report.add("records", PROMISES[2], run.lost(client).await);
    report.add("records", PROMISES[6], run.listed(client).await);
}

/// The chain of the run's device, and what was sent of it.
struct Run {
    chain: Chain,
    context: Context,
    people: Vec<vocabulary::PersonId>,
    head_key: record::SigningKey,
    /// All that was acknowledged, by digest.
    sent: BTreeMap<Digest, u64>,
}

impl Run {
    fn new(world: &World) -> Result<Self, String> {
        let enrolled = world.enrolled.as_ref().ok_or("no device was enrolled")?;
        let (roster, _) = world.roster.as_ref().ok_or("the device got no roster")?;
        let door = enrolled.doors.first().ok_or("the device has no door")?;
        Ok(Self {
            chain: Chain {
                device: enrolled.device.0.clone(),
                epoch: Epoch(random().map_err(|error| error.to_string())?),
                previous: Digest::ZERO,
                next: 1,
                at: world.now,
            },
            context: Context {
                meeting: roster.meeting.0.clone(),
                generation: roster.generation,
                roster: roster.digest.into(),
                door: door.0.clone(),
                policy: 1,
                software: Text::clipped("conformance"),
            },
            people: world.opaque.clone(),
            head_key: world.head_key.clone(),
            sent: BTreeMap::new(),
        })
    }

    fn check_in(&self, person: usize) -> Body {
        Body::CheckIn(CheckIn {
            context: self.context.clone(),
            person: self.people[person].clone(),
            substitute: None,
            direction: Direction::In,
            means: Means::Secretary,
            assurance: Assurance::Vouched,
            comparison: None,
            actor: None,
        })
    }

    async fn send(
        &mut self,
        client: &Client,
        first: u64,
        oldest: u64,
        records: &[Vec<u8>],
    ) -> Result<RecordsAccepted, String> {
        let last = first + records.len() as u64 - 1;
        let head = records.last().map(|bytes| {
            let head = record::Head {
                device: self.chain.device.clone(),
                epoch: self.chain.epoch,
                sequence: vocabulary::Sequence(last),
                digest: record::digest(bytes),
            };
            Base64(head.sign(&self.head_key).encode())
        });
        let batch = SendRecords {
            epoch: self.chain.epoch.into(),
            first,
            oldest,
            records: records.iter().cloned().map(Base64).collect(),
            head,
        };
        let reply = client.post(Who::Device, "/device/records", &batch).await?;
        let accepted: RecordsAccepted = reply.expect(200)?.json()?;
        if accepted.position.committed_through >= last {
            for (bytes, sequence) in records.iter().zip(first..) {
                self.sent.insert(record::digest(bytes), sequence);
            }
        }
        Ok(accepted)
    }

    async fn position(&self, client: &Client) -> Result<u64, String> {
        let path = format!("/device/position/{}", self.chain.epoch);
        let position: Position = client.get(Who::Device, &path).await?.expect(200)?.json()?;
        Ok(position.committed_through)
    }

    async fn accepted(&mut self, client: &Client) -> Result<(), String> {
        check!(
            self.position(client).await? == 0,
            "a new epoch does not begin at 0"
        );
        let opened = Body::MeetingOpened(MeetingOpened {
            context: self.context.clone(),
            actor: None,
        });
        let mut records = vec![self.chain.append(opened)];
        let body = self.check_in(0);
        records.push(self.chain.append(body));
        for _ in 0..2 {
            let accepted = self.send(client, 1, 1, &records).await?;
            let through = accepted.position.committed_through;
            check!(
                through == 2,
                "two records were sent and {through} are acknowledged"
            );
            check!(
                accepted.quarantined.is_empty(),
                "{:?}",
                accepted.quarantined
            );
        }
        check!(
            self.position(client).await? == 2,
            "the position is not what was acknowledged"
        );
        Ok(())
    }

    /// The batch after the next is offered: nothing moves, and the device is told where to go on.
    async fn gap(&mut self, client: &Client) -> Result<(), String> {
        let first = self.chain.next;
        let body = self.check_in(1);
        let records = [self.chain.append(body.clone()), self.chain.append(body)];
        let accepted = self.send(client, first + 1, 1, &records[1..]).await?;
        let through = accepted.position.committed_through;
        check!(
            through == first - 1,
            "beyond a gap {through} is acknowledged"
        );
        let accepted = self.send(client, first, 1, &records).await?;
        let through = accepted.position.committed_through;
        check!(
            through == first + 1,
            "after the gap was filled {through} is acknowledged"
        );
        Ok(())
    }

    async fn fork(&mut self, client: &Client) -> Result<(), String> {
        let other = self.chain.make(2, self.check_in(3)).encode();
        let accepted = self
            .send(client, 2, 1, std::slice::from_ref(&other))
            .await?;
        aside(&accepted, &other, QuarantineReason::Fork)?;
        // No further than it was sent, maybe: a copy of this device has to send what it has.
        let through = accepted.position.committed_through;
        check!(
            (2..self.chain.next).contains(&through),
            "a fork moved the position to {through}"
        );
        Ok(())
    }

    async fn undecodable(&mut self, client: &Client) -> Result<(), String> {
        let first = self.chain.next;
        let broken = vec![0xff; 40];
        self.chain.previous = record::digest(&broken);
        self.chain.next += 1;
        let body = Body::Fault(record::Fault {
            part: Part::Camera,
            what: Text::clipped("a trial"),
        });
        let records = [broken.clone(), self.chain.append(body)];
        let accepted = self.send(client, first, 1, &records).await?;
        aside(&accepted, &broken, QuarantineReason::Undecodable)?;
        let through = accepted.position.committed_through;
        check!(
            through == first + 1,
            "behind a broken record {through} is acknowledged"
        );
        Ok(())
    }

    async fn unknown_meeting(&mut self, client: &Client) -> Result<(), String> {
        let first = self.chain.next;
        let mut context = self.context.clone();
        context.meeting = "conformance-nothing"
            .parse()
            .map_err(|error| format!("a meeting's id: {error}"))?;
        let body = Body::MeetingOpened(MeetingOpened {
            context,
            actor: None,
        });
        let records = [self.chain.append(body)];
        let accepted = self.send(client, first, 1, &records).await?;
        check!(
            accepted.position.committed_through == first && accepted.quarantined.is_empty(),
            "{accepted:?}"
        );
        Ok(())
    }

    async fn roll(&mut self, client: &Client, world: &World) -> Result<(), String> {
        let path = format!("/meetings/{}/roll", world.meeting());
        let read = async |query: &str| -> Result<Roll, String> {
            client
                .get(Who::Key, &format!("{path}{query}"))
                .await?
                .expect(200)?
                .json()
        };
        let before = read("").await?;
        check!(
            read("").await? == before,
            "reading it again made it another one"
        );
        let came =
            |roll: &Roll| -> Vec<bool> { roll.rows.iter().map(|row| row.attended).collect() };
        check!(
            came(&before) == [true, true, false, false, false],
            "it says of the five {:?}",
            came(&before)
        );
        check!(
            before.attended == 2 && before.expected >= 4,
            "it counts {}",
            before.attended
        );
        let row = &before.rows[0];
        let name = row.person.as_ref().map(ToString::to_string);
        check!(
            name == Some(world.person(0)),
            "it does not name the caller's id but {name:?}"
        );
        let first = self.chain.next;
        let body = self.check_in(2);
        let records = [self.chain.append(body)];
        self.send(client, first, 1, &records).await?;
        let after = read("").await?;
        check!(
            after.revision > before.revision,
            "a late record made no new revision"
        );
        check!(came(&after)[2], "a late record is not in the new revision");
        let old = read(&format!("?revision={}", before.revision)).await?;
        check!(old == before, "an earlier revision has changed");
        let reply = client
            .get(Who::Key, &format!("{path}?revision=99999"))
            .await?;
        reply.problem(P::NotFound)
    }

    async fn closed(&mut self, client: &Client, world: &World) -> Result<(), String> {
        let path = format!("/meetings/{}/closing", world.meeting());
        for _ in 0..2 {
            let reply = client
                .send(Who::Key, "POST", &path, "application/json", Vec::new())
                .await?;
            let meeting: Meeting = reply.expect(200)?.json()?;
            check!(
                meeting.state == MeetingState::Closed,
                "it is {:?}",
                meeting.state
            );
        }
        let first = self.chain.next;
        let body = self.check_in(3);
        let records = [self.chain.append(body)];
        let accepted = self.send(client, first, 1, &records).await?;
        check!(
            accepted.position.committed_through == first,
            "a late record was not taken"
        );
        let roll: Roll = client
            .get(Who::Key, &format!("/meetings/{}/roll", world.meeting()))
            .await?
            .expect(200)?
            .json()?;
        check!(
            roll.closed && roll.rows[3].attended,
            "the late record is not in the roll"
        );
        Ok(())
    }

    /// The device says that its oldest record is younger than what the hub waits for.
    async fn lost(&mut self, client: &Client) -> Result<(), String> {
        let body = self.check_in(4);
        let lost = self.chain.append(body.clone());
        drop(lost);
        let first = self.chain.next;
        let records = [self.chain.append(body)];
        let accepted = self.send(client, first, first, &records).await?;
        let through = accepted.position.committed_through;
        check!(
            through == first,
            "behind a lost record {through} is acknowledged"
        );
        Ok(())
    }

    async fn listed(&self, client: &Client) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        let mut path = "/records?limit=3".to_owned();
        loop {
            let page: Records = client.get(Who::Key, &path).await?.expect(200)?.json()?;
            for record in page.records {
                if record.device.0 == self.chain.device && record.epoch == self.chain.epoch.into() {
                    let digest = record::digest(&record.bytes.0);
                    check!(
                        record.digest == digest.into(),
                        "a digest is not that of its bytes"
                    );
                    *seen.entry(digest).or_insert(0) += 1;
                    let own = record.at.is_none_or(|at| at >= Timestamp(self.chain.at));
                    check!(own, "a record's time was changed");
                }
            }
            path = format!("/records?limit=3&after={}", page.next);
            if !page.more {
                break;
            }
        }
        for (digest, sequence) in &self.sent {
            let times = seen.get(digest).copied().unwrap_or(0);
            check!(times == 1, "record {sequence} is listed {times} times");
        }
        Ok(())
    }
}

fn aside(accepted: &RecordsAccepted, bytes: &[u8], why: QuarantineReason) -> Result<(), String> {
    let digest = Hex::from(record::digest(bytes));
    let found = accepted
        .quarantined
        .iter()
        .find(|aside| aside.digest == digest);
    check!(
        found.is_some_and(|aside| aside.why == why),
        "it should be kept aside as {why:?}: {:?}",
        accepted.quarantined
    );
    Ok(())
}
