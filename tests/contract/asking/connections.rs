//! Connections requested by handlers: R136 to R139.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::environment::{Connection, ConnectionProvider};
use syncmgr::handler::{HandlerFlags, Resolution};
use syncmgr::session::RunChange;
use syncmgr::{
    FailureClass, HandlerId, HandlerInfo, ItemContext, LogEntry, LogLevel, Outcome, PrepareContext, Session,
    SessionEvent, SyncManager, SyncResult, Trigger,
};
use syncmgr_test::{ScriptedHandler, Transcript};
use tokio::sync::Notify;

use crate::asking::show_error::error;
use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, begin, host_in, until, until_run, within};
use crate::support::window::waiting_handler;
use crate::support::{HANDLER, Scripted, id, run};

const OTHER: HandlerId = HandlerId::from_u128(0x07E4);
const DECLARED: HandlerFlags = HandlerFlags::MAY_ESTABLISH_CONNECTION;

/// A connection provider. Each connection notes its opening as `up` and its drop as `down`.
struct Dialer(Transcript);

/// An open connection.
struct Link(String, Transcript);

impl Drop for Link {
    fn drop(&mut self) {
        self.1.note(format!("down {}", self.0));
    }
}

#[async_trait]
impl ConnectionProvider for Dialer {
    async fn connect(&self, name: Option<&str>) -> SyncResult<Connection> {
        // Opening a connection takes time.
        tokio::task::yield_now().await;
        let name = format!("{name:?}");
        self.0.note(format!("up {name}"));
        Ok(Box::new(Link(name, self.0.clone())))
    }
}

fn manager_with_dialer(transcript: &Transcript) -> SyncManager {
    SyncManager::builder().connections(Dialer(transcript.clone())).build()
}

/// Returns a handler whose item requests these connections.
fn connecting_handler(names: &'static [Option<&'static str>]) -> Scripted {
    let connect = move |item: ItemContext| async move {
        for name in names {
            item.run().establish_connection(*name).await?;
        }
        Ok(())
    };
    Scripted::new(&["a"]).info(|info| info.with_flags(DECLARED)).on_item(move |item| connect(item.clone()).boxed())
}

/// Runs a session of a handler whose item requests these connections, and returns the notes of the provider.
async fn connections_of(names: &'static [Option<&'static str>]) -> Vec<String> {
    let transcript = Transcript::new();
    let manager = manager_with_dialer(&transcript);
    manager.register(connecting_handler(names)).expect("the handler can be registered");
    assert!(within(begin(&manager).finish()).await.is_success());
    transcript.lines()
}

#[tokio::test(start_paused = true)]
async fn r136_no_name_means_the_default_connection() {
    assert_eq!(connections_of(&[None]).await, ["up None", "down None"]);
    assert_eq!(connections_of(&[Some("office"), None]).await[..2], ["up Some(\"office\")", "up None"]);
}

