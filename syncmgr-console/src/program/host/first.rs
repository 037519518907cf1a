//! The first settings file, for a user who has none yet.

use std::fs::{File, create_dir_all};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use syncmgr::text::Escaped;

use super::settings::{Problem, Settings};

/// Writes a settings file that mirrors one directory into another and has the page.
///
/// # Errors
/// If the pair is not valid, or the file exists or cannot be written.
pub(super) fn write(file: &Path, from: &Path, to: &Path) -> Result<(), Vec<Problem>> {
    let text = text(from, to).map_err(|problem| vec![problem])?;
    Settings::parse(file, &text)?;
    let created = create(file, &text).map_err(|error| {
        let file = file.display().to_string();
        let file = Escaped(&file);
        Problem::general(match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("{file} exists; add the pair to it, and run `syncmgr host` without FROM and TO")
            }
            _ => format!("{file} cannot be written: {error}"),
        })
    });
    created.map_err(|problem| vec![problem])
}

fn text(from: &Path, to: &Path) -> Result<String, Problem> {
    let (from, to) = (absolute(from)?, absolute(to)?);
    let name = from.file_name().map_or_else(|| "Files".into(), |name| name.to_string_lossy());
    let [name, from, to] = [&*name, utf8(&from)?, utf8(&to)?].map(|text| toml::Value::from(text).to_string());
    Ok(format!(
        "# `syncmgr host` mirrors FROM into TO. SIGHUP reads this file again.\n\
         page = 0 # a page for browsers on this machine, at a free port; `syncmgr web` opens it\n\n\
         [[folder]]\n\
         name = {name}\n\
         from = {from}\n\
         to = {to}\n\
         watch = true # copy a file soon after it has changed\n\
         # schedule = \"every 15m\"\n\
         # delete = \"guarded\" # delete in TO what FROM no longer has, but ask about large losses\n"
    ))
}

fn absolute(path: &Path) -> Result<PathBuf, Problem> {
    std::path::absolute(path).map_err(|error| Problem::general(format!("{}: {error}", path.display())))
}

fn utf8(path: &Path) -> Result<&str, Problem> {
    path.to_str().ok_or_else(|| Problem::general(format!("{} is not UTF-8, which TOML requires", path.display())))
}

fn create(file: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        create_dir_all(directory)?;
    }
    File::create_new(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_settings_are_valid_and_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("syncmgr/host.toml");
        let from = folder.path().join("a \"quoted\" name");
        write(&file, &from, Path::new("relative")).unwrap();
        let settings = Settings::read(&file).unwrap();
        let pair = &settings.folders[0];
        assert_eq!((&*pair.name, &pair.from), ("a \"quoted\" name", &from));
        assert!(pair.to.is_absolute() && pair.is_watched && settings.page == Some(0));
        let refused = write(&file, &from, Path::new("/other")).unwrap_err()[0].to_string();
        assert!(
            refused.ends_with("exists; add the pair to it, and run `syncmgr host` without FROM and TO"),
            "{refused}"
        );
        assert_eq!(Settings::read(&file).unwrap(), settings);
        let other = folder.path().join("other.toml");
        assert!(write(&other, &from, &from.join("inner")).is_err() && !other.exists());
    }
}
