//! The control socket: where it is, and who may connect.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

use crate::connections::Listener;

/// The mode of the directory of sockets.
const DIRECTORY_MODE: u32 = 0o700;

/// The mode of sockets and their lock files.
const FILE_MODE: u32 = 0o600;

/// Returns the path of the socket of the program with this name: in `$XDG_RUNTIME_DIR/syncmgr`, or in a directory of the user's own
/// in the directory for temporary files. Creates nothing.
///
/// ```
/// let path = syncmgr_console::socket_path("mail");
/// assert!(path.ends_with("mail.sock"));
/// ```
pub fn socket_path(name: &str) -> PathBuf {
    let directory = match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(directory) if directory.is_absolute() => directory.join("syncmgr"),
        _ => std::env::temp_dir().join(format!("syncmgr-{}", geteuid().as_raw())),
    };
    directory.join(format!("{name}.sock"))
}

/// A console that could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsoleError {
    /// Another program serves this socket.
    #[error("another program already serves {}; stop it, or choose another name", path.display())]
    InUse {
        /// The path of the socket.
        path: PathBuf,
    },
    /// Another user could replace the socket.
    #[error("{} belongs to another user or others may write to it; use a directory of your own with mode 0700", path.display())]
    NotPrivate {
        /// The directory of the socket.
        path: PathBuf,
    },
    /// The socket or its directory could not be created.
    #[error("the control socket {} cannot be created", path.display())]
    Socket {
        /// The path of the socket.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The page could not be served.
    #[error("the page cannot be served on port {port} of 127.0.0.1")]
    Page {
        /// The port.
        port: u16,
        /// The error of the system.
        source: io::Error,
    },
}

/// A bound control socket. It is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Held for as long as the socket is served. A socket whose lock is free was left behind.
    _lock: File,
}

impl ControlSocket {
    /// Binds the socket, in a directory that only this user can enter. Replaces one that another process has left behind.
    pub(crate) fn bind(path: &Path) -> Result<Self, ConsoleError> {
        let failed = |source| ConsoleError::Socket { path: path.to_owned(), source };
        let directory = directory_of(path);
        create_private(directory).map_err(failed)?;
        if !is_private(directory).map_err(failed)? {
            return Err(ConsoleError::NotPrivate { path: directory.to_owned() });
        }
        let lock = open_lock(&path.with_added_extension("lock")).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| ConsoleError::InUse { path: path.to_owned() })?;
        let listener = listen(path).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), _lock: lock })
    }

    /// Returns the path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Listener for ControlSocket {
    type Stream = UnixStream;

    /// Accepts the next connection of this user.
    async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == geteuid().as_raw() => return Ok(stream),
                Ok(peer) => tracing::warn!(user = peer.uid(), "refused a connection of another user"),
                Err(error) => tracing::warn!(%error, "refused a connection of an unknown user"),
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the control socket is left behind");
        }
    }
}

/// Returns the directory of a socket.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Binds a socket, in place of one that was left behind. Call with its lock. The system creates a socket that others may connect to, so
/// that it begins in a directory that they cannot enter.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let closed = path.with_added_extension("new");
    let new = closed.join("s");
    // From a process that was killed here.
    remove(&new)?;
    create_private(&closed)?;
    std::fs::set_permissions(&closed, Permissions::from_mode(DIRECTORY_MODE))?;
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, Permissions::from_mode(FILE_MODE))?;
    std::fs::rename(&new, path)?;
    std::fs::remove_dir(&closed)?;
    Ok(listener)
}

fn create_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)
}

/// Returns `true` if only this user can create or replace a file in the directory.
fn is_private(directory: &Path) -> io::Result<bool> {
    let metadata = std::fs::symlink_metadata(directory)?;
    Ok(metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o022 == 0)
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(FILE_MODE).open(path)
}

/// Removes a file, if it exists.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_and_its_directory_belong_to_their_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/syncmgr/mail.sock");
        let socket = ControlSocket::bind(&path).unwrap();
        let mode = |path: &Path| std::fs::symlink_metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (DIRECTORY_MODE, FILE_MODE));
        assert!(!path.with_added_extension("new").exists());
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_a_killed_process_has_left_behind_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own/mail.sock");
        let left = path.with_added_extension("new");
        create_private(&left).unwrap();
        let _left = UnixListener::bind(left.join("s")).unwrap();
        let _socket = ControlSocket::bind(&path).unwrap();
        assert!(UnixStream::connect(&path).await.is_ok() && !left.exists());
    }

    #[test]
    fn the_directory_of_a_bare_name_is_the_current_one() {
        assert_eq!(["rel.sock", "run/rel.sock"].map(|path| directory_of(Path::new(path))), [".", "run"].map(Path::new));
    }

    #[tokio::test]
    async fn an_error_leaves_its_cause_to_its_source() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let error = ControlSocket::bind(&folder.path().join("file/mail.sock")).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(!error.to_string().contains(&cause), "{error}: {cause}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_connection_of_another_user_is_refused_and_the_next_accepted() {
        use crate::nobody;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own/mail.sock");
        let socket = ControlSocket::bind(&path).unwrap();
        // So that only the check of the peer is left.
        [folder.path(), path.parent().unwrap(), &path].into_iter().for_each(nobody::open_to_all);
        let connect = || std::os::unix::net::UnixStream::connect(&path).unwrap();
        let Some(mut refused) = nobody::run(connect) else { return };
        let (accepted, _own) = (socket.accept(), UnixStream::connect(&path).await.unwrap());
        assert_eq!(accepted.await.unwrap().peer_cred().unwrap().uid(), geteuid().as_raw());
        assert_eq!(io::Read::read(&mut refused, &mut [0]).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_socket_that_is_served_is_not_replaced_and_one_that_was_left_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own/mail.sock");
        let served = ControlSocket::bind(&path).unwrap();
        assert!(matches!(ControlSocket::bind(&path), Err(ConsoleError::InUse { .. })));
        // As after `kill -9`: the file stays, the lock does not.
        std::fs::hard_link(&path, folder.path().join("own/copy")).unwrap();
        drop(served);
        std::fs::rename(folder.path().join("own/copy"), &path).unwrap();
        assert!(ControlSocket::bind(&path).is_ok());
    }

    #[tokio::test]
    async fn sockets_whose_names_differ_in_their_extension_are_served_together() {
        let folder = tempfile::tempdir().unwrap();
        let _served = ControlSocket::bind(&folder.path().join("own/mail.sock")).unwrap();
        assert!(ControlSocket::bind(&folder.path().join("own/mail.test")).is_ok());
    }

    #[tokio::test]
    async fn a_directory_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        let error = ControlSocket::bind(&open.join("mail.sock")).unwrap_err();
        assert!(matches!(error, ConsoleError::NotPrivate { .. }), "{error}");
    }
}
