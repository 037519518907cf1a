//! What the kit says of a handler.

use std::fmt;

use syncmgr_core::text::Escaped;

use super::breach::{Breach, Shown};
use super::check::Check;
use super::rig::Time;

/// What the kit says of one handler, check by check. Shown with `{}` it reads like what a compiler says.
#[derive(Debug)]
#[must_use = "a judgement that nobody reads lets everything pass"]
pub struct Judgement {
    pub(super) handler: String,
    pub(super) time: Time,
    pub(super) rulings: Vec<(Check, Ruling)>,
}

/// What one check has found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ruling {
    /// The promise was kept.
    Kept(Kept),
    /// The promise was broken.
    Broken(Breach),
    /// The check does not apply, for this reason.
    Skipped(String),
}

/// How well a promise was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// How many scripts were played.
    pub scripts: usize,
    /// How many more there would have been.
    pub left_out: usize,
    /// How many of those that were played did not come to their place.
    pub unreached: usize,
    /// What there was not to compare.
    pub remark: Option<&'static str>,
}

impl Kept {
    /// With those that were played besides.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            scripts: self.scripts + other.scripts,
            left_out: self.left_out + other.left_out,
            unreached: self.unreached + other.unreached,
            remark: self.remark.or(other.remark),
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} played", self.scripts)?;
        if self.left_out > 0 {
            write!(f, ", {} left out", self.left_out)?;
        }
        if self.unreached > 0 {
            write!(f, ", {} did not come to their place", self.unreached)?;
        }
        self.remark.map_or(Ok(()), |remark| write!(f, ", {remark}"))
    }
}

impl Judgement {
    /// Whether no promise was broken.
    pub fn is_kept(&self) -> bool {
        self.breaches().next().is_none()
    }

    /// The checks and what they have found, in the order of [`Check::ALL`].
    pub fn rulings(&self) -> impl Iterator<Item = (Check, &Ruling)> {
        self.rulings.iter().map(|(check, ruling)| (*check, ruling))
    }

    /// The promises that were broken.
    pub fn breaches(&self) -> impl Iterator<Item = (Check, &Breach)> {
        self.rulings.iter().filter_map(|(check, ruling)| match ruling {
            Ruling::Broken(breach) => Some((*check, breach)),
            _ => None,
        })
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |wanted: fn(&Ruling) -> bool| self.rulings.iter().filter(|(_, ruling)| wanted(ruling)).count();
        let kept = count(|ruling| matches!(ruling, Ruling::Kept(_)));
        let skipped = count(|ruling| matches!(ruling, Ruling::Skipped(_)));
        let broken = self.breaches().count();
        let time = if self.time == Time::Real { ", in real time" } else { "" };
        writeln!(f, "{}{time}: {kept} kept, {broken} broken, {skipped} skipped", Escaped(&self.handler))?;
        self.rulings.iter().try_for_each(|(check, ruling)| writeln!(f, "{}", Line(*check, ruling)))?;
        self.breaches().try_for_each(|(check, breach)| write!(f, "\n{}", Shown(check, breach)))
    }
}

/// A check and what it has found, on one line.
pub(super) struct Line<'a>(pub(super) Check, pub(super) &'a Ruling);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(check, ruling) = self;
        match ruling {
            Ruling::Kept(kept) => write!(f, "     kept {check} ({kept})"),
            Ruling::Skipped(reason) => write!(f, "  skipped {check}: {reason}"),
            Ruling::Broken(breach) => write!(f, "   BROKEN {check}: {}", breach.headline()),
        }
    }
}
