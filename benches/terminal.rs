//! The terminal client as its user meets it: the real program in a pseudo-terminal, with a hundred thousand messages.
#![allow(
    clippy::cast_precision_loss,
    reason = "times of a benchmark are shown with three digits"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use chat_core::{
    NewGroup,
    client::Client,
    model::{ClientId, ConversationId, Draft, Title},
};
use clap::Parser;
use futures_util::{StreamExt, TryStreamExt, stream};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const PASSWORD: &str = "correct horse battery staple";
/// What a terminal that can shows as a whole ends with this.
const FRAME: &[u8] = b"\x1b[?2026l";
const PAGE_UP: &str = "\x1b[5~";
const CTRL_K: &str = "\x0b";
const CTRL_Q: &str = "\x11";
const BIG: &str = "Everyone";
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_mins(2);

/// What the terminal client costs: first frame, key to frame, idling, a flood of events, memory.
///
/// Wants the programs built for release: `cargo build --release -p chat-server -p chat-tui`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Messages in one conversation.
    #[arg(long, default_value_t = 100_000)]
    messages: usize,
    /// Conversations.
    #[arg(long, default_value_t = 5_000)]
    conversations: usize,
    /// Keys for each measurement.
    #[arg(long, default_value_t = 500)]
    keys: usize,
    /// So long the client idles.
    #[arg(long, default_value_t = 60)]
    idle_seconds: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let home = tempfile::tempdir()?;
    let mut server = Server::start(home.path(), 0)?;
    let crowd = Crowd::gather(&server.url(), &arguments).await?;

    say("| what | figure |")?;
    say("| --- | --- |")?;
    fill_the_cache(home.path(), &server)?;
    let online = first_frames(home.path(), &server, 10)?;
    say(&row("first frame, server there", &online))?;
    let port = server.port;
    drop(server);
    let offline = first_frames(home.path(), &Server { child: None, port }, 10)?;
    say(&row("first frame, no server", &offline))?;
    server = Server::start(home.path(), port)?;

    let mut client = Terminal::open(home.path(), &server)?;
    client.until("online")?;
    client.go_to(BIG)?;
    let at_end = client.keys(arguments.keys, "x")?;
    say(&row("key to frame, at the end", &at_end))?;
    for _ in 0..200 {
        client.key_to_frame(PAGE_UP)?;
    }
    let scrolled = client.keys(arguments.keys, PAGE_UP)?;
    say(&row("key to frame, scrolling up", &scrolled))?;
    let above = client.keys(arguments.keys, "x")?;
    say(&row("key to frame, typing while scrolled up", &above))?;
    client.press("\x03")?;
    client.press("\x1b[1;5F")?;
    client.press(CTRL_K)?;
    client.until("Go to")?;
    // A letter that nearly all names have, and away with it again.
    let (mut written, mut key) = (Vec::new(), "o");
    for _ in 0..arguments.keys / 5 {
        written.extend(client.keys(1, key)?);
        key = if key == "o" { "\x7f" } else { "o" };
    }
    say(&row(
        "key to frame, in the popup that leads everywhere",
        &written,
    ))?;
    client.press("\x1b")?;

    idle(&mut client, Duration::from_secs(arguments.idle_seconds))?;
    flood(&mut client, &crowd, &arguments).await?;
    let memory = client.status("VmRSS:")?;
    say(&format!("| memory | {:.1} MB |", memory as f64 / 1024.0))?;
    client.quit()
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("nobody reads")
}

/// Scrolls through everything once, so that all of it is kept on disk.
fn fill_the_cache(home: &Path, server: &Server) -> anyhow::Result<()> {
    let mut client = Terminal::open(home, server)?;
    client.until("Sign in")?;
    client.press(&format!("maya\t{PASSWORD}\r"))?;
    client.until("online")?;
    client.go_to(BIG)?;
    let began = Instant::now();
    while !client.shows("beginning of the conversation") {
        ensure!(began.elapsed() < PATIENCE * 5, "it has no beginning");
        client.press(&PAGE_UP.repeat(8))?;
        thread::sleep(Duration::from_millis(8));
    }
    client.quit()
}

fn first_frames(home: &Path, server: &Server, times: usize) -> anyhow::Result<Vec<Duration>> {
    let mut frames = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        let mut client = Terminal::open(home, server)?;
        client.until(BIG)?;
        frames.push(began.elapsed());
        client.quit()?;
    }
    Ok(frames)
}

