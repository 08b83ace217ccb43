//! Objects from manifests.

use super::MigrateError;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The documents of all files and folders; lists are taken apart.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Value>, MigrateError> {
    let mut objects = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let mut text = String::new();
            let place = "standard input".to_owned();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|source| MigrateError::File { place: place.clone(), source })?;
            parse(&place, &text, &mut objects)?;
        } else {
            visit(path, true, &mut objects)?;
        }
    }
    Ok(objects)
}

fn visit(path: &Path, is_named: bool, objects: &mut Vec<Value>) -> Result<(), MigrateError> {
    let failed = |source| MigrateError::File { place: path.display().to_string(), source };
    // A link within a folder is not followed: it may lead in a circle.
    let about = if is_named { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) }.map_err(failed)?;
    if about.is_dir() {
        let entries: Result<Vec<_>, _> = std::fs::read_dir(path).map_err(failed)?.collect();
        let mut below: Vec<PathBuf> = entries.map_err(failed)?.into_iter().map(|entry| entry.path()).collect();
        below.sort();
        return below.iter().try_for_each(|path| visit(path, false, objects));
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if !is_named && (!about.is_file() || !["yaml", "yml", "json"].contains(&ending)) {
        return Ok(());
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    parse(&path.display().to_string(), &text, objects)
}

fn parse(place: &str, text: &str, objects: &mut Vec<Value>) -> Result<(), MigrateError> {
    let mut options = serde_saphyr::Options::default();
    // A dump of a cluster is longer than what the reader takes from strangers.
    options.budget = None;
    let documents =
        serde_saphyr::from_multiple_with_options::<Value>(text, options).map_err(|error| MigrateError::Yaml {
            place: place.to_owned(),
            // The error's own text would quote the manifest, which may hold a Secret.
            at: error.location().map(|at| format!(" (line {}, column {})", at.line(), at.column())).unwrap_or_default(),
        })?;
    documents.into_iter().for_each(|document| flatten(document, objects));
    Ok(())
}

fn flatten(mut document: Value, objects: &mut Vec<Value>) {
    let is_list = document.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match document.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if is_list => items.into_iter().for_each(|item| flatten(item, objects)),
        _ if document.is_object() => objects.push(document),
        _ => {}
    }
}
