//! An invitation: who may be called at which meeting, from when until when, signed by the
//! organisation.
//!
//! The text of a code is `DD1:` (what it is, and the version of its form), the Base45 of the
//! bytes, and a closing `.`: the alphabet has a space, and a scanner that trims its lines must not
//! be able to cut a code short unnoticed. The bytes are an array of six in deterministic CBOR
//! (RFC 8949 §4.2) (organisation, meeting, person, not before and not after in whole seconds since
//! 1970, nonce) and after it the 64 bytes of the signature. What is signed is that array behind
//! [`CONTEXT`], so that a signature made for another purpose never passes for an invitation.
//!
//! A code that was not verified gives nothing away but its form: [`SignedInvitation`] has no
//! getters.

use minicbor::{Decoder, Encoder};
use vocabulary::{
    ClockQuality, IdError, Meeting, MeetingId, OrganisationId, PersonId, Stamp, WallTime,
};

use crate::base45;
use crate::key::{PublicKey, SIGNATURE_BYTES, SigningKey};

/// Longest text that is looked at. Three ids of the greatest length make 450 characters; whatever
/// is longer is no invitation and is not decoded.
pub const TEXT_BYTES_MAX: usize = 512;

/// Bytes of the random number that tells two invitations of one person apart.
pub const NONCE_BYTES: usize = 8;

/// What the text begins with: what it is and the version of its form.
const PREFIX: &str = "DD1:";

/// What the text of any version begins with.
const PREFIX_ANY_VERSION: &str = "DD";

/// What the text ends with.
const SUFFIX: &str = ".";

/// Stands before the signed bytes.
const CONTEXT: &[u8] = b"diem-danh invitation 1\0";

/// Fields of the array.
const FIELDS: u64 = 6;

/// 9999-12-31T23:59:59Z, the last second that calendars can show.
const SECONDS_MAX: i64 = 253_402_300_799;

/// Why values are not an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// It would end before it begins.
    #[error("the invitation would end before it begins; correct its times")]
    EndsBeforeStart,
    /// A time before 1970 or after 9999.
    #[error("the invitation's times lie outside the years 1970 to 9999; correct them")]
    OutOfRange,
}

/// Why a text is not an invitation. Nothing of the text is repeated: it may be anything that a
/// person held before the camera.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// More than [`TEXT_BYTES_MAX`] bytes; carries the length.
    #[error("the code has {0} bytes, an invitation has at most {TEXT_BYTES_MAX}")]
    TooLong(usize),
    /// It does not begin as invitations do.
    #[error("the code is not an invitation to a meeting")]
    NotAnInvitation,
    /// It begins as an invitation of another version of the form.
    #[error("the invitation is of a version that this device does not read; update the device")]
    Version,
    /// Its end is missing.
    #[error("the invitation's code is incomplete; scan it again")]
    Incomplete,
    /// Its characters stand for no bytes.
    #[error("the invitation's code is damaged; scan it again")]
    Characters,
    /// Its bytes are not the fields of an invitation in their one proper form.
    #[error("the invitation's contents are malformed; have it issued again")]
    Malformed,
    /// One of its ids is none.
    #[error("the invitation's {field} is malformed; have it issued again")]
    Id {
        /// Which id.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: IdError,
    },
    /// Its times make no sense.
    #[error("the invitation's validity is malformed; have it issued again")]
    Validity(#[source] InvitationError),
}

/// Why an invitation is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The signature is not by this key, or something was changed.
    #[error("the invitation is not signed by the organisation of this meeting")]
    Signature,
    /// Signed, but for a meeting of another organisation.
    #[error("the invitation is for a meeting of another organisation")]
    OtherOrganisation,
    /// Signed, but for another meeting.
    #[error("the invitation is for another meeting")]
    OtherMeeting,
    /// Not valid yet.
    #[error("the invitation is not valid yet")]
    TooEarly {
        /// From when on it will be.
        not_before: WallTime,
    },
    /// No longer valid.
    #[error("the invitation is no longer valid")]
    Expired {
        /// Until when it was.
        not_after: WallTime,
    },
}

