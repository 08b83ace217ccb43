//! URLs apart and together, as Go's net/url does.

use super::super::context::{Answer, Args, Context, Param::Dict, Param::String as Text};
use super::super::error::{Fault, failed, failed_with};
use super::super::value::{Map, Str, Value};
use super::Function;
use super::dicts::of_texts;

pub(super) static FUNCTIONS: &[Function] =
    &[Function::new("urlParse", &[Text], parse), Function::new("urlJoin", &[Dict], join)];

/// Which part of a URL a text is in; each keeps other characters as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    User,
    Path,
    Fragment,
}

fn kept(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return true;
    }
    match part {
        Part::Host => b"!$&'()*+,;=:[]<>\"".contains(&byte),
        Part::User => b"$&+,;=".contains(&byte),
        Part::Path => b"$&+,/:;=@".contains(&byte),
        Part::Fragment => b"$&+,/:;=?@!()*".contains(&byte),
    }
}

fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if kept(*byte, part) { out.push(*byte) } else { out.extend_from_slice(format!("%{byte:02X}").as_bytes()) }
    }
    out
}

fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            if part == Part::Host && byte.is_ascii() && !kept(*byte, part) {
                return failed("the URL's host has a character that no host may have");
            }
            out.push(*byte);
            continue;
        }
        let mut digit =
            || rest.next().and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        match (digit(), digit()) {
            (Some(high), Some(low)) => {
                let byte = high << 4 | low;
                if part == Part::Host && byte.is_ascii() && byte != b'%' {
                    return failed("the URL's host has an escape that no host may have");
                }
                out.push(byte);
            }
            _ => {
                return failed("the URL has a bad escape; expected \"%\" and two hexadecimal digits");
            }
        }
    }
    Ok(out)
}

fn cut(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == at) {
        Some(n) => (text.get(..n).unwrap_or_default(), text.get(n + 1..).unwrap_or_default()),
        None => (text, &[]),
    }
}

/// The scheme, and what follows its colon.
fn scheme(url: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    for (n, byte) in url.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if n > 0 => {}
            b':' if n == 0 => return failed("the URL has no scheme before its colon"),
            b':' => {
                return Ok(url
                    .split_at_checked(n)
                    .map_or((url, &[][..]), |(scheme, rest)| (scheme, rest.get(1..).unwrap_or_default())));
            }
            _ => break,
        }
    }
    Ok((&[], url))
}

/// User and password, escaped again as Go escapes them.
fn user_info(text: &[u8]) -> Result<Vec<u8>, Fault> {
    if !text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte)) {
        return failed("the URL's user or password has a character that must be escaped");
    }
    let (name, password) = cut(text, b':');
    let mut out = escape(&unescape(name, Part::User)?, Part::User);
    if text.contains(&b':') {
        out.push(b':');
        out.extend(escape(&unescape(password, Part::User)?, Part::User));
    }
    Ok(out)
}

fn host(text: &[u8]) -> Result<Vec<u8>, Fault> {
    let port = match (text.first(), text.iter().rposition(|byte| *byte == b']')) {
        (Some(b'['), None) => return failed("the URL's host has an open \"[\""),
        (Some(b'['), Some(end)) => text.get(end + 1..).unwrap_or_default(),
        _ => text.iter().rposition(|byte| *byte == b':').and_then(|colon| text.get(colon..)).unwrap_or_default(),
    };
    let valid = match port.split_first() {
        None => true,
        Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    };
    if !valid {
        return failed("the URL's port is no number");
    }
    unescape(text, Part::Host)
}

fn hostname(host: &[u8]) -> &[u8] {
    let without_port = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if host.get(colon + 1..).is_some_and(|port| port.iter().all(u8::is_ascii_digit)) => {
            host.get(..colon).unwrap_or(host)
        }
        _ => host,
    };
    match without_port {
        [b'[', inner @ .., b']'] => inner,
        _ => without_port,
    }
}

