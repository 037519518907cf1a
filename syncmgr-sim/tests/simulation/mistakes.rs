//! The deliberate mistakes that the simulation has to find. `mistakes/run` applies them.

use std::fs;
use std::path::Path;

/// Returns the source file of a mistake and the text that it replaces.
fn parse(mistake: &str) -> Option<(&str, &str)> {
    let (head, change) = mistake.split_once("\n<<<<\n")?;
    Some((head.lines().nth(1)?, change.split_once("\n====\n")?.0))
}

#[test]
fn each_mistake_replaces_a_text_that_occurs_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mistakes = fs::read_dir(root.join("tests/simulation/mistakes")).unwrap().map(|entry| entry.unwrap().path());
    let mut checked = 0;
    for path in mistakes.filter(|path| path.extension().is_some_and(|extension| extension == "mistake")) {
        let mistake = fs::read_to_string(&path).unwrap();
        let (file, text) = parse(&mistake).unwrap_or_else(|| panic!("{} has another form", path.display()));
        let source = fs::read_to_string(root.join("..").join(file)).unwrap();
        assert_eq!(source.matches(text).count(), 1, "{} in {file}", path.display());
        checked += 1;
    }
    assert!(checked > 40, "{checked} mistakes");
}
