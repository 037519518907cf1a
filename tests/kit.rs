//! The behaviour kit: a handler that is right passes every check, and each of a zoo of wrong ones is caught by the check meant
//! for it, with a message that names the mistake.

#![expect(clippy::unwrap_used, reason = "all of it is tests, and the mistakes they are about")]

mod kit {
    pub(crate) mod right;
    pub(crate) mod world;

    mod asked;
    mod real_time;
    mod report;
    mod zoo;
}
