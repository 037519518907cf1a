//! Initialize: R25 to R38.

use syncmgr::Outcome;

use crate::support::{Scripted, run};

#[tokio::test(start_paused = true)]
async fn r025_initialize_is_called_first_and_once() {
    let handler = Scripted::new(&["a", "b"]);
    let report = run(handler.clone()).await;
    assert!(report.items().all(|item| item.outcome == Outcome::Succeeded));
    let lines = handler.transcript.lines();
    assert!(lines[0].starts_with("initialize Manual"), "{lines:?}");
    assert_eq!(handler.transcript.count("initialize"), 1);
}
