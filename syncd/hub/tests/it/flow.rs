//! A meeting from its planning to its roll: what an integrator puts is held at a door, and what
//! happens there is read back.

use hub::admin;
use record::decode_roster;
use seal::{SealedTemplate, TemplateBinding, open_template};
use serde_json::{Value, json};
use vocabulary::{Epoch, FeatureSpace, Template};
use wire::Scope;
use wire::device as api;
use wire::scalar::Hex;

use crate::town::{
    JsonBody, Kiosk, Town, ask, context, csr, device, identity, is_private, read, records,
};

const VALUES: [f32; 4] = [0.5, -0.25, 0.75, 0.125];

/// A meeting from now on, of two people of whom one has a template.
async fn planned() -> (Town, Kiosk, String) {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let key = town.key("mau", Scope::ALL);
    let values: Vec<u8> = VALUES
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let template = json!({
        "space": { "name": "mau", "digest": "11".repeat(32) },
        "values": wire::Base64(values),
    });
    let mut meeting = town.meeting_now();
    meeting["quorum"] = json!(1);
    let roster = json!({ "entries": [
        { "person": "a1", "title": "Ông" },
        { "person": "a2", "role": "guest", "attendance": "code-only" },
    ] });
    let all = [
        (
            "/people/a1",
            json!({ "name": "Nguyễn Văn Mẫu", "unit": "Sở Mẫu" }),
        ),
        ("/people/a2", json!({ "name": "Trần Thị Mẫu" })),
        ("/people/a1/templates/anh-1", template),
        ("/meetings/hop-1", meeting),
        ("/meetings/hop-1/roster", roster),
    ];
    town.put_all(&key, all).await;
    (town, kiosk, key)
}

async fn get(town: &Town, kiosk: &Kiosk, path: &str, tag: Option<&str>) -> reqwest::Response {
    let mut request = kiosk.client.get(town.url(&format!("/v1-draft{path}")));
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    request.send().await.unwrap()
}

