//! The loop: what happens goes into the state, and what changed in it onto the screen.

use std::{future::poll_fn, task::Poll, time::Duration};

use anyhow::Context;
use chat_core::{
    client::Client,
    model::{ConversationId, Timestamp},
};
use crossterm::event::{
    Event as Input, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton,
    MouseEvent, MouseEventKind,
};
use futures_util::{FutureExt, StreamExt};
use jiff::tz::TimeZone;
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use crate::{
    app::{
        App, Start,
        keymap::{Code, Key},
        text::Plain,
    },
    appearance,
    config::{Profile, rebindings},
    editor::Editor,
    effect::Effect,
    event::{Event, Gesture, Seen},
    opener,
    outside::Outside,
    perform::World,
    signals::told_to_end,
    suspend::{self, Change, JobControl},
    terminal::{self, Screen},
    ui::{LayoutCache, Theme, view},
};

/// What comes from the server is drawn at most this often.
const FRAME: Duration = Duration::from_millis(33);
/// So long the disk is waited for before a key is answered without it.
const MOMENT: Duration = Duration::from_millis(20);
/// Keys are drawn at once, unless they come faster than anybody types.
const KEY_FRAME: Duration = Duration::from_millis(4);
/// So many things that have happened already are taken in before the next look at the clock.
const BATCH: usize = 256;

/// What a client starts with.
#[derive(Debug)]
pub struct Options {
    /// The server, signed in or not; the form can lead to another one.
    pub client: Client,
    /// The address that `client` was made with.
    pub server: String,
    /// Where the sign-in is kept between two runs; nothing is written anywhere without it.
    pub profile: Option<Profile>,
    /// Draws no lines and no boxes, and shows one thing at a time: for screen readers.
    pub plain: bool,
}

/// Runs the client in this terminal until the user quits or the process is told to end.
///
/// The terminal is given back in any case. Fails if it cannot be used, or if the sign-in cannot be kept.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let Options {
        client,
        server,
        profile,
        plain,
    } = options;
    let variable = |name: &str| std::env::var(name).ok();
    let stored = profile.as_ref();
    let rebindings = rebindings(stored)?;
    let resume =
        client.tokens().is_some() || stored.is_some_and(|profile| profile.can_resume(&server));
    let username = stored.map_or_else(String::new, |profile| profile.username().to_owned());
    let (world, kept) = World::open(client, server.clone(), profile).await?;
    let preferences = world.preferences();
    let theme = appearance::theme(preferences, plain, variable)?;
    let (app, effects) = App::new(Start {
        server,
        username,
        resume,
        preferences,
        kept,
        rebindings,
        zone: TimeZone::system(),
        seed: Uuid::new_v4(),
        now: Timestamp::now(),
    });
    let mut looping = Loop {
        app,
        world,
        screen: Screen::take(variable).context("this terminal cannot be used")?,
        outside: Outside::new(preferences.notify, variable),
        theme,
        cache: LayoutCache::default(),
        drawn: Instant::now(),
        typed: false,
        title: String::new(),
        to_edit: None,
        quit: false,
    };
    if looping.app.own.preferences.mouse {
        looping.screen.set_mouse(true)?;
    }
    looping.perform(effects)?;
    let outcome = looping.run().await;
    let Loop { world, screen, .. } = looping;
    drop(screen);
    world.close().await;
    outcome
}

struct Loop {
    app: App,
    world: World,
    screen: Screen,
    outside: Outside,
    theme: Theme,
    cache: LayoutCache,
    drawn: Instant,
    /// What changed did so by a key.
    typed: bool,
    title: String,
    to_edit: Option<(ConversationId, String)>,
    quit: bool,
}

