//! How things are between this door and the hub, for the kiosk's screen, `syncd status` and the
//! hub's health page. In Vietnamese first, since a secretary reads it.
//!
//! It holds no names and no ids of people.

use std::collections::BTreeSet;
use std::fmt;

use vocabulary::{MeetingId, WallTime};

use crate::fate::{Later, Stop, TransportError};

/// How things are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// When the hub last answered as it should, by this device's wall clock.
    pub last_contact: Option<WallTime>,
    /// Records that the hub has not acknowledged yet; none before the ledger was first read.
    pub waiting: Option<u64>,
    /// What this device's clock shows less what the hub's shows, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Rosters that are to be fetched.
    pub rosters_waiting: usize,
    /// What does not work, each once. At most one per kind, but for rosters, of which at most
    /// [`crate::pull::MEETINGS_MAX`].
    pub troubles: BTreeSet<Trouble>,
}

/// Something that does not work. `Display` says it in English.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// The hub does not want this device; it is asked again only once an hour.
    Stopped(Stop),
    /// The certificate is over and was not renewed yet.
    CertificateExpired,
    /// The hub cannot be reached, or does not work.
    NoContact(Later),
    /// Who answers is not our hub.
    Untrusted,
    /// What comes from the hub cannot be read.
    Garbled,
    /// The hub does not understand us: the name of the operation, and its status.
    NotUnderstood(&'static str, u16),
    /// The hub is another than the one that this device was enrolled with.
    OtherStore,
    /// The hub claims to have records that this device never wrote: this card was copied, or the
    /// hub is wrong.
    HubAhead {
        /// What the hub claims.
        claimed: u64,
        /// The last record of the ledger.
        last: u64,
    },
    /// The hub has fewer records than it had acknowledged, without having been restored.
    HubForgot {
        /// What the hub claims now.
        claimed: u64,
        /// What it had acknowledged.
        acknowledged: u64,
    },
    /// Records that the hub does not take, although it takes others.
    SetAside(u64),
    /// Records that the hub keeps aside because another device writes under this one's id, or
    /// because they do not fit to each other.
    Quarantined(u64),
    /// The ledger cannot be read.
    LedgerUnreadable,
    /// `city.db` cannot be written.
    CityUnwritable,
    /// The new certificate could not be kept.
    CertificateNotKept,
    /// This meeting's roster could not be taken.
    RosterUnusable(MeetingId),
    /// The list of meetings had more than a device may be told of.
    TooManyMeetings,
    /// The clock is wrong by about so many seconds.
    ClockWrong(i64),
    /// Little space is left for records, in mebibytes.
    DiskNearlyFull(u64),
    /// The camera gives no pictures.
    NoCamera,
    /// An update or a configuration that is offered cannot be kept on the disk.
    OfferNotKept,
}

