//! The settings of the server: from flags, then the environment, then a file, then defaults.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use chat_core::{Limits, protocol::Announced};
use clap::{CommandFactory, FromArgMatches, Parser};
use etcetera::BaseStrategy;
use serde::Deserialize;

use crate::{
    auth::Registration,
    database::{Database, PostgresUrl},
    limits,
    listener::{ProxyNetwork, TlsFiles},
    telemetry::LogFormat,
};

const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const METRICS_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9090);

/// The settings of a [`Server`](crate::Server).
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The certificate, if TLS is to be spoken.
    pub tls: Option<TlsFiles>,
    /// The address to serve metrics on, if they are to be served; port 0 takes a free one.
    pub metrics_listen: Option<SocketAddr>,
    /// Where everything is kept.
    pub database: Database,
    /// The NATS servers over which nodes on one PostgreSQL database hear of each other, with commas between them. `None`: there is
    /// one node.
    pub nats_url: Option<String>,
    /// A file with the credentials for NATS.
    pub nats_credentials: Option<PathBuf>,
    /// A file with certificates of authorities that NATS servers' certificates may be from.
    pub nats_ca: Option<PathBuf>,
    /// The key that signs access tokens. `None`: beside the database, or for a database in memory a new one.
    pub jwt_key_file: Option<PathBuf>,
    /// Proxies in front whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<ProxyNetwork>,
    /// Pages whose scripts may open a socket.
    pub allow_origins: Vec<String>,
    /// Whether new accounts can be made.
    pub registration: Registration,
    /// Timers and limits.
    pub limits: Announced,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which lines are logged, written as in `RUST_LOG`.
    pub log_filter: String,
    /// How long an access token holds; 10 minutes.
    pub access_token_lifetime: Duration,
    /// How long a socket may be open before it says who it is; 10 seconds.
    pub authentication_timeout: Duration,
}

impl Default for Config {
    /// A server on the default address with everything in memory, and without metrics.
    fn default() -> Self {
        Self {
            listen: LISTEN,
            tls: None,
            metrics_listen: None,
            database: Database::Memory,
            nats_url: None,
            nats_credentials: None,
            nats_ca: None,
            jwt_key_file: None,
            trusted_proxies: Vec::new(),
            allow_origins: Vec::new(),
            registration: Registration::Open,
            limits: limits::defaults(&Limits::default()),
            log_format: LogFormat::default(),
            log_filter: "info".to_owned(),
            access_token_lifetime: Duration::from_mins(10),
            authentication_timeout: Duration::from_secs(10),
        }
    }
}

/// Why there are no settings to start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Help or the version was asked for: this text.
    #[error("{0}")]
    Asked(String),
    /// A setting is unknown or impossible; one line that says which and why.
    #[error("{0}")]
    Wrong(String),
}

