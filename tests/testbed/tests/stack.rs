//! What a test finds in the stack. Needs one around it: `testbed exec -- cargo test -p testbed`.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::time::Duration;
use testbed::{Error, KvVersion, Proxy, Stack, Storage, Vault, proxy::Action, wait_until};

const SOON: Duration = Duration::from_secs(20);

fn stack() -> Stack {
    Stack::from_env().unwrap()
}

fn status(result: testbed::Result<Value>) -> Option<u16> {
    result.unwrap_err().status()
}

#[tokio::test]
async fn each_test_has_a_namespace_of_its_own() {
    let stack = stack();
    let (one, two) = (
        stack.namespace("Own Place").await.unwrap(),
        stack.namespace("Own Place").await.unwrap(),
    );
    assert_ne!(one.name(), two.name());
    assert!(one.name().starts_with("own-place-"));
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
    assert_eq!(one.apply(config).await.unwrap().len(), 2);
    let path = |namespace: &str| format!("/api/v1/namespaces/{namespace}/configmaps/b");
    stack
        .kube()
        .request(Method::GET, &path(one.name()), None)
        .await
        .unwrap();
    assert_eq!(
        status(
            stack
                .kube()
                .request(Method::GET, &path(two.name()), None)
                .await
        ),
        Some(404)
    );
    if stack.has_controller_manager() {
        one.delete(SOON).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_applied_is_told() {
    let namespace = stack().namespace("refused").await.unwrap();
    let unknown = namespace
        .apply("{apiVersion: v1, kind: Unicorn, metadata: {name: a}}")
        .await
        .unwrap_err();
    assert_eq!(unknown.to_string(), "Unicorn a: v1 has no such kind");
    let invalid = namespace
        .apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: A_B}}")
        .await
        .unwrap_err();
    assert_eq!(invalid.status(), Some(422), "{invalid}");
}

#[tokio::test]
async fn owned_objects_are_collected() {
    let stack = stack();
    if !stack.has_controller_manager() {
        return;
    }
    let namespace = stack.namespace("collected").await.unwrap();
    let owner = namespace
        .apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: owner}}")
        .await
        .unwrap()
        .remove(0);
    let owned = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "owned", "ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}]}});
    namespace.apply(&owned.to_string()).await.unwrap();
    let kube = stack.kube();
    kube.request(
        Method::DELETE,
        &format!("/api/v1/namespaces/{}/configmaps/owner", namespace.name()),
        None,
    )
    .await
    .unwrap();
    let path = format!("/api/v1/namespaces/{}/secrets/owned", namespace.name());
    wait_until("the owned Secret's end", SOON, async || {
        match kube.request(Method::GET, &path, None).await {
            Err(error) if error.status() == Some(404) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_service_account_may_what_its_role_says() {
    let stack = stack();
    let namespace = stack.namespace("rights").await.unwrap();
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
        .await
        .unwrap();
    let kubeconfig = stack
        .kube()
        .service_account_kubeconfig(name, "reader")
        .await
        .unwrap();
    let kubeconfig: Value =
        serde_json::from_str(&std::fs::read_to_string(kubeconfig).unwrap()).unwrap();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap();
    let ca = reqwest::Certificate::from_pem(stack.pki().ca().unwrap().as_bytes()).unwrap();
    let client = Client::builder()
        .no_proxy()
        .tls_certs_only([ca])
        .build()
        .unwrap();
    let list = async |kind: &str| {
        let url = format!("{}/api/v1/namespaces/{name}/{kind}", stack.kube().url());
        client
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
    };
    wait_until(
        "the binding in the authorizer",
        SOON,
        async || match list("secrets").await.as_u16() {
            200 => Ok(()),
            other => Err(other),
        },
    )
    .await
    .unwrap();
    assert_eq!(list("configmaps").await, 403);
}

#[tokio::test]
async fn crds_are_validated_by_cel_and_lists_are_streamed() {
    let stack = stack();
    let group = format!(
        "{}.example.com",
        stack.namespace("crd").await.unwrap().name()
    );
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("toys.{group}")},
        "spec": {"group": group, "scope": "Cluster", "names": {"plural": "toys", "kind": "Toy"}, "versions": [{
            "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {"size": {"type": "integer"}},
                    "x-kubernetes-validations": [{"rule": "self.size > 0", "message": "size must be positive"}]}}}}}]}
    });
    stack
        .kube()
        .apply(&crd.to_string(), "default")
        .await
        .unwrap();
    let toy = |size: i64| json!({"apiVersion": format!("{group}/v1"), "kind": "Toy", "metadata": {"name": "a"}, "spec": {"size": size}});
    wait_until("the new kind", SOON, async || {
        stack.kube().apply(&toy(1).to_string(), "default").await
    })
    .await
    .unwrap();
    let refused = stack
        .kube()
        .apply(&toy(0).to_string(), "default")
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("size must be positive"), "{refused}");

    let query = "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1";
    let pair = stack.pki().pair("admin").unwrap();
    let identity =
        reqwest::Identity::from_pem(format!("{}{}", pair.certificate, pair.key).as_bytes())
            .unwrap();
    let ca = reqwest::Certificate::from_pem(stack.pki().ca().unwrap().as_bytes()).unwrap();
    let client = Client::builder()
        .no_proxy()
        .tls_certs_only([ca])
        .identity(identity)
        .build()
        .unwrap();
    let url = format!("{}/apis/{group}/v1/toys?{query}", stack.kube().url());
    let stream = client.get(url).send().await.unwrap().text().await.unwrap();
    assert!(
        stream.contains(r#""type":"ADDED""#) && stream.contains("k8s.io/initial-events-end"),
        "{stream}"
    );
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/toys.{group}");
    stack
        .kube()
        .request(Method::DELETE, &path, None)
        .await
        .unwrap();
}

