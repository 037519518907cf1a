//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, value_parser};
use syncmgr::store::SqliteStore;

use crate::guard::Deletions;
use crate::handler::{OfflineFiles, Options, default_jobs};
use crate::mirror::{Kept, OwnFiles};
use crate::program::print_error;
use crate::record::RecordMode;
use crate::report::Detail;
use crate::state::StateChoice;
use crate::two_way::Conflicts;

/// Mirrors the directory FROM into the directory TO.
///
/// Each directory in FROM is one item. All other entries at the top level form one more item, shown as `.`.
///
/// The program stores which directories are in sync. A later run reads all names, sizes and times in FROM, but only the times of
/// directories in TO. The times show that an entry was created, renamed or removed, but not that a file in TO changed. --full
/// compares all sizes and times, --checksum also all contents.
///
/// Copied are files, directories, symbolic links, their times, permissions and access control lists. Not copied are special files,
/// the bits set-user-id and set-group-id, creation times, and, without -H, -o and -X, the fact that two names are hard links of one
/// file, owners, and extended attributes.
///
/// Of a changed file of 16 MiB or more, only what has changed is written, into the file itself, if TO is on a local disk of Linux that
/// shares no blocks with FROM, at most an eighth has changed, the file has no holes and no other name, and no other program that the
/// system shows has it open. If such a run is killed, the next one completes the file. Other files are copied and then replaced.
///
/// With --two-way, changes are copied in both directions. The program stores what both sides agreed on. What has changed on one side
/// since then is copied, moved or deleted on the other one. A file that was changed on one side and deleted on the other stays. What
/// was changed on both sides is a conflict: nothing is overwritten until both sides are equal, or --conflict decides. Permission bits
/// are in no conflict: each bit that one side has changed is changed on the other. What got different new names on both sides is kept
/// under both. The times of directories are not copied, nor are those of files with equal contents. Name the sides in the same order
/// each time: another order is another pair, with a first run of its own. A copy that replaces a file is a new file: it has no other
/// hard link, and without -o and -X no owner or extended attributes of the one before.
///
/// The exit code is 0 if everything was done, 1 if something failed or was not done, such as an open conflict, 2 for invalid
/// arguments, and 128 and the number of the signal after a signal: 130 after Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "offline_files", version)]
pub(crate) struct Args {
    /// Delete entries from TO that FROM does not have. Not with --two-way, which always deletes what was deleted on one side
    #[arg(long)]
    delete: bool,

    /// Continue even if it looks like a mistake: TO is on another disk than last time, or --delete would remove everything in a
    /// directory at the top level, or more than 10 entries and more than half of those in TO. Also delete entries if others could
    /// not be copied. With --two-way, a side is missing, is another directory than last time, or has lost everything in a directory
    /// at the top level that it still has and that had more than 3 entries, or more than 10 entries and more than half of those that
    /// both sides had. What was refused stays so until it is put back or allowed
    #[arg(long)]
    pub(crate) yes: bool,

    /// Compare the names, sizes, times and attributes of everything on both sides, as in the first run. Not with --two-way, which
    /// always does
    #[arg(long)]
    full: bool,

    /// Compare the contents of all files too. With --two-way, a file that has new metadata on one side and was changed or deleted on
    /// the other is then in conflict, because its contents of before are not stored
    #[arg(short, long)]
    checksum: bool,

    /// Store the state in FILE, which is never mirrored or deleted itself [default: a file for each pair of directories, in
    /// $XDG_STATE_HOME/offline_files or ~/.local/state/offline_files, on macOS ~/Library/Application Support/offline_files]
    #[arg(long, value_name = "FILE", conflicts_with = "no_state")]
    state: Option<PathBuf>,

    /// Store no state, and compare everything. Not with --two-way
    #[arg(long)]
    no_state: bool,

    /// Copy no access control lists; without them, a copy gives its group and others no more than the list gives each user and group
    #[arg(long)]
    no_acls: bool,

    /// Make names in TO hard links of one file if they are in FROM, within each item. Not with --two-way
    #[arg(short = 'H', long)]
    hard_links: bool,

    /// Copy owner and group, which needs the rights of root
    #[arg(short = 'o', long)]
    owners: bool,

    /// Copy the extended attributes of users
    #[arg(short = 'X', long)]
    xattrs: bool,

    /// Maximum number of threads that read and write files [default: two per processor]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..))]
    jobs: Option<u16>,

    /// Print the report as one JSON document instead of a table, and nothing else. With --watch, print a document in a line for each
    /// run that did something
    #[arg(long)]
    pub(crate) json: bool,

    /// Print a line for each item, also for those without changes
    #[arg(short, long)]
    verbose: bool,

    /// Synchronize FROM and TO in both directions, as the sides A and B
    #[arg(long, conflicts_with_all = ["delete", "full", "no_state", "hard_links"])]
    pub(crate) two_way: bool,

    /// With --two-way, how to decide about an entry that both sides have changed
    #[arg(long, value_name = "HOW", default_value = "ask", requires = "two_way")]
    pub(crate) conflict: Conflicts,

    /// With --two-way, keep what is replaced or deleted for DAYS days, in the directory .offline_files-kept of its side. All
    /// files are then copied whole
    #[arg(long, value_name = "DAYS", requires = "two_way", allow_negative_numbers = true)]
    pub(crate) keep_replaced: Option<u32>,

