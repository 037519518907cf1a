//! Changes of the network on Linux, from the kernel (`rtnetlink`).
//!
//! The monitor of `netwatch` does not notice a cable that is pulled out, and looks at its clock every 15 s.

use std::io;

use futures::FutureExt;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use rustix::io::Errno;

/// `RTMGRP_LINK`, and `RTMGRP_IPV4_` and `RTMGRP_IPV6_` for `IFADDR` and `ROUTE`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

pub(super) type Error = io::Error;

#[derive(Debug)]
pub(super) enum Change {
    Network,
}

/// A socket that receives a message for each change. The interfaces are read after a change, so no message is parsed.
pub(super) struct Changes {
    socket: TokioSocket,
}

impl Changes {
    #[expect(clippy::unused_async, reason = "the same signature on every system")]
    pub(super) async fn open() -> io::Result<Self> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        socket.socket_mut().bind(&SocketAddr::new(0, GROUPS))?;
        Ok(Self { socket })
    }

    /// Waits for a change, and takes all that have arrived by then.
    pub(super) async fn next(&mut self) -> io::Result<Change> {
        self.receive().await?;
        while let Some(received) = self.receive().now_or_never() {
            received?;
        }
        Ok(Change::Network)
    }

    /// Takes one message. If the queue has overflowed there were changes too.
    async fn receive(&self) -> io::Result<()> {
        let mut start = [0; 16];
        match self.socket.recv(&mut start.as_mut_slice()).await {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => Ok(()),
            received => received,
        }
    }
}
