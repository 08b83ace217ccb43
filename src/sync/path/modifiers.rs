//! `@keys` and such: what makes another value of a value.

use super::pretty::{Style, pretty};
use super::{Kind, Walk, items, kind, members, quoted, unquoted};
use crate::sync::select::SelectError;
use serde::de::IgnoredAny;
use std::collections::HashMap;

/// What there is, by name.
pub(super) const NAMES: [&str; 13] = [
    "this", "valid", "ugly", "pretty", "reverse", "flatten", "join", "keys", "values", "tostr", "fromstr", "group",
    "dig",
];

type Made = Result<String, SelectError>;

impl Walk<'_> {
    /// Applies a modifier. Text that is empty stands for a value that is not there.
    pub(super) fn modified(&mut self, json: &str, name: &str, argument: &str) -> Made {
        self.meter.hold(json.len())?;
        let is = |option: &str| {
            let found = members(argument).unwrap_or_default().into_iter().rev().find(|(key, _)| key == option);
            found.is_some_and(|(_, value)| matches!(kind(value), Kind::True) || unquoted(value) == "true")
        };
        match (name, kind(json)) {
            ("ugly", _) => Ok(compact(json)),
            ("pretty", Kind::Object | Kind::Array) => pretty(json, &Style::read(argument), self.meter),
            ("reverse", Kind::Array) => self.list(items(json)?.into_iter().rev()),
            ("reverse", Kind::Object) => self.object(members(json)?.into_iter().rev()),
            ("flatten", Kind::Array) => {
                let mut flat = String::from("[");
                self.flatten(json, is("deep"), &mut flat)?;
                flat.push(']');
                Ok(flat)
            }
            ("join", Kind::Array) => self.join(json, is("preserve")),
            ("keys", Kind::Object) => {
                let keys: Vec<String> = members(json)?.into_iter().map(|(key, _)| quoted(&key)).collect();
                self.list(keys.iter().map(String::as_str))
            }
            ("keys", Kind::Array) => self.list(items(json)?.iter().map(|_| "null")),
            ("keys", _) if json.is_empty() => Ok("[]".to_owned()),
            ("keys", _) => Ok("[null]".to_owned()),
            ("values", Kind::Object) => self.list(members(json)?.into_iter().map(|(_, value)| value)),
            ("values", Kind::Array) => Ok(json.to_owned()),
            ("values", _) => Ok(format!("[{json}]")),
            ("tostr", _) => Ok(quoted(json)),
            ("fromstr", Kind::String) => Ok(Some(unquoted(json))
                .filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
                .unwrap_or_default()),
            ("group", Kind::Object) => self.group(json),
            ("group", _) => Ok(String::new()),
            ("dig", _) => {
                let mut all = String::from("[");
                self.dig(json, argument, &mut all)?;
                all.push(']');
                Ok(all)
            }
            _ => Ok(json.to_owned()),
        }
    }

    fn list<'t>(&mut self, items: impl Iterator<Item = &'t str>) -> Made {
        let mut made = String::from("[");
        for item in items {
            self.append(&mut made, item)?;
        }
        made.push(']');
        Ok(made)
    }

    fn object<'t>(&mut self, members: impl Iterator<Item = (String, &'t str)>) -> Made {
        let mut made = String::from("{");
        for (key, value) in members {
            self.append(&mut made, &format!("{}:{value}", quoted(&key)))?;
        }
        made.push('}');
        Ok(made)
    }

    fn flatten(&mut self, json: &str, deep: bool, flat: &mut String) -> Result<(), SelectError> {
        self.read(json.len())?;
        for item in items(json)? {
            match kind(item) {
                Kind::Array if deep => self.flatten(item, true, flat)?,
                Kind::Array => {
                    for inner in items(item)? {
                        self.append(flat, inner)?;
                    }
                }
                _ => self.append(flat, item)?,
            }
        }
        Ok(())
    }

    /// One object of many: the last value of a key counts, at the place of the first.
    fn join(&mut self, json: &str, preserve: bool) -> Made {
        let mut joined: Vec<(String, &str)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for item in items(json)?.into_iter().filter(|item| kind(item) == Kind::Object) {
            for (key, value) in members(item)? {
                let place = places.get(&key).and_then(|place| joined.get_mut(*place)).filter(|_| !preserve);
                if let Some(known) = place {
                    known.1 = value;
                    continue;
                }
                places.insert(key.clone(), joined.len());
                joined.push((key, value));
            }
        }
        self.object(joined.into_iter())
    }

    /// Of an object of lists, a list of objects.
    fn group(&mut self, json: &str) -> Made {
        let mut rows: Vec<String> = Vec::new();
        for (key, value) in members(json)?.into_iter().filter(|(_, value)| kind(value) == Kind::Array) {
            for (place, item) in items(value)?.into_iter().enumerate() {
                if place == rows.len() {
                    rows.push(String::from("{"));
                }
                let Some(row) = rows.get_mut(place) else { continue };
                self.append(row, &format!("{}:{item}", quoted(&key)))?;
            }
        }
        rows.iter_mut().for_each(|row| row.push('}'));
        self.list(rows.iter().map(String::as_str))
    }

    /// What stands at `path` in the value and in everything that is in it.
    fn dig(&mut self, json: &str, path: &str, all: &mut String) -> Result<(), SelectError> {
        if let Some(found) = self.get(json, path)? {
            self.append(all, &found)?;
        }
        match kind(json) {
            Kind::Array => items(json)?.into_iter().try_for_each(|item| self.dig(item, path, all)),
            Kind::Object => members(json)?.into_iter().try_for_each(|(_, value)| self.dig(value, path, all)),
            _ => Ok(()),
        }
    }
}

/// Without the white space between its parts.
fn compact(json: &str) -> String {
    let mut in_string = false;
    let mut is_escaped = false;
    let is_kept = |character: &char| {
        let is_kept = in_string || !character.is_ascii_whitespace();
        match character {
            '"' if !is_escaped => in_string = !in_string,
            _ => {}
        }
        is_escaped = in_string && *character == '\\' && !is_escaped;
        is_kept
    };
    json.chars().filter(is_kept).collect()
}
