//! Each vector was made by Go's text/template with Sprig (see vectors/gen); the engine must give the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use external_secrets_rs::template::{Data, Limits, Template, TemplateError, functions};
use regex::Regex;
use serde_json::Value;

/// One case.
struct Vector {
    file: String,
    template: String,
    expected: Expected,
}

#[derive(Debug)]
enum Expected {
    Bytes(Vec<u8>),
    Shape(String),
    Error,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/template/vectors")
}

/// The data that all vectors share.
pub fn data() -> BTreeMap<String, Vec<u8>> {
    let text = std::fs::read_to_string(folder().join("data.json")).unwrap();
    let encoded: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    encoded.into_iter().map(|(name, value)| (name, STANDARD.decode(value).unwrap())).collect()
}

fn vectors() -> Vec<Vector> {
    let mut all = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if !file.ends_with(".json") || file == "data.json" {
            continue;
        }
        let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for case in cases {
            let text = |name: &str| case.get(name).and_then(Value::as_str).map(str::to_owned);
            let expected = match (text("output"), text("base64"), text("shape")) {
                (Some(output), _, _) => Expected::Bytes(output.into_bytes()),
                (_, Some(base64), _) => Expected::Bytes(STANDARD.decode(base64).unwrap()),
                (_, _, Some(shape)) => Expected::Shape(shape),
                _ => {
                    assert_eq!(case["error"], Value::Bool(true), "{file}: a vector without outcome");
                    Expected::Error
                }
            };
            all.push(Vector { file: file.clone(), template: text("template").unwrap(), expected });
        }
    }
    all
}

fn render(template: &str, data: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, TemplateError> {
    Template::parse("t", template)?.render(&Data::from(data), &Limits::default())
}

#[test]
fn every_vector_gives_what_go_gives() {
    let data = data();
    let vectors = vectors();
    let mut wrong = Vec::new();
    for Vector { file, template, expected } in &vectors {
        let found = render(template, &data);
        let right = match (expected, &found) {
            (Expected::Error, Err(_)) => true,
            (Expected::Bytes(expected), Ok(found)) => expected == found,
            (Expected::Shape(shape), Ok(found)) => Regex::new(shape).unwrap().is_match(&String::from_utf8_lossy(found)),
            _ => false,
        };
        if !right {
            let expected = match expected {
                Expected::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("{other:?}"),
            };
            let found = found
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_else(|error| format!("error: {error}"));
            wrong.push(format!("{file}: {template:?}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} vectors differ:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
    assert!(vectors.len() >= 600, "only {} vectors", vectors.len());
}

/// Three vectors a function, one of them an error: every function can at least be given a wrong number of arguments, but
/// for those that take any number of anything.
#[test]
fn every_function_has_vectors() {
    let mut count: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for Vector { template, expected, .. } in vectors() {
        let words = template.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned);
        for word in words.collect::<std::collections::BTreeSet<String>>() {
            let (all, errors) = count.entry(word).or_default();
            *all += 1;
            *errors += usize::from(matches!(expected, Expected::Error));
        }
    }
    let mut lacking = Vec::new();
    for function in functions() {
        let (all, errors) = count.get(function.name).copied().unwrap_or_default();
        let fails = !(function.parameters.is_empty() && function.varies) && function.parameters != "...interface {}";
        if all < 3 || (fails && errors == 0) {
            lacking.push(format!("{} ({all} vectors, {errors} errors)", function.name));
        }
    }
    assert!(lacking.is_empty(), "functions without enough vectors: {}", lacking.join(", "));
}
