use super::*;
use crate::api::ExternalSecretSpec;
use crate::sync::source::sources;
use crate::template::Limits;
use serde_json::json;
use std::time::{Duration, Instant};

fn spec(json: serde_json::Value) -> ExternalSecretSpec {
    let mut spec: ExternalSecretSpec = serde_json::from_value(json).unwrap();
    spec.secret_store_ref = Some(serde_json::from_value(json!({"name": "store"})).unwrap());
    spec
}

/// What all sources of `spec` take from one secret, and whether that is for a thread of its own.
fn collected(spec: &ExternalSecretSpec, secret: &str) -> (Result<Collected, SourceError>, bool) {
    let answer = Answer::Secret(Arc::new(KvSecret::of(secret)));
    let sources = sources(spec).unwrap();
    let heavy = is_heavy(sources.iter().map(|source| (source, &answer)));
    let mut meter = Meter::new(&Limits::default());
    let triples = sources.iter().map(|source| (source, &answer, "kv/data/a"));
    (collect(triples, DeletionPolicy::Retain, &mut meter), heavy)
}

fn entries(count: usize, property: impl Fn(usize) -> String) -> ExternalSecretSpec {
    let entry = |n| json!({"secretKey": format!("k{n}"), "remoteRef": {"key": "a", "property": property(n)}});
    spec(json!({"data": (0..count).map(entry).collect::<Vec<_>>()}))
}

/// A secret with a thousand keys of about a kilobyte.
fn large() -> String {
    let fields: serde_json::Map<String, serde_json::Value> =
        (0..1000).map(|n| (format!("k{n}"), json!({"v": n.to_string(), "x": "y".repeat(1000)}))).collect();
    serde_json::Value::Object(fields).to_string()
}

/// Each secret is taken apart once, however many entries read it.
#[test]
fn many_entries_of_one_secret_cost_little() {
    let started = Instant::now();
    let (keys, heavy) = collected(&entries(4096, |n| format!("k{}", n % 1000)), &large());
    assert_eq!(keys.unwrap().data.len(), 4096);
    assert!(heavy);
    eprintln!("4,096 keys of a secret of 1 MB: {:?}", started.elapsed());
    let started = Instant::now();
    let (paths, heavy) = collected(&entries(1000, |n| format!("k{n}.v")), &large());
    assert_eq!(&**paths.unwrap().data.get("k7").unwrap(), b"7");
    assert!(heavy);
    eprintln!("1,000 paths into a secret of 1 MB: {:?}", started.elapsed());
    // Ten times what they take unoptimised on a busy machine.
    assert!(started.elapsed() < Duration::from_secs(100));
}

#[test]
fn more_work_than_any_secret_is_worth_is_refused() {
    for property in ["*?*?*?*?*?*?*?*?x", "*.*.*.x", "#", "k1.x.@tostr", "@this.@pretty"] {
        let (result, heavy) = collected(&entries(4096, |n| format!("{property}{n}")), &large());
        assert!(heavy && result.is_err(), "{property}");
    }
    let (result, _) = collected(&entries(4096, |_| "@this".to_owned()), &large());
    assert!(result.unwrap_err().is_too_much());
    let (result, _) = collected(&entries(4096, |_| String::new()), &large());
    assert!(result.unwrap_err().is_too_much());
}

#[test]
fn only_what_may_compute_for_long_leaves_the_thread() {
    let small = r#"{"user":"u","nested":{"a":["x"]}}"#;
    let (result, heavy) = collected(&entries(50, |_| "nested.a.0".to_owned()), small);
    assert!(result.is_ok() && !heavy);
    let rewrite = |step: serde_json::Value| spec(json!({"dataFrom": [{"extract": {"key": "a"}, "rewrite": [step]}]}));
    let (result, heavy) = collected(&rewrite(json!({"regexp": {"source": "^(.)", "target": "x-$1"}})), small);
    assert!(result.is_ok() && !heavy);
    assert!(collected(&rewrite(json!({"regexp": {"source": r"^\pL{900}$", "target": ""}})), small).1);
    assert!(collected(&rewrite(json!({"transform": {"template": "{{ .value }}"}})), small).1);
}

/// All templates of an object's rewrites share its bounds, as do its regular expressions.
#[test]
fn rewrites_share_the_bounds_of_the_object() {
    let slow = r#"{{ derivePassword 1 "long" "p" "u" "s" | lower }}{{ .value }}"#;
    let steps =
        |steps: Vec<serde_json::Value>| spec(json!({"dataFrom": [{"extract": {"key": "a"}, "rewrite": steps}]}));
    let (result, _) = collected(&steps(vec![json!({"transform": {"template": slow}})]), &large());
    assert!(result.unwrap_err().to_string().contains("too much work"));
    let regexps = (0..60).map(|n| json!({"regexp": {"source": format!(r"(\pL{{9}}|{n})"), "target": "$0"}}));
    let all =
        spec(json!({"dataFrom": vec![json!({"extract": {"key": "a"}, "rewrite": regexps.collect::<Vec<_>>()}); 50]}));
    let (result, _) = collected(&all, r#"{"user":"u"}"#);
    assert_eq!(*result.unwrap_err().problem, Problem::Rewrite(RewriteError::TooMuch));
    let grows = vec![json!({"regexp": {"source": ".+", "target": "$0".repeat(100)}}); 5];
    let (result, _) = collected(&steps(grows), r#"{"user":"u"}"#);
    assert_eq!(*result.unwrap_err().problem, Problem::Rewrite(RewriteError::TooMuch));
}

/// What a change in Vault mends is tried again.
#[test]
fn what_names_in_vault_break_is_not_hopeless() {
    let transform = |template: &str| {
        let step = json!({"transform": {"template": template}});
        let spec = spec(json!({"dataFrom": [{"extract": {"key": "a"}, "rewrite": [step]}]}));
        collected(&spec, r#"{"a/b/c":"1","d":"2"}"#).0.unwrap_err()
    };
    let third = transform(r#"{{ index (splitList "/" .value) 2 }}"#);
    assert!(!third.is_hopeless(), "{third}");
    let bytes = transform(r#"{{ printf "%s" (b64dec "/w==") }}"#);
    assert!(!bytes.is_hopeless() && bytes.to_string().contains("UTF-8"), "{bytes}");
    let broken = transform("{{ .value");
    assert!(broken.is_hopeless(), "{broken}");
}
