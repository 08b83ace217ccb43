//! deploy/flux: its kustomizations build, Flux's own CRDs take its objects, the chart takes the HelmRelease's values, and its stores
//! and ExternalSecrets work on a real API server and OpenBao, through a rotation of the store's credential.
//!
//! Flux's controllers do not run: what they would apply is applied here, and what they wait for is computed by kstatus's rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "flux/crds.rs"]
mod crds;

use common::kstatus::{Kstatus, kstatus};
use common::kustomize::{built, documents, in_repository, sorted};
use common::{HEALED, Operator, Place, Result, SOON, data_of};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use testbed::{Binaries, Guard, Kv, KvVersion, Method, Stack, Tool, wait_until};

/// In the order in which they depend on each other.
const FOLDERS: [&str; 4] = ["cluster", "operator", "stores", "secrets"];
const STORES: &str = "secretstores";
const EXTERNALS: &str = "externalsecrets";

fn folder(name: &str) -> PathBuf {
    in_repository("deploy/flux").join(name)
}

fn one(folder: &str, kind: &str) -> Value {
    let all = documents(&self::folder(folder)).unwrap();
    all.into_iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("{folder} has no {kind}"))
}

/// By kubectl where it is installed; in any case each lists every file beside it.
#[test]
fn every_kustomization_builds() -> Result {
    for name in FOLDERS {
        let (folder, read) = (folder(name), documents(&folder(name))?);
        let files = std::fs::read_dir(&folder)?.count();
        let listed: Value = serde_saphyr::from_str(&std::fs::read_to_string(folder.join("kustomization.yaml"))?)?;
        assert_eq!(listed["resources"].as_array().unwrap().len() + 1, files, "{name} lists every file");
        if let Some(built) = built(&folder)? {
            assert_eq!(sorted(built), sorted(read), "{name}");
        }
    }
    Ok(())
}

#[test]
fn flux_kustomizations_name_what_is_there() -> Result {
    let kustomizations = documents(&folder("cluster"))?;
    let mut seen = Vec::new();
    for (kustomization, name) in kustomizations.iter().zip(&FOLDERS[1..]) {
        let spec = &kustomization["spec"];
        assert_eq!(spec["path"], format!("./deploy/flux/{name}"));
        for needed in spec["dependsOn"].as_array().into_iter().flatten() {
            assert!(seen.contains(&needed["name"]), "{name} depends on {needed}");
        }
        let waits = spec["wait"] == true || spec["healthChecks"].as_array().is_some_and(|checks| !checks.is_empty());
        assert!(waits, "who depends on {name} goes on too early");
        seen.push(kustomization["metadata"]["name"].clone());
    }
    assert_eq!(seen.len(), 3);
    let (check, release) = (&kustomizations[0]["spec"]["healthChecks"][0], one("operator", "HelmRelease"));
    for (field, wanted) in [("name", &release["metadata"]["name"]), ("namespace", &release["metadata"]["namespace"])] {
        assert_eq!(&check[field], wanted);
    }
    Ok(())
}

