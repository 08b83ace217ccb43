//! An object held against our CRDs as an API server would hold it, without one: what it would refuse, and which fields it
//! would drop.
//!
//! It reads the schema that `external-secrets crds` prints, so there is no list of fields here that could go stale. Rules in
//! CEL are evaluated by kube's own evaluator.

use crate::api;
use kube::core::cel::{CompiledSchema, ErrorKind, ValidationErrors, Validator, compile_schema};
use regex::Regex;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The schemas of the kinds that are served, ready to hold objects against.
pub struct Schemas {
    kinds: BTreeMap<String, Kind>,
    validator: Validator,
}

struct Kind {
    /// `apiVersion`s that are served.
    versions: Vec<String>,
    /// Of `spec`.
    schema: Value,
    rules: CompiledSchema,
}

impl Default for Schemas {
    fn default() -> Self {
        let kinds = api::all().into_iter().filter_map(|crd| {
            let version = crd.spec.versions.first()?;
            let schema = serde_json::to_value(version.schema.as_ref()?.open_api_v3_schema.as_ref()?).ok()?;
            let schema = schema.pointer("/properties/spec")?.clone();
            let rules = compile_schema(&schema);
            let versions = crd.spec.versions.iter().filter(|version| version.served);
            let versions = versions.map(|version| format!("{}/{}", crd.spec.group, version.name)).collect();
            Some((crd.spec.names.kind, Kind { versions, schema, rules }))
        });
        Self { kinds: kinds.collect(), validator: Validator::new() }
    }
}

impl Schemas {
    /// Whether a kind is served.
    pub fn has(&self, kind: &str) -> bool {
        self.kinds.contains_key(kind)
    }

    /// Whether it is served in this `apiVersion`.
    pub fn serves(&self, api_version: &str, kind: &str) -> bool {
        self.kinds.get(kind).is_some_and(|kind| kind.versions.iter().any(|version| version == api_version))
    }

    /// What an API server with our CRDs would not take of `spec` as it stands. Names fields, never values.
    pub fn problems(&self, kind: &str, spec: &Value) -> Vec<String> {
        let Some(kind) = self.kinds.get(kind) else { return Vec::new() };
        let mut problems = Vec::new();
        walk(&kind.schema, spec, "spec", &mut problems);
        // As the API server does: rules are for what has the right shape.
        if problems.is_empty() {
            let refused = self.validator.validate_compiled(&kind.rules, spec, None);
            let errors = refused.err().into_iter().flat_map(ValidationErrors::into_vec);
            // A rule that can't be evaluated here (of a field that is a number or a text, say) tells nothing; the operator's
            // own code, which reads the object next, is as strict.
            for error in errors.filter(|error| error.kind == ErrorKind::ValidationFailure) {
                let place = match error.field_path.trim_start_matches('.') {
                    "" => "spec".to_owned(),
                    path => format!("spec.{path}"),
                };
                let message = message_of(&kind.schema, &error.rule).unwrap_or("breaks a rule of the CRD");
                problems.push(format!("{place}: {message}"));
            }
        }
        problems
    }
}

/// What the schema says of a rule that is broken.
fn message_of<'a>(schema: &'a Value, rule: &str) -> Option<&'a str> {
    let own = schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    let own = own.filter(|one| one.get("rule").and_then(Value::as_str) == Some(rule));
    let mut own = own.filter_map(|one| one.get("message").and_then(Value::as_str));
    own.next().or_else(|| match schema {
        Value::Object(fields) => fields.values().find_map(|value| message_of(value, rule)),
        Value::Array(items) => items.iter().find_map(|value| message_of(value, rule)),
        _ => None,
    })
}

fn walk(schema: &Value, value: &Value, place: &str, problems: &mut Vec<String>) {
    let is_either = schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
    match value {
        Value::String(text) if is_either => return string(schema, text, place, problems),
        Value::Number(number) if is_either && number.is_i64() => return,
        _ => {}
    }
    let type_ = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    match (type_, value) {
        ("object", Value::Object(fields)) => object(schema, fields, place, problems),
        ("array", Value::Array(items)) => {
            size(schema, "Items", items.len(), "entries", place, problems);
            repeated(schema, items, place, problems);
            let Some(each) = schema.get("items") else { return };
            for (position, item) in items.iter().enumerate() {
                walk(each, item, &format!("{place}[{position}]"), problems);
            }
        }
        ("string", Value::String(text)) => string(schema, text, place, problems),
        ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => {}
        ("boolean", Value::Bool(_)) | ("", _) => {}
        _ => {
            let wanted = if is_either { "a number or a text" } else { type_ };
            problems.push(format!("{place} must be of type {wanted}; correct it"));
        }
    }
}

