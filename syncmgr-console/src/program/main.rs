//! The program `syncmgr`: a client of the console of a running program, and a host of folder pairs.
//!
//! Without a command, it opens the full-screen view in a terminal, and prints its usage elsewhere.
//!
//! `args` documents the exit codes.

#![cfg(unix)]

mod args;
mod ask;
mod attendance;
mod commands;
#[cfg(feature = "host")]
mod host;
mod log;
#[cfg(feature = "manual")]
mod manual;
mod names;
mod output;
mod run;
mod schedule;
mod streams;
#[cfg(feature = "view")]
mod view;
mod web;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use serde_json::json;

use self::args::Args;
use self::commands::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.json;
    #[cfg(feature = "host")]
    if let Some(args::Command::Host { config }) = args.command {
        return host::main(config, args.socket, json);
    }
    if args.command.is_none() && !opens_view(&args) {
        let usage =
            Args::command().error(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, Args::command().render_help());
        usage.exit();
    }
    match start(args) {
        Ok(code) => code,
        Err(failure) => {
            match json {
                true => eprintln!("{}", json!({ "error": failure.to_string(), "code": failure.code() })),
                false => eprintln!("syncmgr: {failure}"),
            }
            ExitCode::from(failure.code())
        }
    }
}

/// Returns `true` if the program opens the full-screen view when no command is given.
fn opens_view(args: &Args) -> bool {
    cfg!(feature = "view") && !args.json && io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn start(args: Args) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let performed = runtime.block_on(commands::perform(args));
    // Dropping the runtime would wait for a prompt that the user has left with Ctrl-C.
    runtime.shutdown_background();
    performed
}