impl Loop {
    async fn run(&mut self) -> anyhow::Result<()> {
        let mut input = EventStream::new();
        let mut end = std::pin::pin!(told_to_end());
        let mut jobs = JobControl::listen().context("signals cannot be awaited")?;
        self.draw()?;
        while !self.quit {
            if let Some((id, draft)) = self.to_edit.take() {
                // Whoever listens to the terminal would take the editor's keys away.
                drop(input);
                tokio::select! {
                    biased;
                    ended = &mut end => return ended,
                    edited = self.let_edit(id, draft) => edited?,
                }
                input = EventStream::new();
            }
            let wake = self.wake_at();
            tokio::select! {
                biased;
                ended = &mut end => return ended,
                change = jobs.next() => {
                    tokio::select! {
                        biased;
                        ended = &mut end => return ended,
                        stopped = self.stop(change, &mut jobs) => stopped?,
                    }
                }
                happened = input.next() => {
                    self.tick()?;
                    self.input(happened)?;
                    for _ in 0..BATCH {
                        match already(&mut input).await {
                            Poll::Ready(happened) => self.input(happened)?,
                            Poll::Pending => break,
                        }
                    }
                    self.wait_for_the_disk().await?;
                    self.typed = true;
                }
                event = self.world.next() => {
                    self.tick()?;
                    self.update(event?)?;
                    for _ in 0..BATCH {
                        match self.world.next().now_or_never() {
                            Some(event) => self.update(event?)?,
                            None => break,
                        }
                    }
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.tick()?,
            }
            if self.app.changed && self.drawn.elapsed() >= self.frame() {
                self.draw()?;
            }
        }
        Ok(())
    }

    /// What a key asks of the disk is there within a moment: then the key and what comes of it are one frame. And what is on the
    /// screen of a draft is on the disk already, whatever becomes of this process.
    async fn wait_for_the_disk(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + MOMENT;
        while self.world.has_awaited() {
            match timeout_at(until, self.world.next()).await {
                Ok(event) => self.update(event?)?,
                Err(_) => break,
            }
        }
        // A disk that hangs holds up no key for longer.
        let _late = timeout_at(until, self.world.words_are_kept()).await;
        Ok(())
    }

    /// Lets the user write in their own editor; what happens meanwhile is taken in, and drawn afterwards.
    async fn let_edit(&mut self, id: ConversationId, draft: String) -> anyhow::Result<()> {
        self.screen.lend()?;
        let written = match Editor::start(&draft) {
            Err(why) => Err(why),
            Ok(mut editor) => loop {
                tokio::select! {
                    biased;
                    _ = editor.left() => break editor.close().await,
                    event = self.world.next() => {
                        self.tick()?;
                        self.update(event?)?;
                    }
                }
            },
        };
        self.screen.take_again()?;
        self.title.clear();
        self.tick()?;
        let written = written.map_err(|why| Plain::line(&why));
        self.update(Event::Edited(id, written))?;
        self.app.changed = true;
        self.draw()
    }

    /// When there is something to do though nothing happens: a countdown, or a frame that waits for its turn.
    fn wake_at(&self) -> Option<Instant> {
        let frame = self.app.changed.then(|| self.drawn + self.frame());
        let tick = self.app.next_tick().map(|at| {
            let millis = at.as_millis().saturating_sub(Timestamp::now().as_millis());
            Instant::now() + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
        });
        frame.into_iter().chain(tick).min()
    }

    /// How long after a frame the next one may come.
    fn frame(&self) -> Duration {
        if self.typed { KEY_FRAME } else { FRAME }
    }

    fn tick(&mut self) -> anyhow::Result<()> {
        self.update(Event::Tick(Timestamp::now()))
    }

    fn update(&mut self, event: Event) -> anyhow::Result<()> {
        let effects = self.app.update(event);
        self.perform(effects)
    }

    fn perform(&mut self, effects: Vec<Effect>) -> anyhow::Result<()> {
        for effect in effects {
            match effect {
                Effect::Quit => self.quit = true,
                Effect::Redraw => {
                    self.screen.doubt();
                    self.app.changed = true;
                }
                Effect::Editor(id, draft) => self.to_edit = Some((id, draft)),
                Effect::OpenAddress(address) => {
                    let outcome = opener::open(&address);
                    if outcome.is_err() {
                        self.screen.ask(&self.outside.copy(address.as_str()))?;
                    }
                    let outcome = outcome.map_err(|why| Plain::line(&why));
                    self.update(Event::Opened(outcome))?;
                }
                Effect::Mouse(mouse) => self.screen.set_mouse(mouse)?,
                Effect::Copy(text) => self.screen.ask(&self.outside.copy(&text))?,
                Effect::Notify(notification) => {
                    self.screen.ask(&self.outside.notify(&notification))?;
                }
                Effect::Suspend => self.ask_to_stop()?,
                effect => self.world.perform(effect)?,
            }
        }
        Ok(())
    }

    /// ^Z: the signal that this sends comes back as any that somebody else sends.
    fn ask_to_stop(&mut self) -> anyhow::Result<()> {
        let asked = suspend::ask_to_stop().context("this program cannot be stopped")?;
        if asked {
            Ok(())
        } else {
            self.update(Event::NotSuspended)
        }
    }

    /// Stops with the terminal given back, until the client has the terminal again.
    async fn stop(&mut self, change: Change, jobs: &mut JobControl) -> anyhow::Result<()> {
        let mut stops = change == Change::Stop && suspend::has_shell();
        if stops {
            terminal::restore();
        }
        // In the background there is nothing to do: it stops again, as all do that need the terminal.
        while stops || !suspend::is_in_foreground() {
            jobs.stop()
                .await
                .context("this program cannot be stopped")?;
            stops = false;
        }
        self.screen.take_again()?;
        self.app.changed = true;
        self.tick()?;
        self.draw()
    }

    fn input(&mut self, happened: Option<std::io::Result<Input>>) -> anyhow::Result<()> {
        let happened = happened
            .context("the terminal was closed")?
            .context("the terminal cannot be read")?;
        if matches!(happened, Input::Resize(..)) {
            // A window that went through other sizes has lost what was in it, even if it has its old size again.
            self.screen.doubt();
        }
        let event = match happened {
            Input::Mouse(mouse) => self.pointed(mouse),
            happened => event(happened),
        };
        match event {
            Some(event) => self.update(event),
            None => Ok(()),
        }
    }

    /// What the mouse was used on, as the last frame showed it.
    fn pointed(&self, mouse: MouseEvent) -> Option<Event> {
        let gesture = match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => Gesture::Press,
            MouseEventKind::ScrollUp => Gesture::WheelUp,
            MouseEventKind::ScrollDown => Gesture::WheelDown,
            _ => return None,
        };
        let spot = self.cache.spot(mouse.column, mouse.row)?;
        Some(Event::Pointer(gesture, spot))
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        if !self.app.changed {
            return Ok(());
        }
        let (app, theme, cache) = (&self.app, self.theme, &mut self.cache);
        let mut seen = Seen::default();
        self.screen
            .draw(|frame| {
                seen = view(app, theme, cache, frame);
                cache.links().to_vec()
            })
            .context("the terminal cannot be written to")?;
        let title = self.app.title();
        if title != self.title {
            self.screen.set_title(&title)?;
            self.title = title;
        }
        self.drawn = Instant::now();
        self.typed = false;
        self.app.changed = false;
        if seen != self.app.seen {
            self.update(Event::Seen(seen))?;
        }
        Ok(())
    }
}

