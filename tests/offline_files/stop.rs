//! Ctrl-C in the middle of a file that takes for ever.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::program::Ran;
use crate::trees::{Trees, snapshot};

/// The grace of an item: within it, a stopped program has ended.
const GRACE: Duration = Duration::from_secs(5);

#[test]
fn ctrl_c_ends_with_130_and_leaves_no_partial_file_and_the_next_run_does_the_rest() {
    let trees = endless();
    let mut running = Running::start(trees.command(&["--json"]));
    running.wait_for("huge: 0% of 1.00 TiB");
    let interrupt = format!("kill -INT {}", running.child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let ran = running.end();
    assert_eq!((ran.code, &ran.json()["status"]), (Some(130), &json!("stopped")), "{}", ran.stderr);
    assert_eq!((&ran.item("huge")["status"], &ran.item("huge")["errors"]), (&json!("stopped"), &json!([])));
    assert_eq!(fs::read_dir(trees.to.join("huge")).unwrap().count(), 0);
    assert_only_whole_files(&trees);

    resize(&trees.from.join("huge/file"), 3 * 1024 * 1024 + 1);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn what_is_left_of_a_killed_run_is_gone_after_the_next() {
    let trees = endless();
    let mut running = Running::start(trees.command(&[]));
    running.wait_for("huge: 0% of 1.00 TiB");
    drop(running);
    assert_eq!(fs::read_dir(trees.to.join("huge")).unwrap().count(), 1);

    resize(&trees.from.join("huge/file"), 4096);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
#[cfg(target_os = "linux")]
fn on_a_terminal_there_are_bars_and_the_key_stops_it() {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: `script`, which makes the terminal, is not installed");
        return;
    }
    let trees = endless();
    let mut command = Command::new("script");
    let line = format!("{:?}", trees.command(&[]));
    command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
    let mut running = Running::start(command);
    running.wait_for("/1.00 TiB");
    let keyboard = running.child.stdin.as_mut().expect("standard input is piped");
    std::io::Write::write_all(keyboard, b"\x03").unwrap();
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{}", ran.stdout);
    assert!(!ran.stdout.contains("huge: started"), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nstopped "), "{}", ran.stdout);
    assert_only_whole_files(&trees);
}

/// A tree whose item `huge` holds a file with a hole of one TiB, which reads as so many zeros.
fn endless() -> Trees {
    let trees = Trees::full();
    fs::create_dir(trees.from.join("huge")).unwrap();
    resize(&trees.from.join("huge/file"), 1 << 40);
    trees
}

fn resize(path: &Path, bytes: u64) {
    let file = File::options().create(true).truncate(false).write(true).open(path).unwrap();
    file.set_len(bytes).unwrap();
}

/// Asserts that every file in TO, under whatever name, is one of FROM and whole.
fn assert_only_whole_files(trees: &Trees) {
    for (path, (.., contents)) in snapshot(&trees.to) {
        let origin = trees.from.join(&path);
        assert!(origin.symlink_metadata().is_ok(), "{} is in TO only", path.display());
        if origin.is_file() && !origin.is_symlink() {
            assert_eq!(contents, fs::read(origin).unwrap(), "{}", path.display());
        }
    }
}

/// A program that is running. It is killed when dropped, so that a failing test does not fill the disk.
struct Running {
    child: Child,
    heard: Receiver<(Stream, Vec<u8>)>,
    ran: Ran,
}

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Error,
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (sender, heard) = channel();
        listen(child.stdout.take().expect("it is piped"), Stream::Output, sender.clone());
        listen(child.stderr.take().expect("it is piped"), Stream::Error, sender);
        Self { child, heard, ran: Ran { code: None, stdout: String::new(), stderr: String::new() } }
    }

    /// Waits until the program has said this.
    fn wait_for(&mut self, text: &str) {
        while !self.ran.stdout.contains(text) && !self.ran.stderr.contains(text) {
            assert!(self.listen(), "it never said {text}: {}{}", self.ran.stdout, self.ran.stderr);
        }
    }

    /// Waits until the program has ended, as it must within the grace.
    fn end(mut self) -> Ran {
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
