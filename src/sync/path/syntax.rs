//! How a path is read: one piece at a time, from its beginning.

use super::{modifiers, quoted, unquoted};
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// What follows a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next<'p> {
    /// Nothing.
    End,
    /// A path into what was found.
    Path(&'p str),
    /// A path that begins anew with what was found.
    Pipe(&'p str),
}

/// A name, or a pattern of names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'p> {
    pub(super) text: Cow<'p, str>,
    /// It has wildcards.
    pub(super) wild: bool,
}

/// Which elements of a list are meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Element<'p> {
    At(usize),
    /// `#`: each of them where a path follows, else how many.
    All,
    Query(Query<'p>),
    Nothing,
}

/// A condition on elements.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query<'p> {
    /// What is compared, as seen from an element.
    pub(super) path: &'p str,
    /// Empty where it only has to be there.
    pub(super) operator: &'p str,
    pub(super) value: Cow<'p, str>,
    /// All that match, not the first.
    pub(super) all: bool,
}

const OPERATORS: [&str; 9] = ["!=", "!%", "<=", ">=", "==", "<", ">", "=", "%"];

fn split(path: &str, at: usize) -> (&str, &str) {
    path.split_at_checked(at).unwrap_or((path, ""))
}

/// `path` without its first `n` bytes.
fn after(path: &str, n: usize) -> &str {
    path.get(n..).unwrap_or_default()
}

/// After a dot: what is no name begins anew.
fn after_dot(rest: &str) -> Next<'_> {
    let is_modifier = rest
        .strip_prefix('@')
        .is_some_and(|rest| modifiers::NAMES.contains(&rest.split(['.', '|', ':']).next().unwrap_or_default()));
    if is_modifier || rest.starts_with(['[', '{']) { Next::Pipe(rest) } else { Next::Path(rest) }
}

/// The first name of a path.
pub(super) fn part(path: &str) -> (Part<'_>, Next<'_>) {
    let mut wild = false;
    let mut text = None::<String>;
    let mut characters = path.char_indices();
    while let Some((at, character)) = characters.next() {
        let next = match character {
            '|' => Some(Next::Pipe(after(path, at + 1))),
            '.' => Some(after_dot(after(path, at + 1))),
            _ => None,
        };
        if let Some(next) = next {
            let text = text.map_or(Cow::Borrowed(split(path, at).0), Cow::Owned);
            return (Part { text, wild }, next);
        }
        match character {
            '\\' => {
                let mut plain = text.take().unwrap_or_else(|| split(path, at).0.to_owned());
                plain.extend(characters.next().map(|(_, escaped)| escaped));
                text = Some(plain);
                continue;
            }
            '*' | '?' => wild = true,
            _ => {}
        }
        if let Some(text) = &mut text {
            text.push(character);
        }
    }
    (Part { text: text.map_or(Cow::Borrowed(path), Cow::Owned), wild }, Next::End)
}

/// The first piece of a path into a list.
pub(super) fn element(path: &str) -> (Element<'_>, Next<'_>) {
    if path.starts_with("#(") || path.starts_with("#[") {
        let Some(end) = closing(path, 1) else { return (Element::Nothing, Next::End) };
        let (inner, rest) = (path.get(2..end).unwrap_or_default(), after(path, end + 1));
        let query = Query { all: rest.starts_with('#'), ..condition(inner) };
        return match rest.find(['.', '|']) {
            Some(at) if rest.get(at..).is_some_and(|rest| rest.starts_with('.')) => {
                (Element::Query(query), Next::Path(after(rest, at + 1)))
            }
            Some(at) => (Element::Query(query), Next::Pipe(after(rest, at + 1))),
            None => (Element::Query(query), Next::End),
        };
    }
    let (name, next) = match path.find(['.', '|']) {
        None => (path, Next::End),
        Some(at) => {
            let (name, rest) = split(path, at);
            let next = match rest.strip_prefix('.') {
                Some(rest) if name == "#" => Next::Path(rest),
                Some(rest) => after_dot(rest),
                None => Next::Pipe(after(rest, 1)),
            };
            (name, next)
        }
    };
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    match (name, name.parse()) {
        ("#", _) => (Element::All, next),
        (_, Ok(index)) if is_number => (Element::At(index), next),
        // So that a pipe that follows is heeded all the same.
        _ => (Element::At(usize::MAX), next),
    }
}

/// Where the bracket that opens at `open` closes, with strings in between passed over.
fn closing(path: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut bytes = path.bytes().enumerate().skip(open);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// `path operator value`, as it stands between a query's brackets.
fn condition(inner: &str) -> Query<'_> {
    let mut at = 0;
    while let Some(byte) = inner.as_bytes().get(at) {
        match byte {
            b'!' | b'=' | b'<' | b'>' | b'%' => break,
            b'\\' => at += 2,
            b'(' | b'[' => at = closing(inner, at).map_or(inner.len(), |end| end + 1),
            b'"' => at = string_end(inner, at),
            _ => at += 1,
        }
    }
    let (path, comparison) = split(inner, at.min(inner.len()));
    let comparison = comparison.trim();
    let operator = OPERATORS.into_iter().find(|operator| comparison.starts_with(operator)).unwrap_or_default();
    let value = after(comparison, operator.len()).trim();
    let is_quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    let value = match is_quoted {
        true if value.contains('\\') => Cow::Owned(unquoted(value)),
        true => Cow::Borrowed(value.trim_matches('"')),
        false => Cow::Borrowed(value),
    };
    let operator = if operator == "==" { "=" } else { operator };
    Query { path: path.trim(), operator, value, all: false }
}

