//! deploy/install.yaml is deploy/manifests in one file, and the API server takes it again and again.
//!
//! `WRITE_INSTALL=1 cargo test --test install_yaml` (that is `make install-yaml`) writes the file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "install_yaml/docs.rs"]
mod docs;

use common::kustomize::{built, documents, in_repository, sorted, texts};
use common::{Result, SOON};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use testbed::{Kube, Method, Stack, wait_until};

const FILE: &str = "deploy/install.yaml";
/// What the file says of itself.
const HEAD: &str = "\
# kubectl apply --server-side -f deploy/install.yaml
#
# All of deploy/manifests in one file, written by `make install-yaml`; don't edit it. The image is the one that
# `docker build -t external-secrets-rs:0.1.0 .` makes: no registry publishes one yet.
";
/// The order of the file: what others stand in or need comes first.
const ORDER: &[&str] = &[
    "Namespace",
    "CustomResourceDefinition",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Deployment",
];

fn manifests() -> PathBuf {
    in_repository("deploy/manifests")
}

fn rendered() -> Result<String> {
    let mut ranked = Vec::new();
    for text in texts(&manifests())? {
        let document: Value = serde_saphyr::from_str(&text)?;
        let rank = ORDER.iter().position(|kind| document["kind"] == *kind);
        ranked.push((rank.ok_or_else(|| format!("say in ORDER where a {} goes", document["kind"]))?, text));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    Ok(ranked.iter().fold(HEAD.to_owned(), |file, (_, text)| format!("{file}---\n{text}")))
}

fn file() -> Result<String> {
    Ok(std::fs::read_to_string(in_repository(FILE)).map_err(|error| format!("{FILE}: {error}"))?)
}

#[test]
fn the_file_is_as_rendered() -> Result {
    let rendered = rendered()?;
    if std::env::var_os("WRITE_INSTALL").is_some() {
        std::fs::write(in_repository(FILE), &rendered)?;
    }
    // Not assert_eq!, which would print both.
    assert!(file()? == rendered, "{FILE} is not what deploy/manifests says: run `make install-yaml`");
    Ok(())
}

/// By kubectl's own kustomize where it is installed, else by the list of files.
#[test]
fn it_holds_the_objects_of_the_kustomization() -> Result {
    let folder = manifests();
    let wanted = match built(&folder)? {
        Some(built) => built,
        None => documents(&folder)?,
    };
    let found = serde_saphyr::from_multiple::<Value>(&file()?)?;
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in sorted(found).iter().zip(sorted(wanted)) {
        assert!(*found == wanted, "{} {} is another object", wanted["kind"], wanted["metadata"]["name"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_api_server_takes_it_twice_and_changes_nothing_the_second_time() -> Result {
    let stack = Stack::from_env()?;
    let (kube, text) = (stack.kube(), file()?);
    kube.apply(&text, "default").await?;
    // Establishing a CRD writes its status, which must not pass for a change of ours.
    crds_are_served(kube).await?;
    let first = versions(&kube.apply(&text, "default").await?);
    let second = versions(&kube.apply(&text, "default").await?);
    assert_eq!(first.len(), serde_saphyr::from_multiple::<Value>(&text)?.len());
    assert_eq!(first, second);
    Ok(())
}

/// The version of each, none of which has the annotation of a client-side apply: that one holds the whole object and may hold
/// 256 KiB, which the CRDs come near.
fn versions(applied: &[Value]) -> BTreeMap<String, String> {
    let version = |object: &Value| {
        let metadata = &object["metadata"];
        let name = format!("{} {}", object["kind"], metadata["name"]);
        let annotation = &metadata["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
        assert!(annotation.is_null(), "{name} has kubectl's annotation");
        (name, metadata["resourceVersion"].as_str().expect("a version").to_owned())
    };
    applied.iter().map(version).collect()
}

async fn crds_are_served(kube: &Kube) -> Result {
    for plural in ["secretstores", "clustersecretstores", "externalsecrets"] {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.external-secrets.io");
        wait_until(&format!("CRD {plural} to be established"), SOON, async || {
            let crd = kube.request(Method::GET, &path, None).await.map_err(|error| error.to_string())?;
            let conditions = crd["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let is_served = conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True");
            if is_served { Ok(()) } else { Err(crd["status"].to_string()) }
        })
        .await?;
    }
    Ok(())
}