#[tokio::test(start_paused = true)]
async fn r136_a_classic_handler_passes_no_name_for_the_default_connection() {
    let transcript = Transcript::new();
    let manager = manager_with_dialer(&transcript);
    let info = HandlerInfo::new(CLASSIC, "Scripted").with_flags(DECLARED);
    let handler = Arc::new(waiting_handler(&["a"]).with_info(info));
    host_in(&manager, &handler);
    let session = begin(&manager);
    until_run(&session, RunChange::Synchronizing).await;
    let callback = handler.side().callback();
    // The provider is slow, so the call blocks its thread.
    let connecting = std::thread::spawn(move || callback.establish_connection(None));
    within(async {
        while transcript.count("up") == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(connecting.join().unwrap(), HResult::S_OK);
    assert_eq!(transcript.lines(), ["up None"]);
}

#[tokio::test(start_paused = true)]
async fn r136_a_host_is_asked_for_the_default_connection_without_a_name() {
    let transcript = Transcript::new();
    let on = HandlerOnHost::prepared(connecting_handler(&[None, Some("office")]), &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    let asked = transcript.of(&["EstablishConnection"]);
    assert_eq!(asked, ["EstablishConnection default", "EstablishConnection office"]);
}

#[tokio::test(start_paused = true)]
async fn r137_a_second_call_leaves_earlier_connections_open() {
    let up = connections_of(&[Some("office"), Some("home"), Some("office"), None, None]).await;
    assert_eq!(up[..3], ["up Some(\"office\")", "up Some(\"home\")", "up None"]);
    assert_eq!(up[3..].iter().filter(|line| line.starts_with("down")).count(), 3);
    assert_eq!(up.len(), 6, "{up:?}");
}

/// Returns a manager with two handlers that request a connection. The second handler ends after the notification.
fn manager_with_lasting_handler(transcript: &Transcript) -> (SyncManager, Arc<Notify>) {
    let (manager, go) = (manager_with_dialer(transcript), Arc::new(Notify::new()));
    manager.register(connecting_handler(&[None])).expect("the handler can be registered");
    let (waits, notes) = (go.clone(), transcript.clone());
    let lasting = connecting_handler(&[]).info(|info| HandlerInfo::new(OTHER, "Lasting").with_flags(info.flags()));
    let lasting = lasting.on_item(move |item| {
        let (waits, notes) = (waits.clone(), notes.clone());
        async move {
            item.run().establish_connection(None).await?;
            waits.notified().await;
            notes.note("the last handler has finished");
            Ok(())
        }
        .boxed()
    });
    manager.register(lasting).expect("the handler can be registered");
    (manager, go)
}

async fn until_ended(session: &Session, handler: HandlerId) {
    let ended = |event: &SessionEvent| match event {
        SessionEvent::Run { handler: of, change, .. } => *of == handler && matches!(change, RunChange::Ended(_)),
        _ => false,
    };
    until(&mut session.events(), ended).await;
}

#[tokio::test(start_paused = true)]
async fn r138_connections_stay_open_until_the_last_handler_has_finished() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_lasting_handler(&transcript);
    let session = begin(&manager);
    until_ended(&session, HANDLER).await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(transcript.lines(), ["up None"]);
    go.notify_one();
    within(session.finish()).await;
    assert_eq!(transcript.lines(), ["up None", "the last handler has finished", "down None"]);
}

#[tokio::test(start_paused = true)]
async fn r138_connections_are_closed_even_if_the_session_was_dropped() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_lasting_handler(&transcript);
    let session = begin(&manager);
    until_ended(&session, HANDLER).await;
    let mut events = session.events();
    drop(session);
    go.notify_one();
    within(async { while events.next().await.is_some() {} }).await;
    assert_eq!(transcript.lines(), ["up None", "the last handler has finished", "down None"]);
}

#[tokio::test(start_paused = true)]
async fn r138_connections_close_at_the_report_and_a_retry_reopens_them() {
    let transcript = Transcript::new();
    let manager = manager_with_dialer(&transcript);
    let linking = |run: &PrepareContext| run.log(LogEntry::new(LogLevel::Warning, "link").with_link(error()));
    let handler = connecting_handler(&[None]).on_prepare(move |run| {
        linking(run);
        async { Ok(()) }.boxed()
    });
    manager
        .register(handler.on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("a")])) }.boxed()))
        .expect("the handler can be registered");
    let session = begin(&manager);
    within(session.report()).await;
    tokio::task::yield_now().await;
    assert_eq!(transcript.lines(), ["up None", "down None"]);
    within(session.show_error(HANDLER, error())).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(transcript.lines(), ["up None", "down None", "up None", "down None"]);
}

#[tokio::test(start_paused = true)]
async fn r138_each_session_has_its_own_connections() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_lasting_handler(&transcript);
    let session_of = |handler| manager.session(Trigger::Manual).handlers([handler]).start().expect("inside a runtime");
    let lasting = session_of(OTHER);
    until(&mut lasting.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
    assert!(within(session_of(HANDLER).finish()).await.is_success());
    assert_eq!(transcript.lines(), ["up None", "up None", "down None"]);
    go.notify_one();
    within(lasting.finish()).await;
    assert_eq!(transcript.lines()[3..], ["the last handler has finished", "down None"]);
}

#[tokio::test(start_paused = true)]
async fn r139_a_handler_that_did_not_declare_connections_is_refused() {
    let transcript = Transcript::new();
    let manager = manager_with_dialer(&transcript);
    let undeclared = connecting_handler(&[None]).info(|info| info.with_flags(HandlerFlags::all() - DECLARED));
    manager.register(undeclared).unwrap();
    let report = within(begin(&manager).finish()).await;
    let item = report.items().next().unwrap();
    assert_eq!((item.outcome, item.class), (Outcome::Failed, Some(FailureClass::Permanent)));
    assert!(report.runs[0].log[0].text.contains("did not declare"), "{report}");
    assert_eq!(transcript.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn r139_a_classic_handler_that_did_not_declare_connections_is_refused() {
    let transcript = Transcript::new();
    let manager = manager_with_dialer(&transcript);
    let handler: Arc<ScriptedHandler> = Arc::new(waiting_handler(&["a"]));
    host_in(&manager, &handler);
    let session = manager.session(Trigger::Manual).start().unwrap();
    until_run(&session, RunChange::Synchronizing).await;
    assert_eq!(handler.side().callback().establish_connection(None), HResult::E_FAIL);
    handler.side().callback().synchronize_completed(HResult::S_OK);
    let report = within(session.finish()).await;
    assert!(report.runs[0].log[0].text.contains("did not declare"), "{report}");
    assert_eq!(transcript.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn r139_a_host_is_not_asked_for_an_undeclared_connection() {
    let transcript = Transcript::new();
    let undeclared = connecting_handler(&[None]).info(|info| info.with_flags(HandlerFlags::empty()));
    let on = HandlerOnHost::prepared(undeclared, &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(transcript.count("EstablishConnection"), 0);
    assert_eq!(on.host.script.state(id("a")).status, Some(syncmgr::progress::Status::Failed));
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_provider_is_a_permanent_failure() {
    let report = run(connecting_handler(&[None])).await;
    assert_eq!(report.items().next().unwrap().class, Some(FailureClass::Permanent));
}
