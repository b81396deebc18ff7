//! A terminal with somebody in front of it: a program runs in it, is typed at, and is looked at.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::{Callbacks, Parser, Screen};

/// How long something may take before it counts as not happening; far beyond what a slow machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A pseudo-terminal, what is on its screen, and the program in it, which is killed when this is dropped.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Arc<Mutex<Box<dyn Write + Send>>>,
    shown: Arc<Shown>,
    reader: Option<JoinHandle<()>>,
    child: Box<dyn Child + Send + Sync>,
    untouched: Line,
}

/// What the program has written, and what it looks like.
struct Shown {
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    parser: Parser<Outside>,
    raw: Vec<u8>,
    closed: bool,
}

impl State {
    fn is_amid_a_frame(&self) -> bool {
        self.parser.callbacks().drawing && !self.closed
    }
}

impl Shown {
    /// A test that fails while it looks must not take others along.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a terminal does besides showing text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outside {
    /// The title of the window.
    pub(crate) title: String,
    /// The titles it had, the newest last.
    pub(crate) titles: Vec<String>,
    /// How often it made a noise.
    pub(crate) bells: usize,
    /// It tells whether it has the focus.
    pub(crate) focus: bool,
    /// Requests that are only passed on to the world outside of the screen, as they came.
    pub(crate) requests: Vec<String>,
    /// A frame is being drawn; what is on the screen is not one yet.
    drawing: bool,
    /// Questions to be answered by the keyboard.
    answers: Vec<&'static [u8]>,
}

impl Callbacks for Outside {
    fn audible_bell(&mut self, _: &mut Screen) {
        self.bells += 1;
    }

    fn set_window_title(&mut self, _: &mut Screen, title: &[u8]) {
        self.title = String::from_utf8_lossy(title).into_owned();
        self.titles.push(self.title.clone());
    }

    fn copy_to_clipboard(&mut self, _: &mut Screen, kind: &[u8], data: &[u8]) {
        let (kind, data) = (String::from_utf8_lossy(kind), String::from_utf8_lossy(data));
        self.requests.push(format!("52;{kind};{data}"));
    }

    fn unhandled_osc(&mut self, _: &mut Screen, parameters: &[&[u8]]) {
        let parameters = parameters.iter().map(|one| String::from_utf8_lossy(one));
        self.requests.push(parameters.collect::<Vec<_>>().join(";"));
    }

    fn unhandled_csi(
        &mut self,
        _: &mut Screen,
        first: Option<u8>,
        _: Option<u8>,
        parameters: &[&[u16]],
        last: char,
    ) {
        match (first, parameters, last) {
            (Some(b'?'), [[1004]], 'h') => self.focus = true,
            (Some(b'?'), [[1004]], 'l') => self.focus = false,
            (Some(b'?'), [[2026]], 'h') => self.drawing = true,
            (Some(b'?'), [[2026]], 'l') => self.drawing = false,
            (None, [[6]], 'n') => self.answers.push(b"\x1b[1;1R"),
            (None, [[0]] | [], 'c') => self.answers.push(b"\x1b[?62;22c"),
            _ => {}
        }
    }
}

/// How the line to the terminal is set: raw, or as a shell wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line([u64; 4]);

/// All that a program can have changed about a terminal and forgotten to change back.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a mode that can be on by itself"
)]
pub(crate) struct Modes {
    line: Line,
    alternate_screen: bool,
    bracketed_paste: bool,
    focus: bool,
    mouse: bool,
    cursor_hidden: bool,
}

impl Terminal {
    /// Opens a terminal of this size, and runs a program in it.
    pub(crate) fn run(program: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let keyboard = pair.master.take_writer().unwrap();
        let keyboard = Arc::new(Mutex::new(keyboard));
        let output = pair.master.try_clone_reader().unwrap();
        let untouched = line(pair.master.as_ref());
        let child = pair.slave.spawn_command(program).unwrap();
        drop(pair.slave);
        let (rows, columns) = (cells(rows), cells(columns));
        let shown = Arc::new(Shown {
            state: Mutex::new(State {
                parser: Parser::new_with_callbacks(rows, columns, 0, Outside::default()),
                raw: Vec::new(),
                closed: false,
            }),
            news: Condvar::new(),
        });
        let reader = {
            let (shown, keyboard) = (Arc::clone(&shown), Arc::clone(&keyboard));
            std::thread::spawn(move || read(output, &shown, &keyboard))
        };
        Self {
            master: pair.master,
            keyboard,
            shown,
            reader: Some(reader),
            child,
            untouched,
        }
    }

    /// Presses keys, as the bytes that a terminal sends for them.
    pub(crate) fn press(&self, keys: &str) {
        let mut keyboard = self.keyboard.lock().unwrap();
        keyboard.write_all(keys.as_bytes()).unwrap();
        keyboard.flush().unwrap();
    }

    /// Pastes, as terminals do it when they have been asked to say so.
    pub(crate) fn paste(&self, text: &str) {
        self.press(&format!("\x1b[200~{text}\x1b[201~"));
    }

