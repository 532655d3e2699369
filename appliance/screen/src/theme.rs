//! Colours by what they mean. A scene names a role, never a number, so that a theme is a value.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;

/// Contrast that WCAG 2 level AA asks of text.
pub const CONTRAST_TEXT_MIN: f32 = 4.5;

/// Contrast that WCAG 2 level AA asks of large text, icons and the parts of a drawing.
pub const CONTRAST_LARGE_MIN: f32 = 3.0;

/// The colours of one mood: what a delegate grasps before they read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tone {
    /// Behind everything.
    pub ground: Rgb888,
    /// A card or bar on the ground.
    pub panel: Rgb888,
    /// Main text; AA on ground and panel.
    pub ink: Rgb888,
    /// Secondary text; AA on ground and panel.
    pub muted: Rgb888,
    /// Icons, lines, numbers that matter; AA for text on ground and panel.
    pub accent: Rgb888,
    /// Text and marks on an area filled with `accent`.
    pub on_accent: Rgb888,
}

/// The colours of the marks around faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Seen, but not yet usable.
    pub seen: Rgb888,
    /// Being compared.
    pub comparing: Rgb888,
    /// Decided.
    pub done: Rgb888,
    /// The rim around each, and the empty part of a progress bar.
    pub rim: Rgb888,
}

/// All the colours of the screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Waiting, looking, telling.
    pub calm: Tone,
    /// It went well: the attendance is recorded.
    pub good: Tone,
    /// Something is asked of the delegate; no accusation.
    pub ask: Tone,
    /// The door cannot do its work.
    pub alert: Tone,
    /// Rule between parts, and the empty part of a progress bar; decoration without contrast.
    pub rule: Rgb888,
    /// What stands in for a picture that is missing.
    pub blank: Rgb888,
    /// Marks on the live picture, which is no part of the theme: bright in both, with a dark rim.
    pub marks: Marks,
}

impl Theme {
    /// Light on dark: for corridors, where a bright panel would dazzle.
    pub const DARK: Self = Self {
        calm: Tone {
            ground: hex(0x0B_14_26),
            panel: hex(0x16_23_3D),
            ink: hex(0xF5_F8_FC),
            muted: hex(0xB4_C2_D9),
            accent: hex(0xF5_C9_5B),
            on_accent: hex(0x1B_15_04),
        },
        good: Tone {
            ground: hex(0x05_32_25),
            panel: hex(0x0B_45_34),
            ink: hex(0xFF_FF_FF),
            muted: hex(0xBD_E3_D2),
            accent: hex(0x5E_E6_A8),
            on_accent: hex(0x04_26_1B),
        },
        ask: Tone {
            ground: hex(0x1A_1B_40),
            panel: hex(0x28_2A_5C),
            ink: hex(0xFF_FF_FF),
            muted: hex(0xC9_CC_F0),
            accent: hex(0xFF_CF_6B),
            on_accent: hex(0x1E_15_02),
        },
        alert: Tone {
            ground: hex(0x3A_0C_12),
            panel: hex(0x52_15_1C),
            ink: hex(0xFF_FF_FF),
            muted: hex(0xF3_C9_C9),
            accent: hex(0xFF_B0_A3),
            on_accent: hex(0x36_07_0B),
        },
        rule: hex(0x33_45_68),
        blank: hex(0x05_0A_14),
        marks: MARKS,
    };

    /// Dark on light: for bright halls.
    pub const LIGHT: Self = Self {
        calm: Tone {
            ground: hex(0xF4_F6_FA),
            panel: hex(0xFF_FF_FF),
            ink: hex(0x10_1B_2E),
            muted: hex(0x4A_58_70),
            accent: hex(0x9A_1B_1F),
            on_accent: hex(0xFF_FF_FF),
        },
        good: Tone {
            ground: hex(0xE6_F6_EE),
            panel: hex(0xFF_FF_FF),
            ink: hex(0x06_2A_1D),
            muted: hex(0x2F_5A_48),
            accent: hex(0x0B_6E_47),
            on_accent: hex(0xFF_FF_FF),
        },
        ask: Tone {
            ground: hex(0xFF_F6_E0),
            panel: hex(0xFF_FF_FF),
            ink: hex(0x2B_20_05),
            muted: hex(0x5F_4E_1F),
            accent: hex(0x7A_52_00),
            on_accent: hex(0xFF_FF_FF),
        },
        alert: Tone {
            ground: hex(0xFD_EC_EB),
            panel: hex(0xFF_FF_FF),
            ink: hex(0x3A_0A_0C),
            muted: hex(0x70_34_36),
            accent: hex(0xB0_16_1C),
            on_accent: hex(0xFF_FF_FF),
        },
        rule: hex(0xC9_D2_E0),
        blank: hex(0xDD_E3_EC),
        marks: MARKS,
    };
}

const MARKS: Marks = Marks {
    seen: hex(0xFF_FF_FF),
    comparing: hex(0xF5_C9_5B),
    done: hex(0x5E_E6_A8),
    rim: hex(0x00_00_00),
};

impl Default for Theme {
    fn default() -> Self {
        Self::DARK
    }
}

/// The contrast ratio of two colours, 1 to 21, as WCAG 2.2 defines it from relative luminance.
#[must_use]
pub fn contrast(one: Rgb888, other: Rgb888) -> f32 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(colour: Rgb888) -> f32 {
    let linear = |channel: u8| {
        let value = f32::from(channel) / 255.0;
        if value <= 0.040_45 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
}

/// A colour from 0xRRGGBB.
const fn hex(value: u32) -> Rgb888 {
    let [_, red, green, blue] = value.to_be_bytes();
    Rgb888::new(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((contrast(Rgb888::BLACK, Rgb888::WHITE) - 21.0).abs() < 0.01);
        assert!((contrast(hex(0x77_77_77), Rgb888::WHITE) - 4.48).abs() < 0.01);
    }

    #[test]
    fn marks_show_on_their_rim() {
        for theme in [Theme::DARK, Theme::LIGHT] {
            let marks = theme.marks;
            for mark in [marks.seen, marks.comparing, marks.done] {
                assert!(contrast(mark, marks.rim) >= CONTRAST_LARGE_MIN);
            }
        }
    }

    #[test]
    fn every_text_of_every_theme_reaches_aa() {
        for (name, theme) in [("dark", Theme::DARK), ("light", Theme::LIGHT)] {
            for tone in [theme.calm, theme.good, theme.ask, theme.alert] {
                for on in [tone.ground, tone.panel] {
                    for ink in [tone.ink, tone.muted, tone.accent] {
                        let ratio = contrast(ink, on);
                        assert!(
                            ratio >= CONTRAST_TEXT_MIN,
                            "{name}: {ink:?} on {on:?}: {ratio}"
                        );
                    }
                }
                assert!(
                    contrast(tone.on_accent, tone.accent) >= CONTRAST_TEXT_MIN,
                    "{name}"
                );
            }
        }
    }
}
