//! The bars on a terminal in memory, and the lines in a buffer.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use indicatif::{InMemoryTerm, ProgressBar, ProgressStyle, TermLike};
use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::progress::{ProgressState, ProgressUnit};
use syncmgr::session::RunChange;
use tokio::sync::Semaphore;

use super::*;

const HANDLER: HandlerId = HandlerId::from_u128(1);

fn began(name: &str) -> SessionEvent {
    SessionEvent::Began {
        handler: HANDLER,
        handler_name: "Mail".into(),
        item: ItemId::from_name(name),
        name: name.into(),
    }
}

fn ended(name: &str, outcome: Outcome) -> SessionEvent {
    SessionEvent::Ended {
        handler: HANDLER,
        handler_name: "Mail".into(),
        item: ItemId::from_name(name),
        name: name.into(),
        outcome,
    }
}

fn progress(name: &str, report: &Progress) -> SessionEvent {
    let mut state = ProgressState::default();
    state.apply(report);
    SessionEvent::Progress {
        handler: HANDLER,
        handler_name: "Mail".into(),
        item: ItemId::from_name(name),
        name: name.into(),
        state,
    }
}

fn logged(name: &str, level: LogLevel, text: &str) -> SessionEvent {
    SessionEvent::Logged {
        handler: HANDLER,
        handler_name: "Mail".into(),
        name: Some(name.into()),
        entry: Arc::new(LogEntry::new(level, text).with_item(ItemId::from_name(name))),
    }
}

fn selected(items: usize) -> SessionEvent {
    SessionEvent::Run { handler: HANDLER, handler_name: "Mail".into(), change: RunChange::Selected(items) }
}

/// A terminal with the bars of a session.
struct Shown {
    terminal: InMemoryTerm,
    all: MultiProgress,
    board: Board,
    drawing: Drawing,
}

impl Shown {
    fn new() -> Self {
        Self::of_width(80)
    }

    fn of_width(width: u16) -> Self {
        let terminal = InMemoryTerm::new(24, width);
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        let drawing = Drawing::new(&all);
        Self { terminal, all, board: Board::new(Detail::Problems), drawing }
    }

    /// Returns the lines on the terminal after these events.
    fn after(&mut self, events: impl IntoIterator<Item = SessionEvent>) -> Vec<String> {
        events.into_iter().for_each(|event| self.board.apply(event));
        self.drawing.draw(&self.board.frame(DEFAULT_BARS));
        self.lines()
    }

    fn lines(&self) -> Vec<String> {
        // Without the elapsed time, which is the last word of the total.
        let without_time = |line: &str| match line.rsplit_once("  ") {
            Some((start, _)) if start.starts_with('[') => start.to_owned(),
            _ => line.to_owned(),
        };
        self.terminal.contents().lines().map(without_time).collect()
    }
}

#[test]
fn amounts_are_shown_in_the_unit_of_the_item() {
    let mut shown = Shown::new();
    let bytes = Progress::new().with_unit(ProgressUnit::Bytes);
    let lines = shown.after([
        selected(5),
        began("Inbox"),
        progress("Inbox", &Progress::new().with_value(1200).with_max(2400).with_text("reading\u{1b}[2J")),
        began("Outbox"),
        progress("Outbox", &bytes.clone().with_value(1024).with_max(4096)),
        began("Drafts"),
        began("Spam"),
        progress("Spam", &Progress::new().with_value(7)),
        began("Trash"),
        progress("Trash", &bytes.with_value(2048)),
    ]);
    let expected = [
        "Mail/Inbox  reading\\u{1b}[2J                        1,200/2,400 [=======>      ]",
        "Mail/Outbox                             1.00 KiB/4.00 KiB 0 B/s [===>          ]",
        "Mail/Drafts                                                                    /",
        "Mail/Spam                                                                    7 /",
        "Mail/Trash                                                      2.00 KiB 0 B/s /",
        "[                    ] 0/5 items",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    for width in [60, 80, 200] {
        let mut shown = Shown::of_width(width);
        let name = "Letters/A long letter to Ann about everything.pdf".repeat(3);
        let bytes = Progress::new().with_unit(ProgressUnit::Bytes).with_value(1023 << 20).with_max(1023 << 30);
        let lines = shown.after([
            selected(1_000_000),
            began(&name),
            progress(&name, &bytes.with_text("reading")),
            began("Notes"),
            progress("Notes", &Progress::new().with_value(1 << 20).with_max(1 << 30)),
        ]);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("Mail/Letters") && lines[0].ends_with("[>             ]"), "{lines:?}");
        let all_fit = lines.iter().all(|line| line.chars().count() <= usize::from(width));
        assert!(all_fit && lines[0].contains("1023.00 MiB/1023.00 GiB"), "{lines:?}");
    }
}

