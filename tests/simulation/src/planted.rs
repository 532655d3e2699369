//! Plants each defect in turn and runs seeds until one fails. A simulation that finds none of them
//! proves nothing by finding nothing else.

use anyhow::Result;
use sync::planted::{Defect, plant};

use crate::{Options, run_many};

/// Of all defects, so many may stay hidden.
const HIDDEN_MAX: usize = 1;

/// Whether all, or all but [`HIDDEN_MAX`] in twenty, are found within so many seeds.
pub fn find_all(seeds: u64, threads: usize) -> Result<bool> {
    let options = Options {
        first: 0,
        seeds: Some(seeds),
        threads,
        twice: false,
        verbose: false,
        planted: true,
    };
    let mut hidden = 0;
    for defect in Defect::ALL {
        plant(Some(defect));
        let outcome = run_many(0, seeds, &options, 1);
        plant(None);
        match outcome.failed.first_key_value() {
            Some((seed, error)) => {
                println!("{defect:?}: found by seed {seed}: {}", error.root_cause());
            }
            None => {
                hidden += 1;
                println!("{defect:?}: NOT FOUND in {} seeds", outcome.done);
            }
        }
    }
    let all = Defect::ALL.len();
    println!("{} of {all} found", all - hidden);
    Ok(hidden <= HIDDEN_MAX * all / 20)
}
