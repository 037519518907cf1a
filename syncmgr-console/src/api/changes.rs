//! What has changed, for viewers that show the present state.
//!
//! A viewer reads the state anew after each change, so it needs no single events. However many items run, and however many viewers
//! look, one task reads the manager's events, ten times a second, and only while there is a viewer.

use std::iter;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::Sse;
use futures::{FutureExt, Stream, StreamExt, stream};
use serde_json::json;
use syncmgr::SyncManager;
use syncmgr::schedule::AgendaChanges;
use syncmgr::session::ManagerEvents;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Api;
use super::error::ApiError;
use super::events::{Client, Events, event_of, parsed, respond};
use crate::questions::Present;

/// The shortest time between two changes.
const INTERVAL: Duration = Duration::from_millis(100);

/// Tells the viewers that sessions have changed, while there are any.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Weak<Reading>>);

/// The task that reads the events of all sessions for all viewers.
struct Reading {
    count: watch::Receiver<u64>,
    _task: AbortOnDropHandle<()>,
}

impl Sessions {
    fn read(&self, manager: &SyncManager) -> Arc<Reading> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.upgrade().unwrap_or_else(|| {
            let (changes, count) = watch::channel(0);
            let task = tokio::spawn(read(manager.events_from_now(), changes));
            let reading = Arc::new(Reading { count, _task: AbortOnDropHandle::new(task) });
            *current = Arc::downgrade(&reading);
            reading
        })
    }
}

/// Counts changes. While the task sleeps, the sessions do not wake it.
async fn read(mut events: ManagerEvents, changes: watch::Sender<u64>) {
    while events.next().await.is_some() {
        while events.next().now_or_never().flatten().is_some() {}
        changes.send_modify(|count| *count += 1);
        sleep(INTERVAL).await;
    }
}

/// A client that shows the present state.
struct Viewer {
    sessions: watch::Receiver<u64>,
    questions: watch::Receiver<u64>,
    requests: watch::Receiver<u64>,
    agenda: AgendaChanges,
    pause: Interval,
    _reading: Arc<Reading>,
    _present: Option<Present>,
}

/// Streams what has changed, at most ten times a second.
pub(super) async fn changes(
    State(api): State<Api>,
    client: Result<Query<Client>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Events>>, ApiError> {
    let present = parsed(client)?.present(&api);
    let reading = api.sessions.read(&api.manager);
    let mut pause = interval(INTERVAL);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let viewer = Viewer {
        sessions: reading.count.clone(),
        questions: api.questions.changes(),
        requests: api.changes.subscribe(),
        agenda: api.manager.agenda_changes(),
        pause,
        _reading: reading,
        _present: present,
    };
    let changes = stream::unfold(viewer, async |mut viewer| Some((viewer.next().await?, viewer)));
    Ok(respond(changes.map(|what| Ok(event_of(&json!({ "event": "changed", "what": what })))), api.stop))
}

impl Viewer {
    /// Waits for the next changes. `None` once the manager is shut down.
    async fn next(&mut self) -> Option<Vec<&'static str>> {
        self.pause.tick().await;
        let first = tokio::select! {
            biased;
            changed = self.sessions.changed() => changed.map(|()| "sessions").ok(),
            changed = self.questions.changed() => changed.map(|()| "questions").ok(),
            changed = self.requests.changed() => changed.map(|()| "settings").ok(),
            changed = self.agenda.next() => changed.then_some("agenda"),
        };
        let others = [("questions", &mut self.questions), ("settings", &mut self.requests)];
        let others = others.into_iter().filter_map(|(name, changes)| changes.changed().now_or_never().map(|_| name));
        let agenda = self.agenda.next().now_or_never().map(|_| "agenda");
        Some(iter::once(first?).chain(others).chain(agenda).collect())
    }
}
