//! What a rule does to a request.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// What is done to a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// Passes it on.
    Pass,
    /// Waits, then passes it on.
    Delay(Duration),
    /// Never answers.
    Hang,
    /// Closes the connection without an answer.
    Break,
    /// Passes it on, promises the answer's whole length, sends this many bytes of it and closes the connection.
    Truncate {
        /// Bytes that are sent.
        keep: usize,
    },
    /// As `Truncate`, but keeps the connection open for ever.
    Stall {
        /// Bytes that are sent.
        keep: usize,
    },
    /// Answers itself; the server never sees the request.
    Answer {
        /// HTTP status.
        status: u16,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
}

impl Action {
    /// An answer with a content type and a body.
    pub fn answer(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self::Answer { status, headers, body: Bytes::from(body.into()) }
    }

    /// An answer with JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::answer(status, "application/json", body.to_string())
    }

    /// An answer as Vault refuses: `{"errors": [...]}`.
    pub fn refuse(status: u16, error: &str) -> Self {
        Self::json(status, &serde_json::json!({"errors": [error]}))
    }

    /// A redirect to another address.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::answer(status, "text/plain", "").with_header("Location", location)
    }

    /// 200 with a login page, as a portal or a proxy gives it.
    pub fn html() -> Self {
        Self::answer(200, "text/html", "<!doctype html><title>Sign in</title><h1>Sign in to continue</h1>")
    }

    /// 200 with a well-formed KV v2 answer of at least this many bytes: only a limit of size refuses it.
    pub fn huge(bytes: usize) -> Self {
        let value = "x".repeat(bytes);
        Self::json(200, &serde_json::json!({"data": {"data": {"value": value}, "metadata": {"version": 1}}}))
    }

    /// One more header for an answer of ours, such as `Retry-After`; nothing for any other action.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// What comes after the bytes of a [`CutBody`].
pub(super) enum End {
    /// Nothing, they were all.
    Whole,
    /// A broken connection.
    Break,
    /// Silence.
    Hang,
}

/// A body that may be shorter than was promised.
pub(super) struct CutBody {
    bytes: Option<Bytes>,
    end: End,
    flushed: bool,
}

impl CutBody {
    pub(super) fn new(bytes: Bytes, end: End) -> Self {
        Self { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), end, flushed: false }
    }
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::Hang => Poll::Pending,
            // hyper sends what it holds only when there is nothing more to take: an error at once would swallow it.
            End::Break if !self.flushed => {
                self.flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            End::Break => Poll::Ready(Some(Err(io::Error::other("cut by a rule")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.end, End::Whole) && self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.end {
            End::Whole => SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            _ => SizeHint::default(),
        }
    }
}
