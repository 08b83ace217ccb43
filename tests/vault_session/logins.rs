//! Refused logins, and checks of a session.

use std::time::{Duration, Instant};

use external_secrets_rs::vault::{Connection, ErrorKind, KvVersion, Recovery, Retry, Sessions, Settings};
use futures::future::join_all;
use serde_json::json;
use testbed::wait_until;

use crate::vault_support::{Result, Rig, SOON, read};

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
    assert_eq!(rig.proxy.logins(), 3, "three, then a rest\n{}", rig.proxy.summary());

    let mended = rig.session();
    assert_eq!(read(&mended, &rig.path("a")).await?, json!({"k": "v"}));
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
async fn stores_that_would_send_the_same_login_share_its_three_tries() -> Result {
    let rig = Rig::new("herd", json!({})).await?;
    let open = |secret_id: &str, team: usize| {
        let (namespace, auth_namespace) = (Some(format!("team-{team}")), Some(String::new()));
        let connection = Connection::new(rig.proxy.url(), rig.login_with(secret_id));
        rig.sessions.open(Connection { namespace, auth_namespace, ..connection })
    };
    let wrong = (0..16).map(|team| open("wrong", team)).collect::<std::result::Result<Vec<_>, _>>()?;
    for refused in join_all(wrong.iter().map(|session| session.validate())).await {
        assert_eq!(refused.unwrap_err().label(), "login_refused");
    }
    assert_eq!(rig.proxy.logins(), 3, "{}", rig.proxy.summary());
    assert_eq!(open("wrong as well", 0)?.validate().await.unwrap_err().label(), "login_refused");
    let held = open(&rig.role.secret_id, 0)?.validate().await.unwrap_err();
    assert!(matches!(held.kind(), ErrorKind::LoginHeld { .. }), "the fifth refusal would lock the role: {held}");
    assert_eq!((held.retry(), rig.proxy.logins()), (Retry::Later, 4), "{}", rig.proxy.summary());

    let rig = Rig::new("good-herd", json!({})).await?;
    let open = |team: usize| {
        let (namespace, auth_namespace) = (Some(format!("team-{team}")), Some(String::new()));
        rig.sessions.open(Connection { namespace, auth_namespace, ..rig.connection() })
    };
    let good = (0..16).map(open).collect::<std::result::Result<Vec<_>, _>>()?;
    for granted in join_all(good.iter().map(|session| session.validate())).await {
        granted?;
    }
    Ok(())
}

#[tokio::test]
async fn a_check_costs_a_token_none_of_its_few_uses() -> Result {
    let rig = Rig::new("check-uses", json!({"token_num_uses": 2})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    for _ in 0..3 {
        session.validate().await?;
        session.check_mount(KvVersion::V2, rig.kv.mount()).await?;
        assert_eq!(session.secret_id_life().await?, None);
    }
    for _ in 0..2 {
        assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
    }
    session.check_mount(KvVersion::V2, rig.kv.mount()).await?;
    assert_eq!(rig.proxy.requests().len(), 3, "a login and two reads\n{}", rig.proxy.summary());
    Ok(())
}
