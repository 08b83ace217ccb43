//! Where the environment names a proxy, the API server is asked through it, unless NO_PROXY leaves it out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::operator::binary;
use common::place::STORE;
use common::{Place, Result};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Output;

/// `migrate check` of the place with these variables set, as the kubeconfig in the environment says.
fn check(place: &Place, variables: &[(&str, &str)]) -> Result<Output> {
    let mut command = binary(&["migrate", "check", "--namespace", place.name()]);
    for name in ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    Ok(command.envs(variables.iter().copied()).output()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_proxy_is_used_and_no_proxy_is_heeded() -> Result {
    let place = Place::new("proxied").await?;
    place.apply([place.store(STORE)]).await?;
    // Takes one connection, and breaks it off once it knows what is wanted.
    let proxy = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", proxy.local_addr()?);
    let asked = std::thread::spawn(move || {
        let mut line = String::new();
        let (stream, _) = proxy.accept()?;
        BufReader::new(stream).read_line(&mut line)?;
        Ok::<_, std::io::Error>(line)
    });

    for (direct, variables) in [
        ("no proxy", vec![]),
        ("NO_PROXY", vec![("HTTPS_PROXY", address.as_str()), ("NO_PROXY", "10.0.0.0/8,127.0.0.1")]),
        ("no_proxy", vec![("https_proxy", address.as_str()), ("no_proxy", "127.0.0.0/8")]),
    ] {
        let told = check(&place, &variables)?;
        let (text, complaint) = (String::from_utf8(told.stdout)?, String::from_utf8(told.stderr)?);
        // 1 says that the cluster has objects that would not work, as other tests make them.
        let is_read = matches!(told.status.code(), Some(0 | 1));
        assert!(is_read && text.contains(STORE), "{direct}: {text}{complaint}");
    }
    assert!(!asked.is_finished(), "nobody went through the proxy");

    let told = check(&place, &[("HTTPS_PROXY", &address)])?;
    assert_eq!(told.status.code(), Some(2), "{}", String::from_utf8(told.stdout)?);
    let line = asked.join().expect("a thread that ends")?;
    let server = place.stack.kube().url().trim_start_matches("https://").to_owned();
    assert!(line.starts_with(&format!("CONNECT {server}")), "{line:?}");
    Ok(())
}
