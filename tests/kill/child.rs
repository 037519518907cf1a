//! The child: this program, started again to be killed.

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
use crate::story::{Story, chatter};

const ORDERS: &str = "KILL_ORDERS";

/// What a child writes at each step of its store.
const MARK: u8 = b'#';

/// What a child is to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) part: Part,
    pub(crate) going_on: GoingOn,
    /// To be killed at this passing, from 1 upwards, of this step.
    pub(crate) kill: Option<(String, usize)>,
    pub(crate) disk: Disk,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// Everything there is to do.
    #[default]
    Play,
    /// Everything, and then to be killed with the store open.
    PlayAndDie,
    /// More log than is kept.
    Chatter,
    /// To have the store open until somebody kills it.
    Hold,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GoingOn {
    #[default]
    AtNextTrigger,
    AtOnce,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Disk {
    #[default]
    Process,
    Power,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    Killed,
}

impl Orders {
    pub(crate) fn killed_at(step: &str, passing: usize) -> Self {
        Self { kill: Some((step.to_string(), passing)), ..Self::default() }
    }

    /// Starts a child.
    pub(crate) fn start(&self, folder: &Folder) -> Child {
        let orders = serde_json::to_string(&(self, &folder.0)).expect("orders are JSON");
        let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
        command.args(["--exact", "child::the_child", "--ignored", "--nocapture"]).env(ORDERS, orders);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the child starts")
    }

    /// Runs a child to its end, whatever that is, and returns the steps of its store.
    pub(crate) fn run(&self, folder: &Folder) -> (Fate, Vec<String>) {
        let output = self.start(folder).wait_with_output().expect("the child ends");
        (fate(&output), steps(&output))
    }

    /// Runs a child and kills it from outside once it has passed so many steps and this process has spun for a while.
    pub(crate) fn kill_after(&self, folder: &Folder, steps: usize, spins: usize) -> Fate {
        let mut child = self.start(folder);
        wait_for_marks(&mut child, steps);
        (0..spins).for_each(|_| std::hint::spin_loop());
        child.kill().expect("a child of ours can be killed");
        fate(&child.wait_with_output().expect("the child ends"))
    }
}

/// Waits until a child has passed so many steps, or has ended.
pub(crate) fn wait_for_marks(child: &mut Child, mut steps: usize) {
    let (output, mut bytes) = (child.stdout.as_mut().expect("a pipe"), [0; 1]);
    while steps > 0 && output.read(&mut bytes).expect("a pipe can be read") == 1 {
        steps -= usize::from(bytes[0] == MARK);
    }
}

fn fate(output: &Output) -> Fate {
    use std::os::unix::process::ExitStatusExt;
    match (output.status.signal(), output.status.success()) {
        (Some(9), _) => Fate::Killed,
        (_, true) => Fate::Done,
        _ => panic!("the child failed\n{}{}", text(&output.stdout), text(&output.stderr)),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The steps a child said it passed.
fn steps(output: &Output) -> Vec<String> {
    text(&output.stdout).lines().filter_map(|line| line.strip_prefix('#')).map(str::to_string).collect()
}

#[test]
#[ignore = "the child of the other tests, which does nothing by itself"]
fn the_child() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let (orders, folder): (Orders, std::path::PathBuf) = serde_json::from_str(&orders).expect("orders");
    println!();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.expect("a runtime").block_on(obey(orders, Folder(folder))).expect("everything goes well");
}

async fn obey(orders: Orders, folder: Folder) -> SyncResult {
    let durability = if orders.disk == Disk::Power { Durability::Power } else { Durability::Process };
    let kill = orders.kill.clone();
    let options = SqliteOptions::new().durability(durability).seams(Arc::new(follow(kill)));
    let resume = if orders.going_on == GoingOn::AtOnce { Resume::AtOnce } else { Resume::AtNextTrigger };
    if orders.part == Part::Chatter {
        let store = options.open(folder.state())?;
        chatter(&store, 10_000).await?;
        return chatter(&store, 5).await;
    }
    let story = Story::open(&folder, options, resume)?;
    if orders.part == Part::Hold {
        // Ends when whoever started it lets go.
        std::io::stdin().read_to_string(&mut String::new())?;
        return Ok(());
    }
    story.play(resume).await?;
    if orders.part == Part::PlayAndDie {
        die();
    }
    story.manager.shutdown().await;
    Ok(())
}

/// Says each step, and ends the process at one.
fn follow(kill: Option<(String, usize)>) -> impl Fn(&'static str) + Send + Sync {
    let passed: Mutex<BTreeMap<&'static str, usize>> = Mutex::default();
    move |step| {
        let passing = {
            let mut passed = passed.lock().expect("whole");
            let passing = passed.entry(step).or_default();
            *passing += 1;
            *passing
        };
        let mut line = vec![MARK];
        line.extend(step.bytes().chain([b'\n']));
        // Whoever listened may be gone.
        let _ = std::io::stdout().write_all(&line).and_then(|()| std::io::stdout().flush());
        if kill.as_ref().is_some_and(|(at, nth)| at == step && *nth == passing) {
            die();
        }
    }
}

/// Ends this process as `kill -9` does.
fn die() -> ! {
    kill_process(getpid(), Signal::KILL).expect("a process can kill itself");
    unreachable!("the signal has come")
}