/// The chat server: REST and WebSocket on one port.
///
/// Every setting is a flag, an environment variable and a key of the TOML file (the flag's name with `_`); the flag wins,
/// then the variable, then the file. When it serves, it prints `listening on http://ADDR` (with TLS, `https://ADDR`) to standard
/// output; all else is logged to standard error. SIGTERM and SIGINT drain it; a second one stops it at once. With TLS, SIGHUP has
/// it read the certificate again.
#[derive(Debug, Parser)]
#[command(name = "chat-server", version, max_term_width = 110)]
struct Flags {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "CHAT_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Certificate chain (PEM) to speak TLS with; read again at SIGHUP [default: no TLS]
    #[arg(long, env = "CHAT_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate; not readable by everybody
    #[arg(long, env = "CHAT_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Address to serve `/metrics` on, for Prometheus; `off` serves none [default: 127.0.0.1:9090]
    #[arg(long, env = "CHAT_METRICS_LISTEN", value_name = "ADDR|off")]
    metrics_listen: Option<MetricsListen>,
    /// `sqlite:PATH`, `postgres://USER:PASSWORD@HOST/NAME`, or `memory:` to keep nothing [default: chat/chat.db in the user's data directory]
    #[arg(long, env = "CHAT_DATABASE_URL", value_name = "URL")]
    database_url: Option<String>,
    /// NATS servers, `nats://HOST:4222` or `tls://HOST:4222` with commas between several, for many nodes on one PostgreSQL
    /// database [default: one node]
    #[arg(long, env = "CHAT_NATS_URL", value_name = "URLS")]
    nats_url: Option<String>,
    /// Credentials for NATS (`.creds`) [default: those in the URL, or none]
    #[arg(long, env = "CHAT_NATS_CREDENTIALS", value_name = "FILE")]
    nats_credentials: Option<PathBuf>,
    /// Authorities (PEM) that certificates of NATS servers may be from [default: the system's]
    #[arg(long, env = "CHAT_NATS_CA", value_name = "FILE")]
    nats_ca: Option<PathBuf>,
    /// Ed25519 private key (PKCS#8 PEM) that signs access tokens; made on the first start [default: beside the database]
    #[arg(long, env = "CHAT_JWT_KEY_FILE", value_name = "FILE")]
    jwt_key_file: Option<PathBuf>,
    /// Origin whose pages may open a socket, as `https://host[:port]`; may be repeated [default: none]
    #[arg(
        long,
        env = "CHAT_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    allow_origin: Option<Vec<String>>,
    /// Address or network of a proxy in front, whose `X-Forwarded-For` is believed; may be repeated [default: none]
    #[arg(
        long,
        env = "CHAT_TRUSTED_PROXIES",
        value_name = "NETWORK",
        value_delimiter = ','
    )]
    trusted_proxies: Option<Vec<ProxyNetwork>>,
    /// Whether new accounts can be made [default: open]
    #[arg(long, env = "CHAT_REGISTRATION", value_enum)]
    registration: Option<Registration>,
    /// Limits to change, by their names in `hello`: `name=value,…`; `off` lifts the rates, for load tests
    #[arg(long, env = "CHAT_LIMITS", value_name = "LIMITS")]
    limits: Option<String>,
    /// How log lines look [default: text on a terminal, json else]
    #[arg(long, env = "CHAT_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// Which lines are logged, written as in `RUST_LOG` [default: info]
    #[arg(long, env = "CHAT_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// TOML file with settings
    #[arg(long, env = "CHAT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The same settings in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    listen: Option<SocketAddr>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    metrics_listen: Option<MetricsListen>,
    database_url: Option<String>,
    nats_url: Option<String>,
    nats_credentials: Option<PathBuf>,
    nats_ca: Option<PathBuf>,
    jwt_key_file: Option<PathBuf>,
    trusted_proxies: Option<Vec<ProxyNetwork>>,
    allow_origin: Option<Vec<String>>,
    registration: Option<Registration>,
    limits: Option<String>,
    log_format: Option<LogFormat>,
    log: Option<String>,
}

