//! Certificates that are trusted, and those that are not.

use external_secrets_rs::vault::{ClientIdentity, Connection, Login, Sessions, Settings};
use serde_json::json;

use crate::vault_support::{Result, Rig, read};

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
