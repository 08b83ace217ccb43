//! What people apply, held to the tools of the field: every field is one that the API server knows, and pods and policies are as good
//! practice has them. The chart as it comes and with everything on, the manifests, the examples, the objects for Flux and Prometheus.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "manifests/conform.rs"]
mod conform;
#[path = "manifests/schemas.rs"]
mod schemas;
#[path = "manifests/score.rs"]
mod score;

use common::Result;
use common::helm::{Helm, NAME, chart};
use common::kustomize::{in_repository, texts};
use serde_json::Value;
use std::path::Path;

/// A name, and YAML with any number of documents.
type Source = (String, String);

/// The chart: as it comes, with rights in one namespace, and with all that it can make.
async fn renderings() -> Result<Vec<Source>> {
    let (helm, chart) = (Helm::new().await?, chart());
    let everything = in_repository("tests/helm/everything.yaml").to_string_lossy().into_owned();
    let renderings: [(&str, &[&str]); 3] = [
        ("defaults", &[]),
        ("scoped", &["--set", "scopedRBAC=true,scopedNamespace=default"]),
        ("everything", &["--values", &everything]),
    ];
    let render = |(name, more): &(&str, &[&str])| {
        Ok((format!("the chart, {name}"), helm.run(&[&["template", NAME, &chart], *more].concat())?))
    };
    renderings.iter().map(render).collect()
}

fn install_yaml() -> Result<Source> {
    let file = "deploy/install.yaml";
    Ok((file.to_owned(), std::fs::read_to_string(in_repository(file))?))
}

/// Files that are applied as they stand.
fn files() -> Result<Vec<Source>> {
    let mut all = vec![install_yaml()?];
    // By their kustomizations, whose own kind is kustomize's and no API server's.
    for folder in ["cluster", "operator", "stores", "secrets"] {
        let folder = format!("deploy/flux/{folder}");
        all.push((folder.clone(), texts(&in_repository(&folder))?.join("\n---\n")));
    }
    let alerts = in_repository("deploy/observability/prometheus-rule.yaml");
    all.push(("prometheus-rule.yaml".to_owned(), std::fs::read_to_string(alerts)?));
    examples(&in_repository("examples"), &mut all)?;
    Ok(all)
}

fn examples(folder: &Path, all: &mut Vec<Source>) -> Result {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            examples(&path, all)?;
        } else {
            all.push((path.display().to_string(), std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// The documents of a text that hold something.
fn documents(text: &str) -> Result<Vec<Value>> {
    let all = serde_saphyr::from_multiple::<Value>(text)?;
    Ok(all.into_iter().filter(|document| !document.is_null()).collect())
}