#[tokio::test]
async fn values_of_both_kv_versions() {
    let stack = stack();
    let namespace = stack.namespace("kv").await.unwrap();
    let one = namespace.kv("one", KvVersion::V1).await.unwrap();
    one.write("team/db", json!({"user": "a"})).await.unwrap();
    assert_eq!(one.read("team/db").await.unwrap(), json!({"user": "a"}));
    one.delete("team/db").await.unwrap();
    assert_eq!(status(one.read("team/db").await), Some(404));

    let two = namespace.kv("two", KvVersion::V2).await.unwrap();
    assert_eq!(
        two.read_path("team/db"),
        format!("{}/two/data/team/db", namespace.name())
    );
    assert_eq!(two.write("team/db", json!({"user": "a"})).await.unwrap(), 1);
    assert_eq!(two.write("team/db", json!({"user": "b"})).await.unwrap(), 2);
    two.write_metadata("team/db", json!({"owner": "x"}))
        .await
        .unwrap();
    assert_eq!(two.read("team/db").await.unwrap(), json!({"user": "b"}));
    two.delete("team/db").await.unwrap();
    assert_eq!(status(two.read("team/db").await), Some(404));
    two.undelete("team/db", &[2]).await.unwrap();
    assert_eq!(two.read("team/db").await.unwrap(), json!({"user": "b"}));
    two.destroy("team/db", &[2]).await.unwrap();
    assert_eq!(status(two.read("team/db").await), Some(404));
    two.delete_metadata("team/db").await.unwrap();
    stack.vault().disable_mount(one.mount()).await.unwrap();
}

#[tokio::test]
async fn roles_read_what_they_may_and_no_more() {
    let stack = stack();
    let namespace = stack.namespace("role").await.unwrap();
    let kv = namespace.kv("kv", KvVersion::V2).await.unwrap();
    kv.write("mine", json!({"a": "1"})).await.unwrap();
    kv.write("other", json!({"a": "1"})).await.unwrap();
    let role = namespace
        .reader(
            &[&kv.read_path("mine")],
            json!({"secret_id_num_uses": 2, "token_ttl": "60s"}),
        )
        .await
        .unwrap();
    let vault = stack.vault().login(&role).await.unwrap();
    let get = async |vault: &Vault, path: &str| {
        vault.request(Method::GET, &kv.read_path(path), None).await
    };
    get(&vault, "mine").await.unwrap();
    assert_eq!(status(get(&vault, "other").await), Some(403));
    let token = vault
        .request(Method::GET, "auth/token/lookup-self", None)
        .await
        .unwrap();
    assert_eq!(token["data"]["creation_ttl"], 60);

    stack.vault().revoke(vault.token()).await.unwrap();
    assert_eq!(status(get(&vault, "mine").await), Some(403));
    stack.vault().login(&role).await.unwrap();
    let used_up = stack.vault().login(&role).await.map(drop).unwrap_err();
    assert_eq!(used_up.status(), Some(400), "{used_up}");
    let mut role = role;
    role.secret_id = stack
        .vault()
        .new_secret_id(&role.mount, &role.name)
        .await
        .unwrap();
    stack.vault().login(&role).await.unwrap();
    stack.vault().destroy_secret_id(&role).await.unwrap();
    assert_eq!(
        stack
            .vault()
            .login(&role)
            .await
            .map(drop)
            .unwrap_err()
            .status(),
        Some(400)
    );
    let short = stack
        .vault()
        .create_token(&[namespace.name()], json!({"ttl": "3s"}))
        .await
        .unwrap();
    get(&stack.vault().with_token(short), "mine").await.unwrap();
}

#[tokio::test]
async fn vault_namespaces_are_apart() {
    let stack = stack();
    let name = stack.namespace("bao-ns").await.unwrap().name().to_owned();
    let inside = stack.vault().create_namespace(&name).await.unwrap();
    let kv = inside.enable_kv("kv", KvVersion::V2).await.unwrap();
    kv.write("a", json!({"b": "c"})).await.unwrap();
    assert_eq!(
        status(stack.vault().request(Method::GET, "kv/data/a", None).await),
        Some(404)
    );
    stack
        .vault()
        .request(Method::GET, &format!("{name}/kv/data/a"), None)
        .await
        .unwrap();
}

