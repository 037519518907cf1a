//! What the manager runs next.

use std::time::Duration;

use embed::handler::Downloads;
use syncmgr::schedule::Schedule;

use crate::running::Running;

#[tokio::test]
async fn the_agenda_lists_the_next_firing_of_a_schedule() {
    let hourly = Schedule::every(Duration::from_secs(3_600)).unwrap();
    let server = Running::with(Downloads::new(1, 1, Duration::ZERO).with_schedule(hourly)).await;
    let agenda = server.client.get("/sync/agenda").await.json();
    let entry = &agenda["agenda"][0];
    assert_eq!(entry["entry"]["work"]["scheduled"], "every 1h");
    assert!(entry["text"].as_str().unwrap().ends_with("items with the schedule \"every 1h\""), "{entry}");
}
