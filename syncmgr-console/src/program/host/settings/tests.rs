use super::*;

fn parse(text: &str) -> Result<Settings, Vec<Problem>> {
    Settings::parse(Path::new("/etc/host.toml"), text)
}

/// Reads a file with one folder that has these lines.
fn folder(lines: &str) -> Result<Folder, Vec<String>> {
    let text = format!("[[folder]]\nname = \"docs\"\nfrom = \"a\"\nto = \"b\"\n{lines}");
    parse(&text).map(|mut settings| settings.folders.remove(0)).map_err(|problems| in_lines(&problems))
}

fn in_lines(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| problem.to_string().replace("/etc/host.toml:", "")).collect()
}

#[test]
fn every_setting_is_read_as_people_write_it() {
    let text = r#"
        state = "/var/lib/state.sqlite"
        socket = "/run/own.sock"
        page = 8080

        [limits]
        jobs = 4

        [[folder]]
        name = "Documents"
        from = "/home/user/Documents"
        to = "backup"
        delete = "guarded"
        schedule = "cron 30 2 * * * in Europe/Berlin"
        window = "22:00-06:00 in Europe/Berlin"
        requires = ["mains", "idle-user"]
        watch = true
        importance = "high"
    "#;
    let settings = parse(text).unwrap();
    let folder = Folder {
        name: "Documents".to_owned(),
        from: "/home/user/Documents".into(),
        to: "/etc/backup".into(),
        direction: Direction::To(Deletions::Guarded),
        schedule: Some("cron 30 2 * * * in Europe/Berlin".parse().unwrap()),
        window: Some("22:00-06:00 in Europe/Berlin".parse().unwrap()),
        requires: vec![Requirement::Mains, Requirement::IdleUser],
        is_watched: true,
        importance: Importance::High,
    };
    assert_eq!(settings.folders, [folder]);
    assert_eq!((settings.page, settings.jobs), (Some(8080), Some(4)));
    assert_eq!((settings.state, settings.socket), ("/var/lib/state.sqlite".into(), Some("/run/own.sock".into())));
}

#[test]
fn what_is_left_out_has_its_default() {
    let settings = parse("state = \"state\"").unwrap();
    assert_eq!(
        (settings.state, settings.socket, settings.page, settings.jobs),
        ("/etc/state".into(), None, None, None)
    );
    let folder = folder("").unwrap();
    assert_eq!((folder.direction, folder.importance), (Direction::To(Deletions::Never), Importance::Normal));
    assert!(folder.schedule.is_none() && folder.window.is_none() && folder.requires.is_empty() && !folder.is_watched);
}

#[test]
fn each_bad_value_is_refused_with_its_line_its_key_and_what_was_expected() {
    for (line, expected) in [
        ("delete = \"all\"", "5: delete: `all` is not known; write `never`, `guarded` or `always`"),
        (
            "schedule = \"hourly\"",
            "5: schedule: `hourly` cannot be read: write `cron 30 2 * * * in Europe/Berlin`, `every 15m`, \
             `once 2026-12-01T02:30:00Z` or `never`",
        ),
        (
            "schedule = \"cron 30 2 * * * in Europe/Berlim\"",
            "5: schedule: the time zone `Europe/Berlim` is not known; did you mean `Europe/Berlin`?",
        ),
        (
            "schedule = \"cron 30 2 * * *\"",
            "5: schedule: `cron 30 2 * * *` cannot be read: write its time zone after it: ` in local` for that of the machine, or a \
             name as in ` in Europe/Berlin`",
        ),
        (
            "schedule = \"every 1ms\"",
            "5: schedule: a person sets an interval of at least one second, such as `every 15m`",
        ),
        (
            "window = \"22:00-06:00\"",
            "5: window: `22:00-06:00` cannot be read: write its time zone after it: ` in local` for that of the machine, or a name \
             as in ` in Europe/Berlin`",
        ),
        ("direction = \"from\"", "5: direction: `from` is not known; write `to` or `both`"),
        ("conflicts = \"newer\"", "5: conflicts: only pairs with `direction = \"both\"` have this"),
        ("keep-replaced = 3", "5: keep-replaced: only pairs with `direction = \"both\"` have this"),
        ("ignore-file = \"x\"", "5: ignore-file: only pairs with `direction = \"both\"` have this"),
        ("keep-replaced = -1", "5: keep-replaced: this is the integer `-1`; write a number from 0 to 4294967295"),
        (
            "direction = \"both\"\ndelete = \"guarded\"",
            "6: delete: a pair in both directions deletes what the other side has deleted; leave this out",
        ),
        (
            "direction = \"both\"\nconflicts = \"A\"",
            "6: conflicts: `A` is not known; write `ask`, `keep-both`, `newer`, `from` or `to`",
        ),
        ("delete = 1", "5: delete: this is the integer `1`; write a text in quotes"),
        ("to = 1", "5: to: duplicate key"),
        ("requires = \"mains\"", "5: requires: this is the string \"mains\"; write a list in brackets"),
        ("requires = [1]", "5: requires: this is the integer `1`; write a text in quotes"),
        (
            "window = \"22:00\"",
            "5: window: `22:00` cannot be read: write `22:00-06:00 in Europe/Berlin` or the same with ` on SAT,SUN`",
        ),
        (
            "requires = [\n  \"mians\",\n]",
            "6: requires: `mians` is not known; write `unmetered-network`, `internet`, `mains`, `battery-not-low`, `idle-user` or \
             `active-user`",
        ),
        (
            "requires = [\"idle-user\", \"active-user\"]",
            "5: requires: an idle user and an active user exclude each other",
        ),
        ("importance = \"urgent\"", "5: importance: `urgent` is not known; write `low`, `normal` or `high`"),
        ("watch = \"yes\"", "5: watch: this is the string \"yes\"; write `true` or `false`"),
        (
            "form = \"x\"",
            "5: form: there is no key `form`; the keys are `name`, `from`, `to`, `direction`, `delete`, `conflicts`, `keep-replaced`, \
             `ignore-file`, `schedule`, `window`, `requires`, `watch`, `importance`",
        ),
        ("name = \"twice\"", "5: name: duplicate key"),
        ("watch = yes", "5: watch: string values must be quoted, expected literal string"),
    ] {
        assert_eq!(folder(line).unwrap_err(), [expected], "{line}");
    }
    for (text, expected) in [
        ("page = 70000", "1: page: this is the integer `70000`; write a number from 0 to 65535"),
        ("\n[limits]\njobs = 0", "3: jobs: this is the integer `0`; write a number from 1"),
        (
            "[limit]\njobs = 2",
            "1: [limit]: there is no key `limit`; the keys are `state`, `socket`, `page`, `limits`, `folder`",
        ),
        ("folder = 1", "1: folder: this is the integer `1`; write a list in brackets"),
        ("limits = 1", "1: limits: this is the integer `1`; write a table `[limits]`"),
        ("state = 1", "1: state: this is the integer `1`; write a path in quotes"),
        (
            "page = 1\n\n[[folder]]\nname = \"a\"\nfrom = \"b\"",
            "3: [[folder]]: `to` is missing; write it in this table",
        ),
    ] {
        assert_eq!(in_lines(&parse(text).unwrap_err()), [expected], "{text}");
    }
}

