//! Secrets that `syncmgr run` asks for.

use crate::support::Host;
use crate::terminal::{SIZES, Terminal, has_tmux};

#[tokio::test]
async fn ctrl_c_at_a_secret_stops_the_session() {
    if !has_tmux().await {
        return;
    }
    let host = Host::start().await;
    let terminal = Terminal::open(SIZES[0]).await;
    let program = env!("CARGO_BIN_EXE_syncmgr");
    let line = format!("{program} --socket {} run --choose Mail; echo ended $?", host.socket().display());
    terminal.types(&line).await;
    terminal.press(&["Enter"]).await;
    terminal.shows("or nothing for those with [x]").await;
    // The item `inbox`.
    terminal.types("2").await;
    terminal.press(&["Enter"]).await;
    terminal.shows("Mail: inbox: Password?").await;
    terminal.press(&["C-c"]).await;
    terminal.shows("ended 130").await;
    let session = host.manager.sessions().pop().expect("its results are kept");
    let report = session.report().await;
    let outcomes: Vec<_> = report.items().map(|item| item.outcome.to_string()).collect();
    assert_eq!(outcomes, ["stopped"]);
}
