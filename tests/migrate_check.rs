//! `external-secrets migrate check` on manifests and on a cluster; and its verdicts held against what the API server refuses
//! and the running operator says, so that no rule of it can go stale.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::condition;
use common::operator::binary;
use common::place::CREDENTIALS;
use common::{Operator, Place, Result, SOON, doc, eso};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use testbed::{Guard, Kube, Method, wait_until};

struct Told {
    code: Option<i32>,
    text: String,
    complaint: String,
}

/// Runs the check, with this on standard input.
fn check(args: &[&str], input: &str, kubeconfig: &Path) -> Result<Told> {
    let mut command = binary(&["migrate", "check"]);
    command.args(args).env("KUBECONFIG", kubeconfig);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().unwrap().write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = |bytes| String::from_utf8(bytes).map_err(|error| error.to_string());
    Ok(Told { code: output.status.code(), text: text(output.stdout)?, complaint: text(output.stderr)? })
}

const GOOD: &str = "
apiVersion: external-secrets.io/v1beta1
kind: SecretStore
metadata: {name: vault, namespace: team}
spec: {provider: {vault: {server: 'http://vault:8200', path: kv, auth: {tokenSecretRef: {name: t, key: t}}}}}
---
apiVersion: v1
kind: List
items:
- apiVersion: external-secrets.io/v1
  kind: ExternalSecret
  metadata: {name: db, namespace: team}
  spec: {secretStoreRef: {name: vault}, data: [{secretKey: a, remoteRef: {key: db, property: a}}]}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: other}}
";

const BAD: &str = "
apiVersion: external-secrets.io/v1alpha1
kind: PushSecret
metadata: {name: push}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: typo, namespace: team}
spec: {secretStoreRef: {name: vault}, refreshIntervall: 1h, data: [{secretKey: a, remoteRef: {key: db, property: a}}]}
";

#[test]
fn manifests_are_judged_from_files_folders_and_standard_input() -> Result {
    let guard = Guard::new()?;
    let nowhere = Path::new("/dev/null");
    let folder = guard.dir().join("manifests/below");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("good.yaml"), GOOD)?;
    std::fs::write(folder.join("notes.txt"), "{{ no: YAML")?;
    let all = guard.dir().join("manifests").to_string_lossy().into_owned();

    let good = check(&["-f", &all], "", nowhere)?;
    let wanted = "\
KIND             NAMESPACE   NAME    VERDICT   WHY
SecretStore      team        vault   works
ExternalSecret   team        db      works

2 objects: 2 as with External Secrets Operator, 0 with a difference, 0 to edit first, 0 not served
";
    assert_eq!((good.code, good.text.as_str(), good.complaint.as_str()), (Some(0), wanted, ""));

    let both = check(&["-f", &all, "-f", "-", "-n", "other"], BAD, nowhere)?;
    assert_eq!(both.code, Some(1), "{}", both.text);
    for line in [
        "PushSecret       other       push    not-served   external-secrets-rs writes nothing to Vault",
        "ExternalSecret   team        typo    needs-edit   spec.refreshIntervall is no field that external-secrets-rs knows",
        "4 objects: 2 as with External Secrets Operator, 0 with a difference, 1 to edit first, 1 not served",
    ] {
        assert!(both.text.contains(line), "{line}\n{}", both.text);
    }

    let examples = check(&["-f", concat!(env!("CARGO_MANIFEST_DIR"), "/examples")], "", nowhere)?;
    assert_eq!(examples.code, Some(0), "{}", examples.text);
    let dump = vec![BAD; 2000].join("---\n");
    let told = check(&["-f", "-"], &dump, nowhere)?;
    assert!(told.text.contains("\n4000 objects: "), "{}", told.complaint);

    let json: Value = serde_json::from_str(&check(&["-f", "-", "-o", "json"], BAD, nowhere)?.text)?;
    assert_eq!(json["summary"], json!({"works": 0, "differs": 0, "needs-edit": 1, "not-served": 1}));
    assert_eq!(json["objects"][1]["verdict"], "needs-edit");
    assert_eq!(json["objects"][1]["apiVersion"], "external-secrets.io/v1");

    Ok(())
}

