//! What a test does to OpenBao, the shared one and its own. Needs one around it: `testbed exec -- cargo test -p testbed`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what helps a test may fail as the test does")]

use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::time::Duration;
use testbed::{Error, KvVersion, Proxy, Stack, Storage, Vault, proxy::Action, wait_until};

const SOON: Duration = Duration::from_secs(20);

type Test = Result<(), Box<dyn std::error::Error>>;

fn status(result: testbed::Result<Value>) -> Option<u16> {
    result.unwrap_err().status()
}

#[tokio::test]
async fn values_of_both_kv_versions() -> Test {
    let stack = Stack::from_env()?;
    let namespace = stack.namespace("kv").await?;
    let one = namespace.kv("one", KvVersion::V1).await?;
    one.write("team/db", json!({"user": "a"})).await?;
    assert_eq!(one.read("team/db").await?, json!({"user": "a"}));
    one.delete("team/db").await?;
    assert_eq!(status(one.read("team/db").await), Some(404));

    let two = namespace.kv("two", KvVersion::V2).await?;
    assert_eq!(two.read_path("team/db"), format!("{}/two/data/team/db", namespace.name()));
    assert_eq!(two.write("team/db", json!({"user": "a"})).await?, 1);
    assert_eq!(two.write("team/db", json!({"user": "b"})).await?, 2);
    two.write_metadata("team/db", json!({"owner": "x"})).await?;
    assert_eq!(two.read("team/db").await?, json!({"user": "b"}));
    two.delete("team/db").await?;
    assert_eq!(status(two.read("team/db").await), Some(404));
    two.undelete("team/db", &[2]).await?;
    assert_eq!(two.read("team/db").await?, json!({"user": "b"}));
    two.destroy("team/db", &[2]).await?;
    assert_eq!(status(two.read("team/db").await), Some(404));
    two.delete_metadata("team/db").await?;
    stack.vault().disable_mount(one.mount()).await?;
    Ok(())
}

#[tokio::test]
async fn roles_read_what_they_may_and_no_more() -> Test {
    let stack = Stack::from_env()?;
    let namespace = stack.namespace("role").await?;
    let kv = namespace.kv("kv", KvVersion::V2).await?;
    kv.write("mine", json!({"a": "1"})).await?;
    kv.write("other", json!({"a": "1"})).await?;
    let role = namespace.reader(&[&kv.read_path("mine")], json!({"secret_id_num_uses": 2, "token_ttl": "60s"})).await?;
    let vault = stack.vault().login(&role).await?;
    let get = async |vault: &Vault, path: &str| vault.request(Method::GET, &kv.read_path(path), None).await;
    get(&vault, "mine").await?;
    assert_eq!(status(get(&vault, "other").await), Some(403));
    let token = vault.request(Method::GET, "auth/token/lookup-self", None).await?;
    assert_eq!(token["data"]["creation_ttl"], 60);

    stack.vault().revoke(vault.token()).await?;
    assert_eq!(status(get(&vault, "mine").await), Some(403));
    stack.vault().login(&role).await?;
    let used_up = stack.vault().login(&role).await.map(drop).unwrap_err();
    assert_eq!(used_up.status(), Some(400), "{used_up}");
    let mut role = role;
    role.secret_id = stack.vault().new_secret_id(&role.mount, &role.name).await?;
    stack.vault().login(&role).await?;
    stack.vault().destroy_secret_id(&role).await?;
    assert_eq!(stack.vault().login(&role).await.map(drop).unwrap_err().status(), Some(400));
    let short = stack.vault().create_token(&[namespace.name()], json!({"ttl": "3s"})).await?;
    get(&stack.vault().with_token(short), "mine").await?;
    Ok(())
}

#[tokio::test]
async fn vault_namespaces_are_apart() -> Test {
    let stack = Stack::from_env()?;
    let name = stack.namespace("bao-ns").await?.name().to_owned();
    let inside = stack.vault().create_namespace(&name).await?;
    let kv = inside.enable_kv("kv", KvVersion::V2).await?;
    kv.write("a", json!({"b": "c"})).await?;
    assert_eq!(status(stack.vault().request(Method::GET, "kv/data/a", None).await), Some(404));
    stack.vault().request(Method::GET, &format!("{name}/kv/data/a"), None).await?;
    Ok(())
}

