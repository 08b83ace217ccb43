//! Sprig's functions on lists. Each has a twin with `must`, which in a template does the same: both fail the rendering.

use std::collections::BTreeMap;

use super::super::context::{Answer, Args, Context, Param::Any, Param::Int, Param::String as Text};
use super::super::error::{Fault, failed, failed_with};
use super::super::format::value_text;
use super::super::value::{Elem, List, Str, Value};
use super::Function;
use super::equal::holds;
use super::math::to_int;
use super::text::split;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("list", &[], |cx, a| cx.list(Elem::Any, a.all().to_vec())).constant().and(Any),
    Function::new("tuple", &[], |cx, a| cx.list(Elem::Any, a.all().to_vec())).constant().and(Any),
    Function::new("append", &[Any, Any], append),
    Function::new("push", &[Any, Any], append),
    Function::new("mustAppend", &[Any, Any], append),
    Function::new("mustPush", &[Any, Any], append),
    Function::new("prepend", &[Any, Any], prepend),
    Function::new("mustPrepend", &[Any, Any], prepend),
    Function::new("first", &[Any], first).constant(),
    Function::new("mustFirst", &[Any], first).constant(),
    Function::new("last", &[Any], last).constant(),
    Function::new("mustLast", &[Any], last).constant(),
    Function::new("rest", &[Any], |cx, a| all_but(cx, a, 1, 0)),
    Function::new("mustRest", &[Any], |cx, a| all_but(cx, a, 1, 0)),
    Function::new("initial", &[Any], |cx, a| all_but(cx, a, 0, 1)),
    Function::new("mustInitial", &[Any], |cx, a| all_but(cx, a, 0, 1)),
    Function::new("reverse", &[Any], reverse),
    Function::new("mustReverse", &[Any], reverse),
    Function::new("uniq", &[Any], uniq),
    Function::new("mustUniq", &[Any], uniq),
    Function::new("without", &[Any], without).and(Any),
    Function::new("mustWithout", &[Any], without).and(Any),
    Function::new("has", &[Any, Any], has),
    Function::new("mustHas", &[Any, Any], has),
    Function::new("compact", &[Any], compact),
    Function::new("mustCompact", &[Any], compact),
    Function::new("slice", &[Any], slice).and(Any),
    Function::new("mustSlice", &[Any], slice).and(Any),
    Function::new("concat", &[], concat).and(Any),
    Function::new("chunk", &[Int, Any], chunk),
    Function::new("mustChunk", &[Int, Any], chunk),
    Function::new("sortAlpha", &[Any], sort_alpha),
    Function::new("toStrings", &[Any], |cx, a| {
        let all = strings(cx, a.get(0)?)?;
        cx.strings(all)
    }),
    Function::new("join", &[Text, Any], join),
    Function::new("split", &[Text, Text], |cx, a| numbered(cx, split(a.str(1)?, a.str(0)?, -1))),
    Function::new("splitn", &[Text, Int, Text], |cx, a| numbered(cx, split(a.str(2)?, a.str(0)?, a.int(1)?))),
    Function::new("splitList", &[Text, Text], |cx, a| {
        let parts = split(a.str(1)?, a.str(0)?, -1);
        cx.strings(parts)
    }),
];

/// The list that a function works on.
fn list<'s, 'a>(value: &'s Value<'a>) -> Result<&'s List<'a>, Fault> {
    match value {
        Value::List(list) => Ok(list),
        _ => failed_with(format!("expected a list, got {}", value.type_name())),
    }
}

fn append<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut items = copied(cx, list(a.get(0)?)?)?;
    items.push(a.get(1)?.clone());
    cx.list(Elem::Any, items)
}

fn prepend<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut items = vec![a.get(1)?.clone()];
    items.extend(copied(cx, list(a.get(0)?)?)?);
    cx.list(Elem::Any, items)
}

/// The items; what a list of a list of lists holds is a list of anything.
fn copied<'a>(cx: &mut Context<'a>, list: &List<'a>) -> Result<Vec<Value<'a>>, Fault> {
    cx.meter.memory(size_of::<Value<'_>>() * list.items.len())?;
    Ok(list.items.clone())
}

fn first<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    Ok(list(a.get(0)?)?.items.first().cloned().unwrap_or(Value::Nil))
}

