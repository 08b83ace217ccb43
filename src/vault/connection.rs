//! What a session is opened with, and which connections are the same.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sha3::{Digest, Sha3_256};

use super::login::Login;

/// Everything a session needs: plain values, each already read from wherever the store's spec points.
///
/// Two equal connections share one session, one token and one set of reads ([`super::Sessions::open`]).
/// `Debug` prints no credential, and no header's value, which may be one.
#[derive(Clone)]
pub struct Connection {
    /// `http(s)://host[:port][/prefix]`
    pub server: String,
    /// Sent as `X-Vault-Namespace` with reads.
    pub namespace: Option<String>,
    /// The namespace to log in to, where it differs from `namespace`.
    pub auth_namespace: Option<String>,
    /// PEM certificates to trust *instead of* the system's.
    pub ca_bundle: Option<Vec<u8>>,
    /// Presented in the TLS handshake; [`Login::cert`] needs it.
    pub client_identity: Option<ClientIdentity>,
    /// Sent with each request. Those that carry the token or the framing of HTTP are refused.
    pub headers: BTreeMap<String, String>,
    /// Vault Enterprise: sends the `X-Vault-Index` of the login along with reads, so that a standby that has not
    /// caught up says so (412) and the read is tried again.
    pub read_your_writes: bool,
    /// Vault Enterprise: lets a standby that has not caught up forward the read to the active node.
    pub forward_inconsistent: bool,
    /// The store's `retrySettings`.
    pub retry: RetrySettings,
    /// How to get a token.
    pub login: Login,
}

impl Connection {
    /// A connection without TLS settings, namespaces or headers.
    pub fn new(server: impl Into<String>, login: Login) -> Self {
        Self {
            server: server.into(),
            namespace: None,
            auth_namespace: None,
            ca_bundle: None,
            client_identity: None,
            headers: BTreeMap::new(),
            read_your_writes: false,
            forward_inconsistent: false,
            retry: RetrySettings::default(),
            login,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Connection")
            // Not yet checked: it may hold a password.
            .field("server", &self.server.rsplit('@').next())
            .field("namespace", &self.namespace)
            .field("auth_namespace", &self.auth_namespace)
            .field("headers", &names)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// A client certificate with its private key, both PEM.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// The certificate, followed by its chain if there is one.
    pub cert_pem: Vec<u8>,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key_pem: SecretString,
}

/// How often a read that met a passing trouble (429, 5xx, 412, a broken connection) is tried again before it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySettings {
    /// Tries after the first.
    pub max_retries: u32,
    /// The first pause; doubled for each further try, ±25%.
    pub interval: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { max_retries: 3, interval: Duration::from_millis(250) }
    }
}

/// A keyed hash that says whether two things are equal without keeping either.
pub(super) type Fingerprint = [u8; 32];

/// Makes fingerprints under a key that never leaves the process, so that one that leaks (a core dump, a log) can't be
/// compared with guesses of a credential.
pub(super) struct Fingerprinter {
    hash: Sha3_256,
}

impl Fingerprinter {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let mut hash = Sha3_256::new();
        hash.update(key);
        Self { hash }
    }

    /// Adds one field with its length, so that no two sequences of fields read alike.
    pub(super) fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
        self
    }

    pub(super) fn optional(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            Some(bytes) => self.field(b"+").field(bytes),
            None => self.field(b"-"),
        }
    }

    pub(super) fn finish(self) -> Fingerprint {
        self.hash.finalize().into()
    }
}

impl Connection {
    /// Equal for connections that may share a session: the credentials' *values* count, not where they were read.
    pub(super) fn fingerprint(&self, key: &[u8; 32]) -> Fingerprint {
        let mut print = Fingerprinter::new(key);
        print
            .field(&self.server_fingerprint(key))
            .optional(self.namespace.as_deref().map(str::as_bytes))
            .optional(self.auth_namespace.as_deref().map(str::as_bytes));
        for (name, value) in &self.headers {
            print.field(name.as_bytes()).field(value.as_bytes());
        }
        print
            .field(&[u8::from(self.read_your_writes), u8::from(self.forward_inconsistent)])
            .field(&self.retry.max_retries.to_le_bytes())
            .field(&self.retry.interval.as_nanos().to_le_bytes());
        self.login.fingerprint(&mut print);
        print.finish()
    }

    /// The namespace that the login, and all else about the token, is sent to.
    pub(super) fn login_namespace(&self) -> Option<&str> {
        self.auth_namespace.as_deref().or(self.namespace.as_deref())
    }

    /// Equal for connections that may share TCP connections, a breaker and the limit of requests in flight.
    pub(super) fn server_fingerprint(&self, key: &[u8; 32]) -> Fingerprint {
        let mut print = Fingerprinter::new(key);
        print.field(self.server.trim_end_matches('/').as_bytes()).optional(self.ca_bundle.as_deref());
        if let Some(identity) = &self.client_identity {
            print.field(&identity.cert_pem).field(identity.key_pem.expose_secret().as_bytes());
        }
        print.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn base() -> Connection {
        let login = Login::app_role("approle", "role".into(), "secret".into()).unwrap();
        Connection::new("https://vault", login)
    }

    #[test]
    fn equal_connections_are_one_session_and_others_are_not() {
        let print = |connection: &Connection| connection.fingerprint(&KEY);
        let trailing = Login::app_role("auth/approle/", "role\n".into(), " secret".into()).unwrap();
        assert_eq!(print(&base()), print(&Connection { login: trailing, ..base() }));
        assert_eq!(print(&base()), print(&Connection { server: "https://vault/".into(), ..base() }));
        let other_secret = Login::app_role("approle", "role".into(), "other".into()).unwrap();
        let shifted = Login::app_role("approle", "rol".into(), "esecret".into()).unwrap();
        let header = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        for other in [
            Connection { server: "https://vault2".into(), ..base() },
            Connection { namespace: Some("a".into()), ..base() },
            Connection { auth_namespace: Some("a".into()), ..base() },
            Connection { ca_bundle: Some(b"ca".to_vec()), ..base() },
            Connection { headers: header("a", "b"), ..base() },
            Connection { headers: header("ab", ""), ..base() },
            Connection { read_your_writes: true, ..base() },
            Connection { forward_inconsistent: true, ..base() },
            Connection { retry: RetrySettings { max_retries: 9, ..RetrySettings::default() }, ..base() },
            Connection { login: other_secret, ..base() },
            Connection { login: shifted, ..base() },
        ] {
            assert_ne!(print(&base()), print(&other), "{other:?}");
        }
        assert_ne!(base().fingerprint(&KEY), base().fingerprint(&[8; 32]), "the key counts");
    }

    #[test]
    fn debug_prints_no_credential() {
        let headers = BTreeMap::from([("X-Key".to_owned(), "hunter2".to_owned())]);
        let told = format!("{:?}", Connection { server: "https://a:hunter2@vault".into(), headers, ..base() });
        assert!(told.contains("X-Key") && told.contains("vault"), "{told}");
        for secret in ["hunter2", "secret\"", "\"role\""] {
            assert!(!told.contains(secret), "{told}");
        }
    }
}
