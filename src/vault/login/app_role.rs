//! AppRole: `POST auth/<mount>/login {role_id, secret_id}`.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::super::connection::Fingerprinter;
use super::super::error::VaultError;
use super::{Principal, Request};

#[derive(Debug, Clone)]
pub(in super::super) struct AppRole {
    mount: String,
    role_id: SecretString,
    secret_id: SecretString,
}

impl AppRole {
    pub(super) fn new(mount: &str, role_id: SecretString, secret_id: SecretString) -> Result<Self, VaultError> {
        Ok(Self {
            mount: super::mount_path(mount, "approle"),
            role_id: super::trimmed("role id", &role_id)?,
            secret_id: super::trimmed("secret id", &secret_id)?,
        })
    }

    pub(super) fn principal(&self) -> Principal<'_> {
        Principal::new(&self.mount, self.role_id.expose_secret())
    }

    pub(super) fn request(&self) -> Request {
        let body = json!({ "role_id": self.role_id.expose_secret(), "secret_id": self.secret_id.expose_secret() });
        Request::new(format!("auth/{}/login", self.mount), &body)
    }

    /// Asks what is left of the secret id; `role` is the role's name, which a login's answer tells.
    pub(super) fn lookup(&self, role: &str) -> Request {
        let body = json!({ "secret_id": self.secret_id.expose_secret() });
        Request::new(format!("auth/{}/role/{role}/secret-id/lookup", self.mount), &body)
    }

    pub(super) fn fingerprint(&self, print: &mut Fingerprinter) {
        print
            .field(b"approle")
            .field(self.mount.as_bytes())
            .field(self.role_id.expose_secret().as_bytes())
            .field(self.secret_id.expose_secret().as_bytes());
    }
}
