//! kubeconform: no field that the API server does not know, no value of another type, no key twice.

use crate::common::{Result, crds, foreign};
use crate::{Source, documents, files, renderings, schemas};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use testbed::{Binaries, Guard, Stack, Tool};

/// kubeconform with schemas of its own.
struct Kubeconform {
    program: PathBuf,
    home: Guard,
}

/// What it says of one document.
#[derive(Debug)]
struct Verdict {
    is_valid: bool,
    /// Kind, name and what is wrong.
    about: String,
}

impl Kubeconform {
    /// Knows the kinds of these documents as the stack's API server does.
    async fn new(documents: &[Value]) -> Result<Self> {
        let (stack, home) = (Stack::from_env()?, Guard::new()?);
        crds::install(&crate::common::eso::client(&stack).await?).await?;
        foreign::install(stack.kube(), &foreign::FLUX).await?;
        foreign::install(stack.kube(), &foreign::MONITORING).await?;
        schemas::write(stack.kube(), home.dir(), &schemas::kinds(documents)).await?;
        Ok(Self { program: Binaries::tool(&home, Tool::Kubeconform).await?, home })
    }

    fn judge(&self, text: &str) -> Result<Vec<Verdict>> {
        let mut command = Command::new(&self.program);
        command.args(["-strict", "-verbose", "-output", "json", "-schema-location"]);
        command.arg(self.home.dir().join(schemas::FILE)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        child.stdin.take().expect("a pipe").write_all(text.as_bytes())?;
        let output = child.wait_with_output()?;
        let told: Value = serde_json::from_slice(&output.stdout)?;
        // A comment before the first `---` is an empty document.
        let all = told["resources"].as_array().expect("a list").iter().filter(|one| one["status"] != "");
        let verdicts = all.map(|one| Verdict {
            is_valid: one["status"] == "statusValid",
            about: format!("{} {}: {} {}", one["kind"], one["name"], one["status"], one["msg"]),
        });
        Ok(verdicts.collect())
    }
}

async fn sources() -> Result<(Vec<Source>, Kubeconform)> {
    let all = [renderings().await?, files()?].concat();
    let mut read = Vec::new();
    for (name, text) in &all {
        read.extend(documents(text).map_err(|error| format!("{name}: {error}"))?);
    }
    let kubeconform = Kubeconform::new(&read).await?;
    Ok((all, kubeconform))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_field_is_one_that_the_api_server_knows() -> Result {
    let (all, kubeconform) = sources().await?;
    let mut judged = 0;
    for (name, text) in &all {
        let verdicts = kubeconform.judge(text)?;
        assert_eq!(verdicts.len(), documents(text)?.len(), "{name}: {verdicts:#?}");
        let wrong: Vec<_> = verdicts.iter().filter(|verdict| !verdict.is_valid).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        judged += verdicts.len();
    }
    assert!(judged > 100, "{judged}");
    the_chart_makes_all_that_it_can(&all)
}

/// Else what the values file leaves out would be judged by nobody.
fn the_chart_makes_all_that_it_can(all: &[Source]) -> Result {
    let (_, everything) = all.iter().find(|(name, _)| name.ends_with("everything")).expect("that rendering");
    let templates = in_chart("templates")?.into_iter().chain(in_chart("templates/tests")?);
    for template in templates {
        assert!(everything.contains(&format!("# Source: external-secrets-rs/{template}")), "{template} makes nothing");
    }
    Ok(())
}

fn in_chart(folder: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(crate::common::helm::folder().join(folder))?;
    let names =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<_>>>()?;
    Ok(names.into_iter().filter(|name| name.ends_with(".yaml")).map(|name| format!("{folder}/{name}")).collect())
}

/// Deep places of some kinds, each with what must not stand there.
fn faults() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("Deployment", "/spec/replicas", json!("three")),
        ("Deployment", "/spec/template/spec/containers/0/securityContext/readOnlyRootFileSystem", json!(true)),
        ("Deployment", "/spec/template/spec/containers/0/livenessProbe/httpGet/prot", json!(1)),
        ("NetworkPolicy", "/spec/ingress/0/ports/0/prot", json!(1)),
        ("PodDisruptionBudget", "/spec/maxUnavailble", json!(1)),
        ("ServiceMonitor", "/spec/endpoints/0/intervall", json!("30s")),
        ("PrometheusRule", "/spec/groups/0/rules/0/fro", json!("1m")),
        ("ExternalSecret", "/spec/secretStoreRef/nmae", json!("vault")),
        ("SecretStore", "/spec/provider/vault/vesion", json!("v2")),
        ("ClusterSecretStore", "/spec/provider/vault/server", json!(1)),
        ("HelmRelease", "/spec/chartRef/nmae", json!("a")),
        ("OCIRepository", "/spec/ref/semvre", json!("a")),
        ("CustomResourceDefinition", "/spec/names/plurals", json!("a")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_field_is_refused() -> Result {
    let (all, kubeconform) = sources().await?;
    let mut read = Vec::new();
    for (_, text) in &all {
        read.extend(documents(text)?);
    }
    let mut seen = BTreeSet::new();
    // One of each kind is enough.
    read.retain(|document| seen.insert(document["kind"].to_string()));
    let mut wrong = Vec::new();
    for document in &read {
        for place in ["", "/metadata"] {
            wrong.push(with(document, &format!("{place}/noSuchField"), json!(true)));
        }
    }
    for (kind, pointer, value) in faults() {
        let document = read.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
        wrong.push(with(document, pointer, value));
    }
    let all: Vec<String> = wrong.iter().map(Value::to_string).collect();
    let verdicts = kubeconform.judge(&all.join("\n---\n"))?;
    assert_eq!(verdicts.len(), wrong.len());
    let taken: Vec<_> = verdicts.iter().filter(|verdict| verdict.is_valid).collect();
    assert!(taken.is_empty(), "{taken:#?}");
    let twice = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {team: a, team: b}}}";
    let verdicts = kubeconform.judge(twice)?;
    assert!(!verdicts[0].is_valid && verdicts[0].about.contains("team"), "{verdicts:?}");
    Ok(())
}

/// The document with this value at this place.
fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = document.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = changed.pointer_mut(parent).unwrap_or_else(|| panic!("{} has no {parent}", document["kind"]));
    parent.as_object_mut().expect("an object").insert(key.to_owned(), value);
    changed
}
