//! TLS certificate: `POST auth/<mount>/login {name}`; the handshake is the proof.

use serde_json::json;

use super::super::connection::Fingerprinter;
use super::super::error::VaultError;
use super::{Principal, Request};

#[derive(Debug, Clone)]
pub(in super::super) struct Cert {
    mount: String,
    role: Option<String>,
}

impl Cert {
    // Fallible like its siblings, so that they are called alike.
    pub(super) fn new(mount: &str, role: Option<&str>) -> Result<Self, VaultError> {
        let role = role.map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned);
        Ok(Self { mount: super::mount_path(mount, "cert"), role })
    }

    pub(super) fn principal(&self) -> Principal<'_> {
        Principal::new(&self.mount, self.role.as_deref().unwrap_or_default())
    }

    pub(super) fn request(&self) -> Request {
        let body = match &self.role {
            Some(role) => json!({ "name": role }),
            None => json!({}),
        };
        Request::new(format!("auth/{}/login", self.mount), &body)
    }

    pub(super) fn fingerprint(&self, print: &mut Fingerprinter) {
        print.field(b"cert").field(self.mount.as_bytes()).optional(self.role.as_deref().map(str::as_bytes));
    }
}
