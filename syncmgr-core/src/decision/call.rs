//! A method call and its completion. The contract has four such pairs.

use crate::hresult::HResult;

/// A call of `PrepareForSync`, `Synchronize`, `ShowProperties` or `ShowError` that is still active.
///
/// The window is the time between the return of the method and its completion.
///
/// ```text
///            returned ok               completed
///  Running ───────────────▶ Window ───────────────▶ ended
///     │ completed                                      ▲
///     └──────────▶ Early ── returned ──────────────────┘
///     └─ returned, not ok: the return is the completion ┘
/// ```
///
/// ```
/// # use syncmgr_core::{decision::call::{Call, CallStep, CompletionAfter}, hresult::HResult};
/// let step = Call::Running.returned(HResult::S_OK, CompletionAfter::Ok);
/// assert_eq!(step, CallStep::Continues(Call::Window)); // the completion is outstanding
/// assert_eq!(Call::Window.completed(HResult::S_OK), CallStep::Ended(HResult::S_OK));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The method has not returned. Its return opens the window or ends the call. If the completion comes first,
    /// `Early` follows.
    Running,
    /// The completion came before the return. The return ends the call; the window never opens.
    Early(HResult),
    /// The method has returned and the completion is outstanding (window W1 or W2). The completion ends the call.
    Window,
}

/// The kind of return that a completion follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionAfter {
    /// Exactly `S_OK`: `PrepareForSync`, `Synchronize`.
    Ok,
    /// Any success code: `ShowProperties`, `ShowError`.
    Success,
}

/// The effect of an event on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStep {
    /// The call is still active.
    Continues(Call),
    /// The call ended with this code.
    Ended(HResult),
    /// The event was not expected and had no effect.
    Misused(Misuse),
}

/// An unexpected completion or return. It is logged and has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The second completion of a call.
    #[error("completed a second time; the first completion counts")]
    Double,
    /// The call has already ended, for example because its method did not return `S_OK`.
    #[error("completed after the call had ended; the completion has no effect")]
    Late,
    /// No such call was made.
    #[error("arrived without a matching call; it has no effect")]
    Stale,
}

impl Call {
    /// Handles the return of the method.
    pub fn returned(self, code: HResult, completion_after: CompletionAfter) -> CallStep {
        let opens = match completion_after {
            CompletionAfter::Ok => code.is_ok(),
            CompletionAfter::Success => code.is_success(),
        };
        match self {
            Self::Running if opens => CallStep::Continues(Self::Window),
            // R88, R100.
            Self::Running => CallStep::Ended(code),
            // The first code that is not `S_OK` is the result, whether the return or the completion has it.
            Self::Early(completion) if opens || !completion.is_ok() => CallStep::Ended(completion),
            Self::Early(_) => CallStep::Ended(code),
            Self::Window => CallStep::Misused(Misuse::Stale),
        }
    }

    /// Handles the completion.
    pub fn completed(self, code: HResult) -> CallStep {
        match self {
            // R122.
            Self::Running => CallStep::Continues(Self::Early(code)),
            // R95, R101.
            Self::Early(_) => CallStep::Misused(Misuse::Double),
            Self::Window => CallStep::Ended(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAIL: HResult = HResult::E_FAIL;
    const FALSE: HResult = HResult::S_FALSE;
    const OK: HResult = HResult::S_OK;

    #[test]
    fn a_completion_before_the_return_ends_the_call_at_the_return() {
        assert_eq!(Call::Running.completed(OK), CallStep::Continues(Call::Early(OK)));
        assert_eq!(Call::Early(OK).returned(OK, CompletionAfter::Ok), CallStep::Ended(OK));
    }

    #[test]
    fn the_first_code_that_is_not_ok_is_the_result() {
        assert_eq!(Call::Early(FAIL).returned(OK, CompletionAfter::Ok), CallStep::Ended(FAIL));
        assert_eq!(Call::Early(OK).returned(FALSE, CompletionAfter::Ok), CallStep::Ended(FALSE));
        assert_eq!(Call::Early(FAIL).returned(FALSE, CompletionAfter::Ok), CallStep::Ended(FAIL));
    }

    #[test]
    fn a_return_that_opens_no_window_ends_the_call() {
        assert_eq!(Call::Running.returned(FALSE, CompletionAfter::Ok), CallStep::Ended(FALSE));
        assert_eq!(Call::Running.returned(FALSE, CompletionAfter::Success), CallStep::Continues(Call::Window));
        assert_eq!(Call::Running.returned(FAIL, CompletionAfter::Success), CallStep::Ended(FAIL));
    }

    #[test]
    fn a_second_completion_is_reported_as_double() {
        assert_eq!(Call::Early(OK).completed(FAIL), CallStep::Misused(Misuse::Double));
    }
}
