//! The child process: this program, started again to be killed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use syncmgr::SyncResult;
use syncmgr::retry::Resume;
use syncmgr::store::{Durability, SqliteOptions};

use crate::folder::Folder;
use crate::scenario::{Scenario, write_long_log};

const CONFIG_VARIABLE: &str = "KILL_CHILD_CONFIG";

/// The byte that a child prints at each failpoint of its store.
const MARK: u8 = b'#';

/// The configuration of a child.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ChildConfig {
    pub(crate) task: Task,
    pub(crate) resume: ResumeMode,
    /// The failpoint at which the child is killed, and the number of the hit, from 1.
    pub(crate) kill: Option<(String, usize)>,
    pub(crate) durability: ChildDurability,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Runs the whole scenario.
    #[default]
    All,
    /// Runs the whole scenario, then dies with the store open.
    AllThenDie,
    /// Writes more log entries than the store keeps.
    WriteLongLog,
    /// Holds the store open until it is killed.
    HoldOpen,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ResumeMode {
    #[default]
    AtNextTrigger,
    Immediately,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChildDurability {
    #[default]
    Process,
    Power,
}

/// The end of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitKind {
    Done,
    Killed,
}

impl ChildConfig {
    pub(crate) fn killed_at(step: &str, hits: usize) -> Self {
        Self { kill: Some((step.to_string(), hits)), ..Self::default() }
    }

    /// Starts a child.
    pub(crate) fn start(&self, folder: &Folder) -> Child {
        let config = serde_json::to_string(&(self, &folder.0)).expect("a configuration is JSON");
        let mut command = Command::new(std::env::current_exe().expect("the test program has a path"));
        command.args(["--exact", "child::the_child", "--ignored", "--nocapture"]).env(CONFIG_VARIABLE, config);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the child starts")
    }

    /// Runs a child to its end, and returns how it ended and the failpoints of its store.
    pub(crate) fn run(&self, folder: &Folder) -> (ExitKind, Vec<String>) {
        let output = self.start(folder).wait_with_output().expect("the child ends");
        (exit_kind(&output), steps(&output))
    }

    /// Runs a child and kills it once it has passed `steps` failpoints and this process has spun `spins` times.
    pub(crate) fn kill_after(&self, folder: &Folder, steps: usize, spins: usize) -> ExitKind {
        let mut child = self.start(folder);
        wait_for_marks(&mut child, steps);
        (0..spins).for_each(|_| std::hint::spin_loop());
        child.kill().expect("the child can be killed");
        exit_kind(&child.wait_with_output().expect("the child ends"))
    }
}

/// Waits until a child has passed `steps` failpoints or has ended.
pub(crate) fn wait_for_marks(child: &mut Child, mut steps: usize) {
    let (output, mut bytes) = (child.stdout.as_mut().expect("the output is piped"), [0; 1]);
    while steps > 0 && output.read(&mut bytes).expect("the pipe can be read") == 1 {
        steps -= usize::from(bytes[0] == MARK);
    }
}

fn exit_kind(output: &Output) -> ExitKind {
    use std::os::unix::process::ExitStatusExt;
    match (output.status.signal(), output.status.success()) {
        (Some(9), _) => ExitKind::Killed,
        (_, true) => ExitKind::Done,
        _ => panic!("the child failed\n{}{}", text(&output.stdout), text(&output.stderr)),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the failpoints that a child printed.
fn steps(output: &Output) -> Vec<String> {
    text(&output.stdout).lines().filter_map(|line| line.strip_prefix('#')).map(str::to_string).collect()
}

#[test]
#[ignore = "the child process of the other tests"]
fn the_child() {
    let Ok(config) = std::env::var(CONFIG_VARIABLE) else { return };
    let (config, folder): (ChildConfig, std::path::PathBuf) =
        serde_json::from_str(&config).expect("the configuration is JSON");
    println!();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.expect("the runtime is built").block_on(run_child(config, Folder(folder))).expect("the child succeeds");
}

async fn run_child(config: ChildConfig, folder: Folder) -> SyncResult {
    let durability = if config.durability == ChildDurability::Power { Durability::Power } else { Durability::Process };
    let kill = config.kill.clone();
    let options = SqliteOptions::new().durability(durability).on_failpoint(Arc::new(print_and_die_at(kill)));
    let resume = if config.resume == ResumeMode::Immediately { Resume::Immediately } else { Resume::AtNextTrigger };
    if config.task == Task::WriteLongLog {
        let store = options.open(folder.state())?;
        write_long_log(&store, 10_000).await?;
        return write_long_log(&store, 5).await;
    }
    let scenario = Scenario::open(&folder, options, resume)?;
    if config.task == Task::HoldOpen {
        // Ends when the parent closes the pipe.
        std::io::stdin().read_to_string(&mut String::new())?;
        return Ok(());
    }
    scenario.run(resume).await?;
    if config.task == Task::AllThenDie {
        die();
    }
    scenario.manager.shutdown().await;
    Ok(())
}

/// Returns a function that prints each failpoint, and dies at the configured failpoint.
fn print_and_die_at(kill: Option<(String, usize)>) -> impl Fn(&'static str) + Send + Sync {
    let passed: Mutex<BTreeMap<&'static str, usize>> = Mutex::default();
    move |step| {
        let hits = {
            let mut passed = passed.lock().expect("not poisoned");
            let hits = passed.entry(step).or_default();
            *hits += 1;
            *hits
        };
        let mut line = vec![MARK];
        line.extend(step.bytes().chain([b'\n']));
        // The parent may have exited.
        let _ = std::io::stdout().write_all(&line).and_then(|()| std::io::stdout().flush());
        if kill.as_ref().is_some_and(|(at, nth)| at == step && *nth == hits) {
            die();
        }
    }
}

/// Ends this process as `kill -9` does.
fn die() -> ! {
    kill_process(getpid(), Signal::KILL).expect("a process can kill itself");
    unreachable!("SIGKILL ends the process")
}
