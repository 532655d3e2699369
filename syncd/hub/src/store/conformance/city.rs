//! A small made-up city in a store: one organisation, two rooms, three doors, a device.

use std::sync::Arc;

use record::SigningKey;
use seal::{
    DataKey, Document, DocumentBinding, MemoryKeyStore, Scope, SealedDocument, TemplateBinding,
    open_template, seal_document, seal_template,
};
use vocabulary::{
    Attendance, DeviceId, Digest, DoorId, FeatureSpace, MeetingId, OrganisationId, PersonId,
    ReferenceId, Role, RoomId, Template, WallTime,
};

use super::fixture::START;
use crate::model::{
    CertificateSerial, Change, DeviceCertificate, DeviceKeys, Enrolment, Entry, Meeting,
    MeetingPlan, Organisation, Origin, Person, PersonDetails, ReferenceTemplate, Room, RosterView,
    TokenUse,
};
use crate::store::{KeyStoreSealing, Store, StoreError};

/// An hour in milliseconds.
pub(super) const HOUR_MS: i64 = 3_600_000;

pub(super) struct City {
    pub(super) store: Arc<dyn Store>,
    pub(super) sealing: KeyStoreSealing,
    pub(super) organisation: OrganisationId,
    pub(super) head_key: SigningKey,
}

pub(super) fn organisation(id: &str) -> OrganisationId {
    OrganisationId::new(id).unwrap()
}

pub(super) fn meeting(id: &str) -> MeetingId {
    MeetingId::new(id).unwrap()
}

pub(super) fn person(id: &str) -> PersonId {
    PersonId::new(id).unwrap()
}

pub(super) fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

pub(super) fn door(id: &str) -> DoorId {
    DoorId::new(id).unwrap()
}

pub(super) fn room_id(id: &str) -> RoomId {
    RoomId::new(id).unwrap()
}

pub(super) fn reference(id: &str) -> ReferenceId {
    ReferenceId::new(id).unwrap()
}

pub(super) fn room(id: &str, doors: &[&str]) -> Room {
    Room {
        id: room_id(id),
        name: format!("Phòng {id}"),
        doors: doors.iter().map(|id| door(id)).collect(),
    }
}

pub(super) fn space(name: &str) -> FeatureSpace {
    FeatureSpace::new(name, Digest([name.len() as u8; 32]))
}

pub(super) fn entry(id: &str) -> Entry {
    Entry {
        person: person(id),
        title: None,
        unit: None,
        role: Role::Member,
        attendance: Attendance::FaceOrCode,
        instead_of: None,
        document: None,
    }
}

/// A meeting in room-1 that begins some hours after the first, for two hours.
pub(super) fn plan(id: &str, hours: i64) -> MeetingPlan {
    MeetingPlan {
        id: meeting(id),
        title: format!("Giao ban {id}"),
        room: room_id("room-1"),
        doors: Vec::new(),
        starts_at: WallTime(START.0 + hours * HOUR_MS),
        ends_at: WallTime(START.0 + (hours + 2) * HOUR_MS),
        zone: "Asia/Ho_Chi_Minh".to_owned(),
        quorum: None,
    }
}

