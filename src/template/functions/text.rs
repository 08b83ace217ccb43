//! What several families do with text: trimming, searching, splitting and case, by Go's rules, on bytes.

use super::super::format::quote::{Rune, first_rune, push_char, runes};
use super::super::value::Str;

/// Where `needle` begins in `text`.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [] => Some(0),
        [byte] => text.iter().position(|b| b == byte),
        [first, ..] => {
            let mut from = 0;
            loop {
                let rest = text.get(from..)?;
                let at = from + rest.iter().position(|b| b == first)?;
                if text.get(at..)?.starts_with(needle) {
                    return Some(at);
                }
                from = at + 1;
            }
        }
    }
}

/// Splits like `strings.SplitN`; an empty separator splits into runes, a negative limit is none, and zero gives nothing.
pub(super) fn split<'a>(text: &Str<'a>, separator: &[u8], limit: i64) -> Vec<Str<'a>> {
    let limit = match limit {
        0 => return Vec::new(),
        n => usize::try_from(n).unwrap_or(usize::MAX),
    };
    let mut parts = Vec::new();
    let mut from = 0;
    if separator.is_empty() && text.is_empty() {
        return parts;
    }
    while parts.len() + 1 < limit {
        let rest = text.get(from..).unwrap_or_default();
        let (length, skip) = match separator {
            [] => match first_rune(rest) {
                Some(rune) if rune.size < rest.len() => (rune.size, 0),
                _ => break,
            },
            _ => match find(rest, separator) {
                Some(at) => (at, separator.len()),
                None => break,
            },
        };
        parts.push(text.part(from, from + length));
        from += length + skip;
    }
    parts.push(text.part(from, text.len()));
    parts
}

/// How many bytes at the front are of runes that `is` holds for.
pub(super) fn front(text: &[u8], is: impl Fn(Rune) -> bool) -> usize {
    runes(text).take_while(|rune| is(*rune)).map(|rune| rune.size).sum()
}

/// `text` without the runes at both ends that `is` holds for.
pub(super) fn trim<'a>(text: &Str<'a>, is: impl Fn(Rune) -> bool + Copy) -> Str<'a> {
    let from = front(text, is);
    let rest = text.get(from..).unwrap_or_default();
    let end = match rest.first() {
        Some(_) => from + back(rest, is),
        None => from,
    };
    if from == 0 && end == text.len() { text.clone() } else { text.part(from, end) }
}

/// Where the runes at the back begin that `is` holds for; the first rune stays.
fn back(text: &[u8], is: impl Fn(Rune) -> bool) -> usize {
    let (mut end, mut at) = (0, 0);
    for rune in runes(text) {
        at += rune.size;
        if !is(rune) {
            end = at;
        }
    }
    end
}

/// Go's `unicode.IsSpace`.
pub(super) fn is_space(rune: Rune) -> bool {
    rune.char.is_whitespace()
}

/// Go's `unicode.ToUpper`: one character for one, so `ß` stays.
pub(super) fn upper(c: char) -> char {
    let mut all = c.to_uppercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Go's `unicode.ToLower`.
pub(super) fn lower(c: char) -> char {
    if c == 'İ' {
        return 'i';
    }
    let mut all = c.to_lowercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Each rune changed; what is no UTF-8 becomes U+FFFD, as `strings.Map` has it.
pub(super) fn map(text: &[u8], mut change: impl FnMut(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for rune in runes(text) {
        push_char(&mut out, change(rune.char));
    }
    out
}

/// All of `old` replaced by `new`; an empty `old` stands before each rune and at the end.
pub(super) fn replaced_len(text: &[u8], old: &[u8], new: &[u8]) -> usize {
    let count = if old.is_empty() { runes(text).count() + 1 } else { count(text, old) };
    text.len().saturating_add(count.saturating_mul(new.len()))
}

fn count(text: &[u8], needle: &[u8]) -> usize {
    let (mut from, mut count) = (0, 0);
    while let Some(at) = text.get(from..).and_then(|rest| find(rest, needle)) {
        count += 1;
        from += at + needle.len();
    }
    count
}

/// See [`replaced_len`], which tells how large it gets.
pub(super) fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    if old.is_empty() {
        let mut rest = text;
        while let Some(rune) = first_rune(rest) {
            out.extend_from_slice(new);
            out.extend_from_slice(rest.get(..rune.size).unwrap_or_default());
            rest = rest.get(rune.size..).unwrap_or_default();
        }
        out.extend_from_slice(new);
        return out;
    }
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(new);
        rest = rest.get(at + old.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}
