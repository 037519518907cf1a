//! A script, played from its beginning to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use syncmgr_core::error::panic_text;
use syncmgr_runtime::memory::MemoryStore;

use crate::Extras;
use crate::View;
use crate::act::Left;
use crate::peer::Theirs;
use crate::process::{Process, runtime};
use crate::provider::{handler_id, item_id};
use crate::recovery::Ended;
use crate::script::Script;
use crate::step::Step;
use crate::world::{Broken, World};

/// How a script went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Played {
    /// The script's seed.
    pub seed: u64,
    /// Stands for everything that was seen: the same for the same script, every time.
    pub hash: u64,
    /// What happened, line by line, each with the time in seconds.
    pub lines: Vec<String>,
    /// The first promise that was broken.
    pub broken: Option<Broken>,
}

/// Plays a script.
pub(crate) fn play(script: &Script, extras: &Extras) -> Played {
    let world = World::new(script.seed());
    world.left(|state| state.sides.theirs = peer(script));
    let steps: Vec<_> = script.steps().map(|(number, step)| (number, step.clone())).collect();
    let (mut next, mut left, mut processes) = (0, Some((Ended::Never, MemoryStore::new())), 0);
    let played = catch_unwind(AssertUnwindSafe(|| {
        while let Some(before) = left.take() {
            let runtime = runtime(&world, processes);
            left = runtime.block_on(live(&world, script, extras, before, &steps, &mut next));
            processes += 1;
        }
    }));
    if let Err(panic) = played {
        world.left(|state| state.breaks("nothing panics", panic_text(panic)));
    }
    let (hash, lines, broken) = world.left(|state| state.take_story());
    let mut broken = broken.into_iter().next();
    let lines = lines.into_iter().map(|line| named(script, line)).collect();
    broken.iter_mut().for_each(|broken| broken.how = named(script, std::mem::take(&mut broken.how)));
    Played { seed: script.seed(), hash, lines, broken }
}

fn peer(script: &Script) -> std::collections::BTreeMap<crate::peer::Key, Theirs> {
    let items = script.providers().flat_map(|provider| script.items_of(provider.place));
    let theirs = items.map(|item| {
        let key = (handler_id(item.provider), item_id(item.provider, item.place));
        // No two items ever have the same version, so that none can pass for another.
        let version = (item.provider as u64 * 10 + item.place as u64 + 1) * 1_000;
        (key, Theirs { version, chunks: item.chunks, is_there: true, deletes: 0, faults: Default::default() })
    });
    theirs.collect()
}

/// A line with the places of handlers and items instead of their ids.
fn named(script: &Script, line: String) -> String {
    if !line.contains("Id(") {
        return line;
    }
    script.providers().fold(line, |line, provider| {
        let handler = handler_id(provider.place);
        let line = script.items_of(provider.place).fold(line, |line, item| {
            let id = item_id(item.provider, item.place);
            line.replace(&format!("({handler:?}, {id:?})"), &format!("item {}.{}", item.provider, item.place))
        });
        line.replace(&format!("{handler:?}"), &format!("handler {}", provider.place))
    })
}

/// The life of a process. Returns what it leaves to the next, unless the script is over.
async fn live(
    world: &World,
    script: &Script,
    extras: &Extras,
    before: Left,
    steps: &[(usize, Step)],
    next: &mut usize,
) -> Option<Left> {
    let world = world.next_process();
    world.reach(|state| state.books.begin_process());
    let (ended, left) = before;
    world.note(format!("process {} begins", world.process()));
    let mut process = Process::begin(world, script, extras, &left);
    process.recover(ended);
    process.attend();
    let left = process.perform(steps, next).await;
    process.world.end_process();
    left
}

impl Process<'_> {
    async fn perform(&mut self, steps: &[(usize, Step)], next: &mut usize) -> Option<Left> {
        while let Some((number, step)) = steps.get(*next) {
            *next += 1;
            self.world.reach(|state| {
                state.books.step = Some(*number);
                state.note(&format!("--- {number}: {step}"));
            });
            let left = self.act(step).await;
            if self.world.is_broken() {
                return None;
            }
            if left.is_some() {
                return left;
            }
            self.look().await;
            if self.world.is_broken() {
                return None;
            }
        }
        self.coda().await;
        if !self.world.is_broken() {
            self.check_users();
        }
        None
    }

    /// Looks whether everything holds. What does not, and does when all have had their turn, was on its way.
    async fn look(&self) {
        self.settle().await;
        if !self.check().is_empty() {
            for _ in 0..2_000 {
                tokio::task::yield_now().await;
            }
        }
        for (promise, how) in self.check() {
            self.world.breaks(promise, how);
        }
        self.check_users();
    }

    /// What users want to hold.
    fn check_users(&self) {
        for (name, holds) in &self.extras.invariants {
            let view = View { process: self };
            if let Err(how) = holds(&view) {
                self.world.breaks(name.clone(), how);
            }
        }
    }
}
