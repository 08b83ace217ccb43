//! Renames and merges what a `dataFrom` entry brought, step by step, before it becomes keys of a Secret.

use crate::api::policy::{MergeConflictPolicy, MergePriorityPolicy, MergeStrategy};
use crate::api::{Rewrite, RewriteMerge, RewriteRegexp, RewriteTransform};
use crate::sync::keys::{self, KeyError, Values};
use crate::sync::select::{Document, SecretValue, SelectError};
use crate::template::{Data, Limits, Template, TemplateError};
use regex::RegexBuilder;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// How large a compiled regular expression may get, in bytes.
const MAX_REGEX: usize = 1 << 20;

/// How many names a message lists.
const MAX_LISTED: usize = 10;

/// Why a step failed. Names keys, never values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RewriteError {
    /// Two keys became one.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A regular expression that does not compile, or grows too large.
    #[error("the regular expression {0:?} can't be used; write Go's RE2 syntax (no look-around, no back-references)")]
    Regex(String),
    /// A template that is wrong, or does not fit a key.
    #[error("rewrite.transform: {0}")]
    Transform(#[from] TemplateError),
    /// A template that makes bytes of a key.
    #[error("rewrite.transform makes something of {0:?} that is no UTF-8 text")]
    NotText(String),
    /// A step that says nothing.
    #[error("a step of rewrite needs exactly one of regexp, transform and merge")]
    Empty,
    /// A key that `priority` names is not there.
    #[error(
        "merge.priority names {0:?}, which is not among the keys; correct it, or set priorityPolicy: IgnoreNotFound"
    )]
    Priority(String),
    /// A value that is not a JSON object can't be merged.
    #[error("the value of {0:?} is not a JSON object, so it can't be merged")]
    NotAnObject(String),
    /// Two objects have the same key.
    #[error("merging found these keys more than once: {0}; set conflictPolicy: Ignore to let the last one win")]
    Conflict(String),
    /// A merge into JSON needs a key.
    #[error("merge.strategy JSON needs merge.into, the key to write the merged object to")]
    NoInto,
}

/// Applies the steps in order.
pub fn rewrite(steps: &[Rewrite], mut values: Values) -> Result<Values, RewriteError> {
    for step in steps {
        values = match (&step.regexp, &step.transform, &step.merge) {
            (Some(regexp), None, None) => by_regexp(regexp, values)?,
            (None, Some(transform), None) => by_transform(transform, values)?,
            (None, None, Some(merge)) => by_merge(merge, values)?,
            _ => return Err(RewriteError::Empty),
        };
    }
    Ok(values)
}

fn by_regexp(step: &RewriteRegexp, values: Values) -> Result<Values, RewriteError> {
    let compiled = RegexBuilder::new(&step.source).size_limit(MAX_REGEX).build();
    let regex = compiled.map_err(|_| RewriteError::Regex(step.source.clone()))?;
    keys::rename(values, |name| Ok(regex.replace_all(name, step.target.as_str()).into_owned()))
}

/// Gives each key the name that the template makes of it, as `.value`.
fn by_transform(step: &RewriteTransform, values: Values) -> Result<Values, RewriteError> {
    let template = Template::parse("rewrite.transform", &step.template)?;
    keys::rename(values, |name| {
        let data: Data<'_> = [("value", name.as_bytes())].into_iter().collect();
        let rendered = template.render(&data, &Limits::default())?;
        String::from_utf8(rendered).map_err(|_| RewriteError::NotText(name.to_owned()))
    })
}

/// Merges the JSON objects among the values, those that `priority` names last, so that they win.
fn by_merge(step: &RewriteMerge, values: Values) -> Result<Values, RewriteError> {
    let merged = merged(step, &values)?;
    match step.strategy {
        MergeStrategy::Extract => Ok(merged),
        MergeStrategy::Json if step.into.is_empty() => Err(RewriteError::NoInto),
        MergeStrategy::Json => {
            let mut values = values;
            values.insert(step.into.clone(), to_json(&step.into, &values_as_json(step, &values)?)?);
            Ok(values)
        }
    }
}

