//! Which video devices there are, and which of them is the camera that is meant.
//!
//! The kernel numbers devices as they come: a camera that is plugged in again may be another
//! `/dev/videoN`. So a camera is known by what it is and where it is plugged in. The list is read
//! from sysfs and no device is opened for it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::CameraError;

/// Most devices that are looked at. A board's decoders and scalers show up as some twenty.
pub const DEVICES_MAX: usize = 128;

/// Longest name or serial number in bytes that is kept; USB strings have at most 126 characters.
const TEXT_BYTES_MAX: usize = 512;

/// What makes a camera the same camera after it was unplugged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// USB vendor and product, such as `046d:0825`; none for what is not on USB.
    pub usb: Option<String>,
    /// The serial number, where the camera has one. Many cheap ones share theirs.
    pub serial: Option<String>,
    /// Where it is plugged in: the path of its device below `/sys/devices`.
    pub port: String,
    /// Which of the device's nodes it is: the first one gives pictures, others metadata.
    pub index: u32,
}

/// A video device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The N of `/dev/videoN`.
    pub number: u32,
    /// What it calls itself.
    pub name: String,
    /// What makes it the same.
    pub identity: Identity,
}

impl Found {
    /// Its device file.
    #[must_use]
    pub fn node(&self) -> PathBuf {
        PathBuf::from(format!("/dev/video{}", self.number))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/dev/video{} ({}", self.number, self.name)?;
        if let Some(usb) = &self.identity.usb {
            write!(f, ", usb:{usb}")?;
            if let Some(serial) = &self.identity.serial {
                write!(f, ":{serial}")?;
            }
        }
        write!(f, ")")
    }
}

/// Which camera is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Which {
    /// Whichever there is; USB cameras first.
    #[default]
    Any,
    /// The one behind this file, `/dev/videoN` or a link to it such as those in `/dev/v4l/by-id`.
    Node(PathBuf),
    /// The one with this USB vendor and product, and this serial number if there is one.
    Usb {
        /// Vendor and product, such as `046d:0825`.
        id: String,
        /// The serial number.
        serial: Option<String>,
    },
}

impl Which {
    /// Reads `auto`, `/dev/…` or `usb:VVVV:PPPP` with an optional `:serial`; none for anything
    /// else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "auto" {
            return Some(Self::Any);
        }
        if text.starts_with("/dev/") && !text.contains('\0') {
            return Some(Self::Node(PathBuf::from(text)));
        }
        let mut parts = text.strip_prefix("usb:")?.splitn(3, ':');
        let (vendor, product) = (parts.next()?, parts.next()?);
        let is_hex = |part: &str| part.len() == 4 && part.bytes().all(|b| b.is_ascii_hexdigit());
        (is_hex(vendor) && is_hex(product)).then(|| Self::Usb {
            id: format!("{vendor}:{product}").to_ascii_lowercase(),
            serial: parts.next().map(str::to_owned),
        })
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => write!(f, "auto"),
            Self::Node(path) => write!(f, "{}", path.display()),
            Self::Usb { id, serial } => {
                write!(f, "usb:{id}")?;
                serial.iter().try_for_each(|serial| write!(f, ":{serial}"))
            }
        }
    }
}

/// The video devices of this machine, in the order of their numbers.
///
/// # Errors
/// What the system says when sysfs cannot be read; a machine without video has an empty list.
pub fn list() -> io::Result<Vec<Found>> {
    list_below(Path::new("/sys/class/video4linux"))
}

/// The video devices of a `video4linux` class folder.
pub(crate) fn list_below(class: &Path) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(class) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries.take(DEVICES_MAX) {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.strip_prefix("video")?.parse().ok());
        if let Some(number) = number {
            found.push(look(&entry.path(), number));
        }
    }
    found.sort_by_key(|found| found.number);
    Ok(found)
}

