//! Result codes of the Windows contract.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::find_cause;

/// A COM result code, stored as its number.
///
/// The contract has two different tests. [`is_ok`](Self::is_ok) (exactly `S_OK`) decides whether `Initialize`,
/// `PrepareForSync` and `Synchronize` continue. [`is_success`](Self::is_success) (no failure bit) decides whether
/// `ShowError` and `ShowProperties` are followed by a completion.
///
/// ```
/// # use syncmgr_core::hresult::HResult;
/// assert!(HResult::S_FALSE.is_success() && !HResult::S_FALSE.is_ok());
/// assert_eq!(HResult::S_SYNCMGR_RETRYSYNC.to_string(), "S_SYNCMGR_RETRYSYNC");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(transparent)]
#[expect(clippy::exhaustive_structs, reason = "a number and nothing else")]
pub struct HResult(pub i32);

impl HResult {
    /// The call succeeded or has started.
    pub const S_OK: Self = Self(0);
    /// The call declined. This is a success code, but the run does not continue.
    pub const S_FALSE: Self = Self(1);
    /// The listing is valid but incomplete.
    pub const S_SYNCMGR_MISSINGITEMS: Self = Self(0x0004_0201);
    /// The given items must be prepared and synchronized again.
    pub const S_SYNCMGR_RETRYSYNC: Self = Self(0x0004_0202);
    /// This item should stop soon.
    pub const S_SYNCMGR_CANCELITEM: Self = Self(0x0004_0203);
    /// Every item of this handler should stop soon.
    pub const S_SYNCMGR_CANCELALL: Self = Self(0x0004_0204);
    /// The user deleted the item whose properties were shown.
    pub const S_SYNCMGR_ITEMDELETED: Self = Self(0x0004_0210);
    /// The set of items changed and must be listed again.
    pub const S_SYNCMGR_ENUMITEMS: Self = Self(0x0004_0211);
    /// The call failed without a specific code.
    pub const E_FAIL: Self = Self(0x8000_4005_u32 as i32);
    /// The call was made at the wrong time, or the method panicked.
    pub const E_UNEXPECTED: Self = Self(0x8000_FFFF_u32 as i32);
    /// The method is not implemented.
    pub const E_NOTIMPL: Self = Self(0x8000_4001_u32 as i32);
    /// Out of memory.
    pub const E_OUTOFMEMORY: Self = Self(0x8007_000E_u32 as i32);
    /// The contract does not allow the argument.
    pub const E_INVALIDARG: Self = Self(0x8007_0057_u32 as i32);
    /// The object does not implement the interface.
    pub const E_NOINTERFACE: Self = Self(0x8000_4002_u32 as i32);

    /// Returns `true` if the code is exactly `S_OK`.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Returns `true` for success codes: `SUCCEEDED(hr)`. These include `S_FALSE` and every `S_SYNCMGR_` code.
    pub const fn is_success(self) -> bool {
        self.0 >= 0
    }

    /// Returns the code's name in the Windows headers. `None` if this contract does not use the code.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::S_OK => "S_OK",
            Self::S_FALSE => "S_FALSE",
            Self::S_SYNCMGR_MISSINGITEMS => "S_SYNCMGR_MISSINGITEMS",
            Self::S_SYNCMGR_RETRYSYNC => "S_SYNCMGR_RETRYSYNC",
            Self::S_SYNCMGR_CANCELITEM => "S_SYNCMGR_CANCELITEM",
            Self::S_SYNCMGR_CANCELALL => "S_SYNCMGR_CANCELALL",
            Self::S_SYNCMGR_ITEMDELETED => "S_SYNCMGR_ITEMDELETED",
            Self::S_SYNCMGR_ENUMITEMS => "S_SYNCMGR_ENUMITEMS",
            Self::E_FAIL => "E_FAIL",
            Self::E_UNEXPECTED => "E_UNEXPECTED",
            Self::E_NOTIMPL => "E_NOTIMPL",
            Self::E_OUTOFMEMORY => "E_OUTOFMEMORY",
            Self::E_INVALIDARG => "E_INVALIDARG",
            Self::E_NOINTERFACE => "E_NOINTERFACE",
            _ => return None,
        })
    }
}

