//! Binding ports, before anything else is opened: a port that is taken is the commonest reason not to start.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use super::error::AppError;
use crate::config::Config;

/// The listeners of a process.
pub(super) struct Listeners {
    pub(super) grpc: TcpListener,
    pub(super) rest: Option<TcpListener>,
    pub(super) health: TcpListener,
    /// For peers; none where this replica is meant to be alone.
    pub(super) peers: Option<TcpListener>,
}

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

impl Listeners {
    /// Binds every port.
    pub(super) fn bind(config: &Config) -> Result<Self, AppError> {
        let health = bind("health.metrics_port", "METRICS_PORT", config.health.metrics_port)?;
        let grpc = bind("grpc.port", "GRPC_PORT", config.grpc.port)?;
        let rest = if config.http.enabled {
            Some(bind("http.port", "HTTP_PORT", config.http.port)?)
        } else {
            None
        };
        let peers = if !config.has_peers() {
            None
        } else {
            Some(bind("cluster.peer_port", "PEER_PORT", config.cluster.peer_port)?)
        };
        Ok(Self {
            grpc,
            rest,
            health,
            peers,
        })
    }
}

/// Binds a port on every address, of both families where the system has both.
fn bind(key: &'static str, variable: &'static str, port: u16) -> Result<TcpListener, AppError> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let bound = match listen(both) {
        // No IPv6 here.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            listen((Ipv4Addr::UNSPECIFIED, port).into())
        }
        bound => bound,
    };
    bound.map_err(|source| {
        if source.kind() == io::ErrorKind::AddrInUse {
            AppError::PortTaken { key, port, variable }
        } else {
            AppError::Listen { key, port, source }
        }
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    // A restart need not wait until the kernel has forgotten the connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The port of a listener, for the log.
pub(super) fn port_of(listener: &TcpListener) -> Option<u16> {
    listener.local_addr().ok().map(|address| address.port())
}
