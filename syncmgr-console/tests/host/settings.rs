//! Settings that are not valid, as the program refuses them.

use crate::support::Place;

#[tokio::test]
async fn bad_settings_end_the_host_with_a_line_for_each_bad_value() {
    let place = Place::new("delete = \"all\"\nrequires = [\"mians\"]");
    let config = place.path("host.toml");
    let output = place.command(&["host", "--config", &config.to_string_lossy()]).output().await.unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = err.lines().collect();
    assert_eq!((output.status.code(), lines.len()), (Some(2), 2), "{err}");
    assert!(lines[0].starts_with(&format!("syncmgr: {}:7: delete: `all` is not known; ", config.display())), "{err}");
    assert!(
        lines[1].starts_with(&format!("syncmgr: {}:8: requires: `mians` is not known; ", config.display())),
        "{err}"
    );
}

#[tokio::test]
async fn the_settings_of_the_user_are_read_by_default() {
    let place = Place::new("");
    let output = place.command(&["host"]).output().await.unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let expected =
        format!("syncmgr: {}: the settings cannot be read: ", place.path(".config/syncmgr/host.toml").display());
    assert!(output.status.code() == Some(2) && err.starts_with(&expected), "{err}");
}
