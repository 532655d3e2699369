//! Both places where rosters lie: `local.db`, which this kiosk's own commands write, and `city.db`,
//! which the daemon writes. Where both have a meeting, the city's counts.
//!
//! Looking whether anything changed is cheap; reading is done only when something did. Nothing is
//! written here.

use std::path::PathBuf;
use std::sync::Arc;

use credential::{Keyring, Refused};
use ledger::{
    CityMeeting, CityReader, EnrolmentSummary, LedgerErrorKind, LocalReader, References,
    RosterSummary, StoreError, SubstituteRight,
};
use seal::KeyStoreError;
use vocabulary::{DeviceId, FeatureSpace, MeetingId, OrganisationId, Roster, WallTime};

use crate::config::{Config, Data};
use crate::keys;

/// How often a roster is read again that was replaced while it was being read.
const READS_MAX: usize = 3;

/// Why rosters cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RostersError {
    /// The device's key.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// One of the files.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RostersError {
    /// What kind of failure of a file it is, if it is one.
    pub fn kind(&self) -> Option<LedgerErrorKind> {
        match self {
            Self::Store(StoreError::Database(error)) => Some(error.kind()),
            Self::Store(_) | Self::Key(_) => None,
        }
    }
}

/// Who brought a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroughtBy {
    /// A command of this kiosk.
    Local,
    /// The city.
    City,
}

/// A roster that is here.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The roster.
    pub summary: RosterSummary,
    /// Whether the secretary closed the meeting.
    pub closed: bool,
    /// Who brought it.
    pub brought_by: BroughtBy,
}

/// A meeting's roster with what is of the same generation.
#[derive(Debug)]
pub struct Loaded {
    /// The roster.
    pub roster: Roster,
    /// Its references in one feature space.
    pub references: References,
    /// Who may attend for whom. Only the city says so.
    pub substitutes: Vec<SubstituteRight>,
    /// Whether the city sent references in other feature spaces only.
    pub only_elsewhere: bool,
}

/// By which it is seen whether anything changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    opened: u64,
    local: Option<i64>,
    city: Option<i64>,
}

/// The rosters of this kiosk.
pub struct Rosters {
    data: Data,
    city_path: Option<PathBuf>,
    device: DeviceId,
    local: Option<LocalReader>,
    city: Option<CityReader>,
    /// How many times a file was opened: versions compare only within one opening.
    opened: u64,
}

impl Rosters {
    /// The rosters that the configuration names. Files that are not there yet are opened when they
    /// are.
    pub fn new(config: &Config) -> Self {
        Self {
            data: config.data.clone(),
            city_path: config.city.database().cloned(),
            device: config.device.id.clone(),
            local: None,
            city: None,
            opened: 0,
        }
    }

    /// Whether no file of rosters is here at all.
    pub fn is_none_here(&self) -> bool {
        let city = self.city_path.as_ref();
        !self.data.local().exists() && !city.is_some_and(|path| path.exists())
    }

    /// A value that is another one after every change.
    pub fn version(&mut self) -> Result<Version, RostersError> {
        self.again(|rosters| {
            Ok(Version {
                opened: rosters.opened,
                local: rosters
                    .local
                    .as_ref()
                    .map(LocalReader::version)
                    .transpose()?,
                city: rosters.city.as_ref().map(CityReader::version).transpose()?,
            })
        })
    }

    /// All rosters, the earliest meeting first.
    pub fn list(&mut self) -> Result<Vec<Listed>, RostersError> {
        self.again(|rosters| {
            let mut listed = Vec::new();
            if let Some(city) = &rosters.city {
                listed.extend(city.meetings()?.into_iter().map(|meeting| Listed {
                    summary: meeting.summary,
                    closed: meeting.closed,
                    brought_by: BroughtBy::City,
                }));
            }
            if let Some(local) = &rosters.local {
                let of_city = listed.len();
                for summary in local.rosters()? {
                    let id = &summary.meeting.id;
                    if listed[..of_city]
                        .iter()
                        .all(|of| of.summary.meeting.id != *id)
                    {
                        listed.push(Listed {
                            summary,
                            closed: false,
                            brought_by: BroughtBy::Local,
                        });
                    }
                }
            }
            listed.sort_by(|a, b| {
                let key =
                    |of: &Listed| (of.summary.meeting.starts_at, of.summary.meeting.id.clone());
                key(a).cmp(&key(b))
            });
            Ok(listed)
        })
    }

    /// The roster of a meeting, where there is one.
    pub fn roster(&mut self, meeting: &MeetingId) -> Result<Option<Roster>, RostersError> {
        self.again(|rosters| rosters.read_roster(meeting))
    }

