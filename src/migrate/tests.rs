use super::*;
use serde_json::json;
use std::sync::LazyLock;

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(Schemas::default);

fn external(spec: Value) -> Value {
    let mut spec = spec;
    let fields = spec.as_object_mut().unwrap();
    fields.entry("secretStoreRef").or_insert(json!({"name": "vault"}));
    fields.entry("data").or_insert(json!([{"secretKey": "a", "remoteRef": {"key": "db", "property": "a"}}]));
    json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "e"}, "spec": spec})
}

fn store(spec: Value) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "vault"}, "spec": spec})
}

fn vault(auth: Value) -> Value {
    store(json!({"provider": {"vault": {"server": "http://vault:8200", "path": "kv", "auth": auth}}}))
}

fn token() -> Value {
    vault(json!({"tokenSecretRef": {"name": "token", "key": "token"}}))
}

/// The verdict on the first object, and all reasons in one text.
fn told(objects: &[Value]) -> (Verdict, String) {
    let judgement = judge(&SCHEMAS, objects, "team").into_iter().next().unwrap();
    (judgement.verdict, judgement.why.join("\n"))
}

#[test]
fn an_external_secret_is_judged_by_its_spec() {
    use Verdict::{Differs, NeedsEdit, NotServed, Works};
    let data = |remote: Value| json!([{"secretKey": "a", "remoteRef": remote}]);
    let table = [
        (json!({}), Works, ""),
        (json!({"refreshInterval": "0"}), Differs, "refreshInterval is 0"),
        (json!({"target": {"deletionPolicy": "Delete"}}), Differs, "--deletion-brake"),
        (json!({"data": data(json!({"key": "db"}))}), Differs, "spec.data[0] (a) takes a whole secret as JSON"),
        (json!({"target": {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}}), NotServed, "spec.target.manifest"),
        (
            json!({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Password", "name": "p"}}}]}),
            NotServed,
            "spec.dataFrom[0].sourceRef.generatorRef",
        ),
        (json!({"dataFrom": null, "target": null, "refreshInterval": null}), Works, ""),
        (
            json!({"data": [{"secretKey": "a", "remoteKey": "a#b"}, {"secretKey": "a", "remoteKey": "b#b"}]}),
            NeedsEdit,
            "spec.data[1] has the secretKey of an earlier entry",
        ),
        (json!({"surprise": true}), NeedsEdit, "spec.surprise is no field"),
        (
            json!({"data": data(json!({"key": "db", "proprety": "a"}))}),
            NeedsEdit,
            "spec.data[0].remoteRef.proprety is no field",
        ),
        (json!({"data": data(json!({"property": "a"}))}), NeedsEdit, "spec.data[0].remoteRef.key is missing"),
        (json!({"data": data(json!({"key": "db", "version": "latest"}))}), NeedsEdit, "version \"latest\""),
        (
            json!({"target": {"template": {"engineVersion": "v1"}}}),
            NeedsEdit,
            "spec.target.template.engineVersion must be one of v2",
        ),
        (json!({"target": {"template": {"data": {"a": "{{ .a | nope }}"}}}}), NeedsEdit, "nope"),
        (json!({"data": [], "dataFrom": []}), NeedsEdit, "nothing to fetch"),
        (
            json!({"dataFrom": [{"extract": {"key": "db"}, "rewrite": [{"regexp": {"source": "(?<!a)b", "target": ""}}]}]}),
            NeedsEdit,
            "RE2",
        ),
        (json!({"target": {"creationPolicy": "Never"}}), NeedsEdit, "spec.target.creationPolicy must be one of"),
        (json!({"refreshInterval": ["1h"]}), NeedsEdit, "spec.refreshInterval must be of type"),
    ];
    for (spec, verdict, words) in table {
        let (found, why) = told(&[external(spec.clone()), token()]);
        assert_eq!(found, verdict, "{spec}: {why}");
        assert!(why.contains(words), "{spec}: {why}");
    }
}

#[test]
fn a_store_is_judged_by_its_spec() {
    use Verdict::{NeedsEdit, NotServed, Works};
    let app_role = |role: Value| vault(json!({"appRole": role}));
    let secret = json!({"name": "s", "key": "k"});
    let interval = |interval: Value| {
        let mut store = token();
        store["spec"]["refreshInterval"] = interval;
        store
    };
    let table = [
        (token(), Works, ""),
        (store(json!({"provider": {"aws": {"service": "SecretsManager", "region": "eu"}}})), NotServed, "\"aws\""),
        (app_role(json!({"path": "approle", "roleId": "r", "secretRef": secret})), Works, ""),
        (app_role(json!({"path": "approle", "secretRef": secret})), NeedsEdit, "say which role"),
        (vault(json!({"iam": {"vaultRole": "r"}})), NotServed, "provider.vault.auth.iam"),
        (vault(json!({"kubernetes": {"role": "r", "mountPath": "kubernetes"}})), NeedsEdit, "never does"),
        (
            vault(json!({"tokenSecretRef": {"name": "t", "key": "k", "namespace": "other"}})),
            NeedsEdit,
            "tokenSecretRef: it refers to namespace \"other\"",
        ),
        (vault(json!({"tokenSecretRef": {"name": "t", "key": "k", "namespace": "team"}})), Works, ""),
        (
            store(json!({"provider": {"vault": {"server": "vault:8200", "auth": {"tokenSecretRef": secret}}}})),
            NeedsEdit,
            "spec.provider.vault.server",
        ),
        (
            store(json!({"provider": {"vault": {"server": "http://vault"}}})),
            NeedsEdit,
            "provider.vault.auth is missing",
        ),
        (interval(json!("5m")), Works, ""),
        (interval(json!(300)), Works, ""),
        (interval(json!("often")), NeedsEdit, "spec.refreshInterval"),
        (interval(json!(-1)), NeedsEdit, "spec.refreshInterval"),
        (store(json!({})), NeedsEdit, "spec.provider is missing"),
        (
            store(json!({"provider": {"openbao": {"server": "http://bao", "auth": {"tokenSecretRef": secret}}}})),
            Works,
            "",
        ),
    ];
    for (object, verdict, words) in table {
        let (found, why) = told(std::slice::from_ref(&object));
        assert_eq!(found, verdict, "{object}: {why}");
        assert!(why.contains(words), "{object}: {why}");
    }
}

#[test]
fn an_external_secret_shares_the_lot_of_its_store() {
    let aws = store(json!({"provider": {"aws": {"service": "SecretsManager", "region": "eu"}}}));
    let (verdict, why) = told(&[external(json!({})), aws]);
    assert_eq!(verdict, Verdict::NotServed);
    assert!(why.contains("its SecretStore \"vault\" is not served") && why.contains("aws"), "{why}");

    let (verdict, why) = told(&[external(json!({}))]);
    assert_eq!(verdict, Verdict::Works);
    assert!(why.contains("is not among these objects"), "{why}");

    // The store's version decides what can be had of it.
    let mut first = token();
    first["spec"]["provider"]["vault"]["version"] = json!("v1");
    let find = external(json!({"dataFrom": [{"find": {"tags": {"a": "b"}}}]}));
    let (verdict, why) = told(&[find, first]);
    assert_eq!(verdict, Verdict::NeedsEdit, "{why}");
}

/// What others read as it is, is written over by nobody.
#[test]
fn a_target_that_others_read_is_refused() {
    let into = |target: Value, store: Value| {
        let mut external = external(json!({"target": target, "secretStoreRef": store}));
        external["metadata"]["name"] = json!("into");
        external
    };
    let own = json!({"name": "vault"});
    let (verdict, why) = told(&[into(json!({"name": "token"}), own.clone()), token()]);
    assert_eq!(verdict, Verdict::NeedsEdit);
    assert!(why.contains("Secret \"token\"") && why.contains("reads its credentials from"), "{why}");

    let texts = json!({"template": {"templateFrom": [{"secret": {"name": "into", "items": [{"key": "a"}]}}]}});
    let (verdict, why) = told(&[into(json!({}), own.clone()), external(json!({"target": texts})), token()]);
    assert_eq!(verdict, Verdict::NeedsEdit);
    assert!(why.contains("Secret \"into\"") && why.contains("templateFrom"), "{why}");

    // A ClusterSecretStore reads the namespace that it names, or else that of whoever uses it.
    let cluster_store = |namespace: Value| {
        let mut store = vault(json!({"tokenSecretRef": {"name": "token", "key": "k", "namespace": namespace}}));
        store["kind"] = json!("ClusterSecretStore");
        store
    };
    let cluster = json!({"name": "vault", "kind": "ClusterSecretStore"});
    let table = [
        (json!(null), &cluster, Verdict::NeedsEdit),
        (json!("team"), &cluster, Verdict::NeedsEdit),
        (json!("team"), &own, Verdict::NeedsEdit),
        (json!(null), &own, Verdict::Works),
        (json!("other"), &cluster, Verdict::Works),
    ];
    for (namespace, store, verdict) in table {
        let (found, why) = told(&[into(json!({"name": "token"}), store.clone()), cluster_store(namespace.clone())]);
        assert_eq!(found, verdict, "{namespace} {store}: {why}");
    }
}

#[test]
fn other_kinds_and_versions_are_told() {
    let object =
        |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "o"}, "spec": {}});
    for (version, kind, words) in [
        ("external-secrets.io/v1alpha1", "PushSecret", "writes nothing to Vault"),
        ("external-secrets.io/v1", "ClusterExternalSecret", "in each namespace"),
        ("generators.external-secrets.io/v1alpha1", "Password", "no generators"),
    ] {
        let (verdict, why) = told(&[object(version, kind)]);
        assert_eq!(verdict, Verdict::NotServed);
        assert!(why.contains(words), "{why}");
    }
    let mut old = external(json!({}));
    old["apiVersion"] = json!("external-secrets.io/v1alpha1");
    let (verdict, why) = told(&[old.clone()]);
    assert_eq!(verdict, Verdict::NeedsEdit);
    assert!(why.contains("write external-secrets.io/v1"), "{why}");
    old["apiVersion"] = json!("external-secrets.io/v1beta1");
    assert_eq!(told(&[old, token()]), (Verdict::Works, String::new()));
    assert_eq!(judge(&SCHEMAS, &[object("v1", "Secret")], "team"), Vec::new());
}

/// Reasons name fields; what stands in them stays there.
#[test]
fn no_reason_holds_a_value() {
    let hidden = "hvs.hidden";
    let objects = [
        store(json!({"provider": {"fake": {"data": [{"key": "a", "value": hidden}]}}})),
        vault(json!({"tokenSecretRef": hidden})),
        external(json!({"refreshPolicy": hidden, "data": hidden})),
        external(json!({"target": {"template": {"data": {"a": hidden, "b": [hidden]}}}})),
    ];
    let judged = judge(&SCHEMAS, &objects, "team");
    assert!(judged.iter().all(|one| !one.verdict.is_fine()), "{judged:?}");
    assert!(!serde_json::to_string(&judged).unwrap().contains(hidden), "{judged:?}");
}
