//! Ports for servers that are started by tests.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

use uuid::Uuid;

/// Below those that the system gives to clients: one of these that tries to reach a server which is down might be given the
/// very port of that server, be its own peer, and keep it from starting again.
const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;

/// A port that nobody listens on. It is not reserved, but hardly anybody else will choose it.
pub(super) fn free_port() -> io::Result<u16> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..100 {
        let [.., high, low] = *Uuid::new_v4().as_bytes();
        let port = FIRST + u16::from_be_bytes([high, low]) % COUNT;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}
