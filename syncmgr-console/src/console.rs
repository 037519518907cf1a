//! The console of a manager.

use std::path::{Path, PathBuf};
#[cfg(feature = "web")]
use std::sync::Arc;

use syncmgr::SyncManager;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api;
use crate::api::Api;
use crate::connections;
#[cfg(feature = "web")]
use crate::page;
use crate::questions::Questions;
use crate::socket::{ConsoleError, ControlSocket, socket_path};

/// A console that serves one manager.
///
/// ```
/// use syncmgr::SyncManager;
/// use syncmgr_console::Console;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("run/mail.sock");
/// let manager = SyncManager::new();
/// let console = Console::new(&manager).at(path).start()?; // `syncmgr --socket PATH status` now shows the manager
/// // ...
/// console.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "call `start`"]
pub struct Console {
    manager: SyncManager,
    questions: Questions,
    path: PathBuf,
    #[cfg(feature = "web")]
    port: Option<u16>,
}

impl Console {
    /// Creates a console on the socket `syncmgr`, where the program `syncmgr` looks for it.
    pub fn new(manager: &SyncManager) -> Self {
        Self {
            manager: manager.clone(),
            questions: Questions::new(),
            path: socket_path("syncmgr"),
            #[cfg(feature = "web")]
            port: None,
        }
    }

    /// Sets the path of the control socket; see [`socket_path`] for one with a name of your own.
    pub fn at(self, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// Sets the questions that users of the console answer: those that the manager has as its interaction and chooser.
    pub fn with_questions(self, questions: Questions) -> Self {
        Self { questions, ..self }
    }

    /// Also serves a page for browsers on this port of 127.0.0.1; 0 selects a free one. See [`Serving::page`] for its address.
    #[cfg(feature = "web")]
    pub fn with_page(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Creates the control socket, and serves it on the current tokio runtime until it is [stopped](Serving::stop) or dropped.
    ///
    /// # Errors
    /// Returns an error if another program serves the socket, its directory is not private, or it cannot be created.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self) -> Result<Serving, ConsoleError> {
        let runtime = Handle::current();
        let socket = ControlSocket::bind(&self.path)?;
        let (path, stop) = (socket.path().to_owned(), CancellationToken::new());
        let api = Api::new(self.manager, self.questions, stop.clone());
        #[cfg(feature = "web")]
        let page = self.port.map(page::Server::bind).transpose()?;
        #[cfg(feature = "web")]
        let address: Option<Arc<str>> = page.as_ref().map(|page| page.address().into());
        #[cfg(not(feature = "web"))]
        let address = None;
        let tasks = TaskTracker::new();
        #[cfg(feature = "web")]
        if let Some(page) = page {
            tasks.spawn_on(page.serve(api.clone(), stop.clone()), &runtime);
        }
        tasks.spawn_on(connections::serve(socket, api::router(api, address.clone()), stop.clone()), &runtime);
        tasks.close();
        Ok(Serving {
            path,
            #[cfg(feature = "web")]
            address,
            stop,
            tasks,
        })
    }
}

/// A console that is being served. Dropping it stops the console.
pub struct Serving {
    path: PathBuf,
    #[cfg(feature = "web")]
    address: Option<Arc<str>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Serving {
    /// Returns the path of the control socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the address of the page, if there is one. It contains the token that opens the page: show it to the user only.
    #[cfg(feature = "web")]
    pub fn page(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Stops the console: ends the streams of events, and waits up to 2 s for requests in progress. The manager goes on.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the address, which contains the token.
        write!(f, "Serving({})", self.path.display())
    }
}
