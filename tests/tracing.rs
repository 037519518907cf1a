//! The spans and events of a session, with the names of their fields.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

struct Letters;

#[sync_handler(id = "5d0f0f6e-6b6c-4a43-9d6e-3c1f0a2b7c11", name = "Letters")]
impl SyncHandler for Letters {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["secret letter"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        Err(anyhow!("{} is not readable", item.name()))
    }
}

/// A layer that records each span and event up to a level as a line with the names of its fields.
#[derive(Clone)]
struct Recorder {
    max_level: Level,
    lines: Arc<Mutex<Vec<String>>>,
    logged: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    fn record(&self, kind: &str, metadata: &Metadata<'_>, fields: Names, parent: Option<String>) {
        if metadata.target() == "syncmgr" && *metadata.level() <= self.max_level {
            let inside = parent.map(|parent| format!(" in {parent}")).unwrap_or_default();
            let line = format!("{kind} {}{inside}:{}", fields.message.unwrap_or(metadata.name().into()), fields.names);
            self.lines.lock().expect("no thread panics while it holds the lock").push(line);
        }
    }
}

#[derive(Default)]
struct Names {
    names: String,
    message: Option<String>,
    values: String,
}

impl Visit for Names {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.message = Some(format!("{value:?}")),
            name => write!(self.names, " {name}").expect("writing to a string does not fail"),
        }
        write!(self.values, " {value:?}").expect("writing to a string does not fail");
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Names::default();
        attributes.record(&mut fields);
        let parent = context.span(id).and_then(|span| span.parent().map(|parent| parent.name().to_string()));
        self.record("span", attributes.metadata(), fields, parent);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Names::default();
        event.record(&mut fields);
        if fields.message.as_deref() == Some("log") {
            self.logged.lock().expect("no thread panics while it holds the lock").push(fields.values.clone());
        }
        let parent = context.event_span(event).map(|span| span.name().to_string());
        self.record("event", event.metadata(), fields, parent);
    }
}

async fn recorded_lines(max_level: Level) -> Vec<String> {
    let recorder = recorded(max_level).await;
    let lines = recorder.lines.lock().expect("no thread panics while it holds the lock");
    lines.clone()
}

async fn recorded(max_level: Level) -> Recorder {
    let recorder = Recorder { max_level, lines: Arc::default(), logged: Arc::default() };
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorder.clone()));
    SyncManager::new().run(Letters).await.expect("the handler can be registered");
    recorder
}

#[tokio::test]
async fn a_session_its_handlers_and_its_items_have_spans_with_stable_fields() {
    let lines = recorded_lines(Level::DEBUG).await;
    let expected = [
        "span session: manager session trigger",
        "span handler in session: session handler",
        "event session began in session: manager session trigger handlers",
        "span item in handler: session handler item",
        "event log in handler: session handler name item item_name text",
        "event session idle in session: manager session seconds",
    ];
    let found: Vec<_> = lines.iter().filter(|line| !line.starts_with("event run in handler:")).collect();
    assert_eq!(found, expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_log_event_has_the_names_and_the_text_at_the_level_of_its_entry() {
    let recorder = recorded(Level::ERROR).await;
    let lines = recorder.lines.lock().expect("no thread panics while it holds the lock").clone();
    assert_eq!(lines, ["event log in handler: session handler name item item_name text"]);
    let logged = recorder.logged.lock().expect("no thread panics while it holds the lock").clone();
    assert!(logged[0].contains("Letters") && logged[0].contains("secret letter"), "{logged:?}");
    assert!(logged[0].contains("secret letter is not readable"), "{logged:?}");
}

/// A layer that panics once, when an item is polled for the first time.
#[derive(Default)]
struct PanicsOnce(AtomicBool);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for PanicsOnce {
    fn on_enter(&self, span: &Id, context: Context<'_, S>) {
        let is_item = context.span(span).is_some_and(|span| span.name() == "item");
        assert!(!is_item || self.0.swap(true, Ordering::Relaxed), "the fault");
    }
}

/// A handler with two items, one at a time.
struct Numbers;

#[sync_handler(id = "9c1b2a52-7d4e-4f0e-8a57-0b8f6d1e2c33", name = "Numbers", limits(items = 1))]
impl SyncHandler for Numbers {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["one", "two"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[tokio::test]
async fn a_worker_that_panics_is_replaced_and_its_item_fails() {
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(PanicsOnce::default()));
    let report = SyncManager::new().run(Numbers).await.expect("the handler can be registered");
    let outcomes: Vec<_> = report.items().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Succeeded], "{report}");
    assert!(report.runs[0].log[0].text.contains("the worker of the item panicked"), "{report}");
}
