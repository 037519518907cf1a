//! Playing of scripts.

use std::panic::{AssertUnwindSafe, catch_unwind};

use syncmgr_core::error::panic_text;
use syncmgr_runtime::memory::MemoryStore;

use crate::Extensions;
use crate::View;
use crate::peer::PeerItem;
use crate::perform::Exit;
use crate::process::{Process, runtime};
use crate::provider::{handler_id, item_id};
use crate::recovery::ProcessEnd;
use crate::script::Script;
use crate::sim::{Sim, Violation};
use crate::step::Step;

/// The result of playing a script.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlayResult {
    /// The script's seed.
    pub seed: u64,
    /// A hash of everything observed. Equal scripts give equal hashes.
    pub hash: u64,
    /// The transcript, line by line, each with the time in seconds.
    pub lines: Vec<String>,
    /// The first violation of an invariant, if any.
    pub violation: Option<Violation>,
}

/// Plays a script.
pub(crate) fn play(script: &Script, extensions: &Extensions) -> PlayResult {
    let sim = Sim::new(script.seed());
    sim.with(|state| state.sides.peer = peer_items(script));
    let steps: Vec<_> = script.steps().map(|(number, step)| (number, step.clone())).collect();
    let (mut next, mut exit, mut processes) = (0, Some((ProcessEnd::NoProcess, MemoryStore::new())), 0);
    let played = catch_unwind(AssertUnwindSafe(|| {
        while let Some(before) = exit.take() {
            let runtime = runtime(&sim, processes);
            exit = runtime.block_on(run_process(&sim, script, extensions, before, &steps, &mut next));
            processes += 1;
        }
    }));
    if let Err(panic) = played {
        sim.with(|state| state.report_violation("nothing panics", panic_text(panic)));
    }
    let (hash, lines, violations) = sim.with(|state| state.take_transcript());
    let mut violation = violations.into_iter().next();
    let lines = lines.into_iter().map(|line| with_indices(script, line)).collect();
    violation
        .iter_mut()
        .for_each(|violation| violation.details = with_indices(script, std::mem::take(&mut violation.details)));
    PlayResult { seed: script.seed(), hash, lines, violation }
}

/// Creates the items of the peer.
fn peer_items(script: &Script) -> std::collections::BTreeMap<crate::peer::Key, PeerItem> {
    let items = script.providers().flat_map(|provider| script.items_of(provider.index));
    let peer_items = items.map(|item| {
        let key = (handler_id(item.provider), item_id(item.provider, item.index));
        // Versions are unique across items, so that no item can be mistaken for another.
        let version = (item.provider as u64 * 10 + item.index as u64 + 1) * 1_000;
        (key, PeerItem { version, chunks: item.chunks, exists: true, deletes: 0, faults: Default::default() })
    });
    peer_items.collect()
}

/// Replaces the ids of handlers and items in a line by their indices.
fn with_indices(script: &Script, line: String) -> String {
    if !line.contains("Id(") {
        return line;
    }
    script.providers().fold(line, |line, provider| {
        let handler = handler_id(provider.index);
        let line = script.items_of(provider.index).fold(line, |line, item| {
            let id = item_id(item.provider, item.index);
            line.replace(&format!("({handler:?}, {id:?})"), &format!("item {}.{}", item.provider, item.index))
        });
        line.replace(&format!("{handler:?}"), &format!("handler {}", provider.index))
    })
}

/// Runs a process. Returns its exit; `None` once the script has ended.
async fn run_process(
    sim: &Sim,
    script: &Script,
    extensions: &Extensions,
    before: Exit,
    steps: &[(usize, Step)],
    next: &mut usize,
) -> Option<Exit> {
    let sim = sim.next_process();
    sim.try_with(|state| state.model.begin_process(&state.environment));
    let (end, stored) = before;
    sim.note(format!("process {} starts", sim.process()));
    let mut process = Process::begin(sim, script, extensions, &stored);
    process.check_recovery(end);
    process.start_scheduler();
    let exit = process.perform_steps(steps, next).await;
    process.sim.end_process();
    exit
}

impl Process<'_> {
    async fn perform_steps(&mut self, steps: &[(usize, Step)], next: &mut usize) -> Option<Exit> {
        while let Some((number, step)) = steps.get(*next) {
            self.sim.try_with(|state| {
                state.model.step = Some(*number);
                if !matches!(step, Step::AdvanceTime(_)) {
                    state.model.agenda = None;
                }
                state.note(&format!("--- {number}: {step}"));
            });
            let killed = self.sim.killed();
            let exit = tokio::select! {
                biased;
                () = killed.notified() => Some((ProcessEnd::Unclean, self.disk.store.after_crash())),
                exit = self.perform_and_check(step, next) => exit,
            };
            if self.sim.has_violation() {
                return None;
            }
            if exit.is_some() {
                return exit;
            }
        }
        self.settle().await;
        if !self.sim.has_violation() {
            self.check_user_invariants();
        }
        None
    }

    /// Performs a step and advances to the next one, then checks all invariants, unless the process has ended.
    async fn perform_and_check(&mut self, step: &Step, next: &mut usize) -> Option<Exit> {
        let exit = self.perform_step(step).await;
        *next += 1;
        if exit.is_none() && !self.sim.has_violation() {
            self.check_step().await;
        }
        exit
    }

    /// Checks all invariants. After a violation, runs all tasks and checks again, because the state may have been in transition.
    async fn check_step(&self) {
        self.run_until_idle().await;
        if !self.check().is_empty() {
            for _ in 0..2_000 {
                tokio::task::yield_now().await;
            }
        }
        for (invariant, details) in self.check() {
            self.sim.report_violation(invariant, details);
        }
        self.note_agenda();
        self.check_user_invariants();
    }

    /// Checks the invariants that the user of this crate added.
    fn check_user_invariants(&self) {
        for (name, holds) in &self.extensions.invariants {
            let view = View { process: self };
            if let Err(details) = holds(&view) {
                self.sim.report_violation(name.clone(), details);
            }
        }
    }
}
