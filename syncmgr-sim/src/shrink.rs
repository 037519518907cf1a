//! A script that breaks a promise, made as short as it can be.

use std::collections::BTreeSet;

use crate::parts::Parts;
use crate::script::Script;

/// Leaves out parts for as long as the script still fails: halves first, then less and less, until no single part can be
/// left out.
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

/// The same without so many parts in a row, if that fails too.
fn without_some(script: &Script, chunk: usize, fails: &impl Fn(&Script) -> bool) -> Option<Script> {
    let parts: Vec<usize> = script.kept().0.iter().rev().copied().collect();
    let candidates = parts.chunks(chunk).map(|left_out| {
        let left_out: BTreeSet<usize> = left_out.iter().copied().collect();
        script.only(&Parts(&script.kept().0 - &left_out))
    });
    candidates.into_iter().find(|shorter| fails(shorter))
}
