//! URLs from a file or standard input, one a line, read no faster than they are used.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::thread;

use futures::Stream;
use tokio::sync::mpsc;

use crate::exit::{Failure, is_standard};

/// Longest line that is kept. URLs beyond some 64,000 bytes cannot be sent anyway.
const MAX_LINE: usize = 64 * 1024;
/// Lines read ahead of their use.
const AHEAD: usize = 128;
/// How much of a line that is no URL is shown.
const SHOWN: usize = 200;

/// A line that is neither blank nor a comment.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Line {
    /// From 1 on.
    pub(crate) number: u64,
    pub(crate) text: Result<String, Fault>,
}

/// Why a line cannot be a URL.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    /// The beginning of the line, as far as it can be shown.
    pub(crate) shown: String,
    pub(crate) reason: &'static str,
}

/// The lines of a reader. Needs no more memory than one line, however long that is.
pub(crate) struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// Reads one line into `line`, of which bytes beyond the limit are skipped, and tells its full
    /// length, the line feed included: 0 at the end.
    fn read(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        let mut length = 0;
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(chunk.len(), |at| at + 1);
            let kept = used.min((MAX_LINE + 1).saturating_sub(line.len()));
            line.extend_from_slice(&chunk[..kept]);
            self.reader.consume(used);
            length += used;
            if end.is_some() || used == 0 {
                return Ok(length);
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut bytes = Vec::new();
            match self.read(&mut bytes) {
                Ok(0) => return None,
                Ok(_) => self.number += 1,
                Err(error) => return Some(Err(error)),
            }
            let number = self.number;
            let bytes = if number == 1 {
                without_mark(&bytes)
            } else {
                &bytes
            };
            if let Some(text) = checked(bytes) {
                return Some(Ok(Line { number, text }));
            }
        }
    }
}

/// Without the byte order mark that some editors put at the beginning of a file.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// The text of a line, if there is anything on it but blanks or a comment.
fn checked(bytes: &[u8]) -> Option<Result<String, Fault>> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let long = bytes.len() > MAX_LINE;
    let bytes = bytes.trim_ascii();
    if bytes.starts_with(b"#") || (bytes.is_empty() && !long) {
        return None;
    }
    let fault = |reason| Fault {
        shown: String::from_utf8_lossy(bytes).chars().take(SHOWN).collect(),
        reason,
    };
    if long {
        return Some(Err(fault("the line is longer than 64 KiB")));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.trim())
            .filter(|t| !t.is_empty())
            .map(|t| Ok(t.to_owned())),
        Err(_) => Some(Err(fault("the line is not UTF-8"))),
    }
}

/// Opens a file, or standard input, and reads its lines on a thread of its own, as reading blocks.
///
/// The first error ends the stream. Dropping the stream ends the thread, unless it waits for input
/// that does not come; then it ends with the program.
pub(crate) fn open(
    path: &Path,
) -> Result<impl Stream<Item = Result<Line, Failure>> + use<>, Failure> {
    let name = if is_standard(path) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let reader: Box<dyn BufRead + Send> = if is_standard(path) {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(
            open_file(path).map_err(|e| Failure::input(&name, &e))?,
        ))
    };
    let (sender, mut receiver) = mpsc::channel(AHEAD);
    let read = move || {
        for line in Lines::new(reader) {
            let line = line.map_err(|error| Failure::input(&name, &error));
            let last = line.is_err();
            if sender.blocking_send(line).is_err() || last {
                break;
            }
        }
    };
    thread::Builder::new()
        .name("gannet-input".to_owned())
        .spawn(read)
        .map_err(Failure::start)?;
    Ok(futures::stream::poll_fn(move |context| {
        receiver.poll_recv(context)
    }))
}

/// Directories can be opened, but not read: better told before anything starts.
fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines read through a buffer of `capacity` bytes, so that their ends fall anywhere.
    fn lines(bytes: &[u8], capacity: usize) -> Vec<Line> {
        let reader = BufReader::with_capacity(capacity, bytes);
        Lines::new(reader)
            .map(|line| line.expect("readable"))
            .collect()
    }

    fn line(number: u64, text: &str) -> Line {
        let text = Ok(text.to_owned());
        Line { number, text }
    }

    #[test]
    fn blank_lines_and_comments_are_skipped_but_counted() {
        let bytes = b"\xef\xbb\xbfhttp://a/\r\n\n  # no\n\t\xc2\xa0\n  http://b/ \nhttp://c/";
        for capacity in [1, 2, 7, 4096] {
            let expected = [
                line(1, "http://a/"),
                line(5, "http://b/"),
                line(6, "http://c/"),
            ];
            assert_eq!(lines(bytes, capacity), expected, "{capacity}");
        }
        assert!(lines(b"", 10).is_empty());
        assert!(lines(b"\n\n", 10).is_empty());
    }

    #[test]
    fn over_long_lines_are_told_and_passed_over() {
        let long = "x".repeat(MAX_LINE + 1);
        let text = format!(
            "a\n{long}\n#{long}\n{}\n{}",
            &long[1..],
            " ".repeat(MAX_LINE + 1)
        );
        for capacity in [1000, MAX_LINE * 4] {
            let lines = lines(text.as_bytes(), capacity);
            assert_eq!(lines.len(), 4);
            assert_eq!(lines[0], line(1, "a"));
            let fault = lines[1].text.as_ref().expect_err("too long");
            assert_eq!((lines[1].number, fault.shown.len()), (2, SHOWN));
            assert_eq!(lines[2], line(4, &long[1..]));
            assert!(lines[3].text.is_err());
        }
    }

    #[test]
    fn no_more_than_the_limit_is_kept_of_a_line_without_end() {
        let endless = BufReader::new(io::Read::take(io::repeat(b'x'), 50 << 20));
        let mut line = Vec::new();
        let length = Lines::new(endless).read(&mut line).expect("readable");
        assert_eq!((length, line.len()), (50 << 20, MAX_LINE + 1));
        assert!(line.capacity() <= 4 * MAX_LINE);
    }

    #[test]
    fn what_is_not_utf_8_is_told() {
        let lines = lines(b"http://a/\xff\nhttp://b/\n", 5);
        let fault = lines[0].text.as_ref().expect_err("not UTF-8");
        assert_eq!(fault.shown, "http://a/\u{fffd}");
        assert_eq!(lines[1], line(2, "http://b/"));
    }

    #[test]
    fn directories_and_missing_files_are_told_before_the_start() {
        for path in ["/", "/nonexistent/gannet"] {
            let failure = open(Path::new(path)).map(|_| ()).expect_err("unreadable");
            assert_eq!(failure.exit, crate::exit::Exit::Input);
        }
    }
}