impl Config {
    /// Reads the settings of this process: its command line (with the program's name first), its environment, and the
    /// file that these name.
    pub fn load(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, ConfigError> {
        let flags = Flags::command()
            .try_get_matches_from(arguments)
            .and_then(|matches| Flags::from_arg_matches(&matches))
            .map_err(|error| {
                let text = error.render().to_string();
                if error.use_stderr() {
                    ConfigError::Wrong(first_line(&text))
                } else {
                    ConfigError::Asked(text)
                }
            })?;
        let file = match &flags.config {
            Some(path) => read_file(path)?,
            None => SettingsFile::default(),
        };
        Self::merge(flags, file).map_err(ConfigError::Wrong)
    }

    fn merge(flags: Flags, file: SettingsFile) -> Result<Self, String> {
        let defaults = Self::default();
        let mut announced = defaults.limits;
        if let Some(changes) = flags.limits.or(file.limits) {
            limits::change(&mut announced, &changes)?;
        }
        let allow_origins = flags.allow_origin.or(file.allow_origin).unwrap_or_default();
        for origin in &allow_origins {
            check_origin(origin)?;
        }
        let database = database(flags.database_url.or(file.database_url))?;
        let nats_url = flags.nats_url.or(file.nats_url);
        let nats_credentials = flags.nats_credentials.or(file.nats_credentials);
        let nats_ca = flags.nats_ca.or(file.nats_ca);
        check_nats(
            &database,
            nats_url.as_deref(),
            [&nats_credentials, &nats_ca],
        )?;
        Ok(Self {
            listen: flags.listen.or(file.listen).unwrap_or(defaults.listen),
            tls: tls(
                flags.tls_cert.or(file.tls_cert),
                flags.tls_key.or(file.tls_key),
            )?,
            metrics_listen: metrics_listen(flags.metrics_listen.or(file.metrics_listen)),
            database,
            nats_url,
            nats_credentials,
            nats_ca,
            jwt_key_file: flags.jwt_key_file.or(file.jwt_key_file),
            trusted_proxies: flags
                .trusted_proxies
                .or(file.trusted_proxies)
                .unwrap_or_default(),
            allow_origins,
            registration: flags.registration.or(file.registration).unwrap_or_default(),
            limits: announced,
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            log_filter: flags.log.or(file.log).unwrap_or(defaults.log_filter),
            ..Self::default()
        })
    }
}

/// Where metrics are served, as it is written in a setting.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
enum MetricsListen {
    Off,
    At(SocketAddr),
}

impl FromStr for MetricsListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            text => text
                .parse()
                .map(Self::At)
                .map_err(|_no_address| format!("`{text}` is neither an address nor `off`")),
        }
    }
}

impl TryFrom<String> for MetricsListen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

fn metrics_listen(setting: Option<MetricsListen>) -> Option<SocketAddr> {
    match setting {
        None => Some(METRICS_LISTEN),
        Some(MetricsListen::At(address)) => Some(address),
        Some(MetricsListen::Off) => None,
    }
}

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsFiles>, String> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (Some(_), None) => Err("--tls-cert needs --tls-key too".to_owned()),
        (None, Some(_)) => Err("--tls-key needs --tls-cert too".to_owned()),
    }
}

fn read_file(path: &Path) -> Result<SettingsFile, ConfigError> {
    let wrong = |error: String| {
        ConfigError::Wrong(format!("the settings file {}: {error}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| {
            text[..span.start]
                .bytes()
                .filter(|byte| *byte == b'\n')
                .count()
                + 1
        });
        wrong(format!("line {line}: {}", first_line(error.message())))
    })
}

/// What a setting error says in its first line; what follows is usage, which `--help` has too.
fn first_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).to_owned()
}

fn database(url: Option<String>) -> Result<Database, String> {
    let Some(url) = url else {
        return default_database();
    };
    if url == "memory:" {
        return Ok(Database::Memory);
    }
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return Ok(Database::Postgres(PostgresUrl::new(url)));
    }
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => {
            let path = path.strip_prefix("//").unwrap_or(path);
            Ok(Database::Sqlite(PathBuf::from(path)))
        }
        // A password in it is for nobody to read.
        _ => Err(format!(
            "the database URL `{}` is none of sqlite:PATH, postgres://… and memory:",
            url.rsplit('@').next().unwrap_or_default()
        )),
    }
}

fn default_database() -> Result<Database, String> {
    let directories = etcetera::choose_base_strategy().map_err(|error| {
        format!("there is no data directory ({error}): give --database-url sqlite:PATH")
    })?;
    Ok(Database::Sqlite(
        directories.data_dir().join("chat").join("chat.db"),
    ))
}