/// Who may be called where and when. A value that exists is a valid one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    organisation: OrganisationId,
    meeting: MeetingId,
    person: PersonId,
    not_before_s: i64,
    not_after_s: i64,
    nonce: [u8; NONCE_BYTES],
}

impl Invitation {
    /// Makes an invitation of `person` to `meeting`, valid from `not_before` until just before
    /// `not_after`. Codes carry whole seconds, so the first is rounded down and the second up.
    /// `nonce` is random, so that two invitations of one person are two.
    ///
    /// # Errors
    /// [`InvitationError`] when the times are none.
    pub fn new(
        meeting: &Meeting,
        person: PersonId,
        not_before: WallTime,
        not_after: WallTime,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, InvitationError> {
        let rounded_up = i64::from(not_after.0.rem_euclid(1000) != 0);
        let (from, until) = validity(
            not_before.0.div_euclid(1000),
            not_after.0.div_euclid(1000) + rounded_up,
        )?;
        Ok(Self {
            organisation: meeting.organisation.clone(),
            meeting: meeting.id.clone(),
            person,
            not_before_s: from,
            not_after_s: until,
            nonce,
        })
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> SignedInvitation {
        let signature = key.sign(&self.signed_bytes());
        SignedInvitation {
            invitation: self,
            signature,
        }
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = CONTEXT.to_vec();
        self.encode_onto(&mut bytes);
        bytes
    }

    fn encode_onto(&self, bytes: &mut Vec<u8>) {
        let mut encoder = Encoder::new(bytes);
        encoder
            .array(FIELDS)
            .and_then(|e| e.str(self.organisation.as_str()))
            .and_then(|e| e.str(self.meeting.as_str()))
            .and_then(|e| e.str(self.person.as_str()))
            .and_then(|e| e.i64(self.not_before_s))
            .and_then(|e| e.i64(self.not_after_s))
            .and_then(|e| e.bytes(&self.nonce))
            .map(|_| ())
            .expect("writing to a vector cannot fail");
    }

    fn decode(bytes: &[u8]) -> Result<Self, ParseError> {
        let fields = Fields::read(bytes).ok_or(ParseError::Malformed)?;
        let id = |field: &'static str| move |source| ParseError::Id { field, source };
        let (not_before_s, not_after_s) =
            validity(fields.not_before_s, fields.not_after_s).map_err(ParseError::Validity)?;
        let invitation = Self {
            organisation: OrganisationId::new(fields.organisation).map_err(id("organisation"))?,
            meeting: MeetingId::new(fields.meeting).map_err(id("meeting"))?,
            person: PersonId::new(fields.person).map_err(id("person"))?,
            not_before_s,
            not_after_s,
            nonce: fields.nonce,
        };
        // One invitation has one form. CBOR would admit longer numbers and open-ended arrays.
        let mut again = Vec::with_capacity(bytes.len());
        invitation.encode_onto(&mut again);
        if again != bytes {
            return Err(ParseError::Malformed);
        }
        Ok(invitation)
    }
}

/// The array's fields before anything of them is checked.
struct Fields<'a> {
    organisation: &'a str,
    meeting: &'a str,
    person: &'a str,
    not_before_s: i64,
    not_after_s: i64,
    nonce: [u8; NONCE_BYTES],
}

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        if decoder.array().ok()? != Some(FIELDS) {
            return None;
        }
        Some(Self {
            organisation: decoder.str().ok()?,
            meeting: decoder.str().ok()?,
            person: decoder.str().ok()?,
            not_before_s: decoder.i64().ok()?,
            not_after_s: decoder.i64().ok()?,
            nonce: decoder.bytes().ok()?.try_into().ok()?,
        })
    }
}

fn validity(not_before_s: i64, not_after_s: i64) -> Result<(i64, i64), InvitationError> {
    let range = 0..=SECONDS_MAX;
    if !range.contains(&not_before_s) || !range.contains(&not_after_s) {
        return Err(InvitationError::OutOfRange);
    }
    if not_after_s <= not_before_s {
        return Err(InvitationError::EndsBeforeStart);
    }
    Ok((not_before_s, not_after_s))
}

