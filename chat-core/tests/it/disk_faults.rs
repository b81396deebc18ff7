//! What the SQLite store makes of a disk that fails: a program writes to one, and `strace` makes its system calls fail.
//!
//! The program is this test binary, started again to run one test.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use chat_core::{
    model::{ClientId, ConversationId, Draft, History, MessageId, Timestamp, Title, UserId},
    store::{
        Act, Around, Committed, Mentions, MessageLog, Search, SqliteStore, StoreError, Write, words,
    },
};
use sqlx::Executor;
use tempfile::TempDir;
use uuid::Uuid;

const ME: UserId = UserId::from_uuid(Uuid::from_u128(1));
const GROUP: ConversationId = ConversationId::from_uuid(Uuid::from_u128(2));

fn write(act: Act) -> Write {
    Write {
        conversation_id: GROUP,
        author: ME,
        at: Timestamp::now(),
        act,
    }
}

/// The message of this number, the same one however often it is sent.
fn message(number: u128) -> Write {
    write(Act::Send {
        id: MessageId::new(),
        draft: Draft {
            client_id: ClientId::from_uuid(Uuid::from_u128(number)),
            body: number.to_string(),
            reply_to: None,
        },
        mentions: Mentions::default(),
    })
}

async fn numbers(store: &SqliteStore) -> Vec<u128> {
    let messages = store
        .messages(GROUP, Around::Newest, 1, 1_000)
        .await
        .unwrap();
    let numbers = messages.iter().map(|message| message.body.parse().unwrap());
    numbers.collect()
}

/// The program: opens the database, sends messages, and tells in a line each what became of it.
#[tokio::test]
#[ignore = "the other tests here start it"]
async fn program() {
    let Ok(file) = std::env::var("DATABASE") else {
        return;
    };
    let store = match SqliteStore::open(Path::new(&file)).await {
        Ok(store) => store,
        Err(error) => return println!("\nrefused {error}"),
    };
    println!("\nopened");
    if std::env::var("CHECKPOINTS").is_ok() {
        let often = store.writer().execute("PRAGMA wal_autocheckpoint = 1");
        often.await.unwrap();
    }
    for number in 1..=std::env::var("MESSAGES").unwrap().parse().unwrap() {
        match store.commit(&[message(number)]).await {
            Ok(_) => println!("acknowledged {number}"),
            Err(StoreError::DiskFailed) => println!("stopped {number}"),
            Err(error) => println!("failed {number} {error:?}"),
        }
    }
    for number in numbers(&store).await {
        println!("readable {number}");
    }
    println!("ready {}", store.epoch().await.is_ok());
    // As in a crash: nothing is tidied up.
    std::process::exit(0);
}

/// What the program told.
#[derive(Debug)]
struct Told(String);

impl Told {
    fn has(&self, line: &str) -> bool {
        self.0.lines().any(|told| told == line)
    }

    /// What follows this word in the lines that begin with it.
    fn all(&self, word: &str) -> Vec<&str> {
        let words = self.0.lines().filter_map(|line| line.split_once(' '));
        let found = words.filter(|(first, _)| *first == word);
        found.map(|(_, rest)| rest).collect()
    }

    fn numbers(&self, word: &str) -> Vec<u128> {
        let numbers = self.all(word).into_iter();
        numbers.map(|number| number.parse().unwrap()).collect()
    }
}

/// A database that is there, with a group in it, and how the program meets it.
struct Disk {
    directory: TempDir,
    messages: u128,
    checkpoints: bool,
    /// As whom the program runs, if not as whoever runs the tests.
    user: Option<u32>,
}

impl Disk {
    async fn new() -> Self {
        let disk = Self {
            directory: TempDir::new().unwrap(),
            messages: 3,
            checkpoints: false,
            user: None,
        };
        let store = SqliteStore::open(&disk.file()).await.unwrap();
        let create = write(Act::CreateGroup {
            title: Title::try_from("Tea".to_owned()).unwrap(),
            topic: None,
            history: History::Shared,
            members: Vec::new(),
        });
        store.commit(&[create]).await.unwrap().remove(0).unwrap();
        store.close().await.unwrap();
        disk
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("chat.db")
    }