/// Entries of a list that may not be there twice: in a map by its keys, in a set altogether.
fn repeated(schema: &Value, items: &[Value], place: &str, problems: &mut Vec<String>) {
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    let keys: Vec<&str> = keys.into_iter().flatten().filter_map(Value::as_str).collect();
    let is_set = schema.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("set");
    if keys.is_empty() && !is_set {
        return;
    }
    let mut seen = BTreeSet::new();
    for (position, item) in items.iter().enumerate() {
        let identity: Vec<String> = match is_set {
            true => vec![item.to_string()],
            false => keys.iter().filter_map(|key| item.get(key).map(ToString::to_string)).collect(),
        };
        if !seen.insert(identity) {
            let what = if is_set { "entry".to_owned() } else { keys.join(", ") };
            problems.push(format!("{place}[{position}] has the {what} of an earlier entry; remove one of them"));
        }
    }
}

fn object(schema: &Value, fields: &Map<String, Value>, place: &str, problems: &mut Vec<String>) {
    let is_there = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !is_there(name) {
            problems.push(format!("{place}.{name} is missing; set it"));
        }
    }
    let known = schema.get("properties");
    let others = schema.get("additionalProperties").filter(|others| others.is_object());
    let keeps_unknown = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
        || schema.get("additionalProperties") == Some(&Value::Bool(true));
    // A null is dropped before anything is looked at.
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let place = format!("{place}.{name}");
        match known.and_then(|known| known.get(name)).or(others) {
            Some(schema) => walk(schema, value, &place, problems),
            None if keeps_unknown => {}
            None => problems.push(format!(
                "{place} is no field that external-secrets-rs knows: the API server drops it, and `kubectl apply` refuses \
                 it; remove it, or correct its name"
            )),
        }
    }
    let count = fields.values().filter(|value| !value.is_null()).count();
    size(schema, "Properties", count, "fields", place, problems);
}

fn string(schema: &Value, text: &str, place: &str, problems: &mut Vec<String>) {
    size(schema, "Length", text.chars().count(), "characters", place, problems);
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.iter().any(|word| word == text)
    {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        problems.push(format!("{place} must be one of {}; correct it", words.join(", ")));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
    {
        problems.push(format!("{place} must match {pattern}; correct it"));
    }
    if schema.get("format").and_then(Value::as_str) == Some("byte") {
        use base64::Engine;
        if base64::engine::general_purpose::STANDARD.decode(text).is_err() {
            problems.push(format!("{place} must be base64; encode it"));
        }
    }
}

/// Holds a number of things against `min…` and `max…`.
fn size(schema: &Value, of: &str, count: usize, what: &str, place: &str, problems: &mut Vec<String>) {
    let limit = |bound: &str| schema.get(format!("{bound}{of}")).and_then(Value::as_u64);
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    if let Some(least) = limit("min").filter(|least| count < *least) {
        problems.push(format!("{place} has fewer {what} than {least}; correct it"));
    }
    if let Some(most) = limit("max").filter(|most| count > *most) {
        problems.push(format!("{place} has more {what} than {most}; correct it"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word of the schema that nobody reads here would be a rule that is passed over.
    #[test]
    fn every_word_of_our_schemas_is_read() {
        const READ: [&str; 20] = [
            "type",
            "description",
            "properties",
            "required",
            "items",
            "enum",
            "pattern",
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "additionalProperties",
            "x-kubernetes-validations",
            "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields",
            "format",
            "x-kubernetes-list-type",
            "x-kubernetes-list-map-keys",
        ];
        fn collect(schema: &Value, words: &mut BTreeSet<String>) {
            let Value::Object(fields) = schema else { return };
            for (word, value) in fields {
                words.insert(word.clone());
                match word.as_str() {
                    "properties" => value.as_object().unwrap().values().for_each(|one| collect(one, words)),
                    "items" | "additionalProperties" => collect(value, words),
                    _ => {}
                }
            }
        }
        let mut words = BTreeSet::new();
        for kind in Schemas::default().kinds.values() {
            collect(&kind.schema, &mut words);
            assert!(!kind.rules.has_errors(), "{:?}", kind.rules.compilation_errors());
        }
        let unread: Vec<_> = words.iter().filter(|word| !READ.contains(&word.as_str())).collect();
        assert!(unread.is_empty(), "{unread:?}");
    }
}