impl Trouble {
    /// The trouble in Vietnamese, for the screen.
    #[must_use]
    pub fn vietnamese(&self) -> String {
        match self {
            Self::Stopped(Stop::Unauthenticated) => {
                "Trung tâm không nhận ra thiết bị này; cần đăng ký lại".into()
            }
            Self::Stopped(Stop::Revoked) => "Thiết bị này đã bị thu hồi quyền".into(),
            Self::Stopped(Stop::Forbidden) => {
                "Trung tâm không cho phép thiết bị này đồng bộ".into()
            }
            Self::CertificateExpired => "Chứng thư của thiết bị đã hết hạn, đang gia hạn".into(),
            Self::NoContact(Later::Transport(TransportError::Proxy)) => {
                "Máy chủ ủy quyền (proxy) từ chối kết nối".into()
            }
            Self::NoContact(Later::Transport(TransportError::HubExpired)) => {
                "Chứng thư của trung tâm đã hết hạn; người quản trị trung tâm cần gia hạn".into()
            }
            Self::NoContact(Later::Transport(TransportError::HubNotYetValid)) => {
                "Chứng thư của trung tâm chưa có hiệu lực; hãy kiểm tra đồng hồ của thiết bị".into()
            }
            Self::NoContact(Later::Transport(TransportError::HubMisnamed)) => {
                "Chứng thư của trung tâm mang tên khác với địa chỉ đã cấu hình".into()
            }
            Self::NoContact(Later::Transport(
                TransportError::Unreachable
                | TransportError::TimedOut
                | TransportError::Broken
                | TransportError::Untrusted
                | TransportError::TooLarge,
            )) => "Chưa kết nối được với trung tâm".into(),
            Self::NoContact(Later::Status(status)) => {
                format!("Trung tâm tạm thời không phục vụ (mã {status})")
            }
            Self::Untrusted => "Máy chủ trả lời không phải là trung tâm đã đăng ký".into(),
            Self::Garbled => "Câu trả lời của trung tâm không đọc được".into(),
            Self::NotUnderstood(_, status) => {
                format!("Trung tâm không hiểu yêu cầu của thiết bị (mã {status})")
            }
            Self::OtherStore => "Trung tâm đã thay đổi; cần đăng ký lại thiết bị".into(),
            Self::HubAhead { .. } => {
                "Trung tâm có bản ghi mà thiết bị không có; có thể thẻ nhớ đã bị sao chép".into()
            }
            Self::HubForgot { .. } => "Trung tâm thiếu bản ghi đã xác nhận; đang gửi lại".into(),
            Self::SetAside(count) => format!("{count} bản ghi chưa được trung tâm tiếp nhận"),
            Self::Quarantined(count) => {
                format!("{count} bản ghi được trung tâm giữ riêng để kiểm tra")
            }
            Self::LedgerUnreadable => "Không đọc được sổ điểm danh trên thiết bị".into(),
            Self::CityUnwritable => "Không lưu được danh sách cuộc họp trên thiết bị".into(),
            Self::CertificateNotKept => "Không lưu được chứng thư mới của thiết bị".into(),
            Self::RosterUnusable(meeting) => {
                format!("Danh sách của cuộc họp {meeting} chưa dùng được")
            }
            Self::TooManyMeetings => "Trung tâm gửi quá nhiều cuộc họp".into(),
            Self::ClockWrong(seconds) => format!("Đồng hồ của thiết bị lệch khoảng {seconds} giây"),
            Self::DiskNearlyFull(mebibytes) => {
                format!("Bộ nhớ của thiết bị sắp đầy, còn {mebibytes} MiB")
            }
            Self::NoCamera => "Máy ảnh không hoạt động".into(),
            Self::OfferNotKept => "Không lưu được bản cập nhật được cấp cho thiết bị".into(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(Stop::Unauthenticated) => {
                f.write_str("the hub does not know this device; enrol it again")
            }
            Self::Stopped(Stop::Revoked) => f.write_str("this device was revoked"),
            Self::Stopped(Stop::Forbidden) => f.write_str("the hub does not let this device sync"),
            Self::CertificateExpired => f.write_str("the device's certificate is being renewed"),
            Self::NoContact(Later::Transport(error)) => error.fmt(f),
            Self::NoContact(Later::Status(status)) => {
                write!(f, "the hub cannot work now (status {status})")
            }
            Self::Untrusted => TransportError::Untrusted.fmt(f),
            Self::Garbled => f.write_str("what the hub answers cannot be read"),
            Self::NotUnderstood(operation, status) => {
                write!(
                    f,
                    "the hub does not understand {operation} (status {status})"
                )
            }
            Self::OtherStore => {
                f.write_str("the hub has another store than this device was enrolled with")
            }
            Self::HubAhead { claimed, last } => write!(
                f,
                "the hub claims records up to {claimed}, the last one here is {last}: was this \
                 card copied?"
            ),
            Self::HubForgot {
                claimed,
                acknowledged,
            } => write!(
                f,
                "the hub has records up to {claimed} and had acknowledged {acknowledged}; they \
                 are sent again"
            ),
            Self::SetAside(count) => write!(f, "{count} records were not taken by the hub"),
            Self::Quarantined(count) => {
                write!(
                    f,
                    "{count} records are kept aside at the hub, to be looked at"
                )
            }
            Self::LedgerUnreadable => f.write_str("the ledger cannot be read"),
            Self::CityUnwritable => f.write_str("the meetings from the hub cannot be kept"),
            Self::CertificateNotKept => f.write_str("the new certificate cannot be kept"),
            Self::RosterUnusable(meeting) => {
                write!(f, "the roster of meeting {meeting} cannot be used")
            }
            Self::TooManyMeetings => f.write_str("the hub sent more meetings than a door can have"),
            Self::ClockWrong(seconds) => write!(f, "the clock is off by about {seconds} s"),
            Self::DiskNearlyFull(mebibytes) => {
                write!(f, "little space is left for records: {mebibytes} MiB")
            }
            Self::NoCamera => f.write_str("the camera gives no pictures"),
            Self::OfferNotKept => {
                f.write_str("an update that is offered to this device cannot be kept")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_is_said_in_both_languages_and_fits_a_health_report() {
        let stops = [Stop::Unauthenticated, Stop::Revoked, Stop::Forbidden];
        let transport = [
            TransportError::Unreachable,
            TransportError::Proxy,
            TransportError::TimedOut,
            TransportError::Broken,
            TransportError::HubExpired,
            TransportError::HubNotYetValid,
            TransportError::HubMisnamed,
        ];
        let mut all: Vec<Trouble> = stops.into_iter().map(Trouble::Stopped).collect();
        all.extend(transport.map(|error| Trouble::NoContact(Later::Transport(error))));
        all.extend([
            Trouble::CertificateExpired,
            Trouble::NoContact(Later::Status(503)),
            Trouble::Untrusted,
            Trouble::Garbled,
            Trouble::NotUnderstood("getPosition", 404),
            Trouble::OtherStore,
            Trouble::HubAhead {
                claimed: u64::MAX,
                last: 1,
            },
            Trouble::HubForgot {
                claimed: 1,
                acknowledged: u64::MAX,
            },
            Trouble::SetAside(3),
            Trouble::Quarantined(3),
            Trouble::LedgerUnreadable,
            Trouble::CityUnwritable,
            Trouble::CertificateNotKept,
            Trouble::RosterUnusable(MeetingId::new(&"m".repeat(64)).unwrap()),
            Trouble::TooManyMeetings,
            Trouble::ClockWrong(i64::MIN),
            Trouble::DiskNearlyFull(12),
            Trouble::NoCamera,
        ]);
        for trouble in all {
            let english = trouble.to_string();
            let vietnamese = trouble.vietnamese();
            assert!(english.is_ascii() && !vietnamese.is_ascii(), "{trouble:?}");
            assert!(wire::Name::new(&english).is_ok(), "{english}");
            assert!(wire::Name::new(&vietnamese).is_ok(), "{vietnamese}");
        }
    }
}
