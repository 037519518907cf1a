//! The command line.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;

use clap::Parser;

use crate::guard::Deletions;
use crate::handler::Terms;
use crate::record::Records;
use crate::state::StateChoice;

/// Mirrors the directory FROM into the directory TO: one item for each directory in FROM, and one for the rest.
///
/// What was found in order is remembered. A later run reads all names, sizes and times in FROM, but of TO only the times of
/// directories, which tell whether somebody else made, renamed or removed anything in them. They do not tell whether
/// somebody wrote into a file in TO, or whether files were lost with the power: --full looks at everything.
#[derive(Debug, Parser)]
#[command(name = "offline_files", version)]
pub(crate) struct Args {
    /// Remove from TO what FROM no longer has
    #[arg(long)]
    delete: bool,

    /// Delete even what looks like a mistake: more than ten entries and more than half of what an item has in TO, or with
    /// another disk than last time
    #[arg(long)]
    yes: bool,

    /// Compare everything, as if it were the first time
    #[arg(long)]
    full: bool,

    /// Keep in FILE what was in order; in FROM, it is not mirrored itself [default: a file for each pair of directories, in
    /// $XDG_STATE_HOME/offline_files or ~/.local/state/offline_files, on macOS ~/Library/Application Support/offline_files]
    #[arg(long, value_name = "FILE", conflicts_with = "no_state")]
    state: Option<PathBuf>,

    /// Keep nothing, and compare everything
    #[arg(long)]
    no_state: bool,

    /// Blocking file work going on at once, at most [default: two per processor]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroU16>,

    /// Print one JSON document instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// The directory to mirror
    #[arg(value_name = "FROM")]
    pub(crate) from: PathBuf,

    /// Where to; created if its parent exists
    #[arg(value_name = "TO")]
    pub(crate) to: PathBuf,
}

impl Args {
    /// The arguments of this program, or the code to end with when it was called wrongly or asked for help.
    pub(crate) fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|refusal| {
            if refusal.use_stderr() {
                eprintln!("offline_files: {}", one_line(&refusal));
                ExitCode::from(2)
            } else {
                // Without standard output there is nobody to help.
                let _ = refusal.print();
                ExitCode::SUCCESS
            }
        })
    }

    /// What may be removed from TO.
    pub(crate) fn deletions(&self) -> Deletions {
        match (self.delete, self.yes) {
            (false, _) => Deletions::Never,
            (true, false) => Deletions::Guarded,
            (true, true) => Deletions::Always,
        }
    }

    /// How the handler is to go about it, apart from the file `aside`.
    pub(crate) fn terms(&self, aside: Option<Arc<Path>>) -> Terms {
        let records = match (self.no_state, self.full) {
            (true, _) => Records::Nothing,
            (_, true) => Records::Afresh,
            _ => Records::Known,
        };
        Terms { deletions: self.deletions(), records, jobs: self.jobs(), aside }
    }

    /// Which state to keep.
    pub(crate) fn state(&self) -> StateChoice {
        match &self.state {
            _ if self.no_state => StateChoice::Nothing,
            Some(file) => StateChoice::File(file.clone()),
            None => StateChoice::OfPair,
        }
    }

    /// How much blocking work may go on at once.
    fn jobs(&self) -> usize {
        // The second one works while the first is handed over or waits for the disk.
        let default = || 2 * available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(default, |jobs| jobs.get().into())
    }
}

/// What is wrong with the command line, without the advice that follows it.
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
    fn every_flag_may_stand_before_the_directories() {
        let args = parse("--delete --yes --jobs 3 --json from to").unwrap();
        assert!(args.json);
        assert_eq!((args.deletions(), args.jobs()), (Deletions::Always, 3));
        assert_eq!((args.from, args.to), ("from".into(), "to".into()));
    }

    #[test]
    fn at_least_two_jobs_unless_told_otherwise() {
        assert!(parse("from to").unwrap().jobs() >= 2);
        assert_eq!(parse("--jobs 1 from to").unwrap().jobs(), 1);
    }

    #[test]
    fn deletions_are_guarded_unless_agreed_to() {
        assert_eq!(parse("from to").unwrap().deletions(), Deletions::Never);
        assert_eq!(parse("--yes from to").unwrap().deletions(), Deletions::Never);
        assert_eq!(parse("--delete from to").unwrap().deletions(), Deletions::Guarded);
    }

    #[test]
    fn the_state_of_the_pair_is_kept_and_used_unless_told_otherwise() {
        let told = |line| {
            let args = parse(line).unwrap();
            (args.state(), args.terms(None).records)
        };
        assert_eq!(told("from to"), (StateChoice::OfPair, Records::Known));
        assert_eq!(told("--full from to"), (StateChoice::OfPair, Records::Afresh));
        assert_eq!(told("--state x from to"), (StateChoice::File("x".into()), Records::Known));
        assert_eq!(told("--no-state --full from to"), (StateChoice::Nothing, Records::Nothing));
    }

    #[test]
    fn a_mistake_is_told_in_one_line() {
        for (line, start) in [
            ("from", "the following required arguments were not provided: <TO>"),
            ("--jobs 0 from to", "invalid value '0' for '--jobs <N>'"),
            ("--nonsense from to", "unexpected argument '--nonsense' found"),
            ("--no-state --state x a b", "the argument '--no-state' cannot be used with '--state <FILE>'"),
            ("a b c", "unexpected argument 'c' found"),
        ] {
            let told = one_line(&parse(line).unwrap_err());
            assert!(told.starts_with(start) && !told.contains('\n'), "{told}");
        }
    }
}
