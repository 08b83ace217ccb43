//! One value under one verb.

use super::super::error::Fault;
use super::super::limits::Meter;
use super::super::value::{Elem, IntType, List, Str, Value};
use super::Sink;
use super::quote::{push_char, quote, runes};

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

pub(super) type Printed = Result<(), Fault>;

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
    pub(super) fn pad(&mut self, text: &[u8]) -> Printed {
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

    pub(super) fn string(&mut self, text: &[u8], verb: char, value: &Value<'_>) -> Printed {
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
}
