//! Semantic versions and constraints on them, as Masterminds/semver reads them.

use std::cmp::Ordering;
use std::rc::Rc;

use super::super::context::{Answer, Context, Param, Param::String as Text};
use super::super::error::{failed, failed_with};
use super::super::value::{IntType, UintType, Value};
use super::Function;
use super::constraint;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("semver", &[Text], |_, a| match Version::parse(&a.str(0)?.text()) {
        Some(version) => Ok(Value::Version(version.into())),
        None => failed("the text is no semantic version"),
    }),
    Function::new("semverCompare", &[Text, Text], |cx, a| {
        cx.meter.memory(a.str(0)?.len())?;
        match (constraint::parse(&a.str(0)?.text()), Version::parse(&a.str(1)?.text())) {
            (None, _) => failed("the first argument is no version constraint, such as \"^1.2\" or \">=1.0 <3\""),
            (_, None) => failed("the second argument is no semantic version"),
            (Some(constraint), Some(version)) => Ok(Value::Bool(constraint::meets(&constraint, &version))),
        }
    }),
];

/// A version; the minor and the patch number may have been left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Version {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
    pub(super) pre: String,
    metadata: String,
    original: String,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// Dotted identifiers, none of them empty.
pub(super) fn identifiers(text: &str) -> bool {
    text.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

impl Version {
    /// Reads `v1.2.3-pre+meta`, of which only the first number must be there.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (bare, metadata) = bare.split_once('+').map_or((bare, None), |(bare, meta)| (bare, Some(meta)));
        let (numbers, pre) = bare.split_once('-').map_or((bare, None), |(numbers, pre)| (numbers, Some(pre)));
        if !pre.is_none_or(identifiers) || !metadata.is_none_or(identifiers) {
            return None;
        }
        let leading_zero =
            |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit());
        if pre.is_some_and(|pre| pre.split('.').any(leading_zero)) {
            return None;
        }
        let mut parts = numbers
            .split('.')
            .map(|part| part.parse::<u64>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit())));
        let version = Self {
            major: parts.next()??,
            minor: parts.next().unwrap_or(Some(0))?,
            patch: parts.next().unwrap_or(Some(0))?,
            pre: pre.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        };
        parts.next().is_none().then_some(version)
    }

    /// Precedence, in which metadata has no say.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let numbers = (self.major, self.minor, self.patch).cmp(&(other.major, other.minor, other.patch));
        numbers.then_with(|| compare_pre(&self.pre, &other.pre))
    }

    fn bumped(&self, name: &str) -> Self {
        let mut next = Self { pre: String::new(), metadata: String::new(), ..self.clone() };
        match name {
            "IncMajor" => (next.major, next.minor, next.patch) = (self.major.wrapping_add(1), 0, 0),
            "IncMinor" => (next.minor, next.patch) = (self.minor.wrapping_add(1), 0),
            // A pre-release's next patch is the release itself.
            _ if self.pre.is_empty() => next.patch = self.patch.wrapping_add(1),
            _ => {}
        }
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        next.original = format!("{prefix}{next}");
        next
    }
}

pub(super) fn compare_pre(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        _ => {}
    }
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                _ => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// What each method of a version takes.
pub(crate) fn method_params(name: &str) -> Option<&'static [Param]> {
    Some(match name {
        "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "Original" | "String" | "IncMajor" | "IncMinor"
        | "IncPatch" => &[],
        "Compare" | "Equal" | "LessThan" | "GreaterThan" | "LessThanEqual" | "GreaterThanEqual" => &[Param::Version],
        _ => return None,
    })
}

/// Calls a method of a version.
pub(crate) fn method<'a>(cx: &mut Context<'a>, version: &Rc<Version>, name: &str, values: &[Value<'a>]) -> Answer<'a> {
    if let Some(Value::Version(other)) = values.first() {
        let order = version.compare(other);
        return Ok(match name {
            "Compare" => Value::Int(order as i64, IntType::Int),
            "Equal" => Value::Bool(order.is_eq()),
            "LessThan" => Value::Bool(order.is_lt()),
            "GreaterThan" => Value::Bool(order.is_gt()),
            "LessThanEqual" => Value::Bool(order.is_le()),
            _ => Value::Bool(order.is_ge()),
        });
    }
    Ok(match name {
        "Major" => Value::Uint(version.major, UintType::Uint64),
        "Minor" => Value::Uint(version.minor, UintType::Uint64),
        "Patch" => Value::Uint(version.patch, UintType::Uint64),
        "Prerelease" => return cx.string(version.pre.clone()),
        "Metadata" => return cx.string(version.metadata.clone()),
        "Original" => return cx.string(version.original.clone()),
        "String" => return cx.string(version.to_string()),
        "IncMajor" | "IncMinor" | "IncPatch" => Value::Version(version.bumped(name).into()),
        _ => return failed_with(format!("a version has no method {name:?}")),
    })
}