impl fmt::Display for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

impl fmt::Debug for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error of converting a number that the contract does not define.
///
/// The number comes from a bug in the caller or its peer. The matching code is `E_INVALIDARG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:#x} is not a {what} of the contract")]
#[non_exhaustive]
pub struct UnknownCode {
    /// The kind of the number, such as "log level".
    pub what: &'static str,
    /// The number.
    pub value: u32,
}

impl UnknownCode {
    /// Returns the code for a COM caller: `E_INVALIDARG`.
    pub const fn hresult(&self) -> HResult {
        HResult::E_INVALIDARG
    }
}

/// An error that consists of a code alone.
///
/// If `prepare` or `synchronize` returns it, the call completes with this code instead of `E_FAIL`.
///
/// ```
/// # use syncmgr_core::hresult::{CodeError, HResult};
/// let failed = anyhow::Error::new(CodeError(HResult::E_OUTOFMEMORY)).context("read the index");
/// assert_eq!(CodeError::in_error(&failed), Some(HResult::E_OUTOFMEMORY));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", in_words(.0))]
#[expect(clippy::exhaustive_structs, reason = "a code and nothing else")]
pub struct CodeError(pub HResult);

/// Returns the text of a code for people. A code of another program has only its number.
fn in_words(code: &HResult) -> Cow<'static, str> {
    Cow::Borrowed(match *code {
        HResult::E_UNEXPECTED => "a call came at the wrong time; this is a bug in the handler or its host",
        HResult::E_NOTIMPL => "the handler does not support this",
        HResult::E_OUTOFMEMORY => "there is not enough memory",
        HResult::E_INVALIDARG => "an argument is invalid; this is a bug in the handler or its host",
        HResult::E_NOINTERFACE => "the handler has no such interface",
        code if code.name().is_some() && code.is_success() => "the handler did not complete the work",
        HResult::E_FAIL => "the handler failed",
        code => return Cow::Owned(format!("the handler failed with the code {code}")),
    })
}

impl CodeError {
    /// Returns the code in the chain of an error. `None` if there is none or it is `S_OK`.
    pub fn in_error(error: &anyhow::Error) -> Option<HResult> {
        find_cause(error, |cause| cause.downcast_ref::<Self>().map(|named| named.0)).filter(|code| !code.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_known_code_has_a_text_without_the_code() {
        for code in [HResult::E_FAIL, HResult::E_INVALIDARG, HResult::E_UNEXPECTED, HResult::S_FALSE] {
            let text = CodeError(code).to_string();
            assert!(!text.contains("E_") && !text.contains("S_") && !text.contains("0x"), "{text}");
        }
        assert!(CodeError(HResult(0x8007_0005_u32.cast_signed())).to_string().ends_with("0x80070005"));
    }

    #[test]
    fn only_s_ok_is_ok_among_the_success_codes() {
        assert!(HResult::S_OK.is_ok() && HResult::S_OK.is_success());
        assert!(!HResult::S_FALSE.is_ok() && HResult::S_FALSE.is_success());
        assert!(!HResult::S_SYNCMGR_RETRYSYNC.is_ok() && HResult::S_SYNCMGR_RETRYSYNC.is_success());
        assert!(!HResult::E_FAIL.is_ok() && !HResult::E_FAIL.is_success());
    }

    #[test]
    fn codes_have_the_numbers_of_the_headers() {
        assert_eq!(HResult::S_SYNCMGR_MISSINGITEMS.0, 262_657);
        assert_eq!(HResult::S_SYNCMGR_ENUMITEMS.0, 262_673);
        assert_eq!(HResult(0x8007_0002_u32 as i32).to_string(), "0x80070002");
        assert_eq!(HResult::E_INVALIDARG.to_string(), "E_INVALIDARG");
    }
}
