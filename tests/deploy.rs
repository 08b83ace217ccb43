//! deploy/manifests on a real API server: every file is taken, the pod is restricted, and the operator does all its work with exactly
//! the rights of that ServiceAccount.
//!
//! On a control plane of its own: the operator watches the whole cluster here, and would do the other tests' work.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{Operator, Result, SOON, kustomize};
use serde_json::{Value, json};
use testbed::{
    AppRole, Binaries, Guard, Kube, KvVersion, Method, Running, SHARED_APPROLE, SHARED_KV, Stack, wait_until,
};

/// Namespace and ServiceAccount of the manifests.
const OPERATOR: &str = "external-secrets";
const SECRET: &str = "/api/v1/namespaces/default/secrets/app";
const EXTERNAL_SECRETS: &str = "/apis/external-secrets.io/v1/namespaces/default/externalsecrets";
const STORES: &str = "/apis/external-secrets.io/v1/namespaces/default/secretstores";

#[tokio::test]
async fn the_manifests_are_all_the_operator_needs() -> Result {
    let guard = Guard::new()?;
    let binaries = Binaries::get(&guard, false).await?;
    let running = Running::start(guard, &binaries).await?;
    let (stack, kube) = (running.stack(), running.stack().kube());

    let manifests = kustomize::documents(&kustomize::in_repository("deploy/manifests"))?;
    install(kube, &manifests).await?;
    the_pod_is_restricted(kube, &manifests).await?;

    let role = fill_vault(stack).await?;
    let kubeconfig = kube.service_account_kubeconfig(OPERATOR, OPERATOR).await?;
    let operator = Operator::start_with(&flags(&manifests), Some(&kubeconfig)).await?;
    operator.ready().await?;
    kube.apply(&objects(stack, &role), "default").await?;

    creates(kube).await?;
    uses_a_cluster_store(stack).await?;
    updates(stack).await?;
    restores(kube).await?;
    moves(kube).await?;
    lets_go(kube).await?;
    events(kube).await?;
    let log = operator.log();
    assert!(!log.contains("forbidden"), "{log}");
    assert_eq!(operator.complaints(), Vec::<String>::new());
    let stopped = operator.stop()?;
    assert!(stopped.log.contains("lease released"), "{}", stopped.log);
    Ok(())
}

/// The Deployment's. In a pod the Lease's namespace is the pod's.
fn flags(manifests: &[Value]) -> Vec<&str> {
    let deployment = manifests.iter().find(|manifest| manifest["kind"] == "Deployment").expect("a Deployment");
    let given = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().expect("arguments");
    assert_eq!(given[0], "run");
    let flags = given[1..].iter().map(|flag| flag.as_str().expect("a text"));
    flags.chain(["--leader-election-namespace", OPERATOR]).collect()
}

/// Server-side applies them, which refuses fields that a kind does not have. Namespace and CRDs go first, as with kustomize.
async fn install(kube: &Kube, manifests: &[Value]) -> Result {
    let is_first = |kind: &Value| kind == "Namespace" || kind == "CustomResourceDefinition";
    let (first, then): (Vec<_>, Vec<_>) = manifests.iter().partition(|manifest| is_first(&manifest["kind"]));
    for manifest in first.iter().chain(&then) {
        kube.apply(&manifest.to_string(), "default").await?;
    }
    let path = "/apis/external-secrets.io/v1";
    wait_until("the kinds in discovery", SOON, async || {
        let found = kube.request(Method::GET, path, None).await.map_err(|error| error.to_string())?;
        let names: Vec<_> =
            found["resources"].as_array().into_iter().flatten().map(|one| one["name"].clone()).collect();
        let all = ["externalsecrets", "secretstores", "clustersecretstores"];
        if all.iter().all(|name| names.contains(&json!(name))) { Ok(()) } else { Err(found.to_string()) }
    })
    .await?;
    Ok(())
}

