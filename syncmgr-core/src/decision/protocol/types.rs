//! The types of the protocol: purposes, stages, events and actions.

use crate::decision::call::{Call, Misuse};
use crate::hresult::HResult;

/// The purpose of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Synchronization.
    Synchronize,
    /// Configuration only: neither `prepare` nor `synchronize` follows.
    Settings,
    /// Explanation of a log entry of an earlier run, which may lead to a retry.
    Explain,
}

/// The current stage of a run, corresponding to H1 to H13 of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// No method was called. Ends when `initialize` returns.
    Created,
    /// `initialize` returned `S_OK`. Ends with the listing.
    Initialized,
    /// The items are known. Ends when the callback is set.
    Listed,
    /// The callback is set. Ends with the choice, or when properties are opened, or when the choice is closed.
    Ready,
    /// Properties are open. Followed by `Ready`.
    ShowingProperties(Call),
    /// `prepare` is active. Followed by `Prepared` after `S_OK`, otherwise by `Detaching`.
    Preparing(Call),
    /// The run is prepared. Ends with the admission.
    Prepared,
    /// `synchronize` is active. Followed by `Results`.
    Synchronizing(Call),
    /// The attempt has ended and its results are shown. Ends when an error is opened or the results are closed.
    Results,
    /// An error is shown. Followed by `Results`, or by `Preparing` for a retry.
    ShowingError(Call),
    /// The callback is being removed. Followed by `Released`.
    Detaching,
    /// The run is released.
    Released,
}

/// An event of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// `initialize` returned.
    Initialized(HResult),
    /// The listing returned.
    Listed(HResult),
    /// The callback is set.
    Attached,
    /// The user opened the properties.
    PropertiesOpened,
    /// `ShowProperties` returned.
    PropertiesReturned(HResult),
    /// `ShowPropertiesCompleted` arrived.
    PropertiesCompleted(HResult),
    /// Items were chosen.
    Chosen(ItemSet),
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
    /// A caller requested to skip an item.
    SkipRequested,
    /// A caller requested to stop all items.
    StopRequested,
    /// All chosen items have ended before `synchronize` began.
    NoItemsLeft,
    /// The user opened a log entry that is a link.
    ErrorOpened,
    /// `ShowError` returned.
    ErrorReturned(HResult),
    /// `ShowErrorCompleted` arrived.
    ErrorCompleted(HResult, ItemSet),
    /// A requested retry is granted: items are prepared again.
    Retried,
    /// The choice or the results were closed.
    Closed,
    /// The callback was removed.
    Detached,
    /// The handler panicked or missed its deadline outside an item.
    HandlerLost,
}

/// The size of a selection: empty or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemSet {
    /// At least one item.
    NonEmpty,
    /// No item.
    Empty,
}

/// The next step after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Perform this action.
    Do(Action),
    /// Wait for another event.
    Wait,
    /// Log the event; it was not expected and had no effect.
    Misused(Misuse),
}

/// An action for the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Call `initialize`.
    Initialize,
    /// List the items.
    List,
    /// Set the callback.
    Attach,
    /// Offer the items for choice.
    Choose,
    /// Call `ShowProperties`.
    ShowProperties,
    /// Remove the item whose properties were shown from the choice.
    RemoveItem,
    /// Call `PrepareForSync` with the chosen items.
    Prepare,
    /// Request admission.
    Admit,
    /// Call `Synchronize`.
    Synchronize,
    /// Call `SetItemStatus` with the requested skips and stops: `PrepareForSync` or `Synchronize` has returned, and its
    /// completion is outstanding.
    Deliver,
    /// Store the skip or stop: `Progress` reports it, and the next [`Deliver`](Self::Deliver) passes it to the handler.
    Store,
    /// Show the results: the attempt has ended.
    ShowResults,
    /// Call `ShowError`.
    ShowError,
    /// Remove the callback.
    Detach,
    /// Release the run.
    Release(Reported),
}

/// The log entry for the end of a run, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// No entry.
    Quietly,
    /// The run failed with this code before an attempt began.
    Failed(HResult),
}

/// A call from the handler to its host, through the callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRequest {
    /// `Progress`.
    Progress,
    /// `LogError` or `DeleteLogError`.
    Log,
    /// `EnableModeless`.
    Attention,
    /// `EstablishConnection`.
    Connection,
}
