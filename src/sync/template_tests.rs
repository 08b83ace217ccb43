//! Templates of a Secret, piece by piece.

use super::*;
use crate::template::Exceeded;
use serde_json::json;

fn made(spec: serde_json::Value, texts: &[Texts]) -> Result<Desired, RenderError> {
    let spec: Spec = serde_json::from_value(spec).unwrap();
    let values = [("user", "admin"), ("password", "s3cret")];
    let values = values.map(|(key, text)| (key.to_owned(), SecretValue::new(text.as_bytes().to_vec())));
    let parsed = Parsed::new(&pieces(&spec, texts)?)?;
    render(&spec, &parsed, Values::from(values), &mut Meter::new(&Limits::default()))
}

fn data(desired: &Desired) -> Vec<(&str, &str)> {
    let text = |value| std::str::from_utf8(value).unwrap();
    desired.data.iter().map(|(key, value)| (key.as_str(), text(&**value))).collect()
}

#[test]
fn data_is_what_the_templates_make_or_is_laid_over_the_values() {
    let url = json!({"url": "db://{{ .user }}:{{ .password }}@h"});
    let desired = made(json!({"data": url, "type": "Opaque"}), &[]).unwrap();
    assert_eq!(data(&desired), [("url", "db://admin:s3cret@h")]);
    assert_eq!(desired.type_.as_deref(), Some("Opaque"));
    let desired = made(json!({"mergePolicy": "Merge", "data": {"user": "{{ .user | upper }}"}}), &[]).unwrap();
    assert_eq!(data(&desired), [("password", "s3cret"), ("user", "ADMIN")]);
    let desired = made(json!({"type": "kubernetes.io/basic-auth"}), &[]).unwrap();
    assert_eq!(data(&desired), [("password", "s3cret"), ("user", "admin")], "no template of data: the values");
}

#[test]
fn labels_and_annotations_are_templates_too() {
    let spec =
        json!({"metadata": {"labels": {"for": "{{ .user }}"}, "annotations": {"a": "x"}, "finalizers": ["f/x"]}});
    let desired = made(spec, &[]).unwrap();
    assert_eq!(desired.labels.get("for").map(String::as_str), Some("admin"));
    assert_eq!(desired.annotations.get("a").map(String::as_str), Some("x"));
    assert_eq!(desired.finalizers, ["f/x"]);
}

#[test]
fn template_from_makes_values_and_maps_and_data_wins() {
    let spec = json!({
        "templateFrom": [
            {"configMap": {"name": "c", "items": [{"key": "config.ini"}, {"key": "all", "templateAs": "KeysAndValues"}]}},
            {"literal": "team: {{ .user }}\n", "target": "Labels"},
        ],
        "data": {"a": "data"},
    });
    let texts = Texts::from([
        ("config.ini".to_owned(), "user={{ .user }}".to_owned()),
        ("all".to_owned(), "a: from\nb: \"{{ .password }}\"\nc: 1\n".to_owned()),
    ]);
    let desired = made(spec, &[texts, Texts::new()]).unwrap();
    assert_eq!(data(&desired), [("a", "data"), ("b", "s3cret"), ("c", "1"), ("config.ini", "user=admin")]);
    assert_eq!(desired.labels.get("team").map(String::as_str), Some("admin"));
}

#[test]
fn what_kubernetes_would_quote_is_refused_before() {
    for (target, literal) in [
        ("Data", "\"{{ .password }}!\": x"),
        ("Labels", "\"{{ .password }}!\": x"),
        ("Labels", "A.example/{{ .password }}: x"),
        ("Annotations", "-a.example/{{ .password }}: x"),
        ("Labels", "a: {{ .password }}-"),
    ] {
        let error = made(json!({"templateFrom": [{"literal": literal, "target": target}]}), &[]).unwrap_err();
        assert!(matches!(error, RenderError::MadeKey { .. } | RenderError::Label { .. }), "{error}");
        assert!(!error.to_string().contains("s3cret") && !error.is_hopeless(), "{error}");
    }
    let spec = json!({"templateFrom": [
        {"literal": "A.example/{{ .user }}: any text", "target": "Annotations"},
        {"literal": "a.example/{{ .user }}: \"\"\nteam: 1-A_b.2", "target": "Labels"},
    ]});
    let desired = made(spec, &[]).unwrap();
    assert_eq!((desired.labels.len(), desired.annotations.len()), (2, 1));
}

/// A thousand templates may not take a thousand times what one may.
#[test]
fn all_templates_of_an_object_share_its_bounds() {
    let many = |text: &str| {
        let entries: BTreeMap<String, &str> = (0..1000).map(|n| (format!("k{n}"), text)).collect();
        match made(json!({"data": entries}), &[]) {
            Err(RenderError::Template(TemplateError::Limit { limit, .. })) => limit,
            other => panic!("{:?}", other.map(|desired| desired.data.len())),
        }
    };
    assert!(matches!(many(r#"{{ derivePassword 1 "long" "p" "u" "s" }}"#), Exceeded::Steps(_)));
    assert!(matches!(many(r#"{{ repeat 100000 "x" | len }}"#), Exceeded::Memory(_)));
    assert!(matches!(many(r#"{{ repeat 10000 "x" }}"#), Exceeded::Output(_)));
}

/// A value that is given a name and repeated by it is small as text, and large as a Secret.
#[test]
fn a_yaml_bomb_does_not_go_off() {
    let bomb = r#"a: &a {{ repeat 1000000 "x" }}{{ range until 300 }}
k{{ . }}: *a{{ end }}"#;
    let error = made(json!({"templateFrom": [{"literal": bomb}]}), &[]).unwrap_err();
    assert!(matches!(error, RenderError::NotAMap { .. }), "{error}");
    let nested = r#"{{ repeat 100000 "[" }}"#;
    let error = made(json!({"templateFrom": [{"literal": nested}]}), &[]).unwrap_err();
    assert!(matches!(error, RenderError::NotAMap { .. }), "{error}");
    let few = "a: &a x\nb: *a\n";
    assert_eq!(data(&made(json!({"templateFrom": [{"literal": few}]}), &[]).unwrap()), [("a", "x"), ("b", "x")]);
}

#[test]
fn what_nobody_waits_for_ends() {
    let given_up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let spec: Spec = serde_json::from_value(json!({"data": {"a": "x"}})).unwrap();
    let parsed = Parsed::new(&pieces(&spec, &[]).unwrap()).unwrap();
    let error = render(&spec, &parsed, Values::new(), &mut Meter::until(&Limits::default(), given_up)).unwrap_err();
    assert!(matches!(error, RenderError::Template(TemplateError::Limit { limit: Exceeded::GivenUp, .. })), "{error}");
}

#[test]
fn errors_say_which_template_and_hold_no_value() {
    let error = made(json!({"data": {"url": "{{ .nope }}"}}), &[]).unwrap_err();
    assert!(error.to_string().contains("data.url"), "{error}");
    assert!(!error.is_hopeless());
    let error = made(json!({"data": {"url": "{{ .user"}}), &[]).unwrap_err();
    assert!(error.is_hopeless(), "{error}");
    let error = made(json!({"templateFrom": [{"literal": "- {{ .password }}"}]}), &[]).unwrap_err();
    assert!(matches!(error, RenderError::NotAMap { .. }));
    assert!(!error.to_string().contains("s3cret"));
    let error = made(json!({"templateFrom": [{"literal": "a: b", "target": "spec.x"}]}), &[]).unwrap_err();
    assert!(error.is_hopeless());
}