#[test]
fn what_can_not_be_read_is_told_without_its_text() -> Result {
    let nowhere = Path::new("/dev/null");
    for (args, input, words) in [
        (vec!["-f", "-"], "a: {{ hvs.hidden }}: b\n", "standard input is not YAML (line 1"),
        (vec!["-f", "-"], "kind: ConfigMap", "no object of External Secrets Operator"),
        (vec!["-f", "absent.yaml"], "", "could not read absent.yaml"),
        (vec!["-A"], "", "no Kubernetes cluster to talk to"),
    ] {
        let told = check(&args, input, nowhere)?;
        assert_eq!(told.code, Some(2), "{args:?} {}", told.complaint);
        assert!(told.complaint.contains(words) && !told.complaint.contains("hidden"), "{args:?}: {}", told.complaint);
    }
    Ok(())
}

/// Kinds of ESO's that aren't served, without their schemas.
async fn other_kinds(kube: &Kube) -> Result {
    for (group, version, kind, plural, scope) in [
        ("external-secrets.io", "v1alpha1", "PushSecret", "pushsecrets", "Namespaced"),
        ("external-secrets.io", "v1", "ClusterExternalSecret", "clusterexternalsecrets", "Cluster"),
        ("generators.external-secrets.io", "v1alpha1", "Password", "passwords", "Namespaced"),
    ] {
        let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {"group": group, "scope": scope, "names": {"kind": kind, "plural": plural},
                "versions": [{"name": version, "served": true, "storage": true, "schema": schema}]},
        });
        kube.apply(&crd.to_string(), "default").await?;
        let object = json!({"apiVersion": format!("{group}/{version}"), "kind": kind, "metadata": {"name": "one"}});
        wait_until(kind, SOON, async || kube.apply(&object.to_string(), "default").await).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cluster_of_esos_is_judged_and_a_lost_webhook_told() -> Result {
    let (running, place) = eso::place("check", false).await?;
    let kube = place.stack.kube();
    other_kinds(kube).await?;
    let mut aws = place.store("aws");
    aws["spec"]["provider"] = json!({"aws": {"service": "SecretsManager", "region": "eu"}});
    let entry = json!([{"secretKey": "v", "remoteRef": {"key": place.key("db"), "property": "v"}}]);
    let external = common::External::new("db", entry.as_array().unwrap().clone());
    let of_aws = external.clone().from_store("aws").with("/metadata", "name", json!("of-aws"));
    place.apply([place.store("vault"), aws, external.into(), of_aws.into()]).await?;

    let told = check(&["-n", place.name()], "", kube.kubeconfig())?;
    assert_eq!(told.code, Some(1), "{}{}", told.text, told.complaint);
    let rows: Vec<Vec<&str>> = told.text.lines().map(|line| line.split_whitespace().take(4).collect()).collect();
    let space = place.name();
    for row in [
        ["SecretStore", space, "vault", "works"],
        ["SecretStore", space, "aws", "not-served"],
        ["ExternalSecret", space, "db", "works"],
        ["ExternalSecret", space, "of-aws", "not-served"],
        ["ClusterExternalSecret", "-", "one", "not-served"],
    ] {
        assert!(rows.iter().any(|found| found.as_slice() == row), "{row:?}\n{}", told.text);
    }
    assert!(!told.text.contains("PushSecret"), "that is in another namespace: {}", told.text);
    let all = check(&["-A"], "", kube.kubeconfig())?.text;
    assert!(all.contains("PushSecret") && all.contains("Password"), "{all}");

    a_lost_webhook_is_told(&place).await?;
    drop(running);
    Ok(())
}

async fn a_lost_webhook_is_told(place: &Place) -> Result {
    let kube = place.stack.kube();
    // As ESO 0.16 and older leave it, once its webhook is gone: objects that are stored as v1beta1 can't be read as v1.
    let told = wait_until("the webhook to be missed", SOON, async || {
        let told = without_webhook(place, kube).await.map_err(|error| error.to_string())?;
        if told.code == Some(2) { Ok(told) } else { Err(told.text) }
    })
    .await?;
    let (_, advice) = told.complaint.trim_end().split_once("take that out: ").ok_or(told.complaint.clone())?;
    assert!(told.complaint.contains("could not list externalsecrets.external-secrets.io"), "{}", told.complaint);
    let doc = doc::Doc::read()?;
    assert!(doc.all().iter().any(|command| command == advice), "docs/migrating.md has it too: {advice}");
    doc::kubectl(&place.client, advice).await?;
    wait_until("the cluster to be judged again", SOON, async || {
        let told = check(&["-A"], "", kube.kubeconfig()).map_err(|error| error.to_string())?;
        if told.code == Some(1) { Ok(()) } else { Err(told.complaint) }
    })
    .await?;
    Ok(())
}

