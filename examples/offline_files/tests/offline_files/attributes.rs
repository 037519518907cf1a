//! Access control lists, owners and extended attributes.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, lchown};
use std::path::Path;

use rustix::fs::{XattrFlags, getxattr, lremovexattr, setxattr};
use rustix::io::Errno;

use crate::skip::skip;
use crate::trees::{Trees, chmod, file, link, snapshot};

const ACL: &str = "system.posix_acl_access";
const DEFAULT_ACL: &str = "system.posix_acl_default";

/// An ACL that gives the owner all permissions, user 4711 the permissions `user` and the owning group none.
fn acl(user: u8) -> Vec<u8> {
    let entry = |tag, permissions, id: u32| [[tag, 0, permissions, 0].as_slice(), &id.to_le_bytes()].concat();
    let anyone = u32::MAX;
    let entries = [
        entry(1, 7, anyone),
        entry(2, user, 4711),
        entry(4, 0, anyone),
        entry(0x10, user, anyone),
        entry(0x20, 0, anyone),
    ];
    [&[2, 0, 0, 0], entries.concat().as_slice()].concat()
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 1024];
    let size = getxattr(path, name, &mut buffer).ok()?;
    Some(buffer[..size].to_vec())
}

fn set(path: &Path, name: &str, value: &[u8]) {
    setxattr(path, name, value, XattrFlags::empty()).unwrap();
}

/// Sets an ACL. Returns `false` if the file system has none.
pub(crate) fn set_acl(path: &Path) -> bool {
    if setxattr(path, ACL, &acl(4), XattrFlags::empty()) == Err(Errno::NOTSUP) {
        skip("the file system of the temporary directory has no ACLs");
        return false;
    }
    true
}

pub(crate) fn has_acl(path: &Path) -> bool {
    attribute(path, ACL).is_some()
}

