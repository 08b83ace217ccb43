//! What a session reads and how little it asks for it, on a real OpenBao.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod vault_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use external_secrets_rs::vault::{
    Connection, ErrorKind, Gone, KvPath, KvVersion, Login, Recovery, Retry, Sessions, Settings, Urgency,
};
use futures::future::join_all;
use serde_json::json;
use testbed::{Method, holds_for, wait_until};
use vault_support::{Result, Rig, SOON, read, read_as, unique};

#[tokio::test]
async fn secrets_are_read_as_they_stand() -> Result {
    let rig = Rig::new("exact", json!({})).await?;
    let session = rig.session();
    let exact = r#"{"n":2.1234534153423423,"small":1e-9,"text":"<&>\n"}"#;
    rig.kv.write("a", serde_json::from_str(exact)?).await?;
    rig.kv.write("a", json!({"second": true})).await?;

    let latest = session.read(&rig.path("a"), Urgency::Urgent).await?;
    assert_eq!((latest.json(), latest.version), (r#"{"second":true}"#, Some(2)));
    let pinned = KvPath { pinned: Some(1), ..rig.path("a") };
    let first = session.read(&pinned, Urgency::Urgent).await?;
    assert_eq!(first.version, Some(1));
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
async fn a_short_token_is_renewed_and_replaced_at_its_end() -> Result {
    let rig = Rig::new("short", json!({"token_ttl": "3s", "token_max_ttl": "8s"})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(12) {
        read(&session, &rig.path("a")).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let renewals = rig.asked("auth/token/renew-self");
    assert!((3..=8).contains(&renewals), "{}", rig.proxy.summary());
    assert!((2..=3).contains(&rig.proxy.logins()), "{}", rig.proxy.summary());
    let refused = rig.proxy.count(|seen| seen.status == Some(403));
    assert_eq!(refused, 0, "a token is replaced before it ends\n{}", rig.proxy.summary());
    Ok(())
}

#[tokio::test]
async fn tokens_of_every_kind_work() -> Result {
    let secret = json!({"k": "v"});
    let used_up = Rig::new("uses", json!({"token_num_uses": 1})).await?;
    used_up.kv.write("a", secret.clone()).await?;
    let session = used_up.session();
    for _ in 0..5 {
        assert_eq!(read(&session, &used_up.path("a")).await?, secret);
    }
    assert_eq!(used_up.proxy.requests().len(), 10, "a login and a read each\n{}", used_up.proxy.summary());

    let batch = Rig::new("batch", json!({"token_type": "batch", "token_ttl": "3s"})).await?;
    batch.kv.write("a", secret.clone()).await?;
    let session = batch.session();
    for _ in 0..15 {
        assert_eq!(read(&session, &batch.path("a")).await?, secret);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!((2..=3).contains(&batch.proxy.logins()), "{}", batch.proxy.summary());
    assert_eq!(batch.asked("auth/token/renew-self"), 0);
    drop(session);
    batch.sessions.shutdown(SOON).await;
    assert_eq!(batch.asked("auth/token/revoke-self"), 0, "a batch token can't be revoked");

    let periodic = Rig::new("period", json!({"token_period": "3s"})).await?;
    periodic.kv.write("a", secret.clone()).await?;
    let session = periodic.session();
    for _ in 0..20 {
        assert_eq!(read(&session, &periodic.path("a")).await?, secret);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(periodic.proxy.logins(), 1, "{}", periodic.proxy.summary());
    Ok(())
}

#[tokio::test]
async fn a_users_token_is_renewed_but_never_revoked() -> Result {
    let rig = Rig::new("own", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let token = rig.vault.create_token(&[&rig.name], json!({"period": "3s"})).await?;
    let connection = Connection::new(rig.proxy.url(), Login::token(format!("{token}\n").into())?);
    let session = rig.sessions.open(connection)?;
    for _ in 0..20 {
        read(&session, &rig.path("a")).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    rig.sessions.shutdown(SOON).await;
    assert!(rig.is_alive(&token).await?);
    assert_eq!(rig.asked("auth/token/lookup-self"), 1, "{}", rig.proxy.summary());

    let sessions = Sessions::new(Settings::default(), tokio::runtime::Handle::current());
    let revoked = Connection::new(rig.proxy.url(), Login::token(token.as_str().into())?);
    let session = sessions.open(revoked)?;
    rig.vault.revoke(&token).await?;
    let error = read(&session, &rig.path("a")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TokenRefused { .. }), "{error}");
    assert_eq!(error.retry(), Retry::AfterEdit);
    rig.proxy.reset();
    for _ in 0..20 {
        assert_eq!(read(&session, &rig.path("a")).await.unwrap_err().label(), "token_refused");
    }
    assert_eq!(rig.proxy.requests().len(), 0, "nobody asks again for a while");

    // A token that may not look itself up is as good for reads.
    let bare = rig.vault.create_token(&[&rig.name], json!({"no_default_policy": true})).await?;
    let session = sessions.open(Connection::new(rig.proxy.url(), Login::token(bare.into())?))?;
    assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
    session.validate().await?;
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_is_replaced_within_the_same_read() -> Result {
    let rig = Rig::new("revoked", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    for login in 2..=4 {
        read(&session, &rig.path("a")).await?;
        rig.vault.revoke(&rig.last_token()).await?;
        let paths: Vec<_> = (0..20).map(|_| rig.path("a")).collect();
        for value in join_all(paths.iter().map(|path| read(&session, path))).await {
            assert_eq!(value?, json!({"k": "v"}));
        }
        assert_eq!(rig.proxy.logins(), login, "{}", rig.proxy.summary());
    }
    Ok(())
}

#[tokio::test]
async fn a_dropped_or_ended_session_leaves_no_token_behind() -> Result {
    let rig = Rig::new("revoke", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    let dropped = rig.last_token();
    drop(session);
    wait_until("the dropped session's token revoked", SOON, async || match rig.is_alive(&dropped).await {
        Ok(false) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;

    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    let ended = rig.last_token();
    assert_ne!(ended, dropped);
    rig.sessions.shutdown(SOON).await;
    assert!(!rig.is_alive(&ended).await?, "when the shutdown returns, the token is gone");
    assert_eq!(read(&session, &rig.path("a")).await.unwrap_err().label(), "shutting_down");
    assert_eq!(rig.sessions.open(rig.connection()).err().map(|error| error.label()), Some("shutting_down"));
    Ok(())
}

#[tokio::test]
async fn a_login_that_nobody_waits_for_any_more_leaves_no_token_behind() -> Result {
    let rig = Rig::new("orphan", json!({})).await?;
    rig.proxy.rule(|seen| seen.is_login(), testbed::proxy::Action::Delay(Duration::from_millis(300)));
    let session = rig.session();
    let waited = tokio::time::timeout(Duration::from_millis(100), session.validate()).await;
    assert!(waited.is_err(), "the login takes longer");
    drop(session);
    wait_until("a revocation", SOON, async || (rig.asked("auth/token/revoke-self") == 1).then_some(()).ok_or("none"))
        .await?;
    assert!(!rig.is_alive(&rig.last_token()).await?);
    Ok(())
}

#[tokio::test]
async fn a_denied_path_is_told_as_policy_and_costs_no_login() -> Result {
    let rig = Rig::new("denied", json!({})).await?;
    let session = rig.session();
    let error = read(&session, &rig.path("denied")).await.unwrap_err();
    let name = &rig.name;
    let expected = format!(
        "Vault denied reading \"{name}/kv/data/denied\" (403): the policies [default, {name}] of role \"{name}\" lack \"read\" on it"
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.retry(), Retry::Later);
    let paths: Vec<_> = (0..100).map(|n| rig.path(&format!("denied-{n}"))).collect();
    for denied in join_all(paths.iter().map(|path| read(&session, path))).await {
        assert_eq!(denied.unwrap_err().label(), "denied");
    }
    assert_eq!(rig.proxy.logins(), 1, "{}", rig.proxy.summary());
    let lookups = rig.asked("auth/token/lookup-self");
    assert!(lookups <= 5, "one serves all of a second\n{}", rig.proxy.summary());

    // What is mended in the policy itself heals at the next try, with the same token.
    rig.vault.allow_reading(name, &[&format!("{name}/*")]).await?;
    rig.kv.write("denied", json!({"k": "v"})).await?;
    assert_eq!(read(&session, &rig.path("denied")).await?, json!({"k": "v"}));
    assert_eq!(rig.proxy.logins(), 1);
    Ok(())
}

#[tokio::test]
async fn a_role_that_gets_another_policy_heals_by_one_login() -> Result {
    let rig = Rig::new("ladder", json!({"token_policies": ["default"]})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    assert_eq!(read(&session, &rig.path("a")).await.unwrap_err().label(), "denied");
    let role = format!("auth/{}/role/{}", rig.role.mount, rig.role.name);
    rig.vault.request(Method::POST, &role, Some(json!({"token_policies": [rig.name]}))).await?;
    let first = rig.last_token();
    // Refreshed every fifth of a second: the ladder lets one login through, half a minute after the first.
    wait_until("the new policy", Duration::from_secs(45), async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        read(&session, &rig.path("a")).await
    })
    .await?;
    assert_eq!(rig.proxy.logins(), 2, "{}", rig.proxy.summary());
    wait_until("the first token revoked", SOON, async || match rig.is_alive(&first).await {
        Ok(false) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn refused_credentials_are_tried_rarely_and_heal_at_once_when_mended() -> Result {
    let rig = Rig::new("refused", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let wrong = || Connection::new(rig.proxy.url(), rig.login_with("wrong"));
    let begun = Instant::now();
    let session = rig.sessions.open(wrong())?;
    let mut text = None;
    while begun.elapsed() < Duration::from_secs(20) {
        let paths: Vec<_> = (0..20).map(|n| rig.path(&n.to_string())).collect();
        for refused in join_all(paths.iter().map(|path| read(&session, path))).await {
            let error = refused.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::LoginRefused { status: 400, .. }), "{error}");
            assert_eq!(error.retry(), Retry::AfterEdit);
            assert!(error.next_try().is_some());
            assert_eq!(text.get_or_insert(error.to_string()), &error.to_string(), "the text never differs");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let expected = format!(
        "Vault at {} refused the login at \"auth/{}\" (400): invalid role or secret ID; check roleId and the secret id, \
         and that it has neither ended nor been used up",
        rig.proxy.url(),
        rig.role.mount
    );
    assert_eq!(text.as_deref(), Some(expected.as_str()));
    assert!(rig.proxy.logins() <= 2, "{}", rig.proxy.summary());

    // The same credentials, opened anew, do not get around the budget.
    drop(session);
    for _ in 0..5 {
        let again = rig.sessions.open(wrong())?;
        assert_eq!(read(&again, &rig.path("a")).await.unwrap_err().to_string(), expected);
        drop(again);
    }
    assert_eq!(rig.proxy.logins(), 3, "three in a quarter of an hour\n{}", rig.proxy.summary());

    let mended = rig.session();
    assert_eq!(read(&mended, &rig.path("a")).await?, json!({"k": "v"}));
    Ok(())
}

#[tokio::test]
async fn gone_is_only_what_is_certainly_gone() -> Result {
    let rig = Rig::new("gone", json!({})).await?;
    let session = rig.session();
    let gone = async |path: &KvPath| read(&session, path).await.unwrap_err().gone();

    assert_eq!(gone(&rig.path("never")).await, Some(Gone::Missing), "the server says what the mount is");
    assert_eq!(rig.proxy.count(|seen| seen.path.contains("/ui/mounts/")), 1);
    assert_eq!(gone(&rig.path("never-either")).await, Some(Gone::Missing));
    assert_eq!(rig.proxy.count(|seen| seen.path.contains("/ui/mounts/")), 1, "and is asked once");

    rig.kv.write("a", json!({"k": 1})).await?;
    rig.kv.write("a", json!({"k": 2})).await?;
    rig.kv.delete("a").await?;
    assert_eq!(gone(&rig.path("a")).await, Some(Gone::Deleted));
    rig.kv.destroy("a", &[2]).await?;
    assert_eq!(gone(&rig.path("a")).await, Some(Gone::Destroyed));
    for pinned in [2, 9] {
        let path = KvPath { pinned: Some(pinned), ..rig.path("a") };
        let error = read(&session, &path).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoSuchVersion { .. }), "{error}");
        assert_eq!(error.gone(), None, "{error}");
    }

    let v1 = rig.vault.enable_kv(&format!("{}/v1", rig.name), testbed::KvVersion::V1).await?;
    assert_eq!(gone(&KvPath::latest(KvVersion::V1, v1.read_path("never"))).await, Some(Gone::Missing));
    Ok(())
}

#[tokio::test]
async fn a_mount_that_does_not_fit_the_store_is_named_with_the_fix() -> Result {
    let rig = Rig::new("mounts", json!({})).await?;
    let name = &rig.name;
    rig.vault.allow_reading(name, &[&format!("{name}/*"), "cubbyhole/*", "nowhere/*"]).await?;
    let v1 = rig.vault.enable_kv(&format!("{name}/v1"), testbed::KvVersion::V1).await?;
    v1.write("data/trap", json!({"k": "v"})).await?;
    let session = rig.session();
    let text = async |version, path: &str| {
        let error = read(&session, &KvPath::latest(version, path)).await.unwrap_err();
        assert_eq!(error.gone(), None, "{error}");
        error.to_string()
    };
    let v2_fix = format!("the mount \"{name}/kv\" is KV v2: set `version: v2` in the store's provider.vault");
    let v1_fix = format!("the mount \"{name}/v1\" is KV v1: set `version: v1` in the store's provider.vault");
    assert_eq!(text(KvVersion::V1, &format!("{name}/kv/a")).await, v2_fix);
    assert_eq!(text(KvVersion::V2, &format!("{name}/v1/data/a")).await, v1_fix);
    assert_eq!(text(KvVersion::V2, &format!("{name}/v1/data/trap")).await, v1_fix, "a 200, but of a v1 secret");
    assert!(text(KvVersion::V2, "cubbyhole/data/a").await.contains("\"cubbyhole\" engine, not KV"));
    assert!(text(KvVersion::V2, "nowhere/data/a").await.contains("nothing is mounted at \"nowhere/data/a\""));

    session.check_mount(KvVersion::V2, &format!("{name}/kv/data/any")).await?;
    session.check_mount(KvVersion::V2, "kv-of-others/data/any").await?;
    assert_eq!(session.check_mount(KvVersion::V2, &format!("{name}/v1/data")).await.unwrap_err().to_string(), v1_fix);
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
    assert_eq!(session.list(KvVersion::V2, &root).await?, ["a", "dir/"]);
    assert_eq!(session.walk(KvVersion::V2, &root, Urgency::Refresh).await?, ["a", "dir/b", "dir/sub/c", "dir/sub/d"]);
    assert_eq!(session.walk(KvVersion::V2, &format!("{root}/dir/"), Urgency::Refresh).await?, ["b", "sub/c", "sub/d"]);
    assert!(
        session.walk(KvVersion::V2, &format!("{root}/none"), Urgency::Refresh).await?.is_empty(),
        "certainly nothing there"
    );
    let wrong = session.list(KvVersion::V1, rig.kv.mount()).await.unwrap_err();
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
async fn a_session_is_validated_without_a_login_of_its_own() -> Result {
    let rig = Rig::new("validate", json!({})).await?;
    let session = rig.session();
    session.validate().await?;
    for _ in 0..10 {
        session.validate().await?;
    }
    assert_eq!((rig.proxy.logins(), rig.proxy.requests().len()), (1, 1), "{}", rig.proxy.summary());

    let refused = rig.sessions.open(Connection::new(rig.proxy.url(), rig.login_with("wrong")))?;
    assert_eq!(refused.validate().await.unwrap_err().label(), "login_refused");
    Ok(())
}

#[tokio::test]
async fn what_is_left_of_a_secret_id_is_told_where_the_role_may_ask() -> Result {
    let options = json!({"secret_id_num_uses": 5, "secret_id_ttl": "1h"});
    let rig = Rig::new("life", options).await?;
    let session = rig.session();
    session.validate().await?;
    for _ in 0..3 {
        assert_eq!(session.secret_id_life().await?, None, "the role may not look itself up");
    }
    let lookup = format!("auth/{}/role/{}/secret-id/lookup", rig.role.mount, rig.name);
    assert_eq!(rig.asked(&lookup), 1, "and is not asked each time: {}", rig.proxy.summary());
    let name = &rig.name;
    let policy =
        format!("path \"auth/{}/role/{name}/secret-id/lookup\" {{ capabilities = [\"update\"] }}", rig.role.mount);
    rig.vault.write_policy(name, &policy).await?;
    let sessions = Sessions::new(Settings::default(), tokio::runtime::Handle::current());
    let session = sessions.open(rig.connection())?;
    session.validate().await?;
    let life = session.secret_id_life().await?.expect("it may now");
    assert_eq!(life.uses_left, Some(3), "two were used for logins");
    assert!(life.expires.is_some_and(|at| at.starts_with("20")));

    rig.vault.destroy_secret_id(&rig.role).await?;
    let life = session.secret_id_life().await?.expect("that it is gone");
    assert!(life.is_gone, "{life:?}");
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
async fn a_session_whose_login_works_again_says_so() -> Result {
    let rig = Rig::new("recover", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let mut recoveries = rig.sessions.recoveries();
    let session = rig.session();
    let rule = rig.proxy.rule(|seen| seen.is_login(), testbed::proxy::Action::refuse(500, "internal error"));
    assert_eq!(read(&session, &rig.path("a")).await.unwrap_err().label(), "server_failed");
    rig.proxy.remove(rule);
    wait_until("a login", SOON, async || read(&session, &rig.path("a")).await).await?;
    assert_eq!(recoveries.recv().await?, Recovery::Session(session.id()));
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
