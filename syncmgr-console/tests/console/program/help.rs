//! The help of each command.

use std::path::Path;

use super::{output, program};

#[tokio::test]
async fn the_help_of_each_command() {
    let help = async |command: Option<&str>| {
        let (code, out, err) = output(program(Path::new("unused")).args(command).arg("--help")).await;
        assert_eq!((code, err.as_str()), (0, ""), "{command:?}");
        out
    };
    let all = help(None).await;
    let commands = all.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description continues with more spaces.
    let commands =
        commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty());
    let mut text = format!("$ syncmgr --help\n{all}");
    for command in commands.filter(|command| *command != "help") {
        text += &format!("\n\n$ syncmgr {command} --help\n{}", help(Some(command)).await);
    }
    insta::assert_snapshot!(text);
}