fn tag(answer: &reqwest::Response) -> String {
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_put_is_at_the_door_and_only_there_readable() {
    let (town, kiosk, _) = planned().await;
    let answer = get(&town, &kiosk, "/device/meetings", None).await;
    let first_tag = tag(&answer);
    let told: api::DeviceMeetings = read(answer, 200).await;
    let [meeting] = told.meetings.as_slice() else {
        panic!("one meeting is expected: {told:?}");
    };
    let again = get(&town, &kiosk, "/device/meetings", Some(&first_tag)).await;
    assert_eq!(again.status(), 304);
    assert_eq!(tag(&again), first_tag);
    let answer = get(&town, &kiosk, "/device/meetings/hop-1/roster", None).await;
    let roster_tag = tag(&answer);
    let roster: api::DeviceRoster = read(answer, 200).await;
    assert_eq!(roster.generation, meeting.generation);
    let again = get(
        &town,
        &kiosk,
        "/device/meetings/hop-1/roster",
        Some(&roster_tag),
    )
    .await;
    assert_eq!(again.status(), 304);
    let cached: api::DeviceRoster = read(
        get(&town, &kiosk, "/device/meetings/hop-1/roster", None).await,
        200,
    )
    .await;
    assert_eq!(cached, roster);
    assert_eq!(Hex(record::digest(&roster.roster.0).0), roster.digest);
    let list = decode_roster(&roster.roster.0).unwrap();
    let names: Vec<_> = list
        .entries()
        .iter()
        .map(|e| e.delegate.name.as_str())
        .collect();
    assert_eq!(names, ["Nguyễn Văn Mẫu", "Trần Thị Mẫu"]);
    assert!(list.entries()[0].delegate.person.as_str().starts_with("p-"));
    check_reference(&kiosk, meeting, &roster);
    town.stop().await;
}

/// The reference opens with the key that was wrapped for this device, and is what was put.
fn check_reference(kiosk: &Kiosk, meeting: &api::DeviceMeeting, roster: &api::DeviceRoster) {
    let key = meeting.key.as_ref().unwrap();
    assert_eq!(key.id, roster.key);
    let (opened, scope) = kiosk.open_key("hop-1", key);
    let [reference] = roster.references.as_slice() else {
        panic!("one reference is expected");
    };
    let space = FeatureSpace::new(reference.space.name.as_str(), reference.space.digest.into());
    let binding = TemplateBinding {
        scope: &scope,
        person: &reference.person.0,
        reference: &reference.reference.0,
        space: &space,
    };
    let sealed = SealedTemplate::from_bytes(reference.sealed.0.clone()).unwrap();
    let template = open_template(&opened, &binding, &sealed).unwrap();
    assert_eq!(template, Template::normalise(space, &VALUES).unwrap());
}

#[tokio::test]
async fn what_happens_at_the_door_is_on_the_roll_and_in_the_list() {
    let (town, kiosk, key) = planned().await;
    let roster: api::DeviceRoster = read(
        get(&town, &kiosk, "/device/meetings/hop-1/roster", None).await,
        200,
    )
    .await;
    let list = decode_roster(&roster.roster.0).unwrap();
    let who = list.entries()[0].delegate.person.clone();
    let context = context("hop-1", roster.generation, roster.digest.into());
    let epoch = Epoch([1; 16]);
    let url = "/v1-draft/records/live";
    let mut live = town
        .client(None)
        .get(town.url(url))
        .bearer_auth(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let body = records(&kiosk.id, epoch, &context, std::slice::from_ref(&who));
    for _ in 0..2 {
        let answer = kiosk.post(&town, "/device/records", &body).await;
        let accepted: api::RecordsAccepted = read(answer, 200).await;
        assert_eq!(accepted.position.committed_through, 1);
        assert!(accepted.quarantined.is_empty(), "{accepted:?}");
    }
    let position: api::Position = read(
        get(&town, &kiosk, &format!("/device/position/{epoch}"), None).await,
        200,
    )
    .await;
    assert_eq!(position.committed_through, 1);
    let roll: wire::roll::Roll = read(
        ask(&town, "GET", "/meetings/hop-1/roll", &key, None).await,
        200,
    )
    .await;
    assert_eq!((roll.revision, roll.expected, roll.attended), (1, 2, 1));
    assert_eq!(roll.quorum.unwrap().attended, 1);
    assert_eq!(roll.rows[0].person.as_ref().unwrap().0.as_str(), "a1");
    assert_eq!(roll.rows[0].intervals[0].means, "invitation");
    assert!(roll.conflicts.is_empty(), "{:?}", roll.conflicts);
    let page: wire::roll::Records =
        read(ask(&town, "GET", "/records", &key, None).await, 200).await;
    assert_eq!(page.records.len(), 1, "sent twice, there once");
    assert_eq!(page.records[0].kind.as_deref(), Some("check-in"));
    assert_eq!(page.records[0].person.as_ref().unwrap().0, who);
    let behind = format!("/records?after={}", page.next);
    let rest: wire::roll::Records = read(ask(&town, "GET", &behind, &key, None).await, 200).await;
    assert!(rest.records.is_empty() && !rest.more);
    let mut event = String::new();
    while !event.contains("\ndata: ") || !event.ends_with("\n\n") {
        event.push_str(std::str::from_utf8(&live.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(event.contains("\nevent: record\n"), "{event}");
    let data = event.split("data: ").nth(1).unwrap();
    let record: wire::roll::Record = serde_json::from_str(data.trim()).unwrap();
    assert_eq!(record, page.records[0]);
    // The stream does not keep the hub from stopping.
    town.stop().await;
    while live.chunk().await.unwrap().is_some() {}
}

#[tokio::test]
async fn sheets_go_in_and_out() {
    let (town, _, key) = planned().await;
    let url = |path: &str| town.url(&format!("/v1-draft/meetings/hop-1/{path}"));
    let client = town.client(None);
    let csv = |path: &str| {
        client
            .get(url(path))
            .bearer_auth(&key)
            .header("accept", "text/csv")
    };
    let sheet = csv("roster").send().await.unwrap();
    assert_eq!(sheet.headers()["content-type"], "text/csv; charset=utf-8");
    let sheet = sheet.text().await.unwrap();
    assert!(
        sheet.contains("a1,Nguyễn Văn Mẫu,Ông,Sở Mẫu,Đại biểu,Khuôn mặt"),
        "{sheet}"
    );
    let before: Value = read(
        ask(&town, "GET", "/meetings/hop-1/roster", &key, None).await,
        200,
    )
    .await;
    let put = client.put(url("roster")).bearer_auth(&key);
    let put = put.header("content-type", "text/csv").body(
        "id;title;role;attendance\n\
        a1;Ông;;\na2;;guest;code only\n",
    );
    let after: Value = read(put.send().await.unwrap(), 200).await;
    assert_eq!(after, before, "the same again changes nothing");
    let roll = csv("roll").send().await.unwrap().text().await.unwrap();
    assert!(
        roll.contains("1,a1,Nguyễn Văn Mẫu,Ông,Sở Mẫu,vắng"),
        "{roll}"
    );
    town.stop().await;
}

#[tokio::test]
async fn what_is_over_is_gone_from_the_door() {
    let (town, kiosk, key) = planned().await;
    let closed: wire::meeting::Meeting = read(
        ask(&town, "POST", "/meetings/hop-1/closing", &key, None).await,
        200,
    )
    .await;
    assert_eq!(closed.state, wire::meeting::MeetingState::Closed);
    let told: api::DeviceMeetings =
        read(get(&town, &kiosk, "/device/meetings", None).await, 200).await;
    assert!(told.meetings[0].closed && told.meetings[0].key.is_none());
    let gone = get(&town, &kiosk, "/device/meetings/hop-1/roster", None).await;
    assert_eq!(gone.status(), 410);
    let unknown = get(&town, &kiosk, "/device/meetings/hop-9/roster", None).await;
    assert_eq!(unknown.status(), 404);
    town.stop().await;
}

#[tokio::test]
async fn a_certificate_is_renewed_and_an_enrolment_takes_the_place_of_the_one_before() {
    let town = Town::start().await;
    let kiosk = town.kiosk("mau", "kiosk-1").await;
    let body = json!({ "csr": csr(&kiosk.key) });
    let answer = kiosk.post(&town, "/device/certificate", &body).await;
    let renewed: api::Enrolled = read(answer, 200).await;
    let client = town.client(Some(&identity(&kiosk.key, &renewed.certificate)));
    let health = json!({ "at": "2026-03-02T01:30:00Z", "waiting": 3 });
    for client in [&kiosk.client, &client] {
        let put = client
            .put(town.url("/v1-draft/device/health"))
            .json_body(&health);
        let answer: api::HealthAnswer = read(put.send().await.unwrap(), 200).await;
        assert_eq!(answer.store, kiosk.enrolled.store);
    }
    let found = town
        .hub
        .store()
        .device(&device("kiosk-1"))
        .unwrap()
        .unwrap();
    assert!(found.health.unwrap().document.contains("\"waiting\":3"));
    let next = town.kiosk("mau", "kiosk-1").await;
    let ask_with = async |client: &reqwest::Client| {
        let url = town.url("/v1-draft/device/meetings");
        client.get(url).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask_with(&kiosk.client).await, 401);
    assert_eq!(ask_with(&client).await, 401);
    assert_eq!(ask_with(&next.client).await, 200);
    admin::revoke_device(&town.hub, &device("kiosk-1")).unwrap();
    assert_eq!(ask_with(&next.client).await, 403);
    town.stop().await;
}

#[tokio::test]
async fn a_hub_that_starts_again_is_the_same_and_keeps_its_secrets_to_itself() {
    let (town, kiosk, key) = planned().await;
    let dir = town.stop().await;
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        let public = file.file_name() == "ca.pem";
        assert!(public || is_private(&file.path()), "{:?}", file.file_name());
    }
    let town = Town::start_in(dir, hub::Options::default()).await;
    let meeting: wire::meeting::Meeting =
        read(ask(&town, "GET", "/meetings/hop-1", &key, None).await, 200).await;
    assert_eq!(meeting.expected, 2);
    let told: api::DeviceMeetings =
        read(get(&town, &kiosk, "/device/meetings", None).await, 200).await;
    assert!(told.meetings[0].key.is_some());
    town.stop().await;
}

#[tokio::test]
async fn lists_are_read_page_by_page_to_their_end() {
    let (town, _, key) = planned().await;
    for index in 0..5 {
        let path = format!("/people/b{index}");
        let body = json!({ "name": "Người mẫu" });
        assert_eq!(
            ask(&town, "PUT", &path, &key, Some(&body)).await.status(),
            200
        );
    }
    let mut path = "/people?limit=2".to_owned();
    let mut ids = Vec::new();
    loop {
        let answer = ask(&town, "GET", &path, &key, None).await;
        let link = answer
            .headers()
            .get("link")
            .map(|link| link.to_str().unwrap().to_owned());
        let page: wire::enrolment::People = read(answer, 200).await;
        assert_eq!(link.is_some(), page.next.is_some());
        ids.extend(
            page.people
                .iter()
                .map(|person| person.id.0.as_str().to_owned()),
        );
        let Some(link) = link else { break };
        let target = link.split(['<', '>']).nth(1).unwrap();
        target
            .strip_prefix("/v1-draft")
            .unwrap()
            .clone_into(&mut path);
    }
    assert_eq!(ids, ["a1", "a2", "b0", "b1", "b2", "b3", "b4"]);
    town.stop().await;
}

#[tokio::test]
async fn meetings_go_out_to_calendars_and_come_in_from_them() {
    let (town, _, key) = planned().await;
    let client = town.client(None);
    let url = town.url("/v1-draft/calendar");
    let got = client.get(&url).bearer_auth(&key).send().await.unwrap();
    assert_eq!(got.headers()["content-type"], "text/calendar");
    let text = got.text().await.unwrap();
    assert!(text.contains("UID:hop-1@mau\r\n"), "{text}");
    assert!(text.contains("LOCATION:Phòng mẫu\r\n"), "{text}");
    let before: Value = read(ask(&town, "GET", "/meetings/hop-1", &key, None).await, 200).await;
    let send = async |text: &str| {
        let post = client.post(&url).bearer_auth(&key);
        let post = post
            .header("content-type", "text/calendar")
            .body(text.to_owned());
        post.send().await.unwrap()
    };
    let same: wire::meeting::Meetings = read(send(&text).await, 200).await;
    assert_eq!(
        serde_json::to_value(&same.meetings[0]).unwrap()["id"],
        before["id"]
    );
    let moved = text.replace("LOCATION:Phòng mẫu", "LOCATION:Phòng khác");
    let moved = moved.replace("X-DIEMDANH-ROOM:G1\r\n", "");
    let problem: wire::Problem = read(send(&moved).await, 422).await;
    assert!(problem.detail.unwrap().contains("LOCATION"));
    let cancelled = text.replace("STATUS:CONFIRMED", "STATUS:CANCELLED");
    let gone: wire::meeting::Meetings = read(send(&cancelled).await, 200).await;
    assert_eq!(
        gone.meetings[0].state,
        wire::meeting::MeetingState::Cancelled
    );
    town.stop().await;
}

#[tokio::test]
async fn an_operator_sees_devices_and_their_records_oddities() {
    let (town, kiosk, key) = planned().await;
    let context = context("khong-co", 1, vocabulary::Digest([0; 32]));
    let who = vocabulary::PersonId::new("p-1").unwrap();
    let body = records(&kiosk.id, Epoch([1; 16]), &context, &[who]);
    let sent = kiosk.post(&town, "/device/records", &body).await;
    assert_eq!(sent.status(), 200);
    let notes: wire::fleet::Notes = read(ask(&town, "GET", "/notes", &key, None).await, 200).await;
    let kinds: Vec<_> = notes.notes.iter().map(|note| note.kind).collect();
    assert_eq!(kinds, [wire::fleet::NoteKind::UnknownMeeting], "{notes:?}");
    let rest = format!("/notes?after={}", notes.next);
    let rest: wire::fleet::Notes = read(ask(&town, "GET", &rest, &key, None).await, 200).await;
    assert!(rest.notes.is_empty());
    let path = "/devices/kiosk-1";
    let revoked = ask(&town, "DELETE", path, &key, None).await;
    assert_eq!(revoked.status(), 204);
    assert_eq!(
        get(&town, &kiosk, "/device/meetings", None).await.status(),
        403
    );
    let no_token = ask(&town, "POST", "/devices/kiosk-1/token", &key, None).await;
    assert_eq!(no_token.status(), 409);
    let again = ask(&town, "POST", "/devices/kiosk-1/reinstatement", &key, None).await;
    let again: wire::fleet::Device = read(again, 200).await;
    assert!(again.revoked_at.is_none());
    let token = ask(&town, "POST", "/devices/kiosk-1/token", &key, None).await;
    let token: wire::fleet::EnrolmentToken = read(token, 200).await;
    assert!(token.token.starts_with("ddt1."));
    town.stop().await;
}

#[tokio::test]
async fn the_invented_city_is_there_once_however_often_it_is_filled() {
    let dir = tempfile::TempDir::new().unwrap();
    let hub = hub::Hub::open(dir.path(), hub::Options::default()).unwrap();
    let first = hub::sandbox::fill(&hub).unwrap();
    drop(hub);
    // What is added to it leaves it a sandbox.
    let town = Town::start_in(dir, hub::Options::default()).await;
    let secrets = first.secrets.unwrap();
    let again = hub::sandbox::fill(&town.hub).unwrap();
    assert!(again.secrets.is_none());
    let meetings = ask(&town, "GET", "/meetings", &secrets.integrator, None).await;
    let meetings: wire::meeting::Meetings = read(meetings, 200).await;
    assert_eq!(meetings.meetings.len(), first.meetings.len());
    let people = ask(&town, "GET", "/people?limit=500", &secrets.integrator, None).await;
    let people: wire::enrolment::People = read(people, 200).await;
    let without: Vec<_> = people
        .people
        .iter()
        .filter(|p| p.references.is_empty())
        .collect();
    assert_eq!((people.people.len(), without.len()), (32, 1));
    town.stop().await;
}

#[tokio::test]
async fn a_restored_hub_knows_everybody_again_as_a_new_incarnation() {
    let (town, kiosk, key) = planned().await;
    let elsewhere = tempfile::TempDir::new().unwrap();
    let saved = elsewhere.path().join("saved");
    hub::backup(&town.hub, &saved).unwrap();
    assert!(
        hub::backup(&town.hub, &saved).is_err(),
        "never over another"
    );
    // Renewed after the backup, so the restored store has never seen the certificate.
    let body = json!({ "csr": csr(&kiosk.key) });
    let url = town.url("/v1-draft/device/certificate");
    let renewed: api::Enrolled = read(
        kiosk
            .client
            .post(url)
            .json_body(&body)
            .send()
            .await
            .unwrap(),
        200,
    )
    .await;
    town.stop().await;
    let dir = tempfile::TempDir::new().unwrap();
    hub::restore(dir.path(), &saved).unwrap();
    assert!(
        hub::restore(dir.path(), &saved).is_err(),
        "never over another"
    );
    std::fs::remove_file(dir.path().join("hub.db")).unwrap();
    hub::restore(dir.path(), &saved).unwrap();
    let other = tempfile::TempDir::new().unwrap();
    std::fs::write(other.path().join("ca.key"), "another's").unwrap();
    let error = hub::restore(other.path(), &saved).unwrap_err().to_string();
    assert!(error.contains("ca.key"), "{error}");
    assert!(!other.path().join("hub.db").exists());
    let town = Town::start_in(dir, hub::Options::default()).await;
    let client = town.client(Some(&identity(&kiosk.key, &renewed.certificate)));
    let told = client
        .get(town.url("/v1-draft/device/meetings"))
        .send()
        .await
        .unwrap();
    let told: api::DeviceMeetings = read(told, 200).await;
    assert!(told.meetings[0].key.is_some());
    let epoch = Epoch([1; 16]);
    let position = client.get(town.url(&format!("/v1-draft/device/position/{epoch}")));
    let position: api::Position = read(position.send().await.unwrap(), 200).await;
    assert_eq!(position.store.store, kiosk.enrolled.store.store);
    assert_ne!(position.store.incarnation, kiosk.enrolled.store.incarnation);
    let meeting = ask(&town, "GET", "/meetings/hop-1", &key, None).await;
    assert_eq!(meeting.status(), 200);
    town.stop().await;
}

#[tokio::test]
async fn rosters_that_no_door_could_hold_are_refused_and_sheets_change_nothing() {
    let (town, _, key) = planned().await;
    let put = async |entries: Value| {
        let body = json!({ "entries": entries });
        let answer = ask(&town, "PUT", "/meetings/hop-1/roster", &key, Some(&body)).await;
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    };
    for (entries, expect) in [
        (
            json!([{ "person": "a1", "instead_of": "a2" }, { "person": "a2" }]),
            "by which document",
        ),
        (
            json!([{ "person": "a1", "document": "x" }]),
            "only goes with",
        ),
        (
            json!([{ "person": "a1", "instead_of": "a1", "document": "x" }]),
            "for themselves",
        ),
        (
            json!([
                { "person": "a1", "instead_of": "a2", "document": "x" },
                { "person": "a2", "instead_of": "a1", "document": "x" },
            ]),
            "for each other",
        ),
        (
            json!([{ "person": "a1", "role": "guest" }, { "person": "a2", "role": "guest" }]),
            "quorum",
        ),
    ] {
        let (status, text) = put(entries.clone()).await;
        assert_eq!(status, 422, "{entries}: {text}");
        assert!(text.contains(expect), "{entries}: {text}");
    }
    let odd = json!([
        { "person": "a1", "title": "", "unit": "Sở Mẫu" },
        { "person": "a2", "title": "Bà", "instead_of": "a1", "document": "Số 1" },
    ]);
    let (status, before) = put(odd).await;
    assert_eq!(status, 200, "{before}");
    let url = town.url("/v1-draft/meetings/hop-1/roster");
    let client = town.client(None);
    let sheet = client
        .get(&url)
        .bearer_auth(&key)
        .header("accept", "text/csv");
    let sheet = sheet.send().await.unwrap().text().await.unwrap();
    let again = client
        .put(&url)
        .bearer_auth(&key)
        .header("content-type", "text/csv");
    let again = again
        .body(sheet)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(again, before);
    town.stop().await;
}

#[tokio::test]
async fn a_key_has_few_streams_and_two_credentials_are_none() {
    let (town, _, key) = planned().await;
    let client = town.client(None);
    let url = town.url("/v1-draft/records/live");
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut stream = client.get(&url).bearer_auth(&key).send().await.unwrap();
        let begun = stream.chunk().await.unwrap().unwrap();
        assert!(begun.starts_with(b"id: "), "{begun:?}");
        open.push(stream);
    }
    let fifth = client.get(&url).bearer_auth(&key).send().await.unwrap();
    assert_eq!(fifth.status(), 429);
    assert!(fifth.headers().contains_key("retry-after"));
    drop(open);
    let two = client.get(town.url("/v1-draft/rooms")).bearer_auth(&key);
    let two = two
        .header("authorization", "Bearer other")
        .send()
        .await
        .unwrap();
    assert_eq!(two.status(), 400);
    town.stop().await;
}