fn parse<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let whole = a.str(0)?;
    cx.meter.memory(whole.len().saturating_mul(3))?;
    let (url, fragment) = cut(whole, b'#');
    if url.iter().any(u8::is_ascii_control) {
        return failed("the URL has a control character");
    }
    let fragment = unescape(fragment, Part::Fragment)?;
    let (scheme, rest) = if url == b"*" { (&[][..], url) } else { scheme(url)? };
    let (rest, query) = cut(rest, b'?');
    let (mut user, mut authority, mut opaque, mut path) = (Vec::new(), Vec::new(), Vec::new(), rest);
    if !rest.starts_with(b"/") && url != b"*" {
        if !scheme.is_empty() {
            (opaque, path) = (rest.to_vec(), &[]);
        } else if cut(rest, b'/').0.contains(&b':') {
            return failed("the first segment of a path without a scheme has a colon");
        }
    }
    if rest.starts_with(b"//") && (!scheme.is_empty() || !rest.starts_with(b"///")) {
        let after = rest.get(2..).unwrap_or_default();
        let slash = after.iter().position(|byte| *byte == b'/').unwrap_or(after.len());
        let (found, tail) = after.split_at_checked(slash).unwrap_or((after, &[]));
        path = tail;
        match found.iter().rposition(|byte| *byte == b'@') {
            Some(at) => {
                user = user_info(found.get(..at).unwrap_or_default())?;
                authority = host(found.get(at + 1..).unwrap_or_default())?;
            }
            None => authority = host(found)?,
        }
    }
    let path = unescape(path, Part::Path)?;
    let name = hostname(&authority).to_vec();
    of_texts(
        cx,
        vec![
            ("scheme", scheme.to_ascii_lowercase().into()),
            ("host", authority.into()),
            ("hostname", name.into()),
            ("path", path.into()),
            ("query", query.to_vec().into()),
            ("opaque", opaque.into()),
            ("fragment", fragment.into()),
            ("userinfo", user.into()),
        ],
    )
}

fn field<'a>(map: &Map<'a>, name: &str) -> Result<Str<'a>, Fault> {
    match map.get(name.as_bytes()) {
        None => Ok(Str::Borrowed(b"")),
        Some(Value::Str(text)) => Ok(text),
        Some(other) => failed_with(format!("expected a string as {name:?}, got {}", other.type_name())),
    }
}

fn join<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let Some(map) = a.map(0)? else {
        return Ok(Value::text(""));
    };
    let (scheme, host, path) = (field(map, "scheme")?, field(map, "host")?, field(map, "path")?);
    let (query, opaque, fragment, user) =
        (field(map, "query")?, field(map, "opaque")?, field(map, "fragment")?, field(map, "userinfo")?);
    let user = if user.is_empty() { Vec::new() } else { user_info(&user)? };
    let mut out = Vec::new();
    if !scheme.is_empty() {
        out.extend_from_slice(&scheme);
        out.push(b':');
    }
    if opaque.is_empty() {
        if (!scheme.is_empty() || !host.is_empty() || !user.is_empty())
            && (!host.is_empty() || !path.is_empty() || !user.is_empty())
        {
            out.extend_from_slice(b"//");
        }
        if !user.is_empty() {
            out.extend_from_slice(&user);
            out.push(b'@');
        }
        out.extend(escape(&host, Part::Host));
        let path = if *path == *b"*" { path.to_vec() } else { escape(&path, Part::Path) };
        if !path.is_empty() && !path.starts_with(b"/") && !host.is_empty() {
            out.push(b'/');
        }
        if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    } else {
        out.extend_from_slice(&opaque);
    }
    if !query.is_empty() {
        out.push(b'?');
        out.extend_from_slice(&query);
    }
    if !fragment.is_empty() {
        out.push(b'#');
        out.extend(escape(&fragment, Part::Fragment));
    }
    cx.string(out)
}