/// An invitation with a signature that nobody has looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInvitation {
    invitation: Invitation,
    signature: [u8; SIGNATURE_BYTES],
}

impl SignedInvitation {
    /// The text of the code: upper-case letters, digits and the marks of a QR code's alphanumeric
    /// mode.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::new();
        self.invitation.encode_onto(&mut bytes);
        bytes.extend_from_slice(&self.signature);
        format!("{PREFIX}{}{SUFFIX}", base45::encode(&bytes))
    }

    /// Reads the text of a code; a line's end after it is taken away. Any other text than the one
    /// that [`SignedInvitation::to_text`] makes is refused.
    ///
    /// # Errors
    /// [`ParseError`] by kind.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(ParseError::TooLong(text.len()));
        }
        let text = text.trim_end_matches(['\r', '\n']);
        let Some(rest) = text.strip_prefix(PREFIX) else {
            return Err(other_beginning(text));
        };
        let body = rest.strip_suffix(SUFFIX).ok_or(ParseError::Incomplete)?;
        let bytes = base45::decode(body).ok_or(ParseError::Characters)?;
        let (fields, signature) = bytes
            .split_last_chunk::<SIGNATURE_BYTES>()
            .ok_or(ParseError::Malformed)?;
        Ok(Self {
            invitation: Invitation::decode(fields)?,
            signature: *signature,
        })
    }

    /// Whether this key signed it. Says nothing about what it claims.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verifies(&self.invitation.signed_bytes(), &self.signature)
    }

    /// Accepts the invitation for `meeting` at `now`, or says why not. The signature comes first:
    /// what an unsigned code claims is not even compared.
    ///
    /// While nothing says that the clock is right, its times cannot be held against it: a board
    /// without a battery would turn away the rightful. The invitation passes for its own meeting,
    /// and [`Validity::ClockUnknown`] says that its times were not looked at.
    ///
    /// # Errors
    /// [`VerifyError`] by kind.
    pub fn verify(
        self,
        key: &PublicKey,
        now: &Stamp,
        meeting: &Meeting,
    ) -> Result<VerifiedInvitation, VerifyError> {
        let invitation = self.invitation;
        if !key.verifies(&invitation.signed_bytes(), &self.signature) {
            return Err(VerifyError::Signature);
        }
        if invitation.organisation != meeting.organisation {
            return Err(VerifyError::OtherOrganisation);
        }
        if invitation.meeting != meeting.id {
            return Err(VerifyError::OtherMeeting);
        }
        let not_before = WallTime(invitation.not_before_s * 1000);
        let not_after = WallTime(invitation.not_after_s * 1000);
        let validity = match now.quality {
            ClockQuality::Unknown => Validity::ClockUnknown,
            ClockQuality::FreeRunning | ClockQuality::Synchronised => Validity::Checked,
        };
        if validity == Validity::Checked && now.wall < not_before {
            return Err(VerifyError::TooEarly { not_before });
        }
        if validity == Validity::Checked && now.wall >= not_after {
            return Err(VerifyError::Expired { not_after });
        }
        Ok(VerifiedInvitation {
            meeting: invitation.meeting,
            person: invitation.person,
            nonce: invitation.nonce,
            validity,
        })
    }
}

/// Why a text does not begin as this version's invitations do.
fn other_beginning(text: &str) -> ParseError {
    let version = text
        .strip_prefix(PREFIX_ANY_VERSION)
        .and_then(|rest| rest.split_once(':'))
        .map(|(version, _)| version);
    match version {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            ParseError::Version
        }
        Some(_) | None => ParseError::NotAnInvitation,
    }
}

/// Whether an invitation's times were held against the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// They were, and it is valid now.
    Checked,
    /// They were not, since nothing says that the clock is right.
    ClockUnknown,
}

