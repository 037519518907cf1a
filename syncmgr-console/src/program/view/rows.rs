//! The rows of each list, and the cursor that follows its row.

use syncmgr::{HandlerId, ItemId};

use super::cursor::Key;
use super::data::{Handler, Item, Record};
use super::event::{Running, Session};
use super::model::{Model, View};

/// A row of the items.
pub(super) enum Node<'a> {
    Handler(&'a Handler),
    Item(&'a Handler, &'a Item),
}

/// A row of what runs now.
pub(super) enum Live<'a> {
    Session(u64, &'a Session),
    Item(u64, &'a Running),
}

fn identity(record: &Record) -> (HandlerId, u64, i64) {
    (record.handler, record.session, record.time)
}

impl Model {
    /// Returns the number of rows of a list.
    pub(super) fn rows(&self, view: View) -> usize {
        match view {
            View::Items => self.handlers.iter().map(|handler| 1 + self.shown(handler)).sum(),
            View::Now => self.sessions.values().map(|session| 1 + session.items.len()).sum(),
            View::Log => self.log.len(),
            View::Agenda => self.agenda.len() + self.held.len(),
            View::History => self.history.len(),
        }
    }

    /// Returns the number of shown items of a handler.
    fn shown(&self, handler: &Handler) -> usize {
        if self.folded.contains(&handler.id) { 0 } else { handler.items.len() }
    }

    /// Returns a row of the items.
    pub(super) fn node(&self, mut at: usize) -> Option<Node<'_>> {
        for handler in &self.handlers {
            let shown = self.shown(handler);
            match at {
                0 => return Some(Node::Handler(handler)),
                _ if at <= shown => return Some(Node::Item(handler, &handler.items[at - 1])),
                _ => at -= 1 + shown,
            }
        }
        None
    }

    /// Returns a row of what runs now.
    pub(super) fn live(&self, mut at: usize) -> Option<Live<'_>> {
        for (id, session) in &self.sessions {
            match at {
                0 => return Some(Live::Session(*id, session)),
                _ if at <= session.items.len() => return Some(Live::Item(*id, &session.items[at - 1])),
                _ => at -= 1 + session.items.len(),
            }
        }
        None
    }

    /// Returns the selected entry of the log.
    pub(super) fn record(&self) -> Option<&Record> {
        self.log.get(self.cursors[View::Log as usize].at())
    }

    /// Returns what a row shows.
    pub(super) fn key(&self, view: View, at: usize) -> Option<Key> {
        match view {
            View::Items => self.node(at).map(|node| match node {
                Node::Handler(handler) => Key::Handler(handler.id),
                Node::Item(handler, item) => Key::Item(handler.id, item.id),
            }),
            View::Now => self.live(at).map(|live| match live {
                Live::Session(session, _) => Key::Session(session),
                Live::Item(session, running) => Key::Running(session, running.handler, running.item),
            }),
            View::Log => self.entry_key(at),
            View::Agenda | View::History => (at < self.rows(view)).then_some(Key::Row(at)),
        }
    }

    fn entry_key(&self, at: usize) -> Option<Key> {
        let (handler, session, time) = identity(self.log.get(at)?);
        let same = self.log[..at].iter().rev().take_while(|record| record.time == time);
        let number = same.filter(|record| identity(record) == (handler, session, time)).count();
        Some(Key::Entry(handler, session, time, number))
    }

    /// Returns the row that shows this.
    fn position(&self, view: View, key: &Key) -> Option<usize> {
        match key {
            Key::Handler(id) => self.node_position(*id, None),
            Key::Item(id, item) => self.node_position(*id, Some(*item)),
            Key::Session(_) | Key::Running(..) => {
                (0..self.rows(View::Now)).find(|at| self.key(view, *at).as_ref() == Some(key))
            }
            Key::Entry(handler, session, time, number) => {
                let of = (*handler, *session, *time);
                let mut same = self.log.iter().enumerate().filter(|(_, record)| identity(record) == of);
                same.nth(*number).map(|(at, _)| at)
            }
            Key::Row(at) => (*at < self.rows(view)).then_some(*at),
        }
    }

    fn node_position(&self, id: HandlerId, item: Option<ItemId>) -> Option<usize> {
        let of = self.handlers.iter().position(|handler| handler.id == id)?;
        let before: usize = self.handlers[..of].iter().map(|handler| 1 + self.shown(handler)).sum();
        let shown = &self.handlers[of].items[..self.shown(&self.handlers[of])];
        let within = match item {
            None => 0,
            Some(item) => 1 + shown.iter().position(|known| known.id == item)?,
        };
        Some(before + within)
    }

    /// Lets the cursor of a list follow its row.
    pub(super) fn follow(&mut self, view: View) {
        let cursor = &self.cursors[view as usize];
        let Some(key) = cursor.key().cloned() else { return };
        // Most changes move no row, and a search looks at all of them.
        if self.key(view, cursor.at()).as_ref() == Some(&key) {
            return;
        }
        let at = cursor.at().min(self.rows(view).saturating_sub(1));
        match self.position(view, &key) {
            Some(at) => self.cursors[view as usize].select(at, Some(key)),
            None if self.is_awaited(view, &key) => self.cursors[view as usize].select(at, Some(key)),
            // The row has gone: the one in its place is selected.
            None => self.select(view, at),
        }
    }

    /// Returns `true` if a missing row may come back, because its list is being loaded.
    fn is_awaited(&self, view: View, key: &Key) -> bool {
        match key {
            Key::Handler(id) | Key::Item(id, _) => self.handler(*id).is_none_or(|handler| handler.items.is_empty()),
            _ => self.rows(view) == 0,
        }
    }

    /// Selects a row.
    pub(super) fn select(&mut self, view: View, at: usize) {
        let key = self.key(view, at);
        self.cursors[view as usize].select(at, key);
    }
}
