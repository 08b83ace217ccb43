//! One value under one verb.

use super::super::error::Fault;
use super::super::limits::Meter;
use super::super::value::{Elem, IntType, List, Str, Value};
use super::quote::{push_char, quote, quote_char, runes};
use super::{Sink, float};

/// The flags, width and precision of a verb.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) plus_v: bool,
    pub(super) sharp_v: bool,
}

/// Values as text under a set of flags.
pub(super) struct Printer<'s, 'm> {
    pub(super) sink: &'s mut Sink<'m>,
    pub(super) flags: Flags,
}

/// `fmt.Sprint`: operands are parted by a blank where neither is a string.
pub(crate) fn print<'a>(meter: &mut Meter, values: &[Value<'a>]) -> Result<Vec<u8>, Fault> {
    let mut sink = Sink::new(meter);
    let mut after_string = true;
    for value in values {
        let string = matches!(value, Value::Str(_));
        if !string && !after_string {
            sink.push(b" ")?;
        }
        Printer { sink: &mut sink, flags: Flags::default() }.value(value, 'v', 0)?;
        after_string = string;
    }
    Ok(sink.finish())
}

/// `fmt.Sprintln`.
pub(crate) fn println<'a>(meter: &mut Meter, values: &[Value<'a>]) -> Result<Vec<u8>, Fault> {
    let mut sink = Sink::new(meter);
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            sink.push(b" ")?;
        }
        Printer { sink: &mut sink, flags: Flags::default() }.value(value, 'v', 0)?;
    }
    sink.push(b"\n")?;
    Ok(sink.finish())
}

/// A value as `%v` shows it. No copy where it is a string already.
pub(crate) fn value_text<'a>(meter: &mut Meter, value: &Value<'a>) -> Result<Str<'a>, Fault> {
    match value {
        Value::Str(text) => Ok(text.clone()),
        _ => Ok(print(meter, std::slice::from_ref(value))?.into()),
    }
}

type Printed = Result<(), Fault>;

impl Printer<'_, '_> {
    pub(super) fn value(&mut self, value: &Value<'_>, verb: char, depth: u32) -> Printed {
        self.sink.nesting(depth)?;
        match verb {
            'T' => return self.string(value.type_name().as_bytes(), 's', value),
            'p' => {
                return super::super::error::failed(
                    "printf: %p shows addresses, which differ each time; use another verb",
                );
            }
            _ => {}
        }
        match value {
            Value::Nil => match verb {
                'v' => self.pad(b"<nil>"),
                _ => self.bad_verb(verb, value),
            },
            Value::Bool(b) => match verb {
                't' | 'v' => self.pad(if *b { b"true" } else { b"false" }),
                _ => self.bad_verb(verb, value),
            },
            Value::Int(n, kind) => self.typed_int(*n, *kind, verb, value),
            Value::Uint(n, _) if verb == 'v' && self.flags.sharp_v => {
                let flags = self.flags;
                self.flags.sharp = true;
                let printed = self.integer(*n, false, 16, verb, false);
                self.flags = flags;
                printed
            }
            Value::Uint(n, _) => self.int(*n, false, verb, value),
            Value::Float(f) => self.float(*f, verb, value),
            Value::Str(s) => self.string(s, verb, value),
            Value::List(list) => self.list(list, verb, depth),
            Value::Map(map) => {
                let entries = map.entries();
                self.map(value.type_name(), entries.iter().map(|(k, v)| (&**k, v.clone())), verb, depth)
            }
            Value::Data(data) => {
                let entries = data.entries().iter().map(|(k, v)| (k.as_bytes(), Value::Str(Str::Borrowed(v))));
                self.map(value.type_name(), entries, verb, depth)
            }
            Value::Time(time) => self.string(time.to_string().as_bytes(), verb, value),
            Value::Version(version) => self.string(version.to_string().as_bytes(), verb, value),
            Value::Certificate(pair) => {
                let fields = if self.flags.plus_v { (&b"{Cert:"[..], &b" Key:"[..]) } else { (&b"{"[..], &b" "[..]) };
                self.sink.push(fields.0)?;
                self.string(pair.cert.as_bytes(), verb, value)?;
                self.sink.push(fields.1)?;
                self.string(pair.key.as_bytes(), verb, value)?;
                self.sink.push(b"}")
            }
        }
    }

    /// Durations, months and weekdays have names where a string would do.
    fn typed_int(&mut self, n: i64, kind: IntType, verb: char, value: &Value<'_>) -> Printed {
        let named = matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') && !self.flags.sharp_v;
        let name = match kind {
            IntType::Duration if named => super::super::functions::time::duration_text(n),
            IntType::Month if named => super::super::functions::time::month_name(n),
            IntType::Weekday if named => super::super::functions::time::weekday_name(n),
            _ => return self.int(n as u64, true, verb, value),
        };
        self.string(name.as_bytes(), verb, value)
    }

    fn list(&mut self, list: &List<'_>, verb: char, depth: u32) -> Printed {
        let sharp = self.flags.sharp_v;
        let name = match list.elem {
            Elem::Any => "[]interface {}",
            Elem::Str => "[]string",
            Elem::Int => "[]int",
            Elem::Lists => "[][]interface {}",
        };
        if sharp {
            self.sink.push(name.as_bytes())?;
            if list.nil {
                return self.sink.push(b"(nil)");
            }
        }
        self.sink.push(if sharp { b"{" } else { b"[" })?;
        for (i, item) in list.items.iter().enumerate() {
            if i > 0 {
                self.sink.push(if sharp { b", " } else { b" " })?;
            }
            self.element(item, list.elem, verb, depth)?;
        }
        self.sink.push(if sharp { b"}" } else { b"]" })
    }

