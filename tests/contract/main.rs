//! The contract, rule by rule, through the public API: `r087_..` tests rule R87 of the contract document.
//!
//! The tests use scripted handlers and a scripted host under paused time: no test sleeps or reads a real clock.

mod asking;
mod cancellation;
mod choosing;
mod conditions;
mod coverage;
mod explanations;
mod faults;
mod guards;
mod local_changes;
mod persistence;
mod promised;
mod retries;
mod running;
mod schedules;
mod session;
mod sharing;
mod support;
mod whole;
