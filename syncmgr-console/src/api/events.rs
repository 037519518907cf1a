//! Events as server-sent events.
//!
//! A client that reads slowly slows nothing down: its events wait in the manager, and progress is sampled, so that it sees fewer
//! samples. A client that reads nothing for 10 s loses its stream, and costs no more than the buffer of its connection. The last event of
//! its stream is `lost`, so that it can tell this from the end of the console. The event `missed` says how many sessions the manager has
//! left out because the client read too slowly.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use syncmgr::session::ManagerEvents;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::Api;
use super::error::ApiError;
use super::ids::Open;
use crate::json;
use crate::questions::Present;

pub(super) type Events = Result<Event, Infallible>;

/// The number of events that wait for a client.
const WAITING: usize = 8;

/// The time after which a client that reads nothing loses its stream.
const STALL: Duration = Duration::from_secs(10);

/// What a client does besides reading.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    /// `true` if its user can answer questions.
    #[serde(default)]
    answers: bool,
}

impl Client {
    /// Lets handlers ask questions while the client reads its stream, if its user can answer them.
    pub(super) fn present(&self, api: &Api) -> Option<Present> {
        self.answers.then(|| api.questions.present())
    }
}

/// Returns the parameters of a request.
pub(super) fn parsed<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    query.map(|Query(query)| query).map_err(|rejection| ApiError::bad_request(rejection.body_text()))
}

/// What a client reads of the events of all sessions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reader {
    /// `true` if its user can answer questions.
    #[serde(default)]
    answers: bool,
    #[serde(default)]
    from: Position,
}

/// The first event of the sessions that are open already.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Position {
    /// That of their start.
    #[default]
    Start,
    /// The next one.
    Now,
    /// That of their start if they run, otherwise the next one.
    Running,
}

/// Streams the events of all sessions: of those that are open from their start or from now on, and of all later ones. Also says when
/// the open questions or the agenda have changed, and after a client has changed something.
pub(super) async fn all(
    State(api): State<Api>,
    reader: Result<Query<Reader>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Events>>, ApiError> {
    let Reader { answers, from } = parsed(reader)?;
    let present = Client { answers }.present(&api);
    let events = match from {
        Position::Start => api.manager.events(),
        Position::Now => api.manager.events_from_now(),
        Position::Running => api.manager.events_of_running(),
    };
    let events = stream::unfold((events, 0), next_events).flat_map(stream::iter);
    let questions = stream::unfold((api.questions.changes(), "questions"), changed);
    let clients = stream::unfold((api.changes.subscribe(), "changed"), changed);
    let agenda = api.manager.agenda_changes().map(|()| Ok(named("agenda")));
    let changes = stream::select(stream::select(questions, clients), agenda);
    let events = stream::select(events, changes).inspect(move |_| _ = &present);
    Ok(respond(events, api.stop))
}

type Changes = (watch::Receiver<u64>, &'static str);

async fn changed((mut changes, name): Changes) -> Option<(Events, Changes)> {
    changes.changed().await.ok()?;
    Some((Ok(named(name)), (changes, name)))
}

fn named(name: &str) -> Event {
    event_of(&json!({ "event": name }))
}

/// Returns the next event, after one that says how many sessions were left out before it.
async fn next_events((mut events, missed): (ManagerEvents, u64)) -> Option<(Vec<Events>, (ManagerEvents, u64))> {
    let event = event_of(&events.next().await?);
    let now = events.missed();
    let left_out = (now > missed).then(|| event_of(&json!({ "event": "missed", "sessions": now - missed })));
    Some((left_out.into_iter().chain([event]).map(Ok).collect(), (events, now)))
}

/// Streams the events of one session from its start on, until it is closed.
pub(super) async fn of_session(State(api): State<Api>, Open(session): Open) -> Sse<impl Stream<Item = Events>> {
    respond(session.events().map(|event| Ok(event_of(&event))), api.stop)
}

/// Ends the stream once the console stops, or with `lost` if the client reads nothing for a while. Comments keep the connection alive
/// and detect clients that are gone.
pub(super) fn respond(
    events: impl Stream<Item = Events> + Send + 'static,
    stop: CancellationToken,
) -> Sse<impl Stream<Item = Events>> {
    Sse::new(sent(events, stop)).keep_alive(KeepAlive::default())
}

/// Returns what a client gets of a stream.
fn sent(events: impl Stream<Item = Events> + Send + 'static, stop: CancellationToken) -> impl Stream<Item = Events> {
    let ((to_client, waiting), (lose, lost)) = (mpsc::channel(WAITING), oneshot::channel());
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = to_client.closed() => {}
            end = forward(events, &to_client) => if end == End::Stalled {
                // Fails if the client is gone.
                let _ = lose.send(Ok(named("lost")));
            }
        }
    });
    stream::unfold(waiting, async |mut waiting| Some((waiting.recv().await?, waiting)))
        .chain(stream::once(lost).filter_map(async |lost| lost.ok()))
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NoMore,
    /// The client does not read.
    Stalled,
}

/// Passes events on until the client reads none for a while. Until then, the manager keeps what it has not read.
async fn forward(events: impl Stream<Item = Events>, to_client: &mpsc::Sender<Events>) -> End {
    let mut events = pin!(events);
    while let Some(event) = events.next().await {
        if to_client.send_timeout(event, STALL).await.is_err() {
            return End::Stalled;
        }
    }
    End::NoMore
}

pub(super) fn event_of(event: &impl Serialize) -> Event {
    // These values always serialize, and to a single line.
    Event::default().data(json::text(event).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_loses_its_stream_and_is_told() {
        let mut sent = pin!(sent(stream::repeat_with(|| Ok(named("changed"))), CancellationToken::new()));
        tokio::time::sleep(2 * STALL).await;
        let mut last = None;
        for left in 0.. {
            let Some(event) = sent.next().await else {
                assert_eq!(left, WAITING + 1);
                break;
            };
            last = Some(event);
        }
        let last = Sse::new(stream::iter(last)).into_response().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(last, "data: {\"event\":\"lost\"}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_ends_is_not_lost() {
        let sent = sent(stream::iter([Ok(named("changed"))]), CancellationToken::new());
        assert_eq!(sent.count().await, 1);
    }
}
