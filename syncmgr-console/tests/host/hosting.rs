//! A host at work.

use std::fs;

use crate::support::{Place, is_private};

#[tokio::test]
async fn a_folder_pair_is_copied_and_shown_by_the_client() {
    let place = Place::new("schedule = \"cron 30 2 * * * in local\"");
    let host = place.host().await;
    let (code, out) = place.client(&["run", "docs"]).await;
    assert!(code == 0 && out.contains("docs/plans: succeeded") && out.contains("docs/.: succeeded"), "{out}");
    assert_eq!(place.read("to/plans/plan").as_deref(), Some("the plan"));
    assert_eq!(place.read("to/letter").as_deref(), Some("the letter"));
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
        crate::support::Host::ended(&mut events, "plans").await;
    }
    assert_eq!(place.read("to/letter").as_deref(), Some("the letter"));
    place.write("from/new/page", "a page");
    while place.read("to/new/page").is_none() {
        crate::support::Host::ended(&mut events, "new").await;
    }
}

#[tokio::test]
async fn a_pair_in_both_directions_asks_about_a_conflict() {
    let place = Place::new("direction = \"both\"");
    let host = place.host().await;
    assert_eq!(place.client(&["run", "docs"]).await.0, 0);
    place.write("to/plans/plan", "the plan of the copy");
    assert_eq!(place.client(&["run", "docs"]).await.0, 0);
    assert_eq!(place.read("from/plans/plan").as_deref(), Some("the plan of the copy"));
    place.write("from/plans/plan", "one edit");
    place.write("to/plans/plan", "another edit of it");
    assert_ne!(place.client(&["run", "docs"]).await.0, 0);
    let (_, out) = place.client(&["log", "docs"]).await;
    assert!(out.contains("plan") && out.contains("has changed on both sides"), "{out}");
    assert_eq!(place.read("from/plans/plan").as_deref(), Some("one edit"));
    assert_eq!(place.read("to/plans/plan").as_deref(), Some("another edit of it"));
    drop(host);
}

#[tokio::test]
#[cfg(all(target_os = "linux", feature = "sources"))]
async fn a_folder_with_an_open_conflict_goes_on_and_takes_the_answer() {
    let place = Place::new("direction = \"both\"\nwatch = true");
    place.write("to/plans/plan", "another plan");
    let host = place.host().await;
    let mut events = host.api().events("/v1/events").await.unwrap();
    while place.log().await.is_empty() {
        crate::support::Host::ended(&mut events, "plans").await;
    }
    place.write("from/plans/other", "no conflict");
    while place.read("to/plans/other").is_none() {
        crate::support::Host::ended(&mut events, "plans").await;
    }
    let log = place.log().await;
    let entry = log[1].split(' ').nth(2).unwrap();
    assert!(log[0].contains("is different on both sides") && log[1].ends_with("1: use A"), "{log:?}");
    assert_eq!(place.read("to/plans/plan").as_deref(), Some("another plan"));
    assert_eq!(place.client(&["answer", entry, "1"]).await.0, 0);
    while place.read("to/plans/plan").as_deref() != Some("the plan") {
        crate::support::Host::ended(&mut events, "plans").await;
    }
    assert_eq!(place.log().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_pair_that_cannot_be_read_says_why_until_it_can_be_read_again() {
    let place = Place::new("");
    place.write("from/photos/1", "text");
    let host = place.host().await;
    assert_eq!(place.client(&["run", "docs"]).await.0, 0);
    fs::rename(place.path("from"), place.path("elsewhere")).unwrap();
    assert_eq!(place.client(&["run", "docs"]).await.0, 1);
    for command in [&["status"][..], &["explain", "docs"]] {
        let (_, out) = place.client(command).await;
        assert!(out.contains("reason: could not list its items: FROM is not a directory that can be read"), "{out}");
    }
    fs::rename(place.path("elsewhere"), place.path("from")).unwrap();
    assert_eq!(place.client(&["run", "--force", "docs"]).await.0, 0);
    for command in [&["status"][..], &["explain", "docs"]] {
        let (_, out) = place.client(command).await;
        assert!(!out.contains("reason:"), "{out}");
    }
    drop(host);
}
