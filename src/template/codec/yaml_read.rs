//! Reads YAML as ESO's `fromYaml` does: YAML 1.1's words and numbers, and all that JSON can hold.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use granit_parser::{Event, Options, Parser, ScalarStyle, StrInput, Tag};
use regex::Regex;

use super::super::context::Context;
use super::super::error::Fault;
use super::super::format::float;
use super::super::functions::dicts::copy;
use super::super::number::{parse_float, parse_int, parse_uint};
use super::super::value::{Elem, Str, Value};

/// Reads the first document. The inner error is a text that ESO's templates find under `Error`.
pub(crate) fn parse<'a>(cx: &mut Context<'a>, text: &[u8]) -> Result<Result<Value<'a>, &'static str>, Fault> {
    let Ok(text) = std::str::from_utf8(text) else {
        return Ok(Err("yaml: the text is not UTF-8"));
    };
    if text.trim_start_matches([' ', '\n', '\r']).starts_with('\t') {
        return Ok(Err("yaml: a tab can't indent"));
    }
    let mut options = Options::default();
    // As libyaml has it, which Go's YAML is made after.
    options.block_scalar_eof_without_line_feed = true;
    let mut reader = Reader { parser: Parser::new_from_str_with_options(text, options), anchors: HashMap::new() };
    match reader.document(cx) {
        Ok(value) => Ok(Ok(value)),
        Err(Broken::Text(problem)) => Ok(Err(problem)),
        Err(Broken::Fault(fault)) => Err(fault),
    }
}

enum Broken {
    Text(&'static str),
    Fault(Fault),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

const INVALID: Broken = Broken::Text("yaml: the text is not valid YAML");

struct Reader<'t, 'a> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Value<'a>>,
}

impl<'t, 'a> Reader<'t, 'a> {
    fn event(&mut self) -> Result<Event<'t>, Broken> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, _))) => return Ok(event),
                _ => return Err(INVALID),
            }
        }
    }

    fn document(&mut self, cx: &mut Context<'a>) -> Result<Value<'a>, Broken> {
        loop {
            match self.event()? {
                Event::StreamStart => {}
                Event::StreamEnd => return Ok(Value::Nil),
                Event::DocumentStart(..) => {
                    let first = self.event()?;
                    let value = self.node(cx, first, 1)?;
                    // What follows must at least be YAML, up to the document's end.
                    self.event()?;
                    return Ok(value);
                }
                _ => return Err(INVALID),
            }
        }
    }

    fn node(&mut self, cx: &mut Context<'a>, event: Event<'t>, depth: u32) -> Result<Value<'a>, Broken> {
        cx.meter.nesting(depth)?;
        cx.meter.step(1)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar(cx, text, style, tag.as_deref())?, anchor),
            Event::Alias(id) => {
                let value = self.anchors.get(&id).cloned().ok_or(INVALID)?;
                return match value {
                    Value::Nil => Ok(Value::Nil),
                    value => Ok(copy(cx, &value, depth)?),
                };
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.event()? {
                        Event::SequenceEnd => break,
                        event => items.push(self.node(cx, event, depth + 1)?),
                    }
                    cx.meter.memory(size_of::<Value<'_>>())?;
                }
                (cx.list(Elem::Any, items)?, anchor)
            }
            Event::MappingStart(_, anchor, _) => (self.mapping(cx, depth)?, anchor),
            _ => return Err(INVALID),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn mapping(&mut self, cx: &mut Context<'a>, depth: u32) -> Result<Value<'a>, Broken> {
        let mut entries = BTreeMap::new();
        loop {
            let event = self.event()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            let key = match (merges, self.node(cx, event, depth + 1)?) {
                (_, Value::Str(key)) => key,
                (_, Value::Bool(b)) => Str::Borrowed(if b { b"true" } else { b"false" }),
                (_, Value::Int(n, _)) => n.to_string().into(),
                (_, Value::Uint(n, _)) => n.to_string().into(),
                (_, Value::Float(f)) if f == f.trunc() && f.abs() < 1e15 => float::format(f, 'f', -1).into(),
                (_, Value::Float(f)) => float::format(f, 'g', -1).into(),
                _ => return Err(Broken::Text("yaml: a key is neither a text nor a number")),
            };
            let event = self.event()?;
            let value = self.node(cx, event, depth + 1)?;
            if merges {
                merge(&mut entries, &value)?;
            } else {
                cx.meter.memory(key.len() + 64)?;
                entries.insert(key, value);
            }
        }
        Ok(Value::Map(cx.map(Elem::Any, entries)?))
    }
}