    /// Gives the window another size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let mut state = self.state();
        state
            .parser
            .screen_mut()
            .set_size(cells(rows), cells(columns));
        drop(state);
        self.master().resize(size(columns, rows)).unwrap();
    }

    /// What is on the screen, row by row.
    pub(crate) fn text(&self) -> String {
        self.state().parser.screen().contents()
    }

    /// Waits until a text is on the screen.
    pub(crate) fn shows(&self, text: &str) {
        self.until(&format!("the screen shows {text:?}"), |screen, _| {
            screen.contents().contains(text)
        });
    }

    /// Waits until a text is not on the screen any more.
    pub(crate) fn hides(&self, text: &str) {
        self.until(
            &format!("the screen shows {text:?} no longer"),
            |screen, _| !screen.contents().contains(text),
        );
    }

    /// Waits until something is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Screen, &Outside) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        while state.is_amid_a_frame() || !is_so(state.parser.screen(), state.parser.callbacks()) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !state.closed,
                "waited in vain until {what}; closed: {}; the screen:\n{}",
                state.closed,
                state.parser.screen().contents()
            );
            // The settings of the line change without a word.
            let next_look = left.min(Duration::from_millis(20));
            state = self.shown.news.wait_timeout(state, next_look).unwrap().0;
        }
    }

    /// Looks at the screen.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Screen) -> T) -> T {
        at(self.state().parser.screen())
    }

    /// What the terminal was asked for besides showing text.
    pub(crate) fn outside(&self) -> Outside {
        self.state().parser.callbacks().clone()
    }

    /// Everything that the program has written.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.state().raw.clone()
    }

    /// Waits until everything is as it was before the program came.
    pub(crate) fn is_given_back(&self) {
        let untouched = self.untouched;
        let master = self.master();
        self.until("the terminal is given back", |screen, outside| {
            let modes = modes(line(master), screen, outside);
            modes == Modes::as_found(untouched)
        });
    }

    /// Waits until the program has the terminal for itself.
    pub(crate) fn is_taken(&self) {
        let (untouched, master) = (self.untouched, self.master());
        self.until("the terminal is taken", |screen, outside| {
            let modes = modes(line(master), screen, outside);
            modes.alternate_screen
                && modes.bracketed_paste
                && modes.focus
                && modes.line != untouched
        });
    }

    /// The program that was started.
    pub(crate) fn process(&self) -> rustix::process::Pid {
        let id = self.child.process_id().unwrap();
        rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
    }

    /// Waits until the program is over, and all that it wrote has been read; how it ended.
    pub(crate) fn ends(&mut self) -> portable_pty::ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shown.lock();
        while !state.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "the program does not end; the screen:\n{}",
                state.parser.screen().contents()
            );
            state = self.shown.news.wait_timeout(state, left).unwrap().0;
        }
        drop(state);
        self.child.wait().unwrap()
    }

    fn master(&self) -> &dyn MasterPty {
        self.master.as_ref()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shown.lock()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !self.state().closed {
            // A program that is stopped takes nothing but this.
            let _gone =
                rustix::process::kill_process(self.process(), rustix::process::Signal::KILL);
        }
        let _gone = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _over = reader.join();
        }
    }
}

impl Modes {
    fn as_found(line: Line) -> Self {
        Self {
            line,
            alternate_screen: false,
            bracketed_paste: false,
            focus: false,
            mouse: false,
            cursor_hidden: false,
        }
    }
}

fn modes(line: Line, screen: &Screen, outside: &Outside) -> Modes {
    Modes {
        line,
        alternate_screen: screen.alternate_screen(),
        bracketed_paste: screen.bracketed_paste(),
        focus: outside.focus,
        mouse: screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None,
        cursor_hidden: screen.hide_cursor(),
    }
}

fn line(master: &dyn MasterPty) -> Line {
    let termios = master.get_termios().unwrap();
    Line([
        u64::from(termios.input_flags.bits()),
        u64::from(termios.output_flags.bits()),
        u64::from(termios.control_flags.bits()),
        u64::from(termios.local_flags.bits()),
    ])
}

/// Takes in what the program writes, until nobody has the terminal open any more.
fn read(mut output: Box<dyn Read + Send>, shown: &Shown, keyboard: &Mutex<Box<dyn Write + Send>>) {
    let mut bytes = [0; 4096];
    loop {
        // On Linux a terminal that nobody has open cannot be read: that is its end.
        let count = output.read(&mut bytes).unwrap_or(0);
        let mut state = shown.lock();
        if count == 0 {
            state.closed = true;
            shown.news.notify_all();
            return;
        }
        state.raw.extend_from_slice(&bytes[..count]);
        state.parser.process(&bytes[..count]);
        let answers = std::mem::take(&mut state.parser.callbacks_mut().answers);
        drop(state);
        shown.news.notify_all();
        for answer in answers {
            let _hung_up = keyboard.lock().unwrap().write_all(answer);
        }
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        ..PtySize::default()
    }
}

fn cells(length: u16) -> NonZeroU16 {
    NonZeroU16::new(length).expect("a terminal has rows and columns")
}
