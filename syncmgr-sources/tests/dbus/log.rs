//! The log of a test.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// The messages of this crate that are not for debugging, while it lives and on this thread.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    _guard: DefaultGuard,
}

impl Log {
    pub(crate) fn record() -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let recorder = tracing_subscriber::registry().with(Recorder { lines: lines.clone() });
        Self { lines, _guard: tracing::subscriber::set_default(recorder) }
    }

    /// Returns the lines that contain this text.
    pub(crate) fn with(&self, text: &str) -> Vec<String> {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }
}

struct Recorder {
    lines: Arc<Mutex<Vec<String>>>,
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target().starts_with("syncmgr_sources") && *metadata.level() <= Level::INFO {
            let mut line = Line(format!("{} ", metadata.level()));
            event.record(&mut line);
            self.lines.lock().unwrap().push(line.0);
        }
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 += &format!("{value:?}");
        }
    }
}
