//! kube-score: good practice for pods, policies and services. What it finds is mended, or stands here with the reason why not.

use crate::common::Result;
use crate::{Source, install_yaml, renderings};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use testbed::{Binaries, Guard, Tool};

/// The oldest Kubernetes of the chart: what may be used, and what is deprecated.
const KUBERNETES: &str = "v1.33";

/// Checks beside those that it makes by itself.
const MORE: [&str; 2] = ["container-ports-check", "container-seccomp-profile"];

/// The first grade that is good.
const GOOD: u64 = 10;

/// A finding that stays: where, kind, check.
struct Ignored {
    sources: &'static [&'static str],
    kind: &'static str,
    check: &'static str,
    reason: &'static str,
}

const DEFAULTS: &[&str] = &["the chart, defaults", "the chart, scoped"];
const ALL_BUT_EVERYTHING: &[&str] = &["the chart, defaults", "the chart, scoped", "deploy/install.yaml"];

const IGNORED: &[Ignored] = &[
    Ignored {
        sources: ALL_BUT_EVERYTHING,
        kind: "Deployment",
        check: "pod-networkpolicy",
        reason: "who may reach whom is the cluster's to say: where Vault and the API server are is not known here; networkPolicy.enabled makes one",
    },
    Ignored {
        sources: ALL_BUT_EVERYTHING,
        kind: "Deployment",
        check: "container-resources",
        reason: "no CPU limit: a throttled operator renews its Lease too late and ends, and a first sync is a burst; memory is limited",
    },
    Ignored {
        sources: ALL_BUT_EVERYTHING,
        kind: "Deployment",
        check: "container-ephemeral-storage-request-and-limit",
        reason: "it writes no files, its root is read-only; only the log counts, which the kubelet rotates, and a limit would evict it for --loglevel=debug",
    },
    Ignored {
        sources: ALL_BUT_EVERYTHING,
        kind: "Deployment",
        check: "container-image-pull-policy",
        reason: "a tag of ours never moves, and a node that has the image can start the operator while the registry is away",
    },
    Ignored {
        sources: DEFAULTS,
        kind: "Pod",
        check: "container-resources",
        reason: "as the Deployment's: the test runs with the operator's resources",
    },
    Ignored {
        sources: DEFAULTS,
        kind: "Pod",
        check: "container-ephemeral-storage-request-and-limit",
        reason: "as the Deployment's",
    },
    Ignored { sources: DEFAULTS, kind: "Pod", check: "container-image-pull-policy", reason: "as the Deployment's" },
    Ignored {
        sources: &["the chart, defaults", "the chart, scoped", "the chart, everything"],
        kind: "Pod",
        check: "pod-networkpolicy",
        reason: "helm test's pod prints its version and ends: it listens nowhere and asks nobody",
    },
];

struct KubeScore {
    program: PathBuf,
    _home: Guard,
}

impl KubeScore {
    async fn new() -> Result<Self> {
        let home = Guard::new()?;
        Ok(Self { program: Binaries::tool(&home, Tool::KubeScore).await?, _home: home })
    }

    /// What is not good: kind, check, and what it says.
    fn findings(&self, text: &str) -> Result<Vec<(String, String, String)>> {
        let mut command = Command::new(&self.program);
        command.args(["score", "--output-format", "json", "--kubernetes-version", KUBERNETES]);
        command.args(MORE.iter().flat_map(|check| ["--enable-optional-test", check]));
        let mut child = command.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().expect("a pipe").write_all(text.as_bytes())?;
        let output = child.wait_with_output()?;
        let objects: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let mut found = Vec::new();
        for object in &objects {
            for check in object["checks"].as_array().into_iter().flatten() {
                let is_good = check["skipped"] == true || check["grade"].as_u64().expect("a grade") >= GOOD;
                if !is_good {
                    let kind = text(&object["type_meta"]["kind"]);
                    found.push((kind, text(&check["check"]["id"]), check["comments"].to_string()));
                }
            }
        }
        Ok(found)
    }
}

/// Those that it judges. It reads no CRDs' schemas, and is slow with them.
fn without_crds((name, text): Source) -> Source {
    let kept = text.split("\n---").filter(|document| !document.contains("\nkind: CustomResourceDefinition"));
    (name, kept.collect::<Vec<_>>().join("\n---"))
}

#[tokio::test]
async fn nothing_is_found_but_what_stays_for_a_reason() -> Result {
    let kube_score = KubeScore::new().await?;
    let sources = [renderings().await?, vec![install_yaml()?]].concat();
    let mut needed = BTreeSet::new();
    for (name, text) in sources.into_iter().map(without_crds) {
        for (kind, check, comments) in kube_score.findings(&text)? {
            let stays = IGNORED
                .iter()
                .position(|one| one.sources.contains(&name.as_str()) && one.kind == kind && one.check == check);
            let index = stays.unwrap_or_else(|| panic!("{name}: {kind}: {check}: {comments}"));
            if check == "container-resources" {
                let comments: Vec<Value> = serde_json::from_str(&comments)?;
                let all: Vec<&str> = comments.iter().filter_map(|one| one["summary"].as_str()).collect();
                assert_eq!(all, ["CPU limit is not set"], "{name}: {kind}: the reason is for that one only");
            }
            needed.insert((name.clone(), index));
        }
    }
    for (index, one) in IGNORED.iter().enumerate() {
        assert!(one.reason.len() > 10, "{}", one.check);
        for source in one.sources {
            let is_needed = needed.contains(&((*source).to_owned(), index));
            assert!(is_needed, "{source}: {} {} is not found any more: take it off the list", one.kind, one.check);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_pod_without_its_security_is_found() -> Result {
    let kube_score = KubeScore::new().await?;
    let (_, text) = without_crds(install_yaml()?);
    let loose = text.replace("readOnlyRootFilesystem: true", "privileged: true").replace(":0.1.0", ":latest");
    assert_ne!(loose, text);
    let found: BTreeSet<_> = kube_score.findings(&loose)?.into_iter().map(|(_, check, _)| check).collect();
    for check in [
        "container-security-context-readonlyrootfilesystem",
        "container-security-context-privileged",
        "container-image-tag",
    ] {
        assert!(found.contains(check), "{check} is not in {found:?}");
    }
    Ok(())
}
