//! Answers that are not the secret, and those worth another try.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use external_secrets_rs::vault::{Connection, ErrorKind, Login, RetrySettings, Session, Settings};
use serde_json::json;
use testbed::proxy::{Action, Seen};
use testbed::{Proxy, wait_until};

use crate::is_read;
use crate::vault_support::{Result, Rig, SOON, read};

#[tokio::test]
async fn an_answer_that_is_not_the_secret_is_never_taken_for_it() -> Result {
    let rig = Rig::new("lies", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    let elsewhere = "http://vault.example.com:8200/v1/kv/data/a?token=hunter2";
    for (action, label) in [
        (Action::html(), "garbled"),
        (Action::answer(404, "text/html", "<html>not found</html>"), "garbled"),
        (Action::answer(200, "application/json", ""), "garbled"),
        (Action::answer(200, "application/json", "null"), "garbled"),
        (Action::json(200, &json!({"data": null})), "garbled"),
        (Action::json(200, &json!({"data": {"data": null, "metadata": {"version": 1}}})), "garbled"),
        (Action::json(200, &json!({"data": {}})), "garbled"),
        (Action::answer(200, "application/json", r#"{"data":{"data":{"k":"v"#), "garbled"),
        (Action::answer(204, "application/json", ""), "garbled"),
        (Action::Truncate { keep: 20 }, "unanswered"),
        (Action::huge(40 * 1024 * 1024), "too_large"),
        (Action::redirect(307, elsewhere), "redirected"),
        (Action::redirect(302, elsewhere), "redirected"),
        (Action::refuse(404, "no such thing"), "garbled"),
        (Action::refuse(405, "unsupported operation"), "rejected"),
    ] {
        let told = format!("{action:?}").chars().take(120).collect::<String>();
        let rule = rig.proxy.rule(is_read, action);
        let error = read(&session, &rig.path("a")).await.unwrap_err();
        assert_eq!(error.label(), label, "{told}: {error}");
        assert_eq!(error.gone(), None, "{told}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        rig.proxy.remove(rule);
        assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}), "after {told}");
    }
    assert_eq!(rig.proxy.logins(), 1, "{}", rig.proxy.summary());
    Ok(())
}

#[tokio::test]
async fn what_passes_is_retried_within_the_read() -> Result {
    let rig = Rig::new("passing", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    session.validate().await?;
    for action in [
        Action::refuse(429, "rate limited").with_header("Retry-After", "1"),
        Action::refuse(412, "required index state not present"),
        Action::answer(502, "text/html", "<html>bad gateway</html>"),
        Action::answer(503, "text/html", "<html>try later</html>"),
        Action::refuse(500, "internal error"),
        Action::Break,
        Action::Truncate { keep: 5 },
    ] {
        let told = format!("{action:?}");
        let throttled = told.contains("429");
        rig.proxy.reset();
        rig.proxy.rule_times(2, is_read, action);
        let begun = Instant::now();
        assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}), "{told}");
        assert_eq!(rig.proxy.count(is_read), 3, "{told}");
        assert!(!throttled || begun.elapsed() >= Duration::from_secs(2), "Retry-After is heeded");
    }
    Ok(())
}

#[tokio::test]
async fn retries_end_where_the_store_says() -> Result {
    let rig = Rig::new("retries", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let retry = RetrySettings { max_retries: 1, interval: Duration::from_millis(10) };
    let session = rig.sessions.open(Connection { retry, ..rig.connection() })?;
    session.validate().await?;
    rig.proxy.rule(is_read, Action::refuse(502, "upstream"));
    let error = read(&session, &rig.path("a")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ServerFailed { status: 502, .. }), "{error}");
    assert_eq!(rig.proxy.count(is_read), 2);
    rig.proxy.clear_rules();
    rig.proxy.rule(is_read, Action::refuse(429, "slow down").with_header("Retry-After", "3600"));
    let begun = Instant::now();
    assert_eq!(read(&session, &rig.path("a")).await.unwrap_err().label(), "throttled");
    assert!(begun.elapsed() < Duration::from_secs(5), "a pause beyond the deadline is not waited for");
    assert_eq!(session.server_down(), None, "the server is well, whatever one path answers");
    Ok(())
}

