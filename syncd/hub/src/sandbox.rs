//! An invented city, so that an integrator builds against the API without the city: rooms, people
//! with plainly made-up names, meetings around now, and keys. Nobody in it exists; the templates
//! are random directions and resemble no face.

use std::fmt;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use vocabulary::{
    Attendance, DeviceId, Digest, DoorId, FeatureSpace, IdError, MeetingId, OrganisationId,
    PersonId, ReferenceId, Role, RoomId, Template, TemplateError, WallTime,
};

use crate::admin::{self, AdminError};
use crate::enrol::{self, NewReference};
use crate::hub::Hub;
use crate::model::{Entry, KeyRole, MeetingPlan, MeetingState, Origin, PersonDetails};
use crate::store::StoreError;

/// The invented city's id.
pub const ORGANISATION: &str = "thanh-pho-mau";

/// Its one device.
pub const DEVICE: &str = "cua-mau-1";

/// The feature space of the comparer that this project comes with, so that a kiosk takes the
/// sandbox's rosters as they are.
const SPACE_NAME: &str = "sface-2021dec";
const SPACE_DIGEST: &str = "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee";

/// Values of a template of that space.
const TEMPLATE_VALUES: usize = 128;

const FAMILIES: [&str; 6] = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ"];
const GIVEN: [&str; 5] = [
    "Văn Mẫu",
    "Thị Thí Dụ",
    "Văn Giả Định",
    "Thị Tưởng Tượng",
    "Văn Thử Nghiệm",
];
const UNITS: [&str; 3] = ["Sở Thí Dụ", "Ban Giả Định", "Văn phòng Mẫu"];

/// How long a token of the sandbox is good.
const SANDBOX_TOKEN_LASTS: Duration = Duration::from_secs(24 * 3600);

/// What an integrator needs to begin. Secrets are told once, when they are made.
#[derive(Debug)]
pub struct Sandbox {
    /// The city.
    pub organisation: OrganisationId,
    /// The secrets, when the city was made just now.
    pub secrets: Option<Secrets>,
    /// The meetings, in order of their beginning.
    pub meetings: Vec<MeetingId>,
}

/// The secrets of a new sandbox.
#[derive(Debug)]
pub struct Secrets {
    /// A key for a program that puts meetings and reads rolls.
    pub integrator: String,
    /// A key for whoever holds the meetings.
    pub secretary: String,
    /// A key for whoever runs the hub.
    pub operator: String,
    /// A token to enrol [`DEVICE`] with.
    pub token: String,
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "organisation  {}", self.organisation)?;
        for meeting in &self.meetings {
            writeln!(f, "meeting       {meeting}")?;
        }
        match &self.secrets {
            Some(secrets) => {
                writeln!(f, "integrator    {}", secrets.integrator)?;
                writeln!(f, "secretary     {}", secrets.secretary)?;
                writeln!(f, "operator      {}", secrets.operator)?;
                writeln!(
                    f,
                    "token         {} (for the device {DEVICE})",
                    secrets.token
                )?;
                writeln!(f, "The keys and the token are shown this once.")
            }
            None => writeln!(f, "The keys were shown when the sandbox was made."),
        }
    }
}

