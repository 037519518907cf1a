//! An item that asks the user.

use std::sync::Mutex;

use syncmgr::prelude::*;

/// Asks for a choice if the item is `door`, and for a secret otherwise, and notes the answer.
pub(crate) async fn ask(item: &ItemContext, answers: &Mutex<Vec<String>>) -> SyncResult {
    let user = item.interaction().await?;
    let answer = match item.name() {
        "door" => format!("{:?}", user.choose("Which door?", &["left".into(), "right".into()]).await?),
        _ => user.secret("Password?").await?.map_or_else(String::new, |secret| secret.expose().to_owned()),
    };
    answers.lock().expect("no test panics with it").push(answer);
    Ok(())
}
