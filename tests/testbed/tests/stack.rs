//! What a test finds in the stack. Needs one around it: `testbed exec -- cargo test -p testbed`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what helps a test may fail as the test does")]

use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::time::Duration;
use testbed::{Stack, wait_until};

const SOON: Duration = Duration::from_secs(20);

type Test = Result<(), Box<dyn std::error::Error>>;

fn status(result: testbed::Result<Value>) -> Option<u16> {
    result.unwrap_err().status()
}

#[tokio::test]
async fn each_test_has_a_namespace_of_its_own() -> Test {
    let stack = Stack::from_env()?;
    let (one, two) = (stack.namespace("Own Place").await?, stack.namespace("Own Place").await?);
    assert_ne!(one.name(), two.name());
    assert!(one.name().starts_with("own-place-"));
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
    assert_eq!(one.apply(config).await?.len(), 2);
    let path = |namespace: &str| format!("/api/v1/namespaces/{namespace}/configmaps/b");
    stack.kube().request(Method::GET, &path(one.name()), None).await?;
    assert_eq!(status(stack.kube().request(Method::GET, &path(two.name()), None).await), Some(404));
    one.delete(SOON).await?;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_applied_is_told() -> Test {
    let namespace = Stack::from_env()?.namespace("refused").await?;
    let unknown = namespace.apply("{apiVersion: v1, kind: Unicorn, metadata: {name: a}}").await.unwrap_err();
    assert_eq!(unknown.to_string(), "Unicorn a: v1 has no such kind");
    let invalid = namespace.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: A_B}}").await.unwrap_err();
    assert_eq!(invalid.status(), Some(422), "{invalid}");
    Ok(())
}

#[tokio::test]
async fn owned_objects_are_collected() -> Test {
    let stack = Stack::from_env()?;
    assert!(stack.has_controller_manager(), "run the tests in a `testbed exec` without --no-controller-manager");
    let namespace = stack.namespace("collected").await?;
    let owner = namespace.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: owner}}").await?.remove(0);
    let owned = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "owned", "ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}]}});
    namespace.apply(&owned.to_string()).await?;
    let kube = stack.kube();
    kube.request(Method::DELETE, &format!("/api/v1/namespaces/{}/configmaps/owner", namespace.name()), None).await?;
    let path = format!("/api/v1/namespaces/{}/secrets/owned", namespace.name());
    wait_until("the owned Secret's end", SOON, async || match kube.request(Method::GET, &path, None).await {
        Err(error) if error.status() == Some(404) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_service_account_may_what_its_role_says() -> Test {
    let stack = Stack::from_env()?;
    let namespace = stack.namespace("rights").await?;
    let name = namespace.name();
    namespace
        .apply(&format!(
            "
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: reader}}}}
---
{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: reader}},
  rules: [{{apiGroups: [''], resources: [secrets], verbs: [list]}}]}}
---
{{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: reader}},
  roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}},
  subjects: [{{kind: ServiceAccount, name: reader, namespace: {name}}}]}}"
        ))
        .await?;
    let kubeconfig = stack.kube().service_account_kubeconfig(name, "reader").await?;
    let kubeconfig: Value = serde_json::from_str(&std::fs::read_to_string(kubeconfig)?)?;
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap_or_default();
    let ca = reqwest::Certificate::from_pem(stack.pki().ca()?.as_bytes())?;
    let client = Client::builder().no_proxy().tls_certs_only([ca]).build()?;
    let list = async |kind: &str| {
        let url = format!("{}/api/v1/namespaces/{name}/{kind}", stack.kube().url());
        client.get(url).bearer_auth(token).send().await.map(|answer| answer.status().as_u16())
    };
    wait_until("the binding in the authorizer", SOON, async || match list("secrets").await {
        Ok(200) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    assert_eq!(list("configmaps").await?, 403);
    Ok(())
}

#[tokio::test]
async fn crds_are_validated_by_cel_and_lists_are_streamed() -> Test {
    let stack = Stack::from_env()?;
    let group = format!("{}.example.com", stack.namespace("crd").await?.name());
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("toys.{group}")},
        "spec": {"group": group, "scope": "Cluster", "names": {"plural": "toys", "kind": "Toy"}, "versions": [{
            "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {"size": {"type": "integer"}},
                    "x-kubernetes-validations": [{"rule": "self.size > 0", "message": "size must be positive"}]}}}}}]}
    });
    stack.kube().apply(&crd.to_string(), "default").await?;
    let toy = |size: i64| json!({"apiVersion": format!("{group}/v1"), "kind": "Toy", "metadata": {"name": "a"}, "spec": {"size": size}});
    wait_until("the new kind", SOON, async || stack.kube().apply(&toy(1).to_string(), "default").await).await?;
    let refused = stack.kube().apply(&toy(0).to_string(), "default").await.unwrap_err().to_string();
    assert!(refused.contains("size must be positive"), "{refused}");

    let query =
        "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1";
    let pair = stack.pki().pair("admin")?;
    let identity = reqwest::Identity::from_pem(format!("{}{}", pair.certificate, pair.key).as_bytes())?;
    let ca = reqwest::Certificate::from_pem(stack.pki().ca()?.as_bytes())?;
    let client = Client::builder().no_proxy().tls_certs_only([ca]).identity(identity).build()?;
    let url = format!("{}/apis/{group}/v1/toys?{query}", stack.kube().url());
    let stream = client.get(url).send().await?.text().await?;
    assert!(stream.contains(r#""type":"ADDED""#) && stream.contains("k8s.io/initial-events-end"), "{stream}");
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/toys.{group}");
    stack.kube().request(Method::DELETE, &path, None).await?;
    Ok(())
}

/// OpenBao asks the API server by TokenReview who a ServiceAccount's token belongs to.
#[tokio::test]
async fn kubectl_is_the_admin_where_it_is_installed() -> Test {
    let stack = Stack::from_env()?;
    let answer = stack.kube().kubectl(&["auth", "can-i", "*", "*"]).await;
    if stack.has_kubectl() {
        assert_eq!(String::from_utf8_lossy(&answer?.stdout).trim(), "yes");
    } else {
        assert!(answer.unwrap_err().to_string().contains("not in KUBEBUILDER_ASSETS or PATH"));
    }
    Ok(())
}
