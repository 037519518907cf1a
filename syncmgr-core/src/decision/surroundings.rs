//! The environment as it counts at a time: the user is idle only after a while, and an announced end may be out of date.

use std::time::SystemTime;

use crate::environment::{EndingKind, Environment, Presence};

/// The environment as it counts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings<'a> {
    /// The reported values.
    pub environment: &'a Environment,
    /// The activity of the user.
    pub user: Activity,
    /// What is about to end.
    pub ending: Option<EndingKind>,
    /// The time of day, for windows.
    pub clock: SystemTime,
}

/// The activity of the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// Not known.
    #[default]
    Unknown,
    /// The user is at the machine, or has not been idle for long enough.
    Active,
    /// The user is idle or absent.
    Idle,
}

impl<'a> From<&'a Environment> for Surroundings<'a> {
    /// Takes the values as they are, at the beginning of 1970: a user is idle at once.
    fn from(environment: &'a Environment) -> Self {
        let user = match environment {
            Environment { idle_since: Some(_), .. } | Environment { user: Presence::Absent, .. } => Activity::Idle,
            Environment { user: Presence::Present, .. } => Activity::Active,
            _ => Activity::Unknown,
        };
        Self { environment, user, ending: environment.ending.map(|ending| ending.kind), clock: SystemTime::UNIX_EPOCH }
    }
}
