//! What a person can do about what a run refuses: the program has options for it, and a host has commands.

/// The words for what a person can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remedies {
    pub(crate) conflict: &'static str,
    pub(crate) unmounted: &'static str,
    pub(crate) missing: &'static str,
    pub(crate) other_root: &'static str,
    pub(crate) unreadable_state: &'static str,
    /// `false` if what a person has to decide is a failure, because questions cannot be answered.
    pub(crate) has_questions: bool,
}

impl Remedies {
    pub(crate) const OF_PROGRAM: Self = Self {
        conflict: "change one side, or use --conflict",
        unmounted: "mount it, or use --yes",
        missing: "mount or restore it, or use --yes to copy A to a new B",
        other_root: "mount the right one, or use --yes to compare everything again, which deletes nothing",
        unreadable_state: "choose another file with --state to compare everything again",
        has_questions: true,
    };

    /// An item with a question runs only when it is answered or asked for, and one that has failed runs after each change.
    pub(crate) const OF_WATCH: Self = Self { has_questions: false, ..Self::OF_PROGRAM };

    pub(crate) const OF_HOST: Self = Self {
        conflict: "change one side, or answer the question",
        unmounted: "mount it, or forget the item to compare everything in it again",
        missing: "mount or restore it, or forget the pair to copy A to a new B",
        other_root: "mount the right one, or forget the pair to compare everything again, which deletes nothing",
        unreadable_state: "forget the item to compare everything in it again, which deletes nothing",
        has_questions: true,
    };
}
