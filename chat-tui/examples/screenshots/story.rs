//! A made-up team, what it says, and at which moments a picture is taken.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use chat_core::{
    NewGroup,
    client::{Client, Live, LiveEvents},
    model::{ClientId, ConversationId, Draft, Emoji, Message, MessageId, Title, UserId},
};
use chat_server::{Config, Server};
use chat_tui::{
    Options,
    config::{self, Profile},
    ui::Preset,
};
use portable_pty::CommandBuilder;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{svg, terminal::Terminal};

const PASSWORD: &str = "correct horse battery staple";
const SERVER: &str = "CHAT_SCREENSHOTS_SERVER";
const ESC: &str = "\x1b";
const ENTER: &str = "\r";
const CTRL_K: &str = "\x0b";

/// The client that is shown, in a process of its own.
pub(crate) async fn client(home: &Path) -> anyhow::Result<()> {
    let server = std::env::var(SERVER).context("this is for the program's own use")?;
    let client = Client::new(&server)?;
    client.login("maya", PASSWORD).await?;
    let config = config::Config {
        theme: Preset::Dark,
        ..config::Config::default()
    };
    let profile = Profile::open_in(home, "maya", &config)?;
    chat_tui::run(Options {
        client,
        server,
        profile: Some(profile),
        plain: false,
    })
    .await
}

/// Lets the team talk, and takes the pictures.
pub(crate) async fn tell() -> anyhow::Result<()> {
    let server = Server::bind(Config {
        listen: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    })
    .await?;
    let address = format!("http://{}", server.local_addr());
    let outcome = match Team::gather(&address).await {
        Ok(team) => take_pictures(&team, &address).await,
        Err(error) => Err(error),
    };
    server.shutdown();
    server.join().await;
    outcome
}

async fn take_pictures(team: &Team, address: &str) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let terminal = Terminal::run(program(&home, address)?, 100, 30);
    terminal.shows("● online");
    terminal.shows("Release 1.0");
    terminal.press(&format!("{CTRL_K}release"));
    terminal.shows("Go to");
    terminal.press(ENTER);
    terminal.shows("the green button");
    team.ana.live.typing(team.release, true);
    terminal.shows("is typing");
    // What is seen has been read, and the server knows it.
    terminal.until("the rest is unread", |_, outside| {
        outside.title.starts_with("(5)")
    });
    picture(&terminal, "chat")?;

    terminal.press(CTRL_K);
    terminal.shows("> commands");
    terminal.press("e");
    terminal.shows("@ana");
    picture(&terminal, "switcher")?;
    terminal.press(ESC);
    terminal.hides("Go to");

    terminal.resize(44, 24);
    terminal.shows("Release 1.0");
    terminal.shows("is typing");
    picture(&terminal, "narrow")?;
    terminal.resize(100, 30);

    team.ben.client.block(team.maya).await?;
    terminal.press(&format!("{CTRL_K}ben"));
    terminal.shows("Go to");
    terminal.press(ENTER);
    terminal.shows("Two tests are red");
    terminal.press(&format!(
        "Which two? I can look at them after lunch.{ENTER}"
    ));
    terminal.shows("not sent");
    terminal.press("And thanks for watching the build");
    terminal.shows("watching the build");
    picture(&terminal, "failed")
}

fn program(home: &TempDir, address: &str) -> anyhow::Result<CommandBuilder> {
    let mut program = CommandBuilder::new(std::env::current_exe()?);
    program.arg(home.path());
    program.env_clear();
    program.env(SERVER, address);
    program.env("XDG_CONFIG_HOME", home.path());
    program.env("HOME", home.path());
    program.env("TERM", "xterm-256color");
    program.env("COLORTERM", "truecolor");
    program.env("TZ", "UTC");
    Ok(program)
}

fn picture(terminal: &Terminal, name: &str) -> anyhow::Result<()> {
    let title = terminal.outside().title;
    let svg = terminal.look(|screen| svg::of(screen, &title));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
    fs::create_dir_all(&path)?;
    let path = path.join(format!("{name}.svg"));
    fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))
}

/// Everybody, after what was said before the first picture.
struct Team {
    maya: UserId,
    release: ConversationId,
    ana: Person,
    ben: Person,
    /// Their connections stay open, so that they are seen.
    _chloe: Person,
}

struct Person {
    id: UserId,
    client: Client,
    live: Live,
    _events: LiveEvents,
}

