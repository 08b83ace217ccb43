//! Regular expressions by Go's syntax, which the crate `regex` runs in linear time.
//!
//! The syntaxes are sisters but not twins: in Go `\d`, `\w`, `\s` and `\b` know ASCII only, `\Q…\E` quotes, `{` may stand for
//! itself, and sets have no operators. So a pattern is translated first.

use std::borrow::Cow;
use std::collections::BTreeMap;

use regex::bytes::{NoExpand, Regex, RegexBuilder};

use super::super::context::{Answer, Args, Context, Param::Int, Param::String as Text};
use super::super::error::{Fault, failed};
use super::super::node::{Command, Expr, ExprKind, Node, Pipe};
use super::super::parse::Trees;
use super::super::value::{Elem, Str, Value};
use super::Function;
use super::regex_syntax::translate;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("regexMatch", &[Text, Text], |cx, a| {
        match compiled(cx, a.str(0)?, a.str(1)?) {
            // Sprig takes a pattern that is none for one that does not match.
            Err(Fault::Failed(_)) => Ok(Value::Bool(false)),
            regex => Ok(Value::Bool(regex?.is_match(a.str(1)?))),
        }
    }),
    Function::new("mustRegexMatch", &[Text, Text], |cx, a| {
        Ok(Value::Bool(compiled(cx, a.str(0)?, a.str(1)?)?.is_match(a.str(1)?)))
    }),
    Function::new("regexFind", &[Text, Text], find),
    Function::new("mustRegexFind", &[Text, Text], find),
    Function::new("regexFindAll", &[Text, Text, Int], find_all),
    Function::new("mustRegexFindAll", &[Text, Text, Int], find_all),
    Function::new("regexReplaceAll", &[Text, Text, Text], replace),
    Function::new("mustRegexReplaceAll", &[Text, Text, Text], replace),
    Function::new("regexReplaceAllLiteral", &[Text, Text, Text], replace_literal),
    Function::new("mustRegexReplaceAllLiteral", &[Text, Text, Text], replace_literal),
    Function::new("regexSplit", &[Text, Text, Int], split),
    Function::new("mustRegexSplit", &[Text, Text, Int], split),
    Function::new("regexQuoteMeta", &[Text], |cx, a| {
        let mut out = Vec::new();
        for byte in a.str(0)?.iter() {
            if br"\.+*?()|[]{}^$".contains(byte) {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        cx.string(out)
    }),
];

/// How large a compiled pattern may be, in bytes, and how many steps a byte of text then costs, in quarters: what is larger
/// may look at each byte more often.
const SIZES: [(usize, u64); 4] = [(16 << 10, 1), (64 << 10, 4), (256 << 10, 16), (1 << 20, 64)];
/// The longest pattern.
const LENGTH: usize = 4096;

/// A pattern that was compiled.
#[derive(Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    /// Steps for four bytes of text.
    weight: u64,
}

/// A pattern that was compiled, or why it could not be.
pub(crate) type Compiled = Result<Pattern, &'static str>;

fn compile(pattern: &[u8]) -> Compiled {
    if pattern.len() > LENGTH {
        return Err("the regular expression is too long");
    }
    let pattern = std::str::from_utf8(pattern).map_err(|_| "the regular expression is not UTF-8")?;
    let translated = translate(pattern)?;
    for (size, weight) in SIZES {
        match RegexBuilder::new(&translated).size_limit(size).dfa_size_limit(1 << 20).nest_limit(50).build() {
            Ok(regex) => return Ok(Pattern { regex, weight }),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(_) => return Err("the regular expression is malformed"),
        }
    }
    Err("the regular expression is too large")
}

/// Compiles the patterns that stand as constants in a template, so that no rendering has to; at most `left` of them.
pub(crate) fn constants(trees: &Trees, left: &mut usize) -> BTreeMap<Vec<u8>, Compiled> {
    let mut found = Constants { compiled: BTreeMap::new(), left };
    for nodes in trees.values() {
        in_nodes(nodes, &mut found);
    }
    found.compiled
}

struct Constants<'l> {
    compiled: BTreeMap<Vec<u8>, Compiled>,
    left: &'l mut usize,
}

fn in_nodes(nodes: &[Node], found: &mut Constants<'_>) {
    for node in nodes {
        match node {
            Node::Action(pipe) => in_pipe(pipe, found),
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
                in_pipe(&branch.pipe, found);
                in_nodes(&branch.list, found);
                in_nodes(&branch.otherwise, found);
            }
            Node::Template { pipe: Some(pipe), .. } => in_pipe(pipe, found),
            _ => {}
        }
    }
}

