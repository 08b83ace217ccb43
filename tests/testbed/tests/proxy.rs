//! What the proxy does to requests. Its server is a second proxy that answers by rules, so no stack is needed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what helps a test may fail as the test does")]

use reqwest::{Client, Method, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testbed::{
    Proxy, holds_for,
    proxy::{Action, Seen},
    wait_until,
};

const SECRET: &str = "/v1/kv/data/app";
const SOON: Duration = Duration::from_secs(5);

/// A server, a proxy before it, and a client.
async fn setup() -> (Proxy, Proxy, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Proxy::start("http://127.0.0.1:1").await.unwrap();
    server.always(Action::json(200, &json!({"data": {"data": {"password": "p"}}})).with_header("X-From", "server"));
    let proxy = Proxy::start(&server.url()).await.unwrap();
    let client = Client::builder().no_proxy().redirect(Policy::none()).timeout(SOON).build().unwrap();
    (server, proxy, client)
}

fn at(path: &'static str) -> impl Fn(&Seen) -> bool + Send + Sync {
    move |seen| seen.path == path
}

#[tokio::test]
async fn passes_on_and_counts() {
    let (server, proxy, client) = setup().await;
    let url = format!("{}{SECRET}?version=2", proxy.url());
    let answer = client.get(&url).header("X-Vault-Namespace", "team").send().await.unwrap();
    assert_eq!(answer.headers()["x-from"], "server");
    assert_eq!(answer.json::<Value>().await.unwrap()["data"]["data"]["password"], "p");
    let login = format!("{}/v1/auth/approle/login", proxy.url());
    client.post(&login).json(&json!({"role_id": "r"})).send().await.unwrap();
    client.request(Method::from_bytes(b"LIST").unwrap(), &url).send().await.unwrap();

    assert_eq!(proxy.count_of("GET", SECRET), 1);
    assert_eq!(proxy.count_of("LIST", SECRET), 1);
    assert_eq!(proxy.logins(), 1);
    assert!(proxy.summary().contains("     1 POST /v1/auth/approle/login"), "{}", proxy.summary());
    let seen = server.requests().remove(0);
    assert_eq!(seen.query.as_deref(), Some("version=2"));
    assert_eq!(seen.header("x-vault-namespace"), Some("team"));
    assert_eq!(proxy.requests()[0].status, Some(200));

    proxy.reset();
    assert_eq!(proxy.count(|_| true), 0);
}

#[tokio::test]
async fn the_newest_rule_counts_and_rules_can_be_taken_back() {
    let (_server, proxy, client) = setup().await;
    let url = format!("{}{SECRET}", proxy.url());
    let status = async || client.get(&url).send().await.unwrap().status();
    let denied = proxy.rule(at(SECRET), Action::refuse(403, "permission denied"));
    let busy = proxy.rule(at(SECRET), Action::refuse(429, "slow down").with_header("Retry-After", "1"));
    assert_eq!(status().await, StatusCode::TOO_MANY_REQUESTS);
    proxy.remove(busy);
    assert_eq!(status().await, StatusCode::FORBIDDEN);
    proxy.rule_times(2, at(SECRET), Action::refuse(503, "sealed"));
    assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status().await, StatusCode::FORBIDDEN);
    proxy.remove(denied);
    assert_eq!(status().await, StatusCode::OK);
    proxy.always(Action::redirect(307, "http://elsewhere.invalid/"));
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["location"]),
        (StatusCode::TEMPORARY_REDIRECT, &"http://elsewhere.invalid/".parse().unwrap())
    );
    proxy.clear_rules();
    assert_eq!(status().await, StatusCode::OK);
}

#[tokio::test]
async fn delays_and_tells_how_many_were_in_flight() {
    let (_server, proxy, client) = setup().await;
    let url = format!("{}{SECRET}", proxy.url());
    proxy.always(Action::Delay(Duration::from_millis(300)));
    let start = Instant::now();
    let (a, b, c) = tokio::join!(client.get(&url).send(), client.get(&url).send(), client.get(&url).send());
    assert!([a, b, c].into_iter().all(|answer| answer.unwrap().status() == 200));
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(proxy.peak_in_flight(), 3);
}