    fn map<'k, 'v>(
        &mut self,
        name: &str,
        entries: impl Iterator<Item = (&'k [u8], Value<'v>)>,
        verb: char,
        depth: u32,
    ) -> Printed {
        let sharp = self.flags.sharp_v;
        let elem = if name == "map[string]string" { Elem::Str } else { Elem::Any };
        self.sink.push(if sharp { name.as_bytes() } else { b"map" })?;
        self.sink.push(if sharp { b"{" } else { b"[" })?;
        for (i, (key, value)) in entries.enumerate() {
            if i > 0 {
                self.sink.push(if sharp { b", " } else { b" " })?;
            }
            self.string(key, verb, &Value::Str(Str::Borrowed(key)))?;
            self.sink.push(b":")?;
            self.element(&value, elem, verb, depth)?;
        }
        self.sink.push(if sharp { b"}" } else { b"]" })
    }

    fn element(&mut self, value: &Value<'_>, elem: Elem, verb: char, depth: u32) -> Printed {
        match value {
            Value::Nil if elem == Elem::Any => {
                self.sink.push(if self.flags.sharp_v { b"interface {}(nil)" } else { b"<nil>" })
            }
            _ => self.value(value, verb, depth + 1),
        }
    }

    pub(super) fn bad_verb(&mut self, verb: char, value: &Value<'_>) -> Printed {
        let mut text = b"%!".to_vec();
        push_char(&mut text, verb);
        text.push(b'(');
        self.sink.push(&text)?;
        match value {
            Value::Nil => self.sink.push(b"<nil>")?,
            _ => {
                self.sink.push(value.type_name().as_bytes())?;
                self.sink.push(b"=")?;
                self.value(value, 'v', 0)?;
            }
        }
        self.sink.push(b")")
    }

    /// Pads to the width, counted in runes.
    fn pad(&mut self, text: &[u8]) -> Printed {
        let Some(width) = self.flags.width.filter(|w| *w > 0) else {
            return self.sink.push(text);
        };
        let missing = width.saturating_sub(runes(text).count());
        let fill = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        if self.flags.minus {
            self.sink.push(text)?;
            return self.sink.fill(b' ', missing);
        }
        self.sink.fill(fill, missing)?;
        self.sink.push(text)
    }

    fn string(&mut self, text: &[u8], verb: char, value: &Value<'_>) -> Printed {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => {
                let text = self.truncated(text);
                self.pad(text)
            }
            'x' | 'X' => self.hex(text, verb),
            'q' => self.quoted(text),
            _ => self.bad_verb(verb, value),
        }
    }

    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.flags.precision {
            Some(count) => text.get(..runes(text).take(count).map(|r| r.size).sum()).unwrap_or(text),
            None => text,
        }
    }

    fn quoted(&mut self, text: &[u8]) -> Printed {
        let text = self.truncated(text);
        let raw = self.flags.sharp
            && runes(text).all(|r| {
                r.valid
                    && r.char != '`'
                    && r.char != '\u{feff}'
                    && (r.char == '\t' || r.char >= ' ' && r.char != '\x7f')
            });
        if raw {
            let mut whole = vec![b'`'];
            whole.extend_from_slice(text);
            whole.push(b'`');
            return self.pad(&whole);
        }
        self.pad(&quote(text, self.flags.plus))
    }

    fn hex(&mut self, text: &[u8], verb: char) -> Printed {
        let text = text.get(..self.flags.precision.unwrap_or(text.len()).min(text.len())).unwrap_or(text);
        if text.is_empty() {
            return self
                .sink
                .fill(if self.flags.zero && !self.flags.minus { b'0' } else { b' ' }, self.flags.width.unwrap_or(0));
        }
        let prefix = if verb == 'x' { "0x" } else { "0X" };
        let mut out = String::with_capacity(text.len() * 2 + 2);
        for (i, byte) in text.iter().enumerate() {
            if self.flags.space && i > 0 {
                out.push(' ');
            }
            if self.flags.sharp && (i == 0 || self.flags.space) {
                out.push_str(prefix);
            }
            out.push_str(&if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") });
        }
        self.pad(out.as_bytes())
    }

    fn int(&mut self, n: u64, signed: bool, verb: char, value: &Value<'_>) -> Printed {
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
        let mut text = format!("U+{n:0digits$X}");
        if let Some(c) =
            u32::try_from(n).ok().and_then(char::from_u32).filter(|c| self.flags.sharp && super::quote::is_print(*c))
        {
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

    fn integer(&mut self, n: u64, signed: bool, base: u32, verb: char, upper: bool) -> Printed {
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
            2 => format!("{magnitude:0digits$b}"),
            8 => format!("{magnitude:0digits$o}"),
            16 if upper => format!("{magnitude:0digits$X}"),
            16 => format!("{magnitude:0digits$x}"),
            _ => format!("{magnitude:0digits$}"),
        };
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

    fn float(&mut self, f: f64, verb: char, value: &Value<'_>) -> Printed {
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
