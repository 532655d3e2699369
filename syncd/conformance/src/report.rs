//! What was found, as rows, and as the table that a person reads.

use std::fmt;

/// Ends a check with what is wrong, unless it holds.
macro_rules! check {
    ($holds:expr, $($wrong:tt)*) => {
        if !$holds {
            return Err(format!($($wrong)*));
        }
    };
}
pub(crate) use check;

/// What came of one promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is kept.
    Kept,
    /// It is broken, and how.
    Broken(String),
    /// It could not be tried, and why.
    Untried(String),
}

/// One promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which part of the contract it belongs to.
    pub part: &'static str,
    /// The promise.
    pub promise: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// All that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which they were tried.
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether nothing is broken and nothing was left untried.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.rows.iter().all(|row| row.outcome == Outcome::Kept)
    }

    pub(crate) fn add(
        &mut self,
        part: &'static str,
        promise: &'static str,
        result: Result<(), String>,
    ) {
        let outcome = result.map_or_else(Outcome::Broken, |()| Outcome::Kept);
        self.rows.push(Row {
            part,
            promise,
            outcome,
        });
    }

    pub(crate) fn untried(&mut self, part: &'static str, promise: &'static str, why: &str) {
        let outcome = Outcome::Untried(why.to_owned());
        self.rows.push(Row {
            part,
            promise,
            outcome,
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .rows
            .iter()
            .map(|row| row.part.len())
            .max()
            .unwrap_or(0);
        for row in &self.rows {
            let (mark, more) = match &row.outcome {
                Outcome::Kept => ("kept   ", None),
                Outcome::Broken(how) => ("BROKEN ", Some(how)),
                Outcome::Untried(why) => ("untried", Some(why)),
            };
            writeln!(f, "{mark}  {:width$}  {}", row.part, row.promise)?;
            if let Some(more) = more {
                writeln!(f, "         {:width$}    {more}", "")?;
            }
        }
        let count = |wanted: fn(&Outcome) -> bool| {
            self.rows.iter().filter(|row| wanted(&row.outcome)).count()
        };
        write!(
            f,
            "{} promises: {} kept, {} broken, {} untried",
            self.rows.len(),
            count(|outcome| matches!(outcome, Outcome::Kept)),
            count(|outcome| matches!(outcome, Outcome::Broken(_))),
            count(|outcome| matches!(outcome, Outcome::Untried(_))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_broken_and_counts() {
        let mut report = Report::default();
        report.add("rolls", "are numbered", Ok(()));
        report.add("records", "are kept", Err("one is missing".to_owned()));
        report.untried("devices", "are told", "no token was given");
        assert!(!report.conforms());
        let table = report.to_string();
        for part in [
            "kept     rolls    are numbered",
            "BROKEN   records  are kept",
            "one is missing",
            "3 promises: 1 kept, 1 broken, 1 untried",
        ] {
            assert!(table.contains(part), "{part} in\n{table}");
        }
    }
}
