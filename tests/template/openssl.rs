//! What templates make, OpenSSL takes: PKCS#12 files, keys, and certificates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use external_secrets_rs::template::{Data, Limits, Template};

fn render(text: &str) -> Vec<u8> {
    let data: BTreeMap<String, Vec<u8>> = crate::vectors::data();
    Template::parse("t", text).unwrap().render(&Data::from(&data), &Limits::default()).unwrap()
}

/// A folder that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("template-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().expect("openssl is needed for this test");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "openssl {arguments:?}: {text}");
    text
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/template/vectors/fixtures").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn openssl_opens_what_templates_make() {
    let folder = Folder::new("p12");
    for (name, text, password) in [
        (
            "rsa",
            r#"{{ fullPemToPkcs12Pass (index . "chain-mixed.pem") (index . "leaf.key") "pässwörd" }}"#,
            "pass:pässwörd",
        ),
        ("ec", r#"{{ pemToPkcs12Pass (index . "ec.crt") (index . "sec1-P-256.key") "1234" }}"#, "pass:1234"),
        ("ed", r#"{{ pemToPkcs12 (index . "ed.crt") (index . "ed25519.key") }}"#, "pass:"),
        ("trust", r#"{{ pemTruststoreToPKCS12Pass (index . "chain-mixed.pem") "changeit" }}"#, "pass:changeit"),
    ] {
        let made = render(text);
        assert_eq!(made, render(text), "{name}: the same input must give the same file");
        let path = folder.write(name, &STANDARD.decode(&made).unwrap());
        let shown = openssl(&["pkcs12", "-in", &path, "-passin", password, "-nodes", "-info"]);
        assert!(shown.contains("AES-256-CBC, Iteration 2048, PRF hmacWithSHA256"), "{shown}");
        let certificates = shown.matches("BEGIN CERTIFICATE").count();
        let keys = shown.matches("BEGIN PRIVATE KEY").count();
        let expected = match name {
            "rsa" => (3, 1),
            "trust" => (3, 0),
            _ => (1, 1),
        };
        assert_eq!((certificates, keys), expected, "{name}: {shown}");
        let wrong =
            Command::new("openssl").args(["pkcs12", "-in", &path, "-passin", "pass:wrong", "-nodes"]).output().unwrap();
        assert!(!wrong.status.success(), "{name}: a wrong password must not open it");
    }
}

#[test]
fn templates_open_what_openssl_makes() {
    let key = fixture("leaf.key");
    for (file, password) in
        [("modern.p12", "1234"), ("legacy.p12", "1234"), ("nopass.p12", ""), ("legacy-nopass.p12", "")]
    {
        let found = render(&format!("{{{{ index . \"{file}\" | pkcs12keyPass \"{password}\" }}}}"));
        assert_eq!(String::from_utf8(found).unwrap(), key, "{file}");
    }
    let chain = render(r#"{{ index . "modern.p12" | pkcs12certPass "1234" }}"#);
    assert_eq!(
        String::from_utf8(chain).unwrap(),
        [fixture("leaf.crt"), fixture("inter.crt"), fixture("root.crt")].concat()
    );
}

#[test]
fn openssl_verifies_certificates_that_templates_sign() {
    let folder = Folder::new("ca");
    for key in ["leaf.key", "sec1-P-256.key", "ec-P-384.key", "ec-P-521.key", "ed25519.key"] {
        let text = format!(
            "{{{{ $ca := genCAWithKey \"my CA\" 30 (index . \"{key}\") }}}}{{{{ $c := genSignedCertWithKey \"host.example\" (list \"10.1.2.3\" \"::1\") (list \"host.example\") 10 $ca (index . \"sec1-P-256.key\") }}}}{{{{ $ca.Cert }}}}|{{{{ $c.Cert }}}}|{{{{ $c.Key }}}}"
        );
        let rendered = String::from_utf8(render(&text)).unwrap();
        let parts: Vec<&str> = rendered.split('|').collect();
        let (ca, cert, key_path) = (
            folder.write("ca", parts[0].as_bytes()),
            folder.write("cert", parts[1].as_bytes()),
            folder.write("key", parts[2].as_bytes()),
        );
        let verified = openssl(&[
            "verify",
            "-x509_strict",
            "-CAfile",
            &ca,
            "-verify_hostname",
            "host.example",
            "-purpose",
            "sslserver",
            &cert,
        ]);
        assert!(verified.contains("OK"), "{key}: {verified}");
        openssl(&["verify", "-CAfile", &ca, "-verify_ip", "10.1.2.3", &cert]);
        openssl(&["verify", "-CAfile", &ca, "-verify_ip", "::1", &cert]);
        assert_eq!(
            openssl(&["pkey", "-in", &key_path, "-pubout"]),
            openssl(&["x509", "-in", &cert, "-noout", "-pubkey"])
        );
    }
}

#[test]
fn openssl_reads_the_keys_that_templates_make() {
    let folder = Folder::new("keys");
    for (kind, shown) in [("ecdsa", "prime256v1"), ("ed25519", "ED25519")] {
        let path = folder.write(kind, &render(&format!("{{{{ genPrivateKey \"{kind}\" }}}}")));
        assert!(openssl(&["pkey", "-in", &path, "-noout", "-text", "-check"]).contains(shown), "{kind}");
    }
    let path = folder.write("rsa", &render(r#"{{ (genCA "ca" 1).Key }}"#));
    assert!(openssl(&["rsa", "-in", &path, "-noout", "-text", "-check"]).contains("2048 bit"));
}
