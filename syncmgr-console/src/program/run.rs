//! Sessions as they run.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::ready;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use futures::channel::mpsc;
use futures::{Stream, StreamExt, stream};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::{Value, json};
use syncmgr::SessionEvent;
use syncmgr_console::{Bars, Client, Events};

use super::advice;
use super::attendance::{Attendance, End, Signals};
use super::failure::Failure;
use super::names::{Named, Names};
use super::output::{Output, line, warn};
use super::streams::{Asking, SessionEvents, is_lost};

/// The exit codes after Ctrl-C and after termination, like those of a program that does not handle them.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// What to run.
pub(crate) struct Request {
    pub(crate) what: Vec<String>,
    pub(crate) force: bool,
    pub(crate) choose: bool,
}

/// The events of all sessions: of those that run from their start on.
const ALL: &str = "/v1/events?from=running";

/// Runs handlers and items, and shows what happens until the session is idle. The first Ctrl-C stops the session, the second one ends
/// this program.
pub(crate) async fn run(client: &Client, request: Request, json: bool) -> Result<ExitCode, Failure> {
    // The user is there before the session asks.
    let asking = if request.choose { Some(Asking::open(client).await?) } else { None };
    let started: Value = client.post("/v1/sessions", &body(client, &request).await?).await?;
    follow(client, &started["session"], asking, json).await.map_err(Failure::of_session)
}

/// Shows what happens in a session until it is idle, and then its report.
async fn follow(client: &Client, number: &Value, asking: Option<Asking<'_>>, json: bool) -> Result<ExitCode, Failure> {
    let signals = Signals::new()?;
    if !json {
        advice::say_what_holds(client, number).await?;
    }
    let (session, unanswered) = (&format!("/v1/sessions/{number}"), &Cell::new(false));
    let (bars, (to_show, events)) = (&terminal(), mpsc::unbounded());
    let (to_show, session_events) = (Some(to_show), SessionEvents::new(client, session));
    let mut attendance =
        Attendance { client, session, bars, signals, events: session_events, unanswered, asking, to_show };
    match attendance.until(show(events, bars, json)).await? {
        End::Shown => finish(client, session, json).await.and_then(|code| match unanswered.get() {
            true => Err(Failure::Unanswered),
            false => Ok(code),
        }),
        End::Interrupted => Ok(ExitCode::from(INTERRUPTED)),
        End::Terminated => Ok(ExitCode::from(TERMINATED)),
    }
}

/// Prints the report of a session, and returns the exit code.
async fn finish(client: &Client, session: &str, json: bool) -> Result<ExitCode, Failure> {
    let session: Value = client.get(session).await?;
    let report = &session["report"];
    match json {
        true => line(json!({ "event": "report", "report": report })),
        false => {
            line(report["text"].as_str().unwrap_or_default());
            if asks(report) {
                line("`syncmgr log` shows the questions, with the command for each answer");
            }
        }
    }
    let held = report["handlers"].as_array().into_iter().flatten().any(|of| !of["hold"].is_null());
    Ok(if report["success"] == true && !held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns `true` if an entry of the log asks a question.
fn asks(report: &Value) -> bool {
    let entries = report["handlers"].as_array().into_iter().flatten().flat_map(|of| of["log"].as_array());
    entries.flatten().any(|entry| !entry["action"]["decide"].is_null())
}

/// Returns the request for a session of these handlers and items. A handler that is named by itself runs as a whole.
async fn body(client: &Client, request: &Request) -> Result<Value, Failure> {
    let (mut handlers, mut items) = (Vec::new(), serde_json::Map::new());
    let (mut names, mut whole) = (Names::new(client), BTreeSet::new());
    for text in &request.what {
        let Named { handler, item } = names.find(text).await?;
        match item {
            Some(_) if whole.contains(&handler) => {}
            Some(item) => {
                let of_handler = items.entry(handler.clone()).or_insert_with(|| json!([]));
                of_handler.as_array_mut().into_iter().for_each(|items| items.push(item.clone().into()));
            }
            None => {
                items.remove(&handler);
                whole.insert(handler.clone());
            }
        }
        handlers.push(handler);
    }
    let handlers = if handlers.is_empty() { Value::Null } else { handlers.into() };
    Ok(json!({ "handlers": handlers, "items": items, "force": request.force, "ask": request.choose }))
}

/// Shows what happens in all sessions, until the program ends.
pub(crate) async fn watch(client: &Client, json: bool) -> Result<(), Failure> {
    let bars = terminal();
    let mut events = client.events(ALL).await?;
    loop {
        let mut end = Ok(());
        show(until_lost(events, &mut end), &bars, json).await;
        end?;
        match json {
            true => line(json!({ "event": "lost" })),
            false => warn(
                "events may be missing here, because the output was not read; the sessions that run follow from their start",
                json,
            ),
        }
        events = client.events(ALL).await.map_err(Failure::of_stream)?;
    }
}

/// Returns the events of a stream until it is lost. It fails if the program ends.
fn until_lost(events: Events, end: &mut Result<(), Failure>) -> impl Stream<Item = Value> {
    stream::unfold((events, end), async |(mut events, end)| match events.next::<Value>().await {
        Ok(Some(event)) => (!is_lost(&event)).then_some((event, (events, end))),
        Ok(None) => {
            *end = Err(Failure::Ended);
            None
        }
        Err(error) => {
            *end = Err(Failure::of_stream(error));
            None
        }
    })
}

/// Returns the bars on the terminal, which are hidden if there is none or if the output goes elsewhere.
fn terminal() -> MultiProgress {
    MultiProgress::with_draw_target(match io::stdout().is_terminal() {
        true => ProgressDrawTarget::stderr_with_hz(10),
        false => ProgressDrawTarget::hidden(),
    })
}

/// Shows events: as JSON, as bars on a terminal, or as plain lines.
async fn show(events: impl Stream<Item = Value>, bars: &MultiProgress, json: bool) {
    if json {
        return events.for_each(async |event| line(event)).await;
    }
    let within = Bars::within(bars);
    let bars = if within.are_drawn() { within } else { Bars::lines(Output) };
    // Events of later versions are left out.
    bars.show_events(events.filter_map(|event| ready(serde_json::from_value::<SessionEvent>(event).ok()))).await;
}
