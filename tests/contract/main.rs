//! The contract, rule by rule, through the public API: `r087_..` tests rule R87 of the contract document.
//!
//! Scripted handlers and a scripted host under paused time; nothing sleeps, nothing reads a clock.

mod attention;
mod bad_input;
mod callback;
mod cancel;
mod classic_panics;
mod closing;
mod coverage;
mod deciding;
mod errors;
mod events;
mod faulty;
mod hostile;
mod initialize;
mod keeping;
mod life;
mod misuse;
mod panics;
mod powers;
mod prepare;
mod prepare_pair;
mod prepare_user;
mod promises;
mod properties;
mod pull;
mod push;
mod races;
mod reasons;
mod retry;
mod sessions;
mod show_error;
mod shutdown;
mod stopped;
mod stubborn;
mod support;
mod synchronize;
mod synchronize_pair;
mod threads;
mod verdicts;
mod watched;
mod window;
