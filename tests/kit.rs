//! Tests of the conformance kit: correct handlers pass every check, and each faulty handler fails the check for its fault, with a
//! message that describes it.

#![expect(clippy::unwrap_used, reason = "test code, including deliberately faulty handlers")]

mod kit {
    pub(crate) mod changing;
    pub(crate) mod correct;
    pub(crate) mod peer;
    pub(crate) mod shelf;

    mod faulty;
    mod options;
    mod real_time;
    mod report;
}