fn idle(client: &mut Terminal, time: Duration) -> anyhow::Result<()> {
    // What is still being marked as read, and the cursor that idles, are over by then.
    thread::sleep(Duration::from_secs(15));
    client.frames();
    let (switches, cpu) = (client.switches()?, client.cpu()?);
    thread::sleep(time);
    let seconds = time.as_secs_f64();
    say(&format!(
        "| idle for {seconds} s | {} draws, {:.2} wake-ups/s, {:.2} % of a core |",
        client.frames(),
        (client.switches()? - switches) as f64 / seconds,
        client.cpu()?.saturating_sub(cpu).as_secs_f64() / seconds * 100.0,
    ))
}

/// A thousand messages a second into the open conversation, and somebody who types meanwhile.
async fn flood(client: &mut Terminal, crowd: &Crowd, arguments: &Arguments) -> anyhow::Result<()> {
    const SENDERS: usize = 100;
    const TIME: Duration = Duration::from_secs(10);
    let until = Instant::now() + TIME;
    let senders: Vec<_> = (0..SENDERS)
        .map(|n| {
            let (who, place) = (crowd.people[n % crowd.people.len()].clone(), crowd.big);
            tokio::spawn(async move {
                let mut beat = tokio::time::interval(Duration::from_millis(100));
                let mut sent = 0_u32;
                while Instant::now() < until {
                    beat.tick().await;
                    who.send(place, &draft("another one")).await?;
                    sent += 1;
                }
                anyhow::Ok(sent)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.frames();
    let (began, cpu) = (Instant::now(), client.cpu()?);
    let typed = tokio::task::block_in_place(|| client.keys(arguments.keys.min(150), "x"))?;
    let (drawn, time) = (client.drawn_by_itself, began.elapsed().as_secs_f64());
    let cpu = client.cpu()?.saturating_sub(cpu).as_secs_f64() / time * 100.0;
    let mut sent = 0;
    for sender in senders {
        sent += sender.await??;
    }
    let rate = f64::from(sent) / TIME.as_secs_f64();
    say(&format!(
        "| {rate:.0} events/s | {:.1} draws/s besides those of keys, {cpu:.0} % of a core |",
        drawn as f64 / time
    ))?;
    say(&row("key to frame meanwhile", &typed))
}

/// A line of the table: the median, the 99th percentile and the longest.
fn row(what: &str, times: &[Duration]) -> String {
    let mut times: Vec<f64> = times.iter().map(|it| it.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!(
        "| {what} | {:.1} ms, p99 {:.1} ms, at most {:.1} ms |",
        at(50),
        at(99),
        at(100)
    )
}

fn draft(body: &str) -> Draft {
    Draft {
        client_id: ClientId::new(),
        body: body.to_owned(),
        reply_to: None,
    }
}

/// People, one conversation of all of them with many messages, and many with one.
struct Crowd {
    people: Vec<Client>,
    big: ConversationId,
}

impl Crowd {
    async fn gather(server: &str, arguments: &Arguments) -> anyhow::Result<Self> {
        let maya = Client::new(server)?;
        let maya = maya.register("maya", PASSWORD, Some("Maya")).await?.id;
        let mut people = Vec::new();
        let mut ids = vec![maya];
        for n in 0..20 {
            let client = Client::new(server)?;
            let name = format!("person{n}");
            ids.push(client.register(&name, PASSWORD, None).await?.id);
            people.push(client);
        }
        let group = |title: &str| Title::try_from(title.to_owned()).map_err(anyhow::Error::msg);
        stream::iter(1..arguments.conversations)
            .map(|n| {
                let who = &people[n % people.len()];
                async move {
                    let group = NewGroup::new(group(&format!("Group {n}"))?, vec![maya]);
                    let row = who.create_group(group).await?;
                    let id = row.conversation.id;
                    who.send(id, &draft("The first words here")).await?;
                    anyhow::Ok(())
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        let all = NewGroup::new(group(BIG)?, ids);
        let big = people[0].create_group(all).await?.conversation.id;
        stream::iter(0..arguments.messages)
            .map(|n| {
                let who = &people[n % people.len()];
                async move {
                    let text = format!("Message {n}: the quick brown fox jumps over the lazy dog, and a bit more of it 🦊");
                    who.send(big, &draft(&text)).await.map(drop)
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(Self { people, big })
    }
}

/// Where the programs are: beside this one.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        bail!(
            "there is no {}: cargo build --release -p chat-server -p chat-tui",
            path.display()
        );
    }
    Ok(path)
}

/// A server, or only the place where one was.
struct Server {
    child: Option<Child>,
    port: u16,
}

impl Server {
    fn start(home: &Path, port: u16) -> anyhow::Result<Self> {
        let mut child = Command::new(program("chat-server")?)
            .args(["--limits", "off", "--metrics-listen", "off"])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--database-url")
            .arg(format!("sqlite:{}", home.join("server.db").display()))
            .arg("--jwt-key-file")
            .arg(home.join("server.key"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("there is no output")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| line.rsplit(':').next()?.trim().parse().ok())
            .context("the server does not start")?;
        let child = Some(child);
        Ok(Self { child, port })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

/// The client in a pseudo-terminal of 140 by 40.
struct Terminal {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    frames: Receiver<Instant>,
    screen: Arc<Mutex<vt100::Parser>>,
    drawn_by_itself: usize,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Terminal {
    fn open(home: &Path, server: &Server) -> anyhow::Result<Self> {
        let pair = native_pty_system().openpty(PtySize {
            rows: 40,
            cols: 140,
            ..PtySize::default()
        })?;
        let mut client = CommandBuilder::new(program("chat-tui")?);
        client.args(["--server", &server.url()]);
        for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            client.env(name, home);
        }
        client.env("TERM", "xterm-256color");
        let keyboard = pair.master.take_writer()?;
        let mut output = pair.master.try_clone_reader()?;
        let child = pair.slave.spawn_command(client)?;
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(
            40.try_into()?,
            140.try_into()?,
            0,
        )));
        let (told, frames) = channel();
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = vec![0; 65_536];
            let mut end = Vec::new();
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let now = Instant::now();
                let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                shown.process(&bytes[..count]);
                drop(shown);
                // The mark of the end of a frame may be cut in two.
                end.extend_from_slice(&bytes[..count]);
                let ends = end.windows(FRAME.len()).filter(|it| *it == FRAME).count();
                let kept = end.len().saturating_sub(FRAME.len() - 1);
                end.drain(..kept);
                for _ in 0..ends {
                    if told.send(now).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self {
            child,
            keyboard,
            frames,
            screen,
            drawn_by_itself: 0,
            _master: pair.master,
        })
    }

    fn press(&mut self, keys: &str) -> anyhow::Result<()> {
        self.keyboard.write_all(keys.as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    fn shows(&self, text: &str) -> bool {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        screen.screen().contents().contains(text)
    }

    fn until(&mut self, text: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.shows(text) {
            if began.elapsed() > PATIENCE {
                let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
                bail!(
                    "waited in vain for {text:?}:\n{}",
                    screen.screen().contents()
                );
            }
            let frame = self.frames.recv_timeout(Duration::from_millis(100));
            ensure!(
                frame != Err(RecvTimeoutError::Disconnected),
                "the client ended"
            );
        }
        Ok(())
    }

    fn go_to(&mut self, name: &str) -> anyhow::Result<()> {
        self.press(CTRL_K)?;
        self.until("Go to")?;
        self.press(name)?;
        thread::sleep(Duration::from_millis(300));
        self.press("\r")?;
        self.until("Write a message")
    }

    /// How many frames came since the last time.
    fn frames(&mut self) -> usize {
        self.frames.try_iter().count()
    }

    /// From writing the bytes of a key to the end of the next frame that the terminal gets.
    fn key_to_frame(&mut self, key: &str) -> anyhow::Result<Duration> {
        self.drawn_by_itself += self.frames();
        let began = Instant::now();
        self.press(key)?;
        loop {
            let frame = self.frames.recv_timeout(PATIENCE)?;
            if frame > began {
                return Ok(frame - began);
            }
            self.drawn_by_itself += 1;
        }
    }

    /// The same, so many times, as fast as a fast typist.
    fn keys(&mut self, times: usize, key: &str) -> anyhow::Result<Vec<Duration>> {
        self.drawn_by_itself = 0;
        (0..times)
            .map(|_| {
                thread::sleep(Duration::from_millis(40));
                self.key_to_frame(key)
            })
            .collect()
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.child.process_id().context("it has ended")
    }

    fn status(&self, field: &str) -> anyhow::Result<u64> {
        number(&format!("/proc/{}/status", self.pid()?), field)
    }

    /// How often any of its threads was woken.
    fn switches(&self) -> anyhow::Result<u64> {
        let mut all = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid()?))? {
            let status = task?.path().join("status");
            all += number(&status.display().to_string(), "voluntary_ctxt_switches:")?;
        }
        Ok(all)
    }

    fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()?))?;
        let (_, fields) = stat.rsplit_once(')').context("no stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    fn quit(mut self) -> anyhow::Result<()> {
        self.press(CTRL_Q)?;
        ensure!(self.child.wait()?.success(), "the client failed");
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = self.child.kill();
    }
}

fn number(path: &str, field: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let line = line.with_context(|| format!("no {field} in {path}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
