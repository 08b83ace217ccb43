//! What can go wrong in the testbed, told so that the reader knows what to do next.

use std::{fmt, io, path::PathBuf, time::Duration};

/// An error of the testbed. `Debug` prints the message too, so that `?` in a test and `unwrap` both read well.
#[derive(thiserror::Error)]
pub enum Error {
    /// A test was started without a stack around it.
    #[error(
        "no testbed around this test: {0} is not set. Run `make test`, or `cargo run -p testbed -- exec -- cargo test`"
    )]
    NoStack(&'static str),
    /// A variable of the testbed is set, but does not make sense.
    #[error("the environment's {name} can't be used: {why}")]
    Environment {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A file or folder could not be read, written or run.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was tried, as in "write".
        what: &'static str,
        /// The file, folder or program.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A server ended, or never answered, while it was being started.
    #[error("{process} {why}\nits last lines:\n{tail}\nwhole log: {log}")]
    Start {
        /// The server.
        process: &'static str,
        /// What was seen of it.
        why: String,
        /// The end of its log.
        tail: String,
        /// Where the log is; it outlives the testbed when a start fails.
        log: PathBuf,
    },
    /// No binary of a tool can be had.
    #[error("no {tool} to be had: {why}")]
    Binary {
        /// The tool.
        tool: &'static str,
        /// What was tried, and what to install.
        why: String,
    },
    /// A request got no answer.
    #[error("{method} {url}: {why}")]
    Request {
        /// HTTP method.
        method: String,
        /// The whole address.
        url: String,
        /// The chain of causes.
        why: String,
    },
    /// A request was answered with something else than success.
    #[error("{method} {url} was answered {status}: {body}")]
    Answer {
        /// HTTP method.
        method: String,
        /// The whole address.
        url: String,
        /// HTTP status.
        status: u16,
        /// The start of the body.
        body: String,
    },
    /// An answer was well, but not of the form expected.
    #[error("{what}: {why}")]
    Unexpected {
        /// What was read.
        what: String,
        /// What was missing.
        why: String,
    },
    /// A certificate or key could not be made.
    #[error("certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A condition did not come true in time.
    #[error("waited {within:?} for {what}; last seen: {last}")]
    TimedOut {
        /// The condition.
        what: String,
        /// How long it was given.
        within: Duration,
        /// The state at the last look.
        last: String,
    },
}

/// The testbed's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// For `map_err` around file and process calls.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// The HTTP status of an answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// An error with all its causes on one line: reqwest's own text leaves the cause out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
