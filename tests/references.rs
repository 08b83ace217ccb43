//! No reference of a SecretStore leaves its namespace, whichever field it stands in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{message, stalled};
use common::place::{CREDENTIALS, SECRET_ID_KEY, STORE, secret};
use common::{HEALED, Operator, Place, Result};
use serde_json::{Value, json};

/// The fields of `provider.vault` that are set, and which of them the condition names.
struct Case {
    field: &'static str,
    vault: Value,
}

/// Every reference that a store can hold, each leading to `there`. What it leads to is there, and would do.
fn cases(there: &str, place: &Place) -> Vec<Case> {
    let app_role = || place.app_role()["appRole"].clone();
    let key = |key: &str| json!({"name": "theirs", "namespace": there, "key": key});
    let account = json!({"name": "default", "namespace": there});
    let auth = |auth: Value| json!({"auth": auth});
    let beside = |field: &str, value: Value| json!({"auth": {"appRole": app_role()}, field: value});
    let own = json!({"name": CREDENTIALS, "key": SECRET_ID_KEY});
    let case = |field, vault| Case { field, vault };
    vec![
        case("auth.tokenSecretRef", auth(json!({"tokenSecretRef": key("token")}))),
        case(
            "auth.appRole.secretRef",
            auth(json!({"appRole": {"path": "approle", "roleId": "r", "secretRef": key("secretID")}})),
        ),
        case(
            "auth.appRole.roleRef",
            auth(json!({"appRole": {"path": "approle", "roleRef": key("roleID"), "secretRef": own}})),
        ),
        case(
            "auth.kubernetes.serviceAccountRef",
            auth(json!({"kubernetes": {"mountPath": "kubernetes", "role": "r", "serviceAccountRef": account}})),
        ),
        case(
            "auth.kubernetes.secretRef",
            auth(json!({"kubernetes": {"mountPath": "kubernetes", "role": "r", "secretRef": key("token")}})),
        ),
        case("auth.jwt.secretRef", auth(json!({"jwt": {"path": "jwt", "role": "r", "secretRef": key("token")}}))),
        case(
            "auth.jwt.kubernetesServiceAccountToken.serviceAccountRef",
            auth(
                json!({"jwt": {"path": "jwt", "role": "r", "kubernetesServiceAccountToken": {"serviceAccountRef": account}}}),
            ),
        ),
        case(
            "auth.userPass.secretRef",
            auth(json!({"userPass": {"path": "userpass", "username": "u", "secretRef": key("token")}})),
        ),
        case(
            "auth.ldap.secretRef",
            auth(json!({"ldap": {"path": "ldap", "username": "u", "secretRef": key("token")}})),
        ),
        case("auth.cert.clientCert", auth(json!({"cert": {"clientCert": key("tls.crt"), "secretRef": own}}))),
        case("auth.cert.secretRef", auth(json!({"cert": {"clientCert": own, "secretRef": key("tls.key")}}))),
        case(
            "caProvider",
            beside("caProvider", json!({"type": "Secret", "name": "theirs", "namespace": there, "key": "ca.crt"})),
        ),
        case(
            "caProvider",
            beside("caProvider", json!({"type": "ConfigMap", "name": "theirs", "namespace": there, "key": "ca.crt"})),
        ),
        case("tls.certSecretRef", beside("tls", json!({"certSecretRef": key("tls.crt"), "keySecretRef": own}))),
        case("tls.keySecretRef", beside("tls", json!({"certSecretRef": own, "keySecretRef": key("tls.key")}))),
    ]
}

