//! Every way to log in, as a store says it: kubernetes with a real TokenReview, the rest with OpenBao's own methods.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{condition, stalled};
use common::place::{CREDENTIALS, STORE, secret};
use common::{HEALED, Operator, Place, Result};
use k8s_openapi::api::core::v1::ServiceAccount;
use serde_json::{Value, json};
use testbed::{Method, SHARED_KV};

/// A place with `db` in Vault, an operator, and nothing else.
async fn place(hint: &str) -> Result<(Place, Operator)> {
    let place = Place::new(hint).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let operator = Operator::start(place.name()).await?;
    Ok((place, operator))
}

impl Place {
    fn login_path(&self, mount: &str, rest: &str) -> String {
        format!("/v1/auth/{mount}/{rest}")
    }

    /// The store with this `auth` is Valid, serves, and costs one login at this path.
    async fn serves(&self, auth: Value, login: &str) -> Result {
        self.apply([self.store_with(STORE, auth)]).await?;
        self.works(login).await
    }

    async fn works(&self, login: &str) -> Result {
        self.apply_external(self.external("db", &[("password", "db#password")])).await?;
        self.holds_within("db", &[("password", "s3cret")], HEALED).await?;
        let store = self.store_is(STORE, "True", &["store validated"]).await?;
        let status = serde_json::to_value(&store.status)?;
        assert_eq!(condition(&status, "Ready")["reason"], "Valid");
        assert_eq!((self.proxy.logins(), self.proxy.count_of("POST", login)), (1, 1), "{}", self.proxy.summary());
        Ok(())
    }

    /// The kubernetes method with a reviewer of its own, and a role `app` bound to the ServiceAccount `app`; its mount.
    async fn kubernetes(&self, audience: Option<&str>) -> Result<String> {
        let reviewer = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("{}-reviewer", self.name())},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
            "subjects": [{"kind": "ServiceAccount", "name": "reviewer", "namespace": self.name()}],
        });
        self.apply([self.account("reviewer"), reviewer]).await?;
        let mount = self.auth_mount("kubernetes").await?;
        let kube = self.stack.kube();
        let config = json!({
            "kubernetes_host": kube.url(),
            "kubernetes_ca_cert": self.stack.pki().ca()?,
            "token_reviewer_jwt": kube.token(self.name(), "reviewer", &[]).await?,
        });
        self.vault_write(&format!("auth/{mount}/config"), config).await?;
        let mut role = json!({
            "bound_service_account_names": ["app"],
            "bound_service_account_namespaces": [self.name()],
            "token_policies": [self.name()],
        });
        if let Some(audience) = audience {
            role["audience"] = json!(audience);
        }
        self.vault_write(&format!("auth/{mount}/role/app"), role).await?;
        Ok(mount)
    }

    /// The jwt method, which checks by the API server's public key, and a role `app` for an audience; its mount.
    async fn jwt(&self, audience: &str) -> Result<String> {
        let mount = self.auth_mount("jwt").await?;
        let key = std::fs::read_to_string(self.stack.pki().public_key("service-account"))?;
        self.vault_write(&format!("auth/{mount}/config"), json!({"jwt_validation_pubkeys": [key]})).await?;
        let role = json!({
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": [audience],
            "bound_subject": format!("system:serviceaccount:{}:app", self.name()),
            "token_policies": [self.name()],
        });
        self.vault_write(&format!("auth/{mount}/role/app"), role).await?;
        Ok(mount)
    }
}

