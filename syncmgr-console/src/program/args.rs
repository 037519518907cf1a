//! The command line. The build script includes this file too, so it uses nothing else of the program.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The heading of the options that every command has.
const FOR_ALL: &str = "Options of all commands";

/// The end of the help of the program.
const EXAMPLES_AND_EXIT_CODES: &str = "\
Examples:
  syncmgr status                    Show the handlers, what runs now, and what runs next
  syncmgr run Documents             Run a handler now, and show what happens
  syncmgr explain Documents/Letters Say why an item does not run
  syncmgr log --follow              Show the log, and what is added to it

Exit codes:
  0    Done
  1    An item failed or was not done, or the command could not be completed
  2    The arguments or the settings are not valid
  3    No program serves the socket, or the program has ended
  4    The program refused the request, or has nothing with this name
  130  Ended by Ctrl-C
  143  Terminated while it waited for a session, which goes on";

/// Shows and steers the sync manager of a running program.
///
/// A handler is named by its name or its id, and an item by HANDLER/ITEM. Without a command, opens the full-screen view in a terminal.
#[derive(Debug, Parser)]
#[command(name = "syncmgr", version, after_help = EXAMPLES_AND_EXIT_CODES)]
pub(crate) struct Args {
    /// The control socket of the program; by default, the one of the name `syncmgr`
    #[arg(long, global = true, value_name = "PATH", help_heading = FOR_ALL)]
    pub(crate) socket: Option<PathBuf>,

