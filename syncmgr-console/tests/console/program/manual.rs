//! The completions of shells and the man pages.

#![cfg(feature = "manual")]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::{output, program};

#[tokio::test]
async fn the_completions_of_each_shell_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = output(program(Path::new("unused")).args(["completions", shell])).await;
        assert!(code == 0 && out.contains("syncmgr") && out.contains("explain") && out.contains("follow"), "{shell}");
    }
    assert_eq!(output(program(Path::new("unused")).args(["completions", "tcsh"])).await.0, 2);
}

#[tokio::test]
async fn each_command_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let man = folder.path().join("man1");
    let (code, _, err) = output(program(Path::new("unused")).arg("man").arg(&man)).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let page = fs::read_to_string(man.join("syncmgr-run.1")).unwrap();
    assert!(page.contains("syncmgr run \\-\\-choose") && page.contains(".SH NAME"), "{page}");
    let mut pages: Vec<_> = fs::read_dir(&man).unwrap().map(|page| page.unwrap().file_name()).collect();
    pages.sort_unstable();
    insta::assert_snapshot!(format!("{}\n\n{page}", pages.join(OsStr::new(" ")).display()));
    assert!(fs::read_to_string(man.join("syncmgr.1")).unwrap().contains("Exit codes"));
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [folder.path().join("missing/man1"), file] {
        let (code, _, err) = output(program(Path::new("unused")).arg("man").arg(&path)).await;
        assert!(code == 1 && err.starts_with(&format!("syncmgr: {}", path.display())), "{err}");
    }
}