fn order<'a>(step: &'a RewriteMerge, values: &'a Values) -> Result<Vec<(&'a str, &'a SecretValue)>, RewriteError> {
    let is_named = |key: &String| step.priority.contains(key);
    let others = values.iter().filter(|(key, _)| !is_named(key)).map(|(key, value)| (key.as_str(), value));
    let mut ordered: Vec<_> = others.collect();
    for key in &step.priority {
        match values.get(key) {
            Some(value) => ordered.push((key, value)),
            None if step.priority_policy == MergePriorityPolicy::IgnoreNotFound => {}
            None => return Err(RewriteError::Priority(key.clone())),
        }
    }
    Ok(ordered)
}

fn document<'a>(key: &str, value: &'a SecretValue) -> Result<Document<'a>, RewriteError> {
    let refused = |_: SelectError| RewriteError::NotAnObject(key.to_owned());
    let text = std::str::from_utf8(value).map_err(|_| RewriteError::NotAnObject(key.to_owned()))?;
    Document::parse(text).map_err(refused)
}

fn merged(step: &RewriteMerge, values: &Values) -> Result<Values, RewriteError> {
    let mut merged = Values::new();
    let mut conflicts = BTreeSet::new();
    for (key, value) in order(step, values)? {
        for (name, value) in document(key, value)?.entries() {
            let value = value.map_err(|_| RewriteError::NotAnObject(key.to_owned()))?;
            if merged.insert(name.to_owned(), value).is_some() {
                conflicts.insert(name.to_owned());
            }
        }
    }
    if conflicts.is_empty() || step.conflict_policy == MergeConflictPolicy::Ignore {
        return Ok(merged);
    }
    Err(RewriteError::Conflict(listed(&conflicts)))
}

