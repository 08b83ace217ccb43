//! Every way to log in, against a real OpenBao; kubernetes with a real TokenReview.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod vault_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use external_secrets_rs::vault::{ClientIdentity, Connection, ErrorKind, Jwt, JwtIssuer, Login};
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;
use serde_json::{Value, json};
use testbed::{Kube, Method};
use vault_support::{Result, Rig, read};

impl Rig {
    /// An auth mount of its own, with a prefix of the rig's.
    async fn auth(&self, method: &str) -> Result<String> {
        let mount = format!("{}-{method}", self.name);
        self.vault.enable_auth(method, &mount).await?;
        Ok(mount)
    }

    async fn write(&self, path: &str, body: Value) -> Result {
        self.vault.request(Method::POST, path, Some(body)).await?;
        Ok(())
    }

    /// The good login reads, at the cost of one login; the bad one is refused with these words.
    async fn check(&self, good: Login, bad: Login, words: &str) -> Result {
        self.kv.write("a", json!({"k": "v"})).await?;
        let session = self.sessions.open(Connection::new(self.proxy.url(), good))?;
        for _ in 0..3 {
            assert_eq!(read(&session, &self.path("a")).await?, json!({"k": "v"}));
        }
        session.validate().await?;
        assert_eq!(self.proxy.logins(), 1, "{}", self.proxy.summary());
        let refused = self.sessions.open(Connection::new(self.proxy.url(), bad))?;
        let error = read(&refused, &self.path("a")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::LoginRefused { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        Ok(())
    }
}

#[tokio::test]
async fn app_role() -> Result {
    let rig = Rig::new("approle", json!({})).await?;
    let mount = format!(" auth/{}/ ", rig.role.mount);
    let (role_id, secret_id) = (format!("{}\n", rig.role.role_id), format!(" {}\r\n", rig.role.secret_id));
    let good = Login::app_role(&mount, role_id.into(), secret_id.into())?;
    let bad = Login::app_role(&rig.role.mount, "no-such-role".into(), rig.role.secret_id.as_str().into())?;
    rig.check(good, bad, "invalid role or secret ID").await?;

    let nowhere = Login::app_role("no-such-mount", "a".into(), "b".into())?;
    let session = rig.sessions.open(Connection::new(rig.proxy.url(), nowhere))?;
    let error = session.validate().await.unwrap_err().to_string();
    assert!(error.contains("check that the auth method is mounted at this path"), "{error}");
    let empty = Login::app_role("approle", "a".into(), " \n".into()).unwrap_err();
    assert!(empty.to_string().starts_with("the secret id is empty"), "{empty}");
    Ok(())
}

#[tokio::test]
async fn user_and_password() -> Result {
    let rig = Rig::new("userpass", json!({})).await?;
    let mount = rig.auth("userpass").await?;
    let user = json!({"password": " with spaces ", "token_policies": [rig.name]});
    rig.write(&format!("auth/{mount}/users/jane"), user).await?;
    let good = Login::user_pass(&mount, "jane", " with spaces \n".into())?;
    let bad = Login::user_pass(&mount, "jane", "wrong".into())?;
    rig.check(good.clone(), bad, "invalid username or password").await?;

    let session = rig.sessions.open(Connection::new(rig.proxy.url(), good))?;
    let denied = read(&session, &rig.path("denied")).await.unwrap_err().to_string();
    assert!(denied.contains("of user \"jane\" lack"), "{denied}");
    Ok(())
}

/// OpenBao 2.7 comes without the LDAP method. Its login is userpass's to the letter, so a userpass mount stands in: this
/// shows what is sent and that the answer is taken, not that a directory is asked.
#[tokio::test]
async fn ldap_speaks_as_userpass_does() -> Result {
    let rig = Rig::new("ldap", json!({})).await?;
    let mount = rig.auth("userpass").await?;
    let user = json!({"password": "hunter2", "token_policies": [rig.name]});
    rig.write(&format!("auth/{mount}/users/jane"), user).await?;
    let good = Login::ldap(&mount, "jane", "hunter2\n".into())?;
    let bad = Login::ldap(&mount, "jane", "wrong".into())?;
    rig.check(good, bad, "invalid username or password").await
}

#[tokio::test]
async fn client_certificate() -> Result {
    let rig = Rig::new("cert", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let mount = rig.auth("cert").await?;
    let pki = rig.stack.pki();
    let role = json!({"certificate": pki.ca()?, "allowed_common_names": ["operator"], "token_policies": [rig.name]});
    rig.write(&format!("auth/{mount}/certs/app"), role).await?;
    let connection = |name: &str| -> Result<Connection> {
        let pair = pki.issue_client(name, &[])?;
        Ok(Connection {
            ca_bundle: Some(pki.ca()?.into_bytes()),
            client_identity: Some(ClientIdentity { cert_pem: pair.certificate.into_bytes(), key_pem: pair.key.into() }),
            ..Connection::new(rig.stack.vault_tls_addr(), Login::cert(&mount, Some("app"))?)
        })
    };
    let session = rig.sessions.open(connection("operator")?)?;
    assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));

    let error = read(&*rig.sessions.open(connection("stranger")?)?, &rig.path("a")).await.unwrap_err();
    assert!(error.to_string().contains("the client certificate does not meet the role's constraints"), "{error}");
    let bare = Connection { client_identity: None, ..connection("operator")? };
    assert_eq!(rig.sessions.open(bare).err().map(|error| error.label()), Some("bad_connection"));
    Ok(())
}

/// Asks the API server for a ServiceAccount's token, and counts.
struct TokenRequest {
    kube: Kube,
    namespace: String,
    made: AtomicUsize,
}

impl JwtIssuer for TokenRequest {
    fn issue(&self) -> BoxFuture<'_, std::result::Result<SecretString, String>> {
        async {
            self.made.fetch_add(1, Ordering::SeqCst);
            let token = self.kube.token(&self.namespace, "app", &["vault"]).await;
            token.map(SecretString::from).map_err(|error| error.to_string())
        }
        .boxed()
    }
}

