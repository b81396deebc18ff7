//! A network that fails on purpose: passes bytes on between two ends, and delays, holds or breaks them when told to.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

/// A server on this machine takes a connection at once, or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How it is on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// What is passed on comes this much later.
    Slow(Duration),
    /// New connections are reset; those that are open go on.
    Refusing,
    /// Connections open, and stay open, and nothing comes through until that is over.
    BlackHole,
    /// Each connection is reset after so many bytes.
    ResetAfter(usize),
}

/// A line on which connections run, as good or bad for all of them.
#[derive(Debug)]
pub struct Line {
    weather: watch::Sender<Weather>,
    cuts: watch::Sender<u64>,
    ends: watch::Sender<u64>,
}

impl Line {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            weather: watch::Sender::new(Weather::Fair),
            cuts: watch::Sender::new(0),
            ends: watch::Sender::new(0),
        })
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Resets all connections.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Whoever opened a connection is taken to have said all they wanted; the other end may go on.
    pub fn half_close(&self) {
        self.ends.send_modify(|ends| *ends += 1);
    }

    fn weather(&self) -> Weather {
        *self.weather.borrow()
    }
}

/// Where connections may go, and by which line.
type Route = (SocketAddr, Arc<Line>);

/// Takes connections, and passes them on to the first place of its route that takes them.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    route: Arc<Mutex<Vec<Route>>>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub async fn start(route: Vec<Route>) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), route).await
    }

    /// Takes connections at this address of this machine.
    pub async fn start_at(address: IpAddr, route: Vec<Route>) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let route = Arc::new(Mutex::new(route));
        let places = Arc::clone(&route);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                while connections.try_join_next().is_some() {}
                let places = places.lock().clone();
                // What goes wrong is seen by the ends.
                connections.spawn(async move { carry(client, &places).await });
            }
        });
        Self {
            address,
            route,
            task,
        }
    }

    /// Breaks all connections, and takes no more, for good.
    pub fn sever(&self) {
        self.task.abort();
    }

    /// Lets new connections go elsewhere.
    pub fn point_at(&self, route: Vec<Route>) {
        *self.route.lock() = route;
    }
}

async fn carry(client: TcpStream, places: &[Route]) -> io::Result<()> {
    for (address, line) in places {
        if line.weather() == Weather::Refusing {
            continue;
        }
        // From before there is a connection, so that nothing that happens to the line is missed.
        let breaks = (line.cuts.subscribe(), line.ends.subscribe());
        if let Ok(Ok(server)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            return pass_on(client, server, line, breaks).await;
        }
    }
    client.set_zero_linger()
}

/// Passes bytes on in both directions until one end breaks or both have said all; then both ends are let go.
async fn pass_on(
    mut client: TcpStream,
    mut server: TcpStream,
    line: &Line,
    (mut cuts, mut ends): (watch::Receiver<u64>, watch::Receiver<u64>),
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let passed = AtomicUsize::new(0);
    let carried = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = async {
            let (mut to_server, told) = (to_server, ends.changed());
            tokio::select! {
                passed = pass(from_client, &mut to_server, line, &passed) => passed?,
                _ = told => {}
            }
            to_server.shutdown().await
        };
        let down = async {
            let mut to_client = to_client;
            pass(from_server, &mut to_client, line, &passed).await?;
            to_client.shutdown().await
        };
        tokio::select! {
            carried = async { tokio::try_join!(up, down) } => carried.map(drop),
            _ = cuts.changed() => Err(io::ErrorKind::ConnectionReset.into()),
        }
    };
    if carried.is_err() {
        // Dropped like this, both ends are reset.
        client.set_zero_linger()?;
        server.set_zero_linger()?;
    }
    carried
}

async fn pass(
    mut from: ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    line: &Line,
    passed: &AtomicUsize,
) -> io::Result<()> {
    let mut weather = line.weather.subscribe();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        // What is sent into a black hole is not lost: it is sent again until it comes through.
        let gone = weather.wait_for(|it| *it != Weather::BlackHole).await;
        let now = *gone.map_err(io::Error::other)?;
        if read == 0 {
            return Ok(());
        }
        let mut bytes = &buffer[..read];
        match now {
            Weather::Slow(delay) => sleep(delay).await,
            Weather::ResetAfter(most) => {
                let left = most.saturating_sub(passed.load(Ordering::Relaxed));
                bytes = &bytes[..read.min(left)];
            }
            Weather::Fair | Weather::Refusing | Weather::BlackHole => {}
        }
        to.write_all(bytes).await?;
        passed.fetch_add(bytes.len(), Ordering::Relaxed);
        if bytes.len() < read {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ends of a connection by way of a proxy, and its line.
    async fn connected() -> (TcpStream, TcpStream, Arc<Line>, Proxy) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Line::new();
        let route = vec![(listener.local_addr().unwrap(), Arc::clone(&line))];
        let proxy = Proxy::start(route).await;
        let client = TcpStream::connect(proxy.address).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (client, server, line, proxy)
    }

    async fn read(end: &mut TcpStream, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let read = end.read(&mut bytes).await?;
        bytes.truncate(read);
        Ok(bytes)
    }

    #[tokio::test]
    async fn what_goes_into_a_black_hole_comes_out_when_it_is_over() {
        let (mut client, mut server, line, _proxy) = connected().await;
        client.write_all(b"one").await.unwrap();
        assert_eq!(read(&mut server, 9).await.unwrap(), b"one");
        line.set(Weather::BlackHole);
        client.write_all(b"two").await.unwrap();
        let silence = timeout(Duration::from_millis(50), read(&mut server, 9)).await;
        assert!(silence.is_err());
        line.set(Weather::Fair);
        assert_eq!(read(&mut server, 9).await.unwrap(), b"two");
    }

    #[tokio::test]
    async fn a_connection_is_reset_after_so_many_bytes_or_when_it_is_cut() {
        let (mut client, mut server, line, _proxy) = connected().await;
        line.set(Weather::ResetAfter(5));
        client.write_all(b"0123456789").await.unwrap();
        let mut all = Vec::new();
        let end = server.read_to_end(&mut all).await;
        assert!(end.is_err() && b"01234".starts_with(&all), "{all:?}");
        assert!(read(&mut client, 9).await.is_err());

        let (mut client, mut server, line, _proxy) = connected().await;
        line.cut();
        assert!(read(&mut client, 9).await.is_err());
        assert!(read(&mut server, 9).await.is_err());
    }

    #[tokio::test]
    async fn a_connection_that_is_half_closed_still_carries_the_other_way() {
        let (mut client, mut server, line, _proxy) = connected().await;
        line.half_close();
        assert_eq!(read(&mut server, 9).await.unwrap(), b"");
        server.write_all(b"still here").await.unwrap();
        assert_eq!(read(&mut client, 20).await.unwrap(), b"still here");
    }

    #[tokio::test]
    async fn whoever_is_refused_by_one_goes_to_the_next() {
        let (_client, _server, line, proxy) = connected().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let next = (listener.local_addr().unwrap(), Line::new());
        line.set(Weather::Refusing);
        proxy.point_at(vec![(listener.local_addr().unwrap(), line), next]);
        let _client = TcpStream::connect(proxy.address).await.unwrap();
        listener.accept().await.unwrap();
        proxy.sever();
    }
}
