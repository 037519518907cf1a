//! Text in one line, cut to its width.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

/// Writes text into a line. Text that does not fit ends with `…`.
pub(super) fn put(buffer: &mut Buffer, line: Rect, text: &str, style: Style) {
    if line.is_empty() {
        return;
    }
    let width = usize::from(line.width);
    if Span::raw(text).width() <= width {
        buffer.set_stringn(line.x, line.y, text, width, style);
    } else {
        let (x, _) = buffer.set_stringn(line.x, line.y, text, width - 1, style);
        buffer.set_stringn(x, line.y, "…", 1, style);
    }
}

/// Writes text at the right end of a line. Returns the rest of the line.
pub(super) fn put_right(buffer: &mut Buffer, line: Rect, text: &str, style: Style) -> Rect {
    let width = u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX).min(line.width);
    let rest = Rect { width: line.width - width, ..line };
    put(buffer, after(line, rest.width), text, style);
    rest
}

/// Returns the line after its first columns.
pub(super) fn after(line: Rect, columns: u16) -> Rect {
    let columns = columns.min(line.width);
    Rect { x: line.x + columns, width: line.width - columns, ..line }
}

/// Returns the first columns of the line.
pub(super) fn first(line: Rect, columns: u16) -> Rect {
    Rect { width: columns.min(line.width), ..line }
}

/// Splits a line after a column for names, with one column between the parts.
pub(super) fn split(line: Rect) -> (Rect, Rect) {
    let name = if is_narrow(line) { line.width * 9 / 20 } else { line.width * 7 / 20 }.min(48);
    (first(line, name), after(line, name + 1))
}

/// Returns `true` if the line is too narrow for names and texts in full.
pub(super) fn is_narrow(line: Rect) -> bool {
    line.width < 70
}

/// Returns a bar. Without a total there is none.
pub(super) fn bar(value: u64, max: u64, width: u16) -> Option<String> {
    let (width, max) = (u64::from(width), Some(max).filter(|max| *max > 0)?);
    let full = u64::try_from(u128::from(value.min(max)) * u128::from(width) / u128::from(max)).unwrap_or(width);
    let cells = |sign: &str, count: u64| sign.repeat(usize::try_from(count).unwrap_or_default());
    Some(cells("█", full) + &cells("░", width - full))
}

/// Returns a fraction as a percentage.
pub(super) fn percent(value: u64, max: u64) -> u64 {
    u64::try_from(u128::from(value.min(max)) * 100 / u128::from(max.max(1))).unwrap_or(100)
}
