//! Holds each decision of the evening against who stood there, and prints it as it falls.

use std::collections::HashMap;

use anyhow::bail;
use jiff::tz::TimeZone;
use vocabulary::{Decision, Monotonic, PersonId};

use super::evening::{EVENING, Visitor};
use super::{FRAME, SCENE_FRAMES, stage};
use crate::kiosk::Told;
use crate::local_time::clock_text;

/// What came of the evening.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Count {
    rightly: u32,
    wrongly: u32,
    not_at_all: u32,
    strangers: u32,
    strangers_called: u32,
}

impl Count {
    /// Prints the last line.
    ///
    /// # Errors
    /// When anybody was called wrongly or not at all, or a stranger was called.
    pub fn conclude(&self) -> anyhow::Result<()> {
        let line = format!(
            "Delegates called rightly {}, wrongly {}, not at all {}; strangers called {} of {}.",
            self.rightly, self.wrongly, self.not_at_all, self.strangers_called, self.strangers
        );
        if self.wrongly == 0 && self.not_at_all == 0 && self.strangers_called == 0 {
            println!("\n{line} As expected.");
            Ok(())
        } else {
            bail!("{line} Not as expected: every delegate is called rightly and no stranger is.")
        }
    }
}

/// What became of one visitor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fate {
    called_rightly: bool,
    called_wrongly: bool,
}

/// Listens to the evening.
pub struct Verdicts {
    start: Monotonic,
    zone: TimeZone,
    /// By our ids, the ids of the delegates on the roster.
    ids: HashMap<&'static str, PersonId>,
    /// One for each visitor of each scene.
    fates: Vec<Vec<Fate>>,
    /// Names called while nobody was there.
    calls_of_nobody: u32,
}

impl Verdicts {
    /// For an evening whose first frame is at `start`; times are printed in `zone`. `ids` says who
    /// the delegates are on the roster.
    pub fn new(start: Monotonic, zone: TimeZone, ids: HashMap<&'static str, PersonId>) -> Self {
        let fates = EVENING
            .iter()
            .map(|scene| vec![Fate::default(); scene.visitors.len()]);
        Self {
            start,
            zone,
            ids,
            fates: fates.collect(),
            calls_of_nobody: 0,
        }
    }

    /// Takes in a decision, and prints it.
    pub fn hear(&mut self, told: &Told) {
        let passed = told.at.monotonic.since(self.start).as_millis();
        let scene = passed / (FRAME * SCENE_FRAMES).as_millis();
        let place = usize::try_from(scene).ok().and_then(|index| {
            let visitors = EVENING.get(index)?.visitors;
            Some((
                index,
                visitors,
                nearest(visitors, told.outcome.bounds.centre().x)?,
            ))
        });
        let time = clock_text(told.at.wall, &self.zone);
        let Some((scene, visitors, index)) = place else {
            self.calls_of_nobody +=
                u32::from(matches!(told.outcome.decision, Decision::Identified(_)));
            println!("  {time}  NOBODY IS THERE: {}", describe(told));
            return;
        };
        let visitor = &visitors[index];
        let fate = &mut self.fates[scene][index];
        let verdict = match (&told.outcome.decision, visitor.id) {
            (Decision::Identified(ranked), Some(id))
                if self.ids.get(id) == Some(&ranked.person) =>
            {
                fate.called_rightly = true;
                "called rightly"
            }
            (Decision::Identified(_), _) => {
                fate.called_wrongly = true;
                "CALLED WRONGLY"
            }
            (Decision::NotIdentified { .. } | Decision::Ambiguous { .. }, Some(_)) => "NOT CALLED",
            (Decision::NotIdentified { .. } | Decision::Ambiguous { .. }, None) => {
                "a stranger, not called"
            }
        };
        println!(
            "  {time}  scene {}  {:<16} {:<30} {verdict}: {}",
            scene + 1,
            visitor.name,
            visitor.photograph,
            describe(told)
        );
    }

    /// Names those on whom nothing was decided, and counts.
    pub fn conclude(self) -> Count {
        let mut count = Count {
            wrongly: self.calls_of_nobody,
            ..Count::default()
        };
        for (index, (scene, fates)) in EVENING.iter().zip(&self.fates).enumerate() {
            for (visitor, fate) in scene.visitors.iter().zip(fates) {
                match (
                    visitor.id.is_some(),
                    fate.called_rightly,
                    fate.called_wrongly,
                ) {
                    (true, _, true) => count.wrongly += 1,
                    (true, true, false) => count.rightly += 1,
                    (true, false, false) => {
                        println!("  scene {}: {} was NOT CALLED", index + 1, visitor.name);
                        count.not_at_all += 1;
                    }
                    (false, _, called) => {
                        count.strangers += 1;
                        count.strangers_called += u32::from(called);
                    }
                }
            }
        }
        count
    }
}

/// Which of a scene's visitors stands nearest to a place across the picture, in pixels.
fn nearest(visitors: &[Visitor], x: f32) -> Option<usize> {
    let off = |visitor: &Visitor| (x - visitor.across * stage::FRAME_WIDTH_PX as f32).abs();
    let indexed = visitors.iter().enumerate();
    indexed
        .min_by(|(_, a), (_, b)| off(a).total_cmp(&off(b)))
        .map(|(index, _)| index)
}

fn describe(told: &Told) -> String {
    let outcome = &told.outcome;
    let score = match &outcome.decision {
        Decision::Identified(ranked) => format!("{} {}", ranked.person, ranked.score),
        Decision::NotIdentified { best: Some(best) } => format!("best score {best}"),
        Decision::NotIdentified { best: None } => "nobody to compare with".to_owned(),
        Decision::Ambiguous {
            first,
            second: Some(second),
        } => {
            format!(
                "{} {} or {} {}",
                first.person, first.score, second.person, second.score
            )
        }
        Decision::Ambiguous {
            first,
            second: None,
        } => format!("{} {}?", first.person, first.score),
    };
    format!(
        "{score} (needed {}), {} frames, {:.1} s after first seen",
        outcome.threshold,
        outcome.frames,
        outcome.waited.as_secs_f32()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(change: impl Fn(usize, usize, &Visitor) -> Fate) -> Count {
        let mut verdicts = Verdicts::new(Monotonic::default(), TimeZone::UTC, HashMap::new());
        for (index, scene) in EVENING.iter().enumerate() {
            for (at, visitor) in scene.visitors.iter().enumerate() {
                verdicts.fates[index][at] = change(index, at, visitor);
            }
        }
        verdicts.conclude()
    }

    #[test]
    fn only_an_evening_without_a_mistake_is_as_expected() {
        let right = |visitor: &Visitor| Fate {
            called_rightly: visitor.id.is_some(),
            called_wrongly: false,
        };
        assert!(fates(|_, _, visitor| right(visitor)).conclude().is_ok());
        let missed = fates(|scene, _, visitor| match scene {
            0 => Fate::default(),
            _ => right(visitor),
        });
        assert!(missed.conclude().is_err());
        let called = fates(|_, _, visitor| Fate {
            called_wrongly: visitor.id.is_none(),
            ..right(visitor)
        });
        assert!(called.conclude().is_err());
        assert!(called.strangers > 0 && called.strangers_called == called.strangers);
    }
}