/// Behind the string that begins at `open`.
fn string_end(path: &str, open: usize) -> usize {
    let mut bytes = path.bytes().enumerate().skip(open + 1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return at + 1,
            _ => {}
        }
    }
    path.len()
}

/// Splits at the first pipe that belongs to the path itself, not to what stands in its brackets.
pub(super) fn split_pipe(path: &str) -> (&str, Option<&str>) {
    let mut at = 0;
    while let Some(byte) = path.as_bytes().get(at) {
        match byte {
            b'|' => return (split(path, at).0, Some(after(path, at + 1))),
            b'\\' => at += 2,
            b'(' | b'[' | b'{' => at = closing(path, at).map_or(path.len(), |end| end + 1),
            _ => at += 1,
        }
    }
    (path, None)
}

/// `@name`, `@name:argument`: the name, the argument, the rest. None where there is no such modifier: then it is a key.
pub(super) fn modifier(path: &str) -> Option<(&str, &str, &str)> {
    let path = path.strip_prefix('@')?;
    let (name, rest) = split(path, path.find([':', '|', '.']).unwrap_or(path.len()));
    if !modifiers::NAMES.contains(&name) {
        return None;
    }
    let Some(rest) = rest.strip_prefix(':') else { return Some((name, "", rest)) };
    let end = match rest.as_bytes().first() {
        Some(b'{' | b'[') => closing(rest, 0).map(|end| end + 1),
        Some(b'"') => Some(string_end(rest, 0)),
        _ => None,
    };
    let end = end.unwrap_or_else(|| split_pipe(rest).0.len());
    let (argument, rest) = split(rest, end);
    Some((name, argument, rest))
}

/// `!"text"`, `!5`, `!true`: the JSON, and the rest.
pub(super) fn constant(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('!')?;
    let end = match path.as_bytes().first()? {
        b'{' | b'[' => closing(path, 0)? + 1,
        b'"' => string_end(path, 0),
        b'-' | b'0'..=b'9' => path
            .find(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '+')))
            .unwrap_or(path.len()),
        _ => path.find(['.', '|']).unwrap_or(path.len()),
    };
    let (text, rest) = split(path, end);
    serde_json::from_str::<IgnoredAny>(text).is_ok().then_some((text, rest))
}

/// `[a,b]` or `{"name":a,b}`: each name, where it has one, with its path; and the rest.
pub(super) fn alternatives(path: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let end = closing(path, 0)?;
    let inner = path.get(1..end)?;
    let mut ways = Vec::new();
    let (mut start, mut colon, mut at) = (0, None, 0);
    // A colon behind a modifier begins its argument.
    let mut modifier = false;
    let way = |start: usize, colon: Option<usize>, end: usize| match colon {
        Some(colon) => (inner.get(start..colon).unwrap_or_default(), inner.get(colon + 1..end).unwrap_or_default()),
        None => ("", inner.get(start..end).unwrap_or_default()),
    };
    while let Some(byte) = inner.as_bytes().get(at) {
        match byte {
            b',' => {
                ways.push(way(start, colon, at));
                (start, colon, modifier) = (at + 1, None, false);
            }
            b'@' => modifier |= at > 0 && matches!(inner.as_bytes().get(at - 1), Some(b'.' | b'|')),
            b':' if !modifier && colon.is_none() => colon = Some(at),
            _ => {}
        }
        at = match byte {
            b'\\' => at + 2,
            b'(' | b'[' | b'{' => closing(inner, at).map_or(inner.len(), |end| end + 1),
            b'"' => string_end(inner, at),
            _ => at + 1,
        };
    }
    ways.push(way(start, colon, inner.len()));
    Some((ways, after(path, end + 1)))
}

/// Under which key, as JSON, what stands at `path` goes: the name that is given, or the last of the path.
pub(super) fn name_of(name: &str, path: &str) -> String {
    if name.starts_with('"') && serde_json::from_str::<String>(name).is_ok() {
        return name.to_owned();
    }
    if !name.is_empty() {
        return quoted(name);
    }
    let is_end = |(at, _): &(usize, &str)| !split(path, *at).0.ends_with('\\');
    let last = path.rmatch_indices(['.', '|']).find(is_end).map_or(path, |(at, _)| after(path, at + 1));
    let is_simple = |character: char| character >= ' ' && !"[]{}()#|!".contains(character);
    quoted(if last.chars().all(is_simple) { last } else { "_" })
}