#[test]
fn a_pair_in_both_directions_has_settings_of_its_own() {
    let lines = "direction = \"both\"\nconflicts = \"from\"\nkeep-replaced = 7\nignore-file = \"rules\"";
    let (conflicts, keep_replaced, ignore_file) = (Conflicts::A, Some(7), Some("/etc/rules".into()));
    assert_eq!(folder(lines).unwrap().direction, Direction::Both { conflicts, keep_replaced, ignore_file });
}

#[test]
fn a_single_time_that_is_past_is_read_because_the_file_stays_after_it() {
    let once = "once 2020-01-01T00:00:00Z";
    assert_eq!(folder(&format!("schedule = {once:?}")).unwrap().schedule, Some(once.parse().unwrap()));
}

#[test]
fn the_bad_values_of_a_file_are_refused_together() {
    let problems =
        folder("delete = \"all\"\nschedule = \"hourly\"\n[[folder]]\nname = \"docs\"\nfrom = \"c\"\nto = \"d\"")
            .unwrap_err();
    let starts: Vec<_> =
        problems.iter().map(|problem| problem.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(starts, ["8: name:", "5: delete:", "6: schedule:"]);
    assert_eq!(problems[0], "8: name: another folder has this name; names are unique");
}

#[test]
fn a_problem_begins_with_the_file_and_the_line() {
    let problems = parse("\npage = -1").unwrap_err();
    assert!(problems[0].to_string().starts_with("/etc/host.toml:2: page: "), "{}", problems[0]);
    let missing = Settings::read(Path::new("/nowhere/host.toml")).unwrap_err();
    assert!(missing[0].to_string().starts_with("/nowhere/host.toml: there is no such file; "), "{}", missing[0]);
}

#[test]
fn the_settings_in_the_documentation_are_valid() {
    let readme = include_str!("../../../../README.md");
    let (_, block) = readme.split_once("```toml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    assert_eq!(parse(block).unwrap().folders.len(), 3);
}

#[test]
fn directories_that_overlap_are_refused() {
    let pair = |name: &str, from: &str, to: &str, delete: &str| {
        format!("[[folder]]\nname = {name:?}\nfrom = {from:?}\nto = {to:?}\ndelete = {delete:?}\n")
    };
    let read = |pairs: &[String]| {
        parse(&format!("state = \"state\"\n{}", pairs.concat())).map_err(|problems| in_lines(&problems))
    };
    let inside = "5: to: neither of `from` and `to` may contain the other";
    assert_eq!(read(&[pair("a", "/a", "/a/b", "never")]).unwrap_err(), [inside]);
    assert_eq!(read(&[pair("a", "/a/b", "/a", "never")]).unwrap_err(), [inside]);
    let empty = read(&[pair("a", "", "/b", "never")]).unwrap_err();
    assert_eq!(empty, ["4: from: the path of a directory is not empty"]);
    let both = read(&[pair("a", "/a", "/to", "never"), pair("b", "/b", "/to", "never")]).unwrap_err();
    assert_eq!(both, ["10: to: `a` mirrors into the same directories; give each folder a `to` of its own"]);
    let two_way = |name: &str, from: &str, to: &str| {
        format!("[[folder]]\nname = {name:?}\nfrom = {from:?}\nto = {to:?}\ndirection = \"both\"\n")
    };
    let back = read(&[pair("a", "/a", "/to", "never"), two_way("b", "/to", "/c")]).unwrap_err();
    let shared = "10: to: `a` changes the same directories, as `from` and `to` in both directions; keep them apart";
    assert_eq!(back, [shared]);
    let outer = |delete: &str| read(&[pair("a", "/a", "/to/a", "never"), pair("b", "/b", "/to", delete)]);
    assert!(outer("guarded").is_err() && outer("never").is_ok());
}

#[test]
fn the_example_for_a_missing_file_is_valid() {
    let missing = Settings::read(Path::new("/nowhere/host.toml")).unwrap_err()[0].to_string();
    let example = missing.split("\n\n").nth(1).unwrap();
    assert_eq!(parse(&format!("state = \"state\"\n{example}")).unwrap().folders.len(), 1);
}
