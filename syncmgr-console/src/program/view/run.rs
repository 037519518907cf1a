//! Runs the view: passes messages to the model, performs its effects, and draws it.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use syncmgr_console::Client;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};

use super::link;
use super::model::{Effect, Link, Message, Model};
use super::screen::{Screen, read_keys};
use crate::failure::Failure;

/// The minimum time between two frames.
const FRAME: Duration = Duration::from_millis(100);

/// The minimum time between two loads.
const LOAD: Duration = Duration::from_millis(200);

/// A load may take this part of the time: after it, the view waits for this many times its duration.
const PAUSE: u32 = 4;

/// The number of messages that wait for the model.
const WAITING: usize = 64;

/// Shows the view until the user quits, or a signal ends it.
///
/// # Errors
/// Returns an error if no program serves the socket, or if the terminal cannot be used.
pub(crate) async fn show(client: Client) -> Result<ExitCode, Failure> {
    // Fails before the screen changes.
    client.get::<Value>("/v1").await?;
    let mut signals = Signals::new()?;
    let mut screen = Screen::open()?;
    let (sender, messages) = channel(WAITING);
    read_keys(sender.clone());
    tokio::spawn(link::watch(client.clone(), sender.clone()));
    let view = Running::new(client, sender);
    tokio::select! {
        biased;
        () = signals.end() => {}
        result = view.run(messages, &mut screen) => result?,
    }
    Ok(ExitCode::SUCCESS)
}

struct Running {
    client: Client,
    sender: Sender<Message>,
    model: Model,
    /// The time before which no frame is drawn, if the model has changed since the last one.
    frame: Option<Instant>,
    drawn: Instant,
    load: Load,
}

/// The load of stale parts.
enum Load {
    /// None before this time.
    Idle(Instant),
    /// One began at this time.
    Running(Instant),
}

impl Running {
    fn new(client: Client, sender: Sender<Message>) -> Self {
        let now = Instant::now();
        Self { client, sender, model: Model::default(), frame: Some(now), drawn: now, load: Load::Idle(now) }
    }

    async fn run(mut self, mut messages: Receiver<Message>, screen: &mut Screen) -> io::Result<()> {
        loop {
            tokio::select! {
                biased;
                () = at(self.frame) => {
                    screen.draw(&mut self.model)?;
                    (self.frame, self.drawn) = (None, Instant::now());
                }
                () = at(self.next_load()) => self.start_load(),
                message = messages.recv() => {
                    // The view itself has a sender, so there is always a message to wait for.
                    let Some(message) = message else { return Ok(()) };
                    if self.pass(message) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Passes a message to the model. Returns `true` if the view ends.
    fn pass(&mut self, message: Message) -> bool {
        if let (Load::Running(began), Message::Loaded(..)) = (&self.load, &message) {
            self.load = Load::Idle(Instant::now() + (began.elapsed() * PAUSE).max(LOAD));
        }
        let effect = self.model.update(message);
        self.frame = self.frame.or(Some(self.drawn + FRAME));
        match effect {
            None => {}
            Some(Effect::Quit) => return true,
            Some(Effect::Act(act)) => {
                tokio::spawn(link::act(self.client.clone(), act, self.sender.clone()));
            }
        }
        false
    }

    fn next_load(&self) -> Option<Instant> {
        match self.load {
            Load::Idle(at) if self.model.link == Link::Live && !self.model.stale.is_empty() => Some(at),
            _ => None,
        }
    }

    fn start_load(&mut self) {
        self.load = Load::Running(Instant::now());
        let parts = std::mem::take(&mut self.model.stale);
        tokio::spawn(link::load(self.client.clone(), parts, self.sender.clone()));
    }
}

/// Resolves at a time, or never without one.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// The signals that end the view.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?]))
    }

    async fn end(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