/// The namespace enforces Pod Security's level restricted: the API server itself judges the Deployment's pod.
async fn the_pod_is_restricted(kube: &Kube, manifests: &[Value]) -> Result {
    let namespace = kube.request(Method::GET, &format!("/api/v1/namespaces/{OPERATOR}"), None).await?;
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let deployment = manifests.iter().find(|manifest| manifest["kind"] == "Deployment").expect("a Deployment");
    let template = &deployment["spec"]["template"];
    let pods = format!("/api/v1/namespaces/{OPERATOR}/pods?dryRun=All");
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "judged"}, "spec": template["spec"]});
    kube.request(Method::POST, &pods, Some(pod.clone())).await?;
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    let refused = kube.request(Method::POST, &pods, Some(pod)).await.expect_err("a pod that may escalate is refused");
    assert_eq!(refused.status(), Some(403), "{refused}");
    Ok(())
}

async fn fill_vault(stack: &Stack) -> Result<AppRole> {
    let kv = stack.vault().kv(SHARED_KV, KvVersion::V2);
    kv.write("app", json!({"password": "one"})).await?;
    stack.vault().allow_reading("app", &["kv/data/app"]).await?;
    Ok(stack.vault().create_approle(SHARED_APPROLE, "app", json!({"token_policies": ["app"]})).await?)
}

/// A store and an ExternalSecret, and a second of each with the finalizer that External Secrets Operator leaves.
fn objects(stack: &Stack, role: &AppRole) -> String {
    let store = |name: &str, finalizers: &[&str]| {
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": name, "finalizers": finalizers},
            "spec": {"provider": {"vault": {"server": stack.vault().addr(), "path": SHARED_KV, "auth": {"appRole": {
                "path": SHARED_APPROLE, "roleId": role.role_id, "secretRef": {"name": "approle", "key": "secretID"},
            }}}}},
        })
    };
    let external = |name: &str, finalizers: &[&str]| {
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": name, "finalizers": finalizers},
            "spec": {"secretStoreRef": {"name": "vault"}, "data": [{"secretKey": "password", "remoteKey": "app#password"}]},
        })
    };
    let credentials = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "approle"}, "stringData": {"secretID": role.secret_id},
    });
    let all = [
        credentials,
        store("vault", &[]),
        store("from-eso", &["secretstore.externalsecrets.io/finalizer"]),
        external("app", &[]),
        external("from-eso", &["externalsecrets.external-secrets.io/externalsecret-cleanup"]),
    ];
    all.map(|object| object.to_string()).join("\n---\n")
}

async fn creates(kube: &Kube) -> Result {
    password(kube, "b25l").await?;
    for (path, name) in [(EXTERNAL_SECRETS, "app"), (EXTERNAL_SECRETS, "from-eso"), (STORES, "vault")] {
        ready(kube, &format!("{path}/{name}")).await?;
    }
    Ok(())
}

async fn ready(kube: &Kube, path: &str) -> Result {
    wait_until(&format!("{path} to be ready"), SOON, async || {
        let object = kube.request(Method::GET, path, None).await.map_err(|error| error.to_string())?;
        let is_ready = object.pointer("/status/conditions/0/status").is_some_and(|status| status == "True");
        if is_ready { Ok(()) } else { Err(object["status"].to_string()) }
    })
    .await?;
    Ok(())
}

