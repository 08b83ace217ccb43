//! What can go wrong with a template, told without ever quoting a value.

use std::borrow::Cow;
use std::fmt;

/// Where in a template something went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name the template was parsed under, such as the key it makes.
    pub template: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template {:?}, line {}, column {}", self.template, self.line, self.column)
    }
}

/// Why a template can't be used or did not render.
///
/// Messages name functions, variables, fields and types, all of which stand in the template's own text. They never hold
/// a value of the data: a value is what the template is there to protect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is no template. Only an edit of the template mends it.
    #[error("{place}: {problem}")]
    Parse {
        /// Where.
        place: Place,
        /// What was found, and what was expected.
        problem: String,
    },
    /// The template calls a function that isn't there, or that is refused. Only an edit of the template mends it.
    #[error("{place}: {problem}")]
    Function {
        /// Where.
        place: Place,
        /// The function's name.
        function: String,
        /// Why it can't be called.
        problem: String,
    },
    /// The template is sound, but not with this data. New data or an edit mends it.
    #[error("{place}: {problem}")]
    Execution {
        /// Where.
        place: Place,
        /// What was found, and what was expected.
        problem: String,
    },
    /// The template wants more than [`super::Limits`] allow. A smaller template or smaller data mends it.
    #[error("{place}: {limit}")]
    Limit {
        /// Where it was when the limit was reached.
        place: Place,
        /// Which limit.
        limit: Exceeded,
    },
}

impl TemplateError {
    /// Where it happened.
    pub fn place(&self) -> &Place {
        match self {
            Self::Parse { place, .. }
            | Self::Function { place, .. }
            | Self::Execution { place, .. }
            | Self::Limit { place, .. } => place,
        }
    }

    /// True where the template itself is at fault, whatever the data: a retry can't help.
    pub fn is_parse(&self) -> bool {
        matches!(self, Self::Parse { .. } | Self::Function { .. })
    }
}

/// The limit that a rendering reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// [`super::Limits::steps`].
    #[error(
        "the template takes too much work: it was stopped after {0} steps, which all templates of an object share; use fewer or smaller loops, and fewer passwords and keys"
    )]
    Steps(u64),
    /// [`super::Limits::depth`].
    #[error("templates or expressions are nested more than {0} deep; a template may call itself without end")]
    Depth(u32),
    /// [`super::Limits::output_bytes`].
    #[error("the output, that of all templates together, is larger than {0} bytes")]
    Output(usize),
    /// [`super::Limits::memory_bytes`].
    #[error("the template takes more than {0} bytes of memory, which all templates of an object share")]
    Memory(usize),
    /// [`super::Limits::nesting`].
    #[error("lists and dicts are nested more than {0} deep, or one holds itself")]
    Nesting(u32),
    /// Nobody waits for it any more.
    #[error("the rendering was given up, because the sync took too long")]
    GivenUp,
}

/// An error on its way out of the evaluator, which knows the place and adds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The template is wrong for this data.
    Failed(Cow<'static, str>),
    /// A limit was reached.
    Limit(Exceeded),
}

impl From<Exceeded> for Fault {
    fn from(limit: Exceeded) -> Self {
        Self::Limit(limit)
    }
}

/// A failure with a fixed text.
pub(crate) fn failed<T>(problem: &'static str) -> Result<T, Fault> {
    Err(Fault::Failed(Cow::Borrowed(problem)))
}

/// A failure whose text names types or names from the template; never values.
pub(crate) fn failed_with<T>(problem: String) -> Result<T, Fault> {
    Err(Fault::Failed(Cow::Owned(problem)))
}