    /// The roster of a meeting, its references in one feature space and its substitutes, of one
    /// generation.
    pub fn load(
        &mut self,
        meeting: &MeetingId,
        space: &FeatureSpace,
    ) -> Result<Option<Loaded>, RostersError> {
        let mut reads = 0;
        loop {
            let before = self.version()?;
            let loaded = self.again(|rosters| {
                let Some(roster) = rosters.read_roster(meeting)? else {
                    return Ok(None);
                };
                let references = rosters.read_references(meeting, space)?;
                let (substitutes, spaces) = match &rosters.city {
                    Some(city) => (city.substitutes(meeting)?, city.spaces(meeting)?),
                    None => (Vec::new(), Vec::new()),
                };
                Ok(Some(Loaded {
                    only_elsewhere: !spaces.is_empty() && !spaces.contains(space),
                    roster,
                    references,
                    substitutes,
                }))
            })?;
            reads += 1;
            if reads == READS_MAX || self.version()? == before {
                return Ok(loaded);
            }
        }
    }

    /// Who is enrolled on this kiosk itself, with what was measured on each portrait. Of those whom
    /// the city enrolled, it keeps that.
    pub fn enrolments(
        &mut self,
        organisation: &OrganisationId,
    ) -> Result<Vec<EnrolmentSummary>, RostersError> {
        self.again(|rosters| match &rosters.local {
            Some(local) => Ok(local.enrolments(organisation)?),
            None => Ok(Vec::new()),
        })
    }

    /// The feature spaces in which the people of each meeting that the city sent have references:
    /// of those that are not closed and not over, the next one first.
    pub fn spaces_ahead(&mut self, now: WallTime) -> Result<Vec<Vec<FeatureSpace>>, RostersError> {
        self.again(|rosters| {
            let Some(city) = &rosters.city else {
                return Ok(Vec::new());
            };
            let ahead = |of: &CityMeeting| !of.closed && of.summary.meeting.ends_at > now;
            let meetings = city.meetings()?.into_iter().filter(ahead);
            meetings
                .map(|of| city.spaces(&of.summary.meeting.id))
                .collect()
        })
    }

    /// The keys whose invitations are valid at a meeting, and what came as one and is none. Only
    /// the city brings keys: a meeting of this kiosk's own commands has none.
    pub fn keyring(
        &mut self,
        meeting: &MeetingId,
    ) -> Result<(Keyring, Vec<Refused>), RostersError> {
        self.again(|rosters| {
            let keys = match &rosters.city {
                Some(city) => city.invitation_keys(meeting)?,
                None => Vec::new(),
            };
            Ok(Keyring::of(keys))
        })
    }

    fn read_roster(&self, meeting: &MeetingId) -> Result<Option<Roster>, StoreError> {
        if let Some(city) = &self.city
            && let Some(roster) = city.roster(meeting)?
        {
            return Ok(Some(roster));
        }
        match &self.local {
            Some(local) => local.roster(meeting),
            None => Ok(None),
        }
    }

    fn read_references(
        &self,
        meeting: &MeetingId,
        space: &FeatureSpace,
    ) -> Result<References, StoreError> {
        let unknown = || StoreError::UnknownMeeting(meeting.clone());
        if let Some(city) = &self.city {
            match city.references(meeting, space) {
                Err(StoreError::UnknownMeeting(_)) => {}
                found => return found,
            }
        }
        let local = self.local.as_ref().ok_or_else(unknown)?;
        local.references(meeting, space)
    }

    /// Reads, and once more from files opened anew where somebody began to write one meanwhile.
    fn again<T>(
        &mut self,
        read: impl Fn(&Self) -> Result<T, StoreError>,
    ) -> Result<T, RostersError> {
        self.open()?;
        match read(self) {
            Err(StoreError::Database(error)) if error.kind() == LedgerErrorKind::Locked => {
                self.open()?;
                Ok(read(self)?)
            }
            read => Ok(read?),
        }
    }