/// Stores an object as v1beta1, and then has the CRD ask a webhook that is not there. The API server takes a change of a CRD when it
/// comes to it, so this may need more than one try.
async fn without_webhook(place: &Place, kube: &Kube) -> Result<Told> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/externalsecrets.external-secrets.io";
    let service = json!({"name": "external-secrets-webhook", "namespace": "external-secrets", "path": "/convert"});
    let webhook = json!({"strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"], "clientConfig": {"service": service}}});
    for (stored, conversion) in [("v1beta1", json!({"strategy": "None"})), ("v1", webhook)] {
        let mut crd = kube.request(Method::GET, path, None).await?;
        let mut beta = crd["spec"]["versions"][0].clone();
        beta["name"] = json!("v1beta1");
        beta["served"] = json!(false);
        beta["storage"] = json!(stored == "v1beta1");
        crd["spec"]["versions"][0]["storage"] = json!(stored == "v1");
        crd["spec"]["versions"] = json!([crd["spec"]["versions"][0], beta]);
        crd["spec"]["conversion"] = conversion;
        kube.request(Method::PUT, path, Some(crd)).await?;
        if stored == "v1beta1" {
            place
                .apply([common::External::new("late", vec![json!({"secretKey": "v", "remoteRef": {"key": "db"}})])
                    .annotated("at", &format!("{:?}", std::time::Instant::now()))
                    .into()])
                .await?;
        }
    }
    check(&["-A"], "", kube.kubeconfig())
}

/// Each is judged by the check, offered to an API server with our CRDs, and where that takes it, left to the operator.
fn corpus(place: &Place) -> Vec<Value> {
    let good = place.store("good")["spec"]["provider"]["vault"].clone();
    let store = |name: &str, field: &str, value: Value| {
        let mut store = place.store(name);
        let mut vault = good.clone();
        vault[field] = value;
        store["spec"]["provider"] = json!({"vault": vault});
        store
    };
    let auth = |name: &str, auth: Value| store(name, "auth", auth);
    let secret = json!({"name": "approle", "key": "secretID"});
    let mut aws = place.store("aws");
    aws["spec"]["provider"] = json!({"aws": {"service": "SecretsManager", "region": "eu"}});
    let interval = |name: &str, interval: Value| {
        let mut store = place.store(name);
        store["spec"]["refreshInterval"] = interval;
        store
    };
    let stores = [
        interval("text", json!("5m")),
        interval("seconds", json!(300)),
        interval("often", json!("often")),
        interval("negative", json!(-1)),
        place.store("good"),
        aws,
        auth("iam", json!({"iam": {"vaultRole": "r"}})),
        auth("gcp", json!({"gcp": {"role": "r", "projectID": "p"}})),
        auth("own-token", json!({"kubernetes": {"role": "r", "mountPath": "kubernetes"}})),
        auth("two", json!({"tokenSecretRef": secret, "userPass": {"username": "u", "secretRef": secret}})),
        auth("no-role", json!({"appRole": {"path": "approle", "secretRef": secret}})),
        auth("foreign", json!({"tokenSecretRef": {"name": "t", "key": "k", "namespace": "kube-system"}})),
        auth("none", json!(null)),
        store("server", "server", json!("vault:8200")),
        store("ca", "caBundle", json!("no base64!")),
        store("half", "tls", json!({"certSecretRef": secret})),
    ];
    stores.into_iter().chain(externals(place)).collect()
}

