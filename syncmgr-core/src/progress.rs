//! The progress reports of an item, and its resulting state: `SYNCMGRPROGRESSITEM`.

use std::sync::Arc;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::status::Status;
use crate::text::{MAX_TEXT, bounded};

/// A progress report. It changes only the fields that are set.
///
/// A field that is `None` is not in the [`mask`](Self::mask) and keeps its last value. Reporting a default `Progress` changes
/// nothing, but still returns an error if the item is cancelled.
///
/// ```
/// # use syncmgr_core::progress::{Progress, ProgressState};
/// let mut state = ProgressState::default();
/// state.apply(&Progress::new().with_value(0).with_max(10).with_text("reading"));
/// state.apply(&Progress::new().with_value(4)); // text and total keep their values
/// assert_eq!((state.value, state.max, state.text.as_deref()), (4, 10, Some("reading")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a report changes nothing until it is passed to `report`"]
pub struct Progress {
    /// The current activity: `lpcStatusText`.
    pub text: Option<Arc<str>>,
    /// The status of the item: `dwStatusType`.
    pub status: Option<Status>,
    /// The amount done, in a unit of the handler's choice: `iProgValue`.
    pub value: Option<u64>,
    /// The total, in the same unit: `iMaxValue`. 0 if unknown.
    pub max: Option<u64>,
    /// The unit of the amount and the total. Not part of the Windows contract.
    pub unit: Option<ProgressUnit>,
}

/// The unit of the amounts of an item, which says how to show them to people.
///
/// ```
/// # use syncmgr_core::progress::{Progress, ProgressState, ProgressUnit};
/// let mut state = ProgressState::default();
/// state.apply(&Progress::new().with_unit(ProgressUnit::Bytes).with_max(1 << 20));
/// state.apply(&Progress::new().with_value(4096)); // the unit stays
/// assert_eq!(state.unit, ProgressUnit::Bytes);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProgressUnit {
    /// Things that are counted, such as messages or steps.
    #[default]
    Count,
    /// Bytes.
    Bytes,
}

impl Progress {
    /// Creates a report that changes nothing.
    pub const fn new() -> Self {
        Self { text: None, status: None, value: None, max: None, unit: None }
    }

    /// Sets the text, truncated to [`MAX_TEXT`].
    pub fn with_text(self, text: impl AsRef<str>) -> Self {
        Self { text: Some(Arc::from(bounded(text.as_ref(), MAX_TEXT))), ..self }
    }

    /// Sets the status.
    pub const fn with_status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets the amount done.
    pub const fn with_value(mut self, value: u64) -> Self {
        self.value = Some(value);
        self
    }

    /// Sets the total.
    pub const fn with_max(mut self, max: u64) -> Self {
        self.max = Some(max);
        self
    }

    /// Sets the unit of the amount and the total.
    pub const fn with_unit(mut self, unit: ProgressUnit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Returns the fields of the Windows contract that the report changes: `mask`.
    pub fn mask(&self) -> ProgressMask {
        let mut mask = ProgressMask::empty();
        mask.set(ProgressMask::STATUS_TEXT, self.text.is_some());
        mask.set(ProgressMask::STATUS_TYPE, self.status.is_some());
        mask.set(ProgressMask::PROG_VALUE, self.value.is_some());
        mask.set(ProgressMask::MAX_VALUE, self.max.is_some());
        mask
    }

    /// Returns the amount and the total as 31-bit numbers: `iProgValue` and `iMaxValue`. Larger ones are scaled down together.
    ///
    /// ```
    /// # use syncmgr_core::progress::Progress;
    /// let (value, max) = Progress::new().with_value(1 << 40).with_max(1 << 41).wire_numbers();
    /// assert_eq!(value.zip(max).map(|(value, max)| max / value), Some(2)); // the same ratio
    /// ```
    pub fn wire_numbers(&self) -> (Option<i32>, Option<i32>) {
        let largest = self.value.max(self.max).unwrap_or(0);
        let shift = (u64::BITS - largest.leading_zeros()).saturating_sub(31);
        let narrow = |number: u64| i32::try_from(number >> shift).unwrap_or(i32::MAX);
        (self.value.map(narrow), self.max.map(narrow))
    }
}

bitflags! {
    /// The fields that a report changes: `SYNCMGRPROGRESSITEM_*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ProgressMask: u32 {
        /// `SYNCMGRPROGRESSITEM_STATUSTEXT`.
        const STATUS_TEXT = 0x0001;
        /// `SYNCMGRPROGRESSITEM_STATUSTYPE`.
        const STATUS_TYPE = 0x0002;
        /// `SYNCMGRPROGRESSITEM_PROGVALUE`.
        const PROG_VALUE = 0x0004;
        /// `SYNCMGRPROGRESSITEM_MAXVALUE`.
        const MAX_VALUE = 0x0008;
    }
}

