//! Simulations with added handlers and invariants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use syncmgr::{
    Classify, HandlerId, HandlerInfo, ItemContext, Items, SyncHandler, SyncItem, SyncResult, anyhow, async_trait,
};
use syncmgr_sim::{Part, SimContext, Simulation, Step};

const NOTES: HandlerId = HandlerId::from_u128(0xBEEF);

/// The local lines of each note. Like files, they outlive a process.
#[derive(Default)]
struct Files(Mutex<BTreeMap<String, u32>>);

/// A provider of notes, optionally with a bug.
struct Notes {
    context: SimContext,
    bug: Bug,
}

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    /// Commits before it writes.
    CommitsEarly,
}

impl Notes {
    fn write(&self, name: &str, lines: u32) {
        self.context.persistent::<Files>().0.lock().expect("no thread panicked").insert(name.into(), lines);
    }

    fn written(&self, name: &str) -> u32 {
        self.context.persistent::<Files>().0.lock().expect("no thread panicked").get(name).copied().unwrap_or(0)
    }
}

#[async_trait]
impl SyncHandler for Notes {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(NOTES, "Notes")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(["shopping", "ideas"].into_iter().map(SyncItem::named).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<u32>()?;
        if *saved > self.written(item.name()) {
            self.context.note(format!("{} lacks saved lines", item.name()));
        }
        for line in *saved + 1..=5 {
            self.context.yield_or_sleep().await;
            item.progress(line.into(), 5)?;
            if self.context.rng_source().nth(line).named(item.name()).rng().u8(..20) == 0 && self.context.process() == 1
            {
                return Err(anyhow::anyhow!("the peer is busy")).transient();
            }
            *saved = line;
            if self.bug == Bug::CommitsEarly {
                saved.commit().await?;
                self.context.yield_or_sleep().await;
            }
            self.write(item.name(), line);
            saved.commit().await?;
        }
        Ok(())
    }
}

fn with_notes(bug: Bug) -> Simulation {
    Simulation::new().handler(move |context| Arc::new(Notes { context: context.clone(), bug })).invariant(
        "a note has all saved lines",
        |view| match view.lines().iter().find(|line| line.ends_with("lacks saved lines")) {
            Some(line) => Err(line.trim().to_owned()),
            None => Ok(()),
        },
    )
}

#[test]
fn an_added_handler_runs_in_the_simulation() {
    let simulation = with_notes(Bug::None);
    if let Err(failure) = simulation.seeds(0..100) {
        panic!("{failure}");
    }
    let lines = simulation.play(&simulation.script(3)).lines;
    assert!(lines.iter().any(|line| line.contains("shopping ends: Succeeded")), "{lines:#?}");
}

#[test]
fn a_bug_in_an_added_handler_is_found_and_shrunk() {
    let failure = with_notes(Bug::CommitsEarly).seeds(0..500).unwrap_err();
    assert_eq!(failure.violation.invariant, "a note has all saved lines");
    let steps: Vec<_> = failure.script.steps().map(|(_, step)| step.clone()).collect();
    assert!(steps.len() <= 4, "{failure}");
    assert!(steps.iter().any(|step| matches!(step, Step::Crash(_) | Step::Skip(_) | Step::ShutDown)), "{failure}");
}

#[test]
fn a_violation_is_shrunk_to_the_part_that_causes_it() {
    let simulation = Simulation::new().invariant("the network is always up", |view| {
        match view.environment().network == syncmgr::environment::Network::Offline {
            true => Err("offline".into()),
            false => Ok(()),
        }
    });
    let failure = simulation.seeds(0..500).unwrap_err();
    assert_eq!(failure.violation.invariant, "the network is always up");
    let parts: Vec<_> = failure.script.parts().map(|(_, part)| part.clone()).collect();
    assert!(matches!(parts[..], [Part::Step(Step::Network(_))]), "{failure}");
}
