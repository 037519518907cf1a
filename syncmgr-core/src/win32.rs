//! Conversions of names and times to the UTF-16 arrays and `FILETIME` of a COM peer.
//!
//! Names have no fixed length in syncmgr, but the arrays of `SYNCMGRHANDLERINFO` and `SYNCMGRITEM` do. These functions
//! fill the arrays: zero-padded UTF-16, always terminated, truncated between characters.

use std::time::{Duration, SystemTime};

/// The length of a handler name in UTF-16 units, with terminator: `MAX_SYNCMGRHANDLERNAME`.
pub const MAX_HANDLER_NAME: usize = 32;

/// The length of an item name in UTF-16 units, with terminator: `MAX_SYNCMGRITEMNAME`.
pub const MAX_ITEM_NAME: usize = 128;

/// Converts a handler name: at most 31 units and a terminator. `wszHandlerName`.
///
/// ```
/// # use syncmgr_core::win32::handler_name;
/// let wide = handler_name("Mail");
/// assert_eq!(String::from_utf16_lossy(&wide[..4]), "Mail");
/// assert!(wide[4..].iter().all(|&unit| unit == 0));
/// ```
///
/// See also: R41.
pub fn handler_name(name: &str) -> [u16; MAX_HANDLER_NAME] {
    terminated(name)
}

/// Converts an item name: at most 127 units and a terminator. `wszItemName`.
///
/// See also: R61.
pub fn item_name(name: &str) -> [u16; MAX_ITEM_NAME] {
    terminated(name)
}

/// Converts a time to a `FILETIME`: 100 ns ticks since 1601 UTC. Earlier times become 0.
pub fn file_time(time: SystemTime) -> u64 {
    let since_unix = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    };
    u64::try_from(since_unix / 100 + UNIX_EPOCH_TICKS).unwrap_or(0)
}

/// Converts a `FILETIME` to a time; `None` if the platform cannot represent it.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::win32::{file_time, system_time};
/// let ticks = file_time(SystemTime::UNIX_EPOCH);
/// assert_eq!((ticks, system_time(ticks)), (116_444_736_000_000_000, Some(SystemTime::UNIX_EPOCH)));
/// ```
pub fn system_time(ticks: u64) -> Option<SystemTime> {
    let ticks = i128::from(ticks) - UNIX_EPOCH_TICKS;
    let distance = u64::try_from(ticks.unsigned_abs()).ok()?;
    let distance = Duration::new(distance / TICKS_PER_SECOND, (distance % TICKS_PER_SECOND) as u32 * 100);
    if ticks < 0 { SystemTime::UNIX_EPOCH.checked_sub(distance) } else { SystemTime::UNIX_EPOCH.checked_add(distance) }
}

/// Encodes `name` as UTF-16 with at least one zero at the end, truncated before the first character that does not fit.
fn terminated<const UNITS: usize>(name: &str) -> [u16; UNITS] {
    let mut wide = [0; UNITS];
    let mut used = 0;
    for character in name.chars().take_while(|&character| character != '\0') {
        let end = used + character.len_utf16();
        if end >= UNITS {
            break;
        }
        character.encode_utf16(&mut wide[used..end]);
        used = end;
    }
    wide
}

const TICKS_PER_SECOND: u64 = 10_000_000;
const UNIX_EPOCH_TICKS: i128 = 116_444_736_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r041_a_handler_name_is_truncated_to_31_units_and_terminated() {
        let wide = handler_name(&"n".repeat(40));
        assert_eq!(wide[30], u16::from(b'n'));
        assert_eq!(wide[31], 0);
    }

    #[test]
    fn r061_an_item_name_is_truncated_between_characters() {
        let wide = item_name(&format!("{}😀", "n".repeat(126)));
        assert_eq!(wide[125], u16::from(b'n'));
        assert_eq!(wide[126..], [0, 0], "the name ends with half of a surrogate pair");
    }

    #[test]
    fn a_file_time_survives_a_round_trip() {
        assert_eq!(file_time(SystemTime::UNIX_EPOCH), 116_444_736_000_000_000);
        for ticks in [0, 1, 116_444_736_000_000_000, 133_000_000_123_456_789] {
            assert_eq!(system_time(ticks).map(file_time), Some(ticks));
        }
    }
}
