//! One order for records of several devices.
//!
//! Within one device the chain says what came first, whatever its clock said. Between devices only
//! the wall clocks can: the chains are merged by them, and no chain is ever reordered.

use std::collections::{BTreeMap, HashMap};

use record::{Record, digest};
use vocabulary::{DeviceId, Digest, Epoch, WallTime};

use crate::types::{Conflict, RecordId};

/// Puts records in order, leaves out those given twice, and names those that two different records
/// share an id. The result does not depend on the order in which the records are given, but for
/// which of two forked records counts.
pub(crate) fn in_order<'a>(
    records: impl IntoIterator<Item = &'a Record>,
) -> (Vec<&'a Record>, Vec<Conflict>) {
    let mut devices: BTreeMap<&DeviceId, BTreeMap<Epoch, Vec<&Record>>> = BTreeMap::new();
    for record in records {
        let epochs = devices.entry(&record.device).or_default();
        epochs.entry(record.epoch).or_default().push(record);
    }
    let mut conflicts = Vec::new();
    let chains = devices
        .into_values()
        .map(|epochs| chain(epochs, &mut conflicts))
        .collect();
    (merge(chains), conflicts)
}

/// The records of one device: its epochs in order, each by number.
fn chain<'a>(
    epochs: BTreeMap<Epoch, Vec<&'a Record>>,
    conflicts: &mut Vec<Conflict>,
) -> Vec<&'a Record> {
    let parts = epochs.into_values().map(|mut part| {
        part.sort_by_key(|record| record.sequence);
        part
    });
    let mut chain: Vec<&Record> = Vec::new();
    for record in epochs_in_order(parts.collect()).into_iter().flatten() {
        match chain.last() {
            Some(last) if same_id(last, record) => {
                if *last != record {
                    conflicts.push(Conflict::Fork {
                        record: RecordId::of(record),
                    });
                }
            }
            Some(_) | None => chain.push(record),
        }
    }
    chain
}

/// An epoch follows the one whose last record its first record names; where that is not among
/// them, its wall clock has to do.
fn epochs_in_order(mut parts: Vec<Vec<&Record>>) -> Vec<Vec<&Record>> {
    if parts.len() < 2 {
        return parts;
    }
    parts.sort_by_key(|part| part.first().map(|record| (record.at.wall, record.epoch)));
    let ends: HashMap<Digest, usize> = parts
        .iter()
        .enumerate()
        .filter_map(|(index, part)| Some((digest(&part.last()?.encode()), index)))
        .collect();
    let mut taken = vec![false; parts.len()];
    let mut order = Vec::with_capacity(parts.len());
    for index in 0..parts.len() {
        let mut waiting = Vec::new();
        let mut next = Some(index).filter(|index| !taken[*index]);
        while let Some(index) = next {
            taken[index] = true;
            waiting.push(index);
            next = parts[index]
                .first()
                .and_then(|record| ends.get(&record.previous).copied())
                .filter(|before| !taken[*before]);
        }
        order.extend(waiting.into_iter().rev());
    }
    order
        .into_iter()
        .map(|index| std::mem::take(&mut parts[index]))
        .collect()
}

fn same_id(one: &Record, other: &Record) -> bool {
    one.epoch == other.epoch && one.sequence == other.sequence
}

/// Always takes the chain whose next record is the earliest; of two alike, the first device's.
fn merge(chains: Vec<Vec<&Record>>) -> Vec<&Record> {
    let mut merged = Vec::with_capacity(chains.iter().map(Vec::len).sum());
    let mut chains: Vec<_> = chains
        .into_iter()
        .map(|chain| chain.into_iter().peekable())
        .collect();
    loop {
        let mut earliest: Option<(WallTime, usize)> = None;
        for (index, chain) in chains.iter_mut().enumerate() {
            if let Some(record) = chain.peek()
                && earliest.is_none_or(|(wall, _)| record.at.wall < wall)
            {
                earliest = Some((record.at.wall, index));
            }
        }
        let Some((_, index)) = earliest else {
            return merged;
        };
        merged.extend(chains[index].next());
    }
}
