//! Checks that every rule has its own test, or a reason in the contract for having none.

use std::collections::BTreeSet;

/// The rules that no test of a host can show. The last table of the contract gives the reasons.
const NOT_FOR_A_HOST: [u32; 19] = [13, 26, 34, 39, 40, 48, 50, 51, 52, 53, 54, 55, 62, 75, 78, 84, 85, 98, 103];

#[test]
fn every_rule_has_a_test_or_a_reason() {
    let tested = tested();
    let missing: Vec<u32> = (1..=150).filter(|rule| !NOT_FOR_A_HOST.contains(rule) && !tested.contains(rule)).collect();
    assert!(missing.is_empty(), "no test for {missing:?}");
}

#[test]
fn the_reasons_are_those_of_the_contract() {
    let (_, table) = contract().split_once("# Rules no test of a host can show").expect("the last table exists");
    let rows = table.lines().filter(|line| line.starts_with("| R"));
    let named: BTreeSet<u32> = rows.flat_map(rules_of).collect();
    assert_eq!(named, BTreeSet::from(NOT_FOR_A_HOST));
}

#[test]
fn the_contract_names_every_rule() {
    for rule in 1..=150 {
        let named = contract().contains(&format!("**R{rule}**"));
        assert!(named || (50..=55).contains(&rule), "R{rule} is not in the contract document");
    }
}

/// The rules that appear in test names.
fn tested() -> BTreeSet<u32> {
    let lines = every_line();
    lines.iter().filter_map(|line| line.split_once("fn r")).flat_map(|(_, name)| rules_in(name)).collect()
}

/// Every line of the contract tests.
pub(crate) fn every_line() -> Vec<String> {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract")];
    let mut lines = Vec::new();
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).expect("the folder of the tests exists") {
            let file = file.expect("the entry can be read").path();
            match file.is_dir() {
                true => folders.push(file),
                false => {
                    lines.extend(std::fs::read_to_string(file).expect("the file is UTF-8").lines().map(str::to_owned))
                }
            }
        }
    }
    lines
}

/// The rules at the start of a test name without its first `r`: `065_r066_a_host_..` has two.
fn rules_in(name: &str) -> Vec<u32> {
    let number = |word: &str| word.trim_start_matches('r').parse().ok().filter(|_| word.len() >= 3);
    name.split('_').map_while(number).collect()
}

/// The rules in the first cell of a table row: single rules, and ranges like `R50 to R55`.
fn rules_of(row: &str) -> Vec<u32> {
    let cell = row.split('|').nth(1).expect("a row has cells");
    let number = |rule: &str| rule.trim().trim_start_matches('R').parse::<u32>().expect("the text is a rule");
    let range = |part: &str| match part.split_once(" to ") {
        Some((first, last)) => number(first)..=number(last),
        None => number(part)..=number(part),
    };
    cell.split(',').flat_map(range).collect()
}

fn contract() -> &'static str {
    include_str!("../../syncmgr-core/CONTRACT.md")
}
