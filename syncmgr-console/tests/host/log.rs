//! The log of a host.

use rustix::process::Signal;

use crate::support::Place;

/// Returns the log of a host that has read its settings again.
async fn log(variables: &[(&str, &str)]) -> String {
    let place = Place::new("");
    let host = place.host_with(&[], variables).await;
    host.signal(Signal::HUP);
    host.told("READY=1").await;
    host.terminate().await.2
}

#[tokio::test]
async fn rust_log_selects_the_levels() {
    let info = log(&[]).await;
    assert!(info.contains(" INFO read ") && !info.contains("DEBUG"), "{info}");
    let none = log(&[("RUST_LOG", "error")]).await;
    assert_eq!(none, "");
    let more = log(&[("RUST_LOG", "warn,syncmgr=info")]).await;
    assert!(more.contains(" INFO read "), "{more}");
}

#[tokio::test]
async fn levels_that_are_not_valid_are_left_out_with_a_warning() {
    let log = log(&[("RUST_LOG", "syncmgr=loud")]).await;
    assert!(log.contains(" WARN RUST_LOG is left out: ") && log.contains(" INFO read "), "{log}");
}

#[tokio::test]
async fn a_host_announces_itself_as_json() {
    let place = Place::new("");
    let host = place.host_with(&["--json"], &[]).await;
    let socket = host.socket();
    let (_, out, _) = host.terminate().await;
    assert_eq!(out, format!("{{\"console\":\"{}\",\"page\":null}}\n", socket.display()));
}
