//! The `#[sync_handler]` attribute of [syncmgr](https://docs.rs/syncmgr), which re-exports it. Depend on that crate.

mod contract;
mod expand;
mod generate;
mod mistakes;
mod parse;
mod suggest;
mod validate;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::Error;

/// Makes a type a sync handler. The attribute belongs on the `impl SyncHandler`.
///
/// ```text
/// #[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
/// impl SyncHandler for OfflinePages {
///     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
///         self.copy(item.name()).await
///     }
/// }
/// ```
///
/// Write `synchronize_item` or `synchronize`; every other method has a default. All methods take `&self`. Declare a
/// method `async` if and only if it is `async` in the trait. No dependency other than `syncmgr` is needed.
///
/// # Keys
///
/// | key | type | default | meaning |
/// |---|---|---|---|
/// | `id` | UUID in quotes, with hyphens | required | the permanent id of the handler; `uuidgen` prints one |
/// | `name` | string, at most 31 UTF-16 characters (rule R41) | required | the name that users see |
/// | `flags(..)` | `has_properties`, `may_establish_connection`, `always_list`, `hidden` | none | the features of the handler and its visibility |
/// | `capabilities(..)` | `cancellable`, `resumable`, `idempotent`, `needs_network`, `real_time`, `low_data` | `cancellable` | the guarantees of the handler; the list replaces the default, so add `cancellable` if it applies |
/// | `requires(..)` | `unmetered_network`, `internet`, `mains`, `battery_not_low`, `idle_user`, `active_user` | none | the conditions that automatic runs require |
/// | `when_condition_ends` | `finish`, `stop` | `finish` | what happens to an automatic run whose conditions end: `ConditionPolicy` |
/// | `importance` | `low`, `normal`, `high` | `normal` | what comes first among automatic runs, and before the machine sleeps |
/// | `settle(quiet = ..)` | duration in quotes, not zero | `Settle::DEFAULT` | the time without local changes after which a run starts |
/// | `settle(max_wait = ..)` | duration in quotes, at least `quiet` | `Settle::DEFAULT` | the time from the first local change to the start of a run while changes go on |
/// | `limits(items = ..)` | whole number from 1 | `Limits::DEFAULT` | the maximum number of items that run at the same time |
/// | `limits(soft_grace = ..)` | duration in quotes: `"250ms"`, `"5s"`, `"2min"`, `"1h"` | `Limits::DEFAULT` | the time until the future of a cancelled item is dropped |
/// | `limits(hard_grace = ..)` | duration in quotes | `Limits::DEFAULT` | the time until a cancelled item is abandoned |
/// | `limits(initialize = ..)` | duration in quotes, not zero | `Limits::DEFAULT` | the deadline of `initialize` |
/// | `limits(list = ..)` | duration in quotes, not zero | `Limits::DEFAULT` | the deadline of `items` |
/// | `limits(prepare = ..)` | duration in quotes, not zero | `Limits::DEFAULT` | the deadline of `prepare` and `show_error` |
/// | `limits(stall = ..)` | duration in quotes, not zero | `Limits::DEFAULT` | the time without a progress report after which an item is stalled |
/// | `limits(when_stalled = ..)` | `cancel`, `report` | `Limits::DEFAULT` | the policy for a stalled item: cancel it, or only report it in the log |
/// | `state_version` | whole number from 1 | 1 | the version of the saved state of the items; a higher version needs `migrate` |
/// | `retry(..)` | any of the rules below | the manager's rules | the handler's own retry rules; missing ones are those of `RetryPolicy::DEFAULT` |
/// | `retry(initial = ..)` | duration in quotes, not zero, at most `cap` | `RetryPolicy::DEFAULT` | the wait after the first failure |
/// | `retry(factor = ..)` | whole number from 1 | `RetryPolicy::DEFAULT` | the factor between a wait and the next |
/// | `retry(cap = ..)` | duration in quotes, not zero | `RetryPolicy::DEFAULT` | the longest wait |
/// | `retry(jitter = ..)` | whole number from 0 to 100 | `RetryPolicy::DEFAULT` | the maximum random addition to a wait, in percent |
/// | `retry(budget = ..)` | whole number from 1 | `RetryPolicy::DEFAULT` | the number of failures in a row without progress after which an item needs attention |
/// | `retry(partial_budget = ..)` | whole number from 1 | `RetryPolicy::DEFAULT` | the number of failures since the last success after which an item needs attention, even with progress |
/// | `crate` | path | `::syncmgr` | the path of the `syncmgr` crate, if it is renamed or re-exported |
///
/// # Expansion
///
/// The impl keeps its attributes, comments and methods. The macro adds `async_trait`, an `info` if there is none, and
/// an inherent impl with the constant `HANDLER`:
///
/// ```text
/// #[::syncmgr::__private::async_trait]
/// impl SyncHandler for OfflinePages {
///     fn info(&self) -> ::syncmgr::HandlerInfo {
///         Self::HANDLER
///     }
///     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
///         self.copy(item.name()).await
///     }
/// }
/// impl OfflinePages {
///     pub const HANDLER: ::syncmgr::HandlerInfo = ::syncmgr::HandlerInfo::new(
///         ::syncmgr::HandlerId::from_u128(0xd2f0c1a4_5b7e_4c3d_9a8f_0e1d2c3b4a59),
///         "Offline Web Pages",
///     );
/// }
/// ```
///
/// `cargo expand` prints the expansion of your handler.
///
/// # Several accounts of one type
///
/// Write `info` yourself, with a different instance for each account:
///
/// ```text
/// fn info(&self) -> HandlerInfo {
///     Self::HANDLER.instance(&self.account)
/// }
/// ```
///
/// # Claims and schedules
///
/// There is no key for claims and none for schedules. Both are created at run time, so they cannot be in the constant; a schedule
/// needs the time zones of the machine. A claim in a generated `info` would be lost once the author writes
/// `Self::HANDLER.instance(..)`. Write `info` yourself; here the items of one account wait for each other:
///
/// ```text
/// fn info(&self) -> HandlerInfo {
///     Self::HANDLER.instance(&self.account).with_claim(self.account.as_str())
/// }
/// ```
///
/// The paths that an item watches, and its own schedule, requirements and importance, belong to the item in `items`.
///
/// # Mistakes
///
/// The macro reports all mistakes at the same time. It still generates the impl and `HANDLER`, so that the compiler
/// reports few other errors.
#[proc_macro_attribute]
pub fn sync_handler(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let (tokens, mistakes) = expand::expand(attribute.into(), item.into());
    let errors = mistakes.into_iter().map(Error::into_compile_error);
    errors.chain([tokens]).collect::<proc_macro2::TokenStream>().into()
}
