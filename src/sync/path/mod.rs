//! Follows a path into JSON, in the syntax of GJSON, as ESO's users write it.
//!
//! ```text
//! a.b   a\.b   list.0   list.#   list.#.id   list.#(id=="one").id   list.#(n>1)#.id   us*r   {a,b:c.d}   [a,b]   a|@keys
//! ```
//!
//! Tenants write the path and may write what it goes into, so every step is charged to a [meter](crate::template::Meter):
//! whatever they write ends, by an error if need be. Everything works on JSON text, so numbers stay as they were sent.

mod glob;
mod modifiers;
mod pretty;
mod query;
mod syntax;

use crate::sync::select::SelectError;
use crate::template::{Exceeded, Meter};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use syntax::{Element, Next, Part};

/// How many pipes, modifiers, alternatives and queries may stand within each other.
const MAX_DEPTH: u32 = 64;
/// What one of those costs at least, as bytes that are read.
const LINK: usize = 16 << 10;

/// JSON text that was found; none where nothing is there.
type Found<'a> = Result<Option<Cow<'a, str>>, SelectError>;

/// What stands at `path` in `json`, which has to be valid, as JSON text.
pub(super) fn follow<'a>(json: &'a str, path: &str, meter: &mut Meter) -> Found<'a> {
    Walk { meter, depth: 0 }.get(json, path)
}

/// Whether a path is of names and numbers alone.
pub(super) fn is_plain(path: &str) -> bool {
    !path.starts_with("..") && !path.contains(['*', '?', '#', '|', '@', '!', '\\', '[', '{'])
}

impl From<Exceeded> for SelectError {
    fn from(_: Exceeded) -> Self {
        Self::TooMuch
    }
}

struct Walk<'m> {
    meter: &'m mut Meter,
    depth: u32,
}

