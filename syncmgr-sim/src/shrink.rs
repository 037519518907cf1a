//! Shrinking of scripts that violate an invariant.

use std::collections::BTreeSet;

use crate::parts::Parts;
use crate::script::Script;

/// Removes parts as long as the script still fails: first halves, then ever smaller chunks, until every part is needed.
pub(crate) fn shrink(script: Script, fails: impl Fn(&Script) -> bool) -> Script {
    let mut script = script;
    let mut chunk = script.kept().0.len().div_ceil(2);
    while chunk > 0 {
        let shorter = without_some(&script, chunk, &fails);
        match shorter {
            Some(shorter) => script = shorter,
            None if chunk == 1 => break,
            None => chunk = chunk.div_ceil(2),
        }
        chunk = chunk.min(script.kept().0.len());
    }
    script
}

/// Returns the script without one chunk of consecutive parts, if it still fails.
fn without_some(script: &Script, chunk: usize, fails: &impl Fn(&Script) -> bool) -> Option<Script> {
    let parts: Vec<usize> = script.kept().0.iter().rev().copied().collect();
    let candidates = parts.chunks(chunk).map(|left_out| {
        let left_out: BTreeSet<usize> = left_out.iter().copied().collect();
        script.only(&Parts(&script.kept().0 - &left_out))
    });
    candidates.into_iter().find(|shorter| fails(shorter))
}
