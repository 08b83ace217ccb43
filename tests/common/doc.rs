//! Commands of `docs/migrating.md`, taken out of it and run. Helm is the real one; of kubectl, which is not needed for any test of
//! ours, the few subcommands that the document has are done here as kubectl does them.

use super::Result;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The document: commands by the heading that they stand under.
pub struct Doc(BTreeMap<String, Vec<String>>);

impl Doc {
    /// Reads every line of its `sh` blocks; one that ends in a backslash goes on.
    pub fn read() -> Result<Self> {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migrating.md"))?;
        let (mut sections, mut heading, mut is_code) = (BTreeMap::<String, Vec<String>>::new(), String::new(), false);
        for line in text.replace("\\\n", " ").lines() {
            match line {
                "```sh" => is_code = true,
                "```" => is_code = false,
                _ if is_code => {
                    let command = line.split("   #").next().unwrap_or_default();
                    let command = command.split_whitespace().collect::<Vec<_>>().join(" ");
                    sections.entry(heading.clone()).or_default().push(command);
                }
                _ if line.starts_with('#') => heading = line.trim_start_matches(['#', ' ']).to_owned(),
                _ => {}
            }
        }
        Ok(Self(sections))
    }

    /// Those under one heading.
    pub fn section(&self, heading: &str) -> &[String] {
        self.0.get(heading).unwrap_or_else(|| panic!("no commands under {heading:?}: {:?}", self.0.keys()))
    }

    /// Headings that have commands.
    pub fn headings(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// All.
    pub fn all(&self) -> Vec<String> {
        self.0.values().flatten().cloned().collect()
    }
}

/// Words as a shell splits them, as far as the document needs it: single quotes only.
pub fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (position, part) in command.split('\'').enumerate() {
        let mut pieces = if position % 2 == 0 { part.split(' ').collect() } else { vec![part] }.into_iter();
        words.last_mut().unwrap().push_str(pieces.next().unwrap_or_default());
        words.extend(pieces.map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Does what kubectl would.
pub async fn kubectl(client: &Client, command: &str) -> Result {
    let words = words(command);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let after = |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1)).copied();
    let api = |kind: &str| -> Api<DynamicObject> {
        let resource = resource(kind);
        match after("-n") {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        }
    };
    let params = PatchParams { field_manager: Some("kubectl".to_owned()), ..PatchParams::default() };
    let merge = async |kind: &str, name: &str, patch: Value| -> Result {
        match words.contains(&"--subresource=status") {
            true => api(kind).patch_status(name, &params, &Patch::Merge(patch)).await?,
            false => api(kind).patch(name, &params, &Patch::Merge(patch)).await?,
        };
        Ok(())
    };
    match words.as_slice() {
        ["kubectl", "get", kinds, ..] => {
            for kind in kinds.split(',') {
                api(kind).list(&ListParams::default()).await?;
            }
            Ok(())
        }
        ["kubectl", "patch", kind, name, ..] => {
            assert!(words.contains(&"--type=merge"), "{command}");
            let patch = serde_json::from_str(after("-p").ok_or("no patch")?)?;
            merge(kind, name, patch).await
        }
        ["kubectl", "annotate", "crd", rest @ ..] => {
            let (pairs, names): (Vec<&str>, Vec<&str>) = rest.iter().partition(|word| word.contains('='));
            let annotations: BTreeMap<&str, &str> = pairs.iter().filter_map(|pair| pair.split_once('=')).collect();
            for name in names {
                merge("crd", name, json!({"metadata": {"annotations": annotations}})).await?;
            }
            Ok(())
        }
        ["kubectl", "scale", "deployment", name, ..] => {
            let replicas = words.iter().find_map(|word| word.strip_prefix("--replicas=")).ok_or("no number")?;
            merge("deployment", name, json!({"spec": {"replicas": replicas.parse::<i32>()?}})).await
        }
        ["kubectl", "rollout", "restart", "deployment", name, ..] => {
            let annotations = json!({"kubectl.kubernetes.io/restartedAt": "now"});
            merge("deployment", name, json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})).await
        }
        _ => Err(format!("the test does not know how to run {command:?}").into()),
    }
}

fn resource(kind: &str) -> ApiResource {
    let (group, version, kind, plural) = match kind {
        "crd" => ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions"),
        "deployment" => ("apps", "v1", "Deployment", "deployments"),
        "secretstore" | "secretstores" => ("external-secrets.io", "v1", "SecretStore", "secretstores"),
        "clustersecretstores" => ("external-secrets.io", "v1", "ClusterSecretStore", "clustersecretstores"),
        "externalsecret" | "externalsecrets" => ("external-secrets.io", "v1", "ExternalSecret", "externalsecrets"),
        other => panic!("no such kind in the test: {other}"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}
