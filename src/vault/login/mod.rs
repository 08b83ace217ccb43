//! The ways to get a token, a file each.

mod app_role;
mod cert;
mod jwt;
mod kubernetes;
mod ldap;
mod token;
mod user_pass;

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::connection::Fingerprinter;
use super::error::VaultError;

/// One way to get a token, with its credentials. `Debug` prints no credential.
///
/// The constructors trim white space around ids, tokens and JWTs, and the line end after a password (files and
/// `kubectl create secret --from-file` leave one), and refuse an empty credential with
/// [`super::ErrorKind::EmptyCredential`].
#[derive(Debug, Clone)]
pub struct Login(pub(super) Method);

#[derive(Debug, Clone)]
pub(super) enum Method {
    Token(token::Token),
    AppRole(app_role::AppRole),
    Kubernetes(kubernetes::Kubernetes),
    Jwt(jwt::JwtLogin),
    UserPass(user_pass::UserPass),
    Ldap(ldap::Ldap),
    Cert(cert::Cert),
}

impl Login {
    /// A token that somebody else made. It is renewed while it can be, and never revoked.
    pub fn token(token: SecretString) -> Result<Self, VaultError> {
        token::Token::new(token).map(Method::Token).map(Self)
    }

    /// AppRole: `mount` is the path of the auth method, `approle` by default.
    pub fn app_role(mount: &str, role_id: SecretString, secret_id: SecretString) -> Result<Self, VaultError> {
        app_role::AppRole::new(mount, role_id, secret_id).map(Method::AppRole).map(Self)
    }

    /// Kubernetes: a ServiceAccount's token, which the server checks by a TokenReview.
    pub fn kubernetes(mount: &str, role: &str, jwt: Jwt) -> Result<Self, VaultError> {
        kubernetes::Kubernetes::new(mount, role, jwt).map(Method::Kubernetes).map(Self)
    }

    /// JWT: a token the server checks by its issuer's keys. An empty role is the mount's default role.
    pub fn jwt(mount: &str, role: &str, jwt: Jwt) -> Result<Self, VaultError> {
        jwt::JwtLogin::new(mount, role, jwt).map(Method::Jwt).map(Self)
    }

    /// Userpass: a user and password kept by the server.
    pub fn user_pass(mount: &str, username: &str, password: SecretString) -> Result<Self, VaultError> {
        user_pass::UserPass::new(mount, username, password).map(Method::UserPass).map(Self)
    }

    /// LDAP: a user and password checked by a directory.
    pub fn ldap(mount: &str, username: &str, password: SecretString) -> Result<Self, VaultError> {
        ldap::Ldap::new(mount, username, password).map(Method::Ldap).map(Self)
    }

    /// TLS certificate: [`super::Connection::client_identity`] is the credential. Without a role the server tries all.
    pub fn cert(mount: &str, role: Option<&str>) -> Result<Self, VaultError> {
        cert::Cert::new(mount, role).map(Method::Cert).map(Self)
    }

    /// Whose login it is; nobody's for a user's own token.
    pub(super) fn principal(&self) -> Option<Principal<'_>> {
        let (principal, can_be_locked) = match &self.0 {
            Method::Token(_) => return None,
            Method::AppRole(login) => (login.principal(), true),
            Method::UserPass(login) => (login.principal(), true),
            Method::Ldap(login) => (login.principal(), true),
            Method::Kubernetes(login) => (login.principal(), false),
            Method::Jwt(login) => (login.principal(), false),
            Method::Cert(login) => (login.principal(), false),
        };
        Some(Principal { can_be_locked, ..principal })
    }

    /// What to send for a new token; none where the token is already there.
    pub(super) async fn request(&self) -> Result<Option<Request>, VaultError> {
        Ok(match &self.0 {
            Method::Token(_) => None,
            Method::AppRole(login) => Some(login.request()),
            Method::Kubernetes(login) => Some(login.request().await?),
            Method::Jwt(login) => Some(login.request().await?),
            Method::UserPass(login) => Some(login.request()),
            Method::Ldap(login) => Some(login.request()),
            Method::Cert(login) => Some(login.request()),
        })
    }

    /// The user's own token, if that is what this is.
    pub(super) fn own_token(&self) -> Option<&SecretString> {
        match &self.0 {
            Method::Token(login) => Some(login.token()),
            _ => None,
        }
    }

    /// What to send to learn what is left of an AppRole's secret id.
    pub(super) fn secret_id_lookup(&self, role: &str) -> Option<Request> {
        match &self.0 {
            Method::AppRole(login) => Some(login.lookup(role)),
            _ => None,
        }
    }

    /// The credential is the client certificate of the TLS handshake.
    pub(super) fn needs_client_identity(&self) -> bool {
        matches!(self.0, Method::Cert(_))
    }

    pub(super) fn fingerprint(&self, print: &mut Fingerprinter) {
        match &self.0 {
            Method::Token(login) => login.fingerprint(print),
            Method::AppRole(login) => login.fingerprint(print),
            Method::Kubernetes(login) => login.fingerprint(print),
            Method::Jwt(login) => login.fingerprint(print),
            Method::UserPass(login) => login.fingerprint(print),
            Method::Ldap(login) => login.fingerprint(print),
            Method::Cert(login) => login.fingerprint(print),
        }
    }
}

