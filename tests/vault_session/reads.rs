//! What reads give, and how little is asked for them.

use std::sync::Arc;
use std::time::Duration;

use external_secrets_rs::vault::{Connection, ErrorKind, KvPath, KvVersion, Login, Urgency};
use futures::future::join_all;
use serde_json::json;
use testbed::{holds_for, wait_until};

use crate::vault_support::{Result, Rig, SOON, read, read_as, unique};

#[tokio::test]
async fn secrets_are_read_as_they_stand() -> Result {
    let rig = Rig::new("exact", json!({})).await?;
    let session = rig.session();
    let exact = r#"{"n":2.1234534153423423,"small":1e-9,"text":"<&>\n"}"#;
    rig.kv.write("a", serde_json::from_str(exact)?).await?;
    rig.kv.write("a", json!({"second": true})).await?;

    let latest = session.read(&rig.path("a"), Urgency::Urgent).await?;
    assert_eq!(latest.json(), r#"{"second":true}"#);
    let pinned = KvPath { pinned: Some(1), ..rig.path("a") };
    let first = session.read(&pinned, Urgency::Urgent).await?;
    assert!(first.json().contains(r#""n":2.1234534153423423"#), "{}", first.json());

    let v1 = rig.vault.enable_kv(&format!("{}/v1", rig.name), testbed::KvVersion::V1).await?;
    v1.write("dir/a b", json!({"k": "v"})).await?;
    let path = KvPath::latest(KvVersion::V1, v1.read_path("dir/a b"));
    assert_eq!(read(&session, &path).await?, json!({"k": "v"}));
    Ok(())
}

#[tokio::test]
async fn one_login_and_one_read_serve_many() -> Result {
    let rig = Rig::new("frugal", json!({})).await?;
    for n in 0..20 {
        rig.kv.write(&format!("s{n}"), json!({"n": n})).await?;
    }
    let sessions: Vec<_> = (0..5).map(|_| rig.session()).collect();
    assert!(sessions.iter().all(|session| Arc::ptr_eq(session, &rig.session())), "equal connections share a session");
    let paths: Vec<_> = (0..20).map(|n| rig.path(&format!("s{n}"))).collect();
    let reads = (0..1000).map(|n| read_as(&sessions[n % 5], &paths[n % 20], Urgency::Refresh));
    for (n, value) in join_all(reads).await.into_iter().enumerate() {
        assert_eq!(value?, json!({"n": n % 20}));
    }
    assert_eq!(rig.proxy.logins(), 1, "{}", rig.proxy.summary());
    let reads = rig.proxy.count(|seen| seen.path.contains("/kv/data/"));
    assert!(reads <= 40, "20 paths within a second or two\n{}", rig.proxy.summary());
    assert_eq!(rig.proxy.requests().len(), reads + 1, "nothing else was asked\n{}", rig.proxy.summary());
    Ok(())
}

#[tokio::test]
async fn an_urgent_read_sees_what_was_written_before_it() -> Result {
    let rig = Rig::new("urgent", json!({})).await?;
    rig.kv.write("a", json!({"v": "old"})).await?;
    let session = rig.session();
    session.validate().await?;
    let slow =
        rig.proxy.rule(|seen| seen.path.ends_with("/a"), testbed::proxy::Action::Delay(Duration::from_millis(400)));
    let (background, path) = (Arc::clone(&session), rig.path("a"));
    let before = rig.asked(&path.path);
    let refresh = tokio::spawn(async move { read_as(&background, &path, Urgency::Refresh).await });
    wait_until("the refresh on its way", SOON, async || {
        (rig.asked(&rig.path("a").path) > before).then_some(()).ok_or("not yet")
    })
    .await?;
    // What the refresh is about to get is anybody's guess; what the urgent one gets is not.
    rig.kv.write("a", json!({"v": "new"})).await?;
    assert_eq!(read(&session, &rig.path("a")).await?, json!({"v": "new"}));
    refresh.await??;
    rig.proxy.remove(slow);
    Ok(())
}

#[tokio::test]
async fn folders_are_listed_and_walked_and_metadata_is_read() -> Result {
    let rig = Rig::new("walk", json!({})).await?;
    for path in ["a", "dir/b", "dir/sub/c", "dir/sub/d"] {
        rig.kv.write(path, json!({"k": "v"})).await?;
    }
    rig.kv.write_metadata("a", json!({"team": "x"})).await?;
    let session = rig.session();
    let root = format!("{}/metadata", rig.kv.mount());
    assert_eq!(session.walk(KvVersion::V2, &root, Urgency::Refresh).await?, ["a", "dir/b", "dir/sub/c", "dir/sub/d"]);
    assert_eq!(session.walk(KvVersion::V2, &format!("{root}/dir/"), Urgency::Refresh).await?, ["b", "sub/c", "sub/d"]);
    assert!(
        session.walk(KvVersion::V2, &format!("{root}/none"), Urgency::Refresh).await?.is_empty(),
        "certainly nothing there"
    );
    let wrong = session.walk(KvVersion::V1, rig.kv.mount(), Urgency::Refresh).await.unwrap_err();
    assert_eq!(wrong.label(), "wrong_kv_version", "{wrong}");

    let metadata = session.read_metadata(&format!("{root}/a"), Urgency::Refresh).await?;
    assert_eq!(metadata.custom_metadata.get("team").map(String::as_str), Some("x"));
    assert_eq!((metadata.current_version, metadata.current_deleted), (1, false));
    rig.kv.delete("a").await?;
    assert!(session.read_metadata(&format!("{root}/a"), Urgency::Urgent).await?.current_deleted);

    let deep = (0..17).map(|n| n.to_string()).collect::<Vec<_>>().join("/");
    rig.kv.write(&format!("deep/{deep}"), json!({"k": "v"})).await?;
    let error = session.walk(KvVersion::V2, &root, Urgency::Refresh).await.unwrap_err();
    assert!(error.to_string().contains("16 levels"), "{error}");
    Ok(())
}

#[tokio::test]
async fn namespaces_are_kept_apart() -> Result {
    let rig = Rig::new("ns", json!({})).await?;
    let name = unique("team");
    let team = rig.vault.create_namespace(&name).await?;
    let kv = team.enable_kv("kv", testbed::KvVersion::V2).await?;
    kv.write("a", json!({"from": name})).await?;
    team.allow_reading("reader", &["kv/*"]).await?;
    team.enable_auth("approle", "approle").await?;
    let role = team.create_approle("approle", "app", json!({"token_policies": ["reader"]})).await?;
    let login = Login::app_role("approle", role.role_id.as_str().into(), role.secret_id.as_str().into())?;
    let inside = Connection { namespace: Some(name.clone()), ..Connection::new(rig.proxy.url(), login.clone()) };
    let session = rig.sessions.open(inside.clone())?;
    let path = KvPath::latest(KvVersion::V2, "kv/data/a");
    assert_eq!(read(&session, &path).await?, json!({"from": name}));
    let headers: Vec<_> =
        rig.proxy.requests().iter().map(|seen| seen.header("x-vault-namespace") == Some(&name)).collect();
    assert_eq!(headers, [true, true], "the login too");

    let nowhere = Connection { namespace: Some("no-such-team".to_owned()), ..inside };
    let error = read(&*rig.sessions.open(nowhere)?, &path).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoNamespace { .. }), "{error}");

    // A login in the root namespace for secrets of the team's, by a policy that says so.
    rig.vault.allow_reading(&rig.name, &[&format!("{name}/kv/*")]).await?;
    let across = Connection { namespace: Some(name.clone()), auth_namespace: Some(String::new()), ..rig.connection() };
    assert_eq!(read(&*rig.sessions.open(across)?, &path).await?, json!({"from": name}));
    Ok(())
}

#[tokio::test]
async fn at_rest_nothing_is_sent_and_nothing_is_told() -> Result {
    let rig = Rig::new("rest", json!({"token_ttl": "1h"})).await?;
    rig.kv.write("a", json!({"password": "hunter2"})).await?;
    let session = rig.session();
    let secret = session.read(&rig.path("a"), Urgency::Refresh).await?;
    let told = format!("{secret:?} {:?} {:?}", rig.connection(), session.id());
    for secret in ["hunter2", &rig.role.secret_id, &rig.role.role_id] {
        assert!(!told.contains(secret), "{told}");
    }
    let before = rig.proxy.requests().len();
    holds_for("silence", Duration::from_secs(3), async || match rig.proxy.requests().len() {
        now if now == before => Ok(()),
        _ => Err(rig.proxy.summary()),
    })
    .await?;
    Ok(())
}
