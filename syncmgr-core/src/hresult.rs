//! Result codes of the Windows contract.

use std::fmt;

/// A COM result code, kept as the number it is.
///
/// The contract uses two different tests and they must not be merged: [`is_ok`](Self::is_ok) (exactly `S_OK`) decides
/// whether `Initialize`, `PrepareForSync` and `Synchronize` go on; [`is_success`](Self::is_success) (no failure bit)
/// decides whether `ShowError` and `ShowProperties` will be followed by a completion.
///
/// ```
/// # use syncmgr_core::hresult::HResult;
/// assert!(HResult::S_FALSE.is_success() && !HResult::S_FALSE.is_ok());
/// assert_eq!(HResult::S_SYNCMGR_RETRYSYNC.to_string(), "S_SYNCMGR_RETRYSYNC");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
#[expect(clippy::exhaustive_structs, reason = "a number and nothing else")]
pub struct HResult(pub i32);

impl HResult {
    /// Done, or started.
    pub const S_OK: Self = Self(0);
    /// Declined: a success code that does not go on.
    pub const S_FALSE: Self = Self(1);
    /// The listing is valid but incomplete; stored choices of absent items are kept (R47).
    pub const S_SYNCMGR_MISSINGITEMS: Self = Self(0x0004_0201);
    /// Prepare and synchronize again for the listed items (R148).
    pub const S_SYNCMGR_RETRYSYNC: Self = Self(0x0004_0202);
    /// Stop this item soon (R110).
    pub const S_SYNCMGR_CANCELITEM: Self = Self(0x0004_0203);
    /// Stop every item of this handler soon (R111).
    pub const S_SYNCMGR_CANCELALL: Self = Self(0x0004_0204);
    /// The item whose properties were shown is gone (R71).
    pub const S_SYNCMGR_ITEMDELETED: Self = Self(0x0004_0210);
    /// The set of items changed: list them again (R70).
    pub const S_SYNCMGR_ENUMITEMS: Self = Self(0x0004_0211);
    /// Failed, without saying why.
    pub const E_FAIL: Self = Self(0x8000_4005_u32 as i32);
    /// Called at the wrong time, or panicked.
    pub const E_UNEXPECTED: Self = Self(0x8000_FFFF_u32 as i32);
    /// Not offered by this implementation.
    pub const E_NOTIMPL: Self = Self(0x8000_4001_u32 as i32);
    /// Out of memory.
    pub const E_OUTOFMEMORY: Self = Self(0x8007_000E_u32 as i32);
    /// An argument the contract does not allow.
    pub const E_INVALIDARG: Self = Self(0x8007_0057_u32 as i32);
    /// The object does not offer that interface.
    pub const E_NOINTERFACE: Self = Self(0x8000_4002_u32 as i32);

    /// Whether the code is exactly `S_OK`.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether the code is a success code: `SUCCEEDED(hr)`. `S_FALSE` and every `S_SYNCMGR_` code are.
    pub const fn is_success(self) -> bool {
        self.0 >= 0
    }

    /// The code's name in the Windows headers, if it is one this contract uses.
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

/// A number that the contract gives no meaning to, where it needs one.
///
/// Ours or the other side's mistake at a boundary: fix the number. Its code is `E_INVALIDARG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:#x} is not a {what} of the contract")]
#[non_exhaustive]
pub struct UnknownCode {
    /// What was being read, such as "log level".
    pub what: &'static str,
    /// The number found.
    pub value: u32,
}

impl UnknownCode {
    /// The code a COM caller is answered with: `E_INVALIDARG`.
    pub const fn hresult(&self) -> HResult {
        HResult::E_INVALIDARG
    }
}

/// A failure that is known by its code alone.
///
/// Returned from `prepare` or `synchronize`, the call completes with this code instead of `E_FAIL`.
///
/// ```
/// # use syncmgr_core::hresult::{CodeError, HResult};
/// let failed = anyhow::Error::new(CodeError(HResult::E_OUTOFMEMORY)).context("read the index");
/// assert_eq!(CodeError::in_error(&failed), Some(HResult::E_OUTOFMEMORY));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ended with {0}")]
#[expect(clippy::exhaustive_structs, reason = "a code and nothing else")]
pub struct CodeError(pub HResult);

impl CodeError {
    /// The code an error names, if it names one.
    pub fn in_error(error: &anyhow::Error) -> Option<HResult> {
        error.chain().find_map(|cause| cause.downcast_ref::<Self>()).map(|named| named.0).filter(|code| !code.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_ok_and_success_are_two_tests() {
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
