//! The log file: never too large, and readable by nobody else.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::files::private_file;

/// A file of this size is put aside.
const MAX_BYTES: u64 = 1 << 20;
/// So many files that were put aside are kept.
const KEPT: usize = 3;

/// A file that is put aside as `….1` when it is full, while that one becomes `….2`, and so on.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Log {
    /// Goes on with the file that is there.
    pub(super) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let open = || -> io::Result<Self> {
            let file = append_to(&path)?;
            let bytes = file.metadata()?.len();
            let path = path.clone();
            Ok(Self { path, file, bytes })
        };
        open().with_context(|| format!("cannot open {}", path.display()))
    }

    fn put_aside(&mut self) -> io::Result<()> {
        for number in (1..KEPT).rev() {
            let older = numbered(&self.path, number + 1);
            if let Err(error) = fs::rename(numbered(&self.path, number), older)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
        }
        fs::rename(&self.path, numbered(&self.path, 1))?;
        self.file = append_to(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Write for Log {
    /// One line at a time comes here, so that no line is torn.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let room = MAX_BYTES.saturating_sub(self.bytes);
        if self.bytes > 0 && u64::try_from(line.len()).unwrap_or(u64::MAX) > room {
            self.put_aside()?;
        }
        let written = self.file.write(line)?;
        self.bytes += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    private_file(path)?;
    OpenOptions::new().append(true).open(path)
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_any_length_keeps_its_newest_lines_in_a_few_files_of_bounded_size() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("chat-tui.log");
        let (lines, in_a_file) = (9_000_usize, 1_024);
        let mut log = Log::open(path.clone()).unwrap();
        for number in 0..lines {
            if number == lines / 2 {
                log = Log::open(path.clone()).unwrap();
            }
            writeln!(log, "{number:>1023}").unwrap();
        }
        let files = [3, 2, 1].map(|number| numbered(&path, number));
        let mut next = (lines - 1) / in_a_file * in_a_file - KEPT * in_a_file;
        for file in files.iter().chain([&path]) {
            let text = fs::read_to_string(file).unwrap();
            assert!(text.len() as u64 <= MAX_BYTES);
            for line in text.lines() {
                assert_eq!(line.trim(), next.to_string());
                next += 1;
            }
        }
        assert_eq!(next, lines);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), KEPT + 1);
    }
}
