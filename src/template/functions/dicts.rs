//! Sprig's functions on dicts. A dict is shared: `set`, `unset` and `merge` change it for all who hold it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::context::{Answer, Args, Context, Param::Any, Param::Dict, Param::String as Text};
use super::super::error::{Fault, failed, failed_with};
use super::super::format::value_text;
use super::super::value::{Elem, Map, Str, Value};
use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("dict", &[], dict).constant().and(Any),
    Function::new("get", &[Dict, Text], |_, a| {
        Ok(a.map(0)?.and_then(|map| map.get(text(a, 1))).unwrap_or(Value::text("")))
    })
    .constant(),
    Function::new("set", &[Dict, Text, Any], set).constant(),
    Function::new("unset", &[Dict, Text], unset).constant(),
    Function::new("hasKey", &[Dict, Text], |_, a| {
        Ok(Value::Bool(a.map(0)?.is_some_and(|map| map.get(text(a, 1)).is_some())))
    })
    .constant(),
    Function::new("pluck", &[Text], pluck).and(Dict),
    Function::new("keys", &[], keys).and(Dict),
    Function::new("values", &[Dict], |cx, a| {
        let values = a.map(0)?.map(|map| map.entries()).unwrap_or_default();
        cx.list(Elem::Any, values.into_iter().map(|(_, value)| value).collect())
    }),
    Function::new("pick", &[Dict], |cx, a| kept(cx, a, true)).and(Text),
    Function::new("omit", &[Dict], |cx, a| kept(cx, a, false)).and(Text),
    Function::new("merge", &[Dict], |cx, a| merge(cx, a, false)).and(Dict),
    Function::new("mustMerge", &[Dict], |cx, a| merge(cx, a, false)).and(Dict),
    Function::new("mergeOverwrite", &[Dict], |cx, a| merge(cx, a, true)).and(Dict),
    Function::new("mustMergeOverwrite", &[Dict], |cx, a| merge(cx, a, true)).and(Dict),
    Function::new("deepCopy", &[Any], |cx, a| copy(cx, a.get(0)?, 0)),
    Function::new("mustDeepCopy", &[Any], |cx, a| copy(cx, a.get(0)?, 0)),
    Function::new("dig", &[Any, Any, Any], dig).and(Any),
];

fn text<'s, 'a>(a: Args<'s, 'a>, n: usize) -> &'s [u8] {
    a.str(n).map(|text| &**text).unwrap_or_default()
}

fn dict<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut entries = BTreeMap::new();
    for pair in a.all().chunks(2) {
        if let [key, rest @ ..] = pair {
            let key = value_text(&mut cx.meter, key)?;
            entries.insert(key, rest.first().cloned().unwrap_or(Value::text("")));
        }
    }
    Ok(Value::Map(cx.map(Elem::Any, entries)?))
}

fn set<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let Some(map) = a.map(0)? else {
        return failed("nil is no dict that could be changed");
    };
    cx.put(map, a.str(1)?.clone(), a.get(2)?.clone())?;
    Ok(Value::Map(Rc::clone(map)))
}

fn unset<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    match a.map(0)? {
        Some(map) => {
            map.remove(text(a, 1));
            Ok(Value::Map(Rc::clone(map)))
        }
        None => Ok(Value::Map(cx.map(Elem::Any, BTreeMap::new())?)),
    }
}

fn pluck<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut found = Vec::new();
    for n in 1..a.all().len() {
        found.extend(a.map(n)?.and_then(|map| map.get(text(a, 0))));
    }
    cx.list(Elem::Any, found)
}

/// In Go the keys come in random order; here in that of the alphabet.
fn keys<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut found = Vec::new();
    for n in 0..a.all().len() {
        found.extend(a.map(n)?.map(|map| map.entries()).unwrap_or_default().into_iter().map(|(key, _)| key));
    }
    cx.strings(found)
}

fn kept<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, named: bool) -> Answer<'a> {
    let names: std::collections::BTreeSet<&[u8]> = (1..a.all().len()).map(|n| text(a, n)).collect();
    let entries = a.map(0)?.map(|map| map.entries()).unwrap_or_default();
    let kept = entries.into_iter().filter(|(key, _)| names.contains(&**key) == named).collect();
    Ok(Value::Map(cx.map(Elem::Any, kept)?))
}

fn merge<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, overwrite: bool) -> Answer<'a> {
    let target = match a.map(0)? {
        Some(map) => Rc::clone(map),
        None => cx.map(Elem::Any, BTreeMap::new())?,
    };
    for n in 1..a.all().len() {
        if let Some(source) = a.map(n)? {
            merge_into(cx, &target, source, overwrite, 0)?;
        }
    }
    Ok(Value::Map(target))
}

/// What mergo does with dicts: those on both sides are merged, else the source wins where it may overwrite or the target's
/// value is empty.
fn merge_into<'a>(
    cx: &mut Context<'a>,
    target: &Map<'a>,
    source: &Map<'a>,
    overwrite: bool,
    depth: u32,
) -> Result<(), Fault> {
    cx.meter.nesting(depth)?;
    for (key, value) in source.entries() {
        cx.meter.step(1)?;
        match (target.get(&key), &value) {
            (_, Value::Nil) if !overwrite => {}
            (Some(Value::Map(old)), Value::Map(new)) if old.len() > 0 => {
                if old.elem != new.elem {
                    return failed("two dicts of different types can't be merged");
                }
                merge_into(cx, &old, new, overwrite, depth + 1)?;
            }
            (Some(old), _) if old.truth() && !overwrite => {}
            _ => cx.put(target, key, value)?,
        }
    }
    Ok(())
}

pub(crate) fn copy<'a>(cx: &mut Context<'a>, value: &Value<'a>, depth: u32) -> Answer<'a> {
    cx.meter.nesting(depth)?;
    cx.meter.step(1)?;
    match value {
        Value::List(list) => {
            let items = list.items.iter().map(|item| copy(cx, item, depth + 1)).collect::<Result<_, _>>()?;
            cx.list(list.elem, items)
        }
        Value::Map(map) => {
            let mut entries = BTreeMap::new();
            for (key, item) in map.entries() {
                entries.insert(key, copy(cx, &item, depth + 1)?);
            }
            Ok(Value::Map(cx.map(map.elem, entries)?))
        }
        Value::Nil => failed("nil can't be copied"),
        other => Ok(other.clone()),
    }
}

/// `dig "a" "b" default dict`
fn dig<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let [keys @ .., default, dict] = a.all() else {
        return failed("expected keys, a default and a dict");
    };
    let mut found = dict.clone();
    for key in keys {
        let Value::Str(key) = key else {
            return failed_with(format!("expected strings as keys, got {}", key.type_name()));
        };
        found = match &found {
            Value::Map(map) if map.elem == Elem::Any => match map.get(key) {
                Some(value) => value,
                None => return Ok(default.clone()),
            },
            other => {
                return failed_with(format!("expected a dict at each key but the last, got {}", other.type_name()));
            }
        };
    }
    Ok(found)
}

/// A dict of texts, for functions that give several of them.
pub(super) fn of_texts<'a>(cx: &mut Context<'a>, fields: Vec<(&'static str, Str<'a>)>) -> Answer<'a> {
    let entries = fields.into_iter().map(|(key, value)| (Str::Borrowed(key.as_bytes()), Value::Str(value))).collect();
    Ok(Value::Map(cx.map(Elem::Any, entries)?))
}
