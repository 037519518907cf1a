//! What the view leaves behind, and where it does not open.

use std::process::Stdio;

use tokio::process::Command;

use crate::support::Host;
use crate::terminal::{SIZES, Terminal, has_tmux};

#[tokio::test]
async fn the_terminal_is_restored_after_each_end() {
    if !has_tmux().await {
        return;
    }
    let host = Host::start().await;
    let terminal = Terminal::open(SIZES[0]).await;
    let settings = async |name: &str| {
        let file = terminal.folder().join(name);
        terminal.types(&format!("stty -g > {}; echo $((40 + 2)) {name}", file.display())).await;
        terminal.press(&["Enter"]).await;
        terminal.shows(&format!("42 {name}")).await;
        std::fs::read_to_string(file).expect("the shell has written it")
    };
    let before = settings("before").await;
    for end in ["q", "C-c", "TERM", "HUP", "INT"] {
        terminal.start(&host, "").await;
        terminal.shows("? help  q quit").await;
        match end {
            "q" | "C-c" => terminal.press(&[end]).await,
            signal => terminal.kill(signal).await,
        }
        terminal.shows("ended 0").await;
        assert_eq!(terminal.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).await, "0 1\n", "{end}");
        assert_eq!(settings(end).await, before, "{end}");
        terminal.types("clear").await;
        terminal.press(&["Enter"]).await;
        terminal.until("a clear screen", |screen| !screen.contains("ended")).await;
    }
}

#[tokio::test]
async fn with_no_color_the_screen_has_no_colors() {
    if !has_tmux().await {
        return;
    }
    let host = Host::start().await;
    host.done.send_replace(100);
    host.manager.session(syncmgr::Trigger::Manual).start().unwrap().finish().await;
    for (variables, colored) in [("NO_COLOR=", true), ("NO_COLOR=1", false)] {
        let terminal = Terminal::open(SIZES[0]).await;
        terminal.start(&host, variables).await;
        terminal.shows("✗ the disk is full").await;
        let screen = terminal.tmux(&["capture-pane", "-p", "-e"]).await;
        assert_eq!(screen.contains("\u{1b}[38;5;"), colored, "{variables}: {screen:?}");
    }
}

#[tokio::test]
async fn without_a_terminal_the_usage_is_printed() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_syncmgr"));
    let output = program.stdin(Stdio::null()).output().await.expect("the program exists");
    let err = String::from_utf8(output.stderr).expect("it is UTF-8");
    assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{err}");
    assert_eq!(err.matches("Usage: syncmgr").count(), 1, "{err}");
}

#[tokio::test]
async fn without_a_program_the_view_does_not_open() {
    if !has_tmux().await {
        return;
    }
    let mut host = Host::start().await;
    host.leave().await;
    let terminal = Terminal::open(SIZES[0]).await;
    terminal.start(&host, "").await;
    let screen = terminal.shows("ended 3").await;
    assert!(screen.contains("no program serves"), "{screen}");
}
