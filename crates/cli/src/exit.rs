//! How the program ends: the exit codes, and the failures that lead to them.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// Exit codes, as listed at the end of `--help`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Input = 3,
    Output = 4,
    Missed = 99,
    Interrupted = 130,
}

/// The same, for the end of `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a fetch failed (get: always; fetch: with --fail; bench: all of them; demo: anything amiss)
  2    wrong usage
  3    input cannot be read
  4    output cannot be written
  99   a threshold was missed (bench)
  130  interrupted";

/// Why the program ends early, and what to say about it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Without the leading `gannet: `; `None` ends the program without a word.
    pub(crate) message: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: Some(message.into()),
        }
    }

    pub(crate) fn quiet(exit: Exit) -> Self {
        Self {
            exit,
            message: None,
        }
    }

    pub(crate) fn input(name: impl fmt::Display, error: &io::Error) -> Self {
        Self::new(
            Exit::Input,
            format!("cannot read {name}: {}", reason(error)),
        )
    }

    pub(crate) fn output(name: impl fmt::Display, error: &io::Error) -> Self {
        // Whoever read has read enough, and is not waiting for a word about it.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::quiet(Exit::Output);
        }
        let message = format!("cannot write {name}: {}", reason(error));
        Self::new(Exit::Output, message)
    }

    pub(crate) fn listen(error: &io::Error) -> Self {
        Self::new(Exit::Failed, format!("cannot listen: {}", reason(error)))
    }

    /// The engine, the runtime or a thread could not be started.
    pub(crate) fn start(error: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, format!("cannot start: {error}"))
    }
}

/// What went wrong, in the system's words but without its error number.
pub(crate) fn reason(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(number) = error.raw_os_error()
        && let Some(bare) = text.strip_suffix(&format!(" (os error {number})"))
    {
        text.truncate(bare.len());
    }
    text
}

/// Says something on standard error, if that takes it: it is no reason to fail if not.
pub(crate) fn say(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether a path stands for standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_no_error_numbers() {
        let error = std::fs::read("/nonexistent/gannet").expect_err("is missing");
        assert!(!reason(&error).contains("os error"), "{}", reason(&error));
        assert_eq!(reason(&io::Error::other("odd")), "odd");
    }

    #[test]
    fn messages_name_the_thing() {
        let error = io::Error::other("odd");
        let failure = Failure::input("urls.txt", &error);
        assert_eq!(
            failure.message.as_deref(),
            Some("cannot read urls.txt: odd")
        );
        assert_eq!(failure.exit, Exit::Input);
    }
}
