//! Questions of items: `decide` and `Session::answer`.

use futures::FutureExt;
use syncmgr::log::Action;
use syncmgr::{LogLevel, Outcome, Report, SessionError, SyncManager, Trigger};
use syncmgr_test::Transcript;

use crate::support::awaitable_host::within;
use crate::support::{HANDLER, Scripted, id, run, start};

fn outcome(report: &Report, name: &str) -> Outcome {
    report.runs[0].item(id(name)).expect("the item ran").outcome
}

/// Returns a handler whose item `file` asks for the winning side and notes the answer.
fn deciding_handler(transcript: &Transcript) -> Scripted {
    let notes = transcript.clone();
    Scripted::new(&["file", "other"]).on_item(move |item| {
        if item.name() == "file" {
            match item.decide("side", "which side wins?", &["here", "there"]) {
                Some(side) => notes.note(format!("{side} wins")),
                None => notes.note("later"),
            }
        }
        async { Ok(()) }.boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn an_item_that_runs_again_finds_the_answer_to_its_question() {
    let transcript = Transcript::new();
    let handler = deciding_handler(&transcript);
    let manager = SyncManager::new();
    manager.register(handler.clone()).unwrap();
    let session = manager.session(Trigger::Manual).start().unwrap();
    let report = within(session.report()).await;
    assert_eq!((outcome(&report, "file"), outcome(&report, "other")), (Outcome::NeedsUser, Outcome::Succeeded));
    let [entry] = report.runs[0].log.as_slice() else { panic!("expected one open question: {report}") };
    assert_eq!((entry.level, entry.item, &*entry.text), (LogLevel::Warning, Some(id("file")), "which side wins?"));
    let Some(Action::Decide(question)) = &entry.action else { panic!("expected a question") };
    assert_eq!(question.choices.iter().map(|choice| &**choice).collect::<Vec<_>>(), ["here", "there"]);

    within(session.answer(HANDLER, entry.id.unwrap(), 1)).await.unwrap();
    let report = within(session.finish()).await;
    assert!(report.is_success(), "{report}");
    assert!(report.runs[0].log.is_empty(), "the answered question is still in the log: {report}");
    assert_eq!(transcript.lines(), ["later", "there wins"]);
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare file other", "prepare file"]);

    // The success consumed the answer: the next session asks again.
    let report = within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    assert_eq!(outcome(&report, "file"), Outcome::NeedsUser);
    assert_eq!(transcript.lines()[2..], ["later"]);
}

#[tokio::test(start_paused = true)]
async fn answering_an_unknown_question_is_a_typed_error() {
    let session = start(deciding_handler(&Transcript::new()));
    let report = within(session.report()).await;
    let error = report.runs[0].log[0].id.unwrap();
    let unknown = syncmgr::log::ErrorId::from_key("unknown");
    let answer = async |error, choice| within(session.answer(HANDLER, error, choice)).await;
    assert_eq!(answer(unknown, 0).await, Err(SessionError::UnknownError { error: unknown }));
    assert_eq!(answer(error, 2).await, Err(SessionError::NoSuchChoice { error, choice: 2 }));
    assert_eq!(answer(error, 0).await, Ok(()));
    assert_eq!(answer(error, 0).await, Err(SessionError::UnknownError { error }));
}

#[tokio::test(start_paused = true)]
async fn a_question_without_choices_is_never_answered() {
    let report = run(Scripted::new(&["a"]).on_item(|item| {
        let decided = item.decide::<&str>("none", "which?", &[]);
        async move {
            anyhow::ensure!(decided.is_none());
            Ok(())
        }
        .boxed()
    }))
    .await;
    assert_eq!(outcome(&report, "a"), Outcome::NeedsUser);
}