fn in_pipe(pipe: &Pipe, found: &mut Constants<'_>) {
    for Command { first, arguments } in &pipe.commands {
        if let (ExprKind::Function(function), Some(Expr { kind: ExprKind::String(pattern), .. })) =
            (&first.kind, arguments.first())
        {
            let takes_one = FUNCTIONS.iter().any(|known| known.name == function.name && known.name != "regexQuoteMeta");
            if takes_one && *found.left > 0 && !found.compiled.contains_key(pattern) {
                *found.left -= 1;
                found.compiled.insert(pattern.clone(), compile(pattern));
            }
        }
        for expr in std::iter::once(first).chain(arguments) {
            match &expr.kind {
                ExprKind::Pipe(pipe) => in_pipe(pipe, found),
                ExprKind::Chain(inner, _) => {
                    if let ExprKind::Pipe(pipe) = &inner.kind {
                        in_pipe(pipe, found);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The compiled pattern, with the text's steps paid for.
fn compiled<'a>(cx: &mut Context<'a>, pattern: &[u8], text: &[u8]) -> Result<Cow<'a, Regex>, Fault> {
    let known: &'a BTreeMap<Vec<u8>, Compiled> = cx.regexes;
    let (regex, weight) = match known.get(pattern) {
        Some(Ok(pattern)) => (Cow::Borrowed(&pattern.regex), pattern.weight),
        Some(Err(problem)) => return failed(problem),
        None => {
            cx.meter.step(5_000)?;
            match compile(pattern) {
                Ok(pattern) => {
                    // What is large took longer to compile.
                    cx.meter.step(2_000 * (pattern.weight - 1))?;
                    (Cow::Owned(pattern.regex), pattern.weight)
                }
                Err(problem) => return failed(problem),
            }
        }
    };
    cx.meter.step((text.len() as u64).saturating_mul(weight) / 4)?;
    Ok(regex)
}

fn find<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (regex, text) = (compiled(cx, a.str(0)?, a.str(1)?)?, a.str(1)?);
    Ok(Value::Str(regex.find(text).map_or(Str::Borrowed(b""), |found| text.part(found.start(), found.end()))))
}

/// How many matches are wanted: all where the number is negative.
fn count(a: Args<'_, '_>) -> Result<usize, Fault> {
    Ok(usize::try_from(a.int(2)?).unwrap_or(usize::MAX))
}

fn find_all<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (regex, text, count) = (compiled(cx, a.str(0)?, a.str(1)?)?, a.str(1)?, count(a)?);
    let mut all = Vec::new();
    for found in regex.find_iter(text).take(count) {
        cx.meter.step(1)?;
        cx.meter.memory(32)?;
        all.push(text.part(found.start(), found.end()));
    }
    if all.is_empty() { Ok(cx.nil_list(Elem::Str)) } else { cx.strings(all) }
}

fn split<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (regex, text, count) = (compiled(cx, a.str(0)?, a.str(1)?)?, a.str(1)?, count(a)?);
    if count == 0 {
        return Ok(cx.nil_list(Elem::Str));
    }
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    if a.str(0)?.is_empty() || !text.is_empty() {
        for found in regex.find_iter(text) {
            cx.meter.step(1)?;
            cx.meter.memory(32)?;
            if parts.len() + 1 >= count {
                break;
            }
            end = found.start();
            if found.end() != 0 {
                parts.push(text.part(begin, end));
            }
            begin = found.end();
        }
    }
    if end != text.len() || text.is_empty() {
        parts.push(text.part(begin, text.len()));
    }
    cx.strings(parts)
}

fn replace<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (regex, text, new) = (compiled(cx, a.str(0)?, a.str(1)?)?, a.str(1)?, a.str(2)?);
    let mut out = Vec::new();
    let mut from = 0;
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        let before = out.len();
        out.extend_from_slice(text.get(from..whole.start()).unwrap_or_default());
        captures.expand(new, &mut out);
        from = whole.end();
        cx.meter.step(1)?;
        cx.meter.memory(out.len() - before)?;
    }
    cx.meter.memory(text.len() - from)?;
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    Ok(Value::Str(out.into()))
}

fn replace_literal<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (regex, text, new) = (compiled(cx, a.str(0)?, a.str(1)?)?, a.str(1)?, a.str(2)?);
    let count = regex.find_iter(text).count();
    cx.meter.memory(text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(Value::Str(regex.replace_all(text, NoExpand(new)).into_owned().into()))
}
