//! What must hold after a complete run.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::disk::{Described, contents, described};
use super::script::Policy;
use super::world::World;
use crate::program::RunOutput;

impl World {
    /// Runs to the end and checks everything. Returns what is wrong.
    pub(super) fn check(&mut self) -> Result<(), String> {
        let before = self.expected();
        let output = self.run(self.policy);
        self.check_loss(&output)?;
        self.check_conflicts(&output)?;
        let sides = self.sides().map(described);
        if before.is_some_and(|before| sides.iter().any(|side| *side != before)) {
            return Err(format!("the edits of one side are not on the other: {sides:#?}\n{}", output.stdout));
        }
        let again = self.run(self.policy);
        if again.code != output.code || has_changes(&again.json()) || self.sides().map(described) != sides {
            return Err(format!("a further run does something: {} {}", output.stdout, again.stdout));
        }
        self.checks += 1;
        if output.code == Some(0) {
            (self.is_edited, self.is_interrupted) = ([false; 2], false);
            // What was not seen in this round is not asked for in the next.
            let hidden = std::mem::take(&mut self.hidden);
            let kept: BTreeSet<_> = self.sides().into_iter().flat_map(contents).collect();
            self.destroyed.extend(hidden.into_iter().filter(|token| !kept.contains(token)));
        }
        self.agreed = (sides[0] == sides[1]).then(|| sides[0].clone());
        Ok(())
    }

    /// What both sides have to become if only one side was edited.
    fn expected(&self) -> Option<Described> {
        let side = match (self.is_edited, self.is_interrupted) {
            ([true, false], false) => 0,
            ([false, true], false) => 1,
            _ => return None,
        };
        self.agreed.as_ref().map(|_| described(self.sides()[side]))
    }

    /// The sides are equal, but for entries with an open question.
    fn check_conflicts(&self, output: &RunOutput) -> Result<(), String> {
        let open = conflicts(&output.json());
        let may_be_open = matches!(self.policy, Policy::Ask | Policy::Newer) && !open.is_empty();
        if output.code != Some(if may_be_open { 1 } else { 0 }) {
            return Err(format!("the run failed: {} {}", output.stdout, output.stderr));
        }
        let [a, b] = self.sides().map(described);
        let is_open = |path: &Path| open.iter().any(|open| path.starts_with(open));
        let differs = a.keys().chain(b.keys()).find(|path| a.get(*path) != b.get(*path) && !is_open(path));
        differs.map_or(Ok(()), |path| {
            Err(format!("the sides differ at {}: {a:#?} {b:#?}\n{}", path.display(), output.stdout))
        })
    }

    /// Nothing is lost but what the script has destroyed and what lost a conflict.
    fn check_loss(&self, output: &RunOutput) -> Result<(), String> {
        let places = [self.sides()[0], self.sides()[1], &self.trash()];
        let kept: BTreeSet<_> = places.into_iter().flat_map(contents).collect();
        let is_demanded = |(side, check): (usize, u32)| match self.policy {
            Policy::KeepBoth | Policy::Ask => true,
            // What an interrupted run has copied may have been moved on the other side.
            _ if self.is_interrupted => false,
            Policy::A => side == 0 && check == self.checks,
            Policy::B => side == 1 && check == self.checks,
            // The other side may have newer edits.
            Policy::Newer => check == self.checks && !self.is_edited[1 - side],
        };
        // Without `--checksum`, an edit whose time was put back is not seen if the other side has edited the file too.
        let may_be_unseen = |token: &str, side: usize| {
            self.hidden.contains(token) && !self.compares_contents && self.is_edited[1 - side]
        };
        let demanded = self.written.iter().filter(|(_, origin)| is_demanded(**origin));
        let demanded = demanded.filter(|(token, (side, _))| !may_be_unseen(token, *side));
        let mut demanded = demanded.map(|(token, _)| token);
        demanded.find(|token| !self.destroyed.contains(*token) && !kept.contains(*token)).map_or(Ok(()), |lost| {
            Err(format!("{lost} is lost: {:#?}\n{} {}", self.sides().map(described), output.stdout, output.stderr))
        })
    }
}

/// The paths of open questions.
pub(super) fn conflicts(document: &Value) -> Vec<String> {
    let items = document["items"].as_array().expect("`items` is an array").iter();
    let errors = items.flat_map(|item| item["errors"].as_array().expect("`errors` is an array"));
    errors.map(|error| error["path"].as_str().expect("an error has a path").to_owned()).collect()
}

pub(crate) fn has_changes(document: &Value) -> bool {
    let items = document["items"].as_array().expect("`items` is an array").iter();
    let counts = items.flat_map(|item| item["counts"].as_object().expect("`counts` is an object").clone());
    counts.into_iter().any(|(name, count)| name != "unchanged" && count != 0)
}
