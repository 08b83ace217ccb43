//! Writes YAML as ESO's `toYaml` does: by way of JSON, in block style, lists not indented, lines folded at 80 columns.

use super::super::context::entries;
use super::super::error::{Fault, failed};
use super::super::format::quote::is_letter;
use super::super::format::{Sink, float};
use super::super::limits::Meter;
use super::super::value::{Str, Value};
use super::json::float_text;
use super::yaml_read::is_plain_string;

/// Columns after which a blank becomes a line break.
const WIDTH: usize = 80;
/// A longer key is written the long way, after `? `.
const SIMPLE_KEY: usize = 128;

/// `value` as YAML, without a line break at the end; empty where JSON has no such value.
pub(crate) fn write(meter: &mut Meter, value: &Value<'_>) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer { sink: Sink::new(meter), column: 0 };
    match writer.node(value, None, Context::Root, 0) {
        Ok(()) => {}
        Err(Fault::Failed(_)) => return Ok(Vec::new()),
        Err(limit) => return Err(limit),
    }
    let mut text = writer.sink.finish();
    if text.ends_with(b"\n") {
        text.pop();
    }
    Ok(text)
}

/// What a node stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Root,
    Mapping,
    Sequence,
}

struct Writer<'m> {
    sink: Sink<'m>,
    column: usize,
}

