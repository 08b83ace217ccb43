//! Reads JSON as Go's encoding/json does: numbers are floats, of equal keys the last wins, what is no Unicode becomes U+FFFD.

use std::collections::BTreeMap;

use super::super::context::Context;
use super::super::error::Fault;
use super::super::format::quote::{first_rune, push_char};
use super::super::value::{Elem, Str, Value};

/// Reads `text`. None where it is no JSON.
pub(crate) fn parse<'a>(cx: &mut Context<'a>, text: &[u8]) -> Result<Option<Value<'a>>, Fault> {
    let mut reader = Reader { text, at: 0 };
    let value = match reader.value(cx, 1) {
        Ok(value) => value,
        Err(Broken::Syntax) => return Ok(None),
        Err(Broken::Fault(fault)) => return Err(fault),
    };
    reader.space();
    Ok((reader.at == text.len()).then_some(value))
}

enum Broken {
    Syntax,
    Fault(Fault),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        if self.take(byte) { Ok(()) } else { Err(Broken::Syntax) }
    }

    fn value<'a>(&mut self, cx: &mut Context<'a>, depth: u32) -> Result<Value<'a>, Broken> {
        cx.meter.step(1)?;
        cx.meter.nesting(depth)?;
        self.space();
        match self.peek() {
            Some(b'{') => self.object(cx, depth),
            Some(b'[') => self.array(cx, depth),
            Some(b'"') => {
                let text = self.string()?;
                cx.meter.memory(text.len())?;
                Ok(Value::Str(text.into()))
            }
            Some(b't') => self.word(b"true", Value::Bool(true)),
            Some(b'f') => self.word(b"false", Value::Bool(false)),
            Some(b'n') => self.word(b"null", Value::Nil),
            _ => self.number(),
        }
    }

    fn word<'a>(&mut self, word: &[u8], value: Value<'a>) -> Result<Value<'a>, Broken> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(Broken::Syntax);
        }
        self.at += word.len();
        Ok(value)
    }

    fn object<'a>(&mut self, cx: &mut Context<'a>, depth: u32) -> Result<Value<'a>, Broken> {
        self.expect(b'{')?;
        let mut entries = BTreeMap::new();
        self.space();
        if !self.take(b'}') {
            loop {
                self.space();
                let key: Str<'a> = self.string()?.into();
                cx.meter.memory(key.len() + 64)?;
                self.space();
                self.expect(b':')?;
                entries.insert(key, self.value(cx, depth + 1)?);
                self.space();
                if self.take(b'}') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        Ok(Value::Map(cx.map(Elem::Any, entries)?))
    }

    fn array<'a>(&mut self, cx: &mut Context<'a>, depth: u32) -> Result<Value<'a>, Broken> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        self.space();
        if !self.take(b']') {
            loop {
                cx.meter.memory(size_of::<Value<'_>>())?;
                items.push(self.value(cx, depth + 1)?);
                self.space();
                if self.take(b']') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        Ok(cx.list(Elem::Any, items)?)
    }

    fn number<'a>(&mut self) -> Result<Value<'a>, Broken> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text =
            self.text.get(start..self.at).and_then(|text| std::str::from_utf8(text).ok()).ok_or(Broken::Syntax)?;
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(Broken::Syntax),
        }
    }

    fn digits(&mut self) -> Result<(), Broken> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Broken::Syntax) }
    }

    fn string(&mut self) -> Result<Vec<u8>, Broken> {
        self.expect(b'"')?;
        let mut out = Vec::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let rune = first_rune(rest).ok_or(Broken::Syntax)?;
            self.at += rune.size;
            match rune.char {
                '"' => return Ok(out),
                '\\' => self.escape(&mut out)?,
                c if c < ' ' => return Err(Broken::Syntax),
                c => push_char(&mut out, c),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Broken> {
        let name = self.peek().ok_or(Broken::Syntax)?;
        self.at += 1;
        out.push(match name {
            b'"' | b'\\' | b'/' => name,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let first = self.hex().ok_or(Broken::Syntax)?;
                self.at += 4;
                push_char(out, self.paired(first));
                return Ok(());
            }
            _ => return Err(Broken::Syntax),
        });
        Ok(())
    }

    fn hex(&self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    /// A character of one escape, or of two that are surrogates of each other.
    fn paired(&mut self, first: u32) -> char {
        if (0xd800..0xdc00).contains(&first) && self.text.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u")) {
            self.at += 2;
            if let Some(second) = self.hex().filter(|second| (0xdc00..0xe000).contains(second)) {
                self.at += 4;
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
                    .unwrap_or(char::REPLACEMENT_CHARACTER);
            }
            self.at -= 2;
        }
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}
