//! The program `syncmgr`: a client of the console of a running program, and a host of folder pairs.
//!
//! Without a command, it opens the full-screen view in a terminal, and prints its usage elsewhere.
//!
//! `args` documents the exit codes.

#![cfg(unix)]

mod act;
mod advice;
mod args;
mod ask;
mod attendance;
mod commands;
mod echo;
mod entries;
mod failure;
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

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use serde_json::json;

use self::args::Args;
use self::failure::Failure;

/// The exit code for arguments or settings that are not valid.
const INVALID: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() && wants_json(std::env::args_os()) => {
            return fail(&usage_problem(&error), INVALID, true);
        }
        Err(error) if error.use_stderr() => error.exit(),
        Err(help) => {
            // Ends the program if the output cannot be written.
            let _ = help.print().or_else(|error| output::end(&error));
            return ExitCode::SUCCESS;
        }
    };
    let json = args.json;
    #[cfg(feature = "host")]
    if let Some(args::Command::Host { config, pair }) = args.command {
        return host::main(config, pair.as_deref(), args.socket, json);
    }
    if args.command.is_none() && !opens_view(&args) {
        return without_command(json);
    }
    start(args).unwrap_or_else(|failure| fail(&failure.to_string(), failure.code(), json))
}

/// Returns `true` if arguments that cannot be parsed contain `--json`.
fn wants_json(args: impl Iterator<Item = OsString>) -> bool {
    args.take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

/// Returns what is wrong with the arguments, in one line without the usage.
fn usage_problem(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let problem = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = problem.split_whitespace().skip_while(|word| *word == "error:").collect();
    words.join(" ")
}

/// Prints an error, and returns its exit code.
fn fail(problem: &str, code: u8, json: bool) -> ExitCode {
    match json {
        true => output::problem(json!({ "error": problem, "code": code })),
        false => output::problem(format_args!("syncmgr: {problem}")),
    }
    ExitCode::from(code)
}

/// Says which commands there are.
fn without_command(json: bool) -> ExitCode {
    if json {
        return fail("there is no command; `syncmgr --help` lists them", INVALID, true);
    }
    output::problem(Args::command().render_help().to_string().trim_end());
    ExitCode::from(INVALID)
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
