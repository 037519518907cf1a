//! Serves on 127.0.0.1 until Ctrl-C or SIGTERM, and synchronizes when asked to.
//!
//! ```text
//! cargo run -p embed -- [--port N] [--files N] [--steps N] [--pace MS]
//! ```
//!
//! It ends with 0 when everything was stopped, 1 when something could not be, and 2 when it was called wrongly.

mod quit;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use embed::handler::Downloads;
use embed::server::Server;
use syncmgr::anyhow::Context;
use syncmgr::prelude::*;
use tokio::runtime::Runtime;

/// A web server that also synchronizes: POST /sync/sessions starts a session.
#[derive(Parser)]
#[command(name = "embed", version)]
struct Args {
    /// The port on 127.0.0.1; 0 is any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// How many files there are to download
    #[arg(long, value_name = "N", default_value_t = 4)]
    files: u32,

    /// In how many steps each is downloaded
    #[arg(long, value_name = "N", default_value_t = 50)]
    steps: u64,

    /// How long each step takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pace: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // The program's own log, to stderr. What the manager and its handlers say turns up in it.
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    run(args).unwrap_or_else(|error| {
        eprintln!("embed: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(args: Args) -> SyncResult<ExitCode> {
    let runtime = Runtime::new()?;
    let unstopped = runtime.block_on(serve(args));
    // A runtime that is dropped waits for blocking work, even for work that could not be stopped.
    runtime.shutdown_background();
    let unstopped = unstopped?;
    for handler in &unstopped {
        eprintln!("embed: {handler}; its work ends with this process");
    }
    Ok(if unstopped.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(args: Args) -> SyncResult<Vec<syncmgr::session::Unstopped>> {
    // Before anything is told, so that whoever reads it can end us properly.
    let quit = quit::requested()?;
    let manager = SyncManager::new();
    manager.register(Downloads::new(args.files, args.steps, Duration::from_millis(args.pace)))?;
    let server =
        Server::bind(args.port, manager).await.with_context(|| format!("cannot listen on port {}", args.port))?;
    let mut out = io::stdout();
    writeln!(out, "listening on http://{}", server.address())?;
    writeln!(out, "token: {}", server.token().reveal())?;
    Ok(server.serve(quit).await?)
}
