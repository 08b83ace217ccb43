//! The parsed template. Positions are byte offsets into its text.

use std::ops::Range;

use super::functions::Function;

/// A piece of a template.
#[derive(Debug)]
pub(crate) enum Node {
    /// Copied as it stands.
    Text(Range<usize>),
    /// Printed, unless the pipeline declares or assigns.
    Action(Pipe),
    If(Box<Branch>),
    Range(Box<Branch>),
    With(Box<Branch>),
    /// `{{template "name" pipeline}}`; `block` ends up as one, too.
    Template {
        at: usize,
        name: String,
        pipe: Option<Pipe>,
    },
    Break,
    Continue,
}

/// `if`, `range` or `with`.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) at: usize,
    pub(crate) pipe: Pipe,
    pub(crate) list: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
}

/// `$a, $b := command | command`
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) at: usize,
    pub(crate) variables: Vec<String>,
    /// `=` rather than `:=`.
    pub(crate) assigns: bool,
    pub(crate) commands: Vec<Command>,
}

/// A first word and its arguments.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) first: Expr,
    pub(crate) arguments: Vec<Expr>,
}

/// An operand and where it stands.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) at: usize,
    pub(crate) kind: ExprKind,
}

/// What an operand is.
#[derive(Debug)]
pub(crate) enum ExprKind {
    Bool(bool),
    Number(Number),
    String(Vec<u8>),
    Nil,
    Dot,
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`
    Variable(String, Vec<String>),
    Function(&'static Function),
    Pipe(Box<Pipe>),
    /// `(pipeline).a.b`
    Chain(Box<Expr>, Vec<String>),
}

/// A numeric constant, as each of the types that can hold it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number {
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    /// Written as a float: it is one where nothing else is asked for.
    pub(crate) is_float: bool,
}
