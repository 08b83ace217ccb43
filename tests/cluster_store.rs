//! ClusterSecretStores: who may use one, whose credentials it uses there, and what is left when it goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, condition, message, stalled};
use common::place::CREDENTIALS;
use common::{A_WHILE, HEALED, Operator, Place, Result, SOON};
use external_secrets_rs::api::ExternalSecret;
use serde_json::{Value, json};
use testbed::{Method, holds_for, wait_until};

/// Two namespaces and an operator of the whole cluster. The store is named after the first, which is also its class.
async fn places(hint: &str) -> Result<(Place, Place, Operator)> {
    let (home, other) = (Place::new(hint).await?, Place::new(hint).await?);
    for place in [&home, &other] {
        place.write("db", json!({"password": "s3cret"})).await?;
    }
    let operator = home.cluster_operator().await?;
    Ok((home, other, operator))
}

/// An ExternalSecret that reads what `home` has, through the ClusterSecretStore named after it.
fn external(home: &Place) -> External {
    home.external("db", &[("password", "db#password")]).from_cluster_store(home.name())
}

fn store(home: &Place, conditions: Value) -> Value {
    let mut store = home.cluster_store(home.name(), home.app_role());
    store["spec"]["conditions"] = conditions;
    store
}

async fn label(place: &Place, labels: Value) -> Result {
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.name(), "labels": labels}});
    place.apply([body]).await
}

