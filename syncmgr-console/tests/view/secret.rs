//! Secrets that `syncmgr run` asks for.

use futures::FutureExt;

use crate::support::Host;
use crate::terminal::{SIZES, Terminal, has_tmux};

/// Runs the handler `Mail`, until its items are to be chosen.
async fn offers(host: &Host, terminal: &Terminal) {
    terminal.run(host, "", "run --choose Mail").await;
    terminal.shows("or nothing for those with [x]").await;
}

/// Runs the item `inbox`, until its secret is asked for.
async fn asks(host: &Host, terminal: &Terminal) {
    offers(host, terminal).await;
    terminal.types("2").await;
    terminal.press(&["Enter"]).await;
    terminal.shows("Mail: inbox: Password?").await;
}

/// Returns the settings of the terminal, as the shell sees them.
async fn settings(terminal: &Terminal, name: &str) -> String {
    let file = terminal.folder().join(name);
    terminal.types(&format!("stty -g > {}; echo $((40 + 2)) {name}", file.display())).await;
    terminal.press(&["Enter"]).await;
    terminal.shows(&format!("42 {name}")).await;
    std::fs::read_to_string(file).expect("the shell has written it")
}

/// A run in a terminal that asks for a secret.
struct Run {
    host: Host,
    terminal: Terminal,
    /// The settings of the terminal before the run.
    before: String,
}

impl Run {
    /// Starts the run. `None` without tmux.
    async fn asks() -> Option<Self> {
        if !has_tmux().await {
            return None;
        }
        let host = Host::start().await;
        let terminal = Terminal::open(SIZES[0]).await;
        let before = settings(&terminal, "before").await;
        asks(&host, &terminal).await;
        Some(Self { host, terminal, before })
    }
}

async fn outcomes(host: &Host) -> Vec<String> {
    let session = host.manager.sessions().pop().expect("its results are kept");
    session.report().await.items().map(|item| item.outcome.to_string()).collect()
}

#[tokio::test]
async fn ctrl_c_at_a_secret_stops_the_session_and_leaves_the_terminal_as_it_was() {
    let Some(Run { host, terminal, before }) = Run::asks().await else { return };
    terminal.press(&["C-c"]).await;
    terminal.shows("ended 130").await;
    assert_eq!(outcomes(&host).await, ["stopped"]);
    assert_eq!(settings(&terminal, "after").await, before);
}

#[tokio::test]
async fn termination_at_a_secret_restores_the_terminal_and_stops_no_session() {
    let Some(Run { host, terminal, before }) = Run::asks().await else { return };
    terminal.kill("TERM").await;
    terminal.shows("ended 143").await;
    assert_eq!(settings(&terminal, "after").await, before);
    let session = host.manager.sessions().pop().expect("it runs");
    assert!(session.report().now_or_never().is_none(), "the session goes on");
    session.stop();
}

#[tokio::test]
async fn a_prompt_ends_with_its_session_and_leaves_the_terminal_as_it_was() {
    let Some(Run { host, terminal, before }) = Run::asks().await else { return };
    host.manager.sessions().pop().expect("it runs").stop();
    let screen = terminal.shows("ended 1").await;
    assert!(screen.contains("stopped     inbox"), "{screen}");
    assert_eq!(settings(&terminal, "after").await, before);
}

#[tokio::test]
async fn ctrl_c_at_a_choice_stops_the_session() {
    if !has_tmux().await {
        return;
    }
    let host = Host::start().await;
    let terminal = Terminal::open(SIZES[0]).await;
    offers(&host, &terminal).await;
    terminal.press(&["C-c"]).await;
    terminal.shows("ended 130").await;
}

#[tokio::test]
async fn a_secret_is_not_shown_and_is_passed_on_as_it_was_typed() {
    let Some(Run { host, terminal, .. }) = Run::asks().await else { return };
    terminal.types(" open sesame ").await;
    terminal.press(&["Enter"]).await;
    let screen = terminal.shows("ended 0").await;
    assert!(!screen.contains("sesame"), "{screen}");
    assert_eq!(host.answers(), [" open sesame "]);
}