/// An invitation that was verified for one meeting at one moment. Only
/// [`SignedInvitation::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedInvitation {
    meeting: MeetingId,
    person: PersonId,
    nonce: [u8; NONCE_BYTES],
    validity: Validity,
}

impl VerifiedInvitation {
    /// For which meeting.
    #[must_use]
    pub fn meeting(&self) -> &MeetingId {
        &self.meeting
    }

    /// Who is invited.
    #[must_use]
    pub fn person(&self) -> &PersonId {
        &self.person
    }

    /// Which of the person's invitations.
    #[must_use]
    pub fn nonce(&self) -> [u8; NONCE_BYTES] {
        self.nonce
    }

    /// Whether its times were held against the clock.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vocabulary::{BootId, Monotonic, RoomId};

    use super::*;

    const SEED: [u8; 32] = [7; 32];
    const OTHER_SEED: [u8; 32] = [8; 32];

    /// 2024-02-26T01:00:00Z in milliseconds; the tests' times count from here.
    const BASE_MS: i64 = 1_708_909_200_000;

    fn meeting(organisation: &str, id: &str) -> Meeting {
        Meeting {
            id: MeetingId::new(id).unwrap(),
            organisation: OrganisationId::new(organisation).unwrap(),
            room: RoomId::new("P1").unwrap(),
            doors: vec![],
            title: "Họp giao ban".into(),
            starts_at: WallTime(10_000),
            ends_at: WallTime(20_000),
            zone: "Asia/Ho_Chi_Minh".into(),
            quorum: None,
        }
    }

    fn at(wall: i64, quality: ClockQuality) -> Stamp {
        Stamp {
            wall: WallTime(BASE_MS + wall),
            quality,
            boot: BootId([0; 16]),
            monotonic: Monotonic(0),
        }
    }

    fn invitation() -> Invitation {
        let person = PersonId::new("CB-001").unwrap();
        let (from, until) = (WallTime(BASE_MS + 10_500), WallTime(BASE_MS + 19_001));
        Invitation::new(&meeting("SO-X", "HOP-1"), person, from, until, [1; 8]).unwrap()
    }

    fn signed() -> SignedInvitation {
        invitation().sign(&SigningKey::from_seed(&SEED))
    }

    fn verify(
        text: &str,
        meeting: &Meeting,
        now: Stamp,
    ) -> Result<VerifiedInvitation, VerifyError> {
        let key = SigningKey::from_seed(&SEED).public();
        SignedInvitation::parse(text)
            .unwrap()
            .verify(&key, &now, meeting)
    }

    #[test]
    fn a_code_comes_back_from_its_text_and_fits_a_small_square() {
        let text = signed().to_text();
        assert_eq!(SignedInvitation::parse(&text), Ok(signed()));
        assert_eq!(
            SignedInvitation::parse(&format!("{text}\r\n")),
            Ok(signed())
        );
        // 178 alphanumeric characters at error correction M fit version 7, 45 modules wide.
        assert!(text.len() <= 178, "{} characters: {text}", text.len());
        // Deterministic signatures over a deterministic form: the very text, for other readers.
        assert_eq!(text, EXPECTED);
    }

    #[test]
    fn the_longest_ids_still_fit_the_limit() {
        let long = "x".repeat(64);
        let person = PersonId::new(&long).unwrap();
        let (from, until) = (WallTime(0), WallTime(SECONDS_MAX * 1000));
        let text = Invitation::new(&meeting(&long, &long), person, from, until, [255; 8])
            .unwrap()
            .sign(&SigningKey::from_seed(&SEED))
            .to_text();
        assert!(text.len() <= TEXT_BYTES_MAX, "{}", text.len());
        assert!(SignedInvitation::parse(&text).is_ok());
    }

