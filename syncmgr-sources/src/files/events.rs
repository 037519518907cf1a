//! The meaning of events: the items that have changed, and the directories to search.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use notify::event::{CreateKind, EventKind, ModifyKind, RemoveKind, RenameMode};
use notify::{Event, EventHandler};
use syncmgr_runtime::change_source::WatchProblem;

use super::roots::Index;
use super::shared::Shared;

/// The number of directories whose items are remembered.
const MAX_DIRECTORIES: usize = 4096;

/// Receives the events of a watch.
pub(super) struct Events {
    shared: Arc<Shared>,
    /// What is known about the directories of earlier events. Only for look-ups.
    directories: HashMap<OsString, Directory>,
}

/// A directory in which something has happened.
struct Directory {
    /// The items with a root that is this directory or above it.
    items: Vec<Index>,
    /// `true` if an entry of the directory leads to a root.
    leads_to_root: bool,
}

impl Events {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, directories: HashMap::new() }
    }

    fn accept(&mut self, event: &Event) {
        if event.need_rescan() {
            self.shared.events_lost();
        }
        // Reading is no change. A rename is reported as two events and then once more as both together.
        if matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both))) {
            return;
        }
        for path in &event.paths {
            self.changed(event.kind, path);
        }
    }

    fn changed(&mut self, kind: EventKind, path: &Path) {
        let shared = self.shared.clone();
        let directory = self.directory(path.parent().unwrap_or(path));
        let (is_inside, leads_to_root) = (!directory.items.is_empty(), directory.leads_to_root);
        if is_inside {
            shared.changed(directory.items.iter().copied());
        }
        if leads_to_root {
            shared.changed(shared.roots.items_of(path.as_os_str()).iter().copied());
        }
        match kind {
            EventKind::Modify(ModifyKind::Data(_)) => {}
            EventKind::Modify(ModifyKind::Metadata(_)) => shared.permissions_changed(path),
            _ if leads_to_root && shared.roots.leads_to_root(path) => {
                shared.changed(shared.roots.below(path).flat_map(|(_, items)| items).copied());
                shared.search_path(path);
            }
            _ if is_inside && may_be_new_directory(kind, path) => shared.search_path(path),
            _ => {}
        }
    }

    fn directory(&mut self, path: &Path) -> &Directory {
        if self.directories.len() >= MAX_DIRECTORIES && !self.directories.contains_key(path.as_os_str()) {
            self.directories.clear();
        }
        if !self.directories.contains_key(path.as_os_str()) {
            let roots = &self.shared.roots;
            let directory = Directory { items: roots.items_at(path), leads_to_root: roots.has_root_in(path) };
            self.directories.insert(path.as_os_str().to_owned(), directory);
        }
        &self.directories[path.as_os_str()]
    }
}

impl EventHandler for Events {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        match event {
            Ok(event) => self.accept(&event),
            Err(error) => {
                self.shared.problem(WatchProblem::new(format!("the events cannot be read: {error}")));
                self.shared.events_lost();
            }
        }
    }
}

/// Returns `true` if a directory may have appeared at this path. After a removal there may be another one already, whose watch the
/// removal ends.
fn may_be_new_directory(kind: EventKind, path: &Path) -> bool {
    match kind {
        EventKind::Create(CreateKind::Folder) => true,
        EventKind::Create(CreateKind::File) | EventKind::Remove(RemoveKind::File) => false,
        _ => path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()),
    }
}

#[cfg(test)]
mod tests;
