//! Numbers under a verb.

use super::super::value::Value;
use super::float;
use super::print::{Printed, Printer};
use super::quote::{is_print, quote_char};

impl Printer<'_, '_> {
    pub(super) fn int(&mut self, n: u64, signed: bool, verb: char, value: &Value<'_>) -> Printed {
        match verb {
            'v' | 'd' => self.integer(n, signed, 10, verb, false),
            'b' => self.integer(n, signed, 2, verb, false),
            'o' | 'O' => self.integer(n, signed, 8, verb, false),
            'x' => self.integer(n, signed, 16, verb, false),
            'X' => self.integer(n, signed, 16, verb, true),
            'c' | 'q' | 'U' => {
                let c = u32::try_from(n).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                match verb {
                    'c' => self.pad(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    'q' => self.pad(&quote_char(c, self.flags.plus)),
                    _ => self.unicode(n),
                }
            }
            _ => self.bad_verb(verb, value),
        }
    }

    fn unicode(&mut self, n: u64) -> Printed {
        let digits = self.flags.precision.unwrap_or(4).max(4);
        let mut text = format!("U+{}", filled(digits, format!("{n:X}")));
        if let Some(c) = u32::try_from(n).ok().and_then(char::from_u32).filter(|c| self.flags.sharp && is_print(*c)) {
            text.push_str(&format!(" '{c}'"));
        }
        self.unzeroed(text.as_bytes())
    }

    /// Pads with blanks, whatever the zero flag says.
    fn unzeroed(&mut self, text: &[u8]) -> Printed {
        let zero = std::mem::take(&mut self.flags.zero);
        let printed = self.pad(text);
        self.flags.zero = zero;
        printed
    }

    pub(super) fn integer(&mut self, n: u64, signed: bool, base: u32, verb: char, upper: bool) -> Printed {
        let negative = signed && (n as i64) < 0;
        let magnitude = if negative { n.wrapping_neg() } else { n };
        let flags = self.flags;
        let digits = match flags.precision {
            Some(0) if n == 0 => return self.sink.fill(b' ', flags.width.unwrap_or(0)),
            Some(precision) => precision,
            None => match flags.width {
                Some(width) if flags.zero && !flags.minus => {
                    width.saturating_sub(usize::from(negative || flags.plus || flags.space))
                }
                _ => 0,
            },
        };
        let mut text = match base {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 if upper => format!("{magnitude:X}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        text = filled(digits, text);
        if flags.sharp {
            match base {
                2 => text.insert_str(0, "0b"),
                8 if !text.starts_with('0') => text.insert(0, '0'),
                16 => text.insert_str(0, if upper { "0X" } else { "0x" }),
                _ => {}
            }
        }
        if verb == 'O' {
            text.insert_str(0, "0o");
        }
        match (negative, flags.plus, flags.space) {
            (true, _, _) => text.insert(0, '-'),
            (_, true, _) => text.insert(0, '+'),
            (_, _, true) => text.insert(0, ' '),
            _ => {}
        }
        self.unzeroed(text.as_bytes())
    }

    pub(super) fn float(&mut self, f: f64, verb: char, value: &Value<'_>) -> Printed {
        let (letter, default) = match verb {
            'v' => ('g', -1),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, -1),
            'f' | 'e' | 'E' => (verb, 6),
            'F' => ('f', 6),
            _ => return self.bad_verb(verb, value),
        };
        let precision = self.flags.precision.and_then(|p| i64::try_from(p).ok()).unwrap_or(default);
        let text = float::format(f, letter, precision);
        let (sign, mut body) = match text.as_bytes().first() {
            Some(b'-') => ('-', text.get(1..).unwrap_or_default().to_owned()),
            Some(b'+') => ('+', text.get(1..).unwrap_or_default().to_owned()),
            _ => ('+', text),
        };
        let sign = if self.flags.space && sign == '+' && !self.flags.plus { ' ' } else { sign };
        if !f.is_finite() {
            let shown = sign != '+' || self.flags.plus || f.is_infinite();
            return self.unzeroed(if shown { format!("{sign}{body}") } else { body }.as_bytes());
        }
        if self.flags.sharp && letter != 'b' {
            body = with_point(&body, letter, precision);
        }
        if !self.flags.plus && sign == '+' {
            return self.pad(body.as_bytes());
        }
        let missing = self.flags.width.unwrap_or(0).saturating_sub(body.len() + 1);
        if self.flags.zero && !self.flags.minus && missing > 0 {
            self.sink.push(sign.to_string().as_bytes())?;
            self.sink.fill(b'0', missing)?;
            return self.sink.push(body.as_bytes());
        }
        self.pad(format!("{sign}{body}").as_bytes())
    }
}

/// Zeros before the digits, up to so many. Rust's own formatting breaks down where they are more than 65,535.
fn filled(digits: usize, text: String) -> String {
    match digits.saturating_sub(text.len()) {
        0 => text,
        missing => "0".repeat(missing) + &text,
    }
}

/// The `#` flag: always a decimal point, and the zeros that `%g` leaves out.
fn with_point(body: &str, letter: char, precision: i64) -> String {
    let mut missing = match letter {
        'g' | 'G' | 'x' => usize::try_from(precision).unwrap_or(6),
        _ => 0,
    };
    let tail_at = body
        .find(|c: char| {
            matches!(c, 'p' | 'P') || matches!(letter, 'e' | 'E' | 'f' | 'g' | 'G') && matches!(c, 'e' | 'E')
        })
        .unwrap_or(body.len());
    let (number, tail) = body.split_at_checked(tail_at).unwrap_or((body, ""));
    let significant = number.chars().filter(|c| *c != '.').skip_while(|c| *c == '0').count();
    missing = missing.saturating_sub(significant);
    let mut out = number.to_owned();
    if !number.contains('.') {
        if number == "0" {
            missing = missing.saturating_sub(1);
        }
        out.push('.');
    }
    out.push_str(&"0".repeat(missing));
    out.push_str(tail);
    out
}
