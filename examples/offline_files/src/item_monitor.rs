//! What an item does, as its result and its progress show it.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr::environment::{Clock, SystemClock};
use syncmgr::prelude::*;

use crate::mirror::{Done, FileError, Monitor, Stopped};
use crate::part::{Diagnostic, Part};

/// The item that blocking work is done for, and the part that receives the results.
pub(crate) struct ItemMonitor {
    pub(crate) item: ItemContext,
    pub(crate) part: Arc<Part>,
}

impl Monitor for ItemMonitor {
    fn advance(&self, bytes: u64) -> Result<(), Stopped> {
        let (written, planned) = self.part.add_written(bytes);
        self.item.progress(written, planned).map_err(|_| Stopped)
    }

    fn done(&self, done: Done) {
        self.part.result().counts.count(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        self.part.warn(&self.item, path, text);
    }

    fn fail(&self, error: FileError) {
        let diagnostic = Diagnostic::new(&error.path, error.to_string());
        // An error that the stop caused is not an error of the file.
        if self.item.tolerate(&diagnostic.path, Err::<(), _>(error)).is_ok() {
            self.part.result().errors.push(diagnostic);
        }
    }

    fn now(&self) -> SystemTime {
        SystemClock::default().now().wall
    }
}
