//! Every sentence of the screens, in one place to be read as delegates read it: Vietnamese first,
//! English beside it.
//!
//! People on the roster are addressed as "đồng chí", or by the form of address that the roster
//! gives; people who are not known yet as "quý đại biểu". Nobody is accused of anything, and a
//! headline says what to do, not what went wrong. A `~` between syllables is a space at which no
//! line breaks, as in "đại~biểu": a compound is read as one word.

use vocabulary::RefusalReason;

use crate::text::{NO_BREAK_SPACE, tidy};
use crate::view::{
    Count, Date, Hint, MeetingInfo, OtherMeans, Person, TimeOfDay, TroubleKind, Weekday,
};

/// A sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Both {
    pub vi: String,
    pub en: String,
}

/// Both languages, `~` standing for a no-break space. Texts from outside go in only through
/// [`named`].
fn both(vi: impl AsRef<str>, en: impl AsRef<str>) -> Both {
    let joined = |text: &str| text.replace('~', NO_BREAK_SPACE.encode_utf8(&mut [0; 2]));
    Both {
        vi: joined(vi.as_ref()),
        en: joined(en.as_ref()),
    }
}

/// Both languages with the same name after each.
fn named(vi: &str, en: &str, name: &str) -> Both {
    Both {
        vi: format!("{vi} {name}"),
        en: format!("{en} {name}"),
    }
}

/// A headline and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub headline: Both,
    pub body: Both,
}

pub(crate) fn time(at: TimeOfDay) -> String {
    format!("{:02}:{:02}", at.hour, at.minute)
}

pub(crate) fn date(at: Date) -> String {
    let weekday = match at.weekday {
        Weekday::Monday => "Thứ Hai",
        Weekday::Tuesday => "Thứ Ba",
        Weekday::Wednesday => "Thứ Tư",
        Weekday::Thursday => "Thứ Năm",
        Weekday::Friday => "Thứ Sáu",
        Weekday::Saturday => "Thứ Bảy",
        Weekday::Sunday => "Chủ Nhật",
    };
    format!("{weekday}, {:02}/{:02}/{}", at.day, at.month, at.year)
}

/// From when to when, with the date where it is not today.
pub(crate) fn span(meeting: &MeetingInfo) -> String {
    let times = format!("{} – {}", time(meeting.starts_at), time(meeting.ends_at));
    match meeting.date {
        Some(at) => format!("{times} · {}", date(at)),
        None => times,
    }
}

pub(crate) fn meeting_now() -> Both {
    both("Đang điểm danh cuộc họp", "Now checking in")
}

pub(crate) fn present() -> Both {
    both("Có mặt", "Present")
}

pub(crate) fn of_expected(count: Count) -> Both {
    both(
        format!("trong số {} đại biểu", count.expected),
        format!("of {} delegates", count.expected),
    )
}

pub(crate) fn by_face() -> Notice {
    Notice {
        headline: both(
            "Kính mời đại~biểu nhìn vào màn~hình",
            "Please look at the screen to check in",
        ),
        body: both("", ""),
    }
}

pub(crate) fn without_face(means: OtherMeans) -> Notice {
    let body = match means {
        OtherMeans::Secretary => both(
            "Kính mời đến bàn~thư~ký.",
            "Not by face? Please see the secretary's desk.",
        ),
        OtherMeans::InvitationOrSecretary => both(
            "Xin~đưa mã~QR trên giấy~mời trước máy~ảnh, hoặc đến bàn~thư~ký.",
            "Not by face? Show your invitation's QR code, or see the secretary.",
        ),
    };
    Notice {
        headline: both("Không dùng khuôn~mặt?", ""),
        body,
    }
}

pub(crate) fn hint(hint: Hint) -> Both {
    match hint {
        Hint::LookHere => both("Xin mời nhìn~vào màn~hình", "Please look at the screen"),
        Hint::ComeCloser => both("Xin mời lại~gần~hơn", "Please come closer"),
        Hint::StepBack => both("Xin mời lùi~lại một~chút", "Please step back a little"),
        Hint::FaceForward => both("Xin mời nhìn~thẳng", "Please look straight ahead"),
        Hint::MoreLight => both("Xin mời ra~chỗ sáng~hơn", "Please step into the light"),
        Hint::LessLight => both("Xin mời tránh ánh~sáng~chói", "Please avoid the glare"),
        Hint::HoldStill => both("Xin~giữ~yên giây~lát", "Please hold still for a moment"),
        Hint::OneMoment => both("Xin chờ giây~lát", "One moment, please"),
    }
}

