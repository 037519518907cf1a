//! The port between a daemon and its source.

use std::time::SystemTime;

use syncmgr_core::environment::Environment;
use zbus::Message;

use super::Daemon;

/// What a source makes of a daemon: a state machine that receives answers and signals, and returns an environment.
pub(crate) trait Service: Send + 'static {
    /// The bus name of the daemon.
    const NAME: &'static str;
    /// What is unknown without the daemon, for the log.
    const VALUES: &'static str;
    /// The signals after which the source asks again.
    const INTERESTS: &'static [Interest];

    /// What the source needs from the daemon next.
    type Question: Send;
    /// The answers of the daemon.
    type Answer: Send;

    /// Returns what the source needs from the daemon.
    fn question(&mut self) -> Self::Question;

    /// Asks the daemon. It makes no decisions.
    fn ask(daemon: &Daemon<'_>, question: Self::Question) -> impl Future<Output = Self::Answer> + Send;

    /// The daemon has answered.
    fn answered(&mut self, answer: Self::Answer, now: SystemTime);

    /// The daemon has sent a signal. The source will be asked for its next question after this.
    fn signalled(&mut self, signal: &Message, now: SystemTime) {
        let _ = (signal, now);
    }

    /// The daemon has gone.
    fn lost(&mut self);

    /// Returns what is known.
    fn environment(&self) -> Environment;
}

/// The signals of an object, or of all objects below a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Interest {
    /// All signals of the object at this path.
    Object(&'static str),
    /// All signals of the objects below this path.
    #[cfg_attr(not(feature = "networkmanager"), allow(dead_code, reason = "the others watch fixed objects"))]
    Below(&'static str),
}