impl City {
    /// With an organisation, its rooms, and kiosk-1 enrolled at door-1.
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let city = Self {
            store,
            sealing: KeyStoreSealing::new(Arc::new(MemoryKeyStore::generate().unwrap())),
            organisation: organisation("mau"),
            head_key: SigningKey::from_bytes(&[3; 32]),
        };
        let put = Organisation {
            id: city.organisation.clone(),
            name: "Cơ quan mẫu".to_owned(),
        };
        assert_eq!(
            city.store.put_organisation(&put, START).unwrap(),
            Change::Made
        );
        for room in [
            room("room-1", &["door-1", "door-2"]),
            room("room-2", &["door-3"]),
        ] {
            city.store
                .put_room(&city.organisation, &room, START)
                .unwrap();
        }
        city.put_device("kiosk-1", "room-1", "door-1");
        city.enrol("kiosk-1", 1);
        city
    }

    pub(super) fn put_device(&self, id: &str, room: &str, at: &str) -> Change {
        let doors = [door(at)];
        self.store
            .put_device(
                &self.organisation,
                &device(id),
                &room_id(room),
                &doors,
                START,
            )
            .unwrap()
    }

    /// Enrols a device by a token and a signing request that are told apart by a number.
    pub(super) fn enrol(&self, id: &str, number: u8) -> TokenUse {
        let hash = Digest([number; 32]);
        let until = WallTime(START.0 + HOUR_MS);
        self.store
            .put_token(&hash, &device(id), until, START)
            .unwrap();
        self.use_token(number, number, START)
    }

    pub(super) fn use_token(&self, token: u8, request: u8, now: WallTime) -> TokenUse {
        let keys = DeviceKeys {
            sealing: [request; 32],
            head: self.head_key.verifying_key().to_bytes(),
        };
        let hash = Digest([token; 32]);
        self.store
            .enrol_device(&hash, &keys, &certificate(request, 100), now)
            .unwrap()
    }

    pub(super) fn person(&self, id: &str, name: &str) -> Person {
        let details = PersonDetails {
            id: person(id),
            name: name.to_owned(),
            title: "Bà".to_owned(),
            unit: "Phòng mẫu".to_owned(),
        };
        let put = self.store.put_person(&self.organisation, &details, START);
        put.unwrap().1
    }

    /// Enrols a person with a template that points some way, in one space.
    pub(super) fn face(&self, id: &str, which: &str, space: &FeatureSpace, way: f32) -> Change {
        self.try_face(id, which, space, way, START).unwrap()
    }

    pub(super) fn try_face(
        &self,
        id: &str,
        which: &str,
        space: &FeatureSpace,
        way: f32,
        now: WallTime,
    ) -> Result<Change, StoreError> {
        let enrolment = Enrolment {
            id: reference(which),
            origin: Origin::Template,
            content: record::digest(&way.to_le_bytes()),
            quality: None,
            templates: vec![self.sealed_face(id, which, space, way)],
            portrait: None,
        };
        self.store.put_reference(
            &self.organisation,
            &person(id),
            &enrolment,
            &self.sealing,
            now,
        )
    }

    /// A template of a person, sealed under the organisation's key.
    pub(super) fn sealed_face(
        &self,
        id: &str,
        which: &str,
        space: &FeatureSpace,
        way: f32,
    ) -> ReferenceTemplate {
        let found = self.store.person(&self.organisation, &person(id));
        let opaque = found.unwrap().unwrap().opaque;
        let (key, scope) = self.organisation_key();
        let binding = TemplateBinding {
            scope: &scope,
            person: &opaque,
            reference: &reference(which),
            space,
        };
        let template = template(space, way);
        ReferenceTemplate {
            space: space.clone(),
            sealed: seal_template(&key, &binding, &template).unwrap(),
        }
    }

    /// A document of a person's, sealed under the organisation's key.
    pub(super) fn sealed_document(
        &self,
        person: &PersonId,
        document: Document<'_>,
        plain: &[u8],
    ) -> SealedDocument {
        let (key, scope) = self.organisation_key();
        let binding = DocumentBinding {
            scope: &scope,
            person,
            document,
        };
        seal_document(&key, &binding, plain).unwrap()
    }

    fn organisation_key(&self) -> (DataKey, Scope) {
        let scope = Scope {
            organisation: self.organisation.clone(),
            meeting: None,
        };
        let kept = self
            .store
            .organisation_key(&self.organisation, &self.sealing);
        let key = self.sealing.open(&scope, &kept.unwrap()).unwrap();
        (key, scope)
    }

    pub(super) fn put_meeting(&self, plan: &MeetingPlan) -> (Change, Meeting) {
        self.store
            .put_meeting(&self.organisation, plan, &self.sealing, START)
            .unwrap()
    }

    pub(super) fn put_roster(&self, id: &str, entries: &[Entry]) -> (Change, RosterView) {
        self.store
            .put_roster(
                &self.organisation,
                &meeting(id),
                entries,
                &self.sealing,
                START,
            )
            .unwrap()
    }

    pub(super) fn generation(&self, id: &str) -> u64 {
        let found = self.store.meeting(&self.organisation, &meeting(id));
        found.unwrap().unwrap().generation
    }

    /// A meeting's copies, opened: person, reference, and which way the template points.
    pub(super) fn copies(&self, id: &str) -> Vec<(PersonId, ReferenceId, f32)> {
        let copies = self
            .store
            .meeting_references(&self.organisation, &meeting(id))
            .unwrap();
        if copies.is_empty() {
            return Vec::new();
        }
        let scope = seal::Scope {
            organisation: self.organisation.clone(),
            meeting: Some(meeting(id)),
        };
        let key = self.meeting_key(id);
        let key = self.sealing.open(&scope, &key).unwrap();
        copies
            .into_iter()
            .map(|copy| {
                let binding = TemplateBinding {
                    scope: &scope,
                    person: &copy.person,
                    reference: &copy.reference,
                    space: &copy.space,
                };
                let template = open_template(&key, &binding, &copy.sealed).unwrap();
                let values = template.values();
                (copy.person, copy.reference, values[1].atan2(values[0]))
            })
            .collect()
    }

    /// A meeting's key as kiosk-1 would get it.
    pub(super) fn meeting_key(&self, id: &str) -> crate::model::KeptKey {
        let (from, until) = (WallTime(i64::MIN), WallTime(i64::MAX));
        let told = self
            .store
            .device_meetings(&device("kiosk-1"), from, until, START)
            .unwrap();
        let found = told
            .meetings
            .into_iter()
            .find(|one| one.meeting == meeting(id));
        found.unwrap().key.unwrap()
    }
}

/// A template of length 1 that points some way, in radians.
fn template(space: &FeatureSpace, way: f32) -> Template {
    Template::normalise(space.clone(), &[way.cos(), way.sin()]).unwrap()
}

/// A certificate told apart from others by a number, for so many hours.
pub(super) fn certificate(number: u8, hours: i64) -> DeviceCertificate {
    DeviceCertificate {
        serial: CertificateSerial(vec![number]),
        expires_at: WallTime(START.0 + hours * HOUR_MS),
        pem: format!("certificate {number}"),
        request: Digest([number; 32]),
    }
}
