//! Runs a check on its own thread, so that a handler that blocks its thread forever cannot hang the test.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::result::CheckResult;
use super::violation::Violation;

/// Notifies the watchdog of each script that the check plays.
pub(super) struct Heartbeat(Sender<Message>);

enum Message {
    Playing(String),
    Finished(CheckResult),
}

impl Heartbeat {
    pub(super) fn playing(&self, script: String) {
        // The receiver no longer exists once the timeout has passed.
        _ = self.0.send(Message::Playing(script));
    }
}

/// Runs a check on its own thread and returns its result. Fails if a script takes longer than `timeout`.
///
/// # Panics
/// If the check panics, with the payload of that panic, or if no thread can be started.
pub(super) fn run(timeout: Duration, check: impl FnOnce(&Heartbeat) -> CheckResult + Send + 'static) -> CheckResult {
    let (sender, messages) = channel();
    // Panic messages and reports name the test by its thread.
    let name = thread::current().name().unwrap_or("check").to_owned();
    let work = move || {
        let result = check(&Heartbeat(sender.clone()));
        _ = sender.send(Message::Finished(result));
    };
    match thread::Builder::new().name(name).spawn(work) {
        Ok(thread) => listen(timeout, &messages).unwrap_or_else(|| match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => panic!("the thread of the check ended without a result"),
        }),
        Err(error) => panic!("no thread could be started for the check: {error}"),
    }
}

/// Waits for the result. Returns `None` if the check's thread has ended without one.
fn listen(timeout: Duration, messages: &Receiver<Message>) -> Option<CheckResult> {
    let mut script = String::from("run all items");
    loop {
        match messages.recv_timeout(timeout) {
            Ok(Message::Playing(next)) => script = next,
            Ok(Message::Finished(result)) => return Some(result),
            Err(RecvTimeoutError::Timeout) => return Some(CheckResult::Failed(timeout_violation(timeout, script))),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

fn timeout_violation(timeout: Duration, script: String) -> Violation {
    let seconds = timeout.as_secs_f64();
    let headline = format!("the script does not end within {seconds} s: a call blocks its thread forever");
    let help = "look for a lock that is never released, or a blocking call that never returns";
    Violation::new(headline, help).in_script(script)
}