fn check_nats(
    database: &Database,
    url: Option<&str>,
    files: [&Option<PathBuf>; 2],
) -> Result<(), String> {
    match (database, url) {
        (_, None) if files.iter().any(|file| file.is_some()) => {
            Err("--nats-credentials and --nats-ca are for --nats-url, which is not given".to_owned())
        }
        (Database::Postgres(_), _) | (_, None) => Ok(()),
        (Database::Sqlite(_) | Database::Memory, Some(_)) => Err(
            "--nats-url is for many nodes on one PostgreSQL database: give --database-url postgres://… \
             too, or leave it out"
                .to_owned(),
        ),
    }
}

fn check_origin(origin: &str) -> Result<(), String> {
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '*', ' ']) => Ok(()),
        _ => Err(format!(
            "the origin `{origin}` is not of the form https://host[:port]"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(arguments: &[&str]) -> Result<Config, ConfigError> {
        Config::load([&["chat-server"], arguments].concat())
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat.toml");
        std::fs::write(
            &path,
            "listen = \"127.0.0.1:1\"\nregistration = \"closed\"\nlimits = \"send_burst=7\"\nmetrics_listen = \"off\"\n",
        )
        .unwrap();
        let path = path.to_str().unwrap();
        let config = load(&[
            "--config",
            path,
            "--listen",
            "127.0.0.1:2",
            "--database-url",
            "sqlite:/tmp/x.db",
            "--allow-origin",
            "https://a.example",
            "--allow-origin",
            "https://b.example:8443",
        ])
        .unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.registration, Registration::Closed);
        assert_eq!(config.metrics_listen, None);
        let at = |arguments: &[&str]| load(arguments).unwrap().metrics_listen;
        assert_eq!(at(&[]), Some(METRICS_LISTEN));
        let anywhere = ["--config", path, "--metrics-listen", "[::1]:0"];
        assert_eq!(at(&anywhere), Some("[::1]:0".parse().unwrap()));
        assert_eq!(
            (config.limits.send_burst, config.limits.frame_burst),
            (7, 100)
        );
        assert_eq!(config.database, Database::Sqlite("/tmp/x.db".into()));
        assert_eq!(config.allow_origins.len(), 2);
    }

    #[test]
    fn a_wrong_setting_is_one_line_that_says_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("chat.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\nlisten_on = 3\n").unwrap();
        let file = file.to_str().unwrap();
        for (arguments, hint) in [
            (&["--listn", "x"][..], "--listn"),
            (&["--listen", "nowhere"], "--listen"),
            (&["--metrics-listen", "9090"], "--metrics-listen"),
            (&["--registration", "maybe"], "--registration"),
            (
                &["--database-url", "mysql://x/y"],
                "none of sqlite:PATH, postgres://",
            ),
            (
                &["--database-url", "postgre://u:secret@x/y"],
                "`x/y` is none of",
            ),
            (&["--trusted-proxies", "lb.example"], "10.0.0.0/8"),
            (&["--limits", "speed=9"], "no limit `speed`"),
            (&["--allow-origin", "*"], "https://host"),
            (
                &["--database-url", "memory:", "--nats-url", "nats://a:4222"],
                "one PostgreSQL database",
            ),
            (
                &["--database-url", "sqlite:/x", "--nats-url", "nats://a:4222"],
                "one PostgreSQL database",
            ),
            (&["--nats-ca", "/x.pem"], "--nats-url, which is not given"),
            (&["--config", "/nonexistent.toml"], "/nonexistent.toml"),
            (&["--config", file], "line 2"),
        ] {
            let Err(ConfigError::Wrong(line)) = load(arguments) else {
                panic!("{arguments:?} was accepted");
            };
            assert!(
                line.contains(hint) && !line.contains('\n'),
                "{arguments:?}: {line}"
            );
        }
        let Err(ConfigError::Asked(help)) = load(&["--help"]) else {
            panic!("no help");
        };
        assert!(
            help.contains("127.0.0.1:8080") && help.contains("CHAT_LIMITS"),
            "{help}"
        );
    }
}