/// What the terminal has said already.
///
/// The stream wakes only the task that polled it first after it ran dry, so it must never be polled by another waker.
async fn already(input: &mut EventStream) -> Poll<Option<std::io::Result<Input>>> {
    poll_fn(|context| Poll::Ready(input.poll_next_unpin(context))).await
}

/// What the terminal says, as far as it matters.
fn event(input: Input) -> Option<Event> {
    match input {
        Input::Key(key) => key_of(key).map(Event::Key),
        Input::Paste(text) => Some(Event::Paste(text)),
        Input::FocusGained => Some(Event::Focus(true)),
        Input::FocusLost => Some(Event::Focus(false)),
        Input::Resize(..) => Some(Event::Resized),
        Input::Mouse(_) => None,
    }
}

fn key_of(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let code = match key.code {
        KeyCode::Char(c) if key.modifiers == KeyModifiers::CONTROL => Code::Char(with_ctrl(c)),
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::F(n) => Code::F(n),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        _ => return None,
    };
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    // Layouts with an AltGr key report it as both: it is a letter then.
    let is_letter = ctrl && alt && matches!(code, Code::Char(_));
    Some(Key {
        code,
        ctrl: ctrl && !is_letter,
        alt: alt && !is_letter,
    })
}

/// What was pressed with Ctrl: some of what terminals send for it is reported by the digit that sends the same.
const fn with_ctrl(reported: char) -> char {
    match reported {
        '4' => '\\',
        '5' => ']',
        '6' => '^',
        '7' | '/' => '_',
        letter => letter.to_ascii_lowercase(),
    }
}