/// What sysfs says of one device. A device that vanishes meanwhile leaves gaps, not an error.
fn look(folder: &Path, number: u32) -> Found {
    let device = fs::canonicalize(folder.join("device")).unwrap_or_default();
    // The interface hangs below the USB device that bears the numbers.
    let usb_device = device.parent().unwrap_or(Path::new(""));
    let vendor = read(&usb_device.join("idVendor"));
    let product = read(&usb_device.join("idProduct"));
    let usb = vendor
        .zip(product)
        .map(|(vendor, product)| format!("{vendor}:{product}").to_ascii_lowercase());
    let port = device.to_string_lossy();
    Found {
        number,
        name: read(&folder.join("name")).unwrap_or_else(|| "without a name".to_owned()),
        identity: Identity {
            serial: usb.as_ref().and_then(|_| read(&usb_device.join("serial"))),
            usb,
            port: port
                .strip_prefix("/sys/devices/")
                .unwrap_or(&port)
                .to_owned(),
            index: read(&folder.join("index"))
                .and_then(|index| index.parse().ok())
                .unwrap_or(0),
        },
    }
}

/// A one-line file of sysfs, without control characters; none when there is no such file.
fn read(path: &Path) -> Option<String> {
    let text = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(text.get(..TEXT_BYTES_MAX).unwrap_or(&text)).into_owned();
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The devices that may be the camera that is meant, the likeliest first. `last` is what was open
/// before. `resolve` says where a device file leads, through links.
///
/// # Errors
/// [`CameraError::NoCamera`] or [`CameraError::NotFound`] when there is none.
pub(crate) fn candidates<'a>(
    found: &'a [Found],
    which: &Which,
    last: Option<&Identity>,
    resolve: impl Fn(&Path) -> Option<PathBuf>,
) -> Result<Vec<&'a Found>, CameraError> {
    if found.is_empty() {
        return Err(CameraError::NoCamera);
    }
    let likeness = |one: &Found| last.map_or(0, |last| likeness(&one.identity, last));
    let mut candidates: Vec<_> = match which {
        Which::Any => found.iter().collect(),
        Which::Node(path) => {
            let node = resolve(path);
            found
                .iter()
                .filter(|one| Some(one.node()) == node || likeness(one) > 0)
                .collect()
        }
        Which::Usb { id, serial } => found
            .iter()
            .filter(|one| {
                let identity = &one.identity;
                identity.usb.as_ref() == Some(id)
                    && (serial.is_none() || identity.serial == *serial)
            })
            .collect(),
    };
    candidates.sort_by_key(|one| {
        let on_usb = one.identity.usb.is_some();
        (
            std::cmp::Reverse(likeness(one)),
            one.identity.index,
            !on_usb,
            one.number,
        )
    });
    if candidates.is_empty() {
        return Err(CameraError::NotFound {
            wanted: which.to_string(),
            found: names(found),
        });
    }
    Ok(candidates)
}

/// How sure it is that two identities are one camera: 0 not at all, 3 most.
fn likeness(one: &Identity, last: &Identity) -> u8 {
    let same_model = one.usb == last.usb && one.index == last.index;
    let same_port = one.port == last.port;
    let same_serial = one.serial.is_some() && one.serial == last.serial;
    match (same_model, same_port, same_serial) {
        (false, _, _) => 0,
        (true, true, true) => 3,
        (true, true, false) | (true, false, true) => 2,
        // Of what is not on USB, nothing is known but where it is.
        (true, false, false) => u8::from(one.usb.is_some()),
    }
}

