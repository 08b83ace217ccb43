//! Sprig's functions on strings. Lengths and positions are in bytes, as Sprig's are.

use super::super::context::{Answer, Args, Context, Param::Any, Param::Int, Param::String as Text};
use super::super::error::failed;
use super::super::format::quote::{push_char, quote as quoted, runes};
use super::super::format::value_text;
use super::super::value::{Str, Value};
use super::Function;
use super::text::{find, is_space, replace, replaced_len, trim};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("trim", &[Text], |_, a| Ok(Value::Str(trim(a.str(0)?, is_space)))),
    Function::new("trimAll", &[Text, Text], trim_all),
    Function::new("trimall", &[Text, Text], trim_all),
    Function::new("trimPrefix", &[Text, Text], trim_prefix),
    Function::new("trimSuffix", &[Text, Text], trim_suffix),
    Function::new("nospace", &[Text], nospace),
    Function::new("trunc", &[Int, Text], trunc),
    Function::new("substr", &[Int, Int, Text], substr),
    Function::new("abbrev", &[Int, Text], |cx, a| abbreviate(cx, a.str(1)?, 0, a.int(0)?)),
    Function::new("abbrevboth", &[Int, Int, Text], abbrev_both),
    Function::new("repeat", &[Int, Text], repeat),
    Function::new("replace", &[Text, Text, Text], |cx, a| {
        let (old, new, text) = (a.str(0)?, a.str(1)?, a.str(2)?);
        cx.meter.memory(replaced_len(text, old, new))?;
        Ok(Value::Str(replace(text, old, new).into()))
    }),
    Function::new("wrap", &[Int, Text], |cx, a| wrap(cx, a.str(1)?, a.int(0)?, b"\n", false)),
    Function::new("wrapWith", &[Int, Text, Text], |cx, a| wrap(cx, a.str(2)?, a.int(0)?, a.str(1)?, true)),
    Function::new("contains", &[Text, Text], |_, a| Ok(Value::Bool(find(a.str(1)?, a.str(0)?).is_some()))),
    Function::new("hasPrefix", &[Text, Text], |_, a| Ok(Value::Bool(a.str(1)?.starts_with(a.str(0)?)))),
    Function::new("hasSuffix", &[Text, Text], |_, a| Ok(Value::Bool(a.str(1)?.ends_with(a.str(0)?)))),
    Function::new("quote", &[], quote).and(Any),
    Function::new("squote", &[], squote).and(Any),
    Function::new("cat", &[], cat).and(Any),
    Function::new("indent", &[Int, Text], |cx, a| indent(cx, a, b"")),
    Function::new("nindent", &[Int, Text], |cx, a| indent(cx, a, b"\n")),
    Function::new("plural", &[Text, Text, Int], |_, a| Ok(Value::Str(a.str(usize::from(a.int(2)? != 1))?.clone()))),
    Function::new("toString", &[Any], |cx, a| Ok(Value::Str(value_text(&mut cx.meter, a.get(0)?)?))),
    Function::new("hello", &[], |_, _| Ok(Value::text("Hello!"))),
];

fn trim_all<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let set: Vec<char> = runes(a.str(0)?).map(|rune| rune.char).collect();
    Ok(Value::Str(trim(a.str(1)?, |rune| set.contains(&rune.char))))
}

fn trim_prefix<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (prefix, text) = (a.str(0)?, a.str(1)?);
    Ok(Value::Str(if text.starts_with(prefix) { text.part(prefix.len(), text.len()) } else { text.clone() }))
}

fn trim_suffix<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (suffix, text) = (a.str(0)?, a.str(1)?);
    Ok(Value::Str(if text.ends_with(suffix) { text.part(0, text.len() - suffix.len()) } else { text.clone() }))
}

/// Sprig goes by bytes here and takes each for a Latin-1 character; where there is white space, so do we.
fn nospace<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let text = a.str(0)?;
    if !text.iter().any(|byte| char::from(*byte).is_whitespace()) {
        return Ok(Value::Str(text.clone()));
    }
    let mut out = Vec::with_capacity(text.len());
    for byte in text.iter().filter(|byte| !char::from(**byte).is_whitespace()) {
        push_char(&mut out, char::from(*byte));
    }
    cx.string(out)
}

fn trunc<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (count, text) = (a.int(0)?, a.str(1)?);
    let length = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    Ok(Value::Str(match count {
        _ if length >= text.len() => text.clone(),
        ..0 => text.part(text.len() - length, text.len()),
        _ => text.part(0, length),
    }))
}