#[test]
fn only_the_first_running_items_have_bars() {
    let mut shown = Shown::new();
    let names: Vec<_> = (0..1000).map(|number| format!("{number}")).collect();
    let lines = shown.after([selected(1000)].into_iter().chain(names.iter().map(|name| began(name))));
    assert_eq!(lines.len(), DEFAULT_BARS + 1);
    let lines = shown.after(names[..995].iter().map(|name| ended(name, Outcome::Succeeded)));
    let shown_names: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("Mail/")?.split(' ').next()).collect();
    assert_eq!(shown_names, &names[995..]);
    assert_eq!(lines.last().map(String::as_str), Some("[===================>] 995/1,000 items"));
}

#[test]
fn a_failed_item_leaves_a_line_with_its_reason_above_the_bars() {
    let mut shown = Shown::new();
    let lines = shown.after([
        selected(3),
        began("Inbox"),
        began("Outbox"),
        logged("Outbox", LogLevel::Information, "this is for developers"),
        logged("Outbox", LogLevel::Warning, "the server is slow"),
        logged("Outbox", LogLevel::Error, "the disk is full"),
        ended("Outbox", Outcome::Failed),
    ]);
    let expected = [
        "Mail/Outbox: warning: the server is slow",
        "Mail/Outbox: failed: the disk is full",
        "Mail/Inbox                                                                     /",
    ];
    assert_eq!(lines[..3], expected);
    assert_eq!(lines[3], "[======>             ] 1/3 items, 1 failed");
    drop(shown.drawing);
    assert_eq!(shown.terminal.contents().lines().collect::<Vec<_>>(), &expected[..2], "the lines stay");
}

#[test]
fn the_bars_of_the_program_stay() {
    let mut shown = Shown::new();
    let style = ProgressStyle::with_template("backup {pos}").unwrap();
    let own = shown.all.add(ProgressBar::new(9).with_style(style).with_position(4));
    own.tick();
    assert_eq!(shown.after([selected(1), began("Inbox")])[0], "backup 4");
    own.set_position(5);
    shown.drawing = Drawing::new(&shown.all);
    own.tick();
    assert_eq!(shown.lines(), ["backup 5"]);
}

/// A handler whose items wait for a permit each. `broken` fails.
struct Gated(Arc<Semaphore>);

#[sync_handler(id = "5f0c7e52-7f3c-4a6c-9f0e-0d1b5a3f6e21", name = "Gated", capabilities(cancellable))]
impl SyncHandler for Gated {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["broken", "one"].into_iter().map(SyncItem::named).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.0.acquire().await?.forget();
        if item.name() == "broken" { Err(anyhow!("the disk is full")) } else { Ok(()) }
    }
}

fn started() -> (Arc<Semaphore>, Session) {
    let (manager, gate) = (SyncManager::new(), Arc::new(Semaphore::new(0)));
    manager.register(Gated(gate.clone())).expect("the handler is new");
    let session = manager.session(Trigger::Manual).start().expect("the manager runs");
    (gate, session)
}

/// A buffer that tests can read.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_terminal_each_item_leaves_a_line() {
    let (gate, session) = started();
    gate.add_permits(2);
    let buffer = Buffer::default();
    let report = Bars::lines(buffer.clone()).show(&session).await;
    assert!(!report.is_success());
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["Gated/broken: failed: the disk is full", "Gated/one: succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn bars_that_are_dropped_disappear_and_the_session_goes_on() {
    let (gate, session) = started();
    let terminal = InMemoryTerm::new(24, 80);
    let all = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
    let shown = Bars::on(Screen::Bars(Drawing::new(&all))).show(&session);
    let dropped = tokio::time::timeout(Duration::from_millis(950), shown).await;
    assert!(dropped.is_err());
    assert_eq!(terminal.contents(), "");
    assert!(terminal.moves_since_last_check().contains("0/2 items"));
    gate.add_permits(2);
    assert_eq!(session.finish().await.items().count(), 2);
}

/// A terminal that takes nothing until the sender of the channel is dropped.
#[derive(Debug)]
struct Stuck(Mutex<mpsc::Receiver<()>>);

impl Stuck {
    fn wait(&self) -> io::Result<()> {
        let _ = self.0.lock().unwrap().recv();
        Ok(())
    }
}

impl TermLike for Stuck {
    fn width(&self) -> u16 {
        80
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        self.wait()
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        self.wait()
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        self.wait()
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        self.wait()
    }

    fn write_line(&self, _: &str) -> io::Result<()> {
        self.wait()
    }

    fn write_str(&self, _: &str) -> io::Result<()> {
        self.wait()
    }

    fn clear_line(&self) -> io::Result<()> {
        self.wait()
    }

    fn flush(&self) -> io::Result<()> {
        self.wait()
    }
}

#[tokio::test]
async fn a_terminal_that_takes_nothing_does_not_delay_the_session() {
    let (gate, session) = started();
    let (release, stuck) = mpsc::channel();
    let terminal = Stuck(Mutex::new(stuck));
    let all = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(terminal)));
    let viewer = tokio::spawn({
        let session = session.clone();
        async move { Bars::on(Screen::Bars(Drawing::new(&all))).show(&session).await }
    });
    gate.add_permits(2);
    let report = session.report().await;
    assert!(report.items().count() == 2 && !viewer.is_finished());
    drop(release);
    assert_eq!(viewer.await.expect("it does not panic").items().count(), 2);
}
