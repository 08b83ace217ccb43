//! Upper and lower case, and the words of identifiers.

use super::super::context::{Answer, Args, Context, Param::String as Text};
use super::super::format::quote::{first_rune, is_letter, is_punct, push_char, runes};
use super::super::value::Value;
use super::Function;
use super::text::{lower, map, upper};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("upper", &[Text], |cx, a| changed(cx, a, |text| map(text, upper))),
    Function::new("lower", &[Text], |cx, a| changed(cx, a, |text| map(text, lower))),
    Function::new("title", &[Text], |cx, a| changed(cx, a, title)),
    Function::new("untitle", &[Text], |cx, a| changed(cx, a, untitle)),
    Function::new("swapcase", &[Text], |cx, a| changed(cx, a, swap)),
    Function::new("snakecase", &[Text], |cx, a| changed(cx, a, |text| words(text, '_'))),
    Function::new("kebabcase", &[Text], |cx, a| changed(cx, a, |text| words(text, '-'))),
    Function::new("camelcase", &[Text], |cx, a| changed(cx, a, camel)),
    Function::new("initials", &[Text], |cx, a| changed(cx, a, initials)),
];

fn changed<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, change: fn(&[u8]) -> Vec<u8>) -> Answer<'a> {
    let text = a.str(0)?;
    cx.meter.memory(text.len())?;
    Ok(Value::Str(change(text).into()))
}

/// Each word's first letter in upper case; a word goes on over letters, digits and underscores only.
fn title(text: &[u8]) -> Vec<u8> {
    let mut previous = ' ';
    map(text, |c| {
        let starts = match previous {
            '_' => false,
            p if p.is_ascii() => !p.is_ascii_alphanumeric(),
            p if is_letter(p) || p.is_numeric() => false,
            p => p.is_whitespace(),
        };
        previous = c;
        if starts { upper(c) } else { c }
    })
}

fn untitle(text: &[u8]) -> Vec<u8> {
    let mut starts = true;
    map(text, |c| {
        let first = starts && !c.is_whitespace();
        starts = c.is_whitespace();
        if first { lower(c) } else { c }
    })
}

fn swap(text: &[u8]) -> Vec<u8> {
    let mut after_space = true;
    map(text, |c| {
        if c.is_uppercase() {
            after_space = false;
            lower(c)
        } else if c.is_lowercase() {
            // The first letter of a word goes to title case, which is upper case for all but a few digraphs.
            after_space = false;
            upper(c)
        } else {
            after_space = c.is_whitespace();
            c
        }
    })
}

/// The first byte of each word. Bytes, not runes: Sprig takes each for a Latin-1 character, and so do we.
fn initials(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut gap = true;
    for byte in text {
        let c = char::from(*byte);
        if c.is_whitespace() {
            gap = true;
        } else if std::mem::take(&mut gap) {
            push_char(&mut out, c);
        }
    }
    out
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

/// A letter, but not of the scripts that know no words.
fn is_alphabetic(c: char) -> bool {
    is_letter(c)
        && !matches!(c, '\u{4e00}'..='\u{9fcc}' | '\u{3400}'..='\u{4db5}' | '\u{20000}'..='\u{2b81d}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{3130}'..='\u{318e}' | '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}')
}

/// `some_words` → `SomeWords`; leading connectors stay, and of several in a row the last goes.
fn camel(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut chars = runes(text).map(|rune| rune.char).peekable();
    let mut last = None;
    while let Some(c) = chars.next_if(|c| is_connector(*c)) {
        push_char(&mut out, c);
        last = Some(c);
    }
    let Some(first) = chars.next() else {
        // xstrings writes the last one twice where there is nothing else.
        last.iter().for_each(|c| push_char(&mut out, *c));
        return out;
    };
    let mut shouting = first.is_uppercase();
    let mut held = upper(first);
    for c in chars {
        let mut next = c;
        if is_connector(c) && is_connector(held) {
            push_char(&mut out, held);
            held = c;
            continue;
        }
        if is_connector(held) {
            shouting = c.is_uppercase();
            next = upper(c);
        } else {
            if shouting {
                if c.is_uppercase() {
                    next = lower(c);
                } else {
                    shouting = false;
                }
            }
            push_char(&mut out, held);
        }
        held = next;
    }
    push_char(&mut out, held);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Upper,
    Lower,
    Connector,
    Punct,
    Other,
    End,
}

fn kind(c: char) -> Kind {
    match c {
        c if is_connector(c) => Kind::Connector,
        c if is_punct(c) => Kind::Punct,
        c if c.is_uppercase() => Kind::Upper,
        c if is_alphabetic(c) => Kind::Lower,
        c if c.is_numeric() => Kind::Number,
        _ => Kind::Other,
    }
}

/// Cuts an identifier into its words: `HTTPServer2x` → `HTTP`, `Server`, `2`, `x`.
struct Words<'t> {
    rest: &'t [u8],
}

