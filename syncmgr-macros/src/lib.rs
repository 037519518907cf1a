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

/// Makes a type a sync handler: put it on the `impl SyncHandler`.
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
/// Write `synchronize_item` or `synchronize`; every other method has a default. All methods take `&self`, and those
/// that are `async` in the trait are `async` here. No other dependency than `syncmgr` is needed.
///
/// # Keys
///
/// | key | type | default | meaning |
/// |---|---|---|---|
/// | `id` | UUID in quotes, with hyphens | required | names the handler for ever; `uuidgen` prints one |
/// | `name` | string, at most 31 UTF-16 characters (rule R41) | required | what people see |
/// | `flags(..)` | `has_properties`, `may_establish_connection`, `always_list`, `hidden` | none | what the handler can do and how it is listed |
/// | `capabilities(..)` | `cancellable`, `resumable`, `idempotent`, `needs_network`, `real_time`, `frugal` | `cancellable` | what the handler promises of its work; the list is all of it, so name `cancellable` too where it holds |
/// | `limits(items = ..)` | whole number from 1 | `Limits::DEFAULT` | how many items run at once |
/// | `limits(soft_grace = ..)` | duration in quotes: `"250ms"`, `"5s"`, `"2min"`, `"1h"` | `Limits::DEFAULT` | how long a cancelled item may go on before its future is dropped |
/// | `limits(hard_grace = ..)` | duration in quotes | `Limits::DEFAULT` | how long a cancelled item may take in all |
/// | `limits(initialize = ..)` | duration in quotes, not zero | `Limits::DEFAULT` | how long `initialize` may take |
/// | `limits(list = ..)` | duration in quotes, not zero | `Limits::DEFAULT` | how long `items` may take |
/// | `limits(prepare = ..)` | duration in quotes, not zero | `Limits::DEFAULT` | how long `prepare` and `show_error` may take |
/// | `limits(stall = ..)` | duration in quotes, not zero | `Limits::DEFAULT` | how long an item may go on without reporting progress |
/// | `limits(when_stalled = ..)` | `cancel`, `report` | `Limits::DEFAULT` | what happens to an item that goes on longer: it is cancelled, or only reported in the log |
/// | `state_version` | whole number from 1 | 1 | the version of what the handler saves of its items; raise it together with `migrate` |
/// | `retry(..)` | the rules below, in any number | the manager's rules | the handler's own rules for retries; those it does not name are `RetryPolicy::DEFAULT`'s |
/// | `retry(initial = ..)` | duration in quotes, not zero, at most `cap` | `RetryPolicy::DEFAULT` | how long to wait after the first failure |
/// | `retry(factor = ..)` | whole number from 1 | `RetryPolicy::DEFAULT` | how much longer each wait is than the one before |
/// | `retry(cap = ..)` | duration in quotes, not zero | `RetryPolicy::DEFAULT` | the longest wait |
/// | `retry(jitter = ..)` | whole number from 0 to 100 | `RetryPolicy::DEFAULT` | how many percent are added to a wait at most, by chance |
/// | `retry(budget = ..)` | whole number from 1 | `RetryPolicy::DEFAULT` | after how many failures in a row that got no further an item needs attention |
/// | `retry(partial_budget = ..)` | whole number from 1 | `RetryPolicy::DEFAULT` | after how many failures since the last success it does, even if they got further |
/// | `crate` | path | `::syncmgr` | where the facade is, if it was renamed or re-exported |
///
/// # Expansion
///
/// The impl keeps its attributes, comments and methods. It gets `async_trait`, an `info` if it has none, and the
/// constant `HANDLER` beside it:
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
/// `cargo expand` prints the expansion of your own.
///
/// # Several accounts of one type
///
/// Write `info` yourself and tell the accounts apart:
///
/// ```text
/// fn info(&self) -> HandlerInfo {
///     Self::HANDLER.instance(&self.account)
/// }
/// ```
///
/// # Claims
///
/// A claim is made at run time and cannot be in the constant, and one that only a generated `info` added would be lost
/// by an author who writes `Self::HANDLER.instance(..)`. So there is no key for claims. Write `info` yourself; this one
/// has the items of one account wait for each other:
///
/// ```text
/// fn info(&self) -> HandlerInfo {
///     Self::HANDLER.instance(&self.account).with_claim(self.account.as_str())
/// }
/// ```
///
/// # Mistakes
///
/// All mistakes are reported at once. Whatever they are, the impl and `HANDLER` are there for the rest of the crate, so
/// that the compiler has little to add.
#[proc_macro_attribute]
pub fn sync_handler(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let (tokens, mistakes) = expand::expand(attribute.into(), item.into());
    let errors = mistakes.into_iter().map(Error::into_compile_error);
    errors.chain([tokens]).collect::<proc_macro2::TokenStream>().into()
}
