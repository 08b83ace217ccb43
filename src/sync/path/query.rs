//! `#(name=="x")` and `#(n>1)#`: the first element of a list that a condition holds for, or all of them.

use super::syntax::{self, Next, Query};
use super::{Found, Kind, Walk, kind, unquoted};
use crate::sync::select::SelectError;
use std::borrow::Cow;

impl Walk<'_> {
    pub(super) fn query<'a, 'p>(
        &mut self,
        items: &[&'a str],
        query: &Query<'p>,
        next: Next<'p>,
        pipe: &mut Option<&'p str>,
    ) -> Found<'a> {
        let mut all = String::from("[");
        for item in items {
            self.read(item.len())?;
            let value = match kind(item) {
                Kind::Object | Kind::Array => self.get(item, query.path)?,
                _ if query.path.is_empty() => Some(Cow::Borrowed(*item)),
                _ => continue,
            };
            if !self.holds(query, value.as_deref())? {
                continue;
            }
            let found = match next {
                Next::Path(rest) => {
                    let (path, rest) = syntax::split_pipe(rest);
                    *pipe = rest.or(*pipe);
                    self.get(item, path)?
                }
                _ => Some(Cow::Borrowed(*item)),
            };
            match found {
                found if !query.all => return Ok(found),
                Some(found) => self.append(&mut all, &found)?,
                None => {}
            }
        }
        all.push(']');
        Ok(query.all.then_some(Cow::Owned(all)))
    }

    fn holds(&mut self, query: &Query<'_>, value: Option<&str>) -> Result<bool, SelectError> {
        let wanted = &*query.value;
        if let Some(like) = wanted.strip_prefix('~') {
            let Some(is_like) = is_like(like, value) else { return Ok(false) };
            return Ok(query.operator.is_empty() || compared(query.operator, &is_like, &true));
        }
        let Some(value) = value else { return Ok(false) };
        if query.operator.is_empty() {
            return Ok(true);
        }
        Ok(match (kind(value), query.operator) {
            (Kind::String, "%") => self.is_like(&unquoted(value), wanted)?,
            (Kind::String, "!%") => !self.is_like(&unquoted(value), wanted)?,
            (Kind::String, operator) => compared(operator, unquoted(value).as_str(), wanted),
            (Kind::Number, operator) => compared(operator, &number(value), &number(wanted)),
            (kind @ (Kind::True | Kind::False), operator) => match wanted {
                "true" => compared(operator, &(kind == Kind::True), &true),
                "false" => compared(operator, &(kind == Kind::True), &false),
                // Neither: it differs, and that is all there is to say.
                _ => operator == "!=" || operator == if kind == Kind::True { ">=" } else { "<=" },
            },
            _ => false,
        })
    }
}

/// What counts as true, false, null or there; none where the word is another.
fn is_like(word: &str, value: Option<&str>) -> Option<bool> {
    let kind = kind(value.unwrap_or_default());
    let text = value.filter(|_| kind == Kind::String).map(|value| unquoted(value).to_lowercase());
    let is_zero = kind == Kind::Number && number(value.unwrap_or_default()) == 0.0;
    match word {
        "*" => Some(value.is_some()),
        "null" => Some(kind == Kind::Null),
        "true" => Some(match kind {
            Kind::True => true,
            Kind::Number => !is_zero,
            _ => matches!(text.as_deref(), Some("1" | "t" | "true")),
        }),
        "false" => Some(match kind {
            Kind::False | Kind::Null => true,
            Kind::Number => is_zero,
            _ => matches!(text.as_deref(), Some("0" | "f" | "false")),
        }),
        _ => None,
    }
}

fn number(text: &str) -> f64 {
    text.trim().parse().unwrap_or_default()
}

fn compared<T: PartialOrd + ?Sized>(operator: &str, left: &T, right: &T) -> bool {
    match operator {
        "=" => left == right,
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        _ => false,
    }
}
