//! values.schema.json: it knows every key of values.yaml, and refuses one that is none of ours, at every level.

use crate::common::Result;
use crate::common::helm::{Helm, folder};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// Levels whose keys are Kubernetes' or people's own, each with whose.
const THEIRS: &[(&str, &str)] = &[
    ("global", "Helm shares it with every chart of an umbrella chart"),
    ("podSecurityContext.seccompProfile", "Kubernetes'"),
    ("securityContext.capabilities", "Kubernetes'"),
    ("securityContext.seccompProfile", "Kubernetes'"),
    ("resources.requests", "names of resources, also those of devices"),
    ("resources.limits", "names of resources, also those of devices"),
];

fn read(file: &str) -> Result<Value> {
    Ok(serde_saphyr::from_str(&std::fs::read_to_string(folder().join(file))?)?)
}

/// The schema of a place, references followed.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(to) => root.pointer(to.trim_start_matches('#')).unwrap_or_else(|| panic!("{to} leads nowhere")),
        None => schema,
    }
}

/// Visits each map of values.yaml that has keys, with the schema of it.
fn levels<'a>(
    root: &'a Value,
    schema: &'a Value,
    values: &'a Value,
    path: &str,
    found: &mut Vec<(String, &'a Value, &'a Value)>,
) {
    let Some(map) = values.as_object().filter(|map| !map.is_empty()) else { return };
    let schema = resolved(root, schema);
    found.push((path.to_owned(), schema, values));
    for (key, value) in map {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        levels(root, &schema["properties"][key], value, &path, found);
    }
}

fn is_theirs(path: &str) -> bool {
    THEIRS.iter().any(|(theirs, _)| *theirs == path)
}

#[test]
fn it_knows_every_key() -> Result {
    let (schema, values) = (read("values.schema.json")?, read("values.yaml")?);
    let mut found = Vec::new();
    levels(&schema, &schema, &values, "", &mut found);
    for (path, schema, values) in &found {
        for key in values.as_object().unwrap().keys() {
            let is_known = schema["properties"][key].is_object() || is_theirs(path);
            assert!(is_known, "the schema does not know {key} of {path:?}");
        }
    }
    for (path, _) in THEIRS {
        assert!(found.iter().any(|(level, ..)| level == path), "{path} is no level any more: take it off the list");
    }
    Ok(())
}

#[tokio::test]
async fn it_refuses_an_unknown_key_at_every_level() -> Result {
    let (schema, values, helm) = (read("values.schema.json")?, read("values.yaml")?, Helm::new().await?);
    let mut found = Vec::new();
    levels(&schema, &schema, &values, "", &mut found);
    // Those that are empty in values.yaml, and ours.
    let more = ["extraArgs", "strategy", "affinity", "global.affinity"].map(str::to_owned);
    let levels: Vec<String> =
        found.iter().map(|(path, ..)| path.clone()).filter(|path| !is_theirs(path)).chain(more).collect();
    assert!(levels.len() > 25, "{levels:?}");
    for level in levels {
        let key = if level.is_empty() { "noSuchKey".to_owned() } else { format!("{level}.noSuchKey") };
        let refused = helm.template(&["--set", &format!("{key}=1")]).expect_err(&key).to_string();
        assert!(refused.contains("noSuchKey"), "{key}: {refused}");
    }
    helm.template(&["--set", "crds.enabled=false,global.imageRegistry=registry.example.com"])?;
    Ok(())
}

/// What people get wrong, and what the refusal names.
const REFUSED: &[(&str, &str)] = &[
    ("replicaCuont=1", "replicaCuont"),
    ("log.level=loud", "log"),
    ("leaderElect=false,replicaCount=2", "set leaderElect to true"),
    ("metrics.listen.secure.enabled=true", "secure"),
    ("image.repository=ghcr.io/external-secrets/external-secrets", "image.repository"),
    ("image.repository=registry.example.com/mirror/external-secrets", "image.repository"),
    ("image.repository=", "repository"),
    ("image.tag=20240101", "tag"),
    ("image.digest=abc", "digest"),
    ("extraArgs.deletion-break=1", "deletion-break"),
    ("extraArgs.concurrent=1", "set concurrent instead"),
    ("extraArgs.metrics-addr=:1", "set metrics.listen.port instead"),
    ("nodeSelector.a=true", "nodeSelector"),
    ("podLabels.a=1", "podLabels"),
    ("dnsPolicy=foo", "dnsPolicy"),
    ("metrics.listen.port=0", "port"),
    ("metrics.listen.port=99999", "port"),
    ("metrics.listen.port=8082", "are both 8082"),
    ("serviceMonitor.interval=soon", "interval"),
    ("storeRequeueInterval=5 min", "storeRequeueInterval"),
    ("scopedNamespace=a_b", "scopedNamespace"),
    ("imagePullSecrets[0]=regcred", "imagePullSecrets"),
    ("extraEnv[0].FOO=bar", "name"),
    ("tolerations[0]=x", "tolerations"),
    ("processClusterStore=false", "scopedRBAC"),
    ("processSecretStore=false", "processSecretStore"),
    ("serviceAccount.create=false", "set serviceAccount.name"),
    ("livenessProbe.spec.address=127.0.0.1", "address"),
    ("readinessProbe.spec.httpGet.port=9001", "set livenessProbe.spec.port"),
];

#[tokio::test]
async fn a_mistake_is_refused_by_name() -> Result {
    let helm = Helm::new().await?;
    for (value, word) in REFUSED {
        let refused = helm.template(&["--set", value]).expect_err(value).to_string();
        assert!(refused.contains(word), "{value}: {refused}");
    }
    // As text, which --set makes of no number.
    let refused =
        helm.template(&["--set-string", "livenessProbe.spec.httpGet.port=9001"]).expect_err("a text").to_string();
    assert!(refused.contains("port"), "{refused}");
    Ok(())
}

/// Else a pod would end at a flag that is none, or that is there twice.
#[test]
fn extra_args_are_the_operators_flags() -> Result {
    let help = Command::new(env!("CARGO_BIN_EXE_external-secrets")).args(["run", "--help"]).output()?;
    let help = String::from_utf8(help.stdout)?;
    let word = |line: &str| {
        let flag =
            line.trim_start().trim_start_matches("-h, ").trim_start_matches("-V, ").strip_prefix("--")?.to_owned();
        Some(flag.split([' ', '[', '=']).next()?.to_owned())
    };
    let mut flags: BTreeSet<String> = help.lines().filter_map(word).collect();
    assert!(flags.remove("help") && flags.remove("version"), "{flags:?}");
    // Only of a build with traces: `tests/traces.rs` starts one with it.
    flags.insert("otlp-endpoint".to_owned());
    let of_chart = read("files/flags.yaml")?;
    let of_chart: BTreeSet<String> = of_chart.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        of_chart.difference(&flags).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "files/flags.yaml has other flags"
    );
    let ignored = read("files/ignored-values.yaml")?;
    let ignored =
        ignored.as_object().unwrap().keys().filter_map(|path| path.strip_prefix("extraArgs.")).map(str::to_owned);
    let schema = read("values.schema.json")?;
    let known: BTreeSet<String> =
        schema["properties"]["extraArgs"]["properties"].as_object().unwrap().keys().cloned().collect();
    let ignored: BTreeSet<String> = ignored.collect();
    assert!(flags.is_disjoint(&ignored), "a flag of ours is ignored");
    assert_eq!(known, flags.union(&ignored).cloned().collect());
    Ok(())
}
