//! Servers that lie, hang, throttle, break off, are sealed or away: what a session makes of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod vault_support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use external_secrets_rs::vault::{
    ClientIdentity, Connection, Down, ErrorKind, Login, Recovery, RetrySettings, Sessions, Settings, Urgency,
};
use futures::future::join_all;
use serde_json::json;
use testbed::proxy::{Action, Seen};
use testbed::{Proxy, Stack, Storage, wait_until};
use vault_support::{Result, Rig, SOON, read, read_as};

fn is_read(seen: &Seen) -> bool {
    seen.path.contains("/kv/data/")
}

fn is_health(seen: &Seen) -> bool {
    seen.path == "/v1/sys/health"
}

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
async fn a_sealed_server_is_asked_by_one_probe_and_resumes_by_itself() -> Result {
    let stack = Stack::from_env()?;
    let bao = stack.own_openbao(Storage::Memory).await?;
    let rig = Rig::on(stack, bao.vault().clone(), "sealed", json!({}), Settings::default()).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let mut recoveries = rig.sessions.recoveries();
    let session = rig.session();
    read(&session, &rig.path("a")).await?;

    bao.seal().await?;
    let error = read(&session, &rig.path("a")).await.unwrap_err();
    assert!(error.to_string().contains("is sealed (503): unseal it"), "{error}");
    wait_until("the breaker", SOON, async || session.server_down().ok_or("closed")).await?;
    assert_eq!(session.server_down(), Some(Down::Sealed));
    rig.proxy.reset();
    let mut text = None;
    for n in 0..1000 {
        let error = read(&session, &rig.path(&n.to_string())).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ServerDown { why: Down::Sealed, .. }), "{error}");
        assert_eq!(text.get_or_insert(error.to_string()), &error.to_string(), "the text never differs");
    }
    assert_eq!(rig.proxy.count(|seen| !is_health(seen)), 0, "{}", rig.proxy.summary());

    bao.unseal().await?;
    let recovery = tokio::time::timeout(Duration::from_secs(30), recoveries.recv()).await??;
    assert_eq!(recovery, Recovery::Server(session.server().clone()));
    assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
    assert_eq!(rig.proxy.logins(), 0, "the token outlived the seal\n{}", rig.proxy.summary());
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_away_fails_everybody_at_once_until_it_is_back() -> Result {
    let mut rig = Rig::new("away", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let mut recoveries = rig.sessions.recoveries();
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    rig.proxy.refuse().await;
    let begun = Instant::now();
    let paths: Vec<_> = (0..200).map(|n| rig.path(&n.to_string())).collect();
    for failed in join_all(paths.iter().map(|path| read(&session, path))).await {
        let error = failed.unwrap_err();
        assert!(matches!(error.label(), "unanswered" | "server_down"), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(session.server_down(), Some(Down::Unreachable));
    rig.proxy.listen_again().await?;
    tokio::time::timeout(Duration::from_secs(30), recoveries.recv()).await??;
    assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
    Ok(())
}

#[tokio::test]
async fn a_blip_is_no_outage() -> Result {
    let mut rig = Rig::new("blip", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    rig.proxy.refuse().await;
    let (reader, path) = (session.clone(), rig.path("a"));
    let reading = tokio::spawn(async move { read(&reader, &path).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.proxy.listen_again().await?;
    assert_eq!(reading.await??, json!({"k": "v"}));
    assert_eq!(session.server_down(), None);
    Ok(())
}

#[tokio::test]
async fn a_restarted_server_is_found_again() -> Result {
    let stack = Stack::from_env()?;
    let mut bao = stack.own_openbao(Storage::Files).await?;
    let rig = Rig::on(stack, bao.vault().clone(), "restart", json!({}), Settings::default()).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    bao.kill();
    assert!(read(&session, &rig.path("a")).await.is_err());
    bao.restart().await?;
    wait_until("the secret again", Duration::from_secs(40), async || read(&session, &rig.path("a")).await).await?;
    Ok(())
}

/// Deadlines short enough for a test.
fn hasty() -> Settings {
    Settings {
        request_timeout: Duration::from_millis(500),
        operation_timeout: Duration::from_secs(2),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_hanging_server_harms_only_itself() -> Result {
    let rig = Rig::with("hang", json!({}), hasty()).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let other = Proxy::start(rig.vault.addr()).await?;
    let (hanging, well) = (rig.session(), rig.sessions.open(Connection::new(other.url(), rig.login()))?);
    hanging.validate().await?;
    well.validate().await?;
    let rule = rig.proxy.always(Action::Hang);
    let paths: Vec<_> = (0..100).map(|n| rig.path(&n.to_string())).collect();
    let hung = join_all(paths.iter().map(|path| read_as(&hanging, path, Urgency::Refresh)));
    let fine = async {
        let begun = Instant::now();
        for _ in 0..10 {
            assert_eq!(read(&well, &rig.path("a")).await?, json!({"k": "v"}));
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        Result::Ok(())
    };
    let (hung, fine) = futures::future::join(hung, fine).await;
    fine?;
    for failed in hung {
        assert!(matches!(failed.unwrap_err().label(), "unanswered" | "server_down"));
    }
    wait_until("the breaker", SOON, async || hanging.server_down().ok_or("closed")).await?;
    assert_eq!(hanging.server_down(), Some(Down::Hanging));
    assert_eq!(well.server_down(), None);
    rig.proxy.remove(rule);
    wait_until("its recovery", Duration::from_secs(30), async || read(&hanging, &rig.path("a")).await).await?;
    Ok(())
}

#[tokio::test]
async fn a_path_that_hangs_is_not_the_server() -> Result {
    let rig = Rig::with("hang-path", json!({}), hasty()).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    session.validate().await?;
    rig.proxy.rule(|seen| seen.path.ends_with("/slow"), Action::Hang);
    for _ in 0..3 {
        let error = read(&session, &rig.path("slow")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unanswered { why: Down::Hanging, .. }), "{error}");
        assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
    }
    assert_eq!(session.server_down(), None);
    Ok(())
}

#[tokio::test]
async fn requests_in_flight_are_limited_and_urgent_ones_find_room() -> Result {
    let rig = Rig::new("limit", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    session.validate().await?;
    rig.proxy.rule(|seen| is_read(seen) && !seen.path.ends_with("/a"), Action::Delay(Duration::from_secs(1)));
    let paths: Vec<_> = (0..96).map(|n| rig.path(&n.to_string())).collect();
    let herd = join_all(paths.iter().map(|path| read_as(&session, path, Urgency::Refresh)));
    let urgent = async {
        wait_until("the herd on its way", SOON, async || {
            (rig.proxy.count(is_read) >= 24).then_some(()).ok_or("not yet")
        })
        .await?;
        let begun = Instant::now();
        assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
        assert!(begun.elapsed() < Duration::from_millis(700), "it waited for none: {:?}", begun.elapsed());
        Result::Ok(())
    };
    let (_, urgent) = futures::future::join(herd, urgent).await;
    urgent?;
    assert!(rig.proxy.peak_in_flight() <= 25, "24 refreshes and an urgent one: {}", rig.proxy.peak_in_flight());
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
async fn trust_is_as_the_store_says_and_its_lack_is_told() -> Result {
    let rig = Rig::new("tls", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let ca = rig.stack.pki().ca()?.into_bytes();
    let tls = rig.stack.vault_tls_addr().to_owned();
    let trusting = Connection { ca_bundle: Some(ca.clone()), ..Connection::new(&tls, rig.login()) };
    let session = rig.sessions.open(trusting.clone())?;
    assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));

    let told = async |connection: Connection| {
        let opened = rig.sessions.open(connection);
        match opened {
            Ok(session) => read(&session, &rig.path("a")).await.unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    };
    let plain = rig.vault.addr().to_owned();
    let other_ca = rig.stack.pki().issue_client("other", &[])?.certificate.into_bytes();
    for (connection, words) in [
        (Connection::new(&tls, rig.login()), "signed by an unknown CA; give the CA in the store's caBundle"),
        (Connection { ca_bundle: Some(other_ca), ..trusting.clone() }, "unknown CA"),
        (Connection::new(tls.replace("https", "http"), rig.login()), "write https://"),
        (Connection { server: plain.replace("http", "https"), ..trusting.clone() }, "does not speak TLS"),
        (Connection { ca_bundle: Some(b"nonsense".to_vec()), ..trusting.clone() }, "holds no certificate"),
        (Connection { server: tls.replace("127.0.0.1", "vault.invalid"), ..trusting.clone() }, "does not resolve"),
    ] {
        let text = told(connection).await;
        assert!(text.contains(words), "{text}");
    }
    let pair = rig.stack.pki().issue_client("one", &[])?;
    let stranger = rig.stack.pki().issue_client("two", &[])?;
    let identity = |cert: &str, key: &str| Some(ClientIdentity { cert_pem: cert.into(), key_pem: key.into() });
    let mixed = Connection { client_identity: identity(&pair.certificate, &stranger.key), ..trusting.clone() };
    assert!(told(mixed).await.contains("do not belong together"));
    let bad = Connection { client_identity: identity(&pair.certificate, "nonsense"), ..trusting };
    assert!(told(bad).await.contains("not a PEM private key"));
    Ok(())
}

#[tokio::test]
async fn one_who_can_not_be_trusted_does_not_harm_the_others() -> Result {
    let rig = Rig::new("strangers", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let tls = rig.stack.vault_tls_addr();
    let trusting =
        Connection { ca_bundle: Some(rig.stack.pki().ca()?.into_bytes()), ..Connection::new(tls, rig.login()) };
    let distrusting = Connection::new(tls, Login::token("t".into())?);
    let sessions = Sessions::new(Settings::default(), tokio::runtime::Handle::current());
    let (good, bad) = (sessions.open(trusting)?, sessions.open(distrusting)?);
    for _ in 0..5 {
        assert_eq!(read(&bad, &rig.path("a")).await.unwrap_err().label(), "tls");
        assert_eq!(read(&good, &rig.path("a")).await?, json!({"k": "v"}));
    }
    assert_eq!(good.server_down(), None);
    Ok(())
}
