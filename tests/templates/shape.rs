//! Data, labels, annotations and finalizers, from wherever a template may stand.

use crate::common::place::secret;
use crate::common::{External, HEALED, Place, Result};
use crate::{config_map, place, secret_now, templated};
use external_secrets_rs::api::ExternalSecret;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn data_and_metadata_are_templates() -> Result {
    let (place, _operator) = place("template-shape").await?;
    let template = json!({
        "engineVersion": "v2",
        "metadata": {
            "labels": {"for": "{{ .user }}", "app": "shop"},
            "annotations": {"about": "the {{ .user | upper }} of the database"},
            "finalizers": ["example.com/kept"],
        },
        "data": {
            "url": "postgres://{{ .user }}:{{ .password | urlquery }}@db:5432/app",
            "app.yaml": "database:\n  {{- range $key := list \"user\" \"password\" }}\n  {{ $key }}: {{ index $ $key | quote }}\n  {{- end }}\n",
        },
    });
    let external = templated(&place, "db", template).with("/metadata", "labels", json!({"not": "copied"}));
    place.apply_external(external.annotated("not", "copied")).await?;
    let data = [
        ("url", "postgres://admin:p%26w@db:5432/app"),
        ("app.yaml", "database:\n  user: \"admin\"\n  password: \"p&w\"\n"),
    ];
    place.holds("db", &data).await?;
    place.ready("db").await?;
    let now = secret_now(&place, "db").await?;
    assert_eq!(now["type"], "Opaque");
    let metadata = &now["metadata"];
    assert_eq!((&metadata["labels"]["for"], &metadata["labels"]["app"]), (&json!("admin"), &json!("shop")));
    assert_eq!(metadata["annotations"]["about"], "the ADMIN of the database");
    assert_eq!(metadata["finalizers"], json!(["example.com/kept"]));
    assert_eq!(metadata["labels"]["reconcile.external-secrets.io/managed"], "true");
    assert_eq!((&metadata["labels"]["not"], &metadata["annotations"]["not"]), (&Value::Null, &Value::Null));

    // An edit is undone, and what leaves the template leaves the Secret.
    place.patch::<Secret>("db", json!({"stringData": {"url": "mine"}})).await?;
    place.holds_within("db", &data, HEALED).await?;
    let fewer = json!({"metadata": {"labels": {"app": "{{ .password | len }}"}}, "data": {"user": "{{ .user }}"}});
    place.apply_external(templated(&place, "db", fewer)).await?;
    place.holds_within("db", &[("user", "admin")], HEALED).await?;
    let metadata = &secret_now(&place, "db").await?["metadata"];
    assert_eq!((&metadata["labels"]["for"], &metadata["labels"]["app"]), (&Value::Null, &json!("3")));
    assert_eq!(metadata["annotations"]["about"], Value::Null);

    place.delete::<ExternalSecret>("db").await?;
    place.gone::<ExternalSecret>("db", HEALED).await?;
    place.patch::<Secret>("db", json!({"metadata": {"finalizers": null}})).await?;
    Ok(())
}

/// A value that changed in Vault comes through the templates, labels included.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rotated_value_is_rendered_anew() -> Result {
    let (place, _operator) = place("template-rotation").await?;
    let template = json!({"metadata": {"labels": {"for": "{{ .user }}"}}, "data": {"url": "{{ .user }}@db"}});
    place.apply_external(templated(&place, "db", template).every("1s")).await?;
    place.holds("db", &[("url", "admin@db")]).await?;
    place.write("db", json!({"user": "other", "password": "p"})).await?;
    place.holds("db", &[("url", "other@db")]).await?;
    assert_eq!(secret_now(&place, "db").await?["metadata"]["labels"]["for"], "other");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn merge_policy_says_whether_the_values_stay() -> Result {
    let (place, _operator) = place("template-merge").await?;
    let data = json!({"user": "{{ .user | upper }}", "url": "{{ .user }}@db"});
    let of = |policy: &str| templated(&place, &policy.to_lowercase(), json!({"mergePolicy": policy, "data": data}));
    let values = templated(&place, "values", json!({"metadata": {"labels": {"a": "b"}}}));
    place.apply([of("Replace").into(), of("Merge").into(), values.into()]).await?;
    place.holds("replace", &[("user", "ADMIN"), ("url", "admin@db")]).await?;
    place.holds("merge", &[("user", "ADMIN"), ("url", "admin@db"), ("password", "p&w")]).await?;
    // A template that makes no data leaves the values as they are.
    place.holds("values", &[("user", "admin"), ("password", "p&w")]).await?;
    Ok(())
}

