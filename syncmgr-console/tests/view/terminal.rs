//! A terminal of tmux, with a server of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::sleep;

use crate::support::Host;

/// The number of times that a screen is captured before the test fails, and the wait between them.
const TRIES: usize = 1500;
const WAIT: Duration = Duration::from_millis(20);

/// The size of a terminal in columns and lines.
pub(crate) type Size = (u16, u16);

pub(crate) const SIZES: [Size; 3] = [(80, 24), (120, 40), (60, 20)];

/// Returns `true` if tmux is installed. Otherwise says that the test of the caller is skipped, or fails if the machine is meant to run
/// every test.
pub(crate) async fn has_tmux() -> bool {
    let found = Command::new("tmux").arg("-V").stdout(Stdio::null()).status().await.is_ok();
    let skips = std::env::var_os("SYNCMGR_NO_SKIP").is_none_or(|value| value != "1");
    assert!(found || skips, "not skipped: tmux is not installed");
    if !found {
        eprintln!("skipped: tmux is not installed");
    }
    found
}

/// A terminal in which a shell runs.
pub(crate) struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Opens a terminal of this size, and starts the view in its shell.
    pub(crate) async fn with_view(host: &Host, size: Size) -> Self {
        let terminal = Self::open(size).await;
        terminal.start(host, "").await;
        terminal.shows("live").await;
        terminal
    }

    /// Opens a terminal of this size.
    pub(crate) async fn open((width, height): Size) -> Self {
        let terminal = Self { folder: tempfile::tempdir().expect("there is a directory for temporary files") };
        let (width, height) = (width.to_string(), height.to_string());
        let shell = "env -u NO_COLOR PS1='$ ' sh";
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, shell]).await;
        terminal
    }

    /// Starts the view in the shell, with these variables.
    pub(crate) async fn start(&self, host: &Host, variables: &str) {
        self.run(host, variables, "").await;
    }

    /// Starts the program in the shell, with these variables and arguments. Its process id is in the file `pid`, and the shell says when
    /// it has ended.
    pub(crate) async fn run(&self, host: &Host, variables: &str, args: &str) {
        let (program, pid) = (env!("CARGO_BIN_EXE_syncmgr"), self.folder.path().join("pid"));
        let line = format!(
            "{variables} sh -c 'echo $$ > {}; exec {program} --socket {} {args}'; echo ended $?",
            pid.display(),
            host.socket().display()
        );
        self.types(&line).await;
        self.press(&["Enter"]).await;
    }

    /// Sends a signal to the program.
    pub(crate) async fn kill(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).expect("the shell has written it");
        let status = Command::new("kill").args(["-s", signal, pid.trim()]).status().await.expect("there is a kill");
        assert!(status.success());
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command of tmux, and returns its output.
    pub(crate) async fn tmux(&self, args: &[&str]) -> String {
        let socket = self.folder.path().join("tmux.sock");
        let output = Command::new("tmux").arg("-S").arg(socket).args(args).output().await.expect("tmux is installed");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("the output is UTF-8")
    }

    /// Types text.
    pub(crate) async fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]).await;
    }

    /// Presses keys, by their names in tmux.
    pub(crate) async fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat()).await;
    }

    pub(crate) async fn resize(&self, (width, height): Size) {
        self.tmux(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]).await;
    }

    /// Returns the text of the screen.
    pub(crate) async fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).await
    }

    /// Waits until the screen contains this text, and returns it.
    pub(crate) async fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text)).await
    }

    /// Waits until the screen has a line with all of these texts.
    pub(crate) async fn shows_line(&self, texts: &[&str]) -> String {
        let is_line = |line: &str| texts.iter().all(|text| line.contains(text));
        self.until(&texts.join(" .. "), |screen| screen.lines().any(is_line)).await
    }

    /// Waits until the screen fulfils a condition.
    pub(crate) async fn until(&self, expected: &str, condition: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        let found = eventually_found(async || {
            screen = self.screen().await;
            condition(&screen)
        });
        assert!(found.await, "the screen does not show `{expected}`:\n{screen}");
        screen
    }
}

/// Waits until a condition is fulfilled.
pub(crate) async fn eventually(expected: &str, condition: impl AsyncFnMut() -> bool) {
    assert!(eventually_found(condition).await, "{expected}");
}

async fn eventually_found(mut condition: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..TRIES {
        if condition().await {
            return true;
        }
        sleep(WAIT).await;
    }
    false
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.folder.path().join("tmux.sock");
        // A server that has ended already needs no end.
        let _ = std::process::Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}
