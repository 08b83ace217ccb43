//! Userpass: `POST auth/<mount>/login/<username> {password}`.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::super::connection::Fingerprinter;
use super::super::error::VaultError;
use super::{Principal, Request};

#[derive(Debug, Clone)]
pub(in super::super) struct UserPass {
    mount: String,
    username: String,
    password: SecretString,
}

impl UserPass {
    pub(super) fn new(mount: &str, username: &str, password: SecretString) -> Result<Self, VaultError> {
        Self::at(super::mount_path(mount, "userpass"), username, password)
    }

    /// LDAP speaks the same words under another mount.
    pub(super) fn at(mount: String, username: &str, password: SecretString) -> Result<Self, VaultError> {
        let username = username.trim().to_owned();
        if username.is_empty() {
            return Err(VaultError::empty_credential("username"));
        }
        Ok(Self { mount, username, password: super::without_line_end("password", &password)? })
    }

    pub(super) fn principal(&self) -> Principal<'_> {
        Principal::new(&self.mount, &self.username)
    }

    pub(super) fn request(&self) -> Request {
        let body = json!({ "password": self.password.expose_secret() });
        Request::new(format!("auth/{}/login/{}", self.mount, self.username), &body)
    }

    pub(super) fn fingerprint(&self, print: &mut Fingerprinter) {
        print
            .field(b"password")
            .field(self.mount.as_bytes())
            .field(self.username.as_bytes())
            .field(self.password.expose_secret().as_bytes());
    }
}
