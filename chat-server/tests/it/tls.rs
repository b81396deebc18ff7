//! The server over TLS: who is served, what it shows, and what happens when its certificate is renewed.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chat_core::client::{Client, Event, Link};
use chat_server::{Config, Server, TlsFiles};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
        version::{TLS12, TLS13},
    },
};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::{
    process::{Process, command, refused},
    support::{PASSWORD, PATIENCE, Running, handshake, start_configured, text},
};

/// What is due has happened when so many other requests were answered.
const FENCES: usize = 50;

/// A certificate that vouches for itself.
struct Certificate {
    pem: String,
    key: String,
}

impl Certificate {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()]);
        let made = made.unwrap();
        Self {
            pem: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    /// Writes it where a server finds it.
    fn write(&self, directory: &Path) -> TlsFiles {
        let files = TlsFiles {
            certificate: directory.join("cert.pem"),
            key: directory.join("key.pem"),
        };
        std::fs::write(&files.certificate, &self.pem).unwrap();
        write_private(&files.key, &self.key);
        files
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()
    }

    /// A client of HTTP that trusts it.
    fn http(&self) -> reqwest::Client {
        let trusted = reqwest::Certificate::from_pem(self.pem.as_bytes()).unwrap();
        let builder = reqwest::Client::builder().tls_certs_only([trusted]);
        builder.build().unwrap()
    }

    /// The client's end of TLS.
    fn connector(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &str,
    ) -> TlsConnector {
        let mut trusted = RootCertStore::empty();
        trusted.add(self.der()).unwrap();
        let mut config = ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(trusted)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.into()];
        TlsConnector::from(Arc::new(config))
    }

    async fn connect(&self, server: SocketAddr) -> TlsStream<TcpStream> {
        let connector = self.connector(&[&TLS13], "http/1.1");
        let tcp = TcpStream::connect(server).await.unwrap();
        connector.connect(localhost(), tcp).await.unwrap()
    }
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

fn write_private(path: &PathBuf, text: &str) {
    std::fs::write(path, text).unwrap();
    restrict(path, "600");
}

fn restrict(path: &Path, mode: &str) {
    let set = std::process::Command::new("chmod")
        .arg(mode)
        .arg(path)
        .status();
    assert!(set.unwrap().success());
}

async fn start() -> (Running, Certificate) {
    let certificate = Certificate::new();
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: Some(certificate.write(directory.path())),
        ..Config::default()
    };
    for rate in [
        &mut config.limits.requests_per_second,
        &mut config.limits.request_burst,
        &mut config.limits.sends_per_second,
        &mut config.limits.send_burst,
    ] {
        *rate = u32::MAX;
    }
    let mut running = start_configured(config, directory).await;
    running.http = certificate.http();
    (running, certificate)
}

