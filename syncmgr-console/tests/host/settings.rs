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
async fn a_host_without_settings_shows_what_to_write_at_the_place_of_the_user() {
    let place = Place::new("");
    let output = place.command(&["host"]).output().await.unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let file = place.path(".config/syncmgr/host.toml");
    let (problem, example) = err.split_once("\n\n").unwrap();
    assert_eq!(
        problem,
        format!(
            "syncmgr: {}: there is no such file; `syncmgr host FROM TO` writes a first one; or write it, as in",
            file.display()
        )
    );
    assert!(output.status.code() == Some(2) && err.contains("The README of syncmgr-console"), "{err}");
    let example = example.split("\n\n").next().unwrap();
    assert!(
        example.starts_with("[[folder]]\n")
            && ["from", "to"].iter().all(|key| example.contains(&format!("\n{key} = \""))),
        "{err}"
    );
    let output = place.command(&["host", "--json"]).output().await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &json["code"]), (Some(2), &2.into()));
    assert!(json["error"].as_str().unwrap().contains("[[folder]]\n"), "{json}");
}