fn last<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    Ok(list(a.get(0)?)?.items.last().cloned().unwrap_or(Value::Nil))
}

fn all_but<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, front: usize, back: usize) -> Answer<'a> {
    let items = &list(a.get(0)?)?.items;
    match items.get(front..items.len().saturating_sub(back)) {
        Some(kept) if !items.is_empty() => cx.list(Elem::Any, kept.to_vec()),
        _ => Ok(cx.nil_list(Elem::Any)),
    }
}

fn reverse<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut items = copied(cx, list(a.get(0)?)?)?;
    items.reverse();
    cx.list(Elem::Any, items)
}

fn uniq<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut kept: Vec<Value<'a>> = Vec::new();
    for item in &list(a.get(0)?)?.items {
        if !holds(&mut cx.meter, &kept, item)? {
            kept.push(item.clone());
        }
    }
    cx.list(Elem::Any, kept)
}

fn without<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut kept = Vec::new();
    for item in &list(a.get(0)?)?.items {
        if !holds(&mut cx.meter, a.from(1), item)? {
            kept.push(item.clone());
        }
    }
    cx.list(Elem::Any, kept)
}

fn has<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    if matches!(a.get(1)?, Value::Nil) {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(holds(&mut cx.meter, &list(a.get(1)?)?.items, a.get(0)?)?))
}

fn compact<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let kept = list(a.get(0)?)?.items.iter().filter(|item| item.truth()).cloned().collect();
    cx.list(Elem::Any, kept)
}

fn slice<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let list = list(a.get(0)?)?;
    if list.items.is_empty() {
        return Ok(Value::Nil);
    }
    let bound = |n: usize, default: usize| match a.from(1).get(n) {
        Some(value) => usize::try_from(to_int(value)).map_or_else(|_| failed("the range is outside of the list"), Ok),
        None => Ok(default),
    };
    let (from, to) = (bound(0, 0)?, bound(1, list.items.len())?);
    match list.items.get(from..to) {
        Some(kept) => cx.list(list.elem, kept.to_vec()),
        None => failed("the range is outside of the list"),
    }
}

fn concat<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut items = Vec::new();
    for value in a.all() {
        items.extend(copied(cx, list(value)?)?);
    }
    if items.is_empty() { Ok(cx.nil_list(Elem::Any)) } else { cx.list(Elem::Any, items) }
}

fn chunk<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let items = &list(a.get(1)?)?.items;
    let Some(size) = usize::try_from(a.int(0)?).ok().filter(|size| *size > 0) else {
        return failed("expected a positive size");
    };
    let mut chunks = Vec::new();
    for part in items.chunks(size) {
        chunks.push(cx.list(Elem::Any, part.to_vec())?);
    }
    cx.list(Elem::Lists, chunks)
}

/// The values as strings, without those that are nil; a single value makes a list of one.
fn strings<'a>(cx: &mut Context<'a>, value: &Value<'a>) -> Result<Vec<Str<'a>>, Fault> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::List(list) => {
            let items = list.items.iter().filter(|item| !matches!(item, Value::Nil));
            items.map(|item| value_text(&mut cx.meter, item)).collect()
        }
        _ => Ok(vec![value_text(&mut cx.meter, value)?]),
    }
}

fn sort_alpha<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let value = a.get(0)?;
    let mut all = match value {
        Value::List(_) => strings(cx, value)?,
        _ => vec![value_text(&mut cx.meter, value)?],
    };
    all.sort();
    cx.strings(all)
}

fn join<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let separator = a.str(0)?;
    let all = strings(cx, a.get(1)?)?;
    cx.meter.memory(all.iter().map(|text| text.len() + separator.len()).sum())?;
    let parts: Vec<&[u8]> = all.iter().map(|text| &**text).collect();
    Ok(Value::Str(parts.join(&**separator).into()))
}

/// `map[_0:… _1:…]`, which templates take parts of as fields.
fn numbered<'a>(cx: &mut Context<'a>, parts: Vec<Str<'a>>) -> Answer<'a> {
    let entries: BTreeMap<Str<'a>, Value<'a>> =
        parts.into_iter().enumerate().map(|(n, part)| (format!("_{n}").into(), Value::Str(part))).collect();
    Ok(Value::Map(cx.map(Elem::Str, entries)?))
}
