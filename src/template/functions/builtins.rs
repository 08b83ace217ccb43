//! text/template's own functions.

use super::super::context::{Answer, Args, Context, Param::Any, Param::String as Text};
use super::super::error::{Fault, failed, failed_with};
use super::super::format::{self, quote::first_rune, quote::is_print};
use super::super::value::{Elem, Str, UintType, Value};
use super::{Function, Special};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("and", &[Any], never).and(Any).special(Special::And),
    Function::new("or", &[Any], never).and(Any).special(Special::Or),
    Function::new("not", &[Any], |_, a| Ok(Value::Bool(!a.get(0)?.truth()))).constant(),
    Function::new("call", &[Any], |_, a| {
        failed_with(format!("a value of type {} is no function", a.get(0)?.type_name()))
    })
    .and(Any),
    Function::new("len", &[Any], len).constant(),
    Function::new("index", &[Any], index).constant().and(Any),
    Function::new("print", &[], |cx, a| Ok(Value::Str(format::print(&mut cx.meter, a.all())?.into()))).and(Any),
    Function::new("println", &[], |cx, a| Ok(Value::Str(format::println(&mut cx.meter, a.all())?.into()))).and(Any),
    Function::new("printf", &[Text], |cx, a| {
        Ok(Value::Str(format::printf(&mut cx.meter, a.str(0)?, a.from(1))?.into()))
    })
    .and(Any),
    Function::new("html", &[], |cx, a| escaped(cx, a, html)).and(Any),
    Function::new("js", &[], |cx, a| escaped(cx, a, js)).and(Any),
    Function::new("urlquery", &[], |cx, a| escaped(cx, a, urlquery)).and(Any),
    Function::new("eq", &[Any], eq).and(Any),
    Function::new("ne", &[Any, Any], |_, a| Ok(Value::Bool(!equal(a.get(0)?, a.get(1)?)?))),
    Function::new("lt", &[Any, Any], |_, a| Ok(Value::Bool(less(a.get(0)?, a.get(1)?)?))),
    Function::new("le", &[Any, Any], |_, a| Ok(Value::Bool(less_or_equal(a)?))),
    Function::new("gt", &[Any, Any], |_, a| Ok(Value::Bool(!less_or_equal(a)?))),
    Function::new("ge", &[Any, Any], |_, a| Ok(Value::Bool(!less(a.get(0)?, a.get(1)?)?))),
];

/// `and` and `or` are the evaluator's: they don't evaluate all their arguments.
fn never<'a>(_: &mut Context<'a>, _: Args<'_, 'a>) -> Answer<'a> {
    failed("only the evaluator can run this")
}

fn len<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    Ok(Value::int(match a.get(0)? {
        Value::Str(text) => text.len(),
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.len(),
        Value::Data(data) => data.entries().len(),
        other => {
            return failed_with(format!("a value of type {} has no length", other.type_name()));
        }
    }))
}

fn index<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut item = a.get(0)?.clone();
    if matches!(item, Value::Nil) {
        return failed("nil can't be indexed");
    }
    for key in a.from(1) {
        item = match &item {
            Value::Str(text) => match text.get(position(key)?) {
                Some(byte) => Value::Uint(u64::from(*byte), UintType::Uint8),
                None => return failed("the index is out of range"),
            },
            Value::List(list) => match list.items.get(position(key)?) {
                Some(item) => item.clone(),
                None => return failed("the index is out of range"),
            },
            Value::Map(map) => match (map.get(name(key)?), map.elem) {
                (Some(value), _) => value,
                (None, Elem::Str) => Value::text(""),
                (None, _) => Value::Nil,
            },
            Value::Data(data) => Value::Str(Str::Borrowed(data.find(name(key)?).unwrap_or_default())),
            other => {
                return failed_with(format!("a value of type {} can't be indexed", other.type_name()));
            }
        };
    }
    Ok(item)
}

