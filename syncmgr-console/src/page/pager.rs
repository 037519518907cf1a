//! Long lists, a page at a time, with a search.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use maud::{Markup, html};
use serde::Deserialize;

use super::link;

/// The number of entries on a page. More of them take a browser so long to show that it does not follow the changes.
const SIZE: usize = 100;

/// The part of a list that a viewer wants to see.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    /// The number of the page, beginning with 1.
    page: usize,
    /// What the names on the page contain.
    pub(super) find: String,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { page: 1, find: String::new() }
    }
}

impl Wanted {
    /// Returns `true` for the first page of everything.
    pub(super) fn is_start(&self) -> bool {
        self.page <= 1 && self.find.is_empty()
    }

    /// Returns `true` if the name is searched, in small or capital letters.
    pub(super) fn finds(&self, name: &str) -> bool {
        self.find.is_empty() || name.to_lowercase().contains(&self.find.to_lowercase())
    }

    /// Returns the page of a list with this many entries: the last one if the list has become shorter.
    pub(super) fn of(&self, total: usize) -> Page<'_> {
        let last = total.div_ceil(SIZE).max(1);
        Page { wanted: self, number: self.page.clamp(1, last), last, total, has_links: AtomicBool::new(false) }
    }

    /// Wants what has this name.
    pub(super) fn finding(name: &str) -> Self {
        Self { find: name.to_owned(), ..Self::default() }
    }

    /// Returns the link to the first page of what is wanted in a view.
    pub(super) fn of_view(&self, path: &str) -> String {
        format!("{}{}", link(path), self.address(1))
    }

    fn address(&self, page: usize) -> String {
        let page = page.to_string();
        let fields = [("page", &page), ("find", &self.find)];
        let fields =
            fields.into_iter().filter(|(name, value)| !value.is_empty() && (*name, &***value) != ("page", "1"));
        format!("?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
    }
}

/// A page of a list.
pub(super) struct Page<'a> {
    wanted: &'a Wanted,
    number: usize,
    last: usize,
    total: usize,
    /// `true` once the links above the list are made.
    has_links: AtomicBool,
}

impl Page<'_> {
    pub(super) fn is_first(&self) -> bool {
        self.number == 1
    }

    /// Returns the indexes of the entries on the page.
    pub(super) fn range(&self) -> Range<usize> {
        let start = (self.number - 1) * SIZE;
        start..self.total.min(start + SIZE)
    }

    /// Returns the links to the pages before and after, if there are any: first those above the list, then those below it. Each have a
    /// name of their own for screen readers.
    pub(super) fn links(&self, what: &str) -> Markup {
        let Range { start, end } = self.range();
        let place = if self.has_links.swap(true, Ordering::Relaxed) { "below" } else { "above" };
        html! {
            @if self.last > 1 {
                nav.pages aria-label=(format!("Pages, {place} the list")) {
                    p { (what) " " (start + 1) " to " (end) " of " (self.total) }
                    @if self.number > 1 { a href=(self.wanted.address(self.number - 1)) { "Previous page" } }
                    @if self.number < self.last { a href=(self.wanted.address(self.number + 1)) { "Next page" } }
                }
            }
        }
    }

    /// Returns the form of the search, if there is something to search in.
    pub(super) fn search(&self, label: &str) -> Markup {
        let Wanted { find, .. } = self.wanted;
        html! {
            @if self.last > 1 || !find.is_empty() {
                form.search method="get" role="search" {
                    label for="find" { (label) }
                    input type="text" name="find" id="find" value=(find) autocomplete="off" spellcheck="false";
                    button { "Find" }
                    @if !find.is_empty() { a href="?" { "Show all" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_no_longer_exists_is_the_last_one() {
        let wanted = Wanted { page: 9, ..Wanted::default() };
        assert_eq!(wanted.of(950).range(), 800..900);
        assert_eq!(wanted.of(250).range(), 200..250);
        assert_eq!(wanted.of(0).range(), 0..0);
        assert_eq!(Wanted { page: 0, ..wanted }.of(250).range(), 0..100);
    }

    #[test]
    fn the_links_keep_the_search_and_a_short_list_has_none() {
        let wanted = Wanted { page: 2, find: "R&D 1".to_owned() };
        let links = wanted.of(250).links("Items").into_string();
        assert!(links.contains("Items 101 to 200 of 250"), "{links}");
        assert!(
            links.contains("href=\"?find=R%26D+1\"") && links.contains("href=\"?page=3&amp;find=R%26D+1\""),
            "{links}"
        );
        assert_eq!(wanted.of(100).links("Items").into_string(), "");
    }

    #[test]
    fn a_search_ignores_the_case() {
        let wanted = Wanted { find: "ÜBER".to_owned(), ..Wanted::default() };
        assert!(wanted.finds("Alles über Züge") && !wanted.finds("Uhren"));
    }
}