impl Walk<'_> {
    /// Charges for `n` bytes that are read.
    fn read(&mut self, n: usize) -> Result<(), SelectError> {
        Ok(self.meter.scan(n)?)
    }

    /// Puts JSON text at the end of a list or object that is being made.
    fn append(&mut self, made: &mut String, text: &str) -> Result<(), SelectError> {
        self.meter.hold(text.len() + 1)?;
        if made.len() > 1 {
            made.push(',');
        }
        made.push_str(text);
        Ok(())
    }

    fn get<'a>(&mut self, json: &'a str, path: &str) -> Found<'a> {
        self.read(json.len() + path.len() + LINK)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SelectError::Path);
        }
        let found = self.link(json, path);
        self.depth -= 1;
        found
    }

    /// As `get`, of text that does not stay.
    fn get_owned(&mut self, json: &str, path: &str) -> Found<'static> {
        let found = self.get(json, path)?;
        self.meter.hold(found.as_ref().map_or(0, |found| found.len()))?;
        Ok(found.map(|found| Cow::Owned(found.into_owned())))
    }

    fn link<'a>(&mut self, json: &'a str, path: &str) -> Found<'a> {
        if let Some((made, rest)) = self.made(json, path)? {
            return match rest.strip_prefix(['.', '|']) {
                Some(rest) => self.get_owned(&made, rest),
                None => Ok(Some(made).filter(|made| !made.is_empty()).map(Cow::Owned)),
            };
        }
        let mut pipe = None;
        let found = match path.strip_prefix("..") {
            // JSON lines: here there is one.
            Some(path) => self.elements(vec![json], path, &mut pipe)?,
            None => self.inside(json, path, &mut pipe)?,
        };
        match (pipe, found) {
            (None, found) => Ok(found),
            (Some(rest), Some(Cow::Borrowed(found))) => self.get(found, rest),
            (Some(rest), Some(Cow::Owned(found))) => self.get_owned(&found, rest),
            (Some(rest), None) => self.get("", rest),
        }
    }

    /// What a path makes that begins with a modifier, a constant, or alternatives; and the rest of the path.
    fn made<'p>(&mut self, json: &str, path: &'p str) -> Result<Option<(String, &'p str)>, SelectError> {
        match path.as_bytes() {
            [b'@', _, ..] => match syntax::modifier(path) {
                Some((name, argument, rest)) => Ok(Some((self.modified(json, name, argument)?, rest))),
                None => Ok(None),
            },
            [b'!', _, ..] => Ok(syntax::constant(path).map(|(text, rest)| (text.to_owned(), rest))),
            [open @ (b'[' | b'{'), _, ..] => match syntax::alternatives(path) {
                Some((ways, rest)) if rest.is_empty() || rest.starts_with(['.', '|']) => {
                    Ok(Some((self.all_of(json, *open == b'{', &ways)?, rest)))
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// `[a,b]` and `{a,b}`.
    fn all_of(&mut self, json: &str, named: bool, ways: &[(&str, &str)]) -> Result<String, SelectError> {
        let mut made = String::from(if named { "{" } else { "[" });
        for (name, path) in ways {
            let Some(found) = self.get(json, path)? else { continue };
            let found = if named { format!("{}:{found}", syntax::name_of(name, path)).into() } else { found };
            self.append(&mut made, &found)?;
        }
        made.push(if named { '}' } else { ']' });
        Ok(made)
    }

    fn inside<'a, 'p>(&mut self, json: &'a str, path: &'p str, pipe: &mut Option<&'p str>) -> Found<'a> {
        match kind(json) {
            Kind::Object => self.members_at(json, path, pipe),
            Kind::Array => self.elements(items(json)?, path, pipe),
            _ => Ok(None),
        }
    }

    fn members_at<'a, 'p>(&mut self, json: &'a str, path: &'p str, pipe: &mut Option<&'p str>) -> Found<'a> {
        let (part, next) = syntax::part(path);
        if let Next::Pipe(rest) = next {
            *pipe = Some(rest);
        }
        for (key, value) in members(json)? {
            if !self.is_named(&key, &part)? {
                continue;
            }
            let Next::Path(rest) = next else { return Ok(Some(Cow::Borrowed(value))) };
            self.read(value.len())?;
            if let Some(found) = self.inside(value, rest, pipe)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn is_named(&mut self, key: &str, part: &Part<'_>) -> Result<bool, SelectError> {
        if !part.wild {
            return Ok(key == part.text);
        }
        self.is_like(key, &part.text)
    }

    fn is_like(&mut self, text: &str, pattern: &str) -> Result<bool, SelectError> {
        self.read(text.len().saturating_mul(pattern.len()))?;
        Ok(glob::is_match(text, pattern))
    }

    fn elements<'a, 'p>(&mut self, items: Vec<&'a str>, path: &'p str, pipe: &mut Option<&'p str>) -> Found<'a> {
        let (element, next) = syntax::element(path);
        if let Next::Pipe(rest) = next {
            *pipe = Some(rest);
        }
        match (element, next) {
            (Element::At(index), next) => match (items.get(index), next) {
                (Some(value), Next::Path(rest)) => {
                    self.read(value.len())?;
                    self.inside(value, rest, pipe)
                }
                (value, _) => Ok(value.map(|value| Cow::Borrowed(*value))),
            },
            (Element::All, Next::Path(rest)) => {
                let (path, rest) = syntax::split_pipe(rest);
                *pipe = rest.or(*pipe);
                let mut made = String::from("[");
                for item in items {
                    if let Some(found) = self.get(item, path)? {
                        self.append(&mut made, &found)?;
                    }
                }
                made.push(']');
                Ok(Some(Cow::Owned(made)))
            }
            (Element::All, _) => Ok(Some(Cow::Owned(items.len().to_string()))),
            (Element::Query(query), next) => self.query(&items, &query, next, pipe),
            (Element::Nothing, _) => Ok(None),
        }
    }
}

/// What JSON text is, by its first byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    /// Or nothing at all.
    Null,
}

fn kind(json: &str) -> Kind {
    match json.trim_ascii_start().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::String,
        Some(b't') => Kind::True,
        Some(b'f') => Kind::False,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Number,
    }
}

/// The text of a JSON string; empty for anything else.
fn unquoted(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn items(json: &str) -> Result<Vec<&str>, SelectError> {
    let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| SelectError::Path)?;
    Ok(items.into_iter().map(RawValue::get).collect())
}

/// The members of an object in their order, which a map would lose.
fn members(json: &str) -> Result<Vec<(String, &str)>, SelectError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Members).map_err(|_| SelectError::Path)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
            members.push((key, value.get()));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests;
