//! A selection of a script's parts.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The numbers of a script's remaining parts, formatted and parsed as in `0,3,7-9`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(pub BTreeSet<usize>);

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for part in &self.0 {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == *part => *last = *part,
                _ => ranges.push((*part, *part)),
            }
        }
        let shown = ranges.into_iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        f.write_str(&shown.collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Parts {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut kept = BTreeSet::new();
        for range in text.split(',').filter(|range| !range.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let [first, last]: [usize; 2] = [first.trim().parse()?, last.trim().parse()?];
            kept.extend(first..=last);
        }
        Ok(Self(kept))
    }
}
