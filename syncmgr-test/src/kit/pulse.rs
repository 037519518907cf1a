//! Signs of life of a check: a handler that blocks its thread for good does not take the test along.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::breach::Breach;
use super::ruling::Ruling;

/// Says that a check is alive, and what it plays.
pub(super) struct Pulse(Sender<Sign>);

enum Sign {
    Plays(String),
    Found(Ruling),
}

impl Pulse {
    pub(super) fn beats(&self, script: String) {
        // Nobody listens any more once the patience has ended.
        _ = self.0.send(Sign::Plays(script));
    }
}

/// Makes a check on a thread of its own, and waits for what it finds as long as no script takes longer than this.
///
/// # Panics
/// With what the check panics with, and where no thread can be started.
pub(super) fn attend(patience: Duration, make: impl FnOnce(&Pulse) -> Ruling + Send + 'static) -> Ruling {
    let (sender, signs) = channel();
    // A panic and a report name the test by its thread.
    let name = thread::current().name().unwrap_or("check").to_owned();
    let work = move || {
        let ruling = make(&Pulse(sender.clone()));
        _ = sender.send(Sign::Found(ruling));
    };
    match thread::Builder::new().name(name).spawn(work) {
        Ok(thread) => listen(patience, &signs).unwrap_or_else(|| match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => panic!("the thread of the check ended and said nothing"),
        }),
        Err(error) => panic!("no thread could be started for the check: {error}"),
    }
}

/// `None` when the thread is gone.
fn listen(patience: Duration, signs: &Receiver<Sign>) -> Option<Ruling> {
    let mut plays = String::from("run everything");
    loop {
        match signs.recv_timeout(patience) {
            Ok(Sign::Plays(script)) => plays = script,
            Ok(Sign::Found(ruling)) => return Some(ruling),
            Err(RecvTimeoutError::Timeout) => return Some(Ruling::Broken(stuck(patience, plays))),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

fn stuck(patience: Duration, script: String) -> Breach {
    let seconds = patience.as_secs_f64();
    let headline = format!("the script does not come back within {seconds} s: a call blocks its thread for good");
    let help = "look for a lock that is never free, or a blocking call without an end";
    Breach::new(headline, help).in_script(script)
}
