//! Types of Secrets from values in Vault to what uses them; the API server checks each one.

use crate::common::place::secret;
use crate::common::{HEALED, Place, Result, data_of, stalled};
use crate::{place, secret_now, templated};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use external_secrets_rs::api::ExternalSecretSpec;
use external_secrets_rs::sync::spec;
use k8s_openapi::api::core::v1::Secret;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::process::Command;
use std::sync::Arc;
use testbed::Pair;

/// What a server with the key pair of this Secret sends to a client that trusts the stack's CA and asks for shop.test.
fn served(place: &Place, secret: &Secret) -> Result<String> {
    let data = data_of(secret);
    let chain =
        CertificateDer::pem_slice_iter(data["tls.crt"].as_bytes()).collect::<std::result::Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(data["tls.key"].as_bytes())?;
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let server = server.with_no_client_auth().with_single_cert(chain, key)?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(place.stack.pki().ca()?.as_bytes())?)?;
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let mut server = ServerConnection::new(Arc::new(server))?;
    let mut client = ClientConnection::new(Arc::new(client), ServerName::try_from("shop.test")?.to_owned())?;
    server.writer().write_all(b"hello")?;
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        wire.clear();
        client.write_tls(&mut wire)?;
        server.read_tls(&mut wire.as_slice())?;
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire)?;
        client.read_tls(&mut wire.as_slice())?;
        client.process_new_packets()?;
    }
    let mut heard = [0; 5];
    client.reader().read_exact(&mut heard)?;
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

