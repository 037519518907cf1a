//! A manager with a console, whose handlers do what the test lets them do.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::store::MemoryStore;
use syncmgr_console::{Console, Questions, Serving};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::ask::ask;

/// A handler whose items report the amount that the test sets, out of 100. At 100 they end: `report` asks which side is right, and
/// `video` fails.
struct Files {
    done: watch::Receiver<u64>,
    answers: Arc<Mutex<Vec<String>>>,
}

#[sync_handler(id = "0a1f3a52-1c0a-4c38-9a0c-2f1f0f6d7a11", name = "Files", capabilities(cancellable))]
impl SyncHandler for Files {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["letter", "photo", "report", "video"].into_iter().map(SyncItem::named).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut done = self.done.clone();
        loop {
            let now = *done.borrow_and_update();
            item.progress(now, 100)?;
            if now >= 100 {
                break;
            }
            tokio::select! {
                biased;
                () = item.cancelled() => item.check()?,
                changed = done.changed() => changed?,
            }
        }
        match item.name() {
            "report" => self.decide(item),
            "video" => return Err(anyhow!("the disk is full")),
            _ => {}
        }
        Ok(())
    }
}

impl Files {
    fn decide(&self, item: &ItemContext) {
        if let Some(side) = item.decide("side", "Which side is right?", &["here", "there"]) {
            self.answers.lock().expect("no test panics with it").push(side.to_owned());
        }
    }
}

/// A handler that asks the user, and notes the answers.
struct Mail {
    answers: Arc<Mutex<Vec<String>>>,
}

#[sync_handler(id = "0d5b6f0e-8f5e-4d6f-8e43-7d8b6c5a4f22", name = "Mail", capabilities(cancellable))]
impl SyncHandler for Mail {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["door", "inbox"].into_iter().map(SyncItem::named).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        ask(item, &self.answers).await
    }
}

/// A manager with the handlers and a console.
pub(crate) struct Host {
    pub(crate) manager: SyncManager,
    pub(crate) done: watch::Sender<u64>,
    pub(crate) answers: Arc<Mutex<Vec<String>>>,
    questions: Questions,
    console: Option<Serving>,
    folder: TempDir,
}

impl Host {
    /// Starts a manager whose items are known, and an idle console.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is a directory for temporary files");
        let (questions, answers) = (Questions::new(), Arc::<Mutex<Vec<String>>>::default());
        let builder = SyncManager::builder().store(MemoryStore::new());
        let manager = builder.interaction(questions.clone()).chooser(questions.clone()).build();
        let done = watch::Sender::new(0);
        manager.register(Files { done: done.subscribe(), answers: answers.clone() }).expect("the handler is new");
        manager.register(Mail { answers: answers.clone() }).expect("the handler is new");
        let mut host = Self { manager, done, answers, questions, console: None, folder };
        host.serve();
        host
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("run/test.sock")
    }

    /// Serves the console.
    pub(crate) fn serve(&mut self) {
        let console = Console::new(&self.manager).at(self.socket()).with_questions(self.questions.clone());
        self.console = Some(console.start().expect("the socket is free"));
    }

    /// Stops the console. The manager goes on.
    pub(crate) async fn leave(&mut self) {
        self.console.take().expect("it is served").stop().await;
    }

    pub(crate) fn answers(&self) -> Vec<String> {
        self.answers.lock().expect("no test panics with it").clone()
    }
}
