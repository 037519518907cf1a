//! Scripts: what happens to both sides, from a seed.

use fastrand::Rng;

/// How the runs of a script decide conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    KeepBoth,
    Newer,
    A,
    B,
    Ask,
}

impl Policy {
    /// The value of `--conflict`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::KeepBoth => "keep-both",
            Self::Newer => "newer",
            Self::A => "A",
            Self::B => "B",
            Self::Ask => "ask",
        }
    }
}

/// One step of a script. The seeds choose what is edited.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Edit {
        seed: u64,
    },
    /// A run that is killed after this time, with edits before if there is a seed.
    Kill {
        seed: Option<u64>,
        microseconds: u64,
    },
    /// A run with edits meanwhile.
    EditDuring {
        seed: u64,
    },
    /// A complete run, after which everything is checked.
    Run,
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) policy: Policy,
    /// `true` if the runs have `--checksum`.
    pub(super) compares_contents: bool,
    pub(super) steps: Vec<Step>,
}

impl Script {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let has_kills = seed.is_multiple_of(3);
        let policies = [Policy::Newer, Policy::A, Policy::B, Policy::Ask];
        let policy = policies.get(random.usize(..8)).copied().unwrap_or(Policy::KeepBoth);
        let compares_contents = random.u32(..4) == 0;
        let steps = (0..random.u32(1..4)).flat_map(|_| round(&mut random, has_kills)).collect();
        Self { policy, compares_contents, steps }
    }
}

/// Some edits, perhaps an interrupted run, and a complete one.
fn round(random: &mut Rng, has_kills: bool) -> Vec<Step> {
    // The edits of a third of all rounds are on one side, so that the other side must become equal to it.
    let side = [None, None, Some(random.u64(..2))][random.usize(..3)];
    let edit = |random: &mut Rng| {
        let seed = random.u64(..);
        Step::Edit { seed: side.map_or(seed, |side| seed & !1 | side) }
    };
    let mut steps: Vec<_> = (0..random.u32(1..10)).map(|_| edit(random)).collect();
    if has_kills {
        let seed = (random.u32(..3) == 0).then(|| random.u64(..));
        steps.push(Step::Kill { seed, microseconds: random.u64(..12_000) });
        steps.extend((0..random.u32(..3)).map(|_| edit(random)).collect::<Vec<_>>());
    } else if random.u32(..4) == 0 {
        steps.push(Step::EditDuring { seed: random.u64(..) });
    }
    steps.push(Step::Run);
    steps
}
