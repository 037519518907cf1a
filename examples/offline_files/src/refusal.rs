//! The JSON document of a run that did not begin.

use std::fmt;

use serde::Serialize;

use crate::escape::escape_json;
use crate::report::Status;

/// A run that an error prevented. It has the fields of a report that make sense without a run, and the error.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    status: Status,
    /// No item ran.
    items: [(); 0],
    errors: [Message; 1],
}

/// An error that concerns no entry of an item.
#[derive(Debug, Serialize)]
struct Message {
    message: String,
}

impl Refusal {
    pub(crate) fn new(error: &impl fmt::Display) -> Self {
        let message = format!("{error:#}");
        Self { status: Status::Failed, items: [], errors: [Message { message }] }
    }

    /// The JSON document.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        Ok(escape_json(&serde_json::to_string_pretty(self)?) + "\n")
    }
}