async fn every_kind_is_refused() -> Result {
    let (place, other) = (Place::new("refs").await?, Place::new("refs-other").await?);
    place.write("db", json!({"password": "s3cret"})).await?;
    let pair = place.stack.pki().issue_client("operator", &[])?;
    let ca = place.stack.pki().ca()?;
    let texts = [
        ("token", place.stack.vault().token()),
        ("secretID", &place.role.secret_id),
        ("roleID", &place.role.role_id),
        ("tls.crt", &pair.certificate),
        ("tls.key", &pair.key),
        ("ca.crt", &ca),
    ];
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"ca.crt": ca}});
    other.apply([secret("theirs", &texts), map]).await?;
    let operator = Operator::start(place.name()).await?;
    let cases = cases(other.name(), &place);
    let mut objects = vec![place.credentials()];
    for (n, case) in cases.iter().enumerate() {
        let name = format!("{STORE}-{n}");
        let mut store = place.store_with(&name, json!({}));
        let vault = store["spec"]["provider"]["vault"].as_object_mut().unwrap();
        vault.extend(case.vault.as_object().unwrap().clone());
        let external = place.external(&format!("db-{n}"), &[("password", "db#password")]).from_store(&name);
        objects.extend([store, external.into()]);
    }
    place.apply(objects).await?;
    for (n, case) in cases.iter().enumerate() {
        let field = format!("provider.vault.{}:", case.field);
        let words = [field.as_str(), other.name(), place.name(), "only use its own namespace", "ClusterSecretStore"];
        let store = format!("{STORE}-{n}");
        place.store_is(&store, "False", &words).await?;
        place.event(&store, "Warning", "InvalidProviderConfig", &words).await?;
        let object = place.failed(&format!("db-{n}"), &[&["not ready"], &words[..]].concat()).await?;
        assert_eq!(stalled(&object), Some("InvalidSpec"), "{}", message(&object));
    }
    assert_eq!(place.proxy.requests().len(), 0, "{}", place.proxy.summary());
    let log = operator.log();
    for (_, text) in &texts[..3] {
        assert!(!log.contains(text), "a credential in the log");
    }
    Ok(())
}

/// One after the other, since the second counts what the API server is asked for by anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reference_to_another_namespace_is_refused_and_never_read() -> Result {
    every_kind_is_refused().await?;
    nothing_is_read().await?;
    what_is_missing_is_not_looked_for_again().await
}

/// Its creation is watched, so no retry has to ask the API server.
async fn what_is_missing_is_not_looked_for_again() -> Result {
    let place = Place::new("refs-missing").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let _operator = Operator::start(place.name()).await?;
    let external = |n: usize| place.external(&format!("db-{n}"), &[("password", "db#password")]).every("1s").into();
    place.apply([place.store(STORE)]).await?;
    place.apply((0..10).map(external)).await?;
    for n in 0..10 {
        place.failed(&format!("db-{n}"), &[CREDENTIALS, "does not exist"]).await?;
    }
    place.store_is(STORE, "False", &[CREDENTIALS, "does not exist"]).await?;
    let before = gets_of_secrets(&place).await?;
    // Ten objects try again after 2 and 4 seconds, the store too.
    testbed::holds_for("no search", std::time::Duration::from_secs(7), async || {
        let gets = gets_of_secrets(&place).await.map_err(|error| error.to_string())? - before;
        if gets <= 4.0 { Ok(()) } else { Err(format!("{gets} reads of Secrets")) }
    })
    .await?;
    place.apply([place.credentials()]).await?;
    for n in 0..10 {
        place.ready_within(&format!("db-{n}"), HEALED).await?;
    }
    Ok(())
}

async fn nothing_is_read() -> Result {
    let (place, other) = (Place::new("refs-rights").await?, Place::new("refs-rights-other").await?);
    let (before, store) = (gets_of_secrets(&place).await?, other.name().to_owned());
    let operator = Operator::start(place.name()).await?;
    let mut vault = place.store_with(STORE, place.app_role());
    vault["spec"]["provider"]["vault"]["auth"]["appRole"]["secretRef"]["namespace"] = json!(store);
    other.apply([other.credentials()]).await?;
    place.apply([vault, place.external("db", &[("password", "db#password")]).into()]).await?;
    place.failed("db", &["appRole.secretRef", other.name()]).await?;
    place.store_is(STORE, "False", &["appRole.secretRef", other.name()]).await?;
    drop(operator);
    let after = gets_of_secrets(&place).await?;
    assert_eq!(after - before, 0.0, "the API server counts every read of a Secret");
    Ok(())
}

/// GETs of single Secrets, as the API server counts them, of everybody.
async fn gets_of_secrets(place: &Place) -> Result<f64> {
    let text = place.client.request_text(http_get("/metrics")?).await?;
    let is_meant = |line: &&str| {
        ["apiserver_request_total{", "resource=\"secrets\"", "verb=\"GET\""].iter().all(|part| line.contains(part))
    };
    Ok(text.lines().filter(is_meant).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

fn http_get(path: &str) -> Result<http::Request<Vec<u8>>> {
    Ok(http::Request::get(path).body(Vec::new())?)
}
