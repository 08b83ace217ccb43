use super::*;
use crate::proxy::{Action, Proxy};

const BARE: &str = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";

#[test]
fn sums_as_they_are_published() {
    let sum = BARE.to_ascii_lowercase();
    assert_eq!(sum_of(BARE, "kube-apiserver").as_deref(), Some(sum.as_str()));
    let list = format!("{}  other.tar.gz\n{sum} *etcd.tar.gz\n", "0".repeat(64));
    assert_eq!(sum_of(&list, "etcd.tar.gz").as_deref(), Some(sum.as_str()));
    assert_eq!(sum_of(&list, "missing.tar.gz"), None);
    assert_eq!(sum_of("<html>not found</html>", "etcd.tar.gz"), None);
}

/// A server of ours stands for the release host: a good file is taken, one with another sum is refused.
#[tokio::test]
async fn a_download_is_checked() {
    let guard = Guard::new().unwrap();
    let proxy = Proxy::start("http://127.0.0.1:1").await.unwrap();
    let answer = |body: &str| Action::answer(200, "text/plain", body);
    proxy.rule(|request| request.path == "/tool", answer("abc"));
    proxy.rule(|request| request.path == "/good", answer(BARE));
    proxy.rule(|request| request.path == "/bad", answer(&"0".repeat(64)));
    let releases = Releases { client: http::internet().unwrap(), offline: OnceCell::new_with(Some(None)) };
    let release = |sums: &str| Release {
        url: format!("{}/tool", proxy.url()),
        sums: format!("{}/{sums}", proxy.url()),
        member: None,
    };

    let file = releases.download(&guard, Tool::Etcd, &release("good"), guard.dir()).await.unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "abc");

    let refused = releases.download(&guard, Tool::Etcd, &release("bad"), guard.dir()).await.unwrap_err();
    assert!(refused.to_string().contains("SHA-256"), "{refused}");
}

/// Nothing listens on the proxy that the client is told to use: the download's host can't be reached.
#[tokio::test]
async fn without_an_internet_that_is_told_at_once() {
    let dead = reqwest::Proxy::all("http://127.0.0.1:1").unwrap();
    let client = http::builder().proxy(dead).build().unwrap();
    let offline = Releases { client, offline: OnceCell::new() };
    let start = std::time::Instant::now();
    let why = offline.out_of_reach().await.expect("nothing answers there");
    assert!(why.contains("can't be reached (") && why.contains("refused"), "{why}");
    assert!(start.elapsed() < PROBE_LIMIT, "{:?}", start.elapsed());
}