#[tokio::test]
async fn rest_and_sockets_are_the_same_over_tls() {
    let (running, certificate) = start().await;
    let ana = running.person("ana").await;
    let group = ana.group("Lunch", &[]).await;
    let health = running
        .request(reqwest::Method::GET, "/healthz", None)
        .await;
    assert_eq!(
        health.headers["strict-transport-security"],
        "max-age=31536000"
    );

    let stream = certificate.connect(running.server.local_addr()).await;
    let bearer = format!("Bearer {}", ana.token);
    let request = handshake(&running.url("/api/v1"), "/ws", &[("authorization", bearer)]);
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    let join = json!({"type": "join_conversation", "conversation_id": group});
    socket.send(Message::text(join.to_string())).await.unwrap();
    let long = "soup ".repeat(1_000);
    let mut joined = false;
    loop {
        let frame = time::timeout(PATIENCE, socket.next()).await.unwrap();
        let Message::Text(frame) = frame.unwrap().unwrap() else {
            continue;
        };
        let frame: Value = serde_json::from_str(&frame).unwrap();
        if frame["type"] == "ack" && !joined {
            joined = true;
            ana.say(&group, &long).await;
        }
        if frame["type"] == "new_message" {
            assert_eq!(frame["message"]["body"], long.as_str());
            break;
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_for_a_while_misses_nothing_over_tls_either() {
    let (running, certificate) = start().await;
    let ana = running.person("ana").await;
    let group = ana.group("Flood", &[]).await;
    let stream = certificate.connect(running.server.local_addr()).await;
    let bearer = format!("Bearer {}", ana.token);
    let request = handshake(&running.url("/api/v1"), "/ws", &[("authorization", bearer)]);
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    let join = json!({"type": "join_conversation", "conversation_id": group, "after_seq": 1});
    socket.send(Message::text(join.to_string())).await.unwrap();
    let long = "x".repeat(8_000);
    // More than the buffers of the kernel on both ends.
    for _ in 0..600 {
        ana.say(&group, &long).await;
    }
    let mut next = 2;
    while next < 602 {
        let frame = time::timeout(PATIENCE, socket.next()).await.unwrap();
        let Message::Text(frame) = frame.unwrap().unwrap() else {
            continue;
        };
        let frame: Value = serde_json::from_str(&frame).unwrap();
        if frame["type"] == "new_message" {
            assert_eq!(frame["seq"], next);
            next += 1;
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn the_client_library_speaks_to_a_server_that_a_private_authority_vouches_for() {
    let (running, certificate) = start().await;
    let url = running.server.url();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let stranger = Client::new(&url).unwrap();
    assert!(stranger.register("ana", PASSWORD, None).await.is_err());

    let ana = Client::trusting(&url, certificate.pem.as_bytes()).unwrap();
    ana.register("ana", PASSWORD, None).await.unwrap();
    let (live, mut events) = ana.live();
    let linked = async {
        while let Some(event) = events.next().await {
            if matches!(event, Event::Link(Link::Online(_))) {
                return;
            }
        }
        panic!("the connection ended");
    };
    time::timeout(PATIENCE, linked).await.unwrap();
    live.close().await;
    assert!(
        Client::trusting(
            &url,
            b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
        )
        .is_err()
    );
}

#[tokio::test]
async fn two_versions_of_tls_and_one_of_http_are_spoken() {
    let (running, certificate) = start().await;
    let address = running.server.local_addr();
    for (version, expected) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let connector = certificate.connector(&[version], "http/1.1");
        let tcp = TcpStream::connect(address).await.unwrap();
        let stream = connector.connect(localhost(), tcp).await.unwrap();
        let (_, agreed) = stream.get_ref();
        assert_eq!(agreed.protocol_version(), Some(expected));
        assert_eq!(agreed.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    let connector = certificate.connector(&[&TLS13], "h2");
    let tcp = TcpStream::connect(address).await.unwrap();
    assert!(connector.connect(localhost(), tcp).await.is_err());
}

/// A client that has got this far, and then does nothing more.
enum Idle {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Idle {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream.get_ref().0,
        }
    }

    /// Whether nothing has arrived, not even the end.
    fn is_open(&mut self) -> bool {
        let read = self.tcp().try_read(&mut [0; 4_096]);
        matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

/// That the server closes it, which is due.
async fn closed(running: &Running, mut client: Idle) {
    for _ in 0..FENCES {
        if !client.is_open() {
            return;
        }
        fence(running).await;
    }
    panic!("it is still open");
}

/// Lets time pass, and what is due happen.
async fn wait(running: &Running, seconds: u64) {
    time::pause();
    time::advance(Duration::from_secs(seconds)).await;
    time::resume();
    fence(running).await;
}

async fn fence(running: &Running) {
    for _ in 0..2 {
        let request = running.http.get(running.url("/healthz"));
        let answer = request.header("connection", "close").send().await;
        assert_eq!(answer.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn who_does_not_finish_the_handshake_is_given_up() {
    let (running, certificate) = start().await;
    let address = running.server.local_addr();
    let silent = TcpStream::connect(address).await.unwrap();
    let mut begun = TcpStream::connect(address).await.unwrap();
    // The beginning of a record with a hello of 512 bytes.
    begun
        .write_all(b"\x16\x03\x01\x02\x00\x01\x00")
        .await
        .unwrap();
    // With the older version nothing follows the handshake, such as tickets.
    let connector = certificate.connector(&[&TLS12], "http/1.1");
    let tcp = TcpStream::connect(address).await.unwrap();
    let agreed = connector.connect(localhost(), tcp).await.unwrap();
    let mut silent = Idle::Plain(silent);
    let mut begun = Idle::Plain(begun);
    let mut agreed = Idle::Secure(Box::new(agreed));
    fence(&running).await;
    wait(&running, 4).await;
    for client in [&mut silent, &mut begun, &mut agreed] {
        assert!(client.is_open());
    }
    wait(&running, 2).await;
    closed(&running, silent).await;
    closed(&running, agreed).await;
    assert!(begun.is_open());
    wait(&running, 5).await;
    closed(&running, begun).await;
}

#[tokio::test]
async fn http_on_the_port_for_tls_is_closed() {
    let (running, _) = start().await;
    let mut stream = TcpStream::connect(running.server.local_addr())
        .await
        .unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    let _reset = read.await.expect("it was not closed");
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    fence(&running).await;
}

#[tokio::test]
async fn a_key_that_everybody_can_read_is_refused_and_one_of_a_group_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let files = Certificate::new().write(directory.path());
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: Some(files.clone()),
        ..Config::default()
    };
    restrict(&files.key, "640");
    Server::bind(config.clone()).await.unwrap().shutdown();
    restrict(&files.key, "644");
    let refused = Server::bind(config).await.unwrap_err();
    assert!(refused.to_string().contains("chmod o="), "{refused}");
}

#[test]
fn tls_that_cannot_be_is_one_line_and_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let files = Certificate::new().write(directory.path());
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (certificate, key) = (path(&files.certificate), path(&files.key));
    let other = directory.path().join("other.pem");
    write_private(&other, &Certificate::new().key);
    let empty = directory.path().join("empty.pem");
    write_private(&empty, "");
    let (other, empty) = (path(&other), path(&empty));
    for (certificate, key, hint) in [
        (Some(certificate.as_str()), None, "--tls-key"),
        (None, Some(key.as_str()), "--tls-cert"),
        (Some("/nonexistent.pem"), Some(&key), "/nonexistent.pem"),
        (
            Some(&certificate),
            Some("/nonexistent.pem"),
            "/nonexistent.pem",
        ),
        (Some(&certificate), Some(&other), "cannot be used together"),
        (Some(&empty), Some(&key), "no certificate"),
        (Some(&certificate), Some(&empty), "no private key"),
        (Some(&certificate), Some(&certificate), "chmod o="),
    ] {
        let mut command = command();
        command.args(["--database-url", "memory:", "--listen", "127.0.0.1:0"]);
        if let Some(certificate) = certificate {
            command.args(["--tls-cert", certificate]);
        }
        if let Some(key) = key {
            command.env("CHAT_TLS_KEY", key);
        }
        refused(&command.output().unwrap(), hint);
    }
}

/// Connects until this is the certificate that is shown.
async fn shown(certificate: &Certificate, address: SocketAddr) {
    let connected = async {
        loop {
            let connector = certificate.connector(&[&TLS13], "http/1.1");
            let tcp = TcpStream::connect(address).await.unwrap();
            if connector.connect(localhost(), tcp).await.is_ok() {
                return;
            }
        }
    };
    time::timeout(PATIENCE, connected)
        .await
        .expect("it is not shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_after_a_signal_and_a_broken_one_never() {
    let directory = tempfile::tempdir().unwrap();
    let old = Certificate::new();
    let files = old.write(directory.path());
    let settings = directory.path().join("chat.toml");
    let lines = format!(
        "tls_cert = {:?}\ntls_key = {:?}\n",
        files.certificate, files.key
    );
    std::fs::write(&settings, lines).unwrap();
    let log = directory.path().join("log");
    let mut command = command();
    command
        .env("CHAT_CONFIG", &settings)
        .stderr(std::fs::File::create(&log).unwrap());
    let process = Process::start_as(command, directory.path(), "127.0.0.1:0");
    let address = process.base.strip_prefix("https://").unwrap();
    let address: SocketAddr = address.split('/').next().unwrap().parse().unwrap();
    let http = old.http();
    let health = format!("https://{address}/healthz");
    let healthy = async || http.get(&health).send().await.unwrap().status();
    assert_eq!(healthy().await, 200);

    let new = Certificate::new();
    new.write(directory.path());
    process.signal("-HUP");
    shown(&new, address).await;
    // Whoever is connected stays so.
    assert_eq!(healthy().await, 200);

    std::fs::write(&files.certificate, "broken").unwrap();
    process.signal("-HUP");
    let complained = async {
        loop {
            let log = std::fs::read_to_string(&log).unwrap();
            if let Some(line) = log
                .lines()
                .find(|line| line.contains("the old certificate stays"))
            {
                return serde_json::from_str::<Value>(line).unwrap();
            }
            time::sleep(Duration::from_millis(10)).await;
        }
    };
    let line = time::timeout(PATIENCE, complained).await.unwrap();
    assert!(text(&line["error"]).contains("no certificate"), "{line}");
    shown(&new, address).await;
}
