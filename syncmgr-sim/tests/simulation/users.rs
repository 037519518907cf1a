//! Users bring their own handlers and invariants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use syncmgr::{
    Classify, HandlerId, HandlerInfo, ItemContext, Items, SyncHandler, SyncItem, SyncResult, anyhow, async_trait,
};
use syncmgr_sim::{Part, Simulation, Step, Surroundings};

const NOTES: HandlerId = HandlerId::from_u128(0xBEEF);

/// What there is of each note on this side, as files would be: it outlives a process.
#[derive(Default)]
struct Files(Mutex<BTreeMap<String, u32>>);

/// A provider as an author writes it, with a mistake in it or without.
struct Notes {
    around: Surroundings,
    mistake: Mistake,
}

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// It saves before it has written.
    CommitsEarly,
}

impl Notes {
    fn write(&self, name: &str, lines: u32) {
        self.around.kept::<Files>().0.lock().expect("nobody panics").insert(name.into(), lines);
    }

    fn written(&self, name: &str) -> u32 {
        self.around.kept::<Files>().0.lock().expect("nobody panics").get(name).copied().unwrap_or(0)
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
            self.around.note(format!("{} lacks what was saved", item.name()));
        }
        for line in *saved + 1..=5 {
            self.around.shake().await;
            item.progress(line.into(), 5)?;
            if self.around.dice().nth(line).of(item.name()).rng().u8(..20) == 0 && self.around.process() == 1 {
                return Err(anyhow::anyhow!("the peer is busy")).transient();
            }
            *saved = line;
            if self.mistake == Mistake::CommitsEarly {
                saved.commit().await?;
                self.around.shake().await;
            }
            self.write(item.name(), line);
            saved.commit().await?;
        }
        Ok(())
    }
}

fn with_notes(mistake: Mistake) -> Simulation {
    Simulation::new().handler(move |around| Arc::new(Notes { around: around.clone(), mistake })).invariant(
        "a note has what was saved of it",
        |view| match view.lines().iter().find(|line| line.ends_with("lacks what was saved")) {
            Some(line) => Err(line.trim().to_owned()),
            None => Ok(()),
        },
    )
}

#[test]
fn a_handler_of_a_user_takes_part() {
    let simulation = with_notes(Mistake::None);
    if let Err(failure) = simulation.seeds(0..100) {
        panic!("{failure}");
    }
    let lines = simulation.play(&simulation.script(3)).lines;
    assert!(lines.iter().any(|line| line.contains("shopping ends: Succeeded")), "{lines:#?}");
}

#[test]
fn a_mistake_of_a_user_is_found_shortened_and_named() {
    let failure = with_notes(Mistake::CommitsEarly).seeds(0..500).unwrap_err();
    assert_eq!(failure.broken.promise, "a note has what was saved of it");
    let steps: Vec<_> = failure.script.steps().map(|(_, step)| step.clone()).collect();
    assert!(steps.len() <= 4, "{failure}");
    assert!(steps.iter().any(|step| matches!(step, Step::Crash(_) | Step::Skip(_) | Step::ShutDown)), "{failure}");
}

#[test]
fn an_invariant_that_cannot_hold_is_shortened_to_what_breaks_it() {
    let simulation = Simulation::new().invariant("nobody is ever offline", |view| {
        match view.facts().network == syncmgr::environment::Network::Offline {
            true => Err("somebody is".into()),
            false => Ok(()),
        }
    });
    let failure = simulation.seeds(0..500).unwrap_err();
    assert_eq!(failure.broken.promise, "nobody is ever offline");
    let parts: Vec<_> = failure.script.parts().map(|(_, part)| part.clone()).collect();
    assert!(matches!(parts[..], [Part::Step(Step::Network(_))]), "{failure}");
}