fn substr<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let text = a.str(2)?;
    let start = usize::try_from(a.int(0)?).ok();
    let end = usize::try_from(a.int(1)?).ok();
    let (from, to) = match (start, end) {
        (None, Some(end)) => (0, end),
        (None, None) => return failed("start and end are both negative"),
        (Some(start), Some(end)) if end <= text.len() => (start, end),
        (Some(start), _) => (start, text.len()),
    };
    if from > to || to > text.len() {
        return failed("the range is outside of the string");
    }
    Ok(Value::Str(text.part(from, to)))
}

fn abbrev_both<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (left, right) = (a.int(0)?, a.int(1)?);
    if left > 0 && right < 7 {
        return Ok(Value::Str(a.str(2)?.clone()));
    }
    abbreviate(cx, a.str(2)?, left, right)
}

/// At most `width` bytes, with `...` for what is left out at the end, and before `offset` where that is beyond 4.
fn abbreviate<'a>(cx: &mut Context<'a>, text: &Str<'a>, offset: i64, width: i64) -> Answer<'a> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if width < 4 || length <= width {
        return Ok(Value::Str(text.clone()));
    }
    let part = |from: i64, to: i64| {
        text.get(usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0)).unwrap_or_default()
    };
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    let mut out = Vec::new();
    if offset <= 4 {
        out.extend_from_slice(part(0, width - 3));
        out.extend_from_slice(b"...");
    } else if width < 7 {
        return Ok(Value::text(""));
    } else if offset + width - 3 < length {
        out.extend_from_slice(b"...");
        out.extend_from_slice(part(offset, offset + width - 6));
        out.extend_from_slice(b"...");
    } else {
        out.extend_from_slice(b"...");
        out.extend_from_slice(part(length - (width - 3), length));
    }
    cx.string(out)
}

fn repeat<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let Ok(count) = usize::try_from(a.int(0)?) else {
        return failed("the count is negative");
    };
    let text = a.str(1)?;
    cx.meter.memory(text.len().saturating_mul(count))?;
    Ok(Value::Str(text.repeat(count).into()))
}

fn wrap<'a>(cx: &mut Context<'a>, text: &Str<'a>, width: i64, newline: &[u8], long_words: bool) -> Answer<'a> {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let newline = if newline.is_empty() { b"\n" } else { newline };
    // A line break for each `width` bytes, or for each blank.
    cx.meter.memory(text.len().saturating_add(
        (text.len() / width).saturating_add(text.iter().filter(|b| **b == b' ').count()).saturating_mul(newline.len()),
    ))?;
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    let blank = |byte: &u8| *byte == b' ';
    while text.len() - at > width {
        let rest = text.get(at..).unwrap_or_default();
        if rest.first().is_some_and(blank) {
            at += 1;
            continue;
        }
        let window = rest.get(..=width).unwrap_or(rest);
        let (line, skip) = match window.iter().rposition(blank) {
            Some(space) => (space, 1),
            None if long_words => (width, 0),
            None => match rest.get(width..).and_then(|tail| tail.iter().position(blank)) {
                Some(space) => (width + space, 1),
                None => break,
            },
        };
        out.extend_from_slice(rest.get(..line).unwrap_or_default());
        out.extend_from_slice(newline);
        at += line + skip;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    Ok(Value::Str(out.into()))
}

fn quote<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    joined(cx, a, |text| quoted(text, false))
}

fn squote<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    joined(cx, a, |text| [b"'", text, b"'"].concat())
}

fn cat<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    joined(cx, a, <[u8]>::to_vec)
}

/// All values but nil, each changed, with blanks between.
fn joined<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, change: fn(&[u8]) -> Vec<u8>) -> Answer<'a> {
    let mut out = Vec::new();
    for (n, value) in a.all().iter().filter(|value| !matches!(value, Value::Nil)).enumerate() {
        let text = value_text(&mut cx.meter, value)?;
        cx.meter.memory(text.len())?;
        if n > 0 {
            out.push(b' ');
        }
        out.extend(change(&text));
    }
    cx.string(out)
}

fn indent<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, before: &[u8]) -> Answer<'a> {
    let Ok(spaces) = usize::try_from(a.int(0)?) else {
        return failed("the number of spaces is negative");
    };
    let text = a.str(1)?;
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    cx.meter.memory(text.len().saturating_add(lines.saturating_mul(spaces)))?;
    let pad = b" ".repeat(spaces);
    let mut out = Vec::with_capacity(text.len() + lines * spaces + 1);
    out.extend_from_slice(before);
    for (n, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if n > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(&pad);
        out.extend_from_slice(line);
    }
    Ok(Value::Str(out.into()))
}