/// The forms of address that take the place of "đồng chí".
const ADDRESSES: [&str; 4] = ["Đồng chí", "Ông", "Bà", "Cô"];

/// How a person is addressed, and what of their title is then left to stand under the name.
pub(crate) fn address(person: &Person) -> (&'static str, String) {
    const USUAL: &str = "đồng chí";
    let title = tidy(&person.title);
    for form in ADDRESSES {
        let rest = strip_prefix_of_any_case(&title, form);
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with([' ', ','])) {
            let rest = rest.trim_start_matches([' ', ',']).to_owned();
            let usual = form == ADDRESSES[0];
            return (if usual { USUAL } else { form }, rest);
        }
    }
    (USUAL, title)
}

fn strip_prefix_of_any_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let mut rest = text.chars();
    let same = prefix.chars().all(|letter| {
        rest.next()
            .is_some_and(|other| other.to_lowercase().eq(letter.to_lowercase()))
    });
    same.then_some(rest.as_str())
}

pub(crate) fn welcome(person: &Person) -> Both {
    let (form, _) = address(person);
    both(format!("Kính chào {form}"), "Welcome")
}

pub(crate) fn welcome_all() -> Both {
    both("Kính chào các đồng chí", "Welcome")
}

pub(crate) fn others(count: usize) -> Both {
    both(
        format!("cùng {count} đại biểu khác"),
        format!("with {count} more"),
    )
}

pub(crate) fn recorded(at: TimeOfDay) -> Both {
    both(
        format!("Đã ghi nhận điểm danh lúc {}", time(at)),
        format!("Attendance recorded at {}", time(at)),
    )
}

/// The same for several people, with the time where it is one and the same.
pub(crate) fn all_recorded(at: Option<TimeOfDay>) -> Both {
    match at {
        Some(at) => recorded(at),
        None => both("Đã ghi nhận điểm danh", "Attendance recorded"),
    }
}

pub(crate) fn not_yet_recorded() -> Both {
    both("Đang ghi nhận điểm danh…", "Recording attendance…")
}

pub(crate) fn substitute_for(name: &str) -> Both {
    named("Dự thay đồng chí", "In place of", &tidy(name))
}

pub(crate) fn already(person: &Person, first_at: TimeOfDay) -> Notice {
    let at = time(first_at);
    Notice {
        headline: Both {
            en: "Welcome back".to_owned(),
            ..welcome(person)
        },
        body: both(
            format!("Đã điểm danh lúc {at}, kính mời vào phòng họp"),
            format!("Already checked in at {at}, please come in"),
        ),
    }
}

pub(crate) fn refused(reason: RefusalReason, means: OtherMeans) -> Notice {
    match reason {
        RefusalReason::NotOnRoster => not_on_roster(means),
        RefusalReason::Ambiguous => Notice {
            headline: one_more_step(),
            body: second_means(
                "Chỉ với khuôn~mặt, máy chưa thể xác~nhận chắc~chắn.",
                "The face alone is not certain enough here.",
                means,
            ),
        },
        RefusalReason::SuspectedAttack => Notice {
            headline: one_more_step(),
            body: second_means(
                "Máy chưa xác~nhận được qua máy~ảnh.",
                "The camera could not confirm it this time.",
                means,
            ),
        },
        RefusalReason::InvalidCredential => Notice {
            headline: to_the_secretary(),
            body: both(
                "Mã này chưa dùng được cho cuộc~họp này, có thể do khác cuộc~họp hoặc khác \
                 thời~gian. Thư~ký sẽ hỗ~trợ ngay.",
                "This code is not valid for this meeting now. The secretary will help you.",
            ),
        },
    }
}

fn not_on_roster(means: OtherMeans) -> Notice {
    let body = match means {
        OtherMeans::Secretary => both(
            "Máy chưa tìm thấy quý đại~biểu trong danh~sách cuộc~họp này. Thư~ký sẽ hỗ~trợ ngay.",
            "We could not find you on the list of this meeting. The secretary will help you.",
        ),
        OtherMeans::InvitationOrSecretary => both(
            "Máy chưa tìm thấy quý đại~biểu trong danh~sách cuộc~họp này. Cũng có thể đưa mã~QR \
             trên giấy~mời trước máy~ảnh.",
            "We could not find you on the list of this meeting. You may also show your \
             invitation's QR code.",
        ),
    };
    Notice {
        headline: to_the_secretary(),
        body,
    }
}

fn to_the_secretary() -> Both {
    both(
        "Kính mời quý đại~biểu đến bàn~thư~ký",
        "Please see the secretary's desk",
    )
}

fn one_more_step() -> Both {
    both("Xin vui~lòng xác~nhận thêm", "One more step, please")
}