impl<'t> Words<'t> {
    fn more(&self) -> bool {
        !self.rest.is_empty()
    }

    fn next(&mut self) -> (Kind, &'t [u8]) {
        let Some(first) = first_rune(self.rest) else {
            return (Kind::End, &[]);
        };
        let word = kind(first.char);
        let mut length = first.size;
        let run = |wanted: Kind, length: &mut usize| {
            let mut last = 0;
            while let Some(rune) =
                self.rest.get(*length..).and_then(first_rune).filter(|rune| kind(rune.char) == wanted)
            {
                *length += rune.size;
                last = rune.size;
            }
            last
        };
        match word {
            Kind::Upper => {
                let last = run(Kind::Upper, &mut length);
                let lower_follows =
                    self.rest.get(length..).and_then(first_rune).is_some_and(|rune| kind(rune.char) == Kind::Lower);
                if last > 0 && lower_follows {
                    // The last capital begins the next word.
                    length -= last;
                } else if last == 0 {
                    run(Kind::Lower, &mut length);
                }
            }
            Kind::End => {}
            other => {
                run(other, &mut length);
            }
        }
        let (found, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        (word, found)
    }
}

/// `HTTPServer` → `http_server`, by xstrings' rules about numbers: those after a word belong to it unless lower case follows.
fn words(text: &[u8], connector: char) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut words = Words { rest: text };
    let (mut kind, mut word) = words.next();
    while words.more() {
        if kind != Kind::Connector {
            put(&mut out, kind, word, connector);
        }
        let (previous, last) = (kind, word);
        (kind, word) = words.next();
        match previous {
            Kind::Number => {
                run_on(&mut out, &mut words, &mut kind, &mut word, connector);
                join(&mut out, kind, connector);
            }
            Kind::Connector => put(&mut out, previous, last, connector),
            Kind::Punct | Kind::End => {}
            _ if kind != Kind::Number => join(&mut out, kind, connector),
            _ if words.more() => {
                let number = word;
                (kind, word) = words.next();
                if kind == Kind::Lower {
                    push_char(&mut out, connector);
                    put(&mut out, Kind::Number, number, connector);
                    run_on(&mut out, &mut words, &mut kind, &mut word, connector);
                } else {
                    put(&mut out, Kind::Number, number, connector);
                }
                join(&mut out, kind, connector);
            }
            _ => {}
        }
    }
    put(&mut out, kind, word, connector);
    out
}

/// Letters and numbers right after a number belong to it.
fn run_on<'t>(out: &mut Vec<u8>, words: &mut Words<'t>, kind: &mut Kind, word: &mut &'t [u8], connector: char) {
    while matches!(kind, Kind::Lower | Kind::Number) {
        put(out, *kind, word, connector);
        (*kind, *word) = words.next();
    }
}

fn join(out: &mut Vec<u8>, next: Kind, connector: char) {
    if !matches!(next, Kind::End | Kind::Connector | Kind::Punct) {
        push_char(out, connector);
    }
}

fn put(out: &mut Vec<u8>, kind: Kind, word: &[u8], connector: char) {
    match kind {
        Kind::Upper | Kind::Connector => out.extend(map(word, |c| if is_connector(c) { connector } else { lower(c) })),
        _ => out.extend_from_slice(word),
    }
}