    #[test]
    fn an_invitation_is_accepted_for_its_meeting_and_its_time_only() {
        let text = signed().to_text();
        let check = |wall: i64, quality, expect: Result<Validity, VerifyError>| {
            let verified = verify(&text, &meeting("SO-X", "HOP-1"), at(wall, quality));
            assert_eq!(verified.map(|v| v.validity()), expect, "{wall} {quality}");
        };
        let early = Err(VerifyError::TooEarly {
            not_before: WallTime(BASE_MS + 10_000),
        });
        let late = Err(VerifyError::Expired {
            not_after: WallTime(BASE_MS + 20_000),
        });
        check(9_999, ClockQuality::Synchronised, early);
        check(10_000, ClockQuality::Synchronised, Ok(Validity::Checked));
        check(19_999, ClockQuality::FreeRunning, Ok(Validity::Checked));
        check(20_000, ClockQuality::FreeRunning, late);
        check(0, ClockQuality::Unknown, Ok(Validity::ClockUnknown));
        check(20_000, ClockQuality::Unknown, Ok(Validity::ClockUnknown));

        let elsewhere = |organisation, id| {
            let now = at(15_000, ClockQuality::Synchronised);
            verify(&text, &meeting(organisation, id), now)
        };
        assert_eq!(
            elsewhere("SO-Y", "HOP-1"),
            Err(VerifyError::OtherOrganisation)
        );
        assert_eq!(elsewhere("SO-X", "HOP-2"), Err(VerifyError::OtherMeeting));
        let verified = elsewhere("SO-X", "HOP-1").unwrap();
        assert_eq!(verified.person().as_str(), "CB-001");
        assert_eq!(verified.meeting().as_str(), "HOP-1");
        assert_eq!(verified.nonce(), [1; 8]);
    }

    #[test]
    fn another_s_signature_says_nothing() {
        let forged = invitation().sign(&SigningKey::from_seed(&OTHER_SEED));
        let now = at(15_000, ClockQuality::Synchronised);
        let verified = verify(&forged.to_text(), &meeting("SO-X", "HOP-1"), now);
        assert_eq!(verified, Err(VerifyError::Signature));
    }

    #[test]
    fn times_that_are_none_are_refused() {
        let check = |from, until, expect| {
            let person = PersonId::new("CB-001").unwrap();
            let meeting = meeting("SO-X", "HOP-1");
            let made = Invitation::new(&meeting, person, WallTime(from), WallTime(until), [0; 8]);
            assert_eq!(made.map(|_| ()), expect, "{from} {until}");
        };
        check(1, 2, Ok(())); // Rounded outwards to one whole second.
        check(1000, 1000, Err(InvitationError::EndsBeforeStart));
        check(-1, 1000, Err(InvitationError::OutOfRange));
        check(0, i64::MAX, Err(InvitationError::OutOfRange));
        check(i64::MIN, i64::MIN, Err(InvitationError::OutOfRange));
    }

    /// The text of raw bytes, signed or not.
    fn text_of(bytes: &[u8]) -> String {
        format!("{PREFIX}{}{SUFFIX}", base45::encode(bytes))
    }

    fn fields(change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        invitation().encode_onto(&mut bytes);
        change(&mut bytes);
        bytes.extend_from_slice(&[0; SIGNATURE_BYTES]);
        bytes
    }

    #[test]
    fn broken_codes_are_refused_by_kind() {
        let check = |text: &str, expect: ParseError| {
            assert_eq!(SignedInvitation::parse(text), Err(expect), "{text:?}");
        };
        let text = signed().to_text();
        check("", ParseError::NotAnInvitation);
        check("https://example.org", ParseError::NotAnInvitation);
        check("DDX:1.", ParseError::NotAnInvitation);
        check("DD:1.", ParseError::NotAnInvitation);
        check("DD2:ABC.", ParseError::Version);
        check(&"A".repeat(513), ParseError::TooLong(513));
        check(&text[..text.len() - 1], ParseError::Incomplete);
        check(&text.to_lowercase(), ParseError::NotAnInvitation);
        check("DD1:abc.", ParseError::Characters);
        check("DD1:.", ParseError::Malformed);
        check(&text_of(&[0x86; 40]), ParseError::Malformed);
        check(&text_of(&fields(|b| b[0] = 0x87)), ParseError::Malformed);
        check(&text_of(&fields(|b| b.push(0))), ParseError::Malformed);
        // An array without an end holds the same six fields, in another form.
        let open_ended = fields(|b| {
            b[0] = 0x9f;
            b.push(0xff);
        });
        check(&text_of(&open_ended), ParseError::Malformed);
        // A length in two bytes where one does.
        let long_form = fields(|b| drop(b.splice(1..2, [0x78, 0x04])));
        check(&text_of(&long_form), ParseError::Malformed);
        let slash = ParseError::Id {
            field: "organisation",
            source: IdError::Character('/'),
        };
        check(&text_of(&fields(|b| b[3] = b'/')), slash);
    }

