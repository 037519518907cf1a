//! A kill and a continuation: `cargo run --example resume`. The program starts itself as a child, which copies three albums
//! photo by photo and remembers after each; kills it in the middle with SIGKILL; and goes on over the same file.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syncmgr::prelude::*;
use syncmgr::store::SessionRecord;

/// The child is told the directory through this.
const CHILD: &str = "RESUME_EXAMPLE_CHILD";

/// The photos of each album.
const ALBUMS: [(&str, u32); 3] = [("Autumn", 3), ("Harbour", 6), ("Mountains", 12)];

/// How long a photo takes.
const A_WHILE: Duration = Duration::from_millis(60);

/// The child is killed when it has copied so many of its albums together.
const ENOUGH: usize = 10;

struct Albums {
    directory: PathBuf,
}

/// What is remembered of an album: how many of its photos are copied.
#[derive(Default, Serialize, Deserialize)]
struct Progressed {
    photos: u32,
}

#[sync_handler(id = "2b1c7c0e-54d1-4c39-8e52-0d6f1f8f7a31", name = "Albums", limits(items = 3))]
impl SyncHandler for Albums {
    async fn items(&self) -> SyncResult<Items> {
        Ok(ALBUMS.iter().map(|(name, _)| SyncItem::named(*name)).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let photos = ALBUMS.iter().find(|(name, _)| *name == item.name()).map_or(0, |(_, photos)| *photos);
        let mut saved = item.saved::<Progressed>()?;
        match saved.photos {
            0 => println!("  {:<10} begins", item.name()),
            done if done == photos => println!("  {:<10} is whole", item.name()),
            done => println!("  {:<10} goes on after photo {done} of {photos}", item.name()),
        }
        while saved.photos < photos {
            let photo = saved.photos + 1;
            tokio::time::sleep(A_WHILE).await;
            std::fs::write(self.directory.join(format!("{}-{photo}", item.name())), "a photo")?;
            saved.photos = photo;
            // The photo is there before anything says so.
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
    let directory = tempfile::tempdir()?;
    println!("A child copies three albums:");
    kill_a_child(directory.path())?;
    println!("\nIt was killed with SIGKILL. What the file it left says:");
    let manager = open(directory.path())?;
    explain(&manager)?;
    println!("\nThe next run goes on where each album was:");
    manager.session(Trigger::Manual).start()?.finish().await;
    println!("\nHistory:");
    manager.history()?.iter().for_each(|session| println!("  {}", shown(session)));
    println!("\nNow:");
    explain(&manager)?;
    manager.shutdown().await;
    Ok(())
}

/// A manager over the state file of the directory.
fn open(directory: &Path) -> SyncResult<SyncManager> {
    let manager = SyncManager::open(directory.join("state"))?;
    manager.register(Albums { directory: directory.into() })?;
    Ok(manager)
}

/// Runs this program as a child and kills it when it has copied enough.
fn kill_a_child(directory: &Path) -> SyncResult {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.env(CHILD, directory).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().expect("it was asked for");
    let mut photos = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        photos += usize::from(line.contains("photo"));
        if photos == ENOUGH {
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

fn shown(session: &SessionRecord) -> String {
    match &session.end {
        Some(end) => format!("session {}: {}", session.session, end.course.name()),
        None => format!("session {}: under way", session.session),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use syncmgr_test::Provider;

    use super::*;

    /// A directory the albums are copied to.
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
    fn albums_keep_the_contract() {
        syncmgr_test::judge(|| Copies(tempfile::tempdir().unwrap()));
    }
}
