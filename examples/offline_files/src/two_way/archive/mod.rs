//! The agreed state as text, for the checkpoint of an item.
//!
//! An entry has about 60 bytes: most numbers are stored as differences from those of the entry before.

mod reader;
mod writer;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use self::reader::Reader;
use self::writer::Writer;
use super::entry::Agreed;
use super::side::Both;
use super::tree::{Id, Tree};

/// The bits of the byte before the numbers of an entry. The lowest two have its kind, or [`PLACE`].
const PLACE: u8 = 3;
const SAME_TIME: u8 = 4;
const SAME_MODE: u8 = 8;
const MOUNTS: Both<u8> = Both { a: 16, b: 32 };

/// The numbers of the entry before, of each side.
#[derive(Debug, Default)]
struct Before {
    inodes: Both<u64>,
    modified: i64,
    changed: Both<i64>,
}

/// Writes a tree as text, in the order of its paths. Directories that hold no agreed entry are left out.
pub(crate) fn encode(tree: &Tree<Agreed>) -> String {
    let mut writer = Writer::default();
    let (kept, mut depth) = (kept(tree), 0);
    let mut pending = vec![(Tree::<Agreed>::ROOT, 0)];
    while let Some((id, own_depth)) = pending.pop() {
        if id != Tree::<Agreed>::ROOT {
            writer.number(depth + 1 - own_depth);
            writer.entry(tree.name(id), tree.entry(id));
            depth = own_depth;
        }
        let children = tree.children(id).iter().rev().filter(|child| kept[**child as usize]);
        pending.extend(children.map(|child| (*child, own_depth + 1)));
    }
    STANDARD_NO_PAD.encode(writer.bytes)
}

/// Adds the entries of a text to a tree, except for those with a path that it has, and what is below them. Returns `false` if the text is not
/// one that `encode` has written; some of its entries may be added then.
pub(crate) fn decode(text: &str, tree: &mut Tree<Agreed>) -> bool {
    let Ok(bytes) = STANDARD_NO_PAD.decode(text) else { return false };
    read_all(&mut Reader { bytes: &bytes, before: Before::default() }, tree).is_some()
}

fn read_all(reader: &mut Reader<'_>, tree: &mut Tree<Agreed>) -> Option<()> {
    let mut above = vec![Some(Tree::<Agreed>::ROOT)];
    while !reader.bytes.is_empty() {
        let levels = usize::try_from(reader.number()?).ok()?;
        above.truncate(above.len().checked_sub(levels)?);
        let (parent, (name, entry)) = (*above.last()?, reader.entry()?);
        above.push(parent.and_then(|parent| tree.add_new(parent, name, entry)));
    }
    Some(())
}

/// Tells for each number if the entry is agreed or has agreed ones in it.
fn kept(tree: &Tree<Agreed>) -> Vec<bool> {
    let mut kept = Vec::new();
    for id in tree.below(Tree::<Agreed>::ROOT).filter(|id| tree.entry(*id).is_some()) {
        for id in tree.ancestors(id) {
            let index = id as usize;
            kept.resize(kept.len().max(index + 1), false);
            if std::mem::replace(&mut kept[index], true) {
                break;
            }
        }
    }
    let count = tree.below(Tree::<Agreed>::ROOT).max().map_or(0, |id: Id| id as usize + 1);
    kept.resize(kept.len().max(count), false);
    kept
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::two_way::entry::{Kind, Time, Version};

    fn version(random: &mut fastrand::Rng, kind: Kind) -> Version {
        let mut time =
            || Time { seconds: random.i64(-5_000_000_000..5_000_000_000), nanos: random.u32(..1_000_000_000) };
        let (modified, changed) = if kind == Kind::Directory { Default::default() } else { (time(), time()) };
        let (inode, mode, is_mount) = (random.u64(..), random.u16(..0o2000), random.bool());
        Version { kind, inode, size: 0, modified, changed, mode, is_mount }
    }

    fn tree(random: &mut fastrand::Rng) -> Tree<Agreed> {
        let (mut tree, mut directories) = (Tree::new(None), vec![Tree::<Agreed>::ROOT]);
        for number in 0..random.u32(1..40) {
            let kind = [Kind::Directory, Kind::File, Kind::Link][random.usize(..3)];
            let (mut a, mut b) = (version(random, kind), version(random, kind));
            if kind != Kind::Directory {
                a.size = random.u64(..);
                b.size = a.size;
            }
            if random.bool() {
                (b.modified, b.mode) = (a.modified, a.mode);
            }
            let parent = directories[random.usize(..directories.len())];
            let id = tree.add(parent, format!("é{number}"), Some(Both { a, b }));
            directories.extend((kind == Kind::Directory).then_some(id));
        }
        tree
    }

    fn entries(tree: &Tree<Agreed>) -> Vec<(std::path::PathBuf, Agreed)> {
        tree.below(Tree::<Agreed>::ROOT).map(|id| (tree.path(id), *tree.entry(id))).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let tree = tree(&mut random);
            let mut read = Tree::new(None);
            assert!(decode(&encode(&tree), &mut read));
            assert_eq!(entries(&read), entries(&tree));
        }
    }

    #[test]
    fn damaged_text_is_refused_without_a_panic() {
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..2_000 {
            let mut text = encode(&tree(&mut random)).into_bytes();
            let place = random.usize(..text.len());
            match random.bool() {
                true => text.truncate(place),
                false => text[place] = random.alphanumeric() as u8,
            }
            let _ = decode(std::str::from_utf8(&text).unwrap(), &mut Tree::new(None));
        }
        assert!(!decode("!", &mut Tree::new(None)));
    }

    #[test]
    fn a_directory_that_holds_only_a_place_is_kept_for_what_is_in_it() {
        let mut tree = Tree::new(None);
        let [full, empty] = ["full", "empty"].map(|name| tree.add(Tree::<Agreed>::ROOT, name, None));
        tree.add(full, "x", Some(Both::default()));
        tree.add(empty, "y", None);
        let mut read = Tree::new(None);
        assert!(decode(&encode(&tree), &mut read));
        assert!(read.find(Path::new("full/x")).is_some() && read.find(Path::new("empty")).is_none());
    }

    #[test]
    fn an_entry_takes_less_than_a_hundred_bytes_of_text() {
        let mut random = fastrand::Rng::with_seed(9);
        let mut tree = Tree::new(None);
        for number in 0..10_000_u64 {
            let mut time =
                || Time { seconds: 1_700_000_000 + random.i64(..1_000_000), nanos: random.u32(..1_000_000_000) };
            let (modified, size) = (time(), number);
            let mut version = |inode| Version {
                kind: Kind::File,
                inode,
                size,
                modified,
                changed: time(),
                mode: 0o644,
                is_mount: false,
            };
            let versions = Both { a: version(number), b: version(2 * number) };
            tree.add(Tree::<Agreed>::ROOT, format!("file-{number:06}.txt"), Some(versions));
        }
        let length = encode(&tree).len() / 10_000;
        assert!(length < 100, "{length}");
    }
}