#[tokio::test]
async fn truncates_a_body_whose_length_was_promised() {
    let (_server, proxy, client) = setup().await;
    proxy.always(Action::Truncate { keep: 10 });
    let mut answer = client.get(format!("{}{SECRET}", proxy.url())).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.content_length().unwrap() > 10);
    assert_eq!(answer.chunk().await.unwrap().unwrap().len(), 10);
    let cut = answer.chunk().await.unwrap_err();
    assert!(!cut.is_timeout(), "{cut:?}");
}

#[tokio::test]
async fn stalls_within_a_body() {
    let (_server, proxy, client) = setup().await;
    proxy.always(Action::Stall { keep: 10 });
    let request = client.get(format!("{}{SECRET}", proxy.url())).timeout(Duration::from_millis(500));
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap().len(), 10);
    assert!(answer.chunk().await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn hangs_until_the_client_leaves() {
    let (server, proxy, client) = setup().await;
    proxy.always(Action::Hang);
    let request = client.get(format!("{}{SECRET}", proxy.url())).timeout(Duration::from_millis(300));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(server.count(|_| true), 0);
    assert_eq!(proxy.requests()[0].status, None);
}

#[tokio::test]
async fn breaks_a_connection_without_an_answer() {
    let (server, proxy, client) = setup().await;
    proxy.always(Action::Break);
    let broken = client.get(format!("{}{SECRET}", proxy.url())).send().await.unwrap_err();
    assert!(broken.is_request() && !broken.is_timeout() && !broken.is_connect(), "{broken:?}");
    assert_eq!(server.count(|_| true), 0);
}

#[tokio::test]
async fn lies() {
    let (_server, proxy, client) = setup().await;
    let url = format!("{}{SECRET}", proxy.url());
    let body = async || client.get(&url).send().await.unwrap().text().await.unwrap();
    proxy.always(Action::html());
    assert!(body().await.starts_with("<!doctype html>"));
    proxy.always(Action::json(200, &Value::Null));
    assert_eq!(body().await, "null");
    proxy.always(Action::huge(40 << 20));
    assert!(body().await.len() > 40 << 20);
}

#[tokio::test]
async fn refuses_connections_and_listens_again_on_the_same_port() {
    let (_server, mut proxy, client) = setup().await;
    let url = format!("{}{SECRET}", proxy.url());
    assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::OK);
    proxy.refuse().await;
    let refused = client.get(&url).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    proxy.listen_again().await.unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_server_that_is_not_there_gives_502() {
    let (_server, _proxy, client) = setup().await;
    let proxy = Proxy::start("http://127.0.0.1:1").await.unwrap();
    assert_eq!(client.get(proxy.url()).send().await.unwrap().status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn waiting_ends_when_it_holds_and_says_what_was_seen_when_it_never_does() {
    let mut looks = 0;
    let third = wait_until("a third look", SOON, async || {
        looks += 1;
        if looks == 3 { Ok(looks) } else { Err(format!("look {looks}")) }
    });
    assert_eq!(third.await.unwrap(), 3);

    let never = wait_until("rain", Duration::from_millis(80), async || Err::<(), _>("sun")).await.unwrap_err();
    assert_eq!(never.to_string(), "waited 80ms for rain; last seen: sun");

    let hanging =
        wait_until("an answer", Duration::from_millis(80), async || std::future::pending::<Result<(), String>>().await);
    assert!(hanging.await.unwrap_err().to_string().contains("the first look did not return"));

    let start = Instant::now();
    let breaks =
        holds_for("quiet", SOON, async || if start.elapsed().as_millis() < 60 { Ok(()) } else { Err("a noise") });
    assert!(breaks.await.unwrap_err().to_string().ends_with("a noise"));
}
