//! Kustomizations that only list resources: read here, and by kubectl where it is installed.

use super::Result;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A path in this repository.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Each document as it stands in its file, comments included, in the order in which the kustomization lists the files.
pub fn texts(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for file in files(folder)? {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        texts.extend(text.split("\n---\n").map(|document| format!("{}\n", document.trim_end())));
    }
    Ok(texts)
}

/// The same, read.
pub fn documents(folder: &Path) -> Result<Vec<Value>> {
    texts(folder)?.iter().map(|text| Ok(serde_saphyr::from_str(text)?)).collect()
}

/// What `kubectl kustomize` makes of it; none where there is no kubectl.
pub fn built(folder: &Path) -> Result<Option<Vec<Value>>> {
    let output = match Command::new("kubectl").arg("kustomize").arg(folder).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        output => output?,
    };
    if !output.status.success() {
        return Err(format!("{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(Some(serde_saphyr::from_multiple::<Value>(&String::from_utf8(output.stdout)?)?))
}

/// Sorted by kind, namespace and name: kubectl has an order of its own.
pub fn sorted(mut documents: Vec<Value>) -> Vec<Value> {
    let text = |document: &Value, field: &str| document.pointer(field).map(Value::to_string).unwrap_or_default();
    documents.sort_by_key(|one| ["/kind", "/metadata/namespace", "/metadata/name"].map(|field| text(one, field)));
    documents
}

/// A kustomization that only lists resources means just those: any other field would need kustomize to be understood.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let kustomization: Value = serde_saphyr::from_str(&std::fs::read_to_string(folder.join("kustomization.yaml"))?)?;
    let fields: Vec<&String> = kustomization.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["apiVersion", "kind", "resources"], "{}", folder.display());
    let mut all = Vec::new();
    for resource in kustomization["resources"].as_array().unwrap() {
        let path = folder.join(resource.as_str().unwrap());
        if path.is_dir() {
            all.extend(files(&path)?);
        } else {
            all.push(path);
        }
    }
    Ok(all)
}