/// OpenBao asks the API server by TokenReview who a ServiceAccount's token belongs to.
#[tokio::test]
async fn kubernetes_auth_reviews_tokens() {
    let stack = stack();
    let namespace = stack.namespace("k8s-auth").await.unwrap();
    let name = namespace.name();
    namespace
        .apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: app}}")
        .await
        .unwrap();
    let review = format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {{name: {name}}},
           roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'system:auth-delegator'}},
           subjects: [{{kind: ServiceAccount, name: app, namespace: {name}}}]}}"
    );
    namespace.apply(&review).await.unwrap();
    let vault = stack.vault();
    vault.enable_auth("kubernetes", name).await.unwrap();
    let reviewer = stack.kube().token(name, "app", &[]).await.unwrap();
    let config = json!({"kubernetes_host": stack.kube().url(), "kubernetes_ca_cert": stack.pki().ca().unwrap(),
        "token_reviewer_jwt": reviewer});
    vault
        .request(Method::POST, &format!("auth/{name}/config"), Some(config))
        .await
        .unwrap();
    let role = json!({"bound_service_account_names": "app", "bound_service_account_namespaces": name, "audience": "vault"});
    vault
        .request(Method::POST, &format!("auth/{name}/role/app"), Some(role))
        .await
        .unwrap();
    let login = async |jwt: String| {
        vault
            .with_token("")
            .request(
                Method::POST,
                &format!("auth/{name}/login"),
                Some(json!({"role": "app", "jwt": jwt})),
            )
            .await
    };
    let jwt = stack.kube().token(name, "app", &["vault"]).await.unwrap();
    wait_until("a login", SOON, async || login(jwt.clone()).await)
        .await
        .unwrap();
    // Not a token, and a token for another audience.
    assert_eq!(status(login("garbage".to_owned()).await), Some(403));
    assert_eq!(status(login(reviewer).await), Some(403));
}

#[tokio::test]
async fn vault_speaks_tls_with_the_stacks_ca() {
    let stack = stack();
    let url = format!("{}/v1/sys/health", stack.vault_tls_addr());
    let ca = reqwest::Certificate::from_pem(stack.pki().ca().unwrap().as_bytes()).unwrap();
    let client = |builder: reqwest::ClientBuilder| builder.no_proxy().build().unwrap();
    let trusting = client(Client::builder().tls_certs_only([ca]));
    assert_eq!(trusting.get(&url).send().await.unwrap().status(), 200);
    let stranger = client(Client::builder());
    assert!(stranger.get(&url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn an_openbao_of_ones_own_is_sealed_killed_and_restarted() {
    let mut bao = stack().own_openbao(Storage::Files).await.unwrap();
    let addr = bao.addr().to_owned();
    let kv = bao.vault().enable_kv("kv", KvVersion::V2).await.unwrap();
    kv.write("a", json!({"b": "c"})).await.unwrap();

    bao.seal().await.unwrap();
    assert_eq!(status(kv.read("a").await), Some(503));
    bao.unseal().await.unwrap();
    kv.read("a").await.unwrap();

    bao.kill();
    assert!(matches!(kv.read("a").await, Err(Error::Request { .. })));
    bao.restart_sealed().await.unwrap();
    assert_eq!(status(kv.read("a").await), Some(503));
    bao.restart().await.unwrap();
    assert_eq!(kv.read("a").await.unwrap(), json!({"b": "c"}));
    assert_eq!(bao.addr(), addr);

    bao.vault().enable_auth("approle", "approle").await.unwrap();
    let role = bao
        .vault()
        .create_approle("approle", "app", json!({}))
        .await
        .unwrap();
    let before = bao.vault().logins().await.unwrap();
    bao.vault().login(&role).await.unwrap();
    assert_eq!(bao.vault().logins().await.unwrap() - before, 1.0);
    assert_eq!(bao.vault().token_accessors().await.unwrap().len(), 2);
    assert!(bao.log().unwrap().contains("vault is unsealed"));
}

#[tokio::test]
async fn the_proxy_stands_before_the_real_server() {
    let stack = stack();
    let namespace = stack.namespace("proxied").await.unwrap();
    let kv = namespace.kv("kv", KvVersion::V2).await.unwrap();
    kv.write("a", json!({"b": "c"})).await.unwrap();
    let proxy = Proxy::start(stack.vault().addr()).await.unwrap();
    let get = || {
        let request = Client::builder().no_proxy().build().unwrap().get(format!(
            "{}/v1/{}",
            proxy.url(),
            kv.read_path("a")
        ));
        request.header("X-Vault-Token", stack.vault().token())
    };
    let answer: Value = get().send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["data"], json!({"b": "c"}));
    proxy.always(Action::Truncate { keep: 20 });
    assert!(get().send().await.unwrap().text().await.is_err());
    assert_eq!(
        proxy.count_of("GET", &format!("/v1/{}", kv.read_path("a"))),
        2
    );
}

#[tokio::test]
async fn kubectl_is_the_admin() {
    let stack = stack();
    if !stack.has_kubectl() {
        return;
    }
    let output = stack
        .kube()
        .kubectl(&["auth", "can-i", "*", "*"])
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "yes");
}
