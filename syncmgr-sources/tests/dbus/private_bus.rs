//! A message bus of the test's own, and stand-ins for daemons on it.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use futures::StreamExt;
use rustix::process::{Pid, Signal, kill_process};
use syncmgr_sources::{Bus, Settings};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use zbus::{Connection, MatchRule, MessageStream, Variant, connection};

use crate::TOO_LONG;
use crate::skip::skip;

const CONFIGURATION: &str = r#"<busconfig>
  <listen>unix:path=ADDRESS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>"#;

/// A private message bus. The process ends when this is dropped.
pub(crate) struct PrivateBus {
    directory: TempDir,
    process: Option<Child>,
}

impl PrivateBus {
    /// Starts a bus. `None` if this machine lacks the tools; the test is skipped then.
    pub(crate) async fn start() -> Option<Self> {
        let mut bus = Self::stopped()?;
        bus.restart().await;
        Some(bus)
    }

    /// A bus that does not run yet. `None` if this machine lacks the tools; the test is skipped then.
    pub(crate) fn stopped() -> Option<Self> {
        if let Some(missing) = missing_tool() {
            skip(missing);
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let configuration = CONFIGURATION.replace("ADDRESS", directory.path().join("bus").to_str().unwrap());
        std::fs::write(directory.path().join("bus.conf"), configuration).unwrap();
        Some(Self { directory, process: None })
    }

    /// Starts the bus again, at the same address.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        let configuration = format!("--config-file={}", self.directory.path().join("bus.conf").display());
        let mut process = Command::new("dbus-daemon")
            .args([configuration.as_str(), "--nofork", "--nopidfile", "--print-address"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null()) // It warns about its limits on many machines.
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // The bus prints its address once it listens.
        let read = process.stdout.as_mut().unwrap().read_u8();
        tokio::time::timeout(TOO_LONG, read).await.unwrap().unwrap();
        self.process = Some(process);
    }

    pub(crate) async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await.unwrap();
        }
        let _ = std::fs::remove_file(self.directory.path().join("bus"));
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.directory.path().join("bus").display())
    }

    /// Returns settings for sources on this bus, which connect again soon.
    pub(crate) fn settings(&self) -> Settings {
        let bus = Bus::at(&self.address()).unwrap();
        Settings::default().with_bus(bus.with_waits(Duration::from_millis(10), Duration::from_millis(100)))
    }

    /// Starts the stand-in of a daemon and waits until it has its name.
    pub(crate) async fn daemon(&self, template: &str, name: &'static str) -> FakeDaemon {
        let connection = connection::Builder::address(self.address().as_str()).build().await.unwrap();
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .interface("org.freedesktop.DBus")
            .member("NameOwnerChanged")
            .arg(0, name)
            .build()
            .unwrap();
        let mut owners = MessageStream::for_match_rule(rule, &connection, None).await.unwrap();
        let process = Command::new(python().unwrap())
            .args(["-m", "dbusmock", "--template", template])
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.address())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        tokio::time::timeout(TOO_LONG, owners.next()).await.unwrap().unwrap().unwrap();
        FakeDaemon { name, connection, process }
    }
}

/// The stand-in of a daemon. The process ends when this is dropped.
pub(crate) struct FakeDaemon {
    name: &'static str,
    pub(crate) connection: Connection,
    process: Child,
}

impl FakeDaemon {
    /// Calls a method of the stand-in itself.
    pub(crate) async fn mock<B>(&self, path: &str, method: &str, body: &B) -> zbus::Message
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        let mock = Some("org.freedesktop.DBus.Mock");
        self.connection.call_method(Some(self.name), path, mock, method, body).await.unwrap()
    }

    /// Changes properties one after another, each with a signal.
    pub(crate) async fn set(&self, path: &str, interface: &str, properties: &[(&str, Variant<'_>)]) {
        for (name, value) in properties {
            let properties = Some("org.freedesktop.DBus.Properties");
            let body = (interface, *name, value);
            self.connection.call_method(Some(self.name), path, properties, "Set", &body).await.unwrap();
        }
    }

    /// Adds properties that the template lacks. There is no signal.
    pub(crate) async fn add(&self, path: &str, interface: &str, properties: &[(&str, Variant<'_>)]) {
        let properties: HashMap<_, _> = properties.iter().map(|(name, value)| (*name, value)).collect();
        self.mock(path, "AddProperties", &(interface, properties)).await;
    }

    /// Emits a signal with one argument.
    pub(crate) async fn emit(&self, path: &str, interface: &str, signal: &str, signature: &str, value: Variant<'_>) {
        self.mock(path, "EmitSignal", &(interface, signal, signature, vec![value])).await;
    }

    /// Sends a signal of the operating system to the process.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.try_into().unwrap()));
        kill_process(id.unwrap(), signal).unwrap();
    }

    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }
}

fn missing_tool() -> Option<&'static str> {
    if !runs("dbus-daemon", &["--version"]) {
        return Some("dbus-daemon is not installed");
    }
    python().is_none().then_some("python3-dbusmock is not installed")
}

/// Returns a Python that has dbusmock. The package of a system is for the Python of that system.
fn python() -> Option<&'static str> {
    static PYTHON: OnceLock<Option<&str>> = OnceLock::new();
    let has_mock = |python: &&str| runs(python, &["-c", "import dbusmock"]);
    *PYTHON.get_or_init(|| ["python3", "/usr/bin/python3"].into_iter().find(has_mock))
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
