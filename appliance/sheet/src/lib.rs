//! What headers and cells of people's spreadsheets mean, and how a cell is kept from being a
//! formula. One file means the same at a door and in the city, since both read it by this.
//!
//! Pure, and about single cells: whoever reads a whole sheet decides what is missing, what is wrong
//! and how to say it.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use vocabulary::{Attendance, Role};

/// What a column of a roster means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The person's id.
    Id,
    /// The name, or the given name where the family name stands apart.
    Name,
    /// Family and middle names, where the sheet has them apart from the given name.
    Family,
    /// Title or office.
    Title,
    /// The unit that the person belongs to.
    Unit,
    /// What the person is to the meeting.
    Role,
    /// How the person is called.
    Attendance,
    /// For whom the person attends.
    InsteadOf,
    /// By which document.
    Document,
    /// The running number of the row.
    Number,
}

impl Column {
    /// The meaning of a header, in Vietnamese or English, with or without diacritics.
    #[must_use]
    pub fn of(header: &str) -> Option<Self> {
        match fold(header).as_str() {
            "ma"
            | "ma so"
            | "ma dai bieu"
            | "ma can bo"
            | "ma cb"
            | "ma cbcc"
            | "ma cbccvc"
            | "ma can bo cong chuc"
            | "ma nhan vien"
            | "ma so can bo"
            | "ma dinh danh"
            | "so hieu"
            | "so hieu can bo"
            | "id"
            | "person"
            | "person id"
            | "staff id"
            | "staff number"
            | "employee id"
            | "code" => Some(Self::Id),
            "ho va ten" | "ho ten" | "ho va ten dai bieu" | "ho ten dai bieu" | "ten dai bieu"
            | "ten" | "name" | "full name" | "fullname" | "delegate" | "given name" => {
                Some(Self::Name)
            }
            "ho" | "ho dem" | "ho lot" | "ho va ten dem" | "ho ten dem" | "ho va dem"
            | "ho va chu lot" | "family name" | "surname" => Some(Self::Family),
            "chuc vu" | "chuc danh" | "chuc vu chuc danh" | "chuc danh chuc vu" | "danh xung"
            | "title" | "position" | "office" => Some(Self::Title),
            "don vi" | "don vi cong tac" | "co quan" | "co quan don vi" | "don vi co quan"
            | "phong ban" | "to chuc" | "unit" | "organisation" | "organization" | "department" => {
                Some(Self::Unit)
            }
            "vai tro" | "tu cach" | "thanh phan" | "role" => Some(Self::Role),
            "hinh thuc" | "hinh thuc diem danh" | "cach diem danh" | "attendance" | "means" => {
                Some(Self::Attendance)
            }
            "du thay cho" | "du thay" | "thay cho" | "instead of" => Some(Self::InsteadOf),
            "theo van ban" | "van ban" | "document" => Some(Self::Document),
            "stt" | "tt" | "so tt" | "so thu tu" | "no" => Some(Self::Number),
            _ => None,
        }
    }
}

/// What somebody is to the meeting; nothing means a member. None for a text that says neither.
#[must_use]
pub fn role(text: &str) -> Option<Role> {
    match fold(text).as_str() {
        ""
        | "member"
        | "delegate"
        | "dai bieu"
        | "thanh vien"
        | "uy vien"
        | "chinh thuc"
        | "dai bieu chinh thuc" => Some(Role::Member),
        "guest" | "invited" | "khach" | "khach moi" | "dai bieu khach moi" | "dai bieu moi"
        | "moi du" => Some(Role::Guest),
        _ => None,
    }
}

/// The word for a role, which [`role`] reads.
#[must_use]
pub fn role_word(role: Role) -> &'static str {
    match role {
        Role::Member => "Đại biểu",
        Role::Guest => "Khách mời",
    }
}

/// How somebody is called; nothing means by face. None for a text that says neither.
#[must_use]
pub fn attendance(text: &str) -> Option<Attendance> {
    match fold(text).as_str() {
        ""
        | "face"
        | "face or code"
        | "khuon mat"
        | "guong mat"
        | "nhan dien khuon mat"
        | "khuon mat hoac ma qr" => Some(Attendance::FaceOrCode),
        "code" | "code only" | "qr" | "qr only" | "ma qr" | "chi ma qr" | "chi qr" | "giay moi"
        | "invitation" => Some(Attendance::CodeOnly),
        _ => None,
    }
}

/// The word for how somebody is called, which [`attendance`] reads.
#[must_use]
pub fn attendance_word(attendance: Attendance) -> &'static str {
    match attendance {
        Attendance::FaceOrCode => "Khuôn mặt",
        Attendance::CodeOnly => "Mã QR",
    }
}

/// A text that a spreadsheet shows instead of computing it: an apostrophe before what would begin
/// a formula. [`unguard_formula`] takes exactly that apostrophe away again.
#[must_use]
pub fn guard_formula(text: &str) -> String {
    if begins_formula(text) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Undoes [`guard_formula`].
#[must_use]
pub fn unguard_formula(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if begins_formula(rest) => rest,
        Some(_) | None => text,
    }
}

/// Whether a spreadsheet would compute the text, or would once apostrophes before it are gone. The
/// wide forms count, since some spreadsheets take them for the narrow ones.
fn begins_formula(text: &str) -> bool {
    text.trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r'])
}

/// A text by which headers and values are told: without diacritics, case and punctuation.
fn fold(text: &str) -> String {
    let plain: String = text
        .nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'đ' => 'd',
            c if c.is_alphanumeric() => c,
            _ => ' ',
        })
        .collect();
    let words: Vec<_> = plain.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for value in [Role::Member, Role::Guest] {
            assert_eq!(role(role_word(value)), Some(value));
        }
        for value in [Attendance::FaceOrCode, Attendance::CodeOnly] {
            assert_eq!(attendance(attendance_word(value)), Some(value));
        }
        assert_eq!((role("có lẽ"), attendance("có lẽ")), (None, None));
    }

    #[test]
    fn a_header_is_known_with_and_without_diacritics() {
        let check = |header: &str, expect| assert_eq!(Column::of(header), expect, "{header}");
        check("Họ và tên", Some(Column::Name));
        check(" HO VA TEN: ", Some(Column::Name));
        check("Mã CBCCVC", Some(Column::Id));
        check("Dự thay cho", Some(Column::InsteadOf));
        check("STT", Some(Column::Number));
        check("Ghi chú", None);
    }

    proptest! {
        #[test]
        fn no_cell_is_a_formula_and_every_one_comes_back(text: String, start in "[=+@＝-]{0,2}") {
            let text = format!("{start}{text}");
            let guarded = guard_formula(&text);
            prop_assert!(!guarded.starts_with(['=', '+', '-', '@']), "{guarded:?}");
            prop_assert_eq!(unguard_formula(&guarded), text.as_str());
        }
    }
}
