//! The selected row of a list.

use std::ops::Range;

use syncmgr::{HandlerId, ItemId};

/// A row, by what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Handler(HandlerId),
    Item(HandlerId, ItemId),
    Session(u64),
    Running(u64, HandlerId, ItemId),
    /// An entry of the log: its handler, session, time, and its number among those.
    Entry(HandlerId, u64, i64, usize),
    /// A row of a list whose rows have no identity.
    Row(usize),
}

/// The selected row of a list, and the part of the list that is shown. The selection stays with its row when other rows come and go.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    key: Option<Key>,
    at: usize,
    offset: usize,
    /// The number of rows on the screen.
    page: usize,
}

impl Cursor {
    /// Returns the index of the selected row.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns the number of rows on the screen.
    pub(super) fn page(&self) -> usize {
        self.page.max(1)
    }

    /// Selects a row.
    pub(super) fn select(&mut self, at: usize, key: Option<Key>) {
        (self.at, self.key) = (at, key);
    }

    /// Returns the row that was selected, so that the cursor can follow it.
    pub(super) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Returns the rows to draw on this many lines.
    pub(super) fn window(&mut self, rows: usize, lines: usize) -> Range<usize> {
        self.page = lines;
        let last_offset = rows.saturating_sub(lines);
        let lowest = (self.at + 1).saturating_sub(lines);
        self.offset = self.offset.clamp(lowest, self.at.max(lowest)).min(last_offset);
        self.offset..rows.min(self.offset + lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_contains_the_selected_row_and_moves_as_little_as_possible() {
        let mut cursor = Cursor::default();
        assert_eq!(cursor.window(100, 10), 0..10);
        cursor.select(12, None);
        assert_eq!(cursor.window(100, 10), 3..13);
        cursor.select(5, None);
        assert_eq!(cursor.window(100, 10), 3..13);
        assert_eq!(cursor.window(100, 2), 4..6);
        cursor.select(99, None);
        assert_eq!(cursor.window(100, 50), 50..100);
        assert_eq!(cursor.window(3, 50), 0..3);
    }
}
