//! The hub's authority is replaced while doors are at work, asleep, and not enrolled yet.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::city::Hub;
use crate::door::{Door, wait_until};

/// How many authorities a door believes.
fn believed(door: &Door) -> usize {
    let identity = fs::read(door.path("var/syncd/identity.json")).unwrap();
    let identity: Value = serde_json::from_slice(&identity).unwrap();
    let authorities = identity["enrolled"]["authorities"].as_str().unwrap();
    authorities.matches("BEGIN CERTIFICATE").count()
}

/// The hub, told at once, has read its authorities again.
fn follow(hub: &Hub) {
    let count = || hub.log().matches("authorities were read anew").count();
    let before = count();
    hub.signal(Signal::HUP);
    wait_until("the hub follows", || count() > before);
}

fn renewals(door: &Door) -> usize {
    let log = fs::read_to_string(door.path("log")).unwrap();
    log.matches("the certificate was renewed").count()
}

#[test]
fn no_door_loses_its_way_when_the_hub_s_authority_is_replaced() {
    let mut hub = Hub::new();
    hub.serve("");
    let sleeper_token = hub.admin("device kiosk-2 --organisation mau --room G1");
    let late_token = hub.admin("device kiosk-3 --organisation mau --room G1");
    let mut awake = Door::enrolled(&hub.url, &hub.token());
    let mut sleeper = Door::enrolled(&hub.url, &sleeper_token);
    assert_eq!((believed(&awake), believed(&sleeper)), (1, 1));

    hub.admin("authority begin");
    follow(&hub);
    awake.write_records(2);
    awake.start();
    wait_until("the next authority is known", || believed(&awake) == 2);
    awake.wait_for_peace();
    let behind = hub.admin("authority status");
    assert!(
        behind.contains("kiosk-2\tbehind") && !behind.contains("kiosk-thu"),
        "{behind}"
    );
    assert!(hub.refused("authority switch").contains("kiosk-2"));

    hub.admin("authority switch --force");
    follow(&hub);
    // Served anew, so that the door that is awake must shake hands with the new authority's server.
    hub.stop();
    hub.serve("");
    awake.write_records(2);
    awake.wait_for_peace();
    // Who slept through it, and who holds a token of before, knows the hub by its voucher.
    sleeper.start();
    wait_until("the sleeper renews", || renewals(&sleeper) == 1);
    sleeper.wait_for_peace();
    assert_eq!(believed(&sleeper), 2);
    let late = Door::enrolled(&hub.url, &late_token);
    assert_eq!(believed(&late), 2);

    // The one that is awake has a certificate of the former authority still.
    assert!(hub.refused("authority finish").contains("kiosk-thu"));
    awake.stop();
    awake.start();
    wait_until("it renews", || renewals(&awake) == 1);
    awake.wait_for_peace();
    hub.admin("authority finish");
    follow(&hub);
    hub.stop();
    hub.serve("");
    for door in [&mut awake, &mut sleeper] {
        door.stop();
        door.start();
        door.wait_for_peace();
        door.stop();
    }
    assert_eq!(awake.acknowledged(), 4);
    hub.stop();
}

#[test]
fn the_public_file_of_authorities_is_never_half_there() {
    let hub = Hub::new();
    let path = hub.path("data/ca.pem");
    let whole = fs::read(&path).unwrap();
    // Many commands at once write it, and whoever reads it meanwhile finds it whole.
    let mut commands: Vec<_> = (0..4)
        .map(|_| {
            let mut command: Command = hub.command("hub admin --data data keys --organisation mau");
            fs::remove_file(&path).ok();
            command.stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    while commands
        .iter_mut()
        .any(|command| command.try_wait().unwrap().is_none())
    {
        if let Ok(found) = fs::read(&path) {
            assert_eq!(found, whole);
        }
    }
    assert_eq!(fs::read(&path).unwrap(), whole);
}
