//! Servers that are sealed, away, restarted or hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use external_secrets_rs::vault::{Call, CallObserver, Connection, Down, ErrorKind, Recovery, Settings, Urgency};
use futures::future::join_all;
use serde_json::json;
use testbed::proxy::Action;
use testbed::{Proxy, Stack, Storage, wait_until};

use crate::vault_support::{Result, Rig, SOON, read, read_as};
use crate::{is_health, is_read};

/// Deadlines short enough for a test.
fn hasty() -> Settings {
    Settings {
        request_timeout: Duration::from_millis(500),
        operation_timeout: Duration::from_secs(2),
        ..Settings::default()
    }
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
async fn a_proxy_that_fails_before_vault_is_not_told_as_a_seal() -> Result {
    let rig = Rig::new("ingress", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let mut recoveries = rig.sessions.recoveries();
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    let rule = rig.proxy.always(Action::answer(503, "text/html", "<html>no endpoints</html>"));
    assert!(read(&session, &rig.path("a")).await.is_err());
    wait_until("the breaker", SOON, async || session.server_down().ok_or("closed")).await?;
    assert_eq!(session.server_down(), Some(Down::Failing(503)));
    rig.proxy.remove(rule);
    tokio::time::timeout(Duration::from_secs(30), recoveries.recv()).await??;
    assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_hides_the_health_does_not_keep_the_breaker_open() -> Result {
    let rig = Rig::new("hidden-health", json!({})).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    rig.proxy.rule(is_health, Action::answer(503, "text/html", "<html>not for you</html>"));
    rig.proxy.rule(|seen| seen.path.ends_with("/bad"), Action::refuse(500, "internal error"));
    for _ in 0..2 {
        assert_eq!(read(&session, &rig.path("bad")).await.unwrap_err().label(), "server_failed");
        assert_eq!(read(&session, &rig.path("a")).await?, json!({"k": "v"}));
    }
    assert!(rig.proxy.count(is_health) > 0, "{}", rig.proxy.summary());
    assert_eq!(session.server_down(), None);
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

/// Counts the reads that failed.
#[derive(Default)]
struct FailedReads(AtomicUsize);

impl CallObserver for FailedReads {
    fn called(&self, call: Call, ok: bool, _took: Duration) {
        self.0.fetch_add(usize::from(call == Call::ReadSecret && !ok), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_blip_is_no_outage() -> Result {
    let failed = Arc::new(FailedReads::default());
    let settings = Settings { observer: Some(failed.clone()), ..Settings::default() };
    let mut rig = Rig::with("blip", json!({}), settings).await?;
    rig.kv.write("a", json!({"k": "v"})).await?;
    let session = rig.session();
    read(&session, &rig.path("a")).await?;
    rig.proxy.refuse().await;
    let (reader, path) = (session.clone(), rig.path("a"));
    let reading = tokio::spawn(async move { read(&reader, &path).await });
    wait_until("a refused read", SOON, async || (failed.0.load(Ordering::SeqCst) > 0).then_some(()).ok_or("none"))
        .await?;
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
