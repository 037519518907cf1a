//! Serves on 127.0.0.1 until Ctrl-C or SIGTERM, and starts sync sessions on request.
//!
//! ```text
//! cargo run -p embed -- [--port N] [--files N] [--steps N] [--pace MS] [--every N]
//! ```
//!
//! The exit code is 0 if everything was stopped, 1 if a handler is still running, and 2 for invalid arguments.

mod quit;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use embed::handler::Downloads;
use embed::server::Server;
use syncmgr::anyhow::Context;
use syncmgr::prelude::*;
use syncmgr::schedule::Schedule;
use tokio::runtime::Runtime;

/// A web server with a sync manager: POST /sync/sessions starts a session.
#[derive(Parser)]
#[command(name = "embed", version)]
struct Args {
    /// The port on 127.0.0.1; 0 selects a free port
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// The number of files to download
    #[arg(long, value_name = "N", default_value_t = 4)]
    files: u32,

    /// The number of steps per file
    #[arg(long, value_name = "N", default_value_t = 50)]
    steps: u64,

    /// The duration of a step in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pace: u64,

    /// Also download every N seconds
    #[arg(long, value_name = "N")]
    every: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // The program's log on standard error. It includes the events of the manager and its handlers.
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    run(args).unwrap_or_else(|error| {
        eprintln!("embed: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(args: Args) -> SyncResult<ExitCode> {
    let runtime = Runtime::new()?;
    let still_running = runtime.block_on(serve(args));
    // Dropping the runtime would wait for blocking work, even for work that cannot be stopped.
    runtime.shutdown_background();
    let still_running = still_running?;
    for handler in &still_running {
        eprintln!("embed: {handler}; its work ends with this process");
    }
    Ok(if still_running.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(args: Args) -> SyncResult<Vec<syncmgr::session::StillRunning>> {
    // Signals are handled before the address is printed, so that a reader of the address can end the program cleanly.
    let quit = quit::on_signal()?;
    let manager = SyncManager::new();
    let schedule = args.every.map(|seconds| Schedule::every(Duration::from_secs(seconds))).transpose()?;
    let downloads = Downloads::new(args.files, args.steps, Duration::from_millis(args.pace));
    manager.register(downloads.with_schedule(schedule))?;
    manager.start_scheduler()?;
    let server =
        Server::bind(args.port, manager).await.with_context(|| format!("cannot listen on port {}", args.port))?;
    let mut out = io::stdout();
    writeln!(out, "listening on http://{}", server.address())?;
    writeln!(out, "token: {}", server.token().reveal())?;
    Ok(server.serve(quit).await?)
}
