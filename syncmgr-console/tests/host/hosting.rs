//! A host at work.

use crate::support::{Host, Place, is_private};

#[tokio::test]
async fn a_folder_pair_is_copied_and_shown_by_the_client() {
    let place = Place::new("schedule = \"cron 30 2 * * * in local\"");
    let host = place.host().await;
    let (code, out) = place.client(&["run", "docs"]).await;
    assert!(code == 0 && out.contains("docs/plans: succeeded") && out.contains("docs/.: succeeded"), "{out}");
    assert_eq!(place.read("to/plans/plan").as_deref(), Some("the plan"));
    assert_eq!(place.read("to/letter").as_deref(), Some("Dear Ann"));
    let (code, out) = place.client(&["status"]).await;
    assert!(code == 0 && out.contains("  docs: ") && out.contains("with the schedule"), "{out}");
    assert!(is_private(&place.path("state")), "others may read the state");
    drop(host);
}

#[tokio::test]
#[cfg(all(target_os = "linux", feature = "sources"))]
async fn a_watched_folder_pair_is_copied_at_the_start_and_after_each_change() {
    let place = Place::new("watch = true");
    let host = place.host().await;
    let mut events = host.api().events("/v1/events").await.unwrap();
    // The first run may have ended before the stream was opened.
    place.write("from/plans/other", "another plan");
    while place.read("to/plans/other").is_none() {
        Host::ended(&mut events, "plans").await;
    }
    assert_eq!(place.read("to/letter").as_deref(), Some("Dear Ann"));
    place.write("from/new/page", "a page");
    while place.read("to/new/page").is_none() {
        Host::ended(&mut events, "new").await;
    }
}
