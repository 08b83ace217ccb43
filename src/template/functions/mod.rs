//! The functions that templates may call, by family, with the Go types of their parameters.

mod builtins;
mod case;
mod constraint;
mod crypto;
mod dates;
mod defaults;
pub(crate) mod dicts;
mod encoding;
mod equal;
mod lists;
mod math;
mod paths;
mod pki;
pub(crate) mod random;
mod reflect;
pub(crate) mod regex;
mod regex_syntax;
pub(crate) mod semver;
mod strings;
mod text;
pub(crate) mod time;
mod time_format;
mod time_parse;
mod urls;

use std::collections::HashMap;
use std::sync::OnceLock;

use super::context::{Answer, Args, Context, Param};

/// How a function is run.
pub(crate) type Run = for<'s, 'a> fn(&mut Context<'a>, Args<'s, 'a>) -> Answer<'a>;

/// What the evaluator must know of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Special {
    None,
    And,
    Or,
    Fail,
}

/// A function.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) params: &'static [Param],
    /// The type of what may follow.
    pub(crate) rest: Option<Param>,
    pub(crate) special: Special,
    /// Steps that a call takes besides those for reading its arguments.
    pub(crate) cost: u64,
    /// It looks at its arguments no longer for their being large.
    pub(crate) constant: bool,
    /// It is random or reads the clock: two renderings may differ.
    varies: bool,
    pub(crate) run: Run,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Function {
    /// A function of fixed arguments.
    const fn new(name: &'static str, params: &'static [Param], run: Run) -> Self {
        Self { name, params, rest: None, special: Special::None, cost: 0, constant: false, varies: false, run }
    }

    /// It takes any number of further arguments.
    const fn and(mut self, rest: Param) -> Self {
        self.rest = Some(rest);
        self
    }

    const fn cost(mut self, steps: u64) -> Self {
        self.cost = steps;
        self
    }

    const fn varies(mut self) -> Self {
        self.varies = true;
        self
    }

    /// Its work does not grow with its arguments.
    const fn constant(mut self) -> Self {
        self.constant = true;
        self
    }

    const fn special(mut self, special: Special) -> Self {
        self.special = special;
        self
    }

    /// The type of the `n`th argument.
    pub(crate) fn param(&self, n: usize) -> Param {
        self.params.get(n).copied().or(self.rest).unwrap_or(Param::Any)
    }
}

/// All functions, by family.
static FAMILIES: &[(&str, &[Function])] = &[
    ("Go's own", builtins::FUNCTIONS),
    ("Strings", strings::FUNCTIONS),
    ("Case and words", case::FUNCTIONS),
    ("Numbers", math::FUNCTIONS),
    ("Lists", lists::FUNCTIONS),
    ("Dicts", dicts::FUNCTIONS),
    ("Defaults and flow", defaults::FUNCTIONS),
    ("Types", reflect::FUNCTIONS),
    ("Encodings", encoding::FUNCTIONS),
    ("Dates", dates::FUNCTIONS),
    ("Regular expressions", regex::FUNCTIONS),
    ("Versions", semver::FUNCTIONS),
    ("URLs", urls::FUNCTIONS),
    ("Paths", paths::FUNCTIONS),
    ("Random", random::FUNCTIONS),
    ("Hashes, passwords and ciphers", crypto::FUNCTIONS),
    ("Keys and certificates", pki::FUNCTIONS),
];

/// Functions of Sprig that are refused when a template is parsed, and why.
pub const REFUSED: &[(&str, &str)] = &[
    ("env", "it would show the operator's environment to whoever writes templates"),
    ("expandenv", "it would show the operator's environment to whoever writes templates"),
    ("getHostByName", "it would send names, and values hidden in them, out over DNS"),
];

/// What there is to know of a function before it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Its name in templates.
    pub name: &'static str,
    /// What kind of function it is.
    pub family: &'static str,
    /// The Go types of its arguments, as in `string, ...int`.
    pub parameters: String,
    /// It is random or reads the clock: each rendering may give another result, so each refresh writes the Secret.
    pub varies: bool,
}

/// All functions that templates may call, by family: what the documentation's table is made of.
pub fn functions() -> impl Iterator<Item = FunctionInfo> {
    FAMILIES.iter().flat_map(|(family, functions)| {
        functions.iter().map(|function| {
            let mut parameters: Vec<String> = function.params.iter().map(|param| param.name().to_owned()).collect();
            parameters.extend(function.rest.map(|param| format!("...{}", param.name())));
            FunctionInfo { name: function.name, family, parameters: parameters.join(", "), varies: function.varies }
        })
    })
}

/// The function called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    static BY_NAME: OnceLock<HashMap<&'static str, &'static Function>> = OnceLock::new();
    let table = BY_NAME
        .get_or_init(|| FAMILIES.iter().flat_map(|(_, functions)| functions.iter()).map(|f| (f.name, f)).collect());
    table.get(name).copied()
}

/// Why `name` is refused, if it is.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, reason)| *reason)
}
