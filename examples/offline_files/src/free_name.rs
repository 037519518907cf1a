//! Names that are free.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The greatest length of a name in bytes.
const NAME_MAX: usize = 255;

/// Calls `take` with `name`, and then with `name 2`, `name 3`, .. as long as it says that the name exists already.
pub(crate) fn take_free_name<T>(name: &OsStr, mut take: impl FnMut(&OsStr) -> io::Result<T>) -> io::Result<T> {
    let mut taken = take(name);
    for number in 2_u64.. {
        if !matches!(&taken, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            break;
        }
        taken = take(&with_end(name.as_bytes(), format!(" {number}").as_bytes()));
    }
    taken
}

/// A name with this beginning and end. The beginning is shortened if the name would be too long.
pub(crate) fn with_end(beginning: &[u8], end: &[u8]) -> OsString {
    OsString::from_vec([shortened(beginning, NAME_MAX.saturating_sub(end.len())), end].concat())
}

/// The beginning of a name, without a part of a character at its end.
fn shortened(name: &[u8], length: usize) -> &[u8] {
    let is_inside = |byte: &&u8| **byte & 0xc0 == 0x80;
    match name.get(length) {
        None => name,
        Some(next) if is_inside(&next) => {
            let begun = name[..length].iter().rev().take_while(is_inside).count() + 1;
            &name[..length.saturating_sub(begun)]
        }
        Some(_) => &name[..length],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_shortened_between_two_characters() {
        let name = |beginning: &str| with_end(beginning.as_bytes(), b" 2.txt").into_string().unwrap();
        assert_eq!(name("letter"), "letter 2.txt");
        assert_eq!(name(&"x".repeat(251)), format!("{} 2.txt", "x".repeat(249)));
        assert_eq!(name(&"\u{e9}".repeat(125)), format!("{} 2.txt", "\u{e9}".repeat(124)));
    }

    #[test]
    fn the_first_free_name_is_taken() {
        let exists = |name: &OsStr| matches!(name.to_str(), Some("a" | "a 2"));
        let take =
            |name: &OsStr| if exists(name) { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(name.to_owned()) };
        assert_eq!(take_free_name(OsStr::new("a"), take).unwrap(), "a 3");
    }
}
