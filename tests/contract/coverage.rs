//! Every rule about one run has a test of its own.

/// Rules about one run: R25 to R38, R63 to R69, R74 to R132, R140 to R150.
const ABOUT_ONE_RUN: [std::ops::RangeInclusive<u32>; 4] = [25..=38, 63..=69, 74..=132, 140..=150];

/// Rules no test of a host can show; the contract's last table says why.
const NOT_FOR_A_HOST: [u32; 8] = [26, 34, 75, 78, 84, 85, 98, 103];

#[test]
fn every_rule_about_one_run_has_a_test_or_a_reason() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract");
    let mut tests = String::new();
    for file in std::fs::read_dir(folder).expect("the tests are there") {
        tests += &std::fs::read_to_string(file.expect("readable").path()).expect("text");
    }
    let missing: Vec<_> = ABOUT_ONE_RUN
        .into_iter()
        .flatten()
        .filter(|rule| !NOT_FOR_A_HOST.contains(rule) && !tests.contains(&format!("fn r{rule:03}_")))
        .collect();
    assert!(missing.is_empty(), "no test for {missing:?}");
}

#[test]
fn the_contract_names_every_rule() {
    for rule in 1..=150 {
        let named = contract().contains(&format!("**R{rule}**"));
        assert!(named || (50..=55).contains(&rule), "R{rule} is not in the contract document");
    }
}

fn contract() -> &'static str {
    include_str!("../../syncmgr-core/CONTRACT.md")
}
