//! The page: its address, and a browser that opens it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use syncmgr::SyncManager;
use syncmgr_console::{ClientError, Console};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;

use super::{output, program, syncmgr};
use crate::support::Host;

#[tokio::test]
async fn the_address_of_the_page_is_printed_where_there_is_no_terminal() {
    let host = Host::start();
    let page = host.console.page().unwrap();
    assert_eq!(syncmgr(&host, &["web"]).await, (0, format!("{page}\n"), String::new()));
    assert_eq!(syncmgr(&host, &["web", "--print", "--json"]).await.1, format!("{{\"page\":\"{page}\"}}\n"));
}

#[tokio::test]
async fn a_program_without_a_page_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let console = Console::new(&SyncManager::new()).at(folder.path().join("run/test.sock")).start().unwrap();
    let (code, _, err) = output(program(console.path()).arg("web")).await;
    let expected = "syncmgr: the program serves no page; set `page` in the settings of `syncmgr host`, or call \
                    `Console::with_page`\n";
    assert_eq!((code, err.as_str()), (4, expected));
}

#[tokio::test]
async fn the_browser_gets_the_token_in_a_private_file() {
    let host = Host::start();
    let folder = tempfile::tempdir().unwrap();
    let (browser, seen) = (folder.path().join("xdg-open"), folder.path().join("seen"));
    mknodat(CWD, &seen, FileType::Fifo, Mode::RWXU, 0).unwrap();
    fs::write(&browser, format!("#!/bin/sh\nprintf '%s\\n' \"$*\" > '{}'\n", seen.display())).unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700)).unwrap();
    // Kept open for writing too, so that the first read waits.
    let mut seen = BufReader::new(pipe::OpenOptions::new().read_write(true).open_receiver(&seen).unwrap()).lines();
    let (code, out, err) =
        output(program(host.console.path()).args(["web", "--open"]).env("PATH", folder.path())).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let args = tokio::time::timeout(std::time::Duration::from_secs(60), seen.next_line()).await;
    let args = args.expect("the browser was started").unwrap().unwrap();
    let (address, token) = host.console.page().unwrap().split_once("?token=").unwrap();
    assert!(!args.contains(token) && !out.contains(token) && out.contains(address), "{args} {out}");
    assert!(fs::read_to_string(&args).unwrap().contains(&format!("url={address}?token={token}")));
    assert_eq!(fs::metadata(&args).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn no_file_of_the_user_is_replaced() {
    let host = Host::start();
    let neighbour = host.console.path().with_extension("html");
    let file = host.console.path().with_file_name("test.sock.page.html");
    fs::write(&neighbour, "a report").unwrap();
    // No browser is found, but the file is written first, and again.
    for _ in 0..2 {
        output(program(host.console.path()).args(["web", "--open"]).env("PATH", "/nowhere")).await;
        assert!(fs::read_to_string(&file).unwrap().contains(host.console.page().unwrap()));
    }
    assert_eq!(fs::read_to_string(&neighbour).unwrap(), "a report");
    fs::write(&file, "a report").unwrap();
    let (code, _, err) = output(program(host.console.path()).args(["web", "--open"]).env("PATH", "/nowhere")).await;
    assert!(code == 1 && err.contains("test.sock.page.html was not written by `syncmgr web`; move it away"), "{err}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "a report");
}

#[tokio::test]
async fn only_the_socket_tells_the_address() {
    let host = Host::start();
    assert_eq!(host.get("/v1/page").await["page"], host.console.page().unwrap());
    let console = Console::new(&host.manager).at(host.console.path().with_file_name("other.sock")).start().unwrap();
    let refused = syncmgr_console::Client::new(console.path()).get::<serde_json::Value>("/v1/page").await;
    assert!(matches!(refused, Err(ClientError::Refused { status: 404, .. })));
}