/// `<<: *base`, or a list of such.
fn merge<'a>(entries: &mut BTreeMap<Str<'a>, Value<'a>>, value: &Value<'a>) -> Result<(), Broken> {
    match value {
        Value::Map(map) => entries.extend(map.entries()),
        Value::List(list) => {
            // Of a list, the first wins.
            for item in list.items.iter().rev() {
                match item {
                    Value::Map(map) => entries.extend(map.entries()),
                    _ => {
                        return Err(Broken::Text("yaml: map merge requires map or sequence of maps as the value"));
                    }
                }
            }
        }
        _ => {
            return Err(Broken::Text("yaml: map merge requires map or sequence of maps as the value"));
        }
    }
    Ok(())
}

fn scalar<'a>(
    cx: &mut Context<'a>,
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
) -> Result<Value<'a>, Broken> {
    let suffix = tag.and_then(Tag::core_suffix);
    if style == ScalarStyle::Plain && suffix != Some("str") && suffix != Some("binary") {
        match plain(&text) {
            Plain::String => {}
            Plain::Null => return Ok(Value::Nil),
            Plain::Bool(b) => return Ok(Value::Bool(b)),
            Plain::Number(f) if f.is_finite() => return Ok(Value::Float(f)),
            Plain::Number(_) => return Err(Broken::Text("yaml: JSON has no infinite numbers")),
            Plain::Timestamp => {}
        }
    }
    if suffix == Some("binary") {
        let decoded = super::base64_decode(text.as_bytes())
            .map_err(|_| Broken::Text("yaml: !!binary value contains invalid base64 data"))?;
        return Ok(cx.string(String::from_utf8_lossy(&decoded).into_owned())?);
    }
    Ok(cx.string(text.into_owned())?)
}

/// What a plain scalar stands for.
enum Plain {
    String,
    Null,
    Bool(bool),
    Number(f64),
    Timestamp,
}

/// Whether a text, written plainly, is read back as the same string.
pub(crate) fn is_plain_string(text: &str) -> bool {
    static BASE60: OnceLock<Option<Regex>> = OnceLock::new();
    matches!(plain(text), Plain::String)
        && !matches(&BASE60, r"^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$", text)
}

fn matches(cell: &OnceLock<Option<Regex>>, pattern: &str, text: &str) -> bool {
    cell.get_or_init(|| Regex::new(pattern).ok()).as_ref().is_some_and(|regex| regex.is_match(text))
}

fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Plain::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Plain::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Plain::Number(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Plain::Number(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Plain::Number(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => parse_float(text).map_or(Plain::String, Plain::Number),
        Some(b'0'..=b'9' | b'+' | b'-') if text.len() < 400 => number(text),
        _ => Plain::String,
    }
}

fn number(text: &str) -> Plain {
    static TIMESTAMP: OnceLock<Option<Regex>> = OnceLock::new();
    static FLOAT: OnceLock<Option<Regex>> = OnceLock::new();
    let date =
        r"^\d{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])([Tt ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d*)?(Z|[+-]\d\d:\d\d)?)?$";
    if matches(&TIMESTAMP, date, text) {
        return Plain::Timestamp;
    }
    let digits = text.replace('_', "");
    if let Some(n) = parse_int(&digits) {
        return Plain::Number(n as f64);
    }
    if let Some(n) = parse_uint(&digits) {
        return Plain::Number(n as f64);
    }
    if matches(&FLOAT, r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", &digits) {
        return parse_float(&digits).map_or(Plain::String, Plain::Number);
    }
    Plain::String
}
