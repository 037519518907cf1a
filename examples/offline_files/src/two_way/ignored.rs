//! Entries that the rules of the user leave out, in the syntax of gitignore.
//!
//! The same rules apply to both sides, so that a new rule looks like a deletion on both, which deletes nothing. A rule that one side has
//! removed no longer applies.

use std::ffi::OsStr;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use syncmgr::anyhow::{Context, anyhow};
use syncmgr::prelude::*;

use super::entry::{Change, Version};
use super::scan::version;
use super::side::{Both, Side};
use crate::escape::EscapedPath;
use crate::mirror::Directory;

/// The name of the file with rules in the root of each side. It is synchronized like any other file.
pub(crate) const NAME: &str = ".offline_files-ignore";

/// The rules of a run.
#[derive(Clone, Debug)]
pub(crate) struct Ignored(Gitignore);

impl Default for Ignored {
    fn default() -> Self {
        Self(Gitignore::empty())
    }
}

impl Ignored {
    /// Reads the rules of both sides and, last, those of a file that the user has named. `agreed` has the versions of the files of both
    /// sides that were agreed: a file of such a version does not apply if the other side has changed or deleted its own.
    pub(crate) fn read(roots: Both<&Path>, agreed: Option<Both<Version>>, file: Option<&Path>) -> SyncResult<Self> {
        // All paths are relative to the roots.
        let mut builder = GitignoreBuilder::new("");
        let is_old = is_agreed(&roots, agreed);
        let applies = |side: &Side| !is_old[*side] || is_old[side.other()];
        let of_roots = Side::BOTH.into_iter().filter(applies).map(|side| roots[side].join(NAME));
        for file in of_roots.filter(|file| file.is_file()).chain(file.map(Path::to_owned)) {
            let unusable = || format!("cannot use the ignore rules in {}", EscapedPath(&file));
            let text = std::fs::read_to_string(&file).with_context(unusable)?;
            for line in text.lines() {
                builder.add_line(None, line).map_err(|error| anyhow!("{error}")).with_context(unusable)?;
            }
        }
        Ok(Self(builder.build()?))
    }

    /// Returns `true` if the entry at `path` is left out. Nothing asks about what is in such a directory.
    pub(crate) fn contains(&self, path: &Path, is_directory: bool) -> bool {
        !self.0.is_empty() && self.0.matched(path, is_directory).is_ignore()
    }
}

/// Tells for each side if its file is of the version that was agreed.
fn is_agreed(roots: &Both<&Path>, agreed: Option<Both<Version>>) -> Both<bool> {
    let look = |side: Side| Some(version(&Directory::open(roots[side]).ok()?.entry(OsStr::new(NAME)).ok()??));
    let is_agreed = |side: Side| Some(look(side)?.change_since(&agreed?[side]) <= Change::Metadata);
    Both::from_fn(|side| is_agreed(side).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_both_sides_and_of_a_file_apply_in_this_order() {
        let base = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| base.path().join(name));
        for (root, rules) in [(&a, "*.tmp\n/build/\n"), (&b, "# comment\nnotes\n")] {
            std::fs::create_dir(root).unwrap();
            std::fs::write(root.join(NAME), rules).unwrap();
        }
        let file = base.path().join("rules");
        std::fs::write(&file, "!kept.tmp\n").unwrap();
        let roots = Both { a: &*a, b: &*b };
        let rules = Ignored::read(roots, None, Some(&file)).unwrap();
        let contains = |path: &str, is_directory| rules.contains(Path::new(path), is_directory);
        assert!(contains("docs/x.tmp", false) && contains("build", true) && contains("docs/notes", false));
        assert!(!contains("docs/kept.tmp", false) && !contains("docs/build", true) && !contains("build", false));
        std::fs::write(&file, "{a").unwrap();
        let text = format!("{:#}", Ignored::read(roots, None, Some(&file)).unwrap_err());
        assert!(text.contains("cannot use the ignore rules in"), "{text}");
    }
}
