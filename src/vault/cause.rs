//! The words that errors are made of: how something is gone, down, garbled, denied.

use std::fmt;

/// How a secret came to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Nothing is at the path.
    Missing,
    /// Its latest version is soft-deleted.
    Deleted,
    /// Its latest version is destroyed.
    Destroyed,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "nothing is there; correct the path, or write it in Vault",
            Self::Deleted => "its latest version is deleted; restore it, or write a new one",
            Self::Destroyed => "its latest version is destroyed; write a new one",
        })
    }
}

/// What a request was about to do, as policies name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `read`
    Read,
    /// `list`
    List,
}

impl Action {
    pub(super) fn gerund(self) -> &'static str {
        match self {
            Self::Read => "reading",
            Self::List => "listing",
        }
    }

    pub(super) fn capability(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
        }
    }
}

/// Why a server counts as down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// Its name could not be resolved.
    Unresolved,
    /// Nothing listens there, or no route leads there.
    Unreachable,
    /// It does not answer in time.
    Hanging,
    /// It breaks connections off.
    Broken,
    /// It is sealed (503).
    Sealed,
    /// It was never initialised (501).
    Uninitialised,
    /// It answers even a question for its health with this status.
    Failing(u16),
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved => f.write_str("can't be found: its host name does not resolve; check `server` and DNS"),
            Self::Unreachable => f.write_str(
                "can't be reached: nothing accepts connections there; check `server`, the network and that it runs",
            ),
            Self::Hanging => f.write_str("does not answer in time; check its load and the network between"),
            Self::Broken => f.write_str("breaks connections off; check the server and what stands before it"),
            Self::Sealed => f.write_str("is sealed (503): unseal it"),
            Self::Uninitialised => f.write_str("is not initialised (501): initialise it"),
            Self::Failing(status) => write!(f, "is failing ({status}); look into its log and at what stands before it"),
        }
    }
}

/// What was wrong with an answer that could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbled {
    /// A page for people.
    Html,
    /// Neither JSON nor HTML, or JSON that breaks off.
    NotJson,
    /// JSON, but not of the shape that the API has.
    Shape,
    /// `null` where the secret should be.
    Null,
}

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Html => "a page of HTML instead of JSON; check that `server` is Vault itself and not a login page or proxy error",
            Self::NotJson => "something that is not whole JSON; check what stands between the operator and Vault",
            Self::Shape => "JSON of another shape than Vault's API has; check that `server` is Vault and `path` and `version` fit the mount",
            Self::Null => "null instead of a secret; check what stands between the operator and Vault",
        })
    }
}

/// Whose policies were too narrow: names only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// `role "app"`, `user "jane"`; empty where the token does not say.
    pub who: String,
    /// The names of the token's policies.
    pub policies: Vec<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.who.is_empty() { "the token" } else { &self.who };
        if self.policies.is_empty() {
            return write!(f, "the policies of {who}");
        }
        write!(f, "the policies [{}] of {who}", self.policies.join(", "))
    }
}
