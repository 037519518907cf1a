//! A running program and its output.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::program::RunOutput;

/// The grace period of an item, within which a stopped program must end.
const GRACE: Duration = Duration::from_secs(5);

/// The number of files in a huge item.
const FILES: u64 = 256;

/// Fills the directory of a huge item with 16 GiB: links of one file, which is smaller.
pub(crate) fn huge(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("0"), vec![b'x'; 64 << 20]).unwrap();
    (1..FILES).for_each(|number| fs::hard_link(directory.join("0"), directory.join(number.to_string())).unwrap());
}

/// Shrinks each file of a huge item to this number of bytes.
pub(crate) fn shrink(directory: &Path, bytes: u64) {
    File::options().write(true).open(directory.join("0")).unwrap().set_len(bytes).unwrap();
}

/// A program that is running. It is killed when dropped, so that a failing test does not fill the disk.
pub(crate) struct Running {
    pub(crate) child: Child,
    receiver: Receiver<(Stream, Vec<u8>)>,
    output: RunOutput,
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
        let (sender, receiver) = channel();
        forward(child.stdout.take().expect("the stream is piped"), Stream::Output, sender.clone());
        forward(child.stderr.take().expect("the stream is piped"), Stream::Error, sender);
        Self { child, receiver, output: RunOutput { code: None, stdout: String::new(), stderr: String::new() } }
    }

    /// Waits until the program has printed `text`.
    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.output.stdout.contains(text) && !self.output.stderr.contains(text) {
            assert!(self.receive(), "the program never printed {text}: {}{}", self.output.stdout, self.output.stderr);
        }
    }

    /// Waits until `condition` is true. Panics if the program ends before.
    pub(crate) fn wait_until(&mut self, condition: impl Fn() -> bool) {
        while !condition() {
            assert!(self.child.try_wait().unwrap().is_none(), "the program has ended");
            thread::yield_now();
        }
    }

    /// Sends the signal of this name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until the program ends. Panics if it prints nothing for the grace period.
    pub(crate) fn end(mut self) -> RunOutput {
        while self.receive() {}
        let code = self.child.wait().unwrap().code();
        let take = |text: &mut String| std::mem::take(text);
        RunOutput { code, stdout: take(&mut self.output.stdout), stderr: take(&mut self.output.stderr) }
    }

    /// Receives the next output. Returns `false` at its end.
    fn receive(&mut self) -> bool {
        match self.receiver.recv_timeout(GRACE) {
            Ok((stream, bytes)) => {
                let text = match stream {
                    Stream::Output => &mut self.output.stdout,
                    Stream::Error => &mut self.output.stderr,
                };
                text.push_str(&String::from_utf8_lossy(&bytes));
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => {
                panic!("no output for {GRACE:?}: {}{}", self.output.stdout, self.output.stderr)
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Unless the test failed, the program has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a thread that sends everything it reads.
fn forward(mut from: impl Read + Send + 'static, stream: Stream, to: Sender<(Stream, Vec<u8>)>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
            if to.send((stream, buffer[..bytes].to_vec())).is_err() {
                break;
            }
        }
    });
}