/// A ClusterSecretStore that needs every further right: a condition on a namespace's labels, a CA in a ConfigMap, a ServiceAccount's token.
async fn uses_a_cluster_store(stack: &Stack) -> Result {
    let vault = stack.vault();
    vault.enable_auth("jwt", "jwt").await?;
    let key = std::fs::read_to_string(stack.pki().public_key("service-account"))?;
    vault.request(Method::POST, "auth/jwt/config", Some(json!({"jwt_validation_pubkeys": [key]}))).await?;
    let role =
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["app"]});
    vault.request(Method::POST, "auth/jwt/role/app", Some(role)).await?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}});
    let ca = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vault-ca"}, "data": {"ca.crt": stack.pki().ca()?},
    });
    let store = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "vault"},
        "spec": {
            "conditions": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}],
            "provider": {"vault": {
                "server": stack.vault_tls_addr(), "path": SHARED_KV,
                "caProvider": {"type": "ConfigMap", "name": "vault-ca", "key": "ca.crt", "namespace": "default"},
                "auth": {"jwt": {"path": "jwt", "role": "app", "kubernetesServiceAccountToken": {
                    "serviceAccountRef": {"name": "reader", "namespace": "default"}, "audiences": ["vault"],
                }}},
            }},
        },
    });
    let external = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "from-cluster-store"},
        "spec": {
            "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
            "data": [{"secretKey": "password", "remoteKey": "app#password"}],
        },
    });
    let all = [account, ca, store, external].map(|object| object.to_string());
    stack.kube().apply(&all.join("\n---\n"), "default").await?;
    ready(stack.kube(), "/apis/external-secrets.io/v1/clustersecretstores/vault").await?;
    ready(stack.kube(), &format!("{EXTERNAL_SECRETS}/from-cluster-store")).await
}

/// A changed annotation asks for a sync, which has something to write.
async fn updates(stack: &Stack) -> Result {
    stack.vault().kv(SHARED_KV, KvVersion::V2).write("app", json!({"password": "two"})).await?;
    let change = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "app", "annotations": {"force-sync": "now"}},
        "spec": {"secretStoreRef": {"name": "vault"}, "data": [{"secretKey": "password", "remoteKey": "app#password"}]},
    });
    stack.kube().apply(&change.to_string(), "default").await?;
    password(stack.kube(), "dHdv").await
}

async fn restores(kube: &Kube) -> Result {
    kube.request(Method::DELETE, SECRET, None).await?;
    password(kube, "dHdv").await
}

/// A renamed target: the new Secret comes, the old one goes.
async fn moves(kube: &Kube) -> Result {
    let renamed = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "app"},
        "spec": {
            "secretStoreRef": {"name": "vault"}, "target": {"name": "moved"},
            "data": [{"secretKey": "password", "remoteKey": "app#password"}],
        },
    });
    kube.apply(&renamed.to_string(), "default").await?;
    gone(kube, SECRET).await
}

/// Objects that External Secrets Operator left go when they are deleted, though it is not there to let them.
async fn lets_go(kube: &Kube) -> Result {
    for path in [EXTERNAL_SECRETS, STORES] {
        let path = format!("{path}/from-eso");
        kube.request(Method::DELETE, &path, None).await?;
        gone(kube, &path).await?;
    }
    Ok(())
}

async fn gone(kube: &Kube, path: &str) -> Result {
    wait_until(&format!("the end of {path}"), SOON, async || match kube.request(Method::GET, path, None).await {
        Err(error) if error.status() == Some(404) => Ok(()),
        Ok(object) => Err(object["metadata"].to_string()),
        Err(error) => Err(error.to_string()),
    })
    .await?;
    Ok(())
}

async fn events(kube: &Kube) -> Result {
    wait_until("an event Created and an event Updated", SOON, async || {
        let found = kube.request(Method::GET, "/apis/events.k8s.io/v1/namespaces/default/events", None).await;
        let found = found.map_err(|error| error.to_string())?;
        let reasons: Vec<_> =
            found["items"].as_array().into_iter().flatten().map(|event| event["reason"].clone()).collect();
        let both = [json!("Created"), json!("Updated")];
        if both.iter().all(|reason| reasons.contains(reason)) { Ok(()) } else { Err(format!("{reasons:?}")) }
    })
    .await?;
    Ok(())
}

/// Waits until the Secret holds this password, base64.
async fn password(kube: &Kube, wanted: &str) -> Result {
    wait_until(&format!("the password {wanted}"), SOON, async || {
        let secret = kube.request(Method::GET, SECRET, None).await.map_err(|error| error.to_string())?;
        let seen = secret.pointer("/data/password").cloned().unwrap_or_default();
        if seen == wanted { Ok(()) } else { Err(seen.to_string()) }
    })
    .await?;
    Ok(())
}