    /// Opens what is there and not open, and what is not the same file any more.
    fn open(&mut self) -> Result<(), RostersError> {
        if self.local.as_ref().is_some_and(|local| !local.is_current()) {
            self.local = None;
        }
        if self.city.as_ref().is_some_and(|city| !city.is_current()) {
            self.city = None;
        }
        let local = self.data.local();
        if self.local.is_none() && local.exists() {
            let keys = Arc::new(keys::open(&self.data)?);
            self.local = Some(LocalReader::open(&local, &self.device, keys)?);
            self.opened += 1;
        }
        if let Some(city) = &self.city_path
            && self.city.is_none()
            && city.exists()
        {
            let keys = Arc::new(keys::open(&self.data)?);
            self.city = Some(CityReader::open(city, &self.device, keys)?);
            self.opened += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ledger::{CityRoster, CityStore, LocalStore, Put};
    use seal::KeyId;
    use vocabulary::{
        Attendance, Delegate, Digest, Meeting, OrganisationId, PersonId, Role, RoomId, RosterEntry,
    };

    use super::*;

    struct Fixture {
        _directory: tempfile::TempDir,
        config: Config,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let mut config = Config::default();
            config.data.directory = directory.path().to_owned();
            config.city.database = directory.path().join("city.db");
            keys::open_or_create(&config.data).unwrap();
            Self {
                _directory: directory,
                config,
            }
        }

        fn city(&self) -> CityStore {
            CityStore::open(&self.config.city.database).unwrap()
        }

        fn import(&self, roster: &Roster) {
            let keys = Arc::new(keys::open(&self.config.data).unwrap());
            let path = self.config.data.local();
            let mut store = LocalStore::open(&path, &self.config.device.id, keys).unwrap();
            store.put_roster(roster, WallTime(1)).unwrap();
        }
    }

    fn roster(id: &str, generation: u64, starts_ms: i64) -> Roster {
        let meeting = Meeting {
            id: MeetingId::new(id).unwrap(),
            organisation: OrganisationId::new("mau").unwrap(),
            room: RoomId::new("A").unwrap(),
            doors: Vec::new(),
            title: "Họp".to_owned(),
            starts_at: WallTime(starts_ms),
            ends_at: WallTime(starts_ms + 1000),
            zone: "Asia/Ho_Chi_Minh".to_owned(),
            quorum: None,
        };
        let entry = RosterEntry {
            delegate: Delegate {
                person: PersonId::new("p-1").unwrap(),
                name: "Mẫu".to_owned(),
                title: String::new(),
                unit: String::new(),
            },
            role: Role::Member,
            attendance: Attendance::FaceOrCode,
        };
        Roster::new(meeting, generation, vec![entry]).unwrap()
    }

    fn sent(roster: Roster) -> CityRoster {
        CityRoster {
            roster,
            key: KeyId([1; 16]),
            references: Vec::new(),
            invitation_keys: Vec::new(),
            substitutes: Vec::new(),
            citizen_cards: Vec::new(),
        }
    }

    fn shown(rosters: &mut Rosters) -> Vec<(String, u64, BroughtBy, bool)> {
        let listed = rosters.list().unwrap().into_iter().map(|of| {
            let summary = of.summary;
            let id = summary.meeting.id.to_string();
            (id, summary.generation, of.brought_by, of.closed)
        });
        listed.collect()
    }

    #[test]
    fn the_keys_of_a_meeting_come_with_its_roster_and_go_with_it() {
        let fixture = Fixture::new();
        let mut rosters = Rosters::new(&fixture.config);
        let id = MeetingId::new("early").unwrap();
        assert!(rosters.keyring(&id).unwrap().0.is_empty());
        let mut sent = sent(roster("early", 1, 1000));
        let good = credential::SigningKey::from_seed(&[3; 32]).public();
        let mut weak = [0; 32];
        weak[0] = 1;
        sent.invitation_keys = vec![good.to_bytes(), weak];
        fixture.city().put_roster(&sent, WallTime(2)).unwrap();
        let (keyring, refused) = rosters.keyring(&id).unwrap();
        assert_eq!(keyring.key(&good.name()), Ok(&good));
        assert_eq!((keyring.len(), refused.len()), (1, 1));
        sent.roster = roster("early", 2, 1000);
        sent.invitation_keys.clear();
        fixture.city().put_roster(&sent, WallTime(3)).unwrap();
        let (keyring, _) = rosters.keyring(&id).unwrap();
        let unknown = keyring.key(&good.name()).unwrap_err();
        assert!(unknown.to_string().contains(&good.name()), "{unknown}");
    }

    #[test]
    fn both_places_are_one_list_and_changes_are_seen_by_the_version() {
        let fixture = Fixture::new();
        let mut rosters = Rosters::new(&fixture.config);
        assert!(rosters.is_none_here());
        assert_eq!(shown(&mut rosters), []);
        let mut versions = vec![rosters.version().unwrap()];
        let mut changed = |rosters: &mut Rosters| {
            let version = rosters.version().unwrap();
            assert_eq!(rosters.version().unwrap(), version, "nothing changed since");
            assert!(!versions.contains(&version), "{version:?} in {versions:?}");
            versions.push(version);
        };
        fixture.import(&roster("late", 1, 9000));
        changed(&mut rosters);
        let late = || ("late".to_owned(), 1, BroughtBy::Local, false);
        assert_eq!(shown(&mut rosters), [late()]);
        let mut city = fixture.city();
        city.put_roster(&sent(roster("early", 3, 1000)), WallTime(2))
            .unwrap();
        changed(&mut rosters);
        let early = |generation, closed| ("early".to_owned(), generation, BroughtBy::City, closed);
        assert_eq!(shown(&mut rosters), [early(3, false), late()]);
        fixture.import(&roster("early", 9, 1000));
        changed(&mut rosters);
        assert_eq!(
            shown(&mut rosters),
            [early(3, false), late()],
            "the city's counts"
        );
        city.put_roster(&sent(roster("early", 4, 1000)), WallTime(3))
            .unwrap();
        changed(&mut rosters);
        let space = FeatureSpace::new("x", Digest([1; 32]));
        let id = MeetingId::new("early").unwrap();
        let loaded = rosters.load(&id, &space).unwrap().unwrap();
        assert_eq!(loaded.roster.generation(), 4);
        city.close(&id, 5).unwrap();
        changed(&mut rosters);
        assert_eq!(shown(&mut rosters), [early(4, true), late()]);
        let taken = city.withdraw(&id, 6).unwrap();
        assert_eq!(taken, Put::Taken);
        changed(&mut rosters);
        let own = ("early".to_owned(), 9, BroughtBy::Local, false);
        assert_eq!(shown(&mut rosters), [own, late()]);
    }
}
