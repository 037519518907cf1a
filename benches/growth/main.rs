//! The growth of each operation's cost with the number of items, handlers, sessions or records it has to do with.
//!
//! `cargo bench --bench growth`; a name as argument selects the dimensions that contain it. Measures each dimension with 1,000, 10,000
//! and 100,000 things, each in a process of its own, and prints the cost of one operation. Where valgrind is installed, it counts the
//! instructions too. Fails if one operation takes more work as the number grows: if the exponent of its cost between two neighbouring
//! sizes is above 0.15, which is an exponent of 1.15 for all operations together.
//!
//! Work is counted, because times depend on caches and on the load of the machine.

mod fixture;
mod handlers;
mod items;
mod log;
mod meter;
#[path = "../common/processor_time.rs"]
mod processor_time;
mod sessions;
mod store;

use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output};

use meter::{Figures, Meter};

/// The argument that makes this program measure one dimension and print its figures.
const ROW: &str = "--row";

/// The maximum exponent with which the work of one operation may grow.
const MOST: f64 = 0.15;

/// A dimension in which the number of things grows.
struct Dimension {
    name: &'static str,
    /// Prepares this number of things, and passes the operations on them to the meter.
    run: fn(usize, &Meter),
    /// The maximum number of things, for operations that each do real work.
    most: usize,
}

const fn dimension(name: &'static str, run: fn(usize, &Meter)) -> Dimension {
    Dimension { name, run, most: 100_000 }
}

impl Dimension {
    const fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }
}

const DIMENSIONS: [Dimension; 32] = [
    dimension("register a handler", handlers::register),
    dimension("unregister a handler", handlers::unregister),
    dimension("item that succeeds", items::succeed),
    dimension("item that fails", items::fail),
    dimension("item that fails, no store", items::fail_unstored),
    dimension("item that needs the user", items::need_user),
    dimension("item that asks a question", items::ask),
    dimension("item behind a claim of capacity 1", items::claim_one),
    dimension("item of many handlers behind a claim of capacity 4", items::claim_of_handlers),
    dimension("retry that is due together with others", items::retry).at_most(10_000),
    dimension("item whose events are read", items::events),
    dimension("handler in a session", handlers::session).at_most(10_000),
    dimension("handler whose events are read", handlers::events).at_most(10_000),
    dimension("skip a waiting item", items::skip),
    dimension("explain an item, session open", log::explain_open),
    dimension("explain an item, session closed", log::explain_closed),
    dimension("the reason of an item in a report", log::why),
    dimension("answer a question", log::answer).at_most(10_000),
    dimension("list an item's status", log::list),
    dimension("read a log entry", log::read),
    dimension("disable an item", log::disable).at_most(10_000),
    dimension("forget an item", log::forget).at_most(10_000),
    dimension("pause and resume an open session", sessions::pause).at_most(10_000),
    dimension("start a session behind another", sessions::queue).at_most(10_000),
    dimension("session whose manager's events are read", sessions::manager_events).at_most(10_000),
    dimension("handler whose manager's events are read", sessions::manager_events_of_handlers).at_most(10_000),
    dimension("session of one item of many", sessions::one_of_many).at_most(10_000),
    dimension("session of one item, stored", store::one_item_sessions).at_most(10_000),
    dimension("session after many in the history", store::session_after_many),
    dimension("page of 100 sessions of the history", store::page),
    dimension("stop an item, stored", store::stop),
    dimension("save an item", store::save),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(row) = arguments.iter().position(|argument| argument == ROW) {
        let count = arguments[row + 2].parse().expect("the number of things");
        let dimension = DIMENSIONS.iter().find(|dimension| dimension.name == arguments[row + 1]);
        (dimension.expect("a dimension").run)(count, &Meter);
        return ExitCode::SUCCESS;
    }
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let wanted = arguments.iter().skip(1).find(|argument| !argument.starts_with("--")).cloned().unwrap_or_default();
    let sizes: &[usize] = if is_test { &[200, 2_000] } else { &[1_000, 10_000, 100_000] };
    println!(
        "{:<52} {:>8} {:>9} {:>8} {:>8} {:>12} {:>9}",
        "each", "of", "us", "allocs", "bytes", "instructions", "exponent"
    );
    let selected = DIMENSIONS.iter().filter(|dimension| dimension.name.contains(&wanted));
    let growing: Vec<_> =
        selected.filter(|dimension| grows(dimension, sizes, is_test)).map(|dimension| dimension.name).collect();
    if growing.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\ngrowing: {}", growing.join(", "));
    ExitCode::FAILURE
}

/// Prints a dimension at all sizes. Returns `true` if its cost grows.
fn grows(dimension: &Dimension, sizes: &[usize], is_test: bool) -> bool {
    let (mut before, mut grows): (Option<(usize, f64)>, _) = (None, false);
    for size in sizes.iter().copied().filter(|size| *size <= dimension.most) {
        let figures = figures(dimension, size, is_test);
        let exponent = before.map(|(count, work)| (figures.work() / work).ln() / (size as f64 / count as f64).ln());
        println!(
            "{:<52} {size:>8} {figures} {}",
            dimension.name,
            exponent.map_or(String::new(), |exponent| format!("{exponent:>9.2}"))
        );
        grows |= exponent.is_some_and(|exponent| exponent > MOST);
        before = Some((size, figures.work()));
    }
    grows
}

/// Measures a dimension in one process, and counts its instructions in another. A test counts only.
fn figures(dimension: &Dimension, size: usize, is_test: bool) -> Figures {
    let counted = counted(dimension, size);
    let measured = counted.clone().filter(|_| is_test).unwrap_or_else(|| {
        let measured = row(Command::new(program()), dimension, size).expect("the program starts");
        let error = String::from_utf8_lossy(&measured.stderr).into_owned();
        assert!(measured.status.success(), "{} of {size}: {error}", dimension.name);
        measured
    });
    Figures::parse(&String::from_utf8_lossy(&measured.stdout)).with_instructions(counted)
}

/// Runs a dimension under callgrind. Returns `None` if valgrind is not installed.
fn counted(dimension: &Dimension, size: usize) -> Option<Output> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={}", meter::COUNTED))
        .arg(program());
    row(valgrind, dimension, size).ok().filter(|output| output.status.success())
}

fn row(mut program: Command, dimension: &Dimension, size: usize) -> io::Result<Output> {
    // An error would capture a backtrace.
    program.args([ROW, dimension.name, &size.to_string()]).env("RUST_BACKTRACE", "0").output()
}

fn program() -> PathBuf {
    std::env::current_exe().expect("the program has a path")
}
