//! What an operator types at the hub, and what a mistyped line must not do.

use std::process::Command;

use crate::city::Hub;

fn said(mut command: Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn a_real_city_does_not_become_a_sandbox() {
    let hub = Hub::new();
    let (done, said) = said(hub.command("hub serve --data data --listen 127.0.0.1:0 --sandbox"));
    assert!(!done, "{said}");
    assert!(
        said.contains("mau") && said.contains("directory of its own"),
        "{said}"
    );
    assert!(
        !hub.admin("devices --organisation mau")
            .contains("cua-mau-1")
    );
}

#[test]
fn meetings_are_a_table_of_all_pages() {
    let hub = Hub::new();
    let text = hub.admin("meetings --organisation mau");
    assert_eq!(text.lines().count(), 1, "{text}");
    let data = hub.path("data");
    let opened = hub::Hub::open(&data, hub::Options::default()).unwrap();
    let organisation = vocabulary::OrganisationId::new("mau").unwrap();
    let begin = hub::system_time();
    let count = wire::limits::PAGE_ITEMS_MAX as usize + 3;
    for number in 0..count {
        let plan = hub::model::MeetingPlan {
            id: vocabulary::MeetingId::new(&format!("hop-{number}")).unwrap(),
            title: "Họp thử".to_owned(),
            room: vocabulary::RoomId::new("G1").unwrap(),
            doors: Vec::new(),
            starts_at: begin,
            ends_at: vocabulary::WallTime(begin.0 + 3_600_000),
            zone: "Asia/Ho_Chi_Minh".to_owned(),
            quorum: None,
        };
        let sealing = opened.sealing();
        let put = opened
            .store()
            .put_meeting(&organisation, &plan, sealing, begin);
        put.unwrap();
    }
    drop(opened);
    let text = hub.admin("meetings --organisation mau");
    assert_eq!(text.lines().count(), 1 + count);
    let line = text.lines().nth(1).unwrap();
    for part in ["hop-", "G1", "planned", "Họp thử"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}
