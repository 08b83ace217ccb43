//! `docs/migrating.md` from its first command to its last, with real Helm. A small chart stands in for ESO's: CRDs as templates with
//! `crds.annotations`, and its Deployment.

use crate::common::doc::{Doc, kubectl, words};
use crate::common::operator::binary;
use crate::common::{External, Operator, Place, Result, SOON, eso};
use crate::state;
use external_secrets_rs::api::ExternalSecret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use testbed::{Binaries, Guard, KvVersion, Proxy, Running, SHARED_KV, Tool, wait_until};

struct Cluster {
    place: Place,
    helm: PathBuf,
    files: Guard,
    doc: Doc,
    running: Running,
}

/// A cluster without CRDs, and ESO's stand-in installed in it.
async fn cluster(hint: &str) -> Result<Cluster> {
    let files = Guard::new()?;
    let helm = Binaries::tool(&files, Tool::Helm).await?;
    let guard = Guard::new()?;
    let binaries = Binaries::get(&guard, true).await?;
    let running = Running::start(guard, &binaries).await?;
    let stack = running.stack().clone();
    let client = eso::client(&stack).await?;
    let namespace = stack.namespace(hint).await?;
    let paths = [format!("{SHARED_KV}/data/{}/*", namespace.name()), format!("{}/*", namespace.name())];
    let role = namespace.reader(&[&paths[0], &paths[1]], json!({})).await?;
    let proxy = Proxy::start(stack.vault().addr()).await?;
    let kv = stack.vault().kv(SHARED_KV, KvVersion::V2);
    let place = Place { stack, namespace, client, kv, role, proxy };
    chart(&files, eso::crds())?;
    let cluster = Cluster { place, helm, files, doc: Doc::read()?, running };
    cluster.run("helm install external-secrets external-secrets/external-secrets --namespace external-secrets --create-namespace").await?;
    eso::served(&cluster.place.client).await?;
    Ok(cluster)
}

fn chart(files: &Guard, crds: Vec<Value>) -> Result {
    let folder = files.dir().join("chart");
    std::fs::create_dir_all(folder.join("templates"))?;
    std::fs::write(folder.join("Chart.yaml"), "{apiVersion: v2, name: external-secrets, version: 2.9.0}")?;
    std::fs::write(folder.join("values.yaml"), "{crds: {annotations: {}}}")?;
    for mut crd in crds {
        let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
        crd["metadata"] = json!({"name": name, "annotations": "ANNOTATIONS"});
        let text = crd.to_string().replace("{{", "{ {").replace("}}", "} }");
        let text = text.replace("\"ANNOTATIONS\"", "{{ .Values.crds.annotations | toJson }}");
        std::fs::write(folder.join(format!("templates/{name}.yaml")), text)?;
    }
    let labels = json!({"app": "eso"});
    let container = json!({"name": "eso", "image": "none"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "external-secrets"},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    });
    std::fs::write(folder.join("templates/deployment.yaml"), serde_json::to_string_pretty(&deployment)?)?;
    Ok(())
}

