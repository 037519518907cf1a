//! Questions of the manager.

use crate::support::Host;
use crate::terminal::{SIZES, Terminal, has_tmux};

#[tokio::test]
async fn a_user_chooses_the_items_and_answers_their_questions() {
    if !has_tmux().await {
        return;
    }
    let host = Host::start().await;
    let terminal = Terminal::with_view(&host, SIZES[0]).await;
    terminal.shows("Mail").await;
    terminal.press(&["Down", "c"]).await;
    terminal.shows("> [x] Mail/door").await;
    terminal.press(&["Space", "Enter"]).await;
    terminal.shows_line(&["? Mail: inbox: Password?", "a: answer"]).await;
    terminal.press(&["a"]).await;
    terminal.shows("nothing: no answer").await;
    terminal.types("open sesame").await;
    let screen = terminal.shows("•••••••••••_").await;
    assert!(!screen.contains("sesame"), "{screen}");
    terminal.press(&["Enter"]).await;
    terminal.shows_line(&["inbox", "✓ succeeded"]).await;
    assert_eq!(host.answers(), ["open sesame"]);
}

#[tokio::test]
async fn a_named_item_asks_a_user_who_is_there() {
    if !has_tmux().await {
        return;
    }
    let host = Host::start().await;
    // The items are known once they have run. They need a user.
    host.manager
        .session(syncmgr::Trigger::Manual)
        .handlers([host.manager.handlers()[1].id()])
        .start()
        .unwrap()
        .finish()
        .await;
    let terminal = Terminal::with_view(&host, SIZES[2]).await;
    terminal.shows("door").await;
    terminal.press(&["Down", "Down", "Enter"]).await;
    terminal.shows_line(&["? Mail: door: Which door?", "a: answer"]).await;
    terminal.press(&["a"]).await;
    terminal.shows("> 1 left").await;
    terminal.press(&["Down", "Enter"]).await;
    terminal.shows_line(&["door", "✓ succeeded"]).await;
    assert_eq!(host.answers(), ["Some(1)"]);
}
