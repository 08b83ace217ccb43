//! Writes JSON as Go's encoding/json does.

use super::super::context::entries;
use super::super::error::{Fault, failed};
use super::super::format::quote::{first_rune, plain_front};
use super::super::format::{Sink, float};
use super::super::limits::Meter;
use super::super::value::Value;

/// How it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Compact, and with `<`, `>` and `&` escaped.
    Compact,
    /// Compact and without those escapes.
    Raw,
    /// Indented by two blanks.
    Pretty,
}

/// `value` as JSON. Numbers that JSON doesn't have are an error.
pub(crate) fn write(meter: &mut Meter, value: &Value<'_>, style: Style) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer { sink: Sink::new(meter), style };
    writer.value(value, 0)?;
    Ok(writer.sink.finish())
}

/// A float as JavaScript writes it.
pub(crate) fn float_text(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = float::format(number, 'e', -1);
        return match text.split_once("e-0") {
            Some((mantissa, exponent)) => format!("{mantissa}e-{exponent}"),
            None => text,
        };
    }
    float::format(number, 'f', -1)
}

struct Writer<'m> {
    sink: Sink<'m>,
    style: Style,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value<'_>, depth: u32) -> Result<(), Fault> {
        self.sink.nesting(depth)?;
        match value {
            Value::Nil => self.sink.push(b"null"),
            Value::Bool(b) => self.sink.push(if *b { b"true" } else { b"false" }),
            Value::Int(n, _) => self.sink.push(n.to_string().as_bytes()),
            Value::Uint(n, _) => self.sink.push(n.to_string().as_bytes()),
            Value::Float(f) if f.is_finite() => self.sink.push(float_text(*f).as_bytes()),
            Value::Float(_) => failed("JSON has no infinite numbers"),
            Value::Str(text) => self.string(text),
            Value::List(list) if list.nil => self.sink.push(b"null"),
            Value::List(list) => {
                self.sink.push(b"[")?;
                for (n, item) in list.items.iter().enumerate() {
                    self.before(n, depth)?;
                    self.value(item, depth + 1)?;
                }
                self.after(list.items.len(), depth)?;
                self.sink.push(b"]")
            }
            Value::Map(_) | Value::Data(_) => {
                let entries = entries(value).unwrap_or_default();
                self.sink.push(b"{")?;
                for (n, (key, item)) in entries.iter().enumerate() {
                    self.before(n, depth)?;
                    self.string(key)?;
                    self.colon()?;
                    self.value(item, depth + 1)?;
                }
                self.after(entries.len(), depth)?;
                self.sink.push(b"}")
            }
            Value::Time(time) => self.string(time.rfc3339().as_bytes()),
            Value::Version(version) => self.string(version.to_string().as_bytes()),
            Value::Certificate(pair) => {
                self.sink.push(b"{")?;
                self.before(0, depth)?;
                self.sink.push(b"\"Cert\"")?;
                self.colon()?;
                self.string(pair.cert.as_bytes())?;
                self.before(1, depth)?;
                self.sink.push(b"\"Key\"")?;
                self.colon()?;
                self.string(pair.key.as_bytes())?;
                self.after(2, depth)?;
                self.sink.push(b"}")
            }
        }
    }

    fn colon(&mut self) -> Result<(), Fault> {
        self.sink.push(if self.style == Style::Pretty { b": " } else { b":" })
    }

    fn before(&mut self, n: usize, depth: u32) -> Result<(), Fault> {
        if n > 0 {
            self.sink.push(b",")?;
        }
        self.line(depth + 1)
    }

    fn after(&mut self, count: usize, depth: u32) -> Result<(), Fault> {
        if count > 0 { self.line(depth) } else { Ok(()) }
    }

    fn line(&mut self, depth: u32) -> Result<(), Fault> {
        if self.style != Style::Pretty {
            return Ok(());
        }
        self.sink.push(b"\n")?;
        self.sink.fill(b' ', 2 * usize::try_from(depth).unwrap_or(0))
    }

    fn string(&mut self, text: &[u8]) -> Result<(), Fault> {
        let mut out = Vec::with_capacity(text.len() + 2);
        out.push(b'"');
        let mut rest = text;
        loop {
            let plain = plain_front(rest, br#""\<>&"#);
            out.extend_from_slice(plain);
            rest = rest.get(plain.len()..).unwrap_or_default();
            let Some(rune) = first_rune(rest) else { break };
            match rune.char {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\x08' => out.extend_from_slice(b"\\b"),
                '\x0c' => out.extend_from_slice(b"\\f"),
                '<' | '>' | '&' if self.style != Style::Raw => escape(&mut out, rune.char),
                '\u{2028}' | '\u{2029}' => escape(&mut out, rune.char),
                c if c < ' ' => escape(&mut out, c),
                c if !rune.valid => escape(&mut out, c),
                _ => out.extend_from_slice(rest.get(..rune.size).unwrap_or_default()),
            }
            rest = rest.get(rune.size..).unwrap_or_default();
        }
        out.push(b'"');
        self.sink.push(&out)
    }
}

fn escape(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
}
