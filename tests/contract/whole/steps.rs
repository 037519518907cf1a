//! The steps of a generated handler's methods.

use std::time::Duration;

use anyhow::anyhow;
use proptest::collection::vec;
use proptest::prelude::*;
use syncmgr::{Classify, NeedsUser, SyncResult};

/// A step of `initialize`, of `prepare`, or of `synchronize` before and after its items. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RunStep {
    Wait(u16),
    /// Asks for the user's attention and holds it for this time.
    Ask(u16),
    /// Asks for the user's attention and never releases it.
    KeepPermit,
    Connect(u8),
    Keep,
    /// Logs an entry that can be opened.
    Link,
    /// Excludes an item; only in `prepare`.
    Exclude(u8),
    /// Saves a context, which the case uses after the end.
    SaveContext,
    End(End),
}

/// A step of an item.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ItemStep {
    /// Reports progress and returns if the item is cancelled.
    Progress,
    /// Reports progress and ignores a cancellation.
    IgnoreCancel,
    Wait(u16),
    /// Waits until the item is cancelled.
    AwaitCancel,
    /// Enters an uninterrupted section, which only the hard grace ends.
    Uninterrupted,
    /// Starts a task and optionally awaits it.
    Spawn(u16, Awaited, End),
    /// Runs three futures concurrently.
    Concurrently(u16),
    Decide,
    Tolerate,
    Ask(u16),
    Connect(u8),
    Link,
    SaveContext,
    End(End),
}

/// `Yes` if the item awaits its task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Awaited {
    Yes,
    No,
}

/// The end of a step or task.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Success,
    Fail(u8),
    NeedsUser,
    Panic,
    Hang,
}

impl End {
    /// Succeeds, fails, panics or hangs, as `self` says.
    pub(crate) async fn run(self) -> SyncResult {
        match self {
            Self::Success => Ok(()),
            Self::Fail(class) => failure(class),
            Self::NeedsUser => Err(NeedsUser::new("the user has to decide").into()),
            Self::Panic => panic_quietly(),
            Self::Hang => std::future::pending().await,
        }
    }
}

/// Panics without printing a message.
pub(crate) fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("the script says to panic"))
}

/// A failure of the class with this number.
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
        1 => Just(SaveContext),
        1 => end().prop_map(End),
    ];
    vec(step, 1..=4)
}

/// Steps of `initialize`, which requests no connection and keeps no permit.
pub(crate) fn first_steps() -> impl Strategy<Value = Vec<RunStep>> {
    use RunStep::*;
    let end = prop_oneof![9 => Just(self::End::Success), 1 => end()].prop_map(End);
    let step = prop_oneof![
        (0..300_u16).prop_map(Wait),
        (0..9_u16).prop_map(Ask),
        Just(Keep),
        Just(Link),
        Just(SaveContext),
        end
    ];
    vec(step, 1..=3)
}

pub(crate) fn item_steps() -> impl Strategy<Value = Vec<ItemStep>> {
    use ItemStep::*;
    let awaited = prop_oneof![Just(Awaited::Yes), Just(Awaited::No)];
    let step = prop_oneof![
        4 => Just(Progress),
        1 => Just(IgnoreCancel),
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
        1 => Just(SaveContext),
        1 => end().prop_map(End),
    ];
    vec(step, 0..=5)
}

fn end() -> impl Strategy<Value = End> {
    use End::*;
    prop_oneof![
        3 => Just(Success),
        3 => (0..6_u8).prop_map(Fail),
        1 => Just(NeedsUser),
        1 => Just(Panic),
        1 => Just(Hang)
    ]
}
