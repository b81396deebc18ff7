//! The loop: what happens goes into the state, and what changed in it onto the screen.

use std::{future::poll_fn, task::Poll, time::Duration};

use anyhow::Context;
use chat_core::{client::Client, model::Timestamp};
use crossterm::event::{
    Event as Input, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use futures_util::{FutureExt, StreamExt};
use jiff::tz::TimeZone;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::{
    app::{
        App, Start,
        keymap::{Code, Key},
    },
    appearance,
    config::Profile,
    effect::Effect,
    event::{Event, Seen},
    outside::Outside,
    perform::World,
    suspend::{self, Change, JobControl},
    terminal::{self, Screen},
    ui::{LayoutCache, Theme, view},
};

/// What comes from the server is drawn at most this often.
const FRAME: Duration = Duration::from_millis(33);
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
    let resume = client.tokens().is_some()
        || stored.is_some_and(|profile| profile.refresh_token(&server).is_some());
    let username = stored.map_or_else(String::new, |profile| profile.username().to_owned());
    let world = World::new(client, server.clone(), profile);
    let preferences = world.preferences();
    let theme = appearance::theme(preferences, plain, variable)?;
    let (app, effects) = App::new(Start {
        server,
        username,
        resume,
        preferences,
        zone: TimeZone::system(),
        seed: Uuid::new_v4(),
        now: Timestamp::now(),
    });
    let mut looping = Loop {
        app,
        world,
        screen: Screen::take().context("this terminal cannot be used")?,
        outside: Outside::new(preferences.notify, variable),
        theme,
        cache: LayoutCache::default(),
        drawn: Instant::now(),
        typed: false,
        title: String::new(),
        quit: false,
    };
    looping.perform(effects)?;
    let outcome = looping.run().await;
    let Loop { world, screen, .. } = looping;
    drop(screen);
    let closed = world.close().await;
    outcome.and(closed)
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
    quit: bool,
}

impl Loop {
    async fn run(&mut self) -> anyhow::Result<()> {
        let mut input = EventStream::new();
        let mut end = std::pin::pin!(told_to_end());
        let mut jobs = JobControl::listen().context("signals cannot be awaited")?;
        self.draw()?;
        while !self.quit {
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
        match event(happened) {
            Some(event) => self.update(event),
            None => Ok(()),
        }
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        if !self.app.changed {
            return Ok(());
        }
        let (app, theme, cache) = (&self.app, self.theme, &mut self.cache);
        let mut seen = Seen::default();
        self.screen
            .draw(|frame| seen = view(app, theme, cache, frame))
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

#[cfg(unix)]
async fn told_to_end() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn told_to_end() -> anyhow::Result<()> {
    std::future::pending().await
}