/// The chart of the repository, with the values of the HelmRelease; its schema refuses a value that it does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_chart_takes_the_values() -> Result {
    let (release, source, home) = (one("operator", "HelmRelease"), one("operator", "OCIRepository"), Guard::new()?);
    let chart = in_repository("deploy/helm/external-secrets-rs");
    let about: Value = serde_saphyr::from_str(&std::fs::read_to_string(chart.join("Chart.yaml"))?)?;
    let url = source["spec"]["url"].as_str().unwrap();
    assert!(url.starts_with("oci://") && url.ends_with(about["name"].as_str().unwrap()), "{url}");
    let line = source["spec"]["ref"]["semver"].as_str().unwrap().trim_end_matches('x');
    assert!(about["version"].as_str().unwrap().starts_with(line), "{line}");

    let values = home.dir().join("values.json");
    std::fs::write(&values, release["spec"]["values"].to_string())?;
    let mut helm = Command::new(Binaries::tool(&home, Tool::Helm).await?);
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        helm.env(name, home.dir().join("helm"));
    }
    helm.args(["template", "external-secrets"]).arg(chart).arg("--values").arg(values);
    let output = helm.args(["--namespace", "external-secrets"]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rendered = serde_saphyr::from_multiple::<Value>(&String::from_utf8(output.stdout)?)?;
    let deployment = rendered.iter().find(|one| one["kind"] == "Deployment").expect("a Deployment");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap();
    assert!(image.starts_with("ghcr.io/your-org/external-secrets-rs:"), "{image}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn flux_takes_its_objects() -> Result {
    let stack = Stack::from_env()?;
    let kube = stack.kube();
    crds::install(kube).await?;
    let objects: Vec<Value> = [documents(&folder("cluster"))?, documents(&folder("operator"))?].concat();
    for namespace in ["flux-system", "external-secrets"] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        kube.apply(&namespace.to_string(), "default").await?;
    }
    let mut checked = 0;
    for mut object in objects.into_iter().filter(|object| object["kind"] != "Namespace") {
        let path = crds::strict_dry_run(&object);
        kube.request(Method::POST, &path, Some(object.clone())).await?;
        // It does look: a field that the kind lacks is refused.
        object["spec"]["noSuchField"] = json!(true);
        let refused = kube.request(Method::POST, &path, Some(object)).await.expect_err("a field that is not there");
        assert!(refused.to_string().contains("noSuchField"), "{refused}");
        checked += 1;
    }
    assert_eq!(checked, 5);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rotated_credential_is_picked_up() -> Result {
    let place = Place::new("flux").await?;
    let kv = place.namespace.kv("kv", KvVersion::V2).await?;
    kv.write("my-app/database", json!({"username": "app", "password": "one"})).await?;
    kv.write("my-app/registry", json!({"server": "r.example.com", "username": "u", "password": "p"})).await?;
    let operator = Operator::start(place.name()).await?;
    deliver(&place, &kv, &place.role.secret_id).await?;
    become_current(&place).await?;
    place.holds("database", &[("password", "one"), ("username", "app")]).await?;
    let registry = place.secret("registry").await?.expect("the Secret");
    assert_eq!(registry.type_.as_deref(), Some("kubernetes.io/dockerconfigjson"));
    let auths = r#"{"auths":{"r.example.com":{"password":"p","username":"u"}}}"#;
    assert_eq!(data_of(&registry)[".dockerconfigjson"], auths);

    // As the comment in approle.sops.yaml says.
    let new = place.stack.vault().new_secret_id(&place.role.mount, &place.role.name).await?;
    let before = place.proxy.logins();
    deliver(&place, &kv, &new).await?;
    wait_until("a login with the new secret id", HEALED, async || match place.proxy.logins() {
        logins if logins > before => Ok(()),
        logins => Err(logins.to_string()),
    })
    .await?;
    place.stack.vault().destroy_secret_id(&place.role).await?;
    kv.write("my-app/database", json!({"username": "app", "password": "two"})).await?;
    place.holds("database", &[("password", "two"), ("username", "app")]).await?;
    become_current(&place).await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

/// Applies stores/ and secrets/ as Flux does once it has decrypted them, with this cluster's server, role, mount and namespace, and
/// this secret id. Refreshed at once: an hour is too long for a test.
async fn deliver(place: &Place, kv: &Kv, secret_id: &str) -> Result {
    let role_id = &place.role.role_id;
    for folder in ["stores", "secrets"] {
        let own: Vec<Value> = documents(&self::folder(folder))?;
        for mut object in own.into_iter().filter(|object| object["kind"] != "Namespace") {
            object["metadata"]["namespace"] = json!(place.name());
            for (pointer, value) in [
                ("/stringData/secretID", json!(secret_id)),
                ("/spec/provider/vault/server", json!(place.proxy.url())),
                ("/spec/provider/vault/path", json!(kv.mount())),
                ("/spec/provider/vault/auth/appRole/roleId", json!(role_id)),
                ("/spec/provider/vault/auth/appRole/path", json!(place.role.mount)),
                ("/spec/refreshInterval", json!("1s")),
            ] {
                if let Some(found) = object.pointer_mut(pointer) {
                    *found = value;
                }
            }
            place.apply([object]).await?;
        }
    }
    Ok(())
}

/// What the Flux Kustomizations' `wait` waits for.
async fn become_current(place: &Place) -> Result {
    for (plural, name) in [(STORES, "vault"), (EXTERNALS, "database"), (EXTERNALS, "registry")] {
        let path = format!("/apis/external-secrets.io/v1/namespaces/{}/{plural}/{name}", place.name());
        wait_until(&format!("{name} to be Current"), SOON, async || {
            let found = place.stack.kube().request(Method::GET, &path, None).await;
            let found = found.map_err(|error| error.to_string())?;
            if kstatus(&found) == Kstatus::Current { Ok(()) } else { Err(found["status"].to_string()) }
        })
        .await?;
    }
    Ok(())
}