/// Not Ready because the store does not admit the namespace, and told so that a person knows what to do.
async fn not_admitted(home: &Place, place: &Place, name: &str) -> Result<ExternalSecret> {
    let words = ["ClusterSecretStore", home.name(), "not ready", "spec.conditions do not admit", place.name()];
    let object = place.failed_within(name, &words, HEALED).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"), "{}", message(&object));
    Ok(object)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_store_serves_every_namespace_with_the_credentials_of_one() -> Result {
    let (home, other, _operator) = places("css-named").await?;
    home.apply([home.credentials(), store(&home, json!([]))]).await?;
    let status = home.cluster_store_is(home.name(), "True", &["store validated"]).await?;
    assert_eq!(condition(&status, "Ready")["reason"], "Valid");
    assert_eq!(status["capabilities"], "ReadWrite");
    home.apply_external(external(&home)).await?;
    other.apply_external(external(&home)).await?;
    home.holds("db", &[("password", "s3cret")]).await?;
    other.holds("db", &[("password", "s3cret")]).await?;
    assert_eq!(home.proxy.logins(), 1, "one session for all: {}", home.proxy.summary());

    // The credentials are followed, wherever the ExternalSecrets are.
    let new = home.stack.vault().new_secret_id(&home.role.mount, &home.role.name).await?;
    home.apply([home.credentials_of(&new)]).await?;
    home.revoked(1).await?;
    assert_eq!(home.proxy.logins(), 2, "{}", home.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reference_without_a_namespace_means_that_of_each_external_secret() -> Result {
    let (home, other, operator) = places("css-referent").await?;
    home.apply([home.both_ids(), home.cluster_store(home.name(), home.app_role_of_referent())]).await?;
    let status = home.cluster_store_is(home.name(), "Unknown", &["namespace of each ExternalSecret"]).await?;
    assert_eq!(condition(&status, "Ready")["reason"], "ValidationUnknown");
    assert_eq!(condition(&status, "Stalled"), Value::Null);

    // Its own credentials may read its own paths.
    let own = |place: &Place| place.external("db", &[("password", "db#password")]).from_cluster_store(home.name());
    home.apply_external(own(&home)).await?;
    home.holds("db", &[("password", "s3cret")]).await?;
    other.apply_external(own(&other)).await?;
    let words = [CREDENTIALS, other.name(), "does not exist", "appRole.roleRef"];
    other.failed("db", &words).await?;
    other.apply([other.both_ids()]).await?;
    other.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    assert_eq!(home.proxy.logins(), 2, "a session for each namespace: {}", home.proxy.summary());

    // Nobody reads what is another's.
    other
        .apply_external(home.external("theft", &[("password", "db#password")]).from_cluster_store(home.name()))
        .await?;
    other.failed("theft", &["Vault denied reading", "403"]).await?;

    home.delete_cluster_store(home.name()).await?;
    home.revoked(2).await?;
    home.holds("db", &[("password", "s3cret")]).await?;
    drop(operator);
    assert_eq!(home.revocations(), 2, "{}", home.proxy.summary());
    Ok(())
}

/// Namespaces come and go by the thousand where each pull request has one.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_session_of_a_namespace_ends_with_its_last_external_secret() -> Result {
    let (home, other, _operator) = places("css-leaving").await?;
    let mut store = home.cluster_store(home.name(), home.app_role_of_referent());
    store["spec"]["refreshInterval"] = json!("1s");
    home.apply([home.both_ids(), store]).await?;
    other.apply([other.both_ids()]).await?;
    let own = |place: &Place| place.external("db", &[("password", "db#password")]).from_cluster_store(home.name());
    home.apply_external(own(&home)).await?;
    other.apply_external(own(&other)).await?;
    home.ready("db").await?;
    other.ready("db").await?;

    other.delete::<ExternalSecret>("db").await?;
    home.revoked(1).await?;
    // The other namespace's session goes on, and a new object here gets one again.
    holds_for("one session ended", A_WHILE, async || match (home.revocations(), home.proxy.logins()) {
        (1, 2) => Ok(()),
        _ => Err(home.proxy.summary()),
    })
    .await?;
    other.apply_external(own(&other)).await?;
    other.ready("db").await?;
    assert_eq!(home.proxy.logins(), 3, "{}", home.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn conditions_admit_namespaces_by_name() -> Result {
    let (home, other, _operator) = places("css-names").await?;
    home.apply([home.credentials(), store(&home, json!([{"namespaces": [home.name()]}]))]).await?;
    home.apply_external(external(&home)).await?;
    other.apply_external(external(&home)).await?;
    home.holds("db", &[("password", "s3cret")]).await?;
    not_admitted(&home, &other, "db").await?;
    other.event("db", "Warning", "UpdateFailed", &["do not admit"]).await?;
    other.stays_absent("db").await?;

    let both = json!([{"namespaces": [home.name()]}, {"namespaces": [other.name()]}]);
    home.apply([store(&home, both)]).await?;
    other.holds_within("db", &[("password", "s3cret")], HEALED).await?;

    // Shut out again: told, and what stands stays.
    home.apply([store(&home, json!([{"namespaces": [home.name()]}]))]).await?;
    not_admitted(&home, &other, "db").await?;
    other.holds("db", &[("password", "s3cret")]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn conditions_admit_namespaces_by_label_and_follow_it() -> Result {
    let (home, other, operator) = places("css-labels").await?;
    let gold = json!([{"namespaceSelector": {"matchLabels": {"tier": "gold"}}}]);
    label(&home, json!({"tier": "gold"})).await?;
    home.apply([home.credentials(), store(&home, gold)]).await?;
    home.apply_external(external(&home)).await?;
    other.apply_external(external(&home)).await?;
    home.holds("db", &[("password", "s3cret")]).await?;
    not_admitted(&home, &other, "db").await?;

    label(&other, json!({"tier": "gold"})).await?;
    other.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    let reads = home.reads("db");
    label(&other, json!({"tier": "gold", "team": "blue"})).await?;
    holds_for("no read for a label that no store asks for", A_WHILE, async || match home.reads("db") {
        seen if seen == reads => Ok(()),
        _ => Err(home.proxy.summary()),
    })
    .await?;

    label(&other, json!({"tier": "tin"})).await?;
    not_admitted(&home, &other, "db").await?;
    other.holds("db", &[("password", "s3cret")]).await?;
    drop(operator);
    Ok(())
}

/// A label that must not be there is not known to be absent as long as the Namespace was not seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_is_admitted_by_labels_that_are_not_known() -> Result {
    let (home, named) = (Place::new("css-unknown").await?, Place::new("css-unknown").await?);
    home.write("db", json!({"password": "s3cret"})).await?;
    let unrestricted = json!([
        {"namespaces": [named.name()]},
        {"namespaceSelector": {"matchExpressions": [{"key": "restricted", "operator": "DoesNotExist"}]}},
    ]);
    home.apply([home.account("operator"), home.credentials(), store(&home, unrestricted)]).await?;
    // All rights but those on Namespaces.
    let rules = json!([
        {"apiGroups": ["external-secrets.io"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
    ]);
    let role = |rules: Value| {
        let meta = json!({"name": home.name()});
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules})
    };
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": home.name()},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": home.name()},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": home.name()}],
    });
    home.apply([role(rules.clone()), binding]).await?;
    let kubeconfig = home.stack.kube().service_account_kubeconfig(home.name(), "operator").await?;
    let operator = Operator::start_with(&["--controller-class", home.name()], Some(&kubeconfig)).await?;
    operator.ready().await?;
    home.apply_external(external(&home)).await?;
    named.apply_external(external(&home)).await?;
    named.holds("db", &[("password", "s3cret")]).await?;
    let words = ["select namespaces by label", home.name(), "not known yet", "list and watch Namespaces"];
    let object = home.failed_within("db", &words, 4 * SOON).await?;
    assert_eq!(stalled(&object), None, "{}", message(&object));
    home.stays_absent("db").await?;

    // With the right to see them it passes by itself.
    let mut all = rules.as_array().cloned().unwrap_or_default();
    all.push(json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]}));
    home.apply([role(json!(all))]).await?;
    home.holds_within("db", &[("password", "s3cret")], 4 * SOON).await?;
    drop(operator);
    for kind in ["clusterrolebindings", "clusterroles"] {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/{kind}/{}", home.name());
        home.stack.kube().request(Method::DELETE, &path, None).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn conditions_admit_namespaces_by_expression_and_any_match_does() -> Result {
    let (home, other, _operator) = places("css-regex").await?;
    let conditions = json!([
        {"namespaces": ["elsewhere"], "namespaceSelector": {"matchLabels": {"tier": "none-has-it"}}},
        {"namespaceRegexes": ["^no-such-.*$", &format!("^{}$", other.name())]},
    ]);
    home.apply([home.credentials(), store(&home, conditions)]).await?;
    home.apply_external(external(&home)).await?;
    other.apply_external(external(&home)).await?;
    other.holds("db", &[("password", "s3cret")]).await?;
    not_admitted(&home, &home, "db").await?;

    home.apply([store(&home, json!([{"namespaceRegexes": ["("]}]))]).await?;
    let object = home.failed("db", &["regular expression \"(\"", "correct it"]).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"));
    home.cluster_store_is(home.name(), "False", &["regular expression \"(\"", "correct it"]).await?;
    Ok(())
}

/// Every part of it: nothing of a store that somebody else is in charge of is touched, not even its status.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_of_another_class_is_left_alone() -> Result {
    let (home, _, operator) = places("css-class").await?;
    let mut foreign = store(&home, json!([]));
    foreign["spec"]["controller"] = json!("somebody-else");
    home.apply([home.credentials(), foreign, external(&home).into()]).await?;
    let path = format!("/apis/external-secrets.io/v1/clustersecretstores/{}", home.name());
    holds_for("no request and no word", A_WHILE, async || {
        let store = home.stack.kube().request(Method::GET, &path, None).await.map_err(|error| error.to_string())?;
        match (store["status"]["conditions"].is_null(), home.proxy.requests().len()) {
            (true, 0) => Ok(()),
            _ => Err(format!("{} {}", store["status"], home.proxy.summary())),
        }
    })
    .await?;

    home.apply([store(&home, json!([]))]).await?;
    home.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    // Handed over to somebody else, its token is of no more use.
    let name = format!("clustersecretstore_status_condition{{condition=\"Ready\",name=\"{}\"", home.name());
    wait_until("a series of the store", SOON, async || match operator.get("/metrics").await {
        Ok((_, metrics)) if metrics.contains(&name) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let mut foreign = store(&home, json!([]));
    foreign["spec"]["controller"] = json!("somebody-else");
    home.apply([foreign]).await?;
    home.revoked(1).await?;
    let (_, metrics) = operator.get("/metrics").await?;
    assert!(!metrics.contains(&name), "what its status says is somebody else's to tell");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_operator_of_one_namespace_says_that_it_sees_none() -> Result {
    let place = Place::new("css-unseen").await?;
    let _operator = Operator::start(place.name()).await?;
    place.apply([place.credentials(), place.cluster_store(place.name(), place.app_role())]).await?;
    place.apply_external(external(&place)).await?;
    let object = place.failed("db", &["ClusterSecretStore", "--namespace", "SecretStore"]).await?;
    wait_until("a message", HEALED, async || match message(&object).contains("create it") {
        false => Ok(()),
        true => Err(message(&object)),
    })
    .await?;
    Ok(())
}