/// Whose login it is: the auth mount and the role id, role or user name. No credential, but not for messages either.
#[derive(Debug, Clone, Copy)]
pub(super) struct Principal<'a> {
    pub(super) mount: &'a str,
    pub(super) name: &'a str,
    /// Refused logins lock it out: Vault and OpenBao do so for AppRole, userpass and LDAP.
    pub(super) can_be_locked: bool,
}

impl<'a> Principal<'a> {
    fn new(mount: &'a str, name: &'a str) -> Self {
        Self { mount, name, can_be_locked: false }
    }
}

/// A POST that carries a credential: an API path and a JSON body that is wiped when dropped.
pub(super) struct Request {
    pub(super) path: String,
    pub(super) body: SecretString,
}

impl Request {
    fn new(path: String, body: &serde_json::Value) -> Self {
        Self { path, body: SecretString::from(body.to_string()) }
    }
}

/// A JWT for the kubernetes and jwt methods.
#[derive(Clone)]
pub enum Jwt {
    /// One that was read from somewhere; a changed one is another identity.
    Value(SecretString),
    /// One that is issued anew for each login, so that a session outlives its first JWT.
    Issued {
        /// Who it is for: equal identities share a session. Must name all that the issuer depends on
        /// (for a ServiceAccount: cluster, namespace, name, uid, audiences).
        identity: String,
        /// Asked once for each login.
        issuer: Arc<dyn JwtIssuer>,
    },
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value([REDACTED])"),
            Self::Issued { identity, .. } => {
                f.debug_struct("Issued").field("identity", identity).finish_non_exhaustive()
            }
        }
    }
}

/// Makes JWTs, one for each login: in the operator a TokenRequest for a ServiceAccount.
pub trait JwtIssuer: Send + Sync {
    /// The error is shown to people as it is, so it says what failed and what to do, and holds no credential.
    fn issue(&self) -> BoxFuture<'_, Result<SecretString, String>>;
}

/// An id, token or JWT without the white space around it.
fn trimmed(what: &'static str, secret: &SecretString) -> Result<SecretString, VaultError> {
    non_empty(what, secret.expose_secret().trim())
}

/// A password without the line end after it; other white space may be part of it.
fn without_line_end(what: &'static str, secret: &SecretString) -> Result<SecretString, VaultError> {
    non_empty(what, secret.expose_secret().trim_end_matches(['\r', '\n']))
}

fn non_empty(what: &'static str, text: &str) -> Result<SecretString, VaultError> {
    if text.is_empty() {
        return Err(VaultError::empty_credential(what));
    }
    Ok(SecretString::from(text))
}

/// The path of an auth mount as it stands in the URL: `approle`, `team/approle`. Users write `auth/approle/` too.
fn mount_path(mount: &str, default: &str) -> String {
    let mount = mount.trim().trim_matches('/');
    let mount = mount.strip_prefix("auth/").unwrap_or(mount);
    if mount.is_empty() { default.to_owned() } else { mount.to_owned() }
}