    /// Print JSON: what the program answers, or one event or entry per line
    #[arg(long, global = true, help_heading = FOR_ALL)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Host the folder pairs of a settings file, until SIGTERM or Ctrl-C; SIGHUP reads the file again
    #[cfg(feature = "host")]
    #[command(after_help = "\
Examples:
  syncmgr host ~/Documents /media/backup/Documents  Write the first settings file, and host it
  syncmgr host                                      Host what the settings file has

The log goes to standard error. RUST_LOG selects its levels, for example `debug` or `info,syncmgr_runtime=debug`; `info` is the \
default. NO_COLOR removes the colors.")]
    Host {
        /// The settings [default: syncmgr/host.toml in $XDG_CONFIG_HOME or ~/.config]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// A first pair: writes the settings file, which must not exist, to mirror FROM into TO after each change
        #[arg(value_names = ["FROM", "TO"], num_args = 2)]
        pair: Option<Vec<PathBuf>>,
    },
    /// Show the handlers, what runs now, and what runs next
    Status,
    /// List the items of a handler, with their last results
    Items {
        /// The handler
        handler: String,
    },
    /// Run handlers or items now, and show what happens; Ctrl-C stops them
    #[command(after_help = "\
Examples:
  syncmgr run                              Run the chosen items of all handlers
  syncmgr run Documents Photos/2026        Run a handler and an item of another one
  syncmgr run --choose                     Choose the items first
  syncmgr run --json Documents | jq .name  Read the events in a script

Exits with 1 if an item failed or was not done.")]
    Run {
        /// The handlers and items; by default, the chosen items of all handlers
        #[arg(value_name = "HANDLER[/ITEM]")]
        what: Vec<String>,
        /// Run also what backs off, and without a network
        #[arg(long)]
        force: bool,
        /// Choose the items first, and answer the questions of handlers
        #[arg(long)]
        choose: bool,
    },
    /// Show what happens, until Ctrl-C; exits with 3 if the program ends
    Watch,
    /// Skip a running item
    Skip {
        /// The item
        #[arg(value_name = "HANDLER/ITEM")]
        item: String,
    },
    /// Stop all sessions, one session, or the runs of one handler
    Stop {
        /// The handler, or the number of the session; by default, all that runs
        #[arg(value_name = "HANDLER|SESSION")]
        what: Option<String>,
    },
    /// Let no item begin, until `resume`
    Pause,
    /// Let items begin again
    Resume,
    /// Show the log of a handler, or of all, the latest entry first, with the commands that act on its entries
    #[command(after_help = "\
Examples:
  syncmgr log Documents          Show the log of a handler
  syncmgr log --follow           Show new entries as they come
  syncmgr log --json | jq .      Read the entries in a script")]
    Log {
        /// The handler; by default, all
        handler: Option<String>,
        /// Show the last ten entries, the latest last, and then new ones until Ctrl-C; exits with 3 if the program ends
        #[arg(long, short)]
        follow: bool,
    },
    /// Open an entry of the log: ask its handler for more
    Show {
        /// The entry, as `log` prints it: at least the first 4 characters of its id, or HANDLER/ENTRY
        entry: String,
    },
    /// Answer the question of an entry of the log: its item runs again
    #[command(after_help = "`syncmgr log` prints this command for each choice of each question.")]
    Answer {
        /// The entry, as `log` prints it: at least the first 4 characters of its id, or HANDLER/ENTRY
        entry: String,
        /// The number of the choice, from 1
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        choice: u32,
    },
    /// Say why a handler or an item does not run, and when it does
    #[command(after_help = "\
Examples:
  syncmgr explain Documents          Explain a handler
  syncmgr explain Documents/Letters  Explain an item")]
    Explain {
        /// The handler or item
        #[arg(value_name = "HANDLER[/ITEM]")]
        what: String,
    },
    /// Show what runs next without a request, and why
    Agenda,
    /// Show what waits, and for what
    Held,
    /// Show the last sessions
    History {
        /// The number of sessions
        #[arg(long, default_value_t = 20, value_name = "NUMBER")]
        limit: usize,
    },
    /// Choose items, so that they run in sessions that do not name them
    #[command(after_help = "\
Example:
  syncmgr choose Documents/Letters Photos/2026")]
    Choose {
        /// The items
        #[arg(required = true, value_name = "HANDLER/ITEM")]
        items: Vec<String>,
    },
    /// Leave items out of sessions that do not name them
    Unchoose {
        /// The items
        #[arg(required = true, value_name = "HANDLER/ITEM")]
        items: Vec<String>,
    },
    /// Let a handler or an item not run, until `enable`
    #[command(after_help = "\
Example:
  syncmgr disable Photos --reason 'the disk is away'")]
    Disable {
        /// The handler or item
        #[arg(value_name = "HANDLER[/ITEM]")]
        what: String,
        /// The reason, which explanations show
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Let a handler or an item run again
    Enable {
        /// The handler or item
        #[arg(value_name = "HANDLER[/ITEM]")]
        what: String,
    },
    /// Show or set when a handler or an item runs by itself, and what it requires for that
    Schedule(Change),
    /// Ask a handler to show the properties of itself or of an item, and wait until they are closed
    Properties {
        /// The handler or item
        #[arg(value_name = "HANDLER[/ITEM]")]
        what: String,
    },
    /// Forget everything that is stored about a handler or an item
    #[command(after_help = "\
A handler that is forgotten does not run until its program registers it again. `syncmgr host` does so at SIGHUP. A folder pair \
that was forgotten may then begin anew on another disk.")]
    Forget {
        /// The handler or item
        #[arg(value_name = "HANDLER[/ITEM]")]
        what: String,
    },
    /// Open the page of the program in a browser, or print its address if the output is no terminal
    #[command(after_help = "\
The address contains a token, which lets its holder do all that this program can do. The browser gets it in a file \
that only you can read, and not in its command line, which other users of the machine can see.")]
    Web {
        /// Print the address
        #[arg(long, conflicts_with = "open")]
        print: bool,
        /// Open the page also if the output is no terminal, as for a launcher of a desktop
        #[arg(long)]
        open: bool,
    },
    /// Print the completions of a shell
    #[cfg(feature = "manual")]
    #[command(after_help = "\
Examples:
  syncmgr completions bash > ~/.local/share/bash-completion/completions/syncmgr
  syncmgr completions zsh > ~/.zfunc/_syncmgr     (with ~/.zfunc in fpath)
  syncmgr completions fish > ~/.config/fish/completions/syncmgr.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man pages into a directory
    #[cfg(feature = "manual")]
    #[command(after_help = "\
Example:
  syncmgr man ~/.local/share/man/man1 && man syncmgr-run")]
    Man {
        /// The directory, which is created if its parent exists
        directory: PathBuf,
    },
}

/// A shell with completions.
#[cfg(feature = "manual")]
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The settings of a handler or an item to show or to change.
#[derive(Debug, clap::Args)]
pub(crate) struct Change {
    /// The handler or item
    #[arg(value_name = "HANDLER[/ITEM]")]
    pub(crate) what: String,
    /// When it runs by itself: `every 15m`, `cron 30 2 * * * in Europe/Berlin`, `once 2026-12-01T02:30:00Z` or `never`; `reset` for
    /// what the program declares
    pub(crate) schedule: Vec<String>,
    /// What it requires to run by itself, such as `mains,unmetered-network`, or `none`; or `reset`
    #[arg(long, value_name = "WORDS")]
    pub(crate) requires: Option<String>,
    /// The hours in which it may run by itself, such as `22:00-06:00 in local`, or `always`; or `reset`
    #[arg(long, value_name = "HOURS")]
    pub(crate) window: Option<String>,
    /// Let everything that the program declares apply again
    #[arg(long, conflicts_with_all = ["schedule", "requires", "window"])]
    pub(crate) reset: bool,
}
