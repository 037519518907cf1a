//! The user of a session, who may answer its questions, press Ctrl-C or terminate the command.

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::mem;
use std::pin::Pin;

use futures::FutureExt;
use futures::channel::mpsc::UnboundedSender;
use futures::future::LocalBoxFuture;
use indicatif::MultiProgress;
use serde_json::Value;
use syncmgr_console::Client;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ask::ask_open;
use super::failure::Failure;
use super::output::problem;
use super::streams::{Asking, SessionEvents};

/// The end of what the user attends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Shown,
    /// The user no longer wants to wait.
    Interrupted,
    /// The command was terminated. The session goes on.
    Terminated,
}

/// The signals that a command heeds while it waits.
pub(crate) struct Signals {
    interrupt: Signal,
    /// Without it, a terminated command would leave the terminal without an echo.
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        Ok(Self { interrupt: interrupt?, terminate: terminate? })
    }
}

/// What the command waits for.
pub(crate) struct Attendance<'a> {
    pub(crate) client: &'a Client,
    /// The path of the session.
    pub(crate) session: &'a str,
    pub(crate) bars: &'a MultiProgress,
    pub(crate) signals: Signals,
    pub(crate) events: SessionEvents<'a>,
    /// Becomes `true` if the input ends at a question.
    pub(crate) unanswered: &'a Cell<bool>,
    /// `None` if handlers must not ask.
    pub(crate) asking: Option<Asking<'a>>,
    /// `None` once there are no more events to show. They wait while the user answers, because the prompt is in place of the bars.
    pub(crate) to_show: Option<UnboundedSender<Value>>,
}

/// A request or a prompt in progress.
type Work<'a> = Option<LocalBoxFuture<'a, Result<(), Failure>>>;

/// Something that has happened.
enum Happened {
    Terminate,
    Interrupt,
    Stopped(Result<(), Failure>),
    Event(Result<Option<Value>, Failure>),
    Questions(Result<(), Failure>),
    Answered(Result<(), Failure>),
    Shown,
}

impl<'a> Attendance<'a> {
    /// Waits until everything is shown. Meanwhile asks the questions, and stops the session with the first Ctrl-C. The streams are read
    /// all the time, because the program would end them otherwise. The program keeps the report of the session for as long as the stream
    /// of its events is open.
    pub(crate) async fn until(&mut self, shown: impl Future<Output = ()>) -> Result<End, Failure> {
        let (mut shown, mut prompt) = (Box::pin(shown), None);
        let end = self.attend(shown.as_mut(), &mut prompt).await;
        if prompt.is_some() {
            // The thread of the prompt has the bars, and goes on until the process ends. Dropping them would wait for it.
            mem::forget(shown);
            problem("");
        }
        end
    }

    async fn attend(
        &mut self,
        mut shown: Pin<&mut impl Future<Output = ()>>,
        prompt: &mut Work<'a>,
    ) -> Result<End, Failure> {
        let (mut stop, mut failure, mut asks): (Work<'a>, _, _) = (None, None, false);
        // A prompt has the bars.
        let draws = !self.bars.is_hidden();
        loop {
            if self.to_show.is_none() && prompt.is_some() && draws {
                // The session has ended. What is left to show is in its report.
                return failure.map_or(Ok(End::Shown), Err);
            }
            if prompt.is_none() && mem::take(&mut asks) {
                *prompt = Some(ask_open(self.client, self.bars, self.unanswered).boxed_local());
            }
            match self.next(&mut stop, prompt, shown.as_mut()).await {
                Happened::Terminate => return Ok(End::Terminated),
                Happened::Interrupt if stop.is_some() => return Ok(End::Interrupted),
                Happened::Interrupt => stop = Some(request_stop(self.client, self.session).boxed_local()),
                Happened::Stopped(stopped) => {
                    stopped?;
                    if prompt.is_some() {
                        return Ok(End::Interrupted);
                    }
                    stop = Some(pending().boxed_local());
                }
                Happened::Event(event) => {
                    self.pass_on(event.unwrap_or_else(|error| note(&mut failure, error)), prompt.is_some())
                }
                Happened::Questions(Ok(())) => asks = true,
                // The events that were read are shown before the command fails.
                Happened::Questions(Err(error)) => {
                    self.asking = None;
                    self.pass_on(note(&mut failure, error), false);
                }
                Happened::Answered(answered) => {
                    answered?;
                    *prompt = None;
                }
                Happened::Shown => return failure.map_or(Ok(End::Shown), Err),
            }
        }
    }

    async fn next(&mut self, stop: &mut Work<'a>, prompt: &mut Work<'a>, shown: impl Future<Output = ()>) -> Happened {
        let waits = prompt.is_some() && self.to_show.is_some();
        tokio::select! {
            biased;
            _ = self.signals.terminate.recv() => Happened::Terminate,
            _ = self.signals.interrupt.recv() => Happened::Interrupt,
            stopped = done(stop) => Happened::Stopped(stopped),
            answered = done(prompt) => Happened::Answered(answered),
            () = shown, if !waits => Happened::Shown,
            event = self.events.next(), if self.to_show.is_some() => Happened::Event(event),
            changed = changed(&mut self.asking) => Happened::Questions(changed),
        }
    }

    /// Passes on an event to show; `None` if there are no more. Later progress replaces what comes while the user answers.
    fn pass_on(&mut self, event: Option<Value>, prompts: bool) {
        match (event, &self.to_show) {
            (Some(event), Some(to_show)) => {
                if !prompts || event["event"] != "progress" {
                    // Fails once nothing is shown any more.
                    let _ = to_show.unbounded_send(event);
                }
            }
            _ => self.to_show = None,
        }
    }
}

/// Keeps the first failure.
fn note(failure: &mut Option<Failure>, error: Failure) -> Option<Value> {
    failure.get_or_insert(error);
    None
}

/// Waits for the end of work, if there is some.
async fn done(work: &mut Work<'_>) -> Result<(), Failure> {
    match work {
        Some(work) => work.await,
        None => pending().await,
    }
}

async fn changed(asking: &mut Option<Asking<'_>>) -> Result<(), Failure> {
    match asking {
        Some(asking) => asking.changed().await,
        None => pending().await,
    }
}

async fn request_stop(client: &Client, session: &str) -> Result<(), Failure> {
    client.post::<Value>(&format!("{session}/stop"), &Value::Null).await?;
    Ok(())
}
