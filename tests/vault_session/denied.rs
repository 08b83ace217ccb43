//! A 403: policies, dead tokens, and tokens that may not look themselves up.

use std::time::Duration;

use external_secrets_rs::vault::{Connection, Login, Recovery, Retry, Settings};
use futures::future::join_all;
use serde_json::json;
use testbed::proxy::Action;
use testbed::{Method, wait_until};

use crate::vault_support::{Result, Rig, SOON, read};

#[tokio::test]
async fn a_denied_path_is_told_as_policy_and_costs_no_login() -> Result {
    let rig = Rig::new("denied", json!({})).await?;
    let session = rig.session();
    let error = read(&session, &rig.path("denied")).await.unwrap_err();
    let name = &rig.name;
    let expected = format!(
        "Vault denied reading \"{name}/kv/data/denied\" (403): the policies [default, {name}] of role \"{name}\" lack \"read\" on it; add that to one of them, or correct the path: Vault says the same of a mount that does not exist"
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

/// A role whose tokens may read, but not look themselves up.
async fn bare(hint: &str) -> Result<Rig> {
    let settings = Settings { proof: Duration::ZERO, ..Settings::default() };
    let rig = Rig::with(hint, json!({"token_no_default_policy": true}), settings).await?;
    let name = &rig.name;
    let policy = format!(
        "path \"{name}/kv/data/a\" {{ capabilities = [\"read\"] }}\n\
         path \"auth/token/revoke-self\" {{ capabilities = [\"update\"] }}\n"
    );
    rig.vault.write_policy(name, &policy).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    Ok(rig)
}

#[tokio::test]
async fn checks_of_a_token_that_may_not_look_itself_up_cost_one_login_in_all() -> Result {
    let rig = bare("bare-check").await?;
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    let first = rig.last_token();
    for _ in 0..5 {
        session.validate().await?;
        assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
    }
    assert_eq!(rig.proxy.logins(), 2, "{}", rig.proxy.summary());
    wait_until("the replaced token revoked", SOON, async || match rig.is_known(&first).await {
        Ok(false) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    assert!(rig.is_known(&rig.last_token()).await?);
    Ok(())
}

#[tokio::test]
async fn denied_paths_of_a_busy_session_whose_tokens_may_not_look_themselves_up_cost_one_login() -> Result {
    let rig = bare("bare-denied").await?;
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    // While a look-up is under way, another read proves the token that it is about.
    rig.proxy.rule(|seen| seen.path.ends_with("/lookup-self"), Action::Delay(Duration::from_millis(300)));
    let paths: Vec<_> = (0..3).map(|n| rig.path(&format!("denied-{n}"))).collect();
    let denied = async {
        for path in &paths {
            let error = read(&session, path).await.unwrap_err();
            assert_eq!(error.label(), "denied", "{error}");
        }
    };
    let busy = async {
        loop {
            read(&session, &rig.path("a")).await.unwrap();
        }
    };
    tokio::select! {
        () = denied => {}
        () = busy => {}
    }
    assert_eq!(rig.proxy.logins(), 2, "{}", rig.proxy.summary());
    Ok(())
}

#[tokio::test]
async fn a_users_token_that_may_not_look_itself_up_serves_on_where_a_path_is_denied() -> Result {
    let rig = Rig::new("own-denied", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let token = rig.vault.create_token(&[&rig.name], json!({"no_default_policy": true})).await?;
    let mut recoveries = rig.sessions.recoveries();
    let session = rig.sessions.open(Connection::new(rig.proxy.url(), Login::token(token.into())?))?;
    let denied: Vec<_> = (0..3).map(|n| rig.path(&format!("denied-{n}"))).collect();
    let labels = async || {
        let all = join_all(denied.iter().map(|path| read(&session, path))).await;
        all.into_iter().map(|read| read.unwrap_err().label()).collect::<Vec<_>>()
    };
    // It may be dead as well, as far as can be told.
    assert_eq!(labels().await, ["token_refused"; 3]);
    assert_eq!(session.validate().await.unwrap_err().label(), "token_refused");
    assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}), "the token stays in use");
    assert_eq!(recoveries.recv().await?, Recovery::Session(session.id()));

    for _ in 0..5 {
        assert_eq!(labels().await, ["denied"; 3]);
        assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
        session.validate().await?;
    }
    Ok(())
}