const REVIEWER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: app}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reviewer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAMESPACE-reviewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'system:auth-delegator'}
subjects: [{kind: ServiceAccount, name: reviewer, namespace: NAMESPACE}]
";

#[tokio::test]
async fn kubernetes_by_a_real_token_review() -> Result {
    let rig = Rig::new("kubernetes", json!({})).await?;
    let namespace = rig.stack.namespace("vault-login").await?;
    namespace.apply(&REVIEWER.replace("NAMESPACE", namespace.name())).await?;
    let kube = rig.stack.kube().clone();
    let mount = rig.auth("kubernetes").await?;
    let config = json!({
        "kubernetes_host": kube.url(),
        "kubernetes_ca_cert": rig.stack.pki().ca()?,
        "token_reviewer_jwt": kube.token(namespace.name(), "reviewer", &[]).await?,
    });
    rig.write(&format!("auth/{mount}/config"), config).await?;
    let role = json!({
        "bound_service_account_names": ["app"],
        "bound_service_account_namespaces": [namespace.name()],
        "audience": "vault",
        "token_policies": [rig.name],
        "token_ttl": "3s",
        "token_max_ttl": "3s",
    });
    rig.write(&format!("auth/{mount}/role/app"), role).await?;

    let value = kube.token(namespace.name(), "app", &["vault"]).await?;
    let good = Login::kubernetes(&mount, "app", Jwt::Value(value.into()))?;
    let other = kube.token(namespace.name(), "reviewer", &["vault"]).await?;
    let bad = Login::kubernetes(&mount, "app", Jwt::Value(other.into()))?;
    let words = "the role is not bound to this ServiceAccount's name";
    rig.check(good, bad, words).await?;

    // One that is issued for each login: the session outlives its tokens, and they are asked for only then.
    let request = |namespace: &str| {
        let (kube, namespace) = (kube.clone(), namespace.to_owned());
        Arc::new(TokenRequest { kube, namespace, made: AtomicUsize::new(0) })
    };
    let open = |issuer: &Arc<TokenRequest>| {
        let identity = format!("{}/app for vault", issuer.namespace);
        let issuer: Arc<dyn JwtIssuer> = Arc::clone(issuer) as Arc<dyn JwtIssuer>;
        let login = Login::kubernetes(&mount, "app", Jwt::Issued { identity, issuer }).unwrap();
        rig.sessions.open(Connection::new(rig.proxy.url(), login))
    };
    let issuer = request(namespace.name());
    let session = open(&issuer)?;
    assert!(Arc::ptr_eq(&session, &open(&request(namespace.name()))?), "the identity counts");
    rig.proxy.reset();
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(5) {
        read(&session, &rig.path("a")).await?;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!((2..=4).contains(&rig.proxy.logins()), "{}", rig.proxy.summary());
    assert_eq!(issuer.made.load(Ordering::SeqCst), rig.proxy.logins());

    let missing = open(&request("no-such-namespace"))?;
    let error = missing.validate().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CredentialUnavailable { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn jwt_by_its_issuers_key() -> Result {
    let rig = Rig::new("jwt", json!({})).await?;
    let namespace = rig.stack.namespace("vault-login").await?;
    namespace.apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: app}\n").await?;
    let mount = rig.auth("jwt").await?;
    let key = std::fs::read_to_string(rig.stack.pki().public_key("service-account"))?;
    rig.write(&format!("auth/{mount}/config"), json!({"jwt_validation_pubkeys": [key], "default_role": "app"})).await?;
    let role = json!({
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["vault"],
        "token_policies": [rig.name],
    });
    rig.write(&format!("auth/{mount}/role/app"), role).await?;
    let token = async |audience: &str| rig.stack.kube().token(namespace.name(), "app", &[audience]).await;
    let good = Login::jwt(&mount, "", Jwt::Value(format!("{}\n", token("vault").await?).into()))?;
    let bad = Login::jwt(&mount, "app", Jwt::Value(token("another").await?.into()))?;
    rig.check(good, bad, "audience").await
}