    /// Made from the description above with other implementations of CBOR, Base45 and Ed25519. It
    /// must never change while the version does not.
    const EXPECTED: &str = concat!(
        "DD1:O:G.NA/W58 C91A4W5Y-CLG8646F96K*C5TS7F3+ZRQYKW50W50W50W50XN325PULMY%G7CAIJN1S0",
        "85H1JI.9PAMPB9O:NFWGBK2J7.A$40/DMOJT8EA+D73AH6V6JDPGIQQQ47NG34W+-V FAUM7DJ4.",
    );

    proptest! {
        #[test]
        fn whatever_is_held_before_the_camera_does_no_harm(text in "\\PC{0,600}") {
            let _ = SignedInvitation::parse(&text);
            let _ = SignedInvitation::parse(&format!("{PREFIX}{text}{SUFFIX}"));
        }

        #[test]
        fn arbitrary_bytes_never_verify(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(parsed) = SignedInvitation::parse(&text_of(&bytes)) {
                let key = SigningKey::from_seed(&SEED).public();
                let now = at(15_000, ClockQuality::Unknown);
                prop_assert!(parsed.verify(&key, &now, &meeting("SO-X", "HOP-1")).is_err());
            }
        }

        #[test]
        fn one_flipped_bit_never_verifies(at_bit in 0_usize..10_000) {
            let text = signed().to_text();
            let body = &text[PREFIX.len()..text.len() - 1];
            let mut bytes = base45::decode(body).unwrap();
            let bit = at_bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(parsed) = SignedInvitation::parse(&text_of(&bytes)) {
                let key = SigningKey::from_seed(&SEED).public();
                let now = at(15_000, ClockQuality::Unknown);
                let verified = parsed.verify(&key, &now, &meeting("SO-X", "HOP-1"));
                prop_assert_eq!(verified, Err(VerifyError::Signature));
            }
        }

        #[test]
        fn one_changed_character_never_verifies(
            place in 0_usize..10_000,
            character in "[0-9A-Z $%*+./:-]",
        ) {
            let text = signed().to_text();
            let place = place % text.len();
            let mut changed = text.clone();
            changed.replace_range(place..=place, &character);
            prop_assume!(changed != text);
            if let Ok(parsed) = SignedInvitation::parse(&changed) {
                let key = SigningKey::from_seed(&SEED).public();
                let now = at(15_000, ClockQuality::Unknown);
                prop_assert!(parsed.verify(&key, &now, &meeting("SO-X", "HOP-1")).is_err());
            }
        }

        #[test]
        fn every_invitation_comes_back(
            organisation in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}",
            id in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}",
            person in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}",
            from in 0_i64..SECONDS_MAX * 1000,
            length in 1000_i64..10_000_000,
            nonce in any::<[u8; 8]>(),
        ) {
            let until = WallTime((from + length).min(SECONDS_MAX * 1000));
            let person = PersonId::new(&person).unwrap();
            let made =
                Invitation::new(&meeting(&organisation, &id), person, WallTime(from), until, nonce);
            if let Ok(invitation) = made {
                let signed = invitation.sign(&SigningKey::from_seed(&SEED));
                prop_assert_eq!(SignedInvitation::parse(&signed.to_text()), Ok(signed));
            }
        }
    }
}
