//! A session as progress bars in a terminal.

mod board;
mod drawing;
mod lines;
#[cfg(test)]
mod tests;

use std::future::ready;
use std::io::{self, Write};
use std::time::Duration;

use futures::{Stream, StreamExt};
use indicatif::{MultiProgress, ProgressDrawTarget};
use syncmgr::{Report, Session, SessionEvent};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use self::board::{Board, Detail, Frame};
use self::drawing::Drawing;
use self::lines::Lines;

/// The number of frames per second.
const RATE: u8 = 10;

/// The number of bars of items, unless the program sets another one.
const DEFAULT_BARS: usize = 10;

/// Shows a session: as bars if standard error is a terminal, and as plain lines otherwise.
///
/// Each running item has a bar with its amounts, in the [unit](syncmgr::progress::ProgressUnit) that its handler reports, or a spinner while
/// the total is unknown. At most ten items have one, those that have run the longest; another bar counts all items. An item that fails
/// leaves a line with the reason above the bars, as do warnings. The plain lines name the outcome of each item.
///
/// ```
/// use syncmgr::prelude::*;
/// use syncmgr_console::Bars;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let manager = SyncManager::new();
/// // ... register the handlers
/// let session = manager.session(Trigger::Manual).start().expect("the manager is not shut down");
/// let report = Bars::new().show(&session).await;
/// println!("{report}");
/// # }
/// ```
///
/// The bars have no colors, and are drawn at most ten times a second. The terminal is written on a thread that may block, so a terminal
/// that is slow or stopped delays only the task that shows the session, and never the session.
#[derive(Debug)]
#[must_use = "call `show`"]
pub struct Bars {
    screen: Screen,
    at_most: usize,
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

impl Bars {
    /// Creates bars on standard error, or plain lines if it is no terminal, or one that cannot move its cursor (`TERM` is `dumb` or not
    /// set).
    pub fn new() -> Self {
        Self::within(&MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(RATE)))
    }

    /// Creates bars below the other bars of the program, which stay. The program decides how often they are drawn.
    ///
    /// If they are hidden, as on a standard error that is no terminal, plain lines are written to standard error.
    pub fn within(bars: &MultiProgress) -> Self {
        let is_usable = !bars.is_hidden() && !is_dumb();
        match is_usable {
            true => Self::on(Screen::Bars(Drawing::new(bars))),
            false => Self::lines(io::stderr()),
        }
    }

    /// Creates plain lines that are written to `output`. Errors of writing are ignored.
    pub fn lines(output: impl Write + Send + 'static) -> Self {
        Self::on(Screen::Lines(Lines::new(output)))
    }

    fn on(screen: Screen) -> Self {
        Self { screen, at_most: DEFAULT_BARS }
    }

    /// Sets the maximum number of items with a bar. Lines are not limited.
    pub fn at_most(self, items: usize) -> Self {
        Self { at_most: items, ..self }
    }

    /// Returns `true` if bars are drawn, and `false` if lines are written.
    pub fn are_drawn(&self) -> bool {
        matches!(self.screen, Screen::Bars(_))
    }

    /// Shows a session until it is idle, and returns its report. Then the bars are gone, and the lines stay.
    ///
    /// Cancel safe: the session continues, and the bars disappear.
    ///
    /// # Panics
    /// Outside a tokio runtime with a timer.
    pub async fn show(self, session: &Session) -> Report {
        let events = session.events();
        self.show_events(events.take_while(|event| ready(!matches!(event, SessionEvent::Idle)))).await;
        session.report().await
    }

    /// Shows events until there are no more. For events from elsewhere, such as those of a [`Client`](crate::Client), and for those of
    /// several sessions. Cancel safe.
    ///
    /// # Panics
    /// Outside a tokio runtime with a timer.
    pub async fn show_events(self, events: impl Stream<Item = SessionEvent>) {
        let mut events = std::pin::pin!(events);
        let mut board = Board::new(self.screen.detail());
        let mut frames = interval(Duration::from_secs(1) / u32::from(RATE));
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut screen = Some(self.screen);
        loop {
            tokio::select! {
                biased;
                _ = frames.tick() => screen = draw(screen, board.frame(self.at_most)).await,
                event = events.next() => match event {
                    Some(event) => board.apply(event),
                    None => break,
                },
            }
        }
        // Only the lines: the bars go.
        draw(screen, board.frame(0)).await;
    }
}

/// Draws a frame on a thread that may block. `None` if the screen is broken or the runtime ends.
async fn draw(screen: Option<Screen>, frame: Frame) -> Option<Screen> {
    let mut screen = screen?;
    let drawn = spawn_blocking(move || {
        screen.draw(frame);
        screen
    });
    drawn.await.ok()
}

/// Returns `true` if the terminal cannot move its cursor.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb")
}

/// The place where a session is shown.
#[derive(Debug)]
enum Screen {
    Bars(Drawing),
    Lines(Lines),
}

impl Screen {
    fn detail(&self) -> Detail {
        match self {
            Self::Bars(_) => Detail::Problems,
            Self::Lines(_) => Detail::Everything,
        }
    }

    fn draw(&mut self, frame: Frame) {
        match self {
            Self::Bars(drawing) => drawing.draw(&frame),
            Self::Lines(lines) => lines.write(&frame),
        }
    }
}
