//! What the methods of a generated handler do, step by step.

use std::time::Duration;

use anyhow::anyhow;
use proptest::collection::vec;
use proptest::prelude::*;
use syncmgr::{Classify, NeedsUser, SyncResult};

/// A step of `initialize`, `prepare`, or of `synchronize` around its items. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RunStep {
    Wait(u16),
    /// Asks for the user's attention and holds it so long.
    Ask(u16),
    /// Asks for the user's attention and never gives it back.
    KeepPermit,
    Connect(u8),
    Keep,
    /// Logs an entry that can be opened.
    Link,
    /// Leaves an item out; only while preparing.
    Exclude(u8),
    /// Puts a context aside, to use it when everything is over.
    Stray,
    End(End),
}

/// A step of an item.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ItemStep {
    /// Reports progress, and leaves when it is cancelled.
    Progress,
    /// Reports progress, and goes on whatever the answer is.
    Deaf,
    Wait(u16),
    /// Waits until it is cancelled.
    AwaitCancel,
    /// From here on it is not cut before the hard grace.
    Uninterrupted,
    /// Starts a task, and waits for it or does not.
    Spawn(u16, Awaited, End),
    /// Does several things at once.
    Concurrently(u16),
    Decide,
    Tolerate,
    Ask(u16),
    Connect(u8),
    Link,
    Stray,
    End(End),
}

/// Whether somebody waits for a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Awaited {
    Yes,
    No,
}

/// How a piece of work ends, if it does not just go on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Well,
    Fail(u8),
    NeedsUser,
    Panic,
    Hang,
}

impl End {
    /// Ends like this.
    pub(crate) async fn come(self) -> SyncResult {
        match self {
            Self::Well => Ok(()),
            Self::Fail(class) => failure(class),
            Self::NeedsUser => Err(NeedsUser::new("somebody has to look").into()),
            Self::Panic => panic_quietly(),
            Self::Hang => std::future::pending().await,
        }
    }
}

/// Panics without a word on the screen.
pub(crate) fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("the script says to panic"))
}

/// A failure of one of the classes.
fn failure(class: u8) -> SyncResult {
    let failed = Err::<(), _>(anyhow!("the script says to fail"));
    match class % 6 {
        0 => failed,
        1 => failed.transient(),
        2 => failed.retry_after(Duration::from_secs(60)),
        3 => failed.permanent(),
        4 => failed.gone(),
        _ => failed.unreadable_state(),
    }
}

/// Lets virtual time pass.
pub(crate) async fn wait(milliseconds: u16) {
    tokio::time::sleep(Duration::from_millis(milliseconds.into())).await;
}

pub(crate) fn run_steps() -> impl Strategy<Value = Vec<RunStep>> {
    use RunStep::*;
    let step = prop_oneof![
        3 => (0..300_u16).prop_map(Wait),
        2 => (0..300_u16).prop_map(Ask),
        1 => Just(KeepPermit),
        2 => (0..3_u8).prop_map(Connect),
        2 => Just(Keep),
        3 => Just(Link),
        2 => (0..8_u8).prop_map(Exclude),
        1 => Just(Stray),
        1 => end().prop_map(End),
    ];
    vec(step, 1..=4)
}

/// Steps of a run that may ask for nothing yet.
pub(crate) fn first_steps() -> impl Strategy<Value = Vec<RunStep>> {
    use RunStep::*;
    let end = prop_oneof![9 => Just(self::End::Well), 1 => end()].prop_map(End);
    let step =
        prop_oneof![(0..300_u16).prop_map(Wait), (0..9_u16).prop_map(Ask), Just(Keep), Just(Link), Just(Stray), end];
    vec(step, 1..=3)
}

pub(crate) fn item_steps() -> impl Strategy<Value = Vec<ItemStep>> {
    use ItemStep::*;
    let awaited = prop_oneof![Just(Awaited::Yes), Just(Awaited::No)];
    let step = prop_oneof![
        4 => Just(Progress),
        1 => Just(Deaf),
        6 => (0..300_u16).prop_map(Wait),
        1 => Just(AwaitCancel),
        1 => Just(Uninterrupted),
        2 => (0..300_u16, awaited, end()).prop_map(|(time, awaited, end)| Spawn(time, awaited, end)),
        1 => (0..100_u16).prop_map(Concurrently),
        1 => Just(Decide),
        1 => Just(Tolerate),
        1 => (0..200_u16).prop_map(Ask),
        1 => (0..3_u8).prop_map(Connect),
        2 => Just(Link),
        1 => Just(Stray),
        1 => end().prop_map(End),
    ];
    vec(step, 0..=5)
}

fn end() -> impl Strategy<Value = End> {
    use End::*;
    prop_oneof![3 => Just(Well), 3 => (0..6_u8).prop_map(Fail), 1 => Just(NeedsUser), 1 => Just(Panic), 1 => Just(Hang)]
}