pub(crate) fn remove_acl(path: &Path) {
    lremovexattr(path, ACL).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// A private file and a directory with ACLs; `None` if the file system has no ACLs.
fn trees_with_acls() -> Option<Trees> {
    let trees = Trees::new();
    let secret = trees.from.join("docs/secret");
    file(&secret, "secret", 1);
    chmod(&secret, 0o600);
    if !set_acl(&secret) {
        return None;
    }
    set(&trees.from.join("docs"), ACL, &acl(5));
    set(&trees.from.join("docs"), DEFAULT_ACL, &acl(7));
    Some(trees)
}

#[test]
fn acls_are_copied_and_updated() {
    let Some(trees) = trees_with_acls() else { return };
    file(&trees.from.join("docs/plain"), "no ACL", 1);
    let _ = lremovexattr(trees.from.join("docs/plain"), ACL);
    for _ in 0..2 {
        trees.run(&[]);
        for (path, name) in [("docs/secret", ACL), ("docs", ACL), ("docs", DEFAULT_ACL), ("docs/plain", ACL)] {
            let of = |root: &Path| attribute(&root.join(path), name);
            assert_eq!(of(&trees.to), of(&trees.from), "{path} {name}");
        }
        // The mask and so the permission bits stay equal, but not the user's permissions.
        let mut less = acl(4);
        less[4 + 8 + 2] = 0;
        set(&trees.from.join("docs/secret"), ACL, &less);
        set(&trees.from.join("docs"), DEFAULT_ACL, &acl(1));
    }
    assert_eq!(trees.run(&["--json"]).item("docs")["counts"]["permissions_set"], 0);
}

#[test]
fn a_copy_without_acls_gives_the_group_no_more_than_the_original() {
    let Some(trees) = trees_with_acls() else { return };
    assert_eq!(mode(&trees.from.join("docs/secret")), 0o740);
    trees.run(&["--no-acls"]);
    assert_eq!((mode(&trees.to.join("docs/secret")), mode(&trees.to.join("docs"))), (0o700, 0o700));
    assert_eq!(attribute(&trees.to.join("docs/secret"), ACL), None);
    assert_eq!(trees.run(&["--no-acls", "--no-state", "--json"]).item("docs")["counts"]["permissions_set"], 0);
}

/// An ACL that gives everyone but user 4711 permission to read.
fn acl_against_one_user() -> Vec<u8> {
    let mut acl = acl(0);
    for entry in [2, 3, 4] {
        acl[4 + 8 * entry + 2] = 4;
    }
    acl
}

#[test]
fn a_copy_without_acls_gives_a_named_user_no_more_than_the_original() {
    let Some(trees) = trees_with_acls() else { return };
    set(&trees.from.join("docs/secret"), ACL, &acl_against_one_user());
    assert_eq!(mode(&trees.from.join("docs/secret")), 0o744);
    trees.run(&["--no-acls"]);
    assert_eq!(mode(&trees.to.join("docs/secret")), 0o700);
}

#[test]
fn a_created_target_gives_a_named_user_no_more_than_the_source() {
    let Some(trees) = trees_with_acls() else { return };
    chmod(&trees.from, 0o755);
    set(&trees.from, ACL, &acl_against_one_user());
    fs::remove_dir(&trees.to).unwrap();
    trees.run(&[]);
    assert_eq!(mode(&trees.to), 0o700);
}

#[test]
fn an_acl_that_the_target_would_add_is_removed() {
    let Some(trees) = trees_with_acls() else { return };
    set(&trees.to, DEFAULT_ACL, &acl(7));
    file(&trees.from.join("tools/plain"), "no ACL", 1);
    trees.run(&[]);
    assert_eq!(attribute(&trees.to.join("tools/plain"), ACL), None);
    assert_eq!(attribute(&trees.to.join("tools"), DEFAULT_ACL), None);
}

#[test]
fn an_acl_added_in_the_target_is_removed_once_its_directory_is_compared() {
    let Some(trees) = trees_with_acls() else { return };
    let (plain, copy) = (trees.from.join("open/plain"), trees.to.join("open/plain"));
    file(&plain, "no ACL", 1);
    chmod(&plain, 0o640);
    trees.run(&[]);
    set(&copy, ACL, &acl(4));
    for time in [2, 3] {
        file(&trees.from.join("docs/other"), "another directory", time);
        trees.run(&[]);
    }
    file(&trees.from.join("open/next"), "this directory", 4);
    trees.run(&[]);
    assert_eq!(attribute(&copy, ACL), None);
}

#[test]
fn new_directories_do_not_inherit_the_group_bit_of_the_target() {
    let trees = Trees::full();
    fs::create_dir_all(&trees.to).unwrap();
    chmod(&trees.to, 0o2755);
    trees.run(&[]);
    let bits = |root: &Path| fs::metadata(root.join("docs")).unwrap().mode() & 0o7777;
    assert_eq!(bits(&trees.to), bits(&trees.from));
    assert_eq!(trees.run(&["--full", "--json"]).item("docs")["counts"]["permissions_set"], 0);
}

#[test]
fn extended_attributes_are_copied_with_their_option_alone() {
    let trees = Trees::full();
    let (from, to) = (trees.from.join("docs/plan.txt"), trees.to.join("docs/plan.txt"));
    if setxattr(&from, "user.colour", b"red", XattrFlags::empty()) == Err(Errno::NOTSUP) {
        return skip("the file system of the temporary directory has no extended attributes");
    }
    trees.run(&[]);
    assert_eq!(attribute(&to, "user.colour"), None);
    trees.run(&["-X"]);
    assert_eq!(attribute(&to, "user.colour").unwrap(), b"red", "a new option applies to files that have not changed");
    set(&from, "user.colour", b"blue");
    set(&to, "user.size", b"large");
    trees.run(&["-X"]);
    assert_eq!((attribute(&to, "user.colour").unwrap(), attribute(&to, "user.size")), (b"blue".to_vec(), None));
}

#[test]
fn owners_are_copied_with_their_option_alone() {
    let trees = Trees::full();
    if fs::metadata(trees.base.path()).unwrap().uid() != 0 {
        return skip("only root can change owners");
    }
    link(&trees.from.join("docs/link"), "plan.txt");
    let owner = |name: &str| {
        let about = fs::symlink_metadata(trees.to.join(name)).unwrap();
        (about.uid(), about.gid())
    };
    let names = ["docs", "docs/plan.txt", "docs/link"];
    names.iter().for_each(|name| lchown(trees.from.join(name), Some(12), Some(34)).unwrap());
    trees.run(&[]);
    assert_eq!(names.map(owner), [(0, 0); 3]);
    trees.run(&["-o", "--full"]);
    assert_eq!(names.map(owner), [(12, 34); 3]);
    chown(trees.from.join("docs/plan.txt"), Some(56), None).unwrap();
    trees.run(&["-o"]);
    assert_eq!(owner("docs/plan.txt"), (56, 34));
}

#[test]
fn hard_links_are_kept_with_their_option_alone() {
    let trees = Trees::full();
    let add = |name: &str| fs::hard_link(trees.from.join("docs/plan.txt"), trees.from.join(name)).unwrap();
    add("docs/second");
    add("docs/deep/third");
    let inodes = || {
        ["docs/plan.txt", "docs/second", "docs/deep/third"].map(|name| fs::metadata(trees.to.join(name)).unwrap().ino())
    };
    trees.run(&[]);
    assert_ne!(inodes()[0], inodes()[1]);
    for flags in [&["-H", "--full"][..], &["-H"]] {
        assert_eq!(trees.run(flags).code, Some(0));
        assert_eq!(inodes(), [inodes()[0]; 3]);
    }
    assert_eq!(trees.run(&["-H", "--full", "--json"]).item("docs")["counts"]["copied"], 0);
    // The first path is now another one.
    add("docs/a-fourth");
    file(&trees.from.join("docs/second"), "changed", 7);
    assert_eq!(trees.run(&["-H"]).code, Some(0));
    assert_eq!(inodes(), [fs::metadata(trees.to.join("docs/a-fourth")).unwrap().ino(); 3]);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn hard_links_of_a_file_that_only_seems_equal_are_kept() {
    let trees = Trees::new();
    let names = ["docs/a", "docs/b"];
    let inodes = || names.map(|name| fs::metadata(trees.to.join(name)).unwrap().ino());
    file(&trees.from.join(names[0]), "new", 1);
    fs::hard_link(trees.from.join(names[0]), trees.from.join(names[1])).unwrap();
    file(&trees.to.join(names[0]), "old", 1);
    fs::hard_link(trees.to.join(names[0]), trees.to.join(names[1])).unwrap();
    assert_eq!(trees.run(&["-H", "--checksum"]).code, Some(0));
    assert_eq!(inodes(), [inodes()[0]; 2]);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn new_permissions_of_a_file_with_several_names_keep_its_hard_links() {
    let trees = Trees::new();
    let names = ["docs/a", "docs/b"];
    let inodes = || names.map(|name| fs::metadata(trees.to.join(name)).unwrap().ino());
    file(&trees.from.join(names[0]), "text", 1);
    fs::hard_link(trees.from.join(names[0]), trees.from.join(names[1])).unwrap();
    trees.run(&["-H"]);
    let before = inodes();
    chmod(&trees.from.join(names[0]), 0o600);
    let output = trees.run(&["-H", "--json"]);
    let count = |what: &str| output.item("docs")["counts"][what].as_u64();
    assert_eq!((output.code, count("copied"), count("permissions_set")), (Some(0), Some(0), Some(1)));
    assert_eq!(inodes(), before);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn another_name_of_a_target_file_keeps_its_permissions() {
    let trees = Trees::full();
    trees.run(&[]);
    let snapshot = trees.base.path().join("snapshot");
    fs::hard_link(trees.to.join("docs/plan.txt"), &snapshot).unwrap();
    let before = mode(&snapshot);
    chmod(&trees.from.join("docs/plan.txt"), 0o600);
    trees.run(&[]);
    assert_eq!((mode(&snapshot), mode(&trees.to.join("docs/plan.txt"))), (before, 0o600));
}