#[tokio::test]
async fn kubernetes_auth_reviews_tokens() -> Test {
    let stack = Stack::from_env()?;
    let namespace = stack.namespace("k8s-auth").await?;
    let name = namespace.name();
    namespace.apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: app}}").await?;
    let review = format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {{name: {name}}},
           roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'system:auth-delegator'}},
           subjects: [{{kind: ServiceAccount, name: app, namespace: {name}}}]}}"
    );
    namespace.apply(&review).await?;
    let vault = stack.vault();
    vault.enable_auth("kubernetes", name).await?;
    let reviewer = stack.kube().token(name, "app", &[]).await?;
    let config = json!({"kubernetes_host": stack.kube().url(), "kubernetes_ca_cert": stack.pki().ca()?,
        "token_reviewer_jwt": reviewer});
    vault.request(Method::POST, &format!("auth/{name}/config"), Some(config)).await?;
    let role =
        json!({"bound_service_account_names": "app", "bound_service_account_namespaces": name, "audience": "vault"});
    vault.request(Method::POST, &format!("auth/{name}/role/app"), Some(role)).await?;
    let login = async |jwt: String| {
        vault
            .with_token("")
            .request(Method::POST, &format!("auth/{name}/login"), Some(json!({"role": "app", "jwt": jwt})))
            .await
    };
    let jwt = stack.kube().token(name, "app", &["vault"]).await?;
    wait_until("a login", SOON, async || login(jwt.clone()).await).await?;
    // Not a token, and a token for another audience.
    assert_eq!(status(login("garbage".to_owned()).await), Some(403));
    assert_eq!(status(login(reviewer).await), Some(403));
    Ok(())
}

#[tokio::test]
async fn vault_speaks_tls_with_the_stacks_ca() -> Test {
    let stack = Stack::from_env()?;
    let url = format!("{}/v1/sys/health", stack.vault_tls_addr());
    let ca = reqwest::Certificate::from_pem(stack.pki().ca()?.as_bytes())?;
    let trusting = Client::builder().no_proxy().tls_certs_only([ca]).build()?;
    assert_eq!(trusting.get(&url).send().await?.status(), 200);
    let stranger = Client::builder().no_proxy().build()?;
    assert!(stranger.get(&url).send().await.unwrap_err().is_connect());
    Ok(())
}

#[tokio::test]
async fn an_openbao_of_ones_own_is_sealed_killed_and_restarted() -> Test {
    let mut bao = Stack::from_env()?.own_openbao(Storage::Files).await?;
    let addr = bao.addr().to_owned();
    let kv = bao.vault().enable_kv("kv", KvVersion::V2).await?;
    kv.write("a", json!({"b": "c"})).await?;

    bao.seal().await?;
    assert_eq!(status(kv.read("a").await), Some(503));
    bao.unseal().await?;
    kv.read("a").await?;

    bao.kill();
    assert!(matches!(kv.read("a").await, Err(Error::Request { .. })));
    bao.restart_sealed().await?;
    assert_eq!(status(kv.read("a").await), Some(503));
    bao.restart().await?;
    assert_eq!(kv.read("a").await?, json!({"b": "c"}));
    assert_eq!(bao.addr(), addr);

    bao.vault().enable_auth("approle", "approle").await?;
    let role = bao.vault().create_approle("approle", "app", json!({})).await?;
    let before = bao.vault().logins().await?;
    bao.vault().login(&role).await?;
    assert_eq!(bao.vault().logins().await? - before, 1.0);
    assert_eq!(bao.vault().token_accessors().await?.len(), 2);
    assert!(bao.log()?.contains("vault is unsealed"));
    Ok(())
}

#[tokio::test]
async fn the_proxy_stands_before_the_real_server() -> Test {
    let stack = Stack::from_env()?;
    let namespace = stack.namespace("proxied").await?;
    let kv = namespace.kv("kv", KvVersion::V2).await?;
    kv.write("a", json!({"b": "c"})).await?;
    let proxy = Proxy::start(stack.vault().addr()).await?;
    let client = Client::builder().no_proxy().build()?;
    let get = || {
        let request = client.get(format!("{}/v1/{}", proxy.url(), kv.read_path("a")));
        request.header("X-Vault-Token", stack.vault().token())
    };
    let answer: Value = get().send().await?.json().await?;
    assert_eq!(answer["data"]["data"], json!({"b": "c"}));
    proxy.always(Action::Truncate { keep: 20 });
    assert!(get().send().await?.text().await.is_err());
    assert_eq!(proxy.count_of("GET", &format!("/v1/{}", kv.read_path("a"))), 2);
    Ok(())
}