    /// Runs the program, under `strace` with these options if there are any.
    fn run(&self, strace: &str) -> Told {
        let program = std::env::current_exe().unwrap();
        let mut command = if strace.is_empty() {
            Command::new(program)
        } else {
            let mut command = Command::new("strace");
            command.args(["-f", "-qqq", "-o", "trace"]);
            command.args(strace.split(' ')).arg(program);
            command
        };
        command
            .args([
                "disk_faults::program",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .current_dir(self.directory.path())
            .env("DATABASE", self.file())
            .env("MESSAGES", self.messages.to_string());
        if self.checkpoints {
            command.env("CHECKPOINTS", "1");
        }
        if let Some(user) = self.user {
            command.uid(user);
        }
        let output = command
            .output()
            .expect("strace is needed: apt-get install strace, or your system's equivalent");
        Told(String::from_utf8(output.stdout).unwrap())
    }

    /// Opens the database as the next start would, and checks that all that was acknowledged is there, that nothing else
    /// is there twice, that it can go on, and that all is found.
    async fn check(&self, acknowledged: &[u128]) {
        let store = SqliteStore::open(&self.file()).await.unwrap();
        let integrity: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(store.writer())
            .await
            .unwrap();
        assert_eq!(integrity, "ok");
        let there = numbers(&store).await;
        let lost: Vec<_> = acknowledged
            .iter()
            .filter(|it| !there.contains(it))
            .collect();
        assert!(lost.is_empty(), "{lost:?} of {acknowledged:?} are lost");
        for number in 1..=self.messages {
            let sent = store.commit(&[message(number)]).await.unwrap().remove(0);
            let repeated = matches!(sent, Ok(Committed::Repeated(_)));
            assert_eq!(repeated, there.contains(&number), "{sent:?}");
        }
        let mut all = numbers(&store).await;
        all.sort_unstable();
        assert!(all.into_iter().eq(1..=self.messages), "each once");
        for number in 1..=self.messages {
            let search = Search {
                words: words(&number.to_string()),
                conversation: None,
                from: None,
                before: None,
            };
            let found = store.search(ME, &search, None, 9).await.unwrap();
            assert_eq!(found.len(), 1, "each is found");
        }
        // Dense, or this is an error.
        store.entries_after(GROUP, 0, 1_000).await.unwrap();
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_more_is_written() {
    let mut stopped = 0;
    for (nth, checkpoints) in (1..=12).flat_map(|nth| [(nth, false), (nth, true)]) {
        let mut disk = Disk::new().await;
        disk.checkpoints = checkpoints;
        // It fails once; the next one would say that all is well.
        let fault = format!("inject=fsync,fdatasync:error=EIO:when={nth}");
        let told = disk.run(&format!("-e trace=fsync,fdatasync -e {fault}"));
        let acknowledged = told.numbers("acknowledged");
        assert!(told.all("failed").is_empty(), "{told:?}");
        if let Some(first) = told.numbers("stopped").first() {
            stopped += 1;
            assert!(acknowledged.iter().all(|it| it < first), "{told:?}");
            assert_eq!(told.numbers("readable"), acknowledged, "{told:?}");
            assert!(told.has("ready false"), "{told:?}");
        }
        disk.check(&acknowledged).await;
    }
    assert!(
        stopped >= 3,
        "hardly ever was it a commit that failed: {stopped}"
    );
}

/// The system calls that change a file.
const WRITING: &str = "pwrite64,fsync,fdatasync,ftruncate,fallocate,unlink";

#[tokio::test]
async fn killed_between_any_two_system_calls_nothing_acknowledged_is_lost() {
    let disk = Disk::new().await;
    disk.run(&format!("-e trace={WRITING}"));
    let trace = fs::read_to_string(disk.directory.path().join("trace")).unwrap();
    // strace counts the calls of each thread, and one thread does all the writing.
    let mut calls = BTreeMap::new();
    for line in trace.lines() {
        let thread = line.split(' ').next().unwrap().to_owned();
        *calls.entry(thread).or_insert(0) += 1;
    }
    let calls: i32 = calls.into_values().max().unwrap();
    assert!(calls > 30, "only {calls} calls");

    let (mut none, mut all) = (0, 0);
    for nth in 1..=calls {
        let disk = Disk::new().await;
        let kill = format!("inject={WRITING}:signal=SIGKILL:when={nth}");
        let told = disk.run(&format!("-e trace={WRITING} -e {kill}"));
        let acknowledged = told.numbers("acknowledged");
        disk.check(&acknowledged).await;
        none += i32::from(acknowledged.is_empty());
        all += i32::from(!acknowledged.is_empty());
    }
    assert!(
        none > 0 && all > 0,
        "{none} before the first message, {all} after"
    );
}

/// What ever would take room on the disk finds none, in these calls.
fn full(calls: &str) -> String {
    format!("-e trace=pwrite64,fallocate -e inject=pwrite64,fallocate:error=ENOSPC:when={calls}")
}

#[tokio::test]
async fn a_full_disk_is_survived_and_heals() {
    let mut met = 0;
    for first in 1..=20 {
        let mut disk = Disk::new().await;
        disk.messages = 8;
        let told = disk.run(&full(&format!("{first}..{}", first + 3)));
        let acknowledged = told.numbers("acknowledged");
        if let [refused] = told.all("refused")[..] {
            assert!(refused.contains("chat.db is full: make room"), "{told:?}");
        } else {
            let failed = told.all("failed");
            met += failed.len();
            assert!(failed.iter().all(|why| why.contains("full")), "{told:?}");
            assert!(told.all("stopped").is_empty(), "{told:?}");
            assert!(acknowledged.contains(&disk.messages), "{told:?}");
            assert_eq!(told.numbers("readable"), acknowledged, "{told:?}");
            assert!(told.has("ready true"), "{told:?}");
        }
        disk.check(&acknowledged).await;
    }
    assert!(met > 0, "no message ever found the disk full");
}

#[tokio::test]
async fn started_on_a_full_disk_it_overwrites_nothing() {
    let disk = Disk::new().await;
    let before = fs::read(disk.file()).unwrap();
    let told = disk.run(&full("1+"));
    let refused = told.all("refused");
    assert!(
        refused[0].contains("chat.db is full: make room"),
        "{told:?}"
    );
    assert!(
        fs::read(disk.file()).unwrap() == before,
        "not a byte changed"
    );
    disk.check(&[]).await;
}

#[tokio::test]
async fn a_disk_that_cannot_be_read_is_named() {
    let disk = Disk::new().await;
    let before = fs::read(disk.file()).unwrap();
    let told = disk.run("-P chat.db -e trace=pread64 -e inject=pread64:error=EIO");
    let refused = told.all("refused");
    assert!(refused[0].contains("chat.db fails: check it"), "{told:?}");
    assert!(
        fs::read(disk.file()).unwrap() == before,
        "not a byte changed"
    );
    disk.check(&[]).await;
}

#[tokio::test]
async fn somebody_elses_file_is_refused_and_left_as_it_is() {
    for mode in [0o000, 0o444] {
        let mut disk = Disk::new().await;
        let before = fs::read(disk.file()).unwrap();
        // Root may read everything, so the program runs as somebody else.
        let is_root = fs::metadata(disk.file()).unwrap().uid() == 0;
        disk.user = is_root.then_some(65_534);
        let permit =
            |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        permit(disk.directory.path(), 0o777).unwrap();
        permit(&disk.file(), mode).unwrap();
        let told = disk.run("");
        let refused = told.all("refused");
        assert!(
            refused[0].contains("chat.db cannot be opened for writing"),
            "{told:?}"
        );
        permit(&disk.file(), 0o644).unwrap();
        assert!(
            fs::read(disk.file()).unwrap() == before,
            "not a byte changed"
        );
        disk.user = None;
        disk.check(&[]).await;
    }
}