/// Why the sandbox was not filled.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The hub has an organisation that nobody invented.
    #[error(
        "this hub has the organisation {0}, so it is a city's own; make a sandbox in a directory \
         of its own"
    )]
    RealCity(OrganisationId),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A command did not do it.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// An invented id is none.
    #[error("an invented id is none")]
    Id(#[from] IdError),
    /// An invented template is none.
    #[error("an invented template is none")]
    Template(#[from] TemplateError),
}

/// Fills a hub with the invented city, and moves its meetings to around now. Doing it again makes
/// nothing twice. A hub that has organisations and is no sandbox is left as it is.
///
/// # Errors
/// [`SandboxError`] says why not.
pub fn fill(hub: &Hub) -> Result<Sandbox, SandboxError> {
    let organisation = OrganisationId::new(ORGANISATION)?;
    let is_new = hub.store().organisation(&organisation)?.is_none();
    if is_new && let Some(other) = hub.store().organisations()?.pop() {
        return Err(SandboxError::RealCity(other.id));
    }
    admin::put_organisation(hub, organisation.clone(), "Thành phố Mẫu (thử nghiệm)")?;
    for (room, name, doors) in [
        ("phong-a", "Phòng họp A (mẫu)", ["A1", "A2"].as_slice()),
        ("phong-b", "Phòng họp B (mẫu)", ["B1"].as_slice()),
    ] {
        let doors: Result<_, IdError> = doors.iter().map(|door| DoorId::new(door)).collect();
        admin::put_room(hub, &organisation, RoomId::new(room)?, name, doors?)?;
    }
    let people = people(hub, &organisation)?;
    let meetings = meetings(hub, &organisation, &people)?;
    let device = DeviceId::new(DEVICE)?;
    let secrets = if is_new {
        let door = [DoorId::new("A1")?];
        admin::put_device(hub, &organisation, &device, &RoomId::new("phong-a")?, &door)?;
        let key = |role, label| admin::new_key(hub, &organisation, role, None, label);
        Some(Secrets {
            integrator: key(KeyRole::Integrator, "sandbox")?,
            secretary: key(KeyRole::Secretary, "sandbox")?,
            operator: key(KeyRole::Operator, "sandbox")?,
            token: admin::new_token(hub, &device, SANDBOX_TOKEN_LASTS)?,
        })
    } else {
        None
    };
    Ok(Sandbox {
        organisation,
        secrets,
        meetings,
    })
}

/// Puts the invented people: two of them are namesakes, and the last has no reference.
fn people(hub: &Hub, organisation: &OrganisationId) -> Result<Vec<PersonId>, SandboxError> {
    let space = FeatureSpace::new(
        SPACE_NAME,
        Digest::from_hex(SPACE_DIGEST).expect("the digest is 64 hexadecimal digits"),
    );
    let mut names: Vec<String> = FAMILIES
        .iter()
        .flat_map(|family| GIVEN.iter().map(move |given| format!("{family} {given}")))
        .collect();
    names.push(names[0].clone());
    names.push("Đỗ Chưa Có Ảnh".to_owned());
    let last = names.len() - 1;
    let mut ids = Vec::with_capacity(names.len());
    for (index, name) in names.into_iter().enumerate() {
        let details = PersonDetails {
            id: PersonId::new(&format!("CB-{:04}", index + 1))?,
            title: if name.contains("Thị") {
                "Bà"
            } else {
                "Ông"
            }
            .to_owned(),
            name,
            unit: UNITS[index % UNITS.len()].to_owned(),
        };
        let (_, person) = hub.store().put_person(organisation, &details, hub.now())?;
        if index != last {
            let values = direction(index);
            let content: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let new = NewReference {
                id: &ReferenceId::new("mau")?,
                templates: &[Template::normalise(space.clone(), &values)?],
                origin: Origin::Template,
                quality: None,
                content: &content,
            };
            enrol::keep(hub, organisation, &person, &new, hub.now())?;
        }
        ids.push(details.id);
    }
    Ok(ids)
}

/// A random direction, the same for the same number: sums of evenly distributed values, which are
/// near enough to a bell curve that no direction is preferred.
fn direction(number: usize) -> Vec<f32> {
    (0..TEMPLATE_VALUES)
        .map(|value| {
            let bytes = Sha256::digest(format!("diemdanh sandbox {number} {value}"));
            let sum: f32 = bytes.iter().map(|byte| f32::from(*byte) - 127.5).sum();
            sum / 1000.0
        })
        .collect()
}

/// The invented meetings: id, title, room, and from when until when in minutes from now.
const MEETINGS: [(&str, &str, &str, i64, i64); 4] = [
    (
        "mau-hom-qua",
        "Họp mẫu hôm qua",
        "phong-b",
        -24 * 60,
        -22 * 60,
    ),
    ("mau-dang-hop", "Họp mẫu đang diễn ra", "phong-a", -30, 150),
    ("mau-sap-hop", "Họp mẫu sắp diễn ra", "phong-b", 60, 180),
    (
        "mau-ngay-mai",
        "Họp mẫu ngày mai",
        "phong-a",
        24 * 60,
        26 * 60,
    ),
];

fn meetings(
    hub: &Hub,
    organisation: &OrganisationId,
    people: &[PersonId],
) -> Result<Vec<MeetingId>, SandboxError> {
    let now = hub.now();
    let at = |minutes: i64| WallTime(now.0.saturating_add(minutes * 60_000));
    let mut ids = Vec::new();
    for (id, title, room, from, until) in MEETINGS {
        let id = MeetingId::new(id)?;
        ids.push(id.clone());
        let found = hub.store().meeting(organisation, &id)?;
        if found.is_some_and(|meeting| meeting.state == MeetingState::Closed) {
            continue;
        }
        let plan = MeetingPlan {
            id: id.clone(),
            title: title.to_owned(),
            room: RoomId::new(room)?,
            doors: Vec::new(),
            starts_at: at(from),
            ends_at: at(until),
            zone: "Asia/Ho_Chi_Minh".to_owned(),
            quorum: None,
        };
        let store = hub.store();
        store.put_meeting(organisation, &plan, hub.sealing(), now)?;
        store.put_roster(organisation, &id, &roster(people), hub.sealing(), now)?;
    }
    Ok(ids)
}

/// Everybody; every tenth is a guest, the third comes in place of the second, and the last, who
/// has no reference, by a code.
fn roster(people: &[PersonId]) -> Vec<Entry> {
    let last = people.len().saturating_sub(1);
    let entry = |(index, person): (usize, &PersonId)| {
        let is_substitute = index == 2;
        Entry {
            person: person.clone(),
            title: None,
            unit: None,
            role: if index % 10 == 9 {
                Role::Guest
            } else {
                Role::Member
            },
            attendance: if index == last {
                Attendance::CodeOnly
            } else {
                Attendance::FaceOrCode
            },
            instead_of: is_substitute.then(|| people[1].clone()),
            document: is_substitute.then(|| "Giấy ủy quyền mẫu số 1".to_owned()),
        }
    };
    people.iter().enumerate().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use crate::hub::Options;

    use super::*;

    #[test]
    fn a_city_of_its_own_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let hub = Hub::open(dir.path(), Options::default()).unwrap();
        let real = OrganisationId::new("so-that").unwrap();
        admin::put_organisation(&hub, real.clone(), "Sở Thật").unwrap();
        let refused = fill(&hub).unwrap_err();
        assert!(matches!(refused, SandboxError::RealCity(id) if id == real));
        assert_eq!(hub.store().organisations().unwrap().len(), 1);
        assert!(hub.store().rooms(&real).unwrap().is_empty());
    }

    #[test]
    fn invented_faces_resemble_nobody() {
        let space = FeatureSpace::new(SPACE_NAME, Digest::from_hex(SPACE_DIGEST).unwrap());
        let template = |n| Template::normalise(space.clone(), &direction(n)).unwrap();
        let first = template(0);
        assert_eq!(first, template(0));
        for number in 1..32 {
            let score = first.compare(&template(number)).unwrap().value();
            assert!(score.abs() < 0.35, "{number}: {score}");
        }
    }
}