impl Cluster {
    /// Runs a command as it stands in the document; ESO's chart is the stand-in.
    async fn run(&self, command: &str) -> Result<String> {
        let words = words(command);
        let mut process = match words[0].as_str() {
            "helm" => {
                let mut process = Command::new(&self.helm);
                for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
                    process.env(name, self.files.dir().join("helm"));
                }
                process
            }
            "external-secrets" => binary(&[]),
            _ => {
                kubectl(&self.place.client, command).await.map_err(|error| format!("{command}: {error}"))?;
                return Ok(String::new());
            }
        };
        let stand_in = self.files.dir().join("chart").to_string_lossy().into_owned();
        let root = env!("CARGO_MANIFEST_DIR");
        process.args(words[1..].iter().map(|word| match word.as_str() {
            "external-secrets/external-secrets" => stand_in.as_str(),
            word => word,
        }));
        let output = process.current_dir(root).env("KUBECONFIG", self.place.stack.kube().kubeconfig()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!("{command}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    async fn section(&self, heading: &str) -> Result {
        for command in self.doc.section(heading) {
            self.run(command).await?;
        }
        Ok(())
    }

    /// An ExternalSecret and its Secret, as ESO leaves them.
    async fn synced(&self) -> Result {
        let place = &self.place;
        place.apply([place.credentials(), place.store("vault")]).await?;
        place.write("db", json!({"v": "one"})).await?;
        let entry = json!({"secretKey": "v", "remoteRef": {"key": place.key("db"), "property": "v"}});
        state::sync(place, External::new("db", vec![entry]), &[("v", "one")]).await
    }

    async fn replicas(&self, name: &str) -> Result<i32> {
        let api: Api<k8s_openapi::api::apps::v1::Deployment> = Api::namespaced(self.place.client.clone(), name);
        let found = api.get(name).await?;
        Ok(found.spec.and_then(|spec| spec.replicas).unwrap_or(1))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_followed_from_check_to_finish_and_back() -> Result {
    let cluster = cluster("helm").await?;
    let place = &cluster.place;
    cluster.synced().await?;
    let before = state::secrets(place).await?;
    cluster.section("1. Check").await?;
    cluster.section("2. Keep the CRDs").await?;
    cluster.section("3. Take over").await?;
    let kubeconfig =
        place.stack.kube().service_account_kubeconfig("external-secrets-rs", "external-secrets-rs").await?;
    let operator = Operator::start_with(&[], Some(&kubeconfig)).await?;
    operator.ready().await?;
    cluster.section("Verify").await?;
    cluster.section("Back out").await?;
    assert_eq!((cluster.replicas("external-secrets").await?, cluster.replicas("external-secrets-rs").await?), (1, 0));
    assert!(state::secrets(place).await? == before);

    finished(&cluster).await?;
    let found = place.api::<ExternalSecret>().list(&ListParams::default()).await?;
    assert_eq!(found.items.len(), 1, "they outlive ESO's chart");
    let crds: Api<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> =
        Api::all(place.client.clone());
    let crd = crds.get("externalsecrets.external-secrets.io").await?;
    assert_eq!(crd.annotations()["meta.helm.sh/release-name"], "external-secrets-rs");
    assert_eq!(crd.spec.versions.len(), 2, "it is ours");
    assert!(state::secrets(place).await? == before);
    place.write("db", json!({"v": "two"})).await?;
    place.patch::<ExternalSecret>("db", json!({"spec": {"refreshInterval": "2h"}})).await?;
    place.holds("db", &[("v", "two")]).await?;
    operator.stop()?;

    let left = state::secrets(place).await?;
    cluster.section("Back out after the finish").await?;
    let crd = crds.get("externalsecrets.external-secrets.io").await?;
    assert_eq!(crd.annotations()["meta.helm.sh/release-name"], "external-secrets");
    assert!(state::secrets(place).await? == left);
    cluster.run("helm uninstall external-secrets-rs --namespace external-secrets-rs").await?;
    state::is_as_eso_wants(place, "db").await?;
    assert!(state::secrets(place).await? == left);

    // What else the document has is run here for its form; what it does, `takeover.rs` shows.
    for command in cluster.doc.section("Namespace by namespace").iter().chain(cluster.doc.section("A namespace back")) {
        cluster.run(&command.replace("team-a", place.name())).await?;
    }
    Ok(())
}

/// ESO's chart goes; our chart takes the CRDs once no conversion webhook is left in them.
async fn finished(cluster: &Cluster) -> Result {
    let [uninstall, upgrade] = cluster.doc.section("4. Finish") else { panic!("two commands") };
    cluster.run(uninstall).await?;
    let service = json!({"name": "external-secrets-webhook", "namespace": "external-secrets", "path": "/convert"});
    let webhook = json!({"conversionReviewVersions": ["v1"], "clientConfig": {"service": service}});
    let patch = json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": webhook}}});
    let name = "clustersecretstores.external-secrets.io";
    cluster.run(&format!("kubectl patch crd {name} --type=merge -p '{patch}'")).await?;
    let refused = cluster.run(upgrade).await.expect_err("an upgrade over a conversion webhook").to_string();
    assert!(refused.contains("conversion"), "{refused}");
    for command in cluster.doc.section("1. Check").iter().filter(|command| command.starts_with("kubectl")) {
        cluster.run(command).await?;
    }
    cluster.run(upgrade).await?;
    Ok(())
}

/// Why step 2 is what it is: Helm does not look at the annotation in the cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_charts_annotation_everything_goes() -> Result {
    let cluster = cluster("gone").await?;
    let place = &cluster.place;
    cluster.synced().await?;
    let crds =
        "externalsecrets.external-secrets.io secretstores.external-secrets.io clustersecretstores.external-secrets.io";
    cluster.run(&format!("kubectl annotate crd {crds} helm.sh/resource-policy=keep")).await?;
    let objects = place.api::<ExternalSecret>();
    collector_knows_the_kind(place).await?;
    // ESO's controller takes its finalizer off while it is being uninstalled, or somebody does who finds the CRD hanging.
    place.patch::<ExternalSecret>("db", json!({"metadata": {"finalizers": null}})).await?;
    cluster.run("helm uninstall external-secrets --namespace external-secrets").await?;
    wait_until("the CRDs to go", SOON, async || match objects.get_opt("db").await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    collected(place, "db").await?;
    drop(cluster.running);
    Ok(())
}

/// The garbage collector looks for new kinds every half a minute only; before that it would spare what they own.
async fn collector_knows_the_kind(place: &Place) -> Result {
    let entry = json!({"secretKey": "v", "remoteRef": {"key": "probe", "property": "v"}});
    state::sync(place, External::new("probe", vec![entry]), &[("v", "one")]).await?;
    place.patch::<ExternalSecret>("probe", json!({"metadata": {"finalizers": null}})).await?;
    place.delete::<ExternalSecret>("probe").await?;
    collected(place, "probe").await
}

async fn collected(place: &Place, name: &str) -> Result {
    wait_until(&format!("the Secret {name} to be collected"), SOON * 6, async || match place.secret(name).await {
        Ok(None) => Ok(()),
        Ok(Some(secret)) => Err(format!("{:?}", secret.metadata.owner_references)),
        Err(error) => Err(error.to_string()),
    })
    .await?;
    Ok(())
}
