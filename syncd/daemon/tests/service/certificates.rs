//! A hub that shows an operator's certificate, and what doors make of it.

use std::fs;

use rustix::process::Signal;

use crate::authority::Authority;
use crate::city::Hub;
use crate::door::{Door, wait_until};

const PAIR: &str = "--certificate hub.pem --key hub.key.pem";

/// A hub that shows a certificate of this authority's.
fn hub_of(city: &Authority, algorithm: &'static rcgen::SignatureAlgorithm) -> Hub {
    let mut hub = Hub::new();
    let (chain, key) = (hub.path("hub.pem"), hub.path("hub.key.pem"));
    city.write_pair(&chain, &key, algorithm, -1..30);
    hub.serve(PAIR);
    hub
}

#[test]
fn a_door_knows_a_hub_with_a_city_s_certificate_by_its_token_alone() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_RSA_SHA256] {
        let city = Authority::new("a city");
        let mut hub = hub_of(&city, algorithm);
        let mut door = Door::enrolled(&hub.url, &hub.token());
        door.write_records(3);
        door.start();
        door.wait_for_peace();
        door.stop();
        assert_eq!(door.acknowledged(), 3);
        hub.stop();
    }
}

#[test]
fn whoever_has_a_certificate_of_the_same_city_is_not_the_hub() {
    let city = Authority::new("a city");
    let (hub, other) = (
        hub_of(&city, &rcgen::PKCS_ECDSA_P256_SHA256),
        hub_of(&city, &rcgen::PKCS_ECDSA_P256_SHA256),
    );
    let door = Door::new(&other.url, "");
    let (status, said) = door.run(&["enrol", "--token", &hub.token()]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("is not the hub"), "{said}");
    // An operator who configures the city's authority lets every server of it in, but not to be
    // the hub that made the token.
    let root = door.path("city.pem");
    fs::write(&root, city.root_pem()).unwrap();
    door.configure(&other.url, &format!("authorities = \"{}\"", root.display()));
    let token = hub.token();
    let (status, said) = door.run(&["enrol", "--token", &token]);
    assert_eq!(status, 1, "{said}");
    assert!(!door.path("var/syncd/identity.json").exists());
    door.configure(&hub.url, &format!("authorities = \"{}\"", root.display()));
    door.enrol(&token);
}

#[test]
fn a_certificate_is_read_again_without_a_restart() {
    let city = Authority::new("a city");
    let mut hub = hub_of(&city, &rcgen::PKCS_ECDSA_P256_SHA256);
    let mut door = Door::enrolled(&hub.url, &hub.token());
    let (chain, key) = (hub.path("hub.pem"), hub.path("hub.key.pem"));
    // What is no pair is left alone, and said.
    fs::write(&chain, "none").unwrap();
    hub.signal(Signal::HUP);
    wait_until("a refusal in the log", || {
        hub.log().contains("no certificate")
    });
    let (status, said) = door.run(&["enrol", "--again", "--token", &hub.token()]);
    assert_eq!(status, 0, "{said}");
    // Another authority, as when a city changes its supplier: the door does not mind.
    let other = Authority::new("another city");
    other.write_pair(&chain, &key, &rcgen::PKCS_ECDSA_P256_SHA256, -1..30);
    hub.signal(Signal::HUP);
    wait_until("a renewal in the log", || hub.log().contains("was renewed"));
    door.write_records(1);
    door.start();
    door.wait_for_peace();
    door.stop();
    hub.stop();
}

#[test]
fn a_certificate_that_has_ended_is_told_as_what_it_is() {
    let city = Authority::new("a city");
    let mut hub = hub_of(&city, &rcgen::PKCS_ECDSA_P256_SHA256);
    let mut door = Door::enrolled(&hub.url, &hub.token());
    for (days, said) in [(-9..-1, "has expired"), (2..9, "is not valid yet")] {
        let (chain, key) = (hub.path("hub.pem"), hub.path("hub.key.pem"));
        city.write_pair(&chain, &key, &rcgen::PKCS_ECDSA_P256_SHA256, days);
        hub.stop();
        hub.serve(PAIR);
        door.configure(&hub.url, "");
        door.start();
        door.wait_for_trouble(said);
        assert!(
            !door
                .troubles()
                .iter()
                .any(|trouble| trouble.contains("is not the hub"))
        );
        door.stop();
    }
    assert!(
        hub.log()
            .contains("the certificate that the hub shows has expired")
    );
}

#[test]
fn what_cannot_be_shown_keeps_a_hub_from_starting() {
    let hub = Hub::new();
    let arguments = format!("hub serve --data data --listen 127.0.0.1:0 {PAIR}");
    let output = hub.command(&arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("hub.key.pem"), "{said}");
}