/// A PKCS#12 file of the pair with the CA beside it, as base64, made by OpenSSL.
fn pkcs12(place: &Place, pair: &Pair, password: &str) -> Result<String> {
    let dir = std::env::temp_dir().join(format!("template-pkcs12-{}", place.name()));
    std::fs::create_dir_all(&dir)?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = dir.join(name);
        std::fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    };
    let (leaf, key, ca) =
        (file("leaf", &pair.certificate)?, file("key", &pair.key)?, file("ca", &place.stack.pki().ca()?)?);
    let pass = format!("pass:{password}");
    let output = Command::new("openssl")
        .args(["pkcs12", "-export", "-in", &leaf, "-inkey", &key, "-certfile", &ca, "-passout", &pass])
        .output()?;
    std::fs::remove_dir_all(dir)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(STANDARD.encode(output.stdout))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tls_server_takes_the_pair_from_the_secret() -> Result {
    let (place, _operator) = Place::with_operator("type-tls").await?;
    let first = place.stack.pki().issue_server(&["shop.test"])?;
    place.write("db", json!({"user": first.certificate, "password": first.key})).await?;
    let data = json!({"tls.crt": "{{ .user }}", "tls.key": "{{ .password }}"});
    let template = json!({"type": "kubernetes.io/tls", "data": data});
    place.apply_external(templated(&place, "tls", template).every("1s")).await?;
    let secret = place.holds("tls", &[("tls.crt", &first.certificate), ("tls.key", &first.key)]).await?;
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/tls"));
    assert_eq!(served(&place, &secret)?, "hello");

    // A renewed pair arrives whole: certificate and key in one write.
    let next = place.stack.pki().issue_server(&["shop.test"])?;
    place.write("db", json!({"user": next.certificate, "password": next.key})).await?;
    let secret = place.holds("tls", &[("tls.crt", &next.certificate), ("tls.key", &next.key)]).await?;
    assert_eq!(served(&place, &secret)?, "hello");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pkcs12_file_in_vault_becomes_a_pair() -> Result {
    let (place, _operator) = Place::with_operator("type-pkcs12").await?;
    let pair = place.stack.pki().issue_server(&["shop.test"])?;
    place.write("db", json!({"user": pkcs12(&place, &pair, "changeit")?, "password": "changeit"})).await?;
    let data = json!({
        "tls.crt": "{{ .user | b64dec | pkcs12certPass .password | filterPEM \"CERTIFICATE\" }}",
        "tls.key": "{{ .user | b64dec | pkcs12keyPass .password }}",
        "names": "{{ .user | b64dec | pkcs12certPass .password | certSANs | join \",\" }}",
    });
    let wrong = json!({"data": {"tls.key": "{{ .user | b64dec | pkcs12keyPass \"wrong\" }}"}});
    let template = json!({"type": "kubernetes.io/tls", "data": data});
    place.apply([templated(&place, "tls", template).into(), templated(&place, "wrong", wrong).into()]).await?;
    place.ready("tls").await?;
    let secret = place.secret("tls").await?.unwrap();
    let made = data_of(&secret);
    let ca = place.stack.pki().ca()?;
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&made["tls.crt"]), lines(&format!("{}{ca}", pair.certificate)), "the leaf first");
    assert_eq!(made["names"], "shop.test");
    assert_eq!(served(&place, &secret)?, "hello");
    place.failed("wrong", &["data.tls.key", "line 1, column", "pkcs12keyPass"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_type_is_taken_by_the_api_server() -> Result {
    let (place, _operator) = place("types").await?;
    let login = r#"{"auths":{"registry.test":{"auth":{{ printf "%s:%s" .user .password | b64enc | quote }}}}}"#;
    let rows: [(&str, &str, Value); 4] = [
        ("docker", "kubernetes.io/dockerconfigjson", json!({".dockerconfigjson": login})),
        ("basic", "kubernetes.io/basic-auth", json!({"username": "{{ .user }}", "password": "{{ .password }}"})),
        ("ssh", "kubernetes.io/ssh-auth", json!({"ssh-privatekey": "{{ .password }}"})),
        ("opaque", "Opaque", json!({"user": "{{ .user }}"})),
    ];
    let template = |type_: &str, data: &Value| json!({"type": type_, "data": data});
    place.apply(rows.iter().map(|(name, type_, data)| templated(&place, name, template(type_, data)).into())).await?;
    let docker = r#"{"auths":{"registry.test":{"auth":"YWRtaW46cCZ3"}}}"#;
    place.holds("docker", &[(".dockerconfigjson", docker)]).await?;
    place.holds("basic", &[("username", "admin"), ("password", "p&w")]).await?;
    place.holds("ssh", &[("ssh-privatekey", "p&w")]).await?;
    place.holds("opaque", &[("user", "admin")]).await?;
    for (name, type_, _) in &rows {
        place.ready(name).await?;
        assert_eq!(secret_now(&place, name).await?["type"], *type_);
    }
    // One of another's type is taken as it is.
    place.apply_external(templated(&place, "custom", json!({"type": "example.com/own", "data": {"k": "v"}}))).await?;
    place.holds("custom", &[("k", "v")]).await?;
    assert_eq!(secret_now(&place, "custom").await?["type"], "example.com/own");
    Ok(())
}

/// What a type demands and the template doesn't make is told with the API server's words, without a value.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_type_demands_is_told() -> Result {
    let (place, operator) = place("type-demands").await?;
    let tls = json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "{{ .password }}"}});
    let docker = json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "{{ .password }}"}});
    place.apply([templated(&place, "tls", tls).into(), templated(&place, "docker", docker).into()]).await?;
    for (name, key) in [("tls", "data[tls.key]"), ("docker", "data[.dockerconfigjson]")] {
        let told = place.failed(name, &["could not create Secret", key]).await?;
        assert!(!crate::common::message(&told).contains("p&w"), "{told:?}");
        assert!(place.secret(name).await?.is_none(), "{name}");
    }
    assert!(!operator.log().contains("p&w"));
    let whole = json!({"tls.crt": "{{ .password }}", "tls.key": "{{ .user }}"});
    place.apply_external(templated(&place, "tls", json!({"type": "kubernetes.io/tls", "data": whole}))).await?;
    place.holds_within("tls", &[("tls.crt", "p&w"), ("tls.key", "admin")], HEALED).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_changed_type_makes_our_own_secret_anew() -> Result {
    let (place, _operator) = place("type-change").await?;
    let data = json!({"username": "{{ .user }}", "password": "{{ .password }}"});
    place.apply_external(templated(&place, "db", json!({"data": data}))).await?;
    let both = [("username", "admin"), ("password", "p&w")];
    let before = place.holds("db", &both).await?;
    assert_eq!(before.type_.as_deref(), Some("Opaque"));
    place.ready("db").await?;
    for type_ in ["kubernetes.io/basic-auth", "Opaque"] {
        place.apply_external(templated(&place, "db", json!({"type": type_, "data": data}))).await?;
        place.ready_within("db", HEALED).await?;
        let after = place.holds("db", &both).await?;
        assert_eq!(after.type_.as_deref(), Some(type_));
        assert_ne!(after.metadata.uid, before.metadata.uid);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_foreign_secret_of_another_type_is_left_alone() -> Result {
    let (place, _operator) = place("type-foreign").await?;
    place.apply([secret("owner", &[("mine", "x")]), secret("merge", &[("mine", "x")])]).await?;
    let data = json!({"username": "{{ .user }}", "password": "{{ .password }}"});
    let template = json!({"type": "kubernetes.io/basic-auth", "data": data});
    for (name, policy) in [("owner", "Owner"), ("merge", "CreateOrMerge")] {
        let target = json!({"creationPolicy": policy, "template": template});
        let external = place.external(name, &[("user", "db#user"), ("password", "db#password")]);
        place.apply_external(external.with("/spec", "target", target)).await?;
    }
    for name in ["owner", "merge"] {
        let words = ["\"Opaque\"", "\"kubernetes.io/basic-auth\"", "can't change", "delete it"];
        let told = place.failed(name, &words).await?;
        assert!(stalled(&told).is_some(), "{name}");
        place.holds(name, &[("mine", "x")]).await?;
    }
    // The fix that it names.
    place.delete::<Secret>("owner").await?;
    let secret = place.holds_within("owner", &[("username", "admin"), ("password", "p&w")], HEALED).await?;
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/basic-auth"));
    Ok(())
}

/// Who may write ExternalSecrets must not thereby make credentials of the cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn credentials_of_the_cluster_are_refused() -> Result {
    let (place, _operator) = place("type-refused").await?;
    for type_ in ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"] {
        let template = json!({"type": type_, "data": {"token": "{{ .password }}"}});
        let mut external: Value = templated(&place, "db", template).into();
        for version in ["v1", "v1beta1"] {
            external["apiVersion"] = json!(format!("external-secrets.io/{version}"));
            let error = place.apply([external.clone()]).await.expect_err("refused at admission").to_string();
            assert!(error.contains("credentials for the Kubernetes API itself"), "{version}: {error}");
        }
        // One that was stored before the rule was there: what its condition says.
        let spec: ExternalSecretSpec = serde_json::from_value(external["spec"].clone())?;
        let told = spec::check(&spec).expect_err("refused by the operator").to_string();
        assert!(told.contains(type_) && told.contains("choose another type"), "{told}");
    }
    assert!(place.secret("db").await?.is_none());
    Ok(())
}
