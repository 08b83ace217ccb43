//! Go's quoted strings and characters, both ways, and how Go walks through bytes as runes.

use std::sync::OnceLock;

use regex::Regex;

/// A rune of a string: Go reads each byte that is no UTF-8 as U+FFFD of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rune {
    pub(crate) char: char,
    /// Bytes it takes.
    pub(crate) size: usize,
    /// False for a byte that is no UTF-8.
    pub(crate) valid: bool,
}

/// The first rune of `bytes`.
pub(crate) fn first_rune(bytes: &[u8]) -> Option<Rune> {
    let lead = *bytes.first()?;
    let size = match lead {
        0..=0x7f => {
            return Some(Rune { char: char::from(lead), size: 1, valid: true });
        }
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 0,
    };
    let decoded = bytes
        .get(..size)
        .filter(|b| !b.is_empty())
        .and_then(|b| std::str::from_utf8(b).ok())
        .and_then(|s| s.chars().next());
    Some(match decoded {
        Some(char) => Rune { char, size, valid: true },
        None => Rune { char: char::REPLACEMENT_CHARACTER, size: 1, valid: false },
    })
}

/// All runes of `bytes`.
pub(crate) fn runes(mut bytes: &[u8]) -> impl Iterator<Item = Rune> {
    std::iter::from_fn(move || {
        let rune = first_rune(bytes)?;
        bytes = bytes.get(rune.size..).unwrap_or_default();
        Some(rune)
    })
}

/// The bytes at the front that are plain: printable ASCII, and none of `special`. Most text is, and is copied as it is.
pub(crate) fn plain_front<'t>(bytes: &'t [u8], special: &[u8]) -> &'t [u8] {
    let length = bytes.iter().position(|byte| !(b' '..=b'~').contains(byte) || special.contains(byte));
    bytes.get(..length.unwrap_or(bytes.len())).unwrap_or_default()
}

/// Appends a character as UTF-8.
pub(crate) fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and the ASCII blank.
pub(crate) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    static PRINT: OnceLock<Option<Regex>> = OnceLock::new();
    in_class(&PRINT, r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$", c)
}

/// Go's `unicode.IsPunct`.
pub(crate) fn is_punct(c: char) -> bool {
    static PUNCT: OnceLock<Option<Regex>> = OnceLock::new();
    in_class(&PUNCT, r"^\p{P}$", c)
}

/// Go's `unicode.IsLetter`, which is narrower than Rust's "alphabetic".
pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    static LETTER: OnceLock<Option<Regex>> = OnceLock::new();
    in_class(&LETTER, r"^\p{L}$", c)
}

fn in_class(cell: &OnceLock<Option<Regex>>, class: &str, c: char) -> bool {
    cell.get_or_init(|| Regex::new(class).ok()).as_ref().is_some_and(|regex| regex.is_match(c.encode_utf8(&mut [0; 4])))
}

/// Go's `strconv.Quote`; with `ascii`, `strconv.QuoteToASCII`.
pub(crate) fn quote(text: &[u8], ascii: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    loop {
        let plain = plain_front(rest, br#""\"#);
        out.extend_from_slice(plain);
        rest = rest.get(plain.len()..).unwrap_or_default();
        let Some(rune) = first_rune(rest) else { break };
        if rune.valid {
            escape(&mut out, rune.char, '"', ascii);
        } else if let Some(byte) = rest.first() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
        rest = rest.get(rune.size..).unwrap_or_default();
    }
    out.push(b'"');
    out
}

/// Go's `strconv.QuoteRune`; with `ascii`, `strconv.QuoteRuneToASCII`.
pub(crate) fn quote_char(c: char, ascii: bool) -> Vec<u8> {
    let mut out = vec![b'\''];
    escape(&mut out, c, '\'', ascii);
    out.push(b'\'');
    out
}

fn escape(out: &mut Vec<u8>, c: char, quote: char, ascii: bool) {
    let named = match c {
        '\x07' => Some('a'),
        '\x08' => Some('b'),
        '\x0c' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\x0b' => Some('v'),
        '\\' => Some('\\'),
        _ if c == quote => Some(quote),
        _ => None,
    };
    if let Some(name) = named {
        out.push(b'\\');
        push_char(out, name);
    } else if (c.is_ascii() || !ascii) && is_print(c) {
        push_char(out, c);
    } else {
        let code = u32::from(c);
        let text = match code {
            0..=0x1f | 0x7f => format!("\\x{code:02x}"),
            0x20..=0xffff => format!("\\u{code:04x}"),
            _ => format!("\\U{code:08x}"),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// What an escape stands for: `\x80` is a byte, `\u0080` a character.
#[derive(Clone, Copy)]
pub(crate) enum Unquoted {
    Byte(u8),
    Char(char),
}

impl Unquoted {
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Byte(byte) => u32::from(byte),
            Self::Char(c) => u32::from(c),
        }
    }
}

/// Reads one character or escape; returns it and the rest.
pub(crate) fn unquote_char(text: &str, quote: char) -> Option<(Unquoted, &str)> {
    let c = text.chars().next()?;
    let rest = text.get(c.len_utf8()..)?;
    if c == quote || c == '\n' {
        return None;
    }
    if c != '\\' {
        return Some((Unquoted::Char(c), rest));
    }
    let name = rest.chars().next()?;
    let rest = rest.get(name.len_utf8()..)?;
    let simple = match name {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        '\'' | '"' if name == quote => quote,
        'x' => {
            let byte = u8::from_str_radix(digits(rest, 2)?, 16).ok()?;
            return Some((Unquoted::Byte(byte), rest.get(2..)?));
        }
        'u' | 'U' => {
            let length = if name == 'u' { 4 } else { 8 };
            let code = u32::from_str_radix(digits(rest, length)?, 16).ok()?;
            return Some((Unquoted::Char(char::from_u32(code)?), rest.get(length..)?));
        }
        '0'..='7' => {
            let octal = text.get(1..4).filter(|s| s.bytes().all(|b| b.is_ascii_digit()))?;
            return Some((Unquoted::Byte(u8::from_str_radix(octal, 8).ok()?), text.get(4..)?));
        }
        _ => return None,
    };
    Some((Unquoted::Char(simple), rest))
}

fn digits(text: &str, length: usize) -> Option<&str> {
    text.get(..length).filter(|s| s.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Reads a double-quoted string.
pub(crate) fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (value, after) = unquote_char(rest, '"')?;
        match value {
            Unquoted::Byte(byte) => out.push(byte),
            Unquoted::Char(c) => push_char(&mut out, c),
        }
        rest = after;
    }
    Some(out)
}