fn position(key: &Value<'_>) -> Result<usize, Fault> {
    let position = match key {
        Value::Int(n, _) => usize::try_from(*n).ok(),
        Value::Uint(n, _) => usize::try_from(*n).ok(),
        _ => {
            return failed_with(format!("expected an integer as index, got {}", key.type_name()));
        }
    };
    position.map_or_else(|| failed("the index is out of range"), Ok)
}

fn name<'s>(key: &'s Value<'_>) -> Result<&'s [u8], Fault> {
    match key {
        Value::Str(name) => Ok(name),
        _ => failed_with(format!("expected a string as key, got {}", key.type_name())),
    }
}

fn escaped<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, escape: fn(&[u8]) -> Vec<u8>) -> Answer<'a> {
    let text = match a.all() {
        [Value::Str(text)] => text.clone(),
        all => {
            let shown: Vec<Value<'a>> = all
                .iter()
                .map(|value| if matches!(value, Value::Nil) { Value::text("<no value>") } else { value.clone() })
                .collect();
            format::print(&mut cx.meter, &shown)?.into()
        }
    };
    // Nothing grows by more than six for one.
    cx.meter.memory(text.len())?;
    let out = escape(&text);
    cx.string(out)
}

fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(*byte),
        }
    }
    out
}

fn js(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(rune) = first_rune(rest) {
        let bytes = rest.get(..rune.size).unwrap_or_default();
        match rune.char {
            '\\' => out.extend_from_slice(br"\\"),
            '\'' => out.extend_from_slice(br"\'"),
            '"' => out.extend_from_slice(br#"\""#),
            '<' | '>' | '&' | '=' => out.extend_from_slice(format!("\\u{:04X}", u32::from(rune.char)).as_bytes()),
            c if c < ' ' => out.extend_from_slice(format!("\\u{:04X}", u32::from(c)).as_bytes()),
            c if c.is_ascii() || is_print(c) => out.extend_from_slice(bytes),
            c => out.extend_from_slice(format!("\\u{:04X}", u32::from(c)).as_bytes()),
        }
        rest = rest.get(rune.size..).unwrap_or_default();
    }
    out
}

fn urlquery(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

fn eq<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let first = a.get(0)?;
    if a.from(1).is_empty() {
        return failed("there is nothing to compare with");
    }
    for other in a.from(1) {
        if equal(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// `==` of text/template: of basic kinds only, and never of two kinds but signed and unsigned integers.
fn equal(a: &Value<'_>, b: &Value<'_>) -> Result<bool, Fault> {
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Nil, _) | (_, Value::Nil) => false,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, _), Value::Int(b, _)) => a == b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a == b,
        (Value::Int(a, _), Value::Uint(b, _)) | (Value::Uint(b, _), Value::Int(a, _)) => {
            u64::try_from(*a).is_ok_and(|a| a == *b)
        }
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Certificate(a), Value::Certificate(b)) => a.cert == b.cert && a.key == b.key,
        (Value::Version(a), Value::Version(b)) => std::rc::Rc::ptr_eq(a, b),
        _ => {
            return failed_with(format!("can't compare {} with {}", a.type_name(), b.type_name()));
        }
    })
}

fn less(a: &Value<'_>, b: &Value<'_>) -> Result<bool, Fault> {
    Ok(match (a, b) {
        (Value::Int(a, _), Value::Int(b, _)) => a < b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a < b,
        (Value::Int(a, _), Value::Uint(b, _)) => u64::try_from(*a).map_or(true, |a| a < *b),
        (Value::Uint(a, _), Value::Int(b, _)) => u64::try_from(*b).is_ok_and(|b| *a < b),
        (Value::Float(a), Value::Float(b)) => a < b,
        (Value::Str(a), Value::Str(b)) => a < b,
        _ => {
            return failed_with(format!("can't tell which is less: {} or {}", a.type_name(), b.type_name()));
        }
    })
}

fn less_or_equal(a: Args<'_, '_>) -> Result<bool, Fault> {
    Ok(less(a.get(0)?, a.get(1)?)? || equal(a.get(0)?, a.get(1)?)?)
}
