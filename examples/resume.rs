//! A kill and a resumed session: `cargo run --example resume`. The program starts itself as a child process, which copies three albums and
//! commits a checkpoint after each photo. The parent kills the child with SIGKILL, then resumes from the same state file.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syncmgr::prelude::*;
use syncmgr::store::SessionRecord;

/// The environment variable that passes the directory to the child.
const CHILD: &str = "RESUME_EXAMPLE_CHILD";

/// The albums with their numbers of photos.
const ALBUMS: [(&str, u32); 3] = [("Autumn", 3), ("Harbour", 6), ("Mountains", 12)];

/// The duration of one copy.
const COPY_TIME: Duration = Duration::from_millis(60);

/// The number of copied photos after which the child is killed.
const KILL_AFTER: usize = 10;

struct Albums {
    directory: PathBuf,
}

/// The checkpoint of an album: the number of copied photos.
#[derive(Default, Serialize, Deserialize)]
struct Copied {
    photos: u32,
}

#[sync_handler(id = "2b1c7c0e-54d1-4c39-8e52-0d6f1f8f7a31", name = "Albums", limits(items = 3))]
impl SyncHandler for Albums {
    async fn items(&self) -> SyncResult<Items> {
        Ok(ALBUMS.iter().map(|(name, _)| SyncItem::named(*name)).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let photos = ALBUMS.iter().find(|(name, _)| *name == item.name()).map_or(0, |(_, photos)| *photos);
        let mut saved = item.saved::<Copied>()?;
        match saved.photos {
            0 => println!("  {:<10} starts", item.name()),
            done if done == photos => println!("  {:<10} is complete", item.name()),
            done => println!("  {:<10} resumes after photo {done} of {photos}", item.name()),
        }
        while saved.photos < photos {
            let photo = saved.photos + 1;
            tokio::time::sleep(COPY_TIME).await;
            std::fs::write(self.directory.join(format!("{}-{photo}", item.name())), "a photo")?;
            saved.photos = photo;
            // The checkpoint follows the write, so that it never covers a missing photo.
            saved.commit().await?;
            println!("  {:<10} photo {photo} of {photos}", item.name());
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> SyncResult {
    if let Some(directory) = std::env::var_os(CHILD) {
        let manager = open(Path::new(&directory))?;
        manager.session(Trigger::Manual).start()?.finish().await;
        return Ok(());
    }
    if std::env::args().len() > 1 {
        println!("Usage: resume\n\nShows how a killed process continues from its state file. There are no options.");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    println!("A child process copies three albums:");
    kill_a_child(directory.path())?;
    println!("\nThe child was killed with SIGKILL. The state file explains:");
    let manager = open(directory.path())?;
    explain(&manager)?;
    println!("\nThe next run resumes each album:");
    manager.session(Trigger::Manual).start()?.finish().await;
    println!("\nHistory:");
    manager.history().await?.iter().for_each(|session| println!("  {}", describe(session)));
    println!("\nNow:");
    explain(&manager)?;
    manager.shutdown().await;
    Ok(())
}

/// Opens a manager with the state file in the directory.
fn open(directory: &Path) -> SyncResult<SyncManager> {
    let manager = SyncManager::open(directory.join("state"))?;
    manager.register(Albums { directory: directory.into() })?;
    Ok(manager)
}

/// Runs this program as a child process and kills it after [`KILL_AFTER`] photos.
fn kill_a_child(directory: &Path) -> SyncResult {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.env(CHILD, directory).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().expect("the output is piped");
    let mut photos = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        photos += usize::from(line.contains("photo"));
        if photos == KILL_AFTER {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn explain(manager: &SyncManager) -> SyncResult {
    for (name, _) in ALBUMS {
        let explained = manager.explain_item(Albums::HANDLER.id(), SyncItem::named(name).id())?;
        println!("  {name:<10} {explained}");
    }
    Ok(())
}

fn describe(session: &SessionRecord) -> String {
    match &session.end {
        Some(end) => format!("session {}: {}", session.session, end.outcome),
        None => format!("session {}: running", session.session),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use syncmgr_test::Provider;

    use super::*;

    /// The directory that the albums are copied to.
    struct Copies(tempfile::TempDir);

    impl Provider for Copies {
        fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
            Arc::new(Albums { directory: self.0.path().into() })
        }

        fn data(&self) -> BTreeMap<String, String> {
            let photos = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap());
            let photo = |entry: std::fs::DirEntry| {
                (entry.file_name().display().to_string(), std::fs::read_to_string(entry.path()).unwrap())
            };
            photos.map(photo).collect()
        }
    }

    #[test]
    fn albums_pass_the_conformance_check() {
        syncmgr_test::assert_conforms(|| Copies(tempfile::tempdir().unwrap()));
    }
}
