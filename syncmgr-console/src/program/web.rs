//! The page in a browser.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use syncmgr_console::Client;

use super::failure::Failure;
use super::output::line;

/// The beginning of the file that leads to the page.
const HEAD: &str = "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
                    <title>Sync</title><meta name=\"generator\" content=\"syncmgr web\">\n";

/// The way to show the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Print,
    Open,
}

impl Show {
    /// Returns the way that the command line asks for, or the one that fits the output.
    pub(crate) fn of(print: bool, open: bool) -> Self {
        match open || !print && io::stdout().is_terminal() {
            true => Self::Open,
            false => Self::Print,
        }
    }
}

/// Opens the page, or prints its address.
pub(crate) async fn web(client: &Client, show: Show, json: bool) -> Result<(), Failure> {
    let answer: Value = client.get("/v1/page").await?;
    let address = answer["page"].as_str().unwrap_or_default();
    match show {
        _ if json => line(&answer),
        Show::Print => line(address),
        Show::Open => {
            let file = redirection_beside(client.path());
            write_redirection(&file, address)?;
            open::that_detached(&file).map_err(Failure::Browser)?;
            line(format_args!("opened {}; if no page appears, use `syncmgr web --print`", without_token(address)));
        }
    }
    Ok(())
}

fn without_token(address: &str) -> &str {
    address.split('?').next().unwrap_or_default()
}

/// Removes the file that leads a browser to the page of the host on this socket. Its token has ended with that host.
#[cfg(feature = "host")]
pub(crate) fn remove_redirection(socket: &Path) {
    let file = redirection_beside(socket);
    if is_ours(&file).unwrap_or_default() {
        // It may not exist.
        let _ = fs::remove_file(file);
    }
}

fn redirection_beside(socket: &Path) -> PathBuf {
    socket.with_added_extension("page.html")
}

/// Writes a file for this user alone that leads a browser to the address. The command line of a browser is visible to other users, so
/// it must not contain the token. The file stays beside the socket, because a browser may read it late; `syncmgr host` removes it with
/// the end of its token. Replaces only such a file.
fn write_redirection(file: &Path, address: &str) -> Result<(), Failure> {
    if !is_ours(file)? {
        return Err(Failure::Foreign(file.to_owned()));
    }
    let temporary = file.with_added_extension(std::process::id().to_string());
    // From a process that ended before it was done.
    let _ = fs::remove_file(&temporary);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(&temporary)?.write_all(redirection(address).as_bytes())?;
    Ok(fs::rename(&temporary, file)?)
}

/// Returns `true` if a file does not exist, or if this program has written it.
fn is_ours(file: &Path) -> io::Result<bool> {
    match fs::read(file) {
        Ok(text) => Ok(text.starts_with(HEAD.as_bytes())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Returns the text of the file. The address has no character with a meaning in HTML.
fn redirection(address: &str) -> String {
    format!("{HEAD}<meta http-equiv=\"refresh\" content=\"0; url={address}\"><a href=\"{address}\">Open the page</a>\n")
}
