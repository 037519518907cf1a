//! A user chooses, runs, skips, reads why an item failed, and answers the question of an entry.

use syncmgr::item::ItemState;

use crate::support::Host;
use crate::terminal::{SIZES, Size, Terminal, eventually, has_tmux};

#[tokio::test]
async fn a_user_works_at_80_columns() {
    work(SIZES[0]).await;
}

#[tokio::test]
async fn a_user_works_at_120_columns() {
    work(SIZES[1]).await;
}

#[tokio::test]
async fn a_user_works_at_60_columns() {
    work(SIZES[2]).await;
}

async fn work(size: Size) {
    if !has_tmux().await {
        return;
    }
    let host = Host::start().await;
    let terminal = Terminal::with_view(&host, size).await;
    run_and_skip(&host, &terminal).await;
    choose(&host, &terminal).await;
    keep_the_selection(&terminal, size).await;
    answer_an_entry(&host, &terminal).await;
    terminal.press(&["q"]).await;
    terminal.shows("ended 0").await;
}

/// Runs the items of the first handler, and skips one of them.
async fn run_and_skip(host: &Host, terminal: &Terminal) {
    terminal.shows("no items").await;
    terminal.press(&["Enter"]).await;
    terminal.shows_line(&["letter", "0%"]).await;
    host.done.send_replace(40);
    let screen = terminal.shows_line(&["video", "█", "40%"]).await;
    assert!(screen.contains("[x] Files"), "{screen}");
    terminal.press(&["Down", "Down", "s"]).await;
    let screen = terminal.shows_line(&[">", "photo", "skipped"]).await;
    let running = |name: &str| screen.lines().any(|line| line.contains(name) && line.contains("40%"));
    assert!(["letter", "report", "video"].into_iter().all(running), "{screen}");
    host.done.send_replace(100);
    terminal.shows_line(&["letter", "✓ succeeded"]).await;
    terminal.shows_line(&["video", "✗ the disk is full"]).await;
    terminal.shows("Nothing is running.").await;
}

/// Leaves an item out of later sessions.
async fn choose(host: &Host, terminal: &Terminal) {
    terminal.press(&["Up", "Space"]).await;
    terminal.shows_line(&[">", "[ ] letter"]).await;
    terminal.shows_line(&["[-] Files"]).await;
    let handler = host.manager.handlers()[0].id();
    eventually("the choice is stored", async || {
        let items = host.manager.items(handler).await.expect("the store does not fail");
        items[0].choice == ItemState::Unchecked
    })
    .await;
}

/// Selects an item, and resizes the terminal.
async fn keep_the_selection(terminal: &Terminal, size: Size) {
    terminal.press(&["End", "Up", "Up"]).await;
    terminal.shows_line(&[">", "] report", "? Which side is right?"]).await;
    for other in SIZES.into_iter().chain([(40, 12), size]) {
        terminal.resize(other).await;
        let is_drawn = |screen: &str| {
            let end = screen.lines().nth(usize::from(other.1) - 1).is_some_and(|line| line.ends_with("q quit"));
            end && screen.lines().any(|line| line.starts_with('>') && line.contains("] report"))
        };
        terminal.until(&format!("the selection at {other:?}"), is_drawn).await;
    }
}

/// Reads the log, and answers the question there. The item runs again with the answer.
async fn answer_an_entry(host: &Host, terminal: &Terminal) {
    terminal.press(&["3"]).await;
    terminal.shows_line(&["Files/video", "error: the disk is full"]).await;
    terminal.press(&["Home"]).await;
    let screen = terminal.shows_line(&["Files/report", "enter: answer"]).await;
    let row = screen.lines().position(|line| line.contains("enter: answer")).expect("it is shown");
    let selected = screen.lines().position(|line| line.starts_with('>')).expect("a row is selected");
    terminal.press(&vec!["Down"; row - selected]).await;
    terminal.shows("a: answer with here or there").await;
    terminal.press(&["Enter"]).await;
    terminal.shows("> 1 here").await;
    terminal.press(&["2", "Enter"]).await;
    terminal.press(&["1"]).await;
    terminal.shows_line(&["] report", "✓ succeeded"]).await;
    assert_eq!(host.answers(), ["there"]);
}