impl Writer<'_> {
    fn push(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.column = match text.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => text.len() - at - 1,
            None => self.column + text.len(),
        };
        self.sink.push(text)
    }

    fn line(&mut self, indent: usize) -> Result<(), Fault> {
        self.push(b"\n")?;
        self.push(&b" ".repeat(indent))
    }

    /// A node whose parent stands `indent` deep; none at the root.
    fn node(&mut self, value: &Value<'_>, indent: Option<usize>, context: Context, depth: u32) -> Result<(), Fault> {
        self.sink.nesting(depth)?;
        let inner = indent.map_or(2, |indent| indent + 2);
        let scalar = match value {
            Value::Nil => "null".to_owned(),
            Value::Bool(b) => b.to_string(),
            Value::Int(n, _) => n.to_string(),
            Value::Uint(n, _) => n.to_string(),
            Value::Float(f) if f.is_finite() => number(*f),
            Value::Float(_) => return failed("YAML by way of JSON has no infinite numbers"),
            Value::Str(text) => return self.string(text, inner, context),
            Value::Time(time) => return self.string(time.rfc3339().as_bytes(), inner, context),
            Value::Version(version) => {
                return self.string(version.to_string().as_bytes(), inner, context);
            }
            Value::List(list) if list.nil => "null".to_owned(),
            Value::List(list) if list.items.is_empty() => "[]".to_owned(),
            Value::List(list) => return self.sequence(&list.items, indent, context, depth),
            Value::Map(_) | Value::Data(_) => {
                return self.mapping(entries(value).unwrap_or_default(), indent, context, depth);
            }
            Value::Certificate(pair) => {
                let entry = |name: &'static str, text: &str| {
                    (Str::Borrowed(name.as_bytes()), Value::Str(text.to_owned().into()))
                };
                return self.mapping(vec![entry("Cert", &pair.cert), entry("Key", &pair.key)], indent, context, depth);
            }
        };
        self.gap(context)?;
        self.push(scalar.as_bytes())
    }

    /// The blank between a key or dash and what follows.
    fn gap(&mut self, context: Context) -> Result<(), Fault> {
        if context == Context::Root { Ok(()) } else { self.push(b" ") }
    }

    fn sequence(
        &mut self,
        items: &[Value<'_>],
        indent: Option<usize>,
        context: Context,
        depth: u32,
    ) -> Result<(), Fault> {
        // A list in a dict stands as deep as its key.
        let own = match context {
            Context::Root => 0,
            Context::Mapping => indent.unwrap_or(0),
            Context::Sequence => indent.unwrap_or(0) + 2,
        };
        for (n, item) in items.iter().enumerate() {
            match (n, context) {
                (0, Context::Root) => {}
                (0, Context::Sequence) => self.push(b" ")?,
                _ => self.line(own)?,
            }
            self.push(b"-")?;
            self.node(item, Some(own), Context::Sequence, depth + 1)?;
        }
        Ok(())
    }

    fn mapping(
        &mut self,
        mut entries: Vec<(Str<'_>, Value<'_>)>,
        indent: Option<usize>,
        context: Context,
        depth: u32,
    ) -> Result<(), Fault> {
        if entries.is_empty() {
            self.gap(context)?;
            return self.push(b"{}");
        }
        entries.sort_by(|(a, _), (b, _)| natural(&a.text(), &b.text()));
        let own = indent.map_or(0, |indent| indent + 2);
        for (n, (key, value)) in entries.iter().enumerate() {
            match (n, context) {
                (0, Context::Root) => {}
                (0, Context::Sequence) => self.push(b" ")?,
                _ => self.line(own)?,
            }
            let key = key.text();
            let simple = key.len() <= SIMPLE_KEY && !key.contains('\n');
            if !simple {
                self.push(b"? ")?;
            }
            self.scalar(&key, own + 2, simple, simple)?;
            if !simple {
                self.line(own)?;
            }
            self.push(b":")?;
            self.node(value, Some(own), Context::Mapping, depth + 1)?;
        }
        Ok(())
    }

    fn string(&mut self, text: &[u8], indent: usize, context: Context) -> Result<(), Fault> {
        if !(text.is_empty() && context == Context::Root) {
            self.gap(context)?;
        }
        self.scalar(&String::from_utf8_lossy(text), indent, false, false)
    }

    fn scalar(&mut self, text: &str, indent: usize, key: bool, unfolded: bool) -> Result<(), Fault> {
        let found = Analysis::new(text);
        if text.contains('\n') && found.literal && !key {
            return self.literal(text, indent);
        }
        if text.contains('\n') || !is_plain_string(text) {
            return self.double(text, indent, unfolded);
        }
        if found.plain && !text.is_empty() {
            return self.folded(text, indent, unfolded, false);
        }
        if found.single {
            self.push(b"'")?;
            self.folded(text, indent, unfolded, true)?;
            return self.push(b"'");
        }
        self.double(text, indent, unfolded)
    }

    fn folded(&mut self, text: &str, indent: usize, unfolded: bool, quoted: bool) -> Result<(), Fault> {
        let mut after_space = false;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let next = rest.get(c.len_utf8()..).unwrap_or_default();
            let edge = quoted && (rest.len() == text.len() || next.is_empty());
            if c == ' ' && !unfolded && !after_space && self.column > WIDTH && !next.starts_with(' ') && !edge {
                self.line(indent)?;
            } else {
                if c == '\'' && quoted {
                    self.push(b"'")?;
                }
                self.char(c)?;
            }
            after_space = c == ' ';
            rest = next;
        }
        Ok(())
    }

    fn char(&mut self, c: char) -> Result<(), Fault> {
        self.column += 1;
        self.sink.push(c.encode_utf8(&mut [0; 4]).as_bytes())
    }

    fn double(&mut self, text: &str, indent: usize, unfolded: bool) -> Result<(), Fault> {
        self.push(b"\"")?;
        let mut after_space = false;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let next = rest.get(c.len_utf8()..).unwrap_or_default();
            let edge = rest.len() == text.len() || next.is_empty();
            if c == ' ' && !unfolded && !after_space && self.column > WIDTH && !edge {
                self.line(indent)?;
                if next.starts_with(' ') {
                    self.push(b"\\")?;
                }
            } else if printable(c) && !is_break(c) && !matches!(c, '"' | '\\' | '\u{feff}') {
                self.char(c)?;
            } else {
                self.push(escape(c).as_bytes())?;
            }
            after_space = c == ' ';
            rest = next;
        }
        self.push(b"\"")
    }

    fn literal(&mut self, text: &str, indent: usize) -> Result<(), Fault> {
        self.push(b"|")?;
        if text.starts_with([' ', '\n']) {
            self.push(b"2")?;
        }
        let ends = text.len() - text.trim_end_matches('\n').len();
        self.push(match ends {
            0 => b"-",
            1 if text.len() > 1 => b"",
            _ => b"+",
        })?;
        // The last break is the next line's own.
        let body = text.strip_suffix('\n').unwrap_or(text);
        for line in body.split('\n') {
            self.push(b"\n")?;
            if !line.is_empty() {
                self.push(&b" ".repeat(indent))?;
                self.push(line.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// JSON's number, read back: an integer stays one.
fn number(f: f64) -> String {
    let text = float_text(f);
    let integer = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    if integer { text } else { float::format(f, 'g', -1) }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn escape(c: char) -> String {
    match c {
        '\0' => "\\0".to_owned(),
        '\x07' => "\\a".to_owned(),
        '\x08' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\x0b' => "\\v".to_owned(),
        '\x0c' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\x1b' => "\\e".to_owned(),
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\u{85}' => "\\N".to_owned(),
        '\u{a0}' => "\\_".to_owned(),
        '\u{2028}' => "\\L".to_owned(),
        '\u{2029}' => "\\P".to_owned(),
        c => match u32::from(c) {
            code @ 0..=0xff => format!("\\x{code:02X}"),
            code @ 0x100..=0xffff => format!("\\u{code:04X}"),
            code => format!("\\U{code:08X}"),
        },
    }
}

/// Which styles can hold a text.
struct Analysis {
    plain: bool,
    single: bool,
    literal: bool,
}

impl Analysis {
    fn new(text: &str) -> Self {
        let special = text.chars().any(|c| !printable(c));
        let indicator = starts_like_syntax(text);
        let ends = |c: char| c == ' ' || is_break(c);
        let breaks = text.contains(is_break);
        let pair = |first: fn(char) -> bool, second: fn(char) -> bool| {
            text.chars().zip(text.chars().skip(1)).any(|(a, b)| first(a) && second(b))
        };
        let break_space = pair(is_break, |c| c == ' ');
        let space_break = pair(|c| c == ' ', is_break);
        let broken = special || space_break;
        Self {
            plain: !(broken || break_space || breaks || indicator || text.starts_with(ends) || text.ends_with(ends)),
            single: !(broken || break_space),
            literal: !(broken || text.ends_with(' ') || text.is_empty()),
        }
    }
}

/// Whether a plain text would be taken for YAML's own signs.
fn starts_like_syntax(text: &str) -> bool {
    if text.starts_with("---") || text.starts_with("...") {
        return true;
    }
    let blank = |c: Option<char>| c.is_none_or(|c| matches!(c, ' ' | '\t'));
    let mut before_blank = true;
    let mut chars = text.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        let after_blank = blank(chars.peek().copied());
        let found = match c {
            '#' => first || before_blank,
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => first,
            '?' | '-' => first && after_blank,
            ':' => after_blank,
            _ => false,
        };
        if found {
            return true;
        }
        before_blank = matches!(c, ' ' | '\t') || is_break(c);
        first = false;
    }
    false
}

/// The order of keys: numbers in them by their value, letters after other characters.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(x, y)| x != y) else {
        return a.len().cmp(&b.len());
    };
    let (Some(x), Some(y)) = (a.get(at), b.get(at)) else {
        return a.len().cmp(&b.len());
    };
    match (is_letter(*x), is_letter(*y)) {
        (true, true) => return x.cmp(y),
        (true, false) => return std::cmp::Ordering::Greater,
        (false, true) => return std::cmp::Ordering::Less,
        _ => {}
    }
    let mut base = 0u64;
    if *x == '0' || *y == '0' {
        let digits = a.iter().take(at).rev().take_while(|c| c.is_ascii_digit());
        base = u64::from(digits.into_iter().any(|c| *c != '0'));
    }
    let value = |chars: &[char]| {
        let digits = chars.iter().skip(at).map_while(|c| c.to_digit(10));
        digits.fold((base, 0usize), |(sum, count), digit| {
            (sum.wrapping_mul(10).wrapping_add(u64::from(digit)), count + 1)
        })
    };
    value(&a).cmp(&value(&b)).then(x.cmp(y))
}
