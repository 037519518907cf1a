//! The words of the protocol: where a run stands, what happens to it, and what to do about it.

use crate::decision::call::{Call, Misuse};
use crate::hresult::HResult;

/// What a run was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To synchronize.
    Synchronize,
    /// To be configured only: neither prepare nor synchronize follows (R36).
    Settings,
    /// To look at what an earlier run left in the log: an entry is opened, and may ask for a retry (R144 to R150).
    Explain,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Nothing was called (H1). Left by the return of `initialize`.
    Created,
    /// Takes part (H2, H3). Left by the listing.
    Initialized,
    /// The items are known (H4). Left by attaching the callback.
    Listed,
    /// The callback is set; choice (H5). Left by the choice, by opening properties, or by closing.
    Ready,
    /// Properties are open (H5p). Left to `Ready`.
    ShowingProperties(Call),
    /// `prepare` is under way (H6, H6e, H7). Left to `Prepared` by exactly `S_OK`, else to `Detaching`.
    Preparing(Call),
    /// Ready to synchronize (H8). Left by admission.
    Prepared,
    /// `synchronize` is under way (H9, H9e, H10). Left to `Results`.
    Synchronizing(Call),
    /// The run is over and its results are looked at (H11). Left by opening an error or by closing.
    Results,
    /// An error is being explained (H11e). Left to `Results`, or to `Preparing` for a retry.
    ShowingError(Call),
    /// The callback is being taken away (H12). Left to `Released`.
    Detaching,
    /// Over (H13).
    Released,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// `initialize` returned.
    Initialized(HResult),
    /// The listing returned.
    Listed(HResult),
    /// The callback is set.
    Attached,
    /// Somebody opened properties.
    PropertiesOpened,
    /// `ShowProperties` returned.
    PropertiesReturned(HResult),
    /// `ShowPropertiesCompleted` arrived.
    PropertiesCompleted(HResult),
    /// Items were chosen.
    Chosen(Chosen),
    /// `PrepareForSync` returned.
    PrepareReturned(HResult),
    /// `PrepareForSyncCompleted` arrived.
    PrepareCompleted(HResult),
    /// The run may synchronize now.
    Admitted,
    /// `Synchronize` returned.
    SynchronizeReturned(HResult),
    /// `SynchronizeCompleted` arrived.
    SynchronizeCompleted(HResult),
    /// Somebody wants an item skipped.
    SkipWanted,
    /// Somebody wants every item stopped.
    StopWanted,
    /// Every chosen item has ended before `synchronize` began.
    Emptied,
    /// Somebody opened a log entry that is a link.
    ErrorOpened,
    /// `ShowError` returned.
    ErrorReturned(HResult),
    /// `ShowErrorCompleted` arrived.
    ErrorCompleted(HResult, Chosen),
    /// A retry that was asked for is granted: items are prepared again.
    Retried,
    /// Nobody looks at the results any more.
    Closed,
    /// The callback was taken away.
    Detached,
    /// The handler panicked or missed its deadline outside an item.
    Lost,
}

/// Whether any item is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// At least one item.
    Some,
    /// No item.
    None,
}

/// What to do about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Do this.
    Do(Action),
    /// Nothing now; something else will happen.
    Wait,
    /// The event does not belong here; note it, it had no effect.
    Misused(Misuse),
}

/// Something the manager has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Call `initialize`.
    Initialize,
    /// List the items.
    List,
    /// Set the callback.
    Attach,
    /// Let items be chosen.
    Choose,
    /// Call `ShowProperties`.
    ShowProperties,
    /// Take the item whose properties were shown out of the choice.
    RemoveItem,
    /// Call `PrepareForSync` with the chosen items.
    Prepare,
    /// Ask to be admitted.
    Admit,
    /// Call `Synchronize`.
    Synchronize,
    /// Call `SetItemStatus` for what was wanted: the window is open.
    Deliver,
    /// Keep what was wanted: `Progress` answers it, and the next window delivers it (R128).
    Hold,
    /// The run is over; show its results.
    ShowResults,
    /// Call `ShowError`.
    ShowError,
    /// Take the callback away.
    Detach,
    /// Let go of the run.
    Release(Reported),
}

/// Whether the end of a run is worth a word in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It ended as it may.
    Quietly,
    /// It ended before it could begin, with this code.
    Failed(HResult),
}

/// What a handler asks through the callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `Progress`.
    Progress,
    /// `LogError` or `DeleteLogError`.
    Log,
    /// `EnableModeless`.
    Attention,
    /// `EstablishConnection`.
    Connection,
}
