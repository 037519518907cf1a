//! The contract, rule by rule, through the public API: `r087_..` tests rule R87 of the contract document.
//!
//! Scripted handlers and a scripted host under paused time; nothing sleeps, nothing reads a clock.

mod asking;
mod cancellation;
mod choosing;
mod coverage;
mod explanations;
mod faults;
mod guards;
mod promised;
mod remembered;
mod retries;
mod running;
mod session;
mod sharing;
mod support;
mod whole;
