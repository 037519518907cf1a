//! A process that is killed at any moment, and what the next one finds and does.
//!
//! The tests start this program again as [a child](child) that synchronizes files, kill it with SIGKILL, look at what it left
//! behind, and have another child go on. `KILL_SEED` chooses the random moments; every failure says with which it was. What is
//! played by default is a sample, and with `KILL_WHOLE=1` everything.
#![cfg(all(unix, feature = "sqlite"))]

#[path = "kill/agreement.rs"]
mod agreement;
#[path = "kill/child.rs"]
mod child;
#[path = "kill/copying.rs"]
mod copying;
#[path = "kill/cut.rs"]
mod cut;
#[path = "kill/dice.rs"]
mod dice;
#[path = "kill/folder.rs"]
mod folder;
#[path = "kill/kills.rs"]
mod kills;
#[path = "kill/moments.rs"]
mod moments;
#[path = "kill/owners.rs"]
mod owners;
#[path = "kill/seen.rs"]
mod seen;
#[path = "kill/story.rs"]
mod story;
#[path = "kill/trial.rs"]
mod trial;