/// The progress of an item: the last value of every field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProgressState {
    /// The last text.
    pub text: Option<Arc<str>>,
    /// The last status.
    pub status: Option<Status>,
    /// The amount done, as last reported.
    pub value: u64,
    /// The total, as last reported. 0 if unknown.
    pub max: u64,
    /// The unit of both.
    #[serde(default)]
    pub unit: ProgressUnit,
}

impl ProgressState {
    /// Applies the fields that a report sets.
    ///
    /// See also: R117.
    pub fn apply(&mut self, report: &Progress) {
        if let Some(text) = &report.text {
            self.text = Some(text.clone());
        }
        self.status = report.status.or(self.status);
        self.value = report.value.unwrap_or(self.value);
        self.max = report.max.unwrap_or(self.max);
        self.unit = report.unit.unwrap_or(self.unit);
    }

    /// Returns the fraction done, from 0 to 1. `None` if the total is unknown.
    ///
    /// ```
    /// # use syncmgr_core::progress::{Progress, ProgressState};
    /// let mut state = ProgressState::default();
    /// assert_eq!(state.fraction(), None); // the total is unknown
    /// state.apply(&Progress::new().with_value(3).with_max(4));
    /// assert_eq!(state.fraction(), Some(0.75));
    /// ```
    ///
    /// See also: R119.
    pub fn fraction(&self) -> Option<f64> {
        (self.max > 0).then(|| self.value.min(self.max) as f64 / self.max as f64)
    }

    /// Returns the report that changes `known` to this state. `None` if no field of the Windows contract differs.
    ///
    /// ```
    /// # use syncmgr_core::progress::{Progress, ProgressState};
    /// let (known, mut state) = (ProgressState::default(), ProgressState::default());
    /// state.apply(&Progress::new().with_value(3));
    /// assert_eq!(state.since(&known), Some(Progress::new().with_value(3)));
    /// assert_eq!(state.since(&state), None);
    /// ```
    pub fn since(&self, known: &Self) -> Option<Progress> {
        let report = Progress {
            text: self.text.clone().filter(|text| known.text.as_ref() != Some(text)),
            status: self.status.filter(|_| self.status != known.status),
            value: (self.value != known.value).then_some(self.value),
            max: (self.max != known.max).then_some(self.max),
            unit: (self.unit != known.unit).then_some(self.unit),
        };
        (!report.mask().is_empty()).then_some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r117_fields_outside_the_mask_keep_their_last_value() {
        let mut state = ProgressState::default();
        state.apply(&Progress::new().with_max(10).with_text("reading"));
        state.apply(&Progress::new().with_value(4));
        assert_eq!((state.value, state.max, state.text.as_deref()), (4, 10, Some("reading")));
    }

    #[test]
    fn r119_the_fraction_is_at_most_1_and_unknown_without_a_maximum() {
        let mut state = ProgressState::default();
        state.apply(&Progress::new().with_value(15).with_max(10));
        assert_eq!(state.fraction(), Some(1.0));
        state.apply(&Progress::new().with_max(0));
        assert_eq!(state.fraction(), None);
    }

    #[test]
    fn numbers_beyond_31_bits_keep_their_ratio_on_the_wire() {
        assert_eq!(Progress::new().with_value(3).with_max(4).wire_numbers(), (Some(3), Some(4)));
        let (value, max) = Progress::new().with_value(1 << 40).with_max(1 << 41).wire_numbers();
        assert_eq!(max.zip(value).map(|(max, value)| max / value), Some(2));
    }

    #[test]
    fn since_reports_only_the_changed_fields() {
        let mut known = ProgressState::default();
        let mut state = known.clone();
        assert_eq!(state.since(&known), None);
        state.apply(&Progress::new().with_value(1).with_text("a"));
        let report = state.since(&known).expect("two fields changed");
        assert_eq!(report, Progress::new().with_value(1).with_text("a"));
        known.apply(&report);
        assert_eq!(state.since(&known), None);
        state.apply(&Progress::new().with_unit(ProgressUnit::Bytes));
        assert_eq!(state.since(&known), None, "a foreign host does not know units");
        state.apply(&Progress::new().with_value(2));
        assert_eq!(state.since(&known), Some(Progress::new().with_value(2).with_unit(ProgressUnit::Bytes)));
    }
}
