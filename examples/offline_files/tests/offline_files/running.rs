//! A program under way, and what it says.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::program::Ran;

/// The grace of an item: within it, a stopped program has ended.
const GRACE: Duration = Duration::from_secs(5);

/// A program that is running. It is killed when dropped, so that a failing test does not fill the disk.
pub(crate) struct Running {
    pub(crate) child: Child,
    heard: Receiver<(Stream, Vec<u8>)>,
    ran: Ran,
}

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Error,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (sender, heard) = channel();
        listen(child.stdout.take().expect("it is piped"), Stream::Output, sender.clone());
        listen(child.stderr.take().expect("it is piped"), Stream::Error, sender);
        Self { child, heard, ran: Ran { code: None, stdout: String::new(), stderr: String::new() } }
    }

    /// Waits until the program has said this.
    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.ran.stdout.contains(text) && !self.ran.stderr.contains(text) {
            assert!(self.listen(), "it never said {text}: {}{}", self.ran.stdout, self.ran.stderr);
        }
    }

    /// Waits until the program has ended, as it must within the grace.
    pub(crate) fn end(mut self) -> Ran {
        while self.listen() {}
        let code = self.child.wait().unwrap().code();
        let said = |text: &mut String| std::mem::take(text);
        Ran { code, stdout: said(&mut self.ran.stdout), stderr: said(&mut self.ran.stderr) }
    }

    /// Hears what is said next; false when nothing more will be.
    fn listen(&mut self) -> bool {
        match self.heard.recv_timeout(GRACE) {
            Ok((stream, bytes)) => {
                let said = match stream {
                    Stream::Output => &mut self.ran.stdout,
                    Stream::Error => &mut self.ran.stderr,
                };
                said.push_str(&String::from_utf8_lossy(&bytes));
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("silent for too long: {}{}", self.ran.stdout, self.ran.stderr),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes on what is read until the end.
fn listen(mut from: impl Read + Send + 'static, stream: Stream, to: Sender<(Stream, Vec<u8>)>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
            if to.send((stream, buffer[..bytes].to_vec())).is_err() {
                break;
            }
        }
    });
}
