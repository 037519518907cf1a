//! Deletions that a guard holds.

use std::fs;

use crate::support::Place;

impl Place {
    /// Writes 12 files into a directory.
    fn fill(&self, directory: &str) {
        (0..12).for_each(|number| self.write(&format!("{directory}/{number}"), "text"));
    }

    fn empty(&self, directory: &str) {
        (0..12)
            .for_each(|number| fs::remove_file(self.path(&format!("{directory}/{number}"))).expect("it was written"));
    }
}

#[tokio::test]
async fn a_large_loss_is_asked_about_once_with_a_choice_that_changes_nothing() {
    let place = Place::new("delete = \"guarded\"");
    place.fill("from/photos");
    let host = place.host().await;
    assert_eq!(place.client(&["run", "docs"]).await.0, 0);
    place.empty("from/photos");
    let (code, out) = place.client(&["run", "docs"]).await;
    let asked = "FROM is empty but had 12 entries. 12 of 12 entries would be deleted. Continue?";
    assert!(code == 1 && out.contains(&format!("docs/photos: warning: {asked}")), "{out}");
    assert!(out.ends_with("`syncmgr log` shows the questions, with the command for each answer\n"), "{out}");
    let log = place.log().await;
    let entry = log[1].split(' ').nth(2).unwrap();
    let choices = [format!("syncmgr answer {entry} 1: continue"), format!("syncmgr answer {entry} 2: change nothing")];
    assert_eq!((log.len(), &log[1..], entry.len()), (3, &choices[..], 13), "{log:?}");
    assert!(log[0].ends_with(asked), "{log:?}");
    let mut events = host.api().events("/v1/events").await.unwrap();
    let (code, out) = place.client(&["answer", &entry[..4], "1"]).await;
    assert!(code == 0 && out.starts_with("answered: the item runs again in session "), "{out}");
    while place.read("to/photos/3").is_some() {
        crate::support::Host::ended(&mut events, "photos").await;
    }
    assert_eq!(place.log().await, Vec::<String>::new());
    // What was deleted with the consent of the user is not missed.
    assert_eq!(place.client(&["run", "docs"]).await.0, 0);
    assert_eq!(place.log().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_to_a_question_that_has_changed_is_refused() {
    let place = Place::new("delete = \"guarded\"");
    ["from/photos", "from/photos/more", "from/photos/others"].iter().for_each(|directory| place.fill(directory));
    let host = place.host().await;
    assert_eq!(place.client(&["run", "docs"]).await.0, 0);
    ["from/photos/more", "from/photos/others"].iter().for_each(|directory| place.empty(directory));
    assert_eq!(place.client(&["run", "docs"]).await.0, 1);
    let read = place.log().await[1].split(' ').nth(2).unwrap().to_owned();
    place.empty("from/photos");
    assert_eq!(place.client(&["run", "docs"]).await.0, 1);
    let (code, out) = place.client(&["answer", &read, "1"]).await;
    let expected = format!("syncmgr: the question of entry {read} has changed; `syncmgr log` shows what it asks now\n");
    assert_eq!((code, out), (4, expected));
    assert_eq!(place.read("to/photos/3").as_deref(), Some("text"));
    drop(host);
}

#[tokio::test]
async fn a_small_item_that_lost_everything_asks_whether_to_delete_it() {
    let place = Place::new("delete = \"guarded\"");
    (0..5).for_each(|number| place.write(&format!("from/photos/{number}"), "text"));
    let host = place.host().await;
    assert_eq!(place.client(&["run", "docs"]).await.0, 0);
    (0..5).for_each(|number| fs::remove_file(place.path(&format!("from/photos/{number}"))).unwrap());
    assert_eq!(place.client(&["run", "docs"]).await.0, 1);
    let log = place.log().await;
    assert!(log[0].ends_with("docs/photos: warning: FROM has none of the 5 entries in TO. Delete them?"), "{log:?}");
    assert!(log[1].ends_with(" 1: delete") && log[2].ends_with(" 2: change nothing"), "{log:?}");
    drop(host);
}

#[tokio::test]
async fn pairs_whose_items_ask_alike_are_answered_by_their_names() {
    let more =
        "delete = \"guarded\"\n[[folder]]\nname = \"My pics\"\nfrom = \"pics\"\nto = \"copy\"\ndelete = \"guarded\"";
    let place = Place::new(more);
    let both = ["from/photos", "pics/photos"];
    both.iter().for_each(|directory| place.fill(directory));
    let host = place.host().await;
    assert_eq!(place.client(&["run"]).await.0, 0);
    both.iter().for_each(|directory| place.empty(directory));
    assert_eq!(place.client(&["run"]).await.0, 1);
    let (_, out) = place.client(&["log"]).await;
    let id = out.split("answer docs/").nth(1).unwrap().split(' ').next().unwrap();
    assert!(out.contains(&format!("    syncmgr answer 'My pics/{id}' 2: change nothing\n")), "{out}");
    let (code, out) = place.client(&["answer", id, "2"]).await;
    assert!(code == 4 && out.contains(&format!("docs/{id}")) && out.contains(&format!("'My pics/{id}'")), "{out}");
    assert_eq!(place.client(&["answer", &format!("My pics/{id}"), "2"]).await.0, 0);
    assert_eq!(place.read("copy/photos/3").as_deref(), Some("text"));
    drop(host);
}
