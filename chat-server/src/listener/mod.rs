//! Accepting connections and serving HTTP on them, whoever is at the other end.

mod accept;
mod connection;
mod descriptors;
mod pace;
mod proxies;
#[cfg(test)]
mod tests;
mod tls;
pub(crate) mod wire;

use std::{io, net::SocketAddr, time::Duration};

use tokio::net::{TcpListener, TcpSocket};

use self::descriptors::Descriptors;
pub(crate) use self::{accept::serve, tls::Certificates};
pub use self::{
    proxies::ProxyNetwork,
    tls::{TlsError, TlsFiles},
};
use crate::metrics::Connections;

/// Connections that wait to be accepted: a restart brings everybody back at once.
const BACKLOG: u32 = 4_096;
/// What the kernel holds of a socket that is read slowly; small, so that its progress can be seen.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;

/// An address that is listened on.
#[derive(Debug)]
pub(crate) struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    tls: Option<Certificates>,
    descriptors: Descriptors,
    connections: Connections,
    proxies: Vec<ProxyNetwork>,
}

impl Listener {
    /// Listens at this address; what arrives waits until it is served. The last `reserve` descriptors of the process are left to
    /// others.
    pub(crate) fn bind(
        address: SocketAddr,
        tls: Option<Certificates>,
        reserve: u64,
        connections: Connections,
    ) -> io::Result<Self> {
        let tcp = listen(address)?;
        Ok(Self {
            address: tcp.local_addr()?,
            descriptors: Descriptors::new(reserve, &tcp),
            tcp,
            tls,
            connections,
            proxies: Vec::new(),
        })
    }

    /// Takes the word of these proxies for where requests come from.
    pub(crate) fn behind(self, proxies: Vec<ProxyNetwork>) -> Self {
        Self { proxies, ..self }
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How long a client may take for what it is expected to do next.
#[derive(Clone, Copy, Debug)]
struct Deadlines {
    /// To say anything at all.
    first_byte: Duration,
    /// To finish a TLS handshake.
    handshake: Duration,
    /// To finish the head of a request.
    head: Duration,
    /// To begin the next request: longer than proxies keep connections open, so that it is they who close them.
    next_request: Duration,
    /// To take an answer.
    answer: Duration,
}

const DEADLINES: Deadlines = Deadlines {
    first_byte: Duration::from_secs(5),
    handshake: Duration::from_secs(10),
    head: Duration::from_secs(10),
    next_request: Duration::from_secs(75),
    answer: Duration::from_mins(2),
};