fn externals(place: &Place) -> Vec<Value> {
    let external = |name: &str| place.external(name, &[("v", "db#v")]).from_store("good");
    let remote = |remote: Value| json!([{"secretKey": "v", "remoteRef": remote}]);
    let key = place.key("db");
    let texts = json!({"secret": {"name": "texts", "items": [{"key": "v"}]}});
    let all = [
        external("plain"),
        external("whole").with("/spec", "data", remote(json!({"key": key}))),
        external("zero").every("0"),
        external("policy").with("/spec", "target", json!({"deletionPolicy": "Delete"})),
        external("of-aws").from_store("aws"),
        external("manifest").with("/spec", "target", json!({"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}})),
        external("generator").with(
            "/spec",
            "dataFrom",
            json!([{"sourceRef": {"generatorRef": {"kind": "Password", "name": "p"}}}]),
        ),
        external("version").with("/spec", "data", remote(json!({"key": key, "version": "latest"}))),
        external("typo").with("/spec", "refreshIntervall", json!("1h")),
        external("both").with("/spec/data/0", "remoteRef", json!({"key": key})),
        external("badkey").with("/spec/data/0", "secretKey", json!("a/b")),
        external("engine").with("/spec", "target", json!({"template": {"engineVersion": "v1"}})),
        external("function").with("/spec", "target", json!({"template": {"data": {"a": "{{ .v | nope }}"}}})),
        external("type").with("/spec", "target", json!({"template": {"type": "kubernetes.io/service-account-token"}})),
        external("nulls").with("/spec", "dataFrom", json!(null)).with("/spec", "target", json!(null)),
        external("twice").with(
            "/spec",
            "data",
            json!([{"secretKey": "v", "remoteRef": {"key": key}}, {"secretKey": "v", "remoteRef": {"key": key}}]),
        ),
        external("nothing").with("/spec", "data", json!([])),
        external("window").with(
            "/spec",
            "syncWindows",
            json!({"kind": "allow", "windows": [{"schedule": "0 99 * * *", "duration": "1h"}]}),
        ),
        external("regexp").with(
            "/spec",
            "dataFrom",
            json!([{"extract": {"key": key}, "rewrite": [{"regexp": {"source": "(?<!a)b", "target": ""}}]}]),
        ),
        external("credential").target(CREDENTIALS),
        external("reader").with("/spec", "target", json!({"template": {"templateFrom": [texts]}})),
        external("texts").target("texts"),
        external("find").with("/spec", "dataFrom", json!([{"find": {"name": {"regexp": "("}}}])),
    ];
    all.map(Value::from).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn verdicts_are_those_of_the_api_server_and_the_operator() -> Result {
    let (place, _operator): (Place, Operator) = Place::with_operator("verdicts").await?;
    place.write("db", json!({"v": "one"})).await?;
    place.apply([common::place::secret("texts", &[("v", "{{ .v }}")])]).await?;
    let corpus = corpus(&place);
    let text = json!({"kind": "List", "items": corpus}).to_string();
    let told = check(&["-f", "-", "-o", "json", "-n", place.name()], &text, Path::new("/dev/null"))?;
    let told: Value = serde_json::from_str(&told.text)?;
    for (object, judged) in corpus.iter().zip(told["objects"].as_array().unwrap()) {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        assert_eq!(judged["name"], name);
        let plural = if kind == "SecretStore" { "secretstores" } else { "externalsecrets" };
        let path = format!("/apis/external-secrets.io/v1/namespaces/{}/{plural}", place.name());
        let strict = format!("{path}?fieldValidation=Strict");
        let is_fine = ["works", "differs"].contains(&judged["verdict"].as_str().unwrap());
        if let Err(refused) = place.stack.kube().request(Method::POST, &strict, Some(object.clone())).await {
            assert_eq!(judged["verdict"], "needs-edit", "{name}: {judged}\n{refused}");
            continue;
        }
        let path = format!("{path}/{name}");
        let what = format!("{kind} {name} to be told as {judged}");
        wait_until(&what, SOON, async || {
            let object = place.stack.kube().request(Method::GET, &path, None).await;
            let status = object.map_err(|error| error.to_string())?["status"].clone();
            let is_stalled = condition(&status, "Stalled")["reason"] == "InvalidSpec";
            let is_ready = condition(&status, "Ready")["status"] == "True";
            if is_fine == is_ready && is_fine != is_stalled { Ok(()) } else { Err(status.to_string()) }
        })
        .await?;
    }
    Ok(())
}
