//! A host in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use syncmgr_console::Client;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A directory with a `from`, a settings file, and what a host makes.
pub(crate) struct Place {
    folder: TempDir,
    /// Receives what the host tells systemd.
    systemd: UnixDatagram,
}

impl Place {
    /// Creates the directory. The settings have a folder `docs` with these lines.
    pub(crate) fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is a directory for temporary files");
        let systemd = UnixDatagram::bind(folder.path().join("notify.sock")).expect("the directory is new");
        let place = Self { folder, systemd };
        place.write("from/plans/plan", "the plan");
        place.write("from/letter", "the letter");
        place.set(lines);
        place
    }

    /// Writes the settings, with these lines for the folder.
    pub(crate) fn set(&self, lines: &str) {
        let text = format!(
            "state = \"state/state.sqlite\"\nsocket = \"run/host.sock\"\n[[folder]]\nname = \"docs\"\nfrom = \"from\"\nto = \"to\"\n\
             {lines}\n"
        );
        self.write("host.toml", &text);
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it is in the directory")).expect("the directory is writable");
        fs::write(path, text).expect("the directory is writable");
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    /// Returns the program with these arguments, in an environment of its own.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncmgr"));
        command.env_clear().env("HOME", self.folder.path()).args(args).kill_on_drop(true);
        command
    }

    /// Starts a host, and waits until it is ready.
    pub(crate) async fn host(&self) -> Host<'_> {
        self.host_with(&[], &[]).await
    }

    /// Starts a host with more arguments and variables, and waits until it is ready.
    pub(crate) async fn host_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Host<'_> {
        let config = self.path("host.toml");
        let mut command = self.command(&["host", "--config", &config.to_string_lossy()]);
        command.args(args).envs(variables.iter().copied());
        command.env("NOTIFY_SOCKET", self.path("notify.sock")).env("WATCHDOG_USEC", "3600000000");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program exists");
        let host = Host { place: self, child };
        host.told("READY=1").await;
        host
    }

    /// Runs the client with these arguments. Returns its exit code and its output.
    pub(crate) async fn client(&self, args: &[&str]) -> (i32, String) {
        let mut command = self.command(&["--socket"]);
        let output = command.arg(self.path("run/host.sock")).args(args).output().await.expect("the program exists");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().expect("it ended by itself"), String::from_utf8(text).expect("the output is UTF-8"))
    }

    /// Returns the lines of the log of `docs`, without their times.
    pub(crate) async fn log(&self) -> Vec<String> {
        let (_, out) = self.client(&["log", "docs"]).await;
        out.lines().map(|line| line.split_once("Z ").map_or(line, |(_, rest)| rest).trim_start().to_owned()).collect()
    }
}

/// A running host.
pub(crate) struct Host<'a> {
    place: &'a Place,
    child: Child,
}

impl Host<'_> {
    /// Waits until the host has told this to systemd.
    pub(crate) async fn told(&self, state: &str) {
        let mut message = [0; 1024];
        loop {
            let length = within(self.place.systemd.recv(&mut message)).await.expect("the socket is open");
            if std::str::from_utf8(&message[..length]).expect("the states are UTF-8").lines().any(|line| line == state)
            {
                return;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the host runs").try_into().expect("an id of a process is positive");
        kill_process(Pid::from_raw(id).expect("an id of a process is not zero"), signal).expect("the host runs");
    }

    /// Waits for the end. Returns the exit status, the standard output and the log.
    pub(crate) async fn end(mut self) -> (ExitStatus, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().expect("it is piped").read_to_string(&mut out).await.expect("the output is UTF-8");
        self.child.stderr.take().expect("it is piped").read_to_string(&mut err).await.expect("the log is UTF-8");
        (within(self.child.wait()).await.expect("the host ends"), out, err)
    }

    /// Ends the host with SIGTERM.
    pub(crate) async fn terminate(self) -> (ExitStatus, String, String) {
        self.signal(Signal::TERM);
        self.end().await
    }

    pub(crate) fn api(&self) -> Client {
        Client::new(self.socket())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.place.path("run/host.sock")
    }

    /// Waits until an item with this name has ended in any session. Call `within` the stream that was opened before its cause.
    pub(crate) async fn ended(events: &mut syncmgr_console::Events, name: &str) {
        loop {
            let event: Value = within(events.next()).await.expect("the host serves").expect("the host runs");
            if event["event"] == "ended" && event["name"] == name {
                return;
            }
        }
    }
}

/// Waits for what a host does, and not for ever if it does not.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(300), future).await.expect("the host does it within minutes")
}

/// Returns `true` if only this user may use the file.
pub(crate) fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o077 == 0)
}
