//! `fmt.Sprintf`: reads the format.

use super::super::error::Fault;
use super::super::limits::Meter;
use super::super::value::Value;
use super::print::{Flags, Printer};
use super::quote::first_rune;
use super::{MAX_WIDTH, Sink};

/// Formats `values` by `format`.
pub(crate) fn printf(meter: &mut Meter, format: &[u8], values: &[Value<'_>]) -> Result<Vec<u8>, Fault> {
    let mut sink = Sink::new(meter);
    let mut state = State { format, at: 0, values, argument: 0, reordered: false, good_index: true };
    while state.literal(&mut sink)? {
        state.verb(&mut sink)?;
    }
    if !state.reordered && state.argument < values.len() {
        sink.push(b"%!(EXTRA ")?;
        for (i, value) in values.iter().skip(state.argument).enumerate() {
            if i > 0 {
                sink.push(b", ")?;
            }
            if !matches!(value, Value::Nil) {
                sink.push(value.type_name().as_bytes())?;
                sink.push(b"=")?;
            }
            Printer { sink: &mut sink, flags: Flags::default() }.value(value, 'v', 0)?;
        }
        sink.push(b")")?;
    }
    Ok(sink.finish())
}

struct State<'f, 'v, 'a> {
    format: &'f [u8],
    at: usize,
    values: &'v [Value<'a>],
    argument: usize,
    /// An explicit index was used: what is left over is no mistake then.
    reordered: bool,
    good_index: bool,
}

impl State<'_, '_, '_> {
    fn byte(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// Copies up to the next `%`; false at the end.
    fn literal(&mut self, sink: &mut Sink<'_>) -> Result<bool, Fault> {
        let rest = self.format.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|b| *b == b'%').unwrap_or(rest.len());
        sink.push(rest.get(..length).unwrap_or_default())?;
        self.at += length + 1;
        Ok(length < rest.len())
    }

    fn verb(&mut self, sink: &mut Sink<'_>) -> Result<(), Fault> {
        self.good_index = true;
        let mut flags = self.flags();
        let mut after_index = self.index();
        if self.byte() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.zero &= width >= 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => sink.push(b"%!(BADWIDTH)")?,
            }
            after_index = false;
        } else {
            flags.width = self.number();
            if after_index && flags.width.is_some() {
                self.good_index = false;
            }
        }
        if self.byte() == Some(b'.') && self.at + 1 < self.format.len() {
            self.at += 1;
            if after_index {
                self.good_index = false;
            }
            after_index = self.index();
            if self.byte() == Some(b'*') {
                self.at += 1;
                match self.star().and_then(|p| usize::try_from(p).ok()) {
                    Some(precision) => flags.precision = Some(precision),
                    None => sink.push(b"%!(BADPREC)")?,
                }
                after_index = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some(rune) = first_rune(self.format.get(self.at..).unwrap_or_default()) else {
            return sink.push(b"%!(NOVERB)");
        };
        self.at += rune.size;
        self.apply(sink, flags, rune.char)
    }

    fn apply(&mut self, sink: &mut Sink<'_>, mut flags: Flags, verb: char) -> Result<(), Fault> {
        if verb == '%' {
            return sink.push(b"%");
        }
        if !self.good_index {
            return sink.push(format!("%!{verb}(BADINDEX)").as_bytes());
        }
        let Some(value) = self.values.get(self.argument) else {
            return sink.push(format!("%!{verb}(MISSING)").as_bytes());
        };
        if verb == 'v' {
            (flags.sharp_v, flags.sharp) = (flags.sharp, false);
            (flags.plus_v, flags.plus) = (flags.plus, false);
        }
        self.argument += 1;
        Printer { sink, flags }.value(value, verb, 0)
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            match self.byte() {
                Some(b'#') => flags.sharp = true,
                Some(b'0') => flags.zero = true,
                Some(b'+') => flags.plus = true,
                Some(b'-') => flags.minus = true,
                Some(b' ') => flags.space = true,
                _ => return flags,
            }
            self.at += 1;
        }
    }

    /// A decimal number. One that is too large swallows the rest of the format, as in Go.
    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.byte().filter(u8::is_ascii_digit) {
            if number.unwrap_or(0) > MAX_WIDTH {
                self.at = self.format.len();
                return None;
            }
            number = Some(number.unwrap_or(0) * 10 + usize::from(digit - b'0'));
            self.at += 1;
        }
        number
    }

    /// The width or precision that `*` takes from the arguments.
    fn star(&mut self) -> Option<i64> {
        let value = self.values.get(self.argument)?;
        self.argument += 1;
        let number = match value {
            Value::Int(n, _) => *n,
            Value::Uint(n, _) => i64::try_from(*n).ok()?,
            _ => return None,
        };
        (number.unsigned_abs() <= MAX_WIDTH as u64).then_some(number)
    }

    /// `[3]`: takes the third argument next. True where there is one.
    fn index(&mut self) -> bool {
        if self.byte() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = self.format.get(self.at + 1..).unwrap_or_default();
        let Some(close) = rest.iter().position(|b| *b == b']') else {
            self.good_index = false;
            self.at += 1;
            return false;
        };
        let digits = rest.get(..close).unwrap_or_default();
        let number = std::str::from_utf8(digits)
            .ok()
            .filter(|d| d.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|d| d.parse::<usize>().ok());
        self.at += close + 2;
        match number.and_then(|n| n.checked_sub(1)) {
            Some(index) if index < self.values.len() => {
                self.argument = index;
                true
            }
            other => {
                self.good_index = false;
                other.is_some()
            }
        }
    }
}
