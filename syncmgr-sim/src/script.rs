//! A script: a manager, its providers and what happens, as data.

use std::fmt;
use std::time::Duration;

use crate::draw;
use crate::parts::Parts;
use crate::step::Step;

/// What follows from a seed: a list of parts, each of which can be left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    seed: u64,
    parts: Vec<Part>,
    kept: Parts,
}

/// A part of a script.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// How the manager is built, where not by the defaults.
    Rule(Rule),
    /// A provider of items.
    ProviderPlan(ProviderPlan),
    /// An item of a provider.
    Item(Item),
    /// Something that happens.
    Step(Step),
}

/// How a manager is built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// So many items at once.
    ItemsAtOnce(usize),
    /// So many items may have this claim at once.
    Capacity(usize, usize),
    /// Interrupted runs go on by themselves.
    ResumeAtOnce,
    /// The first wait, the longest in seconds, and the budget.
    Retry(u64, u64, u32),
    /// Somebody chooses where the user may be bothered.
    Chooser,
    /// Everything takes a while, by chance: ports, and what handlers do.
    Shaken,
}

/// A provider of items, which brings copies up to date with a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderPlan {
    /// Its place.
    pub place: usize,
    /// How many items it runs at once; 0 leaves the default.
    pub at_once: usize,
    /// What each of its items claims.
    pub claim: Option<usize>,
    /// Whether it needs a network, and if so moves little.
    pub network: Option<bool>,
    /// When it commits.
    pub commits: Commits,
    /// Whether it asks the user something while it prepares.
    pub asks: bool,
    /// Whether it brings a connection up.
    pub connects: bool,
}

/// When a provider commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Commits {
    /// After each chunk.
    #[default]
    EachChunk,
    /// At the end of an item.
    AtTheEnd,
}

/// An item of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// The place of its provider.
    pub provider: usize,
    /// Its own.
    pub place: usize,
    /// In how many chunks it comes.
    pub chunks: u64,
    /// What it claims.
    pub claim: Option<usize>,
    /// What is special about it.
    pub kind: Kind,
}

/// What is special about an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Nothing.
    #[default]
    Plain,
    /// It leaves a decision to the user before its first chunk.
    Decides,
    /// It must not be cut in the middle of a chunk.
    Uninterrupted,
    /// It has a task of its own for each chunk.
    Spawns,
    /// It writes chunks concurrently.
    Concurrent,
}

impl Script {
    /// What follows from a seed, where there are so many handlers besides the generated ones.
    pub(crate) fn of(seed: u64, handlers: usize) -> Self {
        let parts = draw::parts(seed, handlers);
        let kept = Parts((0..parts.len()).collect());
        Self { seed, parts, kept }
    }

    /// The seed it follows from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The same with these of its parts alone.
    pub fn only(&self, kept: &Parts) -> Self {
        let kept = kept.0.iter().copied().filter(|part| *part < self.parts.len()).collect();
        Self { kept: Parts(kept), ..self.clone() }
    }

    /// The parts that are left, by number.
    pub fn kept(&self) -> &Parts {
        &self.kept
    }

    /// The parts that are left, each with its number.
    pub fn parts(&self) -> impl Iterator<Item = (usize, &Part)> {
        self.kept.0.iter().map(|part| (*part, &self.parts[*part]))
    }

    /// What happens, in order.
    pub fn steps(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.parts().filter_map(|(number, part)| match part {
            Part::Step(step) => Some((number, step)),
            _ => None,
        })
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.parts().filter_map(|(_, part)| match part {
            Part::Rule(rule) => Some(rule),
            _ => None,
        })
    }

    pub(crate) fn providers(&self) -> impl Iterator<Item = &ProviderPlan> {
        self.parts().filter_map(|(_, part)| match part {
            Part::ProviderPlan(provider) => Some(provider),
            _ => None,
        })
    }

    pub(crate) fn items_of(&self, provider: usize) -> impl Iterator<Item = &Item> {
        self.parts().filter_map(move |(_, part)| match part {
            Part::Item(item) if item.provider == provider => Some(item),
            _ => None,
        })
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIM_SEED={} SIM_KEEP={}", self.seed, self.kept)?;
        self.parts().try_for_each(|(number, part)| write!(f, "\n{number:>5}  {part}"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(Rule::Retry(initial, cap, budget)) => {
                let [initial, cap] = [initial, cap].map(|seconds| Duration::from_secs(*seconds));
                write!(f, "rule: retry after {initial:?} up to {cap:?}, {budget} times")
            }
            Self::Rule(rule) => write!(f, "rule: {rule:?}"),
            Self::ProviderPlan(provider) => write!(f, "{provider:?}"),
            Self::Item(item) => write!(f, "{item:?}"),
            Self::Step(step) => step.fmt(f),
        }
    }
}