/// template.data wins over templateFrom, that over the values, those over what stands; among templateFrom the later wins.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn precedence() -> Result {
    let (place, _operator) = Place::with_operator("template-order").await?;
    let layer = |value: &str, keys: &[&str]| -> Vec<(String, String)> {
        keys.iter().map(|key| ((*key).to_owned(), value.to_owned())).collect()
    };
    place.write("db", json!({"a": "vault", "b": "vault", "c": "vault", "d": "vault"})).await?;
    let standing = layer("standing", &["a", "b", "c", "d", "e"]);
    let standing: Vec<(&str, &str)> = standing.iter().map(|(key, value)| (&**key, &**value)).collect();
    place
        .apply([
            secret("merge", &standing),
            secret("replace", &standing),
            config_map("templates", json!({"all": "a: map\nb: map\nc: map\n"})),
        ])
        .await?;
    let of = |policy: &str| {
        let all = json!({"name": "templates", "items": [{"key": "all", "templateAs": "KeysAndValues"}]});
        let template = json!({
            "mergePolicy": policy,
            "templateFrom": [{"configMap": all}, {"literal": "a: literal\nb: literal\n"}],
            "data": {"a": "data"},
        });
        let entries = json!([{"extract": {"key": place.key("db")}}]);
        let external = External::new(&policy.to_lowercase(), Vec::new()).with("/spec", "dataFrom", entries);
        external.with("/spec", "target", json!({"creationPolicy": "CreateOrMerge", "template": template})).into()
    };
    place.apply([of("Merge"), of("Replace")]).await?;
    let upper = [("a", "data"), ("b", "literal"), ("c", "map")];
    place.holds("merge", &[&upper[..], &[("d", "vault"), ("e", "standing")]].concat()).await?;
    place.holds("replace", &[&upper[..], &[("d", "standing"), ("e", "standing")]].concat()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn templates_from_config_maps_secrets_and_in_place() -> Result {
    let (place, _operator) = place("template-from").await?;
    place
        .apply([
            config_map(
                "map",
                json!({
                    "app.ini": "user={{ .user }}\n",
                    "all": "url: {{ printf \"%s@db\" .user | quote }}\nport: 5432\ntls: true\n",
                    "team": "{{ .user }}s",
                    "unused": "{{ .nope }}",
                }),
            ),
            secret("hidden", &[("pepper", "{{ .password }}-pepper"), ("notes", "who: the {{ .user }}\n")]),
        ])
        .await?;
    let item = |key: &str, templated_as: &str| json!({"key": key, "templateAs": templated_as});
    let template = json!({"templateFrom": [
        {"configMap": {"name": "map", "items": [{"key": "app.ini"}, item("all", "KeysAndValues")]}},
        {"secret": {"name": "hidden", "items": [item("pepper", "Values")]}},
        {"target": "Labels", "configMap": {"name": "map", "items": [item("team", "Values")]}},
        {"target": "Annotations", "secret": {"name": "hidden", "items": [item("notes", "KeysAndValues")]}},
        {"literal": "{{ range $name, $value := . }}{{ $name }}-length: \"{{ len $value }}\"\n{{ end }}"},
        {"target": "Data", "literal": "# nothing\n{{ if false }}a: b{{ end }}"},
        {"target": "Labels", "literal": "{{ .user }}: here"},
    ]});
    place.apply_external(templated(&place, "db", template)).await?;
    let data = [
        ("app.ini", "user=admin\n"),
        ("url", "admin@db"),
        ("port", "5432"),
        ("tls", "true"),
        ("pepper", "p&w-pepper"),
        ("user-length", "5"),
        ("password-length", "3"),
    ];
    place.holds("db", &data).await?;
    let metadata = &secret_now(&place, "db").await?["metadata"];
    assert_eq!((&metadata["labels"]["team"], &metadata["labels"]["admin"]), (&json!("admins"), &json!("here")));
    assert_eq!(metadata["annotations"]["who"], "the admin");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_templates_make_is_decoded_as_told() -> Result {
    let (place, _operator) = place("template-decoding").await?;
    let from = |strategy: &str, text: &str| json!({"valuesDecodingStrategy": strategy, "literal": text});
    let template = json!({"templateFrom": [
        from("Base64", "standard: {{ .user | b64enc }}"),
        from("Base64URL", "url: c3ViamVjdHM_X2Q9MQ=="),
        from("Auto", "auto: {{ .user | b64enc }}\nplain: \"{{ .user }}!\""),
        from("None", "none: {{ .user | b64enc }}"),
    ]});
    let wrong = json!({"templateFrom": [from("Base64", "standard: \"{{ .password }}\"")]});
    place.apply([templated(&place, "db", template).into(), templated(&place, "wrong", wrong).into()]).await?;
    let data =
        [("standard", "admin"), ("url", "subjects?_d=1"), ("auto", "admin"), ("plain", "admin!"), ("none", "YWRtaW4=")];
    place.holds("db", &data).await?;
    place.failed("wrong", &["templateFrom[0].literal", "not base64"]).await?;
    assert!(place.secret("wrong").await?.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn keys_are_renamed_by_templates() -> Result {
    let (place, _operator) = Place::with_operator("template-transform").await?;
    place.write("db", json!({"app/user": "u", "app/pass": "p"})).await?;
    let of = |name: &str, template: &str| {
        let rewrite = json!([{"transform": {"template": template}}, {"regexp": {"source": "^X_", "target": ""}}]);
        let entries = json!([{"extract": {"key": place.key("db")}, "rewrite": rewrite}]);
        External::new(name, Vec::new()).with("/spec", "dataFrom", entries).into()
    };
    place
        .apply([
            of("db", "x_{{ .value | trimPrefix \"app/\" }}_{{ .value | len }}"),
            of("upper", "{{ .value | replace \"/\" \"_\" | upper | printf \"X_%s\" }}"),
            of("one", "{{ if .value }}same{{ end }}"),
            of("syntax", "{{ .value"),
            of("nope", "{{ .key }}"),
        ])
        .await?;
    place.holds("db", &[("x_user_8", "u"), ("x_pass_8", "p")]).await?;
    place.holds("upper", &[("APP_USER", "u"), ("APP_PASS", "p")]).await?;
    place.failed("one", &["spec.dataFrom[0].extract", "both become the key \"same\"", "app/pass", "app/user"]).await?;
    place.failed("syntax", &["spec.dataFrom[0].extract", "rewrite.transform", "line 1, column"]).await?;
    place.failed("nope", &["rewrite.transform", "line 1, column", "key"]).await?;
    for name in ["one", "syntax", "nope"] {
        assert!(place.secret(name).await?.is_none(), "{name}");
    }
    Ok(())
}