/// The first few of these names, for a message.
fn listed(names: &BTreeSet<String>) -> String {
    let told: Vec<String> = names.iter().take(MAX_LISTED).map(|name| keys::quoted(name)).collect();
    match names.len().saturating_sub(told.len()) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

/// The merged object, each field as the JSON text it was.
fn values_as_json(step: &RewriteMerge, values: &Values) -> Result<BTreeMap<String, String>, RewriteError> {
    let mut fields = BTreeMap::new();
    for (key, value) in order(step, values)? {
        for (name, json) in document(key, value)?.fields() {
            fields.insert(name.to_owned(), json.to_owned());
        }
    }
    Ok(fields)
}

fn to_json(into: &str, fields: &BTreeMap<String, String>) -> Result<SecretValue, RewriteError> {
    let mut text = String::from("{");
    for (position, (name, json)) in fields.iter().enumerate() {
        let name = serde_json::to_string(name).map_err(|_| RewriteError::NotAnObject(into.to_owned()))?;
        text.push_str(if position == 0 { "" } else { "," });
        text.push_str(&name);
        text.push(':');
        text.push_str(json);
    }
    text.push('}');
    // Once more through the reader, for the compact and sorted form that everything else has.
    let refused = |_: SelectError| RewriteError::NotAnObject(into.to_owned());
    Document::parse(&text).map_err(refused)?.select(None).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(entries: &[(&str, &str)]) -> Values {
        entries.iter().map(|(key, text)| ((*key).to_owned(), SecretValue::new(text.as_bytes().to_vec()))).collect()
    }

    fn run(steps: serde_json::Value, entries: &[(&str, &str)]) -> Result<Vec<(String, String)>, RewriteError> {
        let steps: Vec<Rewrite> = serde_json::from_value(steps).unwrap();
        let text = |value: SecretValue| String::from_utf8(value.to_vec()).unwrap();
        Ok(rewrite(&steps, values(entries))?.into_iter().map(|(key, value)| (key, text(value))).collect())
    }

    fn pairs(entries: &[(&str, &str)]) -> Vec<(String, String)> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn keys_are_rewritten_by_regular_expressions_in_order() {
        let table = [
            (json!([{"regexp": {"source": "path/to/my/(.*)", "target": "$1"}}]), "path/to/my/key", "key"),
            (json!([{"regexp": {"source": "(?P<a>x)-(?P<b>y)", "target": "${b}_${a}z"}}]), "x-y", "y_xz"),
            (
                json!([{"regexp": {"source": ".*/", "target": ""}}, {"regexp": {"source": "^", "target": "p-"}}]),
                "a/b/c",
                "p-c",
            ),
            (json!([{"regexp": {"source": "nomatch", "target": "x"}}]), "a", "a"),
            (json!([{"regexp": {"source": "a", "target": "$$1"}}]), "a", "$1"),
        ];
        for (steps, key, expected) in table {
            assert_eq!(run(steps.clone(), &[(key, "v")]).unwrap(), pairs(&[(expected, "v")]), "{steps}");
        }
    }

    #[test]
    fn keys_are_made_by_templates() {
        let steps = json!([{"transform": {"template": "{{ .value | upper | replace \"/\" \"_\" }}"}}]);
        assert_eq!(run(steps, &[("a/b", "v")]).unwrap(), pairs(&[("A_B", "v")]));
        let steps = json!([{"transform": {"template": "{{ .value"}}]);
        assert!(matches!(run(steps, &[("a", "v")]), Err(RewriteError::Transform(_))));
    }

    #[test]
    fn keys_that_become_one_are_an_error() {
        let steps = json!([{"regexp": {"source": ".*", "target": "x"}}]);
        assert!(matches!(run(steps, &[("a", "1"), ("b", "2")]), Err(RewriteError::Key(_))));
        assert!(matches!(run(json!([{"regexp": {"source": "(", "target": ""}}]), &[]), Err(RewriteError::Regex(_))));
        let huge = json!([{"regexp": {"source": "((a{1000}){1000}){1000}", "target": ""}}]);
        assert!(matches!(run(huge, &[]), Err(RewriteError::Regex(_))));
    }

    const OBJECTS: [(&str, &str); 2] = [("one", r#"{"a":1,"s":"x"}"#), ("two", r#"{"b":[1],"s":"y"}"#)];

    #[test]
    fn objects_merge_into_keys_and_priority_wins() {
        let step = |merge: serde_json::Value| json!([{"merge": merge}]);
        let error = run(step(json!({})), &OBJECTS).unwrap_err();
        assert_eq!(error, RewriteError::Conflict("s".to_owned()));
        let many =
            serde_json::to_string(&(0..99).map(|n| (format!("k{n:02}"), n)).collect::<BTreeMap<_, _>>()).unwrap();
        let error = run(step(json!({})), &[("one", &many), ("two", &many)]).unwrap_err().to_string();
        assert!(error.contains("k00, k01") && error.contains("k09 and 89 more"), "{error}");
        let ignoring = json!({"conflictPolicy": "Ignore"});
        assert_eq!(run(step(ignoring), &OBJECTS).unwrap(), pairs(&[("a", "1"), ("b", "[1]"), ("s", "y")]));
        let first = json!({"conflictPolicy": "Ignore", "priority": ["one"]});
        assert_eq!(run(step(first), &OBJECTS).unwrap(), pairs(&[("a", "1"), ("b", "[1]"), ("s", "x")]));
    }

    #[test]
    fn objects_merge_into_one_json_beside_the_others() {
        let step = json!([{"merge": {"strategy": "JSON", "into": "all", "conflictPolicy": "Ignore"}}]);
        let merged = run(step, &OBJECTS).unwrap();
        assert_eq!(merged, pairs(&[("all", r#"{"a":1,"b":[1],"s":"y"}"#), OBJECTS[0], OBJECTS[1]]));
        assert_eq!(run(json!([{"merge": {"strategy": "JSON"}}]), &[]), Err(RewriteError::NoInto));
    }

    #[test]
    fn a_missing_priority_key_is_an_error_unless_ignored() {
        let step = |policy: &str| json!([{"merge": {"priority": ["three"], "priorityPolicy": policy}}]);
        let objects = &OBJECTS[..1];
        assert_eq!(run(step("Strict"), objects), Err(RewriteError::Priority("three".to_owned())));
        assert_eq!(run(step("IgnoreNotFound"), objects).unwrap(), pairs(&[("a", "1"), ("s", "x")]));
        assert_eq!(run(step("IgnoreNotFound"), &[("k", "text")]), Err(RewriteError::NotAnObject("k".to_owned())));
    }
}
