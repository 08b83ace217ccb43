use secrecy::zeroize::Zeroizing;

use super::*;

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, retry_after: None, index: None, body: Zeroizing::new(body.as_bytes().to_vec()) }
}

fn read(version: KvVersion, body: &str) -> Result<String, Garbled> {
    let path = KvPath::latest(version, "kv/data/a");
    secret(&answer(200, body), &path).map(|secret| secret.json().to_owned())
}

#[test]
fn a_secret_keeps_its_text() {
    let v2 = r#"{"data":{"data":{"n":2.1234534153423423,"big":12345678901234567890,"é":"\u0001"},"metadata":{"version":3,"deletion_time":"","destroyed":false}}}"#;
    let expected = r#"{"n":2.1234534153423423,"big":12345678901234567890,"é":"\u0001"}"#;
    assert_eq!(read(KvVersion::V2, v2).unwrap(), expected);
    assert_eq!(read(KvVersion::V1, r#"{"data":{"a":"b"},"auth":null}"#).unwrap(), r#"{"a":"b"}"#);
    let secret = secret(&answer(200, v2), &KvPath::latest(KvVersion::V2, "kv/data/a")).unwrap();
    assert_eq!(format!("{secret:?}"), "KvSecret { .. }");
}

#[test]
fn what_is_not_a_whole_secret_is_never_an_empty_one() {
    use KvVersion::{V1, V2};
    for (version, body, what) in [
        (V1, "null", Garbled::Null),
        (V1, "{}", Garbled::Null),
        (V1, r#"{"data":null}"#, Garbled::Null),
        (V1, r#"{"data":[]}"#, Garbled::Shape),
        (V1, r#"{"data":"x"}"#, Garbled::Shape),
        (V1, r#"{"data":{"a":"b""#, Garbled::NotJson),
        (V1, "", Garbled::NotJson),
        (V1, "<html></html>", Garbled::Html),
        (V2, r#"{"data":{"a":"b"}}"#, Garbled::Shape),
        (V2, r#"{"data":{"data":null,"metadata":{"version":1}}}"#, Garbled::Null),
        (V2, r#"{"data":{"data":"x","metadata":{"version":1}}}"#, Garbled::Shape),
        (V2, r#"{"data":{"data":{}}}"#, Garbled::Shape),
        (V2, r#"{"data":{"data":{},"metadata":{"version":"x"}}}"#, Garbled::Shape),
    ] {
        assert_eq!(read(version, body).unwrap_err(), what, "{version} {body}");
    }
}

#[test]
fn another_version_than_the_pinned_one_is_not_taken() {
    let path = KvPath { pinned: Some(2), ..KvPath::latest(KvVersion::V2, "kv/data/a") };
    let body = |version: u64| format!(r#"{{"data":{{"data":{{}},"metadata":{{"version":{version}}}}}}}"#);
    assert!(secret(&answer(200, &body(2)), &path).is_ok());
    assert_eq!(secret(&answer(200, &body(3)), &path).unwrap_err(), Garbled::Shape);
}

#[test]
fn what_a_404_says() {
    let deleted = |time: &str, destroyed: bool| {
        format!(
            r#"{{"data":{{"data":null,"metadata":{{"version":1,"deletion_time":"{time}","destroyed":{destroyed}}}}}}}"#
        )
    };
    for (body, expected) in [
        (deleted("2026-11-24T02:39:32Z", false), Missing::Certain(Gone::Deleted)),
        (deleted("", true), Missing::Certain(Gone::Destroyed)),
        (deleted("", false), Missing::Foreign(Garbled::Shape)),
        (r#"{"errors":[]}"#.into(), Missing::Bare),
        (r#"{"errors":[],"data":null}"#.into(), Missing::Bare),
        (r#"{"errors":["no handler for route \"x\". route entry not found."]}"#.into(), Missing::NoMount),
        (r#"{"errors":["namespace not found"]}"#.into(), Missing::NoNamespace),
        (r#"{"errors":["whatever"]}"#.into(), Missing::Foreign(Garbled::Shape)),
        (r#"{"data":null,"warnings":["Invalid path for a versioned K/V secrets engine."]}"#.into(), Missing::OtherApi),
        ("{}".into(), Missing::Foreign(Garbled::Shape)),
        (
            r#"{"data":{"data":{"a":"b"},"metadata":{"version":1,"destroyed":true}}}"#.into(),
            Missing::Foreign(Garbled::Shape),
        ),
        ("404 page not found\n".into(), Missing::Foreign(Garbled::NotJson)),
        ("<html>".into(), Missing::Foreign(Garbled::Html)),
        ("null".into(), Missing::Foreign(Garbled::Null)),
        (String::new(), Missing::Foreign(Garbled::NotJson)),
    ] {
        assert_eq!(missing(&answer(404, &body)), expected, "{body}");
    }
}

#[test]
fn metadata_tells_whether_the_current_version_is_readable() {
    let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let read = |deletion_time: &str| {
        let body = format!(
            r#"{{"data":{{"created_time":"2025-01-01T00:00:00Z","current_version":2,"custom_metadata":{{"team":"a"}},
            "delete_version_after":"0s","versions":{{"1":{{"destroyed":true}},"2":{{"deletion_time":"{deletion_time}","destroyed":false}}}}}}}}"#
        );
        metadata(&answer(200, &body), now).unwrap()
    };
    assert_eq!(read("").custom_metadata.get("team").map(String::as_str), Some("a"));
    assert!(!read("").current_deleted);
    assert!(!read("2026-01-01T00:00:01Z").current_deleted, "not yet");
    assert!(read("2025-12-31T23:59:59Z").current_deleted);
    assert_eq!(metadata(&answer(200, r#"{"data":null}"#), now), Err(Garbled::Null));
}

#[test]
fn a_list_without_keys_is_no_empty_list() {
    assert_eq!(listed(&answer(200, r#"{"data":{"keys":["a","b/"]}}"#)).unwrap(), ["a", "b/"]);
    assert_eq!(listed(&answer(200, r#"{"data":null}"#)), Err(Garbled::Null));
    assert_eq!(listed(&answer(200, r#"{"data":{}}"#)), Err(Garbled::Shape));
}