/// It is looked up once instead of a login, never revoked, and a dead one is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn token() -> Result {
    let (place, operator) = place("login-token").await?;
    let token = place.stack.vault().create_token(&[place.name()], json!({"ttl": "1h"})).await?;
    let auth = json!({"tokenSecretRef": {"name": CREDENTIALS, "key": "token"}});
    let with_newline = format!("{token}\n");
    place.apply([secret(CREDENTIALS, &[("token", &with_newline)]), place.store_with(STORE, auth)]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    place.store_is(STORE, "True", &["store validated"]).await?;
    assert_eq!(place.proxy.logins(), 0, "{}", place.proxy.summary());

    place.apply([secret(CREDENTIALS, &[("token", "s.no-such-token")])]).await?;
    let words = ["refuses the token (403)", "put a fresh token into the Secret that tokenSecretRef names"];
    place.store_is(STORE, "False", &words).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    place.apply([secret(CREDENTIALS, &[("token", &token)])]).await?;
    place.store_status_within(STORE, "True", &[], HEALED).await?;
    drop(operator);
    assert!(place.is_alive(&token).await?, "a user's own token is not ours to revoke");
    assert_eq!(place.revocations(), 0, "{}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn app_role_by_each_spelling() -> Result {
    for (hint, field) in [("login-role-id", "roleId"), ("login-role-id2", "roleID"), ("login-role-ref", "roleRef")] {
        let (place, operator) = place(hint).await?;
        place.apply([place.both_ids()]).await?;
        let mut auth = place.app_role_of_referent();
        if field != "roleRef" {
            let app_role = auth["appRole"].as_object_mut().unwrap();
            app_role.remove("roleRef");
            app_role.insert(field.to_owned(), json!(place.role.role_id));
        }
        place.serves(auth, &place.login_path(&place.role.mount, "login")).await?;
        drop(operator);
        place.revoked(1).await?;
    }
    Ok(())
}

/// The token is made for the audience that the store names, and OpenBao asks the API server about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn kubernetes_with_a_requested_token() -> Result {
    let (place, _operator) = place("login-k8s").await?;
    let mount = place.kubernetes(Some("vault")).await?;
    let account = json!({"name": "app", "audiences": ["vault"]});
    let auth = json!({"kubernetes": {"mountPath": mount, "role": "app", "serviceAccountRef": account}});
    place.apply([place.store_with(STORE, auth)]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    let words = ["auth.kubernetes.serviceAccountRef", "ServiceAccount", "app", "does not exist; create it"];
    place.failed("db", &words).await?;
    place.store_is(STORE, "False", &words).await?;
    assert_eq!(place.proxy.logins(), 0, "{}", place.proxy.summary());

    // Mended in Kubernetes, so it heals at once, however long it has been waiting.
    place.apply([place.account("app")]).await?;
    place.works(&place.login_path(&mount, "login")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_missing_service_account_heals_at_once_after_many_tries() -> Result {
    let (place, _operator) = place("login-k8s-late").await?;
    let mount = place.kubernetes(None).await?;
    let auth = json!({"kubernetes": {"mountPath": mount, "role": "app", "serviceAccountRef": {"name": "app"}}});
    place.apply([place.store_with(STORE, auth)]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.failed("db", &["ServiceAccount", "does not exist; create it"]).await?;
    // Tries come after 2, 4 and 8 seconds, so the next one is more than the promised five away.
    let tries = || async {
        let metrics = _operator.get("/metrics").await.map_err(|error| error.to_string())?.1;
        let line =
            metrics.lines().find(|line| line.starts_with("externalsecret_sync_calls_total{")).unwrap_or_default();
        let count: usize = line.rsplit(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default();
        if count >= 4 { Ok(()) } else { Err(line.to_owned()) }
    };
    testbed::wait_until("the fourth try", std::time::Duration::from_secs(40), tries).await?;
    place.apply([place.account("app")]).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    place.store_status_within(STORE, "True", &[], HEALED).await?;

    // Vault looks at the account only at the login: with it ends the session, and one of the same name is another.
    let token = place.last_token();
    place.delete::<ServiceAccount>("app").await?;
    place.store_status_within(STORE, "False", &["ServiceAccount", "does not exist; create it"], HEALED).await?;
    place.revoked(1).await?;
    assert!(!place.is_alive(&token).await?);
    place.holds("db", &[("password", "s3cret")]).await?;
    place.apply([place.account("app")]).await?;
    place.store_status_within(STORE, "True", &[], HEALED).await?;
    assert_eq!(place.proxy.logins(), 2, "{}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn kubernetes_with_the_wrong_audience_is_told() -> Result {
    let (place, _operator) = place("login-k8s-aud").await?;
    let mount = place.kubernetes(Some("vault")).await?;
    let account = json!({"name": "app", "audiences": ["elsewhere"]});
    let auth = json!({"kubernetes": {"mountPath": mount, "role": "app", "serviceAccountRef": account}});
    place.apply([place.account("app"), place.store_with(STORE, auth)]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    let object = place.failed("db", &["not ready", "refused the login", &mount]).await?;
    assert_eq!(stalled(&object), Some("CredentialsRefused"));
    place.store_is(STORE, "False", &["refused the login", &mount]).await?;
    place.stays_absent("db").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn kubernetes_with_a_token_in_a_secret() -> Result {
    let (place, _operator) = place("login-k8s-secret").await?;
    let mount = place.kubernetes(None).await?;
    place.apply([place.account("app")]).await?;
    let token = place.stack.kube().token(place.name(), "app", &[]).await?;
    place.apply([secret(CREDENTIALS, &[("token", &token)])]).await?;
    // Where no key is written, it is `token`.
    let auth = json!({"kubernetes": {"mountPath": mount, "role": "app", "secretRef": {"name": CREDENTIALS}}});
    place.serves(auth, &place.login_path(&mount, "login")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn jwt_with_a_requested_token() -> Result {
    let (place, _operator) = place("login-jwt-sa").await?;
    let mount = place.jwt("vault").await?;
    place.apply([place.account("app")]).await?;
    // Without audiences it is made for "vault" alone.
    let requested = json!({"serviceAccountRef": {"name": "app"}});
    let auth = json!({"jwt": {"path": mount, "role": "app", "kubernetesServiceAccountToken": requested}});
    place.serves(auth, &place.login_path(&mount, "login")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn jwt_with_audiences_in_either_place() -> Result {
    for (hint, requested) in [
        ("login-jwt-aud", json!({"serviceAccountRef": {"name": "app", "audiences": ["team"]}})),
        (
            "login-jwt-aud2",
            json!({"serviceAccountRef": {"name": "app"}, "audiences": ["team"], "expirationSeconds": 600}),
        ),
    ] {
        let (place, _operator) = place(hint).await?;
        let mount = place.jwt("team").await?;
        place.apply([place.account("app")]).await?;
        let auth = json!({"jwt": {"path": mount, "role": "app", "kubernetesServiceAccountToken": requested}});
        place.serves(auth, &place.login_path(&mount, "login")).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn jwt_in_a_secret() -> Result {
    let (place, _operator) = place("login-jwt").await?;
    let mount = place.jwt("vault").await?;
    place.apply([place.account("app")]).await?;
    let token = place.stack.kube().token(place.name(), "app", &["vault"]).await?;
    place.apply([secret(CREDENTIALS, &[("jwt", &token)])]).await?;
    let auth = json!({"jwt": {"path": mount, "role": "app", "secretRef": {"name": CREDENTIALS, "key": "jwt"}}});
    place.serves(auth, &place.login_path(&mount, "login")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn user_and_password() -> Result {
    let (place, _operator) = place("login-user").await?;
    let mount = place.auth_mount("userpass").await?;
    let user = json!({"password": "hunter2 ", "token_policies": [place.name()]});
    place.vault_write(&format!("auth/{mount}/users/jane"), user).await?;
    place.apply([secret(CREDENTIALS, &[("password", "hunter2 \n")])]).await?;
    let reference = json!({"name": CREDENTIALS, "key": "password"});
    let auth = json!({"userPass": {"path": mount, "username": "jane", "secretRef": reference}});
    place.serves(auth, &place.login_path(&mount, "login/jane")).await?;

    place.apply([secret(CREDENTIALS, &[("password", "wrong")])]).await?;
    place.store_is(STORE, "False", &["refused the login", &mount, "invalid username or password"]).await?;
    Ok(())
}

/// OpenBao 2.7 comes without the LDAP method. Its login is userpass's to the letter, so a userpass mount stands in: this
/// shows what is sent and that the answer is taken, not that a directory is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ldap_speaks_as_userpass_does() -> Result {
    let (place, _operator) = place("login-ldap").await?;
    let mount = place.auth_mount("userpass").await?;
    let user = json!({"password": "hunter2", "token_policies": [place.name()]});
    place.vault_write(&format!("auth/{mount}/users/jane"), user).await?;
    place.apply([secret(CREDENTIALS, &[("password", "hunter2")])]).await?;
    let reference = json!({"name": CREDENTIALS, "key": "password"});
    let auth = json!({"ldap": {"path": mount, "username": "jane", "secretRef": reference}});
    place.serves(auth, &place.login_path(&mount, "login/jane")).await
}

/// Over OpenBao's own TLS listener, past the proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn client_certificate() -> Result {
    let (place, _operator) = place("login-cert").await?;
    let mount = place.auth_mount("cert").await?;
    let pki = place.stack.pki();
    let role =
        json!({"certificate": pki.ca()?, "allowed_common_names": ["operator"], "token_policies": [place.name()]});
    place.vault_write(&format!("auth/{mount}/certs/app"), role).await?;
    let certificate = |name: &str| -> Result<Value> {
        let pair = pki.issue_client(name, &[])?;
        Ok(secret(CREDENTIALS, &[("tls.crt", &pair.certificate), ("tls.key", &pair.key)]))
    };
    let key = |key: &str| json!({"name": CREDENTIALS, "key": key});
    let auth =
        json!({"cert": {"path": mount, "vaultRole": "app", "clientCert": key("tls.crt"), "secretRef": key("tls.key")}});
    let mut store = place.store_with(STORE, auth);
    let vault = &mut store["spec"]["provider"]["vault"];
    vault["server"] = json!(place.stack.vault_tls_addr());
    vault["caBundle"] = json!(base64(&pki.ca()?));
    place.apply([certificate("stranger")?, store]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.failed("db", &["refused the login", &mount, "client certificate"]).await?;

    place.apply([certificate("operator")?]).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    place.store_is(STORE, "True", &[]).await?;
    Ok(())
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Logs in at a parent namespace and reads in its child.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_namespace_of_its_own_for_the_login() -> Result {
    let (place, _operator) = place("login-ns").await?;
    let parent = place.stack.vault().create_namespace(place.name()).await?;
    let child = parent.create_namespace("child").await?;
    let kv = child.enable_kv(SHARED_KV, testbed::KvVersion::V2).await?;
    kv.write(&place.key("db"), json!({"password": "s3cret"})).await?;
    parent.allow_reading("reader", &[&format!("child/{SHARED_KV}/*")]).await?;
    parent.enable_auth("approle", "approle").await?;
    let role = parent.create_approle("approle", "app", json!({"token_policies": ["reader"]})).await?;
    let mut auth = json!({"appRole": {
        "path": "approle",
        "roleId": role.role_id,
        "secretRef": {"name": CREDENTIALS, "key": "id"},
    }});
    let store = |auth: &Value| {
        let mut store = place.store_with(STORE, auth.clone());
        store["spec"]["provider"]["vault"]["namespace"] = json!(format!("{}/child", place.name()));
        store
    };
    // Without it, the login goes where the secrets are.
    place.apply([secret(CREDENTIALS, &[("id", &role.secret_id)]), store(&auth)]).await?;
    place.store_is(STORE, "False", &["refused the login", "approle"]).await?;

    auth["namespace"] = json!(place.name());
    place.proxy.reset();
    place.apply([store(&auth)]).await?;
    place.works(&place.login_path("approle", "login")).await?;
    let seen = place.proxy.requests();
    let namespace = |path: &str| {
        let request = seen.iter().find(|seen| seen.path.starts_with(path)).unwrap();
        request.header("x-vault-namespace").unwrap().to_owned()
    };
    assert_eq!(namespace("/v1/auth/approle/login"), place.name());
    assert_eq!(namespace("/v1/kv/data/"), format!("{}/child", place.name()));
    place.stack.vault().send(Method::DELETE, &format!("sys/namespaces/{}", place.name()), None).await?;
    Ok(())
}

/// The operator's own identity, and that of an agent between, are nobody's to lend.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_without_a_login_is_told_what_is_missing() -> Result {
    let (place, _operator) = place("login-none").await?;
    let mut none = place.store_with("none", json!({}));
    none["spec"]["provider"]["vault"].as_object_mut().unwrap().remove("auth");
    let own = place.store_with("own", json!({"kubernetes": {"mountPath": "kubernetes", "role": "app"}}));
    place.apply([none, own]).await?;
    place.store_is("none", "False", &["provider.vault.auth is missing; set it"]).await?;
    place.store_is("own", "False", &["provider.vault.auth.kubernetes.serviceAccountRef is missing; set it"]).await?;
    assert_eq!(place.proxy.requests().len(), 0, "{}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn iam_and_gcp_are_refused_by_name() -> Result {
    let (place, _operator) = place("login-cloud").await?;
    let iam = json!({"iam": {"region": "eu-west-1", "vaultRole": "app"}});
    let gcp = json!({"gcp": {"role": "app"}});
    for (field, auth) in [("iam", iam), ("gcp", gcp)] {
        let name = format!("db-{field}");
        let external = place.external(&name, &[("password", "db#password")]).from_store(field);
        place.apply([place.store_with(field, auth), external.into()]).await?;
        let words =
            [&format!("provider.vault.auth.{field}"), "not supported", "use tokenSecretRef, appRole, kubernetes"];
        place.store_is(field, "False", &words).await?;
        let object = place.failed(&name, &words).await?;
        assert_eq!(stalled(&object), Some("InvalidSpec"));
    }
    assert_eq!(place.proxy.requests().len(), 0, "{}", place.proxy.summary());
    Ok(())
}