/// All devices in one line, for an error.
pub(crate) fn names(found: &[Found]) -> String {
    let names: Vec<_> = found.iter().map(Found::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usb(number: u32, id: &str, serial: Option<&str>, port: &str, index: u32) -> Found {
        Found {
            number,
            name: "Camera".into(),
            identity: Identity {
                usb: Some(id.into()),
                serial: serial.map(str::to_owned),
                port: port.into(),
                index,
            },
        }
    }

    fn codec(number: u32) -> Found {
        Found {
            number,
            name: "Codec".into(),
            identity: Identity {
                port: format!("platform/codec{number}"),
                ..Identity::default()
            },
        }
    }

    fn numbers(found: &[Found], which: &Which, last: Option<&Identity>) -> Option<Vec<u32>> {
        let resolve = |path: &Path| {
            Some(match path.to_str()? {
                "/dev/v4l/by-id/first" => PathBuf::from("/dev/video0"),
                _ => path.to_owned(),
            })
        };
        let candidates = candidates(found, which, last, resolve).ok()?;
        Some(candidates.iter().map(|one| one.number).collect())
    }

    #[test]
    fn a_camera_is_named_in_three_ways() {
        let check = |text: &str, expect: Option<&str>| {
            let parsed = Which::parse(text).map(|which| which.to_string());
            assert_eq!(parsed.as_deref(), expect, "{text}");
        };
        check("auto", Some("auto"));
        check("/dev/video2", Some("/dev/video2"));
        check("usb:046D:0825", Some("usb:046d:0825"));
        check("usb:046d:0825:A:1", Some("usb:046d:0825:A:1"));
        check("usb:46d:0825", None);
        check("usb:046d", None);
        check("video0", None);
        check("", None);
    }

    #[test]
    fn any_camera_prefers_pictures_on_usb() {
        let found = [
            codec(10),
            usb(1, "a:b", None, "1-2", 1),
            usb(0, "a:b", None, "1-2", 0),
        ];
        assert_eq!(numbers(&found, &Which::Any, None), Some(vec![0, 10, 1]));
        assert_eq!(numbers(&[], &Which::Any, None), None);
    }

    #[test]
    fn a_camera_is_found_again_under_another_number() {
        let before = usb(0, "a:b", Some("S1"), "1-2", 0).identity;
        let node = Which::Node("/dev/video0".into());
        let check = |found: &[Found], expect: Option<Vec<u32>>| {
            assert_eq!(numbers(found, &node, Some(&before)), expect, "{found:?}");
        };
        // Same port, another number.
        check(&[usb(3, "a:b", Some("S1"), "1-2", 0)], Some(vec![3]));
        // Another port, the same serial number; the twin in the old port is less likely than both.
        check(
            &[
                usb(4, "a:b", Some("S1"), "1-4", 0),
                usb(2, "a:b", Some("S2"), "1-4.1", 0),
            ],
            Some(vec![4, 2]),
        );
        // Another camera took the number: it is what the configuration names.
        check(&[usb(0, "c:d", None, "1-2", 0)], Some(vec![0]));
        // Another camera under another number is not meant.
        check(&[usb(1, "c:d", None, "1-2", 0)], None);
        // The metadata node is not the camera.
        check(&[usb(1, "a:b", Some("S1"), "1-2", 1)], None);
    }

    #[test]
    fn links_lead_to_devices_and_usb_ids_select() {
        let found = [
            usb(0, "a:b", Some("S1"), "1-2", 0),
            usb(2, "a:b", Some("S2"), "1-4", 0),
        ];
        let by_id = Which::Node("/dev/v4l/by-id/first".into());
        assert_eq!(numbers(&found, &by_id, None), Some(vec![0]));
        let usb = |serial: Option<&str>| Which::Usb {
            id: "a:b".into(),
            serial: serial.map(str::to_owned),
        };
        assert_eq!(numbers(&found, &usb(Some("S2")), None), Some(vec![2]));
        assert_eq!(numbers(&found, &usb(None), None), Some(vec![0, 2]));
        assert_eq!(numbers(&found, &usb(Some("S3")), None), None);
    }

    #[test]
    fn sysfs_is_read_as_the_kernel_lays_it_out() {
        let root = tempfile::tempdir().unwrap();
        let interface = root.path().join("devices/usb1/1-2/1-2:1.0");
        let node = interface.join("video4linux/video7");
        fs::create_dir_all(&node).unwrap();
        let class = root.path().join("class");
        fs::create_dir(&class).unwrap();
        std::os::unix::fs::symlink(&node, class.join("video7")).unwrap();
        std::os::unix::fs::symlink("../..", node.join("device")).unwrap();
        fs::create_dir(class.join("v4l-subdev0")).unwrap();
        fs::create_dir(class.join("videotape")).unwrap();
        fs::write(node.join("name"), "HD Camera\u{7}\n").unwrap();
        fs::write(node.join("index"), "1\n").unwrap();
        let device = interface.parent().unwrap();
        fs::write(device.join("idVendor"), "046D\n").unwrap();
        fs::write(device.join("idProduct"), "0825\n").unwrap();
        fs::write(device.join("serial"), "S1\n").unwrap();

        let found = list_below(&class).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].to_string(),
            "/dev/video7 (HD Camera, usb:046d:0825:S1)"
        );
        assert_eq!(found[0].identity.index, 1);
        assert!(found[0].identity.port.ends_with("usb1/1-2/1-2:1.0"));
        assert_eq!(list_below(&root.path().join("none")).unwrap(), []);
    }
}
