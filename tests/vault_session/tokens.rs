//! Tokens of every kind: renewed, replaced, revoked.

use std::time::{Duration, Instant};

use external_secrets_rs::vault::{Connection, ErrorKind, Login, Retry, Sessions, Settings};
use futures::future::join_all;
use serde_json::json;
use testbed::wait_until;

use crate::vault_support::{Result, Rig, SOON, read};

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
    let paths: Vec<_> = (0..30).map(|n| rig.path(&n.to_string())).collect();
    for refused in join_all(paths.iter().map(|path| read(&session, path))).await {
        assert_eq!(refused.unwrap_err().label(), "token_refused");
    }
    rig.proxy.reset();
    for path in &paths {
        let error = read(&session, path).await.unwrap_err();
        assert_eq!(error.label(), "token_refused");
        let pause = error.next_try().expect("a pause").saturating_duration_since(Instant::now());
        assert!(pause <= Duration::from_secs(15), "the herd counts once: {pause:?}");
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
    assert!(!rig.is_alive(&rig.last_token_for("/v1/auth/token/revoke-self")).await?);
    Ok(())
}