    /// With --two-way, leave out what the rules in FILE match, in the syntax of gitignore. The rules in the files
    /// .offline_files-ignore at the top of both sides apply too. A rule deletes nothing
    #[arg(long, value_name = "FILE", requires = "two_way")]
    pub(crate) ignore_file: Option<PathBuf>,

    /// Run until a signal, and synchronize again whenever files change. The first run looks at everything
    #[arg(short, long, conflicts_with_all = ["full", "checksum", "no_state"])]
    pub(crate) watch: bool,

    /// The directory to mirror
    #[arg(value_name = "FROM")]
    pub(crate) from: PathBuf,

    /// The directory to mirror it to; created if its parent exists
    #[arg(value_name = "TO")]
    pub(crate) to: PathBuf,
}

impl Args {
    /// Parses the command line. Returns the exit code if the arguments are invalid or ask for help.
    pub(crate) fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            if error.use_stderr() {
                print_error(&one_line(&error));
                ExitCode::from(2)
            } else {
                // A closed standard output is not an error.
                let _ = error.print();
                ExitCode::SUCCESS
            }
        })
    }

    /// The deletions that the user allows.
    pub(crate) fn deletions(&self) -> Deletions {
        match (self.delete || self.two_way, self.yes) {
            (false, _) => Deletions::Never,
            (true, false) => Deletions::Guarded,
            (true, true) => Deletions::Always,
        }
    }

    /// The options of the handler.
    pub(crate) fn options(&self, own_files: OwnFiles, store: Option<SqliteStore>) -> Options {
        let record_mode = match self {
            Self { checksum: true, .. } => RecordMode::Checksum,
            Self { no_state: true, .. } => RecordMode::Off,
            Self { full: true, .. } => RecordMode::Rebuild,
            _ => RecordMode::Use,
        };
        Options {
            handler: OfflineFiles::HANDLER.id(),
            deletions: self.deletions(),
            record_mode,
            store,
            jobs: self.jobs(),
            own_files: own_files.into(),
        }
    }

    /// Returns `true` if the contents of all files are compared.
    pub(crate) fn compares_contents(&self) -> bool {
        self.checksum
    }

    /// The items to show in the table.
    pub(crate) fn detail(&self) -> Detail {
        if self.verbose { Detail::All } else { Detail::Changes }
    }

    /// The attributes to copy.
    pub(crate) fn kept(&self) -> Kept {
        Kept { acls: !self.no_acls, owners: self.owners, extended: self.xattrs, hard_links: self.hard_links }
    }

    /// The location of the state.
    pub(crate) fn state(&self) -> StateChoice {
        match &self.state {
            _ if self.no_state => StateChoice::Disabled,
            Some(file) => StateChoice::File(file.clone()),
            None => StateChoice::Default,
        }
    }

    /// The maximum number of threads that read and write files.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.map_or_else(default_jobs, usize::from)
    }
}

/// The first paragraph of the error as one line, without the usage hints that follow it.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(["offline_files"].into_iter().chain(line.split(' ')))
    }

    #[test]
    fn every_flag_may_precede_the_directories() {
        let args = parse("--delete --yes --jobs 3 --json from to").unwrap();
        assert!(args.json);
        assert_eq!((args.deletions(), args.jobs()), (Deletions::Always, 3));
        assert_eq!((args.from, args.to), ("from".into(), "to".into()));
    }

    #[test]
    fn the_default_is_at_least_two_jobs() {
        assert!(parse("from to").unwrap().jobs() >= 2);
        assert_eq!(parse("--jobs 1 from to").unwrap().jobs(), 1);
    }

    #[test]
    fn deletions_are_guarded_unless_yes_is_given() {
        assert_eq!(parse("from to").unwrap().deletions(), Deletions::Never);
        assert_eq!(parse("--yes from to").unwrap().deletions(), Deletions::Never);
        assert_eq!(parse("--delete from to").unwrap().deletions(), Deletions::Guarded);
    }

    #[test]
    fn the_state_of_the_pair_is_used_by_default() {
        let parsed = |line| {
            let args = parse(line).unwrap();
            (args.state(), args.options(OwnFiles::default(), None).record_mode)
        };
        assert_eq!(parsed("from to"), (StateChoice::Default, RecordMode::Use));
        assert_eq!(parsed("--full from to"), (StateChoice::Default, RecordMode::Rebuild));
        assert_eq!(parsed("--state x from to"), (StateChoice::File("x".into()), RecordMode::Use));
        assert_eq!(parsed("--no-state --full from to"), (StateChoice::Disabled, RecordMode::Off));
    }

    #[test]
    fn an_error_is_printed_in_one_line() {
        for (line, start) in [
            ("from", "the following required arguments were not provided: <TO>"),
            ("--jobs 0 from to", "invalid value '0' for '--jobs <N>': 0 is not in 1..=65535"),
            ("--nonsense from to", "unexpected argument '--nonsense' found"),
            ("--no-state --state x a b", "the argument '--no-state' cannot be used with '--state <FILE>'"),
            ("a b c", "unexpected argument 'c' found"),
        ] {
            let message = one_line(&parse(line).unwrap_err());
            assert!(message.starts_with(start) && !message.contains('\n'), "{message}");
        }
    }
}
