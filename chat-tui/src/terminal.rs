//! Takes the terminal over, and gives it back as it was whatever happens.

use std::{
    io::{self, Stdout, stdout},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    clipboard::CopyToClipboard,
    cursor::Show,
    event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange},
    execute,
    style::Print,
    terminal::{
        BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
        SetTitle, disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

/// Whether there is something to be given back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Puts the title of the window aside, and takes it back.
const SAVE_TITLE: &str = "\u{1b}[22;2t";
const RESTORE_TITLE: &str = "\u{1b}[23;2t";

/// Presses and the wheel of the mouse are told, with their places; its mere motion is not.
const TAKE_MOUSE: &str = "\u{1b}[?1000h\u{1b}[?1006h";
const LEAVE_MOUSE: &str = "\u{1b}[?1006l\u{1b}[?1000l";

/// The terminal in raw mode on its alternate screen; given back when dropped, and when anything panics.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    mouse: bool,
}

impl Screen {
    pub(crate) fn take() -> io::Result<Self> {
        restore_on_panic();
        let taken = enter().and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        match taken {
            Ok(terminal) => Ok(Self {
                terminal,
                mouse: false,
            }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Gives the terminal to another program for a while.
    pub(crate) fn lend(&mut self) -> io::Result<()> {
        self.terminal.show_cursor()?;
        restore();
        Ok(())
    }

    /// Takes the terminal back; the next frame draws every cell.
    pub(crate) fn take_back(&mut self) -> io::Result<()> {
        enter()?;
        self.set_mouse(self.mouse)?;
        self.terminal.clear()
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(crate) fn set_mouse(&mut self, mouse: bool) -> io::Result<()> {
        self.mouse = mouse;
        let words = if mouse { TAKE_MOUSE } else { LEAVE_MOUSE };
        execute!(self.terminal.backend_mut(), Print(words))
    }

    /// Draws a frame, which the terminal shows as a whole if it can.
    pub(crate) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        execute!(stdout(), BeginSynchronizedUpdate)?;
        self.terminal.draw(render)?;
        execute!(stdout(), EndSynchronizedUpdate)
    }

    /// Puts a text where other programs can paste it; over SSH too, where the terminal lets it.
    pub(crate) fn copy(&mut self, text: &str) -> io::Result<()> {
        let copy = CopyToClipboard::to_clipboard_from(text);
        execute!(self.terminal.backend_mut(), copy)
    }

    /// Makes a noise, or whatever the terminal does in its place.
    pub(crate) fn ring(&mut self) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), Print('\u{7}'))
    }

    /// Gives the window a title.
    pub(crate) fn set_title(&mut self, title: &str) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), SetTitle(title))
    }

    /// Makes the next frame draw every cell.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(
        stdout(),
        Print(SAVE_TITLE),
        EnterAlternateScreen,
        EnableBracketedPaste,
        EnableFocusChange
    )
}

fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            earlier(info);
        }));
    });
}

/// Gives back what was taken, once; there is nobody left to tell if a step of it fails.
fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(
        stdout(),
        EndSynchronizedUpdate,
        Print(LEAVE_MOUSE),
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Print(RESTORE_TITLE),
        Show
    );
    let _ = disable_raw_mode();
}
