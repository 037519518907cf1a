//! The connection to the program.

use crate::support::Host;
use crate::terminal::{SIZES, Terminal, has_tmux};

#[tokio::test]
async fn the_view_connects_again_and_keeps_the_selection() {
    if !has_tmux().await {
        return;
    }
    let mut host = Host::start().await;
    host.done.send_replace(100);
    host.manager.session(syncmgr::Trigger::Manual).start().unwrap().finish().await;
    let terminal = Terminal::with_view(&host, SIZES[0]).await;
    terminal.shows("video").await;
    terminal.press(&["Down", "Down"]).await;
    terminal.shows_line(&[">", "photo"]).await;
    host.leave().await;
    terminal.shows("The program does not answer.").await;
    host.serve();
    terminal.shows("live").await;
    terminal.shows_line(&[">", "photo"]).await;
    terminal.shows("Nothing is running.").await;
}

#[tokio::test]
async fn another_client_is_heard() {
    if !has_tmux().await {
        return;
    }
    let host = Host::start().await;
    let terminal = Terminal::with_view(&host, SIZES[0]).await;
    terminal.shows("p pause").await;
    let client = syncmgr_console::Client::new(host.socket());
    client.post::<serde_json::Value>("/v1/pause", &serde_json::Value::Null).await.unwrap();
    terminal.shows("Paused: no item begins.").await;
    terminal.press(&["p"]).await;
    terminal.shows("p pause").await;
}