impl Team {
    async fn gather(server: &str) -> anyhow::Result<Self> {
        let maya = Person::new(server, "maya", "Maya").await?;
        let ana = Person::new(server, "ana", "Ana Moreno").await?;
        let ben = Person::new(server, "ben", "Ben Okafor").await?;
        let chloe = Person::new(server, "chloe", "Chloé Dubois").await?;

        let kyoto = chloe.group("京都オフィス", &[maya.id, ana.id]).await?;
        chloe
            .says(kyoto, "The demo is at nine, local time.")
            .await?;
        let lunch = ana.group("Lunch", &[maya.id, ben.id]).await?;
        ben.says(lunch, "Noodles or the place with the garden?")
            .await?;
        ana.says(lunch, "Garden, if it stays dry 🌿").await?;
        let with_ben = ben.direct(maya.id).await?;
        ben.says(with_ben, "Hi Maya, the nightly build is through.")
            .await?;
        let red = ben
            .says(with_ben, "Two tests are red, but only on the old machine.")
            .await?;
        maya.client.mark_read(with_ben, red.seq).await?;

        let release = ana
            .group("Release 1.0", &[maya.id, ben.id, chloe.id])
            .await?;
        ana.says(
            release,
            "Morning! The release candidate is on the staging nodes.",
        )
        .await?;
        ben.says(release, "Load test is running. So far p99 is flat.")
            .await?;
        let notes = ana.says(release, "Who writes the release notes?").await?;
        let mine = maya
            .answers(release, "I do. They are ready by four.", Some(notes.id))
            .await?;
        ben.reacts(&mine, "🎉").await?;
        chloe.reacts(&mine, "🎉").await?;
        let path = "Upgrading from 0.9 takes three steps:\n  1. stop the nodes\n  2. run the new binary once\n  3. start the nodes";
        let steps = ben.says(release, path).await?;
        let mine = maya
            .says(
                release,
                "Tried it with a copy of the big database: eleven seconds ✔",
            )
            .await?;
        for reader in [&ana, &ben, &chloe] {
            reader.client.mark_read(release, mine.seq).await?;
        }
        ana.reacts(&mine, "👍").await?;
        maya.client
            .mark_read(release, steps.seq.max(mine.seq))
            .await?;

        let with_chloe = chloe.direct(maya.id).await?;
        chloe.says(with_chloe, "Do you have five minutes?").await?;
        chloe
            .says(with_chloe, "It is about the talk on Thursday")
            .await?;
        chloe
            .says(
                release,
                "The changelog reads well. One thing is missing: who to thank.",
            )
            .await?;
        ana.says(
            release,
            "@maya when the notes are in, you press the green button 🚀",
        )
        .await?;
        ana.live.open(release, 0);
        Ok(Self {
            maya: maya.id,
            release,
            ana,
            ben,
            _chloe: chloe,
        })
    }
}

impl Person {
    async fn new(server: &str, username: &str, display_name: &str) -> anyhow::Result<Self> {
        let client = Client::new(server)?;
        let profile = client
            .register(username, PASSWORD, Some(display_name))
            .await?;
        let (live, events) = client.live();
        Ok(Self {
            id: profile.id,
            client,
            live,
            _events: events,
        })
    }

    async fn group(&self, title: &str, members: &[UserId]) -> anyhow::Result<ConversationId> {
        let Ok(title) = Title::try_from(title.to_owned()) else {
            bail!("{title} is no title");
        };
        let group = NewGroup::new(title, members.to_vec());
        Ok(self.client.create_group(group).await?.conversation.id)
    }

    async fn direct(&self, peer: UserId) -> anyhow::Result<ConversationId> {
        Ok(self.client.direct(peer).await?.conversation.id)
    }

    async fn says(&self, conversation: ConversationId, text: &str) -> anyhow::Result<Message> {
        self.answers(conversation, text, None).await
    }

    async fn answers(
        &self,
        conversation: ConversationId,
        text: &str,
        reply_to: Option<MessageId>,
    ) -> anyhow::Result<Message> {
        let draft = Draft {
            client_id: ClientId::from_uuid(Uuid::new_v4()),
            body: text.to_owned(),
            reply_to,
        };
        Ok(self.client.send(conversation, &draft).await?)
    }

    async fn reacts(&self, message: &Message, emoji: &str) -> anyhow::Result<()> {
        let Ok(emoji) = Emoji::try_from(emoji.to_owned()) else {
            bail!("{emoji} is no emoji");
        };
        let reacted = self
            .client
            .react(message.conversation_id, message.id, &emoji);
        Ok(reacted.await?)
    }
}
