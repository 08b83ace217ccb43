//! Kubernetes: `POST auth/<mount>/login {role, jwt}`; the server asks the API server whether the JWT is good.

use super::super::connection::Fingerprinter;
use super::super::error::VaultError;
use super::jwt::JwtLogin;
use super::{Jwt, Principal, Request};

#[derive(Debug, Clone)]
pub(in super::super) struct Kubernetes(JwtLogin);

impl Kubernetes {
    pub(super) fn new(mount: &str, role: &str, jwt: Jwt) -> Result<Self, VaultError> {
        if role.trim().is_empty() {
            return Err(VaultError::empty_credential("role of the kubernetes login"));
        }
        JwtLogin::at(super::mount_path(mount, "kubernetes"), role, jwt).map(Self)
    }

    pub(super) fn principal(&self) -> Principal<'_> {
        self.0.principal()
    }

    pub(super) async fn request(&self) -> Result<Request, VaultError> {
        self.0.request().await
    }

    pub(super) fn fingerprint(&self, print: &mut Fingerprinter) {
        self.0.fingerprint(print.field(b"kubernetes"));
    }
}
