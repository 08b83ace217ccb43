//! The files in crds/ are what the types say, and they lack nothing that ESO's have. No cluster is needed.
//!
//! `WRITE_CRDS=1 cargo test --test crds` (that is `make crds`) writes the files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use external_secrets_rs::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use std::{collections::BTreeSet, path::Path};

const ESO_FIELDS: &str = include_str!("crds/eso-2.9-fields.txt");

#[test]
fn files_are_as_generated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/helm/external-secrets-rs/files/crds");
    let files = api::render(&api::all()).unwrap();
    if std::env::var_os("WRITE_CRDS").is_some() {
        for (name, text) in &files {
            std::fs::write(folder.join(name), text).unwrap();
            std::fs::write(chart.join(name), text).unwrap();
        }
    }
    for (name, text) in &files {
        let found = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        // Not assert_eq!, which would print both files.
        assert!(found == *text, "crds/{name} is not what `external-secrets crds` prints: run `make crds`");
    }
    for (name, text) in &files {
        let found = std::fs::read_to_string(chart.join(name)).unwrap_or_default();
        assert!(found == *text, "the chart's copy of crds/{name} is another: run `make crds`");
    }
    let generated: BTreeSet<_> = files.into_keys().collect();
    assert_eq!(names_in(&chart), generated, "the chart's files/crds holds other files");
    let listed: BTreeSet<_> = generated.into_iter().chain(["kustomization.yaml".to_owned()]).collect();
    assert_eq!(names_in(&folder), listed, "crds/ holds other files");
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn no_field_of_esos_is_pruned() {
    let ours: BTreeSet<String> = api::all()
        .iter()
        .flat_map(|crd| {
            let schema =
                crd.spec.versions.first().unwrap().schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            let mut paths = BTreeSet::new();
            collect(schema, "", &mut paths);
            let plural = crd.spec.names.plural.clone();
            paths.into_iter().map(move |path| format!("{plural} {path}"))
        })
        .collect();
    let mut checked = 0;
    for line in ESO_FIELDS.lines().filter(|line| !line.starts_with('#')) {
        assert!(ours.contains(line), "our schema lacks {line}");
        if let Some(path) = line.strip_prefix("secretstores ") {
            assert!(ours.contains(&format!("clustersecretstores {path}")), "our ClusterSecretStore lacks {path}");
        }
        checked += 1;
    }
    assert!(checked > 250, "the list of fields is cut short: {checked}");
}

fn collect(schema: &JSONSchemaProps, path: &str, paths: &mut BTreeSet<String>) {
    paths.insert(path.to_owned());
    for (name, property) in schema.properties.iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(property, &path, paths);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect(items, &format!("{path}[]"), paths);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        collect(values, &format!("{path}{{}}"), paths);
    }
}
