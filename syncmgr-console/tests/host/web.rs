//! The file that leads a browser to the page of a host.

use rustix::process::Signal;

use crate::support::Place;

#[tokio::test]
async fn the_file_that_leads_a_browser_to_the_page_goes_with_its_host() {
    let place = Place::new("");
    let settings = place.read("host.toml").unwrap();
    place.write("host.toml", &format!("page = 0\n{settings}"));
    let file = "run/host.sock.page.html";
    let host = place.host().await;
    // No browser is found, but the file is written first.
    place.client(&["web", "--open"]).await;
    assert!(place.read(file).is_some());
    host.terminate().await;
    assert_eq!(place.read(file), None);
    let host = place.host().await;
    place.client(&["web", "--open"]).await;
    host.signal(Signal::KILL);
    host.end().await;
    assert!(place.read(file).is_some());
    let host = place.host().await;
    assert_eq!(place.read(file), None, "the next host removes it");
    place.write(file, "a report");
    host.terminate().await;
    assert_eq!(place.read(file).as_deref(), Some("a report"));
}
