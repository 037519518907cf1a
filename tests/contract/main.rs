//! The contract, rule by rule, through the public API: `r087_..` tests rule R87 of the contract document.
//!
//! Scripted handlers and a scripted host under paused time; nothing sleeps, nothing reads a clock.

mod bad_input;
mod callback;
mod cancel;
mod errors;
mod initialize;
mod life;
mod powers;
mod prepare;
mod promises;
mod properties;
mod support;
mod synchronize;