fn second_means(vi: &str, en: &str, means: OtherMeans) -> Both {
    match means {
        OtherMeans::Secretary => both(
            format!("{vi} Kính mời đến bàn~thư~ký."),
            format!("{en} Please see the secretary's desk."),
        ),
        OtherMeans::InvitationOrSecretary => both(
            format!("{vi} Xin~đưa mã~QR trên giấy~mời trước máy~ảnh, hoặc đến bàn~thư~ký."),
            format!("{en} Show your invitation's QR code, or see the secretary."),
        ),
    }
}

pub(crate) fn starting() -> Notice {
    Notice {
        headline: both("Thiết~bị đang khởi~động", "Starting up"),
        body: both(
            "Chưa ghi~nhận điểm~danh. Xin vui~lòng chờ trong giây~lát.",
            "Attendance is not being recorded yet. One moment, please.",
        ),
    }
}

pub(crate) fn no_meeting() -> Both {
    both(
        "Hiện không có cuộc~họp tại phòng này",
        "There is no meeting in this room now",
    )
}

pub(crate) fn next_meeting() -> Both {
    both("Cuộc họp tiếp theo", "Next meeting")
}

pub(crate) fn opens(at: TimeOfDay) -> Both {
    both(
        format!("Bắt~đầu điểm~danh lúc~{}", time(at)),
        format!("Check-in opens at {}", time(at)),
    )
}

pub(crate) fn upcoming() -> Both {
    both("Cuộc họp sắp diễn ra", "Coming up")
}

pub(crate) fn over() -> Both {
    both(
        "Cuộc~họp đã kết~thúc. Trân~trọng cảm~ơn.",
        "The meeting has ended. Thank you.",
    )
}

/// That nothing is recorded here, as plain as it can be said.
pub(crate) fn not_recording() -> Both {
    both(
        "Cửa này tạm thời KHÔNG ghi nhận điểm danh",
        "Attendance is NOT being recorded at this door",
    )
}

/// What a delegate is told of a trouble.
pub(crate) fn trouble(kind: TroubleKind) -> Notice {
    if kind.records() {
        Notice {
            headline: both(
                "Vẫn đang ghi~nhận điểm~danh",
                "Attendance is still being recorded",
            ),
            body: both(
                "Giờ ghi~nhận sẽ được hiệu~chỉnh sau. Kính~mời đại~biểu điểm~danh như thường~lệ.",
                "Times will be corrected later. Please check in as usual.",
            ),
        }
    } else {
        Notice {
            headline: both(
                "Kính mời quý đại~biểu điểm~danh tại bàn~thư~ký",
                "Please check in at the secretary's desk",
            ),
            body: both(
                "Xin cáo~lỗi vì sự bất~tiện này.",
                "We apologise for the inconvenience.",
            ),
        }
    }
}

/// What IT staff are told of a trouble.
pub(crate) fn cause(kind: TroubleKind) -> Both {
    match kind {
        TroubleKind::CameraLost => both("Mất kết nối camera", "Camera disconnected"),
        TroubleKind::DiskFull => both("Hết dung lượng lưu trữ", "Storage is full"),
        TroubleKind::LedgerReadOnly => {
            both("Không ghi được vào sổ điểm danh", "The ledger is read-only")
        }
        TroubleKind::LedgerCorrupt => both("Sổ điểm danh bị hỏng", "The ledger is damaged"),
        TroubleKind::LedgerLocked => both(
            "Sổ điểm danh đang bị chương trình khác giữ",
            "Another process holds the ledger",
        ),
        TroubleKind::LedgerNewer => both(
            "Sổ điểm danh thuộc phiên bản mới hơn",
            "The ledger is of a newer version",
        ),
        TroubleKind::LedgerFailed => both("Sổ điểm danh gặp lỗi", "The ledger fails"),
        TroubleKind::ModelMissing => both(
            "Thiếu tệp mô hình nhận diện",
            "A recognition model is missing",
        ),
        TroubleKind::ModelChanged => both(
            "Tệp mô hình nhận diện không đúng bản đã duyệt",
            "A recognition model is not the approved one",
        ),
        TroubleKind::InferenceFailed => both(
            "Bộ nhận diện không hoạt động",
            "The recognition runtime fails",
        ),
        TroubleKind::ClockUnsure => both("Đồng hồ chưa chính xác", "The clock is unsure"),
        TroubleKind::Other => both("Thiết bị gặp lỗi", "The device fails"),
    }
}

pub(crate) fn code_for_staff(code: &str) -> String {
    format!("Mã lỗi · IT code: {code}")
}
