//! One method and its completion: the pair that the contract has four of.

use crate::hresult::HResult;

/// A call of `PrepareForSync`, `Synchronize`, `ShowProperties` or `ShowError` that has not ended.
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
/// # use syncmgr_core::{decision::call::{Call, CallStep, Follows}, hresult::HResult};
/// let step = Call::Running.returned(HResult::S_OK, Follows::Ok);
/// assert_eq!(step, CallStep::Goes(Call::Window)); // the completion is outstanding
/// assert_eq!(Call::Window.completed(HResult::S_OK), CallStep::Ended(HResult::S_OK));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The method has not returned. Left by its return, or to `Early` by its completion.
    Running,
    /// The completion came before the return. Left by the return; the window never opens (R122).
    Early(HResult),
    /// The method returned, the completion is outstanding: W1 or W2. Left by the completion.
    Window,
}

/// Which returns are followed by a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Exactly `S_OK`: `PrepareForSync`, `Synchronize`.
    Ok,
    /// Any success code: `ShowProperties`, `ShowError`.
    Success,
}

/// What an event made of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStep {
    /// The call goes on.
    Goes(Call),
    /// The call ended with this code.
    Ended(HResult),
    /// The event does not belong here and had no effect.
    Misused(Misuse),
}

/// A completion or return that does not belong where it came. It is noted and has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The second completion of one call (R95, R101).
    #[error("completed a second time; the first completion counts")]
    Double,
    /// The call has ended, for example because its method did not return `S_OK` (R88, R100).
    #[error("completed after the call had ended; the completion has no effect")]
    Late,
    /// No such call was made.
    #[error("came when nothing of the kind was asked for; it has no effect")]
    Stale,
}

impl Call {
    /// The method returned.
    pub fn returned(self, code: HResult, follows: Follows) -> CallStep {
        let opens = match follows {
            Follows::Ok => code.is_ok(),
            Follows::Success => code.is_success(),
        };
        match self {
            Self::Running if opens => CallStep::Goes(Self::Window),
            Self::Running => CallStep::Ended(code),
            // The first code that is not S_OK is the result, whichever way it came.
            Self::Early(completion) if opens || !completion.is_ok() => CallStep::Ended(completion),
            Self::Early(_) => CallStep::Ended(code),
            Self::Window => CallStep::Misused(Misuse::Stale),
        }
    }

    /// The completion arrived.
    pub fn completed(self, code: HResult) -> CallStep {
        match self {
            Self::Running => CallStep::Goes(Self::Early(code)),
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
        assert_eq!(Call::Running.completed(OK), CallStep::Goes(Call::Early(OK)));
        assert_eq!(Call::Early(OK).returned(OK, Follows::Ok), CallStep::Ended(OK));
    }

    #[test]
    fn of_a_completion_and_a_return_the_first_that_is_not_ok_is_the_result() {
        assert_eq!(Call::Early(FAIL).returned(OK, Follows::Ok), CallStep::Ended(FAIL));
        assert_eq!(Call::Early(OK).returned(FALSE, Follows::Ok), CallStep::Ended(FALSE));
        assert_eq!(Call::Early(FAIL).returned(FALSE, Follows::Ok), CallStep::Ended(FAIL));
    }

    #[test]
    fn a_return_that_opens_no_window_is_the_completion() {
        assert_eq!(Call::Running.returned(FALSE, Follows::Ok), CallStep::Ended(FALSE));
        assert_eq!(Call::Running.returned(FALSE, Follows::Success), CallStep::Goes(Call::Window));
        assert_eq!(Call::Running.returned(FAIL, Follows::Success), CallStep::Ended(FAIL));
    }

    #[test]
    fn a_second_completion_is_double() {
        assert_eq!(Call::Early(OK).completed(FAIL), CallStep::Misused(Misuse::Double));
    }
}
