//! The cost of scheduled items at rest and when they fire, compared with tasks of tokio that sleep, and with sessions that are
//! started by hand.
//!
//! `cargo bench --bench triggers`; see BENCHMARKS.md for the meaning of the figures.

mod firing;
mod fixture;
mod meter;
#[path = "../common/processor_time.rs"]
mod processor_time;
mod rest;

use std::process::Command;

/// The argument that makes this program measure one row and print it.
const ROW: &str = "--row";

/// Measures some work with this number of items and prints the result.
type Measure = fn(usize);

/// The rows of a table.
struct Table {
    heading: &'static str,
    rows: &'static [(&'static str, Measure)],
}

const TABLES: [Table; 3] = [
    Table {
        heading: "live heap bytes per item at rest, without the text of the names",
        rows: &[
            ("task with a sleep", rest::tasks),
            ("item without a schedule", rest::none),
            ("its handler has the schedule", rest::of_handler),
            ("all items share one", rest::one),
            ("1,000 intervals", rest::intervals_of_many),
            ("an interval for each item", rest::intervals_each),
            ("a single time for each item", rest::single_times),
            ("a cron expression for each item", rest::cron_each),
        ],
    },
    Table {
        heading: "processor time per firing, ns; in a day each item of 1,000 cron expressions fires once",
        rows: &[
            ("task that sleeps and works", firing::sleeping_tasks),
            ("the same, with its start", firing::started_tasks),
            ("scheduled item", firing::scheduled_items),
            ("item of 1,000 scheduled handlers", firing::scheduled_handlers),
        ],
    },
    Table {
        heading: "processor time per item, ns, when all come due at once; beside a session started by hand",
        rows: &[
            ("one schedule", firing::at_once),
            ("1,000 schedules", firing::at_once_of_many),
            ("a schedule for each item", firing::at_once_each),
        ],
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(row) = arguments.iter().position(|argument| argument == ROW) {
        let items = arguments[row + 2].parse().expect("the number of items");
        let mut rows = TABLES.iter().flat_map(|table| table.rows);
        let (_, measure) = rows.find(|(name, _)| *name == arguments[row + 1]).expect("a row");
        return measure(items);
    }
    let items = if arguments.iter().any(|argument| argument == "--test") { "2000" } else { "100000" };
    let wanted = arguments.iter().skip(1).find(|argument| !argument.starts_with("--")).cloned().unwrap_or_default();
    for Table { heading, rows } in TABLES {
        println!("{heading}, of {items} items");
        rows.iter().filter(|(name, _)| name.contains(&wanted)).for_each(|(name, _)| run_row(name, items));
    }
}

/// Measures a row in a process of its own.
fn run_row(name: &str, items: &str) {
    let program = std::env::current_exe().expect("the program has a path");
    let status = Command::new(program).args([ROW, name, items]).status().expect("the program starts");
    assert!(status.success(), "the row `{name}` of {items} items failed");
}

/// Prints a row. A figure is absent if the system does not count processor time.
fn print(name: &str, figures: &[f64]) {
    let figures = figures.iter().map(|figure| Some(*figure).filter(|figure| figure.is_finite() && *figure > 0.0));
    let text = |figure: Option<f64>| figure.map_or_else(|| format!("{:>10}", "-"), |figure| format!("{figure:>10.1}"));
    let figures: String = figures.map(text).collect();
    println!("{name:<36} {figures}");
}
