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
    cursor::Show,
    event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange},
    execute,
    style::Print,
    terminal::{
        BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
        LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

use crate::{hyperlinks::Hyperlinks, ui::Link};

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
    /// What is shown is not what was drawn last.
    doubtful: bool,
    hyperlinks: Hyperlinks,
}

impl Screen {
    /// `variable` is the environment.
    pub(crate) fn take(variable: impl Fn(&str) -> Option<String>) -> io::Result<Self> {
        restore_on_panic();
        let taken = enter().and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        match taken {
            Ok(terminal) => Ok(Self {
                terminal,
                mouse: false,
                doubtful: false,
                hyperlinks: Hyperlinks::new(variable),
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

    /// Takes the mouse, or leaves it to the terminal.
    pub(crate) fn set_mouse(&mut self, mouse: bool) -> io::Result<()> {
        self.mouse = mouse;
        let words = if mouse { TAKE_MOUSE } else { LEAVE_MOUSE };
        execute!(self.terminal.backend_mut(), Print(words))
    }

    /// Takes the terminal again, whatever others have made of it meanwhile.
    pub(crate) fn take_again(&mut self) -> io::Result<()> {
        restore();
        self.doubt();
        enter()?;
        self.set_mouse(self.mouse)
    }

    /// Draws a frame, which the terminal shows as a whole if it can.
    pub(crate) fn draw(
        &mut self,
        render: impl FnOnce(&mut Frame<'_>) -> Vec<Link>,
    ) -> io::Result<()> {
        execute!(stdout(), BeginSynchronizedUpdate)?;
        if std::mem::take(&mut self.doubtful) {
            // The terminal library's own way asks the terminal where the cursor is, and its answer is among the keys.
            execute!(self.terminal.backend_mut(), Clear(ClearType::All))?;
            self.terminal.swap_buffers();
            self.hyperlinks.forget();
        }
        let mut links = Vec::new();
        let frame = self.terminal.draw(|frame| links = render(frame))?;
        if self.hyperlinks.would_change(&links) {
            let buffer = frame.buffer.clone();
            let backend = self.terminal.backend_mut();
            self.hyperlinks.show(&links, &buffer, backend)?;
        }
        execute!(stdout(), EndSynchronizedUpdate)
    }

    /// Passes a request on to what is around the screen.
    pub(crate) fn ask(&mut self, request: &str) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), Print(request))
    }

    /// Gives the window a title.
    pub(crate) fn set_title(&mut self, title: &str) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), SetTitle(title))
    }

    /// Makes the next frame draw every cell.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
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

fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    let entered = enable_raw_mode().and_then(|()| {
        execute!(
            stdout(),
            Print(SAVE_TITLE),
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange
        )
    });
    if entered.is_err() {
        restore();
    }
    entered
}

/// Gives back what was taken, once; there is nobody left to tell if a step of it fails.
pub(crate) fn restore() {
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
