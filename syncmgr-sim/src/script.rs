//! Scripts: a manager, its providers and a list of steps, as data.

use std::fmt;
use std::time::Duration;

use crate::generate;
use crate::parts::Parts;
use crate::rule::Rule;
use crate::step::Step;

/// A script generated from a seed: a list of parts, each of which can be left out.
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
    /// A setting of the manager that differs from the default.
    Setting(Setting),
    /// A provider of items.
    ProviderPlan(ProviderPlan),
    /// An item of a provider.
    Item(Item),
    /// A step of the script.
    Step(Step),
    /// A rule of a provider or an item.
    Rule(Rule),
}

/// A setting of the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// The maximum number of concurrent items.
    MaxConcurrentItems(usize),
    /// The capacity of a claim: the index of the claim, and the maximum number of items that hold it at the same time.
    Capacity(usize, usize),
    /// Interrupted runs resume as soon as the scheduler runs.
    ResumeImmediately,
    /// The retry policy: the initial and the maximum wait in seconds, and the maximum number of failures without progress.
    Retry(u64, u64, u32),
    /// A chooser selects items in sessions that may ask the user.
    Chooser,
    /// Ports and handlers sleep or yield at random.
    RandomDelays,
    /// The number of seconds for which the user has to be idle.
    IdleAfter(u64),
    /// The number of seconds for which the network has to be up.
    ConnectDelay(u64),
}

/// The properties of a provider that copies items from a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderPlan {
    /// The index of the provider.
    pub index: usize,
    /// The maximum number of concurrent items of the provider; 0 means the default.
    pub max_concurrent: usize,
    /// The index of the claim that all its items hold, if any.
    pub claim: Option<usize>,
    /// `None` if the provider needs no network; otherwise `true` if it also runs automatically on a metered network.
    pub network: Option<bool>,
    /// The points at which the provider commits.
    pub commits: Commits,
    /// `true` if the provider asks the user in `prepare`.
    pub asks: bool,
    /// `true` if the provider establishes a connection.
    pub connects: bool,
    /// `true` if the provider runs when the network comes up.
    pub runs_at_connect: bool,
}

/// The points at which a provider commits.
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
    /// The index of its provider.
    pub provider: usize,
    /// The index of the item within its provider.
    pub index: usize,
    /// The number of its chunks.
    pub chunks: u64,
    /// The index of a claim that the item holds in addition to that of its provider.
    pub claim: Option<usize>,
    /// The kind of the item.
    pub kind: Kind,
}

/// The kind of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An item without special behaviour.
    #[default]
    Plain,
    /// The item asks the user for a decision before its first chunk.
    Decides,
    /// The item writes each chunk in an uninterrupted section.
    Uninterrupted,
    /// The item spawns a task for each chunk.
    Spawns,
    /// The item writes its chunks concurrently.
    Concurrent,
}

impl Script {
    /// Generates the script of a seed. `handlers` is the number of added handlers, which have the lowest indices.
    pub(crate) fn generate(seed: u64, handlers: usize) -> Self {
        let parts = generate::parts(seed, handlers);
        let kept = Parts((0..parts.len()).collect());
        Self { seed, parts, kept }
    }

    /// Returns the seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the script with only these parts.
    pub fn only(&self, kept: &Parts) -> Self {
        let kept = kept.0.iter().copied().filter(|part| *part < self.parts.len()).collect();
        Self { kept: Parts(kept), ..self.clone() }
    }

    /// Returns the numbers of the remaining parts.
    pub fn kept(&self) -> &Parts {
        &self.kept
    }

    /// Returns the remaining parts, each with its number.
    pub fn parts(&self) -> impl Iterator<Item = (usize, &Part)> {
        self.kept.0.iter().map(|part| (*part, &self.parts[*part]))
    }

    /// Returns the remaining steps in order, each with its number.
    pub fn steps(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.parts().filter_map(|(number, part)| match part {
            Part::Step(step) => Some((number, step)),
            _ => None,
        })
    }

    pub(crate) fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.parts().filter_map(|(_, part)| match part {
            Part::Setting(setting) => Some(setting),
            _ => None,
        })
    }

    pub(crate) fn providers(&self) -> impl Iterator<Item = &ProviderPlan> {
        self.parts().filter_map(|(_, part)| match part {
            Part::ProviderPlan(provider) => Some(provider),
            _ => None,
        })
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.parts().filter_map(|(_, part)| match part {
            Part::Rule(rule) => Some(rule),
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
            Self::Setting(Setting::Retry(initial, cap, budget)) => {
                let [initial, cap] = [initial, cap].map(|seconds| Duration::from_secs(*seconds));
                write!(f, "setting: retry after {initial:?} up to {cap:?}, budget {budget}")
            }
            Self::Setting(setting) => write!(f, "setting: {setting:?}"),
            Self::ProviderPlan(provider) => write!(f, "{provider:?}"),
            Self::Item(item) => write!(f, "{item:?}"),
            Self::Step(step) => step.fmt(f),
            Self::Rule(rule) => write!(f, "{rule:?}"),
        }
    }
}
