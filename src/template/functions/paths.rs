//! Slash-separated paths, by Go's package path. The `os` ones are those of Linux, where the operator runs: the same.

use super::super::context::Answer;
use super::super::context::{Args, Context, Param::String as Text};
use super::super::value::{Str, Value};
use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("base", &[Text], |_, a| Ok(Value::Str(base(a.str(0)?)))),
    Function::new("osBase", &[Text], |_, a| Ok(Value::Str(base(a.str(0)?)))),
    Function::new("dir", &[Text], dir),
    Function::new("osDir", &[Text], dir),
    Function::new("clean", &[Text], |cx, a| cx.string(clean(a.str(0)?))),
    Function::new("osClean", &[Text], |cx, a| cx.string(clean(a.str(0)?))),
    Function::new("ext", &[Text], |_, a| Ok(Value::Str(ext(a.str(0)?)))),
    Function::new("osExt", &[Text], |_, a| Ok(Value::Str(ext(a.str(0)?)))),
    Function::new("isAbs", &[Text], |_, a| Ok(Value::Bool(a.str(0)?.starts_with(b"/")))),
    Function::new("osIsAbs", &[Text], |_, a| Ok(Value::Bool(a.str(0)?.starts_with(b"/")))),
];

fn base<'a>(path: &Str<'a>) -> Str<'a> {
    let Some(end) = path.iter().rposition(|byte| *byte != b'/') else {
        return Str::Borrowed(if path.is_empty() { b"." } else { b"/" });
    };
    let start =
        path.get(..end).and_then(|front| front.iter().rposition(|byte| *byte == b'/')).map_or(0, |slash| slash + 1);
    path.part(start, end + 1)
}

fn dir<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let path = a.str(0)?;
    let end = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    cx.string(clean(path.get(..end).unwrap_or_default()))
}

fn ext<'a>(path: &Str<'a>) -> Str<'a> {
    let name = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    match path.get(name..).and_then(|name| name.iter().rposition(|byte| *byte == b'.')) {
        Some(dot) => path.part(name + dot, path.len()),
        None => Str::Borrowed(b""),
    }
}

/// The shortest path to the same place: no `.`, no `..` that has something to go up from, no doubled slash.
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b"/"[..]);
    match (rooted, joined.is_empty()) {
        (true, _) => [&b"/"[..], &joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