#[tokio::test]
async fn a_login_is_not_repeated_where_it_may_have_reached_the_server() -> Result {
    let rig = Rig::new("once", json!({})).await?;
    for action in [Action::Break, Action::refuse(500, "internal error"), Action::Truncate { keep: 5 }] {
        rig.proxy.reset();
        let rule = rig.proxy.rule(|seen| seen.is_login(), action);
        let session = rig.session();
        assert!(session.validate().await.is_err());
        assert_eq!(rig.proxy.logins(), 1, "{}", rig.proxy.summary());
        rig.proxy.remove(rule);
        drop(session);
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_keeps_the_token_only_on_the_same_host() -> Result {
    let rig = Rig::new("redirect", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let active = Proxy::start(rig.vault.addr()).await?;
    let session = rig.session();
    session.validate().await?;
    let path = format!("/v1/{}", rig.path("a").path);
    let to = |base: String| Action::redirect(307, &format!("{base}{path}"));

    let rule = rig.proxy.rule(is_read, to(active.url()));
    assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}), "another port of the same host");
    assert_eq!(active.count(is_read), 1);
    rig.proxy.remove(rule);

    active.reset();
    for base in [active.url().replace("127.0.0.1", "localhost"), active.url().replace("http://", "https://")] {
        let rule = rig.proxy.rule(is_read, to(base.clone()));
        let error = read(&session, &rig.path("a")).await.unwrap_err();
        assert!(error.to_string().contains(&format!("redirects to {base}")), "{error}");
        rig.proxy.remove(rule);
    }
    let rule = rig.proxy.rule(is_read, to(rig.proxy.url()));
    assert_eq!(read(&session, &rig.path("a")).await.unwrap_err().label(), "redirected", "followed once only");
    rig.proxy.remove(rule);
    assert_eq!(active.requests().len(), 0, "no token was sent there");
    Ok(())
}

#[tokio::test]
async fn headers_are_sent_as_the_store_says() -> Result {
    let rig = Rig::new("headers", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let headers = BTreeMap::from([("X-Team".to_owned(), "blue".to_owned())]);
    let connection = Connection { headers, forward_inconsistent: true, read_your_writes: true, ..rig.connection() };
    let session = rig.sessions.open(connection)?;
    // As a cluster answers that knows how far its nodes are.
    let index = json!({"auth": {"client_token": rig.vault.token(), "policies": ["root"], "lease_duration": 0, "token_type": "batch"}});
    rig.proxy.rule_times(1, |seen| seen.is_login(), Action::json(200, &index).with_header("X-Vault-Index", "v1:abc"));
    let secret = json!({"data": {"data": {"k": "v"}, "metadata": {"version": 1}}});
    rig.proxy.rule_times(1, is_read, Action::json(200, &secret));
    read(&session, &rig.path("a")).await?;
    let requests = rig.proxy.requests();
    assert_eq!(requests.len(), 2);
    for seen in &requests {
        assert_eq!(seen.header("x-team"), Some("blue"));
        assert_eq!(seen.header("x-vault-request"), Some("true"));
        assert!(seen.header("user-agent").is_some_and(|agent| agent.starts_with("external-secrets-rs/")));
    }
    let sent = &requests[1];
    assert_eq!(sent.header("x-vault-index"), Some("v1:abc"));
    assert_eq!(sent.header("x-vault-inconsistent"), Some("forward-active-node"));
    Ok(())
}

#[tokio::test]
async fn a_proxys_refusal_is_not_vaults() -> Result {
    let rig = Rig::with("waf", json!({}), Settings { proof: Duration::ZERO, ..Settings::default() }).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    let own = rig.vault.create_token(&[&rig.name], json!({})).await?;
    let own = rig.sessions.open(Connection::new(rig.proxy.url(), Login::token(own.into())?))?;
    let blocked = rig
        .sessions
        .open(Connection { headers: [("X-Team".to_owned(), "x".to_owned())].into(), ..rig.connection() })?;
    let label = async |session: &Session| read(session, &rig.path("a")).await.unwrap_err().label();
    for action in [
        Action::answer(403, "text/html", "<html>blocked</html>"),
        Action::answer(401, "application/json", r#"{"message":"Unauthorized"}"#),
        Action::answer(400, "text/plain", "Bad Request"),
        Action::answer(404, "text/html", "<html>no backend</html>"),
    ] {
        let told = format!("{action:?}");
        let rule = rig.proxy.always(action);
        for _ in 0..3 {
            assert_eq!(label(&session).await, "garbled", "{told}");
            assert_eq!(label(&own).await, "garbled", "{told}");
            assert_eq!(label(&blocked).await, "garbled", "{told}");
        }
        let error = session.validate().await.unwrap_err();
        assert_eq!(error.label(), "garbled", "{error}");
        rig.proxy.remove(rule);
        assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}), "after {told}");
    }
    for session in [&own, &blocked] {
        wait_until("another try, soon", SOON, async || read(session, &rig.path("a")).await).await?;
    }
    assert_eq!(rig.proxy.count(|seen| seen.path.ends_with("/revoke-self")), 0, "{}", rig.proxy.summary());
    Ok(())
}

#[tokio::test]
async fn a_renewal_that_a_proxy_refuses_is_tried_again() -> Result {
    let rig = Rig::new("waf-renewal", json!({"token_period": "3s"})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    let is_renewal = |seen: &Seen| seen.path.ends_with("/renew-self");
    rig.proxy.rule_times(1, is_renewal, Action::answer(403, "text/html", "<html>blocked</html>"));
    read(&session, &rig.path("a")).await?;
    wait_until("a second renewal", SOON, async || (rig.proxy.count(is_renewal) > 1).then_some(()).ok_or("none"))
        .await?;
    read(&session, &rig.path("a")).await?;
    assert_eq!(rig.proxy.logins(), 1, "{}", rig.proxy.summary());
    Ok(())
}
