//! Progress of one item, masked and sticky: `SYNCMGRPROGRESSITEM`.

use std::sync::Arc;

use bitflags::bitflags;

use crate::status::Status;
use crate::text::{MAX_TEXT, bounded};

/// A report: the fields that are set are the fields that change (R117).
///
/// A field that is `None` is one whose bit in `mask` is not set: it keeps its last value. The default reports nothing
/// and still answers whether to go on (R118).
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
#[must_use = "a report changes nothing until it is handed to `report`"]
pub struct Progress {
    /// `lpcStatusText`: what is being done.
    pub text: Option<Arc<str>>,
    /// `dwStatusType`: where the item stands.
    pub status: Option<Status>,
    /// `iProgValue`: how much is done, in a unit of the handler's choice.
    pub value: Option<u64>,
    /// `iMaxValue`: how much there is, in the same unit; 0 while nobody knows (R119).
    pub max: Option<u64>,
}

impl Progress {
    /// Nothing changes.
    pub const fn new() -> Self {
        Self { text: None, status: None, value: None, max: None }
    }

    /// With a text, cut at [`MAX_TEXT`].
    pub fn with_text(self, text: impl AsRef<str>) -> Self {
        Self { text: Some(Arc::from(bounded(text.as_ref(), MAX_TEXT))), ..self }
    }

    /// With a status.
    pub const fn with_status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// With how much is done.
    pub const fn with_value(mut self, value: u64) -> Self {
        self.value = Some(value);
        self
    }

    /// With how much there is.
    pub const fn with_max(mut self, max: u64) -> Self {
        self.max = Some(max);
        self
    }

    /// Which fields are set: `mask`.
    pub fn mask(&self) -> ProgressMask {
        let mut mask = ProgressMask::empty();
        mask.set(ProgressMask::STATUS_TEXT, self.text.is_some());
        mask.set(ProgressMask::STATUS_TYPE, self.status.is_some());
        mask.set(ProgressMask::PROG_VALUE, self.value.is_some());
        mask.set(ProgressMask::MAX_VALUE, self.max.is_some());
        mask
    }

    /// The numbers as the contract's `iProgValue` and `iMaxValue`: 31 bits, scaled down together when they are larger.
    ///
    /// ```
    /// # use syncmgr_core::progress::Progress;
    /// let (value, max) = Progress::new().with_value(1 << 40).with_max(1 << 41).wire_numbers();
    /// assert_eq!(value.zip(max).map(|(value, max)| max / value), Some(2)); // the ratio is kept
    /// ```
    pub fn wire_numbers(&self) -> (Option<i32>, Option<i32>) {
        let largest = self.value.max(self.max).unwrap_or(0);
        let shift = (u64::BITS - largest.leading_zeros()).saturating_sub(31);
        let narrow = |number: u64| i32::try_from(number >> shift).unwrap_or(i32::MAX);
        (self.value.map(narrow), self.max.map(narrow))
    }
}

bitflags! {
    /// `SYNCMGRPROGRESSITEM_*`: which fields of a report are valid.
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

/// Where an item stands: the last value of every field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgressState {
    /// The last text.
    pub text: Option<Arc<str>>,
    /// The last status.
    pub status: Option<Status>,
    /// How much was done, as reported last.
    pub value: u64,
    /// How much there is, as reported last; 0 while nobody knows.
    pub max: u64,
}

impl ProgressState {
    /// Takes over the fields a report sets (R117).
    pub fn apply(&mut self, report: &Progress) {
        if let Some(text) = &report.text {
            self.text = Some(text.clone());
        }
        self.status = report.status.or(self.status);
        self.value = report.value.unwrap_or(self.value);
        self.max = report.max.unwrap_or(self.max);
    }

    /// How much is done, from 0 to 1, or `None` while nobody knows how much there is (R119).
    ///
    /// ```
    /// # use syncmgr_core::progress::{Progress, ProgressState};
    /// let mut state = ProgressState::default();
    /// assert_eq!(state.fraction(), None); // nobody knows how much there is
    /// state.apply(&Progress::new().with_value(3).with_max(4));
    /// assert_eq!(state.fraction(), Some(0.75));
    /// ```
    pub fn fraction(&self) -> Option<f64> {
        (self.max > 0).then(|| self.value.min(self.max) as f64 / self.max as f64)
    }

    /// The report that makes an observer who knows `known` see this, or `None` when there is nothing to tell.
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
    fn r119_a_value_above_the_maximum_is_shown_as_all_of_it_and_no_maximum_as_unknown() {
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
    fn an_observer_is_told_only_what_changed() {
        let mut known = ProgressState::default();
        let mut state = known.clone();
        assert_eq!(state.since(&known), None);
        state.apply(&Progress::new().with_value(1).with_text("a"));
        let report = state.since(&known).expect("two fields changed");
        assert_eq!(report, Progress::new().with_value(1).with_text("a"));
        known.apply(&report);
        assert_eq!(state.since(&known), None);
    }
}
