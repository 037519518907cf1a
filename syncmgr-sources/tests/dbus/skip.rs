//! Tests that need more than every machine has.

/// Says that the test of the caller is skipped, and why. Fails if the machine is meant to run every test.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("SYNCMGR_NO_SKIP").is_none_or(|value| value != "1"), "not skipped: {reason}");
    eprintln!("skipped: {reason}");
}
